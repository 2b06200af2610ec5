import { parentPort, workerData } from 'node:worker_threads';
import { messageOf, type SinkEvent } from '@treeline/contract';
import { Cron } from 'croner';
import { archive } from './archive.ts';
import type { ScheduledArchiveOptions } from './options.ts';
import { readLastRun } from './last-run.ts';

/**
 * The thread that core starts for `archive` in a config: `workerData` is the checked options; what it has to say it posts as
 * `SinkEvent`. It may be ended at any moment: the next run goes on where it stood.
 */
const { store, schedule, enabled: _enabled, ...options } = workerData as ScheduledArchiveOptions;

function report(event: SinkEvent): void {
  parentPort?.postMessage(event);
}

let isDown = false;

async function run(): Promise<void> {
  try {
    const result = await archive(store, options, {
      onNotice: ({ message }) => report({ type: 'warning', reason: message }),
    });
    if (isDown) report({ type: 'recovered', reason: `${result.deleted} rows archived` });
    isDown = false;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    // Another process with the same config does it, or nothing has been logged yet.
    if (EXPECTED.has(code)) return;
    // The store is just being made.
    if (code.startsWith('SQLITE_BUSY')) {
      setTimeout(() => void cron.trigger(), RETRY_MS);
      return;
    }
    isDown = true;
    report({ type: 'down', reason: messageOf(error) });
  }
}

/** Until the next attempt where the store was locked while it was opened. */
const RETRY_MS = 1000;

const EXPECTED = new Set(['LEASE_HELD', 'STORE_MISSING']);

const cron = new Cron(schedule, { protect: true }, run);

/** A time that passed while no process ran is made up for. */
function isOverdue(): boolean {
  let lastRunMs: number | undefined;
  try {
    lastRunMs = readLastRun(store);
  } catch {
    // The store is just being made, or unusable: the schedule's next run says so.
    return false;
  }
  const due = lastRunMs === undefined ? undefined : cron.nextRun(new Date(lastRunMs));
  return due !== null && due !== undefined && due.getTime() <= Date.now();
}

if (isOverdue()) void cron.trigger();
