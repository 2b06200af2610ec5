import { closeSync, openSync, renameSync, statfsSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join, relative } from 'node:path';
import { failpoint } from './failpoint.ts';
import { parseObject } from './json-object.ts';
import { createOwnerId, FILE_MODE, isErrno, makePrivateDirectory, ownersDirectory } from './layout.ts';
import { ownIdentity, processState, readText, type ProcessIdentity } from './process-identity.ts';

// Who owns a log stands in its directory's name, and owners/<ownerId>.sock and .json tell whether that owner lives. The socket is
// there before the directory is made or renamed, so a log never has an owner that can't be asked, and a rename is the whole
// take-over. The kernel answers a connect while the owner's event loop is blocked and refuses it as soon as the process is dead,
// whatever has become of its pid.

/** sockaddr_un.sun_path (unix(7)): 108 bytes with the closing NUL on Linux, 104 elsewhere. */
const MAX_SOCKET_PATH_BYTES = process.platform === 'linux' ? 107 : 103;
const PROBE_TIMEOUT_MS = 1_000;
const YOUNG_MS = 1_000;
/** statfs(2) types of file systems that other hosts see too: nfs, smb, cifs, smb2, 9p, fuse, ceph. */
const SHARED_FILE_SYSTEMS = new Set([
  0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x01021997, 0x65735546, 0x00c36400,
]);

/** `foreign`: its host can't be asked from here, so it must be taken for living. */
export type OwnerState = 'live' | 'dead' | 'foreign';

/** One holder of logs in this process. It keeps no process alive. */
export class Owner {
  readonly id: string;
  readonly #stateDirectory: string;
  readonly #serviceDirectory: string;
  #server: Server | undefined;
  #holds = 0;

  /** @param id that of an owner whose thread has died goes on with what that one held. */
  constructor(stateDirectory: string, serviceDirectory: string, id: string = createOwnerId()) {
    this.id = id;
    this.#stateDirectory = stateDirectory;
    this.#serviceDirectory = serviceDirectory;
  }

  /** Shows that this owner lives, before the first of its logs bears its name. Throws what the file system throws. */
  hold(): void {
    if (this.#holds === 0) this.#show();
    this.#holds++;
  }

  /** Lets one log go; after the last, whatever still bears this owner's name may be adopted. */
  release(): void {
    if (this.#holds === 0 || --this.#holds > 0) return;
    this.#hide();
  }

  #show(): void {
    makePrivateDirectory(this.#stateDirectory, ownersDirectory(this.#serviceDirectory));
    // Of a thread that died, with nobody behind it any more: it would stand in the way of the new one.
    removeQuietly(socketPath(this.#serviceDirectory, this.id));
    const server = createServer((socket) => socket.destroy());
    // Without a socket, on a file system that has none, the process's identity alone speaks for the owner.
    server.on('error', () => {});
    withSocketPath(this.#serviceDirectory, this.id, (path) => {
      // `exclusive`: in a cluster's worker the primary would listen instead. Binding a path happens within this call.
      if (path !== undefined) server.listen({ path, exclusive: true });
    });
    server.unref();
    this.#server = server;
    failpoint('owner-listening');
    try {
      const path = identityPath(this.#serviceDirectory, this.id);
      writeFileSync(`${path}.new`, JSON.stringify(ownIdentity()), { mode: FILE_MODE });
      renameSync(`${path}.new`, path);
    } catch (error) {
      this.#hide();
      throw error;
    }
  }

  #hide(): void {
    removeOwnerFiles(this.#serviceDirectory, this.id);
    this.#server?.close();
    this.#server = undefined;
  }
}

/** Asks whether an owner lives: its socket first, then its process. */
export async function probeOwner(
  serviceDirectory: string,
  ownerId: string,
  isShared: (directory: string) => boolean = isSharedFileSystem,
): Promise<OwnerState> {
  if (await answers(serviceDirectory, ownerId)) return 'live';
  const identity = readIdentity(identityPath(serviceDirectory, ownerId));
  if (identity === undefined) return 'dead';
  const state = processState(identity);
  if (state === 'running') return 'live';
  return state === 'unknown' && isShared(serviceDirectory) ? 'foreign' : 'dead';
}

/** The pid that an owner had, in its own container's counting; undefined once it has let go. */
export function ownerPid(serviceDirectory: string, ownerId: string): number | undefined {
  return readIdentity(identityPath(serviceDirectory, ownerId))?.pid;
}

/** Clears away what a dead owner left, unless it is only just coming to life: its socket is bound before it listens. */
export function removeDeadOwner(serviceDirectory: string, ownerId: string): void {
  const isKnown = readIdentity(identityPath(serviceDirectory, ownerId)) !== undefined;
  if (isKnown || !isYoung(socketPath(serviceDirectory, ownerId))) removeOwnerFiles(serviceDirectory, ownerId);
}

function isYoung(path: string): boolean {
  try {
    return Date.now() - statSync(path).ctimeMs < YOUNG_MS;
  } catch {
    return false;
  }
}

function removeOwnerFiles(serviceDirectory: string, ownerId: string): void {
  const path = identityPath(serviceDirectory, ownerId);
  for (const leftover of [path, `${path}.new`, socketPath(serviceDirectory, ownerId)])
    removeQuietly(leftover);
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Gone already, or in a directory that may not be changed: nothing depends on it.
  }
}

function answers(serviceDirectory: string, ownerId: string): Promise<boolean> {
  return new Promise((resolve) => {
    withSocketPath(serviceDirectory, ownerId, (path) => {
      if (path === undefined) return resolve(false);
      const socket = connect({ path });
      const finish = (live: boolean): void => {
        clearTimeout(timer);
        socket.destroy();
        resolve(live);
      };
      const timer = setTimeout(() => finish(true), PROBE_TIMEOUT_MS);
      socket.once('connect', () => finish(true));
      // Only these mean that nobody listens; a full backlog or a missing permission means that somebody does.
      socket.once('error', (error) => finish(!isErrno(error, 'ECONNREFUSED', 'ENOENT', 'ENOTDIR')));
    });
  });
}

/** Calls back with the socket's path in a form that fits into an address, or undefined where none does. */
function withSocketPath(
  serviceDirectory: string,
  ownerId: string,
  use: (path: string | undefined) => void,
): void {
  const path = socketPath(serviceDirectory, ownerId);
  if (fits(path)) return use(path);
  const fromHere = relative(process.cwd(), path);
  if (fits(fromHere)) return use(fromHere);
  if (process.platform !== 'linux') return use(undefined);
  let fd: number;
  try {
    fd = openSync(ownersDirectory(serviceDirectory), 'r');
  } catch {
    return use(undefined);
  }
  try {
    use(`/proc/self/fd/${fd}/${ownerId}.sock`);
  } finally {
    closeSync(fd);
  }
}

function fits(path: string): boolean {
  return Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES;
}

function socketPath(serviceDirectory: string, ownerId: string): string {
  return join(ownersDirectory(serviceDirectory), `${ownerId}.sock`);
}

function identityPath(serviceDirectory: string, ownerId: string): string {
  return join(ownersDirectory(serviceDirectory), `${ownerId}.json`);
}

function readIdentity(path: string): ProcessIdentity | undefined {
  const text = readText(path);
  const value = text === undefined ? undefined : parseObject(text);
  if (typeof value?.['pid'] !== 'number') return undefined;
  return {
    pid: value['pid'],
    startTicks: textOf(value['startTicks']),
    bootId: textOf(value['bootId']),
    pidNamespace: textOf(value['pidNamespace']),
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function isSharedFileSystem(directory: string): boolean {
  try {
    return SHARED_FILE_SYSTEMS.has(statfsSync(directory).type);
  } catch {
    return false;
  }
}
