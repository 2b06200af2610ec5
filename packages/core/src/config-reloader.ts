import { messageOf, TreelineError } from '@treeline/contract';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import type { PipelineConfig } from './config/config.ts';
import type { LoadedConfig } from './config/load.ts';
import type { ConfigProblem } from './config/problem.ts';
import { planReload, type ReloadPlan } from './config/reload-plan.ts';
import { onHangUp } from './exit-hook.ts';
import { FileWatch } from './file-watch.ts';
import type { StreamStats } from './stats.ts';

/** A file that is empty or cut because it is being written gets so long to become whole. */
const SETTLE_MS = 700;

/** What a reload did. */
export interface ReloadReceipt {
  /** False where the config is the one that held before. */
  readonly changed: boolean;
  /** What was done with each stream, and which keys need a new process. */
  readonly plan: ReloadPlan;
  readonly warnings: readonly ConfigProblem[];
  /** What became of the records of streams that were removed or replaced, after they had delivered what they had. */
  readonly retired: Readonly<Record<string, StreamStats>>;
}

/** How the config is, for people who look at the stats. */
export interface ConfigStats {
  /** Absent where the program gave an object. */
  readonly file?: string;
  /** How often it has changed since the start. */
  readonly reloads: number;
  /** A root level that holds for a time, until unix milliseconds. */
  readonly levelOverride?: { readonly level: string; readonly until: number };
  /** The last attempt: when, in unix milliseconds, and what was wrong. */
  readonly lastReload?: { readonly time: number; readonly ok: boolean; readonly error?: string };
}

/** Where a config comes from, so that it can be read again. */
export interface ConfigSource {
  readonly loaded: LoadedConfig;
  /** Reads and checks the config anew; throws what `createLogger` would. */
  readonly load: () => LoadedConfig;
}

export interface ConfigReloaderOptions extends ConfigSource {
  /** Puts it in force; gives what became of streams that went. */
  apply(config: PipelineConfig, plan: ReloadPlan): Promise<ReloadReceipt['retired']>;
}

/** Reads a config again when its files change or when it is asked to, one reload at a time. A broken config changes nothing. */
export class ConfigReloader {
  readonly #options: ConfigReloaderOptions;
  #config: PipelineConfig;
  #files: readonly string[];
  #watch: FileWatch | undefined;
  readonly #releaseHangUp: () => void;
  #start: NodeJS.Timeout | undefined;
  #settle: NodeJS.Timeout | undefined;
  /** Of the files as they were dealt with, well or badly. */
  #seenDigest: string;
  /** Of files that were broken when they were looked at once. */
  #suspectDigest = '';
  #toldDigest = '';
  #pending: Promise<unknown> = Promise.resolve();
  #isChecking = false;
  #isClosed = false;
  #reloads = 0;
  #last: ConfigStats['lastReload'];

  constructor(options: ConfigReloaderOptions) {
    this.#options = options;
    this.#config = options.loaded.config;
    this.#files = [...options.loaded.files.keys()];
    this.#seenDigest = digestOf(options.loaded.files);
    this.#releaseHangUp = onHangUp(() => void this.#reloadAndTell());
    // A program that ends at once has nothing to watch for.
    this.#start = setTimeout(() => this.#follow(), 0).unref();
  }

  get stats(): ConfigStats {
    const { file } = this.#config;
    return {
      ...(file !== undefined && { file }),
      reloads: this.#reloads,
      ...(this.#last && { lastReload: this.#last }),
    };
  }

  /**
   * Reads the config now.
   *
   * @throws ConfigError with all mistakes, or TreelineError where a destination can't be opened, or where it is closed; the old config
   * holds as a whole.
   */
  reload(): Promise<ReloadReceipt> {
    const reloaded = this.#pending.then(() => this.#reload());
    this.#pending = reloaded.catch(() => undefined);
    return reloaded;
  }

  close(): void {
    this.#isClosed = true;
    this.#releaseHangUp();
    clearTimeout(this.#start);
    clearTimeout(this.#settle);
    this.#watch?.close();
  }

  async #reload(): Promise<ReloadReceipt> {
    if (this.#isClosed) throw notReloaded();
    try {
      const loaded = this.#options.load();
      const digest = digestOf(loaded.files);
      const plan = planReload(this.#config, loaded.config);
      const changed = isChange(plan);
      // One that is switched off has nothing to change, and is switched on by a restart.
      const acts = changed && this.#config.enabled;
      const retired = acts ? await this.#options.apply(loaded.config, plan) : {};
      this.#config = { ...loaded.config, ...pickKeys(this.#config, plan.restart) };
      this.#files = [...loaded.files.keys()];
      this.#seenDigest = digest;
      if (changed) this.#reloads++;
      this.#last = { time: Date.now(), ok: true };
      this.#follow();
      return { changed, plan, warnings: loaded.warnings, retired };
    } catch (error) {
      this.#last = { time: Date.now(), ok: false, error: messageOf(error) };
      // What it extends by now may be where the mistake is, and is mended.
      if (isConfigError(error)) this.#files = [...new Set([...this.#files, ...(error.files ?? [])])];
      throw error;
    }
  }

  #follow(): void {
    const isWanted = this.#config.watch !== false && this.#files.length > 0 && !this.#isClosed;
    if (!isWanted) {
      this.#watch?.close();
      this.#watch = undefined;
    } else if (!this.#watch) {
      this.#watch = new FileWatch(
        () => this.#files,
        () => void this.#check(),
      );
      // What changed before it was watched.
      void this.#check();
    }
  }

  /** Reloads where the files are not those that were dealt with. */
  async #check(): Promise<void> {
    if (this.#isChecking || this.#isClosed) return;
    this.#isChecking = true;
    try {
      await this.#pending;
      const digest = digestOf(readFiles(this.#files));
      if (digest !== this.#seenDigest) await this.#reloadChanged(digest);
    } finally {
      this.#isChecking = false;
    }
  }

  async #reloadChanged(digest: string): Promise<void> {
    try {
      const { changed, plan, warnings } = await this.reload();
      this.#toldDigest = '';
      if (changed) this.#tellDone(plan, warnings);
    } catch (error) {
      if (isConfigError(error) && this.#suspectDigest !== digest) {
        this.#suspectDigest = digest;
        clearTimeout(this.#settle);
        this.#settle = setTimeout(() => void this.#check(), SETTLE_MS).unref();
        return;
      }
      if (this.#toldDigest !== digest) this.#tellFault(error);
      this.#toldDigest = digest;
      // A destination that can't be opened may be there later: it is tried again.
      if (isConfigError(error)) this.#seenDigest = digestOf(readFiles(this.#files));
    }
  }

  /** Somebody has asked for it, and looks for the answer on stderr. */
  async #reloadAndTell(): Promise<void> {
    try {
      const { changed, plan, warnings } = await this.reload();
      if (changed) this.#tellDone(plan, warnings);
    } catch (error) {
      this.#tellFault(error);
    }
  }

  #tellFault(error: unknown): void {
    tell(`the config was not reloaded, the old one holds:\n${messageOf(error)}`);
  }

  #tellDone(plan: ReloadPlan, warnings: readonly ConfigProblem[]): void {
    const changes = plan.streams
      .filter(({ action }) => action !== 'keep')
      .map(({ name, action }) => `${name}: ${action}`);
    const restart = plan.restart.length > 0 ? `; only after a restart: ${plan.restart.join(', ')}` : '';
    const problems = warnings.length > 0 ? `; ${warnings.length} warnings, see "treeline check"` : '';
    tell(
      `the config was reloaded (${[...changes, ...plan.live].join(', ') || 'nothing that acts'}${restart}${problems})`,
    );
  }
}

/** For a logger that ends meanwhile. */
export function notReloaded(): TreelineError {
  return new TreelineError(
    'CLOSED',
    'not reloaded: the logger was closed; make a new one with the new config',
  );
}

function tell(text: string): void {
  try {
    fs.writeSync(2, `treeline: ${text}\n`);
  } catch {
    // Nobody reads it: the stats say it too.
  }
}

function isChange({ streams, live, restart }: ReloadPlan): boolean {
  return live.length > 0 || restart.length > 0 || streams.some(({ action }) => action !== 'keep');
}

/** Another copy of the module may have made it. */
function isConfigError(error: unknown): error is Error & { readonly files?: readonly string[] } {
  return error instanceof Error && error.name === 'ConfigError';
}

function pickKeys<T extends object>(from: T, keys: readonly (keyof T)[]): Partial<T> {
  return Object.fromEntries(keys.map((key) => [key, from[key]])) as Partial<T>;
}

function readFiles(files: readonly string[]): Map<string, Buffer> {
  return new Map(
    files.map((file) => {
      try {
        return [file, fs.readFileSync(file)] as const;
      } catch {
        // Between two renames, or deleted for good.
        return [file, Buffer.alloc(0)] as const;
      }
    }),
  );
}

/** Contents are compared, not times: a ConfigMap is written anew with nothing changed. */
function digestOf(files: ReadonlyMap<string, Uint8Array>): string {
  const hash = createHash('sha256');
  for (const [file, bytes] of files) hash.update(`${file}\0${bytes.length}\0`).update(bytes);
  return hash.digest('hex');
}
