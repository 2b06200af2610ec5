import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LogRecord } from '@treeline/contract';
import { describe, expect, test } from 'vitest';
import { readRecords, runProgram, scratchFolder } from './program.ts';

interface SdkSpan {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly status: number;
  readonly events: readonly string[];
}

async function run(how: string) {
  using folder = scratchFolder();
  const path = join(folder.path, 'out.log');
  const { stdout, stderr, code } = await runProgram('logs-with-otel.mjs', [how, path], { cwd: folder.path });
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  const { spans, loaded } = JSON.parse(stdout) as { spans: SdkSpan[]; loaded: string[] };
  const records = readRecords(path);
  const messages = new Map(records.map((record) => [record.msg, record]));
  const opens = new Map(
    records.flatMap((record) => {
      const { op, name } = (record['span'] ?? {}) as { op?: string; name?: string };
      return op === 'open' ? [[name, record] as const] : [];
    }),
  );
  return {
    spans: new Map(spans.map((span) => [span.name, span])),
    loaded,
    records,
    messages,
    opens,
    text: readFileSync(path, 'utf8'),
  };
}

const idsOf = (record: LogRecord | undefined): unknown[] => [record?.['trace_id'], record?.['span_id']];
const sdkIdsOf = (span: SdkSpan | undefined): unknown[] => [span?.traceId, span?.spanId];

describe('with OpenTelemetry’s SDK registered', () => {
  test.each(['with', 'mixin'])(
    'spans are its spans, with equal ids, and one trace_id in each line (%s)',
    async (how) => {
      const { spans, messages, opens, text } = await run(how);
      expect([...spans.keys()].toSorted()).toEqual(['below foreign', 'fails', 'foreign', 'inner', 'outer']);
      for (const name of ['outer', 'inner', 'below foreign', 'fails'])
        expect(idsOf(opens.get(name))).toEqual(sdkIdsOf(spans.get(name)));
      expect(spans.get('outer')).toMatchObject({ kind: 1, attributes: { a: 1, b: 'late' }, status: 0 });
      expect(spans.get('inner')?.parentSpanId).toBe(spans.get('outer')?.spanId);
      expect(spans.get('fails')).toMatchObject({ status: 2, events: ['exception'] });
      expect(idsOf(messages.get('in inner'))).toEqual(sdkIdsOf(spans.get('inner')));
      expect(idsOf(messages.get('in outer again'))).toEqual(sdkIdsOf(spans.get('outer')));
      // Spans that others start have their ids on our lines, and ours inside them know their parent.
      expect(idsOf(messages.get('in foreign'))).toEqual(sdkIdsOf(spans.get('foreign')));
      expect(opens.get('below foreign')?.['parent_span_id']).toBe(spans.get('foreign')?.spanId);
      for (const line of text.trimEnd().split('\n'))
        expect(line.split('"trace_id":').length - 1).toBe(
          line.includes('"msg":"outside"') && how === 'with' ? 0 : 1,
        );
      expect(messages.get('in outer')).toMatchObject(how === 'mixin' ? { mine: 1 } : {});
    },
  );

  test('its sampler decides, and errors are logged all the same', async () => {
    const { spans, records } = await run('unsampled');
    expect(spans.size).toBe(0);
    expect(records.map(({ level, msg }) => msg ?? level)).toEqual(['outside', 50, 50]);
    expect(records[1]).toMatchObject({ trace_flags: '00' });
  });
});

/** Records by message; those of spans by operation and name. */
async function runBelow(how: string): Promise<(key: string) => LogRecord | undefined> {
  using folder = scratchFolder();
  const path = join(folder.path, 'out.log');
  const { stderr, code } = await runProgram('logs-below-otel.mjs', [how, path], { cwd: folder.path });
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  const records = readRecords(path);
  return (key) =>
    records.find(({ msg, span }) => {
      const { op, name } = (span ?? {}) as { op?: string; name?: string };
      return msg === key || `${op} ${name}` === key;
    });
}

test('lines carry the ids of spans that others start, before there is any span of ours', async () => {
  const record = await runBelow('foreign');
  const ids = record('in foreign')?.['ids'] as object;
  expect(record('in foreign')).toMatchObject({ ...ids, headers: expect.stringMatching(/^00-/) as string });
});

test.each([
  ['', 'server', false],
  [' that is not sampled', 'unsampled', false],
  [', with a traceparent', 'server', true],
])('a request is part of the span that an instrumentation has made for it%s', async (_, how, withParent) => {
  const record = await runBelow(withParent ? `${how}-traceparent` : how);
  const { trace_id, span_id } = (record('in handler')?.['ids'] ?? {}) as Record<string, string>;
  expect(record('in handler')).toMatchObject({ trace_id });
  expect(record('in handler')?.['span_id']).not.toBe(span_id);
  if (how === 'server') expect(record('open GET')).toMatchObject({ trace_id, parent_span_id: span_id });
});

test('a request is no part of a span that is active where its server was started', async () => {
  const record = await runBelow('internal');
  const ids = (record('in handler')?.['ids'] ?? {}) as Record<string, string>;
  expect(record('open GET')).not.toHaveProperty('parent_span_id');
  expect(record('in handler')?.['trace_id']).not.toBe(ids['trace_id']);
});

test.each(['no-context', 'suppressed'])('spans have ids, and know their parent (%s)', async (how) => {
  const record = await runBelow(how);
  const outer = record('open outer');
  expect(outer?.['trace_id']).toMatch(/^(?!0+$)[0-9a-f]{32}$/);
  expect(outer?.['span_id']).toMatch(/^(?!0+$)[0-9a-f]{16}$/);
  expect(idsOf(record('in outer'))).toEqual(idsOf(outer));
  expect(record('open inner')).toMatchObject({
    trace_id: outer?.['trace_id'],
    parent_span_id: outer?.['span_id'],
  });
  expect(idsOf(record('in inner'))).toEqual(idsOf(record('open inner')));
});

test('without an SDK ids are valid, and nothing of OpenTelemetry is loaded', async () => {
  const { opens, loaded, messages } = await run('without');
  expect(loaded).toEqual([]);
  for (const open of opens.values()) {
    expect(open['trace_id']).toMatch(/^(?!0+$)[0-9a-f]{32}$/);
    expect(open['span_id']).toMatch(/^(?!0+$)[0-9a-f]{16}$/);
  }
  expect(idsOf(messages.get('in inner'))).toEqual(idsOf(opens.get('inner')));
});
