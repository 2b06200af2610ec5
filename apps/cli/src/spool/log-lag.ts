import { openLogReader, type LogListing, type LogRun } from '@treeline/spool';

/** What a log still holds for a stream. */
export interface StreamLag {
  readonly streamKey: string;
  readonly records: number;
  readonly bytes: number;
}

export interface LogLag {
  /** Records of the log, whether or not the stream's level and filter want them. */
  readonly streams: readonly StreamLag[];
  /** Records that can't be read any more. */
  readonly damagedRecords: number;
}

/** Reads a log once, from the cursor that is furthest back, and measures what lies behind each. */
export function measureLag({ directory, cursors }: LogListing): LogLag {
  const lags = [...cursors.streams].map(([streamKey, { seq }]) => ({ streamKey, seq, records: 0, bytes: 0 }));
  const fromSeq = Math.min(...lags.map(({ seq }) => seq)) + 1;
  let damagedRecords = 0;
  if (lags.length > 0) {
    const reader = openLogReader(directory, {
      fromSeq,
      follow: false,
      onDamage: ({ records }) => {
        damagedRecords += records;
      },
    });
    for (let run = reader.next(); run !== undefined; run = reader.next()) {
      for (const lag of lags) {
        const skipped = Math.min(run.count, Math.max(0, lag.seq + 1 - run.firstSeq));
        lag.records += run.count - skipped;
        lag.bytes += run.bytes.length - offsetOfLine(run, skipped);
      }
    }
    reader.close();
  }
  return {
    streams: lags.map(({ streamKey, records, bytes }) => ({ streamKey, records, bytes })),
    damagedRecords,
  };
}

/** Where a run's line begins. */
export function offsetOfLine({ bytes, count }: LogRun, line: number): number {
  if (line === count) return bytes.length;
  let offset = 0;
  for (let passed = 0; passed < line; passed++) offset = bytes.indexOf(0x0a, offset) + 1;
  return offset;
}
