import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createArchiveReport } from './archive-report.ts';

const PROGRESS = { step: 'export', segment: 'logs-1', done: 10, total: 20 };

let out = '';
let err = '';
beforeEach(() => {
  out = '';
  err = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += String(text);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function onTerminal(isTerminal: boolean): void {
  for (const stream of [process.stdout, process.stderr])
    vi.spyOn(stream, 'isTTY', 'get').mockReturnValue(isTerminal);
}

describe('createArchiveReport', () => {
  test('overwrites one line of a terminal, and clears it for what is told', () => {
    for (const stream of [process.stdout, process.stderr]) stream.isTTY ??= false;
    onTerminal(true);
    const report = createArchiveReport(undefined);
    report.progress(PROGRESS);
    report.progress({ ...PROGRESS, done: 11 });
    report.event('done', { deleted: 20 }, '20 rows moved');
    report.end();
    expect(err).toBe('\r\u001b[Kexport 10 of 20\r\u001b[Ktreeline: 20 rows moved\n');
    expect(out).toBe('');
  });

  test('prints JSON lines where standard output is no terminal, and no more than a few a second', () => {
    onTerminal(false);
    const report = createArchiveReport(undefined);
    for (let done = 0; done < 100; done++) report.progress({ ...PROGRESS, done });
    report.progress({ ...PROGRESS, step: 'compare', done: 0 });
    report.event('done', { deleted: 20 }, '20 rows moved');
    expect(
      out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([
      { event: 'progress', ...PROGRESS, done: 0 },
      { event: 'progress', ...PROGRESS, step: 'compare', done: 0 },
      { event: 'done', deleted: 20, message: '20 rows moved' },
    ]);
    expect(err).toBe('');
  });
});
