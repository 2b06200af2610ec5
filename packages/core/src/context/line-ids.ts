import type { Logger } from 'pino';
import { asJsonSym, mixinSym } from '../pino-symbols.ts';
import type { Frame } from './frame.ts';
import type { TraceParent } from './traceparent.ts';

/** The object that becomes a line, what stands under `span` in it being what tells a span's own lines. */
type LineObject = Readonly<Record<string, unknown>> & { readonly span?: unknown };

type AsJson = (this: Logger, fields: LineObject, msg: unknown, level: number, time: string) => string;
type Mixin = (fields: object, level: number, logger: Logger) => object;

interface Writing {
  [asJsonSym]: AsJson;
  [mixinSym]: Mixin | undefined;
}

/** Says which ids a line gets. */
export interface LineIds {
  /** The frame that the calling code runs in, and ids where others have started its span. */
  current(): Frame | TraceParent | undefined;
  isOwn(ids: Frame | TraceParent): ids is Frame;
  /** The span line that is being written, by what stands under `span`. */
  readonly spanLine: { readonly span: object; readonly text: string } | undefined;
}

/**
 * Makes a logger and its children write ids in front of everything else that a line says, as text: as fields of an object they
 * cost a log call ten times as much. A mixin that writes the same keys (OpenTelemetry's instrumentation of pino has one) gives way.
 */
export function installLineIds(root: Logger, ids: LineIds): void {
  const writing = root as unknown as Writing;
  const asJson = writing[asJsonSym];
  writing[asJsonSym] = function withIds(fields, msg, level, time) {
    const { spanLine } = ids;
    if (spanLine !== undefined && fields.span === spanLine.span)
      return asJson.call(this, fields, msg, level, time + spanLine.text);
    const current = ids.current();
    if (current === undefined) return asJson.call(this, fields, msg, level, time);
    if (!ids.isOwn(current)) return asJson.call(this, fields, msg, level, time + idsText(current));
    const line = asJson.call(this, fields, msg, level, time + nextIdsText(current));
    // Only now: a field that throws has kept it from being written.
    current.lines[level] = (current.lines[level] ?? 0) + 1;
    return line;
  };
  const mixin = writing[mixinSym];
  if (mixin) writing[mixinSym] = withoutIds(mixin, ids);
}

/** The ids of a span's own line, which names its parent too. */
export function spanIdsText(frame: Frame, parentSpanId: string | undefined): string {
  const parent = parentSpanId === undefined ? '' : `,"parent_span_id":"${parentSpanId}"`;
  return `,"trace_id":"${frame.traceId}","span_id":"${frame.spanId}"${parent},"trace_flags":"${frame.traceFlags}","span_seq":${frame.nextSeq++}`;
}

function nextIdsText(frame: Frame): string {
  frame.idsText ??= `${idsText(frame)},"span_seq":`;
  const text = frame.idsText + frame.nextSeq++;
  return frame.span === undefined ? `${text},"after_end":true` : text;
}

function idsText({ traceId, spanId, traceFlags }: TraceParent): string {
  return `,"trace_id":"${traceId}","span_id":"${spanId}","trace_flags":"${traceFlags}"`;
}

function withoutIds(mixin: Mixin, ids: LineIds): Mixin {
  return (mergeObject, level, logger) => {
    const fields: Record<string, unknown> = { ...mixin(mergeObject, level, logger) };
    if (ids.spanLine === undefined && ids.current() === undefined) return fields;
    delete fields['trace_id'];
    delete fields['span_id'];
    delete fields['trace_flags'];
    return fields;
  };
}
