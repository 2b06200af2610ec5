import { fingerprintOf } from './fingerprint.ts';
import { isErrorLike, serializeError, type SerializedError } from './serialize-error.ts';

/** An error that was logged. */
export interface LoggedError {
  readonly timeMs: number;
  readonly level: number;
  readonly msg: string | undefined;
  /** The same for all errors of one fault. */
  readonly fingerprint: string;
  readonly err: SerializedError;
  readonly traceId?: string;
  readonly spanId?: string;
}

/** How often errors of one fault were logged. */
export interface ErrorStatistics {
  readonly fingerprint: string;
  readonly type: string;
  /** Of the last one. */
  readonly message: string;
  /** Within the window. */
  readonly count: number;
  /** Since the first one. */
  readonly total: number;
  readonly firstMs: number;
  readonly lastMs: number;
}

export interface ErrorLogOptions {
  readonly maxHistorySize: number;
  readonly enableStatistics: boolean;
  /** Masks what must not be kept; as the streams do it. */
  readonly redact?: (fields: { err: SerializedError }) => { err: SerializedError };
  /** Where the calling code is. */
  readonly currentIds: () => { readonly traceId: string; readonly spanId: string } | undefined;
}

/** Faults that are counted apart; beyond it the one that is longest silent is forgotten. */
const MAX_FAULTS = 1000;
const BUCKET_MS = 60_000;
/** Windows reach back so many buckets. */
const BUCKETS = 60;

/** Where an error is about to be logged. */
interface Occasion {
  readonly level: number;
  readonly msg: string | undefined;
  readonly ids?: { readonly traceId: string; readonly spanId: string };
}

interface Fault {
  readonly fingerprint: string;
  type: string;
  message: string;
  total: number;
  readonly firstMs: number;
  lastMs: number;
  /** Errors by minute; a place is used again every hour. */
  readonly counts: Uint32Array;
  readonly minutes: Float64Array;
}

/** Remembers the errors of one logger: the last ones as they are, and how often each fault came. */
export class ErrorLog {
  readonly #options: ErrorLogOptions;
  readonly #history: LoggedError[] = [];
  /** In the order of their last errors. */
  readonly #faults = new Map<string, Fault>();
  readonly #counted = new WeakSet<object>();
  #pending: Occasion | undefined;
  #evictedFaults = 0;

  constructor(options: ErrorLogOptions) {
    this.#options = options;
  }

  /** Notes what is about to be logged; the error itself comes through `serialize`. */
  observe(args: readonly unknown[], level: number): void {
    const [first, second] = args;
    if (typeof first !== 'object' || first === null || !(first instanceof Error || 'err' in first)) return;
    this.#pending = { level, msg: typeof second === 'string' ? second : undefined };
  }

  /** The serializer of logged errors: adds the fingerprint. */
  readonly serialize = (value: unknown): unknown => {
    const pending = this.#pending;
    this.#pending = undefined;
    if (!isErrorLike(value)) return value;
    const err = serializeError(value) as SerializedError;
    err['fingerprint'] = fingerprintOf(err);
    if (pending) this.#remember(value, err, pending);
    return err;
  };

  /** The same for the error of a span that has failed. */
  serializeFor(
    value: unknown,
    level: number,
    span: { readonly name: string; readonly traceId: string; readonly spanId: string },
  ): unknown {
    this.#pending = { level, msg: span.name, ids: span };
    return this.serialize(value);
  }

  /** Oldest first. */
  history(): readonly LoggedError[] {
    return [...this.#history];
  }

  /** Most frequent first; windows reach back to an hour. */
  statistics(windowMs: number, nowMs: number = Date.now()): ErrorStatistics[] {
    const fromMinute = Math.floor((nowMs - windowMs) / BUCKET_MS);
    return [...this.#faults.values()]
      .map(({ counts, minutes, ...fault }) => ({
        ...fault,
        count: counts.reduce(
          (sum, count, index) => sum + ((minutes[index] ?? 0) > fromMinute ? count : 0),
          0,
        ),
      }))
      .filter(({ count }) => count > 0)
      .toSorted((a, b) => b.count - a.count);
  }

  /** Faults that were forgotten because there were too many. */
  get evictedFaults(): number {
    return this.#evictedFaults;
  }

  #remember(
    error: object,
    err: SerializedError,
    { level, msg, ids = this.#options.currentIds() }: Occasion,
  ): void {
    // Logged where it was caught, and again by each span that it passes through.
    if (this.#counted.has(error)) return;
    this.#counted.add(error);
    const { redact, maxHistorySize, enableStatistics } = this.#options;
    const kept = redact ? redact({ err }).err : err;
    const fingerprint = String(err['fingerprint']);
    const timeMs = Date.now();
    if (enableStatistics) this.#count(fingerprint, kept, timeMs);
    if (maxHistorySize === 0) return;
    this.#history.push({
      timeMs,
      level,
      msg,
      fingerprint,
      err: kept,
      ...(ids && { traceId: ids.traceId, spanId: ids.spanId }),
    });
    if (this.#history.length > maxHistorySize) this.#history.shift();
  }

  #count(fingerprint: string, { type, message }: SerializedError, nowMs: number): void {
    const fault = this.#faults.get(fingerprint) ?? newFault(fingerprint, nowMs);
    this.#faults.delete(fingerprint);
    this.#faults.set(fingerprint, fault);
    if (this.#faults.size > MAX_FAULTS) {
      const [oldest] = this.#faults.keys();
      if (oldest !== undefined) this.#faults.delete(oldest);
      this.#evictedFaults++;
    }
    fault.type = type;
    fault.message = message;
    fault.total++;
    fault.lastMs = nowMs;
    const minute = Math.floor(nowMs / BUCKET_MS);
    const place = minute % BUCKETS;
    if (fault.minutes[place] !== minute) fault.counts[place] = 0;
    fault.minutes[place] = minute;
    fault.counts[place] = (fault.counts[place] ?? 0) + 1;
  }
}

function newFault(fingerprint: string, nowMs: number): Fault {
  return {
    fingerprint,
    type: '',
    message: '',
    total: 0,
    firstMs: nowMs,
    lastMs: nowMs,
    counts: new Uint32Array(BUCKETS),
    minutes: new Float64Array(BUCKETS),
  };
}
