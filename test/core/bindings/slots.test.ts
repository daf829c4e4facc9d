/** The open-addressing index against a map, with hashes that collide and run over the end of the table. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hashBytes, makeHashKey, scramble } from '../../../src/core/bindings/hash.ts';
import { insert, lookup, makeSlotIndex, remove, replace, slotIndexBytes } from '../../../src/core/bindings/slots.ts';

/** Few hashes, most of them near the end of a table of any size. */
const hash = fc.oneof(
  fc.integer({ min: 0, max: 3 }),
  fc.integer({ min: 0xfffffff0, max: 0xffffffff }),
  fc.integer({ min: 0, max: 0xffffffff }),
);

test('an index answers like a map while rows come, go and are replaced across growth', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(hash, fc.nat(9)), { minLength: 50, maxLength: 600 }), (steps) => {
      const index = makeSlotIndex();
      const model = new Map<number, number>();
      let nextRow = 0;
      for (const [h, what] of steps) {
        const rows = [...model].filter(([, rowHash]) => rowHash === h).map(([row]) => row);
        const row = rows[0];
        if (what < 6 || row === undefined) {
          insert(index, h, nextRow);
          model.set(nextRow++, h);
        } else if (what < 8) {
          remove(index, h, row);
          model.delete(row);
        } else {
          replace(index, h, row, nextRow);
          model.delete(row);
          model.set(nextRow++, h);
        }
      }
      for (const [row, rowHash] of model)
        assert.equal(
          lookup(index, rowHash, (other) => other === row),
          row,
        );
      assert.equal(index.count + index.oldCount, model.size);
      for (const [h] of steps) {
        let seen = 0;
        assert.equal(
          lookup(index, h, () => {
            seen++;
            return false;
          }),
          -1,
        );
        assert.equal(seen, [...model.values()].filter((rowHash) => rowHash === h).length);
      }
    }),
    { numRuns: 100 },
  );
});

test('a growing index is emptied into the new table long before it grows again', () => {
  const index = makeSlotIndex();
  let growths = 0;
  let bytes = slotIndexBytes(index);
  for (let row = 0; row < 50_000; row++) {
    const wasDraining = index.old !== undefined;
    insert(index, scramble(row), row);
    if (slotIndexBytes(index) > bytes) {
      growths++;
      assert.equal(wasDraining, false);
    }
    bytes = slotIndexBytes(index);
  }
  assert.ok(growths >= 9);
});

test('an index made for a number of rows does not grow on the way there', () => {
  const index = makeSlotIndex(10_000);
  const bytes = slotIndexBytes(index);
  for (let row = 0; row < 10_000; row++) insert(index, scramble(row), row);
  assert.equal(slotIndexBytes(index), bytes);
});

test('scrambled addresses stay distinct', () => {
  const seen = new Set<number>();
  for (let n = 0; n < 100_000; n++) seen.add(scramble(0x0a000000 + n * 256));
  assert.equal(seen.size, 100_000);
});

test('the hash of an identifier depends on the seed, on each octet and on the length, and not on where it lies', () => {
  const key = makeHashKey(7);
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (bytes, at, flip) => {
        const h = hashBytes(key, bytes, 0, bytes.length);
        const shifted = new Uint8Array(bytes.length + 3);
        shifted.set(bytes, 3);
        assert.equal(hashBytes(key, shifted, 3, bytes.length), h);
        const other = bytes.slice();
        other[at % bytes.length]! ^= flip;
        assert.notEqual(hashBytes(key, other, 0, other.length), h);
        assert.notEqual(hashBytes(key, Uint8Array.from([...bytes, 0]), 0, bytes.length + 1), h);
        assert.notEqual(hashBytes(makeHashKey(8), bytes, 0, bytes.length), h);
      },
    ),
    // A 32-bit hash may meet another by chance; the seed of the run keeps the test from failing by it.
    { seed: 1, numRuns: 300 },
  );
});
