/**
 * The available rows of one pool and one owner, longest unused first: a heap of four children per node over pairs of
 * `stateSinceAt` and row, in blocks that never move. A heap and not a list, because the order must be right also when a partner
 * tells of a million bindings in the order of their addresses; a row in order still costs one comparison. Equal times are in the order of addresses,
 * so that the live table and the restored one choose alike.
 */
import { CHUNK_MASK, CHUNK_ROWS, CHUNK_SHIFT, chunkOf, NONE, type Rows } from './rows.ts';

const FIRST_PAIRS = 16;

export interface AvailableHeap {
  /** Pairs of time and row; all blocks but the first have `CHUNK_ROWS` pairs, and the first when there is a second. */
  readonly blocks: Uint32Array[];
  size: number;
}

export function makeAvailableHeap(): AvailableHeap {
  return { blocks: [], size: 0 };
}

/** Adds a row; its `stateSinceAt` and address must be set and stay while it is in. Its place is kept in the row's `prev`. */
export function pushAvailable(heap: AvailableHeap, rows: Rows, row: number): void {
  makeRoom(heap);
  heap.size++;
  siftUp(heap, rows, heap.size - 1, chunkOf(rows, row).stateSinceAt[row & CHUNK_MASK]!, row);
}

export function removeAvailable(heap: AvailableHeap, rows: Rows, row: number): void {
  const place = chunkOf(rows, row).prev[row & CHUNK_MASK]!;
  chunkOf(rows, row).prev[row & CHUNK_MASK] = NONE;
  heap.size--;
  const last = heap.size;
  if (place === last) return;
  const since = sinceAt(heap, last);
  const moved = rowAt(heap, last);
  if (place > 0 && isBefore(heap, rows, since, moved, (place - 1) >> 2)) siftUp(heap, rows, place, since, moved);
  else siftDown(heap, rows, place, since, moved);
}

/** The row at a place 0 .. size - 1, in no useful order beyond place 0. */
export function rowAt(heap: AvailableHeap, place: number): number {
  return heap.blocks[place >>> CHUNK_SHIFT]![2 * (place & CHUNK_MASK) + 1]!;
}

/** Offers rows in their order to `takes` until it answers true or `limit` were offered; answers that row or NONE. */
export function firstAvailable(
  heap: AvailableHeap,
  rows: Rows,
  limit: number,
  takes: (row: number) => boolean,
): number {
  if (heap.size === 0 || limit <= 0) return NONE;
  if (takes(rowAt(heap, 0))) return rowAt(heap, 0);
  // Places whose parents were all refused, as a small heap of their own.
  const open: number[] = [];
  const before = (a: number, b: number): boolean => isBefore(heap, rows, sinceAt(heap, a), rowAt(heap, a), b);
  let refused = 0;
  for (let tried = 1; tried < limit; tried++) {
    const end = Math.min(4 * refused + 5, heap.size);
    for (let child = 4 * refused + 1; child < end; child++) pushPlace(open, child, before);
    if (open.length === 0) return NONE;
    refused = popPlace(open, before);
    if (takes(rowAt(heap, refused))) return rowAt(heap, refused);
  }
  return NONE;
}

export function heapBytes(heap: AvailableHeap): number {
  let bytes = 0;
  for (const block of heap.blocks) bytes += block.byteLength;
  return bytes;
}

function sinceAt(heap: AvailableHeap, place: number): number {
  return heap.blocks[place >>> CHUNK_SHIFT]![2 * (place & CHUNK_MASK)]!;
}

function makeRoom(heap: AvailableHeap): void {
  const first = heap.blocks[0];
  if (first === undefined) heap.blocks.push(new Uint32Array(2 * FIRST_PAIRS));
  else if (heap.blocks.length === 1 && heap.size * 2 === first.length && heap.size < CHUNK_ROWS) {
    const larger = new Uint32Array(first.length * 2);
    larger.set(first);
    heap.blocks[0] = larger;
  } else if (heap.size === heap.blocks.length * CHUNK_ROWS) heap.blocks.push(new Uint32Array(2 * CHUNK_ROWS));
}

/** Whether the row comes before the one at `place`. */
function isBefore(heap: AvailableHeap, rows: Rows, since: number, row: number, place: number): boolean {
  const otherSince = sinceAt(heap, place);
  if (since !== otherSince) return since < otherSince;
  const other = rowAt(heap, place);
  return chunkOf(rows, row).address[row & CHUNK_MASK]! < chunkOf(rows, other).address[other & CHUNK_MASK]!;
}

function setPlace(heap: AvailableHeap, rows: Rows, place: number, since: number, row: number): void {
  const block = heap.blocks[place >>> CHUNK_SHIFT]!;
  const at = 2 * (place & CHUNK_MASK);
  block[at] = since;
  block[at + 1] = row;
  chunkOf(rows, row).prev[row & CHUNK_MASK] = place;
}

function siftUp(heap: AvailableHeap, rows: Rows, place: number, since: number, row: number): void {
  while (place > 0) {
    const parent = (place - 1) >> 2;
    if (!isBefore(heap, rows, since, row, parent)) break;
    setPlace(heap, rows, place, sinceAt(heap, parent), rowAt(heap, parent));
    place = parent;
  }
  setPlace(heap, rows, place, since, row);
}

function siftDown(heap: AvailableHeap, rows: Rows, place: number, since: number, row: number): void {
  for (;;) {
    const first = 4 * place + 1;
    if (first >= heap.size) break;
    let best = first;
    const end = Math.min(first + 4, heap.size);
    for (let child = first + 1; child < end; child++) {
      if (isBefore(heap, rows, sinceAt(heap, child), rowAt(heap, child), best)) best = child;
    }
    if (isBefore(heap, rows, since, row, best)) break;
    setPlace(heap, rows, place, sinceAt(heap, best), rowAt(heap, best));
    place = best;
  }
  setPlace(heap, rows, place, since, row);
}

function pushPlace(open: number[], place: number, before: (a: number, b: number) => boolean): void {
  let at = open.push(place) - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!before(place, open[parent]!)) break;
    open[at] = open[parent]!;
    at = parent;
  }
  open[at] = place;
}

function popPlace(open: number[], before: (a: number, b: number) => boolean): number {
  const first = open[0]!;
  const last = open.pop()!;
  if (open.length === 0) return first;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= open.length) break;
    if (child + 1 < open.length && before(open[child + 1]!, open[child]!)) child++;
    if (!before(open[child]!, last)) break;
    open[at] = open[child]!;
    at = child;
  }
  open[at] = last;
  return first;
}
