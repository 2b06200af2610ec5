import { appendFileSync } from 'node:fs';
import { defineTransport } from '@treeline/contract';

/** Ends its own thread at every `every`th write, before anything is written. */
export default defineTransport({
  name: 'exiting',
  batch: { maxDelayMs: 1, maxRecords: 500 },
  open({ path, every = 1 }) {
    let writes = 0;
    return {
      async write({ bytes }) {
        if (++writes % every === 0) process.exit(3);
        appendFileSync(path, bytes);
      },
      flush: async () => {},
      close: async () => {},
    };
  },
});
