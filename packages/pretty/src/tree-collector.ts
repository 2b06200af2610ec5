import type { Columns } from './layout.ts';
import type { Span, Step } from './span-table.ts';
import { isFailure, selfMsOf, totalMsOf } from './span-text.ts';

/** A line inside a span, printed but for the glyphs before it. */
export interface TreeEvent {
  readonly columns: Columns;
  readonly body: string;
  readonly ms: number | undefined;
  readonly seq: number | undefined;
}

/** A span with all that was collected inside. */
export interface TreeNode {
  readonly span: Span;
  parent: TreeNode | undefined;
  readonly children: (TreeNode | TreeEvent)[];
  isClosed: boolean;
  totalMs: number | undefined;
  selfMs: number | undefined;
  failed: boolean;
  /** What its close line tells, printed. */
  outcome: string;
  details: string;
  error: string;
  missing: number;
  /** Whether its own lines passed the filters. */
  isVisible: boolean;
  /** Events inside of at least `warn` and `error`. */
  warnings: number;
  errors: number;
  /** What its span was found to take, and the bytes of the attributes that it had then. */
  spanBytes: number;
  attrBytes: number;
}

/** What a heap grows by for a span without attributes, its entries in maps and lists included; measured with Node 20. */
const SPAN_BYTES = 850;
const ATTR_BYTES = 100;
const EVENT_BYTES = 100;

export function isNode(child: TreeNode | TreeEvent): child is TreeNode {
  return 'span' in child;
}

/** Gathers the lines of each tree until its root closes, in bounded memory. */
export class TreeCollector {
  readonly #nodes = new Map<string, TreeNode>();
  readonly #heldBytes = new Map<TreeNode, number>();
  readonly #orphans = new Map<string, TreeNode[]>();
  readonly #maxHeldBytes: number;
  #bytes = 0;

  constructor(maxHeldBytes: number) {
    this.#maxHeldBytes = maxHeldBytes;
  }

  get(span: Span): TreeNode | undefined {
    return this.#nodes.get(span.key);
  }

  open(span: Span, isVisible: boolean): TreeNode {
    const node: TreeNode = {
      span,
      parent: undefined,
      children: [],
      isClosed: false,
      totalMs: undefined,
      selfMs: undefined,
      failed: false,
      outcome: '',
      details: '',
      error: '',
      missing: 0,
      isVisible,
      warnings: 0,
      errors: 0,
      spanBytes: 0,
      attrBytes: -1,
    };
    this.#nodes.set(span.key, node);
    const parent = span.parentKey === undefined ? undefined : this.#nodes.get(span.parentKey);
    if (parent) this.#attach(node, parent);
    else this.#keepRoot(node);
    this.noteSpan(node);
    this.#adopt(node);
    return node;
  }

  add(node: TreeNode, event: TreeEvent, level: number): void {
    node.children.push(event);
    if (level >= 50) node.errors++;
    else if (level >= 40) node.warnings++;
    this.#hold(node, EVENT_BYTES + textBytes(event.body) + textBytes(event.columns.text));
  }

  /** Counts what its span has come to hold: attributes wait there until the tree is printed. */
  noteSpan(node: TreeNode): void {
    if (node.attrBytes === node.span.attrBytes) return;
    node.attrBytes = node.span.attrBytes;
    const bytes = spanBytes(node.span);
    this.#hold(node, bytes - node.spanBytes);
    node.spanBytes = bytes;
  }

  close(node: TreeNode, { fields }: Pick<Step, 'fields'>): void {
    node.isClosed = true;
    node.totalMs = totalMsOf(fields);
    node.selfMs = selfMsOf(fields);
    node.failed = isFailure(fields);
    this.noteSpan(node);
    this.#hold(node, textBytes(node.error) + textBytes(node.outcome));
  }

  /** Trees that are to be printed although they are open, because more is held than may be. */
  overdue(): TreeNode | undefined {
    if (this.#bytes <= this.#maxHeldBytes) return undefined;
    const [oldest] = this.#heldBytes.keys();
    return oldest;
  }

  roots(): TreeNode[] {
    return [...this.#heldBytes.keys()];
  }

  /** Lets a tree go. */
  release(root: TreeNode): void {
    for (const node of walk(root)) this.#nodes.delete(node.span.key);
    this.#bytes -= this.#heldBytes.get(root) ?? 0;
    this.#heldBytes.delete(root);
    const waiting = this.#orphans.get(parentIdKey(root.span))?.filter((each) => each !== root);
    if (waiting?.length === 0) this.#orphans.delete(parentIdKey(root.span));
    else if (waiting) this.#orphans.set(parentIdKey(root.span), waiting);
  }

  #keepRoot(node: TreeNode): void {
    this.#heldBytes.set(node, 0);
    if (node.span.missingParentId === '') return;
    const key = parentIdKey(node.span);
    const waiting = this.#orphans.get(key);
    if (waiting) waiting.push(node);
    else this.#orphans.set(key, [node]);
  }

  /** Children that came before their parent find it here. */
  #adopt(parent: TreeNode): void {
    const waiting = this.#orphans.get(parent.span.key);
    if (!waiting) return;
    this.#orphans.delete(parent.span.key);
    for (const node of waiting) {
      if (isWithin(parent, node)) continue;
      const bytes = this.#heldBytes.get(node) ?? 0;
      this.#heldBytes.delete(node);
      this.#bytes -= bytes;
      this.#attach(node, parent);
      this.#hold(parent, bytes);
    }
  }

  #attach(node: TreeNode, parent: TreeNode): void {
    node.parent = parent;
    parent.children.push(node);
  }

  #hold(node: TreeNode, bytes: number): void {
    const root = rootOf(node);
    this.#heldBytes.set(root, (this.#heldBytes.get(root) ?? 0) + bytes);
    this.#bytes += bytes;
  }
}

function spanBytes({ key, name, requestId, missingParentId, attrs }: Span): number {
  let bytes = SPAN_BYTES;
  for (const text of [key, name, requestId, missingParentId]) bytes += textBytes(text);
  for (const [attr, value] of attrs ?? []) bytes += ATTR_BYTES + textBytes(attr) + textBytes(value);
  return bytes;
}

/** V8 keeps a text in one byte for each unit where all are Latin-1, else in two. */
function textBytes(text: string): number {
  return /[^\u0000-\u00ff]/.test(text) ? text.length * 2 : text.length;
}

export function rootOf(node: TreeNode): TreeNode {
  let root = node;
  while (root.parent) root = root.parent;
  return root;
}

function isWithin(node: TreeNode, ancestor: TreeNode): boolean {
  for (let each: TreeNode | undefined = node; each; each = each.parent) if (each === ancestor) return true;
  return false;
}

/** All spans of a tree, without recursion: a chain of spans may be as long as the input. */
export function* walk(root: TreeNode): Generator<TreeNode> {
  const stack = [root];
  for (let node = stack.pop(); node; node = stack.pop()) {
    yield node;
    for (const child of node.children.toReversed()) if (isNode(child)) stack.push(child);
  }
}

function parentIdKey(span: Span): string {
  return `${span.traceId}:${span.missingParentId}`;
}

/** The order in which children are printed: by time, those without one behind the one before; events of the span by their numbers. */
export function inOrder(node: TreeNode): (TreeNode | TreeEvent)[] {
  let lastMs = -Infinity;
  const byTime = node.children
    .map((child) => {
      lastMs = (isNode(child) ? child.span.openMs : child.ms) ?? lastMs;
      return { child, ms: lastMs };
    })
    // A sort that is stable keeps those of one time as they came.
    .toSorted((a, b) => (a.ms === b.ms ? 0 : a.ms - b.ms))
    .map(({ child }) => child);
  const numbered = byTime
    .filter((child): child is TreeEvent & { seq: number } => !isNode(child) && child.seq !== undefined)
    .toSorted((a, b) => a.seq - b.seq);
  let next = 0;
  return byTime.map((child) =>
    !isNode(child) && child.seq !== undefined ? (numbered[next++] ?? child) : child,
  );
}
