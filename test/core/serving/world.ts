/** A small world for tests of serving: one configuration, the real binding table, clients that send packets, a clock. */

import type { Binding, BindingTable } from '../../../src/core/bindings/binding.ts';
import { makeBindingTable } from '../../../src/core/bindings/table.ts';
import { checkConfig } from '../../../src/core/config/checks.ts';
import { defaultConfig, defaultScope } from '../../../src/core/config/defaults.ts';
import type { Config, Scope } from '../../../src/core/config/model.ts';
import { poolShapeOf } from '../../../src/core/config/pool-shape.ts';
import type { Rights } from '../../../src/core/failover/endpoint-types.ts';
import { makeServing } from '../../../src/core/serving/serving.ts';
import type { Decision, Ingress, ReplyPlan, Serving } from '../../../src/core/serving/serving-types.ts';
import { STANDALONE_RIGHTS } from '../../../src/core/serving/standalone-rights.ts';
import { type DhcpPacket, MESSAGE_TYPES, type MessageType } from '../../../src/wire/dhcp/packet.ts';
import { decodeDhcpPacket } from '../../../src/wire/dhcp/packet-codec.ts';
import {
  assert,
  type EpochSec,
  formatIp4,
  fromHex,
  type Ip4,
  ip4,
  type MonoMs,
  type Now,
  parseIp4,
} from '../../../src/wire/units.ts';

export const SERVER = '10.0.0.2';
export const START_AT = 1_800_000_000;

export function at(text: string): Ip4 {
  const address = parseIp4(text);
  assert(address !== undefined, `${text} is an address`);
  return address;
}

export function hexBytes(text: string): Uint8Array {
  const bytes = fromHex(text.replaceAll(' ', ''));
  assert(bytes !== undefined, `${text} is hexadecimal`);
  return bytes;
}

export function scopeOf(more: Partial<Scope> = {}): Scope {
  return defaultScope({
    scopeId: '10.0.0.0',
    subnetMask: '255.255.255.0',
    name: 'lab',
    startRange: '10.0.0.10',
    endRange: '10.0.0.20',
    leaseDurationSec: 1000,
    ...more,
  });
}

export function configOf(scopes: readonly Scope[], server: Partial<Config['server']> = {}): Config {
  const config = defaultConfig('dhcp1');
  return { ...config, scopes, server: { ...config.server, ...server } };
}

export interface Sent {
  readonly type?: MessageType | 'bootp';
  readonly mac?: string;
  readonly clientId?: string;
  readonly options?: Readonly<Record<number, string>>;
  readonly ciaddr?: string;
  readonly giaddr?: string;
  readonly requested?: string;
  readonly serverId?: string;
  readonly flags?: number;
  readonly secs?: number;
  readonly relay?: string;
  readonly hlen?: number;
}

export function packetOf(sent: Sent): DhcpPacket {
  const chaddr = hexBytes(sent.mac ?? '02 00 00 00 00 01');
  const options = new Map<number, Uint8Array>();
  if (sent.type !== 'bootp') options.set(53, Uint8Array.of(MESSAGE_TYPES[sent.type ?? 'discover']));
  if (sent.clientId !== undefined) options.set(61, hexBytes(sent.clientId));
  if (sent.requested !== undefined) options.set(50, addressBytes(sent.requested));
  if (sent.serverId !== undefined) options.set(54, addressBytes(sent.serverId));
  for (const [code, value] of Object.entries(sent.options ?? {})) options.set(Number(code), hexBytes(value));
  if (sent.relay !== undefined) options.set(82, hexBytes(sent.relay));
  return {
    op: 1,
    htype: 1,
    hlen: sent.hlen ?? chaddr.length,
    hops: 0,
    xid: 0x12345678,
    secs: sent.secs ?? 0,
    flags: sent.flags ?? 0,
    ciaddr: at(sent.ciaddr ?? '0.0.0.0'),
    yiaddr: ip4(0),
    siaddr: ip4(0),
    giaddr: at(sent.giaddr ?? '0.0.0.0'),
    chaddr: sent.hlen === 0 ? new Uint8Array() : chaddr,
    sname: new Uint8Array(),
    file: new Uint8Array(),
    hasCookie: true,
    options,
  };
}

export function addressBytes(text: string): Uint8Array {
  const n = at(text);
  return Uint8Array.of(n >>> 24, n >>> 16, n >>> 8, n);
}

/** A client on the server's own wire, which has 10.0.0.2/24. */
export const LOCAL: Ingress = {
  interfaceId: 1,
  interfaceAddresses: [{ address: at(SERVER), prefixLength: 24 }],
  toAddress: ip4(0xffffffff),
  fromAddress: ip4(0),
  fromPort: 68,
};
/** A client that writes to the server's address. */
export const DIRECT: Ingress = { ...LOCAL, toAddress: at(SERVER), fromAddress: at('10.0.0.10') };
/** A relay that writes to the server's address. */
export const RELAYED: Ingress = { ...LOCAL, toAddress: at(SERVER), fromAddress: at('10.0.0.1'), fromPort: 67 };
/** Unprivileged runs: no interface, any port. */
export const RELAY_ONLY: Ingress = {
  interfaceId: 0,
  interfaceAddresses: [],
  toAddress: undefined,
  fromAddress: at('127.0.0.1'),
  fromPort: 6700,
};

export interface World {
  readonly bindings: BindingTable;
  readonly serving: Serving;
  readonly now: Now;
  config: Config;
  advance(sec: number): void;
  send(sent: Sent, ingress?: Ingress): Decision;
  /** DISCOVER, and REQUEST of what was offered; answers the address. */
  lease(sent: Sent, ingress?: Ingress): string;
  binding(address: string): Binding;
  change(address: string, fields: Partial<Binding>): void;
  reconfigure(config: Config): void;
}

export function makeWorld(
  config: Config = configOf([scopeOf()]),
  rightsOf: (scopeId: Ip4) => Rights = () => STANDALONE_RIGHTS,
): World {
  const faults = checkConfig(config);
  assert(faults.length === 0, JSON.stringify(faults));
  const bindings = makeBindingTable(7);
  for (const scope of config.scopes) bindings.setPool(poolShapeOf(scope), 'free');
  const serving = makeServing(config, bindings, rightsOf, { relayServerAddress: at('127.0.0.2') });
  let elapsedSec = 0;
  const world: World = {
    bindings,
    serving,
    config,
    get now() {
      return { monoMs: (elapsedSec * 1000) as MonoMs, wallAt: (START_AT + elapsedSec) as EpochSec };
    },
    advance(sec) {
      elapsedSec += sec;
    },
    send: (sent, ingress = LOCAL) => serving.decide(world.now, ingress, packetOf(sent)),
    lease(sent, ingress = LOCAL) {
      const offer = read(world.send({ ...sent, type: 'discover' }, ingress));
      const address = formatIp4(offer.packet.yiaddr);
      const serverId = formatIp4(uint32(offer.packet.options.get(54)));
      const ack = read(world.send({ ...sent, type: 'request', requested: address, serverId }, ingress));
      assert(ack.type === 'ack', `the client of ${address} got an ACK`);
      return formatIp4(ack.packet.yiaddr);
    },
    binding(address) {
      const binding = bindings.find(at(address));
      assert(binding !== undefined, `${address} has a binding`);
      return binding;
    },
    change(address, fields) {
      bindings.change({ ...world.binding(address), ...fields });
    },
    reconfigure(next) {
      world.config = next;
      for (const scope of next.scopes) bindings.setPool(poolShapeOf(scope), 'free');
      serving.reconfigure(next);
    },
  };
  return world;
}

export interface ReadReply {
  readonly type: MessageType | 'bootp';
  readonly packet: DhcpPacket;
  readonly plan: ReplyPlan;
  readonly address: string;
}

/** The reply of a decision, decoded; fails when there is none. */
export function read(decision: Decision): ReadReply {
  assert(decision.kind === 'reply', `a reply, not ${decision.kind}: ${decision.reason}`);
  const decoded = decodeDhcpPacket(decision.reply.bytes);
  assert(decoded.kind === 'ok', 'the reply can be read');
  return {
    type: decision.reply.messageType,
    packet: decoded.value,
    plan: decision.reply,
    address: formatIp4(decoded.value.yiaddr),
  };
}

/** One word for what came of a packet: `offer 10.0.0.10`, `nak`, `drop unknown-lease`, `done`. */
export function outcome(decision: Decision): string {
  if (decision.kind === 'drop') return `drop ${decision.code}`;
  if (decision.kind === 'done') return 'done';
  const { address, messageType } = decision.reply;
  return address === 0 ? messageType : `${messageType} ${formatIp4(address)}`;
}

export function uint32(bytes: Uint8Array | undefined): Ip4 {
  assert(bytes !== undefined && bytes.length === 4, 'the option has four octets');
  return ip4((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!);
}

export function optionCodes(packet: DhcpPacket): number[] {
  return [...packet.options.keys()];
}
