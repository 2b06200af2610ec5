import { createHash } from 'node:crypto';
import fs from 'node:fs';
import zlib from 'node:zlib';
import type { LogRequest } from '@treeline/contract';
import { lines, record } from '@treeline/contract/testing';
import { describe, expect, test } from 'vitest';
import { CAN_ZSTD } from './compression-method.ts';
import { openFileSource } from './file-source.ts';
import { FollowedLog } from './followed-log.ts';
import { findChains, openChain } from './log-chain.ts';
import { LogFolder, numbered, until } from './log-folder.test.fixture.ts';

async function query(path: string, request: LogRequest): Promise<number[]> {
  const source = await openFileSource(path);
  const found: number[] = [];
  for await (const each of source.query(request)) found.push(Number(each.msg?.slice('record '.length)));
  await source.close();
  return found;
}

async function gather<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const gathered: T[] = [];
  for await (const row of rows) gathered.push(row);
  return gathered;
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);

describe('a log that was rotated', () => {
  test.each([...(['none', 'gzip', 'brotli'] as const), ...(CAN_ZSTD ? (['zstd'] as const) : [])])(
    'with compression %s it is read in order, from either end',
    async (compress) => {
      await using folder = new LogFolder();
      const sink = await folder.open({ rotation: { size: 1000 }, compress });
      await sink.write(numbered(0, 40));
      if (compress !== 'none')
        await until(() => folder.names.every((name) => /log$|\.(gz|br|zst)$/.test(name)), 'compressed files');
      expect(await query(folder.at('app.log'), { order: 'asc' })).toEqual(range(0, 40));
      expect(await query(folder.at('app.log'), {})).toEqual(range(0, 40).toReversed());
      expect(await query(folder.at('app.log'), { limit: 15 })).toEqual(range(25, 40).toReversed());
      expect(await query(folder.path, { order: 'asc', filter: 'msg="record 7" or msg="record 30"' })).toEqual(
        [7, 30],
      );
    },
  );

  test('a copy beside its source, left by a crash, is not read twice', async () => {
    await using folder = new LogFolder();
    fs.writeFileSync(folder.at('app.log.2026-11-20.1'), numbered(0, 2).bytes);
    fs.writeFileSync(folder.at('app.log.2026-11-20.1.gz'), zlib.gzipSync(numbered(0, 2).bytes));
    expect(await query(folder.at('app.log'), { order: 'asc' })).toEqual([0, 1]);
  });
});

describe('a rotation while a log is read', () => {
  test.each([
    ['asc', 'renamed'],
    ['desc', 'renamed'],
    ['asc', 'compressed'],
  ] as const)('loses and doubles nothing (%s, %s)', async (order, how) => {
    await using folder = new LogFolder();
    fs.writeFileSync(folder.at('app.log.2026-11-22.1'), numbered(0, 10).bytes);
    fs.writeFileSync(folder.at('app.log'), numbered(10, 20).bytes);
    const source = await openFileSource(folder.path);
    const found: unknown[] = [];
    for await (const { msg } of source.query({ order })) {
      if (found.push(msg) > 1) continue;
      fs.renameSync(folder.at('app.log'), folder.at('app.log.2026-11-22.2'));
      fs.writeFileSync(folder.at('app.log'), numbered(20, 22).bytes);
      if (how === 'compressed') {
        const plain = folder.at('app.log.2026-11-22.2');
        fs.writeFileSync(`${plain}.gz`, zlib.gzipSync(fs.readFileSync(plain)));
        fs.rmSync(plain);
      }
    }
    const numbers = range(0, 20).map((index) => `record ${index}`);
    expect(found).toEqual(order === 'asc' ? numbers : numbers.toReversed());
  });

  test('between listing and opening makes it list the log again', async () => {
    await using folder = new LogFolder();
    fs.writeFileSync(folder.at('app.log'), numbered(0, 1).bytes);
    const list = () => findChains(folder.path);
    const [stale] = await list();
    fs.renameSync(folder.at('app.log'), folder.at('app.log.2026-11-22.1'));
    fs.writeFileSync(folder.at('app.log'), numbered(1, 2).bytes);
    const { files, current } = await openChain(stale ?? { log: '', files: [] }, list);
    await current?.handle.close();
    expect(files.map(({ file }) => file)).toEqual(['app.log.2026-11-22.1', 'app.log']);
    const followed = new FollowedLog();
    await followed.skip(stale ?? { log: '', files: [] }, list);
    fs.appendFileSync(folder.at('app.log'), numbered(2, 3).bytes);
    const [after] = await list();
    const batches = await gather(followed.read(after?.files ?? [], () => undefined));
    await followed.close();
    expect(batches.map((batch) => batch.bytes.toString())).toEqual([numbered(2, 3).bytes.toString()]);
  });
});

test.each([
  ['gz', (bytes: Buffer) => zlib.gzipSync(bytes)],
  ['br', (bytes: Buffer) => zlib.brotliCompressSync(bytes)],
] as const)('a .%s file that was cut is told by name, and all else is read', async (suffix, compress) => {
  await using folder = new LogFolder();
  const whole = compress(
    lines(
      range(0, 2000).map((index) =>
        record(index, { text: createHash('sha256').update(`${index}`).digest('hex') }),
      ),
    ),
  );
  const cut = folder.at(`app.log.2026-11-21.1.${suffix}`);
  fs.writeFileSync(cut, whole.subarray(0, whole.length / 2));
  fs.writeFileSync(folder.at('app.log.2026-11-22.1.gz'), 'no gzip at all');
  fs.writeFileSync(folder.at('app.log'), numbered(2000, 2002).bytes);
  const warnings: string[] = [];
  const source = await openFileSource(folder.path, { onWarning: (reason) => void warnings.push(reason) });
  for (const order of ['asc', 'desc'] as const) {
    const found = await gather(source.query({ order }));
    const numbers = found.map(({ msg }) => Number(msg?.slice('record '.length)));
    const given = numbers.length - 2;
    expect(given).toBeGreaterThan(100);
    expect(given).toBeLessThan(2000);
    const expected = [...range(0, given), 2000, 2001];
    expect(numbers).toEqual(order === 'asc' ? expected : expected.toReversed());
  }
  expect(warnings.map((warning) => warning.slice(0, cut.length))).toContain(cut);
  expect(warnings).toHaveLength(2);
});

test('lines longer than a block are read from the end too', async () => {
  await using folder = new LogFolder();
  const many = range(0, 20).map((index) =>
    record(index, { text: 'é'.repeat(index % 4 === 0 ? 900_000 : 10) }),
  );
  fs.writeFileSync(folder.at('app.log'), lines(many));
  expect(await query(folder.at('app.log'), {})).toEqual(range(0, 20).toReversed());
});

test('the logs of a folder are merged by time, other files are left alone', async () => {
  await using folder = new LogFolder();
  const pick = (rest: number) =>
    lines(
      range(0, 10)
        .filter((index) => index % 2 === rest)
        .map((index) => record(index)),
    );
  fs.writeFileSync(folder.at('a.log'), pick(0));
  fs.writeFileSync(folder.at('b-2026-11-22.jsonl'), pick(1));
  fs.writeFileSync(folder.at('notes.txt'), 'not a log\n');
  expect(await query(folder.path, { order: 'asc' })).toEqual(range(0, 10));
  expect(await query(folder.path, { limit: 3 })).toEqual([9, 8, 7]);
});

test('a log that each process writes into a file of its own is read back, rotated files included', async () => {
  await using folder = new LogFolder();
  const options = { perProcess: true, rotation: { size: 1000 }, compress: 'gzip' } as const;
  await (await folder.open(options)).write(numbered(0, 20));
  fs.writeFileSync(folder.at('app.log.other.host-7-1764000000000'), numbered(20, 22).bytes);
  fs.writeFileSync(folder.at('app.log.incident-4711-0'), numbered(22, 23).bytes);
  await until(() => folder.names.some((name) => name.endsWith('.gz')), 'compressed files');
  for (const target of [folder.path, folder.at('app.log')])
    expect(await query(target, { order: 'asc' })).toEqual(range(0, 22));
});

describe('a cursor', () => {
  /** Two logs, their records in turns; those of the first stand out of order in their file, as those of several processes do. */
  async function writeTwo(folder: LogFolder): Promise<void> {
    const at = (...indexes: number[]) => lines(indexes.map((index) => record(index)));
    fs.writeFileSync(folder.at('a.log'), at(0, 4, 2, 8, 6));
    fs.writeFileSync(folder.at('b.log'), at(1, 3, 5, 7, 9));
  }

  test.each(['asc', 'desc'] as const)('goes on where it was, from whichever row (%s)', async (order) => {
    await using folder = new LogFolder();
    await writeTwo(folder);
    const source = await openFileSource(folder.path);
    const all = await gather(source.rows({ order }));
    expect(all).toHaveLength(10);
    for (const [index, row] of all.entries()) {
      const rest = await gather(source.rows({ order, cursor: source.cursorOf(row) }));
      expect(rest.map(({ line }) => line)).toEqual(all.slice(index + 1).map(({ line }) => line));
    }
  });

  test('holds while the file of its row is rotated and compressed, and when that is gone', async () => {
    await using folder = new LogFolder();
    fs.writeFileSync(folder.at('app.log'), numbered(0, 4).bytes);
    const source = await openFileSource(folder.at('app.log'));
    const cursors = (await gather(source.rows({ order: 'asc' }))).map((row) => source.cursorOf(row));
    const behind = async (index: number): Promise<unknown[]> =>
      (await gather(source.rows({ order: 'asc', cursor: cursors[index] }))).map(({ record: { msg } }) => msg);
    fs.writeFileSync(
      folder.at('app.log.2026-11-22.1.gz'),
      zlib.gzipSync(fs.readFileSync(folder.at('app.log'))),
    );
    fs.writeFileSync(folder.at('app.log'), numbered(4, 6).bytes);
    expect(await behind(2)).toEqual(['record 3', 'record 4', 'record 5']);
    fs.rmSync(folder.at('app.log.2026-11-22.1.gz'));
    expect(await behind(2)).toEqual(['record 4', 'record 5']);
  });

  test.each(['', 'x', Buffer.from('[1,2,3]').toString('base64url')])(
    'that is none of ours, %j, is refused',
    async (cursor) => {
      await using folder = new LogFolder();
      fs.writeFileSync(folder.at('app.log'), numbered(0, 1).bytes);
      const source = await openFileSource(folder.at('app.log'));
      await expect(source.rows({ cursor }).next()).rejects.toThrow(
        /^cursor must be one that a query over files has given/,
      );
    },
  );
});

describe('following', () => {
  test.each(['none', 'gzip'] as const)(
    'gives every record once, through rotation with compression %s',
    { timeout: 60_000 },
    async (compress) => {
      await using folder = new LogFolder();
      const sink = await folder.open({ rotation: { size: 2000 }, compress });
      await sink.write(numbered(0, 20));
      const source = await openFileSource(folder.path);
      const ending = new AbortController();
      const found: number[] = [];
      const following = (async () => {
        for await (const {
          record: { msg },
        } of source.follow({}, ending.signal)) {
          found.push(Number(msg?.slice('record '.length)));
          if (found.length >= 500) ending.abort();
        }
      })();
      // The first record that comes shows that it has begun.
      let written = 20;
      while (found.length === 0) {
        await sink.write(numbered(written, ++written));
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      const first = found[0] ?? 0;
      while (written < first + 500) {
        await sink.write(numbered(written, (written += 10)));
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      await following;
      expect(found.slice(0, 500)).toEqual(range(first, first + 500));
    },
  );

  test('begins behind a cursor', async () => {
    await using folder = new LogFolder();
    const sink = await folder.open();
    await sink.write(numbered(0, 5));
    const source = await openFileSource(folder.at('app.log'));
    const [, second] = await gather(source.rows({ order: 'asc' }));
    const ending = new AbortController();
    const following = source.follow({ cursor: second && source.cursorOf(second) }, ending.signal);
    const next = async (): Promise<unknown> => {
      const { value } = await following.next();
      return value?.record.msg;
    };
    expect([await next(), await next(), await next()]).toEqual(['record 2', 'record 3', 'record 4']);
    await sink.write(numbered(5, 6));
    expect(await next()).toBe('record 5');
    ending.abort();
    expect(await next()).toBe(undefined);
  });
});

test('a path with nothing there is refused', async () => {
  await using folder = new LogFolder();
  await expect(openFileSource(folder.at('none.log'))).rejects.toThrow(
    /^can't read .*none\.log: .*ENOENT.*; name a log file or a folder$/,
  );
  await expect(openFileSource(folder.path)).rejects.toThrow(/holds no log files \(\*\.log/);
});
