/**
 * Whose the never-used addresses are, in shared memory for the snapshot: one bit per address, set where the owner is not the usual one of the
 * scope. So a piece of zeros says nothing, and it does not matter in which order a copy sees a piece and its bits.
 */
import { assert } from '../../wire/units.ts';

/** Addresses, and words of bits, of one unit. */
export const UNIT_ADDRESSES = 256;
export const UNIT_WORDS = UNIT_ADDRESSES / 32;
/** Units that the pages of large scopes take at once: 4,096 addresses. */
export const LARGE_UNITS = 16;
export const UNITS_PER_CHUNK = 4096;
/** A chunk begins with one word for each unit: the first address of the unit plus one, 0 when it is not in use. */
export const OWNER_CHUNK_BYTES = UNITS_PER_CHUNK * 4 * (1 + UNIT_WORDS);
const CHUNKS_MAX = 65536;

export interface OwnerBits {
  readonly chunks: { readonly shared: SharedArrayBuffer; readonly words: Uint32Array }[];
  reached: number;
  readonly freeSmall: number[];
  readonly freeLarge: number[];
  /** Given back while a copy runs. */
  readonly waiting: { readonly unit: number; readonly units: number }[];
  isCopying: boolean;
}

export function makeOwnerBits(): OwnerBits {
  return { chunks: [], reached: 0, freeSmall: [], freeLarge: [], waiting: [], isCopying: false };
}

/** Answers the first of 1 or `LARGE_UNITS` units in a row, for addresses from `base` on, all bits zero. */
export function allocateUnits(bits: OwnerBits, units: number, base: number): number {
  let unit = (units === 1 ? bits.freeSmall : bits.freeLarge).pop();
  if (unit === undefined) {
    // A run of units does not cross chunks.
    if (units > 1) bits.reached = Math.ceil(bits.reached / LARGE_UNITS) * LARGE_UNITS;
    unit = bits.reached;
    bits.reached += units;
    if (Math.floor(unit / UNITS_PER_CHUNK) === bits.chunks.length) {
      assert(bits.chunks.length < CHUNKS_MAX, 'the binding table has room for the bits of its scopes');
      const shared = new SharedArrayBuffer(OWNER_CHUNK_BYTES);
      bits.chunks.push({ shared, words: new Uint32Array(shared) });
    }
  }
  const words = bits.chunks[Math.floor(unit / UNITS_PER_CHUNK)]!.words;
  for (let i = 0; i < units; i++) words[(unit % UNITS_PER_CHUNK) + i] = base + i * UNIT_ADDRESSES + 1;
  return unit;
}

/** The bits of units in a row. */
export function unitWords(bits: OwnerBits, unit: number, units: number): Uint32Array {
  const chunk = bits.chunks[Math.floor(unit / UNITS_PER_CHUNK)]!;
  const at = 4 * (UNITS_PER_CHUNK + (unit % UNITS_PER_CHUNK) * UNIT_WORDS);
  return new Uint32Array(chunk.shared, at, units * UNIT_WORDS);
}

export function releaseUnits(bits: OwnerBits, unit: number, units: number): void {
  if (bits.isCopying) {
    bits.waiting.push({ unit, units });
    return;
  }
  const words = bits.chunks[Math.floor(unit / UNITS_PER_CHUNK)]!.words;
  for (let i = 0; i < units; i++) words[(unit % UNITS_PER_CHUNK) + i] = 0;
  // Now and not when they are used again: a copy may see the bits before and the address after.
  unitWords(bits, unit, units).fill(0);
  (units === 1 ? bits.freeSmall : bits.freeLarge).push(unit);
}

export function letGoOwnerBits(bits: OwnerBits): void {
  bits.isCopying = false;
  for (const { unit, units } of bits.waiting.splice(0)) releaseUnits(bits, unit, units);
}

export function ownerBitsBytes(bits: OwnerBits): number {
  return bits.chunks.length * OWNER_CHUNK_BYTES;
}
