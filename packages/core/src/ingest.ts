import { textRecord } from '@treeline/contract';
import type { PipelineConfig } from './config/config.ts';
import { readForeignLines } from './foreign-lines.ts';
import { PipelineClient } from './pipeline-client.ts';
import type { FlushResult, StreamStatus } from './protocol.ts';
import type { LoggerStats } from './stats.ts';

const FLUSH_TIMEOUT_MS = 10_000;

/** As large as the chunks that the log hands to the worker. */
const PIECE_BYTES = 64 * 1024;

const LINE_FEED = 10;

/** A pipeline that is fed with the lines of another program instead of log calls. */
export interface Pipeline {
  /**
   * Takes complete lines, each ended by a line feed. What is not a JSON object is kept as a text record with the time of its arrival.
   * Resolves when there is room for more: a writer that awaits it is as slow as the slowest stream, and memory stays bounded.
   */
  write(lines: Buffer): Promise<void>;
  /** Resolves when what was written before is delivered, as far as each sink promises, or after `timeoutMs` (default 10 s). Never rejects. */
  flush(options?: { timeoutMs?: number }): Promise<FlushResult>;
  /** Flushes and gives every destination back. Closing twice is no error. */
  close(options?: { timeoutMs?: number }): Promise<FlushResult>;
  stats(): PipelineStats;
  /** Calls back when a stream goes up, down, fills, drops or recovers. Returns a function that ends it. */
  onStatus(listener: (status: StreamStatus) => void): () => void;
}

export interface PipelineStats extends LoggerStats {
  /** Lines that were no JSON objects, of those accepted. */
  readonly textLines: number;
  /** How often, and for how long, `write` waited for room in the window. */
  readonly windowWaits: { readonly count: number; readonly totalMs: number };
}

export interface PipelineOptions {
  /** What `write` does when the window is full: `wait` for room (default), or `spill` into the log's segments without waiting. */
  readonly whenFull?: 'wait' | 'spill';
}

/**
 * Opens the pipeline of a config that has been loaded. `process.exit()` drains it as it drains a logger; a signal doesn't: the program
 * closes it then.
 */
export function openPipeline(config: PipelineConfig, { whenFull = 'wait' }: PipelineOptions = {}): Pipeline {
  const client = new PipelineClient(config, { feed: 'lines' });
  const textLine = textLines(config);
  let textCount = 0;
  const windowWaits = { count: 0, totalMs: 0 };
  return {
    async write(lines) {
      for (const piece of piecesOf(lines)) {
        const read = readForeignLines(piece, textLine);
        textCount += read.textCount;
        if (read.count > 0) client.writeLines(read.text, read.count);
        if (client.hasRoom() || whenFull === 'spill') continue;
        const startMs = performance.now();
        await client.room();
        windowWaits.count++;
        windowWaits.totalMs += performance.now() - startMs;
      }
    },
    flush: (options) => client.flush(options?.timeoutMs ?? FLUSH_TIMEOUT_MS),
    close: (options) => client.close(options?.timeoutMs ?? FLUSH_TIMEOUT_MS),
    stats: () => ({ ...client.stats(), textLines: textCount, windowWaits: { ...windowWaits } }),
    onStatus: (listener) => client.onStatus(listener),
  };
}

/** The log takes text as one run and reserves three bytes a character for it: megabytes at once would crowd out what waits. */
function* piecesOf(lines: Buffer): Generator<Buffer> {
  for (let start = 0; start < lines.length;) {
    const found = lines.indexOf(LINE_FEED, start + PIECE_BYTES);
    const end = found === -1 ? lines.length : found + 1;
    yield lines.subarray(start, end);
    start = end;
  }
}

/** Makes the line of a text record: what the config puts into every line stands in it. */
function textLines({ timestamp, serviceName, fields }: PipelineConfig): (text: string) => string {
  const base = { ...(serviceName !== undefined && { service: serviceName }), ...fields };
  return (text) => {
    const { level, msg } = textRecord(text);
    return JSON.stringify({ level, ...(timestamp && { time: Date.now() }), ...base, msg });
  };
}
