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
    // Another process with the same config does it, or nothing has been logged yet.
    if (error instanceof Error && 'code' in error && EXPECTED.has(String(error.code))) return;
    isDown = true;
    report({ type: 'down', reason: messageOf(error) });
  }
}

const EXPECTED = new Set(['LEASE_HELD', 'STORE_MISSING']);

const cron = new Cron(schedule, { protect: true }, run);

/** A time that passed while no process ran is made up for. */
function isOverdue(): boolean {
  const lastRunMs = readLastRun(store);
  const due = lastRunMs === undefined ? undefined : cron.nextRun(new Date(lastRunMs));
  return due !== null && due !== undefined && due.getTime() <= Date.now();
}

if (isOverdue()) void cron.trigger();
