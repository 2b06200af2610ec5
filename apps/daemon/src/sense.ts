import fs from 'node:fs';
import { messageOf } from '@treeline/contract';
import type { LogReader } from '@treeline/sqlite';
import { watchFiles } from './file-watch.ts';
import { Signal } from './signal.ts';
import type { SenseConfig } from './config.ts';

/** What a sense computes from. It can look back at the log, and there is nothing in it that could wait for one. */
export interface SenseContext {
  readonly nowMs: number;
  /** The content of each file; undefined where it is missing. */
  readonly files: Readonly<Record<string, string | undefined>>;
  /** The value of the last time. */
  readonly previous: unknown;
  readonly queryLogs: LogReader['queryLogs'];
}

export type Compute = (context: SenseContext) => unknown;

export interface SenseOptions {
  readonly queryLogs: LogReader['queryLogs'];
  /** The sense of this name in the config before: its value is no news. */
  readonly before: Sense | undefined;
  failed(error: unknown): void;
}

/** Computes its value from files and time, and gives a signal when it has become another one. */
export class Sense {
  readonly signal: Signal;
  readonly #emit: (change: { value: unknown; previous: unknown }) => void;
  readonly #config: SenseConfig;
  readonly #options: SenseOptions;
  #compute: Compute;
  #value: unknown;
  #json: string | undefined;
  #failure: string | undefined;
  #isStopped = false;
  #isDue = false;
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #unwatch: () => void = () => undefined;

  constructor(name: string, config: SenseConfig, compute: Compute, options: SenseOptions) {
    ({ signal: this.signal, emit: this.#emit } = Signal.open(name));
    this.#config = config;
    this.#compute = compute;
    this.#options = options;
    if (!options.before) return;
    this.#value = options.before.#value;
    this.#json = options.before.#json;
  }

  /** Another function under the same signal: what listens to it stays. */
  replace(compute: Compute): void {
    this.#compute = compute;
    this.sense();
  }

  start(): void {
    const { files, everyMs } = this.#config;
    this.#unwatch = watchFiles(files, () => this.sense());
    if (everyMs !== undefined) this.#timer = setInterval(() => this.sense(), everyMs);
    this.sense();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    this.#unwatch();
    await this.#running;
  }

  /** Computes once more when what is under way has ended: never twice at a time. */
  sense(): void {
    this.#isDue = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async #run(): Promise<void> {
    while (this.#isDue && !this.#isStopped) {
      this.#isDue = false;
      try {
        this.#settle(await this.#compute(this.#context()));
        this.#failure = undefined;
      } catch (error) {
        // The same failure at every tick is told once.
        if (messageOf(error) !== this.#failure) this.#options.failed(error);
        this.#failure = messageOf(error);
      }
    }
  }

  #settle(value: unknown): void {
    const json = JSON.stringify(value);
    if (json === this.#json || this.#isStopped) return;
    const previous = this.#value;
    this.#value = value;
    this.#json = json;
    this.#emit({ value, previous });
  }

  #context(): SenseContext {
    return {
      nowMs: Date.now(),
      files: Object.fromEntries(this.#config.files.map((file) => [file, readText(file)])),
      previous: this.#value,
      queryLogs: this.#options.queryLogs,
    };
  }
}

function readText(file: string): string | undefined {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
