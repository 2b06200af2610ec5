import { readTimeMs } from '@treeline/contract';

export type TimeStyle = 'iso' | 'local' | 'none';

const UNKNOWN = '??:??:??.???';

/** Makes the function that prints a record's time. Times in one second share their text, so a line costs a look-up. */
export function createTimeFormatter(style: TimeStyle, utc: boolean): (time: unknown) => string {
  if (style === 'none') return () => '';
  let cachedSecond = Number.NaN;
  let cachedText = '';
  return (time) => {
    const ms = readTimeMs(time);
    // Beyond what a Date holds (https://tc39.es/ecma262/#sec-time-values-and-time-range).
    if (ms === undefined || Math.abs(ms) > 8.64e15) return UNKNOWN;
    const second = Math.floor(ms / 1000);
    if (second !== cachedSecond) {
      cachedSecond = second;
      cachedText = formatSecond(new Date(second * 1000), style, utc);
    }
    const millis = String(Math.floor(ms - second * 1000)).padStart(3, '0');
    return style === 'iso' ? `${cachedText}.${millis}Z` : `${cachedText}.${millis}`;
  };
}

function formatSecond(date: Date, style: 'iso' | 'local', utc: boolean): string {
  if (style === 'iso') return date.toISOString().slice(0, -5);
  const parts = utc
    ? [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()]
    : [date.getHours(), date.getMinutes(), date.getSeconds()];
  return parts.map((part) => String(part).padStart(2, '0')).join(':');
}
