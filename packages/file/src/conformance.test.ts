import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createBatch } from '@treeline/contract';
import { lines, testSource, testTransport } from '@treeline/contract/testing';
import { afterAll, describe, test } from 'vitest';
import { openFileSource } from './file-source.ts';
import transport, { type FileOptions } from './index.ts';
import { createNameGrammar } from './name-grammar.ts';
import { listRotated } from './retention.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'treeline-file-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));

let made = 0;
const freshPath = (): string => path.join(folder, `${made++}`, 'app.log');
const pathOf = (options: unknown): string => (options as FileOptions).path;

describe('the file transport', () => {
  for (const { name, run } of testTransport({
    transport,
    fresh: (): FileOptions => ({ path: freshPath(), rotation: { size: '1M', interval: '1d' } }),
    async read(options) {
      const rotated = await listRotated(createNameGrammar(pathOf(options)));
      const files = [...rotated.map((file) => file.path), pathOf(options)];
      return files.flatMap((file) => createBatch(fs.readFileSync(file)).records());
    },
    unusable: (): FileOptions => ({ path: path.join(folder) }),
    break(options) {
      // A file that is merely moved goes on taking what is under way.
      fs.copyFileSync(pathOf(options), `${pathOf(options)}.aside`);
      fs.unlinkSync(pathOf(options));
      fs.mkdirSync(pathOf(options));
    },
    mend(options) {
      fs.rmdirSync(pathOf(options));
      fs.renameSync(`${pathOf(options)}.aside`, pathOf(options));
    },
  })) {
    test(name, run);
  }
});

describe('a source over files', () => {
  for (const { name, run } of testSource({
    async open(records) {
      const logPath = freshPath();
      fs.mkdirSync(path.dirname(logPath));
      fs.writeFileSync(logPath, lines(records));
      return openFileSource(logPath);
    },
  })) {
    test(name, run);
  }
});
