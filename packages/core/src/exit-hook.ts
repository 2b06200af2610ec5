import { isMainThread } from 'node:worker_threads';

/** Why the process may be about to end: after `exit` no later tick comes, a signal may be survived. */
export type EndCause = 'exit' | 'signal';

/** What the process's end waits for. Must not throw, and must return within its own time limit. */
export type EndDrain = (cause: EndCause) => void;

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

const drains = new Set<EndDrain>();

/**
 * Runs `drain` when the process exits or gets SIGTERM or SIGINT, before other handlers: one registered earlier that calls
 * `process.exit()` would keep later ones from running. One set of listeners serves the whole process.
 *
 * @returns a function that takes it back.
 */
export function drainAtEnd(drain: EndDrain): () => void {
  if (drains.size === 0) install();
  drains.add(drain);
  return () => {
    if (drains.delete(drain) && drains.size === 0) uninstall();
  };
}

function install(): void {
  process.prependListener('exit', onExit);
  // Signals reach the main thread only.
  if (isMainThread) for (const signal of SIGNALS) process.prependListener(signal, onSignal);
}

function uninstall(): void {
  process.removeListener('exit', onExit);
  for (const signal of SIGNALS) process.removeListener(signal, onSignal);
}

function onExit(): void {
  for (const drain of drains) drain('exit');
}

/**
 * The program decides what a signal does, as if this listener were not there. It is therefore taken away before the others run:
 * `signal-exit` compares the number of listeners with its own, and defers to any it doesn't know. Without others the process ends
 * by the signal, as it would have.
 */
function onSignal(signal: NodeJS.Signals): void {
  for (const drain of drains) drain('signal');
  process.removeListener(signal, onSignal);
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  else {
    setImmediate(() => {
      if (drains.size > 0 && !process.listeners(signal).includes(onSignal))
        process.prependListener(signal, onSignal);
    });
  }
}
