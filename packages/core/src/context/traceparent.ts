/** Where a span stands, as it goes from process to process. https://www.w3.org/TR/trace-context/ */
export interface TraceParent {
  readonly traceId: string;
  readonly spanId: string;
  /** Two hex digits; `01` says that the trace is sampled. */
  readonly traceFlags: string;
  /** What other vendors keep with the trace. */
  readonly traceState?: string;
}

const TRACEPARENT =
  /^(?<version>[0-9a-f]{2})-(?<traceId>[0-9a-f]{32})-(?<spanId>[0-9a-f]{16})-(?<flags>[0-9a-f]{2})(?<more>-.*)?$/s;
const SAMPLED = 1;
/** Says that the trace id is random; it is passed on as it came. https://www.w3.org/TR/trace-context-2/#random-trace-id-flag */
const RANDOM = 2;

const MAX_MEMBERS = 32;
const MAX_STATE_CHARS = 512;
const LONG_MEMBER_CHARS = 128;
const MEMBER =
  /^(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/**
 * Reads the headers `traceparent` and `tracestate`; undefined where the first is missing or breaks the rules: then a new trace
 * begins, and what others kept with the old one is not for it. A `tracestate` that breaks the rules is left out alone.
 */
export function parseTraceparent(traceparent: unknown, tracestate?: unknown): TraceParent | undefined {
  // Several headers of that name arrive as a list, or joined by commas: neither can be trusted.
  const groups = typeof traceparent === 'string' ? TRACEPARENT.exec(traceparent.trim())?.groups : undefined;
  if (!groups) return undefined;
  const { version, traceId = '', spanId = '', flags = '', more } = groups;
  if (version === 'ff' || isZero(traceId) || isZero(spanId)) return undefined;
  if (version === '00' && more !== undefined) return undefined;
  // Of a version that is not known only the first bit is.
  const known = version === '00' ? SAMPLED | RANDOM : SAMPLED;
  const traceFlags = formatFlags(Number.parseInt(flags, 16) & known);
  const traceState = parseTracestate(tracestate);
  return { traceId, spanId, traceFlags, ...(traceState !== undefined && { traceState }) };
}

/** The value of the header `traceparent`. */
export function formatTraceparent({ traceId, spanId, traceFlags }: TraceParent): string {
  return `00-${traceId}-${spanId}-${traceFlags}`;
}

export function formatFlags(flags: number): string {
  return (flags & 0xff).toString(16).padStart(2, '0');
}

export function isSampled(traceFlags: string): boolean {
  return (Number.parseInt(traceFlags, 16) & SAMPLED) === SAMPLED;
}

export function withSampled(traceFlags: string, sampled: boolean): string {
  const flags = Number.parseInt(traceFlags, 16);
  return formatFlags(sampled ? flags | SAMPLED : flags & ~SAMPLED);
}

function isZero(id: string): boolean {
  return /^0+$/.test(id);
}

/** Checks `tracestate` and shortens it as the rules allow: entries over 128 characters go first, then those at the end. */
function parseTracestate(value: unknown): string | undefined {
  const isList = Array.isArray(value) && value.every((part) => typeof part === 'string');
  const text: unknown = isList ? value.join(',') : value;
  if (typeof text !== 'string') return undefined;
  const members = text
    .split(',')
    .map((member) => member.replace(/^[ \t]+|[ \t]+$/g, ''))
    .filter((member) => member !== '');
  if (members.length === 0 || members.length > MAX_MEMBERS) return undefined;
  if (!members.every((member) => MEMBER.test(member))) return undefined;
  const keys = new Set(members.map((member) => member.slice(0, member.indexOf('='))));
  return keys.size === members.length ? shortened(members) : undefined;
}

function shortened(members: readonly string[]): string | undefined {
  let kept = members;
  if (kept.join(',').length > MAX_STATE_CHARS)
    kept = kept.filter(({ length }) => length <= LONG_MEMBER_CHARS);
  while (kept.join(',').length > MAX_STATE_CHARS) kept = kept.slice(0, -1);
  return kept.length === 0 ? undefined : kept.join(',');
}
