/** Bounds of one serialized error with everything below it; `cut` in the result counts what they left out. */
export const ERROR_LIMITS = {
  causeDepth: 10,
  errors: 20,
  propKeys: 50,
  propDepth: 4,
  items: 100,
  nodes: 1000,
  nameChars: 256,
  textChars: 8 * 1024,
  stackChars: 32 * 1024,
  /** Of all texts, keys and numbers together. */
  totalChars: 256 * 1024,
} as const;

/** As much as a number is taken to need. */
const NUMBER_CHARS = 20;

/** An error as it stands in a line: its causes below it, each with its own message and stack. */
export interface SerializedError {
  type: string;
  code?: string | number;
  message: string;
  stack?: string;
  cause?: unknown;
  errors?: unknown[];
  /** Parts that did not fit. */
  cut?: number;
  [prop: string]: unknown;
}

interface Progress {
  readonly seen: Set<object>;
  nodes: number;
  chars: number;
  cut: number;
}

/**
 * Turns an error into what JSON can hold, whatever it is: causes that are no errors, aggregates, cycles, errors of other realms,
 * properties that throw. Never throws itself. What is no error is given back as it is.
 */
export function serializeError(value: unknown): unknown {
  if (!isErrorLike(value)) return value;
  const progress = newProgress();
  try {
    const serialized = errorFields(value, progress, 0);
    if (progress.cut > 0) serialized.cut = progress.cut;
    return serialized;
  } catch (error) {
    // There may be no stack left to read it with.
    return { type: 'Error', message: `[unreadable: ${reasonOf(error)}]` };
  }
}

/** The same for whatever a program has thrown: what is no error becomes a copy that JSON can hold. Never throws itself. */
export function serializeThrown(value: unknown): unknown {
  if (isErrorLike(value)) return serializeError(value);
  try {
    return copyValue(value, newProgress(), 0);
  } catch (error) {
    return `[unreadable: ${reasonOf(error)}]`;
  }
}

function newProgress(): Progress {
  return { seen: new Set(), nodes: 0, chars: 0, cut: 0 };
}

/** Whether something is an error, of this realm or another, or looks like one. */
export function isErrorLike(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  try {
    // A proxy may answer even this by throwing.
    if (value instanceof Error) return true;
    if (Object.prototype.toString.call(value) === '[object Error]') return true;
    const { message, stack } = value as { message?: unknown; stack?: unknown };
    return typeof message === 'string' && typeof stack === 'string';
  } catch {
    return false;
  }
}

/** Properties that have places of their own. */
const OWN_PLACES: ReadonlySet<string> = new Set([
  'type',
  'name',
  'code',
  'message',
  'stack',
  'cause',
  'errors',
  'cut',
]);

/** Classes that say less than the error's name does. */
const PLAIN_CLASSES: ReadonlySet<string> = new Set(['', 'Error', 'Object', 'DOMException']);

function errorFields(error: object, progress: Progress, depth: number): SerializedError {
  progress.seen.add(error);
  progress.nodes++;
  const fields: SerializedError = {
    type: cutText(typeOf(error), ERROR_LIMITS.nameChars, progress),
    message: cutText(textOf(read(error, 'message')), ERROR_LIMITS.textChars, progress),
  };
  const code = read(error, 'code');
  if (typeof code === 'string') fields.code = cutText(code, ERROR_LIMITS.textChars, progress);
  else if (typeof code === 'number') fields.code = code;
  const stack = read(error, 'stack');
  if (typeof stack === 'string') fields.stack = cutText(stack, ERROR_LIMITS.stackChars, progress);
  addProps(error, fields, progress);
  const errors = read(error, 'errors');
  if (typeof errors === 'object' && errors !== null) addErrors(errors, fields, progress, depth);
  if (has(error, 'cause')) addCause(error, fields, progress, depth);
  return fields;
}

function addCause(error: object, fields: SerializedError, progress: Progress, depth: number): void {
  const cause = read(error, 'cause');
  if (cause === undefined) return;
  if (depth + 1 >= ERROR_LIMITS.causeDepth) progress.cut++;
  else fields.cause = isErrorLike(cause) ? nested(cause, progress, depth + 1) : copyValue(cause, progress, 0);
}

function addErrors(errors: object, fields: SerializedError, progress: Progress, depth: number): void {
  try {
    if (Array.isArray(errors)) fields.errors = serializeErrors(errors, progress, depth);
  } catch (error) {
    fields.errors = [`[unreadable: ${reasonOf(error)}]`];
  }
}

function serializeErrors(errors: readonly unknown[], progress: Progress, depth: number): unknown[] {
  const most = depth + 1 >= ERROR_LIMITS.causeDepth ? 0 : ERROR_LIMITS.errors;
  return fitting(errors, most, progress, (each) =>
    isErrorLike(each) ? nested(each, progress, depth + 1) : copyValue(each, progress, 0),
  );
}

function nested(error: object, progress: Progress, depth: number): unknown {
  if (progress.seen.has(error))
    return { type: cutText(typeOf(error), ERROR_LIMITS.nameChars, progress), message: '[seen above]' };
  if (progress.nodes >= ERROR_LIMITS.nodes || isFull(progress)) {
    progress.cut++;
    return { type: 'Error', message: '[cut]' };
  }
  return errorFields(error, progress, depth);
}

function addProps(error: object, fields: SerializedError, progress: Progress): void {
  const keys = keysOf(error).filter((key) => !OWN_PLACES.has(key));
  fitting(keys, ERROR_LIMITS.propKeys, progress, (key) => {
    const value = copyValue(read(error, key), progress, 0);
    if (value !== undefined) define(fields, cutText(key, ERROR_LIMITS.nameChars, progress), value);
  });
}

function isFull(progress: Progress): boolean {
  return progress.chars >= ERROR_LIMITS.totalChars;
}

/** As many of them as there is room for. */
function fitting<Item, Result>(
  items: readonly Item[],
  most: number,
  progress: Progress,
  take: (item: Item) => Result,
): Result[] {
  const taken: Result[] = [];
  const end = Math.min(items.length, most);
  for (let index = 0; index < end && !isFull(progress); index++) taken.push(take(items[index] as Item));
  progress.cut += items.length - taken.length;
  return taken;
}

/** A copy that JSON can hold. */
function copyValue(value: unknown, progress: Progress, depth: number): unknown {
  switch (typeof value) {
    case 'string':
      return cutText(value, ERROR_LIMITS.textChars, progress);
    case 'number':
      progress.chars += NUMBER_CHARS;
      return Number.isFinite(value) ? value : String(value);
    case 'bigint':
    case 'symbol':
      return cutText(String(value), ERROR_LIMITS.textChars, progress);
    case 'function':
      return undefined;
    case 'object':
      return value === null ? null : copyObject(value, progress, depth);
    default:
      return value;
  }
}

function copyObject(value: object, progress: Progress, depth: number): unknown {
  if (progress.seen.has(value)) return '[circular]';
  if (depth >= ERROR_LIMITS.propDepth || progress.nodes >= ERROR_LIMITS.nodes) {
    progress.cut++;
    return '[cut]';
  }
  if (isErrorLike(value)) return nested(value, progress, ERROR_LIMITS.causeDepth - 2);
  progress.nodes++;
  progress.seen.add(value);
  try {
    return copyContents(value, progress, depth);
  } catch (error) {
    return `[unreadable: ${reasonOf(error)}]`;
  } finally {
    // The same object in two places is no cycle.
    progress.seen.delete(value);
  }
}

function copyContents(value: object, progress: Progress, depth: number): unknown {
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  const list = Array.isArray(value)
    ? value
    : value instanceof Set || value instanceof Map
      ? [...value]
      : undefined;
  if (list) {
    return fitting(
      list,
      ERROR_LIMITS.items,
      progress,
      (item: unknown) => copyValue(item, progress, depth + 1) ?? null,
    );
  }
  const keys = keysOf(value);
  const copy: Record<string, unknown> = {};
  fitting(keys, ERROR_LIMITS.propKeys, progress, (key) =>
    define(
      copy,
      cutText(key, ERROR_LIMITS.nameChars, progress),
      copyValue(read(value, key), progress, depth + 1),
    ),
  );
  return copy;
}

/** Also under names that an assignment would take for something else. */
function define(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}

function typeOf(error: object): string {
  const name = read(error, 'name');
  const constructor = read(error, 'constructor');
  const className: unknown = typeof constructor === 'function' ? read(constructor, 'name') : undefined;
  if (typeof className === 'string' && !PLAIN_CLASSES.has(className)) return className;
  return typeof name === 'string' && name !== ''
    ? name
    : typeof className === 'string' && className !== ''
      ? className
      : 'Error';
}

function keysOf(value: object): string[] {
  try {
    return Object.keys(value);
  } catch {
    return [];
  }
}

function has(value: object, key: string): boolean {
  try {
    return key in value;
  } catch {
    return false;
  }
}

function read(value: object, key: string): unknown {
  try {
    return (value as Record<string, unknown>)[key];
  } catch (error) {
    return `[throws: ${reasonOf(error)}]`;
  }
}

function reasonOf(error: unknown): string {
  try {
    const reason: unknown = error instanceof Error ? error.message : error;
    return String(reason);
  } catch {
    return 'an error that can’t be read';
  }
}

function textOf(value: unknown): string {
  try {
    if (typeof value === 'string') return value;
    if (value === undefined) return '';
    if (typeof value === 'symbol') return String(value);
    return JSON.stringify(value) ?? `[${typeof value}]`;
  } catch {
    return '[unreadable]';
  }
}

function cutText(text: string, mostChars: number, progress: Progress): string {
  const maxChars = Math.max(0, Math.min(mostChars, ERROR_LIMITS.totalChars - progress.chars));
  progress.chars += Math.min(text.length, maxChars);
  if (text.length <= maxChars) return text;
  progress.cut++;
  return `${text.slice(0, maxChars)}… [${text.length} characters]`;
}
