import type { LogRecord } from '@treeline/contract';
import type { LevelDirective } from '@treeline/query';
import { detached } from './detached.ts';
import type { Line } from './line.ts';
import { plainText } from './json-text.ts';
import { lookUp } from './message-format.ts';
import { loadQuery } from './query-language.ts';
import type { PrinterSettings } from './settings.ts';
import type { Span } from './span-table.ts';

/** What is printed and what is not. */
export interface Filter {
  /** No record below it is printed. */
  readonly leastLevel: number;
  /** Whether a line may be passed over by the level that its batch read from its first bytes. */
  readonly canSkipByLevel: boolean;
  /** `spanOf` finds the span that a line stands in, for directives that ask for it. */
  accepts(line: Line, spanOf: (line: Line) => Span | undefined): boolean;
  /** The directives that hold inside a span which has just opened, those of its parents included. */
  directivesInside(
    name: string,
    attrs: unknown,
    inherited: readonly LevelDirective[],
  ): readonly LevelDirective[];
}

type Test = (line: Line, spanOf: (line: Line) => Span | undefined) => boolean;

/**
 * @throws TypeError that names the option which does not parse.
 */
export function createFilter(settings: PrinterSettings): Filter {
  const minimum = settings.minimumLevel ?? -Infinity;
  const directives = settings.levels === undefined ? [] : parseLevels(settings.levels);
  const directivesMinimum = leastOf(directives);
  const times = timeTests(settings);
  const tests = [
    ...(directives.length > 0 ? [directiveTest(directives)] : []),
    ...idTests(settings),
    ...selectTests(settings.select),
    ...(settings.filter === undefined ? [] : [queryTest(settings.filter, settings)]),
  ];
  const spanDirectives = directives.filter(({ span }) => span !== undefined);
  return {
    leastLevel: Math.max(minimum, directivesMinimum),
    canSkipByLevel: settings.levelKey === 'level' && settings.levelsByName.size === 0 && times.length === 0,
    // What is no JSON has no level that it could be hidden by.
    accepts: (line, spanOf) =>
      // First and of every line: they remember the last time for lines that have none.
      times.every((test) => test(line, spanOf)) &&
      (!line.isRecord || line.level >= minimum) &&
      tests.every((test) => test(line, spanOf)),
    directivesInside(name, attrs, inherited) {
      if (spanDirectives.length === 0) return inherited;
      const own = spanDirectives.filter((directive) => holdsIn(directive, name, attrs));
      return own.length === 0 ? inherited : [...inherited, ...own];
    },
  };
}

function parseLevels(text: string): readonly LevelDirective[] {
  const { directives, errors } = loadQuery().parseDirectives(text);
  const [first] = errors;
  if (!first) return directives;
  const hint = first.suggestion === undefined ? '' : `; ${first.suggestion}`;
  throw new TypeError(`levels must be directives: ${first.message} at column ${first.start + 1}${hint}`);
}

/** Names that no directive speaks of are printed whatever their level. */
function leastOf(directives: readonly LevelDirective[]): number {
  const hasRoot = directives.some(({ target, span }) => target.length === 0 && span === undefined);
  return hasRoot ? Math.min(...directives.map(({ level }) => level)) : -Infinity;
}

function directiveTest(directives: readonly LevelDirective[]): Test {
  const { nameSegments } = loadQuery();
  const byName = new Map<string, readonly LevelDirective[]>();
  const matching = (name: string): readonly LevelDirective[] => {
    const known = byName.get(name);
    if (known) return known;
    const segments = nameSegments(name);
    const found = directives.filter(({ target }) =>
      target.every((segment, index) => segments[index] === segment),
    );
    if (byName.size < 1000) byName.set(detached(name), found);
    return found;
  };
  const needsSpan = directives.some(({ span }) => span !== undefined);
  return (line, spanOf) => {
    if (!line.isRecord) return true;
    const inside = needsSpan ? (spanOf(line)?.directives ?? []) : [];
    const candidates = matching(line.name).filter((each) => each.span === undefined || inside.includes(each));
    return line.level >= mostSpecific(candidates);
  };
}

/** More segments of the name win, then a span, then more of its fields, then the last. */
function mostSpecific(directives: readonly LevelDirective[]): number {
  let best: LevelDirective | undefined;
  for (const each of directives) if (!best || specificity(each) >= specificity(best)) best = each;
  return best?.level ?? -Infinity;
}

function specificity({ target, span, fields }: LevelDirective): number {
  return target.length * 10_000 + (span === undefined ? 0 : 1000) + fields.length;
}

function holdsIn(directive: LevelDirective, name: string, attrs: unknown): boolean {
  if (directive.span !== '' && directive.span !== name) return false;
  const values = new Map<string, unknown>(
    typeof attrs === 'object' && attrs !== null ? Object.entries(attrs) : [],
  );
  return directive.fields.every((field) =>
    field.value === undefined ? values.has(field.name) : values.get(field.name) === field.value,
  );
}

function timeTests(settings: PrinterSettings): Test[] {
  const bound = (key: 'since' | 'until'): number | undefined => {
    const text = settings[key];
    if (text === undefined) return undefined;
    const span = loadQuery().resolveTime(text, settings);
    if (!span)
      throw new TypeError(
        `${key} must be a time like "2026-03-01T12:00" or an age like "1h"; got ${JSON.stringify(text)}`,
      );
    return span.startMs;
  };
  const sinceMs = bound('since');
  const untilMs = bound('until');
  if (sinceMs === undefined && untilMs === undefined) return [];
  // A line that has no time belongs to the record before it, as the further lines of a stack do.
  let isWithin = false;
  return [
    (line) => {
      const ms = line.timeMs;
      if (ms !== undefined) isWithin = ms >= (sinceMs ?? -Infinity) && ms < (untilMs ?? Infinity);
      return isWithin;
    },
  ];
}

function idTests({ trace, req }: PrinterSettings): Test[] {
  return [
    ...(trace === undefined
      ? []
      : [(line: Line) => line.isRecord && line.traceId.startsWith(trace.toLowerCase())]),
    ...(req === undefined ? [] : [(line: Line) => line.isRecord && line.requestId === req]),
  ];
}

function selectTests(pairs: readonly string[]): Test[] {
  return pairs.map((pair) => {
    const equals = pair.indexOf('=');
    if (equals < 1)
      throw new TypeError(`select must be fields with values, like "user=ann"; got ${JSON.stringify(pair)}`);
    const path = pair.slice(0, equals).trim();
    const wanted = pair.slice(equals + 1).trim();
    return (line) => {
      if (!line.isRecord) return false;
      const record = line.parse();
      // A key may have dots of its own.
      const value = Object.hasOwn(record, path) ? record[path] : lookUp(record, path);
      return value !== undefined && plainText(value) === wanted;
    };
  });
}

function queryTest(text: string, settings: PrinterSettings): Test {
  const { parseFilter, compileFilter } = loadQuery();
  const predicate = compileFilter(parseFilter(text), { nowMs: settings.nowMs, utc: settings.utc });
  return (line) => {
    const record: LogRecord = { ...line.parse(), level: line.level };
    if (line.time !== undefined) record.time = line.time;
    return predicate(record);
  };
}
