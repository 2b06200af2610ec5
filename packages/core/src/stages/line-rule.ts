import { readLevel, type LogRecord } from '@treeline/contract';
import type { LevelDirective } from '@treeline/query';
import type { PipelineConfig, StreamConfig } from '../config/config.ts';
import { queryLanguage } from './query-language.ts';

/** What a level alone says of a line: it passes, it doesn't, or the record has to be looked at. */
export const DROP = 0;
export const PASS = 1;
export const LOOK = 2;

/** A batch keeps levels as bytes; higher ones read as 255. */
const LEVEL_COUNT = 256;

/** Which lines a stream wants. */
export interface LineRule {
  /** For each level `DROP`, `PASS` or `LOOK`: only lines that ask for a look are parsed. */
  readonly verdicts: Uint8Array;
  /** Looks at a record; `level` is that of the line's prefix, which wins over a second `level` key. */
  judge(record: LogRecord, level: number): boolean;
}

type RecordTest = (record: LogRecord, level: number) => boolean;

/** A rule that lets no line pass. */
export const NO_LINE: LineRule = { verdicts: new Uint8Array(LEVEL_COUNT), judge: () => false };

/** Puts a stream's levels, the levels by logger name and its filter into one rule. */
export function compileLineRule(
  stream: Pick<StreamConfig, 'level' | 'maxLevel' | 'filter'>,
  root: { readonly rootLevel: number; readonly directives: PipelineConfig['directives'] },
): LineRule {
  const maxLevel = stream.maxLevel ?? Infinity;
  const thresholds = compileThresholds(stream.level, root.rootLevel, root.directives);
  const filter = stream.filter === undefined ? undefined : compileLineFilter(stream.filter);
  const verdicts = Uint8Array.from({ length: LEVEL_COUNT }, (_, level) => {
    if (level < thresholds.least || level > maxLevel) return DROP;
    const byFilter = filter ? filter.decide(level) : true;
    if (byFilter === false) return DROP;
    return byFilter && level >= thresholds.most ? PASS : LOOK;
  });
  return {
    verdicts,
    judge: (record, level) =>
      (level >= thresholds.most || level >= thresholds.of(record)) && (filter?.test(record, level) ?? true),
  };
}

/** The least level that passes; it depends on the record where levels are set by name. */
interface Thresholds {
  readonly least: number;
  readonly most: number;
  of(record: LogRecord): number;
}

/** A level by name takes the place of the root level; below a level of its own a stream receives nothing. */
function compileThresholds(
  own: number | undefined,
  root: number,
  directives: readonly LevelDirective[],
): Thresholds {
  const threshold = (named: number | undefined): number =>
    own === undefined ? (named ?? root) : Math.max(own, named ?? own);
  const unnamed = threshold(undefined);
  if (directives.length === 0) return { least: unnamed, most: unnamed, of: () => unnamed };
  const { levelForName, nameSegments } = queryLanguage();
  const all = [unnamed, ...directives.map(({ level }) => threshold(level))];
  const spans = directives.filter(({ span }) => span !== undefined);
  return {
    least: Math.min(...all),
    most: Math.max(...all),
    of(record) {
      const name = nameOf(record);
      const named = threshold(levelForName(directives, name));
      if (spans.length === 0 || typeof record['span_id'] !== 'string') return named;
      // Which span a line is in only its logger knows, and has decided: here it is enough that it may be.
      const segments = nameSegments(name ?? '');
      const inSpan = spans.filter(({ target }) => target.every((part, index) => segments[index] === part));
      return Math.min(named, ...inSpan.map(({ level }) => threshold(level)));
    },
  };
}

/** A child that has no name of its own may say its module. */
function nameOf(record: LogRecord): string | undefined {
  if (typeof record.name === 'string') return record.name;
  return typeof record['module'] === 'string' ? record['module'] : undefined;
}

/** A condition over lines. */
export interface LineFilter {
  /** What the level alone decides; undefined where the record has to be looked at. */
  decide(level: number): boolean | undefined;
  test: RecordTest;
}

/** Compiles a condition of the query language so that no line is parsed whose level decides. Times are resolved now. */
export function compileLineFilter(text: string): LineFilter {
  const { compileFilter, compileLevelFilter, parseFilter } = queryLanguage();
  const filter = parseFilter(text);
  const passes = compileFilter(filter, { nowMs: Date.now() });
  const test: RecordTest = (record, level) =>
    passes(readLevel(record.level) === level || level === LEVEL_COUNT - 1 ? record : { ...record, level });
  // A part that asks for nothing but levels decides a whole `and` when it fails, a whole `or` when it holds.
  const parts = filter.kind === 'and' || filter.kind === 'or' ? filter.items : [filter];
  const byLevel = parts.map((part) => compileLevelFilter(part)).filter((part) => part !== undefined);
  const isDecidedBy = filter.kind === 'or';
  return {
    test,
    decide(level) {
      if (byLevel.some((part) => part(level) === isDecidedBy)) return isDecidedBy;
      return byLevel.length === parts.length ? !isDecidedBy : undefined;
    },
  };
}
