/** What a logger needs with `errorLogging`. */
export { compileRedact } from '../stages/redact.ts';
export { ErrorLog } from './error-log.ts';
