/** What a config costs at the start: `treeline check` beside Node that does nothing, and `createLogger` with a file beside an object. */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { runChild } from './child.ts';
import { median, numberArgument, printHeader, printTable } from './report.ts';

const require = createRequire(import.meta.url);

const STREAMS = 30;
const rounds = numberArgument('rounds', 15);
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bench-config-'));
const config = path.join(folder, 'logging.json');
const program = path.join(folder, 'logger.mjs');
const treeline = path.join(path.dirname(require.resolve('treeline/package.json')), 'bin', 'treeline.js');

fs.writeFileSync(
  config,
  JSON.stringify({ streams: Array.from({ length: STREAMS }, (_, index) => streamOf(index)) }, null, 1),
);
fs.writeFileSync(
  program,
  `import { createLogger } from ${JSON.stringify(import.meta.resolve('@treeline/core'))};
  import { pino } from ${JSON.stringify(import.meta.resolve('pino'))};
  if (process.argv[2]) createLogger(process.argv[2]); else pino();`,
);

/** One of three types, each with something to check. */
function streamOf(index: number): object {
  const common = {
    name: `s${index}`,
    level: 'info',
    filter: index % 2 ? 'level>=warn' : 'audit=true or req.status>=500',
  };
  if (index % 3 === 0) {
    const rotation = { size: '10M', interval: '1d' };
    return {
      ...common,
      type: 'file',
      path: path.join(folder, `s${index}.log`),
      rotation,
      retention: { maxAge: '14d' },
    };
  }
  return index % 3 === 1
    ? { ...common, type: 'sqlite', path: path.join(folder, `s${index}.db`) }
    : { ...common, type: 'console', redact: { keys: ['password'] } };
}

const contenders: readonly (readonly [string, readonly string[], number])[] = [
  ['node -e 0', ['-e', '0'], 0],
  [`treeline check, ${STREAMS} streams`, [treeline, 'check', config], 0],
  ['pino()', [program], 2],
  [`createLogger(file), ${STREAMS} streams`, [program, config], 2],
];

printHeader('What a config costs at the start');
const runs = contenders.map(() => [] as number[]);
for (let round = 0; round < rounds; round++) {
  for (const [index, [, args]] of contenders.entries()) runs[index]?.push((await runChild(args)).wallMs);
}
printTable(
  contenders.map(([contender, , base], index) => ({
    contender,
    'median ms': Math.round(median(runs[index] ?? [])),
    'over its base': Math.round(median(runs[index] ?? []) - median(runs[base] ?? [])),
    'least ms': Math.round(Math.min(...(runs[index] ?? []))),
  })),
);
fs.rmSync(folder, { recursive: true });
