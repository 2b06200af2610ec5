import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseLine } from '@treeline/contract';
import { skippedCases, testTransport } from '@treeline/contract/testing';
import { expect, test } from 'vitest';
import transport from './append-transport.mjs';

const folder = mkdtempSync(join(tmpdir(), 'append-'));
let files = 0;

const under = {
  transport,
  fresh: () => ({ path: join(folder, `${files++}.log`) }),
  read: ({ path }) => readFileSync(path, 'utf8').split('\n').slice(0, -1).map(parseLine),
  unusable: () => ({ path: join(folder, 'missing', 'app.log') }),
};

for (const { name, run } of testTransport(under)) test(name, run);

test('the suite leaves out what a plain file has no answer to', () => {
  expect(new Set(skippedCases(under).map(({ needs }) => needs))).toEqual(
    new Set(['break', 'stall', 'refused', 'storesPosition']),
  );
});
