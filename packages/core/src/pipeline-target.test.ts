import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import os from 'node:os';
import path from 'node:path';
import type { Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import pipelineTarget from './pipeline-target.ts';

type Flushable = Writable & { flush(callback: () => void): void };

async function withTarget(use: (stream: Flushable, read: () => string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'treeline-target-'));
  const file = path.join(folder, 'out.log');
  const config = { stateDirectory: folder, streams: [{ name: 'out', type: 'file', path: file }] };
  const pinoKeys = { $context: { threadStreamVersion: '4.2.1' }, pinoWillSendConfig: true };
  const stream = (await pipelineTarget({ config, ...pinoKeys })) as Flushable;
  await use(stream, () => readFileSync(file, 'utf8'));
  rmSync(folder, { recursive: true });
}

const flush = (stream: Flushable): Promise<void> => new Promise((resolve) => stream.flush(resolve));

describe('@treeline/core/pipeline', () => {
  test('takes chunks that end anywhere, and a last line without an end', () =>
    withTarget(async (stream, read) => {
      const lines = Array.from({ length: 500 }, (_, n) => `{"level":30,"n":${n},"text":"é日👍"}`);
      const bytes = Buffer.from(lines.join('\n'));
      for (let start = 0; start < bytes.length; start += 1001)
        stream.write(bytes.subarray(start, start + 1001));
      stream.end();
      await once(stream, 'close');
      expect(read()).toBe(`${lines.join('\n')}\n`);
    }));

  test('has delivered what was written before when flush calls back, also after the end', () =>
    withTarget(async (stream, read) => {
      await flush(stream);
      stream.write('{"level":30,"n":1}\n');
      await flush(stream);
      expect(read()).toBe('{"level":30,"n":1}\n');
      stream.write('{"level":30,"n":2}\n');
      stream.end();
      await flush(stream);
      expect(read()).toBe('{"level":30,"n":1}\n{"level":30,"n":2}\n');
      await flush(stream);
    }));

  test('keeps what is no JSON object as a record with its text', () =>
    withTarget(async (stream, read) => {
      stream.write('not JSON\n');
      stream.end();
      await once(stream, 'close');
      expect(JSON.parse(read())).toMatchObject({ level: 30, msg: 'not JSON' });
    }));

  test('gives its destinations back when it is destroyed', () =>
    withTarget(async (stream) => {
      stream.write('{"level":30}\n');
      stream.destroy();
      await once(stream, 'close');
    }));

  test.each([
    [null, 'options must be an object; got null'],
    [{ confg: 'x' }, 'unknown option "confg"; known: config, transports'],
    [{ config: 3 }, 'config must be a path or an object; got 3'],
    [
      { transports: 'pino-loki' },
      'transports must be a list of package names or { type, module } with texts',
    ],
    [
      { transports: [{ type: 'x' }] },
      'transports must be a list of package names or { type, module } with texts',
    ],
  ])('refuses %j', async (options, message) => {
    await expect(pipelineTarget(options)).rejects.toThrow(new TypeError(message));
  });
});
