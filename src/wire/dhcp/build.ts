/**
 * Small tools of a server: typed looks at the raw options of a packet, raw values made from plain ones, the start of a reply.
 * A getter answers undefined for an option that is absent or does not have the length of its type: both mean "not said".
 */
import { type Ip4, ip4 } from '../units.ts';
import { joined, readText, readU16, readU32, u32Octets, writeText, writeU32 } from './octets.ts';
import { type DhcpPacket, MESSAGE_TYPES, type MessageType, OP_REPLY } from './packet.ts';

const MESSAGE_TYPE = 53;
const CLIENT_ID = 61;
const USER_CLASS = 77;

const MESSAGE_TYPE_BY_NUMBER: ReadonlyMap<number, MessageType> = new Map(
  Object.entries(MESSAGE_TYPES).map(([name, value]) => [value, name as MessageType]),
);

export function getU8(packet: DhcpPacket, code: number): number | undefined {
  const bytes = packet.options.get(code);
  return bytes?.length === 1 ? bytes[0] : undefined;
}

export function getU16(packet: DhcpPacket, code: number): number | undefined {
  const bytes = packet.options.get(code);
  return bytes?.length === 2 ? readU16(bytes, 0) : undefined;
}

export function getU32(packet: DhcpPacket, code: number): number | undefined {
  const bytes = packet.options.get(code);
  return bytes?.length === 4 ? readU32(bytes, 0) : undefined;
}

export function getIp4(packet: DhcpPacket, code: number): Ip4 | undefined {
  const bytes = packet.options.get(code);
  return bytes?.length === 4 ? ip4(readU32(bytes, 0)) : undefined;
}

/** One address or more. */
export function getIp4List(packet: DhcpPacket, code: number): Ip4[] | undefined {
  const bytes = packet.options.get(code);
  if (bytes === undefined || bytes.length === 0 || bytes.length % 4 !== 0) return undefined;
  const addresses: Ip4[] = [];
  for (let at = 0; at < bytes.length; at += 4) addresses.push(ip4(readU32(bytes, at)));
  return addresses;
}

/** Text without trailing NULs; undefined when it is not UTF-8. */
export function getText(packet: DhcpPacket, code: number): string | undefined {
  const bytes = packet.options.get(code);
  return bytes === undefined ? undefined : readText(bytes);
}

/** The value as it came, for look-ups in tables; shares memory with the packet. */
export function getBytes(packet: DhcpPacket, code: number): Uint8Array | undefined {
  return packet.options.get(code);
}

/** The name of option 53's value; undefined for BOOTP and for types that a server does not take part in. */
export function messageTypeOf(packet: DhcpPacket): MessageType | undefined {
  const value = getU8(packet, MESSAGE_TYPE);
  return value === undefined ? undefined : MESSAGE_TYPE_BY_NUMBER.get(value);
}

/** Who a client is (RFC 2131 4.2): its client identifier, else its hardware address with type. */
export interface ClientIdentity {
  /** Option 61 with its type octet; undefined when absent or empty. Shares memory with the packet. */
  readonly clientId: Uint8Array | undefined;
  /** htype, then chaddr; undefined when the packet has no hardware address. Fresh memory. */
  readonly hardware: Uint8Array | undefined;
}

/** Both identities are told, because a reservation by hardware address matches whatever client identifier is sent. */
export function clientIdentityOf(packet: DhcpPacket): ClientIdentity {
  const clientId = packet.options.get(CLIENT_ID);
  return {
    clientId: clientId === undefined || clientId.length === 0 ? undefined : clientId,
    hardware: packet.chaddr.length === 0 ? undefined : hardwareKey(packet.htype, packet.chaddr),
  };
}

/** A hardware address in the form that bindings keep: htype, then the address. */
export function hardwareKey(htype: number, address: Uint8Array): Uint8Array {
  const key = new Uint8Array(1 + address.length);
  key[0] = htype;
  for (let i = 0; i < address.length; i++) key[i + 1] = address[i]!;
  return key;
}

/** The user classes of option 77 in either of its forms (see `option-codecs.ts`), sharing memory with the packet. */
export function userClassesOf(packet: DhcpPacket): Uint8Array[] {
  const bytes = packet.options.get(USER_CLASS);
  if (bytes === undefined || bytes.length === 0) return [];
  const classes: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    const length = bytes[at]!;
    if (length === 0 || at + 1 + length > bytes.length) return [bytes];
    classes.push(bytes.subarray(at + 1, at + 1 + length));
    at += 1 + length;
  }
  return classes;
}

export function u8Value(value: number): Uint8Array {
  return Uint8Array.of(value);
}

export function u16Value(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value);
}

export function u32Value(value: number): Uint8Array {
  // Not `Uint8Array.of`, which is several times slower: a reply has five of these.
  const bytes = new Uint8Array(4);
  writeU32(bytes, 0, value);
  return bytes;
}

export function ip4Value(address: Ip4): Uint8Array {
  return u32Value(address);
}

export function ip4ListValue(addresses: readonly Ip4[]): Uint8Array {
  return Uint8Array.from(addresses.flatMap(u32Octets));
}

export function textValue(text: string): Uint8Array {
  return writeText(text);
}

/** The value of option 77 in the form of RFC 3004; each class has 1 to 255 bytes. */
export function userClassValue(classes: readonly Uint8Array[]): Uint8Array {
  return joined(classes.flatMap((item) => [Uint8Array.of(item.length), item]));
}

/**
 * An empty reply with the fields that every reply takes over from its request (RFC 2131 table 3): hardware, xid, flags and
 * giaddr; hops and secs are 0. Options are empty; byte strings are shared with the request.
 */
export function replyTo(request: DhcpPacket): DhcpPacket {
  return {
    op: OP_REPLY,
    htype: request.htype,
    hlen: request.hlen,
    hops: 0,
    xid: request.xid,
    secs: 0,
    flags: request.flags,
    ciaddr: ip4(0),
    yiaddr: ip4(0),
    siaddr: ip4(0),
    giaddr: request.giaddr,
    chaddr: request.chaddr,
    sname: NO_BYTES,
    file: NO_BYTES,
    hasCookie: request.hasCookie,
    options: new Map(),
  };
}

const NO_BYTES = new Uint8Array(0);
