/** Which traces are logged. The decision follows from the trace id, so all services that are asked come to the same. */
export interface SamplingConfig {
  /** The share of traces, 0 to 1, that no rule names (default 1). */
  readonly ratio?: number;
  /** The first rule that names a trace's first span decides. */
  readonly rules?: readonly { readonly span: string; readonly ratio: number }[];
}

/** Digits of a trace id that are read as a number: the last 52 bits, which are random where only some are. */
const DIGITS = 13;
const RANGE = 2 ** (4 * DIGITS);

/** Whether a trace that begins here, with a span of this name, is logged. */
export function samples(config: SamplingConfig, traceId: string, name: string): boolean {
  const rule = config.rules?.find(({ span }) => matches(span, name));
  const ratio = rule?.ratio ?? config.ratio ?? 1;
  return Number.parseInt(traceId.slice(-DIGITS), 16) < ratio * RANGE;
}

/** `*` stands for any characters. Walks both texts once, going back to the last star only. */
function matches(pattern: string, name: string): boolean {
  let star = -1;
  let mark = 0;
  let at = 0;
  let place = 0;
  while (at < name.length) {
    if (pattern[place] === '*') {
      star = place++;
      mark = at;
    } else if (pattern[place] === name[at]) {
      place++;
      at++;
    } else if (star >= 0) {
      place = star + 1;
      at = ++mark;
    } else return false;
  }
  while (pattern[place] === '*') place++;
  return place === pattern.length;
}
