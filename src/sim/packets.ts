/**
 * Packets as they were decoded last: the network, the client and the checker look at the same bytes one after the other, and bytes that
 * were sent do not change. The core does not use this: it decodes every packet by itself.
 */
import type { DhcpPacket } from '../wire/dhcp/packet.ts';
import { decodeDhcpPacket } from '../wire/dhcp/packet-codec.ts';
import { ok, type Read } from '../wire/units.ts';

/** Packets kept, twice; beyond it the older half is forgotten. */
const KEPT = 1024;

let young = new Map<Uint8Array, Read<DhcpPacket>>();
let old = new Map<Uint8Array, Read<DhcpPacket>>();

/** The packet in these bytes, which nobody changes. */
export function readPacket(bytes: Uint8Array): Read<DhcpPacket> {
  let read = young.get(bytes) ?? old.get(bytes);
  if (read !== undefined) return read;
  read = decodeDhcpPacket(bytes);
  keep(bytes, read);
  return read;
}

/** Who made the bytes knows what is in them. */
export function keepPacket(bytes: Uint8Array, packet: DhcpPacket): void {
  keep(bytes, ok(packet));
}

function keep(bytes: Uint8Array, read: Read<DhcpPacket>): void {
  if (young.size >= KEPT) {
    old = young;
    young = new Map();
  }
  young.set(bytes, read);
}
