/**
 * Builds the Ethernet frame around a reply to a client that has no address yet, so that ARP cannot find it (RFC 2131 4.1). Both
 * checksums are complete: nothing is left to the card. Replies are never fragmented and carry no IP options.
 */
import type { Ip4 } from '../wire/units.ts';

/** Ethernet, IPv4 and UDP headers. */
export const LINK_HEADER_BYTES = 42;
const ETHERNET_BYTES = 14;
const IP_BYTES = 20;
const UDP_BYTES = 8;
const TIME_TO_LIVE = 64;
const PROTOCOL_UDP = 17;

export interface LinkFrame {
  readonly fromHardware: Uint8Array;
  readonly toHardware: Uint8Array;
  readonly source: Ip4;
  readonly sourcePort: number;
  readonly destination: Ip4;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
}

/** Writes the frame to the start of `into` and answers its length. Precondition: it fits, with one byte to spare. */
export function writeLinkFrame(into: Uint8Array, frame: LinkFrame): number {
  const { payload } = frame;
  const udpLength = UDP_BYTES + payload.length;
  const length = LINK_HEADER_BYTES + payload.length;
  into.set(frame.toHardware, 0);
  into.set(frame.fromHardware, 6);
  put16(into, 12, 0x0800);

  const ip = ETHERNET_BYTES;
  put16(into, ip, 0x4500);
  put16(into, ip + 2, IP_BYTES + udpLength);
  // RFC 6864 4.1: a datagram that cannot be fragmented (DF) needs no identification.
  put16(into, ip + 4, 0);
  put16(into, ip + 6, 0x4000);
  put16(into, ip + 8, (TIME_TO_LIVE << 8) | PROTOCOL_UDP);
  put16(into, ip + 10, 0);
  put32(into, ip + 12, frame.source);
  put32(into, ip + 16, frame.destination);
  put16(into, ip + 10, finish(sum(into, ip, ip + IP_BYTES)));

  const udp = ip + IP_BYTES;
  put16(into, udp, frame.sourcePort);
  put16(into, udp + 2, frame.destinationPort);
  put16(into, udp + 4, udpLength);
  put16(into, udp + 6, 0);
  into.set(payload, udp + UDP_BYTES);
  // An odd length is padded with a zero octet for the sum only.
  into[length] = 0;
  const pseudoHeader = sum(into, ip + 12, ip + IP_BYTES) + PROTOCOL_UDP + udpLength;
  const checksum = finish(sum(into, udp, length) + pseudoHeader);
  // RFC 768: a computed zero is sent as all ones, since zero means that there is no checksum.
  put16(into, udp + 6, checksum === 0 ? 0xffff : checksum);
  return length;
}

/** The plain sum of big-endian 16-bit words; below 2^53 for any datagram. */
function sum(bytes: Uint8Array, from: number, to: number): number {
  let total = 0;
  for (let i = from; i < to; i += 2) total += (bytes[i]! << 8) | bytes[i + 1]!;
  return total;
}

/** RFC 1071: folds the carries in and inverts. */
function finish(total: number): number {
  while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 0x10000);
  return ~total & 0xffff;
}

function put16(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 8;
  into[at + 1] = value;
}

function put32(into: Uint8Array, at: number, value: number): void {
  put16(into, at, value >>> 16);
  put16(into, at + 2, value & 0xffff);
}
