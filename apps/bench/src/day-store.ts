import { randomBytes } from 'node:crypto';
import { createBatch, parseOptions, type Sink } from '@treeline/contract';
import sqlite from '@treeline/sqlite';
import { sampleLine } from './sample.ts';

/** Rows of one write. */
const BATCH = 10_000;

export const DAY_MS = Date.UTC(2026, 0, 1);

/** Opens the sink of a store, with these options beside its path. */
export async function openSink(path: string, options: object = {}): Promise<Sink> {
  const { definition } = sqlite;
  return definition.open(await parseOptions(definition, { path, ...options }), {
    streamName: 'store',
    report: (event) => console.error(`${event.type}: ${event.reason}`),
  });
}

/** Writes rows that are spread over one day; calls back with the time that the sink took for each batch. Making lines is not counted. */
export async function fillDay(
  sink: Sink,
  rows: number,
  written: (rowsSoFar: number, ms: number) => void = () => undefined,
): Promise<void> {
  const stepMs = 86_400_000 / rows;
  for (let from = 0; from < rows; from += BATCH) {
    const count = Math.min(BATCH, rows - from);
    const lines = Array.from({ length: count }, (_, index) =>
      traced(
        sampleLine(
          from + index,
          Math.floor(DAY_MS + (from + index) * stepMs),
          `service-${(from + index) % 8}`,
        ),
      ),
    );
    const batch = createBatch(Buffer.from(lines.join('')), { logId: 'bench', seq: from + 1 });
    const beganMs = performance.now();
    await sink.write(batch);
    written(from + count, performance.now() - beganMs);
  }
}

/** A trace of its own for each line: the worst that an index over traces can get. */
function traced(line: string): string {
  return line.replace(/\}\n$/, `,"trace_id":"${randomBytes(16).toString('hex')}"}\n`);
}
