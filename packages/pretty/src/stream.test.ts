import { execFile } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import pino from 'pino';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { prettyStream } from './stream.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'treeline-pretty-stream-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));

describe('prettyStream', () => {
  test('has printed when the log call returns', () => {
    const destination = path.join(folder, 'new', 'a.log');
    const stream = prettyStream({ destination, mkdir: true, time: 'none' });
    const logger = pino({ base: null }, stream);
    logger.info({ port: 1 }, 'listening');
    expect(fs.readFileSync(destination, 'utf8')).toBe('INFO  listening port=1\n');
    logger.error(new Error('broken'));
    stream.end();
    expect(fs.readFileSync(destination, 'utf8')).toContain('err="Error: broken"');
  });

  test('prints what it was given before the process ends at once', async () => {
    const built = path.join(import.meta.dirname, '..', 'dist', 'index.js');
    const script = `import { prettyStream } from ${JSON.stringify(built)};
      prettyStream({ time: 'none' }).write('{"level":60,"msg":"last words"}\\n'); process.exit(0);`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    expect(stdout).toBe('FATAL last words\n');
  });

  test('works as the readme shows it', async () => {
    const folderOfPackage = path.join(import.meta.dirname, '..');
    const readme = fs.readFileSync(path.join(folderOfPackage, 'README.md'), 'utf8');
    const codes = Array.from(readme.matchAll(/```js\n(.*?)```/gs), ([, code]) => code ?? '');
    const code = codes.find((each) => each.includes('prettyStream')) ?? '';
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code], {
      cwd: folderOfPackage,
    });
    expect(stdout).toMatch(/^\d{4}-\S+Z INFO {2}listening\n$/);
  });

  test('lets log calls go on where a disk is full, and tells it once', async () => {
    const built = path.join(import.meta.dirname, '..', 'dist', 'index.js');
    const script = `import { prettyStream } from ${JSON.stringify(built)};
      const stream = prettyStream({ destination: '/dev/full' });
      for (let i = 0; i < 3; i++) stream.write('{"level":30,"msg":"lost"}\\n');
      stream.end();
      console.log('alive');`;
    const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    const { stdout, stderr } = await run;
    expect(stdout).toBe('alive\n');
    expect(stderr).toMatch(/^@treeline\/pretty: can't print, lines are lost: ENOSPC.*\n$/);
  });

  test('goes on behind a line that a full disk cut', () => {
    const destination = path.join(folder, 'cut.log');
    const stream = prettyStream({ destination, time: 'none' });
    const { writeSync } = fs;
    const full = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    const spy = vi.spyOn(fs, 'writeSync');
    spy.mockImplementationOnce((fd) => writeSync(fd, 'INFO  fi'));
    spy.mockImplementationOnce(() => {
      throw full;
    });
    stream.write('{"level":30,"msg":"first"}\n');
    spy.mockRestore();
    stream.write('{"level":30,"msg":"second"}\n');
    stream.end();
    expect(fs.readFileSync(destination, 'utf8')).toBe('INFO  fi\nINFO  second\n');
  });

  test('names a wrong option', () => {
    expect(() => prettyStream({ mode: 'tree' as 'live' })).toThrow(
      new TypeError('mode must be one of auto, live, forest, flat, waterfall; got "tree"'),
    );
  });

  test('says why a file can not be opened', () => {
    expect(() => prettyStream({ destination: path.join(folder, 'missing', 'x.log') })).toThrow(
      /can't open .*ENOENT.*set mkdir/,
    );
  });
});
