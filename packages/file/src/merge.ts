import type { LogRecord } from '@treeline/contract';

/** A record with its time as unix milliseconds; NaN where it has none. */
export interface TimedRecord {
  readonly record: LogRecord;
  readonly timeMs: number;
}

/** Merges streams of records; each keeps its own order, and a record without a time comes with the one before it. */
export async function* mergeByTime(
  streams: readonly AsyncGenerator<TimedRecord>[],
  order: 'asc' | 'desc',
): AsyncGenerator<TimedRecord> {
  const sign = order === 'asc' ? 1 : -1;
  const heads: { stream: AsyncGenerator<TimedRecord>; record: TimedRecord; key: number }[] = [];
  const advance = async (stream: AsyncGenerator<TimedRecord>, lastKey: number): Promise<void> => {
    const { done, value } = await stream.next();
    if (done) return;
    const key = Number.isNaN(value.timeMs) ? lastKey : value.timeMs * sign;
    heads.push({ stream, record: value, key });
  };
  try {
    for (const stream of streams) await advance(stream, -Infinity);
    while (heads.length > 0) {
      const next = heads.reduce(
        (least, head, index) => (head.key < (heads[least]?.key ?? Infinity) ? index : least),
        0,
      );
      const [head] = heads.splice(next, 1);
      if (!head) return;
      yield head.record;
      await advance(head.stream, head.key);
    }
  } finally {
    for (const stream of streams) await stream.return(undefined);
  }
}
