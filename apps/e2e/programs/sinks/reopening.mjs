import { appendFileSync } from 'node:fs';
import { defineTransport } from '@treeline/contract';

/** Notes each time it is reopened in `path`; with `fails` it can't be. */
export default defineTransport({
  name: 'reopening',
  open: ({ path, fails }) => ({
    write: async () => {},
    flush: async () => {},
    close: async () => {},
    async reopen() {
      if (fails) throw new Error('its place is gone');
      appendFileSync(path, 'reopened\n');
    },
  }),
});
