import type { Attributes } from './attributes.ts';
import type { TraceParent } from './traceparent.ts';

export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer';

/** How a span ended: `aborted` where somebody called it off, `evicted` where it was given up because too many were open. */
export type SpanStatus = 'ok' | 'error' | 'aborted' | 'evicted';

/** Where a span belongs: another span, the headers of a request, or the value of its `traceparent` alone. */
export type SpanParent =
  | Span
  | string
  | { readonly traceparent?: unknown; readonly tracestate?: unknown }
  | null;

export interface SpanOptions {
  /** Default: the span that the calling code runs in. `null`, or a text that breaks the W3C rules, begins a new trace. */
  readonly parent?: SpanParent;
  /** Spans that this one follows from without being inside them. */
  readonly links?: readonly (Span | string)[];
  /** @default 'internal' */
  readonly kind?: SpanKind;
  /** The level of the span's lines (default `info`). Below the threshold it writes none, unless it fails. */
  readonly level?: string;
}

/** A piece of work that takes time, and what is logged meanwhile. */
export interface Span extends TraceParent {
  /** At most 256 characters; names are for grouping, what varies belongs into attributes. */
  readonly name: string;
  /** The value of the header `traceparent` for calls that this span makes. */
  readonly traceparent: string;
  /** The headers `traceparent` and, where there is one, `tracestate`, for calls that this span makes. */
  headers(): { traceparent: string; tracestate?: string };
  /** Runs a function inside the span; the result and errors are its own. The span goes on. */
  run<Result>(fn: () => Result): Result;
  /** Adds attributes, written on a line of their own; of a name that comes again the last value counts. */
  set(attributes: Attributes): void;
  /** Marks the span as failed; it goes on until its end. */
  fail(error?: unknown): void;
  /** Ends the span; a second end does nothing, and is counted. */
  end(status?: 'ok' | 'error' | 'aborted'): void;
  [Symbol.dispose](): void;
}

/** A span that has not ended. */
export interface ActiveSpanInfo {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly ageMs: number;
  readonly attrs: Attributes;
}

/** Counters of a logger's spans since its start. */
export interface SpanStats {
  readonly started: number;
  readonly active: number;
  readonly ended: number;
  /** Given up because too many were open, or too old. */
  readonly evicted: number;
  /** Calls on spans that had ended. */
  readonly callsAfterEnd: number;
  /** Names, attributes, links and parts of them that were too many or too long. */
  readonly cutAttributes: number;
  /** Span lines that a serializer or mixin of the program kept from being written. */
  readonly failedLines: number;
  /** Traces that sampling left out. */
  readonly unsampledTraces: number;
}
