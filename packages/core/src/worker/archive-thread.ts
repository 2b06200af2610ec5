import type { Worker } from 'node:worker_threads';
import { backoffMs, type SinkEvent } from '@treeline/contract';
import type { ArchiveConfig } from '../config/config.ts';
import { startThread } from '../start-thread.ts';

/** Waits before a thread that died is started again. */
const RESTART = { minMs: 1000, maxMs: 60_000 };

/** The name under which what the archive has to say is told, beside the streams'. */
export const ARCHIVE_NAME = 'archive';

/** Runs the archive of a config in a thread of its own, by its schedule; that thread may be ended at any moment. */
export class ArchiveThread {
  readonly #config: ArchiveConfig;
  readonly #report: (event: SinkEvent) => void;
  #worker: Worker | undefined;
  #restart: NodeJS.Timeout | undefined;
  #failures = 0;
  #isClosed = false;

  constructor(config: ArchiveConfig, report: (event: SinkEvent) => void) {
    this.#config = config;
    this.#report = report;
    this.#start();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#restart);
    await this.#worker?.terminate();
  }

  #start(): void {
    const worker = startThread(new URL(this.#config.threadUrl), { workerData: this.#config.options });
    this.#worker = worker;
    let reason = 'its thread ended';
    worker.on('message', (event: SinkEvent) => this.#report(event));
    worker.on('error', (error) => {
      reason = `its thread failed: ${error.message}`;
    });
    worker.on('exit', () => this.#died(reason));
    // A schedule must not keep a program alive.
    worker.unref();
  }

  #died(reason: string): void {
    this.#worker = undefined;
    if (this.#isClosed) return;
    this.#report({ type: 'down', reason });
    this.#restart = setTimeout(() => this.#start(), backoffMs(++this.#failures, RESTART)).unref();
  }
}
