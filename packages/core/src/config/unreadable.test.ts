import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** Permissions mean nothing to root: then a child without them looks. */
const NOBODY = 65_534;

const LOADER = fileURLToPath(new URL('../../dist/config/loader.js', import.meta.url));

let folder = '';

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'unreadable-'));
  fs.chmodSync(folder, 0o755);
  fs.writeFileSync(path.join(folder, 'closed.json'), '{}', { mode: 0o000 });
  fs.mkdirSync(path.join(folder, 'locked'), { mode: 0o755 });
  fs.writeFileSync(path.join(folder, 'locked/old.log'), '', { mode: 0o444 });
  fs.writeFileSync(path.join(folder, 'closed-secret'), 'hunter2', { mode: 0o000 });
  const streams = [
    { name: 'new', type: 'file', path: './locked/sub/new.log' },
    { name: 'old', type: 'file', path: './locked/old.log' },
    { name: 'db', type: 'sqlite', path: './locked/logs.db' },
  ];
  fs.writeFileSync(path.join(folder, 'paths.json'), JSON.stringify({ streams }), { mode: 0o644 });
  const secret = { serviceName: `\${file:${folder}/closed-secret}` };
  fs.writeFileSync(path.join(folder, 'secret.json'), JSON.stringify(secret), { mode: 0o644 });
  fs.chmodSync(path.join(folder, 'locked'), 0o555);
});

afterAll(() => {
  fs.chmodSync(path.join(folder, 'locked'), 0o755);
  fs.rmSync(folder, { recursive: true });
});

function problemsOf(config: string): unknown {
  const script = `
    import { loadConfig } from ${JSON.stringify(LOADER)};
    try { loadConfig(${JSON.stringify(config)}, { env: {} }); process.stdout.write('[]'); }
    catch (error) { process.stdout.write(JSON.stringify(error.problems)); process.exitCode = error.exitCode; }`;
  const isRoot = process.getuid?.() === 0;
  const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: folder,
    encoding: 'utf8',
    ...(isRoot && { uid: NOBODY, gid: NOBODY }),
  });
  return { status, problems: JSON.parse(stdout) as unknown };
}

test('a config without the permission to read it exits with 66', () => {
  expect(problemsOf('closed.json')).toMatchObject({
    status: 66,
    problems: [{ code: 'CFG001', message: "the config closed.json can't be read: permission denied" }],
  });
});

test('paths without the permission to write them are mistakes, each with the folder or file that refuses', () => {
  const folderRefuses = expect.stringMatching(/the folder .*locked is not writable/);
  expect(problemsOf('paths.json')).toMatchObject({
    status: 78,
    problems: [
      { code: 'CFG401', path: 'streams[0].path', message: folderRefuses },
      {
        code: 'CFG401',
        path: 'streams[1].path',
        message: expect.stringMatching(/the file .*old\.log is not writable/),
      },
      { code: 'CFG401', path: 'streams[2].path', message: folderRefuses },
    ],
  });
});

test('a secret without the permission to read it is a mistake at its place', () => {
  expect(problemsOf('secret.json')).toMatchObject({
    status: 78,
    problems: [{ code: 'CFG312', message: expect.stringMatching(/permission denied/) }],
  });
});
