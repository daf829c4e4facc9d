/** The arena, the heap of available rows and the expiry lists by themselves, at sizes that the model test does not reach. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Arena,
  allocatePiece,
  arenaBytes,
  arenaChunk,
  arenaOffset,
  holdArena,
  letGoArena,
  makeArena,
  releasePiece,
} from '../../../src/core/bindings/arena.ts';
import {
  addExpiry,
  advanceExpiry,
  eachDue,
  earliestEnd,
  makeExpiry,
  removeExpiry,
} from '../../../src/core/bindings/expiry.ts';
import { firstAvailable, makeAvailableHeap, pushAvailable, removeAvailable } from '../../../src/core/bindings/heap.ts';
import { allocateRow, CHUNK_MASK, chunkOf, makeRows, NONE, type Rows } from '../../../src/core/bindings/rows.ts';

function fillPiece(arena: Arena, reference: number, size: number, row: number): void {
  const at = arenaOffset(reference);
  arenaChunk(arena, reference).bytes.fill(row & 255, at + 4, at + size);
}

function holdsPiece(arena: Arena, reference: number, size: number, row: number): boolean {
  const { bytes, words } = arenaChunk(arena, reference);
  const at = arenaOffset(reference);
  return words[at >>> 2] === row && bytes.subarray(at + 4, at + size).every((octet) => octet === (row & 255));
}

test('pieces of the arena keep their contents while others come, go and are moved, with copies in between', () => {
  const step = fc.record({ size: fc.integer({ min: 10, max: 1284 }), what: fc.nat(19) });
  fc.assert(
    fc.property(fc.array(step, { minLength: 100, maxLength: 1500 }), (steps) => {
      const references = new Map<number, { reference: number; size: number }>();
      const arena = makeArena((row, reference) => {
        references.get(row)!.reference = reference;
      });
      let row = 0;
      for (const { size, what } of steps) {
        if (what === 0) holdArena(arena);
        else if (what === 1) letGoArena(arena);
        else if (what < 11) {
          const reference = allocatePiece(arena, size, ++row);
          fillPiece(arena, reference, size, row);
          references.set(row, { reference, size });
        } else {
          const [victim] = references;
          if (victim === undefined) continue;
          references.delete(victim[0]);
          releasePiece(arena, victim[1].reference);
        }
      }
      for (const [owner, { reference, size }] of references) assert.ok(holdsPiece(arena, reference, size, owner));
    }),
    { numRuns: 50 },
  );
});

test('what is freed during a copy is neither overwritten nor used again until it ends', () => {
  const arena = makeArena(() => undefined);
  const kept = Array.from({ length: 2000 }, (_, i) => {
    const reference = allocatePiece(arena, 50, i);
    fillPiece(arena, reference, 50, i);
    return reference;
  });
  holdArena(arena);
  for (const reference of kept) releasePiece(arena, reference);
  const fresh = new Set(kept.map((_, i) => allocatePiece(arena, 50, 5000 + i)));
  assert.equal(fresh.size, kept.length);
  assert.ok(kept.every((reference, i) => !fresh.has(reference) && holdsPiece(arena, reference, 50, i)));
  letGoArena(arena);
  const bytes = arenaBytes(arena);
  for (let i = 0; i < kept.length; i++) allocatePiece(arena, 50, 9000 + i);
  assert.equal(arenaBytes(arena), bytes);
});

test('sparse pages are emptied, so that names of another length find room', () => {
  const references = new Map<number, number>();
  const arena = makeArena((row, reference) => {
    references.set(row, reference);
  });
  const pieces = 60_000;
  for (let row = 0; row < pieces; row++) {
    references.set(row, allocatePiece(arena, 48, row));
    fillPiece(arena, references.get(row)!, 48, row);
  }
  const full = arenaBytes(arena);
  // One in eight stays, spread over all pages.
  for (let row = 0; row < pieces; row++) {
    if (row % 8 === 0) continue;
    releasePiece(arena, references.get(row)!);
    references.delete(row);
  }
  for (let row = 0; row < pieces / 2; row++) allocatePiece(arena, 64, pieces + row);
  assert.ok(arenaBytes(arena) <= full * 1.1, arenaBytes(arena) + ' of ' + full);
  for (const [row, reference] of references) assert.ok(holdsPiece(arena, reference, 48, row));
});

function addRow(rows: Rows, address: number, time: number): number {
  const row = allocateRow(rows);
  chunkOf(rows, row).address[row & CHUNK_MASK] = address;
  chunkOf(rows, row).stateSinceAt[row & CHUNK_MASK] = time;
  chunkOf(rows, row).leaseEndAt[row & CHUNK_MASK] = time;
  return row;
}

/** Numbers without order that are the same in every run. */
function scattered(n: number, below: number): number {
  return (Math.imul(n + 1, 2654435761) >>> 0) % below;
}

test('the longest unused comes first whatever the order in which rows came, over many blocks', () => {
  const rows = makeRows();
  const heap = makeAvailableHeap();
  const all = Array.from({ length: 40_000 }, (_, n) => {
    const since = scattered(n, 5000);
    const row = addRow(rows, n, since);
    pushAvailable(heap, rows, row);
    return { row, since, n };
  });
  const gone = new Set(all.filter(({ n }) => n % 3 === 0).map(({ row }) => row));
  for (const row of gone) removeAvailable(heap, rows, row);
  const expected = all.filter(({ row }) => !gone.has(row)).sort((a, b) => a.since - b.since || a.n - b.n);
  const order: number[] = [];
  assert.equal(
    firstAvailable(heap, rows, 1_000_000, (row) => order.push(row) < 0),
    NONE,
  );
  assert.deepEqual(
    order,
    expected.map(({ row }) => row),
  );
  for (const { row } of expected.slice(0, 500)) {
    assert.equal(
      firstAvailable(heap, rows, 1, () => true),
      row,
    );
    removeAvailable(heap, rows, row);
  }
});

test('a lease far away is due in its second and not in the earlier ones of its list', () => {
  const rows = makeRows();
  const expiry = makeExpiry();
  const start = 1_700_000_000;
  advanceExpiry(expiry, rows, start);
  const ends = [start + 5, start + 5 + 4096, start + 5 + 2 * 4096, start + 900_000];
  for (const end of ends) addExpiry(expiry, rows, addRow(rows, end, end));
  const due = (at: number): number[] => {
    const found: number[] = [];
    advanceExpiry(expiry, rows, at);
    eachDue(expiry, rows, at, (row) => found.push(chunkOf(rows, row).leaseEndAt[row & CHUNK_MASK]!) > 0);
    return found;
  };
  assert.equal(earliestEnd(expiry, rows), ends[0]);
  assert.deepEqual(due(start + 4), []);
  assert.deepEqual(due(start + 5), ends.slice(0, 1));
  assert.deepEqual(due(start + 4100), ends.slice(0, 1));
  assert.deepEqual(due(start + 899_999), ends.slice(0, 3));
  assert.deepEqual(due(start + 900_000), ends);
  assert.deepEqual(due(start + 10), ends.slice(0, 1));
});

test('the next end of a large table is never late, and asking at that time makes progress', () => {
  const rows = makeRows();
  const expiry = makeExpiry();
  const start = 1_700_000_000;
  advanceExpiry(expiry, rows, start);
  const added = Array.from({ length: 5000 }, (_, n) => {
    const row = addRow(rows, n, start + 10_000 + scattered(n, 8000));
    addExpiry(expiry, rows, row);
    return row;
  });
  const endOf = (row: number): number => chunkOf(rows, row).leaseEndAt[row & CHUNK_MASK]!;
  const first = Math.min(...added.map(endOf));
  let rounds = 0;
  for (let at = earliestEnd(expiry, rows)!; at < first; at = earliestEnd(expiry, rows)!) {
    advanceExpiry(expiry, rows, at);
    eachDue(expiry, rows, at, () => assert.fail('nothing has ended yet'));
    assert.ok(earliestEnd(expiry, rows)! > at);
    rounds++;
  }
  assert.ok(rounds > 0);
  assert.equal(earliestEnd(expiry, rows), first);
  for (const row of added) removeExpiry(expiry, rows, row);
  assert.equal(earliestEnd(expiry, rows), undefined);
});
