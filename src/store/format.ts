/**
 * The bytes that every file of the store begins with, the names of the files, and the frame of the binding log (design, part 3).
 * It leaves out reading and writing files. All numbers are big-endian; sequences are 64 bits wide and below 2^53.
 */
import { crc32 } from 'node:zlib';

/** Raised when a release before could not read the file; what is only added is a feature. */
export const FORMAT_VERSION = 1;
/** Features that this release can read. A file that names another one is refused, whoever wrote it. */
export const KNOWN_FEATURES: readonly string[] = [];
/** Features that this release writes into new files. */
export const WRITTEN_FEATURES: readonly string[] = [];

export const LOG_MAGIC = 'TWINLLOG';
export const SNAPSHOT_MAGIC = 'TWINLSNP';
/** The header has one size in version 1, so a shorter file was never finished and holds nothing. */
export const HEADER_BYTES = 256;
export const STORE_ID_BYTES = 16;
export const TEMPORARY_SUFFIX = '.tmp';

const CRC_AT = 8;
const LENGTH_AT = 12;
const VERSION_AT = 16;
const STORE_ID_AT = 20;
const SEQUENCE_AT = 36;
const FEATURES_AT = 44;
const FEATURES_BYTES_MAX = HEADER_BYTES - FEATURES_AT - 2;

/** mark, checksum, length of the records, number of records, sequence. */
export const FRAME_HEADER_BYTES = 24;
/** Before each record of a frame. */
export const RECORD_LENGTH_BYTES = 4;
/** A longer record is a fault of the caller. It may be longer than `frameBytesMax`, and is then a frame by itself. */
export const RECORD_BYTES_MAX = 16 * 1024 * 1024;
/** No reader believes in a longer frame. */
export const FRAME_BYTES_HARD_MAX = 64 * 1024 * 1024;

export interface FileHeader {
  readonly storeId: Uint8Array;
  /** Of a log: the sequence of its first frame. Of a snapshot: the first sequence that must be replayed over it. */
  readonly sequence: number;
}

export type HeaderRead =
  | { readonly kind: 'ok'; readonly header: FileHeader }
  /** Damaged, or not a file of the store. */
  | { readonly kind: 'bad'; readonly why: string }
  /** Whole, but of a newer release: nothing may be written. */
  | { readonly kind: 'unknown'; readonly why: string };

/** Makes the header of a new file. */
export function encodeHeader(magic: string, header: FileHeader): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.write(magic, 0, 'latin1');
  bytes.writeUInt32BE(HEADER_BYTES, LENGTH_AT);
  bytes.writeUInt32BE(FORMAT_VERSION, VERSION_AT);
  bytes.set(header.storeId, STORE_ID_AT);
  writeSequence(bytes, header.sequence, SEQUENCE_AT);
  const features = WRITTEN_FEATURES.join(',');
  bytes.writeUInt16BE(features.length, FEATURES_AT);
  bytes.write(features, FEATURES_AT + 2, 'latin1');
  bytes.writeUInt32BE(crc32(bytes.subarray(LENGTH_AT)), CRC_AT);
  return bytes;
}

/**
 * Reads a header. The checksum and its place are the same in every version, so that a file of a later release is told
 * from a damaged one.
 */
export function decodeHeader(bytes: Buffer, magic: string): HeaderRead {
  if (bytes.length < FEATURES_AT) return { kind: 'bad', why: 'the file ends inside its header' };
  if (bytes.toString('latin1', 0, CRC_AT) !== magic) return { kind: 'bad', why: 'the file does not begin as it must' };
  const length = bytes.readUInt32BE(LENGTH_AT);
  if (length < FEATURES_AT + 2 || length > bytes.length)
    return { kind: 'bad', why: 'the header has no possible length' };
  if (crc32(bytes.subarray(LENGTH_AT, length)) !== bytes.readUInt32BE(CRC_AT)) {
    return { kind: 'bad', why: 'the checksum of the header differs' };
  }
  const version = bytes.readUInt32BE(VERSION_AT);
  if (version !== FORMAT_VERSION) {
    return {
      kind: 'unknown',
      why: `it has format version ${version}, and this release reads version ${FORMAT_VERSION}`,
    };
  }
  const featureBytes = bytes.readUInt16BE(FEATURES_AT);
  if (length !== HEADER_BYTES || featureBytes > FEATURES_BYTES_MAX) {
    return { kind: 'bad', why: 'the header has no possible length' };
  }
  const features = bytes.toString('latin1', FEATURES_AT + 2, FEATURES_AT + 2 + featureBytes);
  for (const feature of features === '' ? [] : features.split(',')) {
    if (!KNOWN_FEATURES.includes(feature)) {
      return { kind: 'unknown', why: `it uses the feature "${feature}", which this release does not know` };
    }
  }
  const sequence = readSequence(bytes, SEQUENCE_AT);
  if (sequence === undefined) return { kind: 'bad', why: 'the header names an impossible sequence' };
  const storeId = new Uint8Array(bytes.subarray(STORE_ID_AT, STORE_ID_AT + STORE_ID_BYTES));
  return { kind: 'ok', header: { storeId, sequence } };
}

const NAME_DIGITS = 16;

export function logName(firstSequence: number): string {
  return 'log-' + String(firstSequence).padStart(NAME_DIGITS, '0');
}

export function snapshotName(sequence: number): string {
  return 'snapshot-' + String(sequence).padStart(NAME_DIGITS, '0');
}

/** What a name in the directory says; undefined for a name that is not the store's. */
export function parseName(name: string): { readonly kind: 'log' | 'snapshot'; readonly sequence: number } | undefined {
  const found = /^(log|snapshot)-([0-9]{16})$/.exec(name);
  const sequence = Number(found?.[2]);
  if (found === null || !Number.isSafeInteger(sequence) || sequence < 1) return undefined;
  return { kind: found[1] === 'log' ? 'log' : 'snapshot', sequence };
}

/**
 * The four bytes that begin each frame of a store. They come from its random id, because clients choose part of what is in the
 * records: nobody outside can send bytes that look like a frame when a torn end is searched.
 */
export function frameMark(storeId: Uint8Array): number {
  return crc32(storeId, crc32('twinlease frame'));
}

/** Fills in the header of a frame whose records lie behind it up to `end`. */
export function sealFrame(frame: Buffer, end: number, mark: number, count: number, sequence: number): void {
  frame.writeUInt32BE(mark, 0);
  frame.writeUInt32BE(end - FRAME_HEADER_BYTES, 8);
  frame.writeUInt32BE(count, 12);
  writeSequence(frame, sequence, 16);
  frame.writeUInt32BE(crc32(frame.subarray(8, end)), 4);
}

export interface FrameHead {
  readonly crc: number;
  /** Of header and records together. */
  readonly frameBytes: number;
  readonly count: number;
  readonly sequence: number;
}

/** The header of a frame at the start of `bytes`; undefined when it cannot be one. */
export function readFrameHead(bytes: Buffer, mark: number): FrameHead | undefined {
  if (bytes.length < FRAME_HEADER_BYTES || bytes.readUInt32BE(0) !== mark) return undefined;
  const frameBytes = FRAME_HEADER_BYTES + bytes.readUInt32BE(8);
  const count = bytes.readUInt32BE(12);
  const sequence = readSequence(bytes, 16);
  if (sequence === undefined || frameBytes > FRAME_BYTES_HARD_MAX) return undefined;
  if (count * RECORD_LENGTH_BYTES > frameBytes - FRAME_HEADER_BYTES) return undefined;
  return { crc: bytes.readUInt32BE(4), frameBytes, count, sequence };
}

/** Whether the bytes of the frame are those that were written. */
export function isWholeFrame(frame: Buffer, head: FrameHead): boolean {
  return frame.length === head.frameBytes && crc32(frame.subarray(8)) === head.crc;
}

export function writeSequence(bytes: Buffer, sequence: number, at: number): void {
  bytes.writeUInt32BE(Math.floor(sequence / 0x1_0000_0000), at);
  bytes.writeUInt32BE(sequence % 0x1_0000_0000, at + 4);
}

/** Undefined for a number that no store reaches. */
export function readSequence(bytes: Buffer, at: number): number | undefined {
  const sequence = bytes.readUInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4);
  return Number.isSafeInteger(sequence) ? sequence : undefined;
}
