/**
 * The rules of failover specification 7 about what clients are told: grant bound (I2), durability of ACKs (I6), consent (I8), no
 * revival (I9), waits of PARTNER-DOWN (I10), silence (I18), recover-wait (I19), everybody answered (I20), renewals (I21).
 */
import type { Binding } from '../core/bindings/binding.ts';
import { DEFAULT_LIMITS } from '../core/failover/limits.ts';
import { decodeRecord } from '../core/pipeline/record-codec.ts';
import type { PacketReport } from '../core/pipeline/server-core.ts';
import type { ReplyPlan } from '../core/serving/serving-types.ts';
import { type DhcpPacket, MESSAGE_TYPES } from '../wire/dhcp/packet.ts';
import { decodeDhcpPacket } from '../wire/dhcp/packet-codec.ts';
import type { ServerState } from '../wire/failover/messages.ts';
import { type Ip4, ip4, sameBytes } from '../wire/units.ts';
import { describeBinding, shortAddress } from './describe.ts';
import { type Ask, clientIndexOf } from './lan.ts';
import type { SavedBinding, ServerProcess } from './process.ts';
import { scopeIdOf } from './setting.ts';
import { otherSide, type Side } from './sides.ts';
import type { CheckerView, WorldView } from './views.ts';
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
/** Above this the core forgets that a client asked before; below with room for packets in flight. */
const REMEMBERED_MS = 85_000;

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
  offers: number;
  isValid: boolean;
}

export class ServingChecks {
  readonly #world: WorldView;
  readonly #checker: CheckerView;
  readonly #report: Report;
  #before: Before | undefined;
  #isOffered = false;
  #canOffer = false;
  readonly #asked = new Map<Ask, Asked>();
  /** By process: when a client was first heard asking, and not answered since by anybody. */
  readonly #unanswered = new WeakMap<ServerProcess, Map<number, { readonly firstMs: number; lastMs: number }>>();
  readonly #lastAckMs: Record<Side, number> = { a: -1, b: -1 };
  readonly #silentUntilMs: Record<Side, number> = { a: -1, b: -1 };

  constructor(world: WorldView, checker: CheckerView, report: Report) {
    this.#world = world;
    this.#checker = checker;
    this.#report = report;
  }

  /** I19: what the forgotten store promised runs at least MCLT more. */
  storeChanged(side: Side): void {
    if (this.#lastAckMs[side] < 0) return;
    this.#silentUntilMs[side] = this.#lastAckMs[side] + this.#world.options.mcltSec * 1000;
  }

  deciding(process: ServerProcess, bytes: Uint8Array): void {
    this.#isOffered = false;
    this.#before = undefined;
    const read = decodeDhcpPacket(bytes);
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
    this.#canOffer = type === MESSAGE_TYPES.discover && this.#mayOffer(process, packet);
    this.#before = { packet, type, address, binding, isOwn };
  }

  decided(process: ServerProcess, report: PacketReport): void {
    const before = this.#before;
    if (before === undefined) return;
    const { decision } = report;
    const isShed = decision.kind === 'drop' && decision.code === 'overloaded';
    const client = clientIndexOf(before.packet.chaddr);
    if (before.type === MESSAGE_TYPES.discover) {
      this.#isOffered = decision.kind === 'reply';
      if (!isShed) this.#noteDiscover(process, client, decision.reason);
    } else if (before.type === MESSAGE_TYPES.request) {
      this.#heardBy(process).delete(client);
      if (!isShed) this.#checkRenewal(process, before, report);
    }
  }

  /** Specification 7, I21: a known lease that runs is renewed by every server that serves. */
  #checkRenewal(process: ServerProcess, before: Before, { decision }: PacketReport): void {
    if (before.packet.ciaddr === 0 || !before.isOwn || before.address === undefined) return;
    const scopeId = process.table.scopeOf(before.address);
    if (scopeId === undefined || process.serves(scopeId) === 'none') return;
    if (decision.kind === 'reply' && decision.reply.messageType === 'ack') return;
    this.#report(
      'I21',
      `${process.side} in ${process.state()} does not renew ${shortAddress(before.address)}: ${decision.reason}`,
    );
  }

  #noteDiscover(process: ServerProcess, client: number, reason: string): void {
    const heard = this.#heardBy(process);
    const { nowMs } = this.#world;
    const known = heard.get(client);
    if (this.#isOffered || !this.#canOffer) {
      heard.delete(client);
      return;
    }
    if (known === undefined || nowMs - known.lastMs > REMEMBERED_MS) {
      heard.set(client, { firstMs: nowMs, lastMs: nowMs });
      return;
    }
    known.lastMs = nowMs;
    if (nowMs - known.firstMs >= UNANSWERED_MS)
      this.#report(
        'I20',
        `${process.side} in ${process.state()} heard c${client} for ${(nowMs - known.firstMs) / 1000} s and does not answer: ${reason}`,
      );
  }

  #heardBy(process: ServerProcess): Map<number, { readonly firstMs: number; lastMs: number }> {
    let heard = this.#unanswered.get(process);
    if (heard === undefined) {
      heard = new Map();
      this.#unanswered.set(process, heard);
    }
    return heard;
  }

  /** A broadcast was decided by this server; after the last of both the question was answered or not. */
  asked(side: Side, ask: Ask): void {
    if (ask.reached.size < 2 || this.#before?.type !== MESSAGE_TYPES.discover) return;
    const { process } = this.#world.hosts[side];
    let asked = this.#asked.get(ask);
    if (asked === undefined) {
      asked = { waiting: new Set(ask.reached), offers: 0, isValid: true };
      this.#asked.set(ask, asked);
    }
    asked.waiting.delete(side);
    const isNormal = process?.state() === 'normal' && process.status()?.isCommunicating === true;
    if (!isNormal || !this.#canOffer) asked.isValid = false;
    if (this.#isOffered) asked.offers++;
    if (asked.waiting.size > 0) return;
    this.#asked.delete(ask);
    const name = `c${clientIndexOf(this.#before.packet.chaddr)}`;
    if (asked.isValid && asked.offers === 0)
      this.#report('I20', `both are NORMAL and have addresses, and nobody answers ${name}`);
  }

  #mayOffer(process: ServerProcess, packet: DhcpPacket): boolean {
    const scopeId = scopeIdOf(packet.giaddr === 0 ? 0 : (packet.giaddr >>> 16) & 255);
    if (process.table.scopeOf(scopeId) === undefined || process.serves(scopeId) !== 'all') return false;
    const counts = process.table.counts(scopeId);
    const own = process.core.rightsOf(scopeId).own === 'free' ? counts.free : counts.backup;
    return own - process.core.serving.pendingOffers(scopeId) >= 1;
  }

  promised(process: ServerProcess, reply: ReplyPlan, afterSequence: number): void {
    const { side } = process;
    const state = process.state();
    const isRenewal = (this.#before?.packet.ciaddr ?? 0) !== 0;
    if (MUTE.has(state) || (state === 'recover-done' && !(isRenewal && reply.messageType === 'ack')))
      this.#report('I18', `${side} answers ${reply.messageType} in ${state}`);
    if (reply.messageType !== 'ack' || reply.address === 0 || this.#before === undefined) return;
    const { address } = reply;
    const saved = process.saved.get(address);
    const binding = process.table.find(address);
    if (
      saved === undefined ||
      saved.sequence > afterSequence ||
      !process.isSavedAsIs(address) ||
      binding === undefined
    ) {
      this.#report('I6', `${side}: the ACK for ${shortAddress(address)} does not wait for its record`);
      return;
    }
    const read = decodeDhcpPacket(reply.bytes);
    const grantedSec = read.kind === 'ok' ? numberIn(read.value.options.get(51)) : 0;
    if (binding.state !== 'active' || binding.leaseEndAt < process.now.wallAt + grantedSec)
      this.#report(
        'I6',
        `${side}: the ACK for ${shortAddress(address)} promises more than its record: ${describeBinding(binding)}`,
      );
    if (state === 'standalone') return;
    this.#checkGrant(process, binding, grantedSec);
    if (!this.#before.isOwn || this.#before.address !== address) this.#checkNewHolder(process, binding);
  }

  /** I2. */
  #checkGrant(process: ServerProcess, binding: Binding, grantedSec: number): void {
    const now = process.now.wallAt;
    const known = Math.max(binding.ackedPotentialAt, binding.recvPotentialAt, now);
    if (now + grantedSec > known + this.#world.options.mcltSec)
      this.#report(
        'I2',
        `${process.side} grants ${grantedSec} s on ${shortAddress(binding.address)}: ${describeBinding(binding)}`,
      );
  }

  /** I8, I9, I10: the address changes hands, or comes back to its client after its end. */
  #checkNewHolder(process: ServerProcess, binding: Binding): void {
    const { side } = process;
    const { address } = binding;
    const isDown = process.state() === 'partner-down';
    if (!isDown && this.#checker.link.hasUnansweredEnd(side, address))
      this.#report('I9', `${side} gives ${shortAddress(address)} away, whose end it told and which is not agreed`);
    const there = this.#knownBy(otherSide(side), address);
    if (there === undefined || there.state !== 'active' || isSameClient(there, binding)) return;
    if (!isDown) {
      this.#report(
        'I8',
        `${side} gives ${shortAddress(address)} away, and ${otherSide(side)} knows it as ${describeBinding(there)}`,
      );
      return;
    }
    // What the dead partner kept of it, unheard here, ends by P + MCLT at the latest (specification 5.5).
    const waitEndsAt = there.leaseEndAt;
    if (process.now.wallAt + DEFAULT_LIMITS.skewAllowanceSec < waitEndsAt)
      this.#report(
        'I10',
        `${side} gives ${shortAddress(address)} away too early, ${otherSide(side)} knows it as ${describeBinding(there)}`,
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

  leaving(process: ServerProcess, reply: ReplyPlan): void {
    if (reply.messageType !== 'ack') return;
    const { side } = process;
    const { nowMs } = this.#world;
    if (nowMs < this.#silentUntilMs[side])
      this.#report(
        'I19',
        `${side} answers ${((this.#silentUntilMs[side] - nowMs) / 1000).toFixed(1)} s before what it forgot has ended`,
      );
    this.#lastAckMs[side] = nowMs;
  }
}

function isClient(binding: Binding, packet: DhcpPacket): boolean {
  const clientId = packet.options.get(61);
  if (clientId !== undefined && binding.clientId !== undefined) return sameBytes(clientId, binding.clientId);
  return binding.hardware !== undefined && sameBytes(binding.hardware.subarray(1), packet.chaddr);
}

function isSameClient(a: Binding, b: Binding): boolean {
  return sameBytes(a.hardware, b.hardware);
}

function numberIn(value: Uint8Array | undefined): number {
  if (value?.length !== 4) return 0;
  return ((value[0]! << 24) | (value[1]! << 16) | (value[2]! << 8) | value[3]!) >>> 0;
}

function addressIn(value: Uint8Array | undefined): Ip4 | undefined {
  return value?.length === 4 ? ip4(numberIn(value)) : undefined;
}
