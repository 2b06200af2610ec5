import type { AddressInfo, Server } from 'node:net';
import { messageOf } from '@treeline/contract';

/**
 * Runs a service for the life of this process. It ends on SIGTERM or SIGINT, and with its parent: a child whose parent has gone,
 * however it went, must not stay behind.
 */
export function endWith(stop: () => Promise<void>): void {
  let isEnding = false;
  const end = (): void => {
    if (isEnding) return;
    isEnding = true;
    stop()
      .catch((error: unknown) => {
        process.stderr.write(`${messageOf(error)}\n`);
        process.exitCode = 1;
      })
      .finally(() => {
        if (process.connected) process.disconnect();
      });
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, end);
  if (process.connected) process.on('disconnect', end);
}

/** Tells the parent, if there is one, where the service listens. */
export function announce(server: Server): void {
  process.send?.({ url: urlOf(server) } satisfies Announcement);
}

/** What a service sends its parent once it listens. */
export interface Announcement {
  readonly url: string;
}

/** Where a server that listens on TCP can be reached. */
export function urlOf(server: Server): string {
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${port}`;
}
