export {
  createFailingSink,
  createSlowSink,
  createStuckSink,
  type StuckSink,
} from './testing/faulty-sinks.ts';
export { createMemorySink, type MemorySink } from './testing/memory-sink.ts';
export { lines, record } from './testing/sample-lines.ts';
export type { Hook, TransportUnderTest } from './testing/subject.ts';
export { testSource, type SourceCase, type SourceUnderTest } from './testing/test-source.ts';
export {
  skippedCases,
  testTransport,
  type SkippedCase,
  type TransportCase,
} from './testing/test-transport.ts';
