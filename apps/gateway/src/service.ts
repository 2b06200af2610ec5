import type { AddressInfo, Server } from 'node:net';
import { messageOf } from '@treeline/contract';

/**
 * Ends a service, once it listens, on SIGTERM, on Ctrl-C, and with its parent: a child whose parent has gone, however it went, must
 * not stay behind.
 */
export function endWith(stop: () => Promise<void>): void {
  let isEnding = false;
  const end = (): void => {
    // Asked a second time: whoever asks doesn't want to wait any longer.
    if (isEnding) process.exit(1);
    isEnding = true;
    stop()
      .catch((error: unknown) => {
        process.stderr.write(`${messageOf(error)}\n`);
        process.exitCode = 1;
      })
      // Said outright: a connection or thread that somebody has forgotten must not keep a service that has stopped.
      .finally(() => process.exit());
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', () => {
    // Ctrl-C goes to every process of a terminal at once; the parent has an order in which its services end.
    if (!process.connected) end();
  });
  process.on('disconnect', () => {
    if (!isEnding) end();
  });
  // The parent may have gone while our modules were loading.
  if (process.send && !process.connected) end();
}

/** Tells the parent, if there is one, where the service listens. */
export function announce(server: Server): void {
  // Where the parent has gone meanwhile, `disconnect` says so.
  process.send?.({ url: urlOf(server) } satisfies Announcement, undefined, undefined, () => {});
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
