/**
 * Identities of rows: how they lie in the arena, and the indexes by client identifier and by hardware address. Rows with the
 * same key form a chain, newest transaction first, of which the index holds the first; so an identifier that many bindings share
 * costs no more than any other.
 */
import { assert, type Ip4 } from '../../wire/units.ts';
import {
  type Arena,
  allocatePiece,
  arenaChunk,
  arenaOffset,
  FIELD_BYTES_MAX,
  FIELDS,
  fitsInPlace,
  PIECE_HEADER_BYTES,
  releasePiece,
} from './arena.ts';
import type { Binding } from './binding.ts';
import { type HashKey, hashBytes } from './hash.ts';
import { CHUNK_MASK, chunkOf, NONE, type RowChunk, type Rows } from './rows.ts';
import { insert, lookup, makeSlotIndex, remove, replace, type SlotIndex } from './slots.ts';

/** Number of the field in a piece, which is also the number of its index. */
export const BY_CLIENT = 0;
export const BY_HARDWARE = 1;
export type KeyField = typeof BY_CLIENT | typeof BY_HARDWARE;

/** A row that is older than this many of its chain is put where the walk stopped: beyond it the order is only about right. */
const CHAIN_WALK_MAX = 64;
/** Rows of a chain that a search looks at. */
const FIND_WALK_MAX = 1024;
/** Rows whose fields are kept as they were read; one packet reads those of its row many times. A power of two. */
const RECENT_ROWS = 1024;

/** The byte strings of a row. They are shared by all who ask, and nobody changes them. */
export type IdentityFields = Pick<Binding, 'clientId' | 'hardware' | 'hostName' | 'relayInfo' | 'policy'>;

const NO_FIELDS: IdentityFields = {
  clientId: undefined,
  hardware: undefined,
  hostName: undefined,
  relayInfo: undefined,
  policy: undefined,
};

export interface Identities {
  readonly rows: Rows;
  readonly arena: Arena;
  readonly key: HashKey;
  readonly indexes: readonly [SlotIndex, SlotIndex];
  /** By the low bits of a row: which row was read there last, and what it had. */
  readonly recentRow: Int32Array;
  readonly recent: (IdentityFields | undefined)[];
  /** What is looked for, while `lookup` runs. */
  wanted: Uint8Array;
  wantedAt: number;
  wantedLength: number;
  readonly isWanted: readonly [(row: number) => boolean, (row: number) => boolean];
}

export function makeIdentities(rows: Rows, arena: Arena, key: HashKey, expectedRows: number): Identities {
  const identities: Identities = {
    rows,
    arena,
    key,
    indexes: [makeSlotIndex(expectedRows), makeSlotIndex(expectedRows)],
    recentRow: new Int32Array(RECENT_ROWS).fill(NONE),
    recent: new Array<IdentityFields | undefined>(RECENT_ROWS).fill(undefined),
    wanted: new Uint8Array(0),
    wantedAt: 0,
    wantedLength: 0,
    isWanted: [(row) => hasWanted(identities, row, BY_CLIENT), (row) => hasWanted(identities, row, BY_HARDWARE)],
  };
  return identities;
}

/** Copies of the row's fields, undefined where it has none. */
export function fieldsOf(identities: Identities, row: number): IdentityFields {
  const reference = referenceOf(identities, row);
  if (reference === 0) return NO_FIELDS;
  const slot = row & (RECENT_ROWS - 1);
  if (identities.recentRow[slot] === row) return identities.recent[slot]!;
  const bytes = arenaChunk(identities.arena, reference).bytes;
  const piece = arenaOffset(reference);
  const fields: IdentityFields = {
    clientId: fieldIn(bytes, piece, 0),
    hardware: fieldIn(bytes, piece, 1),
    hostName: fieldIn(bytes, piece, 2),
    relayInfo: fieldIn(bytes, piece, 3),
    policy: fieldIn(bytes, piece, 4),
  };
  identities.recentRow[slot] = row;
  identities.recent[slot] = fields;
  return fields;
}

/** The fields of the row change. */
function forget(identities: Identities, row: number): void {
  const slot = row & (RECENT_ROWS - 1);
  if (identities.recentRow[slot] === row) identities.recentRow[slot] = NONE;
}

function fieldIn(bytes: Uint8Array, piece: number, field: number): Uint8Array | undefined {
  const length = bytes[piece + 4 + field]!;
  if (length === 0) return undefined;
  const from = fieldStart(bytes, piece, field);
  // For the few bytes of a field a loop is faster than `slice`.
  const copy = new Uint8Array(length);
  for (let i = 0; i < length; i++) copy[i] = bytes[from + i]!;
  return copy;
}

/**
 * Gives the row the identity of the binding and keeps the indexes right. The row's `lastTransactionAt` must be the new one already;
 * `hadTransactionAt` is the one before.
 */
export function setIdentity(identities: Identities, row: number, binding: Binding, hadTransactionAt: number): void {
  const chunk = chunkOf(identities.rows, row);
  const reference = chunk.identity[row & CHUNK_MASK]!;
  const isNewer = chunk.lastTransactionAt[row & CHUNK_MASK]! !== hadTransactionAt;
  const isKept = hasRecent(identities, row, reference, binding);
  const size = isKept ? 0 : pieceBytes(binding);
  if (isKept || (reference !== 0 && size > 0 && isSame(identities, reference, binding))) {
    if (isNewer) {
      reorder(identities, row, BY_CLIENT);
      reorder(identities, row, BY_HARDWARE);
    }
    return;
  }
  forget(identities, row);
  unchain(identities, row, BY_CLIENT);
  unchain(identities, row, BY_HARDWARE);
  let target = reference;
  if (reference !== 0 && (size === 0 || !fitsInPlace(identities.arena, reference, size))) {
    chunk.identity[row & CHUNK_MASK] = 0;
    target = 0;
    releasePiece(identities.arena, reference);
  }
  if (size === 0) return;
  if (target === 0) target = allocatePiece(identities.arena, size, row);
  writePiece(identities, target, binding);
  chunk.identity[row & CHUNK_MASK] = target;
  enchain(identities, row, BY_CLIENT);
  enchain(identities, row, BY_HARDWARE);
}

/** Copies a piece (lengths and fields, without its row) from a snapshot to a row that has none yet. */
export function adoptIdentity(identities: Identities, row: number, from: Uint8Array, at: number, size: number): void {
  forget(identities, row);
  const reference = allocatePiece(identities.arena, size, row);
  const target = arenaOffset(reference) + 4;
  arenaChunk(identities.arena, reference).bytes.set(from.subarray(at + 4, at + size), target);
  chunkOf(identities.rows, row).identity[row & CHUNK_MASK] = reference;
  enchain(identities, row, BY_CLIENT);
  enchain(identities, row, BY_HARDWARE);
}

/** Takes the row out of the indexes and frees its piece. */
export function dropIdentity(identities: Identities, row: number): void {
  const reference = referenceOf(identities, row);
  if (reference === 0) return;
  forget(identities, row);
  unchain(identities, row, BY_CLIENT);
  unchain(identities, row, BY_HARDWARE);
  chunkOf(identities.rows, row).identity[row & CHUNK_MASK] = 0;
  releasePiece(identities.arena, reference);
}

/** Rows with this key, newest transaction first, at most `limit`; `pool` is a number of a pool or -1 for all. */
export function findRows(
  identities: Identities,
  field: KeyField,
  wanted: Uint8Array,
  pool: number,
  limit: number,
): number[] {
  const found: number[] = [];
  if (wanted.length === 0 || wanted.length > FIELD_BYTES_MAX || limit <= 0) return found;
  want(identities, wanted, 0, wanted.length);
  const hash = hashBytes(identities.key, wanted, 0, wanted.length);
  let row = lookup(identities.indexes[field], hash, identities.isWanted[field]);
  for (let seen = 0; row !== NONE && seen < FIND_WALK_MAX; seen++) {
    const chunk = chunkOf(identities.rows, row);
    if (pool < 0 || chunk.pool[row & CHUNK_MASK] === pool) {
      found.push(row);
      if (found.length >= limit) break;
    }
    row = nextColumn(chunk, field)[row & CHUNK_MASK]!;
  }
  return found;
}

/** True when the binding still has the very byte strings that were read from the row. */
function hasRecent(identities: Identities, row: number, reference: number, binding: Binding): boolean {
  const slot = row & (RECENT_ROWS - 1);
  if (reference === 0 || identities.recentRow[slot] !== row) return false;
  const fields = identities.recent[slot]!;
  return (
    fields.clientId === binding.clientId &&
    fields.hardware === binding.hardware &&
    fields.hostName === binding.hostName &&
    fields.relayInfo === binding.relayInfo &&
    fields.policy === binding.policy
  );
}

function referenceOf(identities: Identities, row: number): number {
  return chunkOf(identities.rows, row).identity[row & CHUNK_MASK]!;
}

/** Order of the fields in a piece. */
function fieldOfBinding(binding: Binding, field: number): Uint8Array | undefined {
  switch (field) {
    case 0:
      return binding.clientId;
    case 1:
      return binding.hardware;
    case 2:
      return binding.hostName;
    case 3:
      return binding.relayInfo;
    default:
      return binding.policy;
  }
}

/** 0 when the binding has no field; an empty field counts as absent. */
function pieceBytes(binding: Binding): number {
  let size = 0;
  for (let field = 0; field < FIELDS; field++) {
    const length = fieldOfBinding(binding, field)?.length ?? 0;
    assert(length <= FIELD_BYTES_MAX, 'an identifier or name of a binding has at most 255 bytes');
    size += length;
  }
  return size === 0 ? 0 : PIECE_HEADER_BYTES + size;
}

function fieldStart(bytes: Uint8Array, piece: number, field: number): number {
  let from = piece + PIECE_HEADER_BYTES;
  for (let earlier = 0; earlier < field; earlier++) from += bytes[piece + 4 + earlier]!;
  return from;
}

function isSame(identities: Identities, reference: number, binding: Binding): boolean {
  const bytes = arenaChunk(identities.arena, reference).bytes;
  const piece = arenaOffset(reference);
  let at = piece + PIECE_HEADER_BYTES;
  for (let field = 0; field < FIELDS; field++) {
    const value = fieldOfBinding(binding, field);
    const length = value?.length ?? 0;
    if (bytes[piece + 4 + field] !== length) return false;
    for (let i = 0; i < length; i++) if (bytes[at + i] !== value![i]) return false;
    at += length;
  }
  return true;
}

function writePiece(identities: Identities, reference: number, binding: Binding): void {
  const bytes = arenaChunk(identities.arena, reference).bytes;
  const piece = arenaOffset(reference);
  let at = piece + PIECE_HEADER_BYTES;
  for (let field = 0; field < FIELDS; field++) {
    const value = fieldOfBinding(binding, field);
    bytes[piece + 4 + field] = value?.length ?? 0;
    if (value === undefined) continue;
    bytes.set(value, at);
    at += value.length;
  }
}

function want(identities: Identities, bytes: Uint8Array, at: number, length: number): void {
  identities.wanted = bytes;
  identities.wantedAt = at;
  identities.wantedLength = length;
}

function hasWanted(identities: Identities, row: number, field: KeyField): boolean {
  const reference = referenceOf(identities, row);
  const bytes = arenaChunk(identities.arena, reference).bytes;
  const piece = arenaOffset(reference);
  if (bytes[piece + 4 + field] !== identities.wantedLength) return false;
  const from = fieldStart(bytes, piece, field);
  for (let i = 0; i < identities.wantedLength; i++) {
    if (bytes[from + i] !== identities.wanted[identities.wantedAt + i]) return false;
  }
  return true;
}

function nextColumn(chunk: RowChunk, field: KeyField): Int32Array {
  return field === BY_CLIENT ? chunk.clientNext : chunk.hardwareNext;
}

function prevColumn(chunk: RowChunk, field: KeyField): Int32Array {
  return field === BY_CLIENT ? chunk.clientPrev : chunk.hardwarePrev;
}

/** Newest transaction first, then by address. */
function comesBefore(rows: Rows, a: number, b: number): boolean {
  const chunkA = chunkOf(rows, a);
  const chunkB = chunkOf(rows, b);
  const newerBy = chunkA.lastTransactionAt[a & CHUNK_MASK]! - chunkB.lastTransactionAt[b & CHUNK_MASK]!;
  if (newerBy !== 0) return newerBy > 0;
  return (chunkA.address[a & CHUNK_MASK]! as Ip4) < (chunkB.address[b & CHUNK_MASK]! as Ip4);
}

function enchain(identities: Identities, row: number, field: KeyField): void {
  const { rows } = identities;
  const reference = referenceOf(identities, row);
  const bytes = arenaChunk(identities.arena, reference).bytes;
  const piece = arenaOffset(reference);
  const length = bytes[piece + 4 + field]!;
  if (length === 0) return;
  const from = fieldStart(bytes, piece, field);
  const hash = hashBytes(identities.key, bytes, from, length);
  want(identities, bytes, from, length);
  const first = lookup(identities.indexes[field], hash, identities.isWanted[field]);
  if (first === NONE) {
    insert(identities.indexes[field], hash, row);
    return;
  }
  if (comesBefore(rows, row, first)) {
    replace(identities.indexes[field], hash, first, row);
    link(rows, field, NONE, row, first);
    return;
  }
  let before = first;
  for (let steps = 0; steps < CHAIN_WALK_MAX; steps++) {
    const after = nextColumn(chunkOf(rows, before), field)[before & CHUNK_MASK]!;
    if (after === NONE || comesBefore(rows, row, after)) break;
    before = after;
  }
  link(rows, field, before, row, nextColumn(chunkOf(rows, before), field)[before & CHUNK_MASK]!);
}

function unchain(identities: Identities, row: number, field: KeyField): void {
  const { rows } = identities;
  const reference = referenceOf(identities, row);
  if (reference === 0) return;
  const bytes = arenaChunk(identities.arena, reference).bytes;
  const piece = arenaOffset(reference);
  const length = bytes[piece + 4 + field]!;
  if (length === 0) return;
  const chunk = chunkOf(rows, row);
  const before = prevColumn(chunk, field)[row & CHUNK_MASK]!;
  const after = nextColumn(chunk, field)[row & CHUNK_MASK]!;
  if (before !== NONE) nextColumn(chunkOf(rows, before), field)[before & CHUNK_MASK] = after;
  else {
    const hash = hashBytes(identities.key, bytes, fieldStart(bytes, piece, field), length);
    if (after === NONE) remove(identities.indexes[field], hash, row);
    else replace(identities.indexes[field], hash, row, after);
  }
  if (after !== NONE) prevColumn(chunkOf(rows, after), field)[after & CHUNK_MASK] = before;
  prevColumn(chunk, field)[row & CHUNK_MASK] = NONE;
  nextColumn(chunk, field)[row & CHUNK_MASK] = NONE;
}

/** After a new transaction time: a row alone in its chain, or still between its neighbours, stays. */
function reorder(identities: Identities, row: number, field: KeyField): void {
  const { rows } = identities;
  const chunk = chunkOf(rows, row);
  const before = prevColumn(chunk, field)[row & CHUNK_MASK]!;
  const after = nextColumn(chunk, field)[row & CHUNK_MASK]!;
  if ((before === NONE || comesBefore(rows, before, row)) && (after === NONE || comesBefore(rows, row, after))) return;
  unchain(identities, row, field);
  enchain(identities, row, field);
}

function link(rows: Rows, field: KeyField, before: number, row: number, after: number): void {
  const chunk = chunkOf(rows, row);
  prevColumn(chunk, field)[row & CHUNK_MASK] = before;
  nextColumn(chunk, field)[row & CHUNK_MASK] = after;
  if (before !== NONE) nextColumn(chunkOf(rows, before), field)[before & CHUNK_MASK] = row;
  if (after !== NONE) prevColumn(chunkOf(rows, after), field)[after & CHUNK_MASK] = row;
}
