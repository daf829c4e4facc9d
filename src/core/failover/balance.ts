/**
 * The balance of available addresses (failover specification 2.11, 5.2 ownership moves, 8.5): how many each side should have,
 * who gives, and which address is next. The side with too many gives; the giver stops using an address before the message
 * leaves. A side that runs low asks with POOLREQ.
 */
import { formatIp4, type Ip4 } from '../../wire/units.ts';
import type { PoolCounts } from '../bindings/binding.ts';
import { type Context, event, isCommunicating, ownKind, partnersKind, put, send, type Waiting } from './context.ts';
import type { EndpointConfig } from './endpoint-types.ts';
import { BEYOND_TAKEN, POOLREQ_EVERY_MS, POOLREQ_FOREIGN_EVERY_MS } from './limits.ts';
import { makeAvailable } from './times.ts';

/** Why the shares are looked at. */
export type ReviewReason = 'entering-normal' | 'asked' | 'timer';

/** How many of `available` addresses of a scope should be the secondary's. */
export function backupTarget(config: EndpointConfig, available: number): number {
  if (available <= 0) return 0;
  if (config.profile !== 'isc') return configuredShare(config, available);
  // Specification 2.11, 8.5: dhcpd aims at halves whatever the share of clients, since clients who wait ask either server. What is
  // above would come back at once; what is below it asks for. Only the reserve of a standby is ours to say.
  const half = Math.floor(available / 2);
  const isReserve = config.role === 'primary' && config.mode === 'HotStandby';
  return isReserve ? Math.min(configuredShare(config, available), half) : half;
}

function configuredShare(config: EndpointConfig, available: number): number {
  if (config.mode === 'HotStandby') {
    const isStandbySecondary = (config.role === 'secondary') !== config.isActive;
    const reserve = Math.min(Math.ceil((available * config.percentage) / 100), Math.max(available - 1, 0));
    return isStandbySecondary ? reserve : available - reserve;
  }
  const share = Math.round((available * (100 - config.percentage)) / 100);
  // Neither side runs dry while there are two addresses.
  return available < 2 ? share : Math.min(Math.max(share, 1), available - 1);
}

/**
 * How many addresses this side should give now; 0 when the other should give, or when the difference is within the tolerance
 * and nobody is dry. `isExact`: without tolerance (on entering NORMAL and on POOLREQ).
 */
export function toGive(config: EndpointConfig, counts: PoolCounts, tolerancePercent: number, isExact: boolean): number {
  const available = counts.free + counts.backup;
  const target = backupTarget(config, available);
  const missing = config.role === 'primary' ? target - counts.backup : counts.backup - target;
  if (missing <= 0) return 0;
  const partners = config.role === 'primary' ? counts.backup : counts.free;
  const tolerance = Math.floor((available * tolerancePercent) / 100);
  return isExact || partners === 0 || missing > tolerance ? missing : 0;
}

/** Plans moves for all scopes; answers how many. They are made one by one as the window allows (`nextGift`). */
export function review(ctx: Context, reason: ReviewReason): number {
  const { balance } = ctx;
  balance.reviewAtMs = ctx.now.monoMs + ctx.limits.balanceEveryMs;
  if (!mayBalance(ctx)) return 0;
  let planned = 0;
  for (const scopeId of ctx.config.scopeIds) {
    if (ctx.record.silentScopeIds.includes(scopeId)) continue;
    const count = countToMove(ctx, ctx.bindings.counts(scopeId), reason);
    if (count === 0) {
      balance.quotas.delete(scopeId);
      continue;
    }
    const to = count > 0 ? 'the partner' : 'this server';
    if (!balance.quotas.has(scopeId))
      event(ctx, 'failover/balance', { scopeId: formatIp4(scopeId), count: Math.abs(count), to });
    balance.quotas.set(scopeId, count);
    planned += Math.max(count, 0);
  }
  return planned;
}

/** Below 0: to be taken back. */
function countToMove(ctx: Context, counts: PoolCounts, reason: ReviewReason): number {
  const { config, limits } = ctx;
  // Specification 3.7: with Windows the primary drives both directions.
  if (config.profile === 'msft') {
    const given = toGive(config, counts, limits.balanceTolerancePercent, reason !== 'timer');
    const taken = toGive({ ...config, role: 'secondary' }, counts, limits.balanceTolerancePercent, reason !== 'timer');
    return given - taken;
  }
  // Specification 8.5: dhcpd as primary moves addresses until half are ours; it gets some back only when it has need of them.
  const isWanted = config.profile !== 'isc' || config.role === 'primary' || reason === 'asked' || counts.free === 0;
  return isWanted ? toGive(config, counts, limits.balanceTolerancePercent, reason !== 'timer') : 0;
}

/** The next address to give: it changes hands here and now, durably before its message. */
export function nextGift(ctx: Context): Waiting | undefined {
  const { quotas } = ctx.balance;
  if (quotas.size === 0 || !mayBalance(ctx)) return undefined;
  const own = ownKind(ctx);
  for (const [scopeId, left] of quotas) {
    const { byAddress, shelved } = ctx.outbox;
    const isTaken = (address: Ip4): boolean =>
      ctx.isHeld(address) || byAddress.has(address) || shelved.has(address) || isUnagreed(ctx, address);
    const looks = byAddress.size + shelved.size + BEYOND_TAKEN;
    const isTake = left < 0;
    const from = isTake ? partnersKind(ctx) : own;
    const address = left === 0 ? undefined : ctx.bindings.nextFree(scopeId, from, isTaken, looks);
    const binding = address === undefined ? undefined : ctx.bindings.find(address);
    if (address === undefined || binding === undefined) {
      quotas.delete(scopeId);
      continue;
    }
    quotas.set(scopeId, left - Math.sign(left));
    // It stays the partner's until the partner has agreed (specification 5.2).
    if (isTake) return { address, isOfJob: false, giftFrom: undefined, isTake };
    makeAvailable(binding, partnersKind(ctx));
    if (ctx.config.profile !== 'twinlease') binding.stateSinceAt = ctx.now.wallAt;
    binding.dirty = true;
    put(ctx, binding);
    return { address, isOfJob: false, giftFrom: own };
  }
  return undefined;
}

/** Specification 2.14-11: an address that dhcpd may believe leased is given only after it agreed to the end. */
function isUnagreed(ctx: Context, address: Ip4): boolean {
  return ctx.config.profile === 'isc' && ctx.bindings.find(address)?.dirty === true;
}

/** Asks for addresses when our own share is below half of what it should be; called after allocations and by the timer. */
export function askWhenLow(ctx: Context, scopeIds: Iterable<Ip4>): void {
  if (ctx.config.profile === 'msft') {
    takeWhenDry(ctx, scopeIds);
    return;
  }
  const { balance } = ctx;
  const isForeign = ctx.config.profile !== 'twinlease';
  const isEarly = ctx.now.monoMs < balance.poolreqAfterMs;
  if (!mayAsk(ctx) || (isEarly && !isForeign)) return;
  for (const scopeId of scopeIds) {
    // While the leases of a new scope come over, all of its addresses are on their way and none can be given.
    if (!ctx.scopeIds.has(scopeId) || ctx.record.silentScopeIds.includes(scopeId) || !isLow(ctx, scopeId)) continue;
    if (isEarly) {
      // Who has no address left allocates none, and would look again only at the next review, which is far.
      balance.reviewAtMs = Math.min(balance.reviewAtMs, balance.poolreqAfterMs);
      return;
    }
    balance.poolreqAfterMs = ctx.now.monoMs + (isForeign ? POOLREQ_FOREIGN_EVERY_MS : POOLREQ_EVERY_MS);
    send(ctx, { kind: 'poolreq' });
    return;
  }
}

/** Between the reviews, which are far apart with Windows. */
function takeWhenDry(ctx: Context, scopeIds: Iterable<Ip4>): void {
  if (!mayBalance(ctx) || ctx.now.monoMs < ctx.balance.poolreqAfterMs) return;
  for (const scopeId of scopeIds) {
    const { free, backup } = ctx.bindings.counts(scopeId);
    if (free > 0 || backup < 2) continue;
    ctx.balance.poolreqAfterMs = ctx.now.monoMs + POOLREQ_FOREIGN_EVERY_MS;
    review(ctx, 'asked');
    return;
  }
}

function isLow(ctx: Context, scopeId: Ip4): boolean {
  const counts = ctx.bindings.counts(scopeId);
  const available = counts.free + counts.backup;
  const isPrimary = ctx.config.role === 'primary';
  const own = isPrimary ? counts.free : counts.backup;
  const target = backupTarget(ctx.config, available);
  // dhcpd never gives more than brings both to halves (specification 2.11).
  const half = Math.floor(available / 2);
  const ownTarget = ctx.config.profile === 'isc' ? half : isPrimary ? available - target : target;
  return own < ownTarget && own * 2 <= ownTarget;
}

function mayBalance(ctx: Context): boolean {
  if (ctx.mode !== 'running' || ctx.record.state !== 'normal' || !isCommunicating(ctx) || !ctx.isClockTrusted)
    return false;
  // What this server forgot may still run on addresses that it takes for free; a conflict led it past RECOVER-WAIT.
  if (ctx.now.wallAt < ctx.record.recoverWaitUntilAt) return false;
  // Specification 3.7, 3.8: with Windows only the primary moves addresses.
  return ctx.config.profile !== 'msft' || ctx.config.role === 'primary';
}

/** Specification 1.14, 2.11: Windows drops POOLREQ, dhcpd heeds it from either role; the draft lets only the secondary ask. */
function mayAsk(ctx: Context): boolean {
  if (ctx.mode !== 'running' || ctx.record.state !== 'normal' || !isCommunicating(ctx) || !ctx.isClockTrusted)
    return false;
  const { profile, role } = ctx.config;
  return profile === 'twinlease' || profile === 'isc' || (profile === 'draft' && role === 'secondary');
}
