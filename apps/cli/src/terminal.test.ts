import { afterEach, expect, test, vi } from 'vitest';
import { openOutput } from './terminal.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

test('rows that come slowly are shown as they come, those that come fast together', async () => {
  let nowMs = 1000;
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
  const written: unknown[] = [];
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    written.push(text);
    return true;
  });
  const output = openOutput();
  await output.write('first\n');
  expect(written).toEqual(['first\n']);
  await output.write('fast\n');
  nowMs += 100;
  await output.write('slow\n');
  await output.write('last\n');
  expect(written).toEqual(['first\n', 'fast\nslow\n']);
  await output.flush();
  expect(written).toEqual(['first\n', 'fast\nslow\n', 'last\n']);
});
