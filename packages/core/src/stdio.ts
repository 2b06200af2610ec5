import fs from 'node:fs';
import type { StreamConfig } from './config/config.ts';

/**
 * Makes standard output safe for a console stream. Where it is a socket, as child processes' pipes are, it can't be opened once more
 * without blocking: reaching for Node's own stream sets the shared description non-blocking, as any `console.log` would.
 */
export function prepareStdio(streams: readonly StreamConfig[]): void {
  if (!streams.some(({ type }) => type === 'console')) return;
  if (isSocket(1)) void process.stdout;
  if (isSocket(2)) void process.stderr;
}

function isSocket(fd: number): boolean {
  try {
    // With bigint for the reason that openFdWriter has.
    return fs.fstatSync(fd, { bigint: true }).isSocket();
  } catch {
    // Closed: the stream itself will say so.
    return false;
  }
}
