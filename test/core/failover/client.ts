/** What serving does to a binding when a client gets, renews or releases a lease, for tests of the engine alone. */
import type { Binding, BindingTable } from '../../../src/core/bindings/binding.ts';
import type { Rights } from '../../../src/core/failover/endpoint-types.ts';
import { addSec, type Ip4, NEVER_AT, type Now, type Sec, sameBytes } from '../../../src/wire/units.ts';

export interface Asked {
  readonly rights: Rights;
  readonly table: BindingTable;
  readonly now: Now;
  readonly scopeId: Ip4;
  readonly hardware: Uint8Array;
}

/** The binding as it is to be stored; undefined when the client gets nothing. */
export function granted(asked: Asked, desired: number): Binding | undefined {
  const { rights, now, scopeId, hardware } = asked;
  const { serves } = rights.service(now, scopeId);
  if (serves === 'none') return undefined;
  const own = held(asked);
  if (serves === 'renew' && (own === undefined || own.leaseEndAt < now.wallAt)) return undefined;
  const binding = own ?? (serves === 'all' ? allocate(asked) : undefined);
  if (binding === undefined) return undefined;
  const isSame = own !== undefined && sameBytes(binding.hardware, hardware);
  const grantedSec = rights.grantSec(now, desired as Sec, isSame ? binding : undefined);
  if (!isSame) {
    binding.ownedAs = binding.state === 'backup' ? 'backup' : 'free';
    binding.told = false;
    binding.stateSinceAt = now.wallAt;
    for (const key of ['sentPotentialAt', 'ackedPotentialAt', 'recvPotentialAt', 'leaseEndAt'] as const)
      binding[key] = NEVER_AT;
  }
  const sentPotentialAt = rights.potentialEndAt(now, desired as Sec, grantedSec, binding);
  return {
    ...binding,
    state: 'active',
    hardware,
    clientId: undefined,
    leaseEndAt: addSec(now.wallAt, grantedSec),
    sentPotentialAt,
    lastTransactionAt: now.wallAt,
    grantedHere: true,
    dirty: true,
  };
}

function allocate({ rights, table, now, scopeId }: Asked): Binding | undefined {
  const order = rights.own === 'free' ? (['free', 'backup'] as const) : (['backup', 'free'] as const);
  for (const owner of order) {
    const refuses = (address: Ip4): boolean => !rights.mayAllocate(now, table.find(address)!);
    const address = table.nextFree(scopeId, owner, refuses, 1000);
    if (address !== undefined) return table.find(address);
  }
  return undefined;
}

export function released(asked: Asked): Binding | undefined {
  const binding = asked.rights.service(asked.now, asked.scopeId).serves === 'all' ? held(asked) : undefined;
  if (binding === undefined) return undefined;
  const { wallAt } = asked.now;
  return { ...binding, state: 'released', stateSinceAt: wallAt, lastTransactionAt: wallAt, dirty: true };
}

function held({ table, hardware, scopeId }: Asked): Binding | undefined {
  return table.findByHardware(hardware, scopeId).find((binding) => binding.state === 'active');
}
