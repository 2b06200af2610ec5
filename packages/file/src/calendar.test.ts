import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createCalendar, isInterval } from './calendar.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** The boundaries in a span of time, as UTC texts. */
function boundaries(options: Parameters<typeof createCalendar>[0], from: string, to: string): string[] {
  const calendar = createCalendar(options);
  const found: string[] = [];
  for (let ms = calendar.next(Date.parse(from)); ms <= Date.parse(to); ms = calendar.next(ms)) {
    found.push(new Date(ms).toISOString().slice(0, 16));
  }
  return found;
}

describe('days over a change of the clock', () => {
  test.each([
    [
      'Europe/Berlin',
      'spring, 23 hours',
      '2026-03-28T12:00Z',
      '2026-03-30T12:00Z',
      ['2026-03-28T23:00', '2026-03-29T22:00'],
    ],
    [
      'Europe/Berlin',
      'autumn, 25 hours',
      '2026-10-24T12:00Z',
      '2026-10-26T12:00Z',
      ['2026-10-24T22:00', '2026-10-25T23:00'],
    ],
    [
      'America/New_York',
      'spring',
      '2026-03-07T12:00Z',
      '2026-03-09T12:00Z',
      ['2026-03-08T05:00', '2026-03-09T04:00'],
    ],
    [
      'America/New_York',
      'autumn',
      '2026-10-31T12:00Z',
      '2026-11-02T12:00Z',
      ['2026-11-01T04:00', '2026-11-02T05:00'],
    ],
    [
      'Australia/Lord_Howe',
      'autumn, half an hour',
      '2026-04-04T00:00Z',
      '2026-04-06T00:00Z',
      ['2026-04-04T13:00', '2026-04-05T13:30'],
    ],
    [
      'America/Santiago',
      'no midnight in spring',
      '2026-09-05T12:00Z',
      '2026-09-07T12:00Z',
      ['2026-09-06T04:00', '2026-09-07T03:00'],
    ],
    [
      'America/Havana',
      'midnight twice in autumn',
      '2026-10-31T12:00Z',
      '2026-11-02T12:00Z',
      ['2026-11-01T04:00', '2026-11-02T05:00'],
    ],
  ])('%s: %s', (timeZone, _, from, to, expected) => {
    expect(boundaries({ intervalMs: DAY_MS, timeZone }, from, to)).toEqual(expected);
  });
});

describe('hours over a change of the clock', () => {
  test('the hour that comes twice makes two files of one hour', () => {
    const found = boundaries(
      { intervalMs: HOUR_MS, timeZone: 'Europe/Berlin' },
      '2026-10-24T23:30Z',
      '2026-10-25T03:00Z',
    );
    expect(found).toEqual(['2026-10-25T00:00', '2026-10-25T01:00', '2026-10-25T02:00', '2026-10-25T03:00']);
  });

  test('six hours follow the wall clock', () => {
    const found = boundaries(
      { intervalMs: 6 * HOUR_MS, timeZone: 'Europe/Berlin' },
      '2026-03-28T22:00Z',
      '2026-03-29T17:00Z',
    );
    expect(found).toEqual(['2026-03-28T23:00', '2026-03-29T04:00', '2026-03-29T10:00', '2026-03-29T16:00']);
  });
});

test('weeks begin on Monday', () => {
  expect(
    boundaries({ intervalMs: 7 * DAY_MS, timeZone: 'UTC' }, '2026-11-18T00:00Z', '2026-12-01T00:00Z'),
  ).toEqual(['2026-11-23T00:00', '2026-11-30T00:00']);
});

describe('a schedule', () => {
  test('runs in its zone, and the day starts count too where there is an interval', () => {
    const schedule = '30 6 * * mon-fri';
    const found = boundaries(
      { schedule, intervalMs: DAY_MS, timeZone: 'Europe/Berlin' },
      '2026-11-20T00:00Z',
      '2026-11-23T12:00Z',
    );
    expect(found).toEqual([
      '2026-11-20T05:30',
      '2026-11-20T23:00',
      '2026-11-21T23:00',
      '2026-11-22T23:00',
      '2026-11-23T05:30',
    ]);
  });

  test('a period starts at the run before, which counts itself', () => {
    const calendar = createCalendar({ schedule: '0 6 * * *', timeZone: 'UTC' });
    const run = Date.parse('2026-11-22T06:00Z');
    expect(calendar.startOf(run)).toBe(run);
    expect(calendar.startOf(run - 1)).toBe(run - DAY_MS);
    expect(calendar.label(run)).toBe('2026-11-22T06-00');
  });
});

describe('labels', () => {
  test.each([
    ['1d', DAY_MS, '2026-11-22'],
    ['1h', HOUR_MS, '2026-11-22T14'],
    ['15m', HOUR_MS / 4, '2026-11-22T14-00'],
    ['none', undefined, '2026-11-22'],
  ])('interval %s', (_, intervalMs, label) => {
    const calendar = createCalendar({ intervalMs, timeZone: 'UTC' });
    expect(calendar.label(calendar.startOf(Date.parse('2026-11-22T14:05Z')))).toBe(label);
  });

  test('end with their day, hour or minute in the zone', () => {
    const calendar = createCalendar({ timeZone: 'Europe/Berlin' });
    const ends = ['2026-10-25', '2026-11-22T14', '2026-11-22T14-05'].map((label) => calendar.endOf(label));
    expect(ends.map((ms) => new Date(ms).toISOString())).toEqual([
      '2026-10-25T23:00:00.000Z',
      '2026-11-22T14:00:00.000Z',
      '2026-11-22T13:06:00.000Z',
    ]);
    expect(calendar.endOf('')).toBeNaN();
  });

  test.each([
    ['a week', { intervalMs: 7 * DAY_MS }, '2026-11-16', '2026-11-23T00:00:00.000Z'],
    ['a month', { schedule: '0 0 1 * *' }, '2026-10-01T00-00', '2026-11-01T00:00:00.000Z'],
    ['a day of other settings', { intervalMs: 7 * DAY_MS }, '2026-11-18', '2026-11-19T00:00:00.000Z'],
  ])('end with their period: %s', (_, options, label, end) => {
    expect(new Date(createCalendar({ ...options, timeZone: 'UTC' }).endOf(label)).toISOString()).toBe(end);
  });
});

const zones = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'America/Santiago',
  'America/Havana',
  'Asia/Kathmandu',
];
const intervals = [
  1000,
  60_000,
  15 * 60_000,
  HOUR_MS,
  2 * HOUR_MS,
  6 * HOUR_MS,
  12 * HOUR_MS,
  DAY_MS,
  2 * DAY_MS,
  7 * DAY_MS,
];

test('every instant lies in one period, which ends where the next begins', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...zones),
      fc.constantFrom(...intervals),
      fc.integer({ min: Date.parse('2020-01-01'), max: Date.parse('2032-01-01') }),
      (timeZone, intervalMs, ms) => {
        expect(isInterval(intervalMs)).toBe(true);
        const calendar = createCalendar({ intervalMs, timeZone });
        const [start, end] = [calendar.startOf(ms), calendar.next(ms)];
        expect(start).toBeLessThanOrEqual(ms);
        expect(end).toBeGreaterThan(ms);
        expect(end - start).toBeLessThanOrEqual(intervalMs + HOUR_MS);
        expect(calendar.startOf(start)).toBe(start);
        expect(calendar.next(start)).toBe(end);
        expect(calendar.startOf(end)).toBe(end);
        expect(calendar.startOf(end - 1)).toBe(start);
      },
    ),
    { numRuns: 500 },
  );
});
