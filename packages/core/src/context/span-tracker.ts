import { parseLevel } from '@treeline/contract';
import type { LevelDirective } from '@treeline/query/directives';
import type { Logger } from 'pino';
import { isErrorLike, serializeThrown } from '../errors/serialize-error.ts';
import { ActiveSpan, type SpanOwner } from './active-span.ts';
import { ATTRIBUTE_LIMITS, boundAttributes, cutText, type Attributes } from './attributes.ts';
import type { Frame } from './frame.ts';
import { installLineIds, spanIdsText, type LineIds } from './line-ids.ts';
import { activeOtelParent, bindOtelSpan, isRegistered, startOtelSpan } from './open-telemetry.ts';
import { samples, type SamplingConfig } from './sampling.ts';
import type {
  ActiveSpanInfo,
  Span,
  SpanKind,
  SpanOptions,
  SpanParent,
  SpanStats,
  SpanStatus,
} from './span.ts';
import { writeSpanLine, type SpanLineFields } from './span-line.ts';
import { currentFrame, runInFrame } from './storage.ts';
import { newSpanId, newTraceId } from './trace-ids.ts';
import {
  formatTraceparent,
  isSampled,
  parseTraceparent,
  withSampled,
  type TraceParent,
} from './traceparent.ts';

/** Spans that are open at a time; beyond it the oldest is given up. */
const MAX_ACTIVE_SPANS = 10_000;

const MAX_LINKS = 128;

/** What is written of a trace that is not sampled; without `sampling` all is, whatever a caller has decided for itself. */
const UNSAMPLED_LEVEL = 50;

const KINDS: readonly SpanKind[] = ['internal', 'server', 'client', 'producer', 'consumer'];

/** How the tracker sees the logger's levels. */
export interface SpanLevels {
  /** Changes with the directives. */
  readonly generation: number;
  /** Directives that ask for a span of this name and these attributes. */
  directivesFor(name: string, attrs: Attributes): readonly LevelDirective[];
  admits(logger: Logger, level: number, inSpan?: readonly LevelDirective[]): boolean;
}

export interface SpanTrackerOptions {
  readonly root: Logger;
  readonly levels: SpanLevels;
  readonly sampling?: SamplingConfig;
  serializeError(error: unknown, level: number, span: ActiveSpan): unknown;
}

const NOTHING: object = Object.freeze({});

/** The spans of one logger and its children. */
export class SpanTracker implements SpanOwner, LineIds {
  readonly counters = {
    started: 0,
    ended: 0,
    evicted: 0,
    callsAfterEnd: 0,
    cutAttributes: 0,
    failedLines: 0,
    unsampledTraces: 0,
  };
  readonly #options: SpanTrackerOptions;
  /** In the order of their starts. */
  readonly #active = new Set<ActiveSpan>();
  spanLine: { readonly span: object; readonly text: string; readonly frame: Frame } | undefined;

  constructor(options: SpanTrackerOptions) {
    this.#options = options;
    installLineIds(options.root, this);
  }

  /** Starts a span; its open line is written before this returns. */
  start(
    logger: Logger,
    name: string,
    attributes: Attributes = NOTHING as Attributes,
    options: SpanOptions = {},
    fields?: Readonly<Record<string, string>>,
  ): ActiveSpan {
    const { kind = 'internal' } = options;
    const level = readOptions(name, attributes, options);
    const { attrs, cut } = boundAttributes(attributes);
    const shortName = cutText(name, ATTRIBUTE_LIMITS.nameChars);
    this.counters.started++;
    this.counters.cutAttributes += cut + (shortName === name ? 0 : 1);
    const around = this.#findParent(options.parent);
    const links = this.#readLinks(options.links);
    const otel = startOtelSpan({
      name: shortName,
      kind,
      // OpenTelemetry's context may not know of the span around it: there may be none kept.
      parent: options.parent === undefined ? around?.frame : (around?.ids ?? null),
      attributes: attrs,
      links: links.map((link) => ({ traceId: link.trace_id, spanId: link.span_id, traceFlags: '01' })),
    });
    const frame = this.#createFrame(shortName, attrs, around, otel?.parent);
    if (otel) bindOtelSpan(frame, otel.span);
    const span = new ActiveSpan({
      owner: this,
      logger,
      frame,
      name: shortName,
      kind,
      level,
      attrs,
      parentSpanId: around?.ids.spanId,
      parent: around?.frame?.span,
      links,
      otel: otel?.span,
      ...(fields && { fields }),
    });
    frame.span = span;
    this.#active.add(span);
    span.open();
    if (this.#active.size > MAX_ACTIVE_SPANS) this.#evictOldest();
    return span;
  }

  /** Runs a function inside a new span, which ends with it. */
  span<Result>(
    logger: Logger,
    name: string,
    attributes: Attributes | undefined,
    options: SpanOptions | undefined,
    fn: (span: Span) => Result,
  ): Result {
    const span = this.start(logger, name, attributes, options);
    let result: Result;
    try {
      result = runInFrame(span.frame, fn, span);
    } catch (error) {
      span.settle({ error });
      throw error;
    }
    if (!isThenable(result)) {
      span.settle(undefined);
      return result;
    }
    try {
      return result.then(
        (value: unknown) => {
          span.settle(undefined);
          return value;
        },
        (error: unknown) => {
          span.settle({ error });
          throw error;
        },
      ) as Result;
    } catch (error) {
      span.settle({ error });
      throw error;
    }
  }

  activeSpans(olderThanMs = 0): ActiveSpanInfo[] {
    const nowMs = performance.now();
    const spans: ActiveSpanInfo[] = [];
    for (const span of this.#active) {
      const ageMs = nowMs - span.clock.startMs;
      // The rest has started later.
      if (ageMs < olderThanMs) break;
      const { name, traceId, spanId, parentSpanId } = span;
      const attrs = { ...span.attrs };
      spans.push({
        name,
        traceId,
        spanId,
        ageMs,
        attrs,
        ...(parentSpanId !== undefined && { parentSpanId }),
      });
    }
    return spans;
  }

  stats(): SpanStats {
    return { ...this.counters, active: this.#active.size };
  }

  admits(logger: Logger, level: number, ids: Frame | TraceParent | undefined = this.current()): boolean {
    const { levels, sampling } = this.#options;
    if (ids === undefined) return levels.admits(logger, level);
    // A span that others have started is part of a trace all the same.
    const isLeftOut = sampling && level < UNSAMPLED_LEVEL && !isSampled(ids.traceFlags);
    if (isLeftOut) return false;
    if (!this.isOwn(ids)) return levels.admits(logger, level);
    if (ids.generation !== levels.generation) this.#findDirectives(ids);
    return levels.admits(logger, level, ids.directives);
  }

  changed(span: ActiveSpan): void {
    this.#findDirectives(span.frame);
  }

  ended(span: ActiveSpan, status: SpanStatus): void {
    this.#active.delete(span);
    this.counters.ended++;
    if (status === 'evicted') this.counters.evicted++;
  }

  serializeError(error: unknown, level: number, span: ActiveSpan): unknown {
    return isErrorLike(error) ? this.#options.serializeError(error, level, span) : serializeThrown(error);
  }

  /** Warns of spans that are open for longer than that. */
  watch(logger: Logger, olderThanMs: number, everyMs: number): () => void {
    if (!(olderThanMs > 0 && everyMs > 0))
      throw new RangeError(`olderThanMs and everyMs must be more than 0; got ${olderThanMs} and ${everyMs}`);
    const told = new WeakSet<ActiveSpan>();
    const timer = setInterval(() => {
      for (const span of this.#active) {
        const ageMs = Math.round(performance.now() - span.clock.startMs);
        if (ageMs < olderThanMs) return;
        if (told.has(span)) continue;
        told.add(span);
        span.run(() => logger.warn({ age_ms: ageMs }, `span ${span.name} is still open`));
      }
    }, everyMs);
    timer.unref();
    return () => clearInterval(timer);
  }

  /** For calls that the current span makes. */
  headers(): { traceparent?: string; tracestate?: string } {
    const parent = this.currentParent();
    if (!parent) return {};
    const { traceState } = parent;
    return { traceparent: formatTraceparent(parent), ...(traceState && { tracestate: traceState }) };
  }

  write(
    span: ActiveSpan,
    logger: Logger,
    level: number,
    line: SpanLineFields,
    fields: Readonly<Record<string, string>> | undefined,
  ): void {
    const { lines } = span.frame;
    // Its own line is among those that the close line counts.
    lines[level] = (lines[level] ?? 0) + 1;
    this.spanLine = { span: line, text: spanIdsText(span.frame, span.parentSpanId), frame: span.frame };
    try {
      writeSpanLine(logger, level, fields ? { span: line, ...fields } : { span: line });
    } catch {
      lines[level]--;
      this.counters.failedLines++;
    } finally {
      this.spanLine = undefined;
    }
  }

  current(): Frame | TraceParent | undefined {
    return currentFrame() ?? (isRegistered() ? activeOtelParent() : undefined);
  }

  isOwn(ids: Frame | TraceParent): ids is Frame {
    return 'owner' in ids && ids.owner === this;
  }

  /** Those that hold for the line that is being written. */
  directivesHere(): readonly LevelDirective[] {
    return this.#directivesOf(this.spanLine?.frame ?? currentFrame());
  }

  currentSpan(): Span | undefined {
    return currentFrame()?.span;
  }

  /** The span that the calling code runs in, as far as its ids go, whoever has started it. */
  currentParent(): TraceParent | undefined {
    return currentFrame() ?? activeOtelParent();
  }

  #findParent(parent: SpanParent | undefined): { ids: TraceParent; frame: Frame | undefined } | undefined {
    if (parent === null) return undefined;
    if (parent === undefined) {
      const frame = currentFrame();
      const ids = frame ?? activeOtelParent();
      return ids && { ids, frame };
    }
    if (parent instanceof ActiveSpan) return { ids: parent.frame, frame: parent.frame };
    const ids =
      typeof parent === 'string'
        ? parseTraceparent(parent)
        : parseTraceparent(parent.traceparent, 'tracestate' in parent ? parent.tracestate : undefined);
    return ids && { ids, frame: undefined };
  }

  #readLinks(links: SpanOptions['links'] = []): { trace_id: string; span_id: string }[] {
    const ids = links
      .slice(0, MAX_LINKS)
      .map((link) => (typeof link === 'string' ? parseTraceparent(link) : link))
      .filter((link) => link !== undefined);
    this.counters.cutAttributes += links.length - ids.length;
    return ids.map(({ traceId, spanId }) => ({ trace_id: traceId, span_id: spanId }));
  }

  #createFrame(
    name: string,
    attrs: Attributes,
    around: { ids: TraceParent; frame: Frame | undefined } | undefined,
    ids: TraceParent | undefined,
  ): Frame {
    const parent = around?.ids;
    const traceId = ids?.traceId ?? parent?.traceId ?? newTraceId();
    const { sampling } = this.#options;
    const sampled = ids
      ? isSampled(ids.traceFlags)
      : parent
        ? isSampled(parent.traceFlags)
        : !sampling || samples(sampling, traceId, name);
    if (!sampled && !around?.frame) this.counters.unsampledTraces++;
    const traceState = ids?.traceState ?? parent?.traceState;
    const frame: Frame = {
      traceId,
      spanId: ids?.spanId ?? newSpanId(),
      traceFlags: ids?.traceFlags ?? (parent ? parent.traceFlags : withSampled('00', sampled)),
      owner: this,
      nextSeq: 0,
      lines: {},
      span: undefined,
      directives: [],
      generation: -1,
      idsText: undefined,
      ...(traceState !== undefined && { traceState }),
    };
    this.#addDirectives(frame, this.#directivesOf(around?.frame), name, attrs);
    return frame;
  }

  #findDirectives(frame: Frame): void {
    const { span } = frame;
    if (!span) {
      // It has ended, and nothing is known of it any more.
      frame.directives = [];
      frame.generation = this.#options.levels.generation;
      return;
    }
    this.#addDirectives(frame, this.#directivesOf(span.parentFrame), span.name, span.attrs);
  }

  #directivesOf(frame: Frame | undefined): readonly LevelDirective[] {
    if (frame?.owner !== this) return [];
    if (frame.generation !== this.#options.levels.generation) this.#findDirectives(frame);
    return frame.directives;
  }

  #addDirectives(frame: Frame, inherited: readonly LevelDirective[], name: string, attrs: Attributes): void {
    const { levels } = this.#options;
    frame.generation = levels.generation;
    const own = levels.directivesFor(name, attrs);
    frame.directives = own.length === 0 ? inherited : [...new Set([...inherited, ...own])];
  }

  #evictOldest(): void {
    for (const span of this.#active) {
      span.evict();
      return;
    }
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  try {
    return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
  } catch {
    // A proxy that answers to nothing but what it knows.
    return false;
  }
}

/** The level's number. */
function readOptions(name: unknown, attributes: unknown, options: SpanOptions): number {
  if (typeof name !== 'string' || name === '')
    throw new TypeError(`name of a span must be a text that is not empty; got ${JSON.stringify(name)}`);
  if (typeof attributes !== 'object' || attributes === null)
    throw new TypeError(
      `attributes of span ${JSON.stringify(name)} must be an object; got ${JSON.stringify(attributes)}`,
    );
  const { kind, level, links } = options;
  if (kind !== undefined && !KINDS.includes(kind))
    throw new RangeError(`kind must be one of ${KINDS.join(', ')}; got ${JSON.stringify(kind)}`);
  if (links !== undefined && !Array.isArray(links))
    throw new TypeError(`links must be a list of spans or traceparents; got ${JSON.stringify(links)}`);
  return parseLevel(level ?? 'info');
}
