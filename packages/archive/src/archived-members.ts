import fs from 'node:fs';
import { join } from 'node:path';
import { messageOf, TreelineError } from '@treeline/contract';
import type { LogReader, LogRow } from '@treeline/sqlite';
import { compareRows, type Place, type RowTest } from '@treeline/sqlite/archival';
import { codeOf, listSegments, readManifest } from './folder.ts';
import { expandMemberSync } from './member.ts';
import { sha256, type Member } from './manifest.ts';
import { META, readFolders } from './plan.ts';
import { DATA_SUFFIX, storePrefix } from './segment-name.ts';

/** A member that may hold rows of the answer; its rows are read when their turn has come. */
interface Source {
  readonly path: string;
  readonly member: Member;
  /** Matching rows, the next one last; undefined before it is opened. */
  rows: LogRow[] | undefined;
}

/** The archived rows of a query, in its order. Members are opened one after another, as far as the answer is asked for. */
export class ArchivedMembers {
  readonly #reader: LogReader;
  readonly #test: RowTest;
  readonly #warn: (message: string) => void;
  readonly #known = new Set<string>();
  readonly #deadlineMs: number;
  #sources: Source[] = [];
  #sealed: string | undefined;
  #isComplete = true;

  /** Behind the deadline, a `performance.now()`, no row is searched for any more. */
  constructor(
    reader: LogReader,
    test: RowTest,
    warn: (message: string) => void,
    deadlineMs: number = Infinity,
  ) {
    this.#reader = reader;
    this.#test = test;
    this.#warn = warn;
    this.#deadlineMs = deadlineMs;
  }

  /** False where the deadline kept rows from being searched. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Looks for segments that have come; their rows up to `behind` have been given already, by the store. */
  refresh(behind: Place | undefined): void {
    const sealed = this.#reader.meta.get(META.sealed);
    if (sealed === this.#sealed) return;
    this.#sealed = sealed;
    for (const folder of this.#folders()) this.#addFolder(folder, behind);
    const { order } = this.#test;
    // The next one last.
    this.#sources.sort((a, b) => compareRows(firstPlace(b, order), firstPlace(a, order), order));
  }

  /** Files that may hold rows of the query. */
  countFiles(): number {
    let count = 0;
    for (const folder of this.#folders()) {
      count += this.#segmentsIn(folder).filter((segment) => this.#mayMatch(segment)).length;
    }
    return count;
  }

  /** The next row, where it comes before another one. */
  peek(before: Place | undefined): LogRow | undefined {
    const { order } = this.#test;
    for (;;) {
      const source = this.#sources.at(-1);
      if (!source) return undefined;
      if (source.rows?.length === 0) {
        this.#sources.pop();
        continue;
      }
      const place = firstPlace(source, order);
      if (before && compareRows(place, before, order) > 0) return undefined;
      if (source.rows) return source.rows.at(-1);
      source.rows = this.#readRows(source);
      this.#moveLast();
    }
  }

  /** Lets go of the row that `peek` gave. */
  take(): void {
    this.#sources.at(-1)?.rows?.pop();
    this.#moveLast();
  }

  /** Puts the source that has changed back in order; where segments don't overlap it stays where it is. */
  #moveLast(): void {
    const { order } = this.#test;
    const source = this.#sources.at(-1);
    if (!source || source.rows?.length === 0) return;
    let at = this.#sources.length - 1;
    const place = firstPlace(source, order);
    for (; at > 0; at--) {
      const other = this.#sources[at - 1];
      if (!other || compareRows(firstPlace(other, order), place, order) >= 0) break;
      this.#sources[at] = other;
    }
    this.#sources[at] = source;
  }

  #folders(): string[] {
    return readFolders(this.#reader.meta, this.#reader.path);
  }

  /** The segments of this store in a folder; none where that is missing, which is told. */
  #segmentsIn(folder: string): ReturnType<typeof listSegments> {
    const own = storePrefix(this.#reader.meta.get('store_id') ?? '');
    try {
      return listSegments(folder).filter(({ store }) => store === own);
    } catch (error) {
      if (!(error instanceof TreelineError)) throw error;
      this.#warn(`archived rows are left out: ${error.message}`);
      return [];
    }
  }

  #addFolder(folder: string, behind: Place | undefined): void {
    for (const segment of this.#segmentsIn(folder)) {
      const path = join(folder, segment.name);
      if (this.#known.has(path)) continue;
      this.#known.add(path);
      if (this.#mayMatch(segment)) this.#addSegment(folder, segment.name, behind);
    }
  }

  #addSegment(folder: string, name: string, behind: Place | undefined): void {
    try {
      const { manifest } = readManifest(folder, name);
      const { level, order } = this.#test;
      if (level !== undefined && !Object.keys(manifest.levels).some((each) => Number(each) >= level)) return;
      const path = join(folder, name + DATA_SUFFIX);
      for (const member of manifest.members) {
        if (!this.#mayMatch({ firstMs: member.first.ts, lastMs: member.last.ts })) continue;
        const end = order === 'asc' ? member.last : member.first;
        if (behind && compareRows(end, behind, order) <= 0) continue;
        this.#sources.push({ path, member, rows: undefined });
      }
    } catch (error) {
      if (!(error instanceof TreelineError)) throw error;
      this.#warn(`archived rows are left out: ${error.message}`);
    }
  }

  #mayMatch({ firstMs, lastMs }: { readonly firstMs: number; readonly lastMs: number }): boolean {
    const { sinceMs = -Infinity, untilMs = Infinity } = this.#test;
    return lastMs >= sinceMs && firstMs < untilMs;
  }

  #isLate(): boolean {
    if (performance.now() > this.#deadlineMs) this.#isComplete = false;
    return !this.#isComplete;
  }

  #readRows({ path, member }: Source): LogRow[] {
    if (this.#isLate()) return [];
    try {
      const lines = readMember(path, member).toString().split('\n').slice(0, -1);
      if (this.#test.order === 'desc') lines.reverse();
      const rows: LogRow[] = [];
      for (const line of lines) {
        if (this.#isLate()) break;
        const row = this.#test.select(line);
        if (row) rows.push(row);
      }
      return rows.toReversed();
    } catch (error) {
      this.#warn(faultOf(error, path, member));
      return [];
    }
  }
}

/** A file that can't be opened: its members are all left out, which is told once. */
class FileFault extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

function faultOf(error: unknown, path: string, member: Member): string {
  if (error instanceof FileFault) {
    const fault = error.code === 'ENOENT' ? 'is missing' : `can't be opened (${error.code})`;
    return `archived rows are left out: ${path} ${fault}; "treeline archive verify" tells more`;
  }
  const [from, to] = [member.first.ts, member.last.ts].map((ms) => new Date(ms).toISOString());
  return `${member.rows} archived rows from ${from} to ${to} are left out: ${path} is damaged (${messageOf(error)}); "treeline archive verify" tells more`;
}

function firstPlace({ member, rows }: Source, order: 'asc' | 'desc'): Place {
  return rows?.at(-1) ?? (order === 'asc' ? member.first : member.last);
}

function readMember(path: string, member: Member): Buffer {
  const bytes = Buffer.alloc(member.bytes);
  let fd: number;
  try {
    fd = fs.openSync(path, 'r');
  } catch (error) {
    throw new FileFault(codeOf(error));
  }
  try {
    const read = fs.readSync(fd, bytes, 0, member.bytes, member.offset);
    if (read < member.bytes) throw new Error(`${member.bytes - read} bytes are missing`);
  } finally {
    fs.closeSync(fd);
  }
  if (sha256(bytes) !== member.sha256) throw new Error('bytes were changed');
  return expandMemberSync(bytes, member.rawBytes);
}
