import type { Cron } from 'croner';
import { createRequire } from 'node:module';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** Day numbers count from a Thursday; weeks begin on Monday, as in ISO 8601. */
const MONDAY_OFFSET_DAYS = 3;

/** When files begin and what their date is, in one time zone. Instants are unix milliseconds. */
export interface Calendar {
  /** The start of the period that holds an instant. */
  startOf(ms: number): number;
  /** The first boundary after an instant; `Infinity` where time alone never rotates. */
  next(ms: number): number;
  /** The date in a file's name for a period's start: `2026-11-22`, by hours `2026-11-22T14`, by minutes `2026-11-22T14-05`. */
  label(startMs: number): string;
  /** When the period that a file's date begins has passed, at the least its day, hour or minute; NaN where it is no date. */
  endOf(label: string): number;
}

export interface CalendarOptions {
  readonly intervalMs?: number | undefined;
  /** A cron expression: further boundaries beside those of the interval. */
  readonly schedule?: string | undefined;
  /** An IANA name; the process's own zone where absent. */
  readonly timeZone?: string | undefined;
}

export const INTERVAL_RULE =
  'must be whole days, or at least a second and divide a day evenly ("1d", "6h", "15m")';

export function isInterval(ms: number): boolean {
  return ms >= 1000 && (ms % DAY_MS === 0 || DAY_MS % ms === 0);
}

/**
 * Parses a cron expression.
 *
 * @throws TypeError where it is none.
 */
export function parseSchedule(expression: string, timeZone?: string): Cron {
  // Loaded here: options are read by every program with a file stream, and hardly any has a schedule.
  const croner = createRequire(import.meta.url)('croner') as typeof import('croner');
  return new croner.Cron(expression, { paused: true, ...(timeZone !== undefined && { timezone: timeZone }) });
}

export function createCalendar({ intervalMs, schedule, timeZone }: CalendarOptions): Calendar {
  const zone = createZone(timeZone);
  const periods: ((ms: number) => Period)[] = [];
  if (intervalMs !== undefined) {
    const period = intervalMs <= HOUR_MS ? clockPeriod : civilPeriod;
    periods.push((ms) => period(zone, ms, intervalMs));
  }
  if (schedule !== undefined) periods.push(scheduledPeriod(schedule, timeZone));
  const day = (ms: number): Period => ({ start: civilPeriod(zone, ms, DAY_MS).start, end: Infinity });
  if (periods.length === 0) periods.push(day);
  const unitMs = schedule === undefined ? (intervalMs ?? DAY_MS) : MINUTE_MS;
  return {
    startOf: (ms) => Math.max(...periods.map((period) => period(ms).start)),
    next: (ms) => Math.min(...periods.map((period) => period(ms).end)),
    label: (startMs) => formatLabel(startMs + zone.offset(startMs), unitMs),
    endOf(label) {
      const [first, last] = spanOfLabel(label);
      if (Number.isNaN(last)) return last;
      const end = zone.instantOf(last);
      // Other settings may have given the date: it is a week's or month's where one of ours begins with it.
      const start = this.startOf(zone.instantOf(first));
      const next = Number.isFinite(start) && this.label(start) === label ? this.next(start) : Infinity;
      return Number.isFinite(next) ? Math.max(end, next) : end;
    },
  };
}

function scheduledPeriod(expression: string, timeZone: string | undefined): (ms: number) => Period {
  const cron = parseSchedule(expression, timeZone);
  return (ms) => ({
    // A run at the instant itself is wanted, and croner looks back from before its reference.
    start: cron.previousRuns(1, new Date(ms + 1))[0]?.getTime() ?? -Infinity,
    end: cron.nextRun(new Date(ms))?.getTime() ?? Infinity,
  });
}

interface Period {
  readonly start: number;
  readonly end: number;
}

/** Days and spans of hours follow the wall clock: a day of 23 or 25 hours is still one day. */
function civilPeriod(zone: Zone, ms: number, lengthMs: number): Period {
  const origin = lengthMs % (7 * DAY_MS) === 0 ? -MONDAY_OFFSET_DAYS * DAY_MS : 0;
  const local = ms + zone.offset(ms) - origin;
  const start = Math.floor(local / lengthMs) * lengthMs + origin;
  return { start: zone.instantOf(start), end: zone.instantOf(start + lengthMs) };
}

/** Up to an hour, periods have their length in real time: the hour that comes twice in autumn makes two files. */
function clockPeriod(zone: Zone, ms: number, lengthMs: number): Period {
  const offset = zone.offset(ms);
  const start = Math.floor((ms + offset) / lengthMs) * lengthMs - offset;
  const end = start + lengthMs;
  return {
    start: zone.offset(start) === offset ? start : zone.transition(start, ms),
    end: zone.offset(end) === offset ? end : zone.transition(ms, end),
  };
}

interface Zone {
  /** What the wall clock is ahead of UTC at an instant. */
  offset(ms: number): number;
  /** The first instant at which the wall clock shows a time, or the end of the gap that skips it. */
  instantOf(localMs: number): number;
  /** The instant in `(fromMs, toMs]` at which the offset changes. */
  transition(fromMs: number, toMs: number): number;
}

function createZone(timeZone: string | undefined): Zone {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  const offset = (ms: number): number => {
    const seconds = Math.floor(ms / 1000) * 1000;
    const part = Object.fromEntries(
      format.formatToParts(seconds).map(({ type, value }) => [type, Number(value)]),
    );
    const { year = NaN, month = NaN, day = NaN, hour = NaN, minute = NaN, second = NaN } = part;
    return Date.UTC(year, month - 1, day, hour, minute, second) - seconds;
  };
  const transition = (fromMs: number, toMs: number): number => {
    const before = offset(fromMs);
    let [low, high] = [fromMs, toMs];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (offset(middle) === before) low = middle;
      else high = middle;
    }
    return high;
  };
  const instantOf = (localMs: number): number => {
    const offsets = [offset(localMs - DAY_MS), offset(localMs + DAY_MS)];
    const instants = offsets.map((each) => localMs - each);
    const shown = instants.filter((ms) => ms + offset(ms) === localMs);
    return shown.length > 0 ? Math.min(...shown) : transition(Math.min(...instants), Math.max(...instants));
  };
  return { offset, instantOf, transition };
}

function formatLabel(localMs: number, lengthMs: number): string {
  const iso = new Date(localMs).toISOString();
  if (lengthMs % DAY_MS === 0) return iso.slice(0, 10);
  if (lengthMs % HOUR_MS === 0) return iso.slice(0, 13);
  return iso.slice(0, 16).replace(':', '-');
}

/** The wall clock at the beginning and the end of a label's day, hour or minute; NaN where it is no label. */
function spanOfLabel(label: string): [number, number] {
  const [, date = '', hour, minute] = /^(\d{4}-\d\d-\d\d)(?:T(\d\d)(?:-(\d\d))?)?$/.exec(label) ?? [];
  const start = Date.parse(`${date}T${hour ?? '00'}:${minute ?? '00'}:00Z`);
  return [start, start + (hour === undefined ? DAY_MS : minute === undefined ? HOUR_MS : MINUTE_MS)];
}
