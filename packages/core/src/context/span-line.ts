import type { Logger } from 'pino';
import { writeSym } from '../pino-symbols.ts';
import type { AttributeValue } from './attributes.ts';
import type { Frame } from './frame.ts';
import type { SpanKind, SpanStatus } from './span.ts';

/** What a span line says under `span`. The operation comes first, so that span lines are found without parsing. */
export interface SpanLineFields {
  readonly op: 'open' | 'record' | 'close';
  readonly name: string;
  kind?: SpanKind;
  attrs?: Readonly<Record<string, AttributeValue>>;
  links?: readonly { readonly trace_id: string; readonly span_id: string }[];
  duration_ns?: number;
  self_ns?: number;
  status?: SpanStatus;
  lines?: Readonly<Record<number, number>>;
  err?: unknown;
}

/** A line about a span; the mixin tells it from what users log by its class. */
export class SpanLine {
  readonly trace_id: string;
  readonly span_id: string;
  readonly parent_span_id: string | undefined;
  readonly trace_flags: string;
  readonly span_seq: number;
  readonly span: SpanLineFields;

  constructor(frame: Frame, parentSpanId: string | undefined, span: SpanLineFields) {
    this.trace_id = frame.traceId;
    this.span_id = frame.spanId;
    this.parent_span_id = parentSpanId;
    this.trace_flags = frame.traceFlags;
    this.span_seq = frame.nextSeq++;
    this.span = span;
  }
}

/** pino's writing half, behind levels and hooks: whether a span line is written has been decided by its span. */
interface Writer {
  [writeSym](fields: object, msg: undefined, level: number): void;
}

/** @throws what a mixin or serializer of the program throws. */
export function writeSpanLine(logger: Logger, level: number, line: SpanLine): void {
  (logger as unknown as Writer)[writeSym](line, undefined, level);
}
