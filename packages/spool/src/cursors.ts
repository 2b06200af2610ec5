import { closeSync, fdatasyncSync, fstatSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { failpoint, failpointTears, kill } from './failpoint.ts';
import { isObject, parseObject } from './json-object.ts';
import { FILE_MODE, isErrno, syncDirectory, type Durability } from './layout.ts';

// Two slots of equal size, written in turn: header 24 bytes (magic 4 | slotBytes 4 | generation 8 | length 4 | crc 4), then JSON.
// The slot that is whole and newest counts; one that was cut loses at most the last write.

export const CURSORS_FILE = 'cursors';

const SLOT_HEADER_BYTES = 24;
const MIN_SLOT_BYTES = 4096;
const MAX_SLOT_BYTES = 16 * 1024 * 1024;
const MAGIC = 0x52_43_4c_ff;

/** Written at most this often, unless so much was delivered meanwhile: together they bound what a crash sends again. */
const WRITE_INTERVAL_MS = 250;
const WRITE_BYTES = 1024 * 1024;

/** How far a stream has come. */
export interface StreamCursor {
  /** The last record that is settled for the stream, with all before it; -1 before the first. */
  readonly seq: number;
  /** Numbers that are to survive with it, as what was delivered and dropped. */
  readonly counters: Readonly<Record<string, number>>;
}

/** What a cursor file held. */
export interface StoredCursors {
  /** By stream key: the stream's name and a hash of its destination. */
  readonly streams: ReadonlyMap<string, StreamCursor>;
  /** `damaged`: the file is there and neither slot is whole, so everything will be sent again. */
  readonly state: 'read' | 'missing' | 'damaged';
}

/** How writing the cursors ended. */
export type CursorsOutcome = 'written' | 'no-log' | 'no-space' | 'io-error' | 'too-large';

interface Slot {
  readonly slotBytes: number;
  readonly position: number;
  readonly generation: number;
  readonly streams: ReadonlyMap<string, StreamCursor>;
}

/** Opens a log's cursors with what is stored in them; the file is made by the first write. */
export function openCursors(directory: string, options?: { durability?: Durability }): Cursors {
  return new Cursors(directory, options?.durability ?? 'process');
}

/** Reads a log's cursors without opening them. */
export function readCursors(directory: string): StoredCursors {
  const { state, slot } = readNewestSlot(join(directory, CURSORS_FILE));
  return { state, streams: slot?.streams ?? new Map() };
}

/** The cursors of one log, for one thread. `write` and `writeIfDue` never throw. */
export class Cursors {
  /** How the stored cursors were found. */
  readonly state: StoredCursors['state'];
  readonly #directory: string;
  readonly #durability: Durability;
  readonly #streams: Map<string, StreamCursor>;
  #fd: number | undefined;
  #slotBytes = 0;
  #generation = 0;
  #nextPosition = 0;
  #progressBytes = 0;
  #isDirty = false;
  #writtenAtMs = -Infinity;
  #lastError: Error | undefined;

  /** @internal */
  constructor(directory: string, durability: Durability) {
    this.#directory = directory;
    this.#durability = durability;
    const { state, slot } = readNewestSlot(join(directory, CURSORS_FILE));
    this.state = state;
    this.#streams = new Map(slot?.streams);
    if (slot === undefined) return;
    this.#generation = slot.generation;
    this.#slotBytes = slot.slotBytes;
    this.#nextPosition = slot.position === 0 ? slot.slotBytes : 0;
  }

  /** What the file system last refused. */
  get lastError(): Error | undefined {
    return this.#lastError;
  }

  get(streamKey: string): StreamCursor | undefined {
    return this.#streams.get(streamKey);
  }

  /** Every stream that the log knows, those of earlier configs included. */
  entries(): IterableIterator<[string, StreamCursor]> {
    return this.#streams.entries();
  }

  /** Moves a stream's cursor in memory; `progressBytes` is what was settled by it. */
  set(streamKey: string, cursor: StreamCursor, progressBytes = 0): void {
    this.#streams.set(streamKey, cursor);
    this.#progressBytes += progressBytes;
    this.#isDirty = true;
  }

  /** Forgets a stream, whose records are then nobody's. */
  delete(streamKey: string): void {
    this.#isDirty = this.#streams.delete(streamKey) || this.#isDirty;
  }

  /** Writes when something moved and 250 ms or 1 MiB have passed; `nowMs` is of a clock that never goes back. True if it wrote. */
  writeIfDue(nowMs: number = performance.now()): boolean {
    if (!this.#isDirty) return false;
    if (this.#progressBytes < WRITE_BYTES && nowMs - this.#writtenAtMs < WRITE_INTERVAL_MS) return false;
    this.#writtenAtMs = nowMs;
    return this.write() === 'written';
  }

  /** Writes now. Whatever is refused stays to be written by the next call; `no-log`: nothing of the log is on disk yet. */
  write(): CursorsOutcome {
    const payload = Buffer.from(JSON.stringify(Object.fromEntries(this.#streams)));
    if (SLOT_HEADER_BYTES + payload.length > MAX_SLOT_BYTES) return 'too-large';
    failpoint('cursors-before');
    try {
      this.#letGoOfDeleted();
      if (SLOT_HEADER_BYTES + payload.length > this.#slotBytes) this.#replaceFile(payload);
      else this.#writeSlot(payload);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return 'no-log';
      this.#lastError = error instanceof Error ? error : new Error(String(error));
      return isErrno(error, 'ENOSPC', 'EDQUOT') ? 'no-space' : 'io-error';
    }
    failpoint('cursors-after');
    this.#isDirty = false;
    this.#progressBytes = 0;
    return 'written';
  }

  /** Writes what moved and gives the file back. */
  close(): void {
    if (this.#isDirty) this.write();
    this.#closeFile();
  }

  /** Overwrites the older slot in place, which needs no new block on most file systems and so works on a full disk. */
  #writeSlot(payload: Buffer): void {
    this.#fd ??= openSync(join(this.#directory, CURSORS_FILE), 'r+');
    const slot = encodeSlot(payload, this.#slotBytes, this.#generation + 1);
    if (failpointTears('cursors-torn')) {
      writeSync(this.#fd, slot, 0, Math.floor(slot.length / 2), this.#nextPosition);
      kill();
    }
    writeFully(this.#fd, slot, this.#nextPosition);
    if (this.#durability === 'power') fdatasyncSync(this.#fd);
    this.#generation++;
    this.#nextPosition = this.#nextPosition === 0 ? this.#slotBytes : 0;
  }

  /** Makes the file, or one with larger slots in its place. */
  #replaceFile(payload: Buffer): void {
    let slotBytes = MIN_SLOT_BYTES;
    while (slotBytes < SLOT_HEADER_BYTES + payload.length) slotBytes *= 2;
    const path = join(this.#directory, CURSORS_FILE);
    const file = Buffer.alloc(2 * slotBytes);
    encodeSlot(payload, slotBytes, this.#generation + 1).copy(file);
    const fd = openSync(`${path}.new`, 'w', FILE_MODE);
    try {
      writeFully(fd, file, 0);
      if (this.#durability === 'power') fdatasyncSync(fd);
      renameSync(`${path}.new`, path);
      if (this.#durability === 'power') syncDirectory(this.#directory);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    this.#closeFile();
    this.#fd = fd;
    this.#slotBytes = slotBytes;
    this.#generation++;
    this.#nextPosition = slotBytes;
  }

  /** The log was taken off the disk and may have come back since: what is written into the old file nobody reads. */
  #letGoOfDeleted(): void {
    if (this.#fd === undefined || fstatSync(this.#fd).nlink > 0) return;
    this.#closeFile();
    this.#slotBytes = 0;
  }

  #closeFile(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

function writeFully(fd: number, bytes: Buffer, position: number): void {
  for (let written = 0; written < bytes.length;) {
    written += writeSync(fd, bytes, written, bytes.length - written, position + written);
  }
}

function encodeSlot(payload: Buffer, slotBytes: number, generation: number): Buffer {
  const slot = Buffer.alloc(SLOT_HEADER_BYTES + payload.length);
  slot.writeUInt32LE(MAGIC, 0);
  slot.writeUInt32LE(slotBytes, 4);
  slot.writeBigUInt64LE(BigInt(generation), 8);
  slot.writeUInt32LE(payload.length, 16);
  payload.copy(slot, SLOT_HEADER_BYTES);
  slot.writeUInt32LE(slotCrc(slot), 20);
  return slot;
}

function slotCrc(slot: Buffer): number {
  return crc32(slot.subarray(SLOT_HEADER_BYTES), crc32(slot.subarray(0, 20)));
}

function readNewestSlot(path: string): { state: StoredCursors['state']; slot?: Slot } {
  let file: Buffer;
  try {
    file = readFileSync(path);
  } catch (error) {
    // Unreadable is as good as damaged: everything is sent again, and the next write tells the fault.
    return { state: isErrno(error, 'ENOENT') ? 'missing' : 'damaged' };
  }
  const slotBytes = Math.floor(file.length / 2);
  let newest: Slot | undefined;
  for (const position of [0, slotBytes]) {
    const slot = decodeSlot(file.subarray(position, position + slotBytes), position, slotBytes);
    if (slot && (newest === undefined || slot.generation > newest.generation)) newest = slot;
  }
  return newest === undefined ? { state: 'damaged' } : { state: 'read', slot: newest };
}

function decodeSlot(bytes: Buffer, position: number, slotBytes: number): Slot | undefined {
  if (bytes.length < SLOT_HEADER_BYTES || bytes.readUInt32LE(0) !== MAGIC) return undefined;
  const end = SLOT_HEADER_BYTES + bytes.readUInt32LE(16);
  if (bytes.readUInt32LE(4) !== slotBytes || end > bytes.length) return undefined;
  if (bytes.readUInt32LE(20) !== slotCrc(bytes.subarray(0, end))) return undefined;
  const streams = parseStreams(bytes.toString('utf8', SLOT_HEADER_BYTES, end));
  return streams && { slotBytes, position, generation: Number(bytes.readBigUInt64LE(8)), streams };
}

function parseStreams(text: string): Map<string, StreamCursor> | undefined {
  const value = parseObject(text);
  if (value === undefined) return undefined;
  const streams = new Map<string, StreamCursor>();
  for (const [key, cursor] of Object.entries(value)) {
    if (!isObject(cursor)) return undefined;
    const { seq, counters } = cursor;
    if (typeof seq !== 'number' || !Number.isSafeInteger(seq) || !isCounters(counters)) return undefined;
    streams.set(key, { seq, counters });
  }
  return streams;
}

function isCounters(value: unknown): value is Record<string, number> {
  return isObject(value) && Object.values(value).every((counter) => typeof counter === 'number');
}
