import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { ControlBlock, StreamCounters } from './control-block.ts';
import { readStreamStats } from './stats.ts';

describe('ControlBlock', () => {
  test('is the same block wherever its buffer is attached', () => {
    const block = ControlBlock.create();
    block.write('settledSeq', 2 ** 40);
    expect(ControlBlock.attach(block.buffer).read('settledSeq')).toBe(2 ** 40);
    const counters = StreamCounters.create();
    counters.add({ accepted: 3 });
    expect(StreamCounters.attach(counters.buffer).read('accepted')).toBe(3);
  });

  test('stops waiting at the deadline, and says so', () => {
    const block = ControlBlock.create();
    const startMs = performance.now();
    expect(block.waitUntil(() => false, startMs + 30)).toBe(false);
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(29);
    expect(block.waitUntil(() => true, 0)).toBe(true);
  });

  test('takes back what a dead worker had queued, of its own log and of those that it had taken over', () => {
    const counters = StreamCounters.create();
    counters.add({ accepted: 10, adopted: 5, delivered: 8, queued: 7, queuedAdopted: 3, queuedBytes: 700 });
    counters.forgetQueued();
    expect(readStreamStats(counters, undefined)).toMatchObject({
      accepted: 6,
      adopted: 2,
      delivered: 8,
      queued: 0,
    });
  });

  test('never shows a snapshot of two moments while another thread counts', async () => {
    const counters = StreamCounters.create();
    // The writer of the real thing is the pipeline worker; here its protocol is spelled out over the raw memory.
    const writer = new Worker(
      `const { workerData, parentPort } = require('node:worker_threads');
       const numbers = new BigInt64Array(workerData);
       parentPort.postMessage('started');
       for (let i = 0; i < 300000; i++) {
         Atomics.add(numbers, 0, 1n);
         Atomics.add(numbers, 2, 2n); Atomics.add(numbers, 4, 1n); Atomics.add(numbers, 6, 1n);
         Atomics.add(numbers, 0, 1n);
       }`,
      { eval: true, workerData: counters.buffer },
    );
    await once(writer, 'message');
    const exited = once(writer, 'exit');
    let torn = 0;
    for (let index = 0; index < 20_000; index++) {
      const { accepted, delivered, queued } = readStreamStats(counters, undefined);
      if (accepted !== delivered + queued) torn++;
    }
    await exited;
    expect(torn).toBe(0);
    expect(counters.read('accepted')).toBe(600_000);
  });
});
