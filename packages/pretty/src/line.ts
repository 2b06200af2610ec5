import { DEFAULT_LEVEL, readLevel, readTimeMs } from '@treeline/contract';
import { KnownKeys, NO_KEY, type KnownKey } from './known-keys.ts';
import { decode, LineScanner, NUMBER, PLAIN_STRING, STRING } from './scanner.ts';

/** What a span line says of its span. */
export interface SpanFields {
  readonly op?: unknown;
  readonly name?: unknown;
  readonly kind?: unknown;
  readonly attrs?: unknown;
  readonly duration_ns?: unknown;
  readonly self_ns?: unknown;
  readonly status?: unknown;
  readonly lines?: unknown;
  readonly err?: unknown;
}

/** Which keys hold what; the rest of a record are fields. */
export interface LineKeys {
  readonly messageKey: string;
  readonly levelKey: string;
  readonly timestampKey: string;
  readonly errorLikeObjectKeys: readonly string[];
  /** Levels by name, beside pino's. */
  readonly customLevels: ReadonlyMap<string, number>;
  /** A longer line is taken as text, of which this much is kept. */
  readonly maxBytes: number;
}

/** What a key means, as the place of its token's index. */
const ROLE = {
  level: 0,
  time: 1,
  message: 2,
  name: 3,
  module: 4,
  pid: 5,
  hostname: 6,
  worker: 7,
  traceId: 8,
  spanId: 9,
  parentSpanId: 10,
  traceFlags: 11,
  spanSeq: 12,
  span: 13,
  requestId: 14,
  request: 15,
  response: 16,
  responseTime: 17,
  error: 18,
} as const;

type Role = (typeof ROLE)[keyof typeof ROLE];

const KNOWN_KEYS: readonly (readonly [string, Role])[] = [
  ['name', ROLE.name],
  ['module', ROLE.module],
  ['pid', ROLE.pid],
  ['hostname', ROLE.hostname],
  ['worker', ROLE.worker],
  ['trace_id', ROLE.traceId],
  ['span_id', ROLE.spanId],
  ['parent_span_id', ROLE.parentSpanId],
  ['trace_flags', ROLE.traceFlags],
  ['span_seq', ROLE.spanSeq],
  ['span', ROLE.span],
  ['reqId', ROLE.requestId],
  ['req_id', ROLE.requestId],
  ['req', ROLE.request],
  ['res', ROLE.response],
  ['responseTime', ROLE.responseTime],
];

const ABSENT = -1;
/** Under these keys only an object means what it should; anything else is a field like any other. */
const OBJECT_ROLES: ReadonlySet<number> = new Set([ROLE.span, ROLE.request, ROLE.error]);
const REQUEST_ROLES: readonly Role[] = [ROLE.requestId, ROLE.request, ROLE.response, ROLE.responseTime];
/** What is longer is no id, and would be kept for each request. */
const MAX_REQUEST_ID_LENGTH = 128;
/** W3C ids are 16 and 32 digits; other tracers write shorter and longer ones. */
const LEAST_ID_LENGTH = 8;
const MOST_ID_LENGTH = 64;

/**
 * One line of the log, read for printing. The same object is filled again for each line: what is kept must be copied out. Texts are
 * as they stand in the log, not yet escaped.
 */
export class Line {
  /** False for a line that is no JSON object; its text is `message`. */
  isRecord = false;
  /** Whether the line reached the length beyond which it is cut; how much longer it was is not known. */
  isTooLong = false;
  level = 0;
  /** A level that is a word of none of the known levels. */
  levelWord: string | undefined;
  /** Empty where there is none, or what stands there is no id. */
  traceId = '';
  spanId = '';
  /** As it was logged. */
  time: number | string | undefined;
  /** Tokens that are fields to print, in order. */
  readonly fields: number[] = [];
  /** Tokens under keys that hold errors. */
  readonly errors: number[] = [];

  readonly #scanner: LineScanner;
  readonly #customLevels: ReadonlyMap<string, number>;
  readonly #levelKey: string;
  readonly #maxBytes: number;
  #text = '';
  #start = 0;
  #end = 0;
  /** For each role its token, or ABSENT. */
  readonly #tokens = new Int32Array(Object.keys(ROLE).length).fill(ABSENT);

  constructor(keys: LineKeys) {
    const roles = new Map<string, Role>([
      ...KNOWN_KEYS,
      ...keys.errorLikeObjectKeys.map((key): [string, Role] => [key, ROLE.error]),
      [keys.messageKey, ROLE.message],
      [keys.levelKey, ROLE.level],
      [keys.timestampKey, ROLE.time],
    ]);
    this.#scanner = new LineScanner(new KnownKeys(roles));
    this.#customLevels = keys.customLevels;
    this.#levelKey = keys.levelKey;
    this.#maxBytes = keys.maxBytes;
  }

  /** Reads the line from `start` up to `end`, where its line feed is; `bytes` is its length as UTF-8. */
  read(text: string, start: number, end: number, bytes: number): void {
    this.#text = text;
    this.#start = start;
    this.#end = end;
    this.#forget();
    this.isTooLong = bytes >= this.#maxBytes;
    this.isRecord = !this.isTooLong && this.#scanner.scan(text, start, end);
    if (!this.isRecord) return;
    const { count, keys } = this.#scanner;
    for (let index = 0; index < count; index++) this.#assign(keys[index]?.role, index);
    this.spanId = this.#idAt(this.#index(ROLE.spanId));
    this.traceId = this.#idAt(this.#index(ROLE.traceId));
    if (!this.hasSpan) this.#addUnread();
    if (this.#has(ROLE.name) && this.#has(ROLE.module)) this.#addField(this.#index(ROLE.module));
  }

  /** The raw text of the whole line, a carriage return at its end left out. */
  get source(): string {
    if (this.isTooLong)
      return this.#text.slice(this.#start, Math.min(this.#end, this.#start + this.#maxBytes));
    const end = this.#text.charCodeAt(this.#end - 1) === 0x0d ? this.#end - 1 : this.#end;
    return this.#text.slice(this.#start, end);
  }

  get message(): string {
    return this.isRecord ? this.#textOf(ROLE.message) : this.source;
  }

  /** The logger's name, or its module where it has only that. */
  get name(): string {
    return this.#textOf(this.#has(ROLE.name) ? ROLE.name : ROLE.module);
  }

  get pid(): string {
    return this.#textOf(ROLE.pid);
  }

  get hostname(): string {
    return this.#textOf(ROLE.hostname);
  }

  get worker(): string {
    return this.#textOf(ROLE.worker);
  }

  get timeMs(): number | undefined {
    return readTimeMs(this.time);
  }

  get parentSpanId(): string {
    return this.#idAt(this.#index(ROLE.parentSpanId));
  }

  get spanSeq(): number | undefined {
    const index = this.#index(ROLE.spanSeq);
    const seq = index !== ABSENT && this.kind(index) === NUMBER ? this.#numberAt(index) : -1;
    return Number.isSafeInteger(seq) && seq >= 0 ? seq : undefined;
  }

  /** Whether the line belongs to a span. */
  get hasSpan(): boolean {
    return this.spanId !== '' && this.traceId !== '';
  }

  get span(): SpanFields | undefined {
    return this.#objectAt(this.#index(ROLE.span));
  }

  /** The id of the request that the line belongs to; empty where there is none. */
  get requestId(): string {
    const id = this.#has(ROLE.requestId) ? this.#textOf(ROLE.requestId) : this.request?.['id'];
    const text = typeof id === 'string' || typeof id === 'number' ? String(id) : '';
    return text.length > MAX_REQUEST_ID_LENGTH ? '' : text;
  }

  get hasRequest(): boolean {
    return this.#has(ROLE.requestId) || this.#has(ROLE.request);
  }

  get request(): Record<string, unknown> | undefined {
    return this.#objectAt(this.#index(ROLE.request));
  }

  get response(): Record<string, unknown> | undefined {
    return this.#objectAt(this.#index(ROLE.response));
  }

  /** Milliseconds, on the line that ends a request. */
  get responseTime(): number | undefined {
    const index = this.#index(ROLE.responseTime);
    return index !== ABSENT && this.kind(index) === NUMBER ? this.#numberAt(index) : undefined;
  }

  /** Whether the line tells of the request itself, not only its id. */
  get hasRequestObject(): boolean {
    return this.#has(ROLE.request);
  }

  /** Tokens that are fields only where the line is not printed as part of a request. */
  get requestFields(): readonly number[] {
    const found: number[] = [];
    for (const role of REQUEST_ROLES) if (this.#has(role)) found.push(this.#index(role));
    return found;
  }

  key(index: number): KnownKey {
    return this.#scanner.keys[index] ?? NO_KEY;
  }

  kind(index: number): number {
    return this.#scanner.kinds[index] ?? STRING;
  }

  /** A value as it stands in the line. */
  token(index: number): string {
    return this.#text.slice(this.#scanner.starts[index], this.#scanner.ends[index]);
  }

  value(index: number): unknown {
    return JSON.parse(this.token(index));
  }

  /** The whole record; for what looks at more than the printer does. */
  parse(): Record<string, unknown> {
    return this.isRecord
      ? (JSON.parse(this.source) as Record<string, unknown>)
      : { level: this.level, msg: this.source };
  }

  #forget(): void {
    this.fields.length = 0;
    this.errors.length = 0;
    this.level = DEFAULT_LEVEL;
    this.levelWord = undefined;
    this.time = undefined;
    this.traceId = '';
    this.spanId = '';
    this.#tokens.fill(ABSENT);
  }

  #assign(role: number | undefined, index: number): void {
    if (role === undefined) this.#addField(index);
    else if (role === ROLE.level) this.#readLevel(index);
    else if (role === ROLE.time) this.#readTime(index);
    else if (role === ROLE.error && this.#isObject(index)) this.errors.push(index);
    else if (OBJECT_ROLES.has(role) && !this.#isObject(index)) this.#addField(index);
    else this.#tokens[role] = index;
  }

  #index(role: Role): number {
    return this.#tokens[role] ?? ABSENT;
  }

  #has(role: Role): boolean {
    return this.#index(role) !== ABSENT;
  }

  /** Without ids that are ids nothing is known of a span: what stands under its keys is printed as it is. */
  #addUnread(): void {
    for (const role of [ROLE.traceId, ROLE.spanId, ROLE.parentSpanId, ROLE.span]) {
      if (this.#has(role)) this.#addField(this.#index(role));
    }
  }

  #addField(index: number): void {
    this.fields.push(index);
  }

  #readLevel(index: number): void {
    if (index > 0 && this.#isPrefix(0, ROLE.level)) return;
    const kind = this.kind(index);
    const value =
      kind === NUMBER
        ? this.#numberAt(index)
        : kind === PLAIN_STRING || kind === STRING
          ? this.#textAt(index)
          : undefined;
    const level =
      readLevel(value) ??
      (typeof value === 'string' ? this.#customLevels.get(value.toLowerCase()) : undefined);
    this.level = level ?? DEFAULT_LEVEL;
    this.levelWord = level === undefined && typeof value === 'string' ? value : undefined;
  }

  /** Where level and time begin the line they are pino's own; keys of that name further on are the user's. */
  #readTime(index: number): void {
    if (index === 1 || !this.#isPrefix(1, ROLE.time)) this.time = this.#timeAt(index);
  }

  #isPrefix(index: number, role: Role): boolean {
    const { keys } = this.#scanner;
    return keys[0]?.text === this.#levelKey && keys[index]?.role === role && this.kind(index) === NUMBER;
  }

  #numberAt(index: number): number {
    const from = this.#scanner.starts[index] ?? 0;
    const to = this.#scanner.ends[index] ?? 0;
    // A safe integer without sign, fraction or exponent, which pino writes, costs less than Number does.
    if (to - from > 15) return Number(this.token(index));
    let value = 0;
    for (let at = from; at < to; at++) {
      const digit = this.#text.charCodeAt(at) - 0x30;
      if (digit < 0 || digit > 9) return Number(this.token(index));
      value = value * 10 + digit;
    }
    return value;
  }

  #timeAt(index: number): number | string | undefined {
    const kind = this.kind(index);
    if (kind === NUMBER) return this.#numberAt(index);
    return kind === PLAIN_STRING || kind === STRING ? this.#textAt(index) : undefined;
  }

  #isObject(index: number): boolean {
    return this.#text.charCodeAt(this.#scanner.starts[index] ?? 0) === 0x7b;
  }

  #objectAt(index: number): Record<string, unknown> | undefined {
    return index === ABSENT || !this.#isObject(index)
      ? undefined
      : (this.value(index) as Record<string, unknown>);
  }

  #idAt(index: number): string {
    if (index === ABSENT || this.kind(index) !== PLAIN_STRING) return '';
    const from = (this.#scanner.starts[index] ?? 0) + 1;
    const to = (this.#scanner.ends[index] ?? 0) - 1;
    if (to - from < LEAST_ID_LENGTH || to - from > MOST_ID_LENGTH) return '';
    for (let at = from; at < to; at++) if (!isLowerHex(this.#text.charCodeAt(at))) return '';
    return this.#text.slice(from, to);
  }

  #textOf(role: Role): string {
    return this.#textAt(this.#index(role));
  }

  /** A value as text: strings decoded, anything else as its JSON. */
  #textAt(index: number): string {
    if (index === ABSENT) return '';
    const token = this.token(index);
    const kind = this.kind(index);
    if (kind === PLAIN_STRING) return token.slice(1, -1);
    return kind === STRING ? decode(token) : token;
  }
}

function isLowerHex(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66);
}
