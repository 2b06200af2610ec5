import fs from 'node:fs';
import tty from 'node:tty';
import { createBatch, LineSplitter, messageOf, openFdWriter, TreelineError } from '@treeline/contract';
import { parsePrettyArgs, UsageError, type PrettyArgs } from './cli-args.ts';
import { prettyCliOptions, type CliOption } from './cli-options.ts';
import type { PrettyOptions } from './options.ts';
import { createPrinterFrom, type Printer } from './printer.ts';
import { parsePrettyOptions, resolveSettings, type PrinterSettings } from './settings.ts';

export { prettyCliOptions, type CliOption };

/** What the command reads and writes. */
export interface PrettyIo {
  /** Standard input. */
  readonly input: AsyncIterable<Uint8Array>;
  readonly inputIsTerminal: boolean;
  /** Rejects with EPIPE where nobody reads any more. */
  write(bytes: Uint8Array): Promise<void>;
  error(text: string): void;
  readonly isTerminal: boolean;
  readonly columns: number | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Calls back at each Ctrl-C; the result ends that. */
  onInterrupt(listener: () => void): () => void;
}

const EXIT = { ok: 0, strict: 1, usage: 2, missingFile: 66, interrupted: 130 } as const;

/** Bytes that are kept of a line that has not ended: the printer takes no more of it either. */
const MAX_LINE_BYTES = 1024 * 1024;

/** Runs `treeline pretty` and resolves to its exit code; never rejects for what the user gave it. */
export async function runPretty(argv: readonly string[], io: PrettyIo = processIo()): Promise<number> {
  try {
    const args = parsePrettyArgs(argv);
    if (args.help) {
      await io.write(Buffer.from(helpText()));
      return EXIT.ok;
    }
    const settings = readSettings(args, io);
    if (args.showConfig) {
      await io.write(Buffer.from(`${JSON.stringify(effectiveOptions(args, io), undefined, 2)}\n`));
      return EXIT.ok;
    }
    return await print(args, settings, io);
  } catch (error) {
    return explain(error, io);
  }
}

function explain(error: unknown, io: PrettyIo): number {
  if ((error as NodeJS.ErrnoException).code === 'EPIPE') return EXIT.ok;
  io.error(`treeline pretty: ${messageOf(error)}\n`);
  if (error instanceof MissingFileError) return EXIT.missingFile;
  const isUsage = error instanceof UsageError || error instanceof TypeError || error instanceof TreelineError;
  return isUsage ? EXIT.usage : EXIT.strict;
}

class MissingFileError extends Error {}

function readSettings(args: PrettyArgs, io: PrettyIo): PrinterSettings {
  return resolveSettings(parseGiven(args), { ...io, nowMs: Date.now() });
}

function parseGiven(args: PrettyArgs): ReturnType<typeof parsePrettyOptions> {
  // Options of the command line go before those of the file.
  const given: Record<string, unknown> = { ...readConfig(args.configFile), ...args.options };
  return parsePrettyOptions(given as PrettyOptions);
}

function effectiveOptions(args: PrettyArgs, io: PrettyIo): Record<string, unknown> {
  const { levelsByName, colorsByLevel, customLevels, customColors, ...rest } = readSettings(args, io);
  return {
    ...rest,
    customLevels: Object.fromEntries(levelsByName),
    customColors: Object.fromEntries(colorsByLevel),
  };
}

function readConfig(file: string | undefined): Record<string, unknown> {
  if (file === undefined) return {};
  const text = readText(file);
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch (error) {
    throw new UsageError(`${file} is no JSON: ${messageOf(error)}`);
  }
  throw new UsageError(`${file} must hold a JSON object of options`);
}

function readText(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    throw new MissingFileError(`can't read "${file}": ${messageOf(error)}`);
  }
}

async function print(args: PrettyArgs, settings: PrinterSettings, io: PrettyIo): Promise<number> {
  const printer = createPrinterFrom(settings);
  const readsPipe = args.files.length === 0 && !io.inputIsTerminal;
  let interrupts = 0;
  const interrupted = new AbortController();
  // In a pipe the program before gets the Ctrl-C as well: what it still says is printed, to its end.
  const stop = io.onInterrupt(() => {
    if (++interrupts > 1 || !readsPipe) interrupted.abort();
  });
  try {
    for (const file of args.files.length > 0 ? args.files : ['-']) {
      await printFile(file, printer, io, interrupted.signal);
      if (interrupted.signal.aborted) break;
    }
    await write(io, printer.end());
  } finally {
    stop();
  }
  if (interrupted.signal.aborted) return EXIT.interrupted;
  return args.strict && printer.stats().textLines > 0 ? EXIT.strict : EXIT.ok;
}

async function printFile(file: string, printer: Printer, io: PrettyIo, signal: AbortSignal): Promise<void> {
  const splitter = new LineSplitter(MAX_LINE_BYTES);
  const input = file === '-' ? io.input : openInput(file);
  for await (const chunk of untilAborted(input, signal)) {
    const lines = splitter.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    if (lines) await write(io, printer.write(createBatch(lines)));
  }
  const rest = splitter.end();
  if (rest) await write(io, printer.write(createBatch(rest)));
}

async function* untilAborted(
  input: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const iterator = input[Symbol.asyncIterator]();
  const aborted = new Promise<undefined>((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  for (;;) {
    if (signal.aborted) return;
    const next = await Promise.race([iterator.next(), aborted]);
    if (!next || next.done) return;
    yield next.value;
  }
}

function openInput(file: string): AsyncIterable<Uint8Array> {
  try {
    const fd = fs.openSync(file, 'r');
    if (fs.fstatSync(fd).isDirectory()) throw new Error('it is a directory');
    return fs.createReadStream('', { fd, highWaterMark: 256 * 1024 });
  } catch (error) {
    throw new MissingFileError(`can't read "${file}": ${messageOf(error)}`);
  }
}

async function write(io: PrettyIo, text: string): Promise<void> {
  if (text !== '') await io.write(Buffer.from(text));
}

function processIo(): PrettyIo {
  const output = openFdWriter(1);
  return {
    input: process.stdin,
    inputIsTerminal: tty.isatty(0),
    write: (bytes) => output.write(bytes),
    error: (text) => void process.stderr.write(text),
    isTerminal: tty.isatty(1),
    columns: process.stdout.columns,
    env: process.env,
    cwd: process.cwd(),
    onInterrupt(listener) {
      process.on('SIGINT', listener);
      return () => process.off('SIGINT', listener);
    },
  };
}

function helpText(): string {
  const flags = prettyCliOptions.map((option) => ({
    left: `${option.short === undefined ? '    ' : `${option.short}, `}${option.flag}${option.value === undefined ? '' : ` ${option.value}`}`,
    description: option.description.replaceAll('`', ''),
  }));
  const own = [
    {
      left: '    --config <file>',
      description: 'Options as a JSON file; those of the command line go before.',
    },
    { left: '    --show-config', description: 'Prints the options that would be used.' },
    { left: '    --strict', description: 'Exits with 1 where a line is no JSON.' },
    { left: '-h, --help', description: 'Prints this.' },
  ];
  const lines = [...flags, ...own].map(({ left, description }) => `  ${left}\n          ${description}`);
  return `Usage: treeline pretty [options] [file…]\n\nPrints any pino log for people; reads standard input without a file.\n\n${lines.join('\n')}\n`;
}
