/**
 * Whether a received binding update is accepted, as data and pure functions: the table and the tests of failover specification
 * 5.4 and the duel of 5.2. What an accepted update makes of a binding is in `update-values.ts`.
 */
import {
  type BindingState,
  type BindingUpdate,
  IP_FLAG_RESERVED,
  type RejectReason,
  type WireProfile,
} from '../../wire/failover/messages.ts';
import { VENDOR_FLAG_DELETED_APART } from '../../wire/failover/update.ts';
import { type EpochSec, NEVER_AT, sameBytes } from '../../wire/units.ts';
import type { Binding } from '../bindings/binding.ts';
import type { ProtocolRole } from '../config/model.ts';
import { EXPIRE_GRACE_SEC } from './limits.ts';

export type Verdict =
  | { readonly kind: 'accept' }
  /** Accepted against an update of our own that is in flight, which is dropped (duel). */
  | { readonly kind: 'give-way' }
  | { readonly kind: 'reject'; readonly reason: RejectReason; readonly isDuel: boolean };

export interface Judging {
  readonly nowAt: EpochSec;
  /** Time of the message's header. */
  readonly sentAt: EpochSec;
  readonly role: ProtocolRole;
  readonly profile: WireProfile;
  /** State of our own unanswered update for the address. */
  readonly inFlight: BindingState | undefined;
  readonly isReservedHere: boolean;
  /** We recover from the partner, so that its word about another client counts (specification 4.4, RECOVER). */
  readonly isRecovering: boolean;
  /** Our whole store is lost or old: everything the partner says counts. */
  readonly isRecoveringAll: boolean;
  /**
   * Where two clocks stamped a grant and a release that the two servers did not know of each other, times this close prove no
   * order. The grant then wins: a lease that nobody uses ends by itself, one that is taken away is given twice.
   */
  readonly marginSec: number;
  /** False while an address set aside here may be leased by a server that forgot it (`Rights.mayReset`). */
  readonly mayReset: boolean;
}

/** `same-client`: see `activeOverActive`. t1, t2, t3 are the tests below the table of specification 5.4. */
export type Cell = 'accept' | 'reject-16' | 'same-client' | 't1' | 't2' | 't3';

type Row = Readonly<Record<BindingState, Cell>>;
const ACCEPT_ALL: Row = {
  active: 'accept',
  expired: 'accept',
  released: 'accept',
  free: 'accept',
  backup: 'accept',
  reset: 'accept',
  abandoned: 'accept',
};

/** `ACCEPTANCE[ours][received]`, specification 5.4. */
export const ACCEPTANCE: Readonly<Record<BindingState, Row>> = {
  active: { ...ACCEPT_ALL, active: 'same-client', expired: 't2', released: 't1', free: 't2', backup: 't2' },
  expired: { ...ACCEPT_ALL, active: 't1' },
  released: { ...ACCEPT_ALL, active: 't1', expired: 't1' },
  free: ACCEPT_ALL,
  backup: ACCEPT_ALL,
  reset: { ...ACCEPT_ALL, active: 't3' },
  abandoned: {
    active: 'reject-16',
    expired: 'reject-16',
    released: 'reject-16',
    free: 'reject-16',
    backup: 'reject-16',
    reset: 'accept',
    abandoned: 'accept',
  },
};

const ACCEPT: Verdict = { kind: 'accept' };
const GIVE_WAY: Verdict = { kind: 'give-way' };
/** htype and 1 to 16 octets of address. */
const HARDWARE_BYTES_MIN = 2;
const HARDWARE_BYTES_MAX = 17;

/** Tests 1 to 6 of specification 5.4 in order; `ours` is undefined for an address of no pool of the relationship. */
export function judge(update: BindingUpdate, ours: Binding | undefined, how: Judging): Verdict {
  if (isIncomplete(update)) return reject('missing-binding-information');
  if (ours === undefined) return reject('illegal-ip-address');
  if (isMalformedHardware(update.hardware)) return reject('unknown');
  if (update.state === 'backup' && ((update.ipFlags ?? 0) & IP_FLAG_RESERVED) !== 0 && !how.isReservedHere)
    return reject('ip-not-reserved');
  // Specification 3.1, 5.4: with Windows a reserved address never changes hands.
  if (how.profile === 'msft' && how.isReservedHere && (update.state === 'free' || update.state === 'backup'))
    return reject('outdated-binding-information');
  // Perhaps only this server knows until when such a lease can run. The partner is told ours, and asks again later.
  if (update.state === 'reset' && ours.state === 'abandoned' && !how.mayReset && !how.isRecoveringAll)
    return reject('outdated-binding-information');
  if (how.inFlight !== undefined) return duel(update, ours, how.inFlight, how);
  return byTable(update, ours, how);
}

function isIncomplete(update: BindingUpdate): boolean {
  const { state } = update;
  if (state !== 'active' && state !== 'expired' && state !== 'released') return false;
  // Specification 5.4, adjustments: Windows says so of what it deleted without contact. A lease needs its client all the same.
  if (state !== 'active' && ((update.vendorFlags ?? 0) & VENDOR_FLAG_DELETED_APART) !== 0) return false;
  if (update.clientId === undefined && update.hardware === undefined) return true;
  return state === 'active' && update.leaseEndAt === undefined;
}

function isMalformedHardware(hardware: Uint8Array | undefined): boolean {
  if (hardware === undefined) return false;
  return hardware.length < HARDWARE_BYTES_MIN || hardware.length > HARDWARE_BYTES_MAX || hardware[0] === 0;
}

function byTable(update: BindingUpdate, ours: Binding, how: Judging): Verdict {
  if (how.isRecoveringAll) return ACCEPT;
  const theirsAt = effectiveTransactionAt(update, how.sentAt, how.profile);
  const isNewer = how.profile === 'twinlease' ? settlesAside(update, ours, theirsAt) : undefined;
  if (isNewer !== undefined) return isNewer ? ACCEPT : reject('outdated-binding-information');
  const cell = ACCEPTANCE[ours.state][update.state];
  switch (cell) {
    case 'accept':
      return ACCEPT;
    case 'reject-16':
      // In PARTNER-DOWN the partner may have ended the time aside by itself, and may have leased the address since.
      if (how.isRecovering && theirsAt >= ours.stateSinceAt) return ACCEPT;
      if (how.profile === 'isc' && isAsideOverThere(update, ours, theirsAt)) return ACCEPT;
      return reject('less-critical-binding-information');
    case 'same-client':
      return activeOverActive(update, ours, theirsAt, how);
    case 't1':
      // A release by another client than the one that holds the address now is an old story, whatever its time.
      if (ours.state === 'active' && !isSameClient(update, ours)) return reject('outdated-binding-information');
      return isNotOlder(update, ours, theirsAt, how) ? ACCEPT : reject('outdated-binding-information');
    case 't2':
      return isOverHere(ours, how) ? ACCEPT : reject('outdated-binding-information');
    case 't3':
      return theirsAt >= ours.stateSinceAt ? ACCEPT : reject('outdated-binding-information');
    default:
      return cell satisfies never;
  }
}

/**
 * dhcpd ends the time aside by its own clock and may have leased the address since (specification 2.10). Refused, that lease would be
 * told no more, and our own RESET would take it from its client.
 */
function isAsideOverThere(update: BindingUpdate, ours: Binding, theirsAt: EpochSec): boolean {
  const isAvailable = update.state === 'free' || update.state === 'backup';
  return (isAvailable ? (update.stateSinceAt ?? NEVER_AT) : theirsAt) > ours.stateSinceAt;
}

/** t1 of specification 5.4, with equality; the margin counts only while the partner has not acknowledged ours. */
function isNotOlder(update: BindingUpdate, ours: Binding, theirsAt: EpochSec, how: Judging): boolean {
  const margin = ours.dirty ? how.marginSec : 0;
  if (ours.state === 'active') return theirsAt >= ours.lastTransactionAt + margin;
  return update.state === 'active' ? theirsAt + margin >= ours.lastTransactionAt : theirsAt >= ours.lastTransactionAt;
}

/**
 * t2 of specification 5.4. dhcpd says EXPIRED in the very second in which a lease ends, and does not repeat it after a reject, so
 * toward it there is no allowance; a lease that it granted ends by its own clock, which it never corrects (1.11, 2.10).
 */
function isOverHere(ours: Binding, how: Judging): boolean {
  if (how.profile !== 'isc') return isOver(ours.leaseEndAt, how.nowAt);
  return how.nowAt >= ours.leaseEndAt || (!ours.grantedHere && how.sentAt >= ours.leaseEndAt);
}

/** Different clients: the secondary accepts, the primary rejects; but a lease that is over neither defends nor displaces. */
function activeOverActive(update: BindingUpdate, ours: Binding, theirsAt: EpochSec, how: Judging): Verdict {
  if (isSameClient(update, ours) || how.isRecovering) return ACCEPT;
  const isOursOver = isOver(ours.leaseEndAt, how.nowAt);
  const isTheirsOver = isOver(update.leaseEndAt ?? NEVER_AT, how.nowAt);
  // After PARTNER-DOWN the survivor may have given the address on while the returning server still has its old client there.
  if (how.role === 'secondary')
    return isTheirsOver && !isOursOver && ours.lastTransactionAt > theirsAt
      ? reject('outdated-binding-information')
      : ACCEPT;
  return isOursOver && theirsAt > ours.lastTransactionAt ? ACCEPT : reject('fatal-conflict');
}

/**
 * An address set aside or reset against a lease, between our own servers: who knows more wins, by the time of the decline and of the
 * client's last word, the same on both sides. By the draft's table the older decline would end a lease that was given, or went on,
 * after it. Undefined: no such case.
 */
function settlesAside(update: BindingUpdate, ours: Binding, theirsAt: EpochSec): boolean | undefined {
  if (ours.state === 'active' && isAside(update.state)) return theirsAt >= ours.lastTransactionAt;
  if (isAside(ours.state) && update.state === 'active') {
    return theirsAt > (ours.state === 'abandoned' ? ours.stateSinceAt : ours.lastTransactionAt);
  }
  return undefined;
}

function isAside(state: BindingState): boolean {
  return state === 'abandoned' || state === 'reset';
}

/** Specification 5.2: an update arrives while our own for the address, of state `mine`, is unanswered. */
export function duel(update: BindingUpdate, ours: Binding, mine: BindingState, how: Judging): Verdict {
  const isPrimary = how.role === 'primary';
  const theirsAt = effectiveTransactionAt(update, how.sentAt, how.profile);
  const incoming = update.state;
  if (how.profile === 'twinlease' && ours.state === mine) {
    const isNewer = settlesAside(update, ours, theirsAt);
    if (isNewer !== undefined) return isNewer ? GIVE_WAY : duelLost();
  }
  switch (mine) {
    case 'active': {
      if (incoming === 'active') {
        if (isSameClient(update, ours)) return ACCEPT;
        if (theirsAt !== ours.lastTransactionAt) return theirsAt > ours.lastTransactionAt ? GIVE_WAY : duelLost();
        return isPrimary ? duelLost() : GIVE_WAY;
      }
      if (how.profile === 'isc' || !(theirsAt > ours.lastTransactionAt + how.marginSec)) return duelLost();
      if (incoming === 'released') return isSameClient(update, ours) ? GIVE_WAY : duelLost();
      return incoming === 'reset' || incoming === 'abandoned' ? GIVE_WAY : duelLost();
    }
    case 'free':
    case 'backup':
      return incoming === 'active' || !isPrimary ? GIVE_WAY : duelLost();
    case 'expired':
    case 'released':
    case 'reset': {
      if (incoming !== 'active') return isPrimary ? duelLost() : GIVE_WAY;
      const since = mine === 'reset' ? ours.stateSinceAt : ours.lastTransactionAt;
      return theirsAt + how.marginSec >= since ? GIVE_WAY : duelLost();
    }
    case 'abandoned':
      if (incoming === 'active') return duelLost();
      return isPrimary ? duelLost() : GIVE_WAY;
    default:
      return mine satisfies never;
  }
}

/**
 * Specification 5.4, adjustments: the CLTT to compare with where the message has none. dhcpd sets LET to the moment of a
 * release and leaves CLTT as it was.
 */
export function effectiveTransactionAt(update: BindingUpdate, sentAt: EpochSec, profile: WireProfile): EpochSec {
  const told = update.lastTransactionAt;
  if (profile === 'isc' && update.state === 'released') return Math.max(told ?? 0, update.leaseEndAt ?? 0) as EpochSec;
  if (told !== undefined) return told;
  if (update.state === 'released') return update.leaseEndAt ?? update.stateSinceAt ?? NEVER_AT;
  // Our own kind tells when it was set aside; the message may be much later.
  if (isAside(update.state)) return profile === 'twinlease' ? (update.stateSinceAt ?? sentAt) : sentAt;
  return update.stateSinceAt ?? NEVER_AT;
}

/** By client identifier where both have one, by hardware address otherwise. */
export function isSameClient(
  a: { readonly clientId?: Uint8Array | undefined; readonly hardware?: Uint8Array | undefined },
  b: { readonly clientId?: Uint8Array | undefined; readonly hardware?: Uint8Array | undefined },
): boolean {
  if (a.clientId !== undefined && b.clientId !== undefined) return sameBytes(a.clientId, b.clientId);
  return a.hardware !== undefined && sameBytes(a.hardware, b.hardware);
}

/** t2 of specification 5.4, with its allowance: 2 s. */
export function isOver(leaseEndAt: EpochSec, nowAt: EpochSec): boolean {
  return nowAt > leaseEndAt + EXPIRE_GRACE_SEC;
}

function reject(reason: RejectReason): Verdict {
  return { kind: 'reject', reason, isDuel: false };
}

/** To the sender: its update was less critical than ours, which it has or gets. */
function duelLost(): Verdict {
  return { kind: 'reject', reason: 'less-critical-binding-information', isDuel: true };
}
