import { createBatch, parseOptions, type LogRecord, type Sink } from '@treeline/contract';
import {
  lines,
  record,
  skippedCases,
  testTransport,
  type TransportUnderTest,
} from '@treeline/contract/testing';
import { createLogger } from '@treeline/core';
import transport, { type NetworkOptions, type ParsedNetworkOptions } from '@treeline/network';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, describe, expect, inject, test, vi } from 'vitest';

const url = inject('openSearch') ?? '';
const PROGRAM = fileURLToPath(new URL('../programs/logs-at-a-rate.mjs', import.meta.url));
const RETRY = { minMs: 5, maxMs: 50, holdMs: 50 };

let made = 0;

interface Answer {
  readonly hits: { readonly hits: readonly { readonly _id: string; readonly _source: LogRecord }[] };
}

async function ask(method: string, place: string, body?: object): Promise<unknown> {
  const response = await fetch(`${url}/${place}`, {
    method,
    ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok && response.status !== 404) throw new Error(`${method} ${place}: ${text}`);
  return JSON.parse(text) as unknown;
}

/** The documents of a data stream in the order in which they came, each with its id. */
async function documents(index: string): Promise<Answer['hits']['hits']> {
  await ask('POST', `${index}/_refresh`);
  const found = (await ask('POST', `${index}/_search`, {
    size: 1_000_000,
    sort: ['_seq_no'],
  })) as Partial<Answer>;
  return found.hits?.hits ?? [];
}

async function countOf(index: string): Promise<number> {
  await ask('POST', `${index}/_refresh`);
  return ((await ask('GET', `${index}/_count`)) as { count?: number }).count ?? 0;
}

interface Sender {
  kill(signal: NodeJS.Signals): void;
  /** Resolves once it has ended to the last record whose call had returned. */
  last(): Promise<number>;
}

function startSender(config: string, first: number, count: number): Sender {
  const child = spawn(process.execPath, [PROGRAM, config, String(first), String(count)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = once(child, 'close');
  return {
    kill: (signal) => child.kill(signal),
    async last() {
      await ended;
      return Number(said.trimEnd().split('\n').at(-1));
    },
  };
}

function freshOptions(prefix: string): NetworkOptions & { index: string } {
  return { url, protocol: 'elasticsearch', index: `logs-${prefix}-${made++}`, retry: RETRY };
}

async function open(options: NetworkOptions): Promise<Sink> {
  const { definition } = transport;
  const parsed = await parseOptions(definition, options);
  return definition.open(parsed, { streamName: 'os', report: () => undefined });
}

describe.skipIf(url === '')('OpenSearch', () => {
  beforeAll(async () => {
    const settings = { number_of_replicas: 0, 'index.max_result_window': 1_000_000 };
    // What a user has: fields as they come.
    await ask('PUT', '_index_template/dynamic', {
      index_patterns: ['logs-dynamic-*'],
      data_stream: {},
      priority: 500,
      template: { settings },
    });
    // Records of any shape beside each other, and one field that has a type.
    await ask('PUT', '_index_template/fixed', {
      index_patterns: ['logs-fixed-*'],
      data_stream: {},
      priority: 500,
      template: { settings, mappings: { dynamic: false, properties: { number: { type: 'integer' } } } },
    });
  });

  describe('as the destination of the network transport', () => {
    const indexOf = (options: unknown): string => (options as { index: string }).index;
    const setBlock = (options: unknown, isBlocked: boolean): Promise<unknown> =>
      ask('PUT', `${indexOf(options)}/_settings`, { 'index.blocks.write': isBlocked });
    const under: TransportUnderTest<ParsedNetworkOptions> = {
      transport,
      timeoutMs: 30_000,
      fresh: () => freshOptions('fixed'),
      unusable: () => ({ ...freshOptions('fixed'), tls: { ca: '/missing/authority.pem' } }),
      async read(options) {
        const found = await documents(indexOf(options));
        return found.map(({ _source: { '@timestamp': _added, ...rest } }) => rest);
      },
      async break(options) {
        // A block needs something to stand on.
        await ask('PUT', `_data_stream/${indexOf(options)}`).catch(() => undefined);
        await setBlock(options, true);
      },
      async mend(options) {
        await setBlock(options, false);
      },
      refused: () => ({ ...record(0), number: 'none' }),
    };
    const LEFT_OUT = [
      // OpenSearch takes no empty key, at any depth.
      'awkward keys arrive',
      // It measures how long this thread stands still, and the server's own threads want the same processors.
      'a batch of ten thousand records leaves the thread free',
    ];
    const cases = testTransport(under).filter(({ name }) => !LEFT_OUT.includes(name));
    for (const { name, run } of cases) test(name, run);

    test('an empty key, which OpenSearch does not take, is refused with the reason', async () => {
      const sink = await open(freshOptions('fixed'));
      const result = await sink.write(createBatch(lines([record(0), { ...record(1), '': 1 }])));
      expect(result?.dead).toEqual([
        { index: 1, reason: expect.stringContaining('field name cannot be an empty string') as string },
      ]);
      await sink.close();
    });

    test('the cases that are left out are those that need a server which stands still', () => {
      expect(new Set(skippedCases(under).map(({ needs }) => needs))).toEqual(
        new Set(['stall', 'storesPosition']),
      );
    });
  });

  describe('as a stream of a config', () => {
    let folder = '';
    afterEach(() => {
      rmSync(folder, { recursive: true, force: true });
    });

    test('has every record field by field as it was logged, and its time as @timestamp', async () => {
      folder = mkdtempSync(path.join(tmpdir(), 'treeline-backends-'));
      const options = freshOptions('dynamic');
      const logger = createLogger({
        serviceName: 'shop',
        directory: folder,
        streams: [{ name: 'os', type: 'network', ...options }],
      });
      const child = logger.child({ name: 'http.client', tenant: 'a' });
      logger.info(
        { order: { id: 'o-1', total: 12.5, items: ['a', 'b'] }, trace_flags: 1 },
        'zwölf ☃ "quoted"\n',
      );
      child.warn({ req_id: 'r-1', ratio: 0.1, missing: null, ok: true }, 'slow');
      logger.error({ err: new Error('no route') }, 'failed');
      // A key of a child's binding that a call repeats stands twice in pino's line; OpenSearch takes no such document as it is.
      child.info({ tenant: 'b' }, 'twice');
      expect(await logger.flush({ timeoutMs: 30_000 })).toMatchObject({ ok: true });
      const stats = await logger.stats();
      await logger.close();
      expect(stats.streams['os']).toMatchObject({ accepted: 4, delivered: 4, deadLettered: 0, queued: 0 });

      const found = (await documents(options.index)).map(({ _source }) => _source);
      expect(found).toHaveLength(4);
      for (const each of found) expect(each['@timestamp']).toBe(each.time);
      const byMessage = new Map(found.map((each) => [each.msg, each]));
      expect(byMessage.get('zwölf ☃ "quoted"\n')).toMatchObject({
        level: 30,
        service: 'shop',
        order: { id: 'o-1', total: 12.5, items: ['a', 'b'] },
      });
      expect(byMessage.get('slow')).toMatchObject({
        level: 40,
        name: 'http.client',
        tenant: 'a',
        req_id: 'r-1',
        ratio: 0.1,
        missing: null,
        ok: true,
      });
      expect(byMessage.get('failed')).toMatchObject({
        level: 50,
        err: { type: 'Error', message: 'no route' },
      });
      expect(byMessage.get('twice')).toMatchObject({ tenant: 'b' });
    });
  });

  test('a sender that is killed while writes are blocked, and started again, makes each record one document', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'treeline-backends-'));
    const options = freshOptions('fixed');
    const config = JSON.stringify({
      serviceName: 'killed',
      // What the killed one has left, the second delivers before it ends.
      shutdown: { timeout: '60s' },
      directory: folder,
      durability: 'process',
      streams: [{ name: 'os', type: 'network', ...options, batch: { maxDelayMs: 20 } }],
    });
    const setBlock = (isBlocked: boolean): Promise<unknown> =>
      ask('PUT', `${options.index}/_settings`, { 'index.blocks.write': isBlocked });
    const first = startSender(config, 0, Infinity);
    await vi.waitFor(async () => expect(await countOf(options.index)).toBeGreaterThan(500), {
      timeout: 60_000,
    });
    await setBlock(true);
    await setTimeout(1_000);
    // Within its attempts: some requests have gone out, and nobody has noted the answers.
    await setBlock(false);
    await setTimeout(Math.random() * 100);
    first.kill('SIGKILL');
    const lastReturned = await first.last();
    const second = startSender(config, 1_000_000, 100);
    await second.last();
    const numbers = (await documents(options.index)).map(({ _source }) => _source['n'] as number);
    const ofFirst = new Set(numbers.filter((n) => n < 1_000_000));
    expect(Array.from({ length: lastReturned + 1 }, (_, n) => n).filter((n) => !ofFirst.has(n))).toEqual([]);
    expect(numbers.filter((n) => n >= 1_000_000)).toEqual(
      Array.from({ length: 100 }, (_, n) => 1_000_000 + n),
    );
    expect(numbers.length - new Set(numbers).size).toBe(0);
    rmSync(folder, { recursive: true });
  });

  test('answers for each document: taken, a repeat, refused; and a repeat of all makes no second document', async () => {
    const options = freshOptions('fixed');
    const sink = await open(options);
    const sent = [
      { ...record(0), number: 1 },
      { ...record(1), number: 'none' },
      { ...record(2), number: 2 },
    ];
    const position = { logId: 'log-a', seq: 1 };
    await sink.write(createBatch(lines(sent.slice(0, 1)), position));
    const first = await sink.write(createBatch(lines(sent), position));
    expect(first?.dead).toEqual([
      { index: 1, reason: expect.stringMatching(/400 mapper_parsing_exception: .*number/) as string },
    ]);
    expect(first?.retry).toBeUndefined();
    await sink.write(createBatch(lines(sent), position));
    await sink.close();
    const found = await documents(options.index);
    expect(found.map(({ _id, _source }) => [_id, _source['number']])).toEqual([
      ['log-a-1', 1],
      ['log-a-3', 2],
    ]);
  });
});
