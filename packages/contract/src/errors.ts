/** Every code that a TreelineError may carry. A code is never reused for another meaning. */
export type ErrorCode =
  /** The config can't be used: wrong values, unknown keys, broken JSON. Exit code 78. */
  | 'CONFIG_INVALID'
  /** The config is missing or can't be read. Exit code 66. */
  | 'CONFIG_UNREADABLE'
  /** A package that a stream needs is not installed. */
  | 'TRANSPORT_MISSING'
  /** A destination can't be opened: no permission, a directory in the way. */
  | 'DESTINATION_UNUSABLE'
  /** A store was written by a newer version, or is no store at all. */
  | 'STORE_UNUSABLE'
  /** A store that was to be read does not exist. Exit code 66. */
  | 'STORE_MISSING'
  /** A store's file is damaged. */
  | 'STORE_CORRUPT'
  /** A query text does not parse, or a cursor is not one of ours. */
  | 'QUERY_INVALID'
  /** Something was used after it had been closed. */
  | 'CLOSED'
  /** A write did not succeed within the time that it was given. */
  | 'TIMEOUT'
  /** A thread that ran a sink ended. */
  | 'THREAD_DIED'
  /** Another archiver works on the store. Exit code 75. */
  | 'LEASE_HELD'
  /** An archive that was to be read does not exist. Exit code 66. */
  | 'ARCHIVE_MISSING'
  /** An archive was written by a newer version, or its folder is none. */
  | 'ARCHIVE_UNUSABLE'
  /** A file of an archive is damaged or missing. */
  | 'ARCHIVE_DAMAGED';

/** A failure of the world, as opposed to misuse by the programmer, which throws TypeError or RangeError. */
export class TreelineError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

Object.defineProperty(TreelineError.prototype, 'name', { value: 'TreelineError', configurable: true });

/** The message of whatever was thrown; never throws itself. Node gives some errors no message, only a code or inner errors. */
export function messageOf(thrown: unknown): string {
  try {
    if (!(thrown instanceof Error)) return String(thrown);
    if (thrown.message) return thrown.message;
    const inner: unknown = thrown instanceof AggregateError ? thrown.errors[0] : undefined;
    return inner === undefined ? ((thrown as NodeJS.ErrnoException).code ?? thrown.name) : messageOf(inner);
  } catch {
    return 'something that can not be printed was thrown';
  }
}
