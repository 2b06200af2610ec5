import { Aging } from './aging.ts';
import { detached } from './detached.ts';
import type { LevelDirective } from '@treeline/query';
import { formatAttrToken, formatAttrValue } from './field.ts';
import type { Line, SpanFields } from './line.ts';

/** A span, or a request of a log without spans, as far as this input has told of it. */
export interface Span {
  readonly key: string;
  readonly traceId: string;
  readonly spanId: string;
  /** A request of pino-http or Fastify, known by its id alone. */
  readonly isRequest: boolean;
  readonly requestId: string;
  /** `open` from its open line to its close; `implicit` where no open line has been seen. */
  state: 'implicit' | 'open' | 'closed';
  /** As it was logged; empty where it is not known. */
  name: string;
  parentKey: string | undefined;
  /** The parent's id where the parent is not in this input. */
  missingParentId: string;
  /** 0 for a root. */
  depth: number;
  /** The root's key; records of one lane are drawn as one tree. */
  laneKey: string;
  level: number;
  time: number | string | undefined;
  openMs: number | undefined;
  lastMs: number | undefined;
  /** Whether its open line, or a request's first line, has been seen. */
  openSeen: boolean;
  /** Whether its open has been printed. */
  shown: boolean;
  hasChildren: boolean;
  /** Kept until they have been printed; values as they will be. */
  attrs: Map<string, string> | undefined;
  attrBytes: number;
  /** From its attributes, as it is printed; empty where it has none. */
  httpStatus: string;
  /** Lines seen, by level; of more levels than are sensible nothing is claimed. */
  seen: readonly { readonly level: number; count: number }[];
  /** Level directives that hold inside. */
  directives: readonly LevelDirective[];
  nextSeq: number;
  seqsAhead: Set<number> | undefined;
}

/** What a line does to its span. */
export interface Step {
  readonly op: 'open' | 'record' | 'event' | 'close';
  readonly span: Span;
  readonly fields: SpanFields;
  /** The line came more than a millisecond behind a later one of its lane, or after its span had closed. */
  readonly isLate: boolean;
}

/** How much is remembered. */
export interface SpanLimits {
  readonly maxOpenSpans: number;
  /** 0: for ever. */
  readonly maxOpenMs: number;
  /** The least level that is printed: nothing is claimed of those below. */
  readonly leastLevel: number;
}

/** HTTP status by OpenTelemetry's names, new and old: https://opentelemetry.io/docs/specs/semconv/http/ */
export const HTTP_STATUS_ATTRS: readonly string[] = ['http.response.status_code', 'http.status_code'];
/** What is longer is no status. */
const MAX_STATUS_LENGTH = 16;

/** Numbers beyond a gap that are remembered for each span, to know doubles; a double of an older one is not found. */
const MAX_SEQS_AHEAD = 64;
const LATE_MS = 1;
/** Of one span's attributes so much is kept while they wait to be printed. */
const MAX_ATTR_BYTES = 4096;
/** Names are meant to be short: 256 characters are what core itself writes. */
const MAX_NAME_LENGTH = 256;
const MAX_LEVELS = 16;
const NOTHING_SEEN: Span['seen'] = [];
const NO_DIRECTIVES: readonly LevelDirective[] = [];
/** Closed spans are remembered for lines that come late, implicit ones as long as others don't push them out. */
const MAX_SETTLED_SPANS = 2000;

/** The spans of the input, in bounded memory; parents are found by key, so that a span that is given up is free. */
export class SpanTable {
  readonly #limits: SpanLimits;
  readonly #open = new Aging<Span>();
  /** Closed and implicit spans, for late lines and children. */
  readonly #settled = new Aging<Span>();
  #leastLevel = Infinity;
  /** Whether a request has told of itself; before, an id alone is not looked up. */
  #hasRequests = false;
  /** The span of the last line that had one. */
  #last: Span | undefined;
  /** Lines that came twice. */
  doubles = 0;
  /** Open spans that were given up. */
  evicted = 0;
  /** Lines that spans say they wrote and that are not in this input. */
  missing = 0;
  /** Attributes that did not fit into what is kept. */
  cutAttrs = 0;
  /** The time of the last record. */
  lastMs: number | undefined;
  /** Told of each span that opens, with its attributes. */
  onOpen: ((span: Span, parent: Span | undefined, attrs: unknown) => void) | undefined;
  onEvict: ((span: Span) => void) | undefined;

  constructor(limits: SpanLimits) {
    this.#limits = limits;
  }

  /** Notes a line that belongs to a span; undefined for one that came before. */
  step(line: Line): Step | undefined {
    const fields = line.span ?? {};
    const known = this.spanOf(line);
    const span = known ?? this.#create(keyOf(line), line, false);
    this.#last = span;
    if (this.#isDouble(span, line.spanSeq)) {
      this.doubles++;
      return undefined;
    }
    const wasClosed = span.state === 'closed';
    const op = this.#apply(span, fields, line);
    return { op, span, fields, isLate: this.#touch(span, line, known !== undefined && wasClosed) };
  }

  /**
   * Notes a line that belongs to a request: the first one that tells of it opens it, the one with a response time closes it. Undefined
   * for a line that has an id alone, of a request that is not known: such lines make no tree.
   */
  stepRequest(line: Line): Step | undefined {
    const tellsOfItself = line.hasRequestObject;
    if (!tellsOfItself && !(this.#hasRequests && line.hasRequest)) return undefined;
    if (line.requestId === '') return undefined;
    const key = `req:${line.hostname}:${line.pid}:${line.requestId}`;
    let known = this.find(key);
    if (!tellsOfItself && !known) return undefined;
    this.#hasRequests = true;
    const { request, responseTime } = line;
    const begins = request !== undefined && responseTime === undefined;
    // A process that has started anew counts its requests from 1 again.
    if (known?.state === 'closed' && begins) {
      this.#settled.delete(key);
      known = undefined;
    }
    const span = known ?? this.#create(key, line, true);
    if (request && span.name === '') span.name = shortName(requestName(request));
    const wasClosed = span.state === 'closed';
    const closes = responseTime !== undefined && !wasClosed;
    if (span.state === 'implicit') this.#move(span, 'open');
    this.#count(span, line);
    const isLate = this.#touch(span, line, wasClosed);
    if (closes) this.#move(span, 'closed');
    return { op: closes ? 'close' : known ? 'event' : 'open', span, fields: {}, isLate };
  }

  /** The span that a line stands in, if it is known. */
  spanOf(line: Line): Span | undefined {
    if (!line.hasSpan) return undefined;
    const last = this.#last;
    // Lines of one span come in runs.
    if (last && last.spanId === line.spanId && last.traceId === line.traceId) return last;
    return this.find(keyOf(line));
  }

  find(key: string | undefined): Span | undefined {
    return key === undefined ? undefined : (this.#open.get(key) ?? this.#settled.get(key));
  }

  parentOf(span: Span): Span | undefined {
    return this.find(span.parentKey);
  }

  /** From the span up to its root, at most `most` of them. */
  ancestry(span: Span, most: number): Span[] {
    const path: Span[] = [];
    for (let each: Span | undefined = span; each && path.length < most; each = this.parentOf(each))
      path.push(each);
    return path;
  }

  isWithin(span: Span, ancestor: Span): boolean {
    if (span.laneKey !== ancestor.laneKey || ancestor.depth > span.depth) return false;
    let each: Span | undefined = span;
    while (each && each.depth > ancestor.depth) each = this.parentOf(each);
    return each === ancestor;
  }

  openSpans(): Span[] {
    return this.#open.values();
  }

  /** Lines that the span says it wrote and that were not seen, of levels that are printed and that this input holds. */
  claimMissing(span: Span, lines: unknown): number {
    if (typeof lines !== 'object' || lines === null || span.seen.length >= MAX_LEVELS) return 0;
    let missing = 0;
    for (const [level, written] of Object.entries(lines)) {
      const number = Number(level);
      if (!(number >= Math.max(this.#limits.leastLevel, this.#leastLevel)) || !Number.isSafeInteger(written))
        continue;
      missing += Math.max(
        0,
        (written as number) - (span.seen.find((each) => each.level === number)?.count ?? 0),
      );
    }
    this.missing += missing;
    return missing;
  }

  /** Notes that the input holds a record, of a span or not. */
  noteRecord(level: number, ms: number | undefined): void {
    if (level < this.#leastLevel) this.#leastLevel = level;
    if (ms !== undefined) this.lastMs = ms;
  }

  #create(lineKey: string, line: Line, isRequest: boolean): Span {
    const key = detached(lineKey);
    const { traceId, spanId } = line;
    const span: Span = {
      key,
      // Cut from the key, not from the line, whose batch they would keep.
      traceId: isRequest ? '' : key.slice(0, traceId.length),
      spanId: isRequest ? '' : key.slice(traceId.length + 1, traceId.length + 1 + spanId.length),
      isRequest,
      requestId: isRequest ? detached(line.requestId) : '',
      state: 'implicit',
      name: '',
      parentKey: undefined,
      missingParentId: '',
      depth: 0,
      laneKey: key,
      level: line.level,
      time: typeof line.time === 'string' ? detached(line.time) : line.time,
      openMs: line.timeMs,
      lastMs: undefined,
      openSeen: isRequest,
      shown: false,
      hasChildren: false,
      attrs: undefined,
      attrBytes: 0,
      httpStatus: '',
      seen: NOTHING_SEEN,
      directives: NO_DIRECTIVES,
      nextSeq: 0,
      seqsAhead: undefined,
    };
    this.#settled.set(key, span);
    this.#bound();
    return span;
  }

  #apply(span: Span, fields: SpanFields, line: Line): Step['op'] {
    this.#count(span, line);
    const { op } = fields;
    if (op !== 'open' && op !== 'close' && op !== 'record') return 'event';
    const before = span.state;
    if (typeof fields.name === 'string' && span.name === '') span.name = shortName(fields.name);
    if (before === 'implicit') this.#attach(span, line);
    this.#keepAttrs(span, fields.attrs);
    this.#keepFields(span, line);
    if (op === 'close') {
      if (before !== 'closed') this.#move(span, 'closed');
      return 'close';
    }
    // A second open of a span tells more of it, and no more than that.
    if (op === 'record' || before !== 'implicit') return 'record';
    span.level = line.level;
    span.time = typeof line.time === 'string' ? detached(line.time) : line.time;
    span.openMs = line.timeMs;
    span.openSeen = true;
    this.#move(span, 'open');
    this.onOpen?.(span, this.parentOf(span), fields.attrs);
    return 'open';
  }

  #attach(span: Span, line: Line): void {
    const { parentSpanId } = line;
    if (parentSpanId === '' || span.parentKey !== undefined) return;
    const parent = this.find(`${span.traceId}:${parentSpanId}`);
    if (!parent || this.isWithin(parent, span)) {
      span.missingParentId = detached(parentSpanId);
      return;
    }
    span.parentKey = parent.key;
    span.depth = parent.depth + 1;
    span.laneKey = parent.laneKey;
    parent.hasChildren = true;
  }

  #keepAttrs(span: Span, attrs: unknown): void {
    if (typeof attrs !== 'object' || attrs === null) return;
    for (const key of Object.keys(attrs)) {
      const value = (attrs as Record<string, unknown>)[key];
      const text = formatAttrValue(value);
      const isStatus =
        HTTP_STATUS_ATTRS.includes(key) && (typeof value === 'number' || typeof value === 'string');
      if (isStatus && text.length <= MAX_STATUS_LENGTH) span.httpStatus = text;
      this.#keepAttr(span, key, text);
    }
  }

  /** What else stands on a span's own lines is told with its attributes. */
  #keepFields(span: Span, line: Line): void {
    for (const index of line.fields)
      this.#keepAttr(span, detached(line.key(index).text), detached(formatAttrToken(line, index)));
    const { message } = line;
    if (message !== '' && message !== span.name) this.#keepAttr(span, 'msg', formatAttrValue(message));
  }

  #keepAttr(span: Span, key: string, value: string): void {
    const bytes = key.length + value.length - (span.attrs?.get(key)?.length ?? -key.length);
    if (span.attrBytes + bytes > MAX_ATTR_BYTES) {
      this.cutAttrs++;
      return;
    }
    span.attrBytes += bytes;
    span.attrs ??= new Map();
    span.attrs.set(key, value);
  }

  #count(span: Span, line: Line): void {
    const { level } = line;
    const known = span.seen.find((each) => each.level === level);
    if (known) known.count++;
    // An array that is pushed to has room for many more; most spans write one level or two.
    else if (span.seen.length < MAX_LEVELS) span.seen = [...span.seen, { level, count: 1 }];
  }

  #isDouble(span: Span, seq: number | undefined): boolean {
    if (seq === undefined) return false;
    if (seq < span.nextSeq || span.seqsAhead?.has(seq)) return true;
    if (seq > span.nextSeq) {
      const ahead = (span.seqsAhead ??= new Set());
      const [first] = ahead.size >= MAX_SEQS_AHEAD ? ahead : [];
      if (first !== undefined) ahead.delete(first);
      ahead.add(seq);
      return false;
    }
    span.nextSeq++;
    while (span.seqsAhead?.delete(span.nextSeq)) span.nextSeq++;
    return false;
  }

  /** Marks the span and its lane as alive; true for a line that is late. */
  #touch(span: Span, line: Line, wasClosed: boolean): boolean {
    const ms = line.timeMs;
    const lane = span.laneKey === span.key ? span : (this.find(span.laneKey) ?? span);
    const isLate = wasClosed || (ms !== undefined && lane.lastMs !== undefined && ms < lane.lastMs - LATE_MS);
    if (ms !== undefined) {
      lane.lastMs = Math.max(ms, lane.lastMs ?? ms);
      span.lastMs = Math.max(ms, span.lastMs ?? ms);
      this.#evictSilent(ms);
    }
    const { maxOpenSpans, maxOpenMs } = this.#limits;
    if (span.state === 'open' && (maxOpenMs > 0 || this.#open.size * 2 > maxOpenSpans)) {
      this.#open.renew(span.key);
    }
    return isLate;
  }

  #move(span: Span, state: 'open' | 'closed'): void {
    span.state = state;
    this.#open.delete(span.key);
    this.#settled.delete(span.key);
    (state === 'open' ? this.#open : this.#settled).set(span.key, span);
    this.#bound();
  }

  #bound(): void {
    if (this.#open.size > this.#limits.maxOpenSpans) this.#evictOldest();
    if (this.#settled.size <= Math.min(MAX_SETTLED_SPANS, this.#limits.maxOpenSpans)) return;
    const oldest = this.#settled.oldest();
    if (oldest) this.#forget(this.#settled, oldest);
  }

  #forget(spans: Aging<Span>, span: Span): void {
    spans.delete(span.key);
    if (span === this.#last) this.#last = undefined;
  }

  #evictSilent(nowMs: number): void {
    const { maxOpenMs } = this.#limits;
    if (maxOpenMs === 0) return;
    for (let span = this.#open.oldest(); span; span = this.#open.oldest()) {
      if (span.lastMs === undefined || span.lastMs >= nowMs - maxOpenMs) return;
      this.#evictOldest();
    }
  }

  #evictOldest(): void {
    const oldest = this.#open.oldest();
    if (!oldest) return;
    this.#forget(this.#open, oldest);
    this.evicted++;
    this.onEvict?.(oldest);
  }
}

function keyOf({ traceId, spanId }: Line): string {
  return `${traceId}:${spanId}`;
}

function shortName(name: string): string {
  return name.length > MAX_NAME_LENGTH ? `${name.slice(0, MAX_NAME_LENGTH)}…` : name;
}

function requestName(request: Record<string, unknown>): string {
  const { method, url } = request;
  return [method, url].filter((part) => typeof part === 'string').join(' ');
}
