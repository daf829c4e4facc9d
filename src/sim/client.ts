/**
 * A DHCP client with the habits of real ones (RFC 2131 4.4): it asks and repeats itself with growing waits, renews with the
 * server that granted, rebinds with anyone, comes back from a reboot with its old address, gives an address back, finds it in
 * use, or goes without a word. It counts a lease from the moment it sent the first REQUEST that was answered.
 */
import { type DhcpPacket, MESSAGE_TYPES, type MessageType } from '../wire/dhcp/packet.ts';
import { encodeDhcpPacket } from '../wire/dhcp/packet-codec.ts';
import { type Ip4, ip4 } from '../wire/units.ts';
import { hardwareOf, type Lan } from './lan.ts';
import type { Random } from './random.ts';
import type { Schedule } from './schedule.ts';
import { relayAddressOf } from './setting.ts';
import type { Side } from './sides.ts';

const RETRY_MS_FIRST = 4000;
const RETRY_MS_MAX = 64_000;
const REQUEST_TRIES = 3;
const REBOOT_TRIES = 3;
/** RFC 2131 4.4.5 has 60 s; leases of a short MCLT need less. */
const RENEW_RETRY_MS_MIN = 4000;
const COLLECT_MS = 300;
const AFTER_DECLINE_MS = 10_000;
const AFTER_RELEASE_MS = 1000;
const AFTER_NAK_MS = 500;
const PACKET_BYTES = { bytesMax: 1400, bytesMin: 300 };

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

export interface ClientParts {
  readonly index: number;
  readonly scopeIndex: number;
  readonly schedule: Schedule;
  readonly random: Random;
  readonly lan: Lan;
  readonly watch: ClientWatch;
  readonly stayMeanSec: number;
  readonly declinePercent: number;
}

type Phase = 'off' | 'selecting' | 'requesting' | 'rebooting' | 'bound' | 'renewing' | 'rebinding';

interface Habits {
  readonly clientId: Uint8Array | undefined;
  /** Many clients always send `secs` 0. */
  readonly countsSecs: boolean;
  /** Waits for several offers and takes any. */
  readonly collects: boolean;
  readonly leaseAskedSec: number | undefined;
}

export class Client {
  readonly index: number;
  readonly scopeIndex: number;
  lease: Lease | undefined;
  phase: Phase = 'off';
  /** When it began to ask for an address; undefined when it does not. */
  askingSinceMs: number | undefined;
  readonly #parts: ClientParts;
  readonly #habits: Habits;
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
    this.scopeIndex = parts.scopeIndex;
    const { random } = parts;
    this.#habits = {
      clientId: random.chance(60) ? Uint8Array.of(1, ...hardwareOf(parts.index)) : undefined,
      countsSecs: random.chance(60),
      collects: random.chance(30),
      leaseAskedSec: random.chance(15) ? random.between(30, 2000) : undefined,
    };
  }

  get name(): string {
    return `c${this.index}`;
  }

  get isHolding(): boolean {
    return this.lease !== undefined && this.lease.untilMs > this.#nowMs;
  }

  /** Switched on: with an old address it asks for that one. */
  start(): void {
    if (this.phase !== 'off' || this.#isStopped) return;
    if (this.#lastAddress !== undefined && this.#parts.random.chance(70)) this.#reboot();
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
    if (type === MESSAGE_TYPES.offer) this.#onOffer(packet);
    else if (this.phase === 'selecting') return;
    else if (type === MESSAGE_TYPES.ack) this.#onAck(packet, side);
    else if (type === MESSAGE_TYPES.nak) this.#onNak();
  }

  get #nowMs(): number {
    return this.#parts.schedule.nowMs;
  }

  #wake(inMs: number, run: () => void): void {
    const timer = ++this.#timer;
    this.#parts.schedule.after(inMs, () => {
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
    this.#chosen = this.#parts.random.pick(this.#offers);
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
    this.#send('request', 'renewing', { ciaddr: lease.address }, lease.serverId);
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
    this.#letGo('its lease ended');
    this.#discover();
  }

  #onAck(packet: DhcpPacket, side: Side): void {
    const grantedSec = numberOption(packet, 51);
    const serverId = addressOption(packet, 54);
    if (grantedSec === undefined || serverId === undefined || packet.yiaddr === 0) return;
    const before = this.lease;
    if (before !== undefined && before.address !== packet.yiaddr) this.#letGo('it has another now');
    const startedMs = this.#sentMs;
    const atSec = (sec: number): number => startedMs + sec * 1000;
    this.lease = {
      address: packet.yiaddr,
      serverId,
      side,
      startedMs,
      untilMs: atSec(grantedSec),
      t1Ms: atSec(numberOption(packet, 58) ?? grantedSec / 2),
      t2Ms: atSec(numberOption(packet, 59) ?? (grantedSec * 7) / 8),
    };
    this.#lastAddress = packet.yiaddr;
    const isNew = this.phase !== 'renewing' && this.phase !== 'rebinding';
    this.phase = 'bound';
    const waitedMs = this.askingSinceMs === undefined ? undefined : this.#nowMs - this.askingSinceMs;
    this.askingSinceMs = undefined;
    this.#parts.watch.holds(this, this.lease, waitedMs);
    if (isNew && this.#parts.random.chance(this.#parts.declinePercent)) {
      this.#decline();
      return;
    }
    if (isNew) this.#planLife();
    this.#wake(this.lease.t1Ms - this.#nowMs, () => this.#renew());
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
    schedule.after(random.gap(stayMeanSec * 1000), () => {
      if (life !== this.#life || this.lease === undefined || this.#isStopped) return;
      const dice = random.below(100);
      if (dice < 45) this.#switchOff(random.gap(20_000));
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
    this.#send('release', 'release', { ciaddr: address, serverIdOption: serverId }, serverId);
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

  #letGo(why: string): void {
    const { lease } = this;
    if (lease === undefined) return;
    this.lease = undefined;
    this.#parts.watch.letsGo(this, lease.address, why);
  }

  // --- packets

  #newExchange(): void {
    this.#xid = this.#parts.random.below(0x7fffffff) + 1;
    this.#sentMs = this.#nowMs;
    this.#tries = 0;
  }

  #retryMs(): number {
    const waitMs = Math.min(RETRY_MS_FIRST * 2 ** (this.#tries - 1), RETRY_MS_MAX);
    return waitMs + this.#parts.random.between(-1000, 1000);
  }

  #broadcast(type: MessageType, how: string, what: { requested?: Ip4; serverId?: Ip4; ciaddr?: Ip4 }): void {
    this.#tries++;
    this.#parts.watch.sends(this, type, how);
    const { scopeIndex } = this;
    const giaddr = scopeIndex > 0 ? relayAddressOf(scopeIndex) : ip4(0);
    const { serverId, ...rest } = what;
    this.#parts.lan.broadcast(
      scopeIndex,
      this.#packet(type, { ...rest, ...(serverId && { serverIdOption: serverId }), giaddr }),
    );
  }

  #send(type: MessageType, how: string, what: { ciaddr: Ip4; serverIdOption?: Ip4 }, to: Ip4): void {
    this.#tries++;
    this.#parts.watch.sends(this, type, how);
    this.#parts.lan.unicast(to, what.ciaddr, this.#packet(type, what));
  }

  #packet(type: MessageType, what: { requested?: Ip4; serverIdOption?: Ip4; ciaddr?: Ip4; giaddr?: Ip4 }): Uint8Array {
    const { clientId, countsSecs, leaseAskedSec } = this.#habits;
    const options = new Map<number, Uint8Array>([[53, Uint8Array.of(MESSAGE_TYPES[type])]]);
    if (clientId !== undefined) options.set(61, clientId);
    if (what.requested !== undefined) options.set(50, octetsOf(what.requested));
    if (what.serverIdOption !== undefined) options.set(54, octetsOf(what.serverIdOption));
    if (leaseAskedSec !== undefined && (type === 'discover' || type === 'request'))
      options.set(51, octetsOf(leaseAskedSec));
    const sinceMs = this.askingSinceMs ?? this.#sentMs;
    return encodeDhcpPacket(
      {
        op: 1,
        htype: 1,
        hlen: 6,
        hops: what.giaddr ? 1 : 0,
        xid: this.#xid,
        secs: countsSecs ? Math.min(Math.floor((this.#nowMs - sinceMs) / 1000), 0xffff) : 0,
        flags: 0,
        ciaddr: what.ciaddr ?? ip4(0),
        yiaddr: ip4(0),
        siaddr: ip4(0),
        giaddr: what.giaddr ?? ip4(0),
        chaddr: hardwareOf(this.index),
        sname: new Uint8Array(),
        file: new Uint8Array(),
        hasCookie: true,
        options,
      },
      PACKET_BYTES,
    );
  }
}

/** RFC 2131 4.4.5: half of what is left, but not less than the minimum. */
function waitUntil(nowMs: number, untilMs: number): number {
  const leftMs = untilMs - nowMs;
  return Math.min(Math.max(leftMs / 2, RENEW_RETRY_MS_MIN), Math.max(leftMs, 0));
}

function octetsOf(n: number): Uint8Array {
  return Uint8Array.of(n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255);
}

function numberOption(packet: DhcpPacket, code: number): number | undefined {
  const value = packet.options.get(code);
  if (value?.length !== 4) return undefined;
  return ((value[0]! << 24) | (value[1]! << 16) | (value[2]! << 8) | value[3]!) >>> 0;
}

function addressOption(packet: DhcpPacket, code: number): Ip4 | undefined {
  return numberOption(packet, code) as Ip4 | undefined;
}
