import { randomUUID } from 'node:crypto';
import type { TreelineLogger } from '@treeline/core';
import type { LogReader } from '@treeline/sqlite';
import { Signal, type Change } from './signal.ts';

/** What a reflex runs with. */
export interface ReflexContext extends Change {
  /** The sense whose signal it was. */
  readonly sense: string;
  readonly runId: string;
  /** Its records carry the run's id. */
  readonly logger: Pick<TreelineLogger, 'debug' | 'info' | 'warn' | 'error'>;
  readonly queryLogs: LogReader['queryLogs'];
}

export type RunReflex = (context: ReflexContext) => unknown;

interface Pending extends Change {
  readonly sense: string;
  /** Earlier signals that this one has taken the place of while the reflex was running. */
  readonly replaced: number;
}

interface Reflex {
  readonly name: string;
  readonly run: RunReflex;
  pending: Pending | undefined;
  running: Promise<void> | undefined;
}

/** Runs reflexes on signals, one run of each at a time, and writes what becomes of them. */
export class ReflexScheduler {
  readonly #logger: TreelineLogger;
  readonly #queryLogs: LogReader['queryLogs'];
  readonly #reflexes = new Set<Reflex>();
  readonly #unsubscribe: (() => void)[] = [];

  constructor(logger: TreelineLogger, queryLogs: LogReader['queryLogs']) {
    this.#logger = logger;
    this.#queryLogs = queryLogs;
  }

  /**
   * Lets a reflex run on signals.
   *
   * @throws TypeError for any other trigger, such as a log reader.
   */
  bind(name: string, run: RunReflex, triggers: readonly Signal[]): void {
    for (const trigger of triggers) {
      if (!Signal.isSignal(trigger))
        throw new TypeError(`triggers of ${name} must be signals of senses; got something else`);
    }
    const reflex: Reflex = { name, run, pending: undefined, running: undefined };
    this.#reflexes.add(reflex);
    for (const trigger of triggers) {
      this.#unsubscribe.push(trigger.subscribe((change) => this.#trigger(reflex, trigger.name, change)));
    }
  }

  /** No signal triggers anything any more; resolves when the runs under way have ended. */
  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    for (const { running } of this.#reflexes) await running;
    this.#reflexes.clear();
  }

  #trigger(reflex: Reflex, sense: string, change: Change): void {
    const replaced = reflex.pending ? reflex.pending.replaced + 1 : 0;
    reflex.pending = { ...change, sense, replaced };
    reflex.running ??= this.#work(reflex).finally(() => {
      reflex.running = undefined;
    });
  }

  async #work(reflex: Reflex): Promise<void> {
    for (let next = reflex.pending; next; next = reflex.pending) {
      reflex.pending = undefined;
      await this.#run(reflex, next);
    }
  }

  async #run({ name, run }: Reflex, { sense, value, previous, replaced }: Pending): Promise<void> {
    const runId = randomUUID();
    const logger = this.#logger.child({ source: 'reflex', ref_id: runId });
    const beganMs = performance.now();
    logger.info(
      { type: 'run_start', reflex: name, sense, value, ...(replaced > 0 ? { replaced } : {}) },
      `${name} runs on ${sense}`,
    );
    let status = 'ok';
    try {
      await run({ sense, value, previous, runId, logger, queryLogs: this.#queryLogs });
    } catch (error) {
      status = 'failed';
      logger.error({ type: 'error', reflex: name, err: error }, `${name} failed`);
    }
    const durationMs = Math.round(performance.now() - beganMs);
    logger.info({ type: 'run_complete', reflex: name, status, duration_ms: durationMs }, `${name} ${status}`);
  }
}
