/**
 * An open-addressing index from a 32-bit hash to a row: linear probing, deletion by shifting back (no tombstones), pairs of
 * hash and row side by side so that a probe touches one cache line. It grows by moving a few clusters of the old table with
 * each change, so that no single call pays for all of it. What a row's key is, and whether it is equal, the caller knows.
 */

/** Rows in a slot are kept plus one; 0 is an empty slot. */
export interface SlotIndex {
  table: Uint32Array;
  mask: number;
  count: number;
  /** The table before the last growth while it is being emptied. */
  old: Uint32Array | undefined;
  oldMask: number;
  oldCount: number;
  /** The next old slot to move; the slot before it is empty, so that the clusters from here on are whole. */
  drainAt: number;
  drainLeft: number;
}

const FIRST_SLOTS = 64;
/** The table doubles above 7 in 10 slots used. */
const LOAD_TENTHS_MAX = 7;
/** Old slots looked at with each change: at a load of 0.7 the old table is empty long before the new one is full. */
const DRAIN_SLOTS = 8;

/** Answers an index with room for `rows` before it grows. */
export function makeSlotIndex(rows = 0): SlotIndex {
  let slots = FIRST_SLOTS;
  while (slots * LOAD_TENTHS_MAX < rows * 10) slots *= 2;
  return {
    table: new Uint32Array(slots * 2),
    mask: slots - 1,
    count: 0,
    old: undefined,
    oldMask: 0,
    oldCount: 0,
    drainAt: 0,
    drainLeft: 0,
  };
}

/** The row with this hash for which `isIt` holds, or -1. */
export function lookup(index: SlotIndex, hash: number, isIt: (row: number) => boolean): number {
  const row = lookupIn(index.table, index.mask, hash, isIt);
  if (row >= 0 || index.old === undefined) return row;
  return lookupIn(index.old, index.oldMask, hash, isIt);
}

/** Adds a row whose key is not in the index. */
export function insert(index: SlotIndex, hash: number, row: number): void {
  if ((index.count + index.oldCount + 1) * 10 > (index.mask + 1) * LOAD_TENTHS_MAX) grow(index);
  put(index.table, index.mask, hash, row + 1);
  index.count++;
  drain(index, DRAIN_SLOTS);
}

/** Takes a row out that is in the index with this hash. */
export function remove(index: SlotIndex, hash: number, row: number): void {
  const slot = slotOf(index.table, index.mask, hash, row + 1);
  if (slot >= 0) {
    closeGap(index.table, index.mask, slot);
    index.count--;
  } else if (index.old !== undefined) {
    const oldSlot = slotOf(index.old, index.oldMask, hash, row + 1);
    if (oldSlot >= 0) {
      closeGap(index.old, index.oldMask, oldSlot);
      index.oldCount--;
    }
  }
  drain(index, DRAIN_SLOTS);
}

/** Puts another row with the same key in the place of one that is in the index. */
export function replace(index: SlotIndex, hash: number, row: number, by: number): void {
  const slot = slotOf(index.table, index.mask, hash, row + 1);
  if (slot >= 0) index.table[2 * slot + 1] = by + 1;
  else if (index.old !== undefined) {
    const oldSlot = slotOf(index.old, index.oldMask, hash, row + 1);
    if (oldSlot >= 0) index.old[2 * oldSlot + 1] = by + 1;
  }
}

export function slotIndexBytes(index: SlotIndex): number {
  return index.table.byteLength + (index.old?.byteLength ?? 0);
}

function lookupIn(table: Uint32Array, mask: number, hash: number, isIt: (row: number) => boolean): number {
  for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
    const row = table[2 * slot + 1]!;
    if (row === 0) return -1;
    if (table[2 * slot] === hash && isIt(row - 1)) return row - 1;
  }
}

function slotOf(table: Uint32Array, mask: number, hash: number, rowPlusOne: number): number {
  for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
    const row = table[2 * slot + 1]!;
    if (row === rowPlusOne) return slot;
    if (row === 0) return -1;
  }
}

function put(table: Uint32Array, mask: number, hash: number, rowPlusOne: number): void {
  let slot = hash & mask;
  while (table[2 * slot + 1] !== 0) slot = (slot + 1) & mask;
  table[2 * slot] = hash;
  table[2 * slot + 1] = rowPlusOne;
}

function closeGap(table: Uint32Array, mask: number, slot: number): void {
  let gap = slot;
  for (let at = (slot + 1) & mask; table[2 * at + 1] !== 0; at = (at + 1) & mask) {
    const home = table[2 * at]! & mask;
    // An entry may go back to the gap unless its home lies after the gap.
    if (((at - home) & mask) < ((at - gap) & mask)) continue;
    table[2 * gap] = table[2 * at]!;
    table[2 * gap + 1] = table[2 * at + 1]!;
    gap = at;
  }
  table[2 * gap] = 0;
  table[2 * gap + 1] = 0;
}

function grow(index: SlotIndex): void {
  drain(index, index.drainLeft);
  index.old = index.table;
  index.oldMask = index.mask;
  index.oldCount = index.count;
  index.mask = index.mask * 2 + 1;
  index.table = new Uint32Array((index.mask + 1) * 2);
  index.count = 0;
  let start = 0;
  while (index.old[2 * start + 1] !== 0) start++;
  index.drainAt = start;
  index.drainLeft = index.oldMask + 1;
}

/** Moves at least `slots` old slots and then on to the end of the cluster: a cluster that is half moved could not be probed. */
function drain(index: SlotIndex, slots: number): void {
  const old = index.old;
  if (old === undefined) return;
  let left = index.drainLeft;
  let at = index.drainAt;
  for (let seen = 0; left > 0; seen++) {
    const row = old[2 * at + 1]!;
    if (row === 0 && seen >= slots) break;
    if (row !== 0) {
      put(index.table, index.mask, old[2 * at]!, row);
      index.count++;
      index.oldCount--;
      old[2 * at] = 0;
      old[2 * at + 1] = 0;
    }
    at = (at + 1) & index.oldMask;
    left--;
  }
  index.drainAt = at;
  index.drainLeft = left;
  if (left === 0) index.old = undefined;
}
