import { textRecord } from '@treeline/contract';
import type { PipelineConfig } from './config/config.ts';
import { ConfigReloader, type ConfigSource, type ConfigStats } from './config-reloader.ts';
import { readForeignLines, type PipelineLines } from './foreign-lines.ts';
import { PipelineClient } from './pipeline-client.ts';
import type { FlushResult, ReopenResult, StreamStatus } from './protocol.ts';
import type { LogStats } from './stats.ts';

const FLUSH_TIMEOUT_MS = 10_000;
const REOPEN_TIMEOUT_MS = 10_000;

/** As large as the log's chunks. */
const PART_BYTES = 64 * 1024;

const LINE_FEED = 10;

/** A pipeline that is fed with the lines of another program instead of log calls. */
export interface Pipeline {
  /**
   * Takes complete lines, each ended by a line feed. What is not a JSON object is kept as a text record with the time of its arrival.
   * Resolves when there is room for more: a writer that awaits it is as slow as the slowest stream, and memory stays bounded.
   */
  write(lines: Buffer): Promise<void>;
  /** Takes over what earlier processes left at once; otherwise the first line does. `flush` then waits for it. */
  takeOver(): void;
  /** Resolves when what was written before is delivered, as far as each sink promises, or after `timeoutMs` (default 10 s). Never rejects. */
  flush(options?: { timeoutMs?: number }): Promise<FlushResult>;
  /** Makes every stream that writes a file open its path anew, as SIGHUP does, within `timeoutMs` (default 10 s). Never rejects. */
  reopen(options?: { timeoutMs?: number }): Promise<ReopenResult>;
  /** Flushes and gives every destination back. Closing twice is no error. */
  close(options?: { timeoutMs?: number }): Promise<FlushResult>;
  stats(): PipelineStats;
  /** Calls back when a stream goes up, down, fills, drops or recovers. Returns a function that ends it. */
  onStatus(listener: (status: StreamStatus) => void): () => void;
}

export interface PipelineStats extends LogStats {
  /** How the config is, where it can be read again. */
  readonly config?: ConfigStats;
  /** Lines that were no JSON objects, of those accepted. */
  readonly textLines: number;
  /** How often, and for how long, `write` waited for room in the window. */
  readonly windowWaits: { readonly count: number; readonly totalMs: number };
}

export interface PipelineOptions {
  /** The config's source: it is then read again when its files change, and on SIGHUP. */
  readonly source?: ConfigSource;
  /** What `write` does when the window is full: `wait` for room (default), or `spill` into the log's segments without waiting. */
  readonly whenFull?: 'wait' | 'spill';
}

/**
 * Opens the pipeline of a config that has been loaded. `process.exit()` drains it as it drains a logger; a signal doesn't: the program
 * closes it then. SIGHUP makes it open its files anew, unless a terminal that was closed has sent it.
 */
export function openPipeline(
  config: PipelineConfig,
  { whenFull = 'wait', source }: PipelineOptions = {},
): Pipeline {
  const client = new PipelineClient(config, { feed: 'lines' });
  const reloader =
    source && new ConfigReloader({ ...source, apply: (next, plan) => client.reload(next, plan) });
  const textLine = textLines(config);
  let textCount = 0;
  const windowWaits = { count: 0, totalMs: 0 };
  return {
    async write(lines) {
      for (const part of inParts(lines, textLine)) {
        textCount += part.textCount;
        client.writeLines(part.text, part.count);
        if (client.hasRoom() || whenFull === 'spill') continue;
        const startMs = performance.now();
        await client.room();
        windowWaits.count++;
        windowWaits.totalMs += performance.now() - startMs;
      }
    },
    takeOver: () => client.begin(),
    flush: (options) => client.flush(options?.timeoutMs ?? FLUSH_TIMEOUT_MS),
    reopen: (options) => client.reopen(options?.timeoutMs ?? REOPEN_TIMEOUT_MS),
    close: (options) => {
      reloader?.close();
      return client.close(options?.timeoutMs ?? FLUSH_TIMEOUT_MS);
    },
    stats: () => ({
      ...client.stats(),
      ...(reloader && { config: reloader.stats }),
      textLines: textCount,
      windowWaits: { ...windowWaits },
    }),
    onStatus: (listener) => client.onStatus(listener),
  };
}

/** Runs of some 64 KiB, as the log's chunks are; a line that is larger comes by itself: the window has to hold what is written at once. */
function* inParts(lines: Buffer, textLine: (text: string) => string): Generator<PipelineLines> {
  for (let start = 0; start < lines.length;) {
    const end = endOfPart(lines, start);
    const part = readForeignLines(lines.subarray(start, end), textLine);
    if (part.count > 0) yield part;
    start = end;
  }
}

function endOfPart(lines: Buffer, start: number): number {
  const lastEnd = lines.subarray(start, start + PART_BYTES).lastIndexOf(LINE_FEED) + 1;
  if (lastEnd > 0) return start + lastEnd;
  const found = lines.indexOf(LINE_FEED, start);
  return found === -1 ? lines.length : found + 1;
}

/** Makes the line of a text record: what the config puts into every line stands in it. */
function textLines({ timestamp, serviceName, fields }: PipelineConfig): (text: string) => string {
  const base = { ...(serviceName !== undefined && { service: serviceName }), ...fields };
  return (text) => {
    const { level, msg } = textRecord(text);
    return JSON.stringify({ level, ...(timestamp && { time: Date.now() }), ...base, msg });
  };
}
