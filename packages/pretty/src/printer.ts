import { formatLevel, type Batch, type LogRecord } from '@treeline/contract';
import { formatErrorBlock, formatErrorLine, readError } from './error.ts';
import { escapeLines, escapeText } from './escape.ts';
import { formatField, textOf } from './field.ts';
import { createTheme } from './theme.ts';
import { createTimeFormatter } from './time.ts';

/** Turns batches of lines into text. Synchronous and total: no input makes it throw. */
export interface Printer {
  /** The text for a batch, each line ended by a line feed. */
  write(batch: Batch): string;
  /** What is left to say at the end of input. */
  end(): string;
}

/** How a printer prints, with everything that depends on the surroundings decided. */
export interface PrinterOptions {
  readonly mode: 'live' | 'flat';
  readonly colored: boolean;
  readonly time: 'iso' | 'local' | 'none';
  readonly utc: boolean;
}

/** Keys that have a column of their own, or are left out as noise. */
const COLUMN_KEYS: ReadonlySet<string> = new Set(['level', 'time', 'name', 'msg', 'pid', 'hostname', 'err']);

export function createPrinter(options: PrinterOptions): Printer {
  const theme = createTheme(options.colored);
  const formatTime = createTimeFormatter(options.time, options.utc);
  const isFlat = options.mode === 'flat';

  const head = (record: LogRecord): string => {
    const level = formatLevel(record.level).toUpperCase().padEnd(5);
    const time = formatTime(record.time);
    return [
      time && theme.time(time),
      theme.level(level, record.level),
      record.name === undefined ? '' : theme.name(escapeText(textOf(record.name))),
    ]
      .filter((part) => part !== '')
      .join(' ');
  };

  const fields = (record: LogRecord): string =>
    Object.keys(record)
      .filter((key) => !COLUMN_KEYS.has(key))
      .map((key) => ` ${formatField(key, record[key], theme)}`)
      .join('');

  const line = (record: LogRecord): string => {
    const error = readError(record.err);
    const text = textOf(record.msg);
    const [first = '', ...more] = isFlat ? [escapeText(text)] : escapeLines(text);
    const below = error && !isFlat ? formatErrorBlock(error) : [];
    const beside = error && isFlat ? ` ${theme.error(formatErrorLine(error))}` : '';
    const unread = record.err !== undefined && !error ? ` ${formatField('err', record.err, theme)}` : '';
    const message = first === '' ? '' : ` ${first}`;
    const gutter = theme.faint('    │ ');
    return [
      `${head(record)}${message}${fields(record)}${unread}${beside}`,
      ...[...more, ...below].map((each) => gutter + each),
    ]
      .map((each) => `${each}\n`)
      .join('');
  };

  return {
    write: (batch) => batch.records().map(line).join(''),
    end: () => '',
  };
}
