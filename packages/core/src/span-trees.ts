import type { LogRecord } from '@treeline/contract';

/** A span as its lines tell of it. */
export interface CapturedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly attrs: Readonly<Record<string, unknown>>;
  /** Undefined while it is open. */
  readonly status: string | undefined;
  readonly durationMs: number | undefined;
  readonly err: unknown;
  /** What was logged in it, without its own lines. */
  readonly events: readonly LogRecord[];
  readonly children: readonly CapturedSpan[];
}

interface SpanFields {
  readonly op?: unknown;
  readonly name?: unknown;
  readonly attrs?: Readonly<Record<string, unknown>>;
  readonly status?: string;
  readonly duration_ns?: number;
  readonly err?: unknown;
}

type Growing = { -readonly [Key in keyof CapturedSpan]: CapturedSpan[Key] } & {
  readonly parentId: string | undefined;
  readonly events: LogRecord[];
  readonly children: CapturedSpan[];
};

/** Puts records together to the trees of their spans, in the order of their opens. Records outside of spans are in none. */
export function spanTrees(records: readonly LogRecord[]): CapturedSpan[] {
  const spans = new Map<string, Growing>();
  for (const record of records) {
    const spanId = record['span_id'];
    if (typeof spanId !== 'string') continue;
    const fields = record['span'] as SpanFields | undefined;
    const span = spans.get(spanId) ?? begin(record, spanId);
    spans.set(spanId, span);
    if (fields?.op === undefined) span.events.push(record);
    else tell(span, fields);
  }
  const roots: CapturedSpan[] = [];
  for (const span of spans.values()) {
    const parent = span.parentId === undefined ? undefined : spans.get(span.parentId);
    (parent?.children ?? roots).push(span);
  }
  return roots;
}

function begin(record: LogRecord, spanId: string): Growing {
  const parentId = record['parent_span_id'];
  return {
    name: '',
    traceId: String(record['trace_id']),
    spanId,
    parentId: typeof parentId === 'string' ? parentId : undefined,
    attrs: {},
    status: undefined,
    durationMs: undefined,
    err: undefined,
    events: [],
    children: [],
  };
}

function tell(span: Growing, { op, name, attrs, status, duration_ns: durationNs, err }: SpanFields): void {
  if (typeof name === 'string') span.name = name;
  span.attrs = { ...span.attrs, ...attrs };
  if (op !== 'close') return;
  span.status = status;
  span.durationMs = durationNs === undefined ? undefined : durationNs / 1e6;
  span.err = err;
}
