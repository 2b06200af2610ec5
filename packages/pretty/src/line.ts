import { DEFAULT_LEVEL, readLevel, readTimeMs } from '@treeline/contract';
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
  readonly maxLength: number;
}

const ROLES = [
  'level',
  'time',
  'message',
  'name',
  'module',
  'pid',
  'hostname',
  'worker',
  'traceId',
  'spanId',
  'parentSpanId',
  'traceFlags',
  'spanSeq',
  'span',
  'requestId',
  'request',
  'response',
  'responseTime',
  'error',
] as const;

type Role = (typeof ROLES)[number];

const KNOWN_KEYS: readonly (readonly [string, Role])[] = [
  ['name', 'name'],
  ['module', 'module'],
  ['pid', 'pid'],
  ['hostname', 'hostname'],
  ['worker', 'worker'],
  ['trace_id', 'traceId'],
  ['span_id', 'spanId'],
  ['parent_span_id', 'parentSpanId'],
  ['trace_flags', 'traceFlags'],
  ['span_seq', 'spanSeq'],
  ['span', 'span'],
  ['reqId', 'requestId'],
  ['req_id', 'requestId'],
  ['req', 'request'],
  ['res', 'response'],
  ['responseTime', 'responseTime'],
];

const ABSENT = -1;
/** What is longer is no id, and would be kept for each request. */
const MAX_REQUEST_ID_LENGTH = 128;
/** W3C ids are 16 and 32 digits; other tracers write shorter and longer ones. */
const ID = /^[0-9a-f]{8,64}$/;

/**
 * One line of the log, read for printing. The same object is filled again for each line: what is kept must be copied out. Texts are
 * as they stand in the log, not yet escaped.
 */
export class Line {
  /** False for a line that is no JSON object; its text is `message`. */
  isRecord = false;
  level = 0;
  /** A level that is a word of none of the known levels. */
  levelWord: string | undefined;
  /** As it was logged. */
  time: number | string | undefined;
  /** Tokens that are fields to print, in order. */
  readonly fields: number[] = [];
  /** Tokens under keys that hold errors. */
  readonly errors: number[] = [];

  readonly #scanner = new LineScanner();
  readonly #roles: ReadonlyMap<string, Role>;
  readonly #customLevels: ReadonlyMap<string, number>;
  readonly #levelKey: string;
  readonly #maxLength: number;
  #text = '';
  #start = 0;
  #end = 0;
  #message = ABSENT;
  #name = ABSENT;
  #module = ABSENT;
  #pid = ABSENT;
  #hostname = ABSENT;
  #worker = ABSENT;
  #traceId = ABSENT;
  #spanId = ABSENT;
  #parentSpanId = ABSENT;
  #spanSeq = ABSENT;
  #span = ABSENT;
  #requestId = ABSENT;
  #request = ABSENT;
  #response = ABSENT;
  #responseTime = ABSENT;

  constructor(keys: LineKeys) {
    this.#roles = new Map<string, Role>([
      ...KNOWN_KEYS,
      ...keys.errorLikeObjectKeys.map((key): [string, Role] => [key, 'error']),
      [keys.messageKey, 'message'],
      [keys.levelKey, 'level'],
      [keys.timestampKey, 'time'],
    ]);
    this.#customLevels = keys.customLevels;
    this.#levelKey = keys.levelKey;
    this.#maxLength = keys.maxLength;
  }

  /** Reads the line from `start` up to `end`, where its line feed is. */
  read(text: string, start: number, end: number): void {
    this.#text = text;
    this.#start = start;
    this.#end = end;
    this.#forget();
    this.isRecord = end - start < this.#maxLength && this.#scanner.scan(text, start, end);
    if (!this.isRecord) return;
    const { count, keys } = this.#scanner;
    for (let index = 0; index < count; index++) this.#assign(this.#roles.get(keys[index] ?? ''), index);
    if (this.#name !== ABSENT && this.#module !== ABSENT) this.#addField(this.#module);
  }

  /** The raw text of the whole line, a carriage return at its end left out. */
  get source(): string {
    if (this.isTooLong) return this.#text.slice(this.#start, this.#start + this.#maxLength);
    const end = this.#text.charCodeAt(this.#end - 1) === 0x0d ? this.#end - 1 : this.#end;
    return this.#text.slice(this.#start, end);
  }

  /** Whether the line reached the length beyond which it is cut; how much longer it was is not known. */
  get isTooLong(): boolean {
    return this.#end - this.#start >= this.#maxLength;
  }

  get message(): string {
    return this.isRecord ? this.#textAt(this.#message) : this.source;
  }

  /** The logger's name, or its module where it has only that. */
  get name(): string {
    return this.#textAt(this.#name === ABSENT ? this.#module : this.#name);
  }

  get pid(): string {
    return this.#textAt(this.#pid);
  }

  get hostname(): string {
    return this.#textAt(this.#hostname);
  }

  get worker(): string {
    return this.#textAt(this.#worker);
  }

  get timeMs(): number | undefined {
    return readTimeMs(this.time);
  }

  /** Empty where there is none, or what stands there is no id. */
  get traceId(): string {
    return this.#idAt(this.#traceId);
  }

  get spanId(): string {
    return this.#idAt(this.#spanId);
  }

  get parentSpanId(): string {
    return this.#idAt(this.#parentSpanId);
  }

  get spanSeq(): number | undefined {
    if (this.#spanSeq === ABSENT) return undefined;
    const seq = this.value(this.#spanSeq);
    return typeof seq === 'number' && Number.isSafeInteger(seq) && seq >= 0 ? seq : undefined;
  }

  /** Whether the line belongs to a span. */
  get hasSpan(): boolean {
    return this.#traceId !== ABSENT && this.#spanId !== ABSENT && this.traceId !== '' && this.spanId !== '';
  }

  get span(): SpanFields | undefined {
    return this.#objectAt(this.#span) as SpanFields | undefined;
  }

  /** The id of the request that the line belongs to; empty where there is none. */
  get requestId(): string {
    const id = this.#requestId === ABSENT ? this.request?.['id'] : this.#textAt(this.#requestId);
    const text = typeof id === 'string' || typeof id === 'number' ? String(id) : '';
    return text.length > MAX_REQUEST_ID_LENGTH ? '' : text;
  }

  get hasRequest(): boolean {
    return this.#requestId !== ABSENT || this.#request !== ABSENT;
  }

  get request(): Record<string, unknown> | undefined {
    return this.#objectAt(this.#request);
  }

  get response(): Record<string, unknown> | undefined {
    return this.#objectAt(this.#response);
  }

  /** Milliseconds, on the line that ends a request. */
  get responseTime(): number | undefined {
    const value = this.#responseTime === ABSENT ? undefined : this.value(this.#responseTime);
    return typeof value === 'number' ? value : undefined;
  }

  /** Tokens that are fields only where the line is not printed as part of a request. */
  get requestFields(): number[] {
    return [this.#requestId, this.#request, this.#response, this.#responseTime].filter(
      (index) => index !== ABSENT,
    );
  }

  key(index: number): string {
    return this.#scanner.keys[index] ?? '';
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
    this.#message = this.#name = this.#module = this.#pid = this.#hostname = this.#worker = ABSENT;
    this.#traceId = this.#spanId = this.#parentSpanId = this.#spanSeq = this.#span = ABSENT;
    this.#requestId = this.#request = this.#response = this.#responseTime = ABSENT;
  }

  #assign(role: Role | undefined, index: number): void {
    switch (role) {
      case undefined:
        this.#addField(index);
        break;
      case 'level':
        this.#readLevel(index);
        break;
      case 'time':
        // Where level and time begin the line they are pino's own; keys of that name further on are the user's.
        if (index === 1 || !this.#isPrefix(1, 'time')) this.time = this.#timeAt(index);
        break;
      case 'message':
        this.#message = index;
        break;
      case 'name':
        this.#name = index;
        break;
      case 'module':
        this.#module = index;
        break;
      case 'pid':
        this.#pid = index;
        break;
      case 'hostname':
        this.#hostname = index;
        break;
      case 'worker':
        this.#worker = index;
        break;
      case 'traceId':
        this.#traceId = index;
        break;
      case 'spanId':
        this.#spanId = index;
        break;
      case 'parentSpanId':
        this.#parentSpanId = index;
        break;
      case 'traceFlags':
        break;
      case 'spanSeq':
        this.#spanSeq = index;
        break;
      case 'span':
        if (this.#isObject(index)) this.#span = index;
        else this.#addField(index);
        break;
      case 'requestId':
        this.#requestId = index;
        break;
      case 'request':
        if (this.#isObject(index)) this.#request = index;
        else this.#addField(index);
        break;
      case 'response':
        this.#response = index;
        break;
      case 'responseTime':
        this.#responseTime = index;
        break;
      case 'error':
        if (this.#isObject(index)) this.errors.push(index);
        else this.#addField(index);
        break;
    }
  }

  #addField(index: number): void {
    this.fields.push(index);
  }

  #readLevel(index: number): void {
    if (index > 0 && this.#isPrefix(0, 'level')) return;
    const kind = this.kind(index);
    const value =
      kind === NUMBER
        ? Number(this.token(index))
        : kind === PLAIN_STRING || kind === STRING
          ? this.#textAt(index)
          : undefined;
    const level =
      readLevel(value) ??
      (typeof value === 'string' ? this.#customLevels.get(value.toLowerCase()) : undefined);
    this.level = level ?? DEFAULT_LEVEL;
    this.levelWord = level === undefined && typeof value === 'string' ? value : undefined;
  }

  #isPrefix(index: number, role: Role): boolean {
    const { keys } = this.#scanner;
    return (
      keys[0] === this.#levelKey && this.#roles.get(keys[index] ?? '') === role && this.kind(index) === NUMBER
    );
  }

  #timeAt(index: number): number | string | undefined {
    const kind = this.kind(index);
    if (kind === NUMBER) return Number(this.token(index));
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
    const id = this.#textAt(index);
    return ID.test(id) ? id : '';
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
