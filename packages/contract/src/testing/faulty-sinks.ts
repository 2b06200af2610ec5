import { setTimeout } from 'node:timers/promises';
import { createMemorySink, type MemorySink } from './memory-sink.ts';

/** A sink whose writes all reject with this reason. */
export function createFailingSink(reason = 'the destination is down'): MemorySink {
  const sink = createMemorySink();
  sink.write = async () => {
    sink.calls.push('write');
    throw new Error(reason);
  };
  return sink;
}

/** A sink that takes its time over each batch, and keeps it then. */
export function createSlowSink(delayMs: number): MemorySink {
  const sink = createMemorySink();
  const write = sink.write.bind(sink);
  sink.write = async (batch) => {
    await setTimeout(delayMs);
    return write(batch);
  };
  return sink;
}

export interface StuckSink extends MemorySink {
  /** Lets the pending write and all later ones through. */
  release(): void;
}

/** A sink whose writes stay pending until it is released. */
export function createStuckSink(): StuckSink {
  const sink = createMemorySink();
  const write = sink.write.bind(sink);
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  sink.write = async (batch) => {
    await released;
    return write(batch);
  };
  return Object.assign(sink, { release });
}
