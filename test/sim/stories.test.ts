/**
 * Runs that once broke a rule, shrunk to what it took, and kept: each must hold now. A new one is made by
 * `twinlease sim --seed N --shrink test/sim/stories/NAME.json`.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type KeptStory, worldOf } from '../../src/sim/shrink.ts';
import { describeFailure, simulate } from '../../src/sim/simulate.ts';

const FOLDER = join('test', 'sim', 'stories');
const files = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));

test('there are kept stories', () => {
  assert.ok(files.length > 0);
});

for (const file of files) {
  const story = JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as KeptStory;
  test(`${file.replace('.json', '').replaceAll('-', ' ')}: ${story.rule} holds`, () => {
    const report = simulate(worldOf(story));
    assert.deepEqual(report.violations, [], describeFailure(report));
  });
}
