/**
 * The rules of failover specification 7 about what clients are told: grant bound (I2), durability of ACKs (I6), consent (I8), no
 * revival (I9), waits of PARTNER-DOWN (I10), silence (I18), recover-wait (I19), everybody answered, by one and by the right one
 * (I20), renewals (I21); and what was granted at all, for the belief at the end.
 */
import type { Binding } from '../core/bindings/binding.ts';
import { DEFAULT_LIMITS } from '../core/failover/limits.ts';
import { decodeRecord } from '../core/pipeline/record-codec.ts';
import type { PacketReport } from '../core/pipeline/server-core.ts';
import type { ReplyPlan } from '../core/serving/serving-types.ts';
import { type DhcpPacket, MESSAGE_TYPES } from '../wire/dhcp/packet.ts';
import type { ServerState } from '../wire/failover/messages.ts';
import { type Ip4, ip4, sameBytes, toHex } from '../wire/units.ts';
import { describeBinding, identityOf, shortAddress } from './describe.ts';
import { type Ask, clientIndexOf } from './lan.ts';
import type { Life, SavedBinding } from './life.ts';
import { OfferChecks } from './offer-checks.ts';
import { readPacket } from './packets.ts';
import type { ServerProcess } from './process.ts';
import { rfc3074Bucket } from './responsible.ts';
import { mcltSecOf } from './rights-view.ts';
import { reservedClientsOf, scopeIdOf, scopeIndexOf } from './setting.ts';
import { otherSide, SIDES, type Side } from './sides.ts';
import type { CheckerView, Granted, WorldView } from './views.ts';
import type { Report } from './violation.ts';

const MUTE: ReadonlySet<ServerState | 'standalone'> = new Set([
  'startup',
  'recover',
  'recover-wait',
  'potential-conflict',
  'paused',
  'shutdown',
]);
/** A client that repeats a question for this long is answered by whoever hears it (design, part 3). */
const UNANSWERED_MS = 3000;
/** A client silent for longer than this asks anew (RFC 2131 4.1 has clients repeat after at most 64 s). */
const REMEMBERED_MS = 90_000;
/** A change of the settings has reached both servers after this. */
const CHANGE_MS_MAX = 30_000;
/** Above this `secs` the other server answers too. */
const WAITED_SEC_MAX = 3;
/** A shorter lease than this is not given to whoever asks for one. */
const LEASE_ASKED_SEC_MIN = 60;

/** Types of what may begin a question; BOOTP has none. */
const ASKS: ReadonlySet<number> = new Set([0, MESSAGE_TYPES.discover, MESSAGE_TYPES.request]);

/** How things stood before a packet was decided. */
interface Before {
  readonly packet: DhcpPacket;
  readonly type: number;
  readonly address: Ip4 | undefined;
  readonly binding: Binding | undefined;
  readonly isOwn: boolean;
}

interface Asked {
  readonly waiting: Set<Side>;
  readonly offeredBy: Side[];
  /** Both could have answered. */
  isValid: boolean;
  /** Neither has heard it repeat itself for long, and it has not waited: exactly one answers. */
  isFirst: boolean;
}

/** What a server has heard of a client, in whichever of its relationships; by the server's own clock. */
interface Heard {
  /** Anything at all. */
  lastMs: number;
  /** The first and the last DISCOVER since it was answered by anybody; undefined when it was. */
  asking: { readonly firstMs: number; lastMs: number } | undefined;
  /** The same of all that it may ask, whether a server has to remember it or not. */
  mayAskSinceMs: number | undefined;
}

/**
 * By what the servers know a client by (RFC 2131 4.2), not by its machine: what a machine asks is answered to all that have its
 * identity, as far as a server that only listens can tell.
 */
const HEARD = new WeakMap<Life, Map<string, Heard>>();
/** Clients kept for one address: more than two at a time would be a breach of I1. */
const GRANTED_KEPT = 4;

export class ServingChecks {
  readonly #world: WorldView;
  readonly #checker: CheckerView;
  readonly #report: Report;
  readonly #offers: OfferChecks;
  #before: Before | undefined;
  #isOffered = false;
  #canOffer = false;
  readonly #asked = new Map<Ask, Asked>();
  #isServed = false;
  /** This server cannot have heard the client repeat itself for long. */
  #isNewQuestion = false;
  /** Neither share is about to run dry, so that one server has no reason to answer for the other. */
  #isPlentiful = false;
  /** By which both share out the clients, and since when it was seen so. */
  #settings = '';
  #settingsSinceMs = 0;
  readonly #granted = new Map<Ip4, Granted[]>();
  readonly #lastAckMs: Record<Side, number> = { a: -1, b: -1 };
  /** In force at that moment. */
  readonly #lastMcltSec: Record<Side, number> = { a: 0, b: 0 };
  /** What the primary told in its last CONNECT; undefined before. */
  #toldMcltSec: number | undefined;
  /** A server without its store is silent until then, and one that the partner may not know all leases of. */
  readonly #silentUntilMs: Record<Side, number> = { a: -1, b: -1 };
  readonly #untoldUntilMs: Record<Side, number> = { a: -1, b: -1 };

  constructor(world: WorldView, checker: CheckerView, report: Report) {
    this.#world = world;
    this.#checker = checker;
    this.#report = report;
    this.#offers = new OfferChecks(report, () => checker.looked('I21'));
  }

  /** I19: what the forgotten store promised runs at least MCLT more. */
  storeChanged(side: Side): void {
    this.#forget(side);
    if (this.#lastAckMs[side] < 0) return;
    this.#silentUntilMs[side] = this.#lastAckMs[side] + this.#lastMcltSec[side] * 1000;
  }

  /** I19, also where nothing was lost: while it was away the partner may have gone on alone, and does not know of its last leases. */
  recovering(side: Side): void {
    if (this.#lastAckMs[side] < 0) return;
    this.#untoldUntilMs[side] = this.#lastAckMs[side] + this.#lastMcltSec[side] * 1000;
  }

  /** The relationship goes, and before that all that is known on this side was told. */
  left(side: Side): void {
    this.#untoldUntilMs[side] = -1;
  }

  connectHeard(mcltSec: number | undefined): void {
    this.#toldMcltSec = mcltSec;
  }

  /** What this client was granted last, by whichever server. */
  granted(address: Ip4, client: number | undefined): Granted | undefined {
    return this.#granted.get(address)?.find((granted) => granted.client === client);
  }

  /** What only the lost store knew. */
  #forget(side: Side): void {
    const there = this.#world.hosts[otherSide(side)];
    for (const [address, grants] of this.#granted) {
      const known = there.process?.table.find(address) ?? this.#knownBy(otherSide(side), address);
      this.#granted.set(
        address,
        grants.map((granted) => {
          const isKnown =
            granted.side !== side ||
            (known?.state === 'active' &&
              identityOf(known) === granted.client &&
              known.leaseEndAt + DEFAULT_LIMITS.skewAllowanceSec >= granted.endAt);
          return isKnown ? granted : { ...granted, isForgotten: true };
        }),
      );
    }
  }

  deciding(process: ServerProcess, bytes: Uint8Array): void {
    this.#isOffered = false;
    this.#before = undefined;
    const read = readPacket(bytes);
    if (read.kind === 'bad') return;
    const packet = read.value;
    const type = packet.options.get(53)?.[0] ?? 0;
    const address =
      type === MESSAGE_TYPES.request
        ? packet.ciaddr === 0
          ? addressIn(packet.options.get(50))
          : packet.ciaddr
        : undefined;
    const binding = address === undefined ? undefined : process.table.find(address);
    const isOwn = binding?.state === 'active' && isClient(binding, packet) && binding.leaseEndAt > process.now.wallAt;
    const askedScopeId = askedScopeOf(packet);
    this.#isServed = process.table.scopeOf(askedScopeId) !== undefined && process.serves(askedScopeId) === 'all';
    this.#canOffer = type === MESSAGE_TYPES.discover && this.#isServed && this.#hasAddress(process, askedScopeId);
    this.#before = { packet, type, address, binding, isOwn };
    const { monoMs } = process.now;
    const heard = heardOf(process.life, packet);
    if (monoMs - heard.lastMs > REMEMBERED_MS) heard.mayAskSinceMs = undefined;
    this.#isNewQuestion = heard.mayAskSinceMs === undefined || monoMs - heard.mayAskSinceMs < UNANSWERED_MS;
    heard.lastMs = monoMs;
  }

  decided(process: ServerProcess, report: PacketReport): void {
    const before = this.#before;
    if (before === undefined) return;
    const { decision } = report;
    if (decision.kind === 'drop' && decision.code === 'overloaded') {
      // It was never decided, so it counts as lost on the way.
      this.#canOffer = false;
      return;
    }
    const isReboot = before.type === MESSAGE_TYPES.request && isInitReboot(before.packet);
    if (before.type === MESSAGE_TYPES.discover) {
      this.#isOffered = decision.kind === 'reply';
      if (decision.kind !== 'reply') this.#noteUnanswered(process, before.packet, decision.reason);
    } else if (before.type === MESSAGE_TYPES.request) this.#checkRenewal(process, before, report);
    const heard = heardOf(process.life, before.packet);
    // Whomever a client chose, and whoever gave it its lease: it has been answered.
    const isAnswered = decision.kind === 'reply' || (before.type === MESSAGE_TYPES.request && !isReboot);
    if (isAnswered) heard.asking = undefined;
    if (isAnswered && !(decision.kind === 'drop' && decision.code === 'no-scope')) heard.mayAskSinceMs = undefined;
    else if (ASKS.has(before.type)) heard.mayAskSinceMs ??= process.now.monoMs;
  }

  /** Specification 7, I21: a known lease that runs is renewed by every server that serves. */
  #checkRenewal(process: ServerProcess, before: Before, { decision }: PacketReport): void {
    if (before.packet.ciaddr === 0 || !before.isOwn || before.address === undefined) return;
    const scopeId = process.table.scopeOf(before.address);
    if (scopeId === undefined || process.serves(scopeId) === 'none') return;
    this.#checker.looked('I21');
    if (decision.kind === 'reply' && decision.reply.messageType === 'ack') return;
    // Specification 5.3: it must have its own address, and leaves the other at its next renewal.
    if (this.#hasReservation(before.packet)) return;
    this.#report(
      'I21',
      `${process.side} in ${process.state()} does not renew ${shortAddress(before.address)}: ${decision.reason}`,
      before.address,
    );
  }

  #hasReservation(packet: DhcpPacket): boolean {
    const { options } = this.#world;
    const client = clientIndexOf(packet.chaddr);
    return options.poolSizes.some((_size, scope) => reservedClientsOf(options, scope).includes(client));
  }

  /** Nothing is remembered of what is asked while the scope is not served (specification 4.1). */
  #noteUnanswered(process: ServerProcess, packet: DhcpPacket, reason: string): void {
    if (!this.#isServed) return;
    const heard = heardOf(process.life, packet);
    const { monoMs } = process.now;
    const { asking } = heard;
    if (asking === undefined || monoMs - asking.lastMs > REMEMBERED_MS) {
      heard.asking = { firstMs: monoMs, lastMs: monoMs };
      return;
    }
    asking.lastMs = monoMs;
    const waitedMs = monoMs - asking.firstMs;
    if (this.#canOffer && waitedMs >= UNANSWERED_MS)
      this.#report(
        'I20',
        `${process.side} in ${process.state()} heard c${clientIndexOf(packet.chaddr)} for ${(waitedMs / 1000).toFixed(3)} s and does not answer: ${reason}`,
      );
  }

  /** A broadcast was decided by this server; after the last of both the question was answered or not. */
  asked(side: Side, ask: Ask): void {
    if (ask.reached.size < 2 || this.#before?.type !== MESSAGE_TYPES.discover) return;
    const { process } = this.#world.hosts[side];
    let asked = this.#asked.get(ask);
    if (asked === undefined) {
      asked = { waiting: new Set(ask.reached), offeredBy: [], isValid: true, isFirst: !ask.doubled };
      this.#asked.set(ask, asked);
    }
    asked.waiting.delete(side);
    const isNormal = process?.state() === 'normal' && process.isCommunicating();
    if (!isNormal || !this.#canOffer) asked.isValid = false;
    if (this.#isOffered) asked.offeredBy.push(side);
    if (!this.#isNewQuestion || this.#before.packet.secs > WAITED_SEC_MAX || !this.#isPlentiful) asked.isFirst = false;
    if (asked.waiting.size > 0) return;
    this.#asked.delete(ask);
    if (asked.isValid) this.#checkAnswered(this.#before.packet, asked);
  }

  /** I20: both are in NORMAL and have addresses. */
  #checkAnswered(packet: DhcpPacket, { offeredBy, isFirst }: Asked): void {
    const right = this.#responsible(packet);
    if (right === undefined) return;
    this.#checker.looked('I20');
    const name = `c${clientIndexOf(packet.chaddr)}`;
    if (offeredBy.length === 0) this.#report('I20', `both are NORMAL and have addresses, and nobody answers ${name}`);
    if (isFirst && !this.#checker.wasCutOff() && offeredBy.join() !== right)
      this.#report('I20', `${name} asks, has not waited and is ${right}'s, and ${offeredBy.join(' and ')} answers`);
  }

  /** By specification 8 from the configuration that both have had for some time; a change reaches one before the other. */
  #responsible(packet: DhcpPacket): Side | undefined {
    const [ours, theirs] = SIDES.map((side) => this.#world.hosts[side].process?.configured());
    if (ours === undefined || theirs === undefined) return undefined;
    const { mode, percentage, isActive } = ours;
    const settings = `${mode} ${percentage} ${isActive}, ${theirs.mode} ${theirs.percentage} ${theirs.isActive}`;
    if (settings !== this.#settings) {
      this.#settings = settings;
      this.#settingsSinceMs = this.#world.nowMs;
    }
    const isNew = this.#world.nowMs - this.#settingsSinceMs < CHANGE_MS_MAX;
    if (isNew || mode !== theirs.mode || percentage !== theirs.percentage) return undefined;
    if (mode === 'HotStandby') return isActive ? 'a' : 'b';
    const bucket = rfc3074Bucket(packet.options.get(61) ?? packet.chaddr);
    return bucket < Math.round((256 * percentage) / 100) ? 'a' : 'b';
  }

  #hasAddress(process: ServerProcess, scopeId: Ip4): boolean {
    const counts = process.table.counts(scopeId);
    const own = process.core.rightsOf(scopeId).own === 'free' ? counts.free : counts.backup;
    this.#isPlentiful = counts.free > 1 && counts.backup > 1;
    return own - process.core.serving.pendingOffers(scopeId) >= 1;
  }

  promised(process: ServerProcess, reply: ReplyPlan, afterSequence: number): void {
    const { side } = process;
    const state = process.state();
    const isRenewal = (this.#before?.packet.ciaddr ?? 0) !== 0;
    this.#checker.looked('I18');
    const isShared = this.#before === undefined || process.isShared(askedScopeOf(this.#before.packet));
    if (isShared && (MUTE.has(state) || (state === 'recover-done' && !(isRenewal && reply.messageType === 'ack'))))
      this.#report('I18', `${side} answers ${reply.messageType} in ${state}`);
    this.#checkForgotten(process, reply);
    if (reply.messageType === 'nak' || reply.address === 0 || this.#before === undefined) return;
    const { address } = reply;
    const { packet } = this.#before;
    if (reply.messageType === 'offer') {
      if (!this.#hasReservation(packet)) this.#offers.offered(process, packet, address);
      return;
    }
    this.#offers.granted(packet, address);
    const saved = process.saved.get(address);
    const binding = process.table.find(address);
    if (
      saved === undefined ||
      saved.sequence > afterSequence ||
      binding === undefined ||
      !process.isSavedAsIs(address, binding)
    ) {
      this.#report('I6', `${side}: the ACK for ${shortAddress(address)} does not wait for its record`);
      return;
    }
    if (reply.messageType === 'bootp') {
      // It has no end, and no time in its answer (RFC 1534).
      this.#noteGrant(process, binding, binding.leaseEndAt - process.now.wallAt);
      return;
    }
    const read = readPacket(reply.bytes);
    const grantedSec = read.kind === 'ok' ? numberIn(read.value.options.get(51)) : 0;
    if (binding.state !== 'active' || binding.leaseEndAt < process.now.wallAt + grantedSec)
      this.#report(
        'I6',
        `${side}: the ACK for ${shortAddress(address)} promises more than its record: ${describeBinding(binding)}`,
      );
    this.#noteGrant(process, binding, grantedSec);
    if (!process.isShared(address)) return;
    this.#checkGrant(process, binding, grantedSec);
    if (!this.#before.isOwn || this.#before.address !== address) this.#checkNewHolder(process, binding);
  }

  /** The scope leaves the relationship: the lease is kept for as long as the client may believe that it has it. */
  held(process: ServerProcess, address: Ip4): void {
    const binding = process.table.find(address);
    if (binding?.state === 'active') this.#noteGrant(process, binding, binding.leaseEndAt - process.now.wallAt);
  }

  #noteGrant(process: ServerProcess, binding: Binding, grantedSec: number): void {
    const { address } = binding;
    const client = identityOf(binding);
    const grants = this.#granted.get(address) ?? [];
    const at = grants.findIndex((granted) => granted.client === client);
    const endAt = Math.max(process.now.wallAt + grantedSec, grants[at]?.endAt ?? 0);
    const granted = { client, endAt, side: process.side, isForgotten: false };
    if (at === 0) {
      grants[0] = granted;
      return;
    }
    if (at > 0) grants.splice(at, 1);
    grants.unshift(granted);
    if (grants.length > GRANTED_KEPT) grants.pop();
    this.#granted.set(address, grants);
  }

  /** I2, by what the messages between the two allow; and I21, that it is not less than the client must get. */
  #checkGrant(process: ServerProcess, binding: Binding, grantedSec: number): void {
    this.#checker.looked('I2');
    const { side } = process;
    const now = process.now.wallAt;
    const own = mcltSecOf(process);
    const told = side === 'b' ? (this.#toldMcltSec ?? own) : own;
    const known = Math.max(this.#checker.link.expectedUntilAt(side, binding) - now, 0);
    // What a primary told on a connection may have become shorter since; its waits go by that.
    if (grantedSec > known + own)
      this.#report(
        'I2',
        `${side} grants ${grantedSec} s on ${shortAddress(binding.address)}, and its partner expects ${known}: ${describeBinding(binding)}`,
        binding.address,
      );
    const asked = numberIn(this.#before?.packet.options.get(51));
    const configured = this.#world.options.leaseSec;
    const desired =
      asked === 0 ? configured : Math.min(configured, Math.max(asked, Math.min(configured, LEASE_ASKED_SEC_MIN)));
    this.#checker.looked('I21');
    if (grantedSec < Math.min(desired, own, told))
      this.#report('I21', `${side} grants only ${grantedSec} s on ${shortAddress(binding.address)}`, binding.address);
  }

  /** I8, I9, I10: the address changes hands, or comes back to its client after its end. */
  #checkNewHolder(process: ServerProcess, binding: Binding): void {
    const { side } = process;
    const { address } = binding;
    const isDown = process.state() === 'partner-down';
    this.#checker.looked('I8');
    if (!isDown && this.#checker.link.hasUnansweredEnd(side, address))
      this.#report(
        'I9',
        `${side} gives ${shortAddress(address)} away, whose end it told and which is not agreed`,
        address,
      );
    const there = this.#knownBy(otherSide(side), address);
    if (there === undefined || there.state !== 'active' || isSameClient(there, binding)) return;
    if (!isDown) {
      this.#report(
        'I8',
        `${side} gives ${shortAddress(address)} away, and ${otherSide(side)} knows it as ${describeBinding(there)}`,
        address,
      );
      return;
    }
    // What the dead partner kept of it, unheard here, ends by P + MCLT at the latest (specification 5.5).
    const waitEndsAt = there.leaseEndAt;
    if (process.now.wallAt + DEFAULT_LIMITS.skewAllowanceSec < waitEndsAt)
      this.#report(
        'I10',
        `${side} gives ${shortAddress(address)} away too early, ${otherSide(side)} knows it as ${describeBinding(there)}`,
        address,
      );
  }

  #knownBy(side: Side, address: Ip4): Binding | undefined {
    const host = this.#world.hosts[side];
    if (this.#checker.isForgetful(side)) return undefined;
    const saved: SavedBinding | undefined =
      host.process === undefined ? host.left?.get(address) : host.process.saved.get(address);
    if (saved === undefined || saved.sequence > host.disk.durableSequence) return undefined;
    const read = decodeRecord(saved.bytes);
    return read.kind === 'ok' && read.value.kind === 'binding' ? read.value.binding : undefined;
  }

  /** I19, at the decision: an answer that was decided before may still wait for the disk. */
  #checkForgotten(process: ServerProcess, reply: ReplyPlan): void {
    if (reply.messageType !== 'ack' || !process.isShared(reply.address)) return;
    const { side } = process;
    const { nowMs } = this.#world;
    const silentUntilMs = Math.max(this.#silentUntilMs[side], this.#untoldUntilMs[side]);
    if (silentUntilMs >= 0) this.#checker.looked('I19');
    if (nowMs < silentUntilMs)
      this.#report(
        'I19',
        `${side} answers ${((silentUntilMs - nowMs) / 1000).toFixed(1)} s before what it forgot has ended`,
      );
  }

  leaving(process: ServerProcess, reply: ReplyPlan): void {
    if (reply.messageType !== 'ack' || !process.isShared(reply.address)) return;
    const { side } = process;
    const { nowMs } = this.#world;
    this.#lastAckMs[side] = nowMs;
    this.#lastMcltSec[side] = mcltSecOf(process);
  }
}

function isClient(binding: Binding, packet: DhcpPacket): boolean {
  const clientId = packet.options.get(61);
  if (clientId !== undefined && binding.clientId !== undefined) return sameBytes(clientId, binding.clientId);
  return binding.hardware !== undefined && sameBytes(binding.hardware.subarray(1), packet.chaddr);
}

function heardOf(life: Life, packet: DhcpPacket): Heard {
  let clients = HEARD.get(life);
  if (clients === undefined) {
    clients = new Map();
    HEARD.set(life, clients);
  }
  const client = toHex(packet.options.get(61) ?? packet.chaddr);
  let heard = clients.get(client);
  if (heard === undefined) {
    heard = { lastMs: Number.NEGATIVE_INFINITY, asking: undefined, mayAskSinceMs: undefined };
    clients.set(client, heard);
  }
  return heard;
}

/** RFC 2131 4.3.2: it names neither a server nor an address in use. */
function isInitReboot(packet: DhcpPacket): boolean {
  return packet.ciaddr === 0 && !packet.options.has(54);
}

/** The scope that the packet is about: the relay's, else that of the address in use, else the servers' own. */
function askedScopeOf(packet: DhcpPacket): Ip4 {
  return scopeIdOf(scopeIndexOf(packet.giaddr || packet.ciaddr));
}

/** A client that sends an identifier is known by that, on whatever machine it is (RFC 2131 4.2). */
function isSameClient(a: Binding, b: Binding): boolean {
  return sameBytes(a.clientId ?? a.hardware, b.clientId ?? b.hardware);
}

function numberIn(value: Uint8Array | undefined): number {
  if (value?.length !== 4) return 0;
  return ((value[0]! << 24) | (value[1]! << 16) | (value[2]! << 8) | value[3]!) >>> 0;
}

function addressIn(value: Uint8Array | undefined): Ip4 | undefined {
  return value?.length === 4 ? ip4(numberIn(value)) : undefined;
}
