/**
 * Which address a client is offered. In order: the one reserved for it, the one it has, the one it was offered a moment ago, the
 * one it had last, the one it asks for, the one that is unused longest, and, where the rights allow it, one of the partner's.
 */
import { formatIp4, type Ip4 } from '../../wire/units.ts';
import type { AvailableState, Binding } from '../bindings/binding.ts';
import { reservationOf, type Standing, standingOf } from './address-standing.ts';
import { type Asking, note } from './asking.ts';
import { isSameClient } from './client-view.ts';
import { isKnownByHardware, isNamedByAddress } from './reservations.ts';
import { isInRange, type Link, type ScopeView } from './scope-index.ts';

export interface Choice {
  readonly scope: ScopeView;
  readonly address: Ip4;
  readonly standing: Standing & { readonly kind: 'own' | 'allocatable' };
  /** Why this one, for the trace: "the client's last address". */
  readonly how: string;
}

const TRANSITORY_TRIED_MAX = 64;

/** Chooses among the scopes of the link that this server answers for now, in the order given; undefined when there is none. */
export function chooseAddress(asking: Asking, link: Link, eligible: readonly ScopeView[]): Choice | undefined {
  const known = eligible.map((scope) => bindingsOf(asking, scope));
  return (
    reservedOne(asking, eligible) ??
    knownOne(asking, eligible, known, 'active', "the client's present address") ??
    offeredOne(asking, link, eligible) ??
    knownOne(asking, eligible, known, 'over', "the client's last address") ??
    requestedOne(asking, eligible) ??
    freeOne(asking, eligible) ??
    partnersOne(asking, eligible) ??
    transitoryOne(asking, eligible)
  );
}

/** The bindings of this client in the scope, newest first; those known by its hardware address alone come last. */
export function bindingsOf(asking: Asking, scope: ScopeView): Binding[] {
  const { view, parts } = asking;
  const byId = view.clientId === undefined ? [] : parts.bindings.findByClientId(view.clientId, scope.id);
  if (view.hardware === undefined) return byId;
  const others = parts.bindings
    .findByHardware(view.hardware, scope.id)
    .filter((binding) =>
      view.clientId === undefined
        ? isSameClient(view, binding.clientId, binding.hardware) || isNamedByAddress(binding, view)
        : isKnownByHardware(binding),
    );
  return others.length === 0 ? byId : [...byId, ...others];
}

function reservedOne(asking: Asking, eligible: readonly ScopeView[]): Choice | undefined {
  for (const scope of eligible) {
    const reserved = reservationOf(asking, scope);
    if (reserved === undefined) continue;
    const choice = taken(asking, scope, reserved.address, 'reserved for this client');
    if (choice !== undefined) return choice;
  }
  return undefined;
}

function knownOne(
  asking: Asking,
  eligible: readonly ScopeView[],
  known: readonly Binding[][],
  which: 'active' | 'over',
  how: string,
): Choice | undefined {
  for (let i = 0; i < eligible.length; i++) {
    for (const binding of known[i]!) {
      if ((binding.state === 'active') !== (which === 'active')) continue;
      const choice = taken(asking, eligible[i]!, binding.address, how);
      if (choice !== undefined) return choice;
    }
  }
  return undefined;
}

function offeredOne(asking: Asking, link: Link, eligible: readonly ScopeView[]): Choice | undefined {
  const offer = asking.parts.offers.of(asking.now.monoMs, asking.view.key, link.key);
  const scope = offer === undefined ? undefined : eligible.find(({ id }) => id === offer.scopeId);
  if (offer === undefined || scope === undefined) return undefined;
  return taken(asking, scope, offer.address, 'offered to the client before');
}

function requestedOne(asking: Asking, eligible: readonly ScopeView[]): Choice | undefined {
  const requested = asking.view.requestedAddress;
  if (requested === undefined) return undefined;
  const scope = eligible.find(({ first, last }) => requested >= first && requested <= last);
  if (scope === undefined) {
    note(asking, `asks for ${formatIp4(requested)}, which is not of this network`);
    return undefined;
  }
  return taken(asking, scope, requested, 'the one the client asks for');
}

function freeOne(asking: Asking, eligible: readonly ScopeView[]): Choice | undefined {
  for (const scope of eligible) {
    const rights = asking.parts.rightsOf(scope.id);
    const address = nextAvailable(asking, scope, rights.own, () => false);
    const choice = address === undefined ? undefined : taken(asking, scope, address, 'unused longest');
    if (choice !== undefined) return choice;
    note(asking, `no free address in ${scope.idText}`);
  }
  return undefined;
}

/** Failover specification 5.5: after the waits of PARTNER-DOWN what was the partner's may be given out too. */
function partnersOne(asking: Asking, eligible: readonly ScopeView[]): Choice | undefined {
  const { now, parts } = asking;
  for (const scope of eligible) {
    const rights = parts.rightsOf(scope.id);
    const usableAt = rights.partnersUsableAt(now);
    if (usableAt === undefined || usableAt > now.wallAt) continue;
    const other: AvailableState = rights.own === 'free' ? 'backup' : 'free';
    const address = nextAvailable(asking, scope, other, (candidate) => {
      const binding = parts.bindings.find(candidate);
      return binding === undefined || !rights.mayAllocate(now, binding);
    });
    const choice =
      address === undefined ? undefined : taken(asking, scope, address, "the partner's, and its wait is over");
    if (choice !== undefined) return choice;
  }
  return undefined;
}

/** The last resort: leases that are over and wait for an agreement that the rights say is not needed any more. */
function transitoryOne(asking: Asking, eligible: readonly ScopeView[]): Choice | undefined {
  for (const scope of eligible) {
    // Full scopes have many of these, and outside PARTNER-DOWN the answer is the same for all.
    if (asking.parts.rightsOf(scope.id).mayTakeEnded?.() === false) continue;
    for (const address of asking.parts.bindings.scanTransitory(scope.id, scope.id, TRANSITORY_TRIED_MAX)) {
      const choice = taken(asking, scope, address, "another client's lease that is over");
      if (choice !== undefined) return choice;
    }
  }
  return undefined;
}

function nextAvailable(
  asking: Asking,
  scope: ScopeView,
  owner: AvailableState,
  refuse: (address: Ip4) => boolean,
): Ip4 | undefined {
  const { parts, now } = asking;
  return parts.candidates.next({
    bindings: parts.bindings,
    scopeId: scope.id,
    owner,
    heldCount: parts.offers.pending(scope.id),
    refuse: (address) =>
      parts.offers.holderOf(now.monoMs, address) !== undefined ||
      !isInRange(scope, address) ||
      scope.reservations.at(address) !== undefined ||
      refuse(address),
  });
}

/** The address as a choice if the client may have it; else the reason goes into the trace. */
function taken(asking: Asking, scope: ScopeView, address: Ip4, how: string): Choice | undefined {
  const standing = standingOf(asking, scope, address);
  if (standing.kind === 'own' || standing.kind === 'allocatable') return { scope, address, standing, how };
  note(asking, `${how}: ${standing.why}`);
  return undefined;
}
