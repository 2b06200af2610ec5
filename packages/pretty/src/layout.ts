import { formatLevel } from '@treeline/contract';
import { detached } from './detached.ts';
import { escapeText, type Escaping } from './escape.ts';
import { formatErrorTree, readErrorTree, summarizeError, type ErrorFormat } from './error.ts';
import { formatFields, formatKey, type FieldFormat } from './field.ts';
import { ASCII, UNICODE, type Glyphs } from './glyphs.ts';
import type { Line } from './line.ts';
import { compileMessageFormat } from './message-format.ts';
import type { PrinterSettings } from './settings.ts';
import { escapeCommands } from './workflow.ts';
import { createTheme, RESET, type Theme } from './theme.ts';
import { createTimeFormatter } from './time.ts';
import { columnsOf, truncateText, wrapText } from './width.ts';

/** The columns before the tree, painted. */
export interface Columns {
  readonly text: string;
  readonly width: number;
}

/** What stands between the columns and the text: its glyphs on the first line, and on those below it. */
export interface Tree {
  readonly first: string;
  readonly below: string;
  readonly width: number;
}

const NO_COLUMN: Columns = { text: '', width: 0 };
const LEVEL_WIDTH = 5;
const LEAST_NAME_WIDTH = 4;
/** A name that is longer pushes its own line only. */
const MOST_NAME_WIDTH = 16;
/** Labels of levels that are kept: a hostile log has any number of them. */
const MAX_LABELS = 1000;

/** Puts the parts of a record together: columns, tree, text, fields, errors; the same in every mode. */
export class Layout {
  readonly settings: PrinterSettings;
  readonly theme: Theme;
  readonly glyphs: Glyphs;
  /** What stands before the further lines of a record that is in no tree. */
  readonly gutter: Tree;
  readonly lineEnd: '\n' | '\r\n';
  /** Records of which a part was cut. */
  cutRecords = 0;
  readonly #escaping: Escaping;
  readonly #fieldFormat: FieldFormat;
  readonly #errorFormat: ErrorFormat;
  readonly #formatTime: (time: unknown) => string;
  readonly #labels = new Map<number, string>();
  /** Columns of the screen; undefined for no limit. */
  width: number | undefined;
  readonly #levelColumns = new Map<number, Columns>();
  readonly #blankLevel: Columns;
  /** As wide as the longest name so far. */
  #blankName: Columns;
  /** The name of the last record: the next one's is mostly the same. */
  #lastName: string | undefined;
  #lastNameColumn: Columns = NO_COLUMN;
  readonly #namesByLevel: ReadonlyMap<number, string>;
  readonly #hidden: { readonly time: boolean; readonly level: boolean; readonly name: boolean };
  readonly #messageFormat: ((line: Line, level: string) => string) | undefined;
  /** Names are a column in trees; flat lines are read by programs too and have no padding. */
  readonly #mostNameWidth: number;

  constructor(settings: PrinterSettings) {
    const { colored, ascii, mode, singleLine, trustAnsi } = settings;
    this.settings = settings;
    this.#blankName = mode === 'flat' ? NO_COLUMN : blankColumn(LEAST_NAME_WIDTH);
    this.#mostNameWidth = mode === 'flat' ? 0 : MOST_NAME_WIDTH;
    this.theme = createTheme(colored, settings.theme, settings.colorsByLevel);
    this.glyphs = ascii ? ASCII : UNICODE;
    this.gutter = { first: '', below: `${this.theme.faint(this.glyphs.line)}  `, width: 3 };
    this.lineEnd = settings.crlf ? '\r\n' : '\n';
    const isOneLine = mode === 'flat' || singleLine;
    this.#escaping = { lineFeed: isOneLine ? '\\n' : '\n', trustColors: trustAnsi };
    this.#fieldFormat = {
      placement: isOneLine && settings.fields === 'below' ? 'inline' : settings.fields,
      theme: this.theme,
      escaping: this.#escaping,
      isShown: fieldPredicate(settings),
    };
    this.#errorFormat = errorFormat(settings, this.theme, this.glyphs);
    this.#formatTime = createTimeFormatter({
      style: settings.time,
      utc: settings.utc,
      pattern: settings.translateTime,
    });
    this.#namesByLevel = new Map(
      Array.from(settings.levelsByName, ([name, level]) => [level, name.toUpperCase()]),
    );
    const ignored = new Set(settings.ignore);
    this.#blankLevel = ignored.has(settings.levelKey) ? NO_COLUMN : blankColumn(LEVEL_WIDTH);
    this.#hidden = {
      time: ignored.has(settings.timestampKey),
      level: ignored.has(settings.levelKey),
      name: ignored.has('name'),
    };
    this.#messageFormat =
      settings.messageFormat === undefined
        ? undefined
        : compileMessageFormat(settings.messageFormat, settings);
  }

  /** The screen may have another size than before. */
  measureScreen(): void {
    this.width = this.settings.width();
  }

  get isOneLine(): boolean {
    return this.#escaping.lineFeed === '\\n';
  }

  /** Whether the options let this field be printed. */
  isShown(key: string): boolean {
    return this.#fieldFormat.isShown(key);
  }

  /** A name as part of a text. */
  word(text: string): string {
    return escapeText(text);
  }

  escape(text: string): string {
    return escapeText(text, this.#escaping);
  }

  message(line: Line): string {
    if (this.#messageFormat && line.isRecord)
      return this.escape(this.#messageFormat(line, this.label(line.level, line.levelWord).trim()));
    return this.escape(line.message);
  }

  fields(line: Line, tokens: readonly number[]): string {
    return tokens.length === 0 ? '' : formatFields(line, tokens, this.#fieldFormat);
  }

  /** `pid=1 host=h`, where the options ask for it. */
  origin(line: Line): string {
    let text = '';
    for (const part of this.settings.origin) {
      const value =
        part === 'pid' ? line.pid : part === 'host' ? line.hostname : part === 'worker' ? line.worker : '';
      if (value !== '') text += this.theme.faint(`${part}=${escapeText(value)} `);
    }
    return text;
  }

  /** The errors of a record: below its text, or beside it where everything is to stand on one line. */
  errors(line: Line): string {
    let text = '';
    for (const index of line.errors) {
      const key = line.key(index).text;
      if (this.#fieldFormat.isShown(key)) text += this.error(key, line.value(index));
    }
    return text;
  }

  error(key: string, value: unknown): string {
    const tree = readErrorTree(value);
    if (!this.isOneLine) return `\n${formatErrorTree(tree, this.#errorFormat).join('\n')}`;
    const summary = escapeText(summarizeError(tree).replace(/["\\]/g, '\\$&'));
    return ` ${this.theme.faint(`${formatKey(key)}=`)}${this.theme.error(`"${summary}"`)}`;
  }

  time(time: unknown): string {
    return this.#hidden.time ? '' : this.#formatTime(time);
  }

  /** The label of a level, padded to its column. */
  label(level: number, levelWord: string | undefined): string {
    if (levelWord !== undefined) return escapeText(levelWord.toUpperCase()).padEnd(LEVEL_WIDTH);
    const known = this.#labels.get(level);
    if (known !== undefined) return known;
    const label = (this.#namesByLevel.get(level) ?? formatLevel(level).toUpperCase()).padEnd(LEVEL_WIDTH);
    if (this.#labels.size < MAX_LABELS) this.#labels.set(level, label);
    return label;
  }

  /** Time, level and name of a record. */
  recordColumns(line: Line): Columns {
    return this.#columns(
      line.time,
      this.#levelColumn(line.level, line.levelWord),
      this.#nameColumn(line.name),
    );
  }

  /** Time and level alone, for shapes in which the name is part of the text. */
  levelColumns(level: number, levelWord: string | undefined, time: unknown): Columns {
    return this.#columns(time, this.#levelColumn(level, levelWord), NO_COLUMN);
  }

  /** The same columns for a line of the tree's own, which has a time only. */
  timeColumns(time: unknown): Columns {
    return this.#columns(time, this.#blankLevel, this.#blankName);
  }

  #levelColumn(level: number, levelWord: string | undefined): Columns {
    if (this.#hidden.level) return NO_COLUMN;
    const known = levelWord === undefined ? this.#levelColumns.get(level) : undefined;
    if (known) return known;
    const label = this.label(level, levelWord);
    const column = { text: `${this.theme.level(label, level)} `, width: label.length + 1 };
    if (levelWord === undefined && this.#levelColumns.size < MAX_LABELS)
      this.#levelColumns.set(level, column);
    return column;
  }

  #nameColumn(name: string): Columns {
    if (name === this.#lastName) return this.#lastNameColumn;
    const shownName = name === '' || this.#hidden.name ? '' : escapeText(name);
    // Width is asked for only where there is something to be in line with.
    const width = this.#mostNameWidth === 0 ? shownName.length : columnsOf(shownName);
    const most = Math.min(width, this.#mostNameWidth);
    if (most >= Math.max(1, this.#blankName.width)) this.#blankName = blankColumn(most);
    const padding = this.#blankName.text.slice(width);
    const column =
      shownName === ''
        ? this.#blankName
        : { text: `${this.theme.name(shownName)}${padding || ' '}`, width: width + (padding.length || 1) };
    this.#lastName = detached(name);
    this.#lastNameColumn = column;
    return column;
  }

  #columns(time: unknown, level: Columns, name: Columns): Columns {
    const shown = this.time(time);
    const timeText = shown === '' ? '' : `${this.theme.faint(shown)} `;
    const timeWidth = shown === '' ? 0 : shown.length + 1;
    return {
      text: this.settings.levelFirst ? level.text + timeText + name.text : timeText + level.text + name.text,
      width: timeWidth + level.width + name.width,
    };
  }

  /** One record or line of the tree, with all lines that it takes. */
  row(columns: Columns, tree: Tree, body: string): string {
    return this.guard(this.#row(columns, tree, body));
  }

  /** Keeps a workflow from taking text of the log for a command of its own. */
  guard(lines: string): string {
    return this.settings.isWorkflow ? escapeCommands(lines) : lines;
  }

  #row(columns: Columns, tree: Tree, body: string): string {
    const text = this.cut(body);
    const { width } = this;
    if (width === undefined && !text.includes('\n'))
      return `${trimEnd(`${columns.text}${tree.first}`, text)}${this.lineEnd}`;
    const room = width === undefined ? Infinity : Math.max(10, width - columns.width - tree.width);
    const blank = ' '.repeat(columns.width);
    const lines = text.split('\n').flatMap((each) => this.#fit(each, room));
    return lines
      .map(
        (each, index) =>
          (index === 0 ? `${columns.text}${tree.first}${each}` : `${blank}${tree.below}${each}`).trimEnd() +
          this.lineEnd,
      )
      .join('');
  }

  #fit(text: string, room: number): string[] {
    if (text.length <= room && room === Infinity) return [text];
    return this.settings.wrap === 'truncate'
      ? [truncateText(text, room, this.glyphs.more)]
      : wrapText(text, room);
  }

  /** Cuts what is longer than a record may be, and says how much that was. */
  cut(body: string): string {
    const { maxLineBytes } = this.settings;
    if (
      body.length * 3 <= maxLineBytes ||
      (body.length <= maxLineBytes && Buffer.byteLength(body) <= maxLineBytes)
    )
      return body;
    this.cutRecords++;
    const { text, rest } = this.#beginning(body);
    return `${text}(+${rest} bytes)`;
  }

  /** The same for text whose own end is not known. */
  cutLong(body: string): string {
    this.cutRecords++;
    return `${this.#beginning(body).text}(cut)`;
  }

  #beginning(body: string): { readonly text: string; readonly rest: number } {
    const bytes = Buffer.from(body);
    let end = Math.min(bytes.length, this.settings.maxLineBytes);
    // Not inside a character, whose further bytes are 10xxxxxx.
    while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
    const kept = bytes.toString('utf8', 0, end).replace(/\u001b[^m]*$/, '');
    const reset = this.theme.colored ? RESET : '';
    return { text: `${kept}${reset}${this.glyphs.more}`, rest: bytes.length - end };
  }
}

/** So many columns and the space behind them. */
function blankColumn(width: number): Columns {
  return { text: ' '.repeat(width + 1), width: width + 1 };
}

/** Puts a text behind another and cuts the spaces at their end; a text that ends with no space is not copied for that. */
function trimEnd(start: string, text: string): string {
  const last = text.charCodeAt(text.length - 1);
  return last > 0x20 && last < 0x7f ? start + text : `${start}${text}`.trimEnd();
}

function fieldPredicate({ ignore, include }: PrinterSettings): (key: string) => boolean {
  if (include.length > 0) {
    const included = new Set(include);
    return (key) => included.has(key);
  }
  if (ignore.length === 0) return () => true;
  const ignored = new Set(ignore);
  return (key) => !ignored.has(key);
}

function errorFormat(settings: PrinterSettings, theme: Theme, glyphs: Glyphs): ErrorFormat {
  return {
    stack: settings.stack,
    cwd: settings.cwd,
    lastBranch: theme.faint(glyphs.lastBranch),
    branch: theme.faint(glyphs.branch),
    line: theme.faint(glyphs.line),
    more: glyphs.more,
    escape: (text) => escapeText(text),
    paintHead: (text) => theme.error(text),
    paintFrame: (text) => theme.faint(text),
    paintProps: (text) => theme.faint(text),
  };
}
