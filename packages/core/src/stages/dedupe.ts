import { formatDuration, type LogRecord } from '@treeline/contract';
import type { StreamConfig } from '../config/config.ts';
import { fieldsKey, readField } from './record-value.ts';
import type { Line, Thinning } from './thinning.ts';

/** So many different records are remembered; beyond, the oldest is forgotten early and told of. */
const MAX_KEYS = 10_000;

/** What a summary repeats of a message. */
const MAX_MSG_CHARS = 200;

/** A record that was let through, and what came like it. */
interface Window {
  readonly level: number;
  readonly name: string | undefined;
  readonly msg: string;
  readonly startMs: number;
  /** When the window ends by this process's clock, for those after which nothing comes. */
  readonly endsMs: number;
  repeated: number;
}

/** Leaves out records that are equal to one before them; the end of the window tells how many. */
export function compileDedupe({ windowMs, by, summary }: NonNullable<StreamConfig['dedupe']>): Thinning {
  /** In the order of their beginning. */
  const windows = new Map<string, Window>();
  const ended: LogRecord[] = [];
  const end = (key: string, window: Window): void => {
    windows.delete(key);
    if (summary && window.repeated > 0) ended.push(summaryOf(window, windowMs));
  };
  const begin = (key: string, line: Line): void => {
    for (const [oldest, window] of windows) {
      if (windows.size < MAX_KEYS) break;
      end(oldest, window);
    }
    const { name, msg } = line.record();
    windows.set(key, {
      level: line.level,
      name,
      // A slice alone would keep the whole text in memory.
      msg: typeof msg === 'string' ? Buffer.from(msg.slice(0, MAX_MSG_CHARS)).toString() : '',
      startMs: line.timeMs,
      endsMs: Date.now() + windowMs,
      repeated: 0,
    });
  };
  return {
    reason: 'dedupe',
    passes(line) {
      if (isUnique(line.record(), by)) return true;
      const key = fieldsKey(line.record(), by);
      const window = windows.get(key);
      if (window && Math.abs(line.timeMs - window.startMs) < windowMs) {
        window.repeated++;
        return false;
      }
      if (window) end(key, window);
      begin(key, line);
      return true;
    },
    dueMs() {
      if (ended.length > 0) return 0;
      const [oldest] = windows.values();
      return oldest?.endsMs ?? Infinity;
    },
    takeSummaries(nowMs) {
      for (const [key, window] of windows) {
        if (window.endsMs > nowMs) break;
        end(key, window);
      }
      return ended.splice(0);
    },
  };
}

/** A span's open and close belong together, whatever they look like; and a record without the fields is like no other. */
function isUnique(record: LogRecord, by: readonly string[]): boolean {
  const { span } = record;
  if (typeof span === 'object' && span !== null && 'op' in span) return true;
  return by.every((path) => path === 'level' || readField(record, path) === undefined);
}

/** A record of the kind that was repeated, so that it goes where its like goes and is found as they are. */
function summaryOf({ level, name, msg, repeated }: Window, windowMs: number): LogRecord {
  const text = msg === '' ? '' : `: ${msg}`;
  return {
    level,
    time: Date.now(),
    ...(name !== undefined && { name }),
    repeated,
    msg: `repeated ${repeated === 1 ? 'once' : `${repeated} times`} within ${formatDuration(windowMs)}${text}`,
  };
}
