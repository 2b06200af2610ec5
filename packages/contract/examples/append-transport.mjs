import { open } from 'node:fs/promises';
import { defineTransport, messageOf, TreelineError } from '@treeline/contract';

export default defineTransport({
  name: 'append',
  batch: { maxBytes: 256 * 1024, maxRecords: 5000, maxDelayMs: 100 },
  options: {
    '~standard': {
      version: 1,
      vendor: 'append',
      validate(value) {
        if (typeof value !== 'object' || value === null)
          return { issues: [{ message: `options must be an object; got ${typeof value}` }] };
        const { path, ...unknown } = value;
        const issues = Object.keys(unknown).map((key) => ({ message: 'is not an option', path: [key] }));
        if (typeof path !== 'string' || path === '')
          issues.push({ message: `must be the path of a file; got ${JSON.stringify(path)}`, path: ['path'] });
        return issues.length > 0 ? { issues } : { value: { path } };
      },
    },
  },
  async open({ path }) {
    const file = await open(path, 'a').catch((error) => {
      throw new TreelineError('DESTINATION_UNUSABLE', `"${path}" can't be opened: ${messageOf(error)}`, {
        cause: error,
      });
    });
    let closing;
    return {
      async write(batch) {
        if (closing) throw new TreelineError('CLOSED', `"${path}" is closed`);
        await file.appendFile(batch.bytes);
      },
      flush: () => file.datasync(),
      close: () => (closing ??= file.close()),
    };
  },
});
