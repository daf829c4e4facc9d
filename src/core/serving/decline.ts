/**
 * DHCPDECLINE (RFC 2131 4.3.3): the client found the address in use. It is set aside for a time, but only on the word of the
 * client that it was given to, so that nobody can empty a pool by declining what others have.
 */
import { type EpochSec, formatIp4, type Ip4, NEVER_AT, type Now } from '../../wire/units.ts';
import { type Binding, type BindingTable, emptyBinding } from '../bindings/binding.ts';
import type { Rights } from '../failover/endpoint-types.ts';
import { reservationOf } from './address-standing.ts';
import { type Asking, done, drop } from './asking.ts';
import { isHolder } from './reservations.ts';
import { serverIdIs } from './scope-choice.ts';
import type { Decision } from './serving-types.ts';

export function decideDecline(asking: Asking): Decision {
  const { view, parts, now } = asking;
  if (view.serverId !== undefined && serverIdIs(asking, view.serverId) === 'other') {
    return drop(asking, undefined, 'other-server-chosen', `the decline is for ${formatIp4(view.serverId)}`);
  }
  const address = view.requestedAddress;
  if (address === undefined) return drop(asking, undefined, 'malformed', 'a decline without an address');
  const scope = parts.scopes.find(address);
  const binding = parts.bindings.find(address);
  if (scope === undefined || binding === undefined) {
    return drop(asking, undefined, 'no-scope', `no scope holds ${formatIp4(address)}`);
  }
  const rights = parts.rightsOf(scope.id);
  const service = rights.service(now, scope.id);
  if (service.serves !== 'all') return drop(asking, scope, 'not-serving', service.why);
  const reserved = reservationOf(asking, scope);
  const isLeased = binding.state === 'active' && isHolder(binding, view, reserved);
  const isOffered = binding.state !== 'active' && parts.offers.holderOf(now.monoMs, address) === view.key;
  if (!isLeased && !isOffered) {
    return drop(asking, scope, 'unknown-lease', `${formatIp4(address)} is not this client's to decline`);
  }
  parts.offers.release(address);
  parts.bindings.change(abandoned(binding, now, rights));
  return done(asking, scope, `${formatIp4(address)} is in use by somebody else: set aside`, [address]);
}

/** Set aside, without client data (failover specification 1.6). */
export function abandoned(binding: Binding, now: Now, rights: Rights): Binding {
  return {
    ...emptyBinding(binding.address, binding.ownedAs),
    state: 'abandoned',
    // The partner may have promised the address for longer; the waits of specification 5.5 still need to know.
    sentPotentialAt: binding.sentPotentialAt,
    ackedPotentialAt: binding.ackedPotentialAt,
    recvPotentialAt: binding.recvPotentialAt,
    leaseEndAt: NEVER_AT,
    lastTransactionAt: now.wallAt,
    stateSinceAt: now.wallAt,
    dirty: rights.relationshipName !== undefined,
    told: binding.told,
    ownedAs: binding.ownedAs,
    grantedHere: true,
  };
}

export interface DeclineSweep {
  readonly scopeId: Ip4;
  /** Where the sweep before stopped; the scope's own address to begin. */
  readonly from: Ip4;
  /** Records looked at in one call. */
  readonly limit: number;
  readonly declineHoldSec: number;
}

/**
 * Gives back the addresses whose time aside is over: at once where there is no partner, else by way of RESET, which the partner
 * must agree to (failover specification 5.2), and not while a lost store may hold a lease of the address. To be called with the timer, a part of a scope at a time; `next` is where to go on,
 * undefined at the end. The caller makes the changes durable and tells the relationship, as for a decision.
 */
export function endDeclines(
  now: Now,
  bindings: BindingTable,
  rights: Rights,
  sweep: DeclineSweep,
): { readonly changed: readonly Ip4[]; readonly next: Ip4 | undefined } {
  const seen = bindings.scan(sweep.scopeId, sweep.from, sweep.limit);
  const changed: Ip4[] = [];
  const hasPartner = rights.relationshipName !== undefined;
  for (const binding of seen) {
    if (binding.state !== 'abandoned' || binding.stateSinceAt + sweep.declineHoldSec > now.wallAt) continue;
    if (rights.mayReset?.(now, binding) === false) continue;
    bindings.change(
      hasPartner
        ? { ...binding, state: 'reset', stateSinceAt: now.wallAt, dirty: true }
        : { ...emptyBinding(binding.address, 'free'), stateSinceAt: now.wallAt as EpochSec },
    );
    changed.push(binding.address);
  }
  const last = seen[seen.length - 1];
  const isEnd = last === undefined || seen.length < sweep.limit;
  return { changed, next: isEnd ? undefined : ((last.address + 1) as Ip4) };
}
