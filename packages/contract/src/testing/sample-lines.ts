import type { LogRecord } from '../record.ts';

/** A record as pino writes it; `fields` come before the message, as there. */
export function record(index: number, fields: Record<string, unknown> = {}): LogRecord {
  return {
    level: 30,
    time: 1_760_000_000_000 + index,
    pid: 1,
    hostname: 'h',
    ...fields,
    msg: `record ${index}`,
  };
}

/** Records as the bytes of an NDJSON stream. */
export function lines(records: readonly LogRecord[]): Buffer {
  return Buffer.from(records.map((each) => `${JSON.stringify(each)}\n`).join(''));
}
