import type { Batch } from '@treeline/contract';

/** What a server answered. */
export interface Answer {
  readonly status: number;
  readonly contentType: string;
  /** The beginning of the body; all of it where `isWhole`. */
  readonly text: string;
  readonly isWhole: boolean;
}

/** What an answer, or a connection that failed, means for the lines of a request. Indexes are the request's lines. */
export type Outcome =
  | { readonly kind: 'delivered'; readonly warning?: string }
  /** Nothing is known to have arrived; it may work in a moment. */
  | { readonly kind: 'retry'; readonly reason: string }
  /** Nothing has arrived, and somebody has to change something first. */
  | { readonly kind: 'hold'; readonly reason: string }
  /** Too large at once. */
  | { readonly kind: 'split'; readonly reason: string }
  /** Some line of it, nobody knows which, is refused for good. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** The server can't read compressed bodies. */
  | { readonly kind: 'uncompressed'; readonly reason: string }
  | RecordOutcomes;

/** What became of each line; those that are not named were delivered. */
export interface RecordOutcomes {
  readonly kind: 'records';
  readonly retry: readonly number[];
  /** Why those of `retry` are to be tried again. */
  readonly reason: string;
  readonly dead: readonly { readonly index: number; readonly reason: string }[];
  /** To be sent again at once, written anew from their parsed form. */
  readonly rewrite: readonly number[];
}

/** Some lines, and what identifies each. */
export interface Lines {
  readonly batch: Batch;
  /** The same whenever the line is sent again; letters, digits and `-` only. */
  idOf(index: number): string;
  /** Whether to write each line anew from its parsed form instead of splicing its bytes. */
  readonly rewritten: boolean;
}

/** How one kind of server is spoken to. */
export interface Protocol {
  readonly method: 'POST' | 'PUT';
  /** Below the url's own path, with a query. */
  readonly path: string;
  readonly contentType: string;
  /** The body of a request; may share the batch's memory. */
  body(lines: Lines): Buffer;
  /** What an answer to a body of `count` lines means. */
  outcome(answer: Answer, count: number): Outcome;
}
