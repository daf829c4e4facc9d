/**
 * The bytes of a snapshot file: header, sections, the extra records, and an end item without which the file is not whole
 * (design, part 3). The same code writes in a worker thread over the real files and in the test's own process over a test layer.
 *
 * Each item is `kind u32, name length u32, payload length u64, name, payload, crc32 of all that`. The payload of the end item is
 * `last sequence u64, number of items before it u32, crc32 over their checksums u32`.
 */
import { crc32 } from 'node:zlib';
import {
  decodeHeader,
  encodeHeader,
  type FileHeader,
  HEADER_BYTES,
  RECORD_BYTES_MAX,
  RECORD_LENGTH_BYTES,
  readSequence,
  SNAPSHOT_MAGIC,
  writeSequence,
} from './format.ts';
import { readFully } from './log-replay.ts';
import type { FileHandleLayer, FileLayer } from './store-types.ts';

const ITEM_HEAD_BYTES = 16;
const CRC_BYTES = 4;
const END_PAYLOAD_BYTES = 16;
const SECTION_NAME_BYTES_MAX = 255;
const ITEMS_MAX = 65_536;

const ITEM_SECTION = 1;
const ITEM_RECORDS = 2;
const ITEM_END = 3;

/** Copied out of a section, checksummed and written at once. */
export const CHUNK_BYTES = 1024 * 1024;
/** Flushed after this many bytes, so that the log's own flushes never wait behind a mountain (facts, part 2). */
export const FLUSH_EVERY_BYTES = 16 * 1024 * 1024;

export interface SectionBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface SnapshotJob {
  readonly path: string;
  readonly header: FileHeader;
  /** May lie in shared memory that changes meanwhile. */
  readonly sections: readonly SectionBytes[];
  /** Made by `packRecords`. */
  readonly records: Uint8Array;
  readonly chunkBytes: number;
  readonly flushEveryBytes: number;
}

export interface SnapshotHooks {
  /** The sections are copied: answers the sequence up to which the log must be durable before the file may be used. */
  copied(): Promise<number> | number;
  /** Asked between two writes; true ends the job with a rejection. */
  isStopped(): boolean;
}

/** Writes and flushes the file under `job.path`; to make it a snapshot by a rename is left to the caller. */
export async function writeSnapshotFile(layer: FileLayer, job: SnapshotJob, hooks: SnapshotHooks): Promise<void> {
  const handle = await layer.open(job.path, 'create');
  try {
    await handle.truncate(0);
    const out = new ItemWriter(handle, job, hooks);
    await out.put(encodeHeader(SNAPSHOT_MAGIC, job.header));
    for (const section of job.sections) await out.item(ITEM_SECTION, section.name, section.bytes);
    const sequence = await hooks.copied();
    await out.item(ITEM_RECORDS, '', job.records);
    const end = Buffer.alloc(END_PAYLOAD_BYTES);
    writeSequence(end, sequence, 0);
    end.writeUInt32BE(out.itemCount, 8);
    end.writeUInt32BE(out.itemsCrc, 12);
    await out.item(ITEM_END, '', end);
    await out.finish();
  } finally {
    await handle.close();
  }
}

/** Records one behind the other, each after its length. */
export function packRecords(records: readonly Uint8Array[]): Buffer {
  let total = 0;
  for (const record of records) total += RECORD_LENGTH_BYTES + record.length;
  const packed = Buffer.allocUnsafeSlow(total);
  let at = 0;
  for (const record of records) {
    packed.writeUInt32BE(record.length, at);
    packed.set(record, at + RECORD_LENGTH_BYTES);
    at += RECORD_LENGTH_BYTES + record.length;
  }
  return packed;
}

export type SnapshotRead =
  | {
      readonly kind: 'ok';
      /** The log must reach it, or the snapshot holds changes whose records are lost. */
      readonly lastSequence: number;
      readonly sections: readonly SectionBytes[];
      readonly records: readonly Uint8Array[];
    }
  | { readonly kind: 'bad'; readonly why: string };

/** Reads a whole snapshot and checks every byte of it, so that nothing of a broken one is ever used. */
export async function readSnapshotFile(layer: FileLayer, path: string, size: number): Promise<SnapshotRead> {
  const handle = await layer.open(path, 'read');
  try {
    return await readItems(handle, size);
  } finally {
    await handle.close();
  }
}

async function readItems(handle: FileHandleLayer, size: number): Promise<SnapshotRead> {
  const headerBytes = Buffer.alloc(HEADER_BYTES);
  const header = decodeHeader(headerBytes.subarray(0, await readFully(handle, headerBytes, 0)), SNAPSHOT_MAGIC);
  if (header.kind !== 'ok') return { kind: 'bad', why: header.why };
  const sections: SectionBytes[] = [];
  let records: Uint8Array[] = [];
  let at = HEADER_BYTES;
  let itemsCrc = 0;
  for (let count = 0; count < ITEMS_MAX; count++) {
    const item = await readItem(handle, at, size);
    if (item === undefined) return { kind: 'bad', why: `the part at byte ${at} is damaged` };
    at += item.bytes;
    if (item.kind === ITEM_END) {
      const lastSequence = item.payload.length === END_PAYLOAD_BYTES ? readSequence(item.payload, 0) : undefined;
      const isWhole =
        lastSequence !== undefined &&
        item.payload.readUInt32BE(8) === count &&
        item.payload.readUInt32BE(12) === itemsCrc;
      if (!isWhole || at !== size) return { kind: 'bad', why: 'its parts are not those that its end names' };
      return { kind: 'ok', lastSequence, sections, records };
    }
    itemsCrc = crc32(item.crcBytes, itemsCrc);
    if (item.kind === ITEM_SECTION) {
      sections.push({ name: item.name, bytes: item.payload });
    } else {
      const unpacked = item.kind === ITEM_RECORDS ? unpackRecords(item.payload) : undefined;
      if (unpacked === undefined)
        return { kind: 'bad', why: `the part at byte ${at - item.bytes} is of no known kind` };
      records = unpacked;
    }
  }
  return { kind: 'bad', why: 'it has too many parts' };
}

interface Item {
  readonly kind: number;
  readonly name: string;
  /** Memory of its own that begins at offset 0, so that arrays of wider numbers can be laid over it. */
  readonly payload: Buffer;
  readonly crcBytes: Buffer;
  readonly bytes: number;
}

/** Undefined for an item that is cut off or whose checksum differs. */
async function readItem(handle: FileHandleLayer, at: number, size: number): Promise<Item | undefined> {
  const head = Buffer.alloc(ITEM_HEAD_BYTES);
  if (at + ITEM_HEAD_BYTES > size || (await readFully(handle, head, at)) < ITEM_HEAD_BYTES) return undefined;
  const nameBytes = head.readUInt32BE(4);
  const payloadBytes = readSequence(head, 8);
  if (nameBytes > SECTION_NAME_BYTES_MAX || payloadBytes === undefined) return undefined;
  const bytes = ITEM_HEAD_BYTES + nameBytes + payloadBytes + CRC_BYTES;
  if (at + bytes > size) return undefined;
  const name = Buffer.alloc(nameBytes);
  const payload = Buffer.allocUnsafeSlow(payloadBytes);
  const crcBytes = Buffer.alloc(CRC_BYTES);
  let position = at + ITEM_HEAD_BYTES;
  for (const part of [name, payload, crcBytes]) {
    if ((await readFully(handle, part, position)) < part.length) return undefined;
    position += part.length;
  }
  if (crc32(payload, crc32(name, crc32(head))) !== crcBytes.readUInt32BE(0)) return undefined;
  return { kind: head.readUInt32BE(0), name: name.toString('utf8'), payload, crcBytes, bytes };
}

function unpackRecords(packed: Buffer): Uint8Array[] | undefined {
  const records: Uint8Array[] = [];
  let at = 0;
  while (at < packed.length) {
    if (at + RECORD_LENGTH_BYTES > packed.length) return undefined;
    const length = packed.readUInt32BE(at);
    at += RECORD_LENGTH_BYTES;
    if (length > RECORD_BYTES_MAX || at + length > packed.length) return undefined;
    records.push(packed.subarray(at, at + length));
    at += length;
  }
  return records;
}

/** Copies bytes into one reused chunk, and checksums and writes the copy: the source may change under the reader's hands. */
class ItemWriter {
  readonly #handle: FileHandleLayer;
  readonly #hooks: SnapshotHooks;
  readonly #chunk: Buffer;
  readonly #flushEveryBytes: number;
  #filled = 0;
  #position = 0;
  #unflushed = 0;
  #crc = 0;
  itemCount = 0;
  itemsCrc = 0;

  constructor(handle: FileHandleLayer, job: SnapshotJob, hooks: SnapshotHooks) {
    this.#handle = handle;
    this.#hooks = hooks;
    this.#chunk = Buffer.allocUnsafeSlow(job.chunkBytes);
    this.#flushEveryBytes = job.flushEveryBytes;
  }

  async item(kind: number, name: string, payload: Uint8Array): Promise<void> {
    const nameBytes = Buffer.from(name, 'utf8');
    const head = Buffer.alloc(ITEM_HEAD_BYTES);
    head.writeUInt32BE(kind, 0);
    head.writeUInt32BE(nameBytes.length, 4);
    writeSequence(head, payload.length, 8);
    this.#crc = 0;
    await this.put(head);
    await this.put(nameBytes);
    await this.put(payload);
    const crcBytes = Buffer.alloc(CRC_BYTES);
    crcBytes.writeUInt32BE(this.#crc);
    await this.put(crcBytes);
    this.itemsCrc = crc32(crcBytes, this.itemsCrc);
    this.itemCount++;
  }

  async put(bytes: Uint8Array): Promise<void> {
    let at = 0;
    while (at < bytes.length) {
      const count = Math.min(bytes.length - at, this.#chunk.length - this.#filled);
      const copy = this.#chunk.subarray(this.#filled, this.#filled + count);
      copy.set(bytes.subarray(at, at + count));
      this.#crc = crc32(copy, this.#crc);
      this.#filled += count;
      at += count;
      if (this.#filled === this.#chunk.length) await this.#writeChunk();
    }
  }

  async finish(): Promise<void> {
    await this.#writeChunk();
    await this.#handle.flush();
  }

  async #writeChunk(): Promise<void> {
    if (this.#hooks.isStopped()) throw new Error('the snapshot was given up because the store closes');
    await this.#handle.write(this.#chunk.subarray(0, this.#filled), this.#position);
    this.#position += this.#filled;
    this.#unflushed += this.#filled;
    this.#filled = 0;
    if (this.#unflushed >= this.#flushEveryBytes) {
      this.#unflushed = 0;
      await this.#handle.flush();
    }
  }
}
