import { runDemo } from './demo.ts';

try {
  process.exitCode = await runDemo();
} catch (error) {
  // A service that could not start has said why, as a config's mistakes with their places; a stack trace of ours would hide it.
  process.stderr.write(`demo  ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
