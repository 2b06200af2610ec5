import type { Layout } from './layout.ts';
import type { Line } from './line.ts';
import { escapeText } from './escape.ts';

/** A record that belongs to no tree; what is no JSON passes through, made safe. */
export function plainRow(layout: Layout, line: Line): string {
  if (!line.isRecord) return passedThrough(layout, line);
  const text = `${layout.origin(line)}${layout.message(line)}`;
  const rest = `${layout.fields(line, line.fields)}${layout.fields(line, line.requestFields)}${layout.errors(line)}`;
  return layout.row(layout.recordColumns(line), layout.gutter, text + rest);
}

function passedThrough(layout: Layout, line: Line): string {
  const text = layout.settings.raw ? line.source : escapeText(line.source);
  return layout.guard((line.isTooLong ? layout.cutLong(text) : layout.cut(text)) + layout.lineEnd);
}
