import { membersOf } from './json-text.ts';
import type { LineTransform } from './redact.ts';

/** Puts keys into every record; a key that the record has already is replaced, so that it stands once. */
export function compileFields(fields: Readonly<Record<string, unknown>>): LineTransform | undefined {
  const keys = Object.keys(fields);
  if (keys.length === 0) return undefined;
  const members = JSON.stringify(fields).slice(1, -1);
  const quoted = keys.map((key) => JSON.stringify(key));
  return (line) => {
    const isTaken = line.includes('\\u') || quoted.some((key) => line.includes(key));
    const rest = isTaken ? withoutKeys(line, new Set(keys)) : line;
    const end = rest.lastIndexOf('}');
    if (end === -1) return line;
    const isEmpty = rest.slice(0, end).trimEnd() === '{';
    return `${rest.slice(0, end)}${isEmpty ? '' : ','}${members}}`;
  };
}

function withoutKeys(line: string, keys: ReadonlySet<string>): string {
  const kept: string[] = [];
  for (const { key, keyStart, value } of membersOf(line)) {
    if (!keys.has(key)) kept.push(line.slice(keyStart, value.end));
  }
  return `{${kept.join(',')}}`;
}
