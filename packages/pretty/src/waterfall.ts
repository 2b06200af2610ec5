import { HeldTrees } from './held-trees.ts';
import { isNode, walk, type TreeNode } from './tree-collector.ts';
import { visibleNodes } from './forest.ts';
import { columnsOf, truncateText } from './width.ts';
import { counted } from './unclosed.ts';

const DEFAULT_WIDTH = 80;
/** A longer name leaves no room for its bar. */
const MAX_LABEL_WIDTH = 40;
const LEAST_BAR_WIDTH = 10;
const SHORT_ID_LENGTH = 8;

/** Prints closed trees as bars on a time axis. */
export class WaterfallMode extends HeldTrees {
  #unclosed = 0;
  #outside = 0;

  protected outside(): string {
    this.#outside++;
    return '';
  }

  protected override notes(): string[] {
    return [
      this.#unclosed > 0 ? `${counted(this.#unclosed, 'tree')} never closed` : '',
      this.#outside > 0 ? `${counted(this.#outside, 'record')} outside of trees not shown` : '',
    ];
  }

  protected tree(root: TreeNode): string {
    const { totalMs } = root;
    if (!root.isClosed || totalMs === undefined) {
      this.#unclosed++;
      return '';
    }
    const shown = visibleNodes(root);
    if (!shown.has(root)) return '';
    const rows = rowsOf(root, shown).map(({ node, depth }) => ({
      node,
      label: this.#label(node, depth),
      duration:
        node.totalMs === undefined
          ? this.layout.theme.warning('unclosed')
          : this.text.paintedDuration(node.totalMs),
    }));
    const labelWidth = Math.max(...rows.map(({ label }) => columnsOf(label)));
    const durationWidth = Math.max(...rows.map(({ duration }) => columnsOf(duration)));
    const room = (this.layout.width ?? DEFAULT_WIDTH) - labelWidth - durationWidth - 8;
    const barWidth = Math.max(LEAST_BAR_WIDTH, room);
    const lines = rows.map(({ node, label, duration }) => {
      const pad = ' '.repeat(labelWidth - columnsOf(label) + 3);
      const gap = ' '.repeat(durationWidth - columnsOf(duration));
      return `${label}${pad}${gap}${duration} ${this.#bar(node, root, barWidth)}${this.#mark(node)}`;
    });
    const { lineEnd } = this.layout;
    return [this.#title(root, totalMs), ...lines].map((line) => line + lineEnd).join('') + lineEnd;
  }

  #title(root: TreeNode, totalMs: number): string {
    const { glyphs, theme } = this.layout;
    let warnings = 0;
    let errors = 0;
    let missing = 0;
    for (const node of walk(root)) {
      warnings += node.warnings;
      errors += node.errors;
      missing += node.missing;
    }
    const name = root.span.isRequest
      ? this.text.ids(root.span).join('')
      : `trace ${root.span.traceId.slice(0, SHORT_ID_LENGTH)}`;
    const parts = [
      theme.lane(name, theme.laneColor(root.span.laneKey)),
      this.text.paintedDuration(totalMs),
      root.outcome.trim(),
      errors > 0 ? theme.error(counted(errors, 'error')) : '',
      warnings > 0 ? theme.warning(`${warnings} warn`) : '',
      missing > 0 ? theme.warning(`${counted(missing, 'record')} missing`) : '',
    ];
    return parts.filter((part) => part !== '').join(` ${glyphs.dot} `);
  }

  #label(node: TreeNode, depth: number): string {
    const { glyphs } = this.layout;
    const lead =
      depth === 0
        ? ''
        : `${'  '.repeat(Math.min(depth, this.layout.settings.maxDepth) - 1)}${glyphs.lastBranch} `;
    return truncateText(`${lead}${this.text.name(node.span)}`, MAX_LABEL_WIDTH, glyphs.more);
  }

  #bar(node: TreeNode, root: TreeNode, columns: number): string {
    const { glyphs, theme } = this.layout;
    const wholeMs = root.totalMs ?? 0;
    const startMs = (node.span.openMs ?? 0) - (root.span.openMs ?? 0);
    const share = (ms: number): number => (wholeMs > 0 ? Math.round((ms / wholeMs) * columns) : columns);
    const from = Math.min(columns - 1, Math.max(0, node === root ? 0 : share(startMs)));
    const to =
      node === root
        ? columns
        : Math.min(columns, Math.max(from + 1, share(startMs + (node.totalMs ?? wholeMs))));
    const bar = theme.lane(glyphs.bar.repeat(to - from), theme.laneColor(root.span.laneKey));
    return `${glyphs.line}${theme.faint(glyphs.dot.repeat(from))}${bar}${theme.faint(glyphs.dot.repeat(columns - to))}${glyphs.line}`;
  }

  #mark(node: TreeNode): string {
    const { theme } = this.layout;
    if (node.failed || node.errors > 0) return theme.error(' !!');
    return node.warnings > 0 ? theme.warning(' !') : '';
  }
}

function rowsOf(root: TreeNode, shown: ReadonlySet<TreeNode>): { node: TreeNode; depth: number }[] {
  const rows: { node: TreeNode; depth: number }[] = [];
  const stack = [{ node: root, depth: 0 }];
  for (let row = stack.pop(); row; row = stack.pop()) {
    rows.push(row);
    const children = row.node.children.filter(isNode).filter((child) => shown.has(child));
    for (const node of children.toReversed()) stack.push({ node, depth: row.depth + 1 });
  }
  return rows;
}
