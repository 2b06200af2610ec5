import { messageOf, parseDuration } from '@treeline/contract';
import { formatProblems, loadConfig, type PipelineConfig, type StreamConfig } from '@treeline/core/config';
import { serviceOf, streamKey } from '@treeline/core/destination';
import { loadContext, type ConfigFlags } from '../config-source.ts';
import { CommandFailure, EXIT } from '../exit-code.ts';
import { writeError } from '../terminal.ts';

export interface SpoolFlags extends ConfigFlags {
  /** Undefined: what the environment or the working directory names. */
  readonly config?: string;
}

/** What a config says of the state directory: where it is, and whose records in it may go where. */
export interface SpoolState {
  readonly config: PipelineConfig;
  readonly directory: string;
  readonly service: string;
  /** By stream key: a record goes to the stream with the name and the destination that it was for, and to no other. */
  readonly streams: ReadonlyMap<string, StreamConfig>;
}

/** Reads the config that the flags name. */
export function loadSpoolState(flags: SpoolFlags): SpoolState {
  const { config, warnings } = loadConfig(flags.config, loadContext(flags));
  if (warnings.length > 0) writeError(`${formatProblems(warnings)}\n`);
  return {
    config,
    directory: config.stateDirectory,
    service: serviceOf(config),
    streams: new Map(config.streams.map((stream) => [streamKey(stream), stream])),
  };
}

export function readTimeout(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    throw new CommandFailure(EXIT.usage, `--timeout: ${messageOf(error)}`);
  }
}

/** The stream key that a name stands for, where it is not a key itself; a name that two destinations have had is refused. */
export function findStreamKey(name: string, keys: Iterable<string>): string {
  const all = [...new Set(keys)];
  const found = all.includes(name) ? [name] : all.filter((key) => nameOfKey(key) === name);
  const [key, ...others] = found;
  if (key === undefined)
    throw new CommandFailure(EXIT.usage, `nothing is kept for a stream "${name}"; there is: ${list(all)}`);
  if (others.length > 0)
    throw new CommandFailure(
      EXIT.usage,
      `"${name}" has had several destinations; name one of them: ${list(found)}`,
    );
  return key;
}

function nameOfKey(key: string): string {
  return key.slice(0, key.lastIndexOf('@'));
}

function list(keys: readonly string[]): string {
  return keys.length === 0 ? 'nothing' : keys.join(', ');
}
