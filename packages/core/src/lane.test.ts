import { setImmediate as nextTick } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Lane } from './lane.ts';
import type { Chunk } from './protocol.ts';

function laneWithChunks(): { lane: Lane; chunks: Chunk[] } {
  const chunks: Chunk[] = [];
  return { lane: new Lane((chunk) => chunks.push(chunk)), chunks };
}

describe('Lane', () => {
  test('gathers the lines of a tick into one chunk and numbers them from 1', async () => {
    const { lane, chunks } = laneWithChunks();
    lane.write('a\n');
    lane.write('b\n');
    expect(chunks).toEqual([]);
    await nextTick();
    lane.write('c\n');
    await nextTick();
    expect(chunks).toEqual([
      { firstSeq: 1, count: 2, text: 'a\nb\n' },
      { firstSeq: 3, count: 1, text: 'c\n' },
    ]);
  });

  test('closes a chunk at 64 KiB without waiting for the end of the tick', () => {
    const { lane, chunks } = laneWithChunks();
    const line = `${'x'.repeat(1023)}\n`;
    for (let index = 0; index < 130; index++) lane.write(line);
    expect(chunks.map(({ firstSeq, count }) => [firstSeq, count])).toEqual([
      [1, 64],
      [65, 64],
    ]);
    expect(lane.lastSeq).toBe(130);
  });

  test('sends every line at once where no later tick will come', () => {
    const { lane, chunks } = laneWithChunks();
    lane.immediate = true;
    lane.write('a\n');
    expect(chunks).toHaveLength(1);
  });
});
