/**
 * Worlds by chance, many of them short: every rule of failover specification 7 that can be watched from outside holds, and all of
 * them come to rest by themselves. A long run is `npm run sim`.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomWorld } from '../../src/sim/random-world.ts';
import { describeFailure, simulate } from '../../src/sim/simulate.ts';

const SEEDS = 40;
const SEEDS_PER_TEST = 10;
const SIZE = { minutes: 10, clientsMax: 30, drainSecMax: 1500 };

for (let from = 1; from <= SEEDS; from += SEEDS_PER_TEST)
  test(`random faults, seeds ${from} to ${from + SEEDS_PER_TEST - 1}: no rule is broken`, () => {
    for (let seed = from; seed < from + SEEDS_PER_TEST; seed++) {
      const report = simulate(randomWorld(seed, SIZE));
      assert.deepEqual(report.violations, [], describeFailure(report));
    }
  });
