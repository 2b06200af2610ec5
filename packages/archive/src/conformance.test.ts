import { createBatch, parseOptions, type LogRecord } from '@treeline/contract';
import { lines, testSource } from '@treeline/contract/testing';
import sqlite from '@treeline/sqlite';
import { afterEach, beforeEach, describe, test } from 'vitest';
import { archive } from './archive.ts';
import { createScratchStore, type ScratchStore } from './scratch-store.ts';
import { openArchivedSource } from './source.ts';

let scratch: ScratchStore;
beforeEach(() => {
  scratch = createScratchStore();
});
afterEach(() => scratch.remove());

async function write(records: readonly LogRecord[]): Promise<void> {
  if (records.length === 0) return;
  const options = await parseOptions(sqlite.definition, { path: scratch.path });
  const sink = await sqlite.definition.open(options, { streamName: 's', report: () => undefined });
  await sink.write(createBatch(lines(records)));
  await sink.close();
}

describe('a store with an archive as a source', () => {
  const cases = testSource({
    async open(records) {
      const half = Math.floor(records.length / 2);
      await write(records.slice(0, half));
      await archive(scratch, { olderThan: 0, to: scratch.to });
      await write(records.slice(half));
      return openArchivedSource(scratch.path);
    },
  });
  for (const { name, run } of cases) test(name, run);
});
