import { existsSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { defineTransport } from '@treeline/contract';

/** Never answers; with `until`, it begins to write to `path` once that file exists. */
export default defineTransport({
  name: 'stuck',
  batch: { maxDelayMs: 1 },
  open: ({ path, until }) => ({
    async write({ bytes }) {
      const isFree = () => until !== undefined && existsSync(until);
      while (!isFree()) await new Promise((resolve) => setTimeout(resolve, 20));
      await appendFile(path, bytes);
    },
    flush: async () => {},
    close: async () => {},
  }),
});
