/**
 * Outgoing binding updates: what waits, what is in flight, and what an answer means (failover specification 1.10, 5.2, 5.4
 * "on rejection received"). Updates are lazy: they are made from the present binding when the window has room, so a
 * newer change replaces one that waits, and never are two unanswered for one address.
 */
import type { BindingAnswer, RejectReason } from '../../wire/failover/messages.ts';
import { type EpochSec, formatIp4, type Ip4, maskOf, NEVER_AT } from '../../wire/units.ts';
import type { AvailableState, Binding } from '../bindings/binding.ts';
import { nextGift } from './balance.ts';
import {
  type Context,
  event,
  type FlightItem,
  FOREVER_MS,
  isCommunicating,
  isOurs,
  isReserved,
  ownKind,
  put,
  send,
  type Waiting,
} from './context.ts';
import { isCursorDone, makeCursor, nextOf } from './cursor.ts';
import { HOT_MAX, PARKED_MAX, UNRESERVED_MAX, UPDATE_BYTES_MAX } from './limits.ts';
import { greatestPotentialAt, isUnheard, makeAvailable } from './times.ts';
import { type Telling, updateBytes, updateOf } from './update-values.ts';

/** Serving or an operator changed a binding. */
export function onBindingChanged(ctx: Context, address: Ip4): void {
  const binding = isOurs(ctx, address) ? ctx.bindings.find(address) : undefined;
  if (binding === undefined) return;
  ctx.outbox.shelved.delete(address);
  ctx.outbox.parked.delete(address);
  if (rewind(ctx, binding)) return;
  if (!binding.dirty) {
    binding.dirty = true;
    put(ctx, binding);
  }
  const item = ctx.outbox.byAddress.get(address);
  if (item !== undefined) item.hasChanged = true;
  else queue(ctx, address);
}

/**
 * Specification 5.2, "rewind": a lease that is over and that the partner never heard of gives its address back to whom it was
 * before, without the partner. Only while the partner cannot be told, and only for our own addresses.
 */
export function rewind(ctx: Context, binding: Binding): boolean {
  const isTransitory = binding.state === 'released' || binding.state === 'expired';
  if (!isTransitory || isCommunicating(ctx) || !isUnheard(binding)) return false;
  if (binding.ownedAs !== ownKind(ctx) && ctx.record.state !== 'partner-down') return false;
  makeAvailable(binding, binding.ownedAs);
  binding.stateSinceAt = ctx.now.wallAt;
  binding.dirty = true;
  put(ctx, binding);
  return true;
}

export function queue(ctx: Context, address: Ip4): void {
  const { outbox } = ctx;
  if (!maySendLazily(ctx)) return;
  if (outbox.hot.size >= HOT_MAX) {
    // What is dirty is in the table; the sweep finds it there.
    outbox.sweepAgain = true;
    return;
  }
  outbox.hot.add(address);
}

/** Entering NORMAL: everything unacknowledged is queued (specification 4.4, c). */
export function queueAllDirty(ctx: Context): void {
  ctx.outbox.parked.clear();
  ctx.outbox.sweep = makeCursor(ctx.config.scopeIds);
}

/** Sends as much as the window, the state and the queues allow. */
export function pump(ctx: Context): void {
  if (!isCommunicating(ctx) || ctx.mode !== 'running') return;
  while (ctx.outbox.flights.size < ctx.link.partnerMaxUnacked && sendOne(ctx)) {
    // Each turn sends one message.
  }
  finishJob(ctx);
}

/**
 * In NORMAL; and toward our own kind and dhcpd already while the partner waits out RECOVER-WAIT, so that it comes back warm. dhcpd would
 * otherwise end, during its wait, every lease of which it does not hear that the client renewed.
 */
function maySendLazily(ctx: Context): boolean {
  if (!isCommunicating(ctx) || ctx.mode !== 'running') return false;
  const { state, partnerState } = ctx.record;
  if (state === 'normal') return true;
  const { profile } = ctx.config;
  if (
    (profile !== 'twinlease' && profile !== 'isc') ||
    (partnerState !== 'recover-wait' && partnerState !== 'recover-done')
  )
    return false;
  return state === 'partner-down' || state === 'communications-interrupted';
}

function sendOne(ctx: Context): boolean {
  const items: FlightItem[] = [];
  const updates = [];
  let bytes = 0;
  for (;;) {
    if (items.length >= ctx.limits.updatesPerMessageMax) break;
    const waiting = nextWaiting(ctx);
    if (waiting === undefined) break;
    const binding = ctx.bindings.find(waiting.address);
    if (binding === undefined) {
      if (waiting.isOfJob && ctx.outbox.job !== undefined) ctx.outbox.job.pending--;
      continue;
    }
    const update = updateOf(binding, ctx.config.profile, tellingOf(ctx, binding, waiting));
    const size = updateBytes(update);
    if (items.length > 0 && bytes + size > UPDATE_BYTES_MAX) {
      ctx.outbox.putBack.push(waiting);
      break;
    }
    bytes += size;
    noteSent(ctx, binding);
    updates.push(update);
    const item = flightItem(binding, waiting);
    items.push(item);
    if (isEnd(binding)) ctx.outbox.sentEnds.add(item.address);
    ctx.outbox.byAddress.set(item.address, item);
  }
  if (items.length === 0) return false;
  const xid = send(ctx, { kind: 'bndupd', updates });
  ctx.outbox.flights.set(xid, { items, sentMs: ctx.now.monoMs });
  return true;
}

function tellingOf(ctx: Context, binding: Binding, waiting: Waiting): Telling {
  const { profile, role, localAddress } = ctx.config;
  if (profile === 'twinlease') return {};
  return {
    isGift: waiting.giftFrom !== undefined,
    isTake: waiting.isTake === true,
    isResent: waiting.isOfJob,
    isSecondary: role === 'secondary',
    isSharedReserved: profile === 'draft' && role === 'primary' && isReserved(ctx, binding.address),
    withoutReserved: ctx.outbox.unreserved.has(binding.address),
    windows:
      profile === 'msft' ? { mask: maskOfScope(ctx, binding.address), server: localAddress ?? (0 as Ip4) } : undefined,
  };
}

function maskOfScope(ctx: Context, address: Ip4): Ip4 {
  const scopeId = ctx.bindings.scopeOf(address);
  const pool = ctx.bindings.pools().find((shape) => shape.scopeId === scopeId);
  return maskOf(pool?.prefixLength ?? 32);
}

function flightItem(binding: Binding, waiting: Waiting): FlightItem {
  const isTake = waiting.isTake === true;
  return {
    address: waiting.address,
    state: isTake ? 'free' : binding.state,
    isTake,
    potentialEndAt: binding.state === 'active' ? greatestPotentialAt(binding) : NEVER_AT,
    giftFrom: waiting.giftFrom,
    hasChanged: false,
    isDropped: false,
    isOfJob: waiting.isOfJob,
  };
}

function isEnd(binding: Binding): boolean {
  return binding.state === 'expired' || binding.state === 'released' || binding.state === 'reset';
}

/** Specification 6.3: what was told, and how far, is durable before the message leaves. */
function noteSent(ctx: Context, binding: Binding): void {
  if (binding.state === 'free' || binding.state === 'backup' || binding.state === 'abandoned') return;
  const sentAt = binding.state === 'active' ? greatestPotentialAt(binding) : binding.sentPotentialAt;
  if (binding.told && binding.sentPotentialAt === sentAt) return;
  put(ctx, { ...binding, told: true, sentPotentialAt: sentAt });
}

/** Changed addresses first, then what the partner asked for, then the sweep, then gifts. */
function nextWaiting(ctx: Context): Waiting | undefined {
  const { outbox } = ctx;
  for (let back = outbox.putBack.pop(); back !== undefined; back = outbox.putBack.pop())
    if (back.isOfJob || isSendable(ctx, back.address)) return back;
  if (maySendLazily(ctx)) {
    for (const address of outbox.hot) {
      outbox.hot.delete(address);
      if (isSendable(ctx, address)) return { address, isOfJob: false, giftFrom: undefined };
    }
  }
  return nextOfJob(ctx) ?? (maySendLazily(ctx) ? (nextOfSweep(ctx) ?? nextGift(ctx)) : undefined);
}

function isSendable(ctx: Context, address: Ip4): boolean {
  const { outbox } = ctx;
  if (outbox.byAddress.has(address) || outbox.parked.has(address) || outbox.shelved.has(address)) return false;
  return isOurs(ctx, address) && ctx.bindings.find(address)?.dirty === true;
}

function nextOfJob(ctx: Context): Waiting | undefined {
  const { job } = ctx.outbox;
  if (job?.cursor === undefined) return undefined;
  for (;;) {
    const address = nextOf(ctx, job.cursor, job.wantsAll ? 'all' : 'dirty');
    if (address === undefined) return undefined;
    const item = ctx.outbox.byAddress.get(address);
    if (item === undefined) {
      job.pending++;
      return { address, isOfJob: true, giftFrom: undefined };
    }
    // Already on its way: its answer is waited for like the others (I17).
    if (!item.isOfJob) {
      item.isOfJob = true;
      job.pending++;
    }
  }
}

function nextOfSweep(ctx: Context): Waiting | undefined {
  const { outbox } = ctx;
  if (outbox.sweep === undefined) {
    if (!outbox.sweepAgain) return undefined;
    outbox.sweepAgain = false;
    outbox.sweep = makeCursor(ctx.config.scopeIds);
  }
  for (;;) {
    const address = nextOf(ctx, outbox.sweep, 'dirty');
    if (address === undefined) break;
    if (isSendable(ctx, address)) return { address, isOfJob: false, giftFrom: undefined };
  }
  outbox.sweep = undefined;
  return undefined;
}

/** UPDDONE leaves after the answers to all updates that the request caused (I17). */
function finishJob(ctx: Context): void {
  const { job } = ctx.outbox;
  if (job?.cursor === undefined || job.pending > 0 || !isCursorDone(job.cursor)) return;
  ctx.outbox.job = undefined;
  if (job.wantsAll && job.scopeIds === undefined) ctx.link.hasAllFromHere = true;
  send(ctx, { kind: 'upddone' }, job.xid);
}

/** BNDACK; an unknown xid is of a connection before, or answered already. */
export function onAnswers(ctx: Context, xid: number, answers: readonly BindingAnswer[]): void {
  const flight = ctx.outbox.flights.get(xid);
  if (flight === undefined) return;
  ctx.outbox.flights.delete(xid);
  const byAddress = new Map(answers.map((answer) => [answer.address, answer]));
  for (const item of flight.items) {
    ctx.outbox.byAddress.delete(item.address);
    if (item.isOfJob && ctx.outbox.job !== undefined) ctx.outbox.job.pending--;
    const answer = byAddress.get(item.address);
    // A partner that knows better has perhaps leased the address to another, and tells so in a moment (specification 5.4): until then
    // the end stands.
    if (answer?.rejectReason !== 'outdated-binding-information') ctx.outbox.sentEnds.delete(item.address);
    const binding = ctx.bindings.find(item.address);
    if (binding === undefined) continue;
    if (answer === undefined) queue(ctx, item.address);
    else if (answer.rejectReason === undefined) onAccepted(ctx, item, binding);
    else onRejected(ctx, item, binding, answer.rejectReason);
  }
}

function onAccepted(ctx: Context, item: FlightItem, binding: Binding): void {
  if (item.isDropped) {
    // Specification 5.2, "repair": both gave way, so the partner has what we dropped.
    binding.dirty = true;
    put(ctx, binding);
    queue(ctx, item.address);
    return;
  }
  if (
    item.state === 'active' &&
    binding.state !== 'free' &&
    binding.state !== 'backup' &&
    binding.state !== 'abandoned'
  )
    binding.ackedPotentialAt = Math.max(binding.ackedPotentialAt, item.potentialEndAt) as EpochSec;
  if (item.hasChanged) {
    put(ctx, binding);
    queue(ctx, item.address);
    return;
  }
  if (item.isTake) {
    makeAvailable(binding, 'free');
    binding.stateSinceAt = ctx.now.wallAt;
  }
  // Specification 5.2: agreed, and back to the primary whoever had leased it.
  if (item.state === 'expired' || item.state === 'released' || item.state === 'reset') makeAvailable(binding, 'free');
  binding.dirty = false;
  put(ctx, binding);
}

function onRejected(ctx: Context, item: FlightItem, binding: Binding, reason: RejectReason): void {
  const { address } = item;
  ctx.lastReject = { address, reason, at: ctx.now.wallAt };
  if (item.isDropped) {
    // The partner's was taken, but ours may have changed again since.
    if (binding.dirty) queue(ctx, address);
    return;
  }
  // It stays the partner's, which has leased it or will tell why (specification 5.2).
  if (item.isTake) return;
  const isTransient = reason === 'less-critical-binding-information' || reason === 'outdated-binding-information';
  if (!isTransient) event(ctx, 'failover/update-rejected', { address: formatIp4(address), reason });
  if (item.hasChanged) {
    queue(ctx, address);
    return;
  }
  if (!binding.dirty) {
    // It was only told because the partner asked; what the partner has instead comes from there.
    return;
  }
  if (isTransient || reason === 'fatal-conflict') {
    park(ctx, address);
    return;
  }
  if (reason === 'ip-not-reserved' && item.giftFrom === undefined && !ctx.outbox.unreserved.has(address)) {
    spareReserved(ctx, address);
    return;
  }
  if (item.giftFrom !== undefined) takeBack(ctx, binding, item.giftFrom);
  ctx.outbox.shelved.add(address);
}

/** The partner must know the lease all the same, or it gives the address away: it is told again, as one that is not reserved. */
function spareReserved(ctx: Context, address: Ip4): void {
  const { unreserved } = ctx.outbox;
  const oldest = unreserved.size >= UNRESERVED_MAX ? unreserved.values().next().value : undefined;
  if (oldest !== undefined) unreserved.delete(oldest);
  unreserved.add(address);
  queue(ctx, address);
}

/** A gift that the partner cannot take returns to the giver. */
function takeBack(ctx: Context, binding: Binding, owner: AvailableState): void {
  makeAvailable(binding, owner);
  put(ctx, binding);
}

/** Leaves an address alone for a while. */
export function park(ctx: Context, address: Ip4): void {
  const { parked } = ctx.outbox;
  if (parked.size >= PARKED_MAX) {
    const oldest = parked.keys().next().value;
    if (oldest !== undefined) parked.delete(oldest);
    ctx.outbox.sweepAgain = true;
  }
  parked.delete(address);
  parked.set(address, ctx.now.monoMs + ctx.limits.resendAfterRejectSec * 1000);
}

/** Puts rejected addresses whose time has come back into the queue. */
export function unpark(ctx: Context): void {
  if (ctx.outbox.parked.size === 0) return;
  for (const [address, untilMs] of ctx.outbox.parked) {
    if (untilMs > ctx.now.monoMs) return;
    ctx.outbox.parked.delete(address);
    queue(ctx, address);
  }
}

export function parkedUntilMs(ctx: Context): number {
  if (ctx.outbox.parked.size === 0) return FOREVER_MS;
  for (const untilMs of ctx.outbox.parked.values()) return untilMs;
  return FOREVER_MS;
}

/** The longest wait for an answer so far began here; infinity when nothing is unanswered. */
export function oldestFlightMs(ctx: Context): number {
  if (ctx.outbox.flights.size === 0) return FOREVER_MS;
  for (const flight of ctx.outbox.flights.values()) return flight.sentMs;
  return FOREVER_MS;
}

/** The connection is gone: unanswered updates are unsent ones again. They are dirty still, and found by the next sweep. */
export function forgetConnection(ctx: Context): void {
  const { outbox } = ctx;
  outbox.flights.clear();
  outbox.byAddress.clear();
  outbox.hot.clear();
  outbox.putBack.length = 0;
  outbox.sweep = undefined;
  outbox.sweepAgain = false;
  outbox.job = undefined;
  outbox.parked.clear();
}
