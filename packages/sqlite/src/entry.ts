import { DEFAULT_LEVEL, parseLevel, readTimeMs, type LevelName, type LogRecord } from '@treeline/contract';

/** What a program appends to a store itself. */
export interface LogEntry {
  /** Who speaks. */
  readonly source: string;
  /** What kind of event; `log` where left out. */
  readonly type?: string;
  /** The business object. */
  readonly refId?: string;
  /** Unix milliseconds; now, where left out. */
  readonly ts?: number | Date;
  /** `info` where left out. */
  readonly level?: LevelName | number;
  readonly msg?: string;
  readonly traceId?: string;
  readonly spanId?: string;
  readonly parentSpanId?: string;
  /** Further fields: an object that JSON can hold. */
  readonly payload?: Readonly<Record<string, unknown>>;
}

const OWN_KEYS = new Set(
  'level time source type ref_id refId msg trace_id span_id parent_span_id'.split(' '),
);

const TEXT_KEYS = [
  ['type', 'type'],
  ['ref_id', 'refId'],
  ['trace_id', 'traceId'],
  ['span_id', 'spanId'],
  ['parent_span_id', 'parentSpanId'],
] as const;

/**
 * Turns an entry into the record that stands for it. Payload fields become fields of the record, unless one has a key of the
 * record's own: then the payload stays under `payload`.
 *
 * @throws TypeError, RangeError where the entry is not one.
 */
export function recordOfEntry(entry: LogEntry): LogRecord {
  const { payload = {} } = entry;
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) {
    throw new TypeError(`entry.payload must be an object; got ${JSON.stringify(payload)}`);
  }
  if (typeof entry.source !== 'string' || entry.source === '') {
    throw new TypeError(`entry.source must be a non-empty string; got ${JSON.stringify(entry.source)}`);
  }
  const collides = Object.keys(payload).some((key) => OWN_KEYS.has(key));
  return {
    level: levelOf(entry.level),
    time: timeOf(entry.ts),
    source: entry.source,
    ...textFields(entry, TEXT_KEYS),
    ...(collides ? { payload } : payload),
    ...textFields(entry, [['msg', 'msg']]),
  };
}

function levelOf(level: LevelName | number | undefined): number {
  const number = typeof level === 'string' ? parseLevel(level) : (level ?? DEFAULT_LEVEL);
  if (Number.isSafeInteger(number)) return number;
  throw new RangeError(`entry.level must be a level name or an integer; got ${JSON.stringify(level)}`);
}

/** As a text where a reader of numbers would take it for seconds or microseconds (before 1973, after 5138). */
function timeOf(ts: number | Date | undefined): number | string {
  const date = new Date(ts ?? Date.now());
  const ms = date.getTime();
  if (Number.isNaN(ms))
    throw new TypeError(`entry.ts must be unix milliseconds or a Date; got ${String(ts)}`);
  return readTimeMs(ms) === ms ? ms : date.toISOString();
}

function textFields(
  entry: LogEntry,
  keys: readonly (readonly [string, keyof LogEntry])[],
): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const [recordKey, key] of keys) {
    const value = entry[key];
    if (value === undefined) continue;
    if (typeof value !== 'string')
      throw new TypeError(`entry.${key} must be a string; got ${JSON.stringify(value)}`);
    fields[recordKey] = value;
  }
  return fields;
}
