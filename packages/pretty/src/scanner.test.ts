import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KnownKeys } from './known-keys.ts';
import { LineScanner } from './scanner.ts';

const newScanner = (): LineScanner => new LineScanner(new KnownKeys(new Map()));

/** The object that the scanner's tokens stand for, or undefined where it found none. */
function scanned(text: string, scanner = newScanner()): Record<string, unknown> | undefined {
  if (!scanner.scan(`#${text}\n`, 1, text.length + 1)) return undefined;
  const members = Array.from({ length: scanner.count }, (_, index) => [
    scanner.keys[index]?.text,
    JSON.parse(`#${text}`.slice(scanner.starts[index], scanner.ends[index])) as unknown,
  ]);
  return Object.fromEntries(members) as Record<string, unknown>;
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    // Built anew as the scanner's is: a `__proto__` key would differ in toEqual otherwise.
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value))
      : undefined;
  } catch {
    return undefined;
  }
}

describe('LineScanner', () => {
  test('reads any object as JSON.parse does', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ stringUnit: 'binary' })),
        (value) => {
          const text = JSON.stringify(value);
          expect(scanned(text)).toEqual(parsed(text));
        },
      ),
    );
  });

  test('reads each of many objects as if it were the first, whatever keys came before', () => {
    const key = fc.oneof(
      fc.constantFrom('a', 'ab', 'b', '"', 'é', ''),
      fc.string({ unit: 'binary', maxLength: 3 }),
    );
    const entries = fc.array(fc.tuple(key, fc.jsonValue({ maxDepth: 1 })), { maxLength: 5 });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(entries, fc.constantFrom(':', ' :', ': ', '\t:')), { maxLength: 8 }),
        (lines) => {
          const scanner = newScanner();
          for (const [members, colon] of lines) {
            // A key may stand twice, which no object can say.
            const text = `{${members.map(([name, value]) => JSON.stringify(name) + colon + JSON.stringify(value)).join(',')}}`;
            expect(scanned(text, scanner)).toEqual(parsed(text));
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test('finds keys beyond those it remembers', () => {
    const scanner = newScanner();
    for (let line = 0; line < 3; line++) {
      const keys = Array.from({ length: 1500 }, (_, index) => `${'k'.repeat(index % 120)}${index}`);
      const text = JSON.stringify(Object.fromEntries(keys.map((key) => [key, line])));
      expect(JSON.stringify(scanned(text, scanner))).toBe(text);
    }
  });

  test('accepts and refuses damaged objects as JSON.parse does', () => {
    const text = '{"a":[1,-0.5e+3,{"b":null,"c":[true,false]}],"d\\u0041\\n":"x\\"y","e":{},"f":[],"g":01}';
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(text.length), fc.constantFrom(...Array.from('{}[]",:\\0.-eE+u tn'), '')), {
          maxLength: 3,
        }),
        (edits) => {
          let damaged = text.replace('01', '1');
          for (const [at, char] of edits) damaged = damaged.slice(0, at) + char + damaged.slice(at + 1);
          expect(scanned(damaged)).toEqual(parsed(damaged));
        },
      ),
      { numRuns: 3000 },
    );
  });

  test.each([
    '',
    '{',
    '{}x',
    '[]',
    '{"a"}',
    '{"a":01}',
    '{"a":1.}',
    '{"a":+1}',
    '{"a":[1,]}',
    '{"a":{,}}',
    '{"a":"\t"}',
    '{"a":tru}',
    'null',
  ])('refuses %j', (text) => {
    expect(scanned(text)).toBeUndefined();
  });

  test('walks ten thousand levels of nesting', () => {
    const deep = `{"a":${'['.repeat(10_000)}${']'.repeat(10_000)}}`;
    expect(newScanner().scan(`${deep}\n`, 0, deep.length)).toBe(true);
  });
});
