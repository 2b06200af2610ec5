import { isMainThread } from 'node:worker_threads';
import { watchTerminal } from './controlling-terminal.ts';

/** Why the process may be about to end: after `exit` no later tick comes, a signal may be survived. */
export type EndCause = 'exit' | 'signal';

/**
 * Begins what the process's end has to wait for, and gives what waits for it: for no longer than its time limit, counted from
 * `startedMs`, which all share. Must not throw.
 */
export type EndDrain = (cause: EndCause, startedMs: number) => (() => void) | undefined;

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

const drains = new Set<EndDrain>();
const hangUps = new Set<() => void>();
let isTerminalGone = (): boolean => false;

/**
 * Runs `drain` when the process exits, gets SIGTERM or SIGINT, or the SIGHUP of a terminal that was closed, before other handlers: one
 * registered earlier that calls `process.exit()` would keep later ones from running. One set of listeners serves the whole process.
 *
 * @returns a function that takes it back.
 */
export function drainAtEnd(drain: EndDrain): () => void {
  return register(drains, drain);
}

/**
 * Runs `listener` at each SIGHUP that somebody sends to make the process begin anew, which it then survives.
 *
 * @returns a function that takes it back.
 */
export function onHangUp(listener: () => void): () => void {
  return register(hangUps, listener);
}

function register<T>(callbacks: Set<T>, callback: T): () => void {
  if (isUnused()) install();
  callbacks.add(callback);
  return () => {
    if (callbacks.delete(callback) && isUnused()) uninstall();
  };
}

function isUnused(): boolean {
  return drains.size + hangUps.size === 0;
}

function install(): void {
  isTerminalGone = watchTerminal();
  process.prependListener('exit', onExit);
  // Signals reach the main thread only.
  if (isMainThread) for (const signal of SIGNALS) process.prependListener(signal, onSignal);
}

function uninstall(): void {
  process.removeListener('exit', onExit);
  for (const signal of SIGNALS) process.removeListener(signal, onSignal);
}

/** All are asked before any is waited for: they share the time, and one that is stuck must not use up the others'. */
function drainAll(cause: EndCause, startedMs: number): void {
  const waits = [...drains].map((drain) => drain(cause, startedMs));
  for (const wait of waits) wait?.();
}

function onExit(): void {
  const startedMs = performance.now();
  drainAll('exit', startedMs);
}

/**
 * The program decides what a signal does, as if this listener were not there. It is therefore taken away before the others run:
 * `signal-exit` compares the number of listeners with its own, and defers to any it doesn't know. Without others the process ends
 * by the signal, as it would have.
 */
function onSignal(signal: NodeJS.Signals): void {
  if (signal === 'SIGHUP' && !isTerminalGone()) {
    for (const hangUp of hangUps) hangUp();
    return;
  }
  const startedMs = performance.now();
  drainAll('signal', startedMs);
  process.removeListener(signal, onSignal);
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  else {
    setImmediate(() => {
      if (!isUnused() && !process.listeners(signal).includes(onSignal))
        process.prependListener(signal, onSignal);
    });
  }
}
