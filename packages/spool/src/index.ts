export {
  adoptLogs,
  listLogs,
  type AdoptedLog,
  type Adoption,
  type AdoptOptions,
  type LogListing,
} from './adoption.ts';
export {
  openCursors,
  readCursors,
  type Cursors,
  type CursorsOutcome,
  type StoredCursors,
  type StreamCursor,
} from './cursors.ts';
export {
  claimDeadLetters,
  letterId,
  listDeadLetters,
  readDeadLetters,
  removeDeadLetters,
  type DeadLetter,
  type DeadLetterContent,
  type DeadLetterFile,
} from './dead-letter-files.ts';
export {
  openDeadLetters,
  type DeadLetterOptions,
  type DeadLetterOutcome,
  type DeadLetters,
} from './dead-letters.ts';
export { FAILPOINTS, type Failpoint } from './failpoint.ts';
export { createOwnerId, type Durability } from './layout.ts';
export {
  openLogReader,
  type Damage,
  type LogReader,
  type LogReaderOptions,
  type LogRun,
} from './log-reader.ts';
export { createLog, type AppendOutcome, type LogOptions, type LogWriter } from './log-writer.ts';
