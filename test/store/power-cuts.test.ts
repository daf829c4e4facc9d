/** The promise that nothing acknowledged is lost, over a file layer that forgets like a machine without power. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { powerCuts } from './power-cuts.ts';

test('nothing acknowledged is missing after a thousand power cuts', async () => {
  const report = await powerCuts({ cuts: 1000, seed: 1 });
  assert.deepEqual(report.losses.slice(0, 3), []);
  // The cuts must have met what they are for.
  assert.ok(report.acknowledged > 10_000, `${report.acknowledged} acknowledgements`);
  assert.ok(report.tornTails > 50, `${report.tornTails} torn tails`);
  assert.ok(report.snapshotsUsed > 200, `${report.snapshotsUsed} snapshots used`);
  assert.ok(report.cutsWhileOpening > 5, `${report.cutsWhileOpening} cuts while opening`);
});
