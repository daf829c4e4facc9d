/** Whether two bindings say the same, field by field. */
import type { Binding } from '../core/bindings/binding.ts';
import { sameBytes } from '../wire/units.ts';

const PLAIN_FIELDS = [
  'state',
  'dnsFlags',
  'leaseEndAt',
  'sentPotentialAt',
  'ackedPotentialAt',
  'recvPotentialAt',
  'lastTransactionAt',
  'stateSinceAt',
  'ipFlags',
] as const satisfies readonly (keyof Binding)[];
const OCTET_FIELDS = [
  'clientId',
  'hardware',
  'hostName',
  'relayInfo',
  'policy',
] as const satisfies readonly (keyof Binding)[];

export function isSameBinding(a: Binding, b: Binding): boolean {
  return a.dirty === b.dirty && isSameLease(a, b);
}

/** But for what is still owed to the partner. */
export function isSameLease(a: Binding, b: Binding): boolean {
  for (const field of PLAIN_FIELDS) if (a[field] !== b[field]) return false;
  for (const field of OCTET_FIELDS) if (!sameBytes(a[field], b[field])) return false;
  // These speak of a lease; an available address has none.
  if (a.state === 'free' || a.state === 'backup') return true;
  return a.told === b.told && a.ownedAs === b.ownedAs && a.grantedHere === b.grantedHere;
}
