/**
 * A lease that another server gave, taken over as if this server had granted it. The promise exists already, so its end is kept
 * as it is; what is judged is whether the address may be this client's here: by the configuration, by what the table knows, and
 * by the rights of the relationship (failover specification 5.1, 5.5). A living binding of another client is never touched.
 */
import { type EpochSec, INFINITE_AT, INFINITE_SEC, NEVER_AT, type Now, type Sec } from '../../wire/units.ts';
import { type Binding, emptyBinding } from '../bindings/binding.ts';
import type { Rights } from '../failover/endpoint-types.ts';
import { mayGive } from './address-standing.ts';
import type { ServingParts } from './asking.ts';
import { abandoned } from './decline.ts';
import { IP_FLAG_RESERVED } from './option-codes.ts';
import { isHolder, isReservedFor, type ReservedAddress } from './reservations.ts';
import { isExcluded, isInRange, type ScopeView } from './scope-index.ts';
import type { ImportRefusal, ImportVerdict, LeaseToImport } from './serving-types.ts';

/** Where and under which rule one lease is being taken over. */
interface Importing {
  readonly parts: ServingParts;
  readonly now: Now;
  readonly scope: ScopeView;
  readonly rights: Rights;
  readonly reserved: ReservedAddress | undefined;
  readonly binding: Binding;
}

const PRESENT: ImportVerdict = { kind: 'present' };

/**
 * Decides on one lease, and unless `isTrial` is set makes the binding in the table when the verdict is `made`: the caller then
 * makes it durable and tells the relationship, as for a decision.
 */
export function importLease(parts: ServingParts, now: Now, lease: LeaseToImport, isTrial: boolean): ImportVerdict {
  const scope = parts.scopes.find(lease.address);
  const binding = parts.bindings.find(lease.address);
  if (scope === undefined || binding === undefined) return refused('unknown-scope');
  if (lease.endAt <= now.wallAt) return refused('over');
  const reserved = scope.reservations.at(lease.address);
  if (reserved === undefined && !isInRange(scope, lease.address)) {
    return refused(isExcluded(scope, lease.address) ? 'excluded' : 'outside-pool');
  }
  const rights = parts.rightsOf(scope.id);
  if (rights.service(now, scope.id).serves !== 'all') return refused('not-serving');
  const importing: Importing = { parts, now, scope, rights, reserved, binding };
  const after = lease.state === 'declined' ? setAside(importing, lease) : leased(importing, lease);
  if (after.kind !== 'binding') return after;
  if (!isTrial) {
    parts.bindings.change(after.binding);
    parts.offers.release(lease.address);
  }
  return { kind: 'made', isPartnerUntold: after.binding.state === 'active' && isPartnerUntold(importing, lease) };
}

type After = ImportVerdict | { readonly kind: 'binding'; readonly binding: Binding };

function leased(importing: Importing, lease: LeaseToImport): After {
  const { now, rights, reserved, binding } = importing;
  if (reserved !== undefined && !isReservedFor(reserved, lease)) return refused('reserved');
  const isOwn = isHolder(binding, lease, reserved);
  if (binding.state === 'active') {
    if (!isOwn) return refused('held');
    // What this server knows of its own client is never shortened or put back by what another one knew.
    const isKnown = binding.leaseEndAt >= lease.endAt || saidAt(lease, now) < binding.lastTransactionAt;
    return isKnown ? PRESENT : { kind: 'binding', binding: renewed(importing, lease, binding) };
  }
  if (binding.state === 'abandoned') return refused('set-aside');
  if (isOwn && binding.lastTransactionAt > saidAt(lease, now)) return refused('newer');
  const isForEver = lease.endAt === INFINITE_AT;
  if (!mayGive(rights, now, binding, { isReserved: reserved !== undefined, isForEver })) return whyNot(binding);
  return { kind: 'binding', binding: renewed(importing, lease, emptyBinding(binding.address, ownerOf(binding))) };
}

function setAside({ now, rights, reserved, binding, parts }: Importing, lease: LeaseToImport): After {
  if (binding.state === 'active') return refused('held');
  if (binding.state === 'abandoned') return PRESENT;
  const holdSec = parts.settings.declineHoldSec;
  // Whoever had the address here after it was declined there found nothing wrong with it, or its time aside is over.
  if (lease.startAt !== NEVER_AT && binding.stateSinceAt > lease.startAt) return refused('newer');
  if (!mayGive(rights, now, binding, { isReserved: reserved !== undefined, isForEver: false })) return whyNot(binding);
  return {
    kind: 'binding',
    binding: { ...abandoned(binding, now, rights), stateSinceAt: asideSinceAt(lease, now, holdSec) },
  };
}

/** The lease upon `base`: the client's own binding, or an empty one for a client that is new here. */
function renewed({ now, rights, reserved, binding, scope }: Importing, lease: LeaseToImport, base: Binding): Binding {
  const isReservedByHardware = reserved?.reservation.client.kind === 'hardware';
  const hasPartner = rights.relationshipName !== undefined;
  const remainingSec = remaining(lease, now);
  const desiredSec = Math.max(remainingSec, scope.leaseSec) as Sec;
  return {
    ...base,
    state: 'active',
    // As for a lease that is granted here (`isKnownByHardware`).
    clientId: isReservedByHardware ? undefined : lease.clientId,
    hardware: lease.hardware,
    hostName: lease.hostName ?? base.hostName,
    leaseEndAt: lease.endAt,
    sentPotentialAt: hasPartner ? rights.potentialEndAt(now, desiredSec, remainingSec, base) : base.sentPotentialAt,
    lastTransactionAt: saidAt(lease, now),
    stateSinceAt: binding.state === 'active' ? binding.stateSinceAt : now.wallAt,
    ipFlags: reserved === undefined ? 0 : IP_FLAG_RESERVED,
    dirty: hasPartner,
    ownedAs: ownerOf(binding),
    grantedHere: true,
  };
}

function ownerOf(binding: Binding): 'free' | 'backup' {
  return binding.state === 'free' || binding.state === 'backup' ? binding.state : binding.ownedAs;
}

/** Such that the time aside ends when it would have ended there, but is never longer than one that begins now. */
function asideSinceAt(lease: LeaseToImport, now: Now, holdSec: number): EpochSec {
  const since = Math.max(lease.startAt, lease.endAt - holdSec);
  return lease.endAt === INFINITE_AT ? now.wallAt : (Math.min(since, now.wallAt) as EpochSec);
}

/** A clock there that was ahead of ours must not make the lease newer than anything that happens here next. */
function saidAt(lease: LeaseToImport, now: Now): EpochSec {
  return lease.startAt === NEVER_AT ? now.wallAt : (Math.min(lease.startAt, now.wallAt) as EpochSec);
}

function remaining(lease: LeaseToImport, now: Now): Sec {
  return lease.endAt === INFINITE_AT ? INFINITE_SEC : ((lease.endAt - now.wallAt) as Sec);
}

/** The partner hears of the lease at its next contact; it runs longer than a grant could that the partner does not know of. */
function isPartnerUntold({ rights, now }: Importing, lease: LeaseToImport): boolean {
  if (rights.relationshipName === undefined || rights.isNormal()) return false;
  const remainingSec = remaining(lease, now);
  return rights.grantSec(now, remainingSec, undefined) < remainingSec;
}

function whyNot(binding: Binding): ImportVerdict {
  return refused(binding.state === 'free' || binding.state === 'backup' ? 'partners' : 'unsettled');
}

function refused(why: ImportRefusal): ImportVerdict {
  return { kind: 'refused', why };
}
