import { formatLevel, parseLevel, type LevelName } from '@treeline/contract';
import type { LevelDirective } from '@treeline/query/directives';
import fs from 'node:fs';
import type { Logger } from 'pino';
import { drainAtEnd, type EndCause } from '../exit-hook.ts';
import type { LevelControl } from '../levels/level-control.ts';
import { needsMetadataSym, streamSym } from '../pino-symbols.ts';

/** How much is held back. */
export interface HoldOptions {
  /** The least level that is kept (default `trace`): what is wanted in the end is only known at the release. */
  readonly level?: LevelName;
  /** @default 10000 */
  readonly maxRecords?: number;
  /** In characters of lines (default 4 MiB). */
  readonly maxBytes?: number;
}

/** What has become of the records that were held back. */
export interface HoldStats {
  readonly state: 'holding' | 'released' | 'discarded';
  readonly held: number;
  /** Records for which there was no room; the least important go first. */
  readonly dropped: number;
  /** Written to stderr because the process ended or got a signal, or the buffer was discarded. */
  readonly rescued: number;
}

interface Destination {
  write(line: string): void;
}

interface HeldRecord {
  readonly line: string;
  readonly level: number;
  readonly logger: Logger;
  /** Directives of the span that it was logged in: by the release that may have ended. */
  readonly directives: readonly LevelDirective[];
  /** Whether it stands on stderr already. */
  isRescued: boolean;
}

interface Streamed {
  [streamSym]: object;
}

const DEFAULTS = { level: 'trace', maxRecords: 10_000, maxBytes: 4 * 1024 * 1024 } as const;

const WARN = 40;
const ERROR = 50;

/**
 * Stands in a logger's destination from its start, until the program knows how it is to log. Holds whole lines, with their times and
 * ids; by which levels they are judged, and where they go, is decided at the release.
 */
export class StartUpBuffer {
  readonly [needsMetadataSym] = true;
  /** Set by pino before each `write`. */
  lastLevel = 0;
  lastLogger: Logger;
  readonly #root: Streamed;
  readonly #destination: Destination;
  readonly #levels: LevelControl;
  readonly #directivesHere: () => readonly LevelDirective[];
  readonly #limits: { readonly maxRecords: number; readonly maxBytes: number };
  #records: HeldRecord[] = [];
  #bytes = 0;
  #dropped = 0;
  #rescued = 0;
  #hasTold = false;
  #state: HoldStats['state'] = 'holding';
  /** After `discard`: what is still written, to stderr. */
  #keepLevel = Infinity;
  readonly #releaseEnd: () => void;

  constructor(
    root: Logger,
    levels: LevelControl,
    directivesHere: () => readonly LevelDirective[],
    options: HoldOptions = {},
  ) {
    this.#directivesHere = directivesHere;
    this.lastLogger = root;
    this.#root = root as unknown as Streamed;
    this.#destination = this.#root[streamSym] as Destination;
    this.#levels = levels;
    this.#limits = {
      maxRecords: atLeastOne('hold.maxRecords', options.maxRecords ?? DEFAULTS.maxRecords),
      maxBytes: atLeastOne('hold.maxBytes', options.maxBytes ?? DEFAULTS.maxBytes),
    };
    levels.hold(parseLevel(options.level ?? DEFAULTS.level));
    this.#root[streamSym] = this;
    this.#releaseEnd = drainAtEnd((cause) => {
      this.#rescueAtEnd(cause);
      return undefined;
    });
  }

  /** pino's destination. */
  write(line: string): void {
    const level = this.lastLevel;
    if (this.#state === 'discarded') {
      if (level >= this.#keepLevel) this.#rescue([line]);
      return;
    }
    const directives = this.#directivesHere();
    this.#records.push({ line, level, logger: this.lastLogger, directives, isRescued: false });
    this.#bytes += line.length;
    this.#bound();
  }

  /** Writes what was held and is wanted by now, in order; from then on the logger writes through. */
  release(): void {
    if (this.#state !== 'holding') return;
    this.#end('released');
    for (const { line, level, logger, directives } of this.#takeAll())
      if (this.#levels.admits(logger, level, directives)) this.#destination.write(line);
    this.#root[streamSym] = this.#destination;
    if (this.#dropped > 0) this.lastLogger.warn({ dropped: this.#dropped }, 'start-up records were dropped');
  }

  /** Lets go of what was held, and of what will be logged, but for records from a level on: these go to stderr. */
  discard(keepLevel: number): void {
    if (this.#state !== 'holding') return;
    this.#end('discarded');
    this.#keepLevel = keepLevel;
    this.#rescueRecords(this.#takeAll(), keepLevel);
  }

  stats(): HoldStats {
    const { length: held } = this.#records;
    return { state: this.#state, held, dropped: this.#dropped, rescued: this.#rescued };
  }

  #end(state: HoldStats['state']): void {
    this.#state = state;
    this.#releaseEnd();
    this.#levels.hold(undefined);
  }

  #takeAll(): HeldRecord[] {
    const records = this.#records;
    this.#records = [];
    this.#bytes = 0;
    return records;
  }

  /** Makes room: of the oldest records first those below `warn`. The newest one stays. */
  #bound(): void {
    const { maxRecords, maxBytes } = this.#limits;
    if (this.#records.length <= maxRecords && this.#bytes <= maxBytes) return;
    // More than is needed: going through all of them for each new record would take longer and longer.
    const room = { records: Math.floor(maxRecords * 0.9), bytes: Math.floor(maxBytes * 0.9) };
    this.#dropUntil(room, (level) => level < WARN);
    this.#dropUntil(room, () => true);
  }

  #dropUntil(
    room: { readonly records: number; readonly bytes: number },
    mayGo: (level: number) => boolean,
  ): void {
    const newest = this.#records.at(-1);
    let count = this.#records.length;
    this.#records = this.#records.filter((record) => {
      const isRoom = count <= room.records && this.#bytes <= room.bytes;
      if (isRoom || record === newest || !mayGo(record.level)) return true;
      count--;
      this.#bytes -= record.line.length;
      this.#dropped++;
      return false;
    });
  }

  #rescueAtEnd(cause: EndCause): void {
    if (this.#state !== 'holding' || this.#records.length === 0) return;
    // A program that only prints its help ends well, and says nothing else but errors.
    const isFailure = cause === 'signal' || (process.exitCode ?? 0) !== 0;
    const keepLevel = isFailure ? WARN : ERROR;
    // A program may survive a signal: then it releases what was held, all the same.
    const records = cause === 'signal' ? this.#records : this.#takeAll();
    this.#rescueRecords(records, keepLevel);
    const rest = records.filter(({ level }) => level < keepLevel).length + this.#dropped;
    if (!isFailure || rest === 0 || (this.#hasTold && cause === 'signal')) return;
    this.#hasTold = true;
    const fate =
      cause === 'signal' ? 'are held back, and lost if it ends now' : 'were held back and are lost';
    writeToStderr(`treeline: ${rest} records below ${formatLevel(keepLevel)} ${fate}\n`);
  }

  /** Each once: several signals may come. */
  #rescueRecords(records: readonly HeldRecord[], keepLevel: number): void {
    const rescued = records.filter(({ level, isRescued }) => level >= keepLevel && !isRescued);
    for (const record of rescued) record.isRescued = true;
    this.#rescue(rescued.map(({ line }) => line));
  }

  #rescue(lines: readonly string[]): void {
    if (lines.length === 0) return;
    this.#rescued += lines.length;
    writeToStderr(lines.join(''));
  }
}

function atLeastOne(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new RangeError(`${name} must be a whole number, 1 or more; got ${value}`);
}

/** At once: there may be no later tick. */
function writeToStderr(text: string): void {
  const bytes = Buffer.from(text);
  try {
    for (let written = 0; written < bytes.length;) written += fs.writeSync(2, bytes, written);
  } catch {
    // A stderr that is closed or full can't be told anything.
  }
}
