import { readFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '@treeline/contract';
import type { Calendar } from './calendar.ts';
import { pointLinkAt } from './current-link.ts';
import { LogFile, PartialWrite, statIfThere, type Modes } from './log-file.ts';
import { compareAge, type NameGrammar } from './name-grammar.ts';
import { rotate } from './rotation.ts';
import { emptyWhereMissing, type SideFolder } from './side-folder.ts';
import { compressionClaim } from './upkeep.ts';
import type { WriterRegistry } from './writer-registry.ts';

/** How long to go on with a file that could not be rotated before that is tried again. */
const ROTATION_RETRY_MS = 10_000;

/** How long a file that has its date may be claimed by a process that only opens it. */
const OPENING_PATIENCE_MS = 200;
const OPENING_POLL_MS = 5;

export interface RotatingFileOptions extends Modes {
  readonly path: string;
  readonly names: NameGrammar;
  readonly calendar: Calendar;
  readonly folder: SideFolder;
  readonly registry: WriterRegistry;
  readonly maxBytes: number;
  /** Whether a date's first rotated file has an index. */
  readonly isIndexed: boolean;
  readonly header: Uint8Array | undefined;
  readonly footer: Uint8Array | undefined;
  readonly symlink: string | undefined;
  readonly syncsOnRotation: boolean;
  readonly clock: () => number;
  readonly warn: (reason: string) => void;
  /** Called after each rotation, also one that another process has made. */
  readonly rotated: () => void;
}

/** The file that is being written, and when and how the next one takes its place. Its calls must not overlap. */
export class RotatingFile {
  readonly #options: RotatingFileOptions;
  #file: LogFile | undefined;
  #wasOpen = false;
  #bytes = 0;
  #periodStart = 0;
  #periodEnd = Infinity;
  #retryAt = -Infinity;
  /** What of the footer the rotation that is under way has written. */
  #footer: Uint8Array | undefined;
  /** The name that a file has got the last time. */
  #renamed = { date: '', index: 0 };
  /** Of files that have their date from the start: which one is written, and the least that may be written next. */
  #dated = { date: '', index: 0 };

  constructor(options: RotatingFileOptions) {
    this.#options = options;
  }

  get current(): LogFile | undefined {
    return this.#file;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** To be told after each write, with what others have written too. */
  set bytes(bytes: number) {
    this.#bytes = bytes;
  }

  /** Whether nothing is in the file, or nothing but the header. */
  get isEmpty(): boolean {
    return this.#isEmpty(this.#file, this.#bytes);
  }

  #isEmpty(file: LogFile | undefined, bytes: number): boolean {
    const { header } = this.#options;
    if (bytes === 0 || !header || bytes !== header.length) return bytes === 0;
    try {
      return file !== undefined && readFileSync(file.path).equals(header);
    } catch {
      return false;
    }
  }

  /** How many bytes fit, `Infinity` while a file that can't be rotated has to take them all. */
  get room(): number {
    const { maxBytes, clock } = this.#options;
    return clock() < this.#retryAt ? Infinity : maxBytes - this.#bytes;
  }

  /** Opens the file where it is not open. */
  async open(): Promise<LogFile> {
    if (this.#file) return this.#file;
    const { header, symlink, warn } = this.#options;
    const file = await this.#openRegistered();
    try {
      if (header && file.isNew) await file.append(header);
      if (!this.#wasOpen) await this.#endTornLine(file);
      const place = file.place();
      const [bytes, modifiedMs] = place.at === 'path' ? [place.bytes, place.modifiedMs] : [0, 0];
      this.#begin(bytes, file.isNew || this.#isEmpty(file, bytes) ? this.#options.clock() : modifiedMs);
    } catch (error) {
      await file.close();
      throw error;
    }
    this.#file = file;
    this.#wasOpen = true;
    if (symlink !== undefined) {
      await pointLinkAt(symlink, file.path).catch((error: unknown) =>
        warn(`can't keep ${symlink} pointing at ${file.path}: ${messageOf(error)}`),
      );
    }
    return file;
  }

  /** Whether the file must be rotated before `nextLineBytes` more are written. */
  isDue(nextLineBytes: number): boolean {
    const now = this.#options.clock();
    if (this.isEmpty) {
      if (now < this.#periodEnd) return false;
      this.#begin(this.#bytes, now);
      return this.#options.names.isDatedFromStart;
    }
    const isFull = this.#bytes + nextLineBytes > this.#options.maxBytes;
    return (isFull || now >= this.#periodEnd) && now >= this.#retryAt;
  }

  /** Goes on with the next file; where that can't be, with the same one, and says so. */
  async rotate(): Promise<LogFile> {
    const file = await this.open();
    this.#footer = undefined;
    const { names, warn, clock, header, mode } = this.#options;
    let isOurs = false;
    try {
      if (names.isDatedFromStart) await this.#finish(file);
      else isOurs = await this.#rename(file);
      this.#retryAt = -Infinity;
    } catch (error) {
      if (file.place().at === 'path') {
        this.#retryAt = clock() + ROTATION_RETRY_MS;
        await this.#takeOffFooter(file).catch(() => undefined);
        warn(
          `${file.path} can't be rotated and grows past its limit (tried again in 10 s): ${messageOf(error)}`,
        );
        return file;
      }
    }
    this.#file = undefined;
    this.#dated.index++;
    const [next] = await Promise.all([this.open(), file.close()]);
    // A file system without modes is no reason not to write.
    if (isOurs) await next.setMode(mode).catch(() => undefined);
    if (isOurs && header) {
      await next.append(header);
      this.#bytes += header.length;
    }
    this.#options.rotated();
    return next;
  }

  async release(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  /** What a crash has cut must not run into the next line. Where others write, they may just be in the middle of theirs. */
  async #endTornLine(file: LogFile): Promise<void> {
    const others = await this.#options.registry.others().catch(() => undefined);
    if (others?.length === 0 && (await file.endsInsideLine())) await file.append(Buffer.from('\n'));
  }

  /** Whether this process has done it, and not another one. */
  async #rename(file: LogFile): Promise<boolean> {
    const { names, folder, mode, isIndexed } = this.#options;
    const date = this.#date();
    const index = await rotate(file, {
      names,
      folder,
      mode,
      isIndexed,
      date,
      likelyIndex: this.#renamed.date === date ? this.#renamed.index + 1 : Number(isIndexed),
      beforeMove: () => this.#finish(file),
    });
    if (index !== undefined) this.#renamed = { date, index };
    return index !== undefined;
  }

  /** A file that goes on has no end yet. */
  async #takeOffFooter(file: LogFile): Promise<void> {
    const footer = this.#footer;
    this.#footer = undefined;
    if (!footer || footer.length === 0 || !(await file.cutOff(footer))) return;
    const place = file.place();
    if (place.at === 'path') this.#bytes = place.bytes;
  }

  async #finish(file: LogFile): Promise<void> {
    const { footer, syncsOnRotation } = this.#options;
    if (footer) {
      this.#footer = footer;
      await file.append(footer).catch((error: unknown) => {
        if (error instanceof PartialWrite) this.#footer = footer.subarray(0, error.written);
        throw error;
      });
    }
    if (syncsOnRotation) await file.sync();
  }

  /** The start of the period that the file covers; without periods the day of its rotation. */
  #date(): string {
    const { calendar, clock } = this.#options;
    const now = clock();
    const start = this.#periodEnd === Infinity ? calendar.startOf(now) : this.#periodStart;
    return calendar.label(Number.isFinite(start) ? start : now);
  }

  /** Opens the file and tells the other processes, in this order: when they can see who holds it, it still has its place. */
  async #openRegistered(): Promise<LogFile> {
    for (;;) {
      const file = await (this.#options.names.isDatedFromStart
        ? this.#openDated()
        : this.#tryOpen(this.#options.path));
      if (file) return file;
    }
  }

  /** An earlier process's file that has its date looks done with to those who compress: not while it is opened. */
  async #openDated(): Promise<LogFile | undefined> {
    const { folder } = this.#options;
    const filePath = await this.#pathToOpen();
    const claim = compressionClaim(folder, path.basename(filePath));
    // Another process opens it, which takes some milliseconds, or compresses it, which is not waited for.
    for (const endMs = performance.now() + OPENING_PATIENCE_MS; !(await folder.claim(claim));) {
      if (performance.now() > endMs) {
        this.#dated.index++;
        return undefined;
      }
      await sleep(OPENING_POLL_MS);
    }
    try {
      return await this.#tryOpen(filePath);
    } finally {
      await folder.remove(claim);
    }
  }

  async #tryOpen(filePath: string): Promise<LogFile | undefined> {
    const file = await LogFile.open(filePath, this.#options);
    try {
      await this.#register(file);
      if (file.place().at === 'path') return file;
    } catch (error) {
      await file.close();
      throw error;
    }
    await file.close();
    return undefined;
  }

  /** Where the folder can't be written to, the file may be all the same: nothing can be rotated there by anybody. */
  async #register(file: LogFile): Promise<void> {
    const { registry, folder, maxBytes, calendar, clock, warn } = this.#options;
    try {
      await registry.hold(file.inode);
    } catch (error) {
      const rotates = maxBytes < Infinity || calendar.next(clock()) < Infinity;
      if (rotates)
        warn(
          `can't tell other processes in ${folder.path} that this one writes ${file.path}: ${messageOf(error)}`,
        );
    }
  }

  async #pathToOpen(): Promise<string> {
    const { path: logPath, names, calendar, clock, maxBytes } = this.#options;
    if (!names.isDatedFromStart) return logPath;
    const date = calendar.label(calendar.startOf(clock()));
    const least = this.#dated.date === date ? this.#dated.index : names.firstIndex;
    const files = await fs.readdir(names.directory).catch(emptyWhereMissing);
    const last = files
      .flatMap((file) => names.parse(file) ?? [])
      .filter((name) => name.date === date)
      .toSorted(compareAge)
      .at(-1);
    let index = Math.max(least, last?.index ?? 0);
    if (last && last.index === index && (last.compressed || (await this.#isFull(last.file, maxBytes))))
      index++;
    this.#dated = { date, index };
    return path.join(names.directory, names.format(date, index));
  }

  async #isFull(file: string, maxBytes: number): Promise<boolean> {
    const stat = await statIfThere(path.join(this.#options.names.directory, file));
    return stat !== undefined && Number(stat.size) >= maxBytes;
  }

  #begin(bytes: number, atMs: number): void {
    this.#bytes = bytes;
    this.#periodStart = this.#options.calendar.startOf(atMs);
    this.#periodEnd = this.#options.calendar.next(atMs);
  }
}
