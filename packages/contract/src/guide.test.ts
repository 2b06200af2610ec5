import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = new URL('../../../', import.meta.url);

function read(path: string): string {
  return readFileSync(fileURLToPath(new URL(path, ROOT)), 'utf8');
}

const SHOWN = ['docs/guide/writing-a-transport.md', 'packages/contract/README.md'].flatMap((page) =>
  [...read(page).matchAll(/<!-- example: (\S+) -->\n```js\n(.*?)```/gs)].map(([, path = '', code]) => ({
    page,
    path,
    code,
  })),
);

test('the guide shows a transport and its test, the README the smallest transport', () => {
  expect(SHOWN.map(({ path }) => path.replace(/.*\//, ''))).toEqual([
    'append-transport.mjs',
    'append-transport.test.mjs',
    'stdout-transport.mjs',
  ]);
});

test.each(SHOWN)('$page shows $path as it is run', ({ path, code }) => {
  expect(code).toBe(read(path));
});

test('the smallest transport writes what pino logs', () => {
  const program = `
    import pino from 'pino';
    const target = new URL('examples/stdout-transport.mjs', 'file://' + process.cwd() + '/').href;
    pino({ transport: { target } }).info('hello');
  `;
  const cwd = fileURLToPath(new URL('packages/contract', ROOT));
  const written = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
    cwd,
    encoding: 'utf8',
  });
  expect(JSON.parse(written)).toMatchObject({ level: 30, msg: 'hello' });
});
