import fs from 'node:fs';
import tty from 'node:tty';
import { createBatch, messageOf, openFdWriter } from '@treeline/contract';
import { parsePrettyArgs, UsageError, type PrettyArgs } from './cli-args.ts';
import { prettyCliOptions, type CliOption } from './cli-options.ts';
import { MissingFileError, PROJECT_FILE, readConfig } from './config-file.ts';
import { openInputFile, standardInput, type Input } from './input.ts';
import { readLines, type ReadInto } from './input-lines.ts';
import type { ParsedPrettyOptions } from './options.ts';
import { OutputBuffer } from './output-buffer.ts';
import { createPrinterFrom, maxInputLineBytes, type Printer } from './printer.ts';
import { parsePrettyOptions, resolveSettings, type PrinterSettings } from './settings.ts';
import { watchTerminalWidth } from './terminal-width.ts';
import { keepYoungGenerationSmall } from './young-generation.ts';

export { prettyCliOptions, type CliOption };

/** What the command reads and writes. */
export interface PrettyIo {
  /** Opens standard input. */
  openInput(): Input;
  readonly inputIsTerminal: boolean;
  /** Rejects with EPIPE where nobody reads any more. */
  write(bytes: Uint8Array): Promise<void>;
  /** Lets go of a write that does not end, so that it keeps no process alive. */
  abandonWrite(): void;
  error(text: string): void;
  readonly isTerminal: boolean;
  /** The terminal's width. */
  columns(): number | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Calls back at each Ctrl-C; the result ends that. */
  onInterrupt(listener: () => void): () => void;
}

const LAST_WORDS_MS = 1000;
const EXIT = { ok: 0, failed: 1, usage: 2, missingFile: 66, interrupted: 130 } as const;

/** Runs `treeline pretty` and resolves to its exit code; never rejects for what the user gave it. */
export async function runPretty(argv: readonly string[], io: PrettyIo = processIo()): Promise<number> {
  try {
    const args = parsePrettyArgs(argv);
    if (args.help) {
      await io.write(Buffer.from(helpText()));
      return EXIT.ok;
    }
    const { options, configFile } = readGiven(args, io);
    const settings = resolveSettings(options, { ...io, columns: () => io.columns(), nowMs: Date.now() });
    if (args.showConfig) {
      if (configFile !== undefined) io.error(`treeline pretty: with the options of ${configFile}\n`);
      await io.write(Buffer.from(`${JSON.stringify(effectiveOptions(options, settings), undefined, 2)}\n`));
      return EXIT.ok;
    }
    return await print(args, settings, io);
  } catch (error) {
    return explain(error, io);
  }
}

function explain(error: unknown, io: PrettyIo): number {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EPIPE') return EXIT.ok;
  io.error(`treeline pretty: ${messageOf(error)}\n`);
  if (error instanceof MissingFileError) return EXIT.missingFile;
  const isUsage = error instanceof UsageError || error instanceof TypeError || code === 'QUERY_INVALID';
  return isUsage ? EXIT.usage : EXIT.failed;
}

interface Given {
  readonly options: ParsedPrettyOptions;
  /** The file that some of them come from. */
  readonly configFile: string | undefined;
}

/** Options of the command line go before those of the file. */
function readGiven(args: PrettyArgs, io: PrettyIo): Given {
  const { values, file } = readConfig(args.configFile, io.cwd);
  return { options: parsePrettyOptions({ ...values, ...args.options }), configFile: file };
}

/** As a file for `--config` has them, with what `auto` was decided to be. */
function effectiveOptions(
  { customLevels, customColors, ...options }: ParsedPrettyOptions,
  { mode, time, colored, ids, width }: PrinterSettings,
): Record<string, unknown> {
  return {
    ...options,
    mode,
    time,
    ids,
    width: width(),
    color: colored ? 'always' : 'never',
    customLevels: Object.fromEntries(customLevels),
    customColors: Object.fromEntries(customColors),
  };
}

async function print(args: PrettyArgs, settings: PrinterSettings, io: PrettyIo): Promise<number> {
  const printer = createPrinterFrom(settings);
  const readsPipe = args.files.length === 0 && !io.inputIsTerminal;
  let interrupts = 0;
  const interrupted = new AbortController();
  const output = createOutput(io, interrupted.signal);
  // In a pipe the program before gets the Ctrl-C as well: what it still says is printed, to its end.
  const stop = io.onInterrupt(() => {
    if (++interrupts > 1 || !readsPipe) interrupted.abort();
  });
  try {
    for (const file of args.files.length > 0 ? args.files : ['-']) {
      const input = openInput(file, io);
      try {
        await printFile(input, maxInputLineBytes(settings), printer, output, interrupted.signal);
      } finally {
        input.close();
      }
      if (interrupted.signal.aborted) break;
    }
    await output.print(printer.end());
  } finally {
    stop();
  }
  if (interrupted.signal.aborted) return EXIT.interrupted;
  return args.strict && printer.stats().textLines > 0 ? EXIT.failed : EXIT.ok;
}

async function printFile(
  input: Input,
  maxLineBytes: number,
  printer: Printer,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  const read: ReadInto = (buffer, offset) => unlessAborted(input.read(buffer, offset), signal, 0);
  for await (const lines of readLines(read, maxLineBytes)) {
    await output.print(printer.write(createBatch(lines)));
    if (signal.aborted) return;
  }
}

/** The promise, or `instead` where the signal comes first. Each call has a promise of its own to race: one for all would gather them. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal, instead: T): Promise<T> {
  let onAbort = (): void => undefined;
  const aborted = new Promise<T>((resolve) => {
    onAbort = () => resolve(instead);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function openInput(file: string, io: PrettyIo): Input {
  if (file === '-') return io.openInput();
  try {
    return openInputFile(file);
  } catch (error) {
    throw new MissingFileError(`can't read "${file}": ${messageOf(error)}`);
  }
}

interface Output {
  print(text: string): Promise<void>;
}

/** After an interrupt nobody waits for a reader any more: what is left to say then has one second. */
function createOutput(io: PrettyIo, interrupted: AbortSignal): Output {
  const buffer = new OutputBuffer();
  let isStuck = false;
  return {
    async print(text) {
      if (text === '' || isStuck) return;
      const patience = interrupted.aborted ? AbortSignal.timeout(LAST_WORDS_MS) : interrupted;
      const written = io.write(buffer.encode(text)).then(() => true);
      isStuck = !(await unlessAborted(written, patience, false));
      if (isStuck) io.abandonWrite();
    },
  };
}

function processIo(): PrettyIo {
  keepYoungGenerationSmall();
  // A socket can't be opened once more: that Node looks at it makes its writes return, so that a Ctrl-C is heard between them.
  if (fs.fstatSync(1, { bigint: true }).isSocket()) void process.stdout;
  const output = openFdWriter(1);
  return {
    openInput: standardInput,
    inputIsTerminal: tty.isatty(0),
    write: (bytes) => output.write(bytes),
    abandonWrite: () => output.close(),
    error: (text) => void process.stderr.write(text),
    isTerminal: tty.isatty(1),
    columns: watchTerminalWidth(1),
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
      description: `Options as a JSON file instead of the project's ${PROJECT_FILE}; those of the command line go before.`,
    },
    { left: '    --show-config', description: 'Prints the options that would be used.' },
    { left: '    --strict', description: 'Exits with 1 where a line is no JSON.' },
    { left: '-h, --help', description: 'Prints this.' },
  ];
  const lines = [...flags, ...own].map(({ left, description }) => `  ${left}\n          ${description}`);
  return `Usage: treeline pretty [options] [file…]\n\nPrints any pino log for people; reads standard input without a file.\n\n${lines.join('\n')}\n`;
}
