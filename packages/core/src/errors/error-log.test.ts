import { describe, expect, test } from 'vitest';
import { captureLogs } from '../capture-logs.ts';
import { ErrorLog } from './error-log.ts';

const config = { enhancedFeatures: { errorLogging: { maxHistorySize: 3 } } };

describe('errorLogging', () => {
  test('gives logged errors a fingerprint and remembers the last ones with level, text and trace', async () => {
    const { records, result } = await captureLogs(
      (logger) => {
        for (let index = 0; index < 5; index++) logger.error(new Error(`no ${index}`), `failed ${index}`);
        logger.span('job', () =>
          logger.child({ name: 'x' }).warn({ err: new TypeError('odd'), more: 1 }, 'careful'),
        );
        logger.info({ err: 'no error' }, 'not one');
        return logger.errors();
      },
      { config },
    );
    expect(result.map(({ msg, level, err }) => [msg, level, err.type])).toEqual([
      ['failed 3', 50, 'Error'],
      ['failed 4', 50, 'Error'],
      ['careful', 40, 'TypeError'],
    ]);
    expect(result[2]).toMatchObject({
      traceId: records.at(-2)?.['trace_id'],
      fingerprint: /^[0-9a-f]{16}$/ as never,
    });
    expect(records[0]?.['err']).toMatchObject({ type: 'Error', fingerprint: result[0]?.fingerprint });
  });

  test('counts errors of one fault together, and an error once however often it is logged on its way', async () => {
    const { result } = await captureLogs(
      async (logger) => {
        for (let index = 0; index < 4; index++) {
          await logger
            .span('outer', () =>
              logger.span('inner', async () => {
                const error = new Error(`request ${index} failed`);
                logger.error(error);
                throw error;
              }),
            )
            .catch(() => undefined);
        }
        logger.error(new RangeError('another'));
        return logger.errorStatistics();
      },
      { config },
    );
    expect(result.map(({ type, count, total }) => [type, count, total])).toEqual([
      ['Error', 4, 4],
      ['RangeError', 1, 1],
    ]);
  });

  test('keeps what the config masks in lines masked in the history too', async () => {
    const { result } = await captureLogs(
      (logger) => {
        const cause = Object.assign(new Error('inner'), {
          token: 'abc',
          request: { authorization: 'Bearer xyz' },
        });
        logger.error(Object.assign(new Error('outer', { cause }), { password: 'hunter2', code: 'E1' }));
        return logger.errors();
      },
      { config: { ...config, redact: { keys: ['password', 'authorization'], paths: ['err.cause.token'] } } },
    );
    expect(result[0]?.err).toMatchObject({
      code: 'E1',
      password: '[redacted]',
      cause: { token: '[redacted]', request: { authorization: '[redacted]' } },
    });
  });

  test('is off without the feature: no fingerprint, no history', async () => {
    const { records, result } = await captureLogs((logger) => {
      logger.error(new Error('x'));
      return [logger.errors(), logger.errorStatistics()];
    });
    expect(records[0]?.['err']).not.toHaveProperty('fingerprint');
    expect(result).toEqual([[], []]);
  });
});

describe('ErrorLog', () => {
  const options = { maxHistorySize: 10, enableStatistics: true, currentIds: () => undefined };
  const log = (errors: ErrorLog, error: Error): void => {
    errors.observe([error], 50);
    errors.serialize(error);
  };

  test('keeps what is masked, and not the rest', () => {
    const errors = new ErrorLog({
      ...options,
      redact: ({ err }) => ({ err: { ...err, password: '[redacted]' } }),
    });
    log(errors, Object.assign(new Error('x'), { password: 'hunter2' }));
    expect(errors.history()[0]?.err['password']).toBe('[redacted]');
  });

  test('forgets the fault that is longest silent when there are too many, and counts that', () => {
    const errors = new ErrorLog(options);
    for (let index = 0; index < 1002; index++)
      log(errors, Object.assign(new Error('x'), { code: `E${index}` }));
    expect(errors.statistics(60_000)).toHaveLength(1000);
    expect(errors.evictedFaults).toBe(2);
  });

  test('counts within a window that ends now', () => {
    const errors = new ErrorLog(options);
    log(errors, new Error('x'));
    const nowMs = Date.now();
    expect(errors.statistics(60_000, nowMs)).toMatchObject([{ count: 1 }]);
    expect(errors.statistics(60_000, nowMs + 10 * 60_000)).toEqual([]);
    expect(errors.statistics(3_600_000, nowMs + 10 * 60_000)).toMatchObject([{ count: 1, total: 1 }]);
  });
});
