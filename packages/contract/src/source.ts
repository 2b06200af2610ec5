import type { LogRecord } from './record.ts';

/** What is asked of a log source; all conditions must hold. */
export interface LogRequest {
  readonly source?: string;
  readonly type?: string;
  readonly refId?: string;
  /** The least level, as a number. */
  readonly level?: number;
  /** Inclusive, unix milliseconds. */
  readonly sinceMs?: number;
  /** Exclusive, unix milliseconds. */
  readonly untilMs?: number;
  /** A text in the query language. */
  readonly filter?: string;
  readonly limit?: number;
  /** By time; newest first unless `asc`. */
  readonly order?: 'asc' | 'desc';
}

export interface LogStats {
  readonly count: number;
  /** Records by level number. */
  readonly levels: Readonly<Record<number, number>>;
  readonly firstMs?: number;
  readonly lastMs?: number;
}

/** The read side: a store, a folder of files, or an engine on the network. It can only be pulled from. */
export interface LogSource {
  query(request: LogRequest): AsyncIterable<LogRecord>;
  stats(request: LogRequest): Promise<LogStats>;
  close(): Promise<void>;
}
