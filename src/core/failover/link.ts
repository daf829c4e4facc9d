/**
 * One connection of an endpoint: dialling, CONNECT and CONNECTACK with their checks, keep-alive, clock skew, and its end (failover
 * specification 1.1, 1.8, 1.9, 1.11). The shell keeps at most one connection per endpoint: a new one replaces the old.
 */
import type { FailoverMessage, RejectReason } from '../../wire/failover/messages.ts';
import { WINDOWS_SECONDARY_MAY_CONNECT, WINDOWS_UNACKED_MAX } from '../../wire/failover/unverified.ts';
import { VENDOR_CLASS } from '../../wire/failover/vendor.ts';
import { addSec, NEVER_AT, type Sec } from '../../wire/units.ts';
import {
  bucketsOf,
  type Context,
  event,
  FOREVER_MS,
  givenMcltSec,
  type Incoming,
  longestMcltSec,
  ownMark,
  rememberedMark,
  send,
  sendNow,
  takeXid,
  touchRecord,
} from './context.ts';
import { ANSWER_WAIT_MS, CONTACT_WINDOWS_MS, REDIAL_SLOW_FACTOR, WINDOW_DEFAULT, WINDOW_MAX } from './limits.ts';
import { announce, onContactLost, onRemembered } from './machine.ts';
import { isConnectOld, isXidOld, noteConnect } from './replay.ts';
import { skewBetween } from './times.ts';
import { oldestFlightMs } from './updates.ts';

const PROTOCOL_VERSION = 1;
/** Specification 1.14: what dhcpd calls itself begins so. */
const DHCPD_VENDOR_CLASS = 'isc-';

/** Specification 1.1: the primary dials; toward dhcpd and by the draft both do. */
function dials(ctx: Context): boolean {
  const { role, profile } = ctx.config;
  return role === 'primary' || profile === 'isc' || profile === 'draft';
}

export function dial(ctx: Context): void {
  const { link } = ctx;
  if (!dials(ctx) || link.phase !== 'down') return;
  link.phase = 'dialling';
  link.phaseSinceMs = ctx.now.monoMs;
  link.redialAtMs = FOREVER_MS;
  ctx.effects.push({ kind: 'dial' });
}

export function onConnected(ctx: Context, dialled: boolean): void {
  const { link } = ctx;
  if (ctx.mode !== 'startup' && ctx.mode !== 'running') {
    ctx.effects.push({ kind: 'close', why: 'this server does not take part now' });
    return;
  }
  // Specification 1.1: by the draft a primary uses only a connection that it opened; another one tells that the partner is up.
  if (!dialled && ctx.config.role === 'primary' && ctx.config.profile === 'draft') {
    ctx.effects.push({ kind: 'close', why: 'the primary opens the connection' });
    if (ctx.link.phase === 'down') dial(ctx);
    return;
  }
  if (link.phase !== 'down' && link.phase !== 'dialling')
    lose(ctx, 'the partner opened a new connection', ctx.limits.redialMs);
  link.phase = 'open';
  link.phaseSinceMs = ctx.now.monoMs;
  link.redialAtMs = FOREVER_MS;
  // xids mean nothing across connections (specification 1.13).
  link.nextXid = 1;
  link.heardXid = undefined;
  link.lastReceivedMs = ctx.now.monoMs;
  link.heard = undefined;
  link.hasAllFromHere = false;
  link.isDhcpd = true;
  link.isSkewAlarmed = false;
  // A server of another make reads a changed configuration only when it starts: what it refused may be accepted now.
  if (ctx.config.profile !== 'twinlease') ctx.outbox.shelved.clear();
  if (ctx.config.role === 'primary') sendConnect(ctx);
}

/** Specification 1.8, step 10: a connection that has just been made, or on which the partner was heard lately, is alive. */
export function mayReplaceLink(ctx: Context, nowMs: number): boolean {
  const { phase, phaseSinceMs, lastReceivedMs } = ctx.link;
  if (phase === 'down' || phase === 'dialling') return true;
  // Specification 2.4: dhcpd has one connection at a time, and calls only when it has none.
  if (ctx.config.profile === 'isc') return nowMs >= phaseSinceMs + ctx.limits.redialMs;
  // The partner says CONTACT at a third of our receive timer; one and a half of that is late.
  return nowMs >= Math.max(phaseSinceMs, lastReceivedMs) + ctx.limits.receiveTimerSec * 500;
}

export function onDialFailed(ctx: Context): void {
  if (ctx.link.phase === 'dialling') down(ctx, ctx.limits.redialMs);
}

export function onDisconnected(ctx: Context, why: string): void {
  if (ctx.link.phase !== 'down') lose(ctx, why, ctx.limits.redialMs);
}

/** Ends the connection from here; with a DISCONNECT where the partner heeds one (specification 1.14). */
export function cut(
  ctx: Context,
  rejectReason: RejectReason,
  why: string,
  redialInMs: number = ctx.limits.redialMs * REDIAL_SLOW_FACTOR,
): void {
  if (ctx.link.phase === 'down' || ctx.link.phase === 'dialling') return;
  if (ctx.config.profile !== 'msft') send(ctx, { kind: 'disconnect', rejectReason, message: why });
  hangUp(ctx, why, redialInMs);
}

function hangUp(ctx: Context, why: string, redialInMs: number): void {
  ctx.effects.push({ kind: 'close', why });
  lose(ctx, why, redialInMs);
}

function lose(ctx: Context, why: string, redialInMs: number): void {
  const wasUp = ctx.link.phase === 'communicating';
  down(ctx, redialInMs);
  if (wasUp) event(ctx, 'failover/partner-lost', { why });
  onContactLost(ctx);
}

function down(ctx: Context, redialInMs: number): void {
  ctx.link.phase = 'down';
  ctx.link.phaseSinceMs = ctx.now.monoMs;
  const isTakingPart = ctx.mode === 'startup' || ctx.mode === 'running';
  ctx.link.redialAtMs = isTakingPart && dials(ctx) ? ctx.now.monoMs + redialInMs : FOREVER_MS;
}

/** For PAUSED and SHUTDOWN: nothing is dialled any more. */
export function closeForGood(ctx: Context, why: string): void {
  if (ctx.link.phase === 'down') ctx.link.redialAtMs = FOREVER_MS;
  else hangUp(ctx, why, FOREVER_MS);
}

function sendConnect(ctx: Context): void {
  const { config, limits } = ctx;
  const xid = takeXid(ctx);
  ctx.link.connectXid = xid;
  send(
    ctx,
    {
      kind: 'connect',
      relationshipName: config.name,
      maxUnacked: limits.unackedMax,
      receiveTimerSec: limits.receiveTimerSec,
      vendorClass: VENDOR_CLASS,
      protocolVersion: PROTOCOL_VERSION,
      // Our own links are inside TLS already, where the option must not be (specification 1.6).
      tlsRequest: config.profile === 'twinlease' ? undefined : 0,
      mcltSec: config.mcltSec,
      hashBuckets: ctx.buckets,
      store: ownMark(ctx),
      remembered: rememberedMark(ctx),
    },
    xid,
  );
}

/** Secondary: the checks of specification 1.8 in their order. */
export function onConnect(ctx: Context, message: Incoming<'connect'>): void {
  const { profile, role } = ctx.config;
  // A Windows secondary may send one too; ours is under way.
  if (profile === 'msft' && role === 'primary' && WINDOWS_SECONDARY_MAY_CONNECT) return;
  if (ctx.link.phase !== 'open') {
    cut(ctx, 'duplicate-connection', 'CONNECT on a connection that has one');
    return;
  }
  const fault = connectFault(ctx, message);
  if (fault !== undefined) {
    refuse(ctx, message, fault.reason, fault.why);
    return;
  }
  const { config } = ctx;
  noteConnect(ctx, message.sentAt);
  ctx.link.isDhcpd = message.vendorClass?.startsWith(DHCPD_VENDOR_CLASS) ?? true;
  adoptMclt(ctx, message.mcltSec);
  // Specification 3.1: Windows does not use what it hears of them, so it must be configured equal on both. Nor do two of ours: a
  // change takes effect on each by itself, and what a primary told before it had the change would stay in force here after it.
  const isTold = config.profile === 'isc' || config.profile === 'draft';
  ctx.buckets = isTold ? (message.hashBuckets ?? bucketsOf(config)) : bucketsOf(config);
  accept(ctx, message.maxUnacked, message.receiveTimerSec);
  send(
    ctx,
    {
      kind: 'connectack',
      relationshipName: config.name,
      maxUnacked: ctx.limits.unackedMax,
      receiveTimerSec: ctx.limits.receiveTimerSec,
      vendorClass: VENDOR_CLASS,
      protocolVersion: PROTOCOL_VERSION,
      tlsReply: message.tlsRequest === undefined ? undefined : 0,
      store: ownMark(ctx),
      remembered: rememberedMark(ctx),
    },
    message.xid,
  );
  onRemembered(ctx, message.remembered);
  announce(ctx);
}

function connectFault(
  ctx: Context,
  message: Incoming<'connect'>,
): { readonly reason: RejectReason; readonly why: string } | undefined {
  const isWindows = ctx.config.profile === 'msft';
  if (message.protocolVersion !== PROTOCOL_VERSION && !(isWindows && message.protocolVersion === undefined))
    return { reason: 'version-mismatch', why: 'protocol version 1 is spoken here' };
  if (message.tlsRequest === 2)
    return { reason: 'tls-not-configured', why: 'TLS inside the connection is not offered' };
  if (message.relationshipName !== ctx.config.name || ctx.config.role !== 'secondary')
    return { reason: 'invalid-partner', why: 'unknown relationship name or role' };
  if (skewBetween(message.sentAt, ctx.now.wallAt) > ctx.limits.skewRefuseSec)
    return { reason: 'time-mismatch', why: 'the clocks differ too much' };
  if (isConnectOld(ctx, message.sentAt))
    return { reason: 'time-mismatch', why: 'this CONNECT is not later than the one before' };
  if (!isWindows && (message.maxUnacked === undefined || message.receiveTimerSec === undefined))
    return { reason: 'other', why: 'max-unacked-bndupd or receive-timer is missing' };
  if (message.mcltSec === 0 || (message.mcltSec === undefined && !isWindows))
    return { reason: 'invalid-mclt', why: 'MCLT is missing or 0' };
  if (message.hashBuckets?.length !== 32 && !isWindows)
    return { reason: 'hba-conflict', why: 'hash buckets are missing' };
  return undefined;
}

function refuse(ctx: Context, connect: Incoming<'connect'>, rejectReason: RejectReason, message: string): void {
  event(ctx, 'failover/refused-partner', { reason: `${rejectReason}, ${message}` });
  // Specification 1.6: no more than this; the answer about TLS even here where it was asked for.
  const tlsReply = connect.tlsRequest === undefined ? undefined : 0;
  const { name: relationshipName } = ctx.config;
  const said = { relationshipName, protocolVersion: PROTOCOL_VERSION, tlsReply, rejectReason, message };
  send(ctx, { kind: 'connectack', ...said }, connect.xid);
  hangUp(ctx, `refused: ${message}`, ctx.limits.redialMs * REDIAL_SLOW_FACTOR);
}

/** Primary (specification 1.8, last steps); an answer with another xid is ignored. */
export function onConnectAck(ctx: Context, message: Incoming<'connectack'>): void {
  if (ctx.link.phase !== 'open' || ctx.config.role !== 'primary' || message.xid !== ctx.link.connectXid) return;
  if (message.rejectReason !== undefined) {
    event(ctx, 'failover/refused-by-partner', { reason: message.rejectReason, message: message.message ?? '' });
    // A partner of our own kind learns of a new relationship a moment later: it is asked again soon.
    const isNew = ctx.config.profile === 'twinlease' && message.rejectReason === 'invalid-partner';
    hangUp(ctx, `the partner refused: ${message.rejectReason}`, ctx.limits.redialMs * (isNew ? 1 : REDIAL_SLOW_FACTOR));
    return;
  }
  if (message.relationshipName !== undefined && message.relationshipName !== ctx.config.name) {
    cut(ctx, 'invalid-partner', 'the answer names another relationship');
    return;
  }
  if (message.protocolVersion !== undefined && message.protocolVersion !== PROTOCOL_VERSION) {
    cut(ctx, 'version-mismatch', 'protocol version 1 is spoken here');
    return;
  }
  // It was not asked for, and there is none to be had inside a connection (specification 1.8, 1.12).
  if (message.tlsReply === 1) {
    cut(ctx, 'tls-not-configured', 'TLS inside the connection is not offered');
    return;
  }
  mcltIsHeard(ctx);
  accept(ctx, message.maxUnacked, message.receiveTimerSec);
  onRemembered(ctx, message.remembered);
  announce(ctx);
}

/** Specification 1.8, step 7: from now on the partner goes by our MCLT. */
function mcltIsHeard(ctx: Context): void {
  if (ctx.record.adoptedMcltSec === undefined) return;
  const before = longestMcltSec(ctx);
  ctx.record.adoptedMcltSec = undefined;
  touchRecord(ctx);
  noteMclt(ctx, before);
}

function accept(ctx: Context, maxUnacked: number | undefined, receiveTimerSec: Sec | undefined): void {
  const { link } = ctx;
  link.phase = 'established';
  link.phaseSinceMs = ctx.now.monoMs;
  link.partnerMaxUnacked = Math.min(
    maxUnacked === undefined || maxUnacked < 1 ? WINDOW_DEFAULT : maxUnacked,
    WINDOW_MAX,
  );
  if (ctx.config.profile === 'msft') link.partnerMaxUnacked = WINDOWS_UNACKED_MAX;
  link.partnerReceiveTimerSec =
    receiveTimerSec === undefined || receiveTimerSec < 3 ? ctx.limits.receiveTimerSec : receiveTimerSec;
}

/** Specification 1.8, step 7: the primary's MCLT holds. Windows's is not used, nor does it use ours (3.1). */
function adoptMclt(ctx: Context, told: Sec | undefined): void {
  const before = givenMcltSec(ctx);
  const isSame = told === undefined || told === ctx.config.mcltSec || ctx.config.profile === 'msft';
  if (ctx.record.adoptedMcltSec !== (isSame ? undefined : told)) {
    ctx.record.adoptedMcltSec = isSame ? undefined : told;
    touchRecord(ctx);
  }
  // The secondary of another make's primary is told what to use; what it was configured with was nobody's wish.
  const isTold = ctx.config.profile === 'isc' && ctx.config.role === 'secondary';
  if (!isSame && !isTold) event(ctx, 'failover/unequal', { what: 'MCLT', here: ctx.config.mcltSec, there: told });
  const hasServed = ctx.record.state !== 'recover' || ctx.record.lastOperationalAt !== NEVER_AT;
  if (hasServed) noteMclt(ctx, before);
}

/** Specification 6.5: leases granted under a longer MCLT run on, so the waits remember it that long. */
export function noteMclt(ctx: Context, before: Sec): void {
  if (before <= givenMcltSec(ctx)) return;
  const { record } = ctx;
  const stillRuns = ctx.now.wallAt < record.mcltWasUntilAt ? record.mcltWasSec : 0;
  record.mcltWasSec = Math.max(before, stillRuns) as Sec;
  const untilAt = addSec(ctx.now.wallAt, before + ctx.limits.skewAllowanceSec);
  if (untilAt > record.mcltWasUntilAt) record.mcltWasUntilAt = untilAt;
  touchRecord(ctx);
}

/** Every message: it proves life and tells the partner's clock (specification 1.11). False when it ended the connection. */
export function onAnyMessage(ctx: Context, message: FailoverMessage): boolean {
  const { link, limits, record } = ctx;
  if (isXidOld(ctx, message)) {
    cut(ctx, 'other', `the xid ${message.xid} of ${message.kind} is not above the one before`);
    return false;
  }
  link.lastReceivedMs = ctx.now.monoMs;
  const skewSec = skewBetween(message.sentAt, ctx.now.wallAt);
  ctx.measuredSkewSec = skewSec;
  if (skewSec > limits.skewAlarmSec) {
    if (!link.isSkewAlarmed) event(ctx, 'failover/time-skew', { skewSec });
    link.isSkewAlarmed = true;
  } else link.isSkewAlarmed = false;
  // CONNECT has an answer of its own for this.
  if (skewSec > limits.skewRefuseSec) {
    if (message.kind === 'connect') return true;
    cut(ctx, 'time-mismatch', `the clocks differ by ${skewSec} s`);
    return false;
  }
  if (skewSec > record.skewSec) {
    record.skewSec = skewSec;
    touchRecord(ctx);
  }
  return true;
}

export function onLinkTimer(ctx: Context): void {
  const { link, limits } = ctx;
  const nowMs = ctx.now.monoMs;
  switch (link.phase) {
    case 'down':
      if (nowMs >= link.redialAtMs) dial(ctx);
      return;
    case 'dialling':
      // The shell's own time-out is shorter; this one makes sure that a lost answer does not end all attempts.
      if (nowMs >= link.phaseSinceMs + limits.handshakeMs * 2) down(ctx, 0);
      return;
    case 'open':
    case 'established':
      if (nowMs >= link.phaseSinceMs + limits.handshakeMs) hangUp(ctx, 'the handshake took too long', limits.redialMs);
      return;
    case 'communicating':
      onAliveTimer(ctx);
      return;
    default:
      link.phase satisfies never;
  }
}

function onAliveTimer(ctx: Context): void {
  const nowMs = ctx.now.monoMs;
  if (nowMs >= receiveDeadlineMs(ctx)) {
    cut(ctx, 'no-traffic', 'no message within the receive timer', ctx.limits.redialMs);
    return;
  }
  if (nowMs >= answerDeadlineMs(ctx)) {
    cut(ctx, 'other', 'updates stay unanswered');
    return;
  }
  if (nowMs >= contactDeadlineMs(ctx)) sendContact(ctx);
}

/** It overtakes what waits for the disk; but where a digest counts the xids must rise on the wire (specification 1.12). */
function sendContact(ctx: Context): void {
  if (ctx.config.hasDigest !== true) {
    sendNow(ctx, { kind: 'contact' });
    return;
  }
  ctx.link.lastSentMs = ctx.now.monoMs;
  send(ctx, { kind: 'contact' });
}

function receiveDeadlineMs(ctx: Context): number {
  return ctx.link.lastReceivedMs + ctx.limits.receiveTimerSec * 1000;
}

/** Specification 1.9: a third of the partner's receive timer after the last message sent. */
function contactDeadlineMs(ctx: Context): number {
  const everyMs = Math.max(Math.floor(ctx.link.partnerReceiveTimerSec / 3), 1) * 1000;
  return ctx.link.lastSentMs + (ctx.config.profile === 'msft' ? Math.min(everyMs, CONTACT_WINDOWS_MS) : everyMs);
}

function answerDeadlineMs(ctx: Context): number {
  const askedMs = ctx.asked === undefined || ctx.asked.why === 'scopes' ? FOREVER_MS : ctx.asked.progressMs;
  return Math.min(oldestFlightMs(ctx), askedMs) + ANSWER_WAIT_MS;
}

export function linkDeadlineMs(ctx: Context): number {
  const { link, limits } = ctx;
  switch (link.phase) {
    case 'down':
      return link.redialAtMs;
    case 'dialling':
      return link.phaseSinceMs + limits.handshakeMs * 2;
    case 'open':
    case 'established':
      return link.phaseSinceMs + limits.handshakeMs;
    case 'communicating':
      return Math.min(receiveDeadlineMs(ctx), contactDeadlineMs(ctx), answerDeadlineMs(ctx));
    default:
      return link.phase satisfies never;
  }
}
