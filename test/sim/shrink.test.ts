/** Shrinking: the script of a run is the same run, and what is left of a failing one still breaks the same rule. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomWorld } from '../../src/sim/random-world.ts';
import { scenarioWorld } from '../../src/sim/scenarios.ts';
import { shrink, storyOf, worldOf } from '../../src/sim/shrink.ts';
import { simulate } from '../../src/sim/simulate.ts';

/** A disk that loses what it had flushed, among much else that goes wrong. */
const LYING_DISK = {
  name: 'lying disk',
  steps: () =>
    [
      { fault: { kind: 'lan-loss', percent: 2 } },
      { afterSec: 30, fault: { kind: 'cut', how: 'closed' } },
      { afterSec: 10, fault: { kind: 'commit-ms', side: 'b', ms: 20 } },
      { afterSec: 50, fault: { kind: 'kill', side: 'a' } },
      { fault: { kind: 'lose-tail', side: 'a', frames: 40 } },
      { afterSec: 5, fault: { kind: 'start', side: 'a' } },
      { afterSec: 10, fault: { kind: 'link-latency', ms: 30 } },
      { afterSec: 110, fault: { kind: 'heal' } },
    ] as const,
};

test('the list of what chance did, replayed as a script, gives the same run', () => {
  const size = { minutes: 10, clientsMax: 30, drainSecMax: 600 };
  for (const seed of [11, 12, 13]) {
    const report = simulate(randomWorld(seed, size));
    const { faults: _faults, ...options } = report.options;
    const { applied, faultsEndMs } = report;
    const again = simulate(worldOf({ rule: 'I1', what: '', options, faults: applied, endMs: faultsEndMs }));
    assert.deepEqual(again.counts, report.counts);
    assert.deepEqual(again.messages, report.messages);
    assert.equal(again.virtualSec, report.virtualSec);
  }
});

test('a failing run becomes a short story of the same failure', () => {
  const report = [1, 2, 3, 4, 5, 6, 7, 8]
    .map((seed) => simulate(scenarioWorld(LYING_DISK, 'LoadBalance', 'a', seed)))
    .find(({ violations }) => violations.length > 0);
  assert.ok(report !== undefined, 'a lying disk is found');
  const whole = storyOf(report);
  const shrunk = shrink(report, 60);
  assert.ok(whole !== undefined && shrunk !== undefined);
  assert.equal(shrunk.kind, 'shrunk');
  assert.equal(shrunk.story.rule, whole.rule);
  assert.ok(shrunk.story.faults.length < whole.faults.length, `${shrunk.story.faults.length} faults are left`);
  assert.ok(shrunk.story.faults.some(({ fault }) => fault.kind === 'lose-tail'));
  const text = shrunk.report.story(shrunk.report.violations[0]?.address).join('\n');
  assert.match(text, /The process of A is killed/);
  assert.match(text, new RegExp(`BROKEN, ${whole.rule}`));
});

test('a run that breaks nothing has no story to keep', () => {
  const report = simulate(randomWorld(5, { minutes: 1, clientsMax: 10, drainSecMax: 60 }));
  assert.equal(storyOf(report), undefined);
  assert.equal(shrink(report, 5), undefined);
});
