import { defineTransport } from '@treeline/contract';

/** Refuses for good every record whose `n` is a multiple of `every`. */
export default defineTransport({
  name: 'refusing',
  batch: { maxDelayMs: 1 },
  open: ({ every }) => ({
    write: async (batch) => ({
      dead: [...batch.records()].flatMap(({ n }, index) =>
        typeof n === 'number' && n % every === 0 ? [{ index, reason: `${n} is not welcome` }] : [],
      ),
    }),
    flush: async () => {},
    close: async () => {},
  }),
});
