import { defineTransport, type Transport } from '@treeline/contract';
import { withLoggerKeys } from './logger-keys.ts';
import { options, type ParsedPrettyOptions, type PrettyOptions } from './options.ts';
import { createPrinter, type Printer } from './printer.ts';
import type { Surroundings } from './settings.ts';

export { prettyStream, type PrettyStream } from './stream.ts';
export { createPrinter, type PrettyOptions, type Printer, type Surroundings };

/** Prints records for people: `pino({ transport: { target: '@treeline/pretty' } })`. */
const pretty: Transport<ParsedPrettyOptions> = defineTransport<ParsedPrettyOptions>({
  name: 'pretty',
  options,
  // A person is watching: a line may wait for others no longer than one frame of a screen.
  batch: { maxBytes: 256 * 1024, maxDelayMs: 16 },
  wantsLoggerKeys: true,
  async open(parsed, { loggerKeys }) {
    const { openPrettySink } = await import('./sink.ts');
    return openPrettySink(withLoggerKeys(parsed, loggerKeys));
  },
});

export default pretty;
