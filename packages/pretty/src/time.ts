import { readTimeMs } from '@treeline/contract';
import { escapeText } from './escape.ts';
import { plainText } from './json-text.ts';

export type TimeStyle = 'iso' | 'local' | 'relative' | 'delta' | 'none';

export interface TimeFormat {
  readonly style: TimeStyle;
  readonly utc: boolean;
  /** pino-pretty's `translateTime`; goes before the style. */
  readonly pattern: string | boolean | undefined;
}

const UNKNOWN = '??:??:??.???';
/** What a Date holds: https://tc39.es/ecma262/#sec-time-values-and-time-range */
const MAX_DATE_MS = 8.64e15;

/** Makes the function that prints a record's time. Times in one second share their text, so that a line costs a look-up. */
export function createTimeFormatter(format: TimeFormat): (time: unknown) => string {
  if (format.pattern === false) return (time) => escapeText(plainText(time));
  if (typeof format.pattern === 'string' || format.pattern === true) return patternFormatter(format.pattern);
  if (format.style === 'none') return () => '';
  if (format.style === 'iso' || format.style === 'local') return clockFormatter(format.style, format.utc);
  return elapsedFormatter(format.style);
}

function clockFormatter(style: 'iso' | 'local', utc: boolean): (time: unknown) => string {
  let cachedSecond = Number.NaN;
  let cachedText = '';
  return (time) => {
    const ms = readTimeMs(time);
    if (ms === undefined || Math.abs(ms) > MAX_DATE_MS) return UNKNOWN;
    const whole = Math.floor(ms);
    const second = Math.floor(whole / 1000);
    if (second !== cachedSecond) {
      cachedSecond = second;
      cachedText = formatSecond(new Date(second * 1000), style, utc);
    }
    const millis = whole - second * 1000;
    const padded = millis < 10 ? `00${millis}` : millis < 100 ? `0${millis}` : `${millis}`;
    return style === 'iso' ? `${cachedText}.${padded}Z` : `${cachedText}.${padded}`;
  };
}

function formatSecond(date: Date, style: 'iso' | 'local', utc: boolean): string {
  if (style === 'iso') return Number.isNaN(date.getTime()) ? UNKNOWN : date.toISOString().slice(0, -5);
  const parts = utc
    ? [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()]
    : [date.getHours(), date.getMinutes(), date.getSeconds()];
  return parts.map((part) => pad(part)).join(':');
}

/** Seconds since the first record, or since the one before. */
function elapsedFormatter(style: 'relative' | 'delta'): (time: unknown) => string {
  let originMs: number | undefined;
  return (time) => {
    const ms = readTimeMs(time);
    if (ms === undefined) return '+?'.padStart(11);
    const elapsedMs = ms - (originMs ?? ms);
    if (style === 'delta' || originMs === undefined) originMs = ms;
    return `${elapsedMs < 0 ? '-' : '+'}${(Math.abs(elapsedMs) / 1000).toFixed(3)}s`.padStart(11);
  };
}

const STANDARD_PATTERN = 'yyyy-mm-dd HH:MM:ss.l o';

/** Patterns that dateformat has names for: https://github.com/felixge/node-dateformat#named-formats */
const NAMED_PATTERNS: ReadonlyMap<string, string> = new Map([
  ['standard', STANDARD_PATTERN],
  ['default', 'ddd mmm dd yyyy HH:MM:ss'],
  ['shortDate', 'm/d/yy'],
  ['paddedShortDate', 'mm/dd/yyyy'],
  ['mediumDate', 'mmm d, yyyy'],
  ['longDate', 'mmmm d, yyyy'],
  ['fullDate', 'dddd, mmmm d, yyyy'],
  ['shortTime', 'h:MM TT'],
  ['mediumTime', 'h:MM:ss TT'],
  ['longTime', 'h:MM:ss TT Z'],
  ['isoDate', 'yyyy-mm-dd'],
  ['isoTime', 'HH:MM:ss'],
  ['isoDateTime', "yyyy-mm-dd'T'HH:MM:sso"],
  ['isoUtcDateTime', "yyyy-mm-dd'T'HH:MM:ss'Z'"],
  ['expiresHeaderFormat', 'ddd, dd mmm yyyy HH:MM:ss Z'],
]);

/** The patterns of pino-pretty's dateformat that print digits, names of months and days, and zones. */
function patternFormatter(given: string | true): (time: unknown) => string {
  const [, zone, rest] = /^(UTC|SYS):(.*)$/s.exec(given === true ? 'UTC:HH:MM:ss.l' : given) ?? [];
  const text = rest ?? (given as string);
  const utc = zone !== 'SYS' || text === 'isoUtcDateTime';
  const pattern = text === '' ? STANDARD_PATTERN : (NAMED_PATTERNS.get(text) ?? text);
  return (time) => {
    const ms = readTimeMs(time);
    if (ms === undefined || Math.abs(ms) > MAX_DATE_MS) return UNKNOWN;
    // A zone's own fields are the UTC fields of a shifted date.
    const offsetMinutes = utc ? 0 : -new Date(ms).getTimezoneOffset();
    const shifted = new Date(ms + offsetMinutes * 60_000);
    return pattern.replace(
      TOKENS,
      (token, quoted?: string) => quoted ?? formatToken(token, shifted, offsetMinutes),
    );
  };
}

const TOKENS = /"([^"]*)"|'[^']*'|yyyy|yy|mmmm|mmm|mm|m|dddd|ddd|dd|d|HH|H|hh|h|MM|M|ss|s|l|L|TT|tt|Z|o|p/g;
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

function formatToken(token: string, date: Date, offsetMinutes: number): string {
  const hours = date.getUTCHours();
  const values: Record<string, () => string> = {
    yyyy: () => String(date.getUTCFullYear()),
    yy: () => String(date.getUTCFullYear()).slice(-2),
    mmmm: () => MONTHS[date.getUTCMonth()] ?? '',
    mmm: () => (MONTHS[date.getUTCMonth()] ?? '').slice(0, 3),
    mm: () => pad(date.getUTCMonth() + 1),
    m: () => String(date.getUTCMonth() + 1),
    dddd: () => DAYS[date.getUTCDay()] ?? '',
    ddd: () => (DAYS[date.getUTCDay()] ?? '').slice(0, 3),
    dd: () => pad(date.getUTCDate()),
    d: () => String(date.getUTCDate()),
    HH: () => pad(hours),
    H: () => String(hours),
    hh: () => pad(hours % 12 || 12),
    h: () => String(hours % 12 || 12),
    MM: () => pad(date.getUTCMinutes()),
    M: () => String(date.getUTCMinutes()),
    ss: () => pad(date.getUTCSeconds()),
    s: () => String(date.getUTCSeconds()),
    l: () => pad(date.getUTCMilliseconds(), 3),
    L: () => pad(Math.floor(date.getUTCMilliseconds() / 10)),
    TT: () => (hours < 12 ? 'AM' : 'PM'),
    tt: () => (hours < 12 ? 'am' : 'pm'),
    Z: () => (offsetMinutes === 0 ? 'UTC' : `GMT${formatOffset(offsetMinutes)}`),
    o: () => formatOffset(offsetMinutes),
    p: () => formatOffset(offsetMinutes).replace(/(..)$/, ':$1'),
  };
  return values[token]?.() ?? token.slice(1, -1);
}

function formatOffset(minutes: number): string {
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${pad(Math.floor(size / 60))}${pad(size % 60)}`;
}

function pad(value: number, digits = 2): string {
  return String(value).padStart(digits, '0');
}
