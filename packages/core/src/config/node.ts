/** Where a value of the config comes from. */
export interface Origin {
  readonly kind: 'file' | 'object' | 'variable' | 'override' | 'default';
  /** The file, as problems name it. */
  readonly file?: string;
  /** Offsets into the file's text. */
  readonly start?: number;
  readonly end?: number;
  /** The environment variable. */
  readonly variable?: string;
  /** The overlay (`environments.<name>`) that set it. */
  readonly overlay?: string;
}

/** A value of a config that still knows its origin, and what became of it. */
export type ConfigNode = ScalarNode | ArrayNode | ObjectNode;

export interface ScalarNode {
  readonly kind: 'scalar';
  readonly origin: Origin;
  readonly below?: ConfigNode;
  /** A text, number, boolean or null; anything where a program gave it. */
  readonly value: unknown;
  /** The text was put together from `${…}`: where a number or a boolean is wanted, it is read as one. */
  readonly interpolated?: boolean;
  /** The text holds the content of a secret file. */
  readonly secret?: boolean;
}

export interface ArrayNode {
  readonly kind: 'array';
  readonly origin: Origin;
  /** What it took the place of, in the layer below. */
  readonly below?: ConfigNode;
  readonly items: readonly ConfigNode[];
}

export interface ObjectNode {
  readonly kind: 'object';
  readonly origin: Origin;
  readonly members: ReadonlyMap<string, Member>;
}

export interface Member {
  readonly keyOrigin: Origin;
  readonly value: ConfigNode;
}

export type Path = readonly (string | number)[];

/** Wraps a value that a program gave; what is no plain data (a function, a Date) stays as it is, for a schema to refuse. */
export function nodeFrom(value: unknown, origin: Origin): ConfigNode {
  if (Array.isArray(value)) {
    return { kind: 'array', origin, items: value.map((item) => nodeFrom(item, origin)) };
  }
  if (!isPlainObject(value)) return { kind: 'scalar', origin, value };
  const members = new Map<string, Member>();
  for (const [key, item] of Object.entries(value)) {
    if (item !== undefined) members.set(key, { keyOrigin: origin, value: nodeFrom(item, origin) });
  }
  return { kind: 'object', origin, members };
}

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/** The plain value. Objects have no prototype surprises: `__proto__` was refused when the text was read. */
export function toValue(node: ConfigNode): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'array') return node.items.map(toValue);
  return Object.fromEntries([...node.members].map(([key, member]) => [key, toValue(member.value)]));
}

export function nodeAt(node: ConfigNode, path: Path): ConfigNode | undefined {
  let current: ConfigNode | undefined = node;
  for (const key of path) current = current && childOf(current, key);
  return current;
}

/** The origin of the key that a path ends with, or of the nearest enclosing value that exists. */
export function keyOriginAt(node: ConfigNode, path: Path): Origin {
  const parent = nodeAt(node, path.slice(0, -1));
  const key = path.at(-1);
  const member = parent?.kind === 'object' ? parent.members.get(String(key)) : undefined;
  return member?.keyOrigin ?? originAt(node, path);
}

/** The origin of the value at a path, or of the nearest enclosing value that exists. */
export function originAt(node: ConfigNode, path: Path): Origin {
  for (let depth = path.length; depth > 0; depth--) {
    const found = nodeAt(node, path.slice(0, depth));
    if (found) return found.origin;
  }
  return node.origin;
}

/** Where something begins, for a mark that must not underline the whole of it. */
export function firstCharacter(origin: Origin): Origin {
  return origin.start === undefined ? origin : { ...origin, end: origin.start + 1 };
}

function childOf(node: ConfigNode, key: string | number): ConfigNode | undefined {
  if (node.kind === 'object') return node.members.get(String(key))?.value;
  return node.kind === 'array' ? node.items[Number(key)] : undefined;
}

/** The text at a path; undefined where there is something else or nothing. */
export function textAt(node: ConfigNode, path: Path): string | undefined {
  const found = nodeAt(node, path);
  return found?.kind === 'scalar' && typeof found.value === 'string' ? found.value : undefined;
}

/** A copy in which the value at a path is replaced; objects on the way are made. */
export function withValue(node: ConfigNode | undefined, path: Path, value: ConfigNode): ConfigNode {
  const [key, ...rest] = path;
  if (key === undefined) return replacing(value, node);
  if (node?.kind === 'array') {
    return {
      ...node,
      items: node.items.map((item, index) => (index === key ? withValue(item, rest, value) : item)),
    };
  }
  const members = new Map(node?.kind === 'object' ? node.members : []);
  const before = members.get(String(key));
  members.set(String(key), {
    keyOrigin: before?.keyOrigin ?? value.origin,
    value: withValue(before?.value, rest, value),
  });
  return { kind: 'object', origin: node?.origin ?? value.origin, members };
}

/** A value that remembers what it took the place of. */
export function replacing(value: ConfigNode, below: ConfigNode | undefined): ConfigNode {
  return value.kind === 'object' || !below || below === value ? value : { ...value, below };
}

/** A copy without the key that a path ends with. */
export function withoutKey(node: ConfigNode, path: Path): ConfigNode {
  return withoutKeys(node, path.slice(0, -1), [String(path.at(-1))]);
}

/** A copy without some keys of the object at a path. */
export function withoutKeys(node: ConfigNode, path: Path, keys: readonly string[]): ConfigNode {
  const parent = nodeAt(node, path);
  if (parent?.kind !== 'object') return node;
  const members = new Map(parent.members);
  for (const key of keys) members.delete(key);
  return withValue(node, path, { ...parent, members });
}

/** Prints a path as messages show it: `streams[1].rotation.size`. */
export function formatPath(path: Path): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    if (!/^[\w$-]+$/.test(key)) return `${text}[${JSON.stringify(key)}]`;
    return text === '' ? key : `${text}.${key}`;
  }, '');
}
