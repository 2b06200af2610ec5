import fs from 'node:fs';
import path from 'node:path';
import { TreelineError } from '@treeline/contract';

/**
 * Opens the file that is printed to.
 *
 * @throws TreelineError where that can't be done.
 */
export function openOutputFile(file: string, options: { append: boolean; mkdir: boolean }): number {
  try {
    if (options.mkdir) fs.mkdirSync(path.dirname(file), { recursive: true });
    return fs.openSync(file, options.append ? 'a' : 'w');
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    const advice = 'give a file in a folder that exists, or set mkdir';
    throw new TreelineError(
      'DESTINATION_UNUSABLE',
      `can't open "${file}" for printing (${reason}): ${advice}`,
      { cause },
    );
  }
}
