import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { FlushResult, LoggerStats, StreamStatus } from '@treeline/core';
import { describe, expect, test } from 'vitest';
import { installPackages } from './foreign-package.ts';
import { count, numbersIn, readRecords, runProgram, scratchFolder, type Ended } from './program.ts';

const LINES = 5_000;

interface Report {
  readonly flushed: FlushResult;
  readonly stats: LoggerStats;
  readonly statuses: readonly StreamStatus[];
}

interface PinoStream {
  readonly name?: string;
  readonly target: string;
  readonly options: object;
}

function ownTarget(file: string): { readonly type: string; readonly module: string } {
  const module = fileURLToPath(new URL(`../programs/targets/${file}`, import.meta.url));
  return { type: file, module };
}

function logToTargets(
  streams: readonly (PinoStream | { readonly type: 'file'; readonly name: string; readonly path: string })[],
  way: string,
  cwd: string,
  lines = LINES,
): Promise<Ended> {
  const config = {
    shutdown: { timeout: '30s' },
    streams: streams.map((stream) =>
      'target' in stream ? { type: 'pino', name: stream.target, ...stream } : stream,
    ),
  };
  const transports = streams.flatMap((stream) => {
    if (!('target' in stream)) return [];
    return [stream.target.includes('.') ? ownTarget(stream.target) : stream.target];
  });
  installPackages(
    cwd,
    transports.filter((transport) => typeof transport === 'string'),
  );
  const args = [JSON.stringify(config), JSON.stringify(transports), way, String(lines)];
  return runProgram('logs-to-targets.mjs', args, { cwd });
}

/** A small Loki that keeps the lines it is sent. */
async function startLoki(): Promise<{
  readonly host: string;
  readonly lines: string[];
  readonly server: Server;
}> {
  const lines: string[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { streams } = (await json(request)) as { streams: { values: [string, string][] }[] };
    for (const { values } of streams) lines.push(...values.map(([, line]) => line));
    response.writeHead(204).end();
  };
  const server = createServer((request, response) => void answer(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { host: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, lines, server };
}

const WAYS = { return: 0, exit: 7, throw: 1, flush: 0 };

describe('an existing pino transport is a stream', () => {
  test.each(Object.entries(WAYS))('pino-roll and pino-pretty get every record, on %s', async (way, code) => {
    using folder = scratchFolder();
    const ended = await logToTargets(
      [
        { target: 'pino-roll', options: { file: 'logs/rolled', extension: '.log', mkdir: true } },
        {
          target: 'pino-pretty',
          options: {
            destination: 'pretty.log',
            colorize: false,
            singleLine: true,
            ignore: 'pid,hostname,time',
          },
        },
      ],
      way,
      folder.path,
    );
    expect(ended.code, ended.stderr).toBe(code);
    expect(numbersIn(readRecords(join(folder.path, 'logs/rolled.1.log')))).toEqual(count(0, LINES));
    const pretty = readFileSync(join(folder.path, 'pretty.log'), 'utf8').trimEnd().split('\n');
    expect(pretty).toEqual(count(0, LINES).map((n) => `INFO: one of many {"n":${n}}`));
  });

  test.each(Object.entries(WAYS))(
    'pino-loki, which gathers for 5 s, has sent every record, on %s',
    async (way, code) => {
      using folder = scratchFolder();
      const loki = await startLoki();
      const ended = await logToTargets(
        [{ target: 'pino-loki', options: { host: loki.host, batching: { interval: 5 } } }],
        way,
        folder.path,
      );
      loki.server.close();
      expect(ended.code, ended.stderr).toBe(code);
      expect(loki.lines.map((line) => (JSON.parse(line) as { n: number }).n)).toEqual(count(0, LINES));
      expect(ended.durationMs).toBeLessThan(5_000);
    },
  );

  test('pino-roll rolls over between records, never within one', async () => {
    using folder = scratchFolder();
    await logToTargets(
      [{ target: 'pino-roll', options: { file: 'rolled', size: '100k' } }],
      'flush',
      folder.path,
    );
    const records = count(1, 100).flatMap((n) => readRecords(join(folder.path, `rolled.${n}.log`)));
    expect(numbersIn(records)).toEqual(count(0, LINES));
  });

  test('a target compiled to nested defaults is found, and one that waits for pino’s config gets it', async () => {
    using folder = scratchFolder();
    const options = { path: join(folder.path, 'out.log') };
    const ended = await logToTargets([{ target: 'nested-default.cjs', options }], 'flush', folder.path, 100);
    expect(ended.code, ended.stderr).toBe(0);
    const records = readRecords(options.path);
    expect(numbersIn(records)).toEqual(count(0, 100));
    expect(records[0]).toMatchObject({ label: 'info', msg: 'one of many' });
  });
});

describe('a target that fails harms no other', () => {
  test.each(['failing.mjs', 'throwing-later.mjs'])(
    '%s: its thread is started again, the healthy stream sees nothing',
    async (target) => {
      using folder = scratchFolder();
      const options = { path: join(folder.path, 'target.log'), mark: join(folder.path, 'mark') };
      const ended = await logToTargets(
        [
          { target, options },
          { type: 'file', name: 'healthy', path: 'healthy.log' },
        ],
        'flush',
        folder.path,
        20_000,
      );
      expect(ended.code, ended.stderr).toBe(0);
      const { flushed, stats, statuses } = JSON.parse(ended.stdout) as Report;
      expect(flushed).toEqual({ ok: true, streams: { [target]: 'flushed', healthy: 'flushed' } });
      expect(numbersIn(readRecords(join(folder.path, 'healthy.log')))).toEqual(count(0, 20_000));
      const arrived = numbersIn(readRecords(options.path));
      expect([...new Set(arrived)]).toEqual(count(0, 20_000));
      expect(stats.streams[target]).toMatchObject({
        accepted: 20_000,
        delivered: 20_000,
        queued: 0,
        state: 'up',
      });
      expect(statuses).toContainEqual(expect.objectContaining({ stream: target, type: 'down' }));
      expect(ended.stderr).toMatch(/this target fails|thrown in a timer/);
    },
  );
});
