import fs from 'node:fs';
import { openLogReader } from '@treeline/sqlite';
import { META } from './plan.ts';

/** Since when nothing was archived, in unix milliseconds: the last run, or the making of the store; undefined where there is none. */
export function readLastRun(store: string): number | undefined {
  if (!fs.existsSync(store)) return undefined;
  const reader = openLogReader(store);
  try {
    const text = reader.meta.get(META.lastRun) ?? reader.meta.get('created_ms');
    return text === undefined ? undefined : Number(text);
  } finally {
    reader.close();
  }
}
