import { nameSegments, type LevelDirective } from '@treeline/query/directives';
import type { Logger } from 'pino';

/** What is known of a logger: its name does not change. */
interface Named {
  readonly logger: Logger;
  readonly segments: readonly string[];
  /** The directive for the name, in force for `generation`. */
  directive: LevelDirective | undefined;
  generation: number;
}

const NAMED = Symbol('treeline.named');

/** Level directives as loggers ask for them. */
export class DirectiveLevels {
  /** The least level that any of them lets through. */
  readonly leastLevel: number;
  readonly #byName: readonly LevelDirective[];
  readonly #bySpan: readonly LevelDirective[];
  readonly #order: ReadonlyMap<LevelDirective, number>;
  readonly #generation: number;

  constructor(directives: readonly LevelDirective[], generation: number) {
    this.leastLevel = Math.min(Infinity, ...directives.map(({ level }) => level));
    this.#byName = directives.filter(({ span }) => span === undefined);
    this.#bySpan = directives.filter(({ span }) => span !== undefined);
    this.#order = new Map(directives.map((directive, index) => [directive, index]));
    this.#generation = generation;
  }

  /** The directive that decides for a logger outside of spans. */
  forLogger(logger: Logger): LevelDirective | undefined {
    return this.#named(logger).directive;
  }

  /** The level that a logger has inside a span for which these directives hold; undefined where none is about it. */
  inSpan(logger: Logger, directives: readonly LevelDirective[]): number | undefined {
    const { segments, directive: byName } = this.#named(logger);
    let best = byName;
    for (const directive of directives) {
      if (!startsWith(segments, directive.target)) continue;
      if (!best || this.#compare(directive, best) > 0) best = directive;
    }
    return best?.level;
  }

  /** Those that hold inside a span. */
  forSpan(name: string, attrs: Readonly<Record<string, unknown>>): readonly LevelDirective[] {
    if (this.#bySpan.length === 0) return this.#bySpan;
    return this.#bySpan.filter(
      ({ span, fields }) =>
        (span === '' || span === name) &&
        fields.every((field) =>
          field.value === undefined ? Object.hasOwn(attrs, field.name) : attrs[field.name] === field.value,
        ),
    );
  }

  /** More of the name decides, then a span, then more of its fields, then the place in the list. */
  #compare(a: LevelDirective, b: LevelDirective): number {
    return (
      a.target.length - b.target.length ||
      Number(a.span !== undefined) - Number(b.span !== undefined) ||
      Number(a.span !== '') - Number(b.span !== '') ||
      a.fields.length - b.fields.length ||
      (this.#order.get(a) ?? 0) - (this.#order.get(b) ?? 0)
    );
  }

  #named(logger: Logger): Named {
    const holder = logger as Logger & { [NAMED]?: Named };
    let named = holder[NAMED];
    // Children see their parent's through the prototype.
    if (named?.logger !== logger) {
      named = { logger, segments: nameSegments(nameOf(logger)), directive: undefined, generation: -1 };
      Object.defineProperty(holder, NAMED, { value: named, configurable: true });
    }
    if (named.generation !== this.#generation) {
      named.generation = this.#generation;
      named.directive = this.#findByName(named.segments);
    }
    return named;
  }

  #findByName(segments: readonly string[]): LevelDirective | undefined {
    let best: LevelDirective | undefined;
    for (const directive of this.#byName) {
      if (!startsWith(segments, directive.target)) continue;
      if (!best || this.#compare(directive, best) > 0) best = directive;
    }
    return best;
  }
}

/** A child's `name`, or its `module` where it has only that. */
function nameOf(logger: Logger): string {
  try {
    const { name, module } = logger.bindings();
    const text: unknown = name ?? module;
    return typeof text === 'string' ? text : '';
  } catch {
    // Bindings that are no JSON name nobody.
    return '';
  }
}

function startsWith(segments: readonly string[], target: readonly string[]): boolean {
  return target.every((segment, index) => segments[index] === segment);
}
