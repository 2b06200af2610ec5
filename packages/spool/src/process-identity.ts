import { readFileSync, readlinkSync } from 'node:fs';

/** What tells one process from every other, also from a later one that was given the same pid. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks from boot to the start of the process; undefined where the system does not tell. */
  readonly startTicks: string | undefined;
  readonly bootId: string | undefined;
  /** Pids mean something only inside one of these: every container has its own pid 1. */
  readonly pidNamespace: string | undefined;
}

/** This process; everything but the pid is read from Linux's /proc. */
export function ownIdentity(): ProcessIdentity {
  return {
    pid: process.pid,
    startTicks: readStartTicks(process.pid),
    bootId: readBootId(),
    pidNamespace: readPidNamespace(),
  };
}

/**
 * Whether the process runs: `unknown` where it is out of sight, on another host, in another container, or on a system without /proc.
 */
export function processState(identity: ProcessIdentity): 'running' | 'ended' | 'unknown' {
  const { pid, startTicks, bootId, pidNamespace } = identity;
  if (startTicks === undefined || bootId === undefined || pidNamespace === undefined) return 'unknown';
  if (bootId !== readBootId() || pidNamespace !== readPidNamespace()) return 'unknown';
  return readStartTicks(pid) === startTicks ? 'running' : 'ended';
}

/** Field 22 of /proc/<pid>/stat (proc(5)); the command in field 2 may hold spaces and parentheses. */
function readStartTicks(pid: number): string | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

function readBootId(): string | undefined {
  return readText('/proc/sys/kernel/random/boot_id')?.trim();
}

function readPidNamespace(): string | undefined {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return undefined;
  }
}

/** Undefined where it can't be read. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
