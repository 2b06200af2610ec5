import { openFdWriter, type FdWriter } from './fd-writer.ts';
import type { SinkEvent } from './sink.ts';

const PERIOD_MS = 60_000;
const LINES_PER_PERIOD = 5;
const MAX_REASON_LENGTH = 500;

/** Takes what sinks report. Never throws. */
export interface StderrReporter {
  (streamName: string, event: SinkEvent): void;
  /** Tells what was left out since the last line; for the end of a stream. */
  flush(): void;
}

interface Recent {
  periodStartMs: number;
  readonly reasons: Set<string>;
  suppressed: number;
  suppressedRecords: number;
}

/**
 * Writes sinks' events to stderr. For each stream and type of event the same reason is told once a minute, and at most five reasons;
 * the next line, or `flush`, tells how many events and records were left out.
 */
export function createStderrReporter(write: (text: string) => void = writeStderr): StderrReporter {
  const recent = new Map<string, Recent>();

  const report = (streamName: string, event: SinkEvent): void => {
    const key = `${streamName}: ${event.type}`;
    const reason = printable(event.reason);
    const nowMs = performance.now();
    const entry = recent.get(key) ?? {
      periodStartMs: nowMs,
      reasons: new Set(),
      suppressed: 0,
      suppressedRecords: 0,
    };
    recent.set(key, entry);
    if (nowMs - entry.periodStartMs >= PERIOD_MS) {
      entry.reasons.clear();
      entry.periodStartMs = nowMs;
    }
    if (entry.reasons.has(reason) || entry.reasons.size >= LINES_PER_PERIOD) {
      entry.suppressed++;
      entry.suppressedRecords += event.count ?? 0;
      return;
    }
    entry.reasons.add(reason);
    write(`treeline: ${key}: ${reason}${inRecords(event.count)}${takeSuppressed(entry)}\n`);
  };

  const flush = (): void => {
    for (const [key, entry] of recent)
      if (entry.suppressed > 0) write(`treeline: ${key}:${takeSuppressed(entry)}\n`);
  };

  return Object.assign(report, { flush });
}

function inRecords(count: number | undefined): string {
  return count === undefined ? '' : ` (${count} ${count === 1 ? 'record' : 'records'})`;
}

function takeSuppressed(entry: Recent): string {
  const { suppressed, suppressedRecords } = entry;
  entry.suppressed = 0;
  entry.suppressedRecords = 0;
  if (suppressed === 0) return '';
  return ` [${suppressed} more like this since the last line${inRecords(suppressedRecords || undefined)}]`;
}

/** Reasons may quote log content or a server's answer: no control character reaches the terminal. */
function printable(text: string): string {
  const short = text.length > MAX_REASON_LENGTH ? `${text.slice(0, MAX_REASON_LENGTH)}…` : text;
  return short.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, escapeCharacter);
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

let stderr: FdWriter | undefined;

/** A closed stderr, or one that nobody reads, must not harm the stream that reports. */
function writeStderr(text: string): void {
  try {
    stderr ??= openFdWriter(2);
    stderr.write(Buffer.from(text)).catch(() => undefined);
  } catch {
    // There is no stderr to tell it to.
  }
}
