/**
 * Reading and writing of big-endian numbers and strings inside option values. Nothing here checks bounds: callers have
 * compared lengths before. Copies are made with the `Uint8Array` constructor, because `slice` of a Node `Buffer` aliases.
 */

/** Most significant octet first, unsigned. The caller knows that four bytes are there. */
export function readU32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

export function readU16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

export function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

/** Four octets of a number, for values that are put together in a list. */
export function u32Octets(value: number): readonly number[] {
  return [(value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

const SLAB_BYTES = 1 << 16;
/** Larger ones have memory of their own. */
const OF_SLAB_BYTES_MAX = 1 << 11;
let slab = new ArrayBuffer(SLAB_BYTES);
let slabUsed = 0;

/**
 * Zeroed memory for one packet, that nobody else has or will have. Packets are cut from one larger piece after the other: memory of its
 * own costs the runtime more than reading or writing the packet.
 */
export function freshBytes(length: number): Uint8Array {
  if (length > OF_SLAB_BYTES_MAX) return new Uint8Array(length);
  if (slabUsed + length > SLAB_BYTES) {
    slab = new ArrayBuffer(SLAB_BYTES);
    slabUsed = 0;
  }
  const bytes = new Uint8Array(slab, slabUsed, length);
  // What follows may be looked at in words.
  slabUsed += (length + 7) & ~7;
  return bytes;
}

/** A copy of `bytes[from, to)` that shares no memory with the source, whatever its class. */
export function copyOf(bytes: Uint8Array, from = 0, to = bytes.length): Uint8Array {
  return new Uint8Array(bytes.subarray(from, to));
}

/** All parts behind one another in fresh memory. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const part of parts) size += part.length;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const UTF8_READER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const UTF8_WRITER = new TextEncoder();

/**
 * The text of a string option, or undefined when it is not UTF-8. RFC 2132 2: a receiver must be prepared to delete
 * trailing NULs; Windows sends one.
 */
export function readText(bytes: Uint8Array): string | undefined {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  let text = '';
  for (let i = 0; i < end; i++) {
    const octet = bytes[i]!;
    if (octet > 127) return readWideText(bytes.subarray(0, end));
    text += String.fromCharCode(octet);
  }
  return text;
}

function readWideText(bytes: Uint8Array): string | undefined {
  try {
    return UTF8_READER.decode(bytes);
  } catch {
    return undefined;
  }
}

export function writeText(text: string): Uint8Array {
  return UTF8_WRITER.encode(text);
}
