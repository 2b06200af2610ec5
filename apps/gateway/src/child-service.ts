import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Announcement } from './service.ts';

const START_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 8_000;

/** A service in a process of its own. */
export interface ChildService {
  readonly name: string;
  readonly pid: number | undefined;
  /** Where it listens. */
  readonly url: string;
  /** Ends it, by force where it takes too long. Resolves, once it has ended, to whether it ended well by itself. */
  stop(): Promise<boolean>;
}

/**
 * Starts a module of this folder as a service, with its output on ours. It ends when this process ends, however that comes about.
 *
 * @throws Error when it ends or says nothing before it listens.
 */
export async function startService(
  name: string,
  module: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<ChildService> {
  const child = fork(fileURLToPath(new URL(module, import.meta.url)), args, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, ...env },
  });
  const exited = once(child, 'exit');
  try {
    const { url } = await firstMessage(name, child, exited);
    return { name, pid: child.pid, url, stop: () => stop(name, child, exited) };
  } catch (error) {
    await stop(name, child, exited);
    throw error;
  }
}

async function firstMessage(
  name: string,
  child: ChildProcess,
  exited: Promise<unknown[]>,
): Promise<Announcement> {
  const ended = exited.then(() => {
    throw new Error(
      `the ${name} ended before it listened (${child.signalCode ?? `exit code ${child.exitCode}`})`,
    );
  });
  const message = once(child, 'message', { signal: AbortSignal.timeout(START_TIMEOUT_MS) }).catch(
    (error: unknown) => {
      throw new Error(`the ${name} did not listen within ${START_TIMEOUT_MS / 1000} s`, { cause: error });
    },
  );
  const [announcement] = (await Promise.race([message, ended])) as [Announcement];
  return announcement;
}

async function stop(name: string, child: ChildProcess, exited: Promise<unknown[]>): Promise<boolean> {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
  const timer = setTimeout(() => {
    process.stderr.write(`the ${name} did not end within ${STOP_TIMEOUT_MS / 1000} s and is killed\n`);
    child.kill('SIGKILL');
  }, STOP_TIMEOUT_MS);
  await exited;
  clearTimeout(timer);
  return child.exitCode === 0;
}
