import { parseDuration, readTimeMs } from '@treeline/contract';

/** A stretch of time; a moment lasts one millisecond. */
export interface TimeSpan {
  /** Unix milliseconds, inclusive. */
  readonly startMs: number;
  /** Exclusive. */
  readonly endMs: number;
}

export interface TimeOptions {
  readonly nowMs: number;
  /** Reads times without a zone as UTC instead of the local zone. */
  readonly utc?: boolean;
}

const ISO =
  /^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:[T ](\d{2})(?::(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?)?)?)?(Z|[+-]\d{2}:?\d{2})?$/i;

const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];

const DAY_OFFSETS: Readonly<Record<string, number>> = { today: 0, yesterday: -1, tomorrow: 1 };

/**
 * What a time text means: `2026`, `2026-03`, `2026-03-04T22`, … stand for the whole period, `14:30` for that minute of today,
 * `today`, `yesterday`, `tomorrow` and `friday` (the last one before today) for days, `now` for this moment, `90m`, `-90m`, `1h30m`
 * and `2 hours ago` for a moment so long ago, `+1h` for one to come, a number for unix time. Undefined where it is no time.
 */
export function resolveTime(text: string, options: TimeOptions): TimeSpan | undefined {
  const word = text.trim().toLowerCase();
  if (word === 'now') return moment(options.nowMs);
  const dayOffset = Object.hasOwn(DAY_OFFSETS, word) ? DAY_OFFSETS[word] : weekdayOffset(word, options);
  if (dayOffset !== undefined) return day(options, dayOffset);
  const agoMs = readAgo(word);
  if (agoMs !== undefined) return moment(options.nowMs - agoMs);
  const clock = /^(\d{1,2})(:\d{2}(?::\d{2})?)$/.exec(word);
  if (clock) return resolveTime(`${dateOf(options)} ${clock[1]?.padStart(2, '0')}${clock[2]}`, options);
  const iso = ISO.exec(word);
  if (iso) return period(iso, options.utc === true);
  if (!/^\d+(?:\.\d+)?$/.test(word)) return undefined;
  const ms = readTimeMs(Number(word));
  return ms === undefined ? undefined : moment(ms);
}

/** The last day of that name before today: `today` names today. */
function weekdayOffset(word: string, { nowMs, utc }: TimeOptions): number | undefined {
  const weekday = WEEKDAYS.indexOf(word);
  if (weekday === -1) return undefined;
  const now = new Date(nowMs);
  const today = utc ? now.getUTCDay() : now.getDay();
  return -(((today - weekday + 6) % 7) + 1);
}

/** How long ago a duration means; negative for one to come. */
function readAgo(word: string): number | undefined {
  const phrase = /^(\d{1,9}(?:\.\d+)?) ?(ms|[smhdw]|sec|min|hr|(?:second|minute|hour|day|week)s?) ago$/.exec(
    word,
  );
  if (phrase) return parseDuration(`${phrase[1]}${phrase[2]?.startsWith('ms') ? 'ms' : phrase[2]?.[0]}`);
  const short = /^([+-]?)((?:\d{1,9}(?:\.\d+)?(?:ms|[smhdw]))+)$/.exec(word);
  if (!short) return undefined;
  const parts = short[2]?.match(/[\d.]+[a-z]+/g) ?? [];
  const ms = parts.reduce((sum, part) => sum + parseDuration(part), 0);
  return short[1] === '+' ? -ms : ms;
}

/** Today as an ISO date. */
function dateOf(options: TimeOptions): string {
  const { startMs } = day(options, 0);
  const date = new Date(startMs);
  // Midnight where the clock is: shifted by its offset, the UTC fields are the local ones.
  return new Date(options.utc ? startMs : startMs - date.getTimezoneOffset() * 60_000)
    .toISOString()
    .slice(0, 10);
}

function moment(ms: number): TimeSpan {
  return { startMs: ms, endMs: ms + 1 };
}

function day({ nowMs, utc }: TimeOptions, offset: number): TimeSpan {
  const now = new Date(nowMs);
  const parts = utc
    ? [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()]
    : [now.getFullYear(), now.getMonth(), now.getDate()];
  const [year = 0, month = 0, date = 0] = parts;
  const at = (extra: number): number =>
    utc ? Date.UTC(year, month, date + extra) : new Date(year, month, date + extra).getTime();
  return { startMs: at(offset), endMs: at(offset + 1) };
}

/** Fields of a date, month from 0, in the order of `Date.UTC`. */
type DateFields = [year: number, month: number, day: number, hour: number, minute: number, second: number];

function period(match: RegExpExecArray, utc: boolean): TimeSpan | undefined {
  const parts = match.slice(1, 7);
  const given = parts.filter((part) => part !== undefined).length;
  const [year, month, date, hour, minute, second] = parts.map((part) =>
    part === undefined ? undefined : Number(part),
  );
  const fields: DateFields = [year ?? 0, (month ?? 1) - 1, date ?? 1, hour ?? 0, minute ?? 0, second ?? 0];
  if (!isCalendarDate(fields)) return undefined;
  const offsetMs = zoneOffset(match[8]);
  const toMs = (of: DateFields): number => {
    if (offsetMs === undefined && !utc) return new Date(...of).getTime();
    return Date.UTC(...of) - (offsetMs ?? 0);
  };
  const startMs = toMs(fields);
  const fraction = match[7];
  if (fraction !== undefined) return fractionSpan(startMs, fraction);
  const next: DateFields = [...fields];
  const unit = given - 1;
  next[unit] = (next[unit] ?? 0) + 1;
  return { startMs, endMs: toMs(next) };
}

function fractionSpan(startMs: number, digits: string): TimeSpan {
  const scale = 10 ** (3 - digits.length);
  const fromMs = startMs + Number(digits) * scale;
  return { startMs: fromMs, endMs: fromMs + scale };
}

function isCalendarDate(fields: DateFields): boolean {
  const date = new Date(Date.UTC(...fields));
  const read = [
    date.getUTCFullYear(),
    date.getUTCMonth(),
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
    date.getUTCSeconds(),
  ];
  return fields.every((field, index) => field === read[index]);
}

function zoneOffset(zone: string | undefined): number | undefined {
  if (zone === undefined) return undefined;
  if (zone.toUpperCase() === 'Z') return 0;
  const [, sign, hours, minutes] = /^([+-])(\d{2}):?(\d{2})$/.exec(zone) ?? [];
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
}
