import type { Context } from 'node:vm';
import { MessagePort } from 'node:worker_threads';
import { contextOf } from '../context/context-of.ts';
import type { TreelineLogger } from '../logger.ts';
import { createInRealm, type ScriptFunction } from './script-realm.ts';
import { captureScriptStack } from './script-stack.ts';

/** The levels that a script may use. */
const SCRIPT_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;

export type ScriptLevel = (typeof SCRIPT_LEVELS)[number];

/** What hosted code logs with: one function, and no way from it to the host. */
export type ScriptLog = ScriptFunction;

export interface ScriptLogLimits {
  /** Records in any second; more are left out, counted, and told of in a record (default 1000). */
  readonly maxRecordsPerSecond?: number;
  /** Longer messages are cut and marked (default 16384). */
  readonly maxChars?: number;
}

export interface ScriptLogOptions extends ScriptLogLimits {
  /** The context of node:vm that the script runs in; without it the function is for this realm. Made before any script runs there. */
  readonly context?: Context;
  /** Adds the script's stack to each record, as `backtrace`. */
  readonly backtrace?: boolean;
}

/** What goes over a port. */
interface ScriptRecord {
  readonly level: ScriptLevel;
  readonly msg: string;
  readonly backtrace?: string;
  /** How long the message was, where it is cut. */
  readonly chars?: number;
  /** Records that were left out before this one. */
  readonly dropped?: number;
}

const SECOND_MS = 1000;
const MAX_BACKTRACE_CHARS = 16 * 1024;

/**
 * Makes the function that hosted code logs with. In a worker the target is a port, at whose other end `receiveScriptLog` has the
 * logger.
 *
 * @throws RangeError for limits that are none.
 */
export function createScriptLog(
  target: TreelineLogger | MessagePort,
  options: ScriptLogOptions = {},
): ScriptLog {
  const { context, backtrace = false, maxRecordsPerSecond = 1000, maxChars = 16_384 } = options;
  atLeastOne('maxRecordsPerSecond', maxRecordsPerSecond);
  atLeastOne('maxChars', maxChars);
  const send = target instanceof MessagePort ? postTo(target) : writeTo(target);
  const gate = new RateGate(maxRecordsPerSecond, send, target instanceof MessagePort ? undefined : target);
  return createInRealm(context, {
    post(level, msg) {
      gate.pass(() => ({
        level: level as ScriptLevel,
        ...bounded(msg, maxChars),
        ...(backtrace && { backtrace: captureScriptStack().slice(1, MAX_BACKTRACE_CHARS) }),
      }));
    },
    scriptStack: captureScriptStack,
  });
}

/**
 * Logs what scripts in a worker send, within the same limits: a script may have got hold of its port. Returns a function that ends it.
 *
 * @throws RangeError for limits that are none.
 */
export function receiveScriptLog(
  logger: TreelineLogger,
  port: MessagePort,
  { maxRecordsPerSecond = 1000, maxChars = 16_384 }: ScriptLogLimits = {},
): () => void {
  atLeastOne('maxRecordsPerSecond', maxRecordsPerSecond);
  atLeastOne('maxChars', maxChars);
  // The worker's own gate tells in one record more what it left out.
  const gate = new RateGate(maxRecordsPerSecond + 1, writeTo(logger), logger);
  const receive = (message: unknown): void => {
    const record = readRecord(message, maxChars);
    if (record) gate.pass(() => record, record.dropped);
  };
  port.on('message', receive);
  port.unref();
  return () => port.off('message', receive);
}

function postTo(port: MessagePort): (record: ScriptRecord) => void {
  return (record) => port.postMessage(record);
}

function writeTo(logger: Pick<TreelineLogger, ScriptLevel>): (record: ScriptRecord) => void {
  return ({ level, msg, dropped, ...fields }) => {
    if (dropped !== undefined) logger.warn({ dropped }, 'a script logs too much: records were left out');
    if (msg !== '' || dropped === undefined) logger[level](fields, msg);
  };
}

/** Whatever has come from the worker. */
function readRecord(message: unknown, maxChars: number): ScriptRecord | undefined {
  if (typeof message !== 'object' || message === null) return undefined;
  const { level, msg, backtrace, chars, dropped } = message as Record<string, unknown>;
  if (!SCRIPT_LEVELS.includes(level as ScriptLevel) || typeof msg !== 'string') return undefined;
  return {
    level: level as ScriptLevel,
    // Cut by the worker already, and marked, it is one character longer.
    ...(typeof chars === 'number' ? { chars, msg: msg.slice(0, maxChars + 1) } : bounded(msg, maxChars)),
    ...(typeof backtrace === 'string' && { backtrace: backtrace.slice(0, MAX_BACKTRACE_CHARS) }),
    ...(typeof dropped === 'number' && { dropped }),
  };
}

function bounded(msg: string, maxChars: number): { readonly msg: string; readonly chars?: number } {
  return msg.length > maxChars ? { msg: `${msg.slice(0, maxChars)}…`, chars: msg.length } : { msg };
}

/** What is to be told before the process ends. */
const untold = new Set<() => void>();

function tellAll(): void {
  for (const tell of untold) tell();
}

/** Lets so many records through in each second, and tells in the next one how many it left out. */
class RateGate {
  readonly #most: number;
  readonly #send: (record: ScriptRecord) => void;
  #secondStartMs = 0;
  #count = 0;
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;

  readonly #logger: TreelineLogger | undefined;
  readonly #tell = (): void => this.#tellDropped();

  constructor(
    most: number,
    send: (record: ScriptRecord) => void,
    /** Before it closes, it is told what is left. */
    logger: TreelineLogger | undefined,
  ) {
    this.#logger = logger;
    this.#most = most;
    this.#send = send;
  }

  /** `count` is how many it stands for: one that tells of others is none itself. */
  pass(record: () => ScriptRecord, count = 1): void {
    const nowMs = performance.now();
    if (nowMs - this.#secondStartMs >= SECOND_MS) {
      this.#secondStartMs = nowMs;
      this.#count = 0;
      this.#tellDropped();
    }
    if (++this.#count > this.#most) {
      if (this.#timer === undefined) this.#tellLater();
      this.#dropped += count;
      return;
    }
    this.#send(record());
  }

  #tellLater(): void {
    this.#timer = setTimeout(this.#tell, SECOND_MS).unref();
    // Before the logger's own listener, which delivers what is left.
    if (untold.size === 0) process.prependListener('exit', tellAll);
    untold.add(this.#tell);
    if (this.#logger) contextOf(this.#logger).beforeClose.add(this.#tell);
  }

  #tellDropped(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (untold.delete(this.#tell) && untold.size === 0) process.removeListener('exit', tellAll);
    if (this.#logger) contextOf(this.#logger).beforeClose.delete(this.#tell);
    const dropped = this.#dropped;
    this.#dropped = 0;
    if (dropped > 0) this.#send({ level: 'warn', msg: '', dropped });
  }
}

function atLeastOne(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1)
    throw new RangeError(`${name} must be a whole number, 1 or more; got ${value}`);
}
