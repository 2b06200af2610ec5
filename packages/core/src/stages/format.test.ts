import { EcsFlat, EcsVersion } from '@elastic/ecs';
import * as semconv from '@opentelemetry/semantic-conventions/incubating';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ECS_FIELD_SETS } from './ecs.ts';
import { compileFormat } from './format.ts';

const SERVICE = { version: '1.4.2', environment: 'production' };

/** Every key that has a place of its own, and keys that would clash. */
const FULL = {
  level: 50,
  time: 1760000000123,
  pid: 7,
  hostname: 'h1',
  name: 'db.pool',
  service: 'orders',
  trace_id: '4bf92f3577b34da6a3ce929d0e0e4736',
  span_id: '00f067aa0ba902b7',
  parent_span_id: '1111111111111111',
  trace_flags: '01',
  span_seq: 3,
  req_id: 'r-1',
  source: 'gateway',
  type: 'payment.failed',
  ref_id: 42,
  host: 'a text where the schema wants an object',
  'user.trace_id': 'x',
  orderId: 'o-1',
  req: {
    id: 1,
    method: 'GET',
    url: '/a?b=c',
    remoteAddress: '10.0.0.1',
    remotePort: 5123,
    headers: { host: 'x' },
  },
  res: { statusCode: 500 },
  err: {
    type: 'TypeError',
    message: 'no pool',
    stack: 'TypeError: no pool\n    at x',
    code: 'EPOOL',
    hint: 'open it',
  },
  ratio: 0.5,
  ok: true,
  nothing: null,
  list: [1, 'a'],
  msg: 'it failed',
};

const format = (name: 'ecs' | 'otel' | 'logfmt', record: object): string =>
  compileFormat(name, SERVICE)(JSON.stringify(record));

describe('ecs', () => {
  const document = JSON.parse(format('ecs', FULL)) as Record<string, unknown>;
  const fields = EcsFlat as Readonly<Record<string, { readonly type: string }>>;

  test('every key is a published field with a value of its type, or stands outside of the schema', () => {
    const types: Record<string, (value: unknown) => boolean> = {
      date: (value) => typeof value === 'string' && value === new Date(value).toISOString(),
      long: Number.isSafeInteger,
    };
    for (const [key, value] of Object.entries(document)) {
      if (!ECS_FIELD_SETS.has(key.split('.')[0] ?? '')) continue;
      expect(fields, key).toHaveProperty([key]);
      const type = fields[key]?.type ?? '';
      expect((types[type] ?? ((text) => typeof text === 'string'))(value), `${key} is a ${type}`).toBe(true);
    }
    expect(document['ecs.version']).toBe(EcsVersion);
  });

  test('what counts as the schema is what is published', () => {
    expect(ECS_FIELD_SETS).toEqual(new Set(Object.keys(fields).map((key) => key.split('.')[0])));
  });

  test('a record loses nothing', () => {
    expect(document).toMatchObject({
      '@timestamp': '2025-10-09T08:53:20.123Z',
      'log.level': 'error',
      message: 'it failed',
      'log.logger': 'db.pool',
      'service.name': 'orders',
      'service.version': '1.4.2',
      'service.environment': 'production',
      'trace.id': FULL.trace_id,
      'span.id': FULL.span_id,
      'http.request.method': 'GET',
      'http.response.status_code': 500,
      'error.type': 'TypeError',
      'error.stack_trace': FULL.err.stack,
      orderId: 'o-1',
      treeline: { source: 'gateway', host: FULL.host, 'user.trace_id': 'x' },
    });
  });

  test('begins as loggers of the schema begin', () => {
    expect(Object.keys(document).slice(0, 4)).toEqual(['@timestamp', 'log.level', 'message', 'ecs.version']);
  });
});

describe('otel', () => {
  const line = JSON.parse(format('otel', FULL)) as {
    resourceLogs: [
      {
        resource: { attributes: { key: string }[] };
        scopeLogs: [{ scope: object; logRecords: [Record<string, unknown>] }];
      },
    ];
  };
  const [{ resource, scopeLogs }] = line.resourceLogs;
  const [{ scope, logRecords }] = scopeLogs;
  const [record] = logRecords;

  test('a log record has the fields of the protocol and no others', () => {
    // https://github.com/open-telemetry/opentelemetry-proto/blob/v1.9.0/opentelemetry/proto/logs/v1/logs.proto
    const published = [
      'timeUnixNano',
      'observedTimeUnixNano',
      'severityNumber',
      'severityText',
      'body',
      'attributes',
      'droppedAttributesCount',
      'flags',
      'traceId',
      'spanId',
      'eventName',
    ];
    expect(Object.keys(record).filter((key) => !published.includes(key))).toEqual([]);
    expect(record).toMatchObject({
      timeUnixNano: '1760000000123000000',
      severityNumber: 17,
      severityText: 'error',
      body: { stringValue: 'it failed' },
      traceId: FULL.trace_id,
      spanId: FULL.span_id,
      flags: 1,
    });
    expect(scope).toEqual({ name: 'db.pool' });
  });

  test('attributes of the resource, and of exceptions, are named by the conventions', () => {
    const conventions = new Set<unknown>(Object.values(semconv));
    const attributes = record['attributes'] as { key: string; value: object }[];
    const named = [...resource.attributes, ...attributes.filter(({ key }) => key.startsWith('exception.'))];
    expect(named.map(({ key }) => key)).toEqual([
      'service.name',
      'service.version',
      'deployment.environment.name',
      'host.name',
      'process.pid',
      'exception.type',
      'exception.message',
      'exception.stacktrace',
    ]);
    expect(named.filter(({ key }) => !conventions.has(key))).toEqual([]);
    expect(attributes.find(({ key }) => key === 'list')?.value).toEqual({
      arrayValue: { values: [{ intValue: '1' }, { stringValue: 'a' }] },
    });
    expect(attributes.find(({ key }) => key === 'ratio')?.value).toEqual({ doubleValue: 0.5 });
  });

  test.each([
    [10, 1],
    [20, 5],
    [30, 9],
    [35, 11],
    [40, 13],
    [50, 17],
    [60, 21],
    [5, 1],
    [100, 21],
  ])('level %i has the severity %i', (level, severityNumber) => {
    expect(format('otel', { level, msg: '' })).toContain(`"severityNumber":${severityNumber},`);
  });
});

describe('logfmt', () => {
  test('a record is one line of pairs', () => {
    const { err: _, ...rest } = FULL;
    expect(format('logfmt', rest)).toBe(
      'time=2025-10-09T08:53:20.123Z level=error name=db.pool msg="it failed" pid=7 hostname=h1 service=orders ' +
        'trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7 parent_span_id=1111111111111111 trace_flags=01 span_seq=3 ' +
        'req_id=r-1 source=gateway type=payment.failed ref_id=42 host="a text where the schema wants an object" user.trace_id=x ' +
        'orderId=o-1 req.id=1 req.method=GET req.url="/a?b=c" req.remoteAddress=10.0.0.1 req.remotePort=5123 req.headers.host=x ' +
        'res.statusCode=500 ratio=0.5 ok=true nothing=null list="[1,\\"a\\"]"',
    );
  });

  test('every value comes back, whatever it holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (msg, value) => {
        const line = format('logfmt', { level: 30, value, msg });
        expect(line).not.toMatch(/[\n\r]/);
        const pairs = [...line.matchAll(/([^\s=]+)=("(?:[^"\\]|\\.)*"|\S*)/g)].map(
          ([, key = '', text = '']) => [key, text.startsWith('"') ? (JSON.parse(text) as string) : text],
        );
        expect(Object.fromEntries(pairs)).toEqual({ level: 'info', msg, value });
      }),
    );
  });
});
