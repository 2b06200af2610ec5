/** Keys that the line's format owns; `level` and `time` stand in every line, the others on lines within a span. */
export const RESERVED_KEYS: ReadonlySet<string> = new Set([
  'level',
  'time',
  'trace_id',
  'span_id',
  'parent_span_id',
  'trace_flags',
  'span',
  'span_seq',
]);

/** Moves what a program writes under a reserved key to `user.<key>`, and counts it. */
export class ReservedKeys {
  #moved = 0;

  /** How many keys have been moved. */
  get moved(): number {
    return this.#moved;
  }

  /** The arguments of a log call; the same array where nothing has to move. */
  moveInArguments<Arguments extends unknown[]>(args: Arguments): Arguments {
    const [first] = args;
    if (typeof first !== 'object' || first === null) return args;
    if (!holdsReservedKey(first) || !isMergingObject(first)) return args;
    return [this.move(first), ...args.slice(1)] as Arguments;
  }

  /** The fields of a record, in their order. */
  move(fields: object): object {
    if (!holdsReservedKey(fields)) return fields;
    return Object.fromEntries(
      Object.entries(fields).map(([key, value]) => {
        if (!RESERVED_KEYS.has(key)) return [key, value];
        this.#moved++;
        return [`user.${key}`, value];
      }),
    );
  }
}

/**
 * This stands on the path of every log call. Walking the few keys that an object has is cheaper than asking it for each of ours, unless
 * all objects are of one shape.
 */
function holdsReservedKey(fields: object): boolean {
  for (const key in fields) {
    switch (key) {
      case 'level':
      case 'time':
      case 'trace_id':
      case 'span_id':
      case 'parent_span_id':
      case 'trace_flags':
      case 'span':
      case 'span_seq':
        return true;
    }
  }
  return false;
}

/** pino writes errors, requests and responses below a key of their own. */
function isMergingObject(value: object): boolean {
  if (value instanceof Error) return false;
  const { method, headers, socket, setHeader } = value as Record<string, unknown>;
  return !(method && headers && socket) && typeof setHeader !== 'function';
}
