import fs from 'node:fs/promises';
import path from 'node:path';
import { messageOf, TreelineError, type Sink, type SinkContext } from '@treeline/contract';
import { FileSink, type Clock } from './file-sink.ts';
import { codeOf, statIfThere } from './log-file.ts';
import type { ParsedFileOptions } from './options.ts';
import { SpecialFileSink } from './special-file-sink.ts';

/**
 * Opens a log file for writing.
 *
 * @throws TreelineError `DESTINATION_UNUSABLE` where the path can't be written.
 */
export async function openFileSink(
  options: ParsedFileOptions,
  context: SinkContext,
  clock: Clock = Date.now,
): Promise<Sink> {
  const logPath = path.resolve(options.path);
  try {
    const stat = await statIfThere(logPath);
    if (stat?.isDirectory()) throw new Error('it is a directory');
    if (stat && !stat.isFile()) {
      await fs.access(logPath, fs.constants.W_OK);
      return new SpecialFileSink(logPath);
    }
    const sink = new FileSink(logPath, options, context, clock);
    await sink.open();
    return sink;
  } catch (error) {
    throw new TreelineError(
      'DESTINATION_UNUSABLE',
      `can't write ${logPath}: ${messageOf(error)}; ${remedy(error)}`,
      { cause: error },
    );
  }
}

function remedy(error: unknown): string {
  switch (codeOf(error)) {
    case 'EACCES':
    case 'EPERM':
      return 'give this user permission to write there, or choose another path';
    case 'EROFS':
      return 'choose a path on a file system that is not read-only';
    case 'ENOSPC':
    case 'EDQUOT':
      return 'free some space, or choose another path';
    case 'ENOTDIR':
    case 'EEXIST':
      return 'a part of the path is a file: remove it, or choose another path';
    default:
      return 'choose a path that can be a file';
  }
}
