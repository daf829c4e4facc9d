/**
 * The rows of the binding table as columns in chunks of 16,384 rows. A chunk never moves and never grows, so that making room is
 * one small allocation, and a snapshot can be copied while rows change. Columns that a snapshot keeps lie in shared memory;
 * links between rows lie beside them in memory of our own, since they are made anew on restore.
 */
import { assert } from '../../wire/units.ts';

export const CHUNK_SHIFT = 14;
export const CHUNK_ROWS = 1 << CHUNK_SHIFT;
export const CHUNK_MASK = CHUNK_ROWS - 1;
/** Rows that a table may have: 4,096 chunks, 4 GB. */
const CHUNKS_MAX = 4096;

/** No row, in links. */
export const NONE = -1;

export const FLAG_STATE = 0x07;
export const FLAG_DIRTY = 0x08;
export const FLAG_TOLD = 0x10;
export const FLAG_OWNED_AS_BACKUP = 0x20;
export const FLAG_GRANTED_HERE = 0x40;
/** The row is in use. */
export const FLAG_PRESENT = 0x80;
/** The upper octet of the flags is the check of the row's address. */
export const CHECK_SHIFT = 8;

/** The columns that a snapshot keeps. */
export interface KeptColumns {
  readonly address: Uint32Array;
  /** Reference into the arena, 0 for none. */
  readonly identity: Uint32Array;
  readonly leaseEndAt: Uint32Array;
  readonly sentPotentialAt: Uint32Array;
  readonly ackedPotentialAt: Uint32Array;
  readonly recvPotentialAt: Uint32Array;
  readonly lastTransactionAt: Uint32Array;
  readonly stateSinceAt: Uint32Array;
  readonly flags: Uint16Array;
  readonly dnsFlags: Uint16Array;
  readonly ipFlags: Uint16Array;
}

export interface RowChunk extends KeptColumns {
  readonly shared: SharedArrayBuffer;
  readonly links: ArrayBuffer;
  /** Number of the pool in the table. */
  readonly pool: Uint16Array;
  /** In an expiry list the row before (or the list, see `expiry.ts`); for an available row its place in the heap. */
  readonly prev: Int32Array;
  /** In an expiry list the row after; for a row not in use the next such row. */
  readonly next: Int32Array;
  /** The rows with the same client identifier, newest transaction first. */
  readonly clientPrev: Int32Array;
  readonly clientNext: Int32Array;
  /** The rows with the same hardware address, newest transaction first. */
  readonly hardwarePrev: Int32Array;
  readonly hardwareNext: Int32Array;
}

const WIDE_COLUMNS = 8;
const NARROW_COLUMNS = 3;
/** Bytes of one chunk in a snapshot. */
export const KEPT_CHUNK_BYTES = CHUNK_ROWS * (WIDE_COLUMNS * 4 + NARROW_COLUMNS * 2);
const LINK_COLUMNS = 6;

export interface Rows {
  readonly chunks: RowChunk[];
  /** First of the rows that were used before, or NONE. */
  freeHead: number;
  /** Rows below were used at some time. */
  reached: number;
  inUse: number;
}

export function makeRows(): Rows {
  return { chunks: [], freeHead: NONE, reached: 0, inUse: 0 };
}

/** Lays the kept columns over bytes of one chunk; `at` must be a multiple of 4. */
export function keptColumns(buffer: ArrayBufferLike, at: number): KeptColumns {
  const wide = (column: number): Uint32Array => new Uint32Array(buffer, at + column * CHUNK_ROWS * 4, CHUNK_ROWS);
  const narrowAt = at + WIDE_COLUMNS * CHUNK_ROWS * 4;
  const narrow = (column: number): Uint16Array =>
    new Uint16Array(buffer, narrowAt + column * CHUNK_ROWS * 2, CHUNK_ROWS);
  return {
    address: wide(0),
    identity: wide(1),
    leaseEndAt: wide(2),
    sentPotentialAt: wide(3),
    ackedPotentialAt: wide(4),
    recvPotentialAt: wide(5),
    lastTransactionAt: wide(6),
    stateSinceAt: wide(7),
    flags: narrow(0),
    dnsFlags: narrow(1),
    ipFlags: narrow(2),
  };
}

/** Answers a row that is marked as present, with every link empty and every other column as it was left. */
export function allocateRow(rows: Rows): number {
  let row = rows.freeHead;
  if (row !== NONE) rows.freeHead = chunkOf(rows, row).next[row & CHUNK_MASK]!;
  else {
    row = rows.reached++;
    if (row >>> CHUNK_SHIFT === rows.chunks.length) rows.chunks.push(makeChunk(rows.chunks.length));
  }
  rows.inUse++;
  const chunk = chunkOf(rows, row);
  const i = row & CHUNK_MASK;
  chunk.flags[i] = FLAG_PRESENT;
  chunk.identity[i] = 0;
  chunk.prev[i] = NONE;
  chunk.next[i] = NONE;
  chunk.clientPrev[i] = NONE;
  chunk.clientNext[i] = NONE;
  chunk.hardwarePrev[i] = NONE;
  chunk.hardwareNext[i] = NONE;
  return row;
}

/** The row must be out of all lists and indexes. */
export function releaseRow(rows: Rows, row: number): void {
  const chunk = chunkOf(rows, row);
  const i = row & CHUNK_MASK;
  chunk.flags[i] = 0;
  chunk.identity[i] = 0;
  // A copy that sees this column now and the flags after the row was used again must not find the old address with them.
  chunk.address[i] = 0;
  chunk.next[i] = rows.freeHead;
  rows.freeHead = row;
  rows.inUse--;
}

export function chunkOf(rows: Rows, row: number): RowChunk {
  return rows.chunks[row >>> CHUNK_SHIFT]!;
}

/**
 * An octet that changes whenever some of an address's lower octets are lost: a copy in pieces can cut an address in two, half of
 * it from before the row was used, and what then looks like another address must not be taken for one.
 */
export function addressCheck(address: number): number {
  return (address ^ ((address >>> 8) * 3) ^ ((address >>> 16) * 5) ^ ((address >>> 24) * 7)) & 0xff;
}

export function rowsBytes(rows: Rows): number {
  let bytes = 0;
  for (const chunk of rows.chunks) bytes += chunk.shared.byteLength + chunk.links.byteLength;
  return bytes;
}

function makeChunk(existing: number): RowChunk {
  assert(existing < CHUNKS_MAX, 'the binding table has room for its rows');
  const shared = new SharedArrayBuffer(KEPT_CHUNK_BYTES);
  const links = new ArrayBuffer(CHUNK_ROWS * (LINK_COLUMNS * 4 + 2));
  const link = (column: number): Int32Array => new Int32Array(links, column * CHUNK_ROWS * 4, CHUNK_ROWS);
  return {
    shared,
    links,
    ...keptColumns(shared, 0),
    prev: link(0),
    next: link(1),
    clientPrev: link(2),
    clientNext: link(3),
    hardwarePrev: link(4),
    hardwareNext: link(5),
    pool: new Uint16Array(links, LINK_COLUMNS * CHUNK_ROWS * 4, CHUNK_ROWS),
  };
}
