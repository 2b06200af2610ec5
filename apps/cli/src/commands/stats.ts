import { formatDuration, formatLevel, LEVELS, parseDuration } from '@treeline/contract';
import type { HistogramStep, Stats, StatsQuery } from '@treeline/sqlite';
import { EXIT } from '../exit-code.ts';
import { openLogs, type Logs } from '../logs.ts';
import { readSelection, usage, type ConditionFlags, type Selection } from '../query-request.ts';
import { formatTable, formatTime } from '../table-text.ts';
import { openOutput, printable, tell } from '../terminal.ts';

/** The options of `treeline stats` as they were typed. */
export interface StatsFlags extends ConditionFlags {
  readonly step?: string;
  readonly top?: string;
  readonly output: 'text' | 'json';
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** Steps of time that people think in. */
const STEPS_MS = [1, 5, 15, 60, 6 * 60].map((minutes) => minutes * MINUTE_MS);
const WANTED_STEPS = 24;

/** One step for all times, to count by source or type alone: the whole of what a Date holds. */
const ALL_TIME_MS = 100_000_000 * DAY_MS;

/** Sources and types that are named; the others are counted together. */
const NAMED = 10;

interface Overview {
  readonly stats: Stats;
  readonly stepMs: number;
  readonly sources: readonly Counted[];
  readonly types: readonly Counted[];
}

interface Counted {
  readonly value: string;
  readonly count: number;
}

/** Tells how many records match, by level, source, type and time; gives the exit code. */
export async function stats(args: readonly string[], flags: StatsFlags): Promise<number> {
  const selection = readSelection(args, flags, Date.now());
  if (selection.stages.length > 0)
    throw usage('stats takes a condition; what stands behind "|" is for "treeline query"');
  const stepMs = flags.step === undefined ? undefined : readStep(flags.step);
  const logs = await openLogs(selection.logs);
  try {
    const overview = await lookOver(logs, selection, stepMs, flags.top);
    const output = openOutput();
    await output.write(
      flags.output === 'json' ? formatJson(overview) : formatText(overview, flags.top, flags.utc ?? false),
    );
    await output.flush();
    if (overview.stats.complete) return EXIT.ok;
    tell(
      `ended after ${formatDuration(selection.timeoutMs ?? 0)}: not all was counted; narrow it by --since, or raise --timeout`,
    );
    return EXIT.failed;
  } finally {
    logs.close();
  }
}

function readStep(text: string): number {
  try {
    const ms = parseDuration(text);
    if (Number.isSafeInteger(ms) && ms >= 1) return ms;
  } catch {
    // Said below.
  }
  throw usage(`--step must be a duration like 1m, 1h or 1d; got ${JSON.stringify(text)}`);
}

async function lookOver(
  logs: Logs,
  { conditions, timeoutMs }: Selection,
  stepMs: number | undefined,
  top: string | undefined,
): Promise<Overview> {
  const endMs = performance.now() + (timeoutMs ?? Infinity);
  // One limit for all questions together.
  const leftMs = (): number => Math.max(0, endMs - performance.now());
  const count = (query: StatsQuery): Promise<Stats> =>
    logs.stats({ ...conditions, timeoutMs: leftMs(), ...query });
  const step = stepMs ?? stepFor(await spanOf(logs, conditions, leftMs));
  const all = await count({
    histogram: { stepMs: step, by: 'level' },
    ...(top === undefined ? {} : { top: { field: top } }),
  });
  const bySource = await count({ histogram: { stepMs: ALL_TIME_MS, by: 'source' } });
  const byType = await count({ histogram: { stepMs: ALL_TIME_MS, by: 'type' } });
  return {
    stats: { ...all, complete: all.complete && bySource.complete && byType.complete },
    stepMs: step,
    sources: mostFrequent(bySource.histogram),
    types: mostFrequent(byType.histogram),
  };
}

async function spanOf(
  logs: Logs,
  conditions: Selection['conditions'],
  leftMs: () => number,
): Promise<number> {
  const { since, until } = conditions;
  const ends = await Promise.all(
    (['asc', 'desc'] as const).map(async (order) => {
      for await (const row of logs.rows({ since, until, order, limit: 1, timeoutMs: leftMs() }))
        return row.ts;
      return 0;
    }),
  );
  return (ends[1] ?? 0) - (ends[0] ?? 0);
}

function stepFor(spanMs: number): number {
  const days = Math.ceil(spanMs / DAY_MS / WANTED_STEPS);
  return STEPS_MS.find((stepMs) => spanMs / stepMs <= WANTED_STEPS) ?? days * DAY_MS;
}

function mostFrequent(steps: readonly HistogramStep[] = []): Counted[] {
  const counts = new Map<string, number>();
  for (const { by, count } of steps) counts.set(String(by), (counts.get(String(by)) ?? 0) + count);
  return Array.from(counts, ([value, count]) => ({ value, count })).toSorted((a, b) => b.count - a.count);
}

function formatJson({ stats: { histogram, ...rest }, stepMs, sources, types }: Overview): string {
  return `${JSON.stringify({ ...rest, sources, types, stepMs, histogram })}\n`;
}

function formatText(
  { stats: found, stepMs, sources, types }: Overview,
  top: string | undefined,
  utc: boolean,
): string {
  const { count, levels, firstMs, lastMs, histogram = [] } = found;
  if (count === 0) return found.complete ? 'no records\n' : 'no records so far\n';
  const times =
    firstMs === undefined || lastMs === undefined
      ? ''
      : ` from ${formatTime(firstMs, utc)} to ${formatTime(lastMs, utc)}`;
  const byLevel = Object.entries(levels).map(([level, n]) => ({
    value: formatLevel(Number(level)),
    count: n,
  }));
  return [
    `${number(count)} records${times}\n`,
    `level   ${enumerate(byLevel)}\n`,
    `source  ${enumerate(sources)}\n`,
    `type    ${enumerate(types)}\n`,
    `\n${formatTable(timeRows(histogram, stepMs), { utc, maxWidth: undefined })}`,
    ...(found.top ? [`\n${formatTop(top ?? '', found.top)}`] : []),
  ].join('');
}

const BAR_WIDTH = 40;

/** A row for each step that has records; a gap stands out by its time. */
function timeRows(steps: readonly HistogramStep[], stepMs: number): Record<string, unknown>[] {
  const rows = new Map<number, { count: number; errors: number }>();
  for (const { ts, by, count } of steps) {
    const row = rows.get(ts) ?? { count: 0, errors: 0 };
    row.count += count;
    if (Number(by) >= LEVELS.error) row.errors += count;
    rows.set(ts, row);
  }
  const most = Math.max(...Array.from(rows.values(), ({ count }) => count));
  return Array.from(rows, ([ts, { count, errors }]) => ({
    ts,
    records: count,
    errors,
    [`each ${formatDuration(stepMs)}`]: '█'.repeat(Math.ceil((count / most) * BAR_WIDTH)),
  }));
}

function formatTop(field: string, { values, uncounted }: NonNullable<Stats['top']>): string {
  const table = formatTable(
    values.map(({ value, count }) => ({ [field]: value, records: count })),
    { utc: true, maxWidth: process.stdout.columns },
  );
  return uncounted === 0 ? table : `${table}${number(uncounted)} records had one of too many other values\n`;
}

function enumerate(counted: readonly Counted[]): string {
  const named = counted.slice(0, NAMED).map(({ value, count }) => `${nameOf(value)} ${number(count)}`);
  const others = counted.slice(NAMED).reduce((sum, { count }) => sum + count, 0);
  return [...named, ...(others > 0 ? [`${counted.length - NAMED} others ${number(others)}`] : [])].join(', ');
}

/** The store counts so where there is no source, and where a minute had too many. */
function nameOf(value: string): string {
  if (value === '') return '(none)';
  return value === '*' ? '(others)' : printable(value.replaceAll('\n', String.raw`\n`));
}

function number(value: number): string {
  return value.toLocaleString('en');
}
