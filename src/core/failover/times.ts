/**
 * The formulas of MCLT, potential expiry and the waits, as pure functions (failover specification 5.5, 6.2, 6.5). Nothing
 * here knows a state; the callers say which formula applies.
 */
import { addSec, type EpochSec, INFINITE_AT, INFINITE_SEC, NEVER_AT, type Sec } from '../../wire/units.ts';
import type { Binding } from '../bindings/binding.ts';

/** The greatest potential expiry that either server may have based a lease on; for a message also at least the lease's end. */
export function greatestPotentialAt(binding: Binding): EpochSec {
  return Math.max(
    binding.sentPotentialAt,
    binding.ackedPotentialAt,
    binding.recvPotentialAt,
    binding.leaseEndAt,
  ) as EpochSec;
}

/**
 * Specification 6.2: granted = min(D, max(t, ackedPET, recvPET) + M - t). LET is left out of the maximum on purpose: a LET
 * that this server set itself would let every renewal add M to the one before.
 */
export function boundedGrantSec(nowAt: EpochSec, desired: Sec, mclt: Sec, binding: Binding | undefined): Sec {
  const known = binding === undefined ? NEVER_AT : Math.max(binding.ackedPotentialAt, binding.recvPotentialAt);
  if (known === INFINITE_AT) return desired;
  const bound = Math.max(known - nowAt, 0) + mclt;
  return Math.min(desired, bound) as Sec;
}

/** Specification 6.2: PET = t + D + granted/2, at least LET, never below one sent before for the same client. */
export function potentialAfterGrantAt(nowAt: EpochSec, desired: Sec, granted: Sec, sentBefore: EpochSec): EpochSec {
  if (desired === INFINITE_SEC) return INFINITE_AT;
  const reach = addSec(nowAt, desired + Math.floor(granted / 2));
  return Math.max(reach, addSec(nowAt, granted), sentBefore) as EpochSec;
}

/** Specification 5.5, second row: when the partner's available addresses may be used in PARTNER-DOWN. */
export function partnersAddressesUsableAt(partnerDownAt: EpochSec, mclt: Sec, allowance: Sec): EpochSec {
  return addSec(partnerDownAt, mclt + allowance);
}

/**
 * Specification 5.5, rows three to five: when an address whose client is gone may go to another in PARTNER-DOWN.
 * `binding` is active, expired, released or reset.
 */
export function goneClientsAddressUsableAt(
  binding: Binding,
  partnerDownAt: EpochSec,
  mclt: Sec,
  allowance: Sec,
): EpochSec {
  // The partner never heard of this lease, so it cannot have extended it.
  if (isUnheard(binding)) return binding.state === 'active' ? binding.leaseEndAt : NEVER_AT;
  // Specification 5.5 lets a release end the old times. But a client that released here may have come back to the partner,
  // which did not hear of it and bound the new lease by the same potential expiries; so they count for a release too.
  const lastHeardAt = binding.state === 'released' ? Math.max(partnerDownAt, binding.stateSinceAt) : partnerDownAt;
  return addSec(Math.max(lastHeardAt, greatestPotentialAt(binding)) as EpochSec, mclt + allowance);
}

/**
 * Until when a lease may run that a server without memory may have extended: it may have granted up to MCLT beyond what was promised, until
 * the moment of its loss. `NEVER_AT` for a client that was heard of after that.
 */
export function forgottenLeaseEndsAt(binding: Binding, lossAt: EpochSec, mclt: Sec, allowance: Sec): EpochSec {
  if (lossAt === NEVER_AT || binding.lastTransactionAt > lossAt) return NEVER_AT;
  return addSec(Math.max(lossAt, greatestPotentialAt(binding)) as EpochSec, mclt + allowance);
}

/** The partner knows nothing of the present client: nothing was sent about it, nothing came from the partner. */
export function isUnheard(binding: Binding): boolean {
  return !binding.told && binding.recvPotentialAt === NEVER_AT;
}

/** Specification 4.4: RECOVER-WAIT ends MCLT after the last possible grant; no wait for a server that never gave one. */
export function recoverWaitEndsAt(failedAt: EpochSec, mclt: Sec, allowance: Sec): EpochSec {
  return failedAt === NEVER_AT ? NEVER_AT : addSec(failedAt, mclt + allowance);
}

/** Sets what holds for every address that is available by agreement: no times, nobody's lease (specification 6.1). */
export function makeAvailable(binding: Binding, owner: 'free' | 'backup'): void {
  binding.state = owner;
  binding.ownedAs = owner;
  binding.leaseEndAt = NEVER_AT;
  binding.sentPotentialAt = NEVER_AT;
  binding.ackedPotentialAt = NEVER_AT;
  binding.recvPotentialAt = NEVER_AT;
  binding.told = false;
  binding.grantedHere = false;
  binding.dnsFlags = 0;
}

/** Seconds between two clocks, without sign. */
export function skewBetween(theirsAt: EpochSec, oursAt: EpochSec): Sec {
  return Math.abs(theirsAt - oursAt) as Sec;
}
