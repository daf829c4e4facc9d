/**
 * What taking scopes out of a relationship must not forget, as pure rules: which of the two servers can keep them, whether the leaving one
 * can tell what it granted, and what becomes of the waits that a lost store left (failover specification 5.5, 6.5). A scope without
 * relationship knows no waits but the ends of its leases, so these are moved.
 */
import type { EpochSec, Ip4, Now, Sec } from '../../wire/units.ts';
import type { Binding } from '../bindings/binding.ts';
import type { EndpointStatus } from '../failover/endpoint-types.ts';
import { forgottenLeaseEndsAt, recoverWaitEndsAt } from '../failover/times.ts';

/** What a server does not know of the leases of a scope. */
export type Lack =
  /** The partner has them, and has not told them yet. */
  | { readonly kind: 'unfetched' }
  /** It forgot leases of its own, which may run until then. */
  | { readonly kind: 'forgotten'; readonly untilAt: EpochSec };

/** Why the called server cannot keep these scopes: alone it would give addresses to new clients that are leased to others. */
export function lackOfKeeper(status: EndpointStatus, scopeIds: readonly Ip4[], now: Now): Lack | undefined {
  const isUnfetched =
    status.lacks !== undefined ||
    status.state === 'recover' ||
    scopeIds.some((scopeId) => status.silentScopeIds.includes(scopeId));
  if (isUnfetched) return { kind: 'unfetched' };
  const untilAt = status.recoverWaitUntilAt;
  return now.wallAt < untilAt ? { kind: 'forgotten', untilAt } : undefined;
}

/**
 * Why the leaving server cannot tell all that it granted, though no update waits: it lost its store. A half that was just made never gave
 * a lease, and one whose partner went on alone remembers its own.
 */
export function lackOfLeaving(status: EndpointStatus, now: Now): Lack | undefined {
  const { loss } = status;
  if (loss === undefined) return undefined;
  if (status.lacks === 'everything') return { kind: 'unfetched' };
  const untilAt = status.recoverWaitUntilAt;
  const isOfLoss = now.wallAt < recoverWaitEndsAt(loss.at, loss.waitMcltSec, allowanceOf(status));
  return isOfLoss && now.wallAt < untilAt ? { kind: 'forgotten', untilAt } : undefined;
}

/** The binding as it must be in a scope that leaves the relationship after a loss; undefined where it may stay as it is. */
export function heldAfterLoss(
  binding: Binding,
  status: EndpointStatus,
  now: Now,
  declineHoldSec: number,
): Binding | undefined {
  const { loss } = status;
  if (loss === undefined) return undefined;
  const untilAt = forgottenLeaseEndsAt(binding, loss.at, loss.waitMcltSec, allowanceOf(status));
  return heldUntil(binding, untilAt, now, declineHoldSec);
}

/**
 * The binding so that no other client gets its address before `untilAt`: a lease ends then, an end that was not agreed is taken back, and
 * what is set aside stays aside. Undefined where nothing need change.
 */
export function heldUntil(binding: Binding, untilAt: EpochSec, now: Now, declineHoldSec: number): Binding | undefined {
  if (untilAt <= now.wallAt) return undefined;
  switch (binding.state) {
    case 'active':
      return untilAt > binding.leaseEndAt ? { ...binding, leaseEndAt: untilAt } : undefined;
    case 'expired':
    case 'released':
      return { ...binding, state: 'active', leaseEndAt: untilAt };
    case 'abandoned':
    case 'reset': {
      const sinceAt = Math.max(untilAt - declineHoldSec, binding.stateSinceAt) as EpochSec;
      const isAside = binding.state === 'abandoned' && sinceAt === binding.stateSinceAt;
      return isAside ? undefined : { ...binding, state: 'abandoned', stateSinceAt: sinceAt };
    }
    case 'free':
    case 'backup':
      return undefined;
    default:
      return binding.state satisfies never;
  }
}

function allowanceOf(status: EndpointStatus): Sec {
  return (status.allowanceSec ?? 0) as Sec;
}
