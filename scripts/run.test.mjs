import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';

const here = (module) => JSON.stringify(new URL(module, import.meta.url).href);

/** A shell that starts a process of its own, tells its pid, and waits for it: as npx, pnpm and turbo do. */
const NESTED = `await run('sh', ['-c', 'sleep 300 & echo $!; wait'])`;

async function start(source, command = process.execPath, args = ['--input-type=module', '-e', source]) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [pid] = await once(child.stdout.setEncoding('utf8'), 'data');
  return { child, pid: Number(pid) };
}

async function untilGone(pid) {
  for (const deadline = performance.now() + 10_000; performance.now() < deadline; await delay(20)) {
    try {
      process.kill(pid, 0);
    } catch {
      return true;
    }
  }
  return false;
}

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'])(
  'run ends all that its command has started on %s, then ends by it',
  async (signal) => {
    const { child, pid } = await start(`import { run } from ${here('run.mjs')}; ${NESTED}`);
    child.kill(signal);
    await once(child, 'close');
    expect(child.signalCode).toBe(signal);
    expect(await untilGone(pid)).toBe(true);
  },
);

test('run gives the exit code of its command, and says which command can’t be started', async () => {
  const source = `import { run } from ${here('run.mjs')};
    const code = await run('sh', ['-c', 'exit 7']);
    const message = await run('no-such-command', []).catch((error) => error.message);
    console.log(JSON.stringify({ code, message }));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [text] = await once(child.stdout.setEncoding('utf8'), 'data');
  expect(JSON.parse(text)).toEqual({
    code: 7,
    message: expect.stringContaining("no-such-command can't be started"),
  });
});

test('a script whose parent is killed ends, with all that it has started', async () => {
  const source = `import { run } from ${here('run.mjs')}; import { endWhenOrphaned } from ${here('orphan.mjs')};
    endWhenOrphaned(); ${NESTED}`;
  const parent = `const { spawn } = require('node:child_process');
    spawn(process.execPath, ['--input-type=module', '-e', ${JSON.stringify(source)}], { stdio: 'inherit' });`;
  const { child, pid } = await start(parent, process.execPath, ['-e', parent]);
  child.kill('SIGKILL');
  expect(await untilGone(pid)).toBe(true);
});
