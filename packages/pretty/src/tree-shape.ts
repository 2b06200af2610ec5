import type { Glyphs } from './glyphs.ts';
import type { Tree } from './layout.ts';
import type { Theme } from './theme.ts';

export interface TreeShapeSettings {
  readonly indent: number;
  readonly guides: 'none' | 'lines';
  readonly maxDepth: number;
  readonly wraparound: number;
}

type Corner = 'open' | 'close' | 'branch';

/** The glyphs before a text, by the depth of its span: `└─┐` where a span opens, `├─` at an event, `┌─┘` where it closes. */
export class TreeShape {
  readonly #settings: TreeShapeSettings;
  readonly #glyphs: Glyphs;
  readonly #theme: Theme;
  /** By corner, depth and colour. */
  readonly #shapes: Record<Corner, Tree[][]> = { open: [], close: [], branch: [] };

  constructor(settings: TreeShapeSettings, glyphs: Glyphs, theme: Theme) {
    this.#settings = settings;
    this.#glyphs = glyphs;
    this.#theme = theme;
  }

  /** `lane` decides the colour. */
  at(corner: Corner, depth: number, lane: string): Tree {
    const shown = this.#shownDepth(depth);
    const marked = depth < this.#settings.maxDepth || this.#settings.wraparound > 0 ? 0 : depth - shown;
    const color = this.#theme.laneColor(lane);
    // Marked depths are any number, and rare.
    if (marked > 0) return this.#painted(this.#build(corner, shown, marked), color);
    const known = (this.#shapes[corner][shown] ??= []);
    return (known[color] ??= this.#painted(this.#build(corner, shown, 0), color));
  }

  /** The line to the left before a span that opens where indentation starts again, and the one back after its close. */
  rule(corner: 'open' | 'close', depth: number, lane: string): Tree | undefined {
    const { wraparound, indent } = this.#settings;
    if (depth === 0 || wraparound === 0 || depth % wraparound !== 0) return undefined;
    const glyphs = this.#glyphs;
    const end = corner === 'open' ? glyphs.close : glyphs.open;
    const first = `${glyphs.dash.repeat((wraparound - 1) * indent)}${end}`;
    return this.#painted(sized(first, ''), this.#theme.laneColor(lane));
  }

  #painted({ first, below, width }: Tree, color: number): Tree {
    return { first: this.#theme.lane(first, color), below: this.#theme.lane(below, color), width };
  }

  #shownDepth(depth: number): number {
    const { wraparound, maxDepth } = this.#settings;
    return wraparound > 0 ? depth % wraparound : Math.min(depth, maxDepth - 1);
  }

  #build(corner: Corner, depth: number, deeper: number): Tree {
    const { indent } = this.#settings;
    const glyphs = this.#glyphs;
    const dashes = glyphs.dash.repeat(indent - 1);
    const mark = deeper > 0 ? `${glyphs.more}+${deeper} ` : '';
    const below = `${this.#indent(depth)}${glyphs.line}${' '.repeat(indent + mark.length)}`;
    if (corner === 'branch') return sized(`${this.#indent(depth)}${glyphs.branch}${dashes} ${mark}`, below);
    const [from, to] = corner === 'open' ? [glyphs.down, glyphs.open] : [glyphs.up, glyphs.close];
    if (depth === 0) return sized(`${to} ${mark}`, below);
    return sized(`${this.#indent(depth - 1)}${from}${dashes}${to} ${mark}`, below);
  }

  #indent(depth: number): string {
    const { guides, indent } = this.#settings;
    return (guides === 'lines' ? this.#glyphs.line.padEnd(indent) : ' '.repeat(indent)).repeat(depth);
  }
}

/** The gutter is as wide as what stands above it. */
function sized(first: string, below: string): Tree {
  const width = Math.max(first.length, below.length);
  return { first, below, width };
}
