import { fork } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { getRotatingFileSink } from '@logtape/file';
import { createBatch, parseOptions, type Batch } from '@treeline/contract';
import file from '@treeline/file';
import log4js from 'log4js';
import { createStream } from 'rotating-file-stream';
import winston from 'winston';
import DailyRotateFile from 'winston-daily-rotate-file';
import { formatRate, median, numberArgument, printHeader, printTable, textArgument } from './report.ts';

/*
 * How many lines per second reach files of 10 MB, how far do files pass that, and are all lines there and whole? Each contender has a
 * process of its own, in turns, and gets lines that were made before, by the largest unit that its interface takes; one that has
 * back-pressure is waited for. The time ends when the contender has closed. Of several rounds the median counts.
 */

const LIMIT = 10 * 1024 * 1024;
const TEXT = 'x'.repeat(262);

const line = (index: number): string =>
  `{"level":30,"time":${1_760_000_000_000 + index},"pid":1,"hostname":"h","n":${index},"text":"${TEXT}","msg":"hello"}\n`;

/** Makes what is to be written; the function that comes back writes it into files in the folder and resolves when it is there. */
type Contender = (folder: string, lines: readonly string[]) => () => Promise<void>;

const CONTENDERS: Record<string, Contender> = {
  'treeline, batches of 256 KiB': (folder, lines) => writeOurs(folder, lines, 256, {}),
  'treeline, batches of 64 KiB': (folder, lines) => writeOurs(folder, lines, 64, {}),
  'treeline, gzip': (folder, lines) => writeOurs(folder, lines, 256, { compress: 'gzip' }),
  'treeline, no rotation': (folder, lines) => writeOurs(folder, lines, 256, { rotation: {} }),

  'rotating-file-stream, chunks of 64 KiB': (folder, lines) => {
    const chunks = chunksOf(lines, 64);
    return async () => {
      const stream = createStream('app.log', { path: folder, size: '10M' });
      for (const chunk of chunks) {
        await new Promise<void>((resolve, reject) => {
          stream.write(chunk, (error) => (error ? reject(error) : resolve()));
        });
      }
      stream.end();
      await once(stream, 'finish');
    };
  },

  'pino-roll, chunks of 64 KiB': (folder, lines) => {
    const build = createRequire(import.meta.url)('pino-roll') as (options: object) => Promise<fs.WriteStream>;
    const chunks = chunksOf(lines, 64).map(String);
    return async () => {
      const stream = await build({ file: join(folder, 'app'), size: '10m', sync: false });
      for (const chunk of chunks) if (!stream.write(chunk)) await once(stream, 'drain');
      stream.end();
      await once(stream, 'close');
    };
  },

  'winston-daily-rotate-file': (folder, lines) => async () => {
    const transport = new DailyRotateFile({ filename: join(folder, 'app.log'), maxSize: '10m' });
    const logger = winston.createLogger({
      format: winston.format.printf(({ message }) => String(message)),
      transports: [transport],
    });
    for (const [index, text] of lines.entries()) {
      logger.info(text.slice(0, -1));
      if (index % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
    const finished = once(transport, 'finish');
    logger.end();
    await finished;
  },

  log4js: (folder, lines) => async () => {
    log4js.configure({
      appenders: {
        file: {
          type: 'file',
          filename: join(folder, 'app.log'),
          maxLogSize: LIMIT,
          backups: 1000,
          layout: { type: 'messagePassThrough' },
        },
      },
      categories: { default: { appenders: ['file'], level: 'info' } },
    });
    const logger = log4js.getLogger();
    for (const [index, text] of lines.entries()) {
      logger.info(text.slice(0, -1));
      if (index % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await new Promise<void>((resolve) => log4js.shutdown(() => resolve()));
  },

  'LogTape rotating file sink': (folder, lines) => async () => {
    const sink = getRotatingFileSink(join(folder, 'app.log'), {
      maxSize: LIMIT,
      maxFiles: 1000,
      formatter: ({ message }) => String(message[0]),
    });
    for (const text of lines) {
      sink({ category: [], level: 'info', message: [text], rawMessage: text, timestamp: 0, properties: {} });
    }
    sink[Symbol.dispose]();
  },
};

function chunksOf(lines: readonly string[], kib: number): Buffer[] {
  const chunks: Buffer[] = [];
  let text = '';
  for (const each of lines) {
    if (text.length + each.length > kib * 1024) {
      chunks.push(Buffer.from(text));
      text = '';
    }
    text += each;
  }
  return [...chunks, Buffer.from(text)];
}

function writeOurs(
  folder: string,
  lines: readonly string[],
  kib: number,
  options: object,
): () => Promise<void> {
  const batches = chunksOf(lines, kib).map((chunk) => createBatch(chunk));
  return () => writeBatches(folder, batches, options);
}

async function writeBatches(folder: string, batches: readonly Batch[], options: object): Promise<void> {
  const parsed = await parseOptions(file.definition, {
    path: join(folder, 'app.log'),
    rotation: { size: '10M' },
    ...options,
  });
  const sink = await file.definition.open(parsed, {
    streamName: 'file',
    report: (event) => console.error(event),
  });
  for (const batch of batches) await sink.write(batch);
  await sink.close();
}

interface Result {
  readonly ms: number;
  /** Processor time of all threads: steadier than the clock on a machine that does other things too. */
  readonly cpuMs: number;
  readonly lines: number;
  readonly cutFiles: number;
  readonly largest: number;
}

async function measure(name: string, count: number): Promise<Result> {
  const folder = fs.mkdtempSync(join(os.tmpdir(), 'treeline-bench-'));
  const lines = Array.from({ length: count }, (_, index) => line(index));
  const write = CONTENDERS[name]?.(folder, lines);
  const start = performance.now();
  const cpuBefore = process.cpuUsage();
  await write?.();
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(cpuBefore);
  const result = { ms, cpuMs: (user + system) / 1000, lines: 0, cutFiles: 0, largest: 0 };
  for (const each of fs.readdirSync(folder, { withFileTypes: true })) {
    if (!each.isFile() || each.name.endsWith('.json') || each.name.endsWith('.gz')) continue;
    const bytes = fs.readFileSync(join(folder, each.name));
    result.largest = Math.max(result.largest, bytes.length);
    if (bytes.length > 0 && (bytes[0] !== 0x7b || bytes.at(-1) !== 10)) result.cutFiles++;
    for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) result.lines++;
  }
  fs.rmSync(folder, { recursive: true });
  return result;
}

async function main(): Promise<void> {
  const count = numberArgument('lines', 1_000_000);
  const only = textArgument('only');
  if (only !== undefined) {
    process.send?.(await measure(only, count));
    return;
  }
  const rounds = numberArgument('rounds', 3);
  printHeader(`${count} lines of ${line(0).length} bytes into files of 10 MB, ${rounds} rounds`);
  const names = Object.keys(CONTENDERS).filter((name) => name.includes(textArgument('contenders') ?? ''));
  const results = new Map<string, Result[]>(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, found] of results) {
      const child = fork(fileURLToPath(import.meta.url), ['--only', name, '--lines', String(count)]);
      const [result] = (await once(child, 'message')) as [Result];
      found.push(result);
    }
  }
  const rows = [...results].map(([name, found]) => ({
    contender: name,
    'lines/s': formatRate(count, median(found.map(({ ms }) => ms))),
    'best round': formatRate(count, Math.min(...found.map(({ ms }) => ms))),
    'CPU µs a line': ((median(found.map(({ cpuMs }) => cpuMs)) * 1000) / count).toFixed(2),
    'lines missing': name.endsWith('gzip') ? '' : Math.max(...found.map(({ lines }) => count - lines)),
    'files with a cut line': found.reduce((sum, { cutFiles }) => sum + cutFiles, 0),
    'bytes over the limit': name.endsWith('no rotation')
      ? ''
      : Math.max(0, ...found.map(({ largest }) => largest - LIMIT)),
  }));
  printTable(rows);
}

await main();
