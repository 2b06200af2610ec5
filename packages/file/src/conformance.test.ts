import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseLine } from '@treeline/contract';
import { testTransport } from '@treeline/contract/testing';
import { afterAll, describe, test } from 'vitest';
import transport, { type FileOptions } from './index.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'treeline-file-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));

let made = 0;

describe('@treeline/file', () => {
  const cases = testTransport({
    transport,
    fresh: (): FileOptions => ({
      path: path.join(folder, `${made++}`, 'app.log'),
      rotation: { size: '10M', interval: '1d' },
    }),
    read: (options) => {
      const text = fs.readFileSync((options as FileOptions).path, 'utf8');
      return text.split('\n').slice(0, -1).map(parseLine);
    },
  });
  test.each(cases)('$name', ({ run }) => run());
});
