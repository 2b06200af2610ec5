import { describe, expect, test } from 'vitest';
import { resolveTime } from './time.ts';

const NOW_MS = Date.UTC(2026, 2, 4, 12, 30);

function spanInUtc(text: string): string[] | undefined {
  const span = resolveTime(text, { nowMs: NOW_MS, utc: true });
  return span && [span.startMs, span.endMs].map((ms) => new Date(ms).toISOString().replace('.000Z', 'Z'));
}

describe('resolveTime', () => {
  test.each([
    ['2026', '2026-01-01T00:00:00Z', '2027-01-01T00:00:00Z'],
    ['2026-12', '2026-12-01T00:00:00Z', '2027-01-01T00:00:00Z'],
    ['2026-02-28', '2026-02-28T00:00:00Z', '2026-03-01T00:00:00Z'],
    ['2024-02-29', '2024-02-29T00:00:00Z', '2024-03-01T00:00:00Z'],
    ['2026-03-04T22', '2026-03-04T22:00:00Z', '2026-03-04T23:00:00Z'],
    ['2026-03-04 22:15', '2026-03-04T22:15:00Z', '2026-03-04T22:16:00Z'],
    ['2026-03-04T23:59:59', '2026-03-04T23:59:59Z', '2026-03-05T00:00:00Z'],
    ['2026-03-04T22:15:10.5', '2026-03-04T22:15:10.500Z', '2026-03-04T22:15:10.600Z'],
    ['2026-03-04T22:15+02:00', '2026-03-04T20:15:00Z', '2026-03-04T20:16:00Z'],
    ['2026-03-04-0500', '2026-03-04T05:00:00Z', '2026-03-05T05:00:00Z'],
    ['today', '2026-03-04T00:00:00Z', '2026-03-05T00:00:00Z'],
    ['yesterday', '2026-03-03T00:00:00Z', '2026-03-04T00:00:00Z'],
    ['Tomorrow', '2026-03-05T00:00:00Z', '2026-03-06T00:00:00Z'],
    ['tuesday', '2026-03-03T00:00:00Z', '2026-03-04T00:00:00Z'],
    ['wednesday', '2026-02-25T00:00:00Z', '2026-02-26T00:00:00Z'],
    ['friday', '2026-02-27T00:00:00Z', '2026-02-28T00:00:00Z'],
    ['14:30', '2026-03-04T14:30:00Z', '2026-03-04T14:31:00Z'],
    ['9:05:07', '2026-03-04T09:05:07Z', '2026-03-04T09:05:08Z'],
    ['1h30m', '2026-03-04T11:00:00Z', '2026-03-04T11:00:00.001Z'],
    ['+1h', '2026-03-04T13:30:00Z', '2026-03-04T13:30:00.001Z'],
    ['2 hours ago', '2026-03-04T10:30:00Z', '2026-03-04T10:30:00.001Z'],
    ['30 min ago', '2026-03-04T12:00:00Z', '2026-03-04T12:00:00.001Z'],
    ['500ms ago', '2026-03-04T12:29:59.500Z', '2026-03-04T12:29:59.501Z'],
    ['now', '2026-03-04T12:30:00Z', '2026-03-04T12:30:00.001Z'],
    ['90m', '2026-03-04T11:00:00Z', '2026-03-04T11:00:00.001Z'],
    ['-1.5h', '2026-03-04T11:00:00Z', '2026-03-04T11:00:00.001Z'],
    ['1772627400000', '2026-03-04T12:30:00Z', '2026-03-04T12:30:00.001Z'],
    ['1772627400', '2026-03-04T12:30:00Z', '2026-03-04T12:30:00.001Z'],
  ])('%s lasts from %s until %s', (text, start, end) => {
    expect(spanInUtc(text)).toEqual([start, end]);
  });

  test.each([
    '',
    'soon',
    '2026-13',
    '2026-02-30',
    '2026-3-4',
    '2026-03-04T24',
    '2026-03-04T22:60',
    '5 m',
    '1y',
    '--5m',
    'ago',
    '5 parsecs ago',
    '25:00',
    '12:60',
    'constructor',
    '9'.repeat(400) + 'w',
  ])('%j is no time', (text) => {
    expect(resolveTime(text, { nowMs: NOW_MS })).toBeUndefined();
  });

  test('reads a time of day in the local zone', () => {
    const now = new Date(NOW_MS);
    const startMs = new Date(now.getFullYear(), now.getMonth(), now.getDate(), 14, 30).getTime();
    expect(resolveTime('14:30', { nowMs: NOW_MS })).toEqual({ startMs, endMs: startMs + 60_000 });
  });

  test('reads a time without a zone in the local one', () => {
    const span = resolveTime('2026-03-04', { nowMs: NOW_MS });
    expect(span).toEqual({ startMs: new Date(2026, 2, 4).getTime(), endMs: new Date(2026, 2, 5).getTime() });
  });
});
