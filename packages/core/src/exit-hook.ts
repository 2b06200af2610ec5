/** What the process's end waits for. Must not throw, and must return within its own time limit. */
export type ExitDrain = () => void;

const drains = new Set<ExitDrain>();

const onExit = (): void => {
  for (const drain of drains) drain();
};

/**
 * Runs `drain` when the process exits, before other exit handlers: a handler registered earlier that calls `process.exit()` would keep
 * later ones from running. One listener serves the whole process.
 *
 * @returns a function that takes it back.
 */
export function drainAtExit(drain: ExitDrain): () => void {
  if (drains.size === 0) process.prependListener('exit', onExit);
  drains.add(drain);
  return () => {
    drains.delete(drain);
    if (drains.size === 0) process.removeListener('exit', onExit);
  };
}
