import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { Features } from '../config/config.ts';
import type { ActiveSpan } from '../context/active-span.ts';
import { isInOtelServerSpan } from '../context/open-telemetry.ts';
import type { SpanParent } from '../context/span.ts';
import type { SpanTracker } from '../context/span-tracker.ts';
import { methodName, requestAttributes } from './http-attributes.ts';

/** How requests are tracked. */
export interface RequestOptions {
  /**
   * Whether the trace of a caller goes on (default `continue`), or each request begins one of its own with a link to the caller's:
   * for servers that anybody can call.
   */
  readonly trace?: 'continue' | 'restart';
  /** The request's id (default: what the request already has, `x-request-id` where it is one, else a new UUID). */
  readonly requestId?: (request: IncomingMessage) => string;
}

/** A request that has not ended. */
export interface ActiveRequestInfo {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly route?: string;
  readonly ageMs: number;
  readonly traceId: string;
  readonly spanId: string;
}

/** Counters of a logger's requests since its start. */
export interface RequestStats {
  readonly started: number;
  readonly active: number;
  readonly ended: number;
  /** Those whose connection closed before the response was sent to its end. */
  readonly aborted: number;
  /** Given up because too many were open, or too old. */
  readonly evicted: number;
  /** Lines of pino-http or Fastify that told of a request once more, and were left out. */
  readonly absorbedLines: number;
}

const DEFAULTS = {
  maxActiveRequests: 10_000,
  maxContextAgeMs: 300_000,
  autoCleanup: true,
  cleanupIntervalMs: 60_000,
};

interface TrackedRequest {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  route: string | undefined;
  readonly span: ActiveSpan;
  readonly bytesBefore: number;
  /** Where there is no socket, as under Fastify's inject, a response never counts as finished by itself. */
  isFinished: boolean;
}

/** The requests of one logger: each is a span. */
export class RequestTracker {
  readonly #spans: SpanTracker;
  readonly #logger: Logger;
  readonly #settings: typeof DEFAULTS;
  /** In the order of their starts. */
  readonly #active = new Set<TrackedRequest>();
  readonly #counters = { started: 0, ended: 0, aborted: 0, evicted: 0, absorbedLines: 0 };
  #toldEvicted = 0;
  /** Fastify logs a request's first line before it runs any hook: there is no span yet to know it by. */
  tracksFastify = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(spans: SpanTracker, logger: Logger, settings: NonNullable<Features['requestTracking']>) {
    this.#spans = spans;
    this.#logger = logger;
    this.#settings = { ...DEFAULTS, ...settings };
  }

  /** Begins to track a request, until its response closes. One that is tracked already stays as it is. */
  begin(
    logger: Logger,
    request: IncomingMessage,
    response: ServerResponse,
    { trace = 'continue', requestId = defaultRequestId }: RequestOptions,
    route?: string,
  ): ActiveSpan {
    const known = trackedOf(request);
    if (known) return known.span;
    const id = requestId(request);
    const method = methodName(request.method);
    const attributes = requestAttributes(request);
    const { traceparent } = request.headers;
    const isNew = trace === 'restart';
    const span = this.#spans.start(
      logger,
      spanName(method, route),
      attributes,
      {
        kind: 'server',
        ...parentOf(request, isNew),
        ...(isNew && typeof traceparent === 'string' && { links: [traceparent] }),
      },
      { type: 'request', req_id: id },
    );
    const path = String(attributes['url.path']);
    const bytesBefore = bytesWritten(request);
    const tracked: TrackedRequest = { id, method, path, route, span, bytesBefore, isFinished: false };
    keepWith(request, tracked);
    keepWith(response, tracked);
    this.#active.add(tracked);
    this.#counters.started++;
    response.once('finish', () => {
      tracked.isFinished = true;
    });
    response.once('close', () => this.#end(tracked, request, response));
    if (this.#active.size > this.#settings.maxActiveRequests) this.#evictOldest();
    this.#scheduleCleanup();
    return span;
  }

  /** Whether a log call only says what the request's own lines do: the first and last lines of pino-http and Fastify. */
  absorbs(args: readonly unknown[]): boolean {
    const [first] = args;
    if (typeof first !== 'object' || first === null) return false;
    const { req, res, responseTime, err } = first as Record<string, unknown>;
    if (this.tracksFastify && args[1] === 'incoming request' && isFastifyRequest(req)) {
      this.#counters.absorbedLines++;
      return true;
    }
    const tracked = findTracked(res);
    if (!tracked || (res !== undefined && typeof responseTime !== 'number')) return false;
    if (err !== undefined && this.#active.has(tracked)) tracked.span.fail(err);
    this.#counters.absorbedLines++;
    return true;
  }

  activeRequests(): ActiveRequestInfo[] {
    const nowMs = performance.now();
    return [...this.#active].map(({ id, method, path, route, span }) => ({
      id,
      method,
      path,
      ...(route !== undefined && { route }),
      ageMs: nowMs - span.clock.startMs,
      traceId: span.traceId,
      spanId: span.spanId,
    }));
  }

  stats(): RequestStats {
    return { ...this.#counters, active: this.#active.size };
  }

  #end(tracked: TrackedRequest, request: IncomingMessage, response: ServerResponse): void {
    if (!this.#active.delete(tracked)) return;
    const { span, method, bytesBefore } = tracked;
    const isComplete = tracked.isFinished || response.writableFinished;
    const failed = isComplete && response.statusCode >= 500;
    const route = tracked.route ?? expressRoute(request);
    this.#counters.ended++;
    if (!isComplete) this.#counters.aborted++;
    const sentBytes = bytesWritten(request) - bytesBefore;
    if (route !== undefined) span.rename(spanName(method, route));
    span.endWith(failed ? 'error' : isComplete ? 'ok' : 'aborted', {
      'http.route': route,
      'http.response.status_code': response.headersSent ? response.statusCode : undefined,
      'http.response.size': Number.isNaN(sentBytes) ? undefined : Math.max(0, sentBytes),
    });
  }

  #evictOldest(): void {
    for (const tracked of this.#active) {
      this.#evict(tracked);
      break;
    }
    if (this.#timer === undefined) this.#tellEvicted();
  }

  #evict(tracked: TrackedRequest): void {
    this.#active.delete(tracked);
    this.#counters.evicted++;
    tracked.span.evict();
  }

  /** One timer, as long as there are requests; it keeps no process alive. */
  #scheduleCleanup(): void {
    if (!this.#settings.autoCleanup || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#evictOld();
      this.#tellEvicted();
      if (this.#active.size > 0) this.#scheduleCleanup();
    }, this.#settings.cleanupIntervalMs);
    this.#timer.unref();
  }

  #evictOld(): void {
    const oldestMs = performance.now() - this.#settings.maxContextAgeMs;
    for (const tracked of this.#active) {
      // The rest has started later.
      if (tracked.span.clock.startMs > oldestMs) return;
      this.#evict(tracked);
    }
  }

  #tellEvicted(): void {
    const count = this.#counters.evicted - this.#toldEvicted;
    if (count === 0) return;
    this.#toldEvicted = this.#counters.evicted;
    const { maxActiveRequests, maxContextAgeMs } = this.#settings;
    this.#logger.warn(
      { evicted: count, maxActiveRequests, maxContextAgeMs },
      'requests are given up: too many are open, or they take too long',
    );
  }
}

/** Where a request and its response keep what is known of them: weak maps of so many entries are dear to the collector. */
const TRACKED: unique symbol = Symbol('treeline.request');

interface Message {
  [TRACKED]?: TrackedRequest;
}

function keepWith(message: object, tracked: TrackedRequest): void {
  (message as Message)[TRACKED] = tracked;
}

function trackedOf(message: object): TrackedRequest | undefined {
  return (message as Message)[TRACKED];
}

function findTracked(message: unknown): TrackedRequest | undefined {
  if (typeof message !== 'object' || message === null) return undefined;
  const known = trackedOf(message);
  if (known) return known;
  // Fastify's own request and reply stand before node's.
  const raw: unknown = 'raw' in message ? message.raw : undefined;
  return typeof raw === 'object' && raw !== null ? trackedOf(raw) : undefined;
}

function isFastifyRequest(request: unknown): boolean {
  return typeof request === 'object' && request !== null && 'raw' in request && 'routeOptions' in request;
}

/** The span that the request is part of. What is active around a server is none, unless it has been made for the request. */
function parentOf({ headers }: IncomingMessage, isNew: boolean): { readonly parent?: SpanParent } {
  if (isNew) return { parent: null };
  if (isInOtelServerSpan()) return {};
  const { traceparent, tracestate } = headers;
  return { parent: traceparent === undefined ? null : { traceparent, tracestate } };
}

/** NaN where nobody counts: HTTP/2 and injected requests have no socket of their own. */
function bytesWritten({ socket }: { readonly socket?: { readonly bytesWritten?: number } }): number {
  return socket?.bytesWritten ?? NaN;
}

function spanName(method: string, route: string | undefined): string {
  const verb = method === '_OTHER' ? 'HTTP' : method;
  return route === undefined || route === '' ? verb : `${verb} ${route}`;
}

/** What Express has found for it. */
function expressRoute(
  request: IncomingMessage & { route?: { path?: unknown }; baseUrl?: unknown },
): string | undefined {
  const path = request.route?.path;
  if (typeof path !== 'string') return undefined;
  return typeof request.baseUrl === 'string' ? `${request.baseUrl}${path}` : path;
}

function defaultRequestId(request: IncomingMessage & { id?: unknown }): string {
  const { id, headers } = request;
  if (typeof id === 'string' || typeof id === 'number') return String(id);
  const given = headers['x-request-id'];
  // Whatever else a stranger writes there stays out of the log.
  return typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
}
