// Logs a burst to files and says, on stderr, what the loop and the whole took. Arguments: the contender, records, folder, streams.
import { createLogger } from '@treeline/core';
import { pino } from 'pino';

const [contender, lines, folder, streams] = process.argv.slice(2);
const paths = Array.from({ length: Number(streams) }, (_, index) => `${folder}/out-${index}.log`);

const CONTENDERS = {
  treeline: () => createLogger(configWith('none')),
  'treeline, durability process': () => createLogger(configWith('process')),
  'pino, synchronous': () => pino(pino.destination({ dest: paths[0], sync: true })),
  'pino, worker': () =>
    pino(
      pino.transport(
        paths.length === 1
          ? { target: 'pino/file', options: { destination: paths[0] } }
          : { targets: paths.map((destination) => ({ target: 'pino/file', options: { destination } })) },
      ),
    ),
};

function configWith(durability) {
  return {
    serviceName: 'bench',
    directory: folder,
    durability,
    shutdown: { timeout: '60s' },
    streams: paths.map((path, index) => ({ name: `file-${index}`, type: 'file', path })),
  };
}

const logger = CONTENDERS[contender]();
const padding = 'x'.repeat(180);
const startMs = performance.now();
for (let n = 0; n < Number(lines); n++) {
  logger.info(
    { n, req: { id: `r${n}`, method: 'GET', url: '/v1/orders' }, padding, durationMs: n % 300 },
    'request completed',
  );
}
const loopMs = performance.now() - startMs;
process.on('exit', () => {
  process.stderr.write(`${JSON.stringify({ loopMs, totalMs: performance.now() - startMs })}\n`);
});
