/** What a logger needs with `streamTracking`. */
export { trackStream } from './track-stream.ts';
