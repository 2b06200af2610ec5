import { describe, expect, test } from 'vitest';
import { BROKEN_TRANSPORTS } from './broken-transports.ts';
import { memoryTransportUnderTest } from './memory-transport.ts';
import { skippedCases, testTransport } from './test-transport.ts';

describe('testTransport', () => {
  describe('passes a transport that is right', () => {
    for (const { name, run } of testTransport({ ...memoryTransportUnderTest(), timeoutMs: 5000 }))
      test(name, run);
  });

  test.each(BROKEN_TRANSPORTS)(
    'catches a transport that %s',
    { timeout: 20_000 },
    async (_mistake, change, caughtBy) => {
      const caught = testTransport(memoryTransportUnderTest(change)).find(({ name }) => name === caughtBy);
      if (!caught) throw new Error(`there is no case "${caughtBy}"`);
      await expect(caught.run()).rejects.toThrow();
    },
  );

  test('has a mistake to catch for each of its cases', () => {
    const names = testTransport(memoryTransportUnderTest()).map(({ name }) => name);
    expect(names.length).toBeGreaterThanOrEqual(50);
    expect(names.filter((name) => !BROKEN_TRANSPORTS.some(([, , caughtBy]) => caughtBy === name))).toEqual(
      [],
    );
  });
});

describe('skippedCases', () => {
  test('names nothing where every hook is there', () => {
    expect(skippedCases(memoryTransportUnderTest())).toEqual([]);
  });

  test('names each case that is left out, with what it needs', () => {
    const under = memoryTransportUnderTest();
    const bare = {
      transport: under.transport,
      fresh: () => under.fresh(),
      read: (options: unknown) => under.read(options),
    };
    const skipped = skippedCases(bare);
    expect(skipped).toContainEqual({ name: 'closing a broken destination is no error', needs: 'break' });
    expect([...new Set(skipped.map(({ needs }) => needs))].toSorted()).toEqual([
      'break',
      'refused',
      'stall',
      'storesPosition',
      'unusable',
    ]);
    const all = testTransport(memoryTransportUnderTest()).length;
    expect(testTransport(bare).length + skipped.length).toBe(all);
  });
});
