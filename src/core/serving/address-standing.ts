/**
 * How an address stands toward the client of a packet: its own, another's, to be had, or not. Every form of REQUEST and the
 * choice for a DISCOVER ask the same question here, so that no two of them can answer it differently.
 */
import { formatIp4, type Ip4, type Now } from '../../wire/units.ts';
import type { Binding } from '../bindings/binding.ts';
import type { Rights } from '../failover/endpoint-types.ts';
import { type Asking, mayTrustRelay } from './asking.ts';
import { IP_FLAG_RESERVED } from './option-codes.ts';
import { isHolder, type ReservedAddress } from './reservations.ts';
import { isExcluded, isInRange, type ScopeView } from './scope-index.ts';

export type Standing =
  /** Leased to this client, and the configuration lets it keep it. */
  | { readonly kind: 'own'; readonly binding: Binding; readonly reserved: ReservedAddress | undefined }
  /** The configuration gives the address to nobody: excluded, or outside the range. */
  | { readonly kind: 'barred'; readonly isHolder: boolean; readonly why: string }
  /** Leased to, offered to or reserved for another client. */
  | { readonly kind: 'anothers'; readonly why: string }
  /** May be leased to this client now. `wasHolder`: it is the last one who had it. */
  | {
      readonly kind: 'allocatable';
      readonly binding: Binding;
      readonly wasHolder: boolean;
      readonly reserved: ReservedAddress | undefined;
    }
  /** Nobody's as far as is known here, but not to be given out here and now. `isPartners`: the partner may have given it out. */
  | { readonly kind: 'unavailable'; readonly wasHolder: boolean; readonly isPartners: boolean; readonly why: string };

/** The reservation that this client has in the scope. */
export function reservationOf(asking: Asking, scope: ScopeView): ReservedAddress | undefined {
  return scope.reservations.ofClient(asking.view, mayTrustRelay(asking));
}

export function standingOf(asking: Asking, scope: ScopeView, address: Ip4): Standing {
  const { view, parts } = asking;
  const binding = parts.bindings.find(address);
  if (binding === undefined) return { kind: 'barred', isHolder: false, why: `${formatIp4(address)} is in no pool` };
  const own = reservationOf(asking, scope);
  const reserved = own?.address === address ? own : undefined;
  const holder = isHolder(binding, view, reserved);
  const isKept = holder && binding.state === 'active';
  if (reserved === undefined) {
    if (scope.reservations.at(address) !== undefined) {
      return { kind: 'anothers', why: `${formatIp4(address)} is reserved for another client` };
    }
    if (!isInRange(scope, address)) {
      return {
        kind: 'barred',
        isHolder: isKept,
        why: `${formatIp4(address)} is ${isExcluded(scope, address) ? 'excluded' : "outside the scope's range"}`,
      };
    }
    if (!isKept && !(view.messageType === 'bootp' ? scope.servesBootp : scope.servesDhcp)) {
      return { kind: 'barred', isHolder: false, why: `${scope.idText} does not serve this kind of client` };
    }
  }
  if (binding.state === 'active') {
    return holder
      ? { kind: 'own', binding, reserved }
      : { kind: 'anothers', why: `${formatIp4(address)} is leased to another client` };
  }
  if (reserved === undefined && isOfferedToAnother(asking, address)) {
    return { kind: 'anothers', why: `${formatIp4(address)} is offered to another client` };
  }
  if ((holder && mayRevive(asking, scope, binding)) || mayHave(asking, scope, binding, reserved)) {
    return { kind: 'allocatable', binding, wasHolder: holder, reserved };
  }
  return {
    kind: 'unavailable',
    wasHolder: holder,
    isPartners: binding.state === 'free' || binding.state === 'backup',
    why: `${formatIp4(address)} is ${binding.state} and may not be given out by this server now`,
  };
}

function isOfferedToAnother(asking: Asking, address: Ip4): boolean {
  const holder = asking.parts.offers.holderOf(asking.now.monoMs, address);
  return holder !== undefined && holder !== asking.view.key;
}

/** Failover specification 5.2: a lease that is over goes on for its own client as long as the partner was not told. */
function mayRevive(asking: Asking, scope: ScopeView, binding: Binding): boolean {
  if (binding.state !== 'expired' && binding.state !== 'released') return false;
  const rights = asking.parts.rightsOf(scope.id);
  return rights.mayRevive === undefined || rights.mayRevive(asking.now, binding);
}

function mayHave(asking: Asking, scope: ScopeView, binding: Binding, reserved: ReservedAddress | undefined): boolean {
  const how = { isReserved: reserved !== undefined, isForEver: asking.view.messageType === 'bootp' };
  return mayGive(asking.parts.rightsOf(scope.id), asking.now, binding, how);
}

/** Whether an address may go to a client that does not hold it: reserved for this client or not, with a lease that ends or not. */
export function mayGive(
  rights: Rights,
  now: Now,
  binding: Binding,
  how: { readonly isReserved: boolean; readonly isForEver: boolean },
): boolean {
  if (binding.state === 'abandoned') return false;
  if (!how.isReserved) {
    // Failover specification 7, P4: an address without end is only ever given out of the own share.
    if (how.isForEver && rights.relationshipName !== undefined && binding.state !== rights.own) return false;
    return rights.mayAllocate(now, binding);
  }
  // Failover specification 5.3: a reserved address has one rightful client, so either server may give it to that one whoever
  // it is available to.
  if (binding.state === 'free' || binding.state === 'backup') return true;
  return rights.mayAllocate(now, { ...binding, ipFlags: binding.ipFlags | IP_FLAG_RESERVED });
}
