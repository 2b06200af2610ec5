import { expect, test } from 'vitest';
import { createPace } from './pace.ts';

test('rows are written as they are found, and together where they come fast', () => {
  let nowMs = 0;
  const isPrompt = createPace(() => nowMs);
  const burst = (): number => Array.from({ length: 1000 }, () => isPrompt()).filter(Boolean).length;
  expect(burst()).toBe(200);
  nowMs = 49;
  expect(isPrompt()).toBe(false);
  nowMs = 50;
  expect(burst()).toBe(200);
});
