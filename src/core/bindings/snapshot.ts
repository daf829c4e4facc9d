/**
 * The binding table as sections of bytes, and a table from such sections. The sections are the table's own memory, copied by others while
 * it changes; so only rows and bits are believed on restore, one by one, and everything else is made anew. A row that was changed during the copy
 * may be torn: it is left out when that shows, and is in the log that is replayed afterwards in any case.
 */
import type { Ip4 } from '../../wire/units.ts';
import { ARENA_CHUNK_BYTES, arenaOffset, chunkNumber, FIELDS, PIECE_HEADER_BYTES } from './arena.ts';
import type { PoolShape, SnapshotSection } from './binding.ts';
import { adoptIdentity } from './identities.ts';
import { OWNER_CHUNK_BYTES, UNIT_ADDRESSES, UNIT_WORDS, UNITS_PER_CHUNK } from './owner-bits.ts';
import { giveNever, hasBit, MEMBER, needPage, type Owner, pageNumberOf, ROW } from './pool.ts';
import {
  addressCheck,
  CHECK_SHIFT,
  CHUNK_MASK,
  CHUNK_ROWS,
  chunkOf,
  FLAG_PRESENT,
  FLAG_STATE,
  KEPT_CHUNK_BYTES,
  keptColumns,
} from './rows.ts';
import { count, isKnownState, joinQueue, makeState, newRow, poolAt, type TableState } from './state.ts';

const MAGIC = 0x54624c42;
const LAYOUT_VERSION = 1;
const SCOPE_WORDS = 7;
/** Addresses of the smallest network that a scope may have, a /30. */
const SMALLEST_NETWORK = 4;

interface Section {
  readonly name: string;
  readonly bytes: Uint8Array;
}
type Refused = { readonly kind: 'bad'; readonly why: string };

/** What is to be copied, as of now. The description of the layout and the scopes is a copy; all else is live. */
export function sectionsOf(state: TableState): SnapshotSection[] {
  const sections: SnapshotSection[] = [];
  const add = (name: string, buffer: SharedArrayBuffer): void => {
    sections.push({ name, buffer, byteLength: buffer.byteLength });
  };
  add(
    'about',
    sharedWords([...layoutWords(), state.rows.chunks.length, state.arena.chunks.length, state.owners.chunks.length]),
  );
  add('scopes', sharedWords(scopeWords(state)));
  state.rows.chunks.forEach((chunk, i) => {
    add('rows.' + i, chunk.shared);
  });
  state.arena.chunks.forEach((chunk, i) => {
    add('arena.' + i, chunk.shared);
  });
  state.owners.chunks.forEach((chunk, i) => {
    add('owners.' + i, chunk.shared);
  });
  return sections;
}

/**
 * Answers a new state, or why the sections are not of a layout that this version knows. Only scopes that `isKnown` are taken;
 * `addScope` must add one to the state.
 */
export function stateFrom(
  seed: number,
  sections: readonly Section[],
  isKnown: (scopeId: Ip4) => boolean,
  addScope: (state: TableState, shape: PoolShape, owner: Owner) => void,
): { readonly kind: 'ok'; readonly state: TableState } | Refused {
  const byName = new Map(sections.map((section) => [section.name, section.bytes]));
  const about = wordsOf(byName.get('about'));
  const layout = layoutWords();
  if (about === undefined || about.length < layout.length + 3) return refuse('the snapshot does not say its layout');
  if (about[0] !== layout[0]) return refuse('the snapshot is not one of a binding table');
  if (about[1] !== layout[1]) return refuse('the snapshot was made by a newer version (layout ' + about[1] + ')');
  if (layout.some((word, i) => word !== about[i])) return refuse('the snapshot has blocks of another size');
  const rows = numbered(byName, 'rows.', about[layout.length]!, KEPT_CHUNK_BYTES);
  const arena = numbered(byName, 'arena.', about[layout.length + 1]!, ARENA_CHUNK_BYTES);
  const owners = numbered(byName, 'owners.', about[layout.length + 2]!, OWNER_CHUNK_BYTES);
  if (rows === undefined || arena === undefined || owners === undefined) return refuse('the snapshot lacks a section');
  const scopes = readScopes(wordsOf(byName.get('scopes')));
  if (scopes === undefined) return refuse('the scopes in the snapshot cannot be read');

  const state = makeState(seed, countPresent(rows));
  for (const { shape, owner } of scopes) if (isKnown(shape.scopeId)) addScope(state, shape, owner);
  for (let chunk = 0; chunk < rows.length; chunk++) takeRows(state, rows[chunk]!, chunk, arena);
  for (const chunk of owners) takeOwners(state, chunk);
  return { kind: 'ok', state };
}

function refuse(why: string): Refused {
  return { kind: 'bad', why };
}

function layoutWords(): number[] {
  return [MAGIC, LAYOUT_VERSION, CHUNK_ROWS, KEPT_CHUNK_BYTES, ARENA_CHUNK_BYTES, OWNER_CHUNK_BYTES];
}

function sharedWords(words: readonly number[]): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(words.length * 4);
  new Uint32Array(buffer).set(words);
  return buffer;
}

function scopeWords(state: TableState): number[] {
  const words: number[] = [state.pools.length];
  for (const { shape, usualOwner } of state.pools) {
    words.push(shape.scopeId, shape.prefixLength, shape.firstAddress, shape.lastAddress, usualOwner);
    words.push(shape.exclusions.length, shape.reserved.length);
    for (const exclusion of shape.exclusions) words.push(exclusion.first, exclusion.last);
    for (const address of shape.reserved) words.push(address);
  }
  return words;
}

function readScopes(words: Uint32Array | undefined): { shape: PoolShape; owner: Owner }[] | undefined {
  if (words === undefined || words.length === 0) return undefined;
  const scopes: { shape: PoolShape; owner: Owner }[] = [];
  let at = 1;
  for (let n = words[0]!; n > 0; n--) {
    if (at + SCOPE_WORDS > words.length) return undefined;
    const [scopeId, prefixLength, firstAddress, lastAddress, owner, excluded, reserved] = words.subarray(at);
    at += SCOPE_WORDS;
    if (at + 2 * excluded! + reserved! > words.length || prefixLength! > 32 || owner! > 1) return undefined;
    const exclusions: { first: Ip4; last: Ip4 }[] = [];
    for (let i = 0; i < excluded!; i++) {
      exclusions.push({ first: words[at + 2 * i] as Ip4, last: words[at + 2 * i + 1] as Ip4 });
    }
    at += 2 * excluded!;
    const shape = {
      scopeId: scopeId as Ip4,
      prefixLength: prefixLength!,
      firstAddress: firstAddress as Ip4,
      lastAddress: lastAddress as Ip4,
      exclusions,
      reserved: Array.from(words.subarray(at, at + reserved!)) as Ip4[],
    };
    at += reserved!;
    scopes.push({ shape, owner: owner as Owner });
  }
  return scopes;
}

/** Bytes as words; copied where they do not lie on a boundary of words. */
function wordsOf(bytes: Uint8Array | undefined): Uint32Array | undefined {
  if (bytes === undefined || bytes.length % 4 !== 0) return undefined;
  const lying = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Uint32Array(lying.buffer, lying.byteOffset, lying.length / 4);
}

function numbered(
  byName: ReadonlyMap<string, Uint8Array>,
  prefix: string,
  howMany: number,
  bytesEach: number,
): Uint8Array[] | undefined {
  const found: Uint8Array[] = [];
  for (let i = 0; i < howMany; i++) {
    const bytes = byName.get(prefix + i);
    if (bytes === undefined || bytes.length !== bytesEach) return undefined;
    found.push(bytes.byteOffset % 4 === 0 ? bytes : bytes.slice());
  }
  return found;
}

function countPresent(chunks: readonly Uint8Array[]): number {
  let present = 0;
  for (const bytes of chunks) {
    const { flags } = keptColumns(bytes.buffer, bytes.byteOffset);
    for (let i = 0; i < CHUNK_ROWS; i++) if ((flags[i]! & FLAG_PRESENT) !== 0) present++;
  }
  return present;
}

function takeRows(state: TableState, bytes: Uint8Array, chunkIndex: number, arena: readonly Uint8Array[]): void {
  const from = keptColumns(bytes.buffer, bytes.byteOffset);
  for (let i = 0; i < CHUNK_ROWS; i++) {
    const flags = from.flags[i]!;
    if ((flags & FLAG_PRESENT) === 0 || !isKnownState(flags & FLAG_STATE)) continue;
    const address = from.address[i]!;
    if (flags >>> CHECK_SHIFT !== addressCheck(address)) continue;
    const pool = poolAt(state, address);
    if (pool === undefined) continue;
    const page = needPage(pool, state.owners, pageNumberOf(pool, address));
    // An address that moved from one row to another during the copy can be there twice; the log has what it came to.
    if (hasBit(page, ROW, address - page.base)) continue;
    const reference = from.identity[i]!;
    const piece = reference === 0 ? undefined : arena[chunkNumber(reference)];
    const offset = reference === 0 ? 0 : arenaOffset(reference);
    const size = piece === undefined ? 0 : pieceSize(piece, offset, chunkIndex * CHUNK_ROWS + i);
    if (reference !== 0 && size === 0) continue;

    const row = newRow(state, pool, page, address);
    const to = chunkOf(state.rows, row);
    const at = row & CHUNK_MASK;
    to.flags[at] = flags;
    to.leaseEndAt[at] = from.leaseEndAt[i]!;
    to.sentPotentialAt[at] = from.sentPotentialAt[i]!;
    to.ackedPotentialAt[at] = from.ackedPotentialAt[i]!;
    to.recvPotentialAt[at] = from.recvPotentialAt[i]!;
    to.lastTransactionAt[at] = from.lastTransactionAt[i]!;
    to.stateSinceAt[at] = from.stateSinceAt[i]!;
    to.dnsFlags[at] = from.dnsFlags[i]!;
    to.ipFlags[at] = from.ipFlags[i]!;
    if (piece !== undefined) adoptIdentity(state.identities, row, piece, offset, size);
    count(pool, page, address - page.base, flags, 1);
    joinQueue(state, pool, row, hasBit(page, MEMBER, address - page.base));
  }
}

/** Length of the piece at `at` if it is one of this row, 0 for a torn one. */
function pieceSize(bytes: Uint8Array, at: number, row: number): number {
  if (at + PIECE_HEADER_BYTES > bytes.length) return 0;
  const owner = (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
  if (owner !== row) return 0;
  let size = PIECE_HEADER_BYTES;
  for (let field = 0; field < FIELDS; field++) size += bytes[at + 4 + field]!;
  return size > PIECE_HEADER_BYTES && at + size <= bytes.length ? size : 0;
}

function takeOwners(state: TableState, bytes: Uint8Array): void {
  const words = wordsOf(bytes)!;
  for (let unit = 0; unit < UNITS_PER_CHUNK; unit++) {
    if (words[unit] === 0) continue;
    const base = words[unit]! - 1;
    // Units begin where networks do; a word that was cut in two while it was written does not say so.
    if (base % SMALLEST_NETWORK !== 0) continue;
    const bits = UNITS_PER_CHUNK + unit * UNIT_WORDS;
    for (let i = 0; i < UNIT_ADDRESSES; i++) {
      if ((words[bits + (i >>> 5)]! & (1 << (i & 31))) === 0) continue;
      const pool = poolAt(state, base + i);
      if (pool === undefined) continue;
      const page = needPage(pool, state.owners, pageNumberOf(pool, base + i));
      giveNever(pool, page, base + i - page.base, pool.usualOwner === 0 ? 1 : 0);
    }
  }
}
