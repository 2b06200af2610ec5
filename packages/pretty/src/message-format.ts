import type { Line } from './line.ts';
import { plainText } from './json-text.ts';

interface TemplateKeys {
  readonly messageKey: string;
  readonly levelKey: string;
}

/**
 * Compiles pino-pretty's template: `{a.b}` is a value, `{levelLabel}` the level's name, `{if a}…{end}` stands only where the record
 * has `a`. What it makes is raw text, to be escaped as any message is.
 */
export function compileMessageFormat(
  template: string,
  keys: TemplateKeys,
): (line: Line, levelLabel: string) => string {
  return (line, levelLabel) => {
    const record = line.parse();
    const value = (path: string): unknown =>
      path === 'levelLabel' ? levelLabel : path === 'msg' ? record[keys.messageKey] : lookUp(record, path);
    return template
      .replace(/\{if ([^{}]+)\}(.*?)\{end\}/gs, (_, path: string, inner: string) =>
        isPresent(value(path.trim())) ? inner : '',
      )
      .replace(/\{([^{}]+)\}/g, (_, path: string) => {
        const found = value(path.trim());
        return isPresent(found) ? plainText(found) : '';
      });
  };
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}

/** The value at a dotted path. */
export function lookUp(record: unknown, path: string): unknown {
  let value = record;
  for (const part of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}
