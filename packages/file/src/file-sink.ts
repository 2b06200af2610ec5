import fs from 'node:fs/promises';
import os from 'node:os';
import {
  messageOf,
  TreelineError,
  type Batch,
  type Sink,
  type SinkContext,
  type WriteResult,
} from '@treeline/contract';
import { createCalendar } from './calendar.ts';
import { PartialWrite, type LogFile } from './log-file.ts';
import { createNameGrammar, createProcessNameGrammar } from './name-grammar.ts';
import type { ParsedFileOptions } from './options.ts';
import { RotatingFile } from './rotating-file.ts';
import { SideFolder } from './side-folder.ts';
import { Upkeep } from './upkeep.ts';
import { HEARTBEAT_MS, rotationRequest, WriterRegistry } from './writer-registry.ts';

/** The clock that boundaries follow, in unix milliseconds. */
export type Clock = () => number;

/** How often an idle sink looks whether its file was moved or deleted, a boundary has passed, or a rotation is asked for. */
const TICK_MS = 1_000;

/** A sink that has not written for so long looks where its file is before it writes. */
const IDLE_MS = 50;

/** A rotating log file. */
export class FileSink implements Sink {
  readonly #path: string;
  readonly #options: ParsedFileOptions;
  readonly #context: SinkContext;
  readonly #folder: SideFolder;
  readonly #registry: WriterRegistry;
  readonly #rotating: RotatingFile;
  readonly #upkeep: Upkeep;
  readonly #timers: NodeJS.Timeout[] = [];
  /** The call that has the file now. */
  #turn: Promise<unknown> = Promise.resolve();
  #isTicking = false;
  /** What a failed write has left of a line at the end of the file, until it is taken off. */
  #fragment: { readonly file: LogFile; readonly bytes: Uint8Array } | undefined;
  #isUnsynced = false;
  #lookedAtMs = -Infinity;
  #closing: Promise<void> | undefined;

  constructor(logPath: string, options: ParsedFileOptions, context: SinkContext, clock: Clock) {
    this.#path = logPath;
    this.#options = options;
    this.#context = context;
    const { rotation = {}, mode, dirMode, fsync, symlink, compress, retention } = options;
    const calendar = createCalendar({
      intervalMs: rotation.interval,
      schedule: rotation.schedule,
      timeZone: rotation.utc ? 'UTC' : rotation.timeZone,
    });
    const ownPath = options.perProcess ? processPath(logPath) : logPath;
    const names = options.perProcess
      ? createProcessNameGrammar(logPath, ownPath)
      : createNameGrammar(logPath);
    const warn = (reason: string): void => context.report({ type: 'warning', reason });
    this.#folder = new SideFolder(logPath, dirMode);
    this.#registry = new WriterRegistry(this.#folder);
    const shared = { names, calendar, clock, mode, warn, folder: this.#folder, registry: this.#registry };
    this.#rotating = new RotatingFile({
      ...shared,
      path: ownPath,
      dirMode,
      symlink,
      maxBytes: rotation.size ?? Infinity,
      isIndexed: rotation.size !== undefined || rotation.onStart === true,
      header: lineOf(options.header),
      footer: lineOf(options.footer),
      syncsOnRotation: fsync !== 'never',
      rotated: () => this.#upkeep.run(),
    });
    this.#upkeep = new Upkeep({
      ...shared,
      retention,
      compression: compress,
      currentBytes: () => this.#rotating.bytes,
    });
  }

  /** Opens the file, rotates one that an earlier run has left full or in another period, and begins to look after it. */
  async start(): Promise<void> {
    await this.#rotating.open();
    if (this.#rotating.isDue(0) || (await this.#isFirst())) await this.#rotating.rotate();
    this.#upkeep.run();
    this.#every(TICK_MS, () => this.#tick());
    this.#every(HEARTBEAT_MS, async () => void (await this.#registry.others()));
  }

  /** Whether this start is to begin a new file: not one that joins others which write the old one. */
  async #isFirst(): Promise<boolean> {
    if (this.#options.rotation?.onStart !== true || this.#rotating.isEmpty) return false;
    const others = await this.#registry.others().catch(() => []);
    return others.every(({ inode }) => inode !== this.#rotating.current?.inode);
  }

  async write(batch: Batch): Promise<WriteResult | void> {
    if (this.#closing)
      throw new TreelineError('CLOSED', `${this.#path} was closed: open a new stream to write to it`);
    return this.#inTurn(() => this.#writeAll(batch));
  }

  async flush(): Promise<void> {
    if (this.#options.fsync !== 'never') await this.#inTurn(() => this.#sync());
  }

  /** Lets go of the file and opens its path anew, as after a SIGHUP of logrotate. */
  async reopen(): Promise<void> {
    await this.#inTurn(async () => {
      await this.#release();
      await this.#rotating.open();
    });
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    try {
      await this.flush();
    } finally {
      await this.#upkeep.close();
      await this.#inTurn(() => this.#release());
      await this.#registry.leave().catch(() => undefined);
      await this.#folder.settled();
    }
  }

  async #writeAll(batch: Batch): Promise<WriteResult | void> {
    const progress = { arrived: 0 };
    try {
      while (progress.arrived < batch.count) await this.#writeSome(batch, progress);
    } catch (error) {
      if (progress.arrived === 0) throw error;
      this.#context.report({
        type: 'warning',
        reason: `writing ${this.#path} stopped in the middle of a batch: ${messageOf(error)}`,
      });
      return {
        retry: Array.from({ length: batch.count - progress.arrived }, (_, index) => progress.arrived + index),
      };
    }
  }

  /** Writes the lines that fit into the current file; `progress` is right also when this throws. */
  async #writeSome(batch: Batch, progress: { arrived: number }): Promise<void> {
    const from = progress.arrived;
    const start = startOf(batch, from);
    let file = await this.#openInPlace();
    await this.#takeOffFragment(file);
    if (this.#rotating.isDue(startOf(batch, from + 1) - start)) file = await this.#rotating.rotate();
    const to = fitting(batch, from, this.#rotating.room);
    try {
      await file.append(batch.bytes.subarray(start, startOf(batch, to)));
      this.#isUnsynced = true;
      if (this.#options.fsync === 'always') await this.#sync();
    } catch (error) {
      if (!(error instanceof PartialWrite)) throw error;
      const reached = start + error.written;
      progress.arrived = batch.ends.findLastIndex((end) => end <= reached) + 1;
      this.#fragment = { file, bytes: batch.bytes.subarray(startOf(batch, progress.arrived), reached) };
      await this.#takeOffFragment(file).catch(() => undefined);
      throw error;
    }
    if (!this.#registry.isAlone) await this.#mendGlued(file, batch, from, to);
    // What went into a file that had been deleted is nowhere: it is written again.
    if ((await this.#lookAfter(file)) !== 'deleted') progress.arrived = to;
  }

  /** A line that runs on from another process's torn one is no record: it is written once more. */
  async #mendGlued(file: LogFile, batch: Batch, from: number, to: number): Promise<void> {
    const start = startOf(batch, from);
    if (!(await file.wasGlued(startOf(batch, to) - start))) return;
    await file.append(batch.bytes.subarray(start, startOf(batch, from + 1)));
    this.#context.report({
      type: 'warning',
      reason: `a process was killed while it wrote ${file.path}: the end of its last line is missing`,
    });
  }

  /** The file, looked after anew where it was idle: nothing should go into one that has been moved meanwhile. */
  async #openInPlace(): Promise<LogFile> {
    const file = await this.#rotating.open();
    if (performance.now() - this.#lookedAtMs < IDLE_MS || (await this.#lookAfter(file)) === 'path')
      return file;
    return this.#rotating.open();
  }

  /** Notes the file's size, or leaves it where its path leads elsewhere. */
  async #lookAfter(file: LogFile): Promise<'path' | 'moved' | 'deleted'> {
    const place = file.place();
    this.#lookedAtMs = performance.now();
    if (place.at === 'path') {
      this.#rotating.bytes = place.bytes;
      return 'path';
    }
    await this.#release();
    if (place.at === 'deleted') {
      this.#context.report({ type: 'warning', reason: `${file.path} was deleted; going on with a new file` });
    }
    return place.at;
  }

  async #takeOffFragment(file: LogFile): Promise<void> {
    const fragment = this.#fragment;
    if (fragment?.file === file && fragment.bytes.length > 0) {
      // Where somebody else has written behind it, it stays: a line of its own that no reader takes for a record.
      if (!(await file.cutOff(fragment.bytes))) await file.append(Buffer.from('\n'));
    }
    this.#fragment = undefined;
  }

  async #sync(): Promise<void> {
    if (!this.#isUnsynced) return;
    await this.#rotating.current?.sync();
    this.#isUnsynced = false;
  }

  async #release(): Promise<void> {
    const file = this.#rotating.current;
    if (file) await this.#takeOffFragment(file).catch(() => undefined);
    if (this.#options.fsync !== 'never') await this.#sync().catch(() => undefined);
    await this.#rotating.release();
  }

  /** At most one waits for its turn: a write may take long. */
  async #tick(): Promise<void> {
    if (this.#isTicking) return;
    this.#isTicking = true;
    try {
      await this.#inTurn(() => this.#lookAround());
    } finally {
      this.#isTicking = false;
    }
  }

  async #lookAround(): Promise<void> {
    const file = this.#rotating.current;
    if (file && (await this.#lookAfter(file)) !== 'path') await this.#rotating.open();
    if (this.#rotating.isDue(0)) await this.#rotating.rotate();
    await this.#answerRequest();
    if (this.#options.fsync === 'interval') await this.#sync();
  }

  /** Another process, the command line say, may ask for a rotation of the file that it sees; its request goes when that is done. */
  async #answerRequest(): Promise<void> {
    const request = rotationRequest(this.#folder, this.#registry.id);
    const inode = await fs.readFile(request, 'latin1').catch(() => undefined);
    if (inode === undefined) return;
    const isOurs = inode === String(this.#rotating.current?.inode) && this.#rotating.bytes > 0;
    try {
      if (isOurs) await this.#rotating.rotate();
    } finally {
      await this.#folder.remove(request);
    }
  }

  /** The file belongs to one call at a time. */
  async #inTurn<T>(call: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(call);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  /** Faults are left to the next write, which tells them and is tried again. */
  #every(ms: number, call: () => Promise<void>): void {
    const timer = setInterval(() => void call().catch(() => undefined), ms);
    this.#timers.push(timer.unref());
  }
}

/** The lines from `from` up to the one that would pass the limit; at least one. */
function fitting(batch: Batch, from: number, room: number): number {
  const limit = startOf(batch, from) + room;
  if (batch.bytes.length <= limit) return batch.count;
  let to = from + 1;
  while (to < batch.count && (batch.ends[to] ?? 0) <= limit) to++;
  return to;
}

function startOf(batch: Batch, index: number): number {
  return index === 0 ? 0 : (batch.ends[index - 1] ?? batch.bytes.length);
}

/** A thread's file: the time of its start tells it from an earlier process with the same id. */
function processPath(logPath: string): string {
  return `${logPath}.${os.hostname()}-${process.pid}-${Math.round(performance.timeOrigin)}`;
}

function lineOf(text: string | undefined): Uint8Array | undefined {
  return text === undefined ? undefined : Buffer.from(text.endsWith('\n') ? text : `${text}\n`);
}
