import { Writable } from 'node:stream';
import { createBatch, selectLines, type Batch } from '../batch.ts';
import type { Sink } from '../sink.ts';
import { parseOptions, type Transport } from '../transport.ts';
import { type Change, type MemoryDestination, type MemoryOptions } from './memory-transport.ts';
import type { FlushingWritable } from './subject.ts';

const never = (): Promise<never> => new Promise(() => undefined);

/** Writes something else than what it was given. */
function writes(change: (batch: Batch) => Batch | undefined): Change {
  return {
    sink: (sink) => ({
      write: async (batch) => {
        const changed = change(batch);
        return changed && sink.write(changed);
      },
    }),
  };
}

function text(batch: Batch, change: (text: string) => string): Batch {
  const changed = Buffer.from(change(batch.bytes.toString('latin1')), 'latin1');
  return createBatch(changed, batch.position && { ...batch.position, seq: batch.seq(0) });
}

/** Keeps the lines whose text passes. */
function keeping(passes: (line: string, index: number) => boolean): Change {
  return writes((batch) => {
    const indexes = [...batch.levels.keys()].filter((index) => passes(batch.line(index).toString(), index));
    return selectLines(batch, indexes);
  });
}

function sinkWith(parts: (sink: Sink, destination: MemoryDestination) => Partial<Sink>): Change {
  return { sink: parts };
}

/** Changes the stream that pino gets. */
function streamWith(change: (stream: FlushingWritable) => void): Change {
  return {
    transport: (transport) => async (options) => {
      const stream = (await transport(options)) as FlushingWritable;
      change(stream);
      return stream;
    },
  };
}

/** A stream of its own making, which tries each chunk once. */
function ownStream(write: (sink: Sink, chunk: Buffer, callback: (error?: Error) => void) => void): Change {
  return {
    transport:
      ({ definition }: Transport<MemoryOptions>) =>
      async (options) => {
        const parsed = await parseOptions(definition, options);
        const sink = await definition.open(parsed, { streamName: 'own', report: () => undefined });
        const stream = new Writable({
          write: (chunk: Buffer, _encoding, callback) => write(sink, chunk, callback),
        });
        return Object.assign(stream, { flush: (callback: () => void) => setTimeout(callback, 50) });
      },
  };
}

const once = (): (() => boolean) => {
  let used = false;
  return () => {
    const first = !used;
    used = true;
    return first;
  };
};

/** Ways to be wrong: what the transport does, how, and the case that must notice. */
export const BROKEN_TRANSPORTS: readonly (readonly [mistake: string, change: Change, caughtBy: string])[] = [
  // Delivery
  ['acknowledges without writing', writes(() => undefined), 'a resolved write has arrived'],
  [
    'writes after it has acknowledged',
    sinkWith((sink) => ({
      write: async (batch) => void setTimeout(() => void sink.write(batch).catch(() => undefined), 20),
    })),
    'a resolved write has arrived',
  ],
  [
    'loses the last record of a batch',
    writes((batch) => selectLines(batch, [...batch.levels.keys()].slice(0, -1))),
    'a resolved write has arrived',
  ],
  [
    'turns a batch round',
    writes((batch) => text(batch, (all) => `${all.trim().split('\n').toReversed().join('\n')}\n`)),
    'batches arrive in order and none is missing',
  ],
  [
    'takes a thousand records at most',
    keeping((_line, index) => index < 1000),
    'a batch of ten thousand records arrives',
  ],
  [
    'blocks its thread',
    sinkWith((sink) => ({
      write: async (batch) => {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
        return sink.write(batch);
      },
    })),
    'a batch of ten thousand records leaves the thread free',
  ],
  ['waits for a second record', keeping((_line, index) => index > 0), 'a batch of one record arrives'],
  [
    'fails on an empty batch',
    sinkWith((sink) => ({
      write: async (batch) => {
        batch.record(0);
        if (batch.count === 0) throw new Error('empty');
        return sink.write(batch);
      },
    })),
    'a batch without records is no error',
  ],
  [
    'cuts long lines',
    writes((batch) =>
      text(batch, (all) =>
        all
          .split('\n')
          .map((line) => line.slice(0, 100_000))
          .join('\n'),
      ),
    ),
    'a line of a megabyte arrives whole',
  ],
  [
    'leaves lines over 64 KiB out',
    keeping((line) => line.length < 65_536),
    'lines of many lengths arrive whole',
  ],
  [
    'writes latin1',
    writes((batch) =>
      text(batch, (all) =>
        Buffer.from(all, 'latin1')
          .toString()
          .replaceAll(/[^\n\x20-\x7e]/g, '?'),
      ),
    ),
    'text beyond ASCII arrives as it was',
  ],
  [
    'unescapes control characters',
    writes((batch) => text(batch, (all) => all.replaceAll('\\u001b[31m', ''))),
    'control characters inside a text arrive as they were',
  ],
  [
    'knows six levels',
    writes((batch) => text(batch, (all) => all.replaceAll('"level":35', '"level":30'))),
    'every level arrives, also a level of the user',
  ],
  [
    'adds a time',
    writes((batch) => text(batch, (all) => all.replaceAll('{"level":30,"a"', '{"level":30,"time":1,"a"'))),
    'a record without time and message arrives',
  ],
  [
    'flattens dotted keys',
    writes((batch) => text(batch, (all) => all.replaceAll('"a.b":2', '"a":{"b":2}'))),
    'awkward keys arrive',
  ],
  [
    'leaves null out',
    writes((batch) => text(batch, (all) => all.replaceAll('null,', ''))),
    'numbers, booleans, null and empty values arrive as they were',
  ],
  [
    'cuts nesting',
    keeping((line) => !line.includes('{"nested":'.repeat(50))),
    'a nested record arrives whole',
  ],
  [
    'leaves equal lines out',
    writes((batch) => text(batch, (all) => `${[...new Set(all.trim().split('\n'))].join('\n')}\n`)),
    'equal records all arrive',
  ],
  [
    'leaves out what is no JSON',
    keeping((line) => line.startsWith('{')),
    'a line that is no JSON arrives as text',
  ],
  [
    'fails on a line that is no UTF-8',
    sinkWith((sink) => ({
      write: async (batch) => {
        new TextDecoder('utf-8', { fatal: true }).decode(batch.bytes);
        return sink.write(batch);
      },
    })),
    'a line that is no UTF-8 harms no other',
  ],
  [
    'writes the whole buffer below a slice',
    writes((batch) =>
      createBatch(
        Buffer.from(batch.bytes.buffer).subarray(
          batch.bytes.byteOffset === 0 ? 0 : batch.bytes.byteOffset - 1,
          batch.bytes.byteOffset + batch.bytes.length,
        ),
      ),
    ),
    'slices, selections and joins of batches arrive',
  ],
  [
    'changes the records that it shares',
    writes((batch) => {
      for (const each of batch.records()) each['seen'] = true;
      return batch;
    }),
    'a batch is left as it was, since other sinks share it',
  ],
  [
    'forgets positions',
    sinkWith(() => ({ settledSeq: () => undefined })),
    'a position is stored with its batch',
  ],

  // Lifetime
  ['has no name', { definition: { name: '' } }, 'the definition has a name and batch hints that can be met'],
  [
    'wants no records in a batch',
    { definition: { batch: { maxRecords: 0 } } },
    'the definition has a name and batch hints that can be met',
  ],
  [
    'takes any option',
    {
      definition: {
        options: {
          '~standard': {
            version: 1,
            vendor: 'lax',
            validate: (value) => ({ value: value as MemoryOptions }),
          },
        },
      },
    },
    'an unknown option is refused by name',
  ],
  [
    'takes anything for options',
    {
      definition: {
        options: {
          '~standard': {
            version: 1,
            vendor: 'lax',
            validate: (value) => ({ value: value as MemoryOptions }),
          },
        },
      },
    },
    'options that are no object are refused',
  ],
  [
    'opens whatever it is told',
    {
      definition: {
        open: async () => ({
          write: async () => undefined,
          flush: async () => undefined,
          close: async () => undefined,
        }),
      },
    },
    'a destination that can not be opened is refused with a message that names it',
  ],
  [
    'only says that it failed',
    {
      definition: {
        open: async () => {
          throw new Error('ENOENT');
        },
      },
    },
    'a destination that can not be opened is refused with a message that names it',
  ],
  ['waits for a write to flush', sinkWith(() => ({ flush: never })), 'flush without a write resolves'],
  [
    'flushes once',
    sinkWith((sink) => {
      const first = once();
      return { flush: async () => (first() ? sink.flush() : never()) };
    }),
    'flush may be repeated',
  ],
  [
    'rejects a write while it flushes',
    sinkWith((sink) => {
      let writing = false;
      return {
        write: async (batch) => {
          writing = true;
          await new Promise((resolve) => setTimeout(resolve, 5));
          writing = false;
          return sink.write(batch);
        },
        flush: async () => {
          if (writing) throw new Error('busy');
        },
      };
    }),
    'flush while a write is under way harms neither',
  ],
  [
    'fails at the second close',
    sinkWith((sink) => {
      const first = once();
      return {
        close: async () => {
          if (!first()) throw new Error('closed already');
          await sink.close();
        },
      };
    }),
    'closing twice is no error',
  ],
  [
    'never ends the second close',
    sinkWith((sink) => {
      const first = once();
      return { close: async () => (first() ? sink.close() : never()) };
    }),
    'closing twice at the same time is no error',
  ],
  [
    'writes a farewell',
    sinkWith((sink, destination) => ({
      close: async () => {
        destination.bytes.push(Buffer.from('bye\n'));
        await sink.close();
      },
    })),
    'closing without a write leaves an empty destination',
  ],
  [
    'holds records back until flush',
    sinkWith((sink) => {
      const held: Batch[] = [];
      return {
        write: async (batch) => void held.push(batch),
        flush: async () => {
          for (const batch of held.splice(0)) await sink.write(batch);
        },
      };
    }),
    'what was written is there after close without flush',
  ],
  [
    'takes writes after close',
    sinkWith(() => ({ close: async () => undefined })),
    'a write after close rejects',
  ],
  [
    'lets a write after close wait',
    sinkWith((sink) => {
      let open = true;
      return {
        write: async (batch) => (open ? sink.write(batch) : never()),
        close: async () => {
          open = false;
        },
      };
    }),
    'a write after close rejects',
  ],
  [
    'begins anew each time',
    sinkWith((sink, destination) => {
      destination.bytes.length = 0;
      return sink;
    }),
    'opened again, it goes on behind what is there',
  ],
  [
    'reports a fault that there was not',
    {
      sink: (_sink, _destination, context) => {
        context.report({ type: 'down', reason: 'just so' });
        return {};
      },
    },
    'an ordinary life reports no fault',
  ],
  [
    'leaves a timer behind',
    sinkWith(() => {
      const timer = setInterval(() => undefined, 1000);
      setTimeout(() => clearInterval(timer), 2000).unref();
      return {};
    }),
    'closing leaves nothing behind that keeps the process alive',
  ],

  // As a pino target
  [
    'checks the keys that pino adds',
    {
      transport: (transport) => async (options) => {
        await parseOptions(transport.definition, options);
        return transport(options);
      },
    },
    'as a pino target, the keys that pino adds to the options are no mistake',
  ],
  [
    'opens when the first line comes',
    { transport: () => async () => Object.assign(new Writable(), { flush: () => undefined }) },
    'as a pino target, a destination that can not be opened rejects',
  ],
  [
    'decodes each chunk for itself',
    streamWith((stream) => {
      const write = stream.write.bind(stream) as (chunk: unknown) => boolean;
      stream.write = (chunk: Buffer) => write(chunk.toString());
    }),
    'as a pino target, chunks may end in the middle of a character',
  ],
  [
    'takes bytes only',
    streamWith((stream) => {
      const write = stream.write.bind(stream) as (chunk: unknown) => boolean;
      stream.write = (chunk: unknown) => typeof chunk === 'string' || write(chunk);
    }),
    'as a pino target, texts are taken as well as bytes',
  ],
  [
    'makes records of empty lines',
    streamWith((stream) => {
      const write = stream.write.bind(stream) as (chunk: unknown) => boolean;
      stream.write = (chunk: Buffer | string) => write(chunk.toString().replaceAll('\n\n', '\n{}\n'));
    }),
    'as a pino target, empty lines leave no record',
  ],
  [
    'has no flush',
    { transport: () => async () => new Writable() },
    'as a pino target, flush calls back when the records have arrived',
  ],
  [
    'calls back before it has flushed',
    streamWith((stream) => {
      stream.flush = (callback) => process.nextTick(callback);
    }),
    'as a pino target, flush calls back when the records have arrived',
  ],
  [
    'flushes at the next write',
    streamWith((stream) => {
      stream.flush = () => undefined;
    }),
    'as a pino target, flush without a write calls back',
  ],
  [
    'calls back when one batch has gone',
    streamWith((stream) => {
      const flush = stream.flush.bind(stream);
      const first = once();
      stream.flush = (callback) => (first() ? flush(callback) : process.nextTick(callback));
    }),
    'as a pino target, each flush covers what was written before it',
  ],
  [
    'forgets flushes after the end',
    streamWith((stream) => {
      const flush = stream.flush.bind(stream);
      stream.flush = (callback) => {
        if (!stream.writableEnded) flush(callback);
      };
    }),
    'as a pino target, flush after the end calls back',
  ],
  [
    'leaves the last line behind',
    streamWith((stream) => {
      const write = stream.write.bind(stream) as (chunk: unknown) => boolean;
      stream.write = (chunk: Buffer) => write(chunk.subarray(0, chunk.lastIndexOf(10) + 1));
    }),
    'as a pino target, a last line without a line feed arrives',
  ],
  [
    'closes before it has written',
    streamWith((stream) => {
      stream.end = () => stream.destroy();
    }),
    'as a pino target, ending emits close after everything has arrived',
  ],
  [
    'never drains',
    streamWith((stream) => {
      const write = stream.write.bind(stream) as (chunk: unknown) => boolean;
      stream.write = (chunk: unknown) => {
        write(chunk);
        return false;
      };
      stream.emit = () => false;
    }),
    'as a pino target, a writer that heeds back-pressure gets everything through',
  ],
  [
    'makes an error of being destroyed',
    streamWith((stream) => {
      stream._destroy = (_error, callback) => callback(new Error('destroyed'));
    }),
    'as a pino target, destroying it closes it without an error',
  ],

  // Faults
  [
    'swallows what a broken destination refuses',
    sinkWith((sink) => ({ write: async (batch) => sink.write(batch).catch(() => undefined) })),
    'a write to a broken destination is not taken for delivered',
  ],
  [
    'never recovers',
    sinkWith((sink) => {
      let failed = false;
      return {
        write: async (batch) => {
          if (failed) throw new Error('failed before');
          return sink.write(batch).catch((error: unknown) => {
            failed = true;
            throw error;
          });
        },
      };
    }),
    'what a broken destination did not take arrives when it is mended',
  ],
  [
    'lets later batches overtake',
    sinkWith((sink) => {
      const held: Batch[] = [];
      return {
        write: async (batch) => sink.write(batch).catch(() => void held.push(batch)),
        flush: async () => {
          for (const batch of held) await sink.write(batch);
        },
      };
    }),
    'what a broken destination did not take arrives when it is mended',
  ],
  [
    'flushes until the destination is back',
    sinkWith((_sink, destination) => ({ flush: async () => (destination.broken ? never() : undefined) })),
    'flushing a broken destination settles',
  ],
  [
    'fails to close a broken destination',
    sinkWith((sink, destination) => ({
      close: async () => {
        if (destination.broken) throw new Error('broken');
        await sink.close();
      },
    })),
    'closing a broken destination is no error',
  ],
  [
    'makes an error event of a fault',
    ownStream((sink, chunk, callback) => {
      sink.write(createBatch(chunk)).then(() => callback(), callback);
    }),
    'as a pino target, a broken destination emits no error, and all arrives when it is mended',
  ],
  [
    'waits for ever for its destination',
    ownStream(() => undefined),
    'as a pino target, it closes in time and without an error though its destination stays broken',
  ],
  [
    'takes more while nothing leaves',
    sinkWith((sink) => ({ write: async (batch) => void sink.write(batch).catch(() => undefined) })),
    'a write waits while its destination takes nothing, and the thread stays free',
  ],
  [
    'blocks while nothing leaves',
    sinkWith((sink, destination) => ({
      write: async (batch) => {
        if (destination.stalled) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500);
        return sink.write(batch);
      },
    })),
    'a write waits while its destination takes nothing, and the thread stays free',
  ],
  [
    'closes after the last write',
    sinkWith((sink, destination) => ({
      close: async () => {
        await destination.stalled;
        await sink.close();
      },
    })),
    'closing while a write is stuck resolves',
  ],
  [
    'refuses the whole batch',
    sinkWith((sink) => ({
      write: async (batch) =>
        batch.records().some(({ msg }) => msg === 'refused')
          ? { dead: [...batch.levels.keys()].map((index) => ({ index, reason: 'one is bad' })) }
          : sink.write(batch),
    })),
    'records that are refused for good are named, and the others arrive',
  ],
  [
    'gives no reason',
    sinkWith((sink) => ({
      write: async (batch) => {
        const result = await sink.write(batch);
        return { dead: (result?.dead ?? []).map((each) => ({ ...each, reason: '' })) };
      },
    })),
    'records that are refused for good are named, and the others arrive',
  ],
  [
    'tries a refused record for ever',
    sinkWith((sink) => ({
      write: async (batch) => {
        if (batch.records().some(({ msg }) => msg === 'refused')) throw new Error('bad request');
        return sink.write(batch);
      },
    })),
    'as a pino target, a refused record holds nobody up',
  ],
];
