import type { Field, Segment } from './ast.ts';
import { columnOf, EACH } from './field.ts';
import type { Scanner } from './scanner.ts';

/** Characters of a bare key; a minus may stand inside. */
const KEY = /[\p{L}\p{N}_$@/#%+-]+/uy;

/** Reads a field, in places where nothing else can stand. */
export function readField(scanner: Scanner): Field {
  const start = scanner.at;
  return tryReadField(scanner) ?? scanner.fail('a field is expected', start, start + 1);
}

/** Reads a field, if one begins here. */
export function tryReadField(scanner: Scanner): Field | undefined {
  const start = scanner.at;
  const forced = scanner.take('.');
  const segments: Segment[] = [];
  let quoted = false;
  do {
    const segment = readSegment(scanner);
    if (segment === undefined) {
      scanner.moveTo(start);
      return undefined;
    }
    quoted ||= scanner.text[scanner.at - 1] === '"';
    segments.push(segment);
  } while (scanner.peek() === '[' || scanner.take('.'));
  const [first] = segments;
  const column =
    !forced && !quoted && segments.length === 1 && typeof first === 'string' ? columnOf(first) : undefined;
  return column === undefined ? { kind: 'path', segments } : { kind: 'column', name: column };
}

function readSegment(scanner: Scanner): Segment | undefined {
  if (scanner.peek() === '"') return scanner.quoted();
  const index = scanner.match(/\[\d{0,9}\]/y);
  if (index !== undefined) return index === '[]' ? EACH : Number(index.slice(1, -1));
  return scanner.match(KEY);
}
