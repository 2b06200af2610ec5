import { formatLevel, parseLevel, type LevelName } from '@treeline/contract';
import os from 'node:os';
import { pino, type Bindings, type ChildLoggerOptions, type Logger, type LoggerOptions } from 'pino';
import type { PipelineConfig } from './config/config.ts';
import { ConfigReloader, type ReloadReceipt } from './config-reloader.ts';
import type { LoadedConfig } from './config/load.ts';
import { TimedLevel, type SetLevelOptions } from './timed-level.ts';
import { guardLogMethod } from './guard.ts';
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

/** A pino logger over a pipeline. Children have the same methods. */
export interface TreelineLogger extends Omit<Logger, 'flush'> {
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
   * @throws ConfigError with all mistakes, or TreelineError where a destination can't be opened; the old config then holds as a whole.
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
  [Symbol.asyncDispose](): Promise<void>;
}

/** Builds the logger for a config that has been loaded. */
export function buildLogger(
  loaded: LoadedConfig,
  load: () => LoadedConfig,
  options: PinoOptions = {},
): TreelineLogger {
  const { config } = loaded;
  refuseOptions(options);
  const reserved = new ReservedKeys();
  const client = new PipelineClient(config.enabled ? config : { ...config, streams: [] });
  const root = pino(
    {
      ...options,
      level: formatGate(config, parseLevel(config.level)),
      base: {
        pid: process.pid,
        hostname: os.hostname(),
        ...serviceOf(config),
        ...reserved.move({ ...config.fields, ...options.base }),
      },
      timestamp: config.timestamp,
      hooks: { ...options.hooks, logMethod: guardLogMethod(options.hooks?.logMethod, reserved) },
    },
    client,
  );
  const applyLevels = followRootLevel(root, config, client);
  moveReservedBindings(root, reserved);
  const timedLevel = new TimedLevel(root, config.level);
  const reloader = new ConfigReloader({
    loaded,
    load,
    async apply(next, plan) {
      const retired = await client.reload(next, plan);
      applyLevels(client.config, plan.live.includes('level'));
      if (plan.live.includes('level')) timedLevel.rebase(next.level);
      return retired;
    },
  });
  return Object.assign(root, methodsOf(client, reserved, reloader, timedLevel)) as unknown as TreelineLogger;
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
    child(this: object, bindings: Bindings, options?: ChildLoggerOptions): Logger {
      // Without bindings pino throws, as it does by itself.
      return Reflect.apply(child, this, [bindings && reserved.move(bindings), options]);
    },
    setBindings(this: object, bindings: Bindings): void {
      Reflect.apply(setBindings, this, [reserved.move(bindings)]);
    },
  });
}

function methodsOf(
  client: PipelineClient,
  reserved: ReservedKeys,
  reloader: ConfigReloader,
  timedLevel: TimedLevel,
): object {
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
    return client.close(options?.timeoutMs ?? FLUSH_TIMEOUT_MS);
  };
  return {
    flush,
    reopen: (options?: { timeoutMs?: number }) => client.reopen(options?.timeoutMs ?? REOPEN_TIMEOUT_MS),
    close,
    stats: async () => ({
      ...client.stats(),
      reservedKeys: reserved.moved,
      config: { ...reloader.stats, ...timedLevel.stats },
    }),
    reload: () => reloader.reload(),
    setLevel: (level: LevelName | 'silent', options?: SetLevelOptions) => timedLevel.set(level, options),
    onStatus: (listener: (status: StreamStatus) => void) => client.onStatus(listener),
    [Symbol.asyncDispose]: async () => {
      await close();
    },
  };
}

/** The gate lets through what at least one stream wants. */
function formatGate(config: PipelineConfig, rootLevel: number): string {
  const gate = Math.min(
    ...(config.enabled ? config.streams : []).map((stream) => stream.level ?? rootLevel),
    Infinity,
  );
  return gate === Infinity ? 'silent' : formatLevel(gate);
}

/** Makes `logger.level` the root level: streams without one of their own follow it, the others keep theirs. */
function followRootLevel(
  root: Logger,
  initial: PipelineConfig,
  client: PipelineClient,
): (config: PipelineConfig, withLevel: boolean) => void {
  let config = initial;
  const inherited = levelAccessor(root);
  let rootLevel: string = config.level;
  Object.defineProperty(root, 'level', {
    configurable: true,
    get(this: Logger): string {
      return this === root ? rootLevel : (inherited.get?.call(this) as string);
    },
    set(this: Logger, level: string) {
      const number = parseLevel(level);
      if (this !== root) {
        inherited.set?.call(this, level);
        return;
      }
      rootLevel = level;
      inherited.set?.call(root, formatGate(config, number));
      client.setRootLevel(level as PipelineConfig['level']);
    },
  });
  return (next, withLevel) => {
    config = next;
    root.level = withLevel ? next.level : rootLevel;
  };
}

/** pino keeps the accessor on the instance's prototype. */
function levelAccessor(root: object): PropertyDescriptor {
  for (let object = root; object !== null; object = Object.getPrototypeOf(object) as object) {
    const descriptor = Object.getOwnPropertyDescriptor(object, 'level');
    if (descriptor?.set) return descriptor;
  }
  throw new TypeError('this version of pino keeps no level accessor: @treeline/core needs pino ^10.4');
}
