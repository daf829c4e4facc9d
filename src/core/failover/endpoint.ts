/**
 * The failover endpoint: one server's side of one relationship, as a deterministic object (design, part 2). It takes inputs and
 * hands back effects; this file only dispatches, keeps the order "save before send", and answers status and deadline. The rules
 * are in its neighbours: `machine` (states), `link`, `updates` and `incoming`, `recovery`, `balance`, `expiry`, `rights`.
 */
import type { FailoverMessage } from '../../wire/failover/messages.ts';
import { type EpochSec, type Ip4, type MonoMs, NEVER_AT, type Now, type Sec } from '../../wire/units.ts';
import type { BindingTable } from '../bindings/binding.ts';
import { askWhenLow, review } from './balance.ts';
import {
  allowanceSec,
  bucketsOf,
  type Context,
  emptyLink,
  emptyOutbox,
  FOREVER_MS,
  flushRecord,
  givenMcltSec,
  isCommunicating,
  isWhole,
  type MutableRecord,
  ownMark,
  type StoreView,
  send,
  stateOf,
  touchRecord,
  waitMcltSec,
} from './context.ts';
import type {
  CommandResult,
  Endpoint,
  EndpointCommand,
  EndpointConfig,
  EndpointInput,
  EndpointLimits,
  EndpointStatus,
  RelationshipRecord,
} from './endpoint-types.ts';
import { expiryDeadlineMs, onExpiryTimer, onPartnerLostStore } from './expiry.ts';
import { onUpdates } from './incoming.ts';
import { initialRecord } from './initial-record.ts';
import { SHUTDOWN_WAIT_MS } from './limits.ts';
import {
  closeForGood,
  cut,
  dial,
  linkDeadlineMs,
  mayReplaceLink,
  noteMclt,
  onAnyMessage,
  onConnect,
  onConnectAck,
  onConnected,
  onDialFailed,
  onDisconnected,
  onLinkTimer,
} from './link.ts';
import {
  announce,
  autoPartnerDownMs,
  commandPartnerDown,
  commandRecoverAll,
  isAnnouncementHeld,
  isServing,
  onState,
  onStateTimer,
  onUpdateDone,
  recoverNext,
} from './machine.ts';
import { askForSilentScopes, openJob, startJob } from './recovery.ts';
import { makeRights } from './rights.ts';
import { isKept } from './states.ts';
import { onAnswers, onBindingChanged, parkedUntilMs, pump, unpark } from './updates.ts';

export type { StoreView } from './context.ts';
export { initialRecord } from './initial-record.ts';
export { DEFAULT_LIMITS, FOREIGN_LIMITS, limitsOf, WINDOWS_LIMITS } from './limits.ts';

const BEFORE_ANY: Now = { monoMs: 0 as MonoMs, wallAt: NEVER_AT };

/**
 * Makes an endpoint; nothing happens before its `start` input. `record` is undefined when none was kept (a lost store, or a
 * relationship whose creation was cut short). `isHeld` names addresses that an open offer holds: they are not given away.
 */
export function makeEndpoint(
  config: EndpointConfig,
  record: RelationshipRecord | undefined,
  bindings: BindingTable,
  limits: EndpointLimits,
  store: StoreView,
  isHeld: (address: Ip4) => boolean = () => false,
): Endpoint {
  // A record of another relationship that had the same name says nothing of this one.
  const kept = record !== undefined && record.id === config.id && isKept(record.state) ? record : undefined;
  const ctx = makeContext(config, kept, bindings, limits, store, isHeld);
  const rights = makeRights(ctx);
  let commandResult: CommandResult = { kind: 'nothing-to-do' };
  return {
    rights,
    step(now, input) {
      ctx.now = now;
      ctx.effects = [];
      if (input.kind === 'command') commandResult = onCommand(ctx, input.command);
      else onInput(ctx, input, kept === undefined);
      finish(ctx);
      return ctx.effects;
    },
    get commandResult() {
      return commandResult;
    },
    get deadlineMs() {
      return deadlineMs(ctx);
    },
    setClockTrusted(isTrusted) {
      ctx.isClockTrusted = isTrusted;
    },
    record: () => ({ ...ctx.record }),
    status: (now) => ({ ...status(ctx, now), partnersUsableAt: rights.partnersUsableAt(now) }),
    get state() {
      return stateOf(ctx);
    },
    get isCommunicating() {
      return isCommunicating(ctx);
    },
    mayReplaceLink: (now) => mayReplaceLink(ctx, now.monoMs),
  };
}

function makeContext(
  config: EndpointConfig,
  record: RelationshipRecord | undefined,
  bindings: BindingTable,
  limits: EndpointLimits,
  store: StoreView,
  isHeld: (address: Ip4) => boolean,
): Context {
  const present = record ?? initialRecord(config, BEFORE_ANY, { holdsAllData: false, wantsAll: true });
  return {
    config,
    limits,
    bindings,
    store,
    isHeld,
    record: { ...present } as MutableRecord,
    isRecordDirty: false,
    now: BEFORE_ANY,
    effects: [],
    mode: 'new',
    startedAt: NEVER_AT,
    startSequence: store.sequence(),
    servedAt: NEVER_AT,
    interruptedMs: 0,
    startupEndsMs: FOREVER_MS,
    shutdownEndsMs: FOREVER_MS,
    isClockTrusted: true,
    // The first moment of service of each process is kept at once: after a crash the wait counts from the last one.
    savedOperationalMs: Number.NEGATIVE_INFINITY,
    expireAtMs: 0,
    waitPass: { index: 0, from: 0 as Ip4 },
    buckets: bucketsOf(config),
    unservedHere: new Set(),
    unservedThere: new Set(),
    measuredSkewSec: 0 as Sec,
    lastReject: undefined,
    link: emptyLink(),
    outbox: emptyOutbox(),
    asked: undefined,
    balance: { quotas: new Map(), reviewAtMs: 0, poolreqAfterMs: 0 },
    scopeIds: new Set(config.scopeIds),
  };
}

function onInput(ctx: Context, input: Exclude<EndpointInput, { kind: 'command' }>, isRecordLost: boolean): void {
  switch (input.kind) {
    case 'start':
      start(ctx, isRecordLost);
      return;
    case 'connected':
      onConnected(ctx, input.dialled);
      return;
    case 'dial-failed':
      onDialFailed(ctx);
      return;
    case 'disconnected':
      onDisconnected(ctx, input.why);
      return;
    case 'message':
      onMessage(ctx, input.message);
      return;
    case 'timer':
      onTimer(ctx);
      return;
    case 'reconfigured':
      reconfigure(ctx, input.config, input.newScopeIds);
      return;
    case 'binding-changed':
      onBindingChanged(ctx, input.address);
      if (ctx.record.state === 'normal') {
        const scopeId = ctx.bindings.scopeOf(input.address);
        if (scopeId !== undefined) askWhenLow(ctx, [scopeId]);
      }
      return;
    case 'unserved-scopes':
      ctx.unservedHere = new Set(input.scopeIds);
      announce(ctx);
      return;
    default:
      input satisfies never;
  }
}

/** Process start, or an end of PAUSED: STARTUP first (specification 4.3), except for who never stopped holding everything. */
function start(ctx: Context, isRecordLost: boolean): void {
  const { record, limits, now } = ctx;
  if (ctx.mode === 'startup' || ctx.mode === 'running') return;
  if (ctx.mode === 'new') {
    ctx.startedAt = now.wallAt;
    if (isRecordLost) {
      // Specification 4.4: a lost store waits from the process's start; without a loss no lease was ever given.
      const beginning = { holdsAllData: false, wantsAll: true, gaveNoLease: !ctx.store.isLostStore };
      Object.assign(record, initialRecord(ctx.config, now, beginning));
    }
    touchRecord(ctx);
  }
  ctx.mode = record.holdsAllData ? 'running' : 'startup';
  const isLong = now.wallAt - record.lastOperationalAt > ctx.config.mcltSec && record.lastOperationalAt !== NEVER_AT;
  ctx.startupEndsMs = now.monoMs + (isLong ? limits.startupWaitLongSec : limits.startupWaitSec) * 1000;
  ctx.interruptedMs = now.monoMs;
  ctx.balance.reviewAtMs = now.monoMs + limits.balanceEveryMs;
  dial(ctx);
}

function onMessage(ctx: Context, message: FailoverMessage): void {
  const { phase } = ctx.link;
  // What is still in the pipe of a connection that was ended here.
  if (phase === 'down' || phase === 'dialling') return;
  if (!onAnyMessage(ctx, message)) return;
  const isHandshake = message.kind === 'connect' || message.kind === 'connectack' || message.kind === 'disconnect';
  if (phase === 'open' && !isHandshake) {
    cut(ctx, 'other', `${message.kind} before CONNECT`);
    return;
  }
  switch (message.kind) {
    case 'connect':
      onConnect(ctx, message);
      return;
    case 'connectack':
      onConnectAck(ctx, message);
      return;
    case 'disconnect':
      ctx.effects.push({ kind: 'close', why: `the partner closes: ${message.rejectReason}` });
      onDisconnected(ctx, message.message ?? message.rejectReason);
      return;
    case 'state': {
      const fault = onState(ctx, message);
      if (fault !== undefined) cut(ctx, 'other', fault);
      if (ctx.mode === 'shutdown' && message.serverState === 'partner-down') endShutdown(ctx, true);
      return;
    }
    case 'bndupd':
      onUpdates(ctx, message);
      return;
    case 'bndack':
      onAnswers(ctx, message.xid, message.answers);
      return;
    case 'updreq':
      startJob(ctx, message.xid, false, message.scopeIds);
      return;
    case 'updreqall':
      onPartnerLostStore(ctx);
      startJob(ctx, message.xid, true, undefined);
      return;
    case 'upddone':
      onUpdateDone(ctx, message.xid);
      return;
    case 'poolreq':
      // Specification 3.7: not a message of Windows's.
      if (ctx.config.profile === 'msft') return;
      // Specification 2.14-15: answered even when nothing is moved.
      send(ctx, { kind: 'poolresp', addressesTransferred: review(ctx, 'asked') }, message.xid);
      return;
    case 'poolresp':
    case 'contact':
      return;
    default:
      message satisfies never;
  }
}

function onCommand(ctx: Context, command: EndpointCommand): CommandResult {
  switch (command.kind) {
    case 'partner-down':
      return commandPartnerDown(ctx, command.sinceAt);
    case 'recover-all':
      return commandRecoverAll(ctx);
    case 'pause':
    case 'shutdown':
      return stop(ctx, command.kind === 'pause' ? 'paused' : 'shutdown');
    case 'resume':
      if (ctx.mode !== 'paused' && ctx.mode !== 'shutdown') return { kind: 'nothing-to-do' };
      endShutdown(ctx, false);
      start(ctx, false);
      return { kind: 'done' };
    default:
      return command satisfies never;
  }
}

/**
 * PAUSED and SHUTDOWN are announced, never kept: the record stays what it was (specification 4.3, 4.4). After SHUTDOWN the partner
 * has a moment to take over.
 */
function stop(ctx: Context, mode: 'paused' | 'shutdown'): CommandResult {
  if (ctx.mode === mode || ctx.mode === 'shutdown') return { kind: 'nothing-to-do' };
  if (isServing(ctx)) ctx.record.lastOperationalAt = ctx.now.wallAt;
  touchRecord(ctx);
  ctx.mode = mode;
  announce(ctx);
  const mayAnswer = mode === 'shutdown' && isCommunicating(ctx) && !isAnnouncementHeld(ctx);
  if (mayAnswer && ctx.record.partnerState !== 'partner-down') ctx.shutdownEndsMs = ctx.now.monoMs + SHUTDOWN_WAIT_MS;
  else closeForGood(ctx, `this server goes ${mode}`);
  return { kind: 'done' };
}

/** Ends the wait: a partner that went to PARTNER-DOWN goes on alone, so this server comes back by RECOVER (specification 4.4). */
function endShutdown(ctx: Context, isPartnerAlone: boolean): void {
  if (ctx.shutdownEndsMs === FOREVER_MS) return;
  ctx.shutdownEndsMs = FOREVER_MS;
  if (isPartnerAlone) recoverNext(ctx);
  closeForGood(ctx, 'this server goes shutdown');
}

function reconfigure(ctx: Context, config: EndpointConfig, newScopeIds: readonly Ip4[]): void {
  const before = givenMcltSec(ctx);
  const theirs = ctx.record.adoptedMcltSec ?? ctx.config.mcltSec;
  ctx.config = config;
  ctx.scopeIds = new Set(config.scopeIds);
  // A primary of another make tells its shares in CONNECT alone (specification 1.8, step 8).
  if (!isToldByPrimary(ctx)) ctx.buckets = bucketsOf(config);
  // A primary of another make tells its MCLT in the next CONNECT, and until then the one it told holds (specification 1.8, 7). So does
  // ours for a secondary of another make; Windows goes by its own configuration.
  const isNegotiated = config.profile === 'isc' || config.profile === 'draft';
  if (!isNegotiated) ctx.record.adoptedMcltSec = undefined;
  else if (config.role === 'primary')
    ctx.record.adoptedMcltSec = ctx.record.partnerState === undefined || theirs === config.mcltSec ? undefined : theirs;
  noteMclt(ctx, before);
  const { record } = ctx;
  // What was refused may be accepted now.
  ctx.outbox.shelved.clear();
  const silent = record.silentScopeIds.filter((scopeId) => ctx.scopeIds.has(scopeId));
  record.silentScopeIds = [...new Set([...silent, ...newScopeIds.filter((scopeId) => ctx.scopeIds.has(scopeId))])];
  if (!record.holdsAllData && record.state === 'recover' && record.wantsAll) record.silentScopeIds = [];
  touchRecord(ctx);
  for (const scopeId of ctx.balance.quotas.keys()) if (!ctx.scopeIds.has(scopeId)) ctx.balance.quotas.delete(scopeId);
  if (newScopeIds.length > 0) announce(ctx);
  askForSilentScopes(ctx);
  openJob(ctx);
  ctx.balance.reviewAtMs = ctx.now.monoMs;
}

function isToldByPrimary(ctx: Context): boolean {
  const { role, profile } = ctx.config;
  const isTold = ctx.link.phase === 'established' || ctx.link.phase === 'communicating';
  return isTold && role === 'secondary' && (profile === 'isc' || profile === 'draft');
}

function onTimer(ctx: Context): void {
  if (ctx.now.monoMs >= ctx.shutdownEndsMs) endShutdown(ctx, false);
  onLinkTimer(ctx);
  onStateTimer(ctx);
  unpark(ctx);
  onExpiryTimer(ctx);
  if (ctx.record.state === 'normal' && ctx.now.monoMs >= ctx.balance.reviewAtMs) {
    review(ctx, 'timer');
    askWhenLow(ctx, ctx.config.scopeIds);
    askForSilentScopes(ctx);
  }
}

/** What every step ends with: the queues move, the moment of service is noted, the record is saved if it changed. */
function finish(ctx: Context): void {
  if (isServing(ctx)) {
    ctx.servedAt = ctx.now.wallAt;
    if (ctx.now.monoMs >= operationalDeadlineMs(ctx)) {
      ctx.savedOperationalMs = ctx.now.monoMs;
      ctx.record.lastOperationalAt = ctx.now.wallAt;
      touchRecord(ctx);
      tellSequence(ctx);
    }
  }
  pump(ctx);
  flushRecord(ctx);
}

/** The partner can only tell an old store from the present one if it heard of the present one (specification 4.3). */
function tellSequence(ctx: Context): void {
  const mark = ownMark(ctx);
  if (mark !== undefined && isCommunicating(ctx) && mark.sequence !== ctx.record.toldSequence) announce(ctx);
}

function operationalDeadlineMs(ctx: Context): number {
  return ctx.savedOperationalMs + ctx.limits.lastOperationalEverySec * 1000;
}

function deadlineMs(ctx: Context): MonoMs | undefined {
  if (ctx.mode === 'shutdown' && ctx.shutdownEndsMs !== FOREVER_MS) return ctx.shutdownEndsMs as MonoMs;
  if (ctx.mode === 'new' || ctx.mode === 'shutdown' || ctx.mode === 'paused') return undefined;
  const { record, now } = ctx;
  const isNormal = ctx.mode === 'running' && record.state === 'normal';
  const waitUntilAt = record.recoverWaitUntilAt;
  const isWaiting = waitUntilAt !== NEVER_AT && record.state !== 'recover' && ctx.isClockTrusted;
  const deadline = Math.min(
    linkDeadlineMs(ctx),
    ctx.mode === 'startup' ? ctx.startupEndsMs : FOREVER_MS,
    ctx.isClockTrusted ? autoPartnerDownMs(ctx) : FOREVER_MS,
    isWaiting && ctx.mode === 'running' ? now.monoMs + Math.max(waitUntilAt - now.wallAt, 0) * 1000 : FOREVER_MS,
    isNormal ? ctx.balance.reviewAtMs : FOREVER_MS,
    isServing(ctx) ? operationalDeadlineMs(ctx) : FOREVER_MS,
    parkedUntilMs(ctx),
    expiryDeadlineMs(ctx),
  );
  return deadline === FOREVER_MS ? undefined : (deadline as MonoMs);
}

function status(ctx: Context, now: Now): EndpointStatus {
  const { record } = ctx;
  const autoMs = autoPartnerDownMs(ctx);
  let dirtyBindings = 0;
  for (const scopeId of ctx.config.scopeIds) dirtyBindings += ctx.bindings.dirtyCount(scopeId);
  return {
    name: ctx.config.name,
    state: stateOf(ctx),
    stateSinceAt: record.stateSinceAt,
    partnerState: record.partnerState,
    partnerStateAt: record.partnerStateAt,
    isConnected: ctx.link.phase !== 'down' && ctx.link.phase !== 'dialling',
    isCommunicating: isCommunicating(ctx),
    skewSec: ctx.measuredSkewSec,
    unackedUpdates: ctx.outbox.flights.size,
    dirtyBindings,
    partnerDownAt: record.partnerDownAt,
    recoverWaitUntilAt: record.recoverWaitUntilAt,
    autoPartnerDownAt: Number.isFinite(autoMs)
      ? ((now.wallAt + Math.max(Math.ceil((autoMs - now.monoMs) / 1000), 0)) as EpochSec)
      : NEVER_AT,
    silentScopeIds: record.silentScopeIds,
    lastReject: ctx.lastReject,
    allowanceSec: allowanceSec(ctx),
    waitMcltSec: waitMcltSec(ctx, record.partnerDownAt === NEVER_AT ? now.wallAt : record.partnerDownAt),
    fetching: fetching(ctx),
    isAnswering: ctx.outbox.job !== undefined,
    lacks: isWhole(ctx) ? (record.state === 'recover' ? 'changes' : undefined) : 'everything',
    loss: lossOf(ctx),
  };
}

function lossOf(ctx: Context): EndpointStatus['loss'] {
  const at = ctx.record.lossAt ?? NEVER_AT;
  return at === NEVER_AT ? undefined : { at, waitMcltSec: waitMcltSec(ctx, at) };
}

function fetching(ctx: Context): EndpointStatus['fetching'] {
  if (ctx.asked === undefined) return undefined;
  if (ctx.asked.why === 'scopes') return 'scopes';
  return ctx.record.wantsAll ? 'everything' : 'changes';
}
