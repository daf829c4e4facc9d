/**
 * The way between clients and servers: the servers' own wire for the first scope, a relay for each of the others. Packets are late,
 * lost, doubled and overtaken by chance; a server can be cut off from all clients, in one direction or in both.
 */
import type { Ingress, ReplyPlan } from '../core/serving/serving-types.ts';
import type { DhcpPacket } from '../wire/dhcp/packet.ts';
import { type Ip4, ip4 } from '../wire/units.ts';
import type { FaultCounts } from './fault-counts.ts';
import { readPacket } from './packets.ts';
import type { PairView } from './pair-view.ts';
import type { Random } from './random.ts';
import type { Schedule } from './schedule.ts';
import { clientIndexOf, relayAddressOf, SERVER_PREFIX_LENGTH, serverAddressOf } from './setting.ts';
import { type HostName, SIDES, type Side } from './sides.ts';

export { clientIndexOf, hardwareOf } from './setting.ts';

const BROADCAST = ip4(0xffffffff);
const LATE_MS_MAX = 40;
/** What a late packet may be overtaken by; clients that gave an address back wait for longer than this. */
const VERY_LATE_MS_MAX = 900;
const SERVER_PORT = 67;
const CLIENT_PORT = 68;

/** What became of one DISCOVER, for the checker. */
export interface Ask {
  readonly reached: Set<Side>;
  readonly doubled: boolean;
}

export interface LanEnds<P extends PairView> {
  toServer(pair: P, side: Side, ingress: Ingress, bytes: Uint8Array, ask: Ask | undefined): void;
  toClient(machine: number, packet: DhcpPacket, side: Side): void;
}

export type LanCut = 'both' | 'to-server' | 'to-client';

export class Lan<P extends PairView> {
  lossPercent: number;
  duplicatePercent: number;
  latePercent: number;
  /** Servers that no client reaches, that hear none, or that none hears. */
  readonly cutOff = new Map<HostName, LanCut>();
  readonly #schedule: Schedule;
  readonly #random: Random;
  readonly #ends: LanEnds<P>;
  readonly #counts: FaultCounts;
  /** By scope, then by server. */
  readonly #broadcasts: Partial<Record<HostName, Ingress>>[] = [];

  constructor(
    parts: {
      readonly schedule: Schedule;
      readonly random: Random;
      readonly ends: LanEnds<P>;
      readonly counts: FaultCounts;
    },
    bad: { readonly lossPercent: number; readonly duplicatePercent: number; readonly latePercent: number },
  ) {
    this.#schedule = parts.schedule;
    this.#random = parts.random;
    this.#ends = parts.ends;
    this.#counts = parts.counts;
    this.lossPercent = bad.lossPercent;
    this.duplicatePercent = bad.duplicatePercent;
    this.latePercent = bad.latePercent;
  }

  /** To both servers of the pair; a client of a scope behind a relay is relayed. `isAsked`: the checker wants to know what became of it. */
  broadcast(pair: P, scope: number, bytes: Uint8Array, isAsked: boolean): void {
    const toA = this.#passes(pair.names.hosts.a, 'to-server');
    const toB = this.#passes(pair.names.hosts.b, 'to-server');
    const isDoubled = this.#isDoubled();
    const ask = isAsked ? { reached: reachedBy(toA, toB), doubled: isDoubled } : undefined;
    if (toA) this.#deliver(pair, 'a', this.#broadcastTo(pair, 'a', scope), bytes, ask, isDoubled);
    if (toB) this.#deliver(pair, 'b', this.#broadcastTo(pair, 'b', scope), bytes, ask, isDoubled);
  }

  unicast(pair: P, to: Ip4, from: Ip4, bytes: Uint8Array): void {
    const side = SIDES.find((candidate) => serverAddressOf(pair.names.hosts[candidate]) === to);
    if (side === undefined || !this.#passes(pair.names.hosts[side], 'to-server')) return;
    const ingress: Ingress = {
      interfaceId: 1,
      interfaceAddresses: this.#broadcastTo(pair, side, 0).interfaceAddresses,
      toAddress: to,
      fromAddress: from,
      fromPort: CLIENT_PORT,
    };
    this.#deliver(pair, side, ingress, bytes, undefined, this.#isDoubled());
  }

  reply(pair: P, side: Side, reply: ReplyPlan): void {
    if (!this.#passes(pair.names.hosts[side], 'to-client')) return;
    const read = readPacket(reply.bytes);
    if (read.kind === 'bad') return;
    const packet = read.value;
    const machine = clientIndexOf(packet.chaddr);
    const arrive = (): void => this.#ends.toClient(machine, packet, side);
    this.#schedule.after(this.#lateMs(), arrive);
    if (this.#isDoubled()) this.#schedule.after(this.#lateMs(), arrive);
  }

  #deliver(pair: P, side: Side, ingress: Ingress, bytes: Uint8Array, ask: Ask | undefined, isDoubled: boolean): void {
    this.#schedule.after(this.#lateMs(), () => this.#ends.toServer(pair, side, ingress, bytes, ask));
    if (isDoubled)
      this.#schedule.after(this.#lateMs(), () => this.#ends.toServer(pair, side, ingress, bytes, undefined));
  }

  #passes(host: HostName, way: 'to-server' | 'to-client'): boolean {
    const cut = this.cutOff.size === 0 ? undefined : this.cutOff.get(host);
    const isLost = cut === 'both' || cut === way || this.#random.chance(this.lossPercent);
    if (isLost) this.#counts.note('packet lost');
    return !isLost;
  }

  #isDoubled(): boolean {
    const isDoubled = this.#random.chance(this.duplicatePercent);
    if (isDoubled) this.#counts.note('packet doubled');
    return isDoubled;
  }

  #lateMs(): number {
    const lateMs = 1 + this.#random.below(LATE_MS_MAX);
    if (!this.#random.chance(this.latePercent)) return lateMs;
    this.#counts.note('packet overtaken');
    return this.#random.between(LATE_MS_MAX, VERY_LATE_MS_MAX);
  }

  #broadcastTo(pair: P, side: Side, scope: number): Ingress {
    const host = pair.names.hosts[side];
    let ofScope = this.#broadcasts[scope];
    if (ofScope === undefined) {
      ofScope = {};
      this.#broadcasts[scope] = ofScope;
    }
    let ingress = ofScope[host];
    if (ingress === undefined) {
      const isRelayed = scope > 0;
      ingress = {
        interfaceId: 1,
        interfaceAddresses: [{ address: serverAddressOf(host), prefixLength: SERVER_PREFIX_LENGTH }],
        toAddress: isRelayed ? serverAddressOf(host) : BROADCAST,
        fromAddress: isRelayed ? relayAddressOf(scope) : ip4(0),
        fromPort: isRelayed ? SERVER_PORT : CLIENT_PORT,
      };
      ofScope[host] = ingress;
    }
    return ingress;
  }
}

function reachedBy(a: boolean, b: boolean): Set<Side> {
  const reached = new Set<Side>();
  if (a) reached.add('a');
  if (b) reached.add('b');
  return reached;
}
