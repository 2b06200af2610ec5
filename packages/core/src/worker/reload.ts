import { messageOf, raceAbort } from '@treeline/contract';
import type { StreamSpec } from '../protocol.ts';
import { destinationKey } from '../stream-key.ts';
import type { OpenedSink, Stream } from './stream.ts';

/** How long a destination may take to open before the reload is given up. */
const OPEN_TIMEOUT_MS = 10_000;

/** A reload that was given up: the old config holds. */
export class ReloadFailure extends Error {
  readonly stream: string;

  constructor(stream: string, reason: string) {
    super(reason);
    this.stream = stream;
  }
}

/** Opens a stream's destination. */
export type OpenSink = (spec: StreamSpec) => Promise<OpenedSink>;

/** Sinks of new streams, opened before anything changes. Closed again where one of them can't be opened. */
export async function openSinks(
  specs: readonly StreamSpec[],
  open: OpenSink,
): Promise<Map<number, OpenedSink>> {
  const opened = new Map<number, OpenedSink>();
  const outcomes = await Promise.allSettled(
    specs.map(async (spec) => {
      opened.set(spec.id, await openInTime(spec, open));
    }),
  );
  const failed = outcomes.findIndex(({ status }) => status === 'rejected');
  const outcome = outcomes[failed];
  if (outcome?.status !== 'rejected') return opened;
  await Promise.allSettled([...opened.values()].map(({ sink }) => sink.close()));
  throw new ReloadFailure(specs[failed]?.config.name ?? '', messageOf(outcome.reason));
}

async function openInTime(spec: StreamSpec, open: OpenSink): Promise<OpenedSink> {
  const opening = open(spec);
  const opened = await raceAbort(opening, AbortSignal.timeout(OPEN_TIMEOUT_MS));
  if (opened !== 'aborted') return opened;
  // What opens after all is of no use any more.
  void opening.then(
    ({ sink }) => sink.close(),
    () => undefined,
  );
  throw new Error(`its destination did not open within ${OPEN_TIMEOUT_MS / 1000} s`);
}

/**
 * Gives streams new sinks on the destinations that they have, one after the other. Where one fails, those before it get their old
 * options back.
 */
export async function handOver(
  streams: readonly Stream[],
  specs: ReadonlyMap<number, StreamSpec>,
  open: OpenSink,
): Promise<void> {
  const done: { readonly stream: Stream; readonly old: () => Promise<OpenedSink> }[] = [];
  for (const stream of streams) {
    const spec = specs.get(stream.id);
    if (!spec) continue;
    const old = stream.open;
    try {
      await stream.handOver(() => open(spec), AbortSignal.timeout(OPEN_TIMEOUT_MS));
      done.push({ stream, old });
    } catch (error) {
      for (const before of done)
        await before.stream.handOver(before.old, AbortSignal.timeout(OPEN_TIMEOUT_MS)).catch(() => undefined);
      throw new ReloadFailure(stream.name, messageOf(error));
    }
  }
}

/** New streams that write where one writes that goes: they wait until it has left. */
export function waitsFor(spec: StreamSpec, leaving: readonly Stream[]): Stream | undefined {
  const key = destinationKey(spec.config);
  return leaving.find((stream) => stream.destinationKey === key);
}
