import { existsSync } from 'node:fs';
import { archive, verifyArchive } from '@treeline/archive';
import { formatBytes } from '@treeline/contract';
import { openLogStore, type LogEntry } from '@treeline/sqlite';

const DAY_MS = 86_400_000;
const REQUESTS = 240;

/** Midnight in local time. */
function startOfDay(nowMs: number): number {
  return new Date(nowMs).setHours(0, 0, 0, 0);
}

/** On a first start there is no yesterday: gives the store some requests of it, so that there is something to archive. */
export function makeUpYesterday(storePath: string, nowMs: number): void {
  const today = startOfDay(nowMs);
  const store = openLogStore(storePath);
  try {
    if (existsSync(storePath) && store.queryLogs({ until: today, limit: 1 }).length > 0) return;
    store.append(Array.from({ length: REQUESTS }, (_, index) => madeUpRequest(index, today - DAY_MS)));
  } finally {
    store.close();
  }
}

function madeUpRequest(index: number, dayMs: number): LogEntry {
  const statusCode = index % 40 === 0 ? 502 : 200;
  const responseTime = 200 + ((index * 37) % 600);
  return {
    source: 'gateway',
    type: 'request',
    level: statusCode === 200 ? 'info' : 'error',
    ts: dayMs + index * (DAY_MS / REQUESTS),
    msg: `POST /v1/chat ${statusCode}`,
    payload: { req: { method: 'POST', url: '/v1/chat' }, res: { statusCode }, responseTime, made_up: true },
  };
}

/** Moves what is older than today from the store to an archive and proves it. Text for a terminal. */
export async function archiveYesterday(storePath: string, folder: string, nowMs: number): Promise<string> {
  const olderThan = nowMs - startOfDay(nowMs);
  const { deleted, segments } = await archive(storePath, { olderThan, to: folder });
  const { ok, rows, segments: files, findings } = await verifyArchive(folder);
  const written = segments.map(({ name, bytes }) => `  ${name}.jsonl.gz  ${formatBytes(bytes)}`);
  const state = ok ? 'all of them proved' : `DAMAGED: ${findings.map(({ file }) => file).join(', ')}`;
  return [
    `  ${deleted} records from before today`,
    ...written,
    `  ${rows} records in ${files} files, ${state}`,
  ].join('\n');
}
