/** The printer as a pino target: what a log call costs the main thread, and when all has been printed. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { runChild } from './child.ts';
import { formatRate, median, numberArgument, printHeader, printTable } from './report.ts';

const count = numberArgument('lines', 100_000);
const rounds = numberArgument('rounds', 3);
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bench-pretty-'));

const contenders: readonly (readonly [name: string, target: string, options: object])[] = [
  ['@treeline/pretty, flat', '@treeline/pretty', { mode: 'flat', color: 'always' }],
  ['@treeline/pretty, live', '@treeline/pretty', { mode: 'live', color: 'always' }],
  ['pino-pretty', 'pino-pretty', { colorize: true }],
  ['pino/file', 'pino/file', {}],
];

printHeader(`A pino target that takes ${count.toLocaleString('en')} lines`);
const runs = contenders.map(() => [] as { wallMs: number; peakMb: number; mainMs: number }[]);
for (let round = 0; round < rounds; round++) {
  for (const [index, [, target, options]] of contenders.entries()) {
    const report = path.join(folder, 'main-ms');
    const run = await runChild([program(target, options, report)]);
    runs[index]?.push({ ...run, mainMs: Number(fs.readFileSync(report, 'utf8')) });
  }
}
printTable(
  contenders.map(([contender], index) => {
    const own = runs[index] ?? [];
    return {
      contender,
      'lines/s to the end': formatRate(count, median(own.map(({ wallMs }) => wallMs))),
      'µs of a log call': ((median(own.map(({ mainMs }) => mainMs)) / count) * 1000).toFixed(2),
      'peak RSS MB': Math.max(...own.map(({ peakMb }) => peakMb)),
    };
  }),
);
fs.rmSync(folder, { recursive: true });

/** Lines in bursts of 100 with a turn of the event loop between, as a server writes them. */
function program(target: string, options: object, report: string): string {
  const file = path.join(import.meta.dirname, 'pretty-transport-program.mjs');
  const resolved = target === 'pino/file' ? target : import.meta.resolve(target);
  fs.writeFileSync(
    file,
    `import fs from 'node:fs';
    import pino from 'pino';
    const transport = pino.transport({ target: ${JSON.stringify(resolved)}, options: ${JSON.stringify(options)} });
    const logger = pino({ name: 'http' }, transport);
    let mainMs = 0;
    for (let from = 0; from < ${count}; from += 100) {
      const start = performance.now();
      for (let index = from; index < from + 100; index++) {
        logger.info({ req_id: 'req-' + index, method: 'GET', url: '/v1/orders/' + index, userId: index % 1000, ctx: { region: 'eu-1', retry: 0, tags: ['a', 'b'] } }, 'request completed');
      }
      mainMs += performance.now() - start;
      await new Promise(setImmediate);
    }
    fs.writeFileSync(${JSON.stringify(report)}, String(mainMs));
    transport.end();`,
  );
  return file;
}
