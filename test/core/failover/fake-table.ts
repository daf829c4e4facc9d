/**
 * A binding table of plain maps for the tests of the engine: slow, small and obviously right. The real one is tested elsewhere.
 */
import {
  type AvailableState,
  type Binding,
  type BindingTable,
  emptyBinding,
  type PoolCounts,
  type PoolShape,
} from '../../../src/core/bindings/binding.ts';
import { type EpochSec, INFINITE_AT, type Ip4, maskOf, sameBytes } from '../../../src/wire/units.ts';

interface Pool {
  shape: PoolShape;
  owner: AvailableState;
}

export function makeFakeTable(): BindingTable {
  const pools = new Map<Ip4, Pool>();
  const records = new Map<Ip4, Binding>();

  const scopeOf = (address: Ip4): Ip4 | undefined => {
    for (const { shape } of pools.values())
      if ((address & maskOf(shape.prefixLength)) >>> 0 === shape.scopeId >>> 0) return shape.scopeId;
    return undefined;
  };
  const isIn = (shape: PoolShape, address: Ip4): boolean =>
    address >= shape.firstAddress &&
    address <= shape.lastAddress &&
    !shape.exclusions.some((e) => address >= e.first && address <= e.last) &&
    !shape.reserved.includes(address);
  const poolOf = (address: Ip4): Pool | undefined => {
    const scopeId = scopeOf(address);
    return scopeId === undefined ? undefined : pools.get(scopeId);
  };
  const find = (address: Ip4): Binding | undefined => {
    const pool = poolOf(address);
    if (pool === undefined) return undefined;
    const record = records.get(address);
    return record === undefined ? emptyBinding(address, pool.owner) : { ...record };
  };
  const inPool = (scopeId: Ip4): Binding[] => {
    const pool = pools.get(scopeId);
    const found: Binding[] = [];
    if (pool === undefined) return found;
    for (let a = pool.shape.firstAddress; a <= pool.shape.lastAddress; a = (a + 1) as Ip4)
      if (isIn(pool.shape, a)) found.push(find(a)!);
    return found;
  };
  const withRecord = (scopeId: Ip4): Binding[] =>
    [...records.values()].filter((b) => scopeOf(b.address) === scopeId).sort((a, b) => a.address - b.address);
  const matching = (scopeId: Ip4 | undefined, limit: number, test: (b: Binding) => boolean): Binding[] =>
    [...records.values()]
      .filter((b) => (scopeId === undefined || scopeOf(b.address) === scopeId) && test(b))
      .sort((a, b) => b.lastTransactionAt - a.lastTransactionAt)
      .slice(0, limit)
      .map((b) => ({ ...b }));
  const due = (at: EpochSec): Binding[] =>
    [...records.values()]
      .filter((b) => b.state === 'active' && b.leaseEndAt !== INFINITE_AT && b.leaseEndAt <= at)
      .sort((a, b) => a.leaseEndAt - b.leaseEndAt || a.address - b.address);

  return {
    setPool(shape, initialOwner) {
      pools.set(shape.scopeId, { shape, owner: pools.get(shape.scopeId)?.owner ?? initialOwner });
    },
    removePool(scopeId) {
      for (const b of withRecord(scopeId)) records.delete(b.address);
      pools.delete(scopeId);
    },
    pools: () => [...pools.values()].map((pool) => pool.shape),
    scopeOf,
    isInPool(address) {
      const pool = poolOf(address);
      return pool !== undefined && isIn(pool.shape, address);
    },
    find,
    findByClientId: (clientId, scopeId, limit = 16) => matching(scopeId, limit, (b) => sameBytes(b.clientId, clientId)),
    findByHardware: (hardware, scopeId, limit = 16) => matching(scopeId, limit, (b) => sameBytes(b.hardware, hardware)),
    change(binding) {
      if (scopeOf(binding.address) === undefined) throw new Error('change outside all scopes');
      records.set(binding.address, { ...binding });
    },
    nextFree(scopeId, owner, skip, limit = 64) {
      const free = inPool(scopeId)
        .filter((b) => b.state === owner)
        .sort((a, b) => a.stateSinceAt - b.stateSinceAt || a.address - b.address);
      return free.slice(0, limit).find((b) => skip?.(b.address) !== true)?.address;
    },
    counts(scopeId): PoolCounts {
      const all = inPool(scopeId);
      const count = (...states: string[]): number => all.filter((b) => states.includes(b.state)).length;
      return {
        free: count('free'),
        backup: count('backup'),
        active: count('active'),
        transitory: count('expired', 'released', 'reset'),
        abandoned: count('abandoned'),
        total: all.length,
        activeOutside: 0,
      };
    },
    dirtyCount: (scopeId) => withRecord(scopeId).filter((b) => b.dirty).length,
    takeDue: (at, limit, isWanted = () => true) =>
      due(at)
        .filter((b) => isWanted(scopeOf(b.address)!))
        .slice(0, limit)
        .map((b) => b.address),
    dueAt: () => due(INFINITE_AT)[0]?.leaseEndAt,
    scan: (scopeId, from, limit) =>
      withRecord(scopeId)
        .filter((b) => b.address >= from)
        .slice(0, limit)
        .map((b) => ({ ...b })),
    scanAll: (scopeId, from, limit) =>
      inPool(scopeId)
        .filter((b) => b.address >= from)
        .slice(0, limit),
    scanDirty: (scopeId, from, limit) =>
      withRecord(scopeId)
        .filter((b) => b.dirty && b.address >= from)
        .slice(0, limit)
        .map((b) => b.address),
    scanTransitory: (scopeId, from, limit) =>
      withRecord(scopeId)
        .filter((b) => ['expired', 'released', 'reset'].includes(b.state) && b.address >= from)
        .slice(0, limit)
        .map((b) => b.address),
    giveAll(scopeId, owner) {
      const pool = pools.get(scopeId);
      if (pool === undefined) return;
      pool.owner = owner;
      for (const b of withRecord(scopeId))
        if (b.state === 'free' || b.state === 'backup') records.set(b.address, { ...b, state: owner, ownedAs: owner });
    },
    get size() {
      return records.size;
    },
  };
}
