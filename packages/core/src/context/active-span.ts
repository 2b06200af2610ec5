import type { Span as OtelSpan } from '@opentelemetry/api';
import type { Logger } from 'pino';
import {
  ATTRIBUTE_LIMITS,
  boundAttributes,
  cutText,
  type Attributes,
  type AttributeValue,
} from './attributes.ts';
import type { Frame } from './frame.ts';
import { endOtelSpan } from './open-telemetry.ts';
import type { Span, SpanKind, SpanStatus } from './span.ts';
import { SpanClock } from './span-clock.ts';
import type { SpanLineFields } from './span-line.ts';
import { runInFrame } from './storage.ts';
import { formatTraceparent } from './traceparent.ts';

/** A failed span's lines have this level, so that they reach the streams that errors go to. */
const FAILED_LEVEL = 50;

/** Whoever gives a span up, its program should know of it. */
const EVICTED_LEVEL = 40;

/** What a span needs of the logger that it belongs to. */
export interface SpanOwner {
  readonly counters: { callsAfterEnd: number; cutAttributes: number };
  /** Whether a line of this level, in this frame, is to be written. */
  admits(logger: Logger, level: number, frame: Frame): boolean;
  /** Writes a line about the span, `fields` beside what it says of it. Never throws. */
  write(
    span: ActiveSpan,
    logger: Logger,
    level: number,
    line: SpanLineFields,
    fields?: Readonly<Record<string, string>>,
  ): void;
  /** The span's attributes have changed: directives that ask for them may hold now. */
  changed(span: ActiveSpan): void;
  ended(span: ActiveSpan, status: SpanStatus): void;
  serializeError(error: unknown, level: number, span: ActiveSpan): unknown;
}

export interface NewSpan {
  readonly owner: SpanOwner;
  readonly logger: Logger;
  readonly frame: Frame;
  readonly name: string;
  readonly kind: SpanKind;
  readonly level: number;
  readonly attrs: Record<string, AttributeValue>;
  readonly parentSpanId: string | undefined;
  /** The span around it, if it is one of this process and has not ended. */
  readonly parent: ActiveSpan | undefined;
  readonly links: readonly { readonly trace_id: string; readonly span_id: string }[];
  readonly otel: OtelSpan | undefined;
  /** Keys that stand beside `span` on its open and close lines. */
  readonly fields?: Readonly<Record<string, string>>;
}

/** A span between its start and its end. */
export class ActiveSpan implements Span {
  readonly frame: Frame;
  #name: string;
  readonly parentSpanId: string | undefined;
  readonly clock = new SpanClock();
  readonly attrs: Record<string, AttributeValue>;
  readonly #owner: SpanOwner;
  readonly #logger: Logger;
  readonly #new: NewSpan;
  #parent: ActiveSpan | undefined;
  #isOpened = false;
  #failure: { readonly error: unknown } | undefined;
  #hasEnded = false;
  #closing: Record<string, AttributeValue> | undefined;

  constructor(options: NewSpan) {
    const { owner, logger, frame, name, parent } = options;
    this.#name = name;
    this.frame = frame;
    this.attrs = options.attrs;
    this.parentSpanId = options.parentSpanId;
    this.#owner = owner;
    this.#logger = logger;
    this.#new = options;
    this.#parent = parent;
    parent?.clock.childStarted(this.clock.startMs);
  }

  get name(): string {
    return this.#name;
  }

  get traceId(): string {
    return this.frame.traceId;
  }

  get spanId(): string {
    return this.frame.spanId;
  }

  get traceFlags(): string {
    return this.frame.traceFlags;
  }

  get traceState(): string {
    return this.frame.traceState ?? '';
  }

  get traceparent(): string {
    return formatTraceparent(this.frame);
  }

  /** The frame of the span around it, which may have ended. */
  get parentFrame(): Frame | undefined {
    return this.#parent?.frame;
  }

  headers(): { traceparent: string; tracestate?: string } {
    const { traceState } = this.frame;
    return { traceparent: this.traceparent, ...(traceState && { tracestate: traceState }) };
  }

  /** To be called once, when the span is in its frame. */
  open(): void {
    const { level } = this.#new;
    if (this.#owner.admits(this.#logger, level, this.frame)) this.#writeOpen(level);
  }

  run<Result>(fn: () => Result): Result {
    return runInFrame(this.frame, fn);
  }

  set(attributes: Attributes): void {
    if (this.#isOver()) return;
    const names = Object.keys(this.attrs);
    const known = names.length;
    const { attrs, cut } = boundAttributes(
      attributes,
      ATTRIBUTE_LIMITS.count - known + countKnown(attributes, this.attrs),
    );
    this.#owner.counters.cutAttributes += cut;
    Object.assign(this.attrs, attrs);
    this.#new.otel?.setAttributes(attrs);
    this.#owner.changed(this);
    const { level } = this.#new;
    if (this.#isOpened && this.#owner.admits(this.#logger, level, this.frame))
      this.#write(level, { op: 'record', name: this.name, attrs });
  }

  fail(error?: unknown): void {
    if (this.#isOver()) return;
    this.#failure ??= { error };
  }

  end(status?: 'ok' | 'error' | 'aborted'): void {
    if (this.#isOver()) return;
    if (status === 'error') this.#failure ??= { error: undefined };
    this.#close(status === 'aborted' ? 'aborted' : this.#failure ? 'error' : 'ok');
  }

  /** Takes the name that is only known later, as a route is. */
  rename(name: string): void {
    this.#name = cutText(name, ATTRIBUTE_LIMITS.nameChars);
    this.#new.otel?.updateName(this.#name);
  }

  /** Ends with attributes that only the end tells, on the close line itself. */
  endWith(status: 'ok' | 'error' | 'aborted' | 'evicted', attributes: Attributes, error?: unknown): void {
    if (this.#isOver()) return;
    const { attrs, cut } = boundAttributes(attributes);
    this.#owner.counters.cutAttributes += cut;
    this.#new.otel?.setAttributes(attrs);
    this.#closing = attrs;
    if (status === 'error') this.#failure ??= { error };
    // What the program has called failed has.
    this.#close(status === 'ok' && this.#failure ? 'error' : status);
  }

  /** Ends a span that is given up. */
  evict(): void {
    if (!this.#hasEnded) this.#close('evicted');
  }

  /** Ends as its work did. */
  settle(failure: { readonly error: unknown } | undefined): void {
    if (this.#hasEnded) return;
    if (failure && isAbort(failure.error)) this.#close('aborted');
    else {
      if (failure) this.#failure ??= failure;
      this.#close(this.#failure ? 'error' : 'ok');
    }
  }

  [Symbol.dispose](): void {
    if (!this.#hasEnded) this.end();
  }

  #isOver(): boolean {
    if (this.#hasEnded) this.#owner.counters.callsAfterEnd++;
    return this.#hasEnded;
  }

  #close(status: SpanStatus): void {
    const nowMs = performance.now();
    this.#hasEnded = true;
    this.#parent?.clock.childEnded(nowMs);
    this.#parent = undefined;
    const failure = status === 'error' ? (this.#failure ?? { error: undefined }) : undefined;
    const level = Math.max(
      failure ? FAILED_LEVEL : status === 'evicted' ? EVICTED_LEVEL : 0,
      this.#new.level,
    );
    if ((this.#isOpened || failure) && this.#owner.admits(this.#logger, level, this.frame)) {
      if (!this.#isOpened) this.#writeOpen(level);
      this.#writeClose(level, status, nowMs, failure);
    }
    const { otel } = this.#new;
    if (otel) endOtelSpan(otel, failure);
    this.#owner.ended(this, status);
    this.frame.span = undefined;
  }

  #writeOpen(level: number): void {
    this.#isOpened = true;
    const { kind, links } = this.#new;
    const span: SpanLineFields = { op: 'open', name: this.name };
    if (kind !== 'internal') span.kind = kind;
    if (!isEmpty(this.attrs)) span.attrs = this.attrs;
    if (links.length > 0) span.links = links;
    this.#write(level, span);
  }

  #writeClose(
    level: number,
    status: SpanStatus,
    nowMs: number,
    failure: { readonly error: unknown } | undefined,
  ): void {
    const { lines } = this.frame;
    const span: SpanLineFields = { op: 'close', name: this.name };
    span.duration_ns = this.clock.durationNs(nowMs);
    const selfNs = this.clock.selfNs(nowMs);
    if (selfNs !== undefined) span.self_ns = selfNs;
    span.status = status;
    if (this.#closing && !isEmpty(this.#closing)) span.attrs = this.#closing;
    // Whatever becomes of its line, the span ends, and the program gets its own error.
    if (failure?.error !== undefined)
      span.err = attempt(() => this.#owner.serializeError(failure.error, level, this));
    span.lines = lines;
    this.#write(level, span);
  }

  #write(level: number, line: SpanLineFields): void {
    this.#owner.write(this, this.#logger, level, line, line.op === 'record' ? undefined : this.#new.fields);
  }
}

function attempt<Result>(fn: () => Result): Result | undefined {
  try {
    return fn();
  } catch {
    return undefined;
  }
}

function isEmpty(attrs: object): boolean {
  for (const _ in attrs) return false;
  return true;
}

function countKnown(attributes: Attributes, known: object): number {
  try {
    return Object.keys(attributes).filter((name) => Object.hasOwn(known, name)).length;
  } catch {
    return 0;
  }
}

/** Work that was called off has not failed. https://dom.spec.whatwg.org/#aborting-ongoing-activities */
export function isAbort(error: unknown): boolean {
  try {
    return typeof error === 'object' && error !== null && 'name' in error && error.name === 'AbortError';
  } catch {
    return false;
  }
}
