import fs from 'node:fs';
import { requireBuilt } from './built-file.ts';
import type { LoadedConfig } from './config/load.ts';
import type { ListedTransport } from './config/transports.ts';
import type { HoldOptions } from './hold/start-up-buffer.ts';
import type { PinoOptions, TreelineLogger } from './logger.ts';

/** What a program can say beside its config. */
export interface CreateLoggerOptions {
  /** pino's own options; those that would break the line are refused. */
  readonly pino?: PinoOptions;
  /** Packages and modules that the config may use as stream types or pino targets: a config loads no code by itself. */
  readonly transports?: readonly ListedTransport[];
  /** Laid over the config and the environment, in the config's own shape. */
  readonly overrides?: object;
  /**
   * Holds records back until `logger.release()` or `logger.discard()`: for programs that learn only later how they are to log. If the
   * process ends before, warnings and worse go to stderr, after a good end errors alone.
   */
  readonly hold?: boolean | HoldOptions;
}

/**
 * Builds a pino logger from a config: a path, an object of the same shape, or, with nothing, what `LOG_CONFIG_FILE` names or the
 * application's root holds. Warnings about the config go to stderr. The pipeline worker starts with the first line.
 *
 * @throws ConfigError with all mistakes at once; nothing has been opened then.
 */
export function createLogger(source?: string | object, options: CreateLoggerOptions = {}): TreelineLogger {
  const { transports = [], overrides } = options;
  // A program that only has the package among its imports doesn't pay for pino, the pipeline and the reading of configs.
  const { formatProblems, loadConfig } = requireBuilt(
    'config/loader.js',
  ) as typeof import('./config/loader.ts');
  const { buildLogger } = requireBuilt('logger.js') as typeof import('./logger.ts');
  const load = (): LoadedConfig => loadConfig(source, { transports, ...(overrides && { overrides }) });
  const loaded = load();
  if (loaded.warnings.length > 0) writeToStderr(`${formatProblems(loaded.warnings)}\n`);
  return buildLogger({ loaded, load }, options.pino, options.hold);
}

function writeToStderr(text: string): void {
  try {
    fs.writeSync(2, text);
  } catch {
    // A stderr that is closed or full must not keep the program from starting.
  }
}
