import { formatDuration, LEVELS } from '@treeline/contract';
import type { StreamConfig } from '../config/config.ts';
import { fieldsKey } from './record-value.ts';
import type { Line, Thinning } from './thinning.ts';

/** More combinations of values than this share one limit: what a record holds must not make the memory grow. */
const MAX_KEYS = 10_000;

/** A limit that is always reached is told of so often, not in every period. */
const MIN_SUMMARY_MS = 10_000;

interface Period {
  readonly startMs: number;
  count: number;
}

/** Lets so many records through in each period, by the records' own time: what was held up is not cut when it comes at once. */
export function compileRateLimit(rateLimit: NonNullable<StreamConfig['rateLimit']>): Thinning {
  const { records, perMs, by } = rateLimit;
  const periods = new Map<string, Period>();
  const limit = `${records} records in ${formatDuration(perMs)}`;
  let untold = 0;
  let dueMs = Infinity;
  const periodOf = (line: Line): Period => {
    const own = by.length === 0 ? '' : fieldsKey(line.record(), by);
    const key = periods.has(own) || makeRoom(periods, line.timeMs, perMs) ? own : OTHERS;
    const running = periods.get(key);
    if (running && isWithin(running, line.timeMs, perMs)) return running;
    const begun = { startMs: line.timeMs, count: 0 };
    periods.delete(key);
    periods.set(key, begun);
    return begun;
  };
  return {
    reason: 'rate-limit',
    passes(line) {
      const period = periodOf(line);
      if (period.count < records) {
        period.count++;
        return true;
      }
      untold++;
      if (dueMs === Infinity) dueMs = Date.now() + Math.max(perMs, MIN_SUMMARY_MS);
      return false;
    },
    dueMs: () => dueMs,
    takeSummaries(nowMs) {
      if (untold === 0 || nowMs < dueMs) return [];
      const count = untold;
      untold = 0;
      dueMs = Infinity;
      const msg = `${count} records were left out by the rate limit (${limit})`;
      return [
        { level: LEVELS.warn, time: Date.now(), name: 'treeline', dropped: { 'rate-limit': count }, msg },
      ];
    },
  };
}

/** No value of a field gives this key. */
const OTHERS = 'others';

/** A clock that was set back begins a period of its own. */
function isWithin({ startMs }: Period, timeMs: number, perMs: number): boolean {
  return Math.abs(timeMs - startMs) < perMs;
}

/** Forgets the oldest periods where they have ended. */
function makeRoom(periods: Map<string, Period>, timeMs: number, perMs: number): boolean {
  if (periods.size < MAX_KEYS) return true;
  for (const [key, period] of periods) {
    if (isWithin(period, timeMs, perMs)) break;
    periods.delete(key);
  }
  return periods.size < MAX_KEYS;
}
