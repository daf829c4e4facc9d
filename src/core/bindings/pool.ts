/**
 * One scope in the binding table: which addresses are in its pool, which have a row, whose the never-used ones are, and its counts. All that is
 * bits in pages of 256 or 4,096 addresses, so that an address never used costs bits and not a row, and that a scan in ascending
 * order passes over what is not wanted a page or a word at a time. Rows themselves are the table's matter.
 */
import { assert, type Ip4, ip4, maskOf } from '../../wire/units.ts';
import type { AvailableState, PoolCounts, PoolShape } from './binding.ts';
import { type AvailableHeap, makeAvailableHeap } from './heap.ts';
import { allocateUnits, LARGE_UNITS, type OwnerBits, releaseUnits, UNIT_WORDS, unitWords } from './owner-bits.ts';

/** The owners as numbers: the primary's addresses are 0, the secondary's 1. */
export type Owner = 0 | 1;
export const OWNERS: readonly AvailableState[] = ['free', 'backup'];
export function ownerOf(state: AvailableState): Owner {
  return state === 'free' ? 0 : 1;
}

/** Planes of bits in a page, and the counters that go with them. */
export const MEMBER = 0;
export const ROW = 1;
export const DIRTY = 2;
export const TRANSITORY = 3;
export type Plane = typeof MEMBER | typeof ROW | typeof DIRTY | typeof TRANSITORY;
const PLANES = 4;

export interface Page {
  readonly number: number;
  readonly base: number;
  readonly unit: number;
  readonly words: number;
  /** The planes one after the other. */
  readonly planes: Uint32Array;
  /** Bits set in each plane. */
  readonly set: [number, number, number, number];
  /** Where set, a never-used address belongs to the other than the usual owner. Shared with the snapshot. */
  readonly strange: Uint32Array;
  /** Never-used addresses of the pool, by owner. */
  readonly never: [number, number];
}

export interface Pool {
  shape: PoolShape;
  /** Number in the rows' `pool` column. */
  readonly number: number;
  readonly network: number;
  /** Addresses of the network. */
  readonly span: number;
  readonly pageShift: number;
  readonly pages: (Page | undefined)[];
  /** Who got what entered the pool last. */
  initialOwner: Owner;
  /** Owner of never-used addresses whose bit is not set, or whose page does not exist. */
  usualOwner: Owner;
  /** Available rows of the pool by owner. */
  readonly available: [AvailableHeap, AvailableHeap];
  readonly never: [number, number];
  /** No page below has never-used addresses of the owner. */
  readonly firstPage: [number, number];
  /** Rows of pool addresses by the number of their state. */
  readonly inState: number[];
  activeOutside: number;
  total: number;
  rows: number;
  dirty: number;
}

export function makePool(shape: PoolShape, number: number, usualOwner: Owner): Pool {
  const span = 2 ** (32 - shape.prefixLength);
  const pageShift = span <= 256 ? 8 : 12;
  return {
    shape,
    number,
    network: ip4(shape.scopeId & maskOf(shape.prefixLength)),
    span,
    pageShift,
    pages: new Array<Page | undefined>(Math.ceil(span / 2 ** pageShift)).fill(undefined),
    initialOwner: usualOwner,
    usualOwner,
    available: [makeAvailableHeap(), makeAvailableHeap()],
    never: [0, 0],
    firstPage: [0, 0],
    inState: [0, 0, 0, 0, 0, 0, 0, 0],
    activeOutside: 0,
    total: 0,
    rows: 0,
    dirty: 0,
  };
}

export function holds(pool: Pool, address: number): boolean {
  return address >= pool.network && address < pool.network + pool.span;
}

export function pageOf(pool: Pool, address: number): Page | undefined {
  return pool.pages[(address - pool.network) >>> pool.pageShift];
}

export function needPage(pool: Pool, bits: OwnerBits, number: number): Page {
  const existing = pool.pages[number];
  if (existing !== undefined) return existing;
  const units = pool.pageShift === 8 ? 1 : LARGE_UNITS;
  const base = pool.network + number * 2 ** pool.pageShift;
  const unit = allocateUnits(bits, units, base);
  const words = units * UNIT_WORDS;
  const page: Page = {
    number,
    base,
    unit,
    words,
    planes: new Uint32Array(PLANES * words),
    set: [0, 0, 0, 0],
    strange: unitWords(bits, unit, units),
    never: [0, 0],
  };
  pool.pages[number] = page;
  return page;
}

export function pageNumberOf(pool: Pool, address: number): number {
  return (address - pool.network) >>> pool.pageShift;
}

export function freePages(pool: Pool, bits: OwnerBits): void {
  for (const page of pool.pages) {
    if (page !== undefined) releaseUnits(bits, page.unit, page.words / UNIT_WORDS);
  }
}

export function hasBit(page: Page, plane: Plane, i: number): boolean {
  return (page.planes[plane * page.words + (i >>> 5)]! & (1 << (i & 31))) !== 0;
}

/** Sets or clears one bit of a plane and counts it. */
export function setBit(page: Page, plane: Plane, i: number, isSet: boolean): void {
  if (hasBit(page, plane, i) === isSet) return;
  page.planes[plane * page.words + (i >>> 5)]! ^= 1 << (i & 31);
  page.set[plane] += isSet ? 1 : -1;
}

/** Whose an address without a row is. */
export function neverOwner(pool: Pool, address: number): Owner {
  const page = pageOf(pool, address);
  return page === undefined ? pool.usualOwner : neverOwnerIn(pool, page, address - page.base);
}

export function giveNever(pool: Pool, page: Page, i: number, owner: Owner): void {
  const had = neverOwnerIn(pool, page, i);
  if (had === owner) return;
  page.strange[i >>> 5]! ^= 1 << (i & 31);
  if (!hasBit(page, MEMBER, i) || hasBit(page, ROW, i)) return;
  countNever(pool, page, had, -1);
  countNever(pool, page, owner, 1);
}

/** The address gets a row, or loses it and is never-used again. */
export function setHasRow(pool: Pool, page: Page, i: number, hasRow: boolean): void {
  setBit(page, ROW, i, hasRow);
  pool.rows += hasRow ? 1 : -1;
  if (hasBit(page, MEMBER, i)) countNever(pool, page, neverOwnerIn(pool, page, i), hasRow ? -1 : 1);
}

/** Every never-used address of the scope becomes the owner's. */
export function giveAllNever(pool: Pool, owner: Owner): void {
  pool.usualOwner = owner;
  for (const page of pool.pages) {
    if (page === undefined) continue;
    page.strange.fill(0);
    const other = owner === 0 ? 1 : 0;
    countNever(pool, page, owner, page.never[other]);
    countNever(pool, page, other, -page.never[other]);
  }
}

/** Offers never-used addresses of the owner in ascending order until `takes` answers true; answers whether it did. */
export function eachNever(pool: Pool, owner: Owner, takes: (address: number) => boolean): boolean {
  while (pool.firstPage[owner] < pool.pages.length && !((pool.pages[pool.firstPage[owner]]?.never[owner] ?? 0) > 0)) {
    pool.firstPage[owner]++;
  }
  const flip = owner === pool.usualOwner ? 0xffffffff : 0;
  for (let number = pool.firstPage[owner]; number < pool.pages.length; number++) {
    const page = pool.pages[number];
    if (page === undefined || page.never[owner] === 0) continue;
    for (let word = 0; word < page.words; word++) {
      const ofOwner = page.strange[word]! ^ flip;
      let bits = page.planes[word]! & ~page.planes[ROW * page.words + word]! & ofOwner;
      for (; bits !== 0; bits &= bits - 1) if (takes(page.base + word * 32 + lowestBit(bits))) return true;
    }
  }
  return false;
}

/** Addresses whose bit in the plane is set, ascending from `from`, at most `limit`. */
export function collect(pool: Pool, plane: Plane, from: number, limit: number): Ip4[] {
  const found: Ip4[] = [];
  const start = Math.max(from - pool.network, 0);
  for (let number = Math.floor(start / 2 ** pool.pageShift); number < pool.pages.length; number++) {
    const page = pool.pages[number];
    if (page === undefined || page.set[plane] === 0) continue;
    const skip = Math.max(from - page.base, 0);
    for (let word = skip >>> 5; word < page.words; word++) {
      let bits = page.planes[plane * page.words + word]!;
      if (word === skip >>> 5) bits &= -1 << (skip & 31);
      for (; bits !== 0; bits &= bits - 1) {
        if (found.length >= limit) return found;
        found.push((page.base + word * 32 + lowestBit(bits)) as Ip4);
      }
    }
  }
  return found;
}

/**
 * Gives the pool a new shape in the same network. An address without a row that enters the pool belongs to `initialOwner`, so that
 * two servers agree on it whatever was before. `crossed` is told of each address with a row that entered or left.
 */
export function reshape(
  pool: Pool,
  bits: OwnerBits,
  shape: PoolShape,
  initialOwner: Owner,
  crossed: (page: Page, i: number, isMember: boolean) => void,
): void {
  assert(
    shape.firstAddress <= shape.lastAddress && holds(pool, shape.firstAddress) && holds(pool, shape.lastAddress),
    'the range of a scope lies in its network',
  );
  pool.shape = shape;
  pool.initialOwner = initialOwner;
  const reserved = byPage(pool, shape.reserved);
  const first = pageNumberOf(pool, shape.firstAddress);
  const last = pageNumberOf(pool, shape.lastAddress);
  const wanted = new Uint32Array(pool.pageShift === 8 ? UNIT_WORDS : LARGE_UNITS * UNIT_WORDS);
  for (let number = 0; number < pool.pages.length; number++) {
    const isInRange = number >= first && number <= last;
    if (!isInRange && pool.pages[number] === undefined) continue;
    const page = needPage(pool, bits, number);
    wanted.fill(0);
    if (isInRange) {
      setRun(wanted, page, shape.firstAddress, shape.lastAddress, true);
      for (const exclusion of shape.exclusions) setRun(wanted, page, exclusion.first, exclusion.last, false);
      for (const i of reserved.get(number) ?? []) wanted[i >>> 5]! &= ~(1 << (i & 31));
    }
    for (let word = 0; word < page.words; word++) {
      if (wanted[word] !== page.planes[word]) changeMembers(pool, page, word, wanted[word]!, initialOwner, crossed);
    }
  }
}

export function poolCounts(pool: Pool): PoolCounts {
  const n = pool.inState;
  return {
    free: pool.never[0] + n[1]!,
    backup: pool.never[1] + n[7]!,
    active: n[2]!,
    transitory: n[3]! + n[4]! + n[6]!,
    abandoned: n[5]!,
    total: pool.total,
    activeOutside: pool.activeOutside,
  };
}

/** Bytes of the pages that are not shared. */
export function poolPageBytes(pool: Pool): number {
  let bytes = 0;
  for (const page of pool.pages) bytes += page?.planes.byteLength ?? 0;
  return bytes;
}

function neverOwnerIn(pool: Pool, page: Page, i: number): Owner {
  const isStrange = (page.strange[i >>> 5]! & (1 << (i & 31))) !== 0;
  return isStrange === (pool.usualOwner === 0) ? 1 : 0;
}

function countNever(pool: Pool, page: Page, owner: Owner, by: number): void {
  page.never[owner] += by;
  pool.never[owner] += by;
  if (by > 0 && page.number < pool.firstPage[owner]) pool.firstPage[owner] = page.number;
}

/** One word of the member plane gets its new bits. */
function changeMembers(
  pool: Pool,
  page: Page,
  word: number,
  wanted: number,
  initialOwner: Owner,
  crossed: (page: Page, i: number, isMember: boolean) => void,
): void {
  const had = page.planes[word]!;
  const rows = page.planes[ROW * page.words + word]!;
  const entered = wanted & ~had;
  const left = had & ~wanted;
  // Word by word where no rows are, since a new scope may have millions of addresses.
  const otherBits = page.strange[word]!;
  const gone = left & ~rows;
  const other = pool.usualOwner === 0 ? 1 : 0;
  countNever(pool, page, other, -bitCount(gone & otherBits));
  countNever(pool, page, pool.usualOwner, -bitCount(gone & ~otherBits));
  const fresh = entered & ~rows;
  page.strange[word] = initialOwner === pool.usualOwner ? otherBits & ~fresh : otherBits | fresh;
  countNever(pool, page, initialOwner, bitCount(fresh));
  page.planes[word] = wanted;
  const grownBy = bitCount(entered) - bitCount(left);
  page.set[MEMBER] += grownBy;
  pool.total += grownBy;
  for (let bits = (entered | left) & rows; bits !== 0; bits &= bits - 1) {
    const bit = lowestBit(bits);
    crossed(page, word * 32 + bit, (entered & (1 << bit)) !== 0);
  }
}

function byPage(pool: Pool, addresses: readonly Ip4[]): Map<number, number[]> {
  const pages = new Map<number, number[]>();
  for (const address of addresses) {
    if (!holds(pool, address)) continue;
    const number = pageNumberOf(pool, address);
    const i = address - pool.network - number * 2 ** pool.pageShift;
    const inPage = pages.get(number);
    if (inPage === undefined) pages.set(number, [i]);
    else inPage.push(i);
  }
  return pages;
}

/** Sets or clears the bits of a run of addresses as far as they lie in the page. */
function setRun(plane: Uint32Array, page: Page, first: number, last: number, isSet: boolean): void {
  const from = Math.max(first - page.base, 0);
  const to = Math.min(last - page.base, page.words * 32 - 1);
  for (let i = from; i <= to; ) {
    const end = Math.min(i | 31, to);
    const bits = (0xffffffff >>> (31 - (end - i))) << (i & 31);
    if (isSet) plane[i >>> 5]! |= bits;
    else plane[i >>> 5]! &= ~bits;
    i = end + 1;
  }
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

function bitCount(bits: number): number {
  bits -= (bits >>> 1) & 0x55555555;
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
