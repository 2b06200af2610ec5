import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createBatch, parseOptions, type Sink } from '@treeline/contract';
import { lines, record } from '@treeline/contract/testing';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import transport, { type NetworkOptions } from './index.ts';

const FOLDER = fileURLToPath(new URL('../fixtures/tls/', import.meta.url));
const file = (name: string): string => path.join(FOLDER, name);
const text = (name: string): string => readFileSync(file(name), 'utf8');

const BATCH = createBatch(lines([record(0)]));

let server: https.Server;
let wantsClient = false;
const opened: Sink[] = [];

beforeAll(async () => {
  server = https.createServer(
    {
      key: text('server.key'),
      cert: text('server.pem'),
      ca: text('authority.pem'),
      requestCert: true,
      rejectUnauthorized: false,
    },
    (request, response) => {
      request.resume();
      const isKnown = 'authorized' in request.socket && request.socket.authorized === true;
      response.writeHead(isKnown || !wantsClient ? 204 : 403).end();
    },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((sink) => sink.close()));
  wantsClient = false;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

async function open(tls: NetworkOptions['tls']): Promise<Sink> {
  const { definition } = transport;
  const { port } = server.address() as AddressInfo;
  const url = `https://127.0.0.1:${port}/logs`;
  const parsed = await parseOptions(definition, { url, tls, retry: { holdMs: 1 } });
  const sink = await definition.open(parsed, { streamName: 'net', report: () => undefined });
  opened.push(sink);
  return sink;
}

test.each<[string, NetworkOptions['tls']]>([
  ['no authority of its own', undefined],
  ['another authority', { ca: file('other-authority.pem') }],
])('a certificate that %s has signed is held, with the cause', async (_, tls) => {
  const sink = await open(tls);
  await expect(sink.write(BATCH)).rejects.toThrow(/no secure connection: .+somebody to change/);
});

test.each<[string, () => NetworkOptions['tls']]>([
  ['a path', () => ({ ca: file('authority.pem') })],
  ['PEM text', () => ({ ca: text('authority.pem') })],
])('an authority may be %s', async (_, tls) => {
  const sink = await open(tls());
  expect(await sink.write(BATCH)).toBeUndefined();
});

test('a client certificate is shown', async () => {
  wantsClient = true;
  const nameless = await open({ ca: file('authority.pem') });
  await expect(nameless.write(BATCH)).rejects.toThrow('it answered 403');
  const named = await open({ ca: file('authority.pem'), cert: file('client.pem'), key: file('client.key') });
  expect(await named.write(BATCH)).toBeUndefined();
});

test('a file that is replaced is read at the next connection', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'treeline-network-'));
  try {
    const ca = path.join(folder, 'ca.pem');
    copyFileSync(file('other-authority.pem'), ca);
    const sink = await open({ ca });
    await expect(sink.write(BATCH)).rejects.toThrow('no secure connection');
    copyFileSync(file('authority.pem'), ca);
    expect(await sink.write(BATCH)).toBeUndefined();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
