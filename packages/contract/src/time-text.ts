/** A stretch of time in unix milliseconds: from `startMs` up to, not including, `endMs`. */
export interface TimePeriod {
  readonly startMs: number;
  readonly endMs: number;
}

export interface TimeTextOptions {
  /** What relative texts start from. */
  readonly nowMs: number;
  /** Reads times that name no zone as UTC instead of local time. */
  readonly utc?: boolean;
}

const RULE =
  'time must be like "2h", "1d", "today", "yesterday", "friday", "14:30", "2026-03-04", "2026-03-04 14:30" or "2026-03-04T14:30:00Z"';

const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  sec: 1000,
  second: 1000,
  m: 60_000,
  min: 60_000,
  minute: 60_000,
  h: 3_600_000,
  hr: 3_600_000,
  hour: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
  w: 604_800_000,
  week: 604_800_000,
};

const DURATION = /^(?:\d+(?:\.\d+)?\s*[a-z]+\s*)+$/;

const CALENDAR =
  /^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:[t ](\d{2})(?::(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?\s*(z|[+-]\d{2}:?\d{2})?)?)?)?$/;

/**
 * Reads a time as people write it on a command line. What names a period (`yesterday`, `2026-03`, `14:30`) gives that period; a point
 * in time gives a period of its precision. Durations count back from now, with a minus or without; with a plus, forward. Numbers are
 * unix seconds, milliseconds, microseconds or nanoseconds by their size.
 *
 * @throws RangeError where it is no time.
 */
export function parseTimeText(text: string, options: TimeTextOptions): TimePeriod {
  const normal = text.trim().toLowerCase();
  const period =
    parseWord(normal, options) ??
    parseCalendar(normal, options) ??
    parseNumber(normal) ??
    parseRelative(normal, options);
  if (!period || !Number.isFinite(period.startMs))
    throw new RangeError(`${RULE}; got ${JSON.stringify(text)}`);
  return period;
}

function parseWord(text: string, options: TimeTextOptions): TimePeriod | undefined {
  const now = fieldsOf(options);
  const day = (offset: number): TimePeriod =>
    calendarPeriod([now.year, now.month, now.day + offset], 2, options);
  switch (text) {
    case 'now':
      return instant(options.nowMs);
    case 'today':
      return day(0);
    case 'yesterday':
      return day(-1);
    case 'tomorrow':
      return day(1);
  }
  const weekday = WEEKDAYS.indexOf(text);
  // The day of that name before today: `friday` on a friday is a week ago, `today` names today.
  if (weekday !== -1) return day(-(((now.weekday - weekday + 6) % 7) + 1));
  const clock = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/.exec(text);
  if (!clock) return undefined;
  const [hour, minute, second] = [Number(clock[1]), Number(clock[2]), Number(clock[3] ?? 0)];
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  const precision = clock[3] === undefined ? 4 : 5;
  return calendarPeriod([now.year, now.month, now.day, hour, minute, second], precision, options);
}

function parseCalendar(text: string, options: TimeTextOptions): TimePeriod | undefined {
  const match = CALENDAR.exec(text);
  if (!match) return undefined;
  const given = match.slice(1, 7).filter((part) => part !== undefined);
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = given.map(Number);
  const daysInMonth = new Date(Date.UTC(year, month, 0)).getUTCDate();
  if (year < 1000 || month < 1 || month > 12 || day < 1 || day > daysInMonth) return undefined;
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  const zone = match[8];
  const offsetMs = zone === undefined ? 0 : zoneOffsetMs(zone);
  if (offsetMs === undefined) return undefined;
  const period = calendarPeriod(
    [year, month - 1, day, hour, minute, second],
    given.length - 1,
    zone === undefined ? options : { ...options, utc: true },
  );
  const fraction = match[7];
  if (fraction === undefined) return shift(period, -offsetMs);
  const startMs = period.startMs + Math.floor(Number(`0.${fraction}`) * 1000) - offsetMs;
  return { startMs, endMs: startMs + 10 ** Math.max(0, 3 - fraction.length) };
}

function zoneOffsetMs(zone: string): number | undefined {
  if (zone === 'z') return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(-2));
  if (hours > 23 || minutes > 59) return undefined;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}

/** Unix time; shorter numbers are more likely a slip than a second of 1970. */
function parseNumber(text: string): TimePeriod | undefined {
  if (!/^\d{9,19}(?:\.\d+)?$/.test(text)) return undefined;
  const value = Number(text);
  if (value >= 1e17) return instant(Math.floor(value / 1e6));
  if (value >= 1e14) return instant(Math.floor(value / 1e3));
  if (value >= 1e11) return instant(Math.floor(value));
  const startMs = Math.floor(value * 1000);
  return { startMs, endMs: startMs + (text.includes('.') ? 1 : 1000) };
}

function parseRelative(text: string, { nowMs }: TimeTextOptions): TimePeriod | undefined {
  const sign = text.startsWith('+') ? 1 : -1;
  const duration = text.replace(/^[+-]\s*/, '').replace(/\s*\bago$/, '');
  if (!DURATION.test(duration)) return undefined;
  let ms = 0;
  for (const [, amount, unit] of duration.matchAll(/(\d+(?:\.\d+)?)\s*([a-z]+)/g)) {
    ms += Number(amount) * (unitMs(unit ?? '') ?? Number.NaN);
  }
  return instant(Math.round(nowMs + sign * ms));
}

function unitMs(unit: string): number | undefined {
  if (Object.hasOwn(UNIT_MS, unit)) return UNIT_MS[unit];
  const singular = unit.length > 2 && unit.endsWith('s') ? unit.slice(0, -1) : '';
  return Object.hasOwn(UNIT_MS, singular) ? UNIT_MS[singular] : undefined;
}

function instant(ms: number): TimePeriod {
  return { startMs: ms, endMs: ms + 1 };
}

function shift({ startMs, endMs }: TimePeriod, byMs: number): TimePeriod {
  return { startMs: startMs + byMs, endMs: endMs + byMs };
}

function fieldsOf({ nowMs, utc }: TimeTextOptions): {
  year: number;
  month: number;
  day: number;
  weekday: number;
} {
  const now = new Date(nowMs);
  return utc
    ? {
        year: now.getUTCFullYear(),
        month: now.getUTCMonth(),
        day: now.getUTCDate(),
        weekday: now.getUTCDay(),
      }
    : { year: now.getFullYear(), month: now.getMonth(), day: now.getDate(), weekday: now.getDay() };
}

/** The period that begins at these fields (year, month from 0, day, …) and is one unit of the field `precision` long. */
function calendarPeriod(fields: readonly number[], precision: number, { utc }: TimeTextOptions): TimePeriod {
  const at = (parts: readonly number[]): number => {
    const [year = 1970, month = 0, day = 1, hour = 0, minute = 0, second = 0] = parts;
    return utc
      ? Date.UTC(year, month, day, hour, minute, second)
      : new Date(year, month, day, hour, minute, second).getTime();
  };
  const next = fields.map((value, index) => (index === precision ? value + 1 : value));
  return { startMs: at(fields), endMs: at(next) };
}
