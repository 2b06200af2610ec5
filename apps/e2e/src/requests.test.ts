import { once } from 'node:events';
import http, { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LogRecord } from '@treeline/contract';
import type { TreelineLogger } from '@treeline/core';
import { fastifyRequests, trackRequests } from '@treeline/core/requests';
import { captureLogs, type CapturedSpan } from '@treeline/core/testing';
import express from 'express';
import { fastify } from 'fastify';
import { pinoHttp } from 'pino-http';
import { describe, expect, test, vi } from 'vitest';

/** A server under test, whatever it is made with; its answers to these paths are the same. */
type StartServer = (logger: TreelineLogger) => Promise<{ server: Server; close: () => Promise<void> }>;

const WAIT = { timeout: 30_000, interval: 5 };

async function answer(logger: TreelineLogger, path: string, response: ServerResponse): Promise<void> {
  logger.info(`serves ${path}`);
  await sleep(1);
  if (path === '/hangs') return;
  logger.child({ name: 'step' }).info('goes on');
  response.statusCode = path === '/fails' ? 500 : path === '/missing' ? 404 : 200;
  response.end(path);
}

async function listening(server: http.Server): Promise<{ server: Server; close: () => Promise<void> }> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    server,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const plainHttp: StartServer = (logger) => {
  const track = trackRequests(logger);
  const listener: RequestListener = (request, response) =>
    track(request, response, () => void answer(logger, request.url ?? '', response));
  return listening(http.createServer(listener));
};

function expressApp(logger: TreelineLogger, ...before: express.RequestHandler[]): express.Express {
  const app = express();
  for (const handler of before) app.use(handler);
  app.use(trackRequests(logger));
  app.use(express.json());
  app.all('/users/:id', (request, response) => void answer(logger, request.path, response));
  app.use((request, response) => void answer(logger, request.path, response));
  return app;
}

const withExpress: StartServer = (logger) => listening(http.createServer(expressApp(logger)));

const besidePinoHttp: StartServer = (logger) =>
  listening(http.createServer(expressApp(logger, pinoHttp({ logger }))));

const withFastify: StartServer = async (logger) => {
  const app = fastify({ loggerInstance: logger });
  await app.register(fastifyRequests(logger));
  app.all('/users/:id', async (request, reply) => {
    reply.hijack();
    await answer(logger, request.url, reply.raw);
  });
  app.all('/throws', async () => {
    throw new TypeError('no such luck');
  });
  app.all('/*', async (request, reply) => {
    reply.hijack();
    await answer(logger, request.url, reply.raw);
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  return {
    server: app.server,
    close: async () => {
      app.server.closeAllConnections();
      await app.close();
    },
  };
};

const config = {
  level: 'info',
  enhancedFeatures: { requestTracking: { enabled: true }, errorLogging: { enabled: true } },
};

const urlOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

/** Logs of a server that has answered what was sent to it. */
async function served(
  start: StartServer,
  send: (url: string, logger: TreelineLogger) => Promise<unknown>,
  requestTracking: object = {},
) {
  return captureLogs(
    async (logger) => {
      const { server, close } = await start(logger);
      try {
        await send(urlOf(server), logger);
        await vi.waitFor(() => expect(logger.activeRequests()).toEqual([]), WAIT);
        return await logger.stats();
      } finally {
        await close();
      }
    },
    { config: { ...config, enhancedFeatures: { ...config.enhancedFeatures, requestTracking } } },
  );
}

const get = (url: string, init?: RequestInit): Promise<string> =>
  fetch(url, init).then((response) => response.text());

describe.each<[string, StartServer]>([
  ['node:http', plainHttp],
  ['Express', withExpress],
  ['Express beside pino-http', besidePinoHttp],
  ['Fastify with its own logger', withFastify],
])('requests of %s', (name, start) => {
  test('are one tree each, under load, with their status, bytes and what was logged meanwhile', async () => {
    const { trees, records, result } = await served(start, (url) =>
      Promise.all(
        Array.from({ length: 300 }, (_, index) =>
          get(`${url}${index % 10 === 0 ? '/fails' : index % 7 === 0 ? '/missing' : `/users/${index}`}`, {
            method: index % 3 === 0 ? 'POST' : 'GET',
            headers: { 'x-request-id': `r-${index}`, 'content-type': 'application/json' },
            ...(index % 3 === 0 && { body: '{"some":"body"}' }),
          }),
        ),
      ),
    );
    expect(trees).toHaveLength(300);
    expect(new Set(trees.map(({ traceId }) => traceId)).size).toBe(300);
    for (const { attrs, status, events, children } of trees) {
      const code = attrs['http.response.status_code'];
      expect(status).toBe(code === 500 ? 'error' : 'ok');
      expect(attrs['http.response.size']).toBeGreaterThan(50);
      expect(events.map(({ msg }) => msg)).toEqual([`serves ${String(attrs['url.path'])}`, 'goes on']);
      expect(children).toEqual([]);
    }
    expect(result.requests).toMatchObject({ started: 300, ended: 300, active: 0, aborted: 0, evicted: 0 });
    const ids = records.map((record) => record['req_id'] ?? record['reqId']).filter((id) => id !== undefined);
    expect(new Set(ids).size).toBe(300);
    expect(countMessages(records, /incoming request|request completed|request errored/)).toBe(0);
  });

  test('are named by their route where there is one', async () => {
    const { trees } = await served(start, (url) => get(`${url}/users/7?sig=secret&a=1`));
    expect(trees[0]?.attrs).toMatchObject({
      'http.request.method': 'GET',
      'url.path': '/users/7',
      'url.query': 'sig=REDACTED&a=1',
      'client.address': '127.0.0.1',
    });
    expect(trees[0]?.name).toBe(name === 'node:http' ? 'GET' : 'GET /users/:id');
  });

  test('that the client gives up close as aborted', async () => {
    const { trees, result } = await served(start, async (url, logger) => {
      const abort = new AbortController();
      const pending = Promise.allSettled(
        Array.from({ length: 20 }, () => get(`${url}/hangs`, { signal: abort.signal })),
      );
      await vi.waitFor(() => expect(logger.activeRequests()).toHaveLength(20), WAIT);
      expect(logger.activeRequests()[0]).toMatchObject({ method: 'GET', path: '/hangs' });
      expect(logger.activeSpans()).toHaveLength(20);
      abort.abort();
      await pending;
    });
    expect(trees.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 'aborted'));
    expect(result.requests).toMatchObject({ aborted: 20 });
  });

  test('that take too long are given up, closed as evicted, counted, and told once', async () => {
    const { trees, records, result } = await served(
      start,
      async (url, logger) => {
        const abort = new AbortController();
        const pending = Promise.allSettled([get(`${url}/hangs`, { signal: abort.signal })]);
        await vi.waitFor(async () => expect((await logger.stats()).requests?.evicted).toBe(1), WAIT);
        abort.abort();
        await pending;
      },
      { maxContextAge: 20, cleanupInterval: 10 },
    );
    expect(trees[0]).toMatchObject({ status: 'evicted' });
    expect(result.requests).toMatchObject({ started: 1, evicted: 1, ended: 0 });
    expect(records.filter(({ level, span }) => level === 40 && span === undefined)).toMatchObject([
      { evicted: 1 },
    ]);
  });

  test('go on with the trace of their caller', async () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const { records } = await served(start, (url) => get(`${url}/users/1`, { headers: { traceparent } }));
    expect(firstSpanLine(records)).toMatchObject({
      trace_id: '4bf92f3577b34da6a3ce929d0e0e4736',
      parent_span_id: '00f067aa0ba902b7',
    });
  });

  test('cost nothing and say nothing where tracking is off', async () => {
    const { records } = await served(start, (url) => get(`${url}/users/1`), { enabled: false });
    expect(records.some((record) => 'trace_id' in record)).toBe(false);
    expect(countMessages(records, /^serves/)).toBe(1);
  });
});

test('beyond maxActiveRequests the oldest request is given up', async () => {
  const { trees, result } = await served(
    plainHttp,
    async (url, logger) => {
      const abort = new AbortController();
      const pending = Promise.allSettled(
        Array.from({ length: 8 }, () => get(`${url}/hangs`, { signal: abort.signal })),
      );
      await vi.waitFor(async () => expect((await logger.stats()).requests?.started).toBe(8), WAIT);
      expect(logger.activeRequests()).toHaveLength(5);
      abort.abort();
      await pending;
    },
    { maxActiveRequests: 5 },
  );
  expect(countStatus(trees, 'evicted')).toBe(3);
  expect(countStatus(trees, 'aborted')).toBe(5);
  expect(result.requests).toMatchObject({ evicted: 3, aborted: 5 });
});

test('an error that Fastify’s handler throws is the error of the request, logged once', async () => {
  const { trees, result, records } = await captureLogs(
    async (logger) => {
      const { server, close } = await withFastify(logger);
      await get(`${urlOf(server)}/throws`);
      await vi.waitFor(() => expect(logger.activeRequests()).toEqual([]), WAIT);
      await close();
      return logger.errorStatistics();
    },
    { config },
  );
  expect(trees[0]).toMatchObject({ status: 'error', err: { type: 'TypeError', message: 'no such luck' } });
  expect(result).toMatchObject([{ type: 'TypeError', total: 1 }]);
  expect(records.at(-1)?.['req_id']).toBe('req-1');
});

test('requests that Fastify injects close by their status, and what the program has called failed has', async () => {
  const { trees, lines } = await captureLogs(
    async (logger) => {
      const app = fastify({ loggerInstance: logger });
      await app.register(fastifyRequests(logger));
      app.get('/fine', async () => 'fine');
      app.get('/failed', async () => {
        logger.currentSpan()?.fail(new Error('told'));
        return 'fine all the same';
      });
      await app.inject('/fine');
      await app.inject('/failed');
      await expect.poll(() => logger.activeRequests(), WAIT).toEqual([]);
      await app.close();
    },
    { config: { enhancedFeatures: { requestTracking: { enabled: true } } } },
  );
  expect(trees.map(({ name, status }) => [name, status])).toEqual([
    ['GET /fine', 'ok'],
    ['GET /failed', 'error'],
  ]);
  expect(lines.join('')).not.toContain('NaN');
});

test('a trust boundary begins a trace of its own, linked to the caller’s', async () => {
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  const { records } = await served(
    (logger) => {
      const track = trackRequests(logger, { trace: 'restart', requestId: () => 'mine' });
      return listening(
        http.createServer((request: IncomingMessage, response) =>
          track(request, response, () => response.end()),
        ),
      );
    },
    (url) => get(url, { headers: { traceparent } }),
  );
  const open = firstSpanLine(records);
  expect(open?.['trace_id']).not.toBe('4bf92f3577b34da6a3ce929d0e0e4736');
  expect(open).not.toHaveProperty('parent_span_id');
  expect(open).toMatchObject({ req_id: 'mine', span: { links: [{ span_id: '00f067aa0ba902b7' }] } });
});

test('a server’s time-out closes its requests as aborted', async () => {
  const { trees } = await served(
    async (logger) => {
      const started = await plainHttp(logger);
      (started.server as http.Server).setTimeout(50);
      return started;
    },
    (url) => Promise.allSettled([get(`${url}/hangs`)]),
  );
  expect(trees).toMatchObject([{ status: 'aborted' }]);
});

function firstSpanLine(records: readonly LogRecord[]): LogRecord | undefined {
  return records.find(({ span }) => span !== undefined);
}

function countMessages(records: readonly LogRecord[], pattern: RegExp): number {
  return records.filter(({ msg }) => pattern.test(msg ?? '')).length;
}

function countStatus(trees: readonly CapturedSpan[], status: string): number {
  return trees.filter((tree) => tree.status === status).length;
}
