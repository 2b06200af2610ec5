import type { Layout } from './layout.ts';
import type { Span, SpanTable } from './span-table.ts';
import { details, type SpanText } from './span-text.ts';

/** Spans that are named at the end of input; the rest is counted. */
const MAX_UNCLOSED = 100;

/** What the end of input has to tell: spans that were never closed, and how many records are missing. */
export function formatUnclosed(
  open: readonly Span[],
  spans: SpanTable,
  text: SpanText,
  layout: Layout,
): string[] {
  const { glyphs, theme } = layout;
  const traces = new Set(open.map((span) => (span.isRequest ? span.key : span.traceId))).size;
  const said = [
    ...(open.length > 0 ? [`${counted(open.length, 'open span')} in ${counted(traces, 'trace')}`] : []),
    ...(spans.missing > 0 ? [`${counted(spans.missing, 'record')} missing`] : []),
  ];
  if (said.length === 0) return [];
  const more =
    open.length > MAX_UNCLOSED ? [`${glyphs.more} ${open.length - MAX_UNCLOSED} more open spans`] : [];
  return [
    theme.warning(`${glyphs.ended} input ended: ${said.join(', ')}`),
    ...inTreeOrder(open)
      .slice(0, MAX_UNCLOSED)
      .map((span) => describe(span, spans, text, layout)),
    ...more,
  ];
}

function describe(span: Span, spans: SpanTable, text: SpanText, { glyphs, theme, settings }: Layout): string {
  const lasted =
    spans.lastMs === undefined || span.openMs === undefined
      ? undefined
      : Math.max(0, spans.lastMs - span.openMs);
  const duration = lasted === undefined ? '' : ` ${glyphs.atLeast}${text.duration(lasted)}`;
  const indent = '  '.repeat(Math.min(span.depth, settings.maxDepth - 1));
  const ids = span.depth === 0 ? text.ids(span) : [];
  return `${indent}${theme.error(glyphs.unclosed)} ${text.name(span)}  unclosed${duration}${details(...ids)}`;
}

/** Lanes in the order in which they opened, and in each the deepest last. */
function inTreeOrder(open: readonly Span[]): Span[] {
  const lanes = new Map<string, Span[]>();
  for (const span of open) {
    const lane = lanes.get(span.laneKey);
    if (lane) lane.push(span);
    else lanes.set(span.laneKey, [span]);
  }
  return [...lanes.values()].flatMap((lane) => lane.toSorted((a, b) => a.depth - b.depth));
}

export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
