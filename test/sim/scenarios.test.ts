/**
 * The fixed situations, those of failover specification 7 among them, each in its worlds; and that they come to every cell of its tables
 * without chance.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SCENARIOS, type Scenario, scenarioWorlds } from '../../src/sim/scenarios.ts';
import { SECTION_SEVEN } from '../../src/sim/section-seven.ts';
import { describeFailure, type SimReport, simulate } from '../../src/sim/simulate.ts';
import { addReport, emptyTotals, summary } from '../../src/sim/totals.ts';

const WORLDS_MAX = 4;
const done = new Map<Scenario, readonly SimReport[]>();

/** Run once, whichever test asks first. */
function reportsOf(scenario: Scenario): readonly SimReport[] {
  const firstSeed = SCENARIOS.indexOf(scenario) * WORLDS_MAX + 1;
  const reports = done.get(scenario) ?? scenarioWorlds(scenario, firstSeed).map(simulate);
  done.set(scenario, reports);
  return reports;
}

for (const scenario of SCENARIOS)
  test(`${scenario.name}: no rule is broken, and both come to rest by themselves`, () => {
    for (const report of reportsOf(scenario)) {
      assert.deepEqual(report.violations, [], describeFailure(report));
      assert.ok(report.counts.acks > 50, `${report.counts.acks} leases were given`);
      assert.equal(report.excuses.length > 0, scenario.isFalseDown === true, report.excuses.join());
    }
  });

test('the situations and a scripted partner come to every cell of 4.3, 4.4 and 5.2, and to the point of every rule', () => {
  const totals = emptyTotals();
  for (const scenario of SCENARIOS) for (const report of reportsOf(scenario)) addReport(totals, 'scenarios', report);
  const { cellsReached, cellsScripted, cellsTotal, unreached, neverLooked } = summary(totals);
  assert.deepEqual(unreached, []);
  assert.deepEqual(neverLooked, []);
  assert.equal(Number(cellsReached) + Number(cellsScripted), cellsTotal);
});

test('every item of the list in specification 7 is a fixed situation, and every situation has a name of its own', () => {
  const names = SCENARIOS.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const { what, scenarios } of SECTION_SEVEN) {
    assert.ok(scenarios.length > 0, what);
    for (const name of scenarios) assert.ok(names.includes(name), `${what}: ${name}`);
  }
});

test('a brief situation is run on either server, and once in each mode', () => {
  const scenario = { name: 'nothing', isBrief: true, steps: () => [] };
  for (const seed of [1, 2]) {
    const worlds = scenarioWorlds(scenario, seed);
    assert.equal(new Set(worlds.map(({ mode }) => mode)).size, 2);
    assert.equal(new Set(worlds.map(({ name }) => name.slice(-2))).size, 2);
  }
});
