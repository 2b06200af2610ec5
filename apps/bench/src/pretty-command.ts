/** Whole commands over a pipe, output thrown away: what a person waits for in `node app.js | treeline pretty`. */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { runChild } from './child.ts';
import { formatRate, median, numberArgument, printHeader, printTable } from './report.ts';
import { sampleLine } from './sample.ts';

const require = createRequire(import.meta.url);

const count = numberArgument('lines', 300_000);
const rounds = numberArgument('rounds', 3);
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bench-pretty-'));
const flat = path.join(folder, 'flat.ndjson');
const spans = path.join(folder, 'spans.ndjson');

const TREELINE = program(`
  import { runPretty } from ${JSON.stringify(import.meta.resolve('@treeline/pretty/cli'))};
  process.exitCode = await runPretty(process.argv.slice(2));`);
const BARE = program(`
  import readline from 'node:readline';
  let out = '';
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { level, time, msg, pid, hostname, name, ...fields } = JSON.parse(line);
    out += new Date(time).toISOString() + ' ' + level + ' ' + name + ' ' + msg;
    for (const key in fields) out += ' ' + key + '=' + JSON.stringify(fields[key]);
    out += '\\n';
    if (out.length > 65536) { process.stdout.write(out); out = ''; }
  }
  process.stdout.write(out);`);
const PINO_PRETTY = path.join(path.dirname(require.resolve('pino-pretty')), 'bin.js');

const contenders: readonly (readonly [name: string, args: readonly string[], input: string])[] = [
  ['treeline pretty --mode flat', [TREELINE, '--mode', 'flat', '--color'], flat],
  ['treeline pretty --mode live', [TREELINE, '--mode', 'live', '--color'], flat],
  ['treeline pretty --mode live, eight lines a span', [TREELINE, '--mode', 'live', '--color'], spans],
  ['treeline pretty --mode forest, eight lines a span', [TREELINE, '--mode', 'forest', '--color'], spans],
  ['treeline pretty --minimumLevel 50', [TREELINE, '--mode', 'flat', '--minimumLevel', '50'], flat],
  ['parse and print, nothing else', [BARE], flat],
  ['pino-pretty', [PINO_PRETTY, '--colorize'], flat],
  ['pino-pretty --singleLine', [PINO_PRETTY, '--colorize', '--singleLine'], flat],
  ['pino-pretty --minimumLevel 50', [PINO_PRETTY, '--colorize', '--minimumLevel', '50'], flat],
];

writeLines(flat, (index) => sampleLine(index, 1_760_000_000_000 + index));
writeLines(spans, spanLine);
printHeader(
  `Printing ${count.toLocaleString('en')} lines of ${Math.round(fs.statSync(flat).size / count)} bytes`,
);
const runs = contenders.map(() => [] as Awaited<ReturnType<typeof runChild>>[]);
// In turn, so that what else the machine does meets all of them.
for (let round = 0; round < rounds; round++) {
  for (const [index, [, args, input]] of contenders.entries()) runs[index]?.push(await runChild(args, input));
}
printTable(
  contenders.map(([contender], index) => {
    const own = runs[index] ?? [];
    return {
      contender,
      'lines/s': formatRate(count, median(own.map(({ wallMs }) => wallMs))),
      'lines per CPU second': formatRate(count, median(own.map(({ cpuMs }) => cpuMs))),
      'peak RSS MB': Math.max(...own.map(({ peakMb }) => peakMb)),
    };
  }),
);
fs.rmSync(folder, { recursive: true });

function program(source: string): string {
  const file = path.join(folder, `${fs.readdirSync(folder).length}.mjs`);
  fs.writeFileSync(file, source);
  return file;
}

function writeLines(file: string, lineOf: (index: number) => string): void {
  const fd = fs.openSync(file, 'w');
  for (let from = 0; from < count; from += 1000) {
    let text = '';
    for (let index = from; index < Math.min(count, from + 1000); index++) text += lineOf(index);
    fs.writeSync(fd, text);
  }
  fs.closeSync(fd);
}

/** Spans of eight lines, open and close included. */
function spanLine(index: number): string {
  const record = JSON.parse(sampleLine(index, 1_760_000_000_000 + index)) as Record<string, unknown>;
  const id = Math.floor(index / 8)
    .toString(16)
    .padStart(16, '0');
  Object.assign(record, { trace_id: id.padStart(32, 'a'), span_id: id, span_seq: index % 8 });
  if (index % 8 === 0) record['span'] = { op: 'open', name: 'GET /v1/orders' };
  if (index % 8 === 7)
    record['span'] = { op: 'close', name: 'GET /v1/orders', duration_ns: 7_000_000, status: 'ok' };
  return `${JSON.stringify(record)}\n`;
}
