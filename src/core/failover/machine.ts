/**
 * The server states in motion (failover specification 4): entering states, what the partner's state leads to, what an UPDDONE, a
 * lost connection, a timer and an operator lead to. The table is in `states.ts`. A new state is saved before it is announced.
 */
import { FLAG_STARTUP, type ServerState, type StoreMark } from '../../wire/failover/messages.ts';
import { addSec, type EpochSec, type Ip4, NEVER_AT, sameBytes } from '../../wire/units.ts';
import { review } from './balance.ts';
import {
  allowanceSec,
  type Context,
  event,
  type Incoming,
  isCommunicating,
  isWhole,
  keptState,
  ownMark,
  rememberedMark,
  send,
  stateOf,
  touchRecord,
  waitMcltSec,
} from './context.ts';
import type { CommandResult } from './endpoint-types.ts';
import { type IscReaction, iscBearsOurLeaving, iscReaction } from './isc-rules.ts';
import { POOLREQ_FOREIGN_EVERY_MS, SCOPES_PER_MESSAGE_MAX } from './limits.ts';
import { askForSilentScopes, askForUpdates } from './recovery.ts';
import {
  AFTER_CONTACT_LOST,
  CONFLICT,
  type KeptState,
  type PartnerState,
  SERVICE,
  TRANSITIONS,
  type TransitionAction,
} from './states.ts';
import { recoverWaitEndsAt } from './times.ts';
import { forgetConnection, queueAllDirty } from './updates.ts';

/** STATE, where the connection is far enough for it. */
export function announce(ctx: Context): void {
  if (ctx.link.phase !== 'established' && ctx.link.phase !== 'communicating') return;
  const isStartup = ctx.mode === 'startup';
  if (isAnnouncementHeld(ctx)) return;
  const store = ownMark(ctx);
  if (store !== undefined && store.sequence !== ctx.record.toldSequence) {
    ctx.record.toldSequence = store.sequence;
    touchRecord(ctx);
  }
  send(ctx, {
    kind: 'state',
    // Specification 4.3: in STARTUP the state to come back to is told, with the flag.
    serverState: isStartup ? stateToCome(ctx) : stateOf(ctx),
    serverFlags: isStartup ? FLAG_STARTUP : 0,
    stateSinceAt: ctx.record.stateSinceAt,
    store,
    unservedScopeIds: ctx.config.profile === 'twinlease' ? unservedScopeIds(ctx) : undefined,
  });
}

/**
 * What STARTUP comes back to: the remembered state as the loss of contact leaves it (specification 4.3, step 2). A foreign partner
 * hears RECOVER while RECOVER-WAIT runs, since dhcpd would answer that with NORMAL (2.14-8) and Windows's number is not known.
 */
function stateToCome(ctx: Context): KeptState {
  const previous = keptState(ctx);
  if (previous === 'recover-wait' && hidesRecoverWait(ctx)) return 'recover';
  return AFTER_CONTACT_LOST[previous] ?? previous;
}

function hidesRecoverWait(ctx: Context): boolean {
  return ctx.config.profile === 'isc' || ctx.config.profile === 'msft';
}

/**
 * Our first STATE of a connection waits for dhcpd's, which comes unasked after CONNECT and CONNECTACK: one in CONFLICT-DONE exits on
 * most states, one in NORMAL must not hear of a conflict (2.14-5, 6), and first STATEs that cross lead both into a conflict that
 * there is not. `onState` makes up for it.
 */
export function isAnnouncementHeld(ctx: Context): boolean {
  const { profile } = ctx.config;
  const isPassing = ctx.mode === 'paused' || ctx.mode === 'shutdown';
  // Specification 3.7: Windows knows neither, and has a closed connection to go by.
  if (profile === 'msft') return isPassing;
  if (profile !== 'isc') return false;
  // Two that both waited would wait for ever: the secondary speaks first where the primary is another program (of our own kind, say).
  if (ctx.link.heard === undefined && !ctx.link.isDhcpd) return false;
  return ctx.link.heard === undefined || (isPassing && !iscBearsOurLeaving(ctx.link.heard.state));
}

/** Scopes that the partner must answer alone: interface down, data not here yet, or leases given before a loss may run. */
function unservedScopeIds(ctx: Context): readonly Ip4[] {
  if (isWaitingOutLoss(ctx)) return ctx.config.scopeIds.slice(0, SCOPES_PER_MESSAGE_MAX);
  return [...new Set([...ctx.record.silentScopeIds, ...ctx.unservedHere])].slice(0, SCOPES_PER_MESSAGE_MAX);
}

/** I19: until RECOVER-WAIT is over no client is answered, whatever state a conflict with the partner led to meanwhile. */
export function isWaitingOutLoss(ctx: Context): boolean {
  return ctx.now.wallAt < ctx.record.recoverWaitUntilAt;
}

/** Enters a state: durable, then announced. Entering the present one again only announces it. */
export function enter(ctx: Context, next: KeptState): void {
  const { record } = ctx;
  if (record.state !== next) {
    event(ctx, 'failover/state-changed', { from: record.state, to: next });
    if (next === 'potential-conflict') event(ctx, 'failover/potential-conflict', {});
    setState(ctx, next);
  }
  announce(ctx);
}

function setState(ctx: Context, next: KeptState): void {
  const { record } = ctx;
  record.state = next;
  record.stateSinceAt = ctx.now.wallAt;
  if (ctx.asked?.why !== 'scopes') ctx.asked = undefined;
  if (next === 'communications-interrupted') ctx.interruptedMs = ctx.now.monoMs;
  if (next === 'partner-down') record.partnerDownAt = ctx.now.wallAt;
  if (next === 'recover-done' || next === 'normal') record.wantsAll = false;
  if (next === 'normal' || next === 'recover') record.holdsAllData = false;
  if (next !== 'normal') ctx.balance.quotas.clear();
  touchRecord(ctx);
}

/** The partner's STATE. Answers why the connection must be cut, if it must. */
export function onState(ctx: Context, message: Incoming<'state'>): string | undefined {
  const { link, record } = ctx;
  if (link.phase === 'established') {
    link.phase = 'communicating';
    link.phaseSinceMs = ctx.now.monoMs;
    event(ctx, 'failover/partner-back', {});
  }
  ctx.unservedThere = new Set(message.unservedScopeIds ?? []);
  const state = message.serverState;
  // No information, or a state that is never sent (specification 1.7).
  if (state === undefined || state === 'startup') return undefined;
  if (!noteMark(ctx, message.store, state)) return 'the partner serves from a store older than remembered';
  const { heard } = link;
  const flags = message.serverFlags;
  const isNews = heard?.state !== state || heard.flags !== flags || heard.sinceAt !== message.stateSinceAt;
  link.heard = { state, sinceAt: message.stateSinceAt, flags };
  if (isNews) notePartner(ctx, state, flags);
  waitOutForerunner(ctx, state);
  const isFirst = heard === undefined;
  const isLeaving = ctx.mode === 'startup';
  if (isLeaving) leaveStartup(ctx, state, message.stateSinceAt);
  if (!isNews && !isLeaving) {
    record.partnerStateAt = ctx.now.wallAt;
    return undefined;
  }
  const special = ctx.config.profile === 'isc' ? iscReaction(keptState(ctx), state, isFirst) : 'by-table';
  if (special === 'hang-up') return 'dhcpd in NORMAL must not hear of a conflict';
  const mustAnnounce = isLeaving || (isFirst && ctx.config.profile === 'isc');
  react(ctx, state, { isStartup: (flags & FLAG_STARTUP) !== 0, mustAnnounce, special });
  return undefined;
}

/**
 * A partner of another make that knows this pair from before had another server in our place, which may have given leases that
 * it never heard of: they are waited out as those of a lost store are. Nobody waits where both begin with RECOVER (dhcpd's own rule,
 * specification 2.5).
 */
function waitOutForerunner(ctx: Context, partner: PartnerState): void {
  const { record } = ctx;
  if (ctx.config.profile === 'twinlease' || record.state !== 'recover') return;
  if (record.lastOperationalAt !== NEVER_AT || record.recoverWaitUntilAt !== NEVER_AT) return;
  if (partner === 'recover' || partner === 'recover-wait' || partner === 'recover-done') return;
  record.lossAt = ctx.now.wallAt;
  record.recoverWaitUntilAt = recoverWaitEndsAt(ctx.now.wallAt, waitMcltSec(ctx, ctx.now.wallAt), allowanceSec(ctx));
  touchRecord(ctx);
}

function notePartner(ctx: Context, state: PartnerState, flags: number): void {
  const { record } = ctx;
  if (record.partnerState !== state)
    event(ctx, 'failover/partner-state-changed', { from: record.partnerState ?? 'unknown', to: state });
  record.partnerState = state;
  record.partnerFlags = flags;
  record.partnerStateAt = ctx.now.wallAt;
  touchRecord(ctx);
}

/**
 * Remembers the partner's newest store mark (specification 4.3). False when the partner, told that it is old, serves all the
 * same. While it recovers it does not hold what it had, so its mark counts only from RECOVER-WAIT on, or when it has asked for
 * everything and got it: a loss found during a conflict ends with the conflict.
 */
function noteMark(ctx: Context, mark: StoreMark | undefined, state: ServerState): boolean {
  const { record } = ctx;
  if (mark === undefined || state === 'recover') return true;
  const isOld = isBehind(mark, rememberedMark(ctx));
  if (isOld && !ctx.link.hasAllFromHere) {
    if (state === 'potential-conflict') return true;
    if (state !== 'recover-wait' && state !== 'recover-done') return false;
  }
  if (sameBytes(mark.storeId, record.partnerStoreId) && mark.sequence === record.partnerSequence) return true;
  record.partnerStoreId = mark.storeId;
  record.partnerSequence = mark.sequence;
  touchRecord(ctx);
  return true;
}

/** Whether a store with this mark is older than what is remembered of it, or another one. */
function isBehind(mark: StoreMark, remembered: StoreMark | undefined): boolean {
  if (remembered === undefined) return false;
  return !sameBytes(mark.storeId, remembered.storeId) || mark.sequence < remembered.sequence;
}

/** The partner remembers more of our store than there is, or another one (specification 4.3, "old or foreign store"). */
export function onRemembered(ctx: Context, remembered: StoreMark | undefined): void {
  const { record } = ctx;
  const told = { storeId: ctx.store.storeId, sequence: record.toldSequence ?? ctx.startSequence };
  if (ctx.config.profile !== 'twinlease' || !isBehind(told, remembered)) return;
  if (record.wantsAll && record.state === 'recover' && record.recoverWaitUntilAt !== NEVER_AT) return;
  event(ctx, 'failover/own-store-old', {});
  loseStore(ctx);
}

/** Our data are not the present ones: everything is asked for, and nobody is served until old grants are over. */
function loseStore(ctx: Context): void {
  const { record } = ctx;
  record.lossAt = ctx.now.wallAt;
  // An old copy cannot tell when this server last served, so the latest possible moment is taken.
  beginRecovery(ctx, Math.max(ctx.startedAt, ctx.servedAt) as EpochSec, true);
}

function beginRecovery(ctx: Context, failedAt: EpochSec, wantsAll: boolean): void {
  const { record } = ctx;
  const endsAt = recoverWaitEndsAt(failedAt, waitMcltSec(ctx, failedAt), allowanceSec(ctx));
  record.recoverWaitUntilAt = Math.max(record.recoverWaitUntilAt, endsAt) as EpochSec;
  record.wantsAll = record.wantsAll || wantsAll;
  ctx.asked = undefined;
  event(ctx, 'failover/recovering', { why: wantsAll ? 'the store is lost or old' : 'the partner went on alone' });
  setState(ctx, 'recover');
}

/** An orderly stop that the partner answered with PARTNER-DOWN: from now on it goes on alone (specification 4.4, SHUTDOWN). */
export function recoverNext(ctx: Context): void {
  if (ctx.record.state === 'recover') return;
  beginRecovery(ctx, Math.max(ctx.record.lastOperationalAt, ctx.servedAt) as EpochSec, false);
}

/** Specification 4.3, steps 2, 5 and 6; the partner's state is undefined when it did not come within the time. */
function leaveStartup(ctx: Context, partner: PartnerState | undefined, partnerSinceAt: EpochSec): void {
  const { record } = ctx;
  ctx.mode = 'running';
  const previous = keptState(ctx);
  const base = stateToCome(ctx);
  const isRecovering = base === 'recover' || base === 'recover-wait' || base === 'recover-done';
  const mayHaveLeft = partner === 'partner-down' && !isRecovering && base !== 'partner-down';
  if (mayHaveLeft && partnerSinceAt >= record.lastOperationalAt) {
    // Saved only now and then, so the last moment of service may have been that much later.
    const failedAt = addSec(record.lastOperationalAt, ctx.limits.lastOperationalEverySec);
    beginRecovery(ctx, failedAt, false);
    return;
  }
  if (base !== previous) setState(ctx, base);
  if (base === 'communications-interrupted') ctx.interruptedMs = ctx.now.monoMs;
  if (partner === undefined) announce(ctx);
}

interface Hearing {
  /** The partner's STATE carried the flag. */
  readonly isStartup: boolean;
  /** Our state is told even when it stays. */
  readonly mustAnnounce: boolean;
  readonly special: IscReaction;
}

/** Applies the table of specification 4.4. */
function react(ctx: Context, partner: PartnerState, hearing: Hearing): void {
  if (ctx.mode !== 'running') return;
  const { mustAnnounce, special } = hearing;
  if (special === 'start-over') {
    enter(ctx, 'communications-interrupted');
    return;
  }
  const mine = keptState(ctx);
  const transition = special === 'conflict' ? CONFLICT : TRANSITIONS[mine][partner];
  const isHeld = hearing.isStartup && special !== 'conflict' && isHeldBack(mine, partner);
  if (isHeld || special === 'hold') {
    if (mustAnnounce) announce(ctx);
    return;
  }
  // 2.14-4: NORMAL is never the first STATE of a connection.
  const isFirstNormal = mustAnnounce && ctx.config.profile === 'isc' && transition.next === 'normal';
  if (isFirstNormal) announce(ctx);
  if (transition.next !== undefined) enter(ctx, transition.next);
  else if (mustAnnounce) announce(ctx);
  if (transition.action !== undefined) perform(ctx, transition.action);
}

/** Specification 4.4, "with flag STARTUP": what must wait for the unflagged STATE. */
function isHeldBack(mine: KeptState, partner: PartnerState): boolean {
  if (mine === 'partner-down') return true;
  if (mine !== 'resolution-interrupted' && mine !== 'communications-interrupted') return false;
  return partner === 'potential-conflict' || partner === 'resolution-interrupted';
}

function perform(ctx: Context, action: TransitionAction): void {
  const isPrimary = ctx.config.role === 'primary';
  switch (action) {
    case 'ask-for-updates':
      askForUpdates(ctx, 'recover');
      return;
    case 'enter-conflict':
      // The primary asks first; the secondary when the primary is through (g), which it may be already.
      if (isPrimary || ctx.record.partnerState === 'conflict-done') askForUpdates(ctx, 'conflict');
      return;
    case 'secondary-asks':
      if (!isPrimary) askForUpdates(ctx, 'conflict');
      return;
    case 'enter-normal':
      beginNormal(ctx);
      return;
    default:
      action satisfies never;
  }
}

/** Specification 4.4, action c. */
function beginNormal(ctx: Context): void {
  queueAllDirty(ctx);
  askForSilentScopes(ctx);
  review(ctx, 'entering-normal');
  const { profile, role } = ctx.config;
  if (profile === 'draft' && role === 'secondary') send(ctx, { kind: 'poolreq' });
  // Specification 2.11: dhcpd gives unasked when it enters NORMAL, and before all that waits has crossed it finds nothing to give.
  if (profile === 'isc') ctx.balance.poolreqAfterMs = ctx.now.monoMs + POOLREQ_FOREIGN_EVERY_MS;
}

export function onUpdateDone(ctx: Context, xid: number): void {
  const { asked, record } = ctx;
  if (asked === undefined || asked.xid !== xid) return;
  ctx.asked = undefined;
  switch (asked.why) {
    case 'recover':
      if (record.state !== 'recover') return;
      if (record.wantsAll) record.silentScopeIds = [];
      record.wantsAll = false;
      enter(ctx, isWaitingOutLoss(ctx) ? 'recover-wait' : 'recover-done');
      return;
    case 'conflict':
      if (record.state !== 'potential-conflict') return;
      record.wantsAll = false;
      if (ctx.config.role === 'primary') {
        enter(ctx, 'conflict-done');
        return;
      }
      // Specification 4.4, g: a primary that has gone back to POTENTIAL-CONFLICT asks again, and dhcpd must not hear NORMAL then (2.5).
      if (record.partnerState !== 'conflict-done') return;
      enter(ctx, 'normal');
      beginNormal(ctx);
      return;
    case 'scopes':
      record.silentScopeIds = record.silentScopeIds.filter((scopeId) => !asked.scopeIds.includes(scopeId));
      touchRecord(ctx);
      announce(ctx);
      // All addresses of such a scope are the partner's at first; a share of its own makes this server useful there.
      ctx.balance.reviewAtMs = Math.max(ctx.now.monoMs, ctx.balance.poolreqAfterMs);
      askForSilentScopes(ctx);
      return;
    default:
      asked.why satisfies never;
  }
}

/** Contact is gone; the caller has put the link down (specification 4.4, "comm lost"). */
export function onContactLost(ctx: Context): void {
  forgetConnection(ctx);
  ctx.asked = undefined;
  ctx.unservedThere = new Set();
  ctx.balance.quotas.clear();
  if (ctx.mode !== 'running') return;
  const mine = keptState(ctx);
  const next = AFTER_CONTACT_LOST[mine];
  if (next !== undefined) enter(ctx, next);
  // Specification 2.14-8: dhcpd would answer RECOVER-WAIT with NORMAL, so RECOVER is announced again.
  else if (mine === 'recover-wait' && hidesRecoverWait(ctx)) enter(ctx, 'recover');
}

/** Waits that end by themselves. */
export function onStateTimer(ctx: Context): void {
  const { record } = ctx;
  if (ctx.mode === 'startup' && ctx.now.monoMs >= ctx.startupEndsMs) leaveStartup(ctx, undefined, NEVER_AT);
  if (ctx.mode !== 'running' || !ctx.isClockTrusted) return;
  if (record.recoverWaitUntilAt !== NEVER_AT && !isWaitingOutLoss(ctx) && record.state !== 'recover') {
    record.recoverWaitUntilAt = NEVER_AT;
    touchRecord(ctx);
    if (record.state === 'recover-wait') enter(ctx, 'recover-done');
    else announce(ctx);
  }
  const intervalSec = ctx.config.autoPartnerDownSec;
  if (intervalSec === undefined || ctx.now.monoMs < autoPartnerDownMs(ctx)) return;
  event(ctx, 'failover/auto-partner-down', { seconds: intervalSec });
  enter(ctx, 'partner-down');
}

/** When the safe period ends (monotonic); infinity when none runs. It runs only without contact. */
export function autoPartnerDownMs(ctx: Context): number {
  const intervalSec = ctx.config.autoPartnerDownSec;
  const isRunning =
    ctx.mode === 'running' && ctx.record.state === 'communications-interrupted' && !isCommunicating(ctx);
  return isRunning && intervalSec !== undefined ? ctx.interruptedMs + intervalSec * 1000 : Number.POSITIVE_INFINITY;
}

/** Operator: the partner is down. `sinceAt` is when it really stopped; never before it was last heard. */
export function commandPartnerDown(ctx: Context, sinceAt: EpochSec | undefined): CommandResult {
  const { record } = ctx;
  const mine = stateOf(ctx);
  if (mine === 'partner-down') return { kind: 'nothing-to-do' };
  if (mine !== 'communications-interrupted' && mine !== 'resolution-interrupted')
    return { kind: 'refused', why: 'state' };
  const lastHeardAt = Math.max(record.stateSinceAt - ctx.limits.receiveTimerSec, 0);
  const downAt = Math.min(Math.max(sinceAt ?? ctx.now.wallAt, lastHeardAt), ctx.now.wallAt) as EpochSec;
  enterPartnerDownSince(ctx, downAt);
  return { kind: 'done' };
}

function enterPartnerDownSince(ctx: Context, downAt: EpochSec): void {
  event(ctx, 'failover/state-changed', { from: ctx.record.state, to: 'partner-down' });
  setState(ctx, 'partner-down');
  ctx.record.partnerDownAt = downAt;
  // Nobody is left to ask.
  ctx.record.wantsAll = false;
  announce(ctx);
}

/** Operator, or a restored backup: get everything from the partner. */
export function commandRecoverAll(ctx: Context): CommandResult {
  if (ctx.mode === 'paused' || ctx.mode === 'shutdown' || ctx.record.holdsAllData)
    return { kind: 'refused', why: 'state' };
  // Specification 2.14-6: RECOVER would make it exit. It leaves that state in a moment.
  if (ctx.config.profile === 'isc' && ctx.link.heard?.state === 'conflict-done' && isCommunicating(ctx))
    return { kind: 'refused', why: 'state' };
  loseStore(ctx);
  announce(ctx);
  if (ctx.mode === 'running') askForUpdates(ctx, 'recover');
  return { kind: 'done' };
}

export function isServing(ctx: Context): boolean {
  return ctx.mode === 'running' && SERVICE[ctx.record.state] !== 'none' && !isWaitingOutLoss(ctx) && isWhole(ctx);
}
