import { formatDuration, formatLevel } from '@treeline/contract';
import type { LogRow } from '@treeline/sqlite';
import { formatTime } from './table-text.ts';
import { printable } from './terminal.ts';

/** A span, or the trace that holds spans whose parents are not here. */
interface Branch {
  readonly title: string;
  readonly children: (Branch | LogRow)[];
}

interface Span extends Branch {
  title: string;
  parent: Span | undefined;
  isPlaced: boolean;
}

/** Deeper branches are drawn at this depth. */
const MAX_DEPTH = 40;

/** Draws records, which come oldest first, as a tree: spans hold their records and spans, what has no span stands at the top. */
export function formatStory(id: string, rows: readonly LogRow[], { utc }: { readonly utc: boolean }): string {
  const [first] = rows;
  const last = rows.at(-1);
  if (!first || !last) return `no records of ${printable(id)}\n`;
  const sources = new Set(rows.map(({ source }) => source));
  const lines = [
    `${printable(id)}: ${counted(rows.length, 'record')} of ${counted(sources.size, 'source')}, ` +
      `${formatTime(first.ts, utc)} to ${formatTime(last.ts, utc)} (${formatDuration(last.ts - first.ts)})`,
  ];
  draw(branchesOf(rows), utc, lines);
  return lines.map((line) => `${line}\n`).join('');
}

function branchesOf(rows: readonly LogRow[]): (Branch | LogRow)[] {
  const spans = spansOf(rows);
  const top: (Branch | LogRow)[] = [];
  const traces = new Map<string, Branch>();
  const traceOf = (traceId: string): Branch => {
    let trace = traces.get(traceId);
    if (!trace) {
      trace = { title: `trace ${traceId.slice(0, 8)}`, children: [] };
      traces.set(traceId, trace);
      top.push(trace);
    }
    return trace;
  };
  /** A span is placed where its first record, or that of a span within, comes. */
  const place = (span: Span, traceId: string): void => {
    for (let each: Span | undefined = span; each && !each.isPlaced; each = each.parent) {
      each.isPlaced = true;
      (each.parent ?? traceOf(traceId)).children.push(each);
    }
  };
  for (const row of rows) {
    const span =
      row.traceId !== null && row.spanId !== null ? spans.get(keyOf(row.traceId, row.spanId)) : undefined;
    if (row.traceId === null) top.push(row);
    else if (!span) traceOf(row.traceId).children.push(row);
    else {
      place(span, row.traceId);
      span.children.push(row);
    }
  }
  // A trace of one root span needs no branch of its own.
  return top.map((branch) => {
    const [only] = 'children' in branch && branch.title.startsWith('trace ') ? branch.children : [];
    return 'children' in branch && branch.children.length === 1 && only && 'children' in only ? only : branch;
  });
}

function spansOf(rows: readonly LogRow[]): Map<string, Span> {
  const spans = new Map<string, Span>();
  for (const { traceId, spanId, record, source } of rows) {
    if (traceId === null || spanId === null) continue;
    const key = keyOf(traceId, spanId);
    const span = spans.get(key) ?? {
      title: `span ${spanId}`,
      children: [],
      parent: undefined,
      isPlaced: false,
    };
    spans.set(key, span);
    const title = titleOf(record.span, source);
    if (title !== undefined) span.title = title;
  }
  for (const { traceId, spanId, parentSpanId } of rows) {
    if (traceId === null || spanId === null || parentSpanId === null) continue;
    const span = spans.get(keyOf(traceId, spanId));
    const parent = spans.get(keyOf(traceId, parentSpanId));
    if (span && parent && !span.parent && !isWithin(parent, span)) span.parent = parent;
  }
  return spans;
}

/** Ids come from the log: a span can be said to be its own ancestor. */
function isWithin(span: Span, ancestor: Span): boolean {
  for (let each: Span | undefined = span; each; each = each.parent) if (each === ancestor) return true;
  return false;
}

/** From an open or close line; the close comes last and knows most. */
function titleOf(span: unknown, source: string): string | undefined {
  if (typeof span !== 'object' || span === null) return undefined;
  const { name, duration_ns: durationNs, status } = span as Readonly<Record<string, unknown>>;
  if (typeof name !== 'string') return undefined;
  const duration = typeof durationNs === 'number' ? `  ${formatDuration(Math.round(durationNs / 1e6))}` : '';
  const end = typeof status === 'string' ? ` ${status}` : '';
  return `▸ ${name}  ${source}${duration}${end}`;
}

function keyOf(traceId: string, spanId: string): string {
  return `${traceId} ${spanId}`;
}

function draw(branches: readonly (Branch | LogRow)[], utc: boolean, lines: string[]): void {
  const timeWidth = formatTime(1, true).length;
  const blank = ' '.repeat(timeWidth + 7);
  const stack: { item: Branch | LogRow; isLast: boolean; prefix: string; depth: number }[] = [];
  const push = (items: readonly (Branch | LogRow)[], prefix: string, depth: number): void => {
    for (const [index, item] of [...items.entries()].toReversed()) {
      stack.push({ item, isLast: index === items.length - 1, prefix, depth });
    }
  };
  push(branches, '', 0);
  for (let next = stack.pop(); next; next = stack.pop()) {
    const { item, isLast, prefix, depth } = next;
    const twig = `${prefix}${isLast ? '└─ ' : '├─ '}`;
    if (!('children' in item)) {
      const columns = `${formatTime(item.ts, utc).padEnd(timeWidth)} ${formatLevel(item.level).toUpperCase().padEnd(5)} `;
      lines.push(`${columns}${twig}${textOf(item)}`);
      continue;
    }
    lines.push(`${blank}${twig}${oneLine(item.title)}`);
    push(item.children, depth < MAX_DEPTH ? `${prefix}${isLast ? '   ' : '│  '}` : prefix, depth + 1);
  }
}

/** Keys of the payload that say nothing about the object. */
const LEFT_OUT = new Set(['pid', 'hostname', 'name', 'v', 'span', 'span_seq', 'trace_flags']);

function textOf({ source, type, msg, payload }: LogRow): string {
  const fields = Object.entries(payload)
    .filter(([key, value]) => !LEFT_OUT.has(key) && value !== undefined)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const who = [source, ...(type === 'log' ? [] : [type])].filter((part) => part !== '').join(' ');
  return oneLine([who, msg ?? '', fields.join(' ')].filter((part) => part !== '').join('  '));
}

function oneLine(text: string): string {
  return printable(text.replaceAll('\n', String.raw`\n`));
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
