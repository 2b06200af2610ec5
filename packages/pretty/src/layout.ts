import { formatLevel } from '@treeline/contract';
import { escapeText, type Escaping } from './escape.ts';
import { formatErrorTree, readErrorTree, summarizeError, type ErrorFormat } from './error.ts';
import { formatFields, formatKey, type FieldFormat } from './field.ts';
import { ASCII, UNICODE, type Glyphs } from './glyphs.ts';
import type { Line } from './line.ts';
import { compileMessageFormat } from './message-format.ts';
import type { PrinterSettings } from './settings.ts';
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

const LEVEL_WIDTH = 5;
const LEAST_NAME_WIDTH = 4;
/** A name that is longer pushes its own line only. */
const MOST_NAME_WIDTH = 16;

/** Puts the parts of a record together: columns, tree, text, fields, errors; the same in every mode. */
export class Layout {
  readonly settings: PrinterSettings;
  readonly theme: Theme;
  readonly glyphs: Glyphs;
  /** Records of which a part was cut. */
  cutRecords = 0;
  readonly #escaping: Escaping;
  readonly #fieldFormat: FieldFormat;
  readonly #errorFormat: ErrorFormat;
  readonly #formatTime: (time: unknown) => string;
  readonly #labels = new Map<number, string>();
  readonly #namesByLevel: ReadonlyMap<number, string>;
  readonly #hidden: { readonly time: boolean; readonly level: boolean; readonly name: boolean };
  readonly #messageFormat: ((line: Line, level: string) => string) | undefined;
  /** Names are a column in trees; flat lines are read by programs too and have no padding. */
  readonly #mostNameWidth: number;
  #nameWidth: number;

  constructor(settings: PrinterSettings) {
    const { colored, ascii, mode, singleLine, trustAnsi } = settings;
    this.settings = settings;
    this.#nameWidth = mode === 'flat' ? 0 : LEAST_NAME_WIDTH;
    this.#mostNameWidth = mode === 'flat' ? 0 : MOST_NAME_WIDTH;
    this.theme = createTheme(colored, settings.colorsByLevel);
    this.glyphs = ascii ? ASCII : UNICODE;
    const isOneLine = mode === 'flat' || singleLine;
    this.#escaping = { lineFeed: isOneLine ? '\\n' : '\n', trustColors: trustAnsi };
    this.#fieldFormat = {
      placement: isOneLine && settings.fields === 'below' ? 'inline' : settings.fields,
      theme: this.theme,
      escaping: this.#escaping,
      labels: new Map(),
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

  /** What stands before the further lines of a record that is in no tree. */
  get gutter(): Tree {
    return { first: '', below: `${this.theme.faint(this.glyphs.line)}  `, width: 3 };
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
      const key = line.key(index);
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
    if (this.#labels.size < 1000) this.#labels.set(level, label);
    return label;
  }

  /** Time, level and name of a record. */
  recordColumns(line: Line): Columns {
    const { name } = line;
    const shownName = name === '' || this.#hidden.name ? '' : escapeText(name);
    const width = columnsOf(shownName);
    if (width > this.#nameWidth) this.#nameWidth = Math.min(width, this.#mostNameWidth);
    const label = this.label(line.level, line.levelWord);
    return this.#columns(
      this.time(line.time),
      this.#hidden.level ? '' : this.theme.level(label, line.level),
      label.length,
      `${this.theme.name(shownName)}${' '.repeat(Math.max(0, this.#nameWidth - width))}`,
      Math.max(width, this.#nameWidth),
    );
  }

  /** Time and level alone, for shapes in which the name is part of the text. */
  levelColumns(level: number, levelWord: string | undefined, time: unknown): Columns {
    const label = this.label(level, levelWord);
    const text = this.#hidden.level ? '' : this.theme.level(label, level);
    return this.#columns(this.time(time), text, label.length, '', 0);
  }

  /** The same columns for a line of the tree's own, which has a time only. */
  timeColumns(time: unknown): Columns {
    return this.#columns(
      this.time(time),
      ' '.repeat(LEVEL_WIDTH),
      LEVEL_WIDTH,
      ' '.repeat(this.#nameWidth),
      this.#nameWidth,
    );
  }

  #columns(time: string, level: string, levelWidth: number, name: string, nameWidth: number): Columns {
    const timeText = time === '' ? '' : `${this.theme.faint(time)} `;
    const timeWidth = time === '' ? 0 : time.length + 1;
    const levelText = this.#hidden.level ? '' : `${level} `;
    const nameText = nameWidth === 0 ? '' : `${name} `;
    return {
      text: `${this.settings.levelFirst ? levelText + timeText : timeText + levelText}${nameText}`,
      width: timeWidth + (this.#hidden.level ? 0 : levelWidth + 1) + (nameWidth === 0 ? 0 : nameWidth + 1),
    };
  }

  /** One record or line of the tree, with all lines that it takes. */
  row(columns: Columns, tree: Tree, body: string): string {
    const text = this.cut(body);
    const { width } = this.settings;
    if (width === undefined && !text.includes('\n'))
      return `${columns.text}${tree.first}${text}`.trimEnd() + this.lineEnd;
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

  get lineEnd(): string {
    return this.settings.crlf ? '\r\n' : '\n';
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
