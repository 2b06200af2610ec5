import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import {
  raceAbort,
  TreelineError,
  type Batch,
  type Sink,
  type SinkContext,
  type WriteResult,
} from '@treeline/contract';
import { attemptBatch, type Attempt } from './attempt.ts';
import { Connection, readCertificates } from './connection.ts';
import { createElasticsearchProtocol } from './elasticsearch.ts';
import { createHttpProtocol } from './http.ts';
import type { ParsedNetworkOptions } from './options.ts';
import type { Lines, Outcome, Protocol } from './protocol.ts';
import { RecordIds } from './record-ids.ts';
import { createRedactor } from './redact.ts';
import { Refusals } from './refusals.ts';

const gzipAsync = promisify(gzip);

/** Log lines shrink to a tenth at the lowest level; the higher ones cost more than they save. */
const GZIP = { level: constants.Z_BEST_SPEED };

/** A server that could not read compressed bodies may have been replaced by then. */
const UNCOMPRESSED_MS = 3_600_000;

/** Waits for somebody to change something double up to so many times the first. */
const MAX_HOLD_FACTOR = 10;

const PROTOCOLS: Readonly<
  Record<ParsedNetworkOptions['protocol'], (options: ParsedNetworkOptions) => Protocol>
> = {
  http: createHttpProtocol,
  elasticsearch: createElasticsearchProtocol,
};

/**
 * Opens a sink for a server. Nothing is sent: a server that is down is a matter of waiting, and known to be so at the first write.
 *
 * @throws TreelineError DESTINATION_UNUSABLE where a PEM file can't be read.
 */
export function openNetworkSink(options: ParsedNetworkOptions, context: SinkContext): Sink {
  if (options.tls) readCertificates(options.tls);
  return new NetworkSink(options, context);
}

/** One server, one request at a time; keeps nothing: what could not be sent is offered again. */
class NetworkSink implements Sink {
  readonly #options: ParsedNetworkOptions;
  readonly #context: SinkContext;
  readonly #protocol: Protocol;
  readonly #connection: Connection;
  readonly #redact: (text: string) => string;
  readonly #place: string;
  readonly #path: string;
  readonly #ids = new RecordIds();
  readonly #refusals = new Refusals();
  readonly #closing = new AbortController();
  /** On the monotonic clock: the server is left alone until then. */
  #notBeforeMs = 0;
  #holds = 0;
  #uncompressedUntilMs = 0;
  #maxBytes = Infinity;
  #underWay: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | undefined;

  constructor(options: ParsedNetworkOptions, context: SinkContext) {
    this.#options = options;
    this.#context = context;
    this.#protocol = PROTOCOLS[options.protocol](options);
    this.#connection = new Connection(options);
    this.#redact = createRedactor(options);
    const { origin, pathname, search } = new URL(options.url);
    this.#place = `${origin}${pathname}`;
    this.#path =
      this.#protocol.path === ''
        ? `${pathname}${search}`
        : `${pathname.replace(/\/$/, '')}${this.#protocol.path}${search.replace('?', '&')}`;
  }

  write(batch: Batch): Promise<WriteResult | void> {
    const writing = this.#write(batch);
    this.#underWay = writing.catch(() => undefined);
    return writing;
  }

  async flush(): Promise<void> {
    // A write resolves with the server's answer: there is nothing left to do.
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), this.#options.shutdown.timeout);
    await raceAbort(this.#underWay, deadline.signal);
    clearTimeout(timer);
    await this.#connection.close();
  }

  async #write(batch: Batch): Promise<WriteResult | void> {
    await this.#untilWelcome();
    if (this.#closing.signal.aborted) throw new TreelineError('CLOSED', 'the stream is closed');
    if (batch.count === 0) return undefined;
    const idOf = this.#ids.of(batch);
    const attempt = await attemptBatch(batch, {
      send: (lines, indexes, rewritten) =>
        this.#send({ batch: lines, idOf: (index) => idOf(indexes[index] ?? 0), rewritten }),
      maxBytes: () => this.#maxBytes,
      tooLarge: (bytes) => {
        this.#maxBytes = Math.min(this.#maxBytes, Math.ceil(bytes / 2));
      },
      looksLikeAll: (refused) => this.#refusals.looksLikeAll(refused),
    });
    return this.#settle(batch, attempt);
  }

  #settle(batch: Batch, attempt: Attempt): WriteResult | void {
    const { delivered, dead, retry, isHold, rewritten } = attempt;
    if (attempt.refusesAll) this.#refusals.held();
    else this.#refusals.settled(delivered, dead.length);
    this.#hold(isHold);
    if (rewritten > 0)
      this.#context.report({
        type: 'warning',
        reason: 'records with a key that stands twice were written anew, the last one wins',
        count: rewritten,
      });
    const reason = this.#told(attempt.reason, isHold);
    this.#ids.keep(retry);
    if (retry.length === batch.count) throw new Error(reason);
    if (retry.length + dead.length === 0) return undefined;
    return {
      dead: dead.map((each) => ({ index: each.index, reason: this.#told(each.reason, false) })),
      ...(retry.length > 0 && { retry, reason }),
    };
  }

  #told(reason: string, isHold: boolean): string {
    const held = isHold ? ' (kept, and tried again; it takes somebody to change something)' : '';
    return this.#redact(`${this.#place}: ${reason}${held}`);
  }

  #hold(isHold: boolean): void {
    if (!isHold) {
      this.#holds = 0;
      return;
    }
    const factor = Math.min(MAX_HOLD_FACTOR, 2 ** this.#holds++);
    // Between a half and the whole, so that many processes don't come back at once.
    this.#leaveAlone(this.#options.retry.holdMs * factor * (0.5 + Math.random() / 2));
  }

  #leaveAlone(ms: number): void {
    this.#notBeforeMs = Math.max(this.#notBeforeMs, performance.now() + ms);
  }

  /** The one who drives the sink waits between attempts, too; only what is left of the time is waited for here. */
  async #untilWelcome(): Promise<void> {
    const waitMs = this.#notBeforeMs - performance.now();
    if (waitMs <= 0) return;
    let timer: NodeJS.Timeout | undefined;
    const slept = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, waitMs);
    });
    await raceAbort(slept, this.#closing.signal);
    clearTimeout(timer);
  }

  async #send(lines: Lines): Promise<Outcome> {
    if (this.#closing.signal.aborted) return { kind: 'retry', reason: 'the stream was closed' };
    const outcome = await this.#exchange(lines, this.#compresses);
    if (outcome.kind === 'uncompressed') {
      if (!this.#compresses) return { kind: 'hold', reason: outcome.reason };
      this.#uncompressedUntilMs = performance.now() + UNCOMPRESSED_MS;
      const again = await this.#exchange(lines, false);
      return again.kind === 'uncompressed' ? { kind: 'hold', reason: again.reason } : again;
    }
    return outcome;
  }

  get #compresses(): boolean {
    return this.#options.compress === 'gzip' && performance.now() >= this.#uncompressedUntilMs;
  }

  async #exchange(lines: Lines, compressed: boolean): Promise<Outcome> {
    const plain = this.#protocol.body(lines);
    const reply = await this.#connection.send({
      method: this.#protocol.method,
      path: this.#path,
      headers: {
        'content-type': this.#protocol.contentType,
        accept: 'application/json, */*;q=0.5',
        'accept-encoding': 'identity',
        'user-agent': 'treeline',
        ...lowerCased(this.#options.headers),
        ...(compressed && { 'content-encoding': 'gzip' }),
      },
      body: compressed ? await gzipAsync(plain, GZIP) : plain,
    });
    if ('outcome' in reply) return reply.outcome;
    const outcome = this.#protocol.outcome(reply.answer, lines.batch.count);
    if (outcome.kind === 'delivered' && outcome.warning !== undefined)
      this.#context.report({ type: 'warning', reason: this.#told(outcome.warning, false) });
    if (outcome.kind === 'retry' && reply.retryAfterMs !== undefined) this.#leaveAlone(reply.retryAfterMs);
    return outcome;
  }
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
