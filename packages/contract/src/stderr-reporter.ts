import fs from 'node:fs';
import type { SinkEvent } from './sink.ts';

const PERIOD_MS = 60_000;

/** Writes a sink's events to stderr, each kind at most once a minute for each stream, with the number left out in between. */
export function createStderrReporter(
  write: (text: string) => void = writeStderr,
): (streamName: string, event: SinkEvent) => void {
  const last = new Map<string, { atMs: number; suppressed: number }>();
  return (streamName, event) => {
    const key = `${streamName} ${event.type}`;
    const before = last.get(key);
    const nowMs = performance.now();
    if (before && nowMs - before.atMs < PERIOD_MS) {
      before.suppressed++;
      return;
    }
    last.set(key, { atMs: nowMs, suppressed: 0 });
    const count = event.count === undefined ? '' : ` (${event.count} records)`;
    const suppressed = before?.suppressed ? ` [${before.suppressed} more like this since the last time]` : '';
    write(`treeline: ${streamName}: ${event.type}: ${printable(event.reason)}${count}${suppressed}\n`);
  };
}

/** Reasons may quote log content or a server's answer: no control character reaches the terminal. */
function printable(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function writeStderr(text: string): void {
  try {
    fs.writeSync(2, text);
  } catch {
    // A closed or full stderr must not harm the stream that reports.
  }
}
