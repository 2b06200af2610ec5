import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { createBatch } from '@treeline/contract';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { examineStore } from './doctor.ts';
import { openSqliteSink } from './sink.ts';
import { openLogStore } from './store.ts';

const folder = fs.mkdtempSync(join(os.tmpdir(), 'treeline-sqlite-doctor-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

let files = 0;
let path = '';
beforeEach(() => {
  path = join(folder, `${files++}.db`);
});

describe('examineStore', () => {
  test('tells what a store holds and what takes its space', async () => {
    const sink = await openSqliteSink(
      { path, synchronous: 'normal', fullText: false, indexes: ['trace_id'] },
      { streamName: 'store', report: () => undefined },
    );
    await sink.write(createBatch(Buffer.from('{"level":30,"time":1760000000000,"name":"a","x":1,"x":2}\n')));
    await sink.close();
    const report = examineStore(path, { check: true });
    expect(report).toMatchObject({
      schemaVersion: 1,
      rows: 1,
      firstMs: 1_760_000_000_000,
      lastMs: 1_760_000_000_000,
      busiest: [{ source: 'a', type: 'log', rows: 1 }],
      optionalIndexes: ['trace_id'],
      mendedDuplicateKeys: 1,
    });
    expect(report.parts.map((part) => part.name)).toContain('logs_by:trace_id');
    expect(report.parts.reduce((sum, part) => sum + part.bytes, 0)).toBeLessThanOrEqual(report.fileBytes);
    expect(report.findings).toEqual([
      { severity: 'note', message: expect.stringMatching(/^1 lines had a key twice/) as string },
    ]);
  });

  test('finds damaged pages where it is asked to check', () => {
    const store = openLogStore(path);
    store.append(Array.from({ length: 2000 }, () => ({ source: 'a', payload: { text: 'x'.repeat(100) } })));
    store.close();
    const bytes = fs.readFileSync(path);
    bytes.fill(0xff, 4096 * 30, 4096 * 31);
    fs.writeFileSync(path, bytes);
    expect(examineStore(path, { check: true }).findings).toEqual([
      { severity: 'error', message: expect.stringMatching(/is damaged: .*\.recover$/) as string },
    ]);
  });
});
