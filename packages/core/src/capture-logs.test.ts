import { afterEach, describe, expect, test, vi } from 'vitest';
import { captureLogs } from './capture-logs.ts';

afterEach(() => vi.unstubAllEnvs());

describe('captureLogs', () => {
  test.each<[string, object, string[]]>([
    ['everything', {}, ['low', 'high']],
    ['what its config says', { level: 'info' }, ['high']],
  ])('captures %s, whatever LOG_LEVEL says', async (_, config, expected) => {
    vi.stubEnv('LOG_LEVEL', 'error');
    const { records } = await captureLogs(
      (logger) => {
        logger.trace('low');
        logger.info('high');
      },
      { config },
    );
    expect(records.map(({ msg }) => msg)).toEqual(expected);
  });
});
