import {
  createStderrReporter,
  formatDuration,
  formatLevel,
  LEVELS,
  LineSplitter,
  parseLevel,
  postStatus,
  runsInThreadStream,
  withoutPinoKeys,
} from '@treeline/contract';
import fs from 'node:fs';
import { Writable } from 'node:stream';
import {
  ConfigError,
  formatProblems,
  loadConfig,
  type LoadedConfig,
  type PipelineConfig,
} from './config/index.ts';
import { openPipeline, type Pipeline } from './ingest.ts';

/** What pino passes on: it goes to another thread, so a module is named by its path or URL as a text. */
export interface PipelineTargetOptions {
  /** As `createLogger` takes it: a path, an object, or nothing for what `LOG_CONFIG_FILE` or the application's root holds. */
  readonly config?: string | object;
  /** Packages and modules that the config may use beyond our own. */
  readonly transports?: readonly (string | { readonly type: string; readonly module: string })[];
}

/** pino gives a transport 10 s to close; a worker that is stuck takes one more to be ended. */
const MAX_CLOSE_MS = 8_000;

/** Above the 4 MiB that thread-stream hands over at once, which then needs no `drain`. */
const HIGH_WATER_MARK = 5 * 1024 * 1024;

const NOTHING = Buffer.alloc(0);

/**
 * A whole pipeline as a pino target: `pino({ transport: { target: '@treeline/core/pipeline', options: { config } } })`.
 *
 * @throws ConfigError with all mistakes at once, after they have been printed; pino emits it as the transport's error.
 */
export default async function pipelineTarget(options: unknown = {}): Promise<Writable> {
  const { config: source, transports } = readOptions(withoutPinoKeys(options));
  const read = (): LoadedConfig => loadConfig(source, { transports: transports ?? [] });
  const loaded = load(read);
  const { config } = loaded;
  warnOfUnkept(config);
  const pipeline = openPipeline(config, { whenFull: 'spill', source: { loaded, load: read } });
  if (runsInThreadStream()) pipeline.onStatus(postStatus);
  return new PipelineStream(pipeline, Math.min(config.shutdownTimeoutMs, MAX_CLOSE_MS));
}

type Callback = (error?: Error | null) => void;

/** pino's stream over a pipeline. It takes whatever comes: what there is no room for goes into the log's segments. */
class PipelineStream extends Writable {
  readonly #pipeline: Pipeline;
  readonly #closeMs: number;
  readonly #splitter = new LineSplitter();
  readonly #report = createStderrReporter();
  #closed: Promise<void> | undefined;

  constructor(pipeline: Pipeline, closeMs: number) {
    super({ highWaterMark: HIGH_WATER_MARK });
    this.#pipeline = pipeline;
    this.#closeMs = closeMs;
  }

  /** Calls back when what was written before is delivered, or 10 s are over; never with an error, which pino would take as fatal. */
  flush(callback?: Callback): void {
    if (this.writableEnded || this.destroyed) {
      if (this.closed) process.nextTick(() => callback?.());
      else this.once('close', () => callback?.());
      return;
    }
    // An empty write comes behind what the Writable itself still holds back.
    this.write(NOTHING, () => void this.#flush().then(() => callback?.()));
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: Callback): void {
    this.#take(this.#splitter.push(chunk)).then(() => callback(), callback);
  }

  override _final(callback: Callback): void {
    this.#take(this.#splitter.end())
      .then(() => this.#close(this.#closeMs))
      .then(() => callback(), callback);
  }

  override _destroy(error: Error | null, callback: Callback): void {
    void this.#close(0).then(() => callback(error));
  }

  async #take(lines: Buffer | undefined): Promise<void> {
    if (lines) await this.#pipeline.write(lines);
  }

  async #flush(): Promise<void> {
    const { streams } = await this.#pipeline.flush();
    for (const [stream, outcome] of Object.entries(streams)) {
      if (outcome !== 'flushed') this.#report(stream, { type: 'warning', reason: `flush: ${outcome}` });
    }
  }

  #close(timeoutMs: number): Promise<void> {
    this.#closed ??= this.#closeWithin(timeoutMs);
    return this.#closed;
  }

  async #closeWithin(timeoutMs: number): Promise<void> {
    await this.#pipeline.close({ timeoutMs });
    for (const [stream, { queued }] of Object.entries(this.#pipeline.stats().streams)) {
      if (queued <= 0) continue;
      const reason = `not delivered within ${timeoutMs} ms, kept for the next start`;
      this.#report(stream, { type: 'warning', reason, count: queued });
    }
    this.#report.flush();
  }
}

function load(read: () => LoadedConfig): LoadedConfig {
  try {
    const loaded = read();
    if (loaded.warnings.length > 0) print(formatProblems(loaded.warnings));
    return loaded;
  } catch (error) {
    if (error instanceof ConfigError) print(error.message);
    throw error;
  }
}

/** Of a config, what is decided by the program that has the logger, and can't be kept from here. */
function warnOfUnkept(config: PipelineConfig): void {
  const report = createStderrReporter();
  for (const [setting, reason] of unkeptSettings(config))
    report(`config ${setting}`, { type: 'warning', reason });
}

function unkeptSettings(config: PipelineConfig): (readonly [setting: string, reason: string])[] {
  const { durability, shutdownTimeoutMs, timestamp, serviceName, fields } = config;
  const rootLevel = parseLevel(config.level);
  const least = Math.min(...config.streams.map(({ level }) => level ?? rootLevel));
  const unkept: (readonly [string, string | false])[] = [
    [
      'durability',
      durability !== 'none' &&
        `"${durability}" holds only from here on: lines that are still in pino's own buffer are lost by SIGKILL`,
    ],
    [
      'level',
      least < LEVELS.info &&
        `pino lets through what its own level says, "info" by default: set pino({ level: '${formatLevel(least)}' }) too`,
    ],
    [
      'shutdown.timeout',
      shutdownTimeoutMs > MAX_CLOSE_MS &&
        `${formatDuration(shutdownTimeoutMs)} is cut to ${formatDuration(MAX_CLOSE_MS)}: pino waits 10 s for its transport`,
    ],
    ['timestamp', !timestamp && 'pino writes the line: set pino({ timestamp: false }) instead'],
    [
      'serviceName',
      serviceName !== undefined &&
        `pino writes the line: set pino({ base: { service: ${JSON.stringify(serviceName)} } }) too`,
    ],
    ['fields', Object.keys(fields).length > 0 && 'pino writes the line: set them in pino({ base }) instead'],
  ];
  return unkept.flatMap(([setting, reason]) => (reason === false ? [] : [[setting, reason] as const]));
}

function readOptions(options: unknown): PipelineTargetOptions {
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`options must be an object; got ${options === null ? 'null' : typeof options}`);
  for (const key of Object.keys(options)) {
    if (key !== 'config' && key !== 'transports')
      throw new TypeError(`unknown option ${JSON.stringify(key)}; known: config, transports`);
  }
  const { config, transports } = options as Record<string, unknown>;
  if (config !== undefined && typeof config !== 'string' && (typeof config !== 'object' || config === null)) {
    throw new TypeError(`config must be a path or an object; got ${JSON.stringify(config)}`);
  }
  if (transports !== undefined && !(Array.isArray(transports) && transports.every(isListed))) {
    throw new TypeError('transports must be a list of package names or { type, module } with texts');
  }
  return options;
}

function isListed(transport: unknown): boolean {
  if (typeof transport !== 'object' || transport === null) return typeof transport === 'string';
  const { type, module } = transport as Record<string, unknown>;
  return typeof type === 'string' && typeof module === 'string';
}

/** In a thread of pino's, `process.stderr` would wait for the main thread. */
function print(text: string): void {
  try {
    fs.writeSync(2, `${text}\n`);
  } catch {
    // There is no stderr, or nobody reads it.
  }
}
