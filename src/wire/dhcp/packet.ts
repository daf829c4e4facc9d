/**
 * A DHCPv4 or BOOTP packet (RFC 951, RFC 2131 section 2) as values, with its options joined and in raw form.
 * Option *meanings* are in `options.ts`; this file only knows where bytes stand.
 */
import type { Ip4, Read } from '../units.ts';

export const OP_REQUEST = 1;
export const OP_REPLY = 2;
/** RFC 2131 2: the only flag bit that is not "must be zero". */
export const FLAG_BROADCAST = 0x8000;

/** RFC 2132 9.6 and successors: the values of option 53. */
export const MESSAGE_TYPES = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  ack: 5,
  nak: 6,
  release: 7,
  inform: 8,
} as const;
export type MessageType = keyof typeof MESSAGE_TYPES;

export interface DhcpPacket {
  op: number;
  htype: number;
  /** As in the packet; `chaddr` has min(hlen, 16) bytes. */
  hlen: number;
  hops: number;
  xid: number;
  secs: number;
  flags: number;
  ciaddr: Ip4;
  yiaddr: Ip4;
  siaddr: Ip4;
  giaddr: Ip4;
  chaddr: Uint8Array;
  /** Up to 64 bytes, trailing zeros removed; empty when the field carries overloaded options. */
  sname: Uint8Array;
  /** Up to 128 bytes, trailing zeros removed; empty when the field carries overloaded options. */
  file: Uint8Array;
  /** True when the magic cookie was present; a BOOTP packet may lack it. */
  hasCookie: boolean;
  /** Option code to its whole value, instances joined in order (RFC 3396); codes 0, 52 and 255 never appear. */
  options: Map<number, Uint8Array>;
}

export interface EncodeLimits {
  /** Greatest length of the DHCP message (UDP payload) that the client takes: at least 548 (RFC 2131 2), see option 57. */
  readonly bytesMax: number;
  /** Short replies are padded to this length: 300 for BOOTP relays and old clients (RFC 951 3, RFC 1542 2.1). */
  readonly bytesMin: number;
}

export type { Read };
