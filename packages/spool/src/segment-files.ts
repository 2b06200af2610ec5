import { closeSync, openSync, readdirSync, readSync, statSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { failpoint } from './failpoint.ts';
import { isErrno } from './layout.ts';
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from './segment.ts';

const SEGMENT_FILE = /^(\d{16})\.seg$/;

/** A segment as the directory shows it. */
export interface SegmentFile {
  readonly index: number;
  readonly path: string;
  readonly bytes: number;
  /** Undefined where the header is damaged or was never wholly written. */
  readonly header: SegmentHeader | undefined;
}

export function segmentPath(directory: string, index: number): string {
  return join(directory, `${String(index).padStart(16, '0')}.seg`);
}

/** The numbers of a log's segments, ascending; none where the directory is missing. */
export function listSegmentIndexes(directory: string): number[] {
  const indexes: number[] = [];
  for (const name of readNames(directory)) {
    const digits = SEGMENT_FILE.exec(name)?.[1];
    if (digits !== undefined) indexes.push(Number(digits));
  }
  return indexes.toSorted((a, b) => a - b);
}

/** A log's segments, ascending; one that vanishes meanwhile is left out. */
export function listSegments(directory: string, logId: string): SegmentFile[] {
  const segments: SegmentFile[] = [];
  for (const index of listSegmentIndexes(directory)) {
    const path = segmentPath(directory, index);
    try {
      segments.push({ index, path, bytes: statSync(path).size, header: readHeader(path, logId, index) });
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
    }
  }
  return segments;
}

/** Unlinks a segment; one that is gone already is fine. */
export function unlinkSegment(path: string): void {
  failpoint('release-before');
  try {
    unlinkSync(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
  failpoint('release-after');
}

export function readNames(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

function readHeader(path: string, logId: string, index: number): SegmentHeader | undefined {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  const fd = openSync(path, 'r');
  try {
    const length = readSync(fd, bytes, 0, bytes.length, 0);
    return decodeSegmentHeader(bytes.subarray(0, length), logId, index);
  } finally {
    closeSync(fd);
  }
}
