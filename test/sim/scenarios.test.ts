/** The named situations of failover specification 7, in both modes and on either server. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SCENARIOS, scenarioWorld } from '../../src/sim/scenarios.ts';
import { SIDES } from '../../src/sim/sides.ts';
import { describeFailure, simulate } from '../../src/sim/simulate.ts';

let seed = 1;
for (const scenario of SCENARIOS)
  test(`${scenario.name}: no rule is broken, and both come to rest by themselves`, () => {
    for (const mode of ['LoadBalance', 'HotStandby'] as const)
      for (const side of SIDES) {
        const report = simulate(scenarioWorld(scenario, mode, side, seed++));
        assert.deepEqual(report.violations, [], describeFailure(report));
        assert.ok(report.counts.acks > 50, `${report.counts.acks} leases were given`);
        assert.equal(report.excuses.length > 0, scenario.isFalseDown === true, report.excuses.join());
      }
  });
