import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { describe, expect, test } from 'vitest';
import { LogFolder, numbered, until } from './log-folder.test.fixture.ts';

describe('a FIFO as path', () => {
  test('is written where it is read, without rotation, and refuses politely where nobody reads it', async () => {
    await using folder = new LogFolder();
    execFileSync('mkfifo', [folder.at('app.log')]);
    const sink = await folder.open({ rotation: { size: 100 } });
    await expect(sink.write(numbered(0, 1))).rejects.toThrow(
      /nobody reads .*app\.log now .*: start its reader$/,
    );
    const reader = fs.openSync(folder.at('app.log'), fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    await sink.write(numbered(0, 3));
    const buffer = Buffer.alloc(1000);
    expect(buffer.subarray(0, fs.readSync(reader, buffer))).toEqual(numbered(0, 3).bytes);
    fs.closeSync(reader);
    expect(folder.names).toEqual(['app.log']);
  });
});

describe('perProcess', () => {
  test('each process has its own file, rotated on its own, and retention takes in those of dead ones', async () => {
    await using folder = new LogFolder();
    const dead = ['app.log.elsewhere-7-1764000000000', 'app.log.elsewhere-7-1764000000000.2026-11-20.1'];
    for (const name of [...dead, 'app.log', 'app.log.bak']) fs.writeFileSync(folder.at(name), '');
    for (const name of dead) fs.utimesSync(folder.at(name), 1, 1);
    const sink = await folder.open({ perProcess: true, rotation: { size: 200 }, retention: { maxFiles: 1 } });
    await sink.write(numbered(0, 4));
    await until(
      () => !dead.some((name) => folder.names.includes(name)),
      'the files of the dead process to go',
    );
    const own = folder.names.filter((name) => name.includes(`-${process.pid}-`));
    expect(own.map((name) => folder.read(name))).toEqual([
      [2, 3],
      [0, 1],
    ]);
    expect(folder.names).toEqual(expect.arrayContaining(['app.log', 'app.log.bak']));
  });
});

describe('fsync', () => {
  test.each(['never', 'interval', 'rotate', 'always'] as const)(
    '"%s" writes, rotates and flushes',
    async (fsync) => {
      await using folder = new LogFolder();
      const sink = await folder.open({ fsync, rotation: { size: 200 } });
      await sink.write(numbered(0, 3));
      await sink.flush();
      expect(folder.read('app.log.2026-11-22.1')).toEqual([0, 1]);
      expect(folder.read('app.log')).toEqual([2]);
    },
  );
});
