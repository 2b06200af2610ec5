import { parseBytes, parseLevel, type BatchHints, type OptionsSchema } from '@treeline/contract';
import { closest } from '@treeline/query/closest';
import type { StreamConfig } from './config.ts';
import { probeDatabase, probeFile, realFile } from './destination.ts';
import { defaultName } from './environment.ts';
import { checkFilters } from './filters.ts';
import { MAX_STREAMS } from './limits.ts';
import { firstCharacter, nodeAt, originAt, textAt, toValue, type ConfigNode, type Member } from './node.ts';
import { readRouting } from './routing.ts';
import { streamSchema, type StreamKeys } from './schema.ts';
import {
  readTransport,
  type StreamPlace,
  type StreamTransport,
  type TransportContext,
} from './stream-transport.ts';
import { validate } from './validate.ts';

export interface StreamsContext extends TransportContext {
  /** How far a stream may lag by default: all that the log may keep. */
  readonly spoolMaxBytes: number;
  /** False where the logger is switched off: nothing will be opened, so nothing has to be openable. */
  readonly probe: boolean;
}

export interface ReadStreams {
  /** Those that will run. */
  readonly streams: StreamConfig[];
  /** For each stream of the config the schema of its options, where it has one. */
  readonly optionSchemas: readonly (OptionsSchema<unknown> | undefined)[];
}

interface CheckedStream {
  readonly node: ConfigNode;
  readonly index: number;
  readonly name: string;
  readonly enabled: boolean;
  /** Undefined where the stream is switched off, left out or wrong. */
  readonly config: StreamConfig | undefined;
  readonly schema: OptionsSchema<unknown> | undefined;
  /** The file that it writes. */
  readonly file: string | undefined;
}

/** Checks all streams, also those that are switched off, which are then left out. */
export function readStreams(streams: ConfigNode, context: StreamsContext): ReadStreams {
  // More than the schema allows has been refused, and is not worth looking at.
  if (streams.kind !== 'array' || streams.items.length > MAX_STREAMS)
    return { streams: [], optionSchemas: [] };
  const checked = streams.items.map((node, index) => readStream(node, index, context));
  refuseSharedNames(checked, context);
  refuseSharedFiles(checked, context);
  checkFallbacks(checked, context);
  return {
    streams: checked.map(({ config }) => config).filter((config) => config !== undefined),
    optionSchemas: checked.map(({ schema }) => schema),
  };
}

function readStream(node: ConfigNode, index: number, context: StreamsContext): CheckedStream {
  const { core, options } = splitKeys(node);
  const type = textAt(node, ['type']) || undefined;
  const subject = `streams[${index}]${type === undefined ? '' : ` (type ${JSON.stringify(type)})`}`;
  const keys = validate(streamSchema, core, context.problems, { at: ['streams', index], subject });
  checkFilters(node, index, context.problems);
  const name = textAt(node, ['name']) || defaultName(type ?? 'stream', index);
  const enabled = keys?.enabled ?? toValue(nodeAt(node, ['enabled']) ?? node) !== false;
  if (type === undefined)
    return { node, index, name, enabled, config: undefined, schema: undefined, file: undefined };
  if (enabled && !nodeAt(node, ['name'])) warnOfName(node, index, name, context);
  const place = { node, index, type, subject };
  const transport = readTransport(place, options, context);
  const file = transport && enabled ? checkFile(place, transport, context) : undefined;
  const config = keys && transport && enabled ? completeStream(keys, name, transport, context) : undefined;
  return { node, index, name, enabled, config, schema: transport?.schema, file };
}

/** The keys that core reads, and those that belong to the transport. */
function splitKeys(node: ConfigNode): { core: ConfigNode; options: ConfigNode } {
  if (node.kind !== 'object') return { core: node, options: node };
  const core = new Map<string, Member>();
  const options = new Map<string, Member>();
  for (const [key, member] of node.members) {
    (Object.hasOwn(streamSchema.entries, key) ? core : options).set(key, member);
  }
  return { core: { ...node, members: core }, options: { ...node, members: options } };
}

function warnOfName(node: ConfigNode, index: number, name: string, { problems }: StreamsContext): void {
  problems.add(firstCharacter(node.origin), ['streams', index], {
    code: 'CFG602',
    severity: 'warning',
    message: `streams[${index}] has no name and is called "${name}"`,
    suggestion: 'give it a name, so that its statistics and its backlog stay its own when the order changes',
  });
}

/** The file of a stream, real name, after a look at whether it can be written. */
function checkFile(
  place: StreamPlace,
  transport: StreamTransport,
  context: StreamsContext,
): string | undefined {
  if (place.type !== 'file' && place.type !== 'sqlite') return undefined;
  const { options } = transport;
  const file =
    typeof options === 'object' && options !== null && 'path' in options ? options.path : undefined;
  if (typeof file !== 'string' || file === ':memory:') return undefined;
  const fault = context.probe ? probe(place.type, file) : undefined;
  if (fault) {
    const given = textAt(place.node, ['path']);
    const shown = given === undefined || given === file ? '' : `${JSON.stringify(given)}: `;
    context.problems.add(originAt(place.node, ['path']), ['streams', place.index, 'path'], {
      code: 'CFG401',
      message: `streams[${place.index}].path can't be used: ${shown}${fault.reason}`,
      suggestion: fault.suggestion,
    });
  }
  return realFile(file);
}

function probe(type: string, file: string): ReturnType<typeof probeFile> {
  return probeFile(file) ?? (type === 'sqlite' ? probeDatabase(file) : undefined);
}

function refuseSharedNames(streams: readonly CheckedStream[], { problems }: StreamsContext): void {
  const owners = new Map<string, CheckedStream>();
  for (const stream of streams) {
    const owner = owners.get(stream.name);
    if (owner) {
      problems.add(originAt(stream.node, ['name']), ['streams', stream.index, 'name'], {
        code: 'CFG403',
        message: `streams[${owner.index}] and streams[${stream.index}] are both called ${JSON.stringify(stream.name)}`,
        suggestion: 'rename one of them',
      });
    } else owners.set(stream.name, stream);
  }
}

function refuseSharedFiles(streams: readonly CheckedStream[], { problems }: StreamsContext): void {
  const owners = new Map<string, CheckedStream>();
  for (const stream of streams) {
    if (stream.file === undefined) continue;
    const owner = owners.get(stream.file);
    if (owner) {
      problems.add(originAt(stream.node, ['path']), ['streams', stream.index, 'path'], {
        code: 'CFG402',
        message: `the streams ${JSON.stringify(owner.name)} and ${JSON.stringify(stream.name)} write the same file ${stream.file}`,
        suggestion: 'give one of them another path',
      });
    } else owners.set(stream.file, stream);
  }
}

/** A fallback is another stream that runs, and never leads back. */
function checkFallbacks(streams: readonly CheckedStream[], { problems }: StreamsContext): void {
  const next = new Map(streams.map(({ name, node }) => [name, textAt(node, ['fallback'])]));
  const isEnabled = new Map(streams.map(({ name, enabled }) => [name, enabled]));
  for (const { node, index, name, enabled } of streams) {
    const fallback = textAt(node, ['fallback']);
    if (fallback === undefined) continue;
    const path = ['streams', index, 'fallback'];
    const refuse = (message: string, suggestion?: string): void =>
      problems.add(originAt(node, ['fallback']), path, { code: 'CFG405', message, suggestion });
    const chain = [name];
    for (let at: string | undefined = fallback; at !== undefined; at = next.get(at)) {
      if (chain.includes(at)) break;
      chain.push(at);
    }
    if (!next.has(fallback)) {
      const similar = closest(fallback, [...next.keys()]);
      refuse(
        `the fallback ${JSON.stringify(fallback)} is no stream`,
        similar && `did you mean "${similar}"?`,
      );
    } else if (enabled && !isEnabled.get(fallback)) {
      refuse(
        `the fallback ${JSON.stringify(fallback)} is switched off`,
        'switch it on, or name another stream',
      );
    } else if (next.get(chain.at(-1) ?? '') === name) {
      refuse(`the fallbacks lead in a circle: ${[...chain, name].join(' → ')}`);
    }
  }
}

const CONSOLE_QUEUE_BYTES = 8 * 1024 * 1024;

function completeStream(
  keys: StreamKeys,
  name: string,
  transport: StreamTransport,
  context: StreamsContext,
): StreamConfig {
  const isConsole = keys.type === 'console';
  return {
    name,
    type: keys.type,
    level: keys.level === undefined ? undefined : parseLevel(keys.level),
    maxLevel: keys.maxLevel === undefined ? undefined : parseLevel(keys.maxLevel),
    filter: keys.filter,
    moduleUrl: transport.moduleUrl,
    options: transport.options,
    ...(transport.format && { format: transport.format }),
    batch: batchHints(keys),
    queue: {
      maxBytes: keys.queue?.maxBytes ?? (isConsole ? CONSOLE_QUEUE_BYTES : context.spoolMaxBytes),
      whenFull: keys.queue?.whenFull ?? (isConsole ? 'drop-by-level' : 'spill'),
    },
    ...readRouting(keys),
  };
}

/** The founding `bufferSize` and `flushInterval`, over which the full form wins. */
function batchHints({ type, bufferSize, flushInterval, batch }: StreamKeys): Partial<BatchHints> {
  const inRecords = typeof bufferSize === 'number' && (type === 'sqlite' || type === 'network');
  const hints: { -readonly [Key in keyof BatchHints]?: BatchHints[Key] } = {};
  // A buffer of nothing is a batch of one.
  if (bufferSize !== undefined)
    hints[inRecords ? 'maxRecords' : 'maxBytes'] = Math.max(1, Math.floor(parseBytes(bufferSize)));
  if (flushInterval !== undefined) hints.maxDelayMs = flushInterval;
  if (batch?.maxBytes !== undefined) hints.maxBytes = batch.maxBytes;
  if (batch?.maxRecords !== undefined) hints.maxRecords = batch.maxRecords;
  if (batch?.maxDelayMs !== undefined) hints.maxDelayMs = batch.maxDelayMs;
  return hints;
}
