import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LineScanner } from './scanner.ts';

/** The object that the scanner's tokens stand for, or undefined where it found none. */
function scanned(text: string): Record<string, unknown> | undefined {
  const scanner = new LineScanner();
  if (!scanner.scan(`#${text}\n`, 1, text.length + 1)) return undefined;
  const members = Array.from({ length: scanner.count }, (_, index) => [
    scanner.keys[index],
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
    expect(new LineScanner().scan(`${deep}\n`, 0, deep.length)).toBe(true);
  });
});
