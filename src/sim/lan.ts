/**
 * The way between clients and servers: the servers' own wire for the first scope, a relay for each of the others. Packets are
 * late, lost and doubled by chance; a server can be cut off from all clients.
 */
import type { Ingress, ReplyPlan } from '../core/serving/serving-types.ts';
import type { DhcpPacket } from '../wire/dhcp/packet.ts';
import { decodeDhcpPacket } from '../wire/dhcp/packet-codec.ts';
import { type Ip4, ip4 } from '../wire/units.ts';
import type { Random } from './random.ts';
import type { Schedule } from './schedule.ts';
import { relayAddressOf, SERVER_PREFIX_LENGTH, serverAddressOf } from './setting.ts';
import { SIDES, type Side } from './sides.ts';

const BROADCAST = ip4(0xffffffff);
const LATE_MS_MAX = 40;
const SERVER_PORT = 67;
const CLIENT_PORT = 68;

/** What became of one broadcast, for the checker. */
export interface Ask {
  readonly reached: Set<Side>;
  readonly doubled: boolean;
}

export interface LanEnds {
  toServer(side: Side, ingress: Ingress, bytes: Uint8Array, ask: Ask | undefined): void;
  toClient(index: number, packet: DhcpPacket, side: Side): void;
}

export class Lan {
  lossPercent: number;
  duplicatePercent: number;
  /** Servers that no client reaches. */
  readonly cutOff = new Set<Side>();
  readonly #schedule: Schedule;
  readonly #random: Random;
  readonly #ends: LanEnds;

  constructor(schedule: Schedule, random: Random, ends: LanEnds, lossPercent: number, duplicatePercent: number) {
    this.#schedule = schedule;
    this.#random = random;
    this.#ends = ends;
    this.lossPercent = lossPercent;
    this.duplicatePercent = duplicatePercent;
  }

  /** To both servers; a client of a scope behind a relay is relayed. */
  broadcast(scopeIndex: number, bytes: Uint8Array): void {
    const isRelayed = scopeIndex > 0;
    const passing = SIDES.filter((side) => !this.cutOff.has(side) && !this.#isLost());
    const ask: Ask = { reached: new Set(passing), doubled: this.#random.chance(this.duplicatePercent) };
    for (const side of passing) {
      const ingress: Ingress = {
        ...ownIngress(side),
        toAddress: isRelayed ? serverAddressOf(side) : BROADCAST,
        fromAddress: isRelayed ? relayAddressOf(scopeIndex) : ip4(0),
        fromPort: isRelayed ? SERVER_PORT : CLIENT_PORT,
      };
      this.#late(() => this.#ends.toServer(side, ingress, bytes, ask));
      if (ask.doubled) this.#late(() => this.#ends.toServer(side, ingress, bytes, undefined));
    }
  }

  unicast(to: Ip4, from: Ip4, bytes: Uint8Array): void {
    const side = SIDES.find((candidate) => serverAddressOf(candidate) === to);
    if (side === undefined || this.cutOff.has(side) || this.#isLost()) return;
    const ingress: Ingress = { ...ownIngress(side), toAddress: to, fromAddress: from, fromPort: CLIENT_PORT };
    this.#late(() => this.#ends.toServer(side, ingress, bytes, undefined));
    if (this.#random.chance(this.duplicatePercent))
      this.#late(() => this.#ends.toServer(side, ingress, bytes, undefined));
  }

  reply(side: Side, reply: ReplyPlan): void {
    if (this.cutOff.has(side)) return;
    const read = decodeDhcpPacket(reply.bytes);
    if (read.kind === 'bad') return;
    const packet = read.value;
    const index = clientIndexOf(packet.chaddr);
    const copies = this.#random.chance(this.duplicatePercent) ? 2 : 1;
    for (let i = 0; i < copies; i++) if (!this.#isLost()) this.#late(() => this.#ends.toClient(index, packet, side));
  }

  #late(run: () => void): void {
    this.#schedule.after(1 + this.#random.below(LATE_MS_MAX), run);
  }

  #isLost(): boolean {
    return this.#random.chance(this.lossPercent);
  }
}

/** Locally administered, with the client's number in the last octets. */
export function hardwareOf(index: number): Uint8Array {
  return Uint8Array.of(2, 0, 0, 0, index >> 8, index & 0xff);
}

export function clientIndexOf(chaddr: Uint8Array): number {
  return chaddr[4]! * 256 + chaddr[5]!;
}

function ownIngress(side: Side): Pick<Ingress, 'interfaceId' | 'interfaceAddresses'> {
  return {
    interfaceId: 1,
    interfaceAddresses: [{ address: serverAddressOf(side), prefixLength: SERVER_PREFIX_LENGTH }],
  };
}
