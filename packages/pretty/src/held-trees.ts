import { detached } from './detached.ts';
import type { Layout } from './layout.ts';
import type { Line, SpanFields } from './line.ts';
import type { Mode } from './mode.ts';
import type { Span, SpanTable, Step } from './span-table.ts';
import { details, hasError, selfMsOf, SpanText, totalMsOf } from './span-text.ts';
import { isBoundaryOnly } from './request-line.ts';
import { counted } from './unclosed.ts';
import { rootOf, TreeCollector, type TreeEvent, type TreeNode } from './tree-collector.ts';

/** What the modes that hold trees back have in common: they differ in how a whole tree is printed. */
export abstract class HeldTrees implements Mode {
  protected readonly layout: Layout;
  protected readonly spans: SpanTable;
  protected readonly text: SpanText;
  readonly #trees: TreeCollector;
  /** Trees of spans that the table gave up. */
  #due: TreeNode[] = [];
  /** Trees that were printed before they closed. */
  #cutTrees = 0;

  constructor(layout: Layout, spans: SpanTable) {
    this.layout = layout;
    this.spans = spans;
    this.text = new SpanText(layout);
    this.#trees = new TreeCollector(layout.settings.maxHeldBytes);
    spans.onEvict = (span) => {
      const node = this.#trees.get(span);
      if (node && !node.parent) this.#due.push(node);
    };
  }

  line(line: Line, isVisible: boolean): string {
    const text = this.#take(line, isVisible);
    let due = '';
    for (const node of this.#due.splice(0)) due += this.#release(node);
    for (let node = this.#trees.overdue(); node; node = this.#trees.overdue()) {
      this.#cutTrees++;
      due += this.#release(node);
    }
    return text + due;
  }

  end(): string {
    let text = '';
    for (const root of this.#trees.roots()) text += this.#release(root);
    const { glyphs, theme, lineEnd } = this.layout;
    const said = [
      this.spans.missing > 0 ? `${counted(this.spans.missing, 'record')} missing` : '',
      this.#cutTrees > 0
        ? `${counted(this.#cutTrees, 'tree')} printed before they closed (maxHeldBytes)`
        : '',
      ...this.notes(),
    ].filter((each) => each !== '');
    return said.length === 0
      ? text
      : `${text}${theme.warning(`${glyphs.ended} input ended: ${said.join(', ')}`)}${lineEnd}`;
  }

  /** Prints a whole tree. */
  protected abstract tree(root: TreeNode): string;
  /** Prints a line that is in no tree. */
  protected abstract outside(line: Line): string;

  protected notes(): string[] {
    return [];
  }

  #take(line: Line, isVisible: boolean): string {
    if (line.hasSpan) {
      const step = this.spans.step(line);
      return step ? this.#step(line, step, isVisible) : '';
    }
    const requestStep = this.spans.stepRequest(line);
    if (requestStep) return this.#requestStep(line, requestStep, isVisible);
    return isVisible ? this.outside(line) : '';
  }

  #step(line: Line, step: Step, isVisible: boolean): string {
    const { span, op, fields } = step;
    const isDeferred = span.level <= this.layout.settings.deferLevel;
    const known = this.#trees.get(span);
    if (op === 'open') {
      this.#trees.open(span, isVisible && !isDeferred);
      return '';
    }
    if (!known) return isVisible ? this.#late(line, step) : '';
    if (op === 'event' && isVisible) this.#trees.add(known, this.#event(line, known), line.level);
    if (op === 'record') this.#trees.noteSpan(known);
    if (op !== 'close') return '';
    const outcome = this.text.status(span, fields);
    known.outcome = fields.status === 'ok' && outcome.endsWith('ok') ? '' : outcome;
    this.#claim(known, line, this.spans.claimMissing(span, fields.lines));
    known.error = hasError(fields) ? detached(this.layout.error('err', fields.err)) : '';
    this.#trees.close(known, step);
    if (isVisible && known.failed) known.isVisible = true;
    return known.parent ? '' : this.#release(known);
  }

  #requestStep(line: Line, step: Step, isVisible: boolean): string {
    const { span, op } = step;
    let node = this.#trees.get(span);
    if (!node && step.isLate) return isVisible ? this.#late(line, step) : '';
    node ??= this.#trees.open(span, isVisible);
    if (isVisible && !isBoundaryOnly(line, op)) this.#trees.add(node, this.#event(line, node), line.level);
    if (op !== 'close') return '';
    const status = line.response?.['statusCode'];
    node.outcome =
      typeof status === 'number' ? ` ${this.text.paintStatus(String(status), status >= 500)}` : '';
    const duration = line.responseTime;
    this.#trees.close(node, { fields: duration === undefined ? {} : { duration_ns: duration * 1e6 } });
    return this.#release(node);
  }

  #event(line: Line, node: TreeNode): TreeEvent {
    const { layout } = this;
    const ms = line.timeMs;
    const root = rootOf(node);
    const offset =
      ms === undefined || root.span.openMs === undefined
        ? ''
        : `${layout.theme.faint(this.text.offset(Math.max(0, ms - root.span.openMs)))} `;
    const body = `${offset}${this.#named(line)}${layout.message(line)}${layout.fields(line, line.fields)}${layout.errors(line)}`;
    const columns = layout.levelColumns(line.level, line.levelWord, line.time);
    return {
      columns: { text: detached(columns.text), width: columns.width },
      body: detached(body),
      ms,
      seq: line.spanSeq,
    };
  }

  #claim(node: TreeNode, line: Line, missing: number): void {
    if (missing === 0) return;
    node.missing = missing;
    const { theme, glyphs } = this.layout;
    const body = theme.warning(`${glyphs.more} ${counted(missing, 'record')} missing`);
    const columns = this.layout.levelColumns(line.level, '', line.time);
    this.#trees.add(node, { columns, body, ms: line.timeMs, seq: undefined }, 0);
  }

  #named(line: Line): string {
    const origin = this.layout.origin(line);
    return line.name === ''
      ? origin
      : `${origin}${this.layout.theme.name(`${this.layout.word(line.name)}:`)} `;
  }

  /** A line whose tree has been printed, or of which no open was seen. */
  #late(line: Line, { span, op, fields }: Step): string {
    const { layout } = this;
    const { theme, glyphs } = layout;
    const mark = span.openSeen ? `${theme.warning(glyphs.late)} ` : '';
    const path = this.spans.ancestry(span, 12).map((each) => this.text.name(each));
    const where = `${path.toReversed().join(theme.faint(glyphs.path))}: `;
    const what = op === 'event' ? this.#eventText(line) : this.#spanLine(span, op, fields);
    return layout.row(
      layout.levelColumns(line.level, line.levelWord, line.time),
      layout.gutter,
      `${mark}${where}${what}${details(...this.text.ids(span))}`,
    );
  }

  #eventText(line: Line): string {
    const { layout } = this;
    return `${this.#named(line)}${layout.message(line)}${layout.fields(line, line.fields)}${layout.errors(line)}`;
  }

  #spanLine(span: Span, op: Step['op'], fields: SpanFields): string {
    const attrs = details(...this.text.takeAttrs(span));
    if (op !== 'close') return `${op}${attrs}`;
    const missing = this.spans.claimMissing(span, fields.lines);
    const claim = missing === 0 ? '' : ` (${counted(missing, 'record')} missing)`;
    const unseen = span.openSeen ? '' : ' (open not seen)';
    const outcome =
      this.text.timing(span, totalMsOf(fields), selfMsOf(fields)) + this.text.status(span, fields);
    const error = hasError(fields) ? this.layout.error('err', fields.err) : '';
    return `close${unseen}${outcome}${claim}${attrs}${error}`;
  }

  #release(root: TreeNode): string {
    const text = this.tree(root);
    this.#trees.release(root);
    return text;
  }
}
