import fs from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from './log-file.ts';

/**
 * Makes a symbolic link lead to a file, in one step for those who follow it.
 *
 * @throws where something else than a link has its name.
 */
export async function pointLinkAt(link: string, target: string): Promise<void> {
  const text = path.relative(path.dirname(link), target);
  try {
    if ((await fs.readlink(link)) === text) return;
  } catch (error) {
    if (codeOf(error) === 'EINVAL')
      throw new Error('there is a file that is no symbolic link', { cause: error });
    if (codeOf(error) !== 'ENOENT') throw error;
  }
  const temporary = `${link}.${process.pid}.${performance.now()}`;
  await fs.symlink(text, temporary);
  await fs.rename(temporary, link);
}
