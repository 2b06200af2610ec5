import { TreelineError } from '@treeline/contract';

/** A query text that does not parse, with the place of the mistake. */
export class QueryError extends TreelineError {
  /** Offset of the first character at fault, from 0. */
  readonly start: number;
  /** Offset behind the last one. */
  readonly end: number;
  /** What is wrong, without the place. */
  readonly reason: string;
  readonly suggestion: string | undefined;

  constructor(reason: string, place: { start: number; end: number }, suggestion?: string) {
    const hint = suggestion === undefined ? '' : `; ${suggestion}`;
    super('QUERY_INVALID', `query: ${reason} at column ${place.start + 1}${hint}`);
    this.reason = reason;
    this.start = place.start;
    this.end = Math.max(place.end, place.start + 1);
    this.suggestion = suggestion;
  }

  /** From 1. */
  get column(): number {
    return this.start + 1;
  }
}

Object.defineProperty(QueryError.prototype, 'name', { value: 'QueryError', configurable: true });
