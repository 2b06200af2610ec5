import { detached } from './detached.ts';
import type { Columns, Layout } from './layout.ts';
import type { Line } from './line.ts';
import type { Mode } from './mode.ts';
import { plainRow } from './plain-row.ts';
import { isBoundaryOnly } from './request-line.ts';
import type { Span, SpanTable, Step } from './span-table.ts';
import { details, hasError, isFailure, selfMsOf, SpanText, totalMsOf } from './span-text.ts';
import { TreeShape } from './tree-shape.ts';
import { formatUnclosed } from './unclosed.ts';

/** An event of a span says how long after the open it came, from here on. */
const LEAST_OFFSET_MS = 10;
/** Names of a path that a retrace prints. */
const MAX_PATH = 12;

/** Prints a tree as records arrive: spans open and close where they do, and a path is printed again when another tree came between. */
export class LiveMode implements Mode {
  readonly #layout: Layout;
  readonly #spans: SpanTable;
  readonly #text: SpanText;
  readonly #shape: TreeShape;
  /** Where the last printed record stood. */
  #current: Span | undefined;
  #lastTime: number | string | undefined;
  /** The span whose path is the last row that was printed, and the one that was when this line came. */
  #retraced: Span | undefined;
  #retracedBefore: Span | undefined;

  constructor(layout: Layout, spans: SpanTable) {
    this.#layout = layout;
    this.#spans = spans;
    this.#text = new SpanText(layout);
    this.#shape = new TreeShape(layout.settings, layout.glyphs, layout.theme);
    spans.onEvict = (span) => {
      if (this.#current === span) this.#current = undefined;
    };
  }

  line(line: Line, isVisible: boolean): string {
    if (line.time !== undefined)
      this.#lastTime = typeof line.time === 'string' ? detached(line.time) : line.time;
    this.#retracedBefore = this.#retraced;
    this.#retraced = undefined;
    const text = this.#print(line, isVisible);
    if (text === '') this.#retraced = this.#retracedBefore;
    return text;
  }

  #print(line: Line, isVisible: boolean): string {
    if (line.hasSpan) {
      const step = this.#spans.step(line);
      return step ? this.#step(line, step, isVisible) : '';
    }
    const requestStep = this.#spans.stepRequest(line);
    if (requestStep) return this.#requestStep(line, requestStep, isVisible);
    return isVisible ? plainRow(this.#layout, line) : '';
  }

  end(): string {
    const open = this.#spans.openSpans().filter((span) => span.shown);
    const lines = formatUnclosed(open, this.#spans, this.#text, this.#layout);
    const time = this.#layout.time(this.#lastTime);
    const start = time === '' ? '' : `${this.#layout.theme.faint(time)} `;
    return lines.map((each) => `${start}${each}${this.#layout.lineEnd}`).join('');
  }

  #step(line: Line, step: Step, isVisible: boolean): string {
    const { span } = step;
    const isDeferred = span.level <= this.#layout.settings.deferLevel;
    switch (step.op) {
      case 'open':
        return isVisible && !isDeferred ? this.#show(span) : '';
      case 'record':
        return '';
      case 'event':
        return isVisible ? this.#show(span) + this.#switchTo(span, line.time) + this.#event(line, step) : '';
      default:
        return span.shown || (isVisible && (!isDeferred || isFailure(step.fields)))
          ? this.#close(line, step)
          : '';
    }
  }

  #requestStep(line: Line, step: Step, isVisible: boolean): string {
    const { span } = step;
    const isFirst = !span.shown;
    if (step.op === 'close' && isFirst) return isVisible ? this.#wholeRequest(line, span) : '';
    if (!isVisible && step.op !== 'close') return '';
    let text = isVisible ? this.#show(span) : '';
    if (isVisible && !isBoundaryOnly(line, step.op)) {
      text += this.#switchTo(span, line.time) + this.#event(line, step);
    }
    return step.op === 'close' ? text + this.#closeRequest(line, span) : text;
  }

  /** A request of which only one line is printed takes one row. */
  #wholeRequest(line: Line, span: Span): string {
    const layout = this.#layout;
    const name = `${this.#text.name(span)}${this.#requestOutcome(line, span)}`;
    const body = `${layout.origin(line)}${name}${details(...this.#text.ids(span))} ${layout.message(line)}`;
    const rest = `${layout.fields(line, line.fields)}${layout.errors(line)}`;
    return layout.row(layout.recordColumns(line), layout.gutter, body + rest);
  }

  #closeRequest(line: Line, span: Span): string {
    const layout = this.#layout;
    this.#current = undefined;
    const body = `${this.#op('close')}${this.#text.name(span)}${this.#requestOutcome(line, span)}`;
    return layout.row(layout.timeColumns(line.time), this.#shape.at('close', 0, span.laneKey), body);
  }

  #requestOutcome(line: Line, span: Span): string {
    const status = line.response?.['statusCode'];
    const text =
      typeof status === 'number' ? ` ${this.#text.paintStatus(String(status), status >= 500)}` : '';
    return this.#text.timing(span, line.responseTime, undefined) + text;
  }

  /** Prints the opens that have been held back, from the root down to this span. */
  #show(span: Span): string {
    if (span.shown || !span.openSeen) return '';
    const held: Span[] = [];
    for (
      let each: Span | undefined = span;
      each?.openSeen && !each.shown;
      each = this.#spans.parentOf(each)
    ) {
      held.push(each);
    }
    let text = '';
    for (const each of held.toReversed()) text += this.#open(each);
    return text;
  }

  #open(span: Span): string {
    const { settings } = this.#layout;
    const parent = this.#spans.parentOf(span);
    const isRoot = parent === undefined;
    let before = '';
    if (parent && settings.verboseOpen)
      before = parent === this.#retracedBefore ? '' : this.#retrace(parent, span.time);
    else if (parent) before = this.#switchTo(parent, span.time);
    span.shown = true;
    this.#current = span;
    const ids = isRoot || settings.ids === 'span' ? this.#text.ids(span) : [];
    const body = `${this.#op('open')}${this.#text.name(span)}${details(...ids, ...this.#text.orphan(span), ...this.#text.takeAttrs(span))}`;
    const tree = this.#shape.at('open', span.depth, span.laneKey);
    const columns = this.#layout.timeColumns(span.time);
    return before + this.#wrap('open', span, columns) + this.#layout.row(columns, tree, body);
  }

  /** Where indentation starts again at the left, a line leads there from the column of the parent, and back where the span closes. */
  #wrap(corner: 'open' | 'close', span: Span, columns: Columns): string {
    const rule = this.#shape.rule(corner, span.depth, span.laneKey);
    return rule ? this.#layout.row(columns, rule, '') : '';
  }

  #event(line: Line, { span, isLate }: Step): string {
    const layout = this.#layout;
    const late = isLate ? `${layout.theme.warning(layout.glyphs.late)} ` : '';
    const text = `${layout.origin(line)}${late}${layout.message(line)}${this.#offset(span, line)}`;
    const rest = `${layout.fields(line, line.fields)}${layout.errors(line)}`;
    return layout.row(
      layout.recordColumns(line),
      this.#shape.at('branch', span.depth, span.laneKey),
      text + rest,
    );
  }

  #offset(span: Span, line: Line): string {
    const ms = line.timeMs;
    if (this.#layout.settings.durations !== 'events' || !span.openSeen || ms === undefined) return '';
    const offsetMs = ms - (span.openMs ?? ms);
    return offsetMs < LEAST_OFFSET_MS ? '' : ` ${this.#layout.theme.faint(this.#text.offset(offsetMs))}`;
  }

  #close(line: Line, { span, fields, isLate }: Step): string {
    const layout = this.#layout;
    const { theme, settings } = layout;
    const before = this.#show(span) + this.#claim(span, fields.lines, line.time);
    const name = span.openSeen
      ? this.#text.name(span)
      : `${span.name === '' ? 'name?' : this.#text.name(span)} (open not seen)`;
    const late = isLate ? `${theme.warning(layout.glyphs.late)} ` : '';
    const outcome =
      this.#text.timing(span, totalMsOf(fields), selfMsOf(fields)) + this.#text.status(span, fields);
    const attrs = details(...this.#text.takeAttrs(span));
    const error = hasError(fields) ? layout.error('err', fields.err) : '';
    const body = `${this.#op('close')}${late}${name}${outcome}${attrs}${error}`;
    const columns = layout.timeColumns(line.time);
    const row =
      layout.row(columns, this.#shape.at('close', span.depth, span.laneKey), body) +
      this.#wrap('close', span, columns);
    const parent = this.#spans.parentOf(span);
    this.#current = parent;
    if (!parent || !settings.verboseClose) return before + row;
    this.#retraced = parent;
    return before + row + this.#retrace(parent, line.time);
  }

  #claim(span: Span, lines: unknown, time: number | string | undefined): string {
    const layout = this.#layout;
    const missing = this.#spans.claimMissing(span, lines);
    if (missing === 0) return '';
    const body = layout.theme.warning(
      `${layout.glyphs.more} ${missing} ${missing === 1 ? 'record' : 'records'} missing`,
    );
    const tree = this.#shape.at('branch', span.depth, span.laneKey);
    return this.#switchTo(span, time) + layout.row(layout.timeColumns(time), tree, body);
  }

  /** Prints the path of a span again, unless the last record stood there or further inside. */
  #switchTo(span: Span, time: number | string | undefined): string {
    const current = this.#current;
    this.#current = span;
    const follows = current !== undefined && (current === span || this.#spans.isWithin(current, span));
    return follows || this.#layout.settings.retrace === 'off' ? '' : this.#retrace(span, time);
  }

  #retrace(span: Span, time: number | string | undefined): string {
    const layout = this.#layout;
    const { glyphs, theme } = layout;
    this.#current = span;
    const path = this.#spans.ancestry(span, MAX_PATH).toReversed();
    const above = span.depth + 1 - path.length;
    const names = [
      ...(above > 0 ? [`${glyphs.more}+${above}`] : []),
      ...path.map((each) => this.#text.name(each)),
    ];
    const body = `${this.#op('retrace')}${names.join(theme.faint(glyphs.path))}${details(...this.#text.ids(span))}`;
    const mark = theme.lane(`${glyphs.retrace} `, theme.laneColor(span.laneKey));
    return layout.row(layout.timeColumns(time), { first: mark, below: mark, width: 2 }, body);
  }

  #op(word: string): string {
    return this.#layout.settings.spanOps ? this.#layout.theme.faint(`${word} `) : '';
  }
}
