import { crc32 } from 'node:zlib';

// A segment file is a header and frames; little-endian throughout.
//
//   header, 64 bytes   magic 8 | version 2 | 2 zero | logId 12 | index 8 | firstSeq 8 | recordsBefore 8 | createdAtMs 8 | 4 zero | crc 4
//   frame, 40 bytes    magic 4 | type 1 | maxLevel 1 | 2 zero | firstSeq 8 | count 4 | length 4 | recordsBefore 8 | payloadCrc 4 | crc 4
//                      and the payload: complete lines
//
// A length is believed only under the header's own CRC. The magic begins with 0xFF, which never stands in UTF-8, so a reader that has
// lost its place finds the next frame among text. CRCs start from a salt made of log and segment: a frame that stands in
// another file's place, as after power loss it may, is no frame. `recordsBefore` counts all records appended to the log before,
// so that a gap tells exactly how many are missing: sequence numbers can't, since what need not be spilled is never written.

export const SEGMENT_HEADER_BYTES = 64;
export const FRAME_HEADER_BYTES = 40;
/** The most that a frame may hold: a bound for what a reader allocates. */
export const MAX_PAYLOAD_BYTES: number = 64 * 1024 * 1024;
/** A frame whose writer did not know its lines' levels; never passed over. */
export const UNKNOWN_LEVEL = 255;

export const FRAME_MAGIC: Buffer = Buffer.from([0xff, 0x54, 0x4c, 0x46]);

const SEGMENT_MAGIC = Buffer.from([0xff, 0x54, 0x4c, 0x53, 0x45, 0x47, 0x0d, 0x0a]);
const VERSION = 1;
const TYPE_LINES = 1;
const TWO_POW_32 = 2 ** 32;

export interface SegmentHeader {
  readonly index: number;
  readonly firstSeq: number;
  readonly recordsBefore: number;
  readonly createdAtMs: number;
}

export interface FrameHeader {
  readonly firstSeq: number;
  readonly count: number;
  readonly maxLevel: number;
  readonly length: number;
  readonly recordsBefore: number;
  readonly payloadCrc: number;
}

/** What the CRCs of a segment start from. */
export function segmentSalt(logId: string, index: number): number {
  return crc32(`${logId}/${index}`);
}

export function encodeSegmentHeader(logId: string, header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  SEGMENT_MAGIC.copy(bytes, 0);
  bytes.writeUInt16LE(VERSION, 8);
  bytes.write(logId, 12, 'hex');
  writeUint64(bytes, header.index, 24);
  writeUint64(bytes, header.firstSeq, 32);
  writeUint64(bytes, header.recordsBefore, 40);
  bytes.writeDoubleLE(header.createdAtMs, 48);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 60), segmentSalt(logId, header.index)), 60);
  return bytes;
}

/** Undefined where the bytes are not the header of that log's segment, or of a version that is not ours. */
export function decodeSegmentHeader(bytes: Buffer, logId: string, index: number): SegmentHeader | undefined {
  if (bytes.length < SEGMENT_HEADER_BYTES) return undefined;
  if (bytes.readUInt32LE(60) !== crc32(bytes.subarray(0, 60), segmentSalt(logId, index))) return undefined;
  if (SEGMENT_MAGIC.compare(bytes, 0, SEGMENT_MAGIC.length) !== 0 || bytes.readUInt16LE(8) !== VERSION)
    return undefined;
  return {
    index: readUint64(bytes, 24),
    firstSeq: readUint64(bytes, 32),
    recordsBefore: readUint64(bytes, 40),
    createdAtMs: bytes.readDoubleLE(48),
  };
}

/** Writes a frame's header over the first 40 bytes of `target`. */
export function encodeFrameHeader(target: Buffer, header: FrameHeader, salt: number): void {
  target[0] = 0xff;
  target[1] = 0x54;
  target[2] = 0x4c;
  target[3] = 0x46;
  target[4] = TYPE_LINES;
  target[5] = header.maxLevel;
  target[6] = 0;
  target[7] = 0;
  writeUint64(target, header.firstSeq, 8);
  target.writeUInt32LE(header.count, 16);
  target.writeUInt32LE(header.length, 20);
  writeUint64(target, header.recordsBefore, 24);
  target.writeUInt32LE(header.payloadCrc, 32);
  target.writeUInt32LE(crc32(target.subarray(0, 36), salt), 36);
}

/** Undefined where no frame of that segment begins at the offset. */
export function decodeFrameHeader(bytes: Buffer, offset: number, salt: number): FrameHeader | undefined {
  if (bytes.length - offset < FRAME_HEADER_BYTES || bytes[offset] !== 0xff) return undefined;
  if (bytes.readUInt32LE(offset + 36) !== crc32(bytes.subarray(offset, offset + 36), salt)) return undefined;
  if (bytes.compare(FRAME_MAGIC, 0, 4, offset, offset + 4) !== 0 || bytes[offset + 4] !== TYPE_LINES)
    return undefined;
  const length = bytes.readUInt32LE(offset + 20);
  if (length > MAX_PAYLOAD_BYTES) return undefined;
  return {
    maxLevel: bytes[offset + 5] ?? UNKNOWN_LEVEL,
    firstSeq: readUint64(bytes, offset + 8),
    count: bytes.readUInt32LE(offset + 16),
    length,
    recordsBefore: readUint64(bytes, offset + 24),
    payloadCrc: bytes.readUInt32LE(offset + 32),
  };
}

export function payloadCrc(payload: Uint8Array): number {
  return crc32(payload);
}

function writeUint64(bytes: Buffer, value: number, offset: number): void {
  bytes.writeUInt32LE(value >>> 0, offset);
  bytes.writeUInt32LE(Math.floor(value / TWO_POW_32), offset + 4);
}

function readUint64(bytes: Buffer, offset: number): number {
  return bytes.readUInt32LE(offset + 4) * TWO_POW_32 + bytes.readUInt32LE(offset);
}
