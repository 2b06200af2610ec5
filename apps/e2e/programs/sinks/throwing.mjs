import { defineTransport } from '@treeline/contract';

/** Refuses every batch. */
export default defineTransport({
  name: 'throwing',
  batch: { maxDelayMs: 1 },
  open: () => ({
    write: () => Promise.reject(new Error('this sink throws')),
    flush: async () => {},
    close: async () => {},
  }),
});
