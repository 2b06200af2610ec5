import { MAX_PROBLEMS } from './limits.ts';
import { formatPath, type Origin, type Path } from './node.ts';
import type { ConfigProblem } from './problem.ts';
import type { ProblemCode } from './problem-codes.ts';
import { maskSource } from './secret.ts';

/** What a problem says, apart from its place. */
export interface Finding {
  readonly code: ProblemCode;
  readonly message: string;
  readonly suggestion?: string | undefined;
  readonly severity?: 'error' | 'warning';
}

interface Source {
  readonly text: string;
  /** Secrets masked. */
  lines?: readonly string[];
  starts?: readonly number[];
}

/** Gathers the problems of one load, and turns offsets into lines and columns of the files that were read. */
export class ProblemList {
  readonly #problems: ConfigProblem[] = [];
  readonly #sources = new Map<string, Source>();
  #hasErrors = false;
  #omitted = 0;

  addSource(file: string, text: string): void {
    this.#sources.set(file, { text });
  }

  add(origin: Origin, path: Path, finding: Finding): void {
    const { code, message, suggestion, severity = 'error' } = finding;
    this.#hasErrors ||= severity === 'error';
    if (this.#problems.length >= MAX_PROBLEMS) {
      this.#omitted++;
      return;
    }
    this.#problems.push({
      ...this.#place(origin),
      code,
      severity,
      path: formatPath(path),
      message,
      ...(suggestion === undefined ? {} : { suggestion }),
    });
  }

  get all(): readonly ConfigProblem[] {
    if (this.#omitted === 0) return this.#problems;
    const message = `there are ${this.#omitted} more problems; the first ${MAX_PROBLEMS} are shown`;
    const severity = this.#hasErrors ? 'error' : 'warning';
    return [...this.#problems, { code: 'CFG009', severity, path: '', message }];
  }

  /** Nothing that comes now will be shown: no need to find words for it. */
  get isFull(): boolean {
    return this.#problems.length >= MAX_PROBLEMS;
  }

  get hasErrors(): boolean {
    return this.#hasErrors;
  }

  /** Line and column of an offset, from 1. */
  position(file: string, offset: number): { line: number; column: number } | undefined {
    const source = this.#sources.get(file);
    if (!source) return undefined;
    source.starts ??= lineStarts(source.text);
    const { starts } = source;
    let low = 0;
    for (let high = starts.length - 1; low < high;) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
  }

  /** The place of some characters inside a text value, escapes counted; the whole value where that can't be told. */
  inside(origin: Origin, from: number, to: number): Origin {
    const source = origin.file === undefined ? undefined : this.#sources.get(origin.file);
    if (!source || origin.start === undefined || source.text[origin.start] !== '"') return origin;
    const raw = source.text.slice(origin.start, origin.end);
    return {
      ...origin,
      start: origin.start + rawOffset(raw, from),
      end: origin.start + Math.max(rawOffset(raw, to), rawOffset(raw, from) + 1),
    };
  }

  #place(origin: Origin): Partial<ConfigProblem> {
    if (origin.variable !== undefined) return { variable: origin.variable };
    if (origin.file === undefined) return {};
    const source = this.#sources.get(origin.file);
    if (origin.start === undefined || !source) return { file: origin.file };
    const position = this.position(origin.file, origin.start) ?? { line: 1, column: 1 };
    source.lines ??= maskSource(source.text).split(/\r?\n/);
    const sourceLine = source.lines[position.line - 1] ?? '';
    const length = Math.max(1, Math.min(origin.end ?? origin.start + 1, source.text.length) - origin.start);
    return {
      file: origin.file,
      ...position,
      length: Math.max(1, Math.min(length, sourceLine.length - position.column + 1)),
      sourceLine,
    };
  }
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

/** The offset in a JSON string literal of the character that is the decoded text's `index`-th. */
function rawOffset(raw: string, index: number): number {
  let offset = 1;
  for (let decoded = 0; decoded < index && offset < raw.length - 1; decoded++) {
    if (raw[offset] !== '\\') offset += 1;
    else offset += raw[offset + 1] === 'u' ? 6 : 2;
  }
  return offset;
}
