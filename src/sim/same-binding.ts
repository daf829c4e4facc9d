/** Whether two bindings say the same, field by field. */
import type { Binding } from '../core/bindings/binding.ts';
import { sameBytes } from '../wire/units.ts';

export function isSameBinding(a: Binding, b: Binding): boolean {
  return a.dirty === b.dirty && isSameLease(a, b);
}

/** But for what is still owed to the partner. */
export function isSameLease(a: Binding, b: Binding): boolean {
  const areNumbersSame =
    a.state === b.state &&
    a.dnsFlags === b.dnsFlags &&
    a.leaseEndAt === b.leaseEndAt &&
    a.sentPotentialAt === b.sentPotentialAt &&
    a.ackedPotentialAt === b.ackedPotentialAt &&
    a.recvPotentialAt === b.recvPotentialAt &&
    a.lastTransactionAt === b.lastTransactionAt &&
    a.stateSinceAt === b.stateSinceAt &&
    a.ipFlags === b.ipFlags;
  if (!areNumbersSame) return false;
  const areOctetsSame =
    sameBytes(a.clientId, b.clientId) &&
    sameBytes(a.hardware, b.hardware) &&
    sameBytes(a.hostName, b.hostName) &&
    sameBytes(a.relayInfo, b.relayInfo) &&
    sameBytes(a.policy, b.policy);
  if (!areOctetsSame) return false;
  // These speak of a lease; an available address has none.
  if (a.state === 'free' || a.state === 'backup') return true;
  return a.told === b.told && a.ownedAs === b.ownedAs && a.grantedHere === b.grantedHere;
}
