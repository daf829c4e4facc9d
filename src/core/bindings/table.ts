/**
 * The binding table: every binding of every scope, found by address, client identifier and hardware address, with the next
 * address to give, the leases that have ended, and the counts, each without a search. See `binding.ts` for what callers may
 * rely on, `state.ts` for the parts.
 */
import { assert, type EpochSec, type Ip4, ip4 } from '../../wire/units.ts';
import { holdArena, letGoArena } from './arena.ts';
import {
  type AvailableState,
  type Binding,
  type BindingTable,
  emptyBinding,
  type PoolCounts,
  type PoolShape,
  type SnapshotSection,
  type SnapshotSource,
} from './binding.ts';
import { advanceExpiry, eachDue, earliestEnd } from './expiry.ts';
import { firstAvailable, rowAt } from './heap.ts';
import { BY_CLIENT, BY_HARDWARE, findRows, type KeyField } from './identities.ts';
import { letGoOwnerBits } from './owner-bits.ts';
import {
  collect,
  DIRTY,
  eachNever,
  freePages,
  giveAllNever,
  giveNever,
  hasBit,
  holds,
  MEMBER,
  makePool,
  neverOwner,
  OWNERS,
  type Owner,
  ownerOf,
  type Pool,
  pageOf,
  poolCounts,
  ROW,
  reshape,
  TRANSITORY,
} from './pool.ts';
import { CHUNK_MASK, chunkOf, FLAG_STATE, NONE } from './rows.ts';
import { sectionsOf, stateFrom } from './snapshot.ts';
import {
  bindingOf,
  crossBorder,
  forgetRow,
  isAvailable,
  joinQueue,
  leaveQueue,
  makeState,
  mustRow,
  ownerOfCode,
  poolAt,
  putBinding,
  rowOf,
  STATE_BACKUP,
  STATE_FREE,
  stateBytes,
  type TableState,
} from './state.ts';

/** Scopes that a table may have. */
export const POOLS_MAX = 65536;
const FIND_LIMIT = 16;
const NEXT_FREE_LIMIT = 64;
const SCAN_ALL = 0x100000000;

/** What the table costs, for statistics. */
export interface TableMemory {
  /** Sum of all buffers of the table, in bytes. */
  bufferBytes(): number;
}

/** Makes an empty table. `seed` must be unknown to clients: it keeps them from choosing identifiers that collide. */
export function makeBindingTable(seed: number): BindingTable & SnapshotSource & TableMemory {
  let state = makeState(seed, 0);
  const need = (scopeId: Ip4): Pool => needPool(state, scopeId);
  return {
    setPool: (shape, initialOwner) => setPool(state, shape, ownerOf(initialOwner)),
    removePool: (scopeId) => {
      const pool = poolById(state, scopeId);
      if (pool !== undefined) removePool(state, pool);
    },
    pools: () => state.pools.map((pool) => pool.shape),
    scopeOf: (address) => poolAt(state, address)?.shape.scopeId,
    isInPool: (address) => isInPool(state, address),
    find: (address) => find(state, address),
    findByClientId: (clientId, scopeId, limit) => findByKey(state, BY_CLIENT, clientId, scopeId, limit),
    findByHardware: (hardware, scopeId, limit) => findByKey(state, BY_HARDWARE, hardware, scopeId, limit),
    change: (binding) => change(state, binding),
    nextFree: (scopeId, owner, skip, limit) => nextFree(state, need(scopeId), owner, skip, limit),
    counts: (scopeId): PoolCounts => poolCounts(need(scopeId)),
    dirtyCount: (scopeId) => need(scopeId).dirty,
    takeDue: (at, limit, isWanted) => takeDue(state, at, limit, isWanted),
    dueAt: () => earliestEnd(state.expiry, state.rows) as EpochSec | undefined,
    scan: (scopeId, from, limit) => bindingsAt(state, collect(need(scopeId), ROW, from, limit)),
    scanAll: (scopeId, from, limit) => bindingsAt(state, collect(need(scopeId), MEMBER, from, limit)),
    scanDirty: (scopeId, from, limit) => collect(need(scopeId), DIRTY, from, limit),
    scanTransitory: (scopeId, from, limit) => collect(need(scopeId), TRANSITORY, from, limit),
    giveAll: (scopeId, owner) => giveAll(state, need(scopeId), ownerOf(owner)),
    get size() {
      return state.rows.inUse;
    },
    beginCopy: () => beginCopy(state),
    endCopy: () => endCopy(state),
    restore: (sections) => {
      assert(!state.arena.isCopying, 'a table that is being copied is not restored');
      const had = state;
      const made = stateFrom(seed, sections, (scopeId) => poolById(had, scopeId) !== undefined, setPool);
      if (made.kind === 'bad') return made;
      for (const pool of had.pools) setPool(made.state, pool.shape, pool.initialOwner);
      state = made.state;
      return { kind: 'ok' };
    },
    bufferBytes: () => stateBytes(state),
  };
}

function poolById(state: TableState, scopeId: Ip4): Pool | undefined {
  const pool = poolAt(state, scopeId);
  return pool?.shape.scopeId === scopeId ? pool : undefined;
}

function needPool(state: TableState, scopeId: Ip4): Pool {
  const pool = poolById(state, scopeId);
  assert(pool !== undefined, 'the binding table knows a scope before it is asked about it');
  return pool;
}

function setPool(state: TableState, shape: PoolShape, initialOwner: Owner): void {
  const existing = poolById(state, shape.scopeId);
  const crossed = (pool: Pool) => (page: NonNullable<Pool['pages'][number]>, i: number, isMember: boolean) =>
    crossBorder(state, pool, page, i, isMember);
  if (existing === undefined) {
    const pool = addPool(state, shape, initialOwner);
    reshape(pool, state.owners, shape, initialOwner, crossed(pool));
  } else if (existing.shape.prefixLength === shape.prefixLength) {
    reshape(existing, state.owners, shape, initialOwner, crossed(existing));
  } else resize(state, existing, shape, initialOwner);
}

/** The network itself became larger or smaller: the scope is made anew from what it held, less what lies outside now. */
function resize(state: TableState, had: Pool, shape: PoolShape, initialOwner: Owner): void {
  const bindings = bindingsAt(state, collect(had, ROW, 0, SCAN_ALL));
  const never = collect(had, MEMBER, 0, SCAN_ALL)
    .filter((address) => rowOf(state, had, address) === NONE)
    .map((address) => ({ address, owner: neverOwner(had, address) }));
  removePool(state, had);
  setPool(state, shape, initialOwner);
  const pool = needPool(state, shape.scopeId);
  for (const { address, owner } of never) {
    const page = holds(pool, address) ? pageOf(pool, address) : undefined;
    if (page !== undefined && hasBit(page, MEMBER, address - page.base)) {
      giveNever(pool, page, address - page.base, owner);
    }
  }
  for (const binding of bindings) if (holds(pool, binding.address)) putBinding(state, pool, binding);
}

function addPool(state: TableState, shape: PoolShape, owner: Owner): Pool {
  const number = state.pools.length < state.numbered.length ? state.numbered.indexOf(undefined) : state.numbered.length;
  assert(number < POOLS_MAX, 'the binding table has room for its scopes');
  const pool = makePool(shape, number, owner);
  let at = state.pools.length;
  while (at > 0 && state.pools[at - 1]!.network > pool.network) at--;
  const before = state.pools[at - 1];
  const after = state.pools[at];
  assert(
    (before === undefined || !holds(before, pool.network)) && (after === undefined || !holds(pool, after.network)),
    'the networks of two scopes do not overlap',
  );
  state.pools.splice(at, 0, pool);
  state.numbered[number] = pool;
  return pool;
}

function removePool(state: TableState, pool: Pool): void {
  for (const address of collect(pool, ROW, 0, SCAN_ALL)) {
    const page = pageOf(pool, address)!;
    forgetRow(state, pool, page, address - page.base);
  }
  freePages(pool, state.owners);
  state.pools.splice(state.pools.indexOf(pool), 1);
  state.numbered[pool.number] = undefined;
  state.lastPool = undefined;
}

function isInPool(state: TableState, address: Ip4): boolean {
  const pool = poolAt(state, address);
  const page = pool === undefined ? undefined : pageOf(pool, address);
  return page !== undefined && hasBit(page, MEMBER, address - page.base);
}

function find(state: TableState, address: Ip4): Binding | undefined {
  const pool = poolAt(state, address);
  if (pool === undefined) return undefined;
  const row = rowOf(state, pool, address);
  return row === NONE ? emptyBinding(address, OWNERS[neverOwner(pool, address)]!) : bindingOf(state, row);
}

function findByKey(
  state: TableState,
  field: KeyField,
  wanted: Uint8Array,
  scopeId: Ip4 | undefined,
  limit = FIND_LIMIT,
): Binding[] {
  let number = -1;
  if (scopeId !== undefined) {
    const pool = poolById(state, scopeId);
    if (pool === undefined) return [];
    number = pool.number;
  }
  return findRows(state.identities, field, wanted, number, limit).map((row) => bindingOf(state, row));
}

function change(state: TableState, binding: Binding): void {
  const pool = poolAt(state, binding.address);
  assert(pool !== undefined, 'a binding that is changed belongs to a known scope');
  putBinding(state, pool, binding);
}

function nextFree(
  state: TableState,
  pool: Pool,
  owner: AvailableState,
  skip: ((address: Ip4) => boolean) | undefined,
  limit = NEXT_FREE_LIMIT,
): Ip4 | undefined {
  let tried = 0;
  let found: Ip4 | undefined;
  const takes = (address: number): boolean => {
    if (tried >= limit) return true;
    tried++;
    if (skip?.(address as Ip4) === true) return false;
    found = address as Ip4;
    return true;
  };
  if (eachNever(pool, ownerOf(owner), takes)) return found;
  firstAvailable(pool.available[ownerOf(owner)], state.rows, limit - tried, (row) =>
    takes(chunkOf(state.rows, row).address[row & CHUNK_MASK]!),
  );
  return found;
}

function takeDue(
  state: TableState,
  at: EpochSec,
  limit: number,
  isWanted: ((scopeId: Ip4) => boolean) | undefined,
): Ip4[] {
  const due: Ip4[] = [];
  advanceExpiry(state.expiry, state.rows, at);
  eachDue(state.expiry, state.rows, at, (row) => {
    if (due.length >= limit) return false;
    const chunk = chunkOf(state.rows, row);
    const pool = state.numbered[chunk.pool[row & CHUNK_MASK]!]!;
    if (isWanted === undefined || isWanted(pool.shape.scopeId)) due.push(chunk.address[row & CHUNK_MASK]! as Ip4);
    return true;
  });
  return due;
}

function bindingsAt(state: TableState, addresses: readonly Ip4[]): Binding[] {
  return addresses.map((address) => find(state, address)!);
}

function giveAll(state: TableState, pool: Pool, owner: Owner): void {
  giveAllNever(pool, owner);
  const others = pool.available[owner === 0 ? 1 : 0];
  while (others.size > 0) giveRow(state, pool, rowAt(others, others.size - 1), owner);
  // Reserved and excluded addresses are in no heap.
  for (const page of pool.pages) {
    if (page === undefined) continue;
    for (let word = 0; word < page.words; word++) {
      const outside = page.planes[ROW * page.words + word]! & ~page.planes[word]!;
      for (let i = 0; outside !== 0 && i < 32; i++) {
        if ((outside & (1 << i)) === 0) continue;
        giveRow(state, pool, mustRow(state, ip4(page.base + word * 32 + i)), owner);
      }
    }
  }
}

function giveRow(state: TableState, pool: Pool, row: number, owner: Owner): void {
  const chunk = chunkOf(state.rows, row);
  const i = row & CHUNK_MASK;
  const flags = chunk.flags[i]!;
  const code = flags & FLAG_STATE;
  if (!isAvailable(code) || ownerOfCode(code) === owner) return;
  const isMember = isInPool(state, chunk.address[i]! as Ip4);
  const newCode = owner === 0 ? STATE_FREE : STATE_BACKUP;
  leaveQueue(state, pool, row, isMember);
  chunk.flags[i] = (flags & ~FLAG_STATE) | newCode;
  if (isMember) {
    pool.inState[code]!--;
    pool.inState[newCode]!++;
  }
  joinQueue(state, pool, row, isMember);
}

function beginCopy(state: TableState): readonly SnapshotSection[] {
  assert(!state.arena.isCopying, 'a table is copied once at a time');
  holdArena(state.arena);
  state.owners.isCopying = true;
  return sectionsOf(state);
}

function endCopy(state: TableState): void {
  letGoArena(state.arena);
  letGoOwnerBits(state.owners);
}
