import { createBatch } from '../batch.ts';
import { TreelineError } from '../errors.ts';
import type { OptionsSchema, Sink, SinkContext, TransportDefinition } from '../sink.ts';
import { defineTransport, type Transport } from '../transport.ts';
import { record } from './sample-lines.ts';
import type { TransportUnderTest } from './subject.ts';

/** A place in memory that can fail and stall like a real one. */
export interface MemoryDestination {
  readonly bytes: Buffer[];
  readonly positions: Map<string, number>;
  broken: boolean;
  /** Resolves when it takes something again. */
  stalled: Promise<void> | undefined;
}

export interface MemoryOptions {
  readonly path: string;
}

/** What a test makes wrong in a transport that is right otherwise. */
export interface Change {
  readonly definition?: Partial<TransportDefinition<MemoryOptions>>;
  readonly sink?: (sink: Sink, destination: MemoryDestination, context: SinkContext) => Partial<Sink>;
  readonly transport?: (
    transport: Transport<MemoryOptions>,
  ) => (options?: unknown) => ReturnType<Transport<MemoryOptions>>;
}

const UNUSABLE = 'missing/folder/log';

const optionsSchema: OptionsSchema<MemoryOptions> = {
  '~standard': {
    version: 1,
    vendor: 'treeline-test',
    validate(value) {
      if (typeof value !== 'object' || value === null || !('path' in value) || typeof value.path !== 'string')
        return { issues: [{ message: 'must be a text', path: ['path'] }] };
      const unknown = Object.keys(value).filter((key) => key !== 'path');
      if (unknown.length > 0)
        return { issues: unknown.map((key) => ({ message: 'is not an option', path: [key] })) };
      return { value: { path: value.path } };
    },
  },
};

/** A transport into memory with every hook of the suite, for the tests of the suite itself. */
export function memoryTransportUnderTest(change: Change = {}): TransportUnderTest<MemoryOptions> {
  const destinations = new Map<string, MemoryDestination>();
  let resume = (): void => undefined;
  const at = (options: unknown): MemoryDestination => {
    const { path } = options as MemoryOptions;
    const known = destinations.get(path) ?? {
      bytes: [],
      positions: new Map(),
      broken: false,
      stalled: undefined,
    };
    destinations.set(path, known);
    return known;
  };
  const right = defineTransport<MemoryOptions>({
    name: 'memory',
    options: optionsSchema,
    batch: { maxRecords: 1000 },
    async open(options, context) {
      if (options.path === UNUSABLE)
        throw new TreelineError('DESTINATION_UNUSABLE', `"${UNUSABLE}" does not exist`);
      const destination = at(options);
      const sink = openMemory(destination);
      return Object.assign(sink, change.sink?.({ ...sink }, destination, context));
    },
    ...change.definition,
  });
  return {
    transport: change.transport
      ? Object.assign(change.transport(right), { definition: right.definition })
      : right,
    fresh: () => ({ path: `memory-${destinations.size}` }),
    read: (options) => createBatch(Buffer.concat(at(options).bytes)).records(),
    unusable: () => ({ path: UNUSABLE }),
    break(options) {
      at(options).broken = true;
    },
    mend(options) {
      at(options).broken = false;
    },
    stall(options) {
      at(options).stalled = new Promise((resolve) => {
        resume = resolve;
      });
    },
    resume(options) {
      at(options).stalled = undefined;
      resume();
    },
    refused: () => ({ ...record(0), msg: 'refused' }),
    storesPosition: true,
    timeoutMs: 300,
  };
}

function openMemory(destination: MemoryDestination): Sink {
  let open = true;
  const assertOpen = (): void => {
    if (!open) throw new TreelineError('CLOSED', 'the memory sink is closed');
  };
  return {
    async write(batch) {
      assertOpen();
      await destination.stalled;
      if (destination.broken) throw new Error('the destination is down');
      assertOpen();
      const dead = [];
      for (let index = 0; index < batch.count; index++) {
        if (batch.record(index).msg === 'refused') dead.push({ index, reason: 'it says so' });
        else destination.bytes.push(Buffer.from(`${batch.line(index).toString('latin1')}\n`, 'latin1'));
      }
      if (batch.position) destination.positions.set(batch.position.logId, batch.position.seq);
      return { dead };
    },
    async flush() {
      await Promise.resolve();
    },
    async close() {
      open = false;
    },
    settledSeq: (logId) => destination.positions.get(logId),
  };
}
