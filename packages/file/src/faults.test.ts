import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { TreelineError } from '@treeline/contract';
import { describe, expect, test } from 'vitest';
import { LogFolder, numbered } from './log-folder.test.fixture.ts';

describe('at the start', () => {
  test('files and folders get their modes whatever the umask', async () => {
    await using folder = new LogFolder();
    const umask = process.umask(0o077);
    try {
      const path = folder.at('a/b/app.log');
      const sink = await folder.open({ path, mode: '0644', dirMode: '0755', rotation: { size: 100 } });
      await sink.write(numbered(0, 2));
    } finally {
      process.umask(umask);
    }
    const modeOf = (name: string): number => fs.statSync(folder.at(name)).mode & 0o777;
    expect(['a', 'a/b'].map(modeOf)).toEqual([0o755, 0o755]);
    expect(['a/b/app.log', 'a/b/app.log.2026-11-22.1'].map(modeOf)).toEqual([0o644, 0o644]);
  });

  test.each<[string, (folder: LogFolder) => string, RegExp]>([
    [
      'a directory',
      (folder) => folder.path,
      /^can't write \/.*: it is a directory; choose a path that can be a file$/,
    ],
    [
      'a path through a file',
      (folder) => {
        fs.writeFileSync(folder.at('x'), '');
        return folder.at('x/app.log');
      },
      /^can't write \/.*app\.log: .*; a part of the path is a file/,
    ],
  ])('%s is refused with path and remedy', async (_, prepare, message) => {
    await using folder = new LogFolder();
    const opened = folder.open({ path: prepare(folder) });
    await expect(opened).rejects.toThrow(message);
    await expect(opened).rejects.toBeInstanceOf(TreelineError);
  });

  test('a line that a crash has cut is set apart from the next one', async () => {
    await using folder = new LogFolder();
    fs.writeFileSync(folder.at('app.log'), '{"level":30,"msg":"cu');
    const sink = await folder.open();
    await sink.write(numbered(0, 1));
    expect(folder.read('app.log')).toEqual(['{"level":30,"msg":"cu', 0]);
  });

  test('a folder that takes no side files is no reason not to write', async () => {
    await using folder = new LogFolder();
    fs.writeFileSync(folder.at('.treeline'), 'in the way');
    const sink = await folder.open();
    await sink.write(numbered(0, 1));
    await sink.close();
    expect(folder.read('app.log')).toEqual([0]);
    expect(folder.events).toEqual([]);
  });

  test('a link to a file that is not there yet is followed', async () => {
    await using folder = new LogFolder();
    fs.symlinkSync('real.log', folder.at('app.log'));
    const sink = await folder.open();
    await sink.write(numbered(0, 1));
    expect(folder.read('real.log')).toEqual([0]);
  });
});

describe('while running', () => {
  test('a folder that is gone is made again and nothing is missing', async () => {
    await using folder = new LogFolder();
    const sink = await folder.open({ path: folder.at('logs/app.log'), rotation: { size: '1M' } });
    await sink.write(numbered(0, 1));
    fs.rmSync(folder.at('logs'), { recursive: true });
    await sink.write(numbered(1, 2));
    expect(folder.read('logs/app.log')).toEqual([1]);
    expect(folder.events.map(({ reason }) => reason)).toEqual([
      `${fs.realpathSync(folder.at('logs/app.log'))} was deleted; going on with a new file`,
    ]);
  });

  test('a path that is blocked rejects writes, and works again when it is free', async () => {
    await using folder = new LogFolder();
    const sink = await folder.open();
    fs.rmSync(folder.at('app.log'));
    fs.mkdirSync(folder.at('app.log'));
    await expect(sink.write(numbered(0, 1))).rejects.toThrow(/EISDIR/);
    fs.rmdirSync(folder.at('app.log'));
    await sink.write(numbered(0, 1));
    expect(folder.read('app.log')).toEqual([0]);
  });

  test('a file that was moved keeps what was under way, the next batch begins a new one', async () => {
    await using folder = new LogFolder();
    const sink = await folder.open();
    await sink.write(numbered(0, 1));
    fs.renameSync(folder.at('app.log'), folder.at('moved'));
    await sink.write(numbered(1, 2));
    await sink.write(numbered(2, 3));
    expect([...folder.read('moved'), ...folder.read('app.log')]).toEqual([0, 1, 2]);
  });

  test('a file that cannot be rotated goes on growing, with a warning, until it can', async () => {
    await using folder = new LogFolder();
    const sink = await folder.open({ rotation: { size: 100 } });
    await sink.write(numbered(0, 1));
    const side = folder.at('.treeline');
    fs.renameSync(side, folder.at('aside'));
    fs.writeFileSync(side, 'in the way');
    await sink.write(numbered(1, 3));
    expect(folder.read('app.log')).toEqual([0, 1, 2]);
    expect(folder.events.map(({ reason }) => reason).join('\n')).toMatch(
      /can't be rotated and grows past its limit/,
    );
    fs.rmSync(side);
    folder.now += 10_000;
    await sink.write(numbered(3, 4));
    expect(folder.read('app.log.2026-11-22.1')).toEqual([0, 1, 2]);
    expect(folder.read('app.log')).toEqual([3]);
  });

  test('a rotation that fails again and again leaves no footer in the middle of the file', async () => {
    await using folder = new LogFolder();
    const sink = await folder.open({ rotation: { size: 100 }, footer: '# end' });
    const { rename } = fs.promises;
    fs.promises.rename = () => Promise.reject(new Error('the file is busy'));
    syncBuiltinESMExports();
    try {
      for (let index = 0; index < 4; index++) {
        await sink.write(numbered(index, index + 1));
        folder.now += 11_000;
      }
    } finally {
      fs.promises.rename = rename;
      syncBuiltinESMExports();
    }
    expect(folder.events.map(({ reason }) => reason).join()).toMatch(/can't be rotated .*the file is busy/);
    expect(folder.read('app.log')).toEqual([0, 1, 2, 3]);
    await sink.write(numbered(4, 5));
    expect(folder.read('app.log.2026-11-22.1')).toEqual([0, 1, 2, 3, '# end']);
    expect(folder.read('app.log')).toEqual([4]);
  });

  test('a line that runs on from what another process has left unfinished is written once more', async () => {
    await using folder = new LogFolder();
    const sinks = [await folder.open(), await folder.open()];
    fs.appendFileSync(folder.at('app.log'), '{"level":30,"msg":"cu');
    await sinks[1]?.write(numbered(0, 3));
    await sinks[1]?.write(numbered(3, 4));
    expect(folder.read('app.log').slice(1)).toEqual([1, 2, 0, 3]);
    expect(folder.events).toMatchObject([{ type: 'warning', reason: /was killed while it wrote/ }]);
  });

  test('a closed sink refuses what comes late', async () => {
    await using folder = new LogFolder();
    const sink = await folder.open();
    await sink.close();
    await expect(sink.write(numbered(0, 1))).rejects.toThrow(/was closed/);
  });
});
