import { isDeepStrictEqual } from 'node:util';
import type { PipelineConfig, StreamConfig } from './config.ts';
import type { Path } from './node.ts';

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
  readonly restart: readonly string[];
}

/** Keys of the whole config that pino, the worker or the spool have taken for good. */
const RESTART_KEYS = [
  'enabled',
  'timestamp',
  'serviceName',
  'stateDirectory',
  'mode',
  'durability',
  'windowBytes',
  'spool',
  'archive',
] as const;

const LIVE_KEYS = [
  'level',
  'directives',
  'fields',
  'redact',
  'features',
  'watch',
  'shutdownTimeoutMs',
] as const;

/** Keys of a stream that only mean another destination. */
const IDENTITY_KEYS = ['type', 'moduleUrl'] as const;

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
  if (IDENTITY_KEYS.some((key) => changed.includes(key))) return { name, action: 'swap', changed };
  if (!changed.includes('options')) return { name, action: 'live', changed };
  const names = changedOptions(old.options, stream.options);
  const samePath = pathOf(stream.options) !== undefined && pathOf(old.options) === pathOf(stream.options);
  return {
    name,
    action: samePath ? 'handover' : 'swap',
    changed: [...changed.filter((key) => key !== 'options'), ...names],
  };
}

function changedOptions(old: unknown, now: unknown): string[] {
  if (!isRecord(old) || !isRecord(now)) return ['options'];
  const keys = [...new Set([...Object.keys(old), ...Object.keys(now)])];
  return keys.filter((key) => !isDeepStrictEqual(old[key], now[key]));
}

function pathOf(options: unknown): string | undefined {
  return isRecord(options) && typeof options['path'] === 'string' ? options['path'] : undefined;
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

/** Keys of the whole config that need a new process, as a config writes them. */
export const ROOT_RESTART: ReadonlySet<string> = new Set([
  'enabled',
  'timestamp',
  'serviceName',
  'stateDirectory',
  'directory',
  'mode',
  'durability',
  'window',
  'spool',
  'archive',
  'version',
]);

/** Keys of a stream that change in place. */
export const STREAM_LIVE: ReadonlySet<string> = new Set([
  'level',
  'maxLevel',
  'filter',
  'bufferSize',
  'flushInterval',
  'batch',
  'queue',
  'sample',
  'rateLimit',
  'dedupe',
  'redact',
  'fields',
  'fallback',
]);

/** What a reload does when a key of the config changes. */
export function reloadClassOf(keys: Path): string {
  const [first, index, key] = keys;
  if (first !== 'streams') return ROOT_RESTART.has(String(first)) ? 'needs a restart' : 'live';
  if (index === undefined || key === undefined) return 'streams come and go by name';
  if (key === 'name' || key === 'enabled') return 'the stream is added or removed';
  if (STREAM_LIVE.has(String(key))) return 'live';
  return key === 'type' || key === 'path' ? 'swap' : 'handover on the same path, else swap';
}
