import type { LogRecord } from '@treeline/contract';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { captureLogs } from '../capture-logs.ts';

const spanLines = (records: readonly LogRecord[]): unknown[] => records.map(({ span }) => span);

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

describe('a span', () => {
  test('writes an open line, numbers what is logged inside, and closes with its duration and the count of its lines', async () => {
    const { records, lines } = await captureLogs((logger) =>
      logger.span('work', { size: 3 }, () => {
        logger.info('one');
        logger.child({ name: 'db' }).warn({ rows: 1 }, 'two');
      }),
    );
    const [open, one, two, close] = records;
    expect(records).toHaveLength(4);
    expect(open).toMatchObject({
      level: 30,
      span_seq: 0,
      span: { op: 'open', name: 'work', attrs: { size: 3 } },
    });
    expect(open?.['trace_id']).toMatch(/^[0-9a-f]{32}$/);
    expect(open?.['span_id']).toMatch(/^[0-9a-f]{16}$/);
    expect(one).toMatchObject({ msg: 'one', span_seq: 1, span_id: open?.['span_id'], trace_flags: '01' });
    expect(two).toMatchObject({ name: 'db', rows: 1, span_seq: 2, trace_id: open?.['trace_id'] });
    expect(close).toMatchObject({
      span_seq: 3,
      span: { op: 'close', name: 'work', status: 'ok', lines: { 30: 3, 40: 1 } },
    });
    expect(close).toHaveProperty(
      'span.duration_ns',
      expect.toSatisfy((ns) => Number(ns) > 0),
    );
    expect(lines.filter((line) => line.includes('"span":{"op":'))).toHaveLength(2);
  });

  test('passes on what an async function resolves to, and ends when it does', async () => {
    const { result, trees } = await captureLogs((logger) =>
      logger.span('slow', async (span) => {
        await sleep(20);
        logger.info('inside');
        return span.name;
      }),
    );
    expect(result).toBe('slow');
    expect(trees[0]).toMatchObject({ name: 'slow', status: 'ok', events: [{ msg: 'inside' }] });
    expect(trees[0]?.durationMs).toBeGreaterThanOrEqual(19);
  });

  test.each<[string, () => unknown]>([
    ['a revoked proxy', revoked],
    ['an error whose cause is a revoked proxy', () => new Error('m', { cause: revoked() })],
    [
      'an error whose list of errors is a revoked proxy',
      () => Object.assign(new Error('m'), { errors: revoked() }),
    ],
    ['an error whose message is a symbol', () => Object.assign(new Error('m'), { message: Symbol('s') })],
    ['an object without a prototype', () => Object.create(null)],
  ])('ends, and passes on what was thrown, when that is %s', async (_, make) => {
    const thrown = make();
    for (const errorLogging of [false, true]) {
      const { result, records } = await captureLogs(
        (logger) => {
          try {
            logger.span('fails', () => {
              throw thrown;
            });
          } catch (caught) {
            return { isSame: caught === thrown, active: logger.activeSpans() };
          }
          return undefined;
        },
        { config: { enhancedFeatures: { errorLogging: { enabled: errorLogging } } } },
      );
      expect(result).toEqual({ isSame: true, active: [] });
      expect(records.at(-1)).toMatchObject({ level: 50, span: { op: 'close', status: 'error' } });
    }
  });

  test('ends, whatever the value that it passes on does when it is asked for then', async () => {
    const refuses = (): never => {
      throw new Error('not known');
    };
    const strict = new Proxy({}, { get: refuses, has: refuses });
    // oxlint-disable-next-line unicorn/no-thenable -- what a program may return
    const thrower = { then: refuses };
    const { result } = await captureLogs((logger) => {
      expect(logger.span('strict', () => strict) === strict).toBe(true);
      expect(() => logger.span('thrower', () => thrower)).toThrow('not known');
      return logger.activeSpans();
    });
    expect(result).toEqual([]);
  });

  test.each([
    [
      'thrown',
      (error: unknown): never => {
        throw error;
      },
    ],
    [
      'rejected',
      async (error: unknown): Promise<never> => {
        throw error;
      },
    ],
  ])('passes on the very error that was %s, and closes as failed with it', async (_, fail) => {
    const error = new TypeError('no such thing', { cause: 'a text' });
    const { records, result } = await captureLogs(async (logger) => {
      try {
        await logger.span('fails', () => fail(error));
      } catch (caught) {
        return caught;
      }
      return undefined;
    });
    expect(result).toBe(error);
    expect(records.at(-1)).toMatchObject({
      level: 50,
      span: {
        op: 'close',
        status: 'error',
        err: { type: 'TypeError', message: 'no such thing', cause: 'a text' },
      },
    });
  });

  test('that is called off closes as aborted, without an error', async () => {
    const { trees } = await captureLogs(async (logger) => {
      const work = logger.span('waits', () => sleep(10_000, undefined, { signal: AbortSignal.abort() }));
      await expect(work).rejects.toThrow();
    });
    expect(trees[0]).toMatchObject({ status: 'aborted', err: undefined });
  });

  test('below the threshold writes nothing, but its ids are real; what is visible inside names it as parent', async () => {
    const { records } = await captureLogs(
      (logger) =>
        logger.span('quiet', {}, { level: 'debug' }, (span) => {
          logger.info('visible');
          logger.span('inner', () => undefined);
          return span.spanId;
        }),
      { config: { level: 'info' } },
    );
    expect(spanLines(records)).toMatchObject([undefined, { op: 'open' }, { op: 'close' }]);
    expect(records[1]?.['parent_span_id']).toBe(records[0]?.['span_id']);
  });

  test('below the threshold that fails writes its open late, before its close', async () => {
    const { records } = await captureLogs(
      async (logger) => {
        await Promise.allSettled([
          logger.span('quiet', {}, { level: 'debug' }, async () => {
            logger.info('before');
            throw new Error('boom');
          }),
        ]);
      },
      { config: { level: 'info' } },
    );
    expect(records.map(({ level, span_seq: seq }) => [level, seq])).toEqual([
      [30, 0],
      [50, 1],
      [50, 2],
    ]);
    expect(spanLines(records).slice(1)).toMatchObject([
      { op: 'open' },
      { op: 'close', lines: { 30: 1, 50: 2 } },
    ]);
  });

  test('counts time of children that overlap once in its self time', async () => {
    const { records } = await captureLogs((logger) =>
      logger.span('parent', async () => {
        await Promise.all([logger.span('a', () => sleep(60)), logger.span('b', () => sleep(60))]);
        await sleep(30);
      }),
    );
    const close = records.at(-1)?.['span'] ?? {};
    const { duration_ns: total, self_ns: self } = close as { duration_ns: number; self_ns: number };
    expect(self).toBeGreaterThan(0);
    expect(total - self).toBeGreaterThanOrEqual(59e6);
    expect(total - self).toBeLessThanOrEqual(total - 29e6);
  });

  test('started by hand is ended by using; attributes that come later stand on a record line', async () => {
    const { trees, records } = await captureLogs((logger) => {
      using span = logger.startSpan('by hand', { a: 1 }, { kind: 'client' });
      span.run(() => logger.info('inside'));
      span.set({ b: 2 });
      logger.info('outside');
    });
    expect(trees[0]).toMatchObject({
      name: 'by hand',
      attrs: { a: 1, b: 2 },
      status: 'ok',
      events: [{ msg: 'inside' }],
    });
    expect(records[0]?.['span']).toMatchObject({ kind: 'client' });
    expect(records.find(({ msg }) => msg === 'outside')).not.toHaveProperty('span_id');
  });

  test('ends once: what is called on it later is counted, and what is logged in it later is marked', async () => {
    const { records, result } = await captureLogs(async (logger) => {
      const span = logger.startSpan('over');
      span.end();
      span.end();
      span.fail(new Error('too late'));
      span.set({ late: true });
      span.run(() => logger.info('late'));
      return (await logger.stats()).spans;
    });
    expect(records).toHaveLength(3);
    expect(records[2]).toMatchObject({ msg: 'late', span_seq: 2, after_end: true });
    expect(result).toMatchObject({ started: 1, ended: 1, active: 0, callsAfterEnd: 3 });
  });

  test('does not leak into the caller of an async function', async () => {
    const { records } = await captureLogs(async (logger) => {
      const pending = logger.span('inner', async () => {
        await sleep(5);
        logger.info('inside');
      });
      logger.info('outside');
      await pending;
      logger.info('after');
    });
    const ids = new Map(records.map((record) => [record.msg, record['span_id']]));
    expect(ids.get('inside')).toBeTypeOf('string');
    expect([ids.get('outside'), ids.get('after')]).toEqual([undefined, undefined]);
  });

  test('does not count a line that could not be written as one', async () => {
    const bad = Object.defineProperty({}, 'bad', {
      enumerable: true,
      get: () => {
        throw new Error('no');
      },
    });
    const { records } = await captureLogs((logger) => logger.span('odd', () => logger.info(bad, 'odd')));
    expect(records).toHaveLength(3);
    expect(records.at(-1)).toMatchObject({ span: { lines: { 30: 3 } } });
  });

  test('bounds names and attributes, and counts what it cut', async () => {
    const attributes = {
      ...Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`k${index}`, index])),
      long: 'x'.repeat(10_000),
    };
    const { records, result } = await captureLogs(async (logger) => {
      logger.startSpan('n'.repeat(300), { long: 'x'.repeat(10_000), [Symbol.iterator]: 1 }).end();
      logger.startSpan('many', attributes).end();
      return (await logger.stats()).spans;
    });
    const [first, , third] = records as unknown as {
      span: { name: string; attrs: Record<string, unknown> };
    }[];
    expect(first?.span.name).toHaveLength(256);
    expect(first?.span.attrs['long']).toHaveLength(4096);
    expect(Object.keys(third?.span.attrs ?? {})).toHaveLength(128);
    expect(result?.cutAttributes).toBe(1 + 1 + 73);
  });

  test('of another logger gives its ids to lines, and counts none of them', async () => {
    const { records } = await captureLogs(async (logger) => {
      const other = await captureLogs(async (second) => {
        logger.span('first', () => second.startSpan('its own').end());
        logger.span('again', () => second.info('foreign'));
      });
      expect(other.records.at(-1)).toMatchObject({ msg: 'foreign', trace_flags: '01' });
      expect(other.records.at(-1)).not.toHaveProperty('span_seq');
    });
    expect(records.at(-1)).toMatchObject({ span: { op: 'close', lines: { 30: 2 } } });
  });

  test.each<[string, RegExp, unknown[]]>([
    ['no name', /name of a span must be a text/, ['', () => undefined]],
    ['no function', /last argument of span must be a function; got undefined/, ['name', undefined]],
    [
      'an unknown kind',
      /kind must be one of internal, server/,
      ['name', {}, { kind: 'odd' }, () => undefined],
    ],
    ['an unknown level', /level must be one of trace/, ['name', {}, { level: 'loud' }, () => undefined]],
    ['attributes that are none', /attributes of span "name" must be an object/, ['name', 5, () => undefined]],
  ])('with %s is a mistake that throws at once', async (_, message, args) => {
    await captureLogs((logger) => {
      expect(() => Reflect.apply(Reflect.get(logger, 'span'), logger, args)).toThrow(message);
    });
  });
});

describe('parents of spans', () => {
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

  test('come from another process by their headers, which go on with every call', async () => {
    const { records, result } = await captureLogs((logger) =>
      logger.span(
        'served',
        {},
        { parent: { traceparent, tracestate: 'a=1,b=2' }, kind: 'server' },
        (span) => ({
          headers: logger.traceHeaders(),
          spanId: span.spanId,
        }),
      ),
    );
    expect(records[0]).toMatchObject({
      trace_id: '4bf92f3577b34da6a3ce929d0e0e4736',
      parent_span_id: '00f067aa0ba902b7',
    });
    expect(result.headers).toEqual({
      traceparent: `00-4bf92f3577b34da6a3ce929d0e0e4736-${result.spanId}-01`,
      tracestate: 'a=1,b=2',
    });
  });

  test('are left by null, and by a traceparent that breaks the rules', async () => {
    const { trees } = await captureLogs((logger) =>
      logger.span('outer', () => {
        logger.startSpan('new', {}, { parent: null }).end();
        logger.startSpan('broken', {}, { parent: `${traceparent}0` }).end();
        logger.startSpan('child').end();
      }),
    );
    expect(trees.map(({ name }) => name)).toEqual(['outer', 'new', 'broken']);
    expect(trees[0]?.children.map(({ name }) => name)).toEqual(['child']);
  });

  test('may be spans that the caller is not in; links name others', async () => {
    const { trees, records } = await captureLogs((logger) => {
      const first = logger.startSpan('first');
      logger.startSpan('second', {}, { parent: first, links: [traceparent, first, 'broken'] }).end();
      first.end();
    });
    expect(trees[0]?.children[0]?.name).toBe('second');
    expect(records[1]?.['span']).toMatchObject({
      links: [{ trace_id: '4bf92f3577b34da6a3ce929d0e0e4736', span_id: '00f067aa0ba902b7' }, {}],
    });
  });
});

describe('open spans', () => {
  test('are listed with their age, oldest first', async () => {
    await captureLogs(async (logger) => {
      const old = logger.startSpan('old', { a: 1 });
      await sleep(20);
      const young = logger.startSpan('young', {}, { parent: old });
      expect(logger.activeSpans()).toMatchObject([
        { name: 'old', attrs: { a: 1 } },
        { name: 'young', parentSpanId: old.spanId },
      ]);
      expect(logger.activeSpans({ olderThanMs: 15 }).map(({ name }) => name)).toEqual(['old']);
      young.end();
      old.end();
      expect(logger.activeSpans()).toEqual([]);
    });
  });

  test('are warned of once, in their own context', async () => {
    const { records } = await captureLogs(async (logger) => {
      const span = logger.startSpan('hangs');
      const stop = logger.watchActiveSpans({ olderThanMs: 5, everyMs: 5 });
      await sleep(100);
      stop();
      span.end();
    });
    expect(records.filter(({ level }) => level === 40)).toMatchObject([
      { msg: 'span hangs is still open', span_seq: 1, age_ms: expect.any(Number) },
    ]);
  });

  test('are bounded: the oldest is given up, closed as evicted, and counted', async () => {
    const { records, result } = await captureLogs(async (logger) => {
      for (let index = 0; index < 10_001; index++) logger.startSpan(`s${index}`, {}, { parent: null });
      return (await logger.stats()).spans;
    });
    expect(records.filter(({ span }) => (span as { status?: string })?.status === 'evicted')).toMatchObject([
      { span: { name: 's0' } },
    ]);
    expect(result).toMatchObject({ active: 10_000, evicted: 1 });
  });
});

describe('sampling', () => {
  test('leaves whole traces out, but for errors, which keep their ids, and spans that fail', async () => {
    const { records, result } = await captureLogs(
      async (logger) => {
        logger.info('outside of traces');
        const failing = logger.span('request', async (span) => {
          logger.warn('left out');
          logger.span('step', () => logger.error('an error'));
          expect(span.traceFlags).toBe('00');
          throw new Error('boom');
        });
        await expect(failing).rejects.toThrow('boom');
        return (await logger.stats()).spans;
      },
      { config: { sampling: { ratio: 0 } } },
    );
    expect(records.map(({ level, msg, span }) => [level, msg ?? (span as { op: string }).op])).toEqual([
      [30, 'outside of traces'],
      [50, 'an error'],
      [50, 'open'],
      [50, 'close'],
    ]);
    expect(records[1]).toMatchObject({ trace_id: records[2]?.['trace_id'], trace_flags: '00' });
    expect(result).toMatchObject({ unsampledTraces: 1 });
  });

  test('follows the caller’s decision, and rules for names', async () => {
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const { trees } = await captureLogs(
      (logger) => {
        logger.startSpan('called, sampled', {}, { parent: `00-${traceId}-00f067aa0ba902b7-01` }).end();
        logger.startSpan('called, not sampled', {}, { parent: `00-${traceId}-00f067aa0ba902b7-00` }).end();
        logger.startSpan('GET /healthz').end();
        logger.startSpan('GET /').end();
      },
      { config: { sampling: { ratio: 1, rules: [{ span: '*healthz', ratio: 0 }] } } },
    );
    expect(trees.map(({ name }) => name)).toEqual(['called, sampled', 'GET /']);
  });
});
