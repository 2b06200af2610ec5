import { defineTransport, type Transport } from '@treeline/contract';
import { options, type FileOptions, type ParsedFileOptions } from './options.ts';

export type { FileOptions, ParsedFileOptions };

const transport: Transport<ParsedFileOptions> = defineTransport<ParsedFileOptions>({
  name: 'file',
  options,
  batch: ({ bufferSize, flushInterval }) => ({
    ...(bufferSize === undefined ? {} : { maxBytes: Math.max(1, bufferSize) }),
    ...(flushInterval === undefined ? {} : { maxDelayMs: flushInterval }),
  }),
  async open(parsed, context) {
    const { openFileSink } = await import('./open.ts');
    return openFileSink(parsed, context);
  },
});

export default transport;
