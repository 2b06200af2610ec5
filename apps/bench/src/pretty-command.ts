/**
 * Whole commands over a pipe, output thrown away: what a person waits for in `node app.js | treeline pretty`. Takes some
 * minutes: pino-pretty prints three of the inputs.
 */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { runChild, type ChildRun } from './child.ts';
import { formatRate, median, numberArgument, printHeader, printTable } from './report.ts';
import { sampleLine } from './sample.ts';

const require = createRequire(import.meta.url);

const count = numberArgument('lines', 1_000_000);
const rounds = numberArgument('rounds', 1);
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bench-pretty-'));
const flat = path.join(folder, 'flat.ndjson');
const spans = path.join(folder, 'spans.ndjson');

/** When the first line was logged. */
const START_MS = 1_760_000_000_000;

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
const BUNYAN = path.join(path.dirname(require.resolve('bunyan/package.json')), 'bin', 'bunyan');

interface Contender {
  readonly name: string;
  readonly args: readonly string[];
  readonly input: string;
  /** The one it is compared with, on the same input and with the same task. */
  readonly base: string;
}

const contenders: readonly Contender[] = [
  ...group(flat, 'pino-pretty', {
    'treeline pretty --mode flat': [TREELINE, '--mode', 'flat', '--color'],
    'treeline pretty --mode live': [TREELINE, '--mode', 'live', '--color'],
    'pino-pretty': [PINO_PRETTY, '--colorize'],
    'pino-pretty --singleLine': [PINO_PRETTY, '--colorize', '--singleLine'],
    bunyan: [BUNYAN, '--color'],
    'parse and print, nothing else': [BARE],
  }),
  ...group(spans, 'pino-pretty, spans', {
    'treeline pretty --mode live, spans': [TREELINE, '--mode', 'live', '--color'],
    'treeline pretty --mode forest, spans': [TREELINE, '--mode', 'forest', '--color'],
    'treeline pretty --mode flat, spans': [TREELINE, '--mode', 'flat', '--color'],
    'pino-pretty, spans': [PINO_PRETTY, '--colorize'],
  }),
  ...group(flat, 'pino-pretty --minimumLevel 50', {
    'treeline pretty --minimumLevel 50': [TREELINE, '--mode', 'flat', '--color', '--minimumLevel', '50'],
    'pino-pretty --minimumLevel 50': [PINO_PRETTY, '--colorize', '--minimumLevel', '50'],
    'bunyan -l error': [BUNYAN, '--color', '-l', 'error'],
  }),
];

writeLines(flat, flatLine);
writeLines(spans, spanLine);
printHeader(
  `Printing ${count.toLocaleString('en')} lines of ${bytesOfLine(flat)} bytes, or, with spans, of ${bytesOfLine(spans)}`,
);
const runs = contenders.map(() => [] as Awaited<ReturnType<typeof runChild>>[]);
// In turn, so that what else the machine does meets all of them.
for (let round = 0; round < rounds; round++) {
  for (const [index, { args, input }] of contenders.entries()) runs[index]?.push(await runChild(args, input));
}
printTable(
  contenders.map(({ name, base }, index) => {
    const own = runs[index] ?? [];
    const other = runs[contenders.findIndex((each) => each.name === base)] ?? [];
    return {
      contender: name,
      'lines/s': formatRate(count, wallMs(own)),
      'lines per CPU second': formatRate(count, cpuMs(own)),
      'peak RSS MB': Math.max(...own.map(({ peakMb }) => peakMb)),
      '× pino-pretty': (wallMs(other) / wallMs(own)).toFixed(1),
      '× by CPU': (cpuMs(other) / cpuMs(own)).toFixed(1),
    };
  }),
);
fs.rmSync(folder, { recursive: true });

function group(
  input: string,
  base: string,
  commands: Readonly<Record<string, readonly string[]>>,
): Contender[] {
  return Object.entries(commands).map(([name, args]) => ({ name, args, input, base }));
}

function wallMs(own: readonly ChildRun[]): number {
  return median(own.map((each) => each.wallMs));
}

function cpuMs(own: readonly ChildRun[]): number {
  return median(own.map((each) => each.cpuMs));
}

function bytesOfLine(file: string): number {
  return Math.round(fs.statSync(file).size / count);
}

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

/** Some 350 bytes; "v" is what makes a record one of bunyan's. */
function record(index: number): Record<string, unknown> {
  const line = JSON.parse(sampleLine(index, START_MS + index)) as Record<string, unknown>;
  return { ...line, userAgent: 'Mozilla/5.0 (X11)', v: 0 };
}

function flatLine(index: number): string {
  return `${JSON.stringify(record(index))}\n`;
}

/** Spans of eight lines, open and close included, as core writes them. */
function spanLine(index: number): string {
  const { level, time, pid, hostname, name, msg, ...fields } = record(index);
  const id = Math.floor(index / 8)
    .toString(16)
    .padStart(16, '0');
  const seq = index % 8;
  const ids = { trace_id: id.padStart(32, 'a'), span_id: id, trace_flags: '01', span_seq: seq };
  const start = { level: 30, time, pid, hostname, name, ...ids };
  const attrs = { 'http.request.method': 'GET', 'url.path': fields['url'], 'user.id': fields['userId'] };
  const spanName = 'GET /v1/orders/:id';
  if (seq === 0)
    return `${JSON.stringify({ ...start, span: { op: 'open', name: spanName, kind: 'server', attrs }, v: 0, msg: '' })}\n`;
  if (seq === 7)
    return `${JSON.stringify({ ...start, span: { op: 'close', name: spanName, kind: 'server', attrs: { 'http.response.status_code': 200 }, duration_ns: 7_000_000, self_ns: 7_000_000, status: 'ok' }, v: 0, msg: '' })}\n`;
  return `${JSON.stringify({ level, time, pid, hostname, name, ...ids, ...fields, msg })}\n`;
}
