/** What a span may carry, as OpenTelemetry's defaults: https://opentelemetry.io/docs/specs/otel/common/#attribute-limits */
export const ATTRIBUTE_LIMITS = { count: 128, nameChars: 256, valueChars: 4096, items: 128 } as const;

/** A span's attributes: JSON values; what is neither is written as text. */
export type Attributes = Readonly<Record<string, unknown>>;

export interface BoundedAttributes {
  readonly attrs: Record<string, AttributeValue>;
  /** Attributes and parts of them that did not fit. */
  readonly cut: number;
}

export type AttributeValue = string | number | boolean | readonly (string | number | boolean | null)[];

/**
 * Reads attributes so that they can be written whatever they are: long texts are cut, lists too, other objects become their JSON,
 * and what throws when it is read counts as cut. `room` is how many names fit.
 */
export function boundAttributes(
  attributes: Attributes,
  room: number = ATTRIBUTE_LIMITS.count,
): BoundedAttributes {
  const attrs: Record<string, AttributeValue> = {};
  let cut = 0;
  let count = 0;
  for (const name of namesOf(attributes)) {
    const value = readValue(attributes, name);
    if (value === undefined || value === null) continue;
    if (count >= room || name.length > ATTRIBUTE_LIMITS.nameChars) {
      cut++;
      continue;
    }
    const bounded = boundValue(value);
    if (bounded === undefined || bounded !== value)
      cut += bounded === undefined || isShorter(value, bounded) ? 1 : 0;
    if (bounded === undefined) continue;
    count++;
    // Without `__proto__` reaching the object's prototype.
    if (name === '__proto__') Object.defineProperty(attrs, name, { value: bounded, enumerable: true });
    else attrs[name] = bounded;
  }
  return { attrs, cut };
}

/** A text of at most so many characters; no half of a surrogate pair is left over. */
export function cutText(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  const last = text.charCodeAt(maxChars - 1);
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? maxChars - 1 : maxChars);
}

const UNREADABLE = Symbol('unreadable');

function namesOf(attributes: Attributes): readonly string[] {
  try {
    return Object.keys(attributes);
  } catch {
    return [];
  }
}

function readValue(attributes: Attributes, name: string): unknown {
  try {
    return attributes[name];
  } catch {
    return UNREADABLE;
  }
}

function boundValue(value: unknown): AttributeValue | undefined {
  switch (typeof value) {
    case 'string':
      return cutText(value, ATTRIBUTE_LIMITS.valueChars);
    case 'boolean':
      return value;
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'bigint':
      return String(value);
    case 'object':
      return boundObject(value ?? {});
    default:
      return undefined;
  }
}

function boundObject(value: object): AttributeValue | undefined {
  try {
    if (Array.isArray(value) && value.every(isPlain))
      return value.slice(0, ATTRIBUTE_LIMITS.items).map((item) => cutItem(item));
    const json: unknown = JSON.stringify(value);
    return typeof json === 'string' ? cutText(unquoted(json), ATTRIBUTE_LIMITS.valueChars) : undefined;
  } catch {
    return undefined;
  }
}

/** Dates and the like are their own text. */
function unquoted(json: string): string {
  return json.startsWith('"') ? (JSON.parse(json) as string) : json;
}

function isPlain(item: unknown): item is string | number | boolean | null {
  return item === null || ['string', 'number', 'boolean'].includes(typeof item);
}

function cutItem(item: string | number | boolean | null): string | number | boolean | null {
  return typeof item === 'string' ? cutText(item, ATTRIBUTE_LIMITS.valueChars) : item;
}

function isShorter(value: unknown, bounded: AttributeValue): boolean {
  if (typeof value === 'string') return true;
  if (Array.isArray(value) && Array.isArray(bounded))
    return bounded.length < value.length || bounded.some((item, index) => item !== value[index]);
  return typeof bounded === 'string' && bounded.length === ATTRIBUTE_LIMITS.valueChars;
}
