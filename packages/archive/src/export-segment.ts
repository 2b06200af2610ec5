import { createHash, type Hash } from 'node:crypto';
import fs from 'node:fs';
import type { ArchivalStore, ArchivePage, Selection } from '@treeline/sqlite/archival';
import { failpoint } from './failpoint.ts';
import { writeFault } from './folder.ts';
import { compressMember, MEMBER_RAW_BYTES } from './member.ts';
import { sha256, type Manifest, type Member } from './manifest.ts';
import { turn } from './pacing.ts';

/** What a written file holds. */
export type SegmentContent = Pick<
  Manifest,
  'rows' | 'ids' | 'times' | 'levels' | 'bytes' | 'rawBytes' | 'sha256' | 'members'
>;

/**
 * Writes the selected rows to a new file and syncs it; undefined where there are none any more. The file is removed where that fails:
 * after a failed sync nobody knows what is in it.
 */
export async function exportSegment(
  store: ArchivalStore,
  selection: Selection,
  path: string,
  options: { readonly gzipLevel: number; readonly onRows: (rows: number) => void },
): Promise<SegmentContent | undefined> {
  let file: fs.promises.FileHandle | undefined;
  try {
    file = await fs.promises.open(path, 'wx');
    const writer = new SegmentWriter(file, options.gzipLevel);
    let after: ArchivePage['last'] | undefined;
    for (let page = store.readPage(selection, after); page; page = store.readPage(selection, after)) {
      after = page.last;
      await writer.add(page);
      options.onRows(writer.rows);
      failpoint('archive-export-midway');
    }
    const content = await writer.finish();
    failpoint('archive-exported');
    await file.sync();
    await file.close();
    failpoint('archive-synced');
    if (!content) fs.rmSync(path);
    return content;
  } catch (cause) {
    await file?.close().catch(() => undefined);
    fs.rmSync(path, { force: true });
    throw writeFault(path, cause);
  }
}

/** Gathers pages into members, which are compressed while the next one is being read. */
class SegmentWriter {
  readonly #file: fs.promises.FileHandle;
  readonly #gzipLevel: number;
  readonly #hash: Hash = createHash('sha256');
  readonly #members: Member[] = [];
  readonly #levels = new Map<number, number>();
  #pages: ArchivePage[] = [];
  #pageBytes = 0;
  #underWay: Promise<void> = Promise.resolve();
  #offset = 0;
  #rawBytes = 0;
  #ids = { min: Infinity, max: -Infinity };
  rows = 0;

  constructor(file: fs.promises.FileHandle, gzipLevel: number) {
    this.#file = file;
    this.#gzipLevel = gzipLevel;
  }

  async add(page: ArchivePage): Promise<void> {
    this.#pages.push(page);
    this.#pageBytes += page.bytes.length;
    this.rows += page.rows;
    this.#rawBytes += page.bytes.length;
    this.#ids = { min: Math.min(this.#ids.min, page.minId), max: Math.max(this.#ids.max, page.maxId) };
    for (const [level, n] of page.levels) this.#levels.set(level, (this.#levels.get(level) ?? 0) + n);
    if (this.#pageBytes >= MEMBER_RAW_BYTES) await this.#endMember();
    else await turn();
  }

  async finish(): Promise<SegmentContent | undefined> {
    if (this.#pages.length > 0) await this.#endMember();
    await this.#underWay;
    const [first] = this.#members;
    const last = this.#members.at(-1);
    if (!first || !last) return undefined;
    return {
      rows: this.rows,
      ids: this.#ids,
      times: { firstMs: first.first.ts, lastMs: last.last.ts },
      levels: Object.fromEntries(this.#levels),
      bytes: this.#offset,
      rawBytes: this.#rawBytes,
      sha256: this.#hash.digest('hex'),
      members: this.#members,
    };
  }

  /** One member is under way at a time beside the one that is gathered: so much memory, no more. */
  async #endMember(): Promise<void> {
    const pages = this.#pages;
    this.#pages = [];
    this.#pageBytes = 0;
    await this.#underWay;
    this.#underWay = this.#write(pages);
    // It is awaited with the next one; until then a failure is not unhandled.
    this.#underWay.catch(() => undefined);
  }

  async #write(pages: readonly ArchivePage[]): Promise<void> {
    const [first] = pages;
    const last = pages.at(-1);
    if (!first || !last) return;
    const raw = Buffer.concat(pages.map(({ bytes }) => bytes));
    const bytes = await compressMember(raw, this.#gzipLevel);
    this.#members.push({
      offset: this.#offset,
      bytes: bytes.length,
      rawBytes: raw.length,
      rows: pages.reduce((sum, { rows }) => sum + rows, 0),
      first: first.first,
      last: last.last,
      sha256: sha256(bytes),
    });
    this.#offset += bytes.length;
    this.#hash.update(bytes);
    await this.#file.writeFile(bytes);
  }
}
