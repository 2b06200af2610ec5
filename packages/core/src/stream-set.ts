import type { StreamConfig } from './config/config.ts';
import type { ReloadPlan } from './config/reload-plan.ts';
import { StreamCounters, type DropReason } from './control-block.ts';
import type { RetiredStream, StreamSpec } from './protocol.ts';
import { addStats, readStreamStats, type StreamStats } from './stats.ts';
import { streamKey } from './stream-key.ts';

/** Records of the log that nothing can give back any more, and how far the worker had offered the log to the streams. */
interface LostRange {
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly offeredSeq: number;
  readonly reason: DropReason;
  /** Whether the worker may have counted some of them already. */
  readonly isPartlyCounted: boolean;
}

interface KeptStream {
  readonly spec: StreamSpec;
  readonly counters: StreamCounters;
}

/** What a reload makes of the streams. */
export interface PlannedStreams {
  /** Those of the new config. */
  readonly specs: readonly StreamSpec[];
  readonly handover: readonly number[];
  /** Ids of those that go. */
  readonly leaving: readonly number[];
}

/** The main thread's view of a pipeline's streams: those of the config, those that still deliver after they went, and what others did. */
export class StreamSet {
  #streams: KeptStream[];
  /** What streams of a name did that are gone: a stream that is replaced goes on counting. */
  readonly #past = new Map<string, StreamStats>();
  /** What became of those that went, by id, until somebody has asked. */
  readonly #gone = new Map<number, { readonly name: string; readonly stats: StreamStats }>();
  #nextId = 1;

  constructor(configs: readonly StreamConfig[]) {
    this.#streams = configs.map((config) => this.#create(config));
  }

  get specs(): readonly StreamSpec[] {
    return this.#streams.map(({ spec }) => spec);
  }

  /** Other streams, while there is no pipeline yet. */
  replace(configs: readonly StreamConfig[]): void {
    this.#streams = configs.map((config) => this.#create(config));
  }

  plan(configs: readonly StreamConfig[], { streams }: ReloadPlan): PlannedStreams {
    const actions = new Map(streams.map(({ name, action }) => [name, action]));
    const handover: number[] = [];
    const specs = configs.map((config): StreamSpec => {
      const action = actions.get(config.name);
      const before = this.#current.find(({ spec }) => spec.config.name === config.name);
      if (!before || action === 'add' || action === 'swap') return this.#create(config).spec;
      if (action === 'handover') handover.push(before.spec.id);
      return { ...before.spec, config };
    });
    const ids = new Set(specs.map(({ id }) => id));
    const leaving = this.#current.map(({ spec }) => spec.id).filter((id) => !ids.has(id));
    return { specs, handover, leaving };
  }

  /** The plan has been carried out. */
  swap(specs: readonly StreamSpec[], retired: readonly RetiredStream[]): void {
    const untilSeqs = new Map(retired.map(({ id, untilSeq }) => [id, untilSeq]));
    const ids = new Set(specs.map(({ id }) => id));
    const leaving = this.#streams
      .filter(({ spec }) => !ids.has(spec.id))
      .map((stream) => {
        const untilSeq = untilSeqs.get(stream.spec.id);
        return untilSeq === undefined ? stream : { ...stream, spec: { ...stream.spec, untilSeq } };
      });
    this.#streams = [
      ...specs.map((spec) => ({ spec, counters: StreamCounters.attach(spec.counters) })),
      ...leaving,
    ];
  }

  /** A stream that went is done. */
  finish(id: number): void {
    const stream = this.#streams.find(({ spec }) => spec.id === id);
    if (!stream) return;
    this.#streams = this.#streams.filter((other) => other !== stream);
    const { name } = stream.spec.config;
    const stats = readStreamStats(stream.counters, undefined);
    this.#gone.set(id, { name, stats });
    this.#past.set(name, addStats(this.#past.get(name), stats));
  }

  /** What became of streams that went, by name; undefined while one of them is not done. */
  retiredStats(ids: readonly number[]): Readonly<Record<string, StreamStats>> | undefined {
    const gone = ids.map((id) => this.#gone.get(id)).filter((each) => each !== undefined);
    if (gone.length < ids.length) return undefined;
    for (const id of ids) this.#gone.delete(id);
    return Object.fromEntries(gone.map(({ name, stats }) => [name, stats]));
  }

  /** By name; a stream's numbers go on where it was replaced. */
  stats(lastErrors: ReadonlyMap<string, string>): Record<string, StreamStats> {
    const result: Record<string, StreamStats> = {};
    for (const { spec } of this.#current) {
      const { name } = spec.config;
      const others = this.#streams.filter(
        ({ spec: other }) => other.config.name === name && other.untilSeq !== undefined,
      );
      const own = this.#streams.find(({ spec: other }) => other.id === spec.id);
      let stats = this.#past.get(name);
      for (const { counters } of others) stats = addStats(stats, readStreamStats(counters, undefined));
      if (own) result[name] = addStats(stats, readStreamStats(own.counters, lastErrors.get(name)));
    }
    return result;
  }

  settledSeqs(): Map<string, number> {
    return new Map(
      this.#streams.map(({ spec, counters }) => [streamKey(spec.config), counters.read('settledSeq')]),
    );
  }

  /**
   * Counts what each stream had still to get of them, where no worker does it any more; tells it by name. Of what was not offered yet no
   * stream's share is known: all counts as its own.
   */
  lose({ fromSeq, toSeq, offeredSeq, reason, isPartlyCounted }: LostRange): Map<string, number> {
    const lost = new Map<string, number>();
    for (const { spec, counters } of this.#streams) {
      const { queued, queuedAdopted, settledSeq } = counters.snapshot();
      const lastSeq = Math.min(toSeq, spec.untilSeq ?? toSeq);
      const first = Math.max(fromSeq, settledSeq + 1);
      const offered = Math.max(0, Math.min(lastSeq, offeredSeq) - first + 1);
      const own = queued - queuedAdopted;
      // Of what waits, the records behind the range may have as many as there are.
      const behind = isPartlyCounted ? Math.max(0, offeredSeq - Math.max(settledSeq, toSeq)) : 0;
      const waiting = Math.max(0, Math.min(own - behind, offered));
      const count = waiting + Math.max(0, lastSeq - Math.max(first, offeredSeq + 1) + 1);
      if (count === 0) continue;
      counters.add({ accepted: count - waiting, queued: -waiting, [reason]: count });
      const { name } = spec.config;
      lost.set(name, (lost.get(name) ?? 0) + count);
    }
    return lost;
  }

  forgetQueued(): void {
    for (const { counters } of this.#streams) counters.forgetQueued();
  }

  get #current(): readonly KeptStream[] {
    return this.#streams.filter(({ spec }) => spec.untilSeq === undefined);
  }

  #create(config: StreamConfig): KeptStream {
    const counters = StreamCounters.create();
    return { spec: { id: this.#nextId++, config, counters: counters.buffer }, counters };
  }
}
