import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { createLogger } from '@treeline/core';
import { symbols } from 'pino';
import { afterEach, describe, expect, test } from 'vitest';
import type { FastifyInstance } from 'fastify';
import { createBackend } from './backend.ts';
import type { BackendModels } from './backend-models.ts';
import { createGateway } from './gateway.ts';
import { urlOf } from './service.ts';
import { readEvents, type ServerSentEvent } from './sse.ts';

const MODELS: BackendModels = {
  good: { firstTokenDelayMs: 0, tokenDelayMs: 0, tokens: 3 },
  brief: { firstTokenDelayMs: 0, tokenDelayMs: 10, tokens: 20 },
  endless: { firstTokenDelayMs: 0, tokenDelayMs: 5, tokens: 100_000 },
  late: { firstTokenDelayMs: 60_000, tokenDelayMs: 0, tokens: 3 },
  failing: {
    firstTokenDelayMs: 0,
    tokenDelayMs: 0,
    tokens: 3,
    failure: { kind: 'status', status: 500, every: 1 },
  },
  silent: { firstTokenDelayMs: 0, tokenDelayMs: 0, tokens: 3, failure: { kind: 'silence', every: 1 } },
  fragile: {
    firstTokenDelayMs: 0,
    tokenDelayMs: 1,
    tokens: 9,
    failure: { kind: 'broken-stream', afterTokens: 2, every: 1 },
  },
};

const ROUTES = {
  good: ['good'],
  brief: ['brief'],
  endless: ['endless'],
  late: ['late'],
  failing: ['failing'],
  silent: ['silent'],
  fragile: ['fragile'],
  spare: ['failing', 'silent', 'good'],
};

const running: { close(): unknown }[] = [];

afterEach(async () => {
  for (const service of running.splice(0)) await service.close();
});

interface TestGateway {
  readonly close: (graceMs: number) => Promise<void>;
  readonly app: FastifyInstance;
  readonly url: string;
  readonly lines: readonly Record<string, unknown>[];
  /** Resolves to the first line that fits, now or later; of span lines the close. */
  readonly lineWith: (fields: Record<string, unknown>) => Promise<Record<string, unknown>>;
}

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  running.push({
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  });
  return urlOf(server);
}

async function startGateway(givenUrl?: string, idleTimeoutMs = 30_000): Promise<TestGateway> {
  const backendUrl = givenUrl ?? (await listen(createBackend(MODELS)));
  const lines: Record<string, unknown>[] = [];
  const waiting = new Set<() => void>();
  const write = (line: string): void => {
    lines.push(JSON.parse(line) as Record<string, unknown>);
    for (const wake of waiting) wake();
  };
  const logger = createLogger({
    level: 'debug',
    enhancedFeatures: { requestTracking: {}, streamTracking: {}, errorLogging: {} },
  });
  Object.assign(logger, { [symbols.streamSym]: { write } });
  const gateway = createGateway({
    logger,
    backendUrl,
    config: { idleTimeoutMs, routes: ROUTES },
  });
  const { app } = gateway;
  await app.listen({ port: 0, host: '127.0.0.1' });
  running.unshift({ close: () => gateway.close(0) });
  const lineWith = (fields: Record<string, unknown>): Promise<Record<string, unknown>> =>
    new Promise((resolve) => {
      const look = (): void => {
        const found = lines.find(
          (line) => Object.entries(fields).every(([key, value]) => line[key] === value) && !isOpenLine(line),
        );
        if (!found) return;
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      look();
    });
  return { app, close: gateway.close, url: urlOf(app.server), lines, lineWith };
}

function isOpenLine({ span }: Record<string, unknown>): boolean {
  return typeof span === 'object' && span !== null && 'op' in span && span.op !== 'close';
}

function chat(url: string, model: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`${url}/v1/chat`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'hello' }] }),
    ...init,
  });
}

async function eventsOf(response: Response): Promise<ServerSentEvent[]> {
  if (!response.body) throw new Error('the response has no body');
  const events: ServerSentEvent[] = [];
  for await (const event of readEvents(response.body)) events.push(event);
  return events;
}

describe('createGateway', () => {
  test('streams the answer of the model that a route names', async () => {
    const { url, lineWith } = await startGateway();
    const response = await chat(url, 'good');
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect(await eventsOf(response)).toEqual([
      { event: 'token', data: '{"text":"a "}' },
      { event: 'token', data: '{"text":"log "}' },
      { event: 'token', data: '{"text":"is "}' },
      { event: 'done', data: '{"model":"good","tokens":3}' },
    ]);
    expect(await lineWith({ msg: 'answered by good' })).toMatchObject({
      level: 30,
      name: 'chat',
      type: 'chat',
      route: 'good',
      tokens: 3,
    });
  });

  test('gives each request an id that stands in all its lines and in the response', async () => {
    const { url, lines, lineWith } = await startGateway();
    const response = await chat(url, 'good');
    await response.text();
    const request = await lineWith({ type: 'request' });
    expect(request).toMatchObject({
      span: {
        name: 'POST /v1/chat',
        status: 'ok',
        attrs: { 'http.route': '/v1/chat', 'http.response.status_code': 200 },
      },
    });
    expect(new Set(lines.map((line) => line['trace_id']))).toEqual(new Set([request['trace_id'], undefined]));
    const ids = new Set(
      lines
        .filter((line) => line['name'] === 'chat' || line['type'] === 'request')
        .map((line) => line['req_id']),
    );
    expect([...ids]).toEqual([response.headers.get('x-request-id')]);
  });

  test.each([
    ['keeps the id of a caller', 'order-17.a', true],
    ['takes another id where the header holds no id', 'a b\tc', false],
    ['takes another id where the header is too long', 'x'.repeat(65), false],
  ])('%s', async (_title, id, isKept) => {
    const { app } = await startGateway();
    const response = await app.inject({
      url: '/healthz',
      headers: { 'x-request-id': id },
      cookies: { a: 'b' },
    });
    expect(response.headers['x-request-id'] === id).toBe(isKept);
  });

  test('asks the next model of a route when one fails, and says so', async () => {
    const { url, lines } = await startGateway(undefined, 1_000);
    const events = await eventsOf(await chat(url, 'spare'));
    expect(events.at(-1)).toEqual({ event: 'done', data: '{"model":"good","tokens":3}' });
    expect(lines.filter((line) => line['level'] === 40).map((line) => line['msg'])).toEqual([
      'model failing failed, asking silent',
      'model silent failed, asking good',
    ]);
  });

  test.each([
    ['failing', 502, 'model failing answered 500', 'model failing is overloaded', 30_000],
    ['silent', 504, 'model silent said nothing for 150 ms', 'nothing came for 150 ms', 150],
  ])(
    'logs an error with its causes when no model of route %s answers',
    async (route, status, cause, rootCause, idleTimeoutMs) => {
      const { url, lineWith } = await startGateway(undefined, idleTimeoutMs);
      const response = await chat(url, route);
      expect(response.status).toBe(status);
      const line = await lineWith({ level: 50, status });
      expect(line).toMatchObject({ msg: `no model of route ${route} answered (1 tried)`, status });
      expect(line).toHaveProperty('err.cause.message', cause);
      expect(JSON.stringify(line['err'])).toContain(rootCause);
      expect(await response.json()).toMatchObject({ requestId: line['req_id'] });
    },
  );

  test('answers 502 and names the backend when it can’t be reached', async () => {
    const server = createServer();
    const backendUrl = await listen(server);
    server.close();
    await once(server, 'close');
    const { url, lineWith } = await startGateway(backendUrl);
    expect((await chat(url, 'good')).status).toBe(502);
    const line = await lineWith({ level: 50, status: 502 });
    expect(line).toHaveProperty('err.cause.message', `the backend at ${backendUrl} can't be reached`);
    expect(JSON.stringify(line['err'])).toContain('ECONNREFUSED');
  });

  test('tells the client when an answer breaks off in the middle, and logs how far it came', async () => {
    const { url, lineWith } = await startGateway();
    const events = await eventsOf(await chat(url, 'fragile'));
    expect(events.map(({ event }) => event)).toEqual(['token', 'token', 'error']);
    const line = await lineWith({ level: 50, msg: 'the answer broke off after 2 tokens' });
    expect(line).toMatchObject({ tokens: 2, model: 'fragile', err: { type: 'BackendError' } });
    expect(line['trace_id']).toMatch(/^[0-9a-f]{32}$/u);
  });

  test.each([
    ['in the middle of an answer', 'endless', 'chat', /^the client left after \d+ tokens$/u],
    ['before an answer begins', 'late', undefined, /^the client left before the answer was complete$/u],
  ])('lets go of the backend when the client leaves %s', async (_title, route, name, message) => {
    const backend = createBackend(MODELS);
    const { url, lines, lineWith } = await startGateway(await listen(backend));
    const leaving = new AbortController();
    const asked = once(backend, 'request');
    const response = chat(url, route, { signal: leaving.signal });
    const [request] = (await asked) as [{ socket: import('node:net').Socket }];
    const released = once(request.socket, 'close');
    if (route === 'endless') {
      const { body } = await response;
      await body?.getReader().read();
    } else {
      response.catch(() => {});
    }
    leaving.abort();
    await released;
    await lineWith({ type: 'request' });
    const line = lines.find((each) => message.test(String(each['msg'])));
    expect(line).toMatchObject({ level: 30, ...(name !== undefined && { name }) });
    expect(lines.filter((each) => Number(each['level']) >= 40)).toEqual([]);
  });

  test.each([
    [
      'an unknown route',
      { model: 'x\u001b[31m', messages: [{ role: 'user', content: '' }] },
      404,
      /there is no route "x\\u001b\[31m"/u,
    ],
    [
      'the name of a built-in property',
      { model: '__proto__', messages: [{ role: 'user', content: '' }] },
      404,
      /no route/u,
    ],
    ['no messages', { model: 'good', messages: [] }, 400, /messages/u],
    [
      'a key that is not known',
      { model: 'good', messages: [{ role: 'user', content: '' }], top: 1 },
      400,
      /additional/u,
    ],
  ])('refuses %s with a warning and no stack', async (_title, body, status, reason) => {
    const { url, lineWith } = await startGateway();
    const response = await chat(url, '', { body: JSON.stringify(body) });
    expect(response.status).toBe(status);
    const line = await lineWith({ level: 40 });
    expect(line['reason']).toMatch(reason);
    expect(line).not.toHaveProperty('err');
  });

  test('lets an answer that is under way end before it closes', async () => {
    const { url, close, lineWith } = await startGateway();
    const response = await chat(url, 'brief');
    const closed = close(30_000);
    expect((await eventsOf(response)).at(-1)).toMatchObject({ event: 'done' });
    await closed;
    expect(await lineWith({ msg: 'answered by brief' })).toMatchObject({ tokens: 20 });
  });

  test('closes in spite of an answer that takes longer than its grace, and of a connection that was never used', async () => {
    const { app, url, close, lineWith } = await startGateway();
    const idle = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
    await once(idle, 'connect');
    const response = await chat(url, 'endless');
    await close(50);
    await expect(response.text()).rejects.toThrow('terminated');
    await lineWith({ type: 'request' });
    idle.destroy();
  });
});
