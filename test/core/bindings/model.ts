/**
 * A binding table as plainly as it can be said: maps of values, every answer found by looking at everything. The real one must
 * give the same answers.
 */
import { isDeepStrictEqual } from 'node:util';
import type { AvailableState, Binding, PoolCounts, PoolShape } from '../../../src/core/bindings/binding.ts';
import { emptyBinding } from '../../../src/core/bindings/binding.ts';
import { type EpochSec, INFINITE_AT, type Ip4, ip4, maskOf, sameBytes } from '../../../src/wire/units.ts';

interface ModelPool {
  shape: PoolShape;
  readonly neverOwners: Map<Ip4, AvailableState>;
}

export class Model {
  readonly pools = new Map<Ip4, ModelPool>();
  readonly records = new Map<Ip4, Binding>();

  setPool(shape: PoolShape, initialOwner: AvailableState): void {
    const before = this.pools.get(shape.scopeId);
    const pool: ModelPool = { shape, neverOwners: new Map() };
    for (const address of addressesOf(shape)) {
      const had = before?.neverOwners.get(address);
      const entered = before === undefined || (isMember(shape, address) && !isMember(before.shape, address));
      pool.neverOwners.set(address, entered || had === undefined ? initialOwner : had);
    }
    this.pools.set(shape.scopeId, pool);
  }

  removePool(scopeId: Ip4): void {
    const pool = this.pools.get(scopeId);
    if (pool === undefined) return;
    for (const address of pool.neverOwners.keys()) this.records.delete(address);
    this.pools.delete(scopeId);
  }

  poolOf(address: Ip4): ModelPool | undefined {
    return [...this.pools.values()].find((pool) => pool.neverOwners.has(address));
  }

  find(address: Ip4): Binding | undefined {
    const pool = this.poolOf(address);
    if (pool === undefined) return undefined;
    return this.records.get(address) ?? emptyBinding(address, pool.neverOwners.get(address)!);
  }

  change(binding: Binding): void {
    const isAvailable = binding.state === 'free' || binding.state === 'backup';
    const says = { ...binding, told: false, grantedHere: false, ownedAs: binding.state, stateSinceAt: 0 };
    const bare = emptyBinding(binding.address, binding.state as AvailableState);
    if (isAvailable && isDeepStrictEqual(says, bare)) {
      this.records.delete(binding.address);
      this.poolOf(binding.address)!.neverOwners.set(binding.address, binding.state as AvailableState);
    } else this.records.set(binding.address, { ...binding });
  }

  giveAll(scopeId: Ip4, owner: AvailableState): void {
    const { neverOwners } = this.pools.get(scopeId)!;
    for (const address of neverOwners.keys()) {
      neverOwners.set(address, owner);
      const record = this.records.get(address);
      if (record !== undefined && (record.state === 'free' || record.state === 'backup')) record.state = owner;
    }
  }

  inScope(scopeId: Ip4): Binding[] {
    const { neverOwners } = this.pools.get(scopeId)!;
    return [...neverOwners.keys()].map((address) => this.find(address)!).sort((a, b) => a.address - b.address);
  }

  inPool(scopeId: Ip4): Binding[] {
    const { shape } = this.pools.get(scopeId)!;
    return this.inScope(scopeId).filter((binding) => isMember(shape, binding.address));
  }

  available(scopeId: Ip4, owner: AvailableState): Ip4[] {
    const mine = this.inPool(scopeId).filter((binding) => binding.state === owner);
    const never = mine.filter((binding) => !this.records.has(binding.address));
    const used = mine.filter((binding) => this.records.has(binding.address));
    used.sort((a, b) => a.stateSinceAt - b.stateSinceAt || a.address - b.address);
    return [...never, ...used].map((binding) => binding.address);
  }

  counts(scopeId: Ip4): PoolCounts {
    const pool = this.inPool(scopeId);
    const members = new Set(pool.map((binding) => binding.address));
    const count = (states: readonly string[]): number => pool.filter((b) => states.includes(b.state)).length;
    return {
      free: count(['free']),
      backup: count(['backup']),
      active: count(['active']),
      transitory: count(['expired', 'released', 'reset']),
      abandoned: count(['abandoned']),
      total: pool.length,
      activeOutside: this.inScope(scopeId).filter((b) => b.state === 'active' && !members.has(b.address)).length,
    };
  }

  byKey(key: 'clientId' | 'hardware', wanted: Uint8Array, scopeId?: Ip4): Binding[] {
    return [...this.records.values()]
      .filter((binding) => sameBytes(binding[key], wanted))
      .filter((binding) => scopeId === undefined || this.poolOf(binding.address)!.shape.scopeId === scopeId)
      .sort((a, b) => b.lastTransactionAt - a.lastTransactionAt || a.address - b.address);
  }

  ending(): Binding[] {
    return [...this.records.values()]
      .filter((binding) => binding.state === 'active' && binding.leaseEndAt !== INFINITE_AT)
      .sort((a, b) => a.leaseEndAt - b.leaseEndAt || a.address - b.address);
  }

  dueAt(): EpochSec | undefined {
    return this.ending()[0]?.leaseEndAt;
  }
}

export function isMember(shape: PoolShape, address: Ip4): boolean {
  return (
    address >= shape.firstAddress &&
    address <= shape.lastAddress &&
    !shape.exclusions.some((exclusion) => address >= exclusion.first && address <= exclusion.last) &&
    !shape.reserved.includes(address)
  );
}

export function addressesOf(shape: PoolShape): Ip4[] {
  const first = ip4(shape.scopeId & maskOf(shape.prefixLength));
  return Array.from({ length: 2 ** (32 - shape.prefixLength) }, (_, i) => (first + i) as Ip4);
}
