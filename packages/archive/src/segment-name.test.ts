import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatSegmentName, parseSegmentName } from './segment-name.ts';

describe('segment names', () => {
  test('say store, number and times', () => {
    const name = { store: '1f6e0c2a', segment: 3, firstMs: 1_767_225_600_000, lastMs: 1_769_903_999_999 };
    const text = 'logs-1f6e0c2a-000003-2026-01-01T000000.000Z_2026-01-31T235959.999Z';
    expect(formatSegmentName(name)).toBe(text);
    expect(parseSegmentName(text)).toEqual(name);
  });

  test('come back for all times that a row can have', () => {
    const time = fc.integer({ min: -8.64e15, max: 8.64e15 });
    const store = fc.stringMatching(/^[0-9a-f]{8}$/);
    fc.assert(
      fc.property(store, fc.integer({ min: 1, max: 1e12 }), time, time, (of, segment, firstMs, lastMs) => {
        const name = { store: of, segment, firstMs, lastMs };
        expect(parseSegmentName(formatSegmentName(name))).toEqual(name);
      }),
    );
  });

  test.each([
    'logs-1f6e0c2a-000003',
    'logs-1F6E0C2A-000003-2026-01-01T000000.000Z_2026-01-31T235959.999Z',
    'logs-1f6e0c2a-000003-2026-13-01T000000.000Z_2026-01-31T235959.999Z',
    '../logs-1f6e0c2a-000003-2026-01-01T000000.000Z_2026-01-31T235959.999Z',
    '',
  ])('are refused where they are not ours: %s', (name) => {
    expect(parseSegmentName(name)).toBeUndefined();
  });
});
