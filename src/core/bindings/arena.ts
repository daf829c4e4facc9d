/**
 * Storage for what has no fixed length in a row: client identifier, hardware address, host name, relay information and policy,
 * together in one piece per row. Pieces of like size share a page of 32 KB, an empty page serves any size again, and pages that
 * became sparse are emptied a few pieces at a time. While a snapshot is copied no piece is overwritten, moved or used again.
 */
import { assert } from '../../wire/units.ts';

/** Number of fields in a piece, in the order of `IdentityFields`. */
export const FIELDS = 5;
/** A piece begins with its row (32 bit) and one length octet for each field. */
export const PIECE_HEADER_BYTES = 4 + FIELDS;
export const FIELD_BYTES_MAX = 255;
const PIECE_BYTES_MAX = PIECE_HEADER_BYTES + FIELDS * FIELD_BYTES_MAX;

export const ARENA_CHUNK_BYTES = 1 << 20;
const PAGE_BYTES = 1 << 15;
const PAGES_PER_CHUNK = ARENA_CHUNK_BYTES / PAGE_BYTES;
/** References count units of 8 bytes from 1 on, so that 32 bits reach 32 GB. */
const UNIT_SHIFT = 3;
const UNITS_PER_CHUNK_SHIFT = 20 - UNIT_SHIFT;
const UNITS_PER_PAGE_SHIFT = 15 - UNIT_SHIFT;
/** Steps of 8 bytes up to here, of 32 bytes above. */
const FINE_BYTES_MAX = 128;
const NO_ROW = 0xffffffff;

/** Slots of a sparse page looked at with each release. */
const COMPACT_SLOTS = 16;
/** Pieces that waited for the end of a copy, taken back with each allocation and release. */
const WAITING_PER_CALL = 4;
/** Pages compared when the sparsest is chosen. */
const COMPACT_PAGES_MAX = 256;

const CLASS_BYTES: readonly number[] = sizeClasses();
const CLASS_OF: Uint8Array = classBySize();

export interface ArenaChunk {
  readonly shared: SharedArrayBuffer;
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
}

interface ArenaPage {
  sizeClass: number;
  used: number;
  /** Slots given out at some time since the page got its class. */
  carved: number;
  /** Reference of the first slot to use again, 0 for none. */
  free: number;
  /** Place in the list of its class's pages with room; -1 when it is not in it. */
  listed: number;
}

export interface Arena {
  readonly chunks: ArenaChunk[];
  readonly pages: ArenaPage[];
  /** Pages without a class. */
  readonly emptyPages: number[];
  /** By class: pages with room. */
  readonly roomy: number[][];
  /** By class: pages, and pieces in them. */
  readonly pagesOfClass: number[];
  readonly piecesOfClass: number[];
  /** Released while a copy runs; used again after it. */
  readonly waiting: number[];
  isCopying: boolean;
  /** Page being emptied, or -1, and its next slot. */
  sparsePage: number;
  sparseSlot: number;
  /** Told when a piece was moved. */
  moved: (row: number, reference: number) => void;
}

export function makeArena(moved: (row: number, reference: number) => void): Arena {
  return {
    chunks: [],
    pages: [],
    emptyPages: [],
    roomy: CLASS_BYTES.map(() => []),
    pagesOfClass: CLASS_BYTES.map(() => 0),
    piecesOfClass: CLASS_BYTES.map(() => 0),
    waiting: [],
    isCopying: false,
    sparsePage: -1,
    sparseSlot: 0,
    moved,
  };
}

/** The chunk that a reference points into. */
export function arenaChunk(arena: Arena, reference: number): ArenaChunk {
  return arena.chunks[chunkNumber(reference)]!;
}

export function chunkNumber(reference: number): number {
  return (reference - 1) >>> UNITS_PER_CHUNK_SHIFT;
}

/** Byte offset of a reference in its chunk. */
export function arenaOffset(reference: number): number {
  return ((reference - 1) & ((1 << UNITS_PER_CHUNK_SHIFT) - 1)) << UNIT_SHIFT;
}

/** Answers the reference of a piece of at least `bytes`, whose row is set and whose other contents are undefined. */
export function allocatePiece(arena: Arena, bytes: number, row: number): number {
  assert(bytes <= PIECE_BYTES_MAX, 'the identity of a binding fits into a piece of the arena');
  takeBackWaiting(arena);
  const reference = allocateInClass(arena, CLASS_OF[(bytes + 7) >>> 3]!);
  arenaChunk(arena, reference).words[arenaOffset(reference) >>> 2] = row;
  return reference;
}

/** True when a piece of `bytes` may be written over the one at `reference`. */
export function fitsInPlace(arena: Arena, reference: number, bytes: number): boolean {
  return !arena.isCopying && pageOf(arena, reference).sizeClass === CLASS_OF[(bytes + 7) >>> 3]!;
}

export function releasePiece(arena: Arena, reference: number): void {
  if (arena.isCopying) {
    arena.waiting.push(reference);
    return;
  }
  takeBackWaiting(arena);
  const page = releaseInPage(arena, reference);
  if (arena.sparsePage < 0) chooseSparse(arena, page.sizeClass);
  if (arena.sparsePage >= 0) compactSome(arena);
}

export function holdArena(arena: Arena): void {
  arena.isCopying = true;
}

/** What was released during the copy is taken back a little with each later call, since it can be many pieces. */
export function letGoArena(arena: Arena): void {
  arena.isCopying = false;
}

export function arenaBytes(arena: Arena): number {
  return arena.chunks.length * ARENA_CHUNK_BYTES;
}

function sizeClasses(): number[] {
  const sizes: number[] = [];
  for (let bytes = 16; bytes <= FINE_BYTES_MAX; bytes += 8) sizes.push(bytes);
  for (let bytes = FINE_BYTES_MAX + 32; bytes < PIECE_BYTES_MAX + 32; bytes += 32) sizes.push(bytes);
  return sizes;
}

function classBySize(): Uint8Array {
  const units = (CLASS_BYTES[CLASS_BYTES.length - 1]! >>> UNIT_SHIFT) + 1;
  const classes = new Uint8Array(units);
  for (let unit = 0; unit < units; unit++)
    classes[unit] = CLASS_BYTES.findIndex((bytes) => bytes >= unit << UNIT_SHIFT);
  return classes;
}

function slotsPerPage(sizeClass: number): number {
  return Math.floor(PAGE_BYTES / CLASS_BYTES[sizeClass]!);
}

function pageOf(arena: Arena, reference: number): ArenaPage {
  return arena.pages[(reference - 1) >>> UNITS_PER_PAGE_SHIFT]!;
}

function slotReference(page: number, sizeClass: number, slot: number): number {
  return page * (PAGE_BYTES >>> UNIT_SHIFT) + slot * (CLASS_BYTES[sizeClass]! >>> UNIT_SHIFT) + 1;
}

function allocateInClass(arena: Arena, sizeClass: number): number {
  const roomy = arena.roomy[sizeClass]!;
  if (roomy.length === 0) list(arena, takePage(arena, sizeClass));
  const number = roomy[roomy.length - 1]!;
  const page = arena.pages[number]!;
  let reference = page.free;
  if (reference !== 0) page.free = arenaChunk(arena, reference).words[(arenaOffset(reference) >>> 2) + 1]!;
  else reference = slotReference(number, sizeClass, page.carved++);
  page.used++;
  arena.piecesOfClass[sizeClass]!++;
  if (page.used === slotsPerPage(sizeClass)) unlist(arena, number);
  return reference;
}

function takeBackWaiting(arena: Arena): void {
  if (arena.isCopying) return;
  for (let i = 0; i < WAITING_PER_CALL && arena.waiting.length > 0; i++) releaseInPage(arena, arena.waiting.pop()!);
}

function takePage(arena: Arena, sizeClass: number): number {
  if (arena.emptyPages.length === 0) {
    const shared = new SharedArrayBuffer(ARENA_CHUNK_BYTES);
    arena.chunks.push({ shared, bytes: new Uint8Array(shared), words: new Uint32Array(shared) });
    const first = arena.pages.length;
    for (let i = 0; i < PAGES_PER_CHUNK; i++)
      arena.pages.push({ sizeClass: 0, used: 0, carved: 0, free: 0, listed: -1 });
    for (let i = PAGES_PER_CHUNK - 1; i >= 0; i--) arena.emptyPages.push(first + i);
  }
  const number = arena.emptyPages.pop()!;
  const page = arena.pages[number]!;
  page.sizeClass = sizeClass;
  page.carved = 0;
  page.free = 0;
  arena.pagesOfClass[sizeClass]!++;
  return number;
}

function list(arena: Arena, number: number): void {
  const page = arena.pages[number]!;
  page.listed = arena.roomy[page.sizeClass]!.push(number) - 1;
}

function unlist(arena: Arena, number: number): void {
  const page = arena.pages[number]!;
  const roomy = arena.roomy[page.sizeClass]!;
  const last = roomy.pop()!;
  if (last !== number) {
    roomy[page.listed] = last;
    arena.pages[last]!.listed = page.listed;
  }
  page.listed = -1;
}

function releaseInPage(arena: Arena, reference: number): ArenaPage {
  const number = (reference - 1) >>> UNITS_PER_PAGE_SHIFT;
  const page = arena.pages[number]!;
  const words = arenaChunk(arena, reference).words;
  const at = arenaOffset(reference) >>> 2;
  words[at] = NO_ROW;
  words[at + 1] = page.free;
  page.free = reference;
  page.used--;
  arena.piecesOfClass[page.sizeClass]!--;
  if (page.used > 0) {
    if (page.listed < 0 && number !== arena.sparsePage) list(arena, number);
    return page;
  }
  if (page.listed >= 0) unlist(arena, number);
  if (number === arena.sparsePage) arena.sparsePage = -1;
  arena.pagesOfClass[page.sizeClass]!--;
  arena.emptyPages.push(number);
  return page;
}

/** A class whose unused slots are over a quarter of all, and over two pages, has a page to give back. */
function chooseSparse(arena: Arena, sizeClass: number): void {
  const perPage = slotsPerPage(sizeClass);
  const slots = arena.pagesOfClass[sizeClass]! * perPage;
  const unused = slots - arena.piecesOfClass[sizeClass]!;
  if (unused <= 2 * perPage || unused * 4 <= slots) return;
  const roomy = arena.roomy[sizeClass]!;
  let best = -1;
  for (let i = 0; i < roomy.length && i < COMPACT_PAGES_MAX; i++) {
    if (best < 0 || arena.pages[roomy[i]!]!.used < arena.pages[best]!.used) best = roomy[i]!;
  }
  if (best < 0) return;
  unlist(arena, best);
  arena.sparsePage = best;
  arena.sparseSlot = 0;
}

function compactSome(arena: Arena): void {
  const number = arena.sparsePage;
  const page = arena.pages[number]!;
  for (let i = 0; i < COMPACT_SLOTS && arena.sparsePage === number; i++) {
    const reference = slotReference(number, page.sizeClass, arena.sparseSlot++);
    const from = arenaChunk(arena, reference);
    const at = arenaOffset(reference);
    const row = from.words[at >>> 2]!;
    if (row === NO_ROW) continue;
    const target = allocateInClass(arena, page.sizeClass);
    const bytes = CLASS_BYTES[page.sizeClass]!;
    arenaChunk(arena, target).bytes.set(from.bytes.subarray(at, at + bytes), arenaOffset(target));
    arena.moved(row, target);
    releaseInPage(arena, reference);
  }
}
