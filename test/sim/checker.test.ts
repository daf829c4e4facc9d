/** The simulator itself: it repeats itself exactly, and its checker sees what it is there to see. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Promises } from '../../src/sim/promises.ts';
import { randomWorld } from '../../src/sim/random-world.ts';
import { SCENARIOS, scenarioWorld } from '../../src/sim/scenarios.ts';
import { describeFailure, simulate } from '../../src/sim/simulate.ts';
import { ip4 } from '../../src/wire/units.ts';

test('the same seed gives the same run, to the last line of the trace', () => {
  const size = { minutes: 15, clientsMax: 30, drainSecMax: 600 };
  const [once, again] = [simulate(randomWorld(77, size)), simulate(randomWorld(77, size))];
  assert.deepEqual(again.trace(1000), once.trace(1000));
  assert.deepEqual(again.counts, once.counts);
  assert.ok(once.trace(1000).length > 200);
});

test('two clients on one address are two only while the first promise runs', () => {
  const promises = new Promises();
  const address = ip4(9);
  assert.equal(promises.take({ address, client: 1, side: 'a', untilMs: 100 }, 0), undefined);
  assert.equal(promises.take({ address, client: 1, side: 'b', untilMs: 200 }, 50), undefined);
  assert.equal(promises.take({ address, client: 2, side: 'b', untilMs: 300 }, 199)?.client, 1);
  assert.equal(promises.take({ address, client: 3, side: 'a', untilMs: 400 }, 300), undefined);
  promises.letGo(3, address);
  assert.equal(promises.take({ address, client: 4, side: 'a', untilMs: 500 }, 310), undefined);
  assert.equal(promises.lastEndMs, 500);
});

test('a partner declared down while it serves leads to addresses with two clients, and the checker sees them', () => {
  const scenario = SCENARIOS.find(({ name }) => name === 'false PARTNER-DOWN on both sides');
  assert.ok(scenario !== undefined);
  let excused = 0;
  for (let seed = 1; seed <= 3; seed++) {
    const world = scenarioWorld(scenario, 'LoadBalance', 'a', seed);
    // Few addresses, so that each side soon gives out what was the other's.
    excused += simulate({ ...world, clients: 60, stayMeanSec: 40 }).counts.excused;
  }
  assert.ok(excused > 0);
});

test('a disk that loses what it had flushed is found out', () => {
  let found = 0;
  for (let seed = 1; seed <= 10; seed++) {
    const scenario = {
      name: 'lying disk',
      steps: () =>
        [
          { afterSec: 30, fault: { kind: 'cut', how: 'closed' } },
          { afterSec: 60, fault: { kind: 'kill', side: 'a' } },
          { fault: { kind: 'lose-tail', side: 'a', frames: 20 } },
          { afterSec: 5, fault: { kind: 'start', side: 'a' } },
          { afterSec: 120, fault: { kind: 'heal' } },
        ] as const,
    };
    const report = simulate(scenarioWorld(scenario, 'LoadBalance', 'a', seed));
    if (report.violations.length === 0) continue;
    found++;
    assert.match(describeFailure(report), /lying disk .*seed \d+ after \d+ s: I\d+: /);
  }
  assert.ok(found >= 5, `${found} of 10 runs`);
});
