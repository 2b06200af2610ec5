import { isDeepStrictEqual } from 'node:util';
import { messageOf } from '@treeline/contract';
import { createLogger, type TreelineLogger } from '@treeline/core';
import { openLogReader, type LogReader } from '@treeline/sqlite';
import { readConfig, sensesOverLogs, type DaemonConfig } from './config.ts';
import { watchFiles } from './file-watch.ts';
import { loadFunction, type LoadedFunction } from './module.ts';
import { ReflexScheduler } from './reflex-scheduler.ts';
import { Sense } from './sense.ts';

/** Everything that a config makes: replaced as a whole when it changes. */
interface Running {
  readonly senses: ReadonlyMap<string, Sense>;
  readonly scheduler: ReflexScheduler;
  readonly unwatch: () => void;
}

/** Computes senses, runs reflexes on their signals, and writes its own history, which the senses may read. */
export class Kernel {
  readonly #file: string;
  /** The config of the start: logging and the store stay as it says. */
  readonly #first: DaemonConfig;
  readonly #logger: TreelineLogger;
  readonly #system: Pick<TreelineLogger, 'info' | 'error'>;
  readonly #queryLogs: LogReader['queryLogs'];
  #running: Running | undefined;
  #unwatch: () => void = () => undefined;
  /** Reloads and stopping come one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  /** @throws Error where the config can't be used. */
  constructor(file: string) {
    const config = readConfig(file);
    this.#file = file;
    this.#first = config;
    this.#logger = createLogger(config.logging);
    this.#system = this.#logger.child({ source: 'system' });
    this.#queryLogs = (query) => {
      // Opened for each question: the store may have been made or replaced since.
      const reader = openLogReader(config.store);
      try {
        return reader.queryLogs(query);
      } finally {
        reader.close();
      }
    };
  }

  /** Resolves when the senses have begun. */
  async start(): Promise<void> {
    this.#system.info({ type: 'start', config: this.#file }, 'daemon started');
    // The store is there then, for the first sense that asks it.
    await this.#logger.flush();
    this.#running = this.#begin(this.#first, await loadFunctions(this.#first));
    this.#unwatch = watchFiles([this.#file], () => {
      void this.#inTurn(() => this.#reload());
    });
  }

  /** Resolves when the runs under way have ended and all is written. */
  async stop(reason: string): Promise<void> {
    this.#unwatch();
    await this.#inTurn(async () => {
      await this.#end();
      this.#system.info({ type: 'stop', reason }, 'daemon stopped');
      await this.#logger.close();
    });
  }

  #inTurn(step: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(step);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** A config or module that is broken leaves everything as it is. */
  async #reload(): Promise<void> {
    try {
      const config = readConfig(this.#file);
      this.#checkReload(config);
      const functions = await loadFunctions(config);
      const before = this.#running?.senses;
      await this.#end();
      this.#running = this.#begin(config, functions, before);
      this.#system.info(
        { type: 'config_reload', senses: [...config.senses.keys()], reflexes: [...config.reflexes.keys()] },
        'config reloaded',
      );
    } catch (error) {
      this.#fail(error, 'the config was changed and can not be used; the old one stays');
    }
  }

  /** @throws Error where a config asks for what only a start can give. */
  #checkReload(config: DaemonConfig): void {
    const { logging, store, written } = this.#first;
    if (config.store !== store || !isDeepStrictEqual(config.logging, logging)) {
      throw new Error(
        `${this.#file}: logging and store are taken at the start: restart the daemon to change them`,
      );
    }
    const mistakes = sensesOverLogs(config, written);
    if (mistakes.length > 0) throw new Error(`${this.#file} is not valid: ${mistakes.join('; ')}`);
  }

  #begin(
    config: DaemonConfig,
    functions: ReadonlyMap<string, LoadedFunction>,
    before?: Running['senses'],
  ): Running {
    const functionOf = (module: string): LoadedFunction => functions.get(module) ?? (() => undefined);
    const scheduler = new ReflexScheduler(this.#logger, this.#queryLogs);
    const senses = new Map(
      Array.from(config.senses, ([name, sense]) => {
        const failed = (error: unknown): void => this.#fail(error, `the sense ${name} failed`);
        return [
          name,
          new Sense(name, sense, functionOf(sense.module), {
            queryLogs: this.#queryLogs,
            before: before?.get(name),
            failed,
          }),
        ];
      }),
    );
    for (const [name, { module, on }] of config.reflexes) {
      scheduler.bind(
        name,
        functionOf(module),
        on.flatMap((sense) => senses.get(sense)?.signal ?? []),
      );
    }
    const unwatch = watchFiles(
      [...new Set(Array.from(config.senses.values(), ({ module }) => module))],
      (module) => {
        for (const [name, sense] of config.senses) {
          if (sense.module === module) void this.#inTurn(() => this.#reloadSense(name, module));
        }
      },
    );
    for (const sense of senses.values()) sense.start();
    return { senses, scheduler, unwatch };
  }

  async #reloadSense(name: string, module: string): Promise<void> {
    try {
      const compute = await loadFunction(module);
      this.#system.info({ type: 'sense_reload', sense: name }, `sense ${name} reloaded`);
      this.#running?.senses.get(name)?.replace(compute);
    } catch (error) {
      this.#fail(error, `the sense ${name} was changed and can not be loaded; the old one stays`);
    }
  }

  async #end(): Promise<void> {
    if (!this.#running) return;
    const { senses, scheduler, unwatch } = this.#running;
    this.#running = undefined;
    unwatch();
    await Promise.all(Array.from(senses.values(), (sense) => sense.stop()));
    await scheduler.stop();
  }

  #fail(error: unknown, message: string): void {
    this.#system.error({ type: 'error', err: error }, message);
  }
}

async function loadFunctions({ senses, reflexes }: DaemonConfig): Promise<Map<string, LoadedFunction>> {
  const modules = [
    ...Array.from(senses, ([name, { module }]) => [`senses.${name}.module`, module] as const),
    ...Array.from(reflexes, ([name, { module }]) => [`reflexes.${name}.module`, module] as const),
  ];
  return new Map(
    await Promise.all(
      modules.map(async ([key, module]) => {
        try {
          return [module, await loadFunction(module)] as const;
        } catch (cause) {
          throw new Error(`${key}: ${module} can't be loaded: ${messageOf(cause)}`, { cause });
        }
      }),
    ),
  );
}
