import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { OptionsSchema, SinkEvent } from './sink.ts';
import { createMemorySink } from './testing/memory-sink.ts';
import { lines, record } from './testing/sample-lines.ts';
import { defineTransport, parseOptions } from './transport.ts';

const LOG_PROGRAM = fileURLToPath(new URL('../test-programs/log.mjs', import.meta.url));

interface Run {
  readonly code: number;
  readonly tookMs: number;
  readonly path: string;
  readonly stderr: string;
  readonly seen: { errors: string[]; status: SinkEvent[]; linesAtFlush?: number } | undefined;
  readonly indexes: number[];
}

/** Runs the program that logs through pino's own thread. */
function runLog(
  options: object,
  logging: { count: number; end: 'return' | 'exit' | 'flush'; text?: string },
): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), 'treeline-contract-'));
  const path = join(folder, 'log');
  const startMs = performance.now();
  const argument = JSON.stringify({ options: { path, ...options }, ...logging });
  return new Promise((resolve) => {
    execFile(process.execPath, [LOG_PROGRAM, argument], (error, stdout, stderr) => {
      resolve({
        code: typeof error?.code === 'number' ? error.code : 0,
        tookMs: performance.now() - startMs,
        path,
        stderr,
        seen:
          stdout === ''
            ? undefined
            : (JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as NonNullable<Run['seen']>),
        indexes: readIndexes(path),
      });
      rmSync(folder, { recursive: true });
    });
  });
}

function readIndexes(path: string): number[] {
  if (!existsSync(path)) return [];
  const logged = readFileSync(path, 'utf8').trim().split('\n');
  return logged.map((line) => (JSON.parse(line) as { index: number }).index);
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

test('a bare transport waits between attempts as its definition says', async () => {
  const sink = createMemorySink();
  for (let times = 0; times < 8; times++)
    sink.outcomes.push(async () => Promise.reject(new Error('down for a moment')));
  const transport = defineTransport<{ waitMs: number }>({
    name: 'impatient',
    batch: { maxDelayMs: 1 },
    retry: ({ waitMs }) => ({ minMs: waitMs, maxMs: waitMs }),
    open: () => sink,
  });
  const stream = await transport({ waitMs: 1 });
  const startMs = performance.now();
  stream.end(lines([record(0)]));
  await once(stream, 'close');
  expect(sink.records).toHaveLength(1);
  // Eight waits of the default are minutes; its deadline for the end is 8 s.
  expect(performance.now() - startMs).toBeLessThan(7_000);
});

// Concurrent: two of them wait for the deadline.
describe.concurrent('a transport in the thread that pino starts', () => {
  test('has delivered everything when flush calls back', async () => {
    const { seen, code } = await runLog({ delayMs: 50 }, { count: 1000, end: 'flush' });
    expect(seen).toEqual({ errors: [], status: [], linesAtFlush: 1000 });
    expect(code).toBe(0);
  });

  test.each(['return', 'exit'] as const)('loses nothing of a burst before %s', async (end) => {
    const { indexes, stderr, code } = await runLog({ delayMs: 1 }, { count: 100_000, end });
    expect(indexes.length).toBe(100_000);
    expect(indexes).toEqual(upTo(100_000));
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  });

  test('emits error at the start when its destination can not be opened', async () => {
    const { seen, path } = await runLog({ fault: 'open' }, { count: 1, end: 'return' });
    expect(seen?.errors).toEqual([`"${path}" can't be opened`]);
  });

  test('emits no error over a fault that passes, but tells it by status and on stderr', async () => {
    const { seen, stderr, indexes } = await runLog(
      { fault: 'write', failures: 2 },
      { count: 10, end: 'flush' },
    );
    expect(seen?.errors).toEqual([]);
    expect(seen?.linesAtFlush).toBe(10);
    expect(seen?.status.map(({ type, reason }) => [type, reason])).toEqual([
      ['down', 'the collector is down'],
      ['down', 'the collector is down'],
      ['recovered', 'delivering again'],
    ]);
    expect(indexes).toEqual(upTo(10));
    expect(stderr).toBe(
      [
        'treeline: @treeline/fixture: down: the collector is down',
        'treeline: @treeline/fixture: recovered: delivering again',
        'treeline: @treeline/fixture: down: [1 more like this since the last line]',
        '',
      ].join('\n'),
    );
  });

  test.each([
    ['flush', 'down: flush failed: no room for a flush'],
    ['close', 'down: close failed: already gone'],
  ])('ends well though %s fails', async (fault, told) => {
    const { seen, stderr, code, indexes } = await runLog({ fault }, { count: 10, end: 'flush' });
    expect({ errors: seen?.errors, code, indexes }).toEqual({ errors: [], code: 0, indexes: upTo(10) });
    expect(stderr).toContain(told);
  });

  test('delivers the rest of a batch of which a part was refused', async () => {
    const { stderr, indexes } = await runLog({ fault: 'partial' }, { count: 5, end: 'flush' });
    expect(indexes).toEqual([0, 2, 3, 4]);
    expect(stderr).toContain('dropped: too large for the collector (1 record)');
  });

  test.each([
    ['a few records', 10, ''],
    ['megabytes', 40_000, 'x'.repeat(300)],
  ])(
    'closes before pino gives up, with %s for a destination that is stuck, and counts them',
    async (_name, count, text) => {
      const { stderr, tookMs, code, seen } = await runLog({ fault: 'stuck' }, { count, end: 'return', text });
      expect(stderr).toBe(
        `treeline: @treeline/fixture: dropped: not delivered before the stream closed (${count} records)\n`,
      );
      expect(tookMs).toBeGreaterThan(7900);
      // Start and logging included; that everything was counted shows that pino, which ends the thread after 10 s, did not.
      expect(tookMs).toBeLessThan(15_000);
      expect({ code, seen }).toEqual({ code: 0, seen: undefined });
    },
    20_000,
  );
});

const schema: OptionsSchema<{ path: string }> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) =>
      typeof value === 'object' && value !== null && Object.keys(value).join(',') === 'path'
        ? { value: value as { path: string } }
        : {
            issues: [
              { message: 'must be a text; got 5', path: ['rotation', { key: 'size' }] },
              { message: 'must be an object' },
            ],
          },
  },
};

describe('defineTransport', () => {
  test('opens with checked options, without the keys that pino mixes in', async () => {
    const opened: unknown[] = [];
    const sink = createMemorySink();
    const transport = defineTransport({
      name: 'memory',
      options: schema,
      open(options) {
        opened.push(options);
        return sink;
      },
    });
    const stream = await transport({ path: 'x', $context: {}, pinoWillSendConfig: true, levels: {} });
    expect(opened).toEqual([{ path: 'x' }]);
    stream.end(lines([record(0)]));
    await new Promise((resolve) => stream.once('close', resolve));
    expect(sink.records).toEqual([record(0)]);
  });

  test('rejects wrong options before it opens anything', async () => {
    const transport = defineTransport({ name: 'memory', options: schema, open: () => createMemorySink() });
    await expect(transport({ wrong: 1 })).rejects.toThrow(
      new TypeError('memory: rotation.size: must be a text; got 5; must be an object'),
    );
  });

  test('hands on what open throws', async () => {
    const transport = defineTransport({
      name: 'memory',
      open: () => {
        throw new Error('no such place');
      },
    });
    await expect(transport()).rejects.toThrow('no such place');
  });
});

describe('parseOptions', () => {
  test('leaves options as they are where there is no schema', async () => {
    const options = { anything: 1 };
    expect(await parseOptions({ name: 'memory' }, options)).toBe(options);
  });
});
