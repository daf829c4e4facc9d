/**
 * What the parts of one endpoint share: configuration, durable record, link, queues and the effects of the step in progress.
 * Also the few verbs that all of them use. The rule "save before send" is kept here: `send` puts the record in front of itself.
 */

import { BUCKET_COUNT, hashBucketsForPercent, hashBucketsForSplit } from '../../wire/failover/hash-buckets.ts';
import type {
  BindingState,
  FailoverMessage,
  OutMessage,
  RejectReason,
  ServerState,
  StoreMark,
} from '../../wire/failover/messages.ts';
import type { EpochSec, Ip4, Now, Sec } from '../../wire/units.ts';
import type { AvailableState, Binding, BindingTable } from '../bindings/binding.ts';
import type { Effect, EndpointConfig, EndpointLimits, RelationshipRecord } from './endpoint-types.ts';
import type { KeptState, PartnerState } from './states.ts';

/** The store as the engine asks of it. */
export interface StoreView {
  readonly storeId: Uint8Array;
  /** Sequence of the newest durable commit. */
  sequence(): number;
  /** The store was found empty though the configuration knows relationships. */
  readonly isLostStore: boolean;
}

export type MutableRecord = { -readonly [K in keyof RelationshipRecord]: RelationshipRecord[K] };

/** `open`: connected, no CONNECT/CONNECTACK yet. `established`: they are exchanged. `communicating`: the STATE is here too. */
export type LinkPhase = 'down' | 'dialling' | 'open' | 'established' | 'communicating';

export interface Link {
  phase: LinkPhase;
  phaseSinceMs: number;
  connectXid: number;
  nextXid: number;
  /** Of the last message on this connection that carries an xid of the partner's. */
  heardXid: number | undefined;
  lastReceivedMs: number;
  lastSentMs: number;
  redialAtMs: number;
  partnerReceiveTimerSec: number;
  partnerMaxUnacked: number;
  isSkewAlarmed: boolean;
  /** The partner's newest STATE on this connection, to tell a repetition from news. */
  heard: { readonly state: PartnerState; readonly sinceAt: EpochSec; readonly flags: number } | undefined;
  /** The partner asked for everything on this connection, and got it. */
  hasAllFromHere: boolean;
  /** False when a primary that was declared as dhcpd says itself that it is not: it need not tell its state unasked. */
  isDhcpd: boolean;
}

/** One address of a BNDUPD that has no answer yet. */
export interface FlightItem {
  readonly address: Ip4;
  readonly state: BindingState;
  readonly potentialEndAt: EpochSec;
  /** Set for an ownership move: whose the address was. */
  readonly giftFrom: AvailableState | undefined;
  /** The primary takes an available address back from Windows, which moves nothing by itself (specification 5.2, 3.4). */
  readonly isTake: boolean;
  /** The binding was changed here since the message was made. */
  hasChanged: boolean;
  /** We gave way to the partner's update (specification 5.2, duel). */
  isDropped: boolean;
  /** It belongs to the answer to an UPDREQ or UPDREQALL. */
  isOfJob: boolean;
}

export interface Flight {
  readonly items: readonly FlightItem[];
  readonly sentMs: number;
}

/** A candidate for the next message. */
export interface Waiting {
  readonly address: Ip4;
  readonly isOfJob: boolean;
  readonly giftFrom: AvailableState | undefined;
  readonly isTake?: boolean;
}

/** A walk over some scopes in chunks. */
export interface Cursor {
  readonly scopeIds: readonly Ip4[];
  index: number;
  /** The pool first, then records outside it. */
  isOutsidePool: boolean;
  from: Ip4;
  buffer: Ip4[];
  isDone: boolean;
}

/** The answer to an UPDREQ or UPDREQALL in progress. */
export interface Job {
  readonly xid: number;
  /** Everything, not only what is unacknowledged. */
  readonly wantsAll: boolean;
  /** Undefined: all scopes. */
  readonly scopeIds: readonly Ip4[] | undefined;
  /** Undefined while a wanted scope is not configured here yet. */
  cursor: Cursor | undefined;
  /** Items in flight or put back that belong to it. */
  pending: number;
}

export interface Outbox {
  readonly flights: Map<number, Flight>;
  readonly byAddress: Map<Ip4, FlightItem>;
  /** Changed addresses in the order of their change. */
  readonly hot: Set<Ip4>;
  /** Candidates that did not fit into the message before. */
  readonly putBack: Waiting[];
  /** The sweep over dirty bindings; undefined when none runs. */
  sweep: Cursor | undefined;
  sweepAgain: boolean;
  job: Job | undefined;
  /** Rejected addresses and when (monotonic) they are sent again; in the order of that time. */
  readonly parked: Map<Ip4, number>;
  /** Rejected for a reason that only a change of configuration or of the binding ends. */
  readonly shelved: Set<Ip4>;
  /** EXPIRED, RELEASED or RESET was sent and not answered, on this connection or one before (I9). */
  readonly sentEnds: Set<Ip4>;
  /** Reserved here and not at the partner, which rejected the flag: the lease is told without it (specification 2.7, 5.4). */
  readonly unreserved: Set<Ip4>;
}

/** Our own UPDREQ or UPDREQALL without UPDDONE yet. */
export interface Asked {
  readonly why: 'recover' | 'conflict' | 'scopes';
  readonly xid: number;
  readonly scopeIds: readonly Ip4[];
  progressMs: number;
}

export interface Balance {
  /** Addresses still to be given in this run, by scope; below 0 to be taken back. */
  readonly quotas: Map<Ip4, number>;
  reviewAtMs: number;
  poolreqAfterMs: number;
}

export interface Context {
  config: EndpointConfig;
  readonly limits: EndpointLimits;
  readonly bindings: BindingTable;
  readonly store: StoreView;
  /** Addresses that must not change hands now: held by an open offer. */
  readonly isHeld: (address: Ip4) => boolean;
  readonly record: MutableRecord;
  isRecordDirty: boolean;
  now: Now;
  effects: Effect[];
  mode: 'new' | 'startup' | 'running' | 'paused' | 'shutdown';
  startedAt: EpochSec;
  /** The store's sequence as replayed. */
  readonly startSequence: number;
  /** Last moment of service in this process; 0 for none. */
  servedAt: EpochSec;
  /** Monotonic time of the entry into COMMUNICATIONS-INTERRUPTED in this process. */
  interruptedMs: number;
  startupEndsMs: number;
  /** Monotonic end of the wait for the partner's PARTNER-DOWN after SHUTDOWN was announced; infinity when none runs. */
  shutdownEndsMs: number;
  isClockTrusted: boolean;
  savedOperationalMs: number;
  expireAtMs: number;
  /** Where the pass over addresses that wait in PARTNER-DOWN stands. */
  waitPass: { readonly index: number; readonly from: Ip4 };
  /** RFC 3074 buckets: a set bit means that the primary serves. */
  buckets: Uint8Array;
  unservedHere: ReadonlySet<Ip4>;
  unservedThere: ReadonlySet<Ip4>;
  measuredSkewSec: Sec;
  lastReject: { readonly address: Ip4; readonly reason: RejectReason; readonly at: EpochSec } | undefined;
  readonly link: Link;
  readonly outbox: Outbox;
  asked: Asked | undefined;
  readonly balance: Balance;
  scopeIds: ReadonlySet<Ip4>;
}

export const FOREVER_MS = Number.POSITIVE_INFINITY;

type Bodies<M> = M extends OutMessage ? Omit<M, 'xid'> : never;
/** A message before it has its xid. */
export type Body = Bodies<OutMessage>;

export function emptyLink(): Link {
  return {
    phase: 'down',
    phaseSinceMs: 0,
    connectXid: -1,
    nextXid: 1,
    heardXid: undefined,
    lastReceivedMs: 0,
    lastSentMs: 0,
    redialAtMs: FOREVER_MS,
    partnerReceiveTimerSec: 0,
    partnerMaxUnacked: 0,
    isSkewAlarmed: false,
    heard: undefined,
    hasAllFromHere: false,
    isDhcpd: true,
  };
}

export function emptyOutbox(): Outbox {
  return {
    flights: new Map(),
    byAddress: new Map(),
    hot: new Set(),
    putBack: [],
    sweep: undefined,
    sweepAgain: false,
    job: undefined,
    parked: new Map(),
    shelved: new Set(),
    sentEnds: new Set(),
    unreserved: new Set(),
  };
}

export function ownKind(ctx: Context): AvailableState {
  return ctx.config.role === 'primary' ? 'free' : 'backup';
}

export function partnersKind(ctx: Context): AvailableState {
  return ctx.config.role === 'primary' ? 'backup' : 'free';
}

/** What this server is now; `record.state` is what it comes back to. */
export function stateOf(ctx: Context): ServerState {
  return ctx.mode === 'running' ? ctx.record.state : ctx.mode === 'new' ? 'startup' : ctx.mode;
}

/** The record's state with its narrower type: `makeEndpoint` lets no passing state in. */
export function keptState(ctx: Context): KeptState {
  return ctx.record.state as KeptState;
}

export function isCommunicating(ctx: Context): boolean {
  return ctx.link.phase === 'communicating';
}

/** False from the loss of our store until everything was fetched: what is missing could be anybody's, whatever the state. */
export function isWhole(ctx: Context): boolean {
  return !ctx.record.wantsAll || ctx.record.holdsAllData;
}

/** S of specification 1.11. */
export function allowanceSec(ctx: Context): Sec {
  return Math.max(ctx.limits.skewAllowanceSec, ctx.record.skewSec) as Sec;
}

/**
 * The MCLT for grants. A partner of another make that has not heard of a longer one yet would not wait it out; and a primary of our
 * own kind that told a longer one, and came to the shorter one of the configuration since, does not say so on the same connection.
 */
export function mcltSec(ctx: Context): Sec {
  const { role, profile, mcltSec: configured } = ctx.config;
  const theirs = ctx.record.adoptedMcltSec ?? configured;
  return role === 'primary' || profile === 'twinlease' ? (Math.min(theirs, configured) as Sec) : theirs;
}

/** The greatest MCLT that a lease given until now by either server may have had: what is remembered when it gets shorter. */
export function givenMcltSec(ctx: Context): Sec {
  return ctx.config.profile === 'twinlease' ? longestMcltSec(ctx) : mcltSec(ctx);
}

/** The greatest MCLT by which either server may give leases now. */
export function longestMcltSec(ctx: Context): Sec {
  const { role, profile, mcltSec: configured } = ctx.config;
  const counts = profile === 'twinlease' || role === 'primary';
  return counts ? (Math.max(ctx.record.adoptedMcltSec ?? 0, configured) as Sec) : mcltSec(ctx);
}

/** The MCLT for waits counted from `fromAt`: the largest that a lease granted before may have had (specification 6.5). */
export function waitMcltSec(ctx: Context, fromAt: EpochSec): Sec {
  const { mcltWasSec, mcltWasUntilAt } = ctx.record;
  const present = Math.max(longestMcltSec(ctx), formerMcltSec(ctx.config, fromAt));
  return (fromAt < mcltWasUntilAt ? Math.max(present, mcltWasSec) : present) as Sec;
}

/** The longer MCLT of before that a server goes by whose store, and record, is lost; 0 where none counts. */
export function formerMcltSec({ formerMclt }: EndpointConfig, fromAt: EpochSec): Sec {
  return (formerMclt !== undefined && fromAt < formerMclt.untilAt ? formerMclt.sec : 0) as Sec;
}

/** In hot standby the active server has all buckets (specification 8.5). */
export function bucketsOf(config: EndpointConfig): Uint8Array {
  if (config.mode === 'LoadBalance') return hashBucketsForPercent(config.percentage);
  return hashBucketsForSplit((config.role === 'primary') === config.isActive ? BUCKET_COUNT : 0);
}

/** Marks the durable record as changed; it is saved before the next `send`, or at the end of the step. */
export function touchRecord(ctx: Context): void {
  ctx.isRecordDirty = true;
}

export function flushRecord(ctx: Context): void {
  if (!ctx.isRecordDirty) return;
  ctx.isRecordDirty = false;
  ctx.effects.push({ kind: 'save-relationship', record: { ...ctx.record } });
}

/** Stores a binding in the table and orders its record. */
export function put(ctx: Context, binding: Binding): void {
  ctx.bindings.change(binding);
  ctx.effects.push({ kind: 'save-binding', address: binding.address });
}

/** Sends in order, after everything saved so far; answers the xid used. The body becomes the message. */
export function send(ctx: Context, body: Body, xid: number = takeXid(ctx)): number {
  flushRecord(ctx);
  // It may wait for a slow disk, so it does not count as a sign of life; only CONTACT never waits (specification 1.9, I22).
  ctx.effects.push({ kind: 'send', message: numbered(body, xid) });
  return xid;
}

export function sendNow(ctx: Context, body: Body): void {
  ctx.link.lastSentMs = ctx.now.monoMs;
  ctx.effects.push({ kind: 'send-now', message: numbered(body, takeXid(ctx)) });
}

/** In place: bodies have many shapes, and copying one of many shapes is slow. */
function numbered(body: Body, xid: number): OutMessage {
  const message = body as Body & { xid: number };
  message.xid = xid;
  return message;
}

export function takeXid(ctx: Context): number {
  const xid = ctx.link.nextXid;
  ctx.link.nextXid = (xid + 1) >>> 0;
  return xid;
}

export function event(ctx: Context, code: string, slots: Readonly<Record<string, string | number>>): void {
  ctx.effects.push({ kind: 'event', code, slots: { name: ctx.config.name, ...slots } });
}

export function ownMark(ctx: Context): StoreMark | undefined {
  return ctx.config.profile === 'twinlease'
    ? { storeId: ctx.store.storeId, sequence: ctx.store.sequence() }
    : undefined;
}

export function rememberedMark(ctx: Context): StoreMark | undefined {
  const { partnerStoreId, partnerSequence } = ctx.record;
  if (ctx.config.profile !== 'twinlease' || partnerStoreId === undefined) return undefined;
  return { storeId: partnerStoreId, sequence: partnerSequence };
}

/** Whether an address is of this relationship. */
export function isOurs(ctx: Context, address: Ip4): boolean {
  const scopeId = ctx.bindings.scopeOf(address);
  return scopeId !== undefined && ctx.scopeIds.has(scopeId);
}

/** Whether an address is reserved for one client; such addresses are in no pool. */
export function isReserved(ctx: Context, address: Ip4): boolean {
  if (ctx.bindings.isInPool(address)) return false;
  const scopeId = ctx.bindings.scopeOf(address);
  return ctx.bindings.pools().some((pool) => pool.scopeId === scopeId && pool.reserved.includes(address));
}

export type Incoming<K extends FailoverMessage['kind']> = Extract<FailoverMessage, { kind: K }>;
