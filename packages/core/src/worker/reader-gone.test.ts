import { createBatch, type Sink, type SinkEvent } from '@treeline/contract';
import { describe, expect, test } from 'vitest';
import { refuseWithoutReader } from './reader-gone.ts';

const batch = createBatch(Buffer.from('{"level":30}\n{"level":40}\n'));

function failingWith(code: string): { sink: Sink; events: SinkEvent[]; writes: () => number } {
  const events: SinkEvent[] = [];
  let writes = 0;
  const fail = async (): Promise<void> => {
    writes++;
    throw Object.assign(new Error(code), { code });
  };
  const sink = refuseWithoutReader({ write: fail, flush: fail, close: fail }, (event) => events.push(event));
  return { sink, events, writes: () => writes };
}

describe('refuseWithoutReader', () => {
  test('refuses every line once the pipe is broken, tries no more, and says so once', async () => {
    const { sink, events, writes } = failingWith('EPIPE');
    const reason = 'the reader has closed the pipe';
    const dead = [0, 1].map((index) => ({ index, reason }));
    expect(await sink.write(batch)).toEqual({ dead });
    expect(await sink.write(batch)).toEqual({ dead });
    expect(writes()).toBe(1);
    expect(events.map(({ type }) => type)).toEqual(['down']);
    await sink.flush();
    await sink.close();
  });

  test('leaves other faults to be tried again', async () => {
    const { sink, events } = failingWith('EIO');
    await expect(sink.write(batch)).rejects.toThrow('EIO');
    await expect(sink.close()).rejects.toThrow('EIO');
    expect(events).toEqual([]);
  });
});
