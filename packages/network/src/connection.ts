import { readFileSync } from 'node:fs';
import { TreelineError } from '@treeline/contract';
import { buildConnector, Client } from 'undici';
import { faultOutcome, isClosedConnection } from './fault.ts';
import type { ParsedNetworkOptions } from './options.ts';
import type { Answer, Outcome } from './protocol.ts';
import { readRetryAfterMs } from './retry-after.ts';

/** More than any answer says that is of use; the rest is not read, and the connection is given up. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

const MAX_CONNECT_MS = 10_000;

export interface Request {
  readonly method: 'POST' | 'PUT';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** An answer, or what it means that there was none. */
export type Reply =
  | { readonly answer: Answer; readonly retryAfterMs: number | undefined }
  | { readonly outcome: Outcome };

/** The connection to one server, made when it is needed and again when it breaks. */
export class Connection {
  readonly #client: Client;
  readonly #timeoutMs: number;
  /** Answers that have come over the connection that is open now. */
  #answers = 0;

  constructor({ url, timeout, tls }: ParsedNetworkOptions) {
    this.#timeoutMs = timeout;
    this.#client = new Client(new URL(url).origin, {
      connect: createConnector(tls, Math.min(timeout, MAX_CONNECT_MS)),
      headersTimeout: timeout,
      bodyTimeout: timeout,
    });
    this.#client.on('connect', () => {
      this.#answers = 0;
    });
  }

  /** One request at a time. Never rejects. */
  async send(request: Request): Promise<Reply> {
    const isReused = this.#answers > 0;
    try {
      return await this.#exchange(request);
    } catch (error) {
      // Servers close idle connections at the moment of the next request, too; that is no fault, and told to nobody.
      if (!isReused || !isClosedConnection(error)) return { outcome: faultOutcome(error) };
    }
    return this.#exchange(request).catch((error: unknown) => ({ outcome: faultOutcome(error) }));
  }

  /** Ends the request that is under way, if there is one. */
  async close(): Promise<void> {
    await this.#client.destroy();
  }

  async #exchange({ method, path, headers, body }: Request): Promise<Reply> {
    const deadline = new AbortController();
    const timer = setTimeout(
      () => deadline.abort(new Error(`it did not answer within ${this.#timeoutMs} ms`)),
      this.#timeoutMs,
    );
    try {
      const response = await this.#client.request({
        method,
        path,
        headers,
        body,
        signal: deadline.signal,
      });
      const header = (name: string): string | undefined => [response.headers[name] ?? []].flat()[0];
      const { text, isWhole } = await readStart(response.body);
      this.#answers++;
      return {
        answer: { status: response.statusCode, contentType: header('content-type') ?? '', text, isWhole },
        retryAfterMs: readRetryAfterMs(header('retry-after'), header('date'), Date.now()),
      };
    } finally {
      clearTimeout(timer);
    }
  }
}

async function readStart(body: AsyncIterable<Uint8Array>): Promise<{ text: string; isWhole: boolean }> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Leaving the loop early destroys the body, and the connection with it.
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) return { text: textOf(chunks), isWhole: false };
  }
  return { text: textOf(chunks), isWhole: true };
}

function textOf(chunks: readonly Uint8Array[]): string {
  return Buffer.concat(chunks).toString('utf8');
}

/** PEM files are read at each connection, so that certificates may be renewed while the program runs. */
function createConnector(tls: ParsedNetworkOptions['tls'], timeout: number): buildConnector.connector {
  if (!tls) return buildConnector({ timeout });
  return (options, callback) => {
    try {
      buildConnector({ timeout, ...readCertificates(tls) })(options, callback);
    } catch (error) {
      callback(error as Error, null);
    }
  };
}

/**
 * The PEM texts behind the options.
 *
 * @throws TreelineError DESTINATION_UNUSABLE that names a file which can't be read.
 */
export function readCertificates(tls: NonNullable<ParsedNetworkOptions['tls']>): Record<string, string> {
  const pems: Record<string, string> = {};
  for (const [name, given] of Object.entries(tls)) {
    if (given !== undefined) pems[name] = given.includes('-----BEGIN') ? given : readPem(name, given);
  }
  return pems;
}

function readPem(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new TreelineError(
      'DESTINATION_UNUSABLE',
      `tls.${name} can't be read from ${path}: ${String(cause)}`,
      {
        cause,
      },
    );
  }
}
