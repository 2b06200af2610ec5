import { CommanderError } from 'commander';
import { buildProgram } from './command-line.ts';
import { EXIT, exitCodeOf } from './exit-code.ts';
import { tell } from './terminal.ts';

buildProgram()
  .parseAsync()
  .catch((thrown: unknown) => {
    if (thrown instanceof CommanderError) {
      // Commander has printed its message already; its own code for every mistake is 1.
      process.exitCode = thrown.exitCode === 0 ? EXIT.ok : EXIT.usage;
      return;
    }
    tell(thrown instanceof Error ? thrown.message : String(thrown));
    process.exitCode = exitCodeOf(thrown);
  });
