/**
 * Between a binding and a binding update: what is told of a binding (failover specification 1.6), and what an accepted update
 * makes of one (5.2, 5.4, 6.1). Pure; the decisions before are in `acceptance.ts`.
 */
import { type BindingUpdate, IP_FLAG_RESERVED, type WireProfile } from '../../wire/failover/messages.ts';
import { utf8Text } from '../../wire/failover/text.ts';
import { windowsText, windowsVendorUse } from '../../wire/failover/update.ts';
import { addSec, type EpochSec, type Ip4, NEVER_AT } from '../../wire/units.ts';
import type { Binding } from '../bindings/binding.ts';
import { effectiveTransactionAt, isSameClient } from './acceptance.ts';
import { greatestPotentialAt, makeAvailable } from './times.ts';

/** dhcpd's own default of abandon-lease-time: until then it leaves an abandoned address alone (specification 2.6). */
const ISC_ABANDON_SEC = 86_400;
const NO_ADDRESS = 0 as Ip4;
/** Option 31 of Windows. */
const CLIENT_NAME = 31;
/** DHCP options inside option 8, and the Microsoft option that carries the policy's name. */
const HOST_NAME = 12;
const RELAY_INFORMATION = 82;
const MATCHED_POLICY = 40;
const OPTION_BYTES_MAX = 255;
const NO_OPTIONS: ReadonlyMap<number, Uint8Array> = new Map();
/** Code and length of a failover option. */
const HEAD_BYTES = 4;
/** The root, as DNS writes it: the flags travel, the name is made anew by whoever needs it. */
const DNS_ROOT = Uint8Array.of(0);

/** How an update is told beside what the binding says; all absent is usual, and means no. */
export interface Telling {
  /** The address changes hands with this update. */
  readonly isGift?: boolean;
  /** An address that is available to the secondary is taken back with this update. */
  readonly isTake?: boolean;
  /** It answers a request for updates. */
  readonly isResent?: boolean;
  /** This server is the secondary; told of dhcpd only. */
  readonly isSecondary?: boolean;
  /** A reserved address that either server may give to its one client (specification 5.3); only by the primary. */
  readonly isSharedReserved?: boolean;
  /** The partner has no such reservation, and refuses the flag. */
  readonly withoutReserved?: boolean;
  /** What Windows wants with each lease (specification 3.5). */
  readonly windows?: { readonly mask: Ip4; readonly server: Ip4 } | undefined;
}

export function updateOf(binding: Binding, profile: WireProfile, telling: Telling = {}): BindingUpdate {
  const { address, state } = binding;
  if (profile === 'isc') return updateForIsc(binding, telling);
  if (profile === 'msft') return updateForWindows(binding, telling);
  const ipFlags = flagsOf(binding, telling);
  const stateSinceAt = known(binding.stateSinceAt);
  if (state === 'abandoned') {
    const aside = { address, state, stateSinceAt, ipFlags };
    if (profile !== 'twinlease') return aside;
    // Our own kind is told how far the address was promised before: both must know it if one loses its store (`mayReset`).
    return {
      ...aside,
      lastTransactionAt: known(binding.lastTransactionAt),
      potentialEndAt: known(greatestPotentialAt(binding)),
    };
  }
  if (state === 'free' || state === 'backup') {
    // The last client travels between our own servers only, so that both keep the same one for affinity.
    if (profile === 'twinlease') {
      const { clientId, hardware } = binding;
      return { address, state, stateSinceAt, ipFlags, clientId, hardware };
    }
    return telling.isSharedReserved === true
      ? { address, state: 'backup', stateSinceAt, ipFlags: (ipFlags ?? 0) | IP_FLAG_RESERVED }
      : { address, state, stateSinceAt, ipFlags };
  }
  const { clientId, hardware, leaseEndAt } = binding;
  const spokeAt = known(binding.lastTransactionAt);
  if (state !== 'active')
    return { address, state, stateSinceAt, ipFlags, clientId, hardware, lastTransactionAt: spokeAt };
  // Told most often, so it is made in one piece.
  const isOwnKind = profile === 'twinlease';
  return {
    address,
    state,
    stateSinceAt,
    ipFlags,
    clientId,
    hardware,
    lastTransactionAt: spokeAt,
    leaseEndAt,
    potentialEndAt: greatestPotentialAt(binding),
    requestOptions: clientOptions(binding),
    vendorUse: !isOwnKind || binding.policy === undefined ? undefined : new Map([[MATCHED_POLICY, binding.policy]]),
    ddns: !isOwnKind || binding.dnsFlags === 0 ? undefined : { flags: binding.dnsFlags, name: DNS_ROOT },
  };
}

function timesOf(binding: Binding): { readonly leaseEndAt: EpochSec; readonly potentialEndAt: EpochSec } {
  return { leaseEndAt: binding.leaseEndAt, potentialEndAt: greatestPotentialAt(binding) };
}

function flagsOf(binding: Binding, telling: Telling): number | undefined {
  const flags = telling.withoutReserved === true ? binding.ipFlags & ~IP_FLAG_RESERVED : binding.ipFlags;
  return flags === 0 ? undefined : flags;
}

/** With every time, as dhcpd itself tells it (specification 2.6): one left out would keep the old value there. */
function updateForIsc(binding: Binding, telling: Telling): BindingUpdate {
  const { address, state, clientId, hardware } = binding;
  const ipFlags = flagsOf(binding, telling);
  const stateSinceAt = known(binding.stateSinceAt);
  switch (state) {
    case 'free':
    case 'backup':
      return availableForIsc(binding, state, telling);
    case 'abandoned': {
      const until = addSec(binding.stateSinceAt, ISC_ABANDON_SEC);
      // dhcpd rejects a client here with 6 (specification 2.7).
      return { address, state, stateSinceAt, ipFlags, leaseEndAt: until, potentialEndAt: until };
    }
    case 'active':
    case 'expired':
    case 'released':
    case 'reset': {
      const lastTransactionAt = known(binding.lastTransactionAt);
      const lease = {
        address,
        state,
        stateSinceAt,
        ipFlags,
        clientId,
        hardware,
        lastTransactionAt,
        ...timesOf(binding),
      };
      // dhcpd as primary refuses RESET of a lease that it has (2.7, 2.10); a release, whose moment is the end told, it takes.
      const isRefused = state === 'reset' && telling.isSecondary === true && hardware !== undefined;
      return isRefused ? { ...lease, state: 'released', leaseEndAt: binding.stateSinceAt } : lease;
    }
    default:
      return state satisfies never;
  }
}

/**
 * An available address. One that was freed here without dhcpd's consent may be ACTIVE there, and FREE would be refused: it is told
 * as EXPIRED, which frees it (specification 2.14-11).
 */
function availableForIsc(binding: Binding, state: 'free' | 'backup', telling: Telling): BindingUpdate {
  const { address, clientId, hardware, stateSinceAt } = binding;
  const mayBeActiveThere = state === 'free' && binding.dirty && telling.isGift !== true && hardware !== undefined;
  return {
    address,
    state: mayBeActiveThere ? 'expired' : state,
    clientId,
    hardware,
    leaseEndAt: mayBeActiveThere ? stateSinceAt : NEVER_AT,
    potentialEndAt: stateSinceAt,
    stateSinceAt,
    lastTransactionAt: known(binding.lastTransactionAt),
    ipFlags: flagsOf(binding, telling),
  };
}

/** By the table of specification 3.5: ownership moves without anything of a client, the rest with what Windows wants. */
function updateForWindows(binding: Binding, telling: Telling): BindingUpdate {
  const { address, state } = binding;
  const vendorUse = new Map(
    windowsVendorUse(telling.windows?.mask ?? NO_ADDRESS, telling.windows?.server ?? NO_ADDRESS),
  );
  if (state === 'free' || state === 'backup') {
    const move = telling.isTake === true ? 'reconcile' : telling.isResent === true ? 'resent' : undefined;
    return { address, state: telling.isTake === true ? 'free' : state, vendorUse, move };
  }
  if (binding.hostName !== undefined) vendorUse.set(CLIENT_NAME, windowsText(utf8Text(binding.hostName)));
  return {
    address,
    state,
    clientId: binding.clientId,
    hardware: binding.hardware,
    stateSinceAt: known(binding.stateSinceAt),
    lastTransactionAt: known(binding.lastTransactionAt),
    ...(state === 'active' ? timesOf(binding) : {}),
    vendorUse,
  };
}

function known(at: EpochSec): EpochSec | undefined {
  return at === NEVER_AT ? undefined : at;
}

/** Bytes that an update takes in a BNDUPD, never too few. */
export function updateBytes(update: BindingUpdate): number {
  let bytes = 2 * HEAD_BYTES + 4 + 1;
  bytes += octetsBytes(update.clientId) + octetsBytes(update.hardware) + octetsBytes(update.requestOptions);
  if (update.vendorUse !== undefined) for (const octets of update.vendorUse.values()) bytes += octetsBytes(octets);
  bytes += timeBytes(update.leaseEndAt) + timeBytes(update.potentialEndAt);
  bytes += timeBytes(update.stateSinceAt) + timeBytes(update.lastTransactionAt);
  if (update.ipFlags !== undefined) bytes += HEAD_BYTES + 2;
  if (update.ddns !== undefined) bytes += HEAD_BYTES + 2 + update.ddns.name.length;
  return bytes;
}

function octetsBytes(octets: Uint8Array | undefined): number {
  return octets === undefined ? 0 : HEAD_BYTES + 4 + octets.length;
}

function timeBytes(at: EpochSec | undefined): number {
  return at === undefined ? 0 : HEAD_BYTES + 4;
}

/**
 * The binding after an accepted update. `dirty` comes out true where the result is not what the partner said, because ours
 * is newer in part: then the partner must learn it. `marginSec` is that of `Judging`.
 */
export function applied(
  ours: Binding,
  update: BindingUpdate,
  sentAt: EpochSec,
  profile: WireProfile,
  marginSec: number,
): Binding {
  switch (update.state) {
    case 'active':
      return ours.state === 'active' && isSameClient(update, ours)
        ? merged(ours, update, sentAt, profile, ours.dirty ? marginSec : 0)
        : taken(ours, update, sentAt, profile);
    case 'abandoned':
      return abandoned(ours, update, sentAt);
    case 'free':
    case 'backup':
      return available(ours, update, update.state, profile);
    case 'expired':
    case 'released':
    case 'reset':
      // Specification 5.2: the receiver stores FREE while accepting; the address returns to the primary.
      return available(ours, update, 'free', profile);
    default:
      return update.state satisfies never;
  }
}

function available(ours: Binding, update: BindingUpdate, owner: 'free' | 'backup', profile: WireProfile): Binding {
  const next: Binding = { ...ours };
  takeClient(next, update, profile);
  next.ipFlags = update.ipFlags ?? 0;
  next.dirty = false;
  next.stateSinceAt = update.stateSinceAt ?? NEVER_AT;
  next.lastTransactionAt = update.lastTransactionAt ?? ours.lastTransactionAt;
  makeAvailable(next, owner);
  return next;
}

function abandoned(ours: Binding, update: BindingUpdate, sentAt: EpochSec): Binding {
  const next: Binding = {
    ...ours,
    clientId: undefined,
    hardware: undefined,
    hostName: undefined,
    relayInfo: undefined,
  };
  makeAvailable(next, ours.ownedAs);
  next.state = 'abandoned';
  next.recvPotentialAt = update.potentialEndAt ?? NEVER_AT;
  // Our RESET was refused: its time aside begins again, so that it is not asked for without end.
  next.stateSinceAt = ours.state === 'reset' ? sentAt : (update.stateSinceAt ?? NEVER_AT);
  next.lastTransactionAt = update.lastTransactionAt ?? ours.lastTransactionAt;
  next.ipFlags = update.ipFlags ?? 0;
  next.policy = undefined;
  next.dirty = false;
  return next;
}

/** A client that we did not have on this address. */
function taken(ours: Binding, update: BindingUpdate, sentAt: EpochSec, profile: WireProfile): Binding {
  const isKnown = isSameClient(update, ours) && ours.state !== 'free' && ours.state !== 'backup';
  const leaseEndAt = update.leaseEndAt ?? NEVER_AT;
  const details = detailsOf(isSameClient(update, ours) ? ours : undefined, update, profile);
  const next: Binding = {
    address: ours.address,
    state: 'active',
    clientId: update.clientId,
    hardware: update.hardware,
    hostName: details.hostName,
    relayInfo: details.relayInfo,
    policy: details.policy,
    dnsFlags: details.dnsFlags,
    leaseEndAt,
    // A new client starts from zero (specification 6.1).
    sentPotentialAt: isKnown ? ours.sentPotentialAt : promisedAsideAt(ours, profile),
    ackedPotentialAt: isKnown ? ours.ackedPotentialAt : NEVER_AT,
    recvPotentialAt: Math.max(update.potentialEndAt ?? 0, leaseEndAt, isKnown ? ours.recvPotentialAt : 0) as EpochSec,
    lastTransactionAt: effectiveTransactionAt(update, sentAt, profile),
    stateSinceAt: update.stateSinceAt ?? sentAt,
    ipFlags: update.ipFlags ?? 0,
    // One that went on alone begins a returning client's lease anew, and must hear how far it may still be extended here.
    dirty: isKnown && profile === 'twinlease' && mayReachFurther(ours, update),
    // The partner knows this lease, so it can never be taken back silently.
    told: true,
    ownedAs: ours.ownedAs,
    grantedHere: false,
  };
  return next;
}

/**
 * An address set aside names no client, but what was told of it before may be the very lease that comes back, by which the partner
 * may grant: it counts for the waits here (I3), and allows no grant.
 */
function promisedAsideAt(ours: Binding, profile: WireProfile): EpochSec {
  const isAside = ours.state === 'abandoned' || ours.state === 'reset';
  return isAside && profile === 'twinlease' ? greatestPotentialAt(ours) : NEVER_AT;
}

/**
 * Specification 5.4: the later transaction's end counts; from an older one only a later end is taken. Two grants that the servers
 * did not know of each other and whose times are within `marginSec` have no certain order: the later end counts.
 */
function merged(
  ours: Binding,
  update: BindingUpdate,
  sentAt: EpochSec,
  profile: WireProfile,
  marginSec: number,
): Binding {
  const theirsAt = effectiveTransactionAt(update, sentAt, profile);
  const theirEndAt = update.leaseEndAt ?? NEVER_AT;
  const recvPotentialAt = Math.max(update.potentialEndAt ?? 0, theirEndAt, ours.recvPotentialAt) as EpochSec;
  if (theirsAt >= ours.lastTransactionAt) {
    const isTie = theirsAt <= ours.lastTransactionAt + marginSec;
    const next = taken(ours, update, sentAt, profile);
    next.leaseEndAt = isTie ? (Math.max(ours.leaseEndAt, theirEndAt) as EpochSec) : theirEndAt;
    next.recvPotentialAt = recvPotentialAt;
    next.grantedHere = theirsAt === ours.lastTransactionAt && ours.grantedHere;
    next.dirty = next.dirty || next.leaseEndAt !== theirEndAt;
    return next;
  }
  const leaseEndAt = Math.max(ours.leaseEndAt, theirEndAt) as EpochSec;
  // A lease that dhcpd learned from here comes back without the client's last transaction, and is no news (specification 2.6).
  const isEcho = profile === 'isc' && update.lastTransactionAt === undefined && leaseEndAt === theirEndAt;
  return { ...ours, leaseEndAt, recvPotentialAt, told: true, dirty: isEcho ? ours.dirty : true };
}

/** A lease may be given here beyond what the partner expects by its own update. */
function mayReachFurther(ours: Binding, update: BindingUpdate): boolean {
  return Math.max(ours.ackedPotentialAt, ours.recvPotentialAt) > (update.potentialEndAt ?? 0);
}

function takeClient(next: Binding, update: BindingUpdate, profile: WireProfile): void {
  // Our own kind names the last client whenever it knows one; from others, silence says nothing.
  if (update.clientId === undefined && update.hardware === undefined && profile !== 'twinlease') return;
  if (isSameClient(update, next)) {
    next.clientId = update.clientId ?? next.clientId;
    next.hardware = update.hardware ?? next.hardware;
    return;
  }
  next.clientId = update.clientId;
  next.hardware = update.hardware;
  next.hostName = undefined;
  next.relayInfo = undefined;
  next.policy = undefined;
}

/** Host name, relay information, policy and DNS state: told in full between our own servers, kept otherwise. */
function detailsOf(
  ours: Binding | undefined,
  update: BindingUpdate,
  profile: WireProfile,
): Pick<Binding, 'hostName' | 'relayInfo' | 'policy' | 'dnsFlags'> {
  const options = readOptions(update.requestOptions);
  const isTold = profile === 'twinlease';
  return {
    hostName: options.get(HOST_NAME) ?? (isTold ? undefined : ours?.hostName),
    relayInfo: options.get(RELAY_INFORMATION) ?? (isTold ? undefined : ours?.relayInfo),
    policy: update.vendorUse?.get(MATCHED_POLICY) ?? (isTold ? undefined : ours?.policy),
    dnsFlags: update.ddns?.flags ?? (isTold ? 0 : (ours?.dnsFlags ?? 0)),
  };
}

function clientOptions(binding: Binding): Uint8Array | undefined {
  if (binding.hostName === undefined && binding.relayInfo === undefined) return undefined;
  const parts: number[] = [];
  for (const [code, value] of [
    [HOST_NAME, binding.hostName],
    [RELAY_INFORMATION, binding.relayInfo],
  ] as const)
    if (value !== undefined && value.length > 0 && value.length <= OPTION_BYTES_MAX)
      parts.push(code, value.length, ...value);
  return parts.length === 0 ? undefined : Uint8Array.from(parts);
}

/** Reads as far as the options are whole; what is cut off was of no use to anybody. */
function readOptions(bytes: Uint8Array | undefined): ReadonlyMap<number, Uint8Array> {
  if (bytes === undefined) return NO_OPTIONS;
  const found = new Map<number, Uint8Array>();
  let at = 0;
  while (at + 2 <= bytes.length) {
    const size = bytes[at + 1]!;
    if (at + 2 + size > bytes.length) break;
    if (size > 0) found.set(bytes[at]!, bytes.slice(at + 2, at + 2 + size));
    at += 2 + size;
  }
  return found;
}
