/** Numbers in failover messages: network byte order, except where Windows writes little-endian. */
import type { Ip4 } from '../units.ts';

export function readU32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

export function writeU32(value: number, bytes: Uint8Array, at: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** The little-endian form that Windows gives to scope addresses (specification 3.2, 3.3). */
export function swappedIp4(address: number): Ip4 {
  const low = ((address & 0xff) << 24) | ((address & 0xff00) << 8);
  return ((low | ((address >>> 8) & 0xff00) | (address >>> 24)) >>> 0) as Ip4;
}

export function readU16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

export function writeU16(value: number, bytes: Uint8Array, at: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}
