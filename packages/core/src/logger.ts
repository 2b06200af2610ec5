import { formatLevel, parseLevel } from '@treeline/contract';
import os from 'node:os';
import { pino, type Bindings, type ChildLoggerOptions, type Logger, type LoggerOptions } from 'pino';
import type { PipelineConfig } from './config/config.ts';
import { guardLogMethod } from './guard.ts';
import { PipelineClient } from './pipeline-client.ts';
import type { FlushResult, StreamStatus } from './protocol.ts';
import { ReservedKeys } from './reserved-keys.ts';
import type { LoggerStats } from './stats.ts';

const FLUSH_TIMEOUT_MS = 10_000;

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
  /** Flushes and gives every destination back. Later log calls are dropped and counted. Closing twice is no error. */
  close(options?: { timeoutMs?: number }): Promise<FlushResult>;
  /** What has become of every record so far. */
  stats(): Promise<LoggerStats>;
  /** Calls back when a stream goes up, down, fills, drops or recovers. Returns a function that ends it. */
  onStatus(listener: (status: StreamStatus) => void): () => void;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Builds the logger for a config that has been loaded. */
export function buildLogger(config: PipelineConfig, options: PinoOptions = {}): TreelineLogger {
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
  followRootLevel(root, config, client);
  moveReservedBindings(root, reserved);
  return Object.assign(root, methodsOf(client, reserved)) as unknown as TreelineLogger;
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

function methodsOf(client: PipelineClient, reserved: ReservedKeys): object {
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
  const close = (options?: { timeoutMs?: number }): Promise<FlushResult> =>
    client.close(options?.timeoutMs ?? FLUSH_TIMEOUT_MS);
  return {
    flush,
    close,
    stats: async () => ({ ...client.stats(), reservedKeys: reserved.moved }),
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
function followRootLevel(root: Logger, config: PipelineConfig, client: PipelineClient): void {
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
      client.setRootLevel(number);
    },
  });
}

/** pino keeps the accessor on the instance's prototype. */
function levelAccessor(root: object): PropertyDescriptor {
  for (let object = root; object !== null; object = Object.getPrototypeOf(object) as object) {
    const descriptor = Object.getOwnPropertyDescriptor(object, 'level');
    if (descriptor?.set) return descriptor;
  }
  throw new TypeError('this version of pino keeps no level accessor: @treeline/core needs pino ^10.4');
}
