/** From the start of the command to the end of a one-line input, beside Node that does nothing. */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { runChild } from './child.ts';
import { median, numberArgument, printHeader, printTable } from './report.ts';

const require = createRequire(import.meta.url);

const rounds = numberArgument('rounds', 15);
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bench-pretty-'));
const input = path.join(folder, 'one.ndjson');
fs.writeFileSync(input, '{"level":30,"time":1760000000000,"msg":"hello"}\n');
const treeline = path.join(path.dirname(require.resolve('treeline/package.json')), 'bin', 'treeline.js');
const pinoPretty = path.join(path.dirname(require.resolve('pino-pretty')), 'bin.js');
const contenders: readonly (readonly [string, readonly string[]])[] = [
  ['node -e 0', ['-e', '0']],
  ['treeline pretty', [treeline, 'pretty']],
  ['treeline pretty --filter', [treeline, 'pretty', '--filter', 'level>=info']],
  ['pino-pretty', [pinoPretty]],
];

printHeader('Start of the command to the end of one line');
const runs = contenders.map(() => [] as number[]);
for (let round = 0; round < rounds; round++) {
  for (const [index, [, args]] of contenders.entries())
    runs[index]?.push((await runChild(args, input)).wallMs);
}
const idleMs = median(runs[0] ?? []);
printTable(
  contenders.map(([contender], index) => {
    const own = runs[index] ?? [];
    return {
      contender,
      'median ms': Math.round(median(own)),
      'over node -e 0': Math.round(median(own) - idleMs),
    };
  }),
);
fs.rmSync(folder, { recursive: true });
