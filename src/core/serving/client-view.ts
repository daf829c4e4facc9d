/**
 * What serving needs to know of a client packet, read once: who the client is, what it asks for, and what the relay said. It
 * refuses packets that cannot be served whatever the configuration is, with the reason.
 */
import { hardwareKey } from '../../wire/dhcp/build.ts';
import { type DhcpPacket, MESSAGE_TYPES, type MessageType, OP_REQUEST } from '../../wire/dhcp/packet.ts';
import {
  decodeRelayAgent,
  type RelayAgentInfo,
  SUB_CIRCUIT_ID,
  SUB_LINK_SELECTION,
  SUB_RELAY_SOURCE_PORT,
  SUB_REMOTE_ID,
  SUB_SERVER_ID_OVERRIDE,
} from '../../wire/dhcp/relay-agent.ts';
import { bucketKey, bucketOf } from '../../wire/failover/hash-buckets.ts';
import { type Ip4, ip4, sameBytes, toHex } from '../../wire/units.ts';
import { OPTION } from './option-codes.ts';

export interface ClientView {
  readonly messageType: MessageType | 'bootp';
  /** Contents of option 61. */
  readonly clientId: Uint8Array | undefined;
  /** htype and chaddr; undefined when the client has none to tell (hlen 0, RFC 4390 2.1). */
  readonly hardware: Uint8Array | undefined;
  /** One text per client: its identifier if it sent one, else its hardware address (RFC 2131 4.2). */
  readonly key: string;
  /** What the hash of load balancing is made of (RFC 3074). */
  readonly bucketKey: Uint8Array;
  readonly bucket: number;
  /** The same of the hardware address, whatever identifier the client sends: what Windows is thought to go by. */
  readonly hardwareBucket: number;
  readonly requestedAddress: Ip4 | undefined;
  readonly serverId: Ip4 | undefined;
  readonly leaseSec: number | undefined;
  readonly relay: RelayView | undefined;
}

/** What a client is known by. */
export type ClientNames = Pick<ClientView, 'clientId' | 'hardware'>;

export interface RelayView {
  /** The whole of option 82, echoed as it came. */
  readonly payload: Uint8Array;
  readonly circuitId: Uint8Array | undefined;
  readonly remoteId: Uint8Array | undefined;
  readonly linkSelection: Ip4 | undefined;
  readonly serverIdOverride: Ip4 | undefined;
  readonly wantsSourcePort: boolean;
}

export type Viewed =
  | { readonly kind: 'ok'; readonly view: ClientView }
  | { readonly kind: 'bad'; readonly why: string };

/** Longest client identifier that a binding keeps. */
const CLIENT_ID_BYTES_MAX = 255;
const CHADDR_BYTES_MAX = 16;

const MESSAGE_NAMES: readonly (MessageType | undefined)[] = (() => {
  const names: (MessageType | undefined)[] = [];
  for (const [name, value] of Object.entries(MESSAGE_TYPES)) names[value] = name as MessageType;
  return names;
})();

/** Reads a packet; the view keeps references into its option values, which the caller must not change while deciding. */
export function viewOf(packet: DhcpPacket): Viewed {
  if (packet.op !== OP_REQUEST) return { kind: 'bad', why: `op ${packet.op} is not a request` };
  if (packet.hlen > CHADDR_BYTES_MAX) return { kind: 'bad', why: `a hardware address of ${packet.hlen} octets` };
  const messageType = messageTypeOf(packet);
  if (messageType === undefined) return { kind: 'bad', why: 'an unknown message type (option 53)' };
  const clientId = filled(packet.options.get(OPTION.clientId));
  if (clientId !== undefined && clientId.length > CLIENT_ID_BYTES_MAX) {
    return { kind: 'bad', why: `a client identifier of ${clientId.length} octets` };
  }
  const hardware = packet.chaddr.length === 0 ? undefined : hardwareKey(packet.htype, packet.chaddr);
  // RFC 4390 2.1: without a hardware address the identifier is the only name of the client.
  if (clientId === undefined && hardware === undefined) {
    return { kind: 'bad', why: 'neither client identifier nor hardware address' };
  }
  const key = bucketKey(clientId, packet.chaddr);
  return {
    kind: 'ok',
    view: {
      messageType,
      clientId,
      hardware,
      key: clientId !== undefined ? `i${toHex(clientId)}` : `h${toHex(hardware ?? key)}`,
      bucketKey: key,
      bucket: bucketOf(key),
      hardwareBucket: packet.chaddr.length === 0 ? bucketOf(key) : bucketOf(packet.chaddr),
      requestedAddress: addressIn(packet.options.get(OPTION.requestedAddress)),
      serverId: addressIn(packet.options.get(OPTION.serverId)),
      leaseSec: uint32In(packet.options.get(OPTION.leaseTime)),
      relay: relayOf(packet.options.get(OPTION.relayInformation)),
    },
  };
}

/** RFC 2131 4.2: the identifier names the client if there is one on either side; the hardware address only if there is none. */
export function isSameClient(
  view: ClientNames,
  clientId: Uint8Array | undefined,
  hardware: Uint8Array | undefined,
): boolean {
  if (view.clientId !== undefined || clientId !== undefined) return sameBytes(view.clientId, clientId);
  return hardware !== undefined && sameBytes(view.hardware, hardware);
}

/** Reads four octets as an address; undefined for any other length, and for 0.0.0.0, which names nothing. */
export function addressIn(value: Uint8Array | undefined): Ip4 | undefined {
  const n = uint32In(value);
  return n === undefined || n === 0 ? undefined : ip4(n);
}

export function uint32In(value: Uint8Array | undefined): number | undefined {
  if (value === undefined || value.length !== 4) return undefined;
  return ((value[0]! << 24) | (value[1]! << 16) | (value[2]! << 8) | value[3]!) >>> 0;
}

function messageTypeOf(packet: DhcpPacket): MessageType | 'bootp' | undefined {
  const value = packet.options.get(OPTION.messageType);
  if (value === undefined) return 'bootp';
  return value.length === 1 ? MESSAGE_NAMES[value[0]!] : undefined;
}

function filled(value: Uint8Array | undefined): Uint8Array | undefined {
  return value === undefined || value.length === 0 ? undefined : value;
}

/** A payload that does not parse names nothing, but is echoed all the same (RFC 3046 2.2). */
function relayOf(payload: Uint8Array | undefined): RelayView | undefined {
  if (payload === undefined) return undefined;
  const read = decodeRelayAgent(payload);
  const info: RelayAgentInfo = read.kind === 'ok' ? read.value : new Map();
  return {
    payload,
    circuitId: filled(info.get(SUB_CIRCUIT_ID)),
    remoteId: filled(info.get(SUB_REMOTE_ID)),
    linkSelection: addressIn(info.get(SUB_LINK_SELECTION)),
    serverIdOverride: addressIn(info.get(SUB_SERVER_ID_OVERRIDE)),
    wantsSourcePort: info.has(SUB_RELAY_SOURCE_PORT),
  };
}
