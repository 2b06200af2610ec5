import fs from 'node:fs/promises';
import { createStream } from 'rotating-file-stream';
import type { LogFile } from './log-file.ts';
import type { NameGrammar } from './name-grammar.ts';

/**
 * Gives the current file its rotated name and begins a new one. rotating-file-stream does the moving, one stream for each rotation:
 * it rotates when it opens a file that has reached its size, here of one byte. It does no writing, see docs/decisions.md.
 */
export async function rotate(
  file: LogFile,
  names: NameGrammar,
  date: string,
  withIndex: boolean,
): Promise<string> {
  const first = await nextIndex(names, date, withIndex);
  const target = (index: number): string => `${names.directory}/${names.format(date, first + index)}`;
  return new Promise((resolve, reject) => {
    const stream = createStream((time, index = 1) => (time ? target(index - 1) : file.path), { size: '1B' });
    let rotated: string | undefined;
    stream.on('rotated', (name: string) => {
      rotated = name;
    });
    stream.on('open', () => stream.end());
    stream.on('error', reject);
    stream.on('close', () => {
      if (rotated === undefined)
        reject(new Error(`${file.path} was empty or gone when it was to be rotated`));
      else resolve(rotated);
    });
  });
}

/** The index behind all that exist for a date, compressed files included. */
async function nextIndex(names: NameGrammar, date: string, withIndex: boolean): Promise<number> {
  const taken = (await fs.readdir(names.directory))
    .map((file) => names.parse(file))
    .filter((name) => name?.date === date)
    .map((name) => name?.index ?? 0);
  return Math.max(withIndex ? 0 : -1, ...taken) + 1;
}
