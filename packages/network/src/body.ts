import type { Batch, LogRecord } from '@treeline/contract';
import type { Lines } from './protocol.ts';

const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;
const QUOTE = 0x22;
const LINE_FEED = 0x0a;
const COMMA = 0x2c;

/** Whether every line looks like an object, which is so for all that pino writes: then their bytes can go as they are. */
export function isPlainJson({ bytes, ends }: Batch): boolean {
  let start = 0;
  for (const end of ends) {
    if (!isObject(bytes, start, end - 1)) return false;
    start = end;
  }
  return true;
}

/** An object with at least one key, by its first and last bytes. */
function isObject(bytes: Buffer, start: number, end: number): boolean {
  return bytes[start] === OPENING_BRACE && bytes[start + 1] === QUOTE && bytes[end - 1] === CLOSING_BRACE;
}

export interface SpliceOptions {
  /** Written before each line, with a line feed of its own. */
  readonly before?: (index: number) => string;
  /** The key that `member` writes: a record that has it already is written anew, so that no key stands twice. */
  readonly replacing?: string;
  /** What wins where a record has that key already. */
  readonly keepsOwn?: boolean;
}

/**
 * The lines with a member (`"key":value`, ASCII; empty for none) put at the beginning of each. Bytes are copied, not parsed; a line that is
 * no object becomes one with its text as message.
 */
export function spliceLines(
  lines: Lines,
  member: (index: number) => string,
  options: SpliceOptions = {},
): Buffer {
  const { batch } = lines;
  const heads = Array.from({ length: batch.count }, () => '');
  const rewritten = new Map<number, Buffer>();
  const key = options.replacing === undefined ? undefined : JSON.stringify(options.replacing);
  const anyHasKey = key !== undefined && batch.bytes.includes(key);
  let size = 0;
  let start = 0;
  for (let index = 0; index < batch.count; index++) {
    const end = batch.ends[index] ?? 0;
    const before = options.before?.(index) ?? '';
    const mustRewrite =
      lines.rewritten ||
      !isObject(batch.bytes, start, end - 1) ||
      (anyHasKey && key !== undefined && batch.line(index).includes(key));
    if (mustRewrite) {
      heads[index] = before;
      const line = Buffer.from(rewrite(batch.record(index), member(index), options));
      rewritten.set(index, line);
      size += before.length + line.length;
    } else {
      const inserted = member(index);
      heads[index] = inserted === '' ? `${before}{` : `${before}{${inserted},`;
      size += (heads[index]?.length ?? 0) + end - start - 1;
    }
    start = end;
  }
  return assemble(batch, heads, rewritten, size);
}

function assemble(
  batch: Batch,
  heads: readonly string[],
  rewritten: ReadonlyMap<number, Buffer>,
  size: number,
): Buffer {
  const body = Buffer.allocUnsafe(size);
  let at = 0;
  let start = 0;
  for (const [index, head] of heads.entries()) {
    const end = batch.ends[index] ?? 0;
    at += body.write(head, at, 'latin1');
    const line = rewritten.get(index);
    at += line ? line.copy(body, at) : batch.bytes.copy(body, at, start + 1, end);
    start = end;
  }
  return body;
}

function rewrite(record: LogRecord, member: string, { replacing, keepsOwn }: SpliceOptions): string {
  const added = member === '' ? {} : (JSON.parse(`{${member}}`) as Record<string, unknown>);
  const hasOwn = replacing !== undefined && record[replacing] !== undefined;
  return `${JSON.stringify(hasOwn && keepsOwn ? record : { ...added, ...record, ...(hasOwn ? added : {}) })}\n`;
}

/** Lines as one JSON array. */
export function jsonArray(ndjson: Buffer): Buffer {
  const body = Buffer.allocUnsafe(ndjson.length + 1);
  body[0] = 0x5b;
  ndjson.copy(body, 1);
  for (let at = body.indexOf(LINE_FEED); at !== -1; at = body.indexOf(LINE_FEED, at + 1)) body[at] = COMMA;
  body[body.length - 1] = 0x5d;
  return body;
}
