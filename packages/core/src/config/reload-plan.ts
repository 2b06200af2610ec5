import { isDeepStrictEqual } from 'node:util';
import type { PipelineConfig, StreamConfig } from './config.ts';
import { streamKey } from '../stream-key.ts';

/**
 * What a change costs: `live` takes effect in place; `swap` opens the new destination before the old one is drained; `handover`
 * closes a file or database before it is opened anew, while its records wait in the log; `restart` needs a new process.
 */
export type ReloadClass = 'keep' | 'live' | 'swap' | 'handover' | 'add' | 'remove';

export interface StreamChange {
  readonly name: string;
  readonly action: ReloadClass;
  /** The keys that differ. */
  readonly changed: readonly string[];
}

/** What a reload from one config to another would do. */
export interface ReloadPlan {
  readonly streams: readonly StreamChange[];
  /** Keys of the whole config that change in place. */
  readonly live: readonly string[];
  /** Keys that need a new process: reported, not applied. */
  readonly restart: readonly (typeof RESTART_KEYS)[number][];
}

/** Keys of the whole config that pino, the worker or the spool have taken for good. */
export const RESTART_KEYS = [
  'enabled',
  'timestamp',
  'serviceName',
  'fields',
  'features',
  'sampling',
  'stateDirectory',
  'mode',
  'durability',
  'windowBytes',
  'spool',
  'archive',
] as const;

/** Keys of the whole config that change in place. */
export const LIVE_KEYS = [
  'level',
  'directives',
  'redact',
  'serviceVersion',
  'environment',
  'watch',
  'shutdownTimeoutMs',
] as const;

/** What a sink is opened with. */
const SINK_KEYS: ReadonlySet<string> = new Set(['type', 'moduleUrl', 'options']);

/** Plans the way from one config to another, streams by name. */
export function planReload(from: PipelineConfig, to: PipelineConfig): ReloadPlan {
  const before = new Map(from.streams.map((stream) => [stream.name, stream]));
  const after = new Map(to.streams.map((stream) => [stream.name, stream]));
  const changes: StreamChange[] = to.streams.map((stream) => {
    const old = before.get(stream.name);
    return old ? compareStreams(old, stream) : { name: stream.name, action: 'add', changed: [] };
  });
  for (const { name } of from.streams)
    if (!after.has(name)) changes.push({ name, action: 'remove', changed: [] });
  return {
    streams: changes,
    live: LIVE_KEYS.filter((key) => !isDeepStrictEqual(from[key], to[key])),
    restart: RESTART_KEYS.filter((key) => !isDeepStrictEqual(from[key], to[key])),
  };
}

function compareStreams(old: StreamConfig, stream: StreamConfig): StreamChange {
  const keys = [...new Set([...Object.keys(old), ...Object.keys(stream)])] as (keyof StreamConfig)[];
  const changed = keys.filter((key) => !isDeepStrictEqual(old[key], stream[key]));
  const { name } = stream;
  if (changed.length === 0) return { name, action: 'keep', changed };
  if (!changed.some((key) => SINK_KEYS.has(key))) return { name, action: 'live', changed };
  // Options of another type are not to be compared.
  const names = old.type === stream.type ? changedOptions(old.options, stream.options) : ['options'];
  return {
    name,
    action: streamKey(old) === streamKey(stream) ? 'handover' : 'swap',
    changed: [...changed.filter((key) => key !== 'options'), ...names],
  };
}

function changedOptions(old: unknown, now: unknown): string[] {
  if (!isRecord(old) || !isRecord(now)) return ['options'];
  const keys = [...new Set([...Object.keys(old), ...Object.keys(now)])];
  return keys.filter((key) => !isDeepStrictEqual(old[key], now[key]));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Prints a plan, one line a stream. */
export function formatReloadPlan(plan: ReloadPlan): string {
  const width = Math.max(0, ...plan.streams.map(({ name }) => name.length));
  const streams = plan.streams.map(({ name, action, changed }) =>
    `${name.padEnd(width)}  ${action.padEnd(8)}  ${changed.join(', ')}`.trimEnd(),
  );
  return [
    ...streams,
    ...(plan.live.length > 0 ? [`in place: ${plan.live.join(', ')}`] : []),
    ...(plan.restart.length > 0 ? [`only after a restart: ${plan.restart.join(', ')}`] : []),
  ].join('\n');
}
