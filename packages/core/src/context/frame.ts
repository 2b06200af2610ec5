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
  /** Level directives that hold inside, found for this generation of them. */
  directives: readonly LevelDirective[];
  generation: number;
  /** The ids as they stand in a line, up to the number. */
  idsText: string | undefined;
}
