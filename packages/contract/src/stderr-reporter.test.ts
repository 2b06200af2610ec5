import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createStderrReporter } from './stderr-reporter.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

function reporting(): { told: string[]; report: ReturnType<typeof createStderrReporter> } {
  const told: string[] = [];
  return { told, report: createStderrReporter((text) => told.push(text)) };
}

describe('createStderrReporter', () => {
  test('tells the stream, the type, the reason and the records', () => {
    const { told, report } = reporting();
    report('app', { type: 'dropped', reason: 'queue full', count: 3 });
    report('app', { type: 'recovered', reason: 'back', count: 1 });
    expect(told).toEqual([
      'treeline: app: dropped: queue full (3 records)\n',
      'treeline: app: recovered: back (1 record)\n',
    ]);
  });

  test('tells the same reason once a minute, with what was left out', () => {
    const { told, report } = reporting();
    for (let times = 0; times < 4; times++) report('app', { type: 'dropped', reason: 'full', count: 5 });
    vi.advanceTimersByTime(60_000);
    report('app', { type: 'dropped', reason: 'full', count: 5 });
    expect(told.slice(1)).toEqual([
      'treeline: app: dropped: full (5 records) [3 more like this since the last line (15 records)]\n',
    ]);
  });

  test('tells other reasons, types and streams meanwhile', () => {
    const { told, report } = reporting();
    report('app', { type: 'down', reason: 'a' });
    report('app', { type: 'down', reason: 'b' });
    report('app', { type: 'warning', reason: 'a' });
    report('audit', { type: 'down', reason: 'a' });
    expect(told.length).toBe(4);
  });

  test('tells no more than five reasons a minute, and keeps no more', () => {
    const { told, report } = reporting();
    for (let times = 0; times < 1000; times++) report('app', { type: 'down', reason: `port ${times}` });
    expect(told.length).toBe(5);
    report.flush();
    expect(told.at(-1)).toBe('treeline: app: down: [995 more like this since the last line]\n');
  });

  test('has nothing to add at the end when nothing was left out', () => {
    const { told, report } = reporting();
    report('app', { type: 'down', reason: 'a' });
    report.flush();
    report.flush();
    expect(told.length).toBe(1);
  });

  test('lets no control character through, and cuts what is long', () => {
    const { told, report } = reporting();
    report('app', { type: 'down', reason: '\u001b[2J\n\u202ex' });
    report('app', { type: 'down', reason: 'x'.repeat(10_000) });
    expect(told[0]).toBe('treeline: app: down: \\u001b[2J\\u000a\\u202ex\n');
    expect(told[1]?.length).toBeLessThan(600);
  });
});
