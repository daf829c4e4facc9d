import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzzFailover } from '../../fuzz/failover.ts';

/** Far below what keeping the inputs would take: they have some 100 bytes each, and an object for each. */
const HEAP_GROWTH_BYTES_MAX = 1 << 20;

test('twenty thousand mutated failover frames throw nothing and leave nothing in memory', () => {
  const result = fuzzFailover({ iterations: 20_000, seed: 20240423 });
  assert.equal(result.iterations, 20_000);
  assert.deepEqual(result.exceptions, []);
  assert.ok(result.heapGrowthBytes < HEAP_GROWTH_BYTES_MAX, `${result.heapGrowthBytes}`);
});
