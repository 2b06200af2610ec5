import type { ServerResponse } from 'node:http';
import type { LogRecord } from '@treeline/contract';
import { skippedCases, testTransport, type TransportUnderTest } from '@treeline/contract/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import transport, { type NetworkOptions, type ParsedNetworkOptions } from './index.ts';
import { recordsOf, startTestServer, type Received, type TestServer } from './test-server.test.fixture.ts';

/** What one case's destination has, and how it behaves. */
interface Place {
  readonly records: LogRecord[];
  readonly ids: Set<string>;
  isBroken: boolean;
  stalled: Promise<void> | undefined;
  resume(): void;
}

let server: TestServer;
const places = new Map<string, Place>();
let made = 0;

const RETRY = { minMs: 5, maxMs: 30, holdMs: 20 };
const REFUSED = 'refused';

function placeOf(options: unknown): Place {
  return placeAt(new URL((options as NetworkOptions).url).pathname.split('/')[1] ?? '');
}

function placeAt(name: string): Place {
  const place = places.get(name) ?? {
    records: [],
    ids: new Set<string>(),
    isBroken: false,
    stalled: undefined,
    resume: () => undefined,
  };
  places.set(name, place);
  return place;
}

/** What is the same for both protocols: a path on one server is a destination. */
function destination(options: Partial<NetworkOptions>): TransportUnderTest<ParsedNetworkOptions> {
  const fresh = (): NetworkOptions => ({ url: `${server.origin}/${made++}/logs`, retry: RETRY, ...options });
  return {
    transport,
    fresh,
    read: (given) => placeOf(given).records,
    unusable: () => ({ ...fresh(), tls: { ca: '/missing/authority.pem' } }),
    break(given) {
      placeOf(given).isBroken = true;
    },
    mend(given) {
      placeOf(given).isBroken = false;
    },
    stall(given) {
      const place = placeOf(given);
      place.stalled = new Promise((resolve) => {
        place.resume = resolve;
      });
    },
    resume(given) {
      const place = placeOf(given);
      place.stalled = undefined;
      place.resume();
    },
    refused: () => ({ level: 30, time: 1, msg: REFUSED }),
  };
}

beforeAll(async () => {
  server = await startTestServer();
  server.otherwise = (response, request) => {
    const place = placeAt(request.url.split('/')[1] ?? '');
    void respond(place, request, response);
  };
});
afterAll(() => server.close());

async function respond(place: Place, { url, body }: Received, response: ServerResponse): Promise<void> {
  await place.stalled;
  if (place.isBroken) response.writeHead(503).end('down for a moment');
  else if (url.includes('/_bulk')) takeBulk(place, body, response);
  else takeLines(place, body, response);
}

function takeLines(place: Place, body: Buffer, response: ServerResponse): void {
  const records =
    body.subarray(0, 1).toString() === '[' ? (JSON.parse(body.toString()) as LogRecord[]) : recordsOf(body);
  if (records.some(({ msg }) => msg === REFUSED)) {
    response.writeHead(400).end('one record is bad');
    return;
  }
  place.records.push(...records);
  response.writeHead(204).end();
}

function takeBulk(place: Place, body: Buffer, response: ServerResponse): void {
  const lines = body.toString().split('\n');
  const items: object[] = [];
  for (let at = 0; at + 1 < lines.length; at += 2) {
    const action = JSON.parse(lines[at] ?? '') as { create: { _id: string } };
    const { '@timestamp': timestamp, ...document } = JSON.parse(lines[at + 1] ?? '') as LogRecord;
    const { _id: id } = action.create;
    const error = { type: 'mapper_parsing_exception', reason: 'failed to parse' };
    if (document.msg === REFUSED) items.push({ create: { status: 400, error } });
    else if (typeof timestamp !== 'number') items.push({ create: { status: 400, error } });
    else if (place.ids.has(id)) items.push({ create: { status: 409, error: { type: 'version_conflict' } } });
    else {
      place.ids.add(id);
      place.records.push(document);
      items.push({ create: { status: 201 } });
    }
  }
  response
    .writeHead(200, { 'content-type': 'application/json' })
    .end(JSON.stringify({ errors: items.length > place.ids.size, items }));
}

describe('the network transport, as lines over http', () => {
  for (const { name, run } of testTransport(destination({}))) test(name, run);
});

describe('the network transport, as compressed arrays over http', () => {
  const cases = testTransport(destination({ format: 'json', compress: 'gzip' }));
  // It waits out a deadline, which is the same for every body.
  const quick = cases.filter(({ name }) => !name.includes('stays broken'));
  for (const { name, run } of quick) test(name, run);
});

describe('the network transport, to elasticsearch', () => {
  const under = destination({ protocol: 'elasticsearch', index: 'logs-app-default' });
  for (const { name, run } of testTransport(under)) test(name, run);
});

test('no case is left out but that of sinks that store positions', () => {
  expect(skippedCases(destination({})).map(({ needs }) => needs)).toEqual(
    skippedCases(destination({})).map(() => 'storesPosition'),
  );
});
