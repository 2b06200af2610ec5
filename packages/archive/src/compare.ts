import fs from 'node:fs';
import { TreelineError } from '@treeline/contract';
import {
  compareRows,
  readArchivedLine,
  type ArchivalStore,
  type Place,
  type Selection,
} from '@treeline/sqlite/archival';
import type { SegmentContent } from './export-segment.ts';
import { codeOf } from './folder.ts';
import { expandMember } from './member.ts';
import { sha256, type Member } from './manifest.ts';
import { turn } from './pacing.ts';

/**
 * Reads a file back from the disk and compares it, byte for byte, with the rows as the store gives them now. Rows that the store has
 * lost since (evicted for its `maxBytes`) may be in the file alone; a row that is in the store alone, or is another one, is a fault.
 *
 * @throws TreelineError `ARCHIVE_DAMAGED` that says where.
 */
export async function compareWithStore(
  store: ArchivalStore,
  selection: Selection,
  path: string,
  content: SegmentContent,
  onRows: (rows: number) => void,
): Promise<void> {
  let after: Place | undefined;
  let rows = 0;
  for await (const { member, raw } of expandMembers(path, content.members)) {
    await compareMember(store, { ...selection, last: member.last }, after, raw, path);
    after = member.last;
    rows += member.rows;
    onRows(rows);
  }
  const beyond = store.readPage(selection, after);
  if (beyond || rows !== content.rows) throw differs(path, beyond?.first ?? after);
}

/** The members of a file with their content; the next one is decompressed while one is in use. */
async function* expandMembers(
  path: string,
  members: readonly Member[],
): AsyncGenerator<{ member: Member; raw: Buffer }, void> {
  const file = await fs.promises.open(path, 'r');
  try {
    let next = members[0] && expandFrom(file, path, members[0]);
    for (const [index, member] of members.entries()) {
      const raw = await next;
      const following = members[index + 1];
      next = following && expandFrom(file, path, following);
      // Awaited in the next step; until then a failure is not unhandled.
      next?.catch(() => undefined);
      if (raw) yield { member, raw };
    }
  } finally {
    await file.close();
  }
}

/**
 * Reads one member and proves it.
 *
 * @throws TreelineError `ARCHIVE_DAMAGED` that names it.
 */
export async function expandFrom(
  file: fs.promises.FileHandle,
  path: string,
  member: Member,
): Promise<Buffer> {
  const bytes = Buffer.alloc(member.bytes);
  const { bytesRead } = await file.read(bytes, 0, member.bytes, member.offset);
  const fault = (reason: string): TreelineError =>
    new TreelineError(
      'ARCHIVE_DAMAGED',
      `${path}: ${reason} in the ${member.rows} rows from ${formatPlace(member.first)} to ${formatPlace(member.last)} (bytes ${member.offset} to ${member.offset + member.bytes})`,
    );
  if (bytesRead < member.bytes) throw fault(`${member.bytes - bytesRead} bytes are missing`);
  if (sha256(bytes) !== member.sha256) throw fault('bytes were changed');
  try {
    const raw = await expandMember(bytes, member.rawBytes);
    if (raw.length === member.rawBytes) return raw;
  } catch (error) {
    throw fault(`decompression fails (${codeOf(error)})`);
  }
  throw fault('bytes are missing');
}

async function compareMember(
  store: ArchivalStore,
  selection: Selection,
  after: Place | undefined,
  raw: Buffer,
  path: string,
): Promise<void> {
  let at = 0;
  let place = after;
  for (let page = store.readPage(selection, place); page; page = store.readPage(selection, place)) {
    const end = at + page.bytes.length;
    if (page.bytes.compare(raw, at, Math.min(end, raw.length)) !== 0) {
      await compareLines(store, selection, place, raw.subarray(at), path);
      return;
    }
    at = end;
    place = page.last;
    await turn();
  }
  // What is left over in the file has left the store since.
}

/** The slow way, for where the pages do not agree: line by line, passing over lines that the store does not have any more. */
async function compareLines(
  store: ArchivalStore,
  selection: Selection,
  after: Place | undefined,
  raw: Buffer,
  path: string,
): Promise<void> {
  const archived = linesOf(raw);
  let place = after;
  for (let page = store.readPage(selection, place); page; page = store.readPage(selection, place)) {
    for (const line of linesOf(page.bytes)) {
      const wanted = placeOf(line);
      let found = archived.next();
      while (!found.done && compareRows(placeOf(found.value), wanted, 'asc') < 0) found = archived.next();
      if (found.done || found.value !== line) throw differs(path, wanted);
    }
    place = page.last;
    await turn();
  }
}

function* linesOf(raw: Buffer): Generator<string, void> {
  for (let at = 0; at < raw.length;) {
    const end = raw.indexOf(0x0a, at);
    yield raw.toString('utf8', at, end);
    at = end + 1;
  }
}

function placeOf(line: string): Place {
  const [id, , , , ts] = readArchivedLine(line);
  return { ts, id };
}

function differs(path: string, place: Place | undefined): TreelineError {
  return new TreelineError(
    'ARCHIVE_DAMAGED',
    `${path} does not hold the store's rows${place ? `: they differ at row ${formatPlace(place)}` : ''}; nothing was deleted`,
  );
}

function formatPlace({ ts, id }: Place): string {
  return `${id} (${new Date(ts).toISOString()})`;
}
