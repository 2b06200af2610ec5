import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openLogReader, type LogRow } from '@treeline/sqlite';
import Database from 'better-sqlite3';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { collect, finish, startTreeline, treeline, writeConfig, type Finished } from './command.ts';
import { readRecords, scratchFolder } from './program.ts';

let cwd = '';

beforeEach(() => {
  const folder = scratchFolder();
  cwd = folder.path;
  return () => folder[Symbol.dispose]();
});

const STORE = { name: 'store', type: 'sqlite', path: 'logs.db' };
const FILE = { name: 'file', type: 'file', path: 'app.log' };

function readStore(): readonly LogRow[] {
  const reader = openLogReader(path.join(cwd, 'logs.db'));
  try {
    return reader.queryLogs({ order: 'asc', limit: Infinity });
  } finally {
    reader.close();
  }
}

function countStore(): number {
  const reader = openLogReader(path.join(cwd, 'logs.db'));
  try {
    return reader.count();
  } finally {
    reader.close();
  }
}

const line = (n: number, level = 30): string =>
  `{"level":${level},"time":${1_790_000_000_000 + n},"pid":1,"hostname":"h","n":${n},"pad":"${'x'.repeat(200)}","msg":"request ${n}"}\n`;

describe('treeline run', () => {
  test('stores a record for a JSON line and one for a line of text', async () => {
    const config = writeConfig(cwd, { streams: [STORE] });
    const beforeMs = Date.now();
    const { code, stdout, stderr } = await treeline(['run', '-c', config], {
      cwd,
      input: '{"level":50,"time":1,"msg":"x"}\nplain text\n',
    });
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '', stderr: '' });
    const rows = readStore();
    expect(rows.map(({ level, msg }) => ({ level, msg }))).toEqual([
      { level: 50, msg: 'x' },
      { level: 30, msg: 'plain text' },
    ]);
    expect(rows[1]?.ts).toBeGreaterThanOrEqual(beforeMs);
    expect(rows[1]?.ts).toBeLessThanOrEqual(Date.now());
  });

  test('counts a record at its level wherever the level stands, and by name or number', async () => {
    const config = writeConfig(cwd, { streams: [{ ...FILE, level: 'error' }] });
    const { code } = await treeline(['run', '-c', config], {
      cwd,
      input: [
        '{"msg":"a","level":50}',
        '{"msg":"b","level":40}',
        '{"level":"error","msg":"c"}',
        '{"level":30,"msg":"d"}',
        '{"time":1,"level":60,"msg":"e"}\r',
        'text is info',
      ].join('\n'),
    });
    expect(code).toBe(0);
    expect(readRecords(path.join(cwd, 'app.log')).map(({ msg }) => msg)).toEqual(['a', 'c', 'e']);
  });

  test('keeps a last line without a line feed, and what is no JSON object', async () => {
    const config = writeConfig(cwd, { serviceName: 'shop', fields: { region: 'eu' }, streams: [FILE] });
    await treeline(['run', '-c', config], {
      cwd,
      input: '\n[1,2]\n\n  at main.js:1\n{"level":30,"msg":"cut',
    });
    const records = readRecords(path.join(cwd, 'app.log'));
    expect(records.map(({ msg }) => msg)).toEqual(['[1,2]', '  at main.js:1', '{"level":30,"msg":"cut']);
    expect(records[0]).toMatchObject({ level: 30, service: 'shop', region: 'eu' });
  });

  test('loses none of a million lines, and its memory does not grow with them', async () => {
    const config = writeConfig(cwd, { streams: [FILE, STORE] });
    const child = startTreeline(['run', '-c', config, '--stats'], { cwd });
    const finished = finish(child);
    let peakKiB = 0;
    for (let n = 0; n < 1_000_000; n += 1000) {
      const lines = Array.from({ length: 1000 }, (_, i) =>
        (n + i) % 100 === 7 ? `text ${n + i}\n` : line(n + i),
      );
      if (!child.stdin.write(lines.join(''))) await once(child.stdin, 'drain');
      if (n % 50_000 === 0) peakKiB = Math.max(peakKiB, peakMemoryKiB(child.pid));
    }
    peakKiB = Math.max(peakKiB, peakMemoryKiB(child.pid));
    child.stdin.end();
    const { code, stderr } = await finished;
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stderr).toContain('1000000 lines, 10000 of them text');
    expect(countStore()).toBe(1_000_000);
    expect(await countLines(path.join(cwd, 'app.log'))).toBe(1_000_000);
    // 270 MB of input; the process takes some 260 MB for any number of lines.
    expect(peakKiB).toBeLessThan(450 * 1024);
  }, 300_000);

  test('reads no faster than a store that stands still, and delivers all when it goes on', async () => {
    const config = writeConfig(cwd, { streams: [STORE], shutdown: { timeout: '30s' } });
    await treeline(['run', '-c', config], { cwd, input: line(0) });
    const lock = new Database(path.join(cwd, 'logs.db'));
    lock.exec('BEGIN IMMEDIATE');

    const child = startTreeline(['run', '-c', config], { cwd });
    const finished = finish(child);
    let written = 0;
    const chunk = Array.from({ length: 1000 }, (_, i) => line(i)).join('');
    const writing = (async () => {
      for (; written < 200; written++) {
        if (!child.stdin.write(chunk)) await once(child.stdin, 'drain');
      }
      child.stdin.end();
    })();
    // 200 chunks are 56 MB: far more than the window and the pipe hold.
    await vi.waitFor(() => expect(written).toBeGreaterThan(20), { timeout: 20_000 });
    await standsStill(() => written);
    expect(written).toBeLessThan(150);

    lock.exec('ROLLBACK');
    lock.close();
    await writing;
    const { code, stderr } = await finished;
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(countStore()).toBe(200_001);
  });

  test('goes on with the other streams when the reader of its console goes away', async () => {
    const config = writeConfig(cwd, { streams: [{ name: 'console', type: 'console' }, FILE] });
    const child = startTreeline(['run', '-c', config], { cwd });
    const stderr = collect(child.stderr);
    child.stdin.write(line(0));
    await once(child.stdout, 'data');
    child.stdout.destroy();
    for (let n = 1; n < 100_000; n += 1000) {
      const lines = Array.from({ length: 1000 }, (_, i) => line(n + i)).join('');
      if (!child.stdin.write(lines)) await once(child.stdin, 'drain');
    }
    child.stdin.end();
    await once(child, 'close');
    expect({ code: child.exitCode, stderr: stderr.text }).toMatchObject({ code: 0 });
    expect(await countLines(path.join(cwd, 'app.log'))).toBe(100_001);
    expect(stderr.text).toContain('console: down: its reader has closed the pipe');
  });

  test('goes on when nobody reads what it tells', async () => {
    const config = writeConfig(cwd, { streams: [STORE] });
    const child = startTreeline(['run', '-c', config, '--stats'], { cwd });
    child.stderr.destroy();
    child.stdin.end(line(1));
    await once(child, 'close');
    expect(child.exitCode).toBe(0);
    expect(countStore()).toBe(1);
  });

  test('lets the config use the stream type of a package only where the command line names it', async () => {
    const home = path.join(cwd, 'node_modules', 'treeline-lines');
    fs.mkdirSync(home, { recursive: true });
    fs.writeFileSync(
      path.join(home, 'package.json'),
      '{ "type": "module", "exports": { ".": "./index.js" } }',
    );
    fs.writeFileSync(
      path.join(home, 'index.js'),
      `import fs from 'node:fs';
      const definition = {
        name: 'lines',
        open: ({ to }) => ({
          write: async (batch) => fs.appendFileSync(to, batch.bytes),
          flush: async () => {},
          close: async () => {},
        }),
      };
      export default Object.assign(async () => {}, { definition });`,
    );
    const config = writeConfig(cwd, { streams: [{ name: 'own', type: 'treeline-lines', to: 'own.log' }] });
    const refused = await treeline(['run', '-c', config], { cwd, input: line(0) });
    expect(refused.code).toBe(78);
    expect(refused.stderr).toContain('treeline-lines');
    const args = ['run', '-c', config, '--transport', 'treeline-lines'];
    expect(await treeline(args, { cwd, input: line(0) + line(1) })).toMatchObject({ code: 0, stderr: '' });
    expect(await countLines(path.join(cwd, 'own.log'))).toBe(2);
  });

  test('keeps a line that is cut in two writes, and tells of one that is too long', async () => {
    const config = writeConfig(cwd, { streams: [FILE] });
    const child = startTreeline(['run', '-c', config], { cwd });
    const finished = finish(child);
    child.stdin.write('{"level":30,"msg":"gr');
    await sleep(100);
    child.stdin.write(Buffer.from('öße', 'utf8').subarray(0, 2));
    await sleep(100);
    child.stdin.write(Buffer.from('öße', 'utf8').subarray(2));
    child.stdin.write('"}\n');
    const piece = Buffer.alloc(1024 * 1024, 'y');
    for (let n = 0; n < 20; n++) if (!child.stdin.write(piece)) await once(child.stdin, 'drain');
    child.stdin.end(`\n${line(1)}`);
    const { code, stderr } = await finished;
    expect(code).toBe(0);
    expect(stderr).toBe('treeline: 1 line was longer than 16M and has been cut\n');
    const messages = readRecords(path.join(cwd, 'app.log')).map(({ msg }) => msg);
    expect(messages).toHaveLength(3);
    expect([messages[0], messages[2]]).toEqual(['größe', 'request 1']);
  });

  test.each(['SIGTERM', 'SIGINT'] as const)('drains at %s, then ends by it', async (signal) => {
    const config = writeConfig(cwd, { streams: [FILE, STORE], shutdown: { timeout: '4s' } });
    const child = startTreeline(['run', '-c', config], { cwd });
    const finished = finish(child);
    child.stdin.write(Array.from({ length: 5000 }, (_, n) => line(n)).join(''));
    await vi.waitFor(() => expect(fs.existsSync(path.join(cwd, 'app.log'))).toBe(true), { timeout: 20_000 });
    child.kill(signal);
    child.stdin.write(line(5000));
    child.stdin.end('the last word');
    const ended = await finished;
    expect(ended).toMatchObject({ code: null, signal });
    expect(ended.stderr).toBe('');
    expect(await countLines(path.join(cwd, 'app.log'))).toBe(5002);
    expect(countStore()).toBe(5002);
  });

  test('ends within the shutdown time after a signal, though its input stays open', async () => {
    const config = writeConfig(cwd, { streams: [FILE], shutdown: { timeout: '1s' } });
    const child = startTreeline(['run', '-c', config], { cwd });
    const finished = finish(child);
    child.stdin.write(line(0));
    await vi.waitFor(() => expect(fs.existsSync(path.join(cwd, 'app.log'))).toBe(true), { timeout: 20_000 });
    const startMs = performance.now();
    child.kill('SIGTERM');
    const { signal, stderr } = await finished;
    expect(signal).toBe('SIGTERM');
    expect(performance.now() - startMs).toBeLessThan(2500);
    expect(stderr).toBe('treeline: stopped by SIGTERM before the input had ended\n');
  });

  test('ends at once at a second signal', async () => {
    const config = writeConfig(cwd, { streams: [FILE], shutdown: { timeout: '60s' } });
    const child = startTreeline(['run', '-c', config], { cwd });
    const finished = finish(child);
    child.stdin.write(line(0));
    await vi.waitFor(() => expect(fs.existsSync(path.join(cwd, 'app.log'))).toBe(true), { timeout: 20_000 });
    child.kill('SIGINT');
    await sleep(200);
    expect(child.signalCode).toBeNull();
    const startMs = performance.now();
    child.kill('SIGINT');
    expect((await finished).signal).toBe('SIGINT');
    expect(performance.now() - startMs).toBeLessThan(2000);
  });

  test('gives up a destination that stands still, says what is left, exits 1, and delivers it at the next start', async () => {
    const config = writeConfig(cwd, { streams: [STORE, FILE], shutdown: { timeout: '2s' } });
    const run = (...lines: string[]): Promise<Finished> =>
      treeline(['run', '-c', config], { cwd, input: lines.join('') });
    await run(line(0));
    const lock = new Database(path.join(cwd, 'logs.db'));
    lock.exec('BEGIN IMMEDIATE');
    const { code, signal, stderr } = await run(line(1), line(2));
    lock.close();
    expect({ code, signal }).toEqual({ code: 1, signal: null });
    expect(stderr).toMatch(/^treeline: store: 2 records were not delivered.*; kept for the next start$/m);
    expect(await countLines(path.join(cwd, 'app.log'))).toBe(3);

    expect(await run(line(3))).toMatchObject({ code: 0, stderr: '' });
    expect(readStore().map(({ record }) => record.n)).toEqual([0, 1, 2, 3]);
    expect(await countLines(path.join(cwd, 'app.log'))).toBe(4);
  });

  test('reads the config that LOG_CONFIG_FILE names, or the one that it finds in its folder', async () => {
    writeConfig(cwd, { streams: [FILE] }, 'logging.config.json');
    writeConfig(cwd, { streams: [{ ...FILE, path: 'named.log' }] }, 'named.json');
    await treeline(['run'], { cwd, input: line(0) });
    await treeline(['run'], { cwd, input: line(0), env: { LOG_CONFIG_FILE: 'named.json' } });
    expect(fs.readdirSync(cwd).filter((name) => name.endsWith('.log'))).toEqual(['app.log', 'named.log']);
  });

  test('throws the input away where the config switches logging off, and says so', async () => {
    const config = writeConfig(cwd, { enabled: false, streams: [FILE] });
    const { code, stderr } = await treeline(['run', '-c', config], { cwd, input: line(0) });
    expect(code).toBe(0);
    expect(stderr).toContain('"enabled": false');
    expect(fs.existsSync(path.join(cwd, 'app.log'))).toBe(false);
  });
});

/** The most memory that a process has had, from /proc. */
function peakMemoryKiB(pid: number | undefined): number {
  const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]);
}

async function countLines(file: string): Promise<number> {
  let count = 0;
  for await (const chunk of fs.createReadStream(file))
    for (const byte of chunk as Buffer) if (byte === 10) count++;
  return count;
}

/** Waits until a number has not changed for a second. */
async function standsStill(read: () => number): Promise<void> {
  for (let before = Number.NaN; before !== read(); await sleep(1000)) before = read();
}
