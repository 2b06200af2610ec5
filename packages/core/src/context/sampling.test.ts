import { describe, expect, test } from 'vitest';
import { samples } from './sampling.ts';
import { newTraceId } from './trace-ids.ts';

describe('samples', () => {
  test.each([0, 0.1, 0.5, 1])('lets a share of %d of all traces through', (ratio) => {
    const ids = Array.from({ length: 20_000 }, () => newTraceId());
    const share = ids.filter((id) => samples({ ratio }, id, 'any')).length / ids.length;
    expect(Math.abs(share - ratio)).toBeLessThan(0.02);
  });

  test('decides the same for the same trace, and lets through with a greater ratio what it does with a smaller', () => {
    for (let index = 0; index < 1000; index++) {
      const id = newTraceId();
      if (samples({ ratio: 0.2 }, id, 'a')) expect(samples({ ratio: 0.3 }, id, 'b')).toBe(true);
    }
  });

  test.each([
    ['GET /healthz', false],
    ['GET /healthz/deep', false],
    ['POST /healthz', true],
    ['GET /', true],
  ])('takes the ratio of the first rule that names %j', (name, sampled) => {
    const rules = [
      { span: 'GET /healthz*', ratio: 0 },
      { span: '*', ratio: 1 },
    ];
    expect(samples({ ratio: 0, rules }, newTraceId(), name)).toBe(sampled);
  });
});
