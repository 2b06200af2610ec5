import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { TreelineError } from '@treeline/contract';
import { openLogReader, openLogStore, type LogQuery, type LogRow } from '@treeline/sqlite';
import { describe, expect, test, vi } from 'vitest';
import { runFile, scratchFolder } from './program.ts';

const DIST = path.join(
  path.dirname(createRequire(import.meta.url).resolve('@treeline/daemon/package.json')),
  'dist',
);

const UNTIL = { timeout: 30_000, interval: 50 };

/** A daemon over one file and a clock; the reflex writes down what it was told. */
function writeDaemon(folder: string): void {
  const write = (name: string, text: string): void => {
    fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    fs.writeFileSync(path.join(folder, name), text);
  };
  write(
    'daemon.json',
    JSON.stringify({
      logging: { streams: [{ name: 'store', type: 'sqlite', path: './data/logs.db' }] },
      store: 'data/logs.db',
      senses: {
        inbox: { module: 'inbox.mjs', files: ['inbox.txt'] },
        clock: { module: 'clock.mjs', every: '50ms' },
      },
      reflexes: { fulfil: { module: 'fulfil.mjs', on: ['inbox', 'clock'] } },
    }),
  );
  write('inbox.txt', 'first');
  write('inbox.mjs', 'export default ({ files }) => Object.values(files)[0];');
  // It looks back at each tick, and counts its ticks where nobody senses them.
  write(
    'clock.mjs',
    `import fs from 'node:fs';
     let ticks = 0;
     export default ({ queryLogs }) => {
       queryLogs({ limit: 10 });
       fs.writeFileSync('ticks', String(++ticks));
       return 'constant';
     };`,
  );
  write(
    'fulfil.mjs',
    `import fs from 'node:fs';
     export default ({ value, logger }) => {
       if (value === 'bad') throw new Error('not fulfilled', { cause: new Error('out of stock') });
       fs.appendFileSync('told', value + '\\n');
       logger.info({ type: 'fulfilled' }, 'done');
     };`,
  );
}

function startDaemon(folder: string): { readonly daemon: ChildProcess; readonly stderr: () => string } {
  const daemon = spawn(process.execPath, [path.join(DIST, 'daemon-process.js'), folder], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  daemon.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return { daemon, stderr: () => stderr };
}

async function stop(daemon: ChildProcess): Promise<void> {
  daemon.kill('SIGTERM');
  if (daemon.exitCode === null && daemon.signalCode === null) await once(daemon, 'close');
}

function history(folder: string, query: LogQuery): LogRow[] {
  try {
    const reader = openLogReader(path.join(folder, 'data/logs.db'));
    const rows = [...reader.iterate({ order: 'asc', ...query })];
    reader.close();
    return rows;
  } catch (error) {
    if (error instanceof TreelineError && error.code === 'STORE_MISSING') return [];
    throw error;
  }
}

const types = (rows: readonly LogRow[]): string[] => rows.map(({ type }) => type);

describe('the daemon', () => {
  test('writes its history: start, runs with their ids, errors with their cause, reloads, stop', async () => {
    using folder = scratchFolder();
    writeDaemon(folder.path);
    const at = (name: string): string => path.join(folder.path, name);
    const { daemon, stderr } = startDaemon(folder.path);
    try {
      await vi.waitFor(() => expect(history(folder.path, { type: 'run_complete' })).toHaveLength(2), UNTIL);
      fs.writeFileSync(at('inbox.txt'), 'bad');
      await vi.waitFor(
        () => expect(history(folder.path, { source: 'reflex', type: 'error' })).toHaveLength(1),
        UNTIL,
      );
      fs.writeFileSync(at('inbox.mjs'), "export default () => 'from the new sense';");
      await vi.waitFor(
        () => expect(fs.readFileSync(at('told'), 'utf8')).toContain('from the new sense'),
        UNTIL,
      );
      fs.writeFileSync(at('inbox.mjs'), 'export default (');
      await vi.waitFor(
        () => expect(history(folder.path, { source: 'system', type: 'error' })).toHaveLength(1),
        UNTIL,
      );
      const config = fs.readFileSync(at('daemon.json'), 'utf8');
      fs.writeFileSync(at('daemon.json'), config.replace('"50ms"', '"soon"'));
      await vi.waitFor(
        () => expect(history(folder.path, { source: 'system', type: 'error' })).toHaveLength(2),
        UNTIL,
      );
      fs.writeFileSync(at('inbox.mjs'), "export default () => 'from the new sense';");
      await vi.waitFor(() => expect(history(folder.path, { type: 'sense_reload' })).toHaveLength(2), UNTIL);
      fs.writeFileSync(at('daemon.json'), config.replace('"50ms"', '"60ms"'));
      await vi.waitFor(() => expect(history(folder.path, { type: 'config_reload' })).toHaveLength(1), UNTIL);
    } finally {
      await stop(daemon);
    }
    expect(stderr()).toBe('');
    expect(daemon.signalCode).toBe('SIGTERM');
    expect(types(history(folder.path, { source: 'system' }))).toEqual([
      'start',
      'sense_reload',
      'error',
      'error',
      'sense_reload',
      'config_reload',
      'stop',
    ]);
    const starts = history(folder.path, { source: 'reflex', type: 'run_start' });
    expect(new Set(starts.map(({ refId }) => refId)).size).toBe(starts.length);
    for (const { refId } of starts) {
      const run = types(history(folder.path, { refId: refId ?? '' }));
      expect([run[0], run.at(-1)]).toEqual(['run_start', 'run_complete']);
    }
    const [error] = history(folder.path, { source: 'reflex', type: 'error' });
    expect(JSON.stringify(error?.payload.err)).toMatch(/not fulfilled.*out of stock/);
    expect(types(history(folder.path, { refId: error?.refId ?? '' }))).toEqual([
      'run_start',
      'error',
      'run_complete',
    ]);
    // The same values after a reload are no news.
    expect(fs.readFileSync(at('told'), 'utf8').split('\n').toSorted().join(' ').trim()).toBe(
      'constant first from the new sense',
    );
  });

  test('no log triggers a reflex, whoever writes it and whatever it says', async () => {
    using folder = scratchFolder();
    writeDaemon(folder.path);
    const { daemon } = startDaemon(folder.path);
    const ticks = (): number => Number(fs.readFileSync(path.join(folder.path, 'ticks'), 'utf8'));
    try {
      await vi.waitFor(() => expect(history(folder.path, { type: 'run_complete' })).toHaveLength(2), UNTIL);
      const store = openLogStore(path.join(folder.path, 'data/logs.db'));
      const sources = ['reflex', 'system', 'inbox', 'clock', 'fulfil'];
      const kinds = [
        'run_start',
        'run_complete',
        'error',
        'config_reload',
        'sense_reload',
        'signal',
        'inbox',
      ];
      for (const source of sources) {
        store.append(kinds.map((type) => ({ source, type, refId: 'forged', level: 'error', msg: 'first' })));
      }
      store.close();
      const before = ticks();
      // The senses have seen all of it, many times over.
      await vi.waitFor(() => expect(ticks()).toBeGreaterThan(before + 20), UNTIL);
    } finally {
      await stop(daemon);
    }
    const runs = history(folder.path, { type: 'run_start', filter: 'exists(pid)' });
    expect(runs).toHaveLength(2);
  });

  test('ends with 78 and says why where its config can not be used', async () => {
    using folder = scratchFolder();
    fs.writeFileSync(path.join(folder.path, 'daemon.json'), '{}');
    const { code, stderr } = await runFile(path.join(DIST, 'daemon-process.js'), [folder.path], {
      cwd: folder.path,
    });
    expect({ code, stderr }).toMatchObject({
      code: 78,
      stderr: expect.stringMatching(/daemon\.json is not valid: /) as string,
    });
  });

  test('names the module that is not there', async () => {
    using folder = scratchFolder();
    writeDaemon(folder.path);
    fs.rmSync(path.join(folder.path, 'clock.mjs'));
    const { code, stderr } = await runFile(path.join(DIST, 'daemon-process.js'), [folder.path], {
      cwd: folder.path,
    });
    expect({ code, stderr }).toMatchObject({
      code: 78,
      stderr: expect.stringMatching(/senses\.clock\.module: .*clock\.mjs can't be loaded: /) as string,
    });
  });

  test('reloads all senses of a module, and takes no other logging without a restart', async () => {
    using folder = scratchFolder();
    writeDaemon(folder.path);
    const at = (name: string): string => path.join(folder.path, name);
    const config = fs.readFileSync(at('daemon.json'), 'utf8').replace('clock.mjs', 'inbox.mjs');
    fs.writeFileSync(at('daemon.json'), config);
    const { daemon } = startDaemon(folder.path);
    try {
      await vi.waitFor(
        () => expect(history(folder.path, { type: 'run_complete' }).length).toBeGreaterThan(0),
        UNTIL,
      );
      fs.writeFileSync(at('inbox.mjs'), "export default () => 'new';");
      await vi.waitFor(() => expect(history(folder.path, { type: 'sense_reload' })).toHaveLength(2), UNTIL);
      fs.writeFileSync(
        at('daemon.json'),
        config.replaceAll('data/logs.db', 'data/other.db').replace('inbox.txt', 'data/logs.db'),
      );
      await vi.waitFor(
        () => expect(history(folder.path, { source: 'system', type: 'error' })).toHaveLength(1),
        UNTIL,
      );
    } finally {
      await stop(daemon);
    }
    expect(history(folder.path, { type: 'config_reload' })).toEqual([]);
    const [error] = history(folder.path, { source: 'system', type: 'error' });
    expect(JSON.stringify(error?.payload.err)).toContain('restart the daemon');
  });

  test('npm run daemon shows it on real files and ends by itself', async () => {
    using folder = scratchFolder();
    const { code, stdout, stderr } = await runFile(path.join(DIST, 'demo-process.js'), [], {
      cwd: folder.path,
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/read back from data\/daemon\/data\/logs\.db:\n {2}reflex {2}alarm {2}1\n/);
    expect(fs.readFileSync(path.join(folder.path, 'data/daemon/outbox.txt'), 'utf8')).toBe('order-1\n');
  });
});
