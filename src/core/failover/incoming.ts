/**
 * Incoming binding updates: each is judged, applied and answered; the answer leaves after everything accepted is durable
 * (failover specification 5.4, 6.3, I12).
 */
import type { BindingAnswer, BindingUpdate } from '../../wire/failover/messages.ts';
import { type EpochSec, formatIp4, NEVER_AT } from '../../wire/units.ts';
import type { Binding } from '../bindings/binding.ts';
import { judge, type Verdict } from './acceptance.ts';
import { type Context, event, type Incoming, isOurs, isReserved, put, send } from './context.ts';
import { lossEndsAt } from './expiry.ts';
import { applied } from './update-values.ts';
import { park, queue } from './updates.ts';

export function onUpdates(ctx: Context, message: Incoming<'bndupd'>): void {
  if (ctx.asked !== undefined) ctx.asked.progressMs = ctx.now.monoMs;
  const answers: BindingAnswer[] = message.updates.map((update) => receive(ctx, update, message.sentAt));
  // Groups that could not be read keep their place among the answers (specification 1.14, BNDACK order).
  for (const { index, address, rejectReason, message: text } of message.unreadable ?? [])
    answers.splice(index, 0, { address, rejectReason, message: text });
  send(ctx, { kind: 'bndack', answers }, message.xid);
}

function receive(ctx: Context, update: BindingUpdate, sentAt: EpochSec): BindingAnswer {
  const { address } = update;
  const ours = isOurs(ctx, address) ? ctx.bindings.find(address) : undefined;
  const item = ctx.outbox.byAddress.get(address);
  const marginSec = ctx.config.profile === 'twinlease' ? ctx.limits.skewAllowanceSec : 0;
  const isRecoveringAll =
    (ctx.record.state === 'recover' || ctx.record.state === 'potential-conflict') && ctx.record.wantsAll;
  const verdict = judge(update, ours, {
    nowAt: ctx.now.wallAt,
    sentAt,
    role: ctx.config.role,
    profile: ctx.config.profile,
    inFlight: item === undefined || item.isDropped ? undefined : item.state,
    isReservedHere: (update.state === 'backup' || update.state === 'free') && isReserved(ctx, address),
    isRecovering: ctx.record.state === 'recover',
    marginSec,
    mayReset: ours === undefined || ctx.now.wallAt >= lossEndsAt(ctx, ours),
    isRecoveringAll,
  });
  if (verdict.kind === 'reject' || ours === undefined) return rejected(ctx, update, verdict);
  const next = applied(isRecoveringAll ? withoutHorizons(ours) : ours, update, sentAt, ctx.config.profile, marginSec);
  if (item !== undefined) {
    if (verdict.kind === 'give-way') item.isDropped = true;
    else {
      // The partner takes what is in flight, which is neither what was here nor what it has just said.
      next.dirty = next.dirty || item.hasChanged;
      item.hasChanged = next.dirty;
    }
  }
  ctx.outbox.parked.delete(address);
  ctx.outbox.shelved.delete(address);
  ctx.outbox.sentEnds.delete(address);
  if (!next.dirty) ctx.outbox.hot.delete(address);
  put(ctx, next);
  if (next.dirty && item === undefined) queue(ctx, address);
  return { address };
}

/**
 * An old copy may remember how far a lease was agreed that both have ended since, and that its client has anew. That allows no
 * grant any more, but counts for the waits still.
 */
function withoutHorizons(ours: Binding): Binding {
  return {
    ...ours,
    sentPotentialAt: Math.max(ours.sentPotentialAt, ours.ackedPotentialAt, ours.recvPotentialAt) as EpochSec,
    ackedPotentialAt: NEVER_AT,
    recvPotentialAt: NEVER_AT,
  };
}

function rejected(ctx: Context, update: BindingUpdate, verdict: Verdict): BindingAnswer {
  const { address } = update;
  if (verdict.kind !== 'reject') return { address, rejectReason: 'illegal-ip-address' };
  const { reason, isDuel } = verdict;
  if (reason === 'fatal-conflict')
    event(ctx, 'failover/conflict', { address: formatIp4(address), outcome: 'Ours was kept' });
  else if (!isDuel && reason !== 'outdated-binding-information')
    event(ctx, 'failover/update-rejected', { address: formatIp4(address), reason });
  const isOursBetter =
    reason === 'fatal-conflict' ||
    reason === 'outdated-binding-information' ||
    reason === 'less-critical-binding-information';
  // The partner has something else than we, so it must hear ours, even if it once acknowledged it.
  if (isOursBetter && !isDuel) tellOurs(ctx, update);
  // For whoever reads the partner's log.
  return { address, rejectReason: reason, message: reason.replaceAll('-', ' ') };
}

function tellOurs(ctx: Context, update: BindingUpdate): void {
  const { address } = update;
  const ours = ctx.bindings.find(address);
  if (ours === undefined || ctx.outbox.byAddress.has(address)) return;
  // dhcpd knows this lease and still takes it for over: its clock is ahead. Told at once it would say the same again (2.14-14).
  const isClockAhead = ctx.config.profile === 'isc' && !ours.dirty && ours.state === 'active';
  if (!ours.dirty) {
    ours.dirty = true;
    put(ctx, ours);
  }
  if (isClockAhead) park(ctx, address);
  else queue(ctx, address);
}
