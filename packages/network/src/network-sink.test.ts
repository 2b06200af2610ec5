import { once } from 'node:events';
import net from 'node:net';
import {
  createBatch,
  deliver,
  parseOptions,
  type Batch,
  type Sink,
  type SinkEvent,
} from '@treeline/contract';
import { lines, record } from '@treeline/contract/testing';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import transport, { type NetworkOptions } from './index.ts';
import { answer, recordsOf, startTestServer, type TestServer } from './test-server.test.fixture.ts';

const RETRY = { minMs: 5, maxMs: 20, holdMs: 20 };

let server: TestServer;
const opened: Sink[] = [];

beforeEach(async () => {
  server = await startTestServer();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((sink) => sink.close()));
  await server.close();
});

async function open(options: Partial<NetworkOptions> = {}): Promise<{ sink: Sink; events: SinkEvent[] }> {
  const events: SinkEvent[] = [];
  const { definition } = transport;
  const parsed = await parseOptions(definition, { url: `${server.origin}/logs`, retry: RETRY, ...options });
  const sink = await definition.open(parsed, { streamName: 'net', report: (event) => events.push(event) });
  opened.push(sink);
  return { sink, events };
}

function sample(from: number, to: number, fields: (index: number) => object = () => ({})): Batch {
  const records = Array.from({ length: to - from }, (_, index) => ({
    ...record(from + index),
    ...fields(from + index),
  }));
  return createBatch(lines(records), { logId: 'log-a', seq: from });
}

async function faultOf(sink: Sink, batch: Batch): Promise<string> {
  return sink.write(batch).then(
    (result) => `resolved with ${JSON.stringify(result)}`,
    (error: Error) => error.message,
  );
}

/** Offers a batch until it is settled; returns the reasons of the attempts that failed. */
async function deliverTo(
  sink: Sink,
  batch: Batch,
): Promise<{ faults: string[]; dead: string[]; delivered: number }> {
  const faults: string[] = [];
  const { dead, delivered } = await deliver(sink, batch, {
    signal: AbortSignal.timeout(10_000),
    retry: RETRY,
    onFault: (reason) => faults.push(reason),
  });
  return { faults, dead: dead.map(({ line, reason }) => `${line.toString()} ${reason}`), delivered };
}

/** What the server has taken, by the answers that it gave. */
function messages(requests = server.requests): unknown[] {
  return requests.flatMap(({ body }) => recordsOf(body).map(({ msg }) => msg));
}

describe('an answer', () => {
  test.each([
    [408, 'it answered 408'],
    [425, 'it answered 425'],
    [429, 'it answered 429'],
    [500, 'it answered 500: busy'],
    [503, 'it answered 503: busy'],
    [507, 'it answered 507'],
  ])('of %s is tried again, and nothing is taken for delivered', async (status, reason) => {
    const { sink } = await open();
    server.answers.push(answer(status, 'busy'));
    const { faults, delivered } = await deliverTo(sink, sample(0, 3));
    expect(faults).toEqual([expect.stringContaining(reason)]);
    expect(delivered).toBe(3);
    expect(server.requests).toHaveLength(2);
    expect(server.requests[1]?.body).toEqual(server.requests[0]?.body);
  });

  test.each([301, 302, 307, 308, 401, 403, 404, 405, 407, 410, 431, 501, 505])(
    'of %s is held: kept, not followed, said, and offered again after a while',
    async (status) => {
      const { sink } = await open();
      server.answers.push(answer(status, '', { location: `${server.origin}/elsewhere` }));
      const { faults, delivered, dead } = await deliverTo(sink, sample(0, 3));
      expect(faults).toEqual([expect.stringMatching(new RegExp(`answered ${status}.*somebody to change`))]);
      expect({ delivered, dead }).toEqual({ delivered: 3, dead: [] });
      expect(server.requests.map(({ url }) => url)).toEqual(['/logs', '/logs']);
    },
  );

  test.each([
    ['an error', '{"error":"index is read-only"}', 'application/json'],
    ['errors', '{"errors":["a"]}', 'application/json'],
    ['a failure', '{"success":false}', 'application/json'],
    ['a status', '{"status":"error"}', 'application/json'],
    ['a page for people', '<html>please log in</html>', 'text/html; charset=utf-8'],
  ])('of 200 that carries %s is no delivery', async (_, body, type) => {
    const { sink } = await open();
    server.answers.push(answer(200, body, { 'content-type': type }));
    expect(await faultOf(sink, sample(0, 1))).toContain(`it answered 200: ${body}`);
    expect(await sink.write(sample(0, 1))).toBeUndefined();
  });

  test.each([
    '',
    'OK',
    '{"status":"success","errors":[]}',
    '{"code":0,"text":"Success"}',
    '{"error":null}',
    '{',
  ])('of 200 with %j is a delivery', async (body) => {
    const { sink } = await open();
    server.answers.push(answer(200, body));
    expect(await sink.write(sample(0, 1))).toBeUndefined();
  });

  test('of ten megabytes is read to its bound only, and said', async () => {
    const { sink, events } = await open();
    server.answers.push(answer(200, 'x'.repeat(10 * 1024 * 1024)));
    await sink.write(sample(0, 1));
    await sink.write(sample(1, 2));
    expect(events).toEqual([
      { type: 'warning', reason: expect.stringContaining('answers more than is read') as string },
    ]);
  });

  test('of 200 with an object that is larger than is read is no delivery: an error may stand in it', async () => {
    const { sink } = await open();
    const pad = 'x'.repeat(10 * 1024 * 1024);
    server.answers.push(answer(200, JSON.stringify({ error: 'disk full', pad })));
    server.answers.push(answer(200, JSON.stringify({ pad, error: 'disk full' })));
    const { faults, delivered } = await deliverTo(sink, sample(0, 1));
    expect(faults).toEqual(
      Array(2).fill(expect.stringContaining('it answers more than is read: it answered 200')),
    );
    expect(delivered).toBe(1);
  });

  test.each([203, 206, 207, 260])('of %s is a delivery, unless its body says otherwise', async (status) => {
    const { sink } = await open();
    server.answers.push(answer(status, '{}'));
    expect(await sink.write(sample(0, 1))).toBeUndefined();
    server.answers.push(answer(status, '{"error":"full"}'));
    expect(await faultOf(sink, sample(0, 1))).toContain(`it answered ${status}`);
  });

  test('with Retry-After keeps the server alone for that long', async () => {
    const { sink } = await open();
    server.answers.push(answer(429, '', { 'retry-after': '1' }));
    await deliverTo(sink, sample(0, 1));
    const [first, second] = server.requests;
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(990);
  });

  test('that echoes the request shows no secret', async () => {
    const { sink } = await open({
      url: `${server.origin}/logs?api_key=qwertyuiop`,
      headers: { Authorization: 'Bearer hunter22hunter22' },
    });
    server.answers.push((response, { headers, url }) =>
      response.writeHead(401).end(`${url} ${JSON.stringify(headers)}`),
    );
    const fault = await faultOf(sink, sample(0, 1));
    expect(fault).toContain('it answered 401');
    expect(fault).not.toMatch(/hunter22|qwertyuiop/);
    expect(server.requests[0]?.headers.authorization).toBe('Bearer hunter22hunter22');
  });

  test.each([
    'T024BE7LDXY9Qh3',
    '7b0c1f8e-2f3a-4d55-9c1e-aa0b6f2d9e11',
    'AbCdEfGhIjKlMnOpQrStUvWx',
    'bot110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw',
  ])('of a server whose path has the token %j does not show it', async (token) => {
    const { sink } = await open({ url: `${server.origin}/services/my-logs-v2/${token}` });
    server.answers.push((response, { url }) => response.writeHead(401).end(`no ${url}`));
    const fault = await faultOf(sink, sample(0, 1));
    expect(fault).toContain('/services/my-logs-v2/********: it answered 401');
    expect(fault).not.toContain(token);
  });
});

describe('a body', () => {
  test('is the lines as they were logged, and nothing for an empty batch', async () => {
    const { sink } = await open({ method: 'PUT', headers: { 'X-Team': 'checkout' } });
    const batch = sample(0, 3);
    await sink.write(createBatch(Buffer.alloc(0)));
    await sink.write(batch);
    expect(server.requests).toHaveLength(1);
    expect(server.requests[0]).toMatchObject({ method: 'PUT', url: '/logs', body: batch.bytes });
    expect(server.requests[0]?.headers).toMatchObject({
      'content-type': 'application/x-ndjson',
      'x-team': 'checkout',
      'content-length': String(batch.bytes.length),
    });
  });

  test('of a line that is no object has the text as a message', async () => {
    const { sink } = await open();
    await sink.write(
      createBatch(Buffer.from('{"level":30,"msg":"a"}\nplain "text"\n{"level":50,"msg":"cut\n')),
    );
    expect(messages()).toEqual(['a', 'plain "text"', '{"level":50,"msg":"cut']);
    expect(server.requests[0]?.body.toString().split('\n')).toHaveLength(4);
  });

  test('that the server finds too large is halved until it fits, in order, and the next one is small at once', async () => {
    const { sink } = await open();
    const taken: Batch[] = [];
    server.otherwise = (response, { body }) => {
      if (body.length > 2_000) return void response.writeHead(413).end();
      taken.push(createBatch(body));
      return void response.writeHead(204).end();
    };
    const first = sample(0, 100);
    await sink.write(first);
    expect(Buffer.concat(taken.map(({ bytes }) => bytes))).toEqual(first.bytes);
    const tooLarge = (): number => server.requests.filter(({ body }) => body.length > 2_000).length;
    const before = tooLarge();
    await sink.write(sample(100, 200));
    expect(tooLarge()).toBe(before);
    expect(taken.flatMap((batch) => batch.records().map(({ msg }) => msg))).toEqual(
      sample(0, 200)
        .records()
        .map(({ msg }) => msg),
    );
  });

  test('of one record that is too large kills that record alone', async () => {
    const { sink } = await open();
    server.otherwise = (response, { body }) => response.writeHead(body.length > 2_000 ? 413 : 204).end();
    const batch = sample(0, 20, (index) => (index === 7 ? { padding: 'x'.repeat(4_000) } : {}));
    const { dead, delivered } = await deliverTo(sink, batch);
    expect(delivered).toBe(19);
    expect(dead).toEqual([expect.stringMatching(/"msg":"record 7".*answered 413/)]);
  });

  test('with one bad record in a thousand takes eleven requests and more for its neighbours, and only that one is dead', async () => {
    const { sink } = await open();
    const taken: unknown[] = [];
    server.otherwise = (response, { body }) => {
      const received = recordsOf(body).map(({ msg }) => msg);
      if (received.includes('record 617')) return void response.writeHead(400).end('field "n" is no number');
      taken.push(...received);
      return void response.writeHead(204).end();
    };
    const { dead, delivered } = await deliverTo(sink, sample(0, 1_000));
    expect(delivered).toBe(999);
    expect(dead).toEqual([expect.stringMatching(/record 617.*answered 400: field "n" is no number/)]);
    expect(server.requests.length).toBeLessThan(2 * 11);
    expect(taken).toEqual(
      sample(0, 1_000)
        .records()
        .map(({ msg }) => msg)
        .filter((msg) => msg !== 'record 617'),
    );
  });

  test('that is compressed is sent plain once the server says that it can not read it, without a fault', async () => {
    const { sink } = await open({ compress: 'gzip' });
    server.otherwise = (response, { headers }) =>
      response.writeHead(headers['content-encoding'] === undefined ? 204 : 415).end();
    await sink.write(sample(0, 2));
    await sink.write(sample(2, 4));
    expect(server.requests.map(({ headers }) => headers['content-encoding'])).toEqual([
      'gzip',
      undefined,
      undefined,
    ]);
  });

  test.each([
    ['with core', (batch: Batch) => batch],
    ['bare', (batch: Batch) => createBatch(batch.bytes)],
  ])('gives each record an id on request, the same when it is sent again (%s)', async (_, given) => {
    const { sink } = await open({ idField: 'log_id' });
    server.answers.push(answer(500), (response) => response.destroy());
    await deliverTo(sink, given(sample(0, 3)));
    await deliverTo(sink, given(sample(3, 5)));
    const ids = server.requests.map(({ body }) => recordsOf(body).map((each) => each['log_id']));
    expect(ids).toHaveLength(4);
    expect(ids[1]).toEqual(ids[0]);
    expect(ids[2]).toEqual(ids[0]);
    expect(new Set(ids.slice(2).flat()).size).toBe(5);
  });
});

describe('a server that refuses everything', () => {
  test('is waited for three times before its refusals are believed, so that a mistake in set-up makes no dead letters', async () => {
    const { sink } = await open();
    server.otherwise = answer(400, 'no such project');
    for (let attempt = 0; attempt < 3; attempt++)
      expect(await faultOf(sink, sample(0, 100))).toContain(
        'it refuses every record: it answered 400: no such project',
      );
    expect((await sink.write(sample(0, 100)))?.dead).toHaveLength(100);
  });

  test('and then takes them loses none', async () => {
    const { sink } = await open();
    server.otherwise = answer(400);
    await faultOf(sink, sample(0, 100));
    server.otherwise = answer(204);
    expect(await deliverTo(sink, sample(0, 100))).toEqual({ delivered: 100, dead: [], faults: [] });
  });

  test('a few records are dead at once', async () => {
    const { sink } = await open();
    server.otherwise = answer(400);
    expect((await sink.write(sample(0, 1)))?.dead).toHaveLength(1);
    expect((await sink.write(sample(1, 3)))?.dead).toHaveLength(2);
  });
});

describe('a connection', () => {
  test('that nobody listens at is tried again; the message names the address and the cause', async () => {
    const closed = net.createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address() as net.AddressInfo;
    closed.close();
    const { sink } = await open({ url: `http://127.0.0.1:${port}/logs` });
    expect(await faultOf(sink, sample(0, 1))).toMatch(
      new RegExp(`^http://127.0.0.1:${port}/logs: .*ECONNREFUSED`),
    );
  });

  test.each<[string, TestServer['otherwise'], RegExp]>([
    ['closes without an answer', (response) => response.destroy(), /other side closed|ECONNRESET|socket/i],
    [
      'breaks off within its answer',
      (response) => {
        response.writeHead(200, { 'content-length': '100' }).write('{"st');
        setTimeout(() => response.destroy(), 20);
      },
      /other side closed|ECONNRESET|aborted|terminated/i,
    ],
    ['never answers', () => undefined, /did not answer within 500 ms|headers timeout/i],
    [
      'never ends its answer',
      (response) => void response.writeHead(200).write('{'),
      /did not answer within 500 ms|body timeout/i,
    ],
    ['speaks no HTTP', (response) => response.socket?.end('SSH-2.0-OpenSSH_9.2\r\n'), /./],
  ])('to a server that %s is a fault, and all arrives at the next attempt', async (_, respond, told) => {
    const { sink } = await open({ timeout: 500 });
    server.answers.push(respond);
    expect(await faultOf(sink, sample(0, 2))).toMatch(told);
    expect((await deliverTo(sink, sample(0, 2))).delivered).toBe(2);
  });

  test('that a server has closed while it was idle is made anew without a fault', async () => {
    const { sink } = await open();
    await sink.write(sample(0, 1));
    server.answers.push((response) => response.destroy());
    expect(await sink.write(sample(1, 2))).toBeUndefined();
    expect(server.requests).toHaveLength(3);
  });

  test('over TLS to a server that speaks none is held', async () => {
    const { sink } = await open({ url: server.origin.replace('http:', 'https:') });
    expect(await faultOf(sink, sample(0, 1))).toMatch(/no secure connection.*somebody to change/);
  });

  test('in use is ended by close within shutdown.timeout, and a write after that rejects', async () => {
    const { sink } = await open({ shutdown: { timeout: 20 } });
    server.otherwise = () => undefined;
    const writing = faultOf(sink, sample(0, 1));
    await vi.waitFor(() => expect(server.requests).toHaveLength(1));
    await sink.close();
    expect(await writing).not.toContain('resolved');
    expect(await faultOf(sink, sample(0, 1))).toContain('closed');
  });
});
