import { toLogRow, type LogRow, type RawRow } from './row.ts';

/**
 * A row as one line of an archive, built in SQL: `{"id":…,"ts":…,…,"payload":{…}}`, columns that are null left out. The payload comes
 * last and byte for byte, so that it can be cut out again without being parsed. One that holds a line feed, which only another program
 * can have written, stands as a JSON string under `payload_text`.
 */
export const ARCHIVED_LINE = `'{"id":' || id || ',"ts":' || ts || ',"level":' || level
  || ',"source":' || json_quote(source) || ',"type":' || json_quote(type)
  || coalesce(',"ref_id":' || json_quote(ref_id), '') || coalesce(',"msg":' || json_quote(msg), '')
  || coalesce(',"trace_id":' || json_quote(trace_id), '') || coalesce(',"span_id":' || json_quote(span_id), '')
  || coalesce(',"parent_span_id":' || json_quote(parent_span_id), '')
  || iif(instr(payload, char(10)) = 0, ',"payload":' || payload, ',"payload_text":' || json_quote(payload))
  || '}' || char(10)`;

/** A quote inside a JSON string is escaped, so these stand in no value before the payload. */
const PAYLOAD_KEY = ',"payload":';
const PAYLOAD_TEXT_KEY = ',"payload_text":';

interface Head {
  readonly id: number;
  readonly ts: number;
  readonly level: number;
  readonly source: string;
  readonly type: string;
  readonly ref_id?: string;
  readonly msg?: string;
  readonly trace_id?: string;
  readonly span_id?: string;
  readonly parent_span_id?: string;
  readonly payload_text?: string;
}

/** The columns of an archived line, without the line feed. */
export function readArchivedLine(line: string): RawRow {
  const text = line.indexOf(PAYLOAD_TEXT_KEY);
  const at = line.indexOf(PAYLOAD_KEY);
  const isText = text !== -1 && (at === -1 || text < at);
  const head = JSON.parse(isText ? line : `${line.slice(0, at)}}`) as Head;
  const payload = isText ? (head.payload_text ?? '') : line.slice(at + PAYLOAD_KEY.length, -1);
  return [
    head.id,
    head.source,
    head.type,
    head.ref_id ?? null,
    head.ts,
    head.level,
    head.msg ?? null,
    head.trace_id ?? null,
    head.span_id ?? null,
    head.parent_span_id ?? null,
    payload,
  ];
}

/** The row that an archived line stands for, as the store would give it. */
export function rowOfArchivedLine(line: string): LogRow {
  return toLogRow(readArchivedLine(line));
}
