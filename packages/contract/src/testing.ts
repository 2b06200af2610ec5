export { testTransport, type TransportCase, type TransportUnderTest } from './testing/test-transport.ts';
export { createMemorySink, type MemorySink } from './testing/memory-sink.ts';
export { lines, record } from './testing/sample-lines.ts';
