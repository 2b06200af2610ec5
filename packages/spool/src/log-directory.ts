import { rmdirSync, rmSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { CURSORS_FILE } from './cursors.ts';
import { failpoint } from './failpoint.ts';
import { syncDirectory, type Durability } from './layout.ts';
import { listSegmentIndexes, segmentPath } from './segment-files.ts';

/** Takes a log off the disk, oldest segment first and the cursors last: cut short, what is left is still known to be delivered. */
export function removeLog(directory: string, durability: Durability): void {
  for (const index of listSegmentIndexes(directory)) {
    unlinkSync(segmentPath(directory, index));
    failpoint('remove-midway');
  }
  // Else power loss could bring back the segments without the cursors, and all would be sent again.
  if (durability === 'power') syncDirectory(directory);
  rmSync(join(directory, CURSORS_FILE), { force: true });
  rmSync(join(directory, `${CURSORS_FILE}.new`), { force: true });
  rmdirSync(directory);
}
