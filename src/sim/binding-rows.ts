/** Which row of failover specification 5.2 a change of a binding is, by the two states, by what caused it and on which server. */
import type { AvailableState, Binding } from '../core/bindings/binding.ts';
import type { BindingUpdate } from '../wire/failover/messages.ts';
import { sameBytes } from '../wire/units.ts';
import { BINDING_CELLS } from './cells.ts';
import { otherSide, type Side } from './sides.ts';

export type Cause =
  /** A client's packet is being decided. */
  | { readonly kind: 'packet' }
  /** The partner's answer to updates of ours; `said` is what it says of this very address, `undefined` where it names others only. */
  | { readonly kind: 'answer'; readonly said: 'accepted' | 'refused' | undefined }
  /** The partner's update of this very address. */
  | { readonly kind: 'update'; readonly update: BindingUpdate }
  | { readonly kind: 'partner-lost-store' }
  /** The scope leaves the relationship, and the address stays with its client for as long as a lost store may have promised. */
  | { readonly kind: 'held' }
  /** An operator removes the record of the address. */
  | { readonly kind: 'operator' }
  /** Time, a command, or what follows from a change of another address. */
  | { readonly kind: 'timer' };

export type Row =
  /** `isAlone`: done without the partner's consent, as only PARTNER-DOWN allows. No cell: nothing but times or marks changed. */
  { readonly kind: 'legal'; readonly cell?: string; readonly isAlone?: boolean } | { readonly kind: 'illegal' };

export interface Where {
  readonly side: Side;
  readonly isDown: boolean;
  readonly hasContact: boolean;
}

/** Bit of the IP-flags option (specification 1.5). */
const RESERVED = 1;
const SAME: Row = { kind: 'legal' };
const ILLEGAL: Row = { kind: 'illegal' };

export function rowOf(before: Binding, next: Binding, cause: Cause, where: Where): Row {
  if (cause.kind === 'update') return updateRow(before, next, cause.update, where);
  if (before.state === next.state && next.state !== 'active') return SAME;
  switch (next.state) {
    case 'active':
      return activeRow(before, next, cause, where);
    case 'expired':
      return before.state === 'active' && cause.kind === 'timer' ? row('expired') : ILLEGAL;
    case 'released':
      return before.state === 'active' && cause.kind === 'packet' ? row('released') : ILLEGAL;
    case 'abandoned':
      if (cause.kind === 'packet') return row('declined');
      if (cause.kind === 'held') return before.state === 'reset' ? SAME : ILLEGAL;
      return cause.kind === 'partner-lost-store' && isEnd(before) ? row('takenBack') : ILLEGAL;
    case 'reset':
      if (cause.kind === 'operator') return row('operatorReset');
      return before.state === 'abandoned' && cause.kind === 'timer' ? row('resetAside') : ILLEGAL;
    case 'free':
    case 'backup':
      return availableRow(before, next, cause, where);
    default:
      return next.state satisfies never;
  }
}

function activeRow(before: Binding, next: Binding, cause: Cause, where: Where): Row {
  const isSame = isSameClient(before, next);
  if (before.state === 'active') return isSame ? (cause.kind === 'packet' ? row('renewed') : SAME) : ILLEGAL;
  if (cause.kind === 'partner-lost-store') return isSame && isEnd(before) ? row('takenBack') : ILLEGAL;
  if (cause.kind === 'held') return isSame && isEnd(before) ? SAME : ILLEGAL;
  if (cause.kind !== 'packet') return ILLEGAL;
  // Specification 5.3: a reserved address may be given to its one client by either server.
  const isReserved = (next.ipFlags & RESERVED) !== 0;
  switch (before.state) {
    case 'free':
      if (where.side === 'a') return row('freeTaken');
      if (isReserved) return row('reservedTaken');
      return where.isDown ? alone('partnersTaken') : ILLEGAL;
    case 'backup':
      if (where.side === 'b') return row('backupTaken');
      if (isReserved) return row('reservedTaken');
      return where.isDown ? alone('partnersTaken') : ILLEGAL;
    case 'expired':
      return isSame ? row('undoneExpired') : where.isDown ? alone('waitedOut') : ILLEGAL;
    case 'released':
      return isSame ? row('undoneReleased') : where.isDown ? alone('waitedOut') : ILLEGAL;
    case 'reset':
      return where.isDown ? alone('waitedOut') : ILLEGAL;
    case 'abandoned':
      return ILLEGAL;
    default:
      return before.state satisfies never;
  }
}

function availableRow(before: Binding, next: Binding, cause: Cause, where: Where): Row {
  if (before.state === 'free' || before.state === 'backup') {
    if (cause.kind === 'answer' && cause.said === 'refused' && next.state === ownState(where.side))
      return row('giftReturned');
    if (next.state === 'backup') return where.side === 'a' ? row('primaryGives') : ILLEGAL;
    return where.side === 'b' ? row('secondaryGives') : ILLEGAL;
  }
  if (before.state === 'abandoned') return ILLEGAL;
  if (cause.kind === 'answer' && cause.said === 'accepted' && isEnd(before) && isLeftAs('free', next, where.side)) {
    if (before.state === 'expired') return row('agreedExpired');
    return row(before.state === 'released' ? 'agreedReleased' : 'agreedReset');
  }
  if (cause.kind === 'partner-lost-store' || cause.kind === 'answer') return ILLEGAL;
  const isUnheard = !before.told && before.recvPotentialAt === 0;
  if (isUnheard && !where.hasContact && next.state === before.ownedAs && before.state !== 'reset')
    return row('rewound');
  return where.isDown && next.state === 'free' ? alone('waitedOut') : ILLEGAL;
}

/** What an accepted update makes of the address: what it says, with an end taken for agreed at once. */
function updateRow(before: Binding, next: Binding, update: BindingUpdate, where: Where): Row {
  switch (update.state) {
    case 'active':
      if (next.state === before.state && before.state !== 'active') return SAME;
      return next.state === 'active' ? row('learntLease') : ILLEGAL;
    case 'abandoned':
      return next.state === 'abandoned' ? row('learntAside') : next.state === before.state ? SAME : ILLEGAL;
    case 'expired':
    case 'released':
    case 'reset':
      if (!isLeftAs('free', next, where.side)) return next.state === before.state ? SAME : ILLEGAL;
      if (update.state === 'expired') return row('acceptedExpired');
      return row(update.state === 'released' ? 'acceptedReleased' : 'acceptedReset');
    case 'free':
    case 'backup':
      return ownershipRow(before, next, update, where);
    default:
      return update.state satisfies never;
  }
}

function ownershipRow(before: Binding, next: Binding, update: BindingUpdate, { side }: Where): Row {
  if (next.state === update.state) {
    if (before.state === 'free' && next.state === 'backup' && side === 'b') return row('secondaryTakes');
    if (before.state === 'backup' && next.state === 'free' && side === 'a') return row('primaryTakes');
    return SAME;
  }
  return next.state === before.state || isLeftAs(update.state, next, side) ? SAME : ILLEGAL;
}

/**
 * The step made the address available so; or it made it this server's own, and gave it to the partner at once. A record is written at
 * the end of a step, so two moves of one address are one change here, and the second waits for its answer.
 */
function isLeftAs(state: Binding['state'], next: Binding, side: Side): boolean {
  if (next.state === state) return true;
  return state === ownState(side) && next.state === ownState(otherSide(side)) && next.dirty;
}

function ownState(side: Side): AvailableState {
  return side === 'a' ? 'free' : 'backup';
}

function row(name: keyof typeof BINDING_CELLS): Row {
  return { kind: 'legal', cell: BINDING_CELLS[name] };
}

function alone(name: keyof typeof BINDING_CELLS): Row {
  return { kind: 'legal', cell: BINDING_CELLS[name], isAlone: true };
}

function isEnd(binding: Binding): boolean {
  return binding.state === 'expired' || binding.state === 'released' || binding.state === 'reset';
}

/** As the core tells clients apart: by identifier where both have one, else by hardware address. */
export function isSameClient(a: Binding, b: Binding): boolean {
  if (a.clientId !== undefined && b.clientId !== undefined) return sameBytes(a.clientId, b.clientId);
  return a.hardware !== undefined && sameBytes(a.hardware, b.hardware);
}
