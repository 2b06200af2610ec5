import { defineTransport, type Transport } from '@treeline/contract';
import { options, type NetworkOptions, type ParsedNetworkOptions } from './options.ts';

export type { NetworkOptions, ParsedNetworkOptions };

const DEFAULT_BATCH = { maxBytes: 1024 * 1024, maxRecords: 5_000, maxDelayMs: 1_000 };

const transport: Transport<ParsedNetworkOptions> = defineTransport<ParsedNetworkOptions>({
  name: 'network',
  options,
  batch: ({ bufferSize, flushInterval, batch }) => ({
    maxBytes: batch?.maxBytes ?? DEFAULT_BATCH.maxBytes,
    maxRecords: batch?.maxRecords ?? bufferSize ?? DEFAULT_BATCH.maxRecords,
    maxDelayMs: batch?.maxDelayMs ?? flushInterval ?? DEFAULT_BATCH.maxDelayMs,
  }),
  retry: ({ retry }) => retry,
  async open(parsed, context) {
    const { loadUndici } = await import('./undici-guest.ts');
    await loadUndici();
    const { openNetworkSink } = await import('./network-sink.ts');
    return openNetworkSink(parsed, context);
  },
});

export default transport;
