import type { Logger } from 'pino';
import { writeSym } from '../pino-symbols.ts';
import type { AttributeValue } from './attributes.ts';
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

/** pino's writing half, behind levels and hooks: whether a span line is written has been decided by its span. */
interface Writer {
  [writeSym](fields: object, msg: undefined, level: number): void;
}

/** @throws what a mixin or serializer of the program throws. */
export function writeSpanLine(
  logger: Logger,
  level: number,
  fields: { readonly span: SpanLineFields },
): void {
  (logger as unknown as Writer)[writeSym](fields, undefined, level);
}
