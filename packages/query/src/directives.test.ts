import { describe, expect, test } from 'vitest';
import { formatDirectives, levelForName, parseDirectives } from './directives.ts';

describe('parseDirectives', () => {
  test.each([
    ['info', 'info'],
    ['off', 'off'],
    ['silent', 'off'],
    ['info,db=debug', 'info,db=debug'],
    [' warn , db = debug ', 'warn,db=debug'],
    ['http:client/pool=warn', 'http.client.pool=warn'],
    ['db.*=trace', 'db=trace'],
    ['[noisy]=off', '[noisy]=off'],
    ['http[request]', 'http[request]=trace'],
    ['http[request{method=POST,status=500}]=trace', 'http[request{method=POST,status=500}]=trace'],
    ['[job{name="a, b",done=true,id}]=debug', '[job{name="a, b",done=true,id}]=debug'],
    ['[]=debug', '[]=debug'],
  ])('reads %j as %s', (text, canonical) => {
    const { directives, errors } = parseDirectives(text);
    expect(errors).toEqual([]);
    expect(formatDirectives(directives)).toBe(canonical);
    expect(parseDirectives(canonical).directives).toEqual(directives);
  });

  test.each([
    ['inof', 0, 4, /unknown level "inof"/],
    ['info,db=deubg', 8, 13, /unknown level "deubg"/],
    ['info,,debug', 5, 6, /empty/],
    ['', 0, 1, /empty/],
    ['=info', 0, 5, /name is missing/],
    ['INFO', 0, 4, /unknown level/],
    ['a.*.b=info', 0, 10, /"\*" may only be the last part/],
    ['[[[span[[]', 0, 10, /no directive/],
    ['[a{=1}]=info', 0, 12, /no field/],
    ['[a{b=}]=info', 0, 12, /broken/],
    ['db=', 3, 4, /unknown level ""/],
  ])('names the mistake in %j at %i to %i', (text, start, end, message) => {
    const { errors } = parseDirectives(text);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({ start, end });
    expect(errors[0]?.message).toMatch(message);
  });

  test('keeps the good parts beside the bad', () => {
    const { directives, errors } = parseDirectives('info,db=nope,http=warn');
    expect(formatDirectives(directives)).toBe('info,http=warn');
    expect(errors[0]?.suggestion).toMatch(/allowed/);
  });
});

describe('levelForName', () => {
  test.each([
    ['info,db=debug', 'db', 20],
    ['info,db=debug', 'db.pool', 20],
    ['info,db=debug', 'dbx', 30],
    ['info,db=debug', undefined, 30],
    ['info,db=debug,db.pool=error', 'db.pool', 50],
    ['db=debug,db=warn', 'db', 40],
    ['db=debug', 'http', undefined],
    ['db=off', 'db', Infinity],
    ['info,[span]=trace', 'a', 30],
  ])('under %s the logger %s has the level %s', (text, name, level) => {
    expect(levelForName(parseDirectives(text).directives, name)).toBe(level);
  });
});
