import { listSegments, readManifest } from './folder.ts';
import { DATA_SUFFIX } from './segment-name.ts';

/** A file of an archive, as its manifest tells. */
export interface ArchiveEntry {
  readonly file: string;
  readonly store: string;
  readonly segment: number;
  readonly rows: number;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly minId: number;
  readonly maxId: number;
  readonly levels: Readonly<Record<string, number>>;
  readonly bytes: number;
  readonly rawBytes: number;
  readonly createdMs: number;
}

/**
 * Lists what an archive holds, by its manifests; no data is read.
 *
 * @throws TreelineError that names the manifest which can't be read.
 */
export function listArchive(folder: string): ArchiveEntry[] {
  return listSegments(folder).map(({ name }) => {
    const { manifest } = readManifest(folder, name);
    const { store, segment, rows, times, ids, levels, bytes, rawBytes, createdMs } = manifest;
    return {
      file: name + DATA_SUFFIX,
      store,
      segment,
      rows,
      ...times,
      minId: ids.min,
      maxId: ids.max,
      levels,
      bytes,
      rawBytes,
      createdMs,
    };
  });
}
