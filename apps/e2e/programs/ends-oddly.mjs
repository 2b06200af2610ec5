// Ends in a way that is named by the first argument.
import { createLogger } from '@treeline/core';

const stuck = { type: 'stuck', module: new URL('./sinks/stuck.mjs', import.meta.url) };
const open = (serviceName, stream) =>
  createLogger({ serviceName, shutdown: { timeout: '1s' }, streams: [stream] }, { transports: [stuck] });
const file = { name: 'file', type: 'file', path: 'out.log' };

const WAYS = {
  'beside a stuck logger': () => {
    open('stuck', { name: 'stuck', type: 'stuck' }).info('never delivered');
    const healthy = open('healthy', file);
    for (let n = 0; n < 20_000; n++) healthy.info({ n });
    process.exit(0);
  },
  'logging while it closes': async () => {
    const logger = open('closing', file);
    for (let n = 0; n < 100; n++) logger.info({ n });
    const closing = new AbortController();
    const closed = logger.close().then(() => closing.abort());
    let late = 0;
    while (!closing.signal.aborted) {
      logger.info({ late: late++ });
      await new Promise((resolve) => setImmediate(resolve));
    }
    await closed;
    const { accepted, droppedAfterClose, underWay } = await logger.stats();
    console.log(JSON.stringify({ accepted: accepted - late, dropped: droppedAfterClose - late, underWay }));
  },
  'with odd time limits': async () => {
    const logger = open('limits', file);
    logger.info({ n: 0 });
    const flushed = [];
    for (const timeoutMs of [1500.5, Infinity]) flushed.push((await logger.flush({ timeoutMs })).ok);
    await logger.flush({ timeoutMs: -1 });
    const { ok } = await logger.close({ timeoutMs: 1500.5 });
    console.log(JSON.stringify({ flushed, ok }));
  },
  'with a listener that throws': async () => {
    const logger = open('listener', file);
    logger.onStatus(() => {
      throw new Error('a listener’s own fault');
    });
    logger.info({ n: 0 });
    const { ok } = await logger.close();
    console.log(JSON.stringify({ ok }));
  },
};

await WAYS[process.argv[2]]();
