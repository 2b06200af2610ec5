import { escapeLines, escapeText } from './escape.ts';
import { textOf } from './field.ts';

/** The parts of a serialized error that are printed: pino's `{ type, message, stack }`. */
interface ErrorFields {
  readonly [key: string]: unknown;
}

/** Reads a value that looks like a serialized error. */
export function readError(value: unknown): ErrorFields | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const fields = value as ErrorFields;
  return typeof fields.stack === 'string' || typeof fields.message === 'string' ? fields : undefined;
}

/** Prints an error on one line: its type and message. */
export function formatErrorLine(error: ErrorFields): string {
  return escapeText(`${typeof error.type === 'string' ? error.type : 'Error'}: ${textOf(error.message)}`);
}

/** Prints an error with its stack, a line each, without a gutter. */
export function formatErrorBlock(error: ErrorFields): string[] {
  return typeof error.stack === 'string' ? escapeLines(error.stack) : [formatErrorLine(error)];
}
