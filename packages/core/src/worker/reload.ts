import { messageOf, raceAbort } from '@treeline/contract';
import type { StreamSpec } from '../protocol.ts';
import { destinationKey } from '../stream-key.ts';
import type { OpenableSink, Stream } from './stream.ts';

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

export interface SinkSource {
  /** Loads a stream's transport. */
  load(spec: StreamSpec): Promise<OpenableSink>;
}

/** Sinks of new streams, opened before anything changes. Closed again where one of them can't be opened. */
export async function openSinks(
  specs: readonly StreamSpec[],
  source: SinkSource,
): Promise<Map<number, OpenableSink>> {
  const opened = new Map<number, OpenableSink>();
  const outcomes = await Promise.allSettled(
    specs.map(async (spec) => {
      opened.set(spec.id, await openNow(spec, source));
    }),
  );
  const failed = outcomes.findIndex(({ status }) => status === 'rejected');
  const outcome = outcomes[failed];
  if (outcome?.status !== 'rejected') return opened;
  await Promise.allSettled([...opened.values()].map(async (sink) => (await sink.open()).close()));
  throw new ReloadFailure(specs[failed]?.config.name ?? '', messageOf(outcome.reason));
}

/** The sink that is open now is what the first `open` gives; a later one opens anew. */
async function openNow(spec: StreamSpec, source: SinkSource): Promise<OpenableSink> {
  const openable = await source.load(spec);
  const sink = await raceAbort(openable.open(), AbortSignal.timeout(OPEN_TIMEOUT_MS));
  if (sink === 'aborted') throw new Error(`its destination did not open within ${OPEN_TIMEOUT_MS / 1000} s`);
  let isFirst = true;
  return {
    batch: openable.batch,
    async open() {
      if (!isFirst) return openable.open();
      isFirst = false;
      return sink;
    },
  };
}

/**
 * Gives streams new sinks on the destinations that they have, one after the other. Where one fails, those before it get their old
 * options back.
 */
export async function handOver(
  streams: readonly Stream[],
  specs: ReadonlyMap<number, StreamSpec>,
  source: SinkSource,
): Promise<void> {
  const done: { readonly stream: Stream; readonly old: () => Promise<OpenableSink> }[] = [];
  for (const stream of streams) {
    const spec = specs.get(stream.id);
    if (!spec) continue;
    const old = stream.load;
    try {
      await stream.handOver(() => source.load(spec), AbortSignal.timeout(OPEN_TIMEOUT_MS));
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
