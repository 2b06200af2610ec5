import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { adoptLogs, listLogs, type AdoptedLog } from './adoption.ts';
import { openCursors } from './cursors.ts';
import { createOwnerId } from './layout.ts';
import { openLogReader, type Damage } from './log-reader.ts';
import { createLog } from './log-writer.ts';
import { listSegments } from './segment-files.ts';

const service = 'api';

let stateDirectory: string;
beforeEach(() => (stateDirectory = mkdtempSync(join(tmpdir(), 'spool-adopt-'))));
afterEach(() => rmSync(stateDirectory, { recursive: true, force: true }));

test('a state directory that is not there has no logs', async () => {
  expect(await listLogs(join(stateDirectory, 'none'))).toEqual([]);
  expect(await adoptLogs({ stateDirectory: join(stateDirectory, 'none'), service })).toEqual({
    logs: [],
    skipped: [],
  });
  expect(existsSync(join(stateDirectory, 'none'))).toBe(false);
});

test('logs are adopted oldest first, each with its cursors', async () => {
  const ids: string[] = [];
  for (let n = 0; n < 5; n++) {
    const log = createLog({ stateDirectory, service });
    log.append(0, 1, '{}\n');
    const cursors = openCursors(log.directory);
    cursors.set('s', { seq: n, counters: {} });
    cursors.close();
    log.close();
    ids.push(log.logId);
  }
  const { logs } = await adoptLogs({ stateDirectory, service });
  expect(logs.map(({ logId }) => logId)).toEqual(ids.toSorted());
  expect(logs.map(({ logId, cursors }) => [logId, cursors.streams.get('s')?.seq])).toEqual(
    logs.map(({ logId }) => [logId, ids.indexOf(logId)]),
  );
  // One socket speaks for all of them.
  expect(readdirSync(join(stateDirectory, service, 'owners'))).toHaveLength(2);
  for (const log of logs) log.remove();
  expect(readdirSync(join(stateDirectory, service), { recursive: true })).toEqual(['owners']);
});

test('an adopted log gives back the segments that lie wholly below a record, and no other', async () => {
  const adopted = await adoptNew();
  let before = adopted.bytes;
  for (let seq = 0; seq < 600; seq += 25) {
    const freed = adopted.releaseUpTo(seq);
    expect(adopted.bytes).toBe(before - freed);
    before = adopted.bytes;
    const first = listSegments(adopted.directory, adopted.logId)[0]?.header?.firstSeq ?? Infinity;
    expect(first).toBeLessThanOrEqual(seq + 1);
    expect(readFirst(adopted, seq + 1)).toEqual({ firstSeq: seq + 1, damage: [] });
  }
  expect(listSegments(adopted.directory, adopted.logId).length).toBeLessThan(6);
  adopted.remove();
  expect(existsSync(adopted.directory)).toBe(false);
});

test('a segment whose header is damaged is kept until what follows it is released', async () => {
  const adopted = await adoptNew();
  adopted.close();
  const second = listSegments(adopted.directory, adopted.logId)[1];
  if (second === undefined) throw new Error('the log has one segment only');
  writeFileSync(second.path, Buffer.alloc(64), { flag: 'r+' });
  const [again] = (await adoptLogs({ stateDirectory, service })).logs;
  const third = listSegments(again?.directory ?? '', adopted.logId)[2]?.header?.firstSeq ?? 0;
  again?.releaseUpTo(third - 2);
  expect(listSegments(again?.directory ?? '', adopted.logId)[1]?.header).toBeUndefined();
  again?.releaseUpTo(third - 1);
  expect(listSegments(again?.directory ?? '', adopted.logId)[0]?.header?.firstSeq).toBe(third);
  again?.remove();
});

test('a log that was given back, or removed, is touched no more', async () => {
  const adopted = await adoptNew();
  adopted.close();
  expect(adopted.releaseUpTo(599)).toBe(0);
  adopted.remove();
  adopted.close();
  expect((await listLogs(stateDirectory)).map(({ owner }) => owner)).toEqual(['dead']);
});

test('a log that can’t be taken over is reported with the reason', async () => {
  const log = createLog({ stateDirectory, service });
  log.append(0, 1, '{}\n');
  log.close();
  rmSync(join(stateDirectory, service, 'owners'), { recursive: true });
  writeFileSync(join(stateDirectory, service, 'owners'), '');
  const { logs, skipped } = await adoptLogs({ stateDirectory, service });
  expect(logs).toEqual([]);
  expect(skipped).toMatchObject([{ directory: log.directory, reason: expect.stringContaining('EEXIST') }]);
});

test.each(['search', 'a/b', 'a~0123456789abcdef', '.hidden', 'größe'])(
  'the service %j is listed by its name',
  async (name) => {
    const log = createLog({ stateDirectory, service: name });
    log.append(0, 1, '{}\n');
    expect((await listLogs(stateDirectory)).map((listing) => listing.service)).toEqual([name]);
    log.remove();
  },
);

test('a service with a very long name is listed by its beginning', async () => {
  const log = createLog({ stateDirectory, service: 'x'.repeat(500) });
  log.append(0, 1, '{}\n');
  expect((await listLogs(stateDirectory)).map((listing) => listing.service)).toEqual([`${'x'.repeat(120)}…`]);
  log.remove();
});

test('what is no log’s in the state directory is left alone', async () => {
  const log = createLog({ stateDirectory, service });
  log.append(0, 1, '{}\n');
  log.close();
  for (const name of ['notes', `${'0'.repeat(24)}.x`, '0123.4567'])
    mkdirSync(join(stateDirectory, service, name));
  writeFileSync(join(stateDirectory, 'file'), '');
  const { logs } = await adoptLogs({ stateDirectory, service });
  expect(logs.map(({ logId }) => logId)).toEqual([log.logId]);
  writeFileSync(join(logs[0]?.directory ?? '', 'keep'), 'of a later version');
  expect(() => logs[0]?.remove()).toThrow('ENOTEMPTY');
  expect(readdirSync(logs[0]?.directory ?? '')).toEqual(['keep']);
  logs[0]?.close();
});

async function adoptNew(): Promise<AdoptedLog> {
  const log = createLog({ stateDirectory, service, segmentBytes: 4096 });
  const line = `{"msg":"${'x'.repeat(40)}"}\n`;
  for (let seq = 0; seq < 600; seq += 10) log.append(seq, 10, line.repeat(10));
  log.close();
  const { logs } = await adoptLogs({ stateDirectory, service });
  if (logs[0] === undefined) throw new Error('nothing was adopted');
  return logs[0];
}

function readFirst(
  { directory }: AdoptedLog,
  fromSeq: number,
): { firstSeq: number | undefined; damage: Damage[] } {
  const damage: Damage[] = [];
  const reader = openLogReader(directory, {
    fromSeq,
    follow: false,
    onDamage: (found) => damage.push(found),
  });
  const firstSeq = reader.next()?.firstSeq;
  reader.close();
  return { firstSeq, damage };
}

test('a thread that takes the place of one that died gets the logs that it had adopted, and nobody else does', async () => {
  const log = createLog({ stateDirectory, service });
  log.append(0, 1, '{}\n');
  log.close();
  const ownerId = createOwnerId();
  // As a thread that ends without giving anything back: its socket goes, its files stay.
  const dying = fileURLToPath(new URL('../fixtures/dying-adopter.mjs', import.meta.url));
  const thread = new Worker(dying, { workerData: { stateDirectory, service, ownerId } });
  const [adopted]: unknown[] = await once(thread, 'message');
  await thread.terminate();
  expect(adopted).toBe(1);

  expect((await adoptLogs({ stateDirectory, service })).logs).toEqual([]);
  const { logs } = await adoptLogs({ stateDirectory, service, ownerId });
  expect(logs.map(({ logId }) => logId)).toEqual([log.logId]);
  expect((await adoptLogs({ stateDirectory, service })).logs).toEqual([]);
  for (const each of logs) each.remove();
  expect(readdirSync(join(stateDirectory, service), { recursive: true })).toEqual(['owners']);
});
