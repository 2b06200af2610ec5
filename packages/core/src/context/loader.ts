/** What a logger needs once it has spans; until then none of it is loaded. */
export { SpanTracker } from './span-tracker.ts';
export { currentFrame } from './storage.ts';
