import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { parseLine, type LogRecord } from '@treeline/contract';

export interface Received {
  readonly method: string | undefined;
  readonly url: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
  readonly atMs: number;
}

type Respond = (response: http.ServerResponse, request: Received) => void;

/** A server that keeps what it is sent, and answers as a test tells it. */
export interface TestServer {
  readonly origin: string;
  readonly requests: Received[];
  /** Decides the next answers in turn; then `otherwise` does. */
  readonly answers: Respond[];
  otherwise: Respond;
  close(): Promise<void>;
}

export function answer(status: number, body = '', headers: http.OutgoingHttpHeaders = {}): Respond {
  return (response) => response.writeHead(status, headers).end(body);
}

export async function startTestServer(): Promise<TestServer> {
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('error', () => undefined);
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const raw = Buffer.concat(chunks);
      const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
      const received = {
        method: request.method,
        url: request.url ?? '',
        headers: request.headers,
        body,
        atMs: performance.now(),
      };
      test.requests.push(received);
      (test.answers.shift() ?? test.otherwise)(response, received);
    });
  });
  const test: TestServer = {
    origin: '',
    requests: [],
    answers: [],
    otherwise: answer(204),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(test, { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

/** The lines of a body, read as every sink reads them. */
export function recordsOf(body: Buffer): LogRecord[] {
  return body
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map(parseLine);
}
