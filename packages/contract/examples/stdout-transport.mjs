import { defineTransport, openFdWriter } from '@treeline/contract';

export default defineTransport({
  name: 'stdout',
  open() {
    const stdout = openFdWriter(1);
    return {
      write: (batch) => stdout.write(batch.bytes),
      flush: async () => {},
      close: async () => stdout.close(),
    };
  },
});
