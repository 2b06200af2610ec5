import { createBatch, parseOptions, type Batch, type Sink, type SinkEvent } from '@treeline/contract';
import { lines, record } from '@treeline/contract/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import transport from './index.ts';
import { answer, startTestServer, type TestServer } from './test-server.test.fixture.ts';

let server: TestServer;
let sink: Sink;
const events: SinkEvent[] = [];

beforeEach(async () => {
  server = await startTestServer();
  events.length = 0;
  const { definition } = transport;
  const parsed = await parseOptions(definition, {
    url: `${server.origin}/es/`,
    protocol: 'elasticsearch',
    index: 'logs-shop-default',
  });
  sink = await definition.open(parsed, { streamName: 'es', report: (event) => events.push(event) });
});
afterEach(async () => {
  await sink.close();
  await server.close();
});

function sample(count: number): Batch {
  return createBatch(lines(Array.from({ length: count }, (_, index) => record(index))), {
    logId: 'log-a',
    seq: 7,
  });
}

function bulkAnswer(
  items: readonly (number | readonly [status: number, type: string, reason: string])[],
): string {
  return JSON.stringify({
    errors: true,
    items: items.map((item) => {
      const [status, type, reason] = typeof item === 'number' ? [item, undefined, undefined] : item;
      return { create: { status, ...(type !== undefined && { error: { type, reason } }) } };
    }),
  });
}

/** The lines of a request, parsed. */
function sent(at = 0): unknown[] {
  const text = server.requests[at]?.body.toString() ?? '';
  expect(text.endsWith('\n')).toBe(true);
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}

describe('a _bulk request', () => {
  test('creates each record under an id of its own, with the time that a data stream asks for', async () => {
    server.answers.push(answer(200, bulkAnswer([201, 201])));
    await sink.write(sample(2));
    expect(server.requests[0]?.url).toMatch(/^\/es\/logs-shop-default\/_bulk\?filter_path=/);
    expect(sent()).toEqual([
      { create: { _id: 'log-a-7' } },
      { '@timestamp': record(0).time, ...record(0) },
      { create: { _id: 'log-a-8' } },
      { '@timestamp': record(1).time, ...record(1) },
    ]);
  });

  test.each([
    ['seconds', '{"level":30,"time":1760000000,"msg":"a"}', 1_760_000_000_000],
    ['a date', '{"level":30,"time":"2026-01-01T00:00:00Z","msg":"a"}', Date.UTC(2026, 0, 1)],
    ['a time of its own', '{"level":30,"time":1760000000000,"@timestamp":5,"msg":"a"}', 5],
    [
      'a nested key of that name',
      '{"level":30,"time":1760000000000,"a":{"@timestamp":5}}',
      1_760_000_000_000,
    ],
  ])('reads %s', async (_, line, timestamp) => {
    server.answers.push(answer(200, bulkAnswer([201])));
    await sink.write(createBatch(Buffer.from(`${line}\n`)));
    expect(sent()[1]).toEqual({ ...(JSON.parse(line) as object), '@timestamp': timestamp });
  });

  test('gives a record without time that of its arrival, and a text its place as message', async () => {
    server.answers.push(answer(200, bulkAnswer([201])));
    const startMs = Date.now();
    await sink.write(createBatch(Buffer.from('plain\n')));
    const document = sent()[1] as { '@timestamp': number; msg: string };
    expect(document.msg).toBe('plain');
    expect(document['@timestamp']).toBeGreaterThanOrEqual(startMs);
  });

  test('can not be forged by what is logged', async () => {
    server.answers.push(answer(200, bulkAnswer([201])));
    await sink.write(
      createBatch(lines([{ ...record(0), msg: '"}\n{"delete":{"_index":"x","_id":"1"}}\n' }]), {
        logId: 'log"}}\n{"delete',
        seq: 1,
      }),
    );
    expect(sent()).toHaveLength(2);
  });
});

describe('the answer to a _bulk request', () => {
  test('is read for each record: delivered, a repeat, to be tried again, dead', async () => {
    server.answers.push(
      answer(
        200,
        bulkAnswer([
          201,
          [429, 'es_rejected_execution_exception', 'queue is full'],
          [400, 'mapper_parsing_exception', 'failed to parse field [n]'],
          [409, 'version_conflict_engine_exception', 'document already exists'],
          [503, 'unavailable_shards_exception', 'primary shard is not active'],
          [403, 'cluster_block_exception', 'index is read-only'],
          [404, 'index_not_found_exception', 'no such index'],
        ]),
      ),
    );
    const result = await sink.write(sample(7));
    expect(result).toEqual({
      retry: [1, 4, 5, 6],
      reason: expect.stringContaining('429 es_rejected_execution_exception: queue is full') as string,
      dead: [
        {
          index: 2,
          reason: expect.stringContaining(
            '400 mapper_parsing_exception: failed to parse field [n]',
          ) as string,
        },
      ],
    });
  });

  test.each([
    ['no JSON', 'OK'],
    ['empty', ''],
    ['cut off', '{"errors":false,"items":[{"create":{"sta'],
    ['without items', '{"took":1}'],
    ['of fewer items', bulkAnswer([201])],
    ['of items without status', '{"items":[{"create":{}},{"create":{}}]}'],
    ['of items that are none', '{"items":[1,null]}'],
  ])('that is %s means that all is sent again under the same ids', async (_, body) => {
    server.answers.push(answer(200, body), answer(200, bulkAnswer([409, 201])));
    await expect(sink.write(sample(2))).rejects.toThrow('no answer to _bulk');
    expect(await sink.write(sample(2))).toBeUndefined();
    expect(sent(1)).toEqual(sent(0));
  });

  test('that is larger than is read makes the batch go in halves, under the same ids', async () => {
    const long = [400, 'mapper_parsing_exception', 'x'.repeat(1_500_000)] as const;
    server.otherwise = (response, { body }) => {
      const count = body.toString().split('\n').length >> 1;
      response.writeHead(200).end(bulkAnswer(Array.from({ length: count }, () => long)));
    };
    expect((await sink.write(sample(4)))?.dead).toHaveLength(4);
    expect(server.requests).toHaveLength(3);
    expect([...sent(1), ...sent(2)]).toEqual(sent(0));
  });

  test('that refuses a key which stands twice makes that record be written anew, once', async () => {
    const line = '{"level":30,"time":1760000000000,"user":"a","user":"b","msg":"m"}\n';
    const twice = [400, 'mapper_parsing_exception', "Duplicate field 'user'"] as const;
    server.answers.push(answer(200, bulkAnswer([201, twice])), answer(200, bulkAnswer([201])));
    const batch = createBatch(Buffer.concat([lines([record(0)]), Buffer.from(line)]), {
      logId: 'log-a',
      seq: 7,
    });
    expect(await sink.write(batch)).toBeUndefined();
    expect(sent(1)).toEqual([{ create: { _id: 'log-a-8' } }, expect.objectContaining({ user: 'b' })]);
    expect(server.requests[1]?.body.toString().match(/"user"/g)).toHaveLength(1);
    expect(events).toEqual([
      { type: 'warning', reason: expect.stringContaining('stands twice') as string, count: 1 },
    ]);
    server.answers.push(answer(200, bulkAnswer([201, twice])), answer(200, bulkAnswer([twice])));
    expect((await sink.write(batch))?.dead).toHaveLength(1);
  });
});
