import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseTimeText, type TimePeriod } from './time-text.ts';

// A wednesday.
const nowMs = Date.UTC(2026, 2, 4, 15, 30, 20, 500);

const read = (text: string): [string, string] => {
  const { startMs, endMs } = parseTimeText(text, { nowMs, utc: true });
  return [new Date(startMs).toISOString(), new Date(endMs).toISOString()];
};

const attempt = (act: () => TimePeriod): TimePeriod | RangeError => {
  try {
    return act();
  } catch (error) {
    if (error instanceof RangeError) return error;
    throw error;
  }
};

describe('parseTimeText', () => {
  test.each([
    ['2026', '2026-01-01T00:00:00.000Z', '2027-01-01T00:00:00.000Z'],
    ['2026-02', '2026-02-01T00:00:00.000Z', '2026-03-01T00:00:00.000Z'],
    ['2026-12', '2026-12-01T00:00:00.000Z', '2027-01-01T00:00:00.000Z'],
    ['2026-02-28', '2026-02-28T00:00:00.000Z', '2026-03-01T00:00:00.000Z'],
    ['2024-02-29', '2024-02-29T00:00:00.000Z', '2024-03-01T00:00:00.000Z'],
    ['2026-03-04T22', '2026-03-04T22:00:00.000Z', '2026-03-04T23:00:00.000Z'],
    ['2026-03-04 22:59', '2026-03-04T22:59:00.000Z', '2026-03-04T23:00:00.000Z'],
    ['2026-03-04T22:59:59', '2026-03-04T22:59:59.000Z', '2026-03-04T23:00:00.000Z'],
    ['2026-03-04T22:59:59.5', '2026-03-04T22:59:59.500Z', '2026-03-04T22:59:59.600Z'],
    ['2026-03-04T22:59:59.123456Z', '2026-03-04T22:59:59.123Z', '2026-03-04T22:59:59.124Z'],
    ['2026-03-04T22:59:59+02:00', '2026-03-04T20:59:59.000Z', '2026-03-04T21:00:00.000Z'],
    ['2026-03-04 22:00 -0330', '2026-03-05T01:30:00.000Z', '2026-03-05T01:31:00.000Z'],
    ['today', '2026-03-04T00:00:00.000Z', '2026-03-05T00:00:00.000Z'],
    ['Yesterday', '2026-03-03T00:00:00.000Z', '2026-03-04T00:00:00.000Z'],
    ['tomorrow', '2026-03-05T00:00:00.000Z', '2026-03-06T00:00:00.000Z'],
    ['friday', '2026-02-27T00:00:00.000Z', '2026-02-28T00:00:00.000Z'],
    ['tuesday', '2026-03-03T00:00:00.000Z', '2026-03-04T00:00:00.000Z'],
    ['wednesday', '2026-02-25T00:00:00.000Z', '2026-02-26T00:00:00.000Z'],
    ['14:30', '2026-03-04T14:30:00.000Z', '2026-03-04T14:31:00.000Z'],
    ['9:05:07', '2026-03-04T09:05:07.000Z', '2026-03-04T09:05:08.000Z'],
  ])('reads %s as the period that it names', (text, start, end) => {
    expect(read(text)).toEqual([start, end]);
  });

  test.each([
    ['now', '2026-03-04T15:30:20.500Z'],
    ['2h', '2026-03-04T13:30:20.500Z'],
    ['-2h', '2026-03-04T13:30:20.500Z'],
    ['2 hours ago', '2026-03-04T13:30:20.500Z'],
    ['1h30m', '2026-03-04T14:00:20.500Z'],
    ['1.5h', '2026-03-04T14:00:20.500Z'],
    ['30 min ago', '2026-03-04T15:00:20.500Z'],
    ['500ms', '2026-03-04T15:30:20.000Z'],
    ['1d', '2026-03-03T15:30:20.500Z'],
    ['2w', '2026-02-18T15:30:20.500Z'],
    ['+1h', '2026-03-04T16:30:20.500Z'],
    ['1772638220500', '2026-03-04T15:30:20.500Z'],
    ['1772638220', '2026-03-04T15:30:20.000Z'],
    ['1772638220500000', '2026-03-04T15:30:20.500Z'],
    ['1772638220500000000', '2026-03-04T15:30:20.500Z'],
  ])('reads %s as a point in time', (text, start) => {
    expect(read(text)[0]).toBe(start);
  });

  test.each([
    '',
    'soon',
    '5',
    '12345',
    '2026-13',
    '0026-03-04',
    '2026-02-29',
    '2026-00-01',
    '2026-03-04T24:00',
    '2026-03-04T12:60',
    '25:00',
    '2026-03-04T12:00+25:00',
    '2 parsecs',
    '1h fortnight',
    '--1h',
    'ago',
    'constructor',
    '9'.repeat(400) + 'w',
  ])('refuses %j', (text) => {
    expect(() => parseTimeText(text, { nowMs })).toThrow(/^time must be like .*; got /);
  });

  test('reads times without a zone as local time', () => {
    const { startMs, endMs } = parseTimeText('2026-03-04 14:30', { nowMs });
    expect(startMs).toBe(new Date(2026, 2, 4, 14, 30).getTime());
    expect(endMs).toBe(new Date(2026, 2, 4, 14, 31).getTime());
  });

  test('reads back every ISO time to the millisecond', () => {
    const dates = fc.date({ min: new Date('1000-01-01'), max: new Date('9999-12-31'), noInvalidDate: true });
    fc.assert(
      fc.property(dates, (date) => {
        expect(parseTimeText(date.toISOString(), { nowMs }).startMs).toBe(date.getTime());
      }),
    );
  });

  test('gives a period with an end behind its start, or refuses, whatever the text', () => {
    const parts = fc.constantFrom(
      '1',
      '2026',
      '-',
      ':',
      ' ',
      'h',
      'd',
      'today',
      'ago',
      '+',
      't',
      'z',
      '.',
      '05',
    );
    fc.assert(
      fc.property(
        fc.array(parts).map((list) => list.join('')),
        (text) => {
          const period = attempt(() => parseTimeText(text, { nowMs }));
          expect(period instanceof RangeError || period.endMs > period.startMs).toBe(true);
        },
      ),
    );
  });
});
