import { escapeText } from './escape.ts';
import type { Layout } from './layout.ts';
import type { Line } from './line.ts';
import type { Mode } from './mode.ts';
import { plainRow } from './plain-row.ts';
import type { Span, SpanTable, Step } from './span-table.ts';
import { hasError, selfMsOf, SpanText, totalMsOf } from './span-text.ts';
import { counted } from './unclosed.ts';

/** Names of a path that stand on a line. */
const MAX_PATH = 12;

/** Prints exactly one physical line for each record, with the path of its span: for files, pipes and grep. */
export class FlatMode implements Mode {
  readonly #layout: Layout;
  readonly #spans: SpanTable;
  readonly #text: SpanText;

  constructor(layout: Layout, spans: SpanTable) {
    this.#layout = layout;
    this.#spans = spans;
    this.#text = new SpanText(layout);
  }

  line(line: Line, isVisible: boolean): string {
    if (!line.hasSpan) return isVisible ? plainRow(this.#layout, line) : '';
    const step = this.#spans.step(line);
    if (!step) return '';
    const missing = step.op === 'close' ? this.#spans.claimMissing(step.span, step.fields.lines) : 0;
    return isVisible ? this.#row(line, step, missing) : '';
  }

  end(): string {
    const { missing } = this.#spans;
    return missing === 0
      ? ''
      : `${this.#layout.glyphs.ended} input ended: ${counted(missing, 'record')} missing${this.#layout.lineEnd}`;
  }

  #row(line: Line, { span, op, fields, isLate }: Step, missing: number): string {
    const layout = this.#layout;
    const { theme } = layout;
    const late = isLate ? `${theme.warning(layout.glyphs.late)} ` : '';
    const path = this.#path(span);
    const message = layout.message(line);
    const what = op === 'event' ? '' : this.#spanText(span, op, fields);
    const gap = missing === 0 ? '' : ` ${theme.warning(`(${counted(missing, 'record')} missing)`)}`;
    const own = op === 'event' ? `${message}${layout.fields(line, line.fields)}` : '';
    const rest = `${layout.fields(line, line.requestFields)}${layout.errors(line)}`;
    const body = `${layout.origin(line)}${path}${late}${what}${own}${gap}${rest}${this.#ids(span)}`;
    return layout.row(layout.recordColumns(line), layout.gutter, body);
  }

  #spanText(span: Span, op: Step['op'], fields: Step['fields']): string {
    const outcome =
      op === 'close'
        ? this.#text.timing(span, totalMsOf(fields), selfMsOf(fields)) + this.#text.status(span, fields)
        : '';
    const attrs = this.#text.takeAttrs(span).map((each) => ` ${each}`);
    const error = hasError(fields) ? this.#layout.error('err', fields.err) : '';
    return `${this.#layout.theme.strong(op)}${outcome}${attrs.join('')}${error}`;
  }

  #path(span: Span): string {
    const names = this.#spans
      .ancestry(span, MAX_PATH)
      .map((each) => each.name)
      .filter((name) => name !== '');
    if (names.length === 0) return '';
    const above =
      span.depth + 1 > MAX_PATH ? [`${this.#layout.glyphs.more}+${span.depth + 1 - MAX_PATH}`] : [];
    return `${this.#layout.theme.name(`[${[...above, ...names.toReversed().map((name) => escapeText(name))].join('>')}]`)} `;
  }

  #ids(span: Span): string {
    const { ids } = this.#layout.settings;
    if (ids === 'none') return '';
    const text =
      ids === 'trace' ? ` trace_id=${span.traceId}` : ` trace_id=${span.traceId} span_id=${span.spanId}`;
    return this.#layout.theme.faint(text);
  }
}
