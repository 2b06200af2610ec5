import type { LogFn, Logger } from 'pino';
import type { ReservedKeys } from './reserved-keys.ts';

type LogArguments = Parameters<LogFn>;

type LogMethodHook = (this: Logger, args: LogArguments, method: LogFn, level: number) => void;

/** How much of an object that pino can't log is looked at. */
const SALVAGE_LIMITS = { depth: 5, keys: 100, textLength: 10_000 };

/** What takes part in each log call, once it is wanted: until then a call costs what pino's own does. */
export interface LogCallHooks {
  /** Asked before a line is made; false leaves it out. */
  admits?: (logger: Logger, level: number) => boolean;
  /** Asked whether a call says what other lines say already. */
  absorbs?: (args: readonly unknown[]) => boolean;
  /** Sees errors that are logged. */
  observe?: (logger: Logger, args: readonly unknown[], level: number) => void;
}

/**
 * Wraps pino's log methods so that a log call never throws: pino does on throwing getters, throwing proxies and very deep cause
 * chains. What can be read is logged instead, and says so under `unloggable`. Reserved keys are moved out of the way.
 */
export function guardLogMethod(
  inner: LogMethodHook | undefined,
  reserved: ReservedKeys,
  hooks: LogCallHooks = {},
): LogMethodHook {
  return function guarded(args, method, level) {
    if (hooks.admits !== undefined && !hooks.admits(this, level)) return;
    try {
      if (hooks.absorbs !== undefined && hooks.absorbs(args)) return;
      hooks.observe?.(this, args, level);
      if (inner) inner.call(this, args, movingReservedKeys(method, reserved), level);
      else method.apply(this, reserved.moveInArguments(withTexts(args)));
    } catch (error) {
      logSalvaged(this, args, movingReservedKeys(method, reserved), error);
    }
  };
}

function movingReservedKeys(method: LogFn, reserved: ReservedKeys): LogFn {
  return function moving(this: Logger, ...args: LogArguments): void {
    method.apply(this, reserved.moveInArguments(withTexts(args)));
  };
}

/** A symbol or a function is no JSON: pino would write `undefined` for one that is logged as message. */
function withTexts(args: LogArguments): LogArguments {
  const [first, second] = args as unknown[];
  if (!isNoJson(first) && !isNoJson(second)) return args;
  return (args as unknown[]).map((argument) =>
    isNoJson(argument) ? nameOf(argument) : argument,
  ) as LogArguments;
}

function isNoJson(value: unknown): value is symbol | ((...args: never) => unknown) {
  return typeof value === 'symbol' || typeof value === 'function';
}

function nameOf(value: symbol | ((...args: never) => unknown)): string {
  return typeof value === 'symbol' ? value.toString() : '[function]';
}

function logSalvaged(logger: Logger, args: LogArguments, method: LogFn, error: unknown): void {
  const [first, ...rest] = args as unknown[];
  const message = rest.find((argument) => typeof argument === 'string') ?? '';
  try {
    const salvaged = salvage(first ?? {}, 0);
    const fields = first instanceof Error ? { err: salvaged } : (salvaged as object);
    method.apply(logger, [{ ...fields, unloggable: describe(error) }, message] as LogArguments);
  } catch (secondError) {
    try {
      method.apply(logger, [{ unloggable: describe(secondError) }, message] as LogArguments);
    } catch {
      // A mixin or a binding of the child itself throws: there is no line to be had.
    }
  }
}

function salvage(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return cut(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return typeof value === 'function' ? '[function]' : value;
  if (depth >= SALVAGE_LIMITS.depth) return '[too deep]';
  // pino tells an error by its class.
  const copy = Object.create(value instanceof Error ? Error.prototype : null) as Record<string, unknown>;
  for (const key of readableKeys(value)) {
    try {
      copy[key] = salvage((value as Record<string, unknown>)[key], depth + 1);
    } catch (error) {
      copy[key] = `[throws: ${describe(error)}]`;
    }
  }
  return copy;
}

/** Errors keep type, message and stack in places that are not enumerable. */
function readableKeys(value: object): string[] {
  try {
    const keys = Object.keys(value);
    const hidden = ['message', 'stack', 'cause'].filter((key) => !keys.includes(key) && key in value);
    const all = value instanceof Error ? [...hidden, ...keys] : keys;
    return all.slice(0, SALVAGE_LIMITS.keys);
  } catch {
    return [];
  }
}

function describe(error: unknown): string {
  try {
    return cut(error instanceof Error ? error.message : String(error));
  } catch {
    return 'an error that can’t be read';
  }
}

function cut(text: string): string {
  const { textLength } = SALVAGE_LIMITS;
  return text.length > textLength ? `${text.slice(0, textLength)}… [${text.length} characters]` : text;
}
