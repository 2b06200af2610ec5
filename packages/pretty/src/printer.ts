import { isAscii } from 'node:buffer';
import type { Batch } from '@treeline/contract';
import { createFilter, type Filter } from './filter.ts';
import { FlatMode } from './flat.ts';
import { ForestMode } from './forest.ts';
import { Layout } from './layout.ts';
import { Line } from './line.ts';
import { LiveMode } from './live.ts';
import type { Mode } from './mode.ts';
import type { PrettyOptions } from './options.ts';
import { parsePrettyOptions, resolveSettings, type PrinterSettings, type Surroundings } from './settings.ts';
import { SpanTable, type Span } from './span-table.ts';
import { WaterfallMode } from './waterfall.ts';
import { counted } from './unclosed.ts';

/** Turns batches of lines into text. Synchronous and total: no input makes it throw. */
export interface Printer {
  /** The text for a batch, each line ended by a line feed. */
  write(batch: Batch): string;
  /** What is left to say at the end of input: spans that are open, records that are missing, what bounds have cut. */
  end(): string;
  stats(): PrinterStats;
}

/** What a printer has met so far. */
export interface PrinterStats {
  /** Lines that are no JSON object. */
  readonly textLines: number;
}

/** A line that is longer is not parsed, unless the options let so much be printed. */
const MAX_JSON_BYTES = 1024 * 1024;
const BRACE_OPEN = 0x7b;
const BYTE_ORDER_MARK = 0xfeff;
const SPAN_MARKER = '"span":{"op":';

/**
 * Creates a printer. Without surroundings it prints for a file: flat, without colours.
 *
 * @throws TypeError that names each wrong option.
 */
export function createPrinter(
  options: PrettyOptions = {},
  surroundings: Partial<Surroundings> = {},
): Printer {
  const all: Surroundings = { env: {}, isTerminal: false, cwd: '', nowMs: Date.now(), ...surroundings };
  return createPrinterFrom(resolveSettings(parsePrettyOptions(options), all));
}

/** Creates a printer of which everything has been decided. */
export function createPrinterFrom(settings: PrinterSettings): Printer {
  return new BatchPrinter(settings);
}

/** How much of a line the printer looks at; whoever splits the input needs to keep no more. */
export function maxInputLineBytes({ maxLineBytes }: { maxLineBytes: number }): number {
  return Math.max(MAX_JSON_BYTES, maxLineBytes);
}

class BatchPrinter implements Printer {
  readonly #filter: Filter;
  readonly #layout: Layout;
  readonly #spans: SpanTable;
  readonly #mode: Mode;
  readonly #line: Line;
  readonly #needsSpans: boolean;
  readonly #spanOf = (line: Line): Span | undefined => this.#spans.spanOf(line);
  #textLines = 0;

  constructor(settings: PrinterSettings) {
    this.#filter = createFilter(settings);
    this.#layout = new Layout(settings);
    this.#spans = new SpanTable({ ...settings, leastLevel: this.#filter.leastLevel });
    this.#line = new Line({
      ...settings,
      customLevels: settings.levelsByName,
      maxBytes: maxInputLineBytes(settings),
    });
    this.#mode = createMode(settings, this.#layout, this.#spans);
    this.#spans.onOpen = (span, parent, attrs) => {
      span.directives = this.#filter.directivesInside(span.name, attrs, parent?.directives ?? []);
    };
    this.#needsSpans = settings.mode !== 'flat';
  }

  write(batch: Batch): string {
    const { bytes, levels, ends, count } = batch;
    this.#layout.measureScreen();
    const text = isAscii(bytes) ? bytes.toString('latin1') : bytes.toString('utf8');
    // A batch has levels over 255 as 255.
    const gate = this.#filter.canSkipByLevel ? Math.min(this.#filter.leastLevel, 255) : -Infinity;
    let nextSpan = gate > -Infinity && this.#needsSpans ? spanFrom(text, 0) : Infinity;
    let out = '';
    for (let index = 0, start = 0; index < count; index++) {
      const end = text.length === bytes.length ? (ends[index] ?? 1) - 1 : text.indexOf('\n', start);
      const level = levels[index] ?? 0;
      if (nextSpan < start) nextSpan = spanFrom(text, start);
      // What is below the level needs no parsing, unless it opens or closes something that is printed later.
      if (level < gate && nextSpan > end && text.charCodeAt(start) === BRACE_OPEN)
        this.#spans.noteRecord(level, undefined);
      else out += this.#print(text, start, end, (ends[index] ?? 1) - 1 - (ends[index - 1] ?? 0));
      start = end + 1;
    }
    return out;
  }

  end(): string {
    this.#layout.measureScreen();
    return this.#mode.end() + this.#notes();
  }

  stats(): PrinterStats {
    return { textLines: this.#textLines };
  }

  #print(text: string, start: number, end: number, bytes: number): string {
    const line = this.#line;
    // Each file may begin with one, and any line may be the first of a file.
    const from = text.charCodeAt(start) === BYTE_ORDER_MARK ? start + 1 : start;
    line.read(text, from, end, bytes);
    if (!line.isRecord) this.#textLines++;
    this.#spans.noteRecord(line.level, line.timeMs);
    return this.#mode.line(line, this.#filter.accepts(line, this.#spanOf));
  }

  /** No bound is silent. */
  #notes(): string {
    const { doubles, evicted, cutAttrs } = this.#spans;
    const { cutRecords, glyphs, theme, lineEnd } = this.#layout;
    const notes = [
      doubles > 0 ? `${counted(doubles, 'line')} came twice` : '',
      evicted > 0 ? `${counted(evicted, 'open span')} given up (maxOpenSpans, maxOpenMs)` : '',
      cutRecords > 0 ? `${counted(cutRecords, 'record')} cut (maxLineBytes)` : '',
      cutAttrs > 0 ? `${counted(cutAttrs, 'attribute')} not kept` : '',
    ].filter((note) => note !== '');
    return notes.length === 0 ? '' : theme.warning(`${glyphs.ended} ${notes.join(', ')}`) + lineEnd;
  }
}

function spanFrom(text: string, start: number): number {
  const at = text.indexOf(SPAN_MARKER, start);
  return at < 0 ? Infinity : at;
}

function createMode(settings: PrinterSettings, layout: Layout, spans: SpanTable): Mode {
  switch (settings.mode) {
    case 'live':
      return new LiveMode(layout, spans);
    case 'forest':
      return new ForestMode(layout, spans);
    case 'waterfall':
      return new WaterfallMode(layout, spans);
    default:
      return new FlatMode(layout, spans);
  }
}
