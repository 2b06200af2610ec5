import fs, { type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { undefinedWhereMissing } from './log-file.ts';
import { compareAge, createNameGrammar, parseAnyName, PROCESS, type DatedName } from './name-grammar.ts';

/** A file of a log, and how it is read. */
export interface ChainFile extends DatedName {
  readonly path: string;
  readonly inode: bigint;
  readonly modifiedMs: number;
}

/** One log. */
export interface LogChain {
  /** What its files are called, apart from dates, indexes and suffixes. */
  readonly log: string;
  /** In the order in which they were written; the one that is being written stands last. */
  readonly files: readonly ChainFile[];
}

/** A folder that changes all the time is taken as it was found at last. */
const MAX_LISTINGS = 20;

/** What a file has to be called for a folder's logs: `treeline query ./logs` leaves other files alone. */
const LOG_EXTENSION = new RegExp(`\\.(?:log|jsonl|ndjson)(?:\\.${PROCESS})?$`);

/** Where each process writes a file of its own, each of them is read as a log. */
const ONE_PROCESS = new RegExp(`^${PROCESS}$`);

/**
 * The logs at a path: all of a folder's, or the one of a log file with what was rotated of it.
 *
 * @throws where nothing is at the path.
 */
export async function findChains(target: string): Promise<LogChain[]> {
  const stat = await fs.stat(target).catch(() => undefined);
  if (stat?.isDirectory()) return chainsOf(target, (file) => logNameOf(file));
  const names = createNameGrammar(target);
  const base = path.basename(target);
  const chains = await chainsOf(names.directory, (file) =>
    file === base || names.parse(file) ? base : processLogOf(file, base),
  );
  if (chains.length === 0) await fs.access(target);
  return chains;
}

/** The log of a process that writes this one into a file of its own, or undefined where the file is none of its. */
function processLogOf(file: string, base: string): string | undefined {
  const log = parseAnyName(file)?.log ?? file;
  return log.startsWith(`${base}.`) && ONE_PROCESS.test(log.slice(base.length + 1)) ? log : undefined;
}

/** The log that a file of a folder belongs to, or undefined where it is no log. */
function logNameOf(file: string): string | undefined {
  const log = parseAnyName(file)?.log ?? file;
  return LOG_EXTENSION.test(log) ? log : undefined;
}

/** A log's files, and the one that is being written, open: the others keep their names until they are compressed. */
export interface OpenedChain {
  readonly files: readonly ChainFile[];
  readonly current: { readonly file: ChainFile; readonly handle: FileHandle } | undefined;
}

/** Opens the file that is being written. Where it has been rotated since it was listed, the log is listed again. */
export async function openChain(chain: LogChain, list: () => Promise<LogChain[]>): Promise<OpenedChain> {
  let { files } = chain;
  for (;;) {
    const file = files.find(({ date, compressed }) => date === '' && compressed === undefined);
    if (!file) return { files, current: undefined };
    const handle = await fs.open(file.path, 'r').catch(undefinedWhereMissing);
    if (handle && (await handle.stat({ bigint: true })).ino === file.inode)
      return { files, current: { file, handle } };
    await handle?.close();
    files = (await list()).find(({ log }) => log === chain.log)?.files ?? [];
  }
}

/** Listing takes several steps. What is rotated or compressed between them would be missing: it is listed again then. */
async function chainsOf(directory: string, logOf: (file: string) => string | undefined): Promise<LogChain[]> {
  let names = await fs.readdir(directory);
  for (let attempt = 1; ; attempt++) {
    const chains = await statChains(directory, names, logOf);
    const namesNow = await fs.readdir(directory);
    if (attempt === MAX_LISTINGS || isDeepStrictEqual(names.toSorted(), namesNow.toSorted())) return chains;
    names = namesNow;
  }
}

async function statChains(
  directory: string,
  names: readonly string[],
  logOf: (file: string) => string | undefined,
): Promise<LogChain[]> {
  const chains = new Map<string, ChainFile[]>();
  for (const file of names) {
    const log = logOf(file);
    const filePath = path.join(directory, file);
    const stat =
      log === undefined ? undefined : await fs.lstat(filePath, { bigint: true }).catch(() => undefined);
    if (log === undefined || !stat?.isFile()) continue;
    const name = parseAnyName(file) ?? { file, date: '', index: 0, compressed: undefined };
    const chain = chains.get(log) ?? [];
    chains.set(log, chain);
    chain.push({ ...name, path: filePath, inode: stat.ino, modifiedMs: Number(stat.mtimeMs) });
  }
  return [...chains].map(([log, files]) => ({ log, files: inOrder(files) }));
}

function inOrder(files: ChainFile[]): ChainFile[] {
  const plain = new Set(files.filter(({ compressed }) => compressed === undefined).map((file) => file.file));
  return files
    .filter(
      ({ file, compressed }) => compressed === undefined || !plain.has(file.slice(0, -compressed.length - 1)),
    )
    .toSorted((a, b) => Number(a.date === '') - Number(b.date === '') || compareAge(a, b));
}
