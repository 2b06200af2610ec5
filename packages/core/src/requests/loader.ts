/** What a logger needs with `requestTracking`, once a server uses it. */
export { RequestTracker } from './request-tracker.ts';
