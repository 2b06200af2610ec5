/** What a logger needs with `errorLogging`. */
export { ErrorLog } from './error-log.ts';
