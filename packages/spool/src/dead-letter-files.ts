import { isUtf8 } from 'node:buffer';
import { readFileSync, renameSync, statSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { parseObject } from './json-object.ts';
import { isErrno, unslug } from './layout.ts';
import { readNames } from './segment-files.ts';

const LETTERS_FILE = /\.ndjson(\.claimed)?$/;
const CLAIMED = '.claimed';

/** A record that its destination refused for good. */
export interface DeadLetter {
  readonly logId: string;
  readonly seq: number;
  /** Unix milliseconds. */
  readonly atMs: number;
  readonly reason: string;
  /** As it was logged, without its line feed. */
  readonly line: Buffer;
}

/** A file of dead letters as it lies on disk. */
export interface DeadLetterFile {
  readonly service: string;
  readonly streamKey: string;
  readonly path: string;
  readonly bytes: number;
}

/** Every file of dead letters under the state directory, by service, stream and age. */
export function listDeadLetters(stateDirectory: string): DeadLetterFile[] {
  const files: DeadLetterFile[] = [];
  for (const service of readNames(stateDirectory).toSorted()) {
    const directory = join(stateDirectory, service, 'dead-letters');
    for (const stream of readNames(directory).toSorted()) {
      for (const file of listLetterFiles(join(directory, stream))) {
        files.push({ service: unslug(service), streamKey: unslug(stream), ...file });
      }
    }
  }
  return files;
}

/** What a file of dead letters holds. */
export interface DeadLetterContent {
  readonly letters: readonly DeadLetter[];
  /** Letters that stood more than once. */
  readonly doubles: number;
  /** Bytes that are no letter: the rest of a write that was cut. */
  readonly tornBytes: number;
}

/** Reads a file of dead letters; each record once, however often it was kept. */
export function readDeadLetters(path: string): DeadLetterContent {
  const bytes = readFileSync(path);
  const letters = new Map<string, DeadLetter>();
  let doubles = 0;
  let tornBytes = 0;
  for (let start = 0; start < bytes.length;) {
    const feed = bytes.indexOf(0x0a, start);
    const end = feed === -1 ? bytes.length : feed + 1;
    const letter = feed === -1 ? undefined : decodeLetter(bytes.toString('utf8', start, feed));
    if (letter === undefined) tornBytes += end - start;
    else if (letters.has(letterId(letter))) doubles++;
    else letters.set(letterId(letter), letter);
    start = end;
  }
  return { letters: [...letters.values()], doubles, tornBytes };
}

/** Takes a file away from its writer, for a replay, and returns where it lies now; it is still listed, until it is removed. */
export function claimDeadLetters(path: string): string {
  if (path.endsWith(CLAIMED)) return path;
  renameSync(path, path + CLAIMED);
  return path + CLAIMED;
}

/** Deletes a claimed file, whose letters have all been replayed. */
export function removeDeadLetters(path: string): void {
  if (!path.endsWith(CLAIMED))
    throw new TypeError(`path must be what claimDeadLetters returned; got ${JSON.stringify(path)}`);
  unlinkSync(path);
}

/** The same for every time that a record was kept. */
export function letterId(letter: Pick<DeadLetter, 'logId' | 'seq'>): string {
  return `${letter.logId}:${letter.seq}`;
}

/** The files of one stream, oldest first. */
export function listLetterFiles(directory: string): { path: string; bytes: number }[] {
  const files: { path: string; bytes: number }[] = [];
  for (const name of readNames(directory).toSorted()) {
    if (!LETTERS_FILE.test(name)) continue;
    const path = join(directory, name);
    try {
      files.push({ path, bytes: statSync(path).size });
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
    }
  }
  return files;
}

/** A line that is no UTF-8 would come back changed as text, so it is kept as base64. */
export function encodeLetter({ logId, seq, atMs, reason, line }: DeadLetter): string {
  const text = isUtf8(line) ? { line: line.toString() } : { lineBase64: line.toString('base64') };
  return `${JSON.stringify({ atMs, reason, logId, seq, ...text })}\n`;
}

function decodeLetter(text: string): DeadLetter | undefined {
  const value = parseObject(text);
  if (value === undefined) return undefined;
  const { atMs, reason, logId, seq, line, lineBase64 } = value;
  if (
    typeof atMs !== 'number' ||
    typeof reason !== 'string' ||
    typeof logId !== 'string' ||
    typeof seq !== 'number'
  )
    return undefined;
  if (typeof line === 'string') return { atMs, reason, logId, seq, line: Buffer.from(line) };
  if (typeof lineBase64 === 'string')
    return { atMs, reason, logId, seq, line: Buffer.from(lineBase64, 'base64') };
  return undefined;
}
