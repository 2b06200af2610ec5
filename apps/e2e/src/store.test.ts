import path from 'node:path';
import { createLogger } from '@treeline/core';
import { openLogStore } from '@treeline/sqlite';
import { expect, test, vi } from 'vitest';
import { scratchFolder } from './program.ts';

test('an error is in the store at once, with what was logged before it; what is no error waits for others', async () => {
  using folder = scratchFolder();
  const store = path.join(folder.path, 'logs.db');
  const reader = openLogStore(store);
  const messages = (): unknown[] => reader.queryLogs({ order: 'asc' }).map((row) => row.msg);
  const logger = createLogger({
    streams: [{ name: 'store', type: 'sqlite', path: store, flushInterval: '1h' }],
  });
  logger.error('warms up');
  await vi.waitFor(() => expect(messages()).toEqual(['warms up']), { timeout: 30_000 });
  logger.info('before');
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(messages()).toEqual(['warms up']);
  logger.error('error');
  await vi.waitFor(() => expect(messages()).toEqual(['warms up', 'before', 'error']), { timeout: 30_000 });
  logger.info('behind');
  await logger.close();
  expect(messages()).toEqual(['warms up', 'before', 'error', 'behind']);
  reader.close();
});
