import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { requestRotation } from './control.ts';
import type { FileOptions } from './index.ts';
import { LogFolder, numbered } from './log-folder.test.fixture.ts';

/** Machines may be busy, and a test's time is longer. */
const PATIENT = { timeoutMs: 12_000 };

async function write(folder: LogFolder, options: Partial<FileOptions>, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    const sink = await folder.open(options);
    await sink.write(numbered(index, index + 1));
  }
}

describe('a rotation that is asked for', () => {
  test('is done once, however many write the file', async () => {
    await using folder = new LogFolder();
    await write(folder, { rotation: { size: '1M' } }, 2);
    const [rotated] = await requestRotation(folder.at('app.log'), PATIENT);
    expect(rotated).toBe(fs.realpathSync(folder.at('app.log')));
    expect(folder.names).toEqual(['app.log', 'app.log.2026-11-22.1']);
    expect(folder.read('app.log.2026-11-22.1')).toEqual([0, 1]);
  });

  test('needs no rotation in the options', async () => {
    await using folder = new LogFolder();
    await write(folder, {}, 1);
    await requestRotation(folder.at('app.log'), PATIENT);
    expect(folder.names).toEqual(['app.log', 'app.log.2026-11-22']);
  });

  test.each(['app-%DATE%.%INDEX%.log', 'app-2026-11-22.1.log', 'current.log'])(
    'reaches those who write a path with tokens, all of them, by the name %s',
    async (name) => {
      await using folder = new LogFolder();
      await write(
        folder,
        { path: folder.at('app-%DATE%.%INDEX%.log'), symlink: folder.at('current.log') },
        2,
      );
      const rotated = await requestRotation(folder.at(name), PATIENT);
      expect(rotated).toEqual([fs.realpathSync(folder.at('app-2026-11-22.1.log'))]);
      expect(folder.read('app-2026-11-22.1.log')).toEqual([0, 1]);
      expect(folder.read('app-2026-11-22.2.log')).toEqual([]);
      expect(folder.names).toHaveLength(3);
    },
  );

  test('reaches every process that has a file of its own', async () => {
    await using folder = new LogFolder();
    await write(folder, { perProcess: true }, 1);
    const [file] = folder.names;
    expect(await requestRotation(folder.at('app.log'), PATIENT)).toEqual([
      fs.realpathSync(folder.at(file ?? '')),
    ]);
    expect(folder.names).toEqual([file, `${file}.2026-11-22`]);
  });

  test('reaches every file of a log that is split, and no other log', async () => {
    await using folder = new LogFolder();
    const sink = await folder.open({ splitBy: 'tenant' });
    await sink.write(numbered(0, 1, { tenant: 'acme' }));
    await sink.write(numbered(1, 2, { tenant: 'zen' }));
    await write(folder, { path: folder.at('app.error.log') }, 1);
    const rotated = await requestRotation(folder.at('app.log'), PATIENT);
    expect(rotated.map((file) => path.basename(file)).toSorted()).toEqual(['app.acme.log', 'app.zen.log']);
    expect(folder.names).toEqual([
      'app.acme.log',
      'app.acme.log.2026-11-22',
      'app.error.log',
      'app.zen.log',
      'app.zen.log.2026-11-22',
    ]);
  });

  test('is answered under load, when the sink is never idle', async () => {
    await using folder = new LogFolder();
    const sink = await folder.open();
    const asked = new AbortController();
    const writing = (async () => {
      while (!asked.signal.aborted) await sink.write(numbered(0, 100));
    })();
    await sink.write(numbered(0, 1));
    await requestRotation(folder.at('app.log'), PATIENT).finally(() => asked.abort());
    await writing;
    expect(folder.names).toEqual(['app.log', 'app.log.2026-11-22']);
  });

  test('leaves an empty file alone', async () => {
    await using folder = new LogFolder();
    await folder.open();
    expect(await requestRotation(folder.at('app.log'))).toEqual([]);
    expect(folder.names).toEqual(['app.log']);
  });

  test('fails by name where no process writes the log, and where none answers', async () => {
    await using folder = new LogFolder();
    fs.writeFileSync(folder.at('app.log'), 'x\n');
    await expect(requestRotation(folder.at('app.log'))).rejects.toThrow(/^no process writes .*app\.log: /);
    await expect(requestRotation(folder.at('none/app.log'))).rejects.toThrow(/^can't ask .*none\/app\.log/);
    fs.mkdirSync(folder.at('.treeline'));
    fs.writeFileSync(
      folder.at('.treeline/app.log.writer.stopped-1-00000000'),
      `${fs.statSync(folder.at('app.log')).ino}\n`,
    );
    await expect(requestRotation(folder.at('app.log'), { timeoutMs: 100 })).rejects.toThrow(
      /^stopped-1-00000000 has not rotated .*app\.log within 100 ms$/,
    );
    expect(fs.readdirSync(folder.at('.treeline'))).toEqual(['app.log.writer.stopped-1-00000000']);
  });
});
