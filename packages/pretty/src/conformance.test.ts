import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { LogRecord } from '@treeline/contract';
import { testTransport } from '@treeline/contract/testing';
import { afterAll, expect, test } from 'vitest';
import pretty, { type PrettyOptions } from './index.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'treeline-pretty-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));

let count = 0;
const cases = testTransport({
  transport: pretty,
  fresh: (): PrettyOptions => ({
    destination: path.join(folder, `${count++}.log`),
    mode: 'flat',
    color: 'never',
    maxLineBytes: '2M',
  }),
  read: (given) =>
    fs
      .readFileSync((given as { destination: string }).destination, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map(unprint),
});

test.each(cases)('$name', async ({ run }) => {
  await expect(run()).resolves.toBeUndefined();
});

/** Reads a flat line of the sample records back. */
function unprint(line: string): LogRecord {
  const [, time = '', msg = '', text] = /^(\S+) INFO {2}(record \d+)(?: text="(.*)")?$/su.exec(line) ?? [];
  const fields = text === undefined ? {} : { text: unescape(text) };
  return { level: 30, time: Date.parse(time), pid: 1, hostname: 'h', ...fields, msg };
}

function unescape(text: string): string {
  return text.replace(/\\(?:n|x([0-9a-f]{2})|u\{([0-9a-f]+)\})/g, (_, x?: string, u?: string) =>
    x || u ? String.fromCodePoint(Number.parseInt(x ?? u ?? '', 16)) : '\n',
  );
}
