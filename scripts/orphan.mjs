const LOOK_EVERY_MS = 500;

/**
 * Ends this process as SIGTERM would when its parent is gone. A signal sent to npm alone ends npm and the shell that npm started us
 * with, and neither passes it on.
 */
export function endWhenOrphaned() {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, LOOK_EVERY_MS);
  timer.unref();
}
