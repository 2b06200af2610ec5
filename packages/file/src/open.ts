import fs from 'node:fs/promises';
import path from 'node:path';
import { messageOf, TreelineError, type Sink, type SinkContext } from '@treeline/contract';
import { FileSink, type Clock } from './file-sink.ts';
import { codeOf, makeDirectory, statIfThere } from './log-file.ts';
import type { ParsedFileOptions } from './options.ts';
import { SideFolder } from './side-folder.ts';
import { SpecialFileSink } from './special-file-sink.ts';
import { SplitSink } from './split-sink.ts';

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
  const asked = path.resolve(options.path);
  const open = async (logPath: string): Promise<FileSink> => {
    const sink = new FileSink(logPath, options, context, clock);
    try {
      await sink.start();
    } catch (error) {
      await sink.close().catch(() => undefined);
      throw error;
    }
    return sink;
  };
  try {
    const stat = await statIfThere(asked);
    if (stat?.isDirectory()) throw new Error('it is a directory');
    if (stat && !stat.isFile()) {
      await fs.access(asked, fs.constants.W_OK);
      return new SpecialFileSink(asked);
    }
    const logPath = await realPath(asked, options.dirMode);
    const { splitBy, maxOpenFiles } = options;
    if (splitBy !== undefined) {
      const folder = new SideFolder(logPath, options.dirMode);
      const openPart = async (partPath: string): Promise<FileSink> => {
        const sink = await open(partPath);
        // Who asks for a rotation names the log, and has to find its parts.
        await folder.write(folder.file('part', path.basename(partPath)), '').catch(() => undefined);
        return sink;
      };
      return new SplitSink(logPath, splitBy, maxOpenFiles, openPart);
    }
    return await open(logPath);
  } catch (error) {
    const message = `can't write ${asked}: ${messageOf(error)}; ${remedy(error)}`;
    throw new TreelineError('DESTINATION_UNUSABLE', message, { cause: error });
  }
}

/** Processes that come to one file by different links have to meet at one path. */
async function realPath(logPath: string, dirMode: number): Promise<string> {
  await makeDirectory(path.dirname(logPath), dirMode);
  const stat = await fs.lstat(logPath).catch(() => undefined);
  if (stat?.isSymbolicLink())
    return realPath(path.resolve(path.dirname(logPath), await fs.readlink(logPath)), dirMode);
  return path.join(await fs.realpath(path.dirname(logPath)), path.basename(logPath));
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
