import type { RedactConfig } from '../config/config.ts';
import { DETECTORS, type DetectorName } from './detectors.ts';
import { endOfString, endOfValue, readString, skipSpace } from './json-text.ts';
import { parseRedactPath, type PathSegment } from './redact-path.ts';

/** Turns a line without its line feed into another one. */
export type LineTransform = (line: string) => string;

/** What a path has matched so far: the path, and the segment that comes next. */
interface Progress {
  readonly segments: readonly PathSegment[];
  readonly at: number;
}

/** One `redact` of the config, ready for use. */
interface Rules {
  readonly keys: ReadonlySet<string>;
  readonly paths: readonly Progress[];
  readonly detectors: readonly DetectorName[];
  readonly censor: string;
  /** A line without any of these can't hold a key that is to be masked; undefined where any key may be. */
  readonly quotedKeys: readonly string[] | undefined;
}

/** Masks what the whole config asks for, then what the stream asks for beyond. */
export function compileRedact(configs: readonly RedactConfig[]): LineTransform | undefined {
  const transforms = configs
    .map(compileRules)
    .filter(asksForAnything)
    .map((rules) => redactor(rules));
  if (transforms.length === 0) return undefined;
  return (line) => transforms.reduce((text, transform) => transform(text), line);
}

function compileRules({ keys, paths, detectors, censor }: RedactConfig): Rules {
  const parsed = paths.flatMap((path) => {
    const segments = parseRedactPath(path);
    return typeof segments === 'string' ? [] : [segments, ...inSpanLine(segments)];
  });
  const lastKeys = parsed.map((segments) => segments.findLast(({ kind }) => kind === 'key'));
  const isOpen = lastKeys.some((segment) => segment === undefined);
  const words = lastKeys.flatMap((segment) => (segment?.kind === 'key' ? [segment.key] : []));
  return {
    keys: new Set(keys),
    paths: parsed.map((segments) => ({ segments, at: 0 })),
    detectors,
    censor,
    quotedKeys: isOpen
      ? undefined
      : [...new Set([...keys, ...words])].map((word) => (/^\d+$/.test(word) ? '[' : JSON.stringify(word))),
  };
}

/** The error that a line is about stands a level lower where the line closes a span. */
function inSpanLine([first, ...rest]: readonly PathSegment[]): readonly (readonly PathSegment[])[] {
  const isOfError = first?.kind === 'key' ? first.key === 'err' : first?.kind === 'any' && rest.length > 0;
  return isOfError ? [[{ kind: 'key', key: 'span' }, { kind: 'key', key: 'err' }, ...rest]] : [];
}

function asksForAnything({ keys, paths, detectors }: Rules): boolean {
  return keys.size > 0 || paths.length > 0 || detectors.length > 0;
}

function redactor(rules: Rules): LineTransform {
  return (line) => {
    if (!mayHoldKey(line, rules) && !mayHoldValue(line, rules)) return line;
    // What is no object counts as a text.
    if (line[skipSpace(line, 0)] !== '{') return detect(line, rules);
    try {
      return new Redaction(line, rules).run();
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      return detect(line, rules);
    }
  };
}

function mayHoldKey(line: string, { quotedKeys }: Rules): boolean {
  // A key may be written with escapes.
  return quotedKeys === undefined || line.includes('\\u') || quotedKeys.some((key) => line.includes(key));
}

function mayHoldValue(line: string, { detectors }: Rules): boolean {
  return (
    detectors.length > 0 && (line.includes('\\u') || detectors.some((name) => DETECTORS[name].mayHold(line)))
  );
}

function detect(text: string, { detectors, censor }: Rules): string {
  return detectors.reduce((masked, name) => DETECTORS[name].replace(masked, censor), text);
}

/** Without them a line is no record any more, and they can't hold a secret. */
const NEVER_MASKED: ReadonlySet<string> = new Set(['level', 'time']);

/** An object or list that the walk is inside of. */
interface Frame {
  readonly isList: boolean;
  readonly progress: readonly Progress[];
  index: number;
}

/** One walk over one line. It keeps its own stack: a line may be nested deeper than calls can be. */
class Redaction {
  readonly #text: string;
  readonly #rules: Rules;
  readonly #parts: string[] = [];
  readonly #frames: Frame[] = [];
  /** Up to here the text has been taken over. */
  #copied = 0;

  constructor(text: string, rules: Rules) {
    this.#text = text;
    this.#rules = rules;
  }

  run(): string {
    let at = this.#value(skipSpace(this.#text, 0), this.#rules.paths, undefined);
    for (let frame = this.#frames.at(-1); frame; frame = this.#frames.at(-1)) at = this.#next(at, frame);
    if (this.#copied === 0) return this.#text;
    return this.#parts.join('') + this.#text.slice(this.#copied);
  }

  /** Goes on with the next member or element of a frame, or behind its end. */
  #next(from: number, frame: Frame): number {
    const text = this.#text;
    let at = skipSpace(text, from);
    if (text[at] === ',') at = skipSpace(text, at + 1);
    if (text[at] === '}' || text[at] === ']') {
      this.#frames.pop();
      return at + 1;
    }
    if (at >= text.length) throw new SyntaxError('an object or list is not closed');
    if (frame.isList) return this.#value(at, frame.progress, String(frame.index++));
    if (text[at] !== '"') throw new SyntaxError('a key is no string');
    const end = endOfString(text, at);
    const key = readString(text, { start: at, end });
    return this.#value(skipSpace(text, skipSpace(text, end) + 1), frame.progress, key);
  }

  /** Masks a value, enters it, or looks at it; gives where the walk goes on. */
  #value(at: number, progress: readonly Progress[], key: string | undefined): number {
    const text = this.#text;
    if (key !== undefined && this.#frames.length === 1 && NEVER_MASKED.has(key)) return endOfValue(text, at);
    const inList = this.#frames.at(-1)?.isList === true;
    const next = key === undefined ? progress : advance(progress, key);
    const isMasked =
      key !== undefined &&
      ((!inList && this.#rules.keys.has(key)) ||
        next.some(({ segments, at: done }) => done === segments.length));
    if (isMasked) return this.#replace(at, endOfValue(text, at), JSON.stringify(this.#rules.censor));
    if (text[at] === '{' || text[at] === '[') {
      this.#frames.push({ isList: text[at] === '[', progress: next, index: 0 });
      return at + 1;
    }
    return text[at] === '"' ? this.#string(at) : this.#literal(at);
  }

  #string(at: number): number {
    const end = endOfString(this.#text, at);
    if (this.#rules.detectors.length === 0) return end;
    const value = readString(this.#text, { start: at, end });
    const masked = detect(value, this.#rules);
    return masked === value ? end : this.#replace(at, end, JSON.stringify(masked));
  }

  #literal(at: number): number {
    const end = endOfValue(this.#text, at);
    if (end === at) throw new SyntaxError('a value is missing');
    const value = this.#text.slice(at, end);
    if (end - at < 13 || detect(value, this.#rules) === value) return end;
    return this.#replace(at, end, JSON.stringify(this.#rules.censor));
  }

  #replace(start: number, end: number, value: string): number {
    this.#parts.push(this.#text.slice(this.#copied, start), value);
    this.#copied = end;
    return end;
  }
}

/** Where paths stand after one more key, each place once: a line may nest the same key thousands of times. */
function advance(progress: readonly Progress[], key: string): Progress[] {
  const next: Progress[] = [];
  const add = (segments: readonly PathSegment[], at: number): void => {
    if (!next.some((each) => each.segments === segments && each.at === at)) next.push({ segments, at });
  };
  const step = (segments: readonly PathSegment[], at: number): void => {
    const segment = segments[at];
    if (segment?.kind === 'deep') {
      // At its end, `**` stands for whatever is below; before, also for no key at all.
      add(segments, at === segments.length - 1 ? segments.length : at);
      step(segments, at + 1);
    } else if (segment?.kind === 'any' || segment?.key === key) add(segments, at + 1);
  };
  for (const { segments, at } of progress) step(segments, at);
  return next;
}
