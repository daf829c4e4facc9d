/**
 * The lease itself: for how long, and what the binding says afterwards. Only the fields that serving owns are set; what is owed
 * to the partner (potential expiry, acknowledgements) is the engine's.
 */
import {
  addSec,
  type EpochSec,
  INFINITE_AT,
  INFINITE_SEC,
  type Ip4,
  NEVER_AT,
  type Sec,
  sameBytes,
} from '../../wire/units.ts';
import { type Binding, emptyBinding } from '../bindings/binding.ts';
import { bindingsOf, type Choice } from './address-choice.ts';
import type { Asking } from './asking.ts';
import type { ClientView } from './client-view.ts';
import { IP_FLAG_BOOTP, IP_FLAG_RESERVED, OPTION } from './option-codes.ts';
import type { LeaseTimes } from './reply.ts';
import { isKnownByHardware } from './reservations.ts';
import type { ScopeView } from './scope-index.ts';

/** A client may ask for a shorter lease (RFC 2131 4.3.1), but not for one that keeps the server busy with it alone. */
export const LEASE_ASKED_SEC_MIN = 60;
const BYTES_KEPT_MAX = 255;
/** Option 81 begins with flags and two result codes (RFC 4702 2). */
const FQDN_HEADER_BYTES = 3;

/** The lease time for this client and address now; the same in an OFFER and in the ACK that follows (specification 6.2). */
export function leaseTimesFor(asking: Asking, choice: Choice): LeaseTimes {
  const { scope, standing } = choice;
  const configured = (standing.reserved?.leaseSec ?? scope.leaseSec) as Sec;
  const asked = asking.view.leaseSec;
  const least = Math.min(configured, LEASE_ASKED_SEC_MIN);
  const desiredSec = (asked === undefined ? configured : Math.min(configured, Math.max(asked, least))) as Sec;
  const own = isContinued(standing) ? standing.binding : undefined;
  return { desiredSec, grantedSec: asking.parts.rightsOf(scope.id).grantSec(asking.now, desiredSec, own) };
}

/** Makes the lease in the table; answers the addresses whose bindings changed. */
export function grant(asking: Asking, choice: Choice, lease: LeaseTimes): readonly Ip4[] {
  return store(asking, choice, lease, 0);
}

/** A BOOTP client's address has no end (RFC 1534 2). */
export function grantForEver(asking: Asking, choice: Choice): readonly Ip4[] {
  return store(asking, choice, { desiredSec: INFINITE_SEC, grantedSec: INFINITE_SEC }, IP_FLAG_BOOTP);
}

/** Whether the address goes on being the same client's, so that what the partner knows of it still counts. */
function isContinued(standing: Choice['standing']): boolean {
  return standing.kind === 'own' || standing.wasHolder;
}

function store(asking: Asking, choice: Choice, lease: LeaseTimes, flags: number): readonly Ip4[] {
  const { scope, standing, address } = choice;
  const { now, view, parts } = asking;
  const before = standing.binding;
  const isRenewal = standing.kind === 'own';
  // A new client starts from nothing, whatever was known of the one before (failover specification 6.1).
  const base = isContinued(standing) ? before : emptyBinding(address, before.ownedAs);
  const isReservedByHardware = standing.reserved?.reservation.client.kind === 'hardware';
  const owner = before.state === 'free' || before.state === 'backup' ? before.state : undefined;
  const rights = parts.rightsOf(scope.id);
  const hasPartner = rights.relationshipName !== undefined;
  parts.bindings.change({
    ...base,
    state: 'active',
    // A client that is the holder without naming itself stays named as it was, for the partner too (`isNamedByAddress`).
    clientId: isReservedByHardware ? undefined : (view.clientId ?? base.clientId),
    hardware: view.hardware,
    hostName: hostNameOf(asking) ?? base.hostName,
    relayInfo: relayInfoOf(view) ?? base.relayInfo,
    leaseEndAt: promisedUntil(before, isRenewal, addSec(now.wallAt, lease.grantedSec)),
    // What the partner is told to expect reaches further than the lease, so that the next renewal gets all it wants
    // (failover specification 6.2).
    sentPotentialAt: hasPartner
      ? rights.potentialEndAt(now, lease.desiredSec, lease.grantedSec, base)
      : base.sentPotentialAt,
    lastTransactionAt: now.wallAt,
    stateSinceAt: isRenewal ? before.stateSinceAt : now.wallAt,
    ipFlags: flags | (standing.reserved === undefined ? 0 : IP_FLAG_RESERVED),
    dirty: hasPartner,
    // What came back from available is told to nobody yet; a lease that is resumed keeps what was told of it.
    told: owner === undefined && base.told,
    ownedAs: owner ?? before.ownedAs,
    grantedHere: true,
  });
  parts.offers.release(address);
  return isRenewal ? [address] : [address, ...letGoOthers(asking, scope, address)];
}

/**
 * A renewal may be shorter than the lease before it: the configuration was changed, or the client asks for less. Its ACK may get
 * lost, and then the client goes by the longer promise, so the address is nobody else's before that has ended. Only a lease without
 * end is ended by a shorter one, because it would never come back otherwise.
 */
function promisedUntil(before: Binding, isRenewal: boolean, endAt: EpochSec): EpochSec {
  if (!isRenewal || before.state !== 'active' || before.leaseEndAt === INFINITE_AT) return endAt;
  return Math.max(before.leaseEndAt, endAt) as EpochSec;
}

/**
 * A client that took a new address in the scope has left its older one: it chose anew, and one interface has one lease. To be
 * sure that it is the same machine, identifier and hardware address must both agree.
 */
function letGoOthers(asking: Asking, scope: ScopeView, kept: Ip4): Ip4[] {
  const { view } = asking;
  const gone: Ip4[] = [];
  for (const binding of bindingsOf(asking, scope)) {
    if (binding.address === kept || binding.state !== 'active') continue;
    const isSameId = sameBytes(binding.clientId, view.clientId) || isKnownByHardware(binding);
    if (!isSameId || !sameBytes(binding.hardware, view.hardware)) continue;
    letGo(asking, scope, binding);
    gone.push(binding.address);
  }
  return gone;
}

/** Ends a lease at its client's word: at once where there is no partner, else as RELEASED until the partner agrees. */
export function letGo(asking: Asking, scope: ScopeView, binding: Binding): void {
  const { now, parts } = asking;
  const hasPartner = parts.rightsOf(scope.id).relationshipName !== undefined;
  if (hasPartner) {
    parts.bindings.change({
      ...binding,
      state: 'released',
      leaseEndAt:
        binding.leaseEndAt === INFINITE_AT ? now.wallAt : (Math.min(binding.leaseEndAt, now.wallAt) as EpochSec),
      lastTransactionAt: now.wallAt,
      stateSinceAt: now.wallAt,
      dirty: true,
    });
    return;
  }
  parts.bindings.change({
    ...binding,
    state: 'free',
    leaseEndAt: NEVER_AT,
    sentPotentialAt: NEVER_AT,
    ackedPotentialAt: NEVER_AT,
    recvPotentialAt: NEVER_AT,
    lastTransactionAt: now.wallAt,
    stateSinceAt: now.wallAt,
    ipFlags: 0,
    dirty: false,
    told: false,
    ownedAs: 'free',
  });
}

/** Option 12, or the name in option 81. */
function hostNameOf(asking: Asking): Uint8Array | undefined {
  const name = asking.packet.options.get(OPTION.hostName);
  if (name !== undefined && name.length > 0) return name.slice(0, BYTES_KEPT_MAX);
  const fqdn = asking.packet.options.get(OPTION.clientFqdn);
  if (fqdn === undefined || fqdn.length <= FQDN_HEADER_BYTES) return undefined;
  return fqdn.slice(FQDN_HEADER_BYTES, FQDN_HEADER_BYTES + BYTES_KEPT_MAX);
}

function relayInfoOf(view: ClientView): Uint8Array | undefined {
  const payload = view.relay?.payload;
  // A longer one cannot be kept whole, and half of one would name the wrong place.
  return payload === undefined || payload.length === 0 || payload.length > BYTES_KEPT_MAX ? undefined : payload;
}
