import { requestRotation } from '@treeline/file/control';
import { EXIT } from '../exit-code.ts';
import { printable, tell, writeOut } from '../terminal.ts';

/** Asks the processes that write a log to rotate it, and prints which files they rotated; gives the exit code. */
export async function rotate(logPath: string): Promise<number> {
  const files = await requestRotation(logPath);
  if (files.length === 0) tell(`${logPath} is empty: there is nothing to rotate`);
  for (const file of files) writeOut(`rotated ${printable(file)}\n`);
  return EXIT.ok;
}
