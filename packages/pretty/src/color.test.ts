import { describe, expect, test } from 'vitest';
import { wantsColor } from './color.ts';

describe('wantsColor', () => {
  test.each([
    ['a terminal', true, {}, true],
    ['a pipe', false, {}, false],
    ['FORCE_COLOR=1 in a pipe', false, { FORCE_COLOR: '1' }, true],
    ['any word in FORCE_COLOR', false, { FORCE_COLOR: 'yes' }, true],
    ['FORCE_COLOR=0 on a terminal', true, { FORCE_COLOR: '0' }, false],
    ['FORCE_COLOR=false on a terminal', true, { FORCE_COLOR: 'false' }, false],
    ['an empty FORCE_COLOR', false, { FORCE_COLOR: '' }, false],
    ['NO_COLOR', true, { NO_COLOR: '1' }, false],
    ['an empty NO_COLOR', true, { NO_COLOR: '' }, true],
    ['FORCE_COLOR over NO_COLOR', true, { FORCE_COLOR: '1', NO_COLOR: '1' }, true],
    ['FORCE_COLOR over TERM=dumb', true, { FORCE_COLOR: '1', TERM: 'dumb' }, true],
    ['TERM=dumb', true, { TERM: 'dumb' }, false],
    ['a terminal in CI', true, { CI: 'true' }, false],
    ['CI=0', true, { CI: '0' }, true],
    ['FORCE_COLOR in CI', false, { CI: '1', FORCE_COLOR: '1' }, true],
    ['GitHub Actions', true, { GITHUB_ACTIONS: 'true' }, false],
  ])('decides for %s', (_, isTerminal, env, expected) => {
    expect(wantsColor({ color: 'auto', env, isTerminal })).toBe(expected);
  });

  test.each([
    ['always', false, { NO_COLOR: '1', TERM: 'dumb', CI: '1' }, true],
    ['never', true, { FORCE_COLOR: '1' }, false],
  ] as const)('lets the option %s win over everything', (color, isTerminal, env, expected) => {
    expect(wantsColor({ color, env, isTerminal })).toBe(expected);
  });
});
