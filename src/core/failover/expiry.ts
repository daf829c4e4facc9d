/**
 * Leases that end (failover specification 5.2, 5.5): in a relationship whoever notices says EXPIRED and the address is free once
 * both agree; alone, an address that the partner never heard of goes back silently; in PARTNER-DOWN the waits decide.
 */
import { type EpochSec, type Ip4, NEVER_AT } from '../../wire/units.ts';
import type { Binding } from '../bindings/binding.ts';
import {
  allowanceSec,
  type Context,
  event,
  FOREVER_MS,
  isCommunicating,
  put,
  touchRecord,
  waitMcltSec,
} from './context.ts';
import {
  EXPIRE_BATCH,
  EXPIRE_EVERY_MS,
  EXPIRE_GRACE_SEC,
  EXPIRE_MORE_MS,
  EXPIRE_SCAN_MAX,
  SECONDARY_EXPIRE_DELAY_SEC,
} from './limits.ts';
import { isServing } from './machine.ts';
import { forgottenLeaseEndsAt, goneClientsAddressUsableAt, greatestPotentialAt, makeAvailable } from './times.ts';
import { queue, rewind } from './updates.ts';

/** Whether lease ends are acted on: with a trusted clock, by a server that serves, and not by an `isc` secondary in NORMAL. */
export function mayExpire(ctx: Context): boolean {
  if (!ctx.isClockTrusted || !isServing(ctx) || ctx.record.state === 'recover-done') return false;
  // Specification 2.14-10: let dhcpd as primary expire its leases itself.
  return !(ctx.config.profile === 'isc' && ctx.config.role === 'secondary' && ctx.record.state === 'normal');
}

export function onExpiryTimer(ctx: Context): void {
  if (!mayExpire(ctx) || ctx.now.monoMs < ctx.expireAtMs) return;
  const due = dueAddresses(ctx);
  for (const address of due) {
    const binding = ctx.bindings.find(address);
    if (binding !== undefined && binding.state === 'active') endLease(ctx, binding);
  }
  const isPassDone = ctx.record.state !== 'partner-down' || freeAfterWaits(ctx);
  // Many at once are taken in small portions, so that no step stalls the clients.
  const isMoreDue = due.length >= EXPIRE_BATCH || !isPassDone;
  ctx.expireAtMs = ctx.now.monoMs + (isMoreDue ? EXPIRE_MORE_MS : EXPIRE_EVERY_MS);
}

/** When the timer should look again; infinity while nothing is or will be due. */
export function expiryDeadlineMs(ctx: Context): number {
  if (!mayExpire(ctx)) return FOREVER_MS;
  if (ctx.record.state === 'partner-down') return ctx.expireAtMs;
  const dueAt = ctx.bindings.dueAt();
  if (dueAt === undefined) return FOREVER_MS;
  const inMs = Math.max(dueAt + graceSec(ctx) - ctx.now.wallAt, 0) * 1000;
  return Math.max(ctx.now.monoMs + inMs, ctx.expireAtMs);
}

/** With contact, the other clock may be behind, and the primary speaks first. */
function graceSec(ctx: Context): number {
  if (ctx.record.state !== 'normal') return EXPIRE_GRACE_SEC;
  // An end is told a second after the partner can accept it: by equal clocks it would be refused once in the second before.
  const delay = 1 + (ctx.config.role === 'secondary' ? SECONDARY_EXPIRE_DELAY_SEC : 0);
  return EXPIRE_GRACE_SEC + Math.min(ctx.measuredSkewSec, ctx.limits.skewRefuseSec) + delay;
}

/** What a loss keeps from ending stays due, so the look goes deeper then. */
function dueAddresses(ctx: Context): Ip4[] {
  const at = (ctx.now.wallAt - graceSec(ctx)) as EpochSec;
  for (let limit = EXPIRE_BATCH; ; limit *= 4) {
    const due = ctx.bindings.takeDue(at, Math.min(limit, EXPIRE_SCAN_MAX), (scopeId) => ctx.scopeIds.has(scopeId));
    const ours = due.filter((address) => mayEnd(ctx, address));
    if (ours.length > 0 || due.length < limit || limit >= EXPIRE_SCAN_MAX) return ours.slice(0, EXPIRE_BATCH);
  }
}

/** After the loss of a store a lease may run longer than both servers know (`lossAt`). */
function mayEnd(ctx: Context, address: Ip4): boolean {
  const lossAt = ctx.record.lossAt ?? 0;
  if (lossAt === 0) return true;
  const binding = ctx.bindings.find(address);
  return binding !== undefined && ctx.now.wallAt >= lossEndsAt(ctx, binding);
}

/** Until when a lease may run that the server without memory may have extended; 0 when it cannot have. */
export function lossEndsAt(ctx: Context, binding: Binding): EpochSec {
  const lossAt = ctx.record.lossAt ?? NEVER_AT;
  return forgottenLeaseEndsAt(binding, lossAt, waitMcltSec(ctx, lossAt), allowanceSec(ctx));
}

/**
 * The partner begins again with nothing (UPDREQALL). Its consent to the end of a lease is worth nothing now: it may have extended
 * the lease, even of a client that had released or declined it here, and forgotten. So ends that are not agreed yet are taken
 * back, and all leases of before the loss wait (`lossAt`). Where the partner had been told of the end, it may even have agreed and
 * given the address to another: then it is nobody's until that wait is over.
 */
export function onPartnerLostStore(ctx: Context): void {
  const { record } = ctx;
  // Windows and dhcpd ask for everything on other occasions too; the new half of a relationship never gave a lease.
  if (record.holdsAllData || ctx.config.profile !== 'twinlease') return;
  event(ctx, 'failover/old-store', { who: 'the partner' });
  record.lossAt = record.state === 'partner-down' ? record.partnerDownAt : ctx.now.wallAt;
  touchRecord(ctx);
  for (const scopeId of ctx.config.scopeIds) {
    forEachTransitory(ctx, scopeId, (binding) => {
      const isReset = binding.state === 'reset';
      if ((binding.leaseEndAt === NEVER_AT && !isReset) || ctx.now.wallAt >= lossEndsAt(ctx, binding)) return;
      if (isReset || !mayRevive(ctx, binding)) setAside(binding);
      else binding.state = 'active';
      binding.dirty = true;
      put(ctx, binding);
      // An answer to the end that is still under way is no answer to this.
      const item = ctx.outbox.byAddress.get(binding.address);
      if (item !== undefined) item.hasChanged = true;
    });
  }
}

/**
 * The "undo" of specification 5.2 is forbidden once the update was sent, until it is answered. Whether one of an earlier run was
 * sent cannot be known, nor whether one that a lost connection took along had arrived.
 */
export function mayRevive(ctx: Context, binding: Binding): boolean {
  if (binding.state !== 'expired' && binding.state !== 'released') return false;
  if (ctx.outbox.byAddress.has(binding.address)) return false;
  return !ctx.outbox.sentEnds.has(binding.address) && (!binding.told || binding.stateSinceAt >= ctx.startedAt);
}

/** Without client and end, as everything abandoned; how far it was promised stays known. */
function setAside(binding: Binding): void {
  binding.recvPotentialAt = greatestPotentialAt(binding);
  binding.leaseEndAt = NEVER_AT;
  binding.state = 'abandoned';
  binding.stateSinceAt = binding.lastTransactionAt;
  for (const key of ['clientId', 'hardware', 'hostName', 'relayInfo', 'policy'] as const) binding[key] = undefined;
  binding.dnsFlags = 0;
}

function endLease(ctx: Context, binding: Binding): void {
  binding.state = 'expired';
  binding.stateSinceAt = ctx.now.wallAt;
  if (rewind(ctx, binding)) return;
  if (ctx.record.state === 'partner-down' && isWaitOver(ctx, binding)) {
    free(ctx, binding);
    return;
  }
  binding.dirty = true;
  put(ctx, binding);
  const item = ctx.outbox.byAddress.get(binding.address);
  if (item !== undefined) item.hasChanged = true;
  else queue(ctx, binding.address);
}

/**
 * Specification 5.5: expired, released and reset addresses become free without the partner. One portion of one scope; true when
 * a pass over all scopes is done.
 */
function freeAfterWaits(ctx: Context): boolean {
  const scopeId = ctx.config.scopeIds[ctx.waitPass.index];
  if (scopeId === undefined) return passAgain(ctx);
  const addresses = ctx.bindings.scanTransitory(scopeId, ctx.waitPass.from, EXPIRE_BATCH);
  for (const address of addresses) {
    const binding = ctx.bindings.find(address);
    if (binding === undefined || ctx.outbox.byAddress.has(address)) continue;
    if (!rewind(ctx, binding) && isWaitOver(ctx, binding)) free(ctx, binding);
  }
  const last = addresses.at(-1);
  const isScopeDone = addresses.length < EXPIRE_BATCH || last === undefined || last === 0xffffffff;
  const { index } = ctx.waitPass;
  ctx.waitPass = isScopeDone ? { index: index + 1, from: 0 as Ip4 } : { index, from: (last + 1) as Ip4 };
  return isScopeDone && index + 1 >= ctx.config.scopeIds.length && passAgain(ctx);
}

/** The next pass begins at the first scope. */
function passAgain(ctx: Context): true {
  ctx.waitPass = { index: 0, from: 0 as Ip4 };
  return true;
}

function forEachTransitory(ctx: Context, scopeId: Ip4, visit: (binding: Binding) => void): void {
  for (let from = 0 as Ip4; ; ) {
    const addresses = ctx.bindings.scanTransitory(scopeId, from, EXPIRE_BATCH);
    for (const address of addresses) {
      const binding = ctx.bindings.find(address);
      if (binding !== undefined) visit(binding);
    }
    const last = addresses.at(-1);
    if (addresses.length < EXPIRE_BATCH || last === undefined || last === 0xffffffff) return;
    from = (last + 1) as Ip4;
  }
}

function isWaitOver(ctx: Context, binding: Binding): boolean {
  const downAt = ctx.record.partnerDownAt;
  return ctx.now.wallAt >= goneClientsAddressUsableAt(binding, downAt, waitMcltSec(ctx, downAt), allowanceSec(ctx));
}

function free(ctx: Context, binding: Binding): void {
  makeAvailable(binding, 'free');
  binding.stateSinceAt = ctx.now.wallAt;
  binding.dirty = true;
  put(ctx, binding);
  const item = ctx.outbox.byAddress.get(binding.address);
  if (item !== undefined) item.hasChanged = true;
  else if (isCommunicating(ctx)) queue(ctx, binding.address);
}
