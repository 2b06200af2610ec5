import type { Context, Span as OtelSpan, SpanKind as OtelSpanKind } from '@opentelemetry/api';
import { createRequire } from 'node:module';
import type { Frame } from './frame.ts';
import { hasTracerProvider } from './otel-global.ts';
import { formatFlags, type TraceParent } from './traceparent.ts';

type OpenTelemetryApi = typeof import('@opentelemetry/api');

/** Where OpenTelemetry's instrumentation of http keeps the span of an incoming request, in each version of its core. */
const RPC_METADATA = Symbol.for('OpenTelemetry SDK Context Key RPC_METADATA');

const TRACER_NAME = '@treeline/core';

let api: OpenTelemetryApi | undefined;
let frameKey: symbol | undefined;
let isMissing = false;

/** The API, where an SDK has registered itself with it; without one nothing of OpenTelemetry is loaded. */
export function openTelemetry(): OpenTelemetryApi | undefined {
  return api ?? (isRegistered() ? load() : undefined);
}

/** Whether an SDK that makes spans is there. */
export function isRegistered(): boolean {
  return hasTracerProvider() && !isMissing;
}

/** The SDK's own copy of the API serves as well as ours: they share what is registered. */
function load(): OpenTelemetryApi | undefined {
  for (const from of [import.meta.url, `${process.cwd()}/`]) {
    try {
      api = createRequire(from)('@opentelemetry/api') as OpenTelemetryApi;
      frameKey = api.createContextKey('treeline');
      return api;
    } catch {
      // Not installed where this package could see it.
    }
  }
  isMissing = true;
  process.emitWarning(
    'an OpenTelemetry SDK is registered, but @opentelemetry/api can’t be loaded: spans get ids of their own. Run "npm install @opentelemetry/api"',
    { code: 'TREELINE_OTEL_API' },
  );
  return undefined;
}

/** What OpenTelemetry's context holds of ours. */
interface Entered {
  readonly frame: Frame;
  /** The SDK's span that was active then: the frame's own, or, where the SDK made none, the one around it. */
  readonly otelSpanId: string | undefined;
}

/** The frame of the span that is active; a span that others have started inside has none of ours. */
export function currentOtelFrame(): Frame | undefined {
  const active = api?.context.active();
  const entered = frameKey && (active?.getValue(frameKey) as Entered | undefined);
  if (!entered || !active) return undefined;
  return api?.trace.getSpanContext(active)?.spanId === entered.otelSpanId ? entered.frame : undefined;
}

/** Ids of the active span, whoever has started it. */
export function activeOtelParent(): TraceParent | undefined {
  const context = api?.trace.getSpanContext(api.context.active());
  if (!context || api?.isSpanContextValid(context) !== true) return undefined;
  const traceState = context.traceState?.serialize();
  return {
    traceId: context.traceId,
    spanId: context.spanId,
    traceFlags: formatFlags(context.traceFlags),
    ...(traceState && { traceState }),
  };
}

/** Whether the active span is that of an incoming request, as the instrumentation of a server makes it. */
export function isInOtelServerSpan(): boolean {
  const otel = openTelemetry();
  const active = otel?.context.active();
  const span = active && otel?.trace.getSpan(active);
  if (!otel || !active || !span) return false;
  // One that isn't sampled doesn't say its kind.
  const metadata = active.getValue(RPC_METADATA) as { readonly span?: unknown } | undefined;
  return metadata?.span === span || ('kind' in span && span.kind === otel.SpanKind.SERVER);
}

const spans = new WeakMap<TraceParent, OtelSpan>();

export function runInOtel<Result>(frame: Frame, fn: () => Result): Result {
  const span = spans.get(frame);
  if (!api || !frameKey) return fn();
  const active = api.context.active();
  const context = span ? api.trace.setSpan(active, span) : active;
  const entered: Entered = { frame, otelSpanId: api.trace.getSpanContext(context)?.spanId };
  return api.context.with(context.setValue(frameKey, entered), fn);
}

/** Remembers which of OpenTelemetry's spans a frame stands for. */
export function bindOtelSpan(frame: Frame, span: OtelSpan): void {
  spans.set(frame, span);
}

export interface OtelSpanRequest {
  readonly name: string;
  readonly kind: 'internal' | 'server' | 'client' | 'producer' | 'consumer';
  /** Undefined for the active span, null for none. */
  readonly parent: TraceParent | null | undefined;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly links: readonly TraceParent[];
}

/** Starts a span in the SDK; undefined where none is registered, or it makes none, as inside `suppressTracing`. */
export function startOtelSpan(request: OtelSpanRequest): { span: OtelSpan; parent: TraceParent } | undefined {
  const otel = isRegistered() ? openTelemetry() : undefined;
  if (!otel) return undefined;
  const span = otel.trace.getTracer(TRACER_NAME).startSpan(
    request.name,
    {
      kind: kindOf(otel, request.kind),
      attributes: request.attributes,
      links: request.links.map((link) => ({ context: spanContext(otel, link) })),
    },
    parentContext(otel, request.parent),
  );
  const ids = span.spanContext();
  if (!otel.isSpanContextValid(ids)) return undefined;
  const { traceId, spanId, traceFlags, traceState } = ids;
  const text = traceState?.serialize();
  return {
    span,
    parent: { traceId, spanId, traceFlags: formatFlags(traceFlags), ...(text && { traceState: text }) },
  };
}

/** Ends it as ours ended. */
export function endOtelSpan(span: OtelSpan, failure: { readonly error: unknown } | undefined): void {
  try {
    if (failure && api) {
      span.setStatus({ code: api.SpanStatusCode.ERROR, message: messageOf(failure.error) });
      if (failure.error instanceof Error) span.recordException(failure.error);
    }
  } catch {
    // An error that throws when it is read: the span ends without it.
  }
  try {
    span.end();
  } catch {
    // The program's own error is the one to be passed on.
  }
}

function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return 'an error that can’t be read';
  }
}

function kindOf(otel: OpenTelemetryApi, kind: OtelSpanRequest['kind']): OtelSpanKind {
  return otel.SpanKind[kind.toUpperCase() as keyof typeof otel.SpanKind];
}

function parentContext(otel: OpenTelemetryApi, parent: TraceParent | null | undefined): Context {
  if (parent === undefined) return otel.context.active();
  if (parent === null) return otel.trace.deleteSpan(otel.context.active());
  const span = spans.get(parent);
  if (span) return otel.trace.setSpan(otel.context.active(), span);
  return otel.trace.setSpanContext(otel.context.active(), { ...spanContext(otel, parent), isRemote: true });
}

function spanContext(otel: OpenTelemetryApi, parent: TraceParent): import('@opentelemetry/api').SpanContext {
  const { traceId, spanId, traceFlags, traceState } = parent;
  return {
    traceId,
    spanId,
    traceFlags: Number.parseInt(traceFlags, 16),
    ...(traceState !== undefined && { traceState: otel.createTraceState(traceState) }),
  };
}
