import { spawn } from 'node:child_process';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
/** How long a command may take to end after a signal. */
const GRACE_MS = 5_000;

const isWindows = process.platform === 'win32';

/**
 * Runs a command to its end and resolves to its exit code. Its output goes where ours goes. A signal that ends this process ends
 * first whatever the command has started: npx, pnpm and turbo don't all pass signals on to their children.
 */
export function run(command, args, { env = {} } = {}) {
  return new Promise((resolve, reject) => {
    let received;
    let deadline;
    const passOn = (signal) => {
      received = signal;
      killGroup(child, signal);
      deadline ??= setTimeout(() => killGroup(child, 'SIGKILL'), GRACE_MS);
    };
    // Before the command begins: a signal that comes at once must not leave it behind.
    for (const signal of SIGNALS) process.on(signal, passOn);
    const child = spawn(command, args, {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...env },
      detached: !isWindows,
      shell: isWindows,
    });
    const stopListening = () => {
      for (const signal of SIGNALS) process.off(signal, passOn);
    };
    child.once('error', (error) => {
      stopListening();
      reject(new Error(`${command} can't be started: ${error.message}`, { cause: error }));
    });
    child.once('close', (code) => {
      stopListening();
      clearTimeout(deadline);
      if (received) {
        // What ignores the signal, or got none because a shell had put it in the background.
        killGroup(child, 'SIGKILL');
        process.kill(process.pid, received);
        // The signal may come in by another thread, a moment later: nothing must go on until then.
        setTimeout(() => process.exit(1), GRACE_MS);
        return;
      }
      resolve(code ?? 1);
    });
  });
}

function killGroup(child, signal) {
  if (child.pid === undefined) return;
  try {
    if (isWindows) child.kill(signal);
    else process.kill(-child.pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}
