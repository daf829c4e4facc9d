/**
 * What the binding table is made of, and the steps that keep its parts in agreement when one row comes, changes or goes: columns, identity, index by
 * address, expiry lists, heaps of available addresses, bits and counts of the pools. `table.ts` puts the interface on it, `snapshot.ts` saves it.
 */
import { BINDING_STATES, type BindingState } from '../../wire/failover/messages.ts';
import { assert, type EpochSec, INFINITE_AT, type Ip4, ip4 } from '../../wire/units.ts';
import { type Arena, arenaBytes, makeArena } from './arena.ts';
import type { Binding } from './binding.ts';
import { addExpiry, type Expiry, expiryBytes, makeExpiry, removeExpiry } from './expiry.ts';
import { makeHashKey, scramble } from './hash.ts';
import { heapBytes, pushAvailable, removeAvailable } from './heap.ts';
import { dropIdentity, fieldsOf, type Identities, makeIdentities, setIdentity } from './identities.ts';
import { makeOwnerBits, type OwnerBits, ownerBitsBytes } from './owner-bits.ts';
import {
  DIRTY,
  giveNever,
  hasBit,
  holds,
  MEMBER,
  needPage,
  type Owner,
  type Page,
  type Pool,
  pageNumberOf,
  pageOf,
  poolPageBytes,
  ROW,
  setBit,
  setHasRow,
  TRANSITORY,
} from './pool.ts';
import {
  addressCheck,
  allocateRow,
  CHECK_SHIFT,
  CHUNK_MASK,
  chunkOf,
  FLAG_DIRTY,
  FLAG_GRANTED_HERE,
  FLAG_OWNED_AS_BACKUP,
  FLAG_PRESENT,
  FLAG_STATE,
  FLAG_TOLD,
  makeRows,
  NONE,
  type Rows,
  releaseRow,
  rowsBytes,
} from './rows.ts';
import { insert, lookup, makeSlotIndex, remove, type SlotIndex, slotIndexBytes } from './slots.ts';

export interface TableState {
  readonly seed: number;
  readonly rows: Rows;
  readonly arena: Arena;
  readonly identities: Identities;
  readonly byAddress: SlotIndex;
  readonly expiry: Expiry;
  readonly owners: OwnerBits;
  /** In the order of their networks, which do not overlap. */
  readonly pools: Pool[];
  /** By their numbers. */
  readonly numbered: (Pool | undefined)[];
  /** Where the last search ended; the next one is often for the same scope. */
  lastPool: Pool | undefined;
}

export const STATE_FREE = BINDING_STATES.free;
export const STATE_ACTIVE = BINDING_STATES.active;
export const STATE_BACKUP = BINDING_STATES.backup;
const STATE_NAMES: readonly (BindingState | undefined)[] = namesByNumber();

export function makeState(seed: number, expectedRows: number): TableState {
  const rows = makeRows();
  const arena = makeArena((row, reference) => {
    chunkOf(rows, row).identity[row & CHUNK_MASK] = reference;
  });
  return {
    seed: seed >>> 0,
    rows,
    arena,
    identities: makeIdentities(rows, arena, makeHashKey(seed), expectedRows),
    byAddress: makeSlotIndex(expectedRows),
    expiry: makeExpiry(),
    owners: makeOwnerBits(),
    pools: [],
    numbered: [],
    lastPool: undefined,
  };
}

export function poolAt(state: TableState, address: number): Pool | undefined {
  if (state.lastPool !== undefined && holds(state.lastPool, address)) return state.lastPool;
  let low = 0;
  let high = state.pools.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (state.pools[middle]!.network <= address) low = middle + 1;
    else high = middle;
  }
  const pool = state.pools[low - 1];
  if (pool === undefined || !holds(pool, address)) return undefined;
  state.lastPool = pool;
  return pool;
}

/** The row of an address, or NONE. */
export function rowOf(state: TableState, pool: Pool, address: number): number {
  const page = pageOf(pool, address);
  return page !== undefined && hasBit(page, ROW, address - page.base) ? mustRow(state, address) : NONE;
}

/** The row of an address that has one. */
export function mustRow(state: TableState, address: number): number {
  const row = lookup(state.byAddress, addressHash(state, address), isAny);
  assert(row !== NONE, 'an address that is marked as having a row has one');
  return row;
}

/** A copy of what the row says; the byte strings are shared with other copies. */
export function bindingOf(state: TableState, row: number): Binding {
  const chunk = chunkOf(state.rows, row);
  const i = row & CHUNK_MASK;
  const flags = chunk.flags[i]!;
  const fields = fieldsOf(state.identities, row);
  return {
    address: chunk.address[i]! as Ip4,
    state: STATE_NAMES[flags & FLAG_STATE]!,
    clientId: fields.clientId,
    hardware: fields.hardware,
    hostName: fields.hostName,
    relayInfo: fields.relayInfo,
    policy: fields.policy,
    dnsFlags: chunk.dnsFlags[i]!,
    leaseEndAt: chunk.leaseEndAt[i]! as EpochSec,
    sentPotentialAt: chunk.sentPotentialAt[i]! as EpochSec,
    ackedPotentialAt: chunk.ackedPotentialAt[i]! as EpochSec,
    recvPotentialAt: chunk.recvPotentialAt[i]! as EpochSec,
    lastTransactionAt: chunk.lastTransactionAt[i]! as EpochSec,
    stateSinceAt: chunk.stateSinceAt[i]! as EpochSec,
    ipFlags: chunk.ipFlags[i]!,
    dirty: (flags & FLAG_DIRTY) !== 0,
    told: (flags & FLAG_TOLD) !== 0,
    ownedAs: (flags & FLAG_OWNED_AS_BACKUP) !== 0 ? 'backup' : 'free',
    grantedHere: (flags & FLAG_GRANTED_HERE) !== 0,
  };
}

/**
 * True when nothing is lost if the binding is kept as a bit: it is available, had no client, waits for no acknowledgement. `told`,
 * `grantedHere` and `ownedAs` speak of a client binding and mean nothing here; a `stateSinceAt` is given up.
 */
export function isBare(binding: Binding): boolean {
  return (
    (binding.state === 'free' || binding.state === 'backup') &&
    !binding.dirty &&
    isEmpty(binding.clientId) &&
    isEmpty(binding.hardware) &&
    isEmpty(binding.hostName) &&
    isEmpty(binding.relayInfo) &&
    isEmpty(binding.policy) &&
    binding.dnsFlags === 0 &&
    binding.ipFlags === 0 &&
    binding.leaseEndAt === 0 &&
    binding.sentPotentialAt === 0 &&
    binding.ackedPotentialAt === 0 &&
    binding.recvPotentialAt === 0 &&
    binding.lastTransactionAt === 0
  );
}

/** Stores the binding in the row of its address, which it gets when it has none. */
export function putBinding(state: TableState, pool: Pool, binding: Binding): void {
  const page = needPage(pool, state.owners, pageNumberOf(pool, binding.address));
  const i = binding.address - page.base;
  if (isBare(binding)) {
    if (hasBit(page, ROW, i)) forgetRow(state, pool, page, i);
    giveNever(pool, page, i, binding.state === 'free' ? 0 : 1);
    return;
  }
  const isNew = !hasBit(page, ROW, i);
  const row = isNew ? newRow(state, pool, page, binding.address) : mustRow(state, binding.address);
  const chunk = chunkOf(state.rows, row);
  const at = row & CHUNK_MASK;
  const flags = flagsOf(binding);
  const isMember = hasBit(page, MEMBER, i);
  const hadFlags = chunk.flags[at]!;
  const hadTransactionAt = chunk.lastTransactionAt[at]!;
  const staysQueued =
    !isNew &&
    (hadFlags & FLAG_STATE) === (flags & FLAG_STATE) &&
    chunk.leaseEndAt[at] === binding.leaseEndAt &&
    chunk.stateSinceAt[at] === binding.stateSinceAt;
  if (!isNew) {
    if (!staysQueued) leaveQueue(state, pool, row, isMember);
    count(pool, page, i, hadFlags, -1);
  }
  chunk.flags[at] = flags;
  chunk.leaseEndAt[at] = binding.leaseEndAt;
  chunk.sentPotentialAt[at] = binding.sentPotentialAt;
  chunk.ackedPotentialAt[at] = binding.ackedPotentialAt;
  chunk.recvPotentialAt[at] = binding.recvPotentialAt;
  chunk.lastTransactionAt[at] = binding.lastTransactionAt;
  chunk.stateSinceAt[at] = binding.stateSinceAt;
  chunk.dnsFlags[at] = binding.dnsFlags;
  chunk.ipFlags[at] = binding.ipFlags;
  setIdentity(state.identities, row, binding, hadTransactionAt);
  count(pool, page, i, flags, 1);
  if (!staysQueued) joinQueue(state, pool, row, isMember);
}

/** Gives an address a row, with its address and pool set and nothing else; the caller fills and counts it. */
export function newRow(state: TableState, pool: Pool, page: Page, address: number): number {
  const row = allocateRow(state.rows);
  const chunk = chunkOf(state.rows, row);
  chunk.address[row & CHUNK_MASK] = address;
  chunk.pool[row & CHUNK_MASK] = pool.number;
  insert(state.byAddress, addressHash(state, address), row);
  setHasRow(pool, page, address - page.base, true);
  return row;
}

/** Takes the row of an address out of everything. */
export function forgetRow(state: TableState, pool: Pool, page: Page, i: number): void {
  const address = ip4(page.base + i);
  const row = mustRow(state, address);
  leaveQueue(state, pool, row, hasBit(page, MEMBER, i));
  count(pool, page, i, chunkOf(state.rows, row).flags[row & CHUNK_MASK]!, -1);
  dropIdentity(state.identities, row);
  remove(state.byAddress, addressHash(state, address), row);
  setHasRow(pool, page, i, false);
  releaseRow(state.rows, row);
}

/** Puts a row where its state wants it: an active one into the expiry lists, an available one of the pool into its owner's heap. */
export function joinQueue(state: TableState, pool: Pool, row: number, isMember: boolean): void {
  const chunk = chunkOf(state.rows, row);
  const code = chunk.flags[row & CHUNK_MASK]! & FLAG_STATE;
  if (code === STATE_ACTIVE) {
    if (chunk.leaseEndAt[row & CHUNK_MASK] !== INFINITE_AT) addExpiry(state.expiry, state.rows, row);
  } else if (isMember && isAvailable(code)) pushAvailable(pool.available[ownerOfCode(code)], state.rows, row);
}

export function leaveQueue(state: TableState, pool: Pool, row: number, isMember: boolean): void {
  const chunk = chunkOf(state.rows, row);
  const code = chunk.flags[row & CHUNK_MASK]! & FLAG_STATE;
  if (code === STATE_ACTIVE) {
    if (chunk.leaseEndAt[row & CHUNK_MASK] !== INFINITE_AT) removeExpiry(state.expiry, state.rows, row);
  } else if (isMember && isAvailable(code)) removeAvailable(pool.available[ownerOfCode(code)], state.rows, row);
}

/** Adds a row's flags to the counts and bits of its pool, or takes them away. */
export function count(pool: Pool, page: Page, i: number, flags: number, by: 1 | -1): void {
  const code = flags & FLAG_STATE;
  if (hasBit(page, MEMBER, i)) pool.inState[code]! += by;
  else if (code === STATE_ACTIVE) pool.activeOutside += by;
  if ((flags & FLAG_DIRTY) !== 0) {
    pool.dirty += by;
    setBit(page, DIRTY, i, by > 0);
  }
  if (isTransitory(code)) setBit(page, TRANSITORY, i, by > 0);
}

/** An address with a row has entered or left the pool. */
export function crossBorder(state: TableState, pool: Pool, page: Page, i: number, isMember: boolean): void {
  const row = mustRow(state, page.base + i);
  const code = chunkOf(state.rows, row).flags[row & CHUNK_MASK]! & FLAG_STATE;
  const by = isMember ? 1 : -1;
  pool.inState[code]! += by;
  if (code === STATE_ACTIVE) pool.activeOutside -= by;
  else if (isMember) joinQueue(state, pool, row, true);
  else leaveQueue(state, pool, row, true);
}

export function isAvailable(code: number): boolean {
  return code === STATE_FREE || code === STATE_BACKUP;
}

export function isKnownState(code: number): boolean {
  return STATE_NAMES[code] !== undefined;
}

export function ownerOfCode(code: number): Owner {
  return code === STATE_FREE ? 0 : 1;
}

/** All buffers of the table together. */
export function stateBytes(state: TableState): number {
  let bytes =
    rowsBytes(state.rows) + arenaBytes(state.arena) + ownerBitsBytes(state.owners) + expiryBytes(state.expiry);
  bytes += slotIndexBytes(state.byAddress);
  for (const index of state.identities.indexes) bytes += slotIndexBytes(index);
  for (const pool of state.pools) {
    bytes += poolPageBytes(pool) + heapBytes(pool.available[0]) + heapBytes(pool.available[1]);
  }
  return bytes;
}

function addressHash(state: TableState, address: number): number {
  // The scramble is a bijection, so equal hashes are equal addresses and no row need be looked at.
  return scramble(address ^ state.seed);
}

function isAny(): boolean {
  return true;
}

function isTransitory(code: number): boolean {
  return code === BINDING_STATES.expired || code === BINDING_STATES.released || code === BINDING_STATES.reset;
}

function isEmpty(bytes: Uint8Array | undefined): boolean {
  return bytes === undefined || bytes.length === 0;
}

function flagsOf(binding: Binding): number {
  return (
    FLAG_PRESENT |
    (addressCheck(binding.address) << CHECK_SHIFT) |
    BINDING_STATES[binding.state] |
    (binding.dirty ? FLAG_DIRTY : 0) |
    (binding.told ? FLAG_TOLD : 0) |
    (binding.ownedAs === 'backup' ? FLAG_OWNED_AS_BACKUP : 0) |
    (binding.grantedHere ? FLAG_GRANTED_HERE : 0)
  );
}

function namesByNumber(): (BindingState | undefined)[] {
  const names: (BindingState | undefined)[] = new Array(FLAG_STATE + 1).fill(undefined);
  for (const [name, code] of Object.entries(BINDING_STATES)) names[code] = name as BindingState;
  return names;
}
