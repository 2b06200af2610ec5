import { parseLevel, type LevelName } from '@treeline/contract';
import { requireBuilt } from './built-file.ts';
import type { HoldOptions, StartUpBuffer } from './hold/start-up-buffer.ts';
import os from 'node:os';
import { pino, type Bindings, type ChildLoggerOptions, type Logger, type LoggerOptions } from 'pino';
import type { PipelineConfig } from './config/config.ts';
import { ConfigReloader, type ConfigSource, type ReloadReceipt } from './config-reloader.ts';
import { CONTEXT } from './context/context-of.ts';
import { contextMethods, type ContextMethods } from './context/context-methods.ts';
import { LoggerContext } from './context/logger-context.ts';
import { guardLogMethod, type LogCallHooks } from './guard.ts';
import { LevelControl } from './levels/level-control.ts';
import { TimedLevel, type SetLevelOptions } from './timed-level.ts';
import { PipelineClient } from './pipeline-client.ts';
import type { FlushResult, ReopenResult, StreamStatus } from './protocol.ts';
import { ReservedKeys } from './reserved-keys.ts';
import type { LoggerStats } from './stats.ts';

const FLUSH_TIMEOUT_MS = 10_000;
const REOPEN_TIMEOUT_MS = 10_000;

/** pino's options that a program may set beside a config. Those that would break the line are refused. */
export type PinoOptions = Omit<
  LoggerOptions,
  'transport' | 'messageKey' | 'nestedKey' | 'timestamp' | 'level'
>;

const REFUSED_PINO_OPTIONS = ['transport', 'messageKey', 'nestedKey', 'timestamp', 'level'] as const;

/** What a logger over a pipeline has beyond pino's. */
export interface TreelineMethods extends ContextMethods {
  /** pino's; children have the same methods. */
  child<CustomLevels extends string = never>(
    bindings: Bindings,
    options?: ChildLoggerOptions<CustomLevels>,
  ): TreelineMethods & Logger<CustomLevels>;
  /**
   * Resolves when what was logged before this call has been delivered, as far as each sink promises, or when the time is over
   * (default 10 s). Never rejects.
   */
  flush(options?: { timeoutMs?: number }): Promise<FlushResult>;
  /** pino's form: calls back when the flush is over. */
  flush(callback: (error?: Error) => void): void;
  /**
   * Makes every stream that writes a file let go of it and open its path anew, as SIGHUP does: for logrotate and the like. Resolves when
   * they have, or when the time is over (default 10 s); what was logged before may stand in either file. Never rejects.
   */
  reopen(options?: { timeoutMs?: number }): Promise<ReopenResult>;
  /** Flushes and gives every destination back. Later log calls are dropped and counted. Closing twice is no error. */
  close(options?: { timeoutMs?: number }): Promise<FlushResult>;
  /** What has become of every record so far. */
  stats(): Promise<LoggerStats>;
  /**
   * Reads the config again, as happens by itself when its file changes, and resolves with what was done when removed and replaced
   * streams have delivered what they had.
   *
   * @throws ConfigError with all mistakes, or TreelineError where a destination can't be opened (DESTINATION_UNUSABLE) or the logger was
   * closed (CLOSED); the old config then holds as a whole.
   */
  reload(): Promise<ReloadReceipt>;
  /**
   * Sets the root level, with `for` until that time is over: `setLevel('debug', { for: '10m' })`. Then the level of the config holds
   * again, as it is by then.
   *
   * @throws RangeError for an illegal level or time.
   */
  setLevel(level: LevelName | 'silent', options?: SetLevelOptions): void;
  /** Calls back when a stream goes up, down, fills, drops or recovers. Returns a function that ends it. */
  onStatus(listener: (status: StreamStatus) => void): () => void;
  /** Ends what `hold` began: writes what was held and is wanted by now, then writes through. Without `hold` it does nothing. */
  release(): void;
  /**
   * Ends what `hold` began by letting go of what was held, and of what will be logged; records from `keepLevel` on go to stderr
   * (default: none). Without `hold` it does nothing.
   */
  discard(options?: { keepLevel?: LevelName }): void;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A pino logger over a pipeline. */
export type TreelineLogger = TreelineMethods & Omit<Logger, 'flush' | 'child'>;

/** Builds the logger for a config that has been loaded. */
export function buildLogger(
  source: ConfigSource,
  options: PinoOptions = {},
  hold?: boolean | HoldOptions,
): TreelineLogger {
  const { config } = source.loaded;
  refuseOptions(options);
  const reserved = new ReservedKeys();
  const client = new PipelineClient(config.enabled ? config : { ...config, streams: [] });
  const hooks: LogCallHooks = {};
  let levels: LevelControl | undefined;
  let context: LoggerContext | undefined;
  const root = pino(
    {
      ...options,
      base: {
        pid: process.pid,
        hostname: os.hostname(),
        ...serviceOf(config),
        ...reserved.move({ ...config.fields, ...options.base }),
      },
      timestamp: config.timestamp,
      serializers: { err: (value) => context?.serializeError(value), ...options.serializers },
      hooks: { ...options.hooks, logMethod: guardLogMethod(options.hooks?.logMethod, reserved, hooks) },
      onChild: (child) => {
        levels?.adopt(child);
        options.onChild?.(child);
      },
    },
    client,
  );
  levels = new LevelControl(root, config, (rootLevel) => {
    client.setRootLevel(parseLevel(rootLevel));
    context?.refresh();
  });
  context = new LoggerContext(root, config, levels, hooks);
  moveReservedBindings(root, reserved);
  const buffer = hold ? startHolding(root, levels, context, hold) : undefined;
  const timedLevel = new TimedLevel(root, config.level);
  const reloader = followConfig(source, { client, levels, timedLevel });
  return Object.assign(
    root,
    methodsOf({ client, reserved, context, buffer, reloader, timedLevel }),
    contextMethods(context),
    { [CONTEXT]: context },
  ) as object as TreelineLogger;
}

/** Makes the logger that of another config when there is one. */
function followConfig(
  source: ConfigSource,
  parts: {
    readonly client: PipelineClient;
    readonly levels: LevelControl;
    readonly timedLevel: TimedLevel;
  },
): ConfigReloader {
  const { client, levels, timedLevel } = parts;
  return new ConfigReloader({
    ...source,
    apply(next, plan) {
      return client.reload(next, plan, {
        rootLevel: parseLevel(timedLevel.over(next.level)),
        swapped() {
          // A level that the program has set stays until the config says another one.
          if (plan.live.includes('level')) timedLevel.rebase(next.level);
          levels.applyLevels(client.config, levels.rootLevel);
        },
      });
    },
  });
}

function refuseOptions(options: object): void {
  const refused = REFUSED_PINO_OPTIONS.find((key) => key in options);
  if (refused) throw new TypeError(`pino.${refused} must be left out: the config decides it`);
  if ('formatters' in options && Object.hasOwn(options.formatters as object, 'level')) {
    throw new TypeError('pino.formatters.level must be left out: the line keeps pino’s level numbers');
  }
}

function serviceOf(config: PipelineConfig): { service?: string } {
  return config.serviceName === undefined ? {} : { service: config.serviceName };
}

/** Bindings become part of every line; children inherit these methods. */
function moveReservedBindings(root: Logger, reserved: ReservedKeys): void {
  // oxlint-disable-next-line typescript/unbound-method -- called below with the logger that they are called on
  const { child, setBindings } = root;
  Object.assign(root, {
    child(this: Logger, bindings: Bindings, options?: ChildLoggerOptions): Logger {
      refuseLevel(this, options);
      // Without bindings pino throws, as it does by itself.
      return Reflect.apply(child, this, [bindings && reserved.move(bindings), options]);
    },
    setBindings(this: object, bindings: Bindings): void {
      Reflect.apply(setBindings, this, [reserved.move(bindings)]);
    },
  });
}

/** pino's own message for an unknown level names none that are allowed. */
function refuseLevel(logger: Logger, { level, customLevels }: ChildLoggerOptions = {}): void {
  if (level === undefined || customLevels || Object.hasOwn(logger.levels.values, level)) return;
  parseLevel(level);
}

function startHolding(
  root: Logger,
  levels: LevelControl,
  context: LoggerContext,
  hold: true | HoldOptions,
): StartUpBuffer {
  const loaded = requireBuilt('hold/loader.js') as typeof import('./hold/loader.ts');
  return new loaded.StartUpBuffer(
    root,
    levels,
    () => context.usedTracker?.directivesHere() ?? [],
    hold === true ? {} : hold,
  );
}

interface LoggerParts {
  readonly client: PipelineClient;
  readonly reserved: ReservedKeys;
  readonly context: LoggerContext;
  readonly buffer: StartUpBuffer | undefined;
  readonly reloader: ConfigReloader;
  readonly timedLevel: TimedLevel;
}

function methodsOf({ client, reserved, context, buffer, reloader, timedLevel }: LoggerParts): object {
  const flush = (
    argument?: { timeoutMs?: number } | ((error?: Error) => void),
  ): Promise<FlushResult> | void => {
    if (typeof argument !== 'function') return client.flush(argument?.timeoutMs ?? FLUSH_TIMEOUT_MS);
    void callBack(argument);
  };
  const callBack = async (callback: (error?: Error) => void): Promise<void> => {
    const { ok, streams } = await client.flush(FLUSH_TIMEOUT_MS);
    callback(ok ? undefined : new Error(`not flushed: ${JSON.stringify(streams)}`));
  };
  const close = (options?: { timeoutMs?: number }): Promise<FlushResult> => {
    reloader.close();
    timedLevel.end();
    for (const tell of context.beforeClose) tell();
    // It ends as it was meant to: what was held is wanted.
    buffer?.release();
    return client.close(options?.timeoutMs ?? FLUSH_TIMEOUT_MS);
  };
  return {
    flush,
    reopen: (options?: { timeoutMs?: number }) => client.reopen(options?.timeoutMs ?? REOPEN_TIMEOUT_MS),
    close,
    stats: async () => ({
      ...client.stats(),
      reservedKeys: reserved.moved,
      ...context.stats(),
      ...(buffer && { hold: buffer.stats() }),
      config: { ...reloader.stats, ...timedLevel.stats },
    }),
    reload: () => reloader.reload(),
    setLevel: (level: LevelName | 'silent', options?: SetLevelOptions) => timedLevel.set(level, options),
    onStatus: (listener: (status: StreamStatus) => void) => client.onStatus(listener),
    release: () => buffer?.release(),
    discard: ({ keepLevel = 'silent' }: { keepLevel?: LevelName | 'silent' } = {}) =>
      buffer?.discard(parseLevel(keepLevel)),
    [Symbol.asyncDispose]: async () => {
      await close();
    },
  };
}
