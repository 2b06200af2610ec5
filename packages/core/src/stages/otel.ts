import { formatLevel, readTimeMs, type LogRecord } from '@treeline/contract';
import type { ServiceFacts } from './format.ts';

/** Deeper values are written as JSON texts. */
const MAX_DEPTH = 32;

/** Keys that have a place of their own. */
const TAKEN: ReadonlySet<string> = new Set([
  'level',
  'time',
  'msg',
  'name',
  'service',
  'pid',
  'hostname',
  'trace_id',
  'span_id',
  'trace_flags',
  'err',
]);

/**
 * A record as a line of OTLP JSON, which the collector's `otlpjsonfile` receiver reads:
 * https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/
 */
export function toOtel(record: LogRecord, service: ServiceFacts): string {
  const timeMs = readTimeMs(record.time);
  const observedMs = Date.now();
  const traceId = hexId(record['trace_id'], 32);
  const spanId = hexId(record['span_id'], 16);
  const logRecord = {
    timeUnixNano: nanoseconds(timeMs ?? 0),
    observedTimeUnixNano: nanoseconds(timeMs ?? observedMs),
    severityNumber: severityOf(record.level),
    severityText: formatLevel(record.level),
    ...(record.msg !== undefined && { body: anyValue(record.msg, 0) }),
    attributes: attributesOf(record),
    ...(traceId !== undefined && { traceId }),
    ...(spanId !== undefined && { spanId }),
    ...(traceId !== undefined && { flags: flagsOf(record['trace_flags']) }),
  };
  const scope = typeof record.name === 'string' ? { name: record.name } : {};
  return JSON.stringify({
    resourceLogs: [
      {
        resource: { attributes: resourceOf(record, service) },
        scopeLogs: [{ scope, logRecords: [logRecord] }],
      },
    ],
  });
}

interface KeyValue {
  readonly key: string;
  readonly value: object;
}

/** https://opentelemetry.io/docs/specs/semconv/resource/ */
function resourceOf(record: LogRecord, service: ServiceFacts): KeyValue[] {
  return keyValues({
    'service.name': record['service'],
    'service.version': service.version,
    'deployment.environment.name': service.environment,
    'host.name': record['hostname'],
    'process.pid': record['pid'],
  });
}

function attributesOf(record: LogRecord): KeyValue[] {
  const own = Object.fromEntries(Object.entries(record).filter(([key]) => !TAKEN.has(key)));
  const error = record['err'];
  if (typeof error !== 'object' || error === null) return keyValues({ ...own, err: error });
  const { type, message, stack, ...rest } = error as Record<string, unknown>;
  return keyValues({
    ...own,
    // https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-logs/
    'exception.type': type,
    'exception.message': message,
    'exception.stacktrace': stack,
    ...(Object.keys(rest).length > 0 && { err: rest }),
  });
}

function keyValues(values: Readonly<Record<string, unknown>>): KeyValue[] {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ({ key, value: anyValue(value, 0) }));
}

/** https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/common/v1/common.proto */
function anyValue(value: unknown, depth: number): object {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'number')
    return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  if (typeof value !== 'object' || value === null) return {};
  if (depth >= MAX_DEPTH) return { stringValue: JSON.stringify(value) };
  if (Array.isArray(value)) return { arrayValue: { values: value.map((item) => anyValue(item, depth + 1)) } };
  const values = Object.entries(value).map(([key, item]) => ({ key, value: anyValue(item, depth + 1) }));
  return { kvlistValue: { values } };
}

/** Six ranges of four: https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber */
function severityOf(level: number): number {
  const range = Math.min(6, Math.max(1, Math.floor(level / 10)));
  const within = level < 10 || level >= 70 ? 0 : Math.floor(((level % 10) * 4) / 10);
  return (range - 1) * 4 + 1 + within;
}

/** The protocol's integers of 64 bits are texts in JSON. */
function nanoseconds(ms: number): string {
  return String(BigInt(Math.round(ms * 1000)) * 1000n);
}

function hexId(value: unknown, length: number): string | undefined {
  return typeof value === 'string' && value.length === length && /^[0-9a-f]+$/.test(value)
    ? value
    : undefined;
}

/** Two hex digits, as in the `traceparent` header. */
function flagsOf(value: unknown): number {
  if (typeof value === 'number') return value & 0xff;
  return typeof value === 'string' && /^[0-9a-f]{2}$/.test(value) ? Number.parseInt(value, 16) : 0;
}
