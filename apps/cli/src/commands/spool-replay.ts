import { formatDuration, messageOf } from '@treeline/contract';
import type { StreamConfig } from '@treeline/core';
import { openDestination } from '@treeline/core/destination';
import { awaitEndSignal } from '../end-signal.ts';
import { EXIT } from '../exit-code.ts';
import { readLetterGroups } from '../spool/dead-letters.ts';
import { replayLetters, type Replayed } from '../spool/replay.ts';
import {
  findStreamKey,
  loadSpoolState,
  readTimeout,
  type SpoolFlags,
  type SpoolState,
} from '../spool/state.ts';
import { tell } from '../terminal.ts';

export interface SpoolReplayFlags extends SpoolFlags {
  /** The name or key of the one stream whose dead letters are meant. */
  readonly stream?: string;
  /** How long a destination may take nothing. */
  readonly timeout: string;
}

/** Sends dead letters again, each to the stream that it was for. What is refused once more, or not taken, stays. */
export async function replay(flags: SpoolReplayFlags): Promise<number> {
  const timeoutMs = readTimeout(flags.timeout);
  const state = loadSpoolState(flags);
  const end = awaitEndSignal();
  const stop = new AbortController();
  void end.arrived.then(() => stop.abort());
  let isComplete = true;
  for (const key of keysToReplay(state, flags.stream)) {
    const stream = state.streams.get(key);
    if (stream === undefined) {
      isComplete = false;
      tell(`${key}: its dead letters stay: no stream of this config has its name and destination`);
      continue;
    }
    const replayed = await replayStream(state, key, stream, { timeoutMs, stop: stop.signal });
    isComplete &&= replayed !== undefined && replayed.refused === 0 && replayed.left === 0;
    if (replayed) tell(`${stream.name}: ${describe(replayed, timeoutMs, stop.signal.aborted)}`);
  }
  end.raise();
  return isComplete ? EXIT.ok : EXIT.failed;
}

function keysToReplay({ directory, service }: SpoolState, name: string | undefined): string[] {
  const keys = readLetterGroups(directory)
    .filter((group) => group.service === service)
    .map(({ streamKey }) => streamKey);
  if (name !== undefined) return [findStreamKey(name, keys)];
  if (keys.length === 0) tell(`there are no dead letters of ${service} in ${directory}`);
  return keys;
}

/** Undefined where it could not be done. */
async function replayStream(
  { config, directory, service }: SpoolState,
  streamKey: string,
  stream: StreamConfig,
  { timeoutMs, stop }: { readonly timeoutMs: number; readonly stop: AbortSignal },
): Promise<Replayed | undefined> {
  const ended = new AbortController();
  const durability = config.durability === 'power' ? 'power' : 'process';
  const place = { stateDirectory: directory, service, streamKey, durability } as const;
  try {
    const destination = await openDestination(stream, {
      ended: ended.signal,
      report: ({ type, reason }) => {
        if (type !== 'up') tell(`${stream.name}: ${type}: ${reason}`);
      },
    });
    try {
      return await replayLetters(place, { ...destination, timeoutMs, stop });
    } finally {
      await destination.sink.close();
    }
  } catch (error) {
    tell(`${stream.name}: ${messageOf(error)}; its dead letters stay`);
    return undefined;
  } finally {
    ended.abort();
  }
}

function describe({ delivered, refused, left }: Replayed, timeoutMs: number, isInterrupted: boolean): string {
  const why = isInterrupted
    ? 'the replay was interrupted'
    : `the destination took nothing for ${formatDuration(timeoutMs)}`;
  const parts = [
    ...(refused > 0 ? [`${refused} refused again, and kept`] : []),
    ...(left > 0 ? [`${left} kept: ${why}`] : []),
  ];
  return [`${delivered} delivered`, ...parts].join(', ');
}
