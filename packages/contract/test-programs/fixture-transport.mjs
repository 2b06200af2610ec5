// A transport into a file, with faults on demand, loaded by pino in the tests of the adapter.
import { appendFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { defineTransport, TreelineError } from '@treeline/contract';

export default defineTransport({
  name: 'fixture',
  batch: { maxDelayMs: 20 },
  async open({ path, fault, delayMs = 0, failures = 0 }) {
    if (fault === 'open') throw new TreelineError('DESTINATION_UNUSABLE', `"${path}" can't be opened`);
    let attempts = 0;
    return {
      async write(batch) {
        attempts++;
        if (fault === 'stuck') await new Promise(() => {});
        if (fault === 'write' && attempts <= failures) throw new Error('the collector is down');
        await setTimeout(delayMs);
        const indexes = [...batch.levels.keys()];
        if (fault === 'partial' && attempts === 1) {
          appendFileSync(path, batch.bytes.subarray(0, batch.ends[0]));
          return { retry: indexes.slice(2), dead: [{ index: 1, reason: 'too large for the collector' }] };
        }
        appendFileSync(path, batch.bytes);
        return undefined;
      },
      async flush() {
        if (fault === 'flush') throw new Error('no room for a flush');
      },
      async close() {
        if (fault === 'close') throw new Error('already gone');
      },
    };
  },
});
