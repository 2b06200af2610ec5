import { once } from 'node:events';
import { Readable, type ReadableOptions } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { captureLogs } from '../capture-logs.ts';

const config = { level: 'trace', enhancedFeatures: { streamTracking: { enabled: true } } };

interface Log {
  pulled: number;
  ended: string;
}

/** A source that notes how far it was read and whether it was told to stop. */
async function* source(
  chunks: readonly string[],
  log: Log,
  error?: Error,
): AsyncGenerator<string, string, undefined> {
  try {
    for (const chunk of chunks) {
      await sleep(1);
      log.pulled++;
      yield chunk;
    }
    if (error) throw error;
    log.ended = 'complete';
    return 'value of the end';
  } finally {
    log.ended ||= 'stopped';
  }
}

type Kind = (from: AsyncGenerator<string, string, undefined>) => AsyncIterable<string>;

const KINDS: [string, Kind][] = [
  ['an async iterable', (from) => from],
  ['a Node stream', (from) => Readable.from(from)],
  [
    'a web stream',
    (from) =>
      new ReadableStream<string>(
        {
          async pull(controller) {
            const { done, value } = await from.next();
            if (done) controller.close();
            else controller.enqueue(value);
          },
          async cancel() {
            await from.return('');
          },
        },
        { highWaterMark: 0 },
      ),
  ],
];

describe.each(KINDS)('trackStream over %s', (_, make) => {
  test('passes chunks through and tells how the stream went', async () => {
    const { result, trees, lines } = await captureLogs(
      async (logger) => {
        const log = { pulled: 0, ended: '' };
        const tracked = logger.trackStream(make(source(['one', 'zwei', 'drëi'], log)), {
          name: 'answer',
          attributes: { model: 'm' },
          tokens: () => 2,
        });
        const chunks: string[] = [];
        for await (const chunk of tracked) chunks.push(chunk);
        return { chunks, log };
      },
      { config },
    );
    expect(result).toEqual({ chunks: ['one', 'zwei', 'drëi'], log: { pulled: 3, ended: 'complete' } });
    expect(trees).toMatchObject([
      {
        name: 'answer',
        status: 'ok',
        attrs: {
          model: 'm',
          'stream.chunks': 3,
          'stream.bytes': 12,
          'stream.tokens': 6,
          'stream.ended': 'complete',
        },
      },
    ]);
    for (const name of ['first_chunk_ms', 'largest_gap_ms', 'bytes_per_s', 'tokens_per_s'])
      expect(trees[0]?.attrs[`stream.${name}`]).toBeGreaterThan(0);
    expect(lines.join('')).not.toContain('zwei');
  });

  test('passes the source’s error on, the same one, and closes as failed', async () => {
    const error = new Error('broke off');
    const { result, trees } = await captureLogs(
      async (logger) => {
        try {
          for await (const chunk of logger.trackStream(
            make(source(['one'], { pulled: 0, ended: '' }, error)),
          ))
            void chunk;
        } catch (caught) {
          return caught;
        }
        return undefined;
      },
      { config },
    );
    expect(result).toBe(error);
    expect(trees).toMatchObject([
      {
        name: 'stream',
        status: 'error',
        attrs: { 'stream.chunks': 1, 'stream.ended': 'error' },
        err: { message: 'broke off' },
      },
    ]);
  });

  test('tells the source when the reader stops early, and closes as aborted', async () => {
    const log = { pulled: 0, ended: '' };
    const { trees } = await captureLogs(
      async (logger) => {
        for await (const chunk of logger.trackStream(
          make(source(['one', 'two', 'three', 'four', 'five'], log)),
        )) {
          if (chunk === 'two') break;
        }
        await expect.poll(() => log.ended).toBe('stopped');
        await expect.poll(() => logger.activeSpans()).toEqual([]);
      },
      { config },
    );
    expect(trees).toMatchObject([{ status: 'aborted', attrs: { 'stream.ended': 'returned' } }]);
  });

  test('is read no faster than its reader reads', async () => {
    const chunks = Array.from({ length: 1000 }, (__, index) => `c${index}`);
    const log = { pulled: 0, ended: '' };
    await captureLogs(
      async (logger) => {
        const iterator = logger.trackStream(make(source(chunks, log)))[Symbol.asyncIterator]();
        await iterator.next();
        await sleep(100);
        // Node's own streams read ahead by their high-water mark.
        expect(log.pulled).toBeLessThanOrEqual(20);
        await iterator.return?.();
      },
      { config },
    );
  });

  test('is the source itself where tracking is off', async () => {
    await captureLogs((logger) => {
      const stream = make(source([], { pulled: 0, ended: '' }));
      expect(logger.trackStream(stream)).toBe(stream);
    });
  });
});

describe('trackStream', () => {
  test('lets what the source logs belong to the stream, and the reader’s lines not', async () => {
    const { trees } = await captureLogs(
      async (logger) => {
        const tracked = logger.trackStream(
          (async function* () {
            logger.info('from the source');
            yield 1;
          })(),
        );
        for await (const _ of tracked) logger.info('from the reader');
      },
      { config },
    );
    expect(trees[0]?.events.map(({ msg }) => msg)).toEqual(['from the source']);
  });

  test('gives the value of the end, and is not broken by a counter that throws', async () => {
    const { result, trees } = await captureLogs(
      async (logger) => {
        const tracked = logger.trackStream(source(['a'], { pulled: 0, ended: '' }), {
          bytes: () => {
            throw new Error('no');
          },
        });
        return [await tracked.next(), await tracked.next(), await tracked.next()];
      },
      { config },
    );
    expect(result).toEqual([
      { done: false, value: 'a' },
      { done: true, value: 'value of the end' },
      { done: true, value: undefined },
    ]);
    expect(trees[0]?.attrs).toMatchObject({
      'stream.chunks': 1,
      'stream.bytes': 0,
      'stream.failed_counts': 1,
    });
  });

  test('that is called off closes as aborted, without an error', async () => {
    const { trees } = await captureLogs(
      async (logger) => {
        const reading = logger.trackStream(
          source(['a'], { pulled: 0, ended: '' }, AbortSignal.abort().reason as Error),
        );
        await reading.next();
        await expect(reading.next()).rejects.toThrow('aborted');
      },
      { config },
    );
    expect(trees).toMatchObject([
      { status: 'aborted', attrs: { 'stream.ended': 'aborted' }, err: undefined },
    ]);
  });

  test('logs contents where it is asked to, cut', async () => {
    const { trees } = await captureLogs(
      async (logger) => {
        const tracked = logger.trackStream(source(['short', 'x'.repeat(5000)], { pulled: 0, ended: '' }), {
          logContents: 'debug',
        });
        for await (const chunk of tracked) void chunk;
      },
      { config },
    );
    const contents = trees[0]?.events.map(({ content }) => String(content)) ?? [];
    expect(contents[0]).toBe('short');
    expect(contents[1]).toHaveLength(1024);
  });

  test('keeps a Node stream’s bytes and encoding', async () => {
    await captureLogs(
      async (logger) => {
        const bytes = logger.trackStream(Readable.from([Buffer.from('äb')], { objectMode: false }));
        expect(await bytes.toArray()).toEqual([Buffer.from('äb')]);
        const text = Readable.from([Buffer.from('äb')], { objectMode: false }).setEncoding('utf8');
        expect(await logger.trackStream(text).toArray()).toEqual(['äb']);
      },
      { config },
    );
  });

  test('is cancelled with its web stream’s reason, and destroyed with its Node stream', async () => {
    await captureLogs(
      async (logger) => {
        let reason: unknown;
        const web = new ReadableStream<string>({ cancel: (given) => void (reason = given) });
        await logger.trackStream(web).cancel('enough');
        expect(reason).toBe('enough');
        const node = new Readable({ read: () => undefined });
        logger.trackStream(node).destroy();
        await expect.poll(() => node.destroyed).toBe(true);
      },
      { config },
    );
  });

  test('refuses what is no stream', async () => {
    await captureLogs(
      (logger) => {
        expect(() => logger.trackStream(5 as never)).toThrow(
          'source must be a stream or an async iterable; got number',
        );
      },
      { config },
    );
  });
});

describe('a tracked Node stream', () => {
  /** A source that gives what is pushed into it, and then waits. */
  const waiting = (options: ReadableOptions = {}): Readable => new Readable({ read() {}, ...options });

  test.each([[undefined], [new Error('the client is gone')]])(
    'destroys its source when the reader leaves while a read waits (%s)',
    async (error) => {
      const from = waiting();
      const { trees } = await captureLogs(
        async (logger) => {
          const tracked = logger.trackStream(from);
          tracked.on('error', () => {});
          const arrived = once(tracked, 'data');
          from.push('one');
          await arrived;
          const closed = once(from, 'close');
          tracked.destroy(error);
          await closed;
        },
        { config },
      );
      expect(trees[0]).toMatchObject({ status: 'aborted', attrs: { 'stream.ended': 'returned' } });
    },
  );

  const read = async (stream: Readable): Promise<unknown[]> => {
    const chunks: unknown[] = [];
    stream.on('data', (chunk) => chunks.push(chunk));
    await once(stream, 'end');
    return chunks;
  };

  test.each<BufferEncoding>(['utf8', 'latin1', 'hex', 'base64', 'utf16le'])(
    'passes texts on as they are, whatever their encoding is (%s)',
    async (encoding) => {
      const bytes = [Buffer.from('äé\u00ff'), Buffer.from(' ok')];
      const { result } = await captureLogs((logger) => read(logger.trackStream(filled(bytes, encoding))), {
        config,
      });
      expect(result).toEqual(await read(filled(bytes, encoding)));
    },
  );

  function filled(chunks: readonly unknown[], encoding?: BufferEncoding): Readable {
    const stream = waiting(encoding && { encoding });
    for (const chunk of chunks) stream.push(chunk);
    stream.push(null);
    return stream;
  }

  test('keeps chunks apart that wait in the source', async () => {
    const { result } = await captureLogs((logger) => read(logger.trackStream(filled(['a', 'b', 'c']))), {
      config,
    });
    expect(result.map(String)).toEqual(['a', 'b', 'c']);
  });

  test('passes an error on that comes before the first read', async () => {
    const from = waiting();
    const { trees } = await captureLogs(
      async (logger) => {
        const tracked = logger.trackStream(from);
        const failed = once(tracked, 'error');
        from.destroy(new Error('early'));
        expect(await failed).toEqual([new Error('early')]);
      },
      { config },
    );
    expect(trees[0]).toMatchObject({ status: 'error', attrs: { 'stream.ended': 'error' } });
  });

  test('ends with a source that has ended before', async () => {
    const from = filled([]);
    from.resume();
    await once(from, 'close');
    const { result } = await captureLogs((logger) => logger.trackStream(from).toArray(), { config });
    expect(result).toEqual([]);
  });

  test('refuses a level of contents that is none, before it touches the source', async () => {
    await captureLogs(
      (logger) => {
        expect(() => logger.trackStream(waiting(), { logContents: 'nope' as 'info' })).toThrow(
          new RangeError('logContents must be a level; got "nope"'),
        );
        expect(logger.activeSpans()).toEqual([]);
      },
      { config },
    );
  });
});
