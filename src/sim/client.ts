/**
 * A DHCP client with the habits of real ones (RFC 2131 4.4): it asks and repeats itself with growing waits, renews with the server that
 * granted, rebinds with anyone, comes back from a reboot with its old address, perhaps in another network, gives an address back,
 * finds it in use, or goes without a word. It counts a lease from the moment it sent the first REQUEST that was answered.
 */

import { u32Value } from '../wire/dhcp/build.ts';
import { type DhcpPacket, MESSAGE_TYPES, type MessageType } from '../wire/dhcp/packet.ts';
import { encodeDhcpPacket } from '../wire/dhcp/packet-codec.ts';
import { type Ip4, ip4 } from '../wire/units.ts';
import type { ClientPlan, Habits } from './habits.ts';
import { keepPacket } from './packets.ts';
import type { Random } from './random.ts';
import type { Schedule } from './schedule.ts';
import { FIRST_HOST, hardwareOf, relayAddressOf, scopeIdOf, scopeIndexOf, serverAddressOf } from './setting.ts';
import { SIDES, type Side } from './sides.ts';

const RETRY_MS_FIRST = 4000;
const RETRY_MS_MAX = 64_000;
const IMPATIENT_MS = 1000;
const REQUEST_TRIES = 3;
const REBOOT_TRIES = 3;
/** RFC 2131 4.4.5 has 60 s; leases of a short MCLT need less. */
const RENEW_RETRY_MS_MIN = 4000;
const COLLECT_MS = 300;
const AFTER_DECLINE_MS = 10_000;
const AFTER_RELEASE_MS = 1000;
const AFTER_NAK_MS = 500;
/** A lawless client goes on with an address for so long after its end. */
const OVERSTAY_MS = 30_000;
const OVERSTAY_RETRY_MS = 10_000;
const LAWLESS_SPAN = 64;
const INFINITE_SEC = 0xffffffff;
/** A lease without end runs for longer than any simulated run. */
const FOR_EVER_MS = 1e12;
const PACKET_BYTES = { bytesMax: 1400, bytesMin: 300 };
const NO_ADDRESS = ip4(0);
const NO_BYTES = new Uint8Array();
/** Option 53. */
const TYPE_VALUES = Object.fromEntries(
  Object.entries(MESSAGE_TYPES).map(([type, number]) => [type, Uint8Array.of(number)]),
) as Record<MessageType, Uint8Array>;

export interface Lease {
  readonly address: Ip4;
  readonly serverId: Ip4;
  readonly side: Side;
  readonly startedMs: number;
  readonly untilMs: number;
  readonly t1Ms: number;
  readonly t2Ms: number;
}

/** What a client lets its observers know. */
export interface ClientWatch {
  sends(client: Client, type: MessageType, how: string): void;
  /** `waitedMs`: since it began to ask; undefined for a renewal. */
  holds(client: Client, lease: Lease, waitedMs: number | undefined): void;
  /** It uses its address no more, and why. */
  letsGo(client: Client, address: Ip4, why: string): void;
}

export interface ClientSend {
  broadcast(scope: number, bytes: Uint8Array, isAsked: boolean): void;
  unicast(scope: number, to: Ip4, from: Ip4, bytes: Uint8Array): void;
}

export interface ClientParts extends ClientPlan {
  readonly scopes: number;
  /**
   * Other machines have its identity: to the servers they are one client, and what one of them asks for ends what another has. So no
   * promise to any of them can be held against the servers.
   */
  readonly isCloned: boolean;
  readonly schedule: Schedule;
  readonly random: Random;
  readonly send: ClientSend;
  readonly watchOf: (scope: number) => ClientWatch;
  readonly stayMeanSec: number;
  readonly declinePercent: number;
}

type Phase = 'off' | 'selecting' | 'requesting' | 'rebooting' | 'bound' | 'renewing' | 'rebinding';

interface Asked {
  readonly requested?: Ip4;
  readonly serverId?: Ip4;
  readonly ciaddr?: Ip4;
}

export class Client {
  /** Who it is: machines with one identity share it. */
  readonly index: number;
  /** Other machines with its hardware address. */
  readonly twins: Client[] = [];
  /** The network that it is in. */
  scopeIndex: number;
  lease: Lease | undefined;
  phase: Phase = 'off';
  /** When it began to ask for an address; undefined when it does not. */
  askingSinceMs: number | undefined;
  readonly #parts: ClientParts;
  readonly #habits: Habits;
  readonly #hardware: Uint8Array;
  readonly #clock: number;
  #lastAddress: Ip4 | undefined;
  #xid = 0;
  #sentMs = 0;
  #tries = 0;
  #timer = 0;
  #life = 0;
  #offers: { readonly address: Ip4; readonly serverId: Ip4 }[] = [];
  #chosen: { readonly address: Ip4; readonly serverId: Ip4 } | undefined;
  #isStopped = false;

  constructor(parts: ClientParts) {
    this.#parts = parts;
    this.index = parts.index;
    this.scopeIndex = parts.scope;
    this.#habits = parts.habits;
    this.#hardware = hardwareOf(parts.hardware);
    this.#clock = 1 + parts.habits.driftPpm / 1_000_000;
  }

  get name(): string {
    return `c${this.index}`;
  }

  get isHolding(): boolean {
    return this.lease !== undefined && this.lease.untilMs > this.#nowMs;
  }

  /** It counts neither for answers in time nor for order: BOOTP has no lease, and the lawless ask for what is not theirs. */
  get isOrderly(): boolean {
    return !this.#habits.speaksBootp && !this.#habits.isLawless;
  }

  /** Switched on: with an old address it asks for that one. */
  start(): void {
    if (this.phase !== 'off' || this.#isStopped) return;
    const { random, scopes } = this.#parts;
    if (scopes > 1 && random.chance(this.#habits.movePercent)) this.scopeIndex = random.below(scopes);
    if (this.#habits.speaksBootp) this.#bootp();
    else if (this.#lastAddress !== undefined && random.chance(70)) this.#reboot();
    else this.#discover();
  }

  /** Sends nothing any more; a lease runs out by itself. */
  stop(): void {
    this.#isStopped = true;
    this.#timer++;
    this.#life++;
    this.phase = 'off';
    this.askingSinceMs = undefined;
  }

  receive(packet: DhcpPacket, side: Side): void {
    if (packet.xid !== this.#xid || this.phase === 'off' || this.phase === 'bound') return;
    const type = packet.options.get(53)?.[0];
    if (type === undefined) this.#onBootReply(packet, side);
    else if (type === MESSAGE_TYPES.offer) this.#onOffer(packet);
    else if (this.phase === 'selecting') return;
    else if (type === MESSAGE_TYPES.ack) this.#onAck(packet, side);
    else if (type === MESSAGE_TYPES.nak) this.#onNak();
  }

  get #nowMs(): number {
    return this.#parts.schedule.nowMs;
  }

  get #watch(): ClientWatch {
    return this.#parts.watchOf(this.scopeIndex);
  }

  /** By its own clock. */
  #wake(inMs: number, run: () => void): void {
    const timer = ++this.#timer;
    this.#parts.schedule.after(inMs * this.#clock, () => {
      if (timer === this.#timer) run();
    });
  }

  // --- getting an address

  #discover(): void {
    if (this.#isStopped) return;
    this.phase = 'selecting';
    this.#offers = [];
    this.#newExchange();
    this.askingSinceMs ??= this.#nowMs;
    this.#repeatDiscover();
  }

  #repeatDiscover(): void {
    this.#broadcast('discover', 'discover', this.#lastAddress === undefined ? {} : { requested: this.#lastAddress });
    this.#wake(this.#retryMs(), () => this.#repeatDiscover());
  }

  #onOffer(packet: DhcpPacket): void {
    if (this.phase !== 'selecting' || packet.yiaddr === 0) return;
    const serverId = addressOption(packet, 54);
    if (serverId === undefined) return;
    this.#offers.push({ address: packet.yiaddr, serverId });
    if (this.#offers.length > 1) return;
    this.#wake(this.#habits.collects ? COLLECT_MS : 0, () => this.#choose());
  }

  #choose(): void {
    const { random } = this.#parts;
    const isMadeUp = this.#habits.isLawless && random.chance(20);
    this.#request(isMadeUp ? this.#neverOffered() : random.pick(this.#offers));
  }

  #request(chosen: { readonly address: Ip4; readonly serverId: Ip4 }): void {
    // Who asks for another address has done with the one of before, whether the answer arrives or not.
    if (this.lease !== undefined && this.lease.address !== chosen.address) this.#letGo('it asks for another');
    this.#chosen = chosen;
    this.phase = 'requesting';
    this.#newExchange();
    this.#repeatRequest();
  }

  #repeatRequest(): void {
    const chosen = this.#chosen!;
    if (this.#tries >= REQUEST_TRIES) {
      this.#discover();
      return;
    }
    this.#broadcast('request', 'selecting', { requested: chosen.address, serverId: chosen.serverId });
    this.#wake(this.#retryMs(), () => this.#repeatRequest());
  }

  #reboot(): void {
    this.phase = 'rebooting';
    this.askingSinceMs ??= this.#nowMs;
    this.#newExchange();
    this.#repeatReboot();
  }

  #repeatReboot(): void {
    if (this.#tries >= REBOOT_TRIES) {
      this.#discover();
      return;
    }
    this.#broadcast('request', 'init-reboot', { requested: this.#lastAddress! });
    this.#wake(this.#retryMs(), () => this.#repeatReboot());
  }

  #bootp(): void {
    this.phase = 'requesting';
    this.#newExchange();
    this.#repeatBootp();
  }

  #repeatBootp(): void {
    this.#broadcast('bootp', 'bootp', {});
    this.#wake(this.#retryMs(), () => this.#repeatBootp());
  }

  /** Asks again when it boots again; what it has never ends. */
  #onBootReply(packet: DhcpPacket, side: Side): void {
    if (packet.yiaddr === 0 || !this.#habits.speaksBootp) return;
    const untilMs = this.#nowMs + FOR_EVER_MS;
    const times = { startedMs: this.#sentMs, untilMs, t1Ms: untilMs, t2Ms: untilMs };
    this.#take({ address: packet.yiaddr, serverId: packet.siaddr, side, ...times }, this.#nowMs - this.#sentMs);
    this.#planLife();
  }

  // --- keeping it

  #renew(): void {
    this.phase = 'renewing';
    this.#newExchange();
    this.#repeatRenew();
  }

  #repeatRenew(): void {
    const lease = this.lease!;
    if (this.#nowMs >= lease.t2Ms) {
      this.#rebind();
      return;
    }
    this.#unicast('request', 'renewing', { ciaddr: lease.address }, lease.serverId);
    this.#wake(waitUntil(this.#nowMs, lease.t2Ms), () => this.#repeatRenew());
  }

  #rebind(): void {
    this.phase = 'rebinding';
    this.#newExchange();
    this.#repeatRebind();
  }

  #repeatRebind(): void {
    const lease = this.lease!;
    if (this.#nowMs >= lease.untilMs) {
      this.#expire();
      return;
    }
    this.#broadcast('request', 'rebinding', { ciaddr: lease.address });
    this.#wake(waitUntil(this.#nowMs, lease.untilMs), () => this.#repeatRebind());
  }

  #expire(): void {
    if (this.#habits.isLawless && this.#nowMs < this.lease!.untilMs + OVERSTAY_MS) {
      this.#broadcast('request', 'rebinding', { ciaddr: this.lease!.address });
      this.#wake(OVERSTAY_RETRY_MS, () => this.#expire());
      return;
    }
    this.#letGo('its lease ended');
    this.#discover();
  }

  #onAck(packet: DhcpPacket, side: Side): void {
    const grantedSec = numberOption(packet, 51);
    const serverId = addressOption(packet, 54);
    if (grantedSec === undefined || serverId === undefined || packet.yiaddr === 0) return;
    const startedMs = this.#sentMs;
    const atSec = (sec: number): number => startedMs + (sec === INFINITE_SEC ? FOR_EVER_MS : sec * 1000);
    const lease: Lease = {
      address: packet.yiaddr,
      serverId,
      side,
      startedMs,
      untilMs: atSec(grantedSec),
      t1Ms: atSec(numberOption(packet, 58) ?? grantedSec / 2),
      t2Ms: atSec(numberOption(packet, 59) ?? (grantedSec * 7) / 8),
    };
    const isNew = this.phase !== 'renewing' && this.phase !== 'rebinding';
    this.#take(lease, this.askingSinceMs === undefined ? undefined : this.#nowMs - this.askingSinceMs);
    if (isNew && this.#parts.random.chance(this.#parts.declinePercent)) {
      this.#decline();
      return;
    }
    if (isNew) this.#planLife();
    this.#wake((lease.t1Ms - this.#nowMs) / this.#clock, () => this.#renew());
  }

  #take(lease: Lease, waitedMs: number | undefined): void {
    const before = this.lease;
    if (before !== undefined && before.address !== lease.address) this.#letGo('it has another now');
    this.lease = lease;
    this.#lastAddress = lease.address;
    this.phase = 'bound';
    this.#timer++;
    this.askingSinceMs = undefined;
    if (!this.#parts.isCloned) this.#watch.holds(this, lease, waitedMs);
  }

  #onNak(): void {
    if (this.lease !== undefined) this.#letGo('it was refused');
    this.#lastAddress = undefined;
    this.phase = 'selecting';
    this.#wake(AFTER_NAK_MS, () => this.#discover());
  }

  // --- what happens to machines

  #planLife(): void {
    const life = ++this.#life;
    const { random, schedule, stayMeanSec } = this.#parts;
    if (random.chance(this.#habits.informPercent)) this.#inform();
    schedule.after(random.gap(stayMeanSec * 1000), () => {
      if (life !== this.#life || this.lease === undefined || this.#isStopped) return;
      if (this.#habits.isLawless) this.#interfere();
      const dice = random.below(100);
      if (dice < 45 || this.#habits.speaksBootp) this.#switchOff(random.gap(20_000));
      else if (dice < 75) this.#release();
      else this.#switchOff(random.gap(stayMeanSec * 1000));
    });
  }

  /** Off without a word, and on again later; a lease of before stays promised while it runs. */
  #switchOff(forMs: number): void {
    this.phase = 'off';
    this.#timer++;
    this.#life++;
    this.askingSinceMs = undefined;
    this.#parts.schedule.after(forMs, () => this.start());
  }

  #release(): void {
    const { address, serverId } = this.lease!;
    this.#newExchange();
    this.#unicast('release', 'release', { ciaddr: address, serverId }, serverId);
    this.#letGo('it gave it back');
    // Longer than a packet may be late: a RELEASE that overtakes nothing cannot end the lease after it.
    this.#switchOff(AFTER_RELEASE_MS + this.#parts.random.gap(60_000));
  }

  #decline(): void {
    const { address, serverId } = this.lease!;
    this.#newExchange();
    this.#broadcast('decline', 'decline', { requested: address, serverId });
    this.#letGo('it found it in use');
    this.#lastAddress = undefined;
    this.phase = 'selecting';
    this.#wake(AFTER_DECLINE_MS, () => this.#discover());
  }

  #inform(): void {
    this.#newExchange();
    this.#broadcast('inform', 'inform', { ciaddr: this.lease!.address });
  }

  /** Gives back and declines what may be another's. */
  #interfere(): void {
    const { address, serverId } = this.#neverOffered();
    if (address === this.lease?.address) return;
    this.#newExchange();
    this.#unicast('release', 'release of what is not its own', { ciaddr: address, serverId }, serverId);
    this.#broadcast('decline', 'decline of what is not its own', { requested: address, serverId });
  }

  #neverOffered(): { readonly address: Ip4; readonly serverId: Ip4 } {
    const { random } = this.#parts;
    const address = ip4(scopeIdOf(this.scopeIndex) + FIRST_HOST + random.below(LAWLESS_SPAN));
    return { address, serverId: serverAddressOf(random.pick(SIDES)) };
  }

  #letGo(why: string): void {
    const { lease } = this;
    if (lease === undefined) return;
    this.lease = undefined;
    if (!this.#parts.isCloned) this.#parts.watchOf(scopeIndexOf(lease.address)).letsGo(this, lease.address, why);
  }

  // --- packets

  #newExchange(): void {
    this.#xid = this.#parts.random.below(0x7fffffff) + 1;
    this.#sentMs = this.#nowMs;
    this.#tries = 0;
  }

  #retryMs(): number {
    if (this.#habits.isImpatient) return IMPATIENT_MS;
    const waitMs = Math.min(RETRY_MS_FIRST * 2 ** (this.#tries - 1), RETRY_MS_MAX);
    return waitMs + this.#parts.random.between(-1000, 1000);
  }

  #broadcast(type: MessageType | 'bootp', how: string, what: Asked): void {
    this.#tries++;
    if (type !== 'bootp') this.#watch.sends(this, type, how);
    const { scopeIndex } = this;
    const giaddr = scopeIndex > 0 ? relayAddressOf(scopeIndex) : NO_ADDRESS;
    this.#parts.send.broadcast(scopeIndex, this.#packet(type, what, giaddr), type === 'discover');
  }

  #unicast(type: MessageType, how: string, what: Asked & { readonly ciaddr: Ip4 }, to: Ip4): void {
    this.#tries++;
    this.#watch.sends(this, type, how);
    this.#parts.send.unicast(this.scopeIndex, to, what.ciaddr, this.#packet(type, what, NO_ADDRESS));
  }

  #packet(type: MessageType | 'bootp', what: Asked, giaddr: Ip4): Uint8Array {
    const { clientId, countsSecs, leaseAskedSec } = this.#habits;
    const options = new Map<number, Uint8Array>();
    if (type !== 'bootp') {
      options.set(53, TYPE_VALUES[type]);
      if (clientId !== undefined) options.set(61, clientId);
      if (what.requested !== undefined) options.set(50, u32Value(what.requested));
      if (what.serverId !== undefined) options.set(54, u32Value(what.serverId));
      if (leaseAskedSec !== undefined && (type === 'discover' || type === 'request'))
        options.set(51, u32Value(leaseAskedSec));
    }
    const sinceMs = this.askingSinceMs ?? this.#sentMs;
    const packet: DhcpPacket = {
      op: 1,
      htype: 1,
      hlen: 6,
      hops: giaddr === 0 ? 0 : 1,
      xid: this.#xid,
      secs: countsSecs ? Math.min(Math.floor((this.#nowMs - sinceMs) / 1000), 0xffff) : 0,
      flags: 0,
      ciaddr: what.ciaddr ?? NO_ADDRESS,
      yiaddr: NO_ADDRESS,
      siaddr: NO_ADDRESS,
      giaddr,
      chaddr: this.#hardware,
      sname: NO_BYTES,
      file: NO_BYTES,
      hasCookie: true,
      options,
    };
    const bytes = encodeDhcpPacket(packet, PACKET_BYTES);
    keepPacket(bytes, packet);
    return bytes;
  }
}

/** RFC 2131 4.4.5: half of what is left, but not less than the minimum. */
function waitUntil(nowMs: number, untilMs: number): number {
  const leftMs = untilMs - nowMs;
  return Math.min(Math.max(leftMs / 2, RENEW_RETRY_MS_MIN), Math.max(leftMs, 0));
}

function numberOption(packet: DhcpPacket, code: number): number | undefined {
  const value = packet.options.get(code);
  if (value?.length !== 4) return undefined;
  return ((value[0]! << 24) | (value[1]! << 16) | (value[2]! << 8) | value[3]!) >>> 0;
}

function addressOption(packet: DhcpPacket, code: number): Ip4 | undefined {
  return numberOption(packet, code) as Ip4 | undefined;
}
