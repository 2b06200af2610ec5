import type { LevelDirective } from '@treeline/query/directives';
import type { ActiveSpan } from './active-span.ts';
import type { TraceParent } from './traceparent.ts';

/**
 * What the async context holds for a span: ids and counters. Sockets and timers may keep a context for as long as they live, so it
 * lets go of the span, and of what that holds, when the span ends.
 */
export interface Frame extends TraceParent {
  /** Whose lines are counted: those of other loggers carry the ids, and no number. */
  readonly owner: object;
  nextSeq: number;
  /** Lines written so far, by level number. */
  readonly lines: Record<number, number>;
  /** Undefined once the span has ended. */
  span: ActiveSpan | undefined;
  /** What is less important is not written: the trace is not sampled. */
  readonly minLevel: number;
  /** Level directives that hold inside, found for this generation of them. */
  directives: readonly LevelDirective[];
  generation: number;
}

/** What stands on a line that belongs to a span. */
export interface SpanIds {
  trace_id: string;
  span_id: string;
  trace_flags: string;
  span_seq?: number;
  after_end?: true;
}

/** Numbers a line of the frame's span. */
export function idsOfNextLine(frame: Frame, level: number): SpanIds {
  frame.lines[level] = (frame.lines[level] ?? 0) + 1;
  const ids: SpanIds = {
    trace_id: frame.traceId,
    span_id: frame.spanId,
    trace_flags: frame.traceFlags,
    span_seq: frame.nextSeq++,
  };
  if (frame.span === undefined) ids.after_end = true;
  return ids;
}

export function idsWithoutNumber(parent: TraceParent): SpanIds {
  return { trace_id: parent.traceId, span_id: parent.spanId, trace_flags: parent.traceFlags };
}
