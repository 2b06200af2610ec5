import { TreelineError } from '@treeline/contract';
import { PROBLEM_CODES, type ProblemCode } from './problem-codes.ts';

/** One mistake or doubt about a config, with the place where it stands. */
export interface ConfigProblem {
  /** As the program named it, or relative to the working directory; absent where the config is no file. */
  readonly file?: string;
  /** From 1. */
  readonly line?: number;
  /** From 1, in UTF-16 units as editors count. */
  readonly column?: number;
  /** How many characters the mistake covers. */
  readonly length?: number;
  /** The environment variable at fault, instead of a file. */
  readonly variable?: string;
  readonly code: ProblemCode;
  readonly severity: 'error' | 'warning';
  /** The key, as `streams[1].rotation.size`; empty for the config as a whole. */
  readonly path: string;
  readonly message: string;
  /** What was probably meant, or what to do next. */
  readonly suggestion?: string;
  /** The line of the file, secrets masked. */
  readonly sourceLine?: string;
}

export type ProblemFormat = 'text' | 'json' | 'github';

/**
 * A config that can't be used. The message is the whole report, secrets masked; there is no stack, since the mistake is not in
 * the program.
 */
export class ConfigError extends TreelineError {
  readonly #problems: readonly ConfigProblem[];
  readonly #files: readonly string[];

  /** `files` are those that were read, or should have been, by absolute path. */
  constructor(problems: readonly ConfigProblem[], files: readonly string[] = []) {
    const unreadable = problems.some((problem) => problem.code === 'CFG001');
    super(unreadable ? 'CONFIG_UNREADABLE' : 'CONFIG_INVALID', formatProblems(problems));
    this.#problems = problems;
    this.#files = files;
    this.stack = `${this.name}: ${this.message}`;
  }

  get problems(): readonly ConfigProblem[] {
    return this.#problems;
  }

  /** What was read, or should have been: a mistake may be mended in any of them. */
  get files(): readonly string[] {
    return this.#files;
  }

  /** What a program should exit with: 78 for mistakes, 66 for a file that is missing or can't be read. */
  get exitCode(): 66 | 78 {
    return this.code === 'CONFIG_UNREADABLE' ? 66 : 78;
  }
}

Object.defineProperty(ConfigError.prototype, 'name', { value: 'ConfigError', configurable: true });

/** Prints problems for a terminal, for a program, or as annotations of a GitHub workflow. Ends without a line feed. */
export function formatProblems(problems: readonly ConfigProblem[], format: ProblemFormat = 'text'): string {
  const sorted = sortProblems(problems);
  if (format === 'json') return JSON.stringify(sorted.map(publicProblem), undefined, 2);
  if (format === 'github') return sorted.map(formatGithub).join('\n');
  return [...sorted.map(formatText), formatCounts(sorted)].join('\n');
}

/** By file in the order of first appearance, then by position; what has no position comes last. */
export function sortProblems(problems: readonly ConfigProblem[]): ConfigProblem[] {
  const files = [...new Set(problems.map((problem) => problem.file))];
  const rank = (problem: ConfigProblem): number =>
    problem.file === undefined ? files.length : files.indexOf(problem.file);
  return problems.toSorted(
    (a, b) => rank(a) - rank(b) || (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
  );
}

function formatText(problem: ConfigProblem): string {
  const word = problem.severity === 'error' ? 'error' : 'warn ';
  const head = `${formatPlace(problem)} ${word} ${problem.code}  ${printable(problem.message)}`;
  const hint = problem.suggestion === undefined ? '' : printable(problem.suggestion);
  if (problem.sourceLine === undefined || problem.line === undefined || problem.column === undefined) {
    return hint ? `${head}\n    ${hint}` : head;
  }
  const gutter = String(problem.line).padStart(4);
  const { text, caret } = excerpt(problem.sourceLine, problem.column, problem.length ?? 1);
  return `${head}\n${gutter} | ${text}\n${' '.repeat(gutter.length)} | ${caret}${hint ? `  ${hint}` : ''}`;
}

const EXCERPT_WIDTH = 110;

/** Cuts a long line around the mistake, so that the caret still stands under it. */
function excerpt(line: string, column: number, length: number): { text: string; caret: string } {
  const start = column - 1;
  const from = start > EXCERPT_WIDTH - 30 ? start - 60 : 0;
  const cut = line.slice(from, from + EXCERPT_WIDTH);
  const text = `${from > 0 ? '…' : ''}${cut}${line.length > from + EXCERPT_WIDTH ? '…' : ''}`;
  const width = Math.max(1, Math.min(length, cut.length - (start - from)));
  return { text: printable(text), caret: ' '.repeat(start - from + (from > 0 ? 1 : 0)) + '^'.repeat(width) };
}

function formatPlace(problem: ConfigProblem): string {
  if (problem.variable !== undefined) return `env ${printable(problem.variable)}`;
  if (problem.file === undefined) return problem.path === '' ? 'config' : `config ${printable(problem.path)}`;
  const file = printable(problem.file);
  return problem.line === undefined ? file : `${file}:${problem.line}:${problem.column ?? 1}`;
}

function formatCounts(problems: readonly ConfigProblem[]): string {
  const errors = problems.filter((problem) => problem.severity === 'error').length;
  const warnings = problems.length - errors;
  return `${count(errors, 'error')}, ${count(warnings, 'warning')}`;
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

/** https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands */
function formatGithub(problem: ConfigProblem): string {
  const place = [
    problem.file === undefined ? '' : `file=${escapeProperty(problem.file)}`,
    problem.line === undefined ? '' : `line=${problem.line}`,
    problem.column === undefined ? '' : `col=${problem.column}`,
    `title=${escapeProperty(`${problem.code} ${PROBLEM_CODES[problem.code]}`)}`,
  ].filter(Boolean);
  const subject = problem.variable === undefined ? '' : `${problem.variable}: `;
  const text = `${subject}${problem.message}${problem.suggestion ? `; ${problem.suggestion}` : ''}`;
  return `::${problem.severity} ${place.join(',')}::${escapeData(text)}`;
}

function escapeData(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}

function publicProblem(problem: ConfigProblem): object {
  const { file, line, column, variable, code, severity, path, message, suggestion } = problem;
  return { file, line, column, variable, code, severity, path, message, suggestion };
}

/** A config is input like any other: no control character of it reaches the terminal. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, (char) =>
    char === '\t' ? ' ' : `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
