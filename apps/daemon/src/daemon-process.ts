import path from 'node:path';
import { messageOf } from '@treeline/contract';
import { Kernel } from './kernel.ts';

/** Runs the daemon of a folder, whose daemon.json says what it does, until it is told to end. */
const folder = path.resolve(process.argv[2] ?? '.');
process.chdir(folder);

const EX_CONFIG = 78;

try {
  const kernel = new Kernel(path.join(folder, 'daemon.json'));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      void kernel.stop(signal).then(() => process.kill(process.pid, signal));
    });
  }
  await kernel.start();
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = EX_CONFIG;
}
