/**
 * UPDREQ, UPDREQALL and UPDDONE from both ends (failover specification 1.13, 2.13, 4.3, 4.4): starting the answer to a request,
 * and making requests of our own. What a received UPDDONE leads to is a matter of states (`machine.ts`).
 */
import type { Ip4 } from '../../wire/units.ts';
import { type Context, isCommunicating, send } from './context.ts';
import { makeCursor } from './cursor.ts';
import { SCOPES_PER_MESSAGE_MAX } from './limits.ts';

/** An UPDDONE answers the latest request, so a new one replaces the one before (specification 1.13). */
export function startJob(ctx: Context, xid: number, wantsAll: boolean, asked: readonly Ip4[] | undefined): void {
  // Our own kind names a scope that is on its way here too; of others' an unknown one stays unknown, and there is nothing to tell.
  const scopeIds = ctx.config.profile === 'twinlease' ? asked : asked?.filter((scopeId) => ctx.scopeIds.has(scopeId));
  for (const item of ctx.outbox.byAddress.values()) item.isOfJob = false;
  const kept = ctx.outbox.putBack.filter((waiting) => !waiting.isOfJob);
  ctx.outbox.putBack.splice(0, ctx.outbox.putBack.length, ...kept);
  // Of a scope that was added here first the partner has refused everything until now (specification 4.3).
  if (scopeIds !== undefined) ctx.outbox.shelved.clear();
  // A request for named scopes is for all that is in them: the partner begins with nothing there.
  ctx.outbox.job = { xid, wantsAll: wantsAll || scopeIds !== undefined, scopeIds, cursor: undefined, pending: 0 };
  openJob(ctx);
}

/** A request for a scope that is not configured here yet waits until it is: the partner was only told of it earlier. */
export function openJob(ctx: Context): void {
  const { job } = ctx.outbox;
  if (job === undefined || job.cursor !== undefined) return;
  const scopeIds = job.scopeIds ?? ctx.config.scopeIds;
  if (scopeIds.every((scopeId) => ctx.scopeIds.has(scopeId))) job.cursor = makeCursor(scopeIds);
}

/** Everything when the store was lost or is old, else what we have not acknowledged (specification 4.4, a). */
export function askForUpdates(ctx: Context, why: 'recover' | 'conflict'): void {
  if (!isCommunicating(ctx) || ctx.asked?.why === why) return;
  // Specification 2.14-8: a recovery from dhcpd that was cut while RECOVER-WAIT runs begins anew, with everything.
  const isRepeated = ctx.config.profile === 'isc' && ctx.now.wallAt < ctx.record.recoverWaitUntilAt;
  const wantsAll = ctx.record.wantsAll || (why === 'recover' && isRepeated);
  const xid = send(ctx, wantsAll ? { kind: 'updreqall' } : { kind: 'updreq' });
  ctx.asked = { why, xid, scopeIds: [], progressMs: ctx.now.monoMs };
}

/** Specification 4.3: a scope added to a live relationship is silent here until the partner told what is in it. */
export function askForSilentScopes(ctx: Context): void {
  if (!isCommunicating(ctx) || ctx.record.state !== 'normal' || ctx.asked !== undefined) return;
  const scopeIds = ctx.record.silentScopeIds.slice(0, SCOPES_PER_MESSAGE_MAX);
  if (scopeIds.length === 0) return;
  // Only our own kind and Windows can be asked for some scopes (option 30); from others everything comes again.
  const { profile } = ctx.config;
  const canName = profile === 'twinlease' || profile === 'msft';
  const xid = send(ctx, canName ? { kind: 'updreq', scopeIds } : { kind: 'updreqall' });
  ctx.asked = { why: 'scopes', xid, scopeIds, progressMs: ctx.now.monoMs };
}
