import { HeldTrees } from './held-trees.ts';
import type { Tree } from './layout.ts';
import type { Line } from './line.ts';
import { plainRow } from './plain-row.ts';
import { details } from './span-text.ts';
import { foldedGroup } from './workflow.ts';
import { inOrder, isNode, walk, type TreeEvent, type TreeNode } from './tree-collector.ts';

/** Prints each tree in one piece, when its root closes; lines without a span at once. */
export class ForestMode extends HeldTrees {
  protected outside(line: Line): string {
    const { layout } = this;
    if (!line.isRecord) return plainRow(layout, line);
    const name = line.name === '' ? '' : `${layout.theme.name(`${layout.word(line.name)}:`)} `;
    const rest = `${layout.fields(line, line.fields)}${layout.fields(line, line.requestFields)}${layout.errors(line)}`;
    const body = `${layout.origin(line)}${name}${layout.message(line)}${rest}`;
    return layout.row(layout.levelColumns(line.level, line.levelWord, line.time), layout.gutter, body);
  }

  protected tree(root: TreeNode): string {
    const shown = visibleNodes(root);
    if (!shown.has(root)) return '';
    const text = this.#draw(root, shown);
    // In a workflow a tree that went well is folded away; what failed stays open.
    return this.layout.settings.isWorkflow && wentWell(root) ? foldedGroup(this.#title(root), text) : text;
  }

  #title({ span, totalMs }: TreeNode): string {
    const duration = totalMs === undefined ? '' : ` ${this.text.duration(totalMs)}`;
    return `${this.layout.word(span.name)}${duration}`;
  }

  #draw(root: TreeNode, shown: ReadonlySet<TreeNode>): string {
    let text = this.#head(root, root, {
      first: '',
      below: `${this.layout.glyphs.line}${' '.repeat(this.layout.settings.indent)}`,
      width: 3,
    });
    const stack: { child: TreeNode | TreeEvent; isLast: boolean; below: string; depth: number }[] = [];
    const push = (node: TreeNode, below: string, depth: number): void => {
      const children = inOrder(node).filter((child) => !isNode(child) || shown.has(child));
      for (const [index, child] of [...children.entries()].toReversed()) {
        stack.push({ child, isLast: index === children.length - 1, below, depth });
      }
    };
    push(root, '', 1);
    for (let next = stack.pop(); next; next = stack.pop()) {
      const { child, isLast, below, depth } = next;
      const tree = this.#branch(below, isLast, depth);
      if (!isNode(child)) text += this.layout.row(child.columns, tree, child.body);
      else {
        text += this.#head(child, root, tree);
        push(
          child,
          depth < this.layout.settings.maxDepth ? `${below}${this.#continued(isLast)}` : below,
          depth + 1,
        );
      }
    }
    return text;
  }

  #branch(below: string, isLast: boolean, depth: number): Tree {
    const { glyphs, settings } = this.layout;
    const dashes = glyphs.dash.repeat(settings.indent - 1);
    const deeper = depth - settings.maxDepth;
    const mark = deeper > 0 ? `${glyphs.more}+${deeper} ` : '';
    const first = `${below}${isLast ? glyphs.lastBranch : glyphs.branch}${dashes} ${mark}`;
    return { first, below: `${below}${this.#continued(isLast)}${glyphs.line}  `, width: first.length + 3 };
  }

  #continued(isLast: boolean): string {
    const { glyphs, settings } = this.layout;
    return `${isLast ? ' ' : glyphs.line}${' '.repeat(settings.indent)}`;
  }

  #head(node: TreeNode, root: TreeNode, tree: Tree): string {
    const { span } = node;
    const ids = node === root || this.layout.settings.ids === 'span' ? this.text.ids(span) : [];
    const rest = [...ids, ...this.text.orphan(span), ...this.text.takeAttrs(span)];
    const isRoot = node === root;
    const body = `${this.text.name(span)} [ ${this.#timing(node, root)} ]${node.outcome}${isRoot ? details(...rest) : rest.map((each) => ` ${each}`).join('')}${node.error}`;
    return this.layout.row(this.layout.levelColumns(span.level, undefined, span.time), tree, body);
  }

  #timing(node: TreeNode, root: TreeNode): string {
    const { totalMs } = node;
    if (!node.isClosed || totalMs === undefined) {
      const { openMs } = node.span;
      const lasted =
        openMs === undefined || this.spans.lastMs === undefined
          ? ''
          : ` ${this.layout.glyphs.atLeast}${this.text.duration(Math.max(0, this.spans.lastMs - openMs))}`;
      return this.layout.theme.warning(`unclosed${lasted}`);
    }
    const wholeMs = root.totalMs ?? totalMs;
    const children = node.children.filter(isNode);
    const selfMs =
      node.selfMs ?? Math.max(0, totalMs - children.reduce((sum, child) => sum + (child.totalMs ?? 0), 0));
    const self = children.length > 0 ? `${percent(selfMs, wholeMs)} / ` : '';
    return `${this.text.paintedDuration(totalMs)} | ${self}${percent(totalMs, wholeMs)}`;
  }
}

/** Spans that passed the filters themselves, or hold something that did. */
export function visibleNodes(root: TreeNode): Set<TreeNode> {
  const shown = new Set<TreeNode>();
  for (const node of walk(root)) {
    if (!node.isVisible && !node.children.some((child) => !isNode(child))) continue;
    for (let each: TreeNode | undefined = node; each && !shown.has(each); each = each.parent) shown.add(each);
  }
  return shown;
}

function wentWell(root: TreeNode): boolean {
  for (const node of walk(root)) if (!node.isClosed || node.failed || node.errors > 0) return false;
  return true;
}

function percent(part: number, whole: number): string {
  return whole > 0 ? `${((part / whole) * 100).toFixed(2)}%` : '100.00%';
}
