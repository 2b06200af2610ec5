import type { Context } from 'node:vm';
import { MessagePort } from 'node:worker_threads';
import type { TreelineLogger } from '../logger.ts';
import { createInRealm, type ScriptFunction } from './script-realm.ts';
import { captureScriptStack } from './script-stack.ts';

/** The levels that a script may use. */
const SCRIPT_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;

export type ScriptLevel = (typeof SCRIPT_LEVELS)[number];

/** What hosted code logs with: one function, and no way from it to the host. */
export type ScriptLog = ScriptFunction;

export interface ScriptLogOptions {
  /** The context of node:vm that the script runs in; without it the function is for this realm. Made before any script runs there. */
  readonly context?: Context;
  /** Adds the script's stack to each record, as `backtrace`. */
  readonly backtrace?: boolean;
  /** Records in any second; more are left out, counted, and told of in a record (default 1000). */
  readonly maxRecordsPerSecond?: number;
  /** Longer messages are cut and marked (default 16384). */
  readonly maxChars?: number;
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
  const gate = new RateGate(maxRecordsPerSecond, send);
  return createInRealm(context, {
    post(level, msg) {
      gate.pass(() => ({
        level: level as ScriptLevel,
        msg: msg.length > maxChars ? `${msg.slice(0, maxChars)}…` : msg,
        ...(msg.length > maxChars && { chars: msg.length }),
        ...(backtrace && { backtrace: captureScriptStack().slice(1, MAX_BACKTRACE_CHARS) }),
      }));
    },
    scriptStack: captureScriptStack,
  });
}

/** Logs what scripts in a worker send. Returns a function that ends it. */
export function receiveScriptLog(logger: TreelineLogger, port: MessagePort): () => void {
  const write = writeTo(logger);
  const receive = (message: unknown): void => {
    const record = readRecord(message);
    if (record) write(record);
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
function readRecord(message: unknown): ScriptRecord | undefined {
  if (typeof message !== 'object' || message === null) return undefined;
  const { level, msg, backtrace, chars, dropped } = message as Record<string, unknown>;
  if (!SCRIPT_LEVELS.includes(level as ScriptLevel) || typeof msg !== 'string') return undefined;
  return {
    level: level as ScriptLevel,
    msg,
    ...(typeof backtrace === 'string' && { backtrace }),
    ...(typeof chars === 'number' && { chars }),
    ...(typeof dropped === 'number' && { dropped }),
  };
}

/** Lets so many records through in each second, and tells in the next one how many it left out. */
class RateGate {
  readonly #most: number;
  readonly #send: (record: ScriptRecord) => void;
  #secondStartMs = 0;
  #count = 0;
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(most: number, send: (record: ScriptRecord) => void) {
    this.#most = most;
    this.#send = send;
  }

  pass(record: () => ScriptRecord): void {
    const nowMs = performance.now();
    if (nowMs - this.#secondStartMs >= SECOND_MS) {
      this.#secondStartMs = nowMs;
      this.#count = 0;
      this.#tellDropped();
    }
    if (++this.#count > this.#most) {
      this.#dropped++;
      this.#timer ??= setTimeout(() => this.#tellDropped(), SECOND_MS).unref();
      return;
    }
    this.#send(record());
  }

  #tellDropped(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const dropped = this.#dropped;
    this.#dropped = 0;
    if (dropped > 0) this.#send({ level: 'warn', msg: '', dropped });
  }
}

function atLeastOne(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1)
    throw new RangeError(`${name} must be a whole number, 1 or more; got ${value}`);
}
