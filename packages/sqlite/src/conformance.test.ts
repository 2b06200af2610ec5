import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { testTransport } from '@treeline/contract/testing';
import { afterAll, describe, test } from 'vitest';
import transport, { openLogReader } from './index.ts';

const folder = fs.mkdtempSync(join(os.tmpdir(), 'treeline-sqlite-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
let files = 0;

describe('the sqlite transport', () => {
  for (const { name, run } of testTransport({
    transport,
    fresh: () => ({ path: join(folder, `${files++}.db`) }),
    read(options) {
      const reader = openLogReader((options as { path: string }).path);
      const records = [...reader.iterate({ order: 'asc' })].map((row) => row.record);
      reader.close();
      return records;
    },
  })) {
    test(name, run);
  }
});
