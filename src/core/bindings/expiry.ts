/**
 * When leases end: 4,096 lists, one for each second of about an hour, through links in the rows. A lease that ends further away lies in
 * the list of its second modulo 4,096 and is passed over when that second comes. What has ended is collected in one
 * more list, the due ones, in the order of their ends, and stays there until its binding is changed.
 */
import { CHUNK_MASK, chunkOf, NONE, type Rows } from './rows.ts';

const BUCKETS = 4096;
const BUCKET_MASK = BUCKETS - 1;
/** Number of the due list, after those of the seconds. */
const DUE = BUCKETS;
/** A lease that is late already is put into the due list from its tail; beyond this many steps it is put where the walk stopped. */
const DUE_WALK_MAX = 1024;
/** Rows looked at to answer `earliestEnd` exactly; beyond it answers a second that is not later. */
const EARLIEST_WALK_MAX = 512;

export interface Expiry {
  /** First row of each list, NONE when empty. */
  readonly heads: Int32Array;
  /** One bit for each second's list that is not empty. */
  readonly filled: Uint32Array;
  dueTail: number;
  dueCount: number;
  waitingCount: number;
  /** All that ends at or before this second is in the due list. */
  passedAt: number;
}

export function makeExpiry(): Expiry {
  return {
    heads: new Int32Array(BUCKETS + 1).fill(NONE),
    filled: new Uint32Array(BUCKETS / 32),
    dueTail: NONE,
    dueCount: 0,
    waitingCount: 0,
    passedAt: 0,
  };
}

/** Adds a row by its `leaseEndAt`, which must stay while it is in. The row must be in no list. */
export function addExpiry(expiry: Expiry, rows: Rows, row: number): void {
  const end = chunkOf(rows, row).leaseEndAt[row & CHUNK_MASK]!;
  if (end <= expiry.passedAt) addDue(expiry, rows, row, end);
  else addWaiting(expiry, rows, row, end & BUCKET_MASK);
}

export function removeExpiry(expiry: Expiry, rows: Rows, row: number): void {
  const chunk = chunkOf(rows, row);
  const i = row & CHUNK_MASK;
  const before = chunk.prev[i]!;
  const after = chunk.next[i]!;
  // The first row of a list points back to the list: -2 minus its number.
  let list = DUE;
  if (before >= 0) {
    chunkOf(rows, before).next[before & CHUNK_MASK] = after;
    if (chunk.leaseEndAt[i]! > expiry.passedAt) list = 0;
  } else {
    list = -2 - before;
    expiry.heads[list] = after;
    if (list < DUE && after === NONE) expiry.filled[list >>> 5]! &= ~(1 << (list & 31));
  }
  if (after >= 0) chunkOf(rows, after).prev[after & CHUNK_MASK] = before;
  chunk.prev[i] = NONE;
  chunk.next[i] = NONE;
  if (list === DUE) {
    expiry.dueCount--;
    if (expiry.dueTail === row) expiry.dueTail = before >= 0 ? before : NONE;
  } else expiry.waitingCount--;
}

/** Brings what ended at or before `at` into the due list. Time that goes back changes nothing. */
export function advanceExpiry(expiry: Expiry, rows: Rows, at: number): void {
  if (at <= expiry.passedAt) return;
  const from = expiry.passedAt;
  const seconds = Math.min(at - from, BUCKETS);
  const ended: number[] = [];
  if (expiry.waitingCount > 0) {
    for (let second = at - seconds + 1; second <= at; second++)
      takeEnded(expiry, rows, second & BUCKET_MASK, at, ended);
  }
  const endOf = (row: number): number => chunkOf(rows, row).leaseEndAt[row & CHUNK_MASK]!;
  const addressOf = (row: number): number => chunkOf(rows, row).address[row & CHUNK_MASK]!;
  ended.sort((a, b) => endOf(a) - endOf(b) || addressOf(a) - addressOf(b));
  for (const row of ended) removeExpiry(expiry, rows, row);
  expiry.passedAt = at;
  for (const row of ended) addDue(expiry, rows, row, endOf(row));
}

/** Calls `take` for the due rows that ended at or before `at`, in order, until it answers false. */
export function eachDue(expiry: Expiry, rows: Rows, at: number, take: (row: number) => boolean): void {
  for (let row = expiry.heads[DUE]!; row !== NONE; row = chunkOf(rows, row).next[row & CHUNK_MASK]!) {
    if (chunkOf(rows, row).leaseEndAt[row & CHUNK_MASK]! > at || !take(row)) return;
  }
}

/**
 * The earliest end of all rows, or undefined. Exact when it is found within `EARLIEST_WALK_MAX` rows, otherwise a second after
 * `passedAt` that is not later than it.
 */
export function earliestEnd(expiry: Expiry, rows: Rows): number | undefined {
  const due = expiry.heads[DUE]!;
  if (due !== NONE) return chunkOf(rows, due).leaseEndAt[due & CHUNK_MASK]!;
  if (expiry.waitingCount === 0) return undefined;
  let seen = 0;
  let earliest = Number.POSITIVE_INFINITY;
  for (let ahead = 1; ahead <= BUCKETS; ahead++) {
    const second = expiry.passedAt + ahead;
    const list = second & BUCKET_MASK;
    if (expiry.filled[list >>> 5] === 0) {
      ahead += 31 - (list & 31);
      continue;
    }
    for (let row = expiry.heads[list]!; row !== NONE; row = chunkOf(rows, row).next[row & CHUNK_MASK]!) {
      if (++seen > EARLIEST_WALK_MAX) return second;
      earliest = Math.min(earliest, chunkOf(rows, row).leaseEndAt[row & CHUNK_MASK]!);
    }
    if (earliest <= second) return earliest;
  }
  return earliest;
}

export function expiryBytes(expiry: Expiry): number {
  return expiry.heads.byteLength + expiry.filled.byteLength;
}

function addWaiting(expiry: Expiry, rows: Rows, row: number, list: number): void {
  const chunk = chunkOf(rows, row);
  const i = row & CHUNK_MASK;
  const head = expiry.heads[list]!;
  chunk.prev[i] = -2 - list;
  chunk.next[i] = head;
  if (head !== NONE) chunkOf(rows, head).prev[head & CHUNK_MASK] = row;
  expiry.heads[list] = row;
  expiry.filled[list >>> 5]! |= 1 << (list & 31);
  expiry.waitingCount++;
}

function addDue(expiry: Expiry, rows: Rows, row: number, end: number): void {
  let before = expiry.dueTail;
  for (let steps = 0; before !== NONE && steps < DUE_WALK_MAX; steps++) {
    const chunk = chunkOf(rows, before);
    if (chunk.leaseEndAt[before & CHUNK_MASK]! <= end) break;
    const earlier = chunk.prev[before & CHUNK_MASK]!;
    before = earlier >= 0 ? earlier : NONE;
  }
  const chunk = chunkOf(rows, row);
  const i = row & CHUNK_MASK;
  const after = before === NONE ? expiry.heads[DUE]! : chunkOf(rows, before).next[before & CHUNK_MASK]!;
  chunk.prev[i] = before === NONE ? -2 - DUE : before;
  chunk.next[i] = after;
  if (before === NONE) expiry.heads[DUE] = row;
  else chunkOf(rows, before).next[before & CHUNK_MASK] = row;
  if (after === NONE) expiry.dueTail = row;
  else chunkOf(rows, after).prev[after & CHUNK_MASK] = row;
  expiry.dueCount++;
}

function takeEnded(expiry: Expiry, rows: Rows, list: number, at: number, ended: number[]): void {
  for (let row = expiry.heads[list]!; row !== NONE; row = chunkOf(rows, row).next[row & CHUNK_MASK]!) {
    if (chunkOf(rows, row).leaseEndAt[row & CHUNK_MASK]! <= at) ended.push(row);
  }
}
