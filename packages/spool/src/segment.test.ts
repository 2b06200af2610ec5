import { assert as assertProperty, integer, nat, property, record } from 'fast-check';
import { expect, test } from 'vitest';
import {
  decodeFrameHeader,
  decodeSegmentHeader,
  encodeFrameHeader,
  encodeSegmentHeader,
  FRAME_HEADER_BYTES,
  SEGMENT_HEADER_BYTES,
  segmentSalt,
} from './segment.ts';

const LOG_ID = '0199aabbccdd001122334455';
const safeInteger = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const uint32 = integer({ min: 0, max: 2 ** 32 - 1 });
const frameHeader = record({
  firstSeq: safeInteger,
  count: uint32,
  maxLevel: integer({ min: 0, max: 255 }),
  length: integer({ min: 0, max: 64 * 1024 * 1024 }),
  recordsBefore: safeInteger,
  payloadCrc: uint32,
});
const segmentHeader = record({
  index: safeInteger,
  firstSeq: safeInteger,
  recordsBefore: safeInteger,
  createdAtMs: safeInteger,
});
const salt = segmentSalt(LOG_ID, 1);

test('a frame header comes back as it was', () => {
  assertProperty(
    property(frameHeader, (header) => {
      const bytes = Buffer.alloc(FRAME_HEADER_BYTES);
      encodeFrameHeader(bytes, header, salt);
      expect(decodeFrameHeader(bytes, 0, salt)).toEqual(header);
    }),
  );
});

test('a segment header comes back as it was', () => {
  assertProperty(
    property(segmentHeader, (header) => {
      expect(decodeSegmentHeader(encodeSegmentHeader(LOG_ID, header), LOG_ID, header.index)).toEqual(header);
    }),
  );
});

test('a header with any bit flipped is none', () => {
  assertProperty(
    property(
      frameHeader,
      segmentHeader,
      nat(FRAME_HEADER_BYTES * 8 - 1),
      nat(SEGMENT_HEADER_BYTES * 8 - 1),
      (frame, segment, frameBit, segmentBit) => {
        const frameBytes = Buffer.alloc(FRAME_HEADER_BYTES);
        encodeFrameHeader(frameBytes, frame, salt);
        flip(frameBytes, frameBit);
        expect(decodeFrameHeader(frameBytes, 0, salt)).toBeUndefined();
        const segmentBytes = encodeSegmentHeader(LOG_ID, segment);
        flip(segmentBytes, segmentBit);
        expect(decodeSegmentHeader(segmentBytes, LOG_ID, segment.index)).toBeUndefined();
      },
    ),
  );
});

test('a frame of another segment or another log is none', () => {
  const bytes = Buffer.alloc(FRAME_HEADER_BYTES);
  encodeFrameHeader(
    bytes,
    { firstSeq: 1, count: 1, maxLevel: 30, length: 1, recordsBefore: 1, payloadCrc: 1 },
    salt,
  );
  expect(decodeFrameHeader(bytes, 0, segmentSalt(LOG_ID, 2))).toBeUndefined();
  expect(decodeFrameHeader(bytes, 0, segmentSalt(LOG_ID.replace('0', '1'), 1))).toBeUndefined();
});

test('a length beyond what a frame may hold is not believed, whatever its checksum says', () => {
  const bytes = Buffer.alloc(FRAME_HEADER_BYTES);
  const length = 64 * 1024 * 1024 + 1;
  encodeFrameHeader(
    bytes,
    { firstSeq: 1, count: 1, maxLevel: 30, length, recordsBefore: 1, payloadCrc: 1 },
    salt,
  );
  expect(decodeFrameHeader(bytes, 0, salt)).toBeUndefined();
});

function flip(bytes: Buffer, bit: number): void {
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
}
