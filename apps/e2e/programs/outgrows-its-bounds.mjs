// Logs beside a stream that is held up until a file is there, past what may be kept for it; then frees it. Says what became of every
// record. Arguments: the config as JSON, the state directory, the file that frees the stream, how many records.
import fs from 'node:fs';
import path from 'node:path';
import { setImmediate as nextTick, setTimeout as sleep } from 'node:timers/promises';
import { createLogger } from '@treeline/core';

const [config, stateDirectory, release, lines] = process.argv.slice(2);
const stuck = { type: 'stuck', module: new URL('./sinks/stuck.mjs', import.meta.url) };
const logger = createLogger(JSON.parse(config), { transports: [stuck] });
const unbalanced = [];
const statuses = [];
logger.onStatus((status) => statuses.push(status));
let mostBytes = 0;

async function look() {
  const stats = await logger.stats();
  for (const [name, stream] of Object.entries(stats.streams)) {
    const dropped = Object.values(stream.dropped).reduce((sum, n) => sum + n, 0);
    const settled = stream.delivered + dropped + stream.deadLettered + stream.queued;
    if (stream.accepted + stream.adopted !== settled) unbalanced.push({ name, ...stream });
  }
  mostBytes = Math.max(mostBytes, segmentBytes());
  return stats;
}

async function healthyHasAll() {
  for (;;) {
    const stats = await look();
    if (stats.underWay === 0 && stats.streams.healthy.queued === 0) return stats;
    await sleep(10);
  }
}

function segmentBytes() {
  let bytes = 0;
  for (const name of fs.readdirSync(stateDirectory, { recursive: true })) {
    if (!name.endsWith('.seg')) continue;
    bytes += fs.statSync(path.join(stateDirectory, name), { throwIfNoEntry: false })?.size ?? 0;
  }
  return bytes;
}

const padding = 'x'.repeat(230);
fs.mkdirSync(stateDirectory, { recursive: true });
for (let n = 0; n < Number(lines); n++) {
  logger[n % 4 === 0 ? 'error' : 'info']({ n, padding }, 'one of many');
  if (n % 100 === 0) await nextTick();
  if (n % 1_000 === 0) await look();
  // Nobody but the one that is held up shall lag by more than the window holds.
  if (n % 10_000 === 0) await healthyHasAll();
}
const held = await healthyHasAll();
fs.writeFileSync(release, '');
const flushed = await logger.flush({ timeoutMs: 60_000 });
const stats = await look();
await logger.close();
console.log(JSON.stringify({ flushed, held, stats, unbalanced, statuses, mostBytes }));
