import { formatSpanDuration } from './duration.ts';
import { escapeText } from './escape.ts';
import { formatAttr } from './field.ts';
import type { Layout } from './layout.ts';
import type { SpanFields } from './line.ts';
import { HTTP_STATUS_ATTRS, type Span } from './span-table.ts';

/** Digits of an id that tell traces apart on one screen. */
const SHORT_ID_LENGTH = 8;

/** How spans are named and described, in every mode. */
export class SpanText {
  readonly #layout: Layout;

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  name(span: Span): string {
    if (span.name !== '') return this.#layout.theme.strong(escapeText(span.name));
    if (span.isRequest) return 'request';
    return span.openSeen ? '(unnamed)' : `span ${span.spanId.slice(0, SHORT_ID_LENGTH)}`;
  }

  /** What identifies the span's tree: `trace=4bf92f35`, or a request's id. */
  ids(span: Span): string[] {
    const { ids } = this.#layout.settings;
    if (ids === 'none') return [];
    const { theme } = this.#layout;
    if (span.isRequest) return [theme.faint(`req=${escapeText(span.requestId)}`)];
    const trace = `trace=${span.traceId.slice(0, SHORT_ID_LENGTH)}`;
    return [theme.faint(ids === 'span' ? `${trace} span=${span.spanId}` : trace)];
  }

  /** Says that the parent is not in this input. */
  orphan(span: Span): string[] {
    const { theme, glyphs } = this.#layout;
    if (span.missingParentId === '') return [];
    return [theme.warning(`${glyphs.orphan}${span.missingParentId.slice(0, SHORT_ID_LENGTH)}`)];
  }

  /** The attributes that have not been printed yet, which are let go; the status is printed as the outcome. */
  takeAttrs(span: Span): string[] {
    const { theme, settings } = this.#layout;
    const { attrs } = span;
    if (!attrs) return [];
    if (!settings.verboseClose) {
      span.attrs = undefined;
      span.attrBytes = 0;
    }
    if (settings.fields === 'none') return [];
    return [...attrs]
      .filter(([key]) => !HTTP_STATUS_ATTRS.includes(key) && this.#layout.isShown(key))
      .map(([key, value]) => formatAttr(key, value, theme));
  }

  duration(ms: number): string {
    return formatSpanDuration(ms, this.#layout.settings.precision, this.#layout.glyphs);
  }

  /** `+18ms`: log times have no more than milliseconds. */
  offset(ms: number): string {
    return `+${ms < 1000 ? `${Math.round(ms)}ms` : this.duration(ms)}`;
  }

  /** A duration in the colour that says how slow it is. */
  paintedDuration(ms: number): string {
    const { theme, settings } = this.#layout;
    const text = this.duration(ms);
    if (ms >= settings.slow) return theme.error(text);
    return ms * 2 >= settings.slow ? theme.warning(text) : text;
  }

  /** ` 22.0ms (self 3.1ms)` */
  timing(span: Span, totalMs: number | undefined, selfMs: number | undefined): string {
    if (this.#layout.settings.durations === 'off' || totalMs === undefined) return '';
    const self = span.hasChildren && selfMs !== undefined ? ` (self ${this.duration(selfMs)})` : '';
    return ` ${this.paintedDuration(totalMs)}${self}`;
  }

  /** The outcome: an HTTP status where there is one, else the span's own. */
  status(span: Span, fields: SpanFields): string {
    const code = span.httpStatus === '' ? undefined : span.httpStatus;
    const status = typeof fields.status === 'string' ? escapeText(fields.status) : '';
    const text = code === undefined ? status : status === 'ok' || status === '' ? code : `${code} ${status}`;
    return text === '' ? '' : ` ${this.paintStatus(text, isFailure(fields))}`;
  }

  paintStatus(text: string, failed: boolean): string {
    return failed ? this.#layout.theme.error(text) : text;
  }
}

/** Two spaces, then the parts: what follows a span's name. */
export function details(...parts: readonly string[]): string {
  return parts.length === 0 ? '' : `  ${parts.join(' ')}`;
}

export function totalMsOf(fields: SpanFields): number | undefined {
  return typeof fields.duration_ns === 'number' ? fields.duration_ns / 1e6 : undefined;
}

export function selfMsOf(fields: SpanFields): number | undefined {
  return typeof fields.self_ns === 'number' ? fields.self_ns / 1e6 : undefined;
}

export function isFailure(fields: SpanFields): boolean {
  return fields.status === 'error' || hasError(fields);
}

export function hasError(fields: SpanFields): boolean {
  return fields.err !== undefined && fields.err !== null;
}
