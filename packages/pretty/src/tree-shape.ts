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
  readonly #cache = new Map<string, Tree>();

  constructor(settings: TreeShapeSettings, glyphs: Glyphs, theme: Theme) {
    this.#settings = settings;
    this.#glyphs = glyphs;
    this.#theme = theme;
  }

  /** `lane` decides the colour. */
  at(corner: Corner, depth: number, lane: string): Tree {
    const shown = this.#shownDepth(depth);
    const marked = depth < this.#settings.maxDepth ? 0 : depth - shown;
    const key = `${corner}${shown},${marked}`;
    let shape = this.#cache.get(key);
    if (!shape) {
      shape = this.#build(corner, shown, this.#settings.wraparound > 0 ? 0 : marked);
      if (this.#cache.size < 1000) this.#cache.set(key, shape);
    }
    if (!this.#theme.colored) return shape;
    const { first, below, width } = shape;
    return { first: this.#theme.lane(first, lane), below: this.#theme.lane(below, lane), width };
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
