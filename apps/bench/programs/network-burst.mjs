// Logs a burst to a server and says, on stderr, what the loop and the whole took. Arguments: the contender, records, the server's url, a
// folder for what is kept on disk.
import { Writable } from 'node:stream';
import { createBatch, parseOptions } from '@treeline/contract';
import { createLogger } from '@treeline/core';
import network from '@treeline/network';
import { pino } from 'pino';
import { Client } from 'undici';

const [contender, countText, url, folder] = process.argv.slice(2);
const count = Number(countText);
const padding = 'x'.repeat(180);
const fields = (n) => ({
  req: { id: `r${n}`, method: 'GET', url: '/v1/orders' },
  padding,
  durationMs: n % 300,
});
const message = (n) => `burst record ${n};`;

function logBurst(logger) {
  for (let n = 0; n < count; n++) logger.info(fields(n), message(n));
}

/** What pino writes for the burst, in bodies of the size that the network transport makes. */
function readyBodies() {
  const lines = [];
  logBurst(pino({}, { write: (line) => lines.push(line) }));
  const bodies = [];
  let body = '';
  for (const line of lines) {
    if (body.length + line.length > 1024 * 1024) {
      bodies.push(Buffer.from(body));
      body = '';
    }
    body += line;
  }
  return [...bodies, Buffer.from(body)];
}

async function post(client, body) {
  const response = await client.request({
    method: 'POST',
    path: '/logs',
    headers: { 'content-type': 'application/x-ndjson' },
    body,
  });
  await response.body.dump();
}

function targetOf(target, options) {
  return () => logBurst(pino(pino.transport({ target, options })));
}

/** Each prepares what is not measured, and returns what is. */
const CONTENDERS = {
  'undici, ready bytes': () => {
    const bodies = readyBodies();
    const client = new Client(url);
    return async () => {
      for (const body of bodies) await post(client, body);
      await client.close();
    };
  },
  'our sink, ready bytes': async () => {
    const bodies = readyBodies();
    const { definition } = network;
    const options = await parseOptions(definition, { url: `${url}/logs` });
    const sink = await definition.open(options, { streamName: 'bench', report: console.error });
    return async () => {
      for (const body of bodies) await sink.write(createBatch(body));
      await sink.close();
    };
  },
  'pino and an undici loop': () => {
    const client = new Client(url);
    return async () => {
      let lines = [];
      const bodies = [];
      const logger = pino(
        {},
        new Writable({
          decodeStrings: false,
          write(line, _encoding, callback) {
            lines.push(line);
            if (lines.length === 1_000) bodies.push(lines.splice(0).join(''));
            callback();
          },
        }),
      );
      logBurst(logger);
      if (lines.length > 0) bodies.push(lines.join(''));
      for (const body of bodies) await post(client, body);
      await client.close();
    };
  },
  treeline: () => {
    const stream = { name: 'net', type: 'network', url: `${url}/logs` };
    const config = {
      serviceName: 'bench',
      directory: folder,
      shutdown: { timeout: '60s' },
      streams: [stream],
    };
    return () => logBurst(createLogger(config));
  },
  'treeline, gzip': () => {
    const stream = { name: 'net', type: 'network', url: `${url}/logs`, compress: 'gzip' };
    const config = {
      serviceName: 'bench',
      directory: folder,
      shutdown: { timeout: '60s' },
      streams: [stream],
    };
    return () => logBurst(createLogger(config));
  },
  'treeline, elasticsearch': () => {
    const stream = { name: 'net', type: 'network', url, protocol: 'elasticsearch', index: 'logs-bench' };
    const config = {
      serviceName: 'bench',
      directory: folder,
      shutdown: { timeout: '60s' },
      streams: [stream],
    };
    return () => logBurst(createLogger(config));
  },
  'pino, our target': () => targetOf('@treeline/network', { url: `${url}/logs` }),
  'pino-loki': () => targetOf('pino-loki', { host: url, batching: { interval: 1 } }),
  'pino-elasticsearch': () =>
    targetOf('pino-elasticsearch', { node: url, index: 'logs-bench', opType: 'create' }),
  'pino-opentelemetry-transport': () =>
    targetOf('pino-opentelemetry-transport', {
      resourceAttributes: { 'service.name': 'bench' },
      logRecordProcessorOptions: {
        recordProcessorType: 'batch',
        exporterOptions: { protocol: 'http/protobuf', protobufExporterOptions: { url: `${url}/v1/logs` } },
      },
    }),
};

const run = await CONTENDERS[contender]();
const startMs = performance.now();
process.on('exit', () => {
  process.stderr.write(`${JSON.stringify({ loopMs, totalMs: performance.now() - startMs })}\n`);
});
const running = run();
const loopMs = performance.now() - startMs;
await running;
