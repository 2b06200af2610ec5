export {
  archive,
  type ArchiveHooks,
  type ArchiveNotice,
  type ArchiveProgress,
  type ArchiveResult,
  type FinishedSegment,
} from './archive.ts';
export type { VerifyFinding } from './finding.ts';
export { listArchive, type ArchiveEntry } from './list.ts';
export { openMergedReader, type MergedReader, type MergedReaderOptions } from './merged-reader.ts';
export type { ArchiveOptions } from './options.ts';
export type { PublishedSegment } from './publish.ts';
export { restoreArchive, type RestoreOptions, type RestoreResult } from './restore.ts';
export { openArchivedSource } from './source.ts';
export { verifyArchive, type VerifyProgress, type VerifyResult } from './verify.ts';
