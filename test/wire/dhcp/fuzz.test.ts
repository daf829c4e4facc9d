/** A short run of the fuzzer with a fixed seed; the long runs are made by hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzzDhcp } from '../../fuzz/dhcp.ts';

test('20,000 mutated packets raise no exception and hold no memory', () => {
  let calls = 0;
  const result = fuzzDhcp({ iterations: 20_000, seed: 20_000, onProgress: () => calls++ });
  assert.deepEqual(result.exceptions, []);
  assert.equal(result.iterations, 20_000);
  assert.ok(calls >= 100);
  // Compiled code and caches may grow a little; a kept packet for each input would be 20 MB.
  assert.ok(result.heapGrowthBytes < 4_000_000, `${result.heapGrowthBytes} bytes`);
});
