/**
 * The planted faults: every one still fits the present sources and what the compiler makes of them, and a share of them is tried here.
 * All of them: `npm run sim -- --seeds 0 --planted`.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Job } from '../sim/run/job.ts';
import { planted } from './copy.ts';
import { PLANTS } from './plants.ts';
import { worldName } from './search-jobs.ts';
import { SoundCode, tryPlant } from './try-plants.ts';

const COMPILED = fileURLToPath(new URL('../../src/', import.meta.url));
/** Found within the first worlds, each by a rule of another kind. */
const TRIED_HERE = [
  ['early-ack', 'I6'],
  ['mclt-off-by-one', 'I2'],
  ['wrong-xid', 'I12'],
  ['codec-swaps-times', 'codec'],
] as const;
const WORLDS_MAX = 10;
const SOUND = new SoundCode();

after(() => SOUND.close());

test('there are at least 60 plants, each with a name of its own', () => {
  assert.ok(PLANTS.length >= 60);
  assert.equal(new Set(PLANTS.map(({ name }) => name)).size, PLANTS.length);
});

test('every plant fits exactly once, in the source and in what is run', () => {
  for (const plant of PLANTS) {
    const source = readFileSync(join('src', plant.file), 'utf8');
    const compiled = readFileSync(join(COMPILED, plant.file.replace(/\.ts$/, '.js')), 'utf8');
    for (const text of [source, compiled]) assert.notEqual(planted(text, plant), text, plant.name);
  }
});

for (const [name, rule] of TRIED_HERE)
  test(`the simulator finds ${name} by ${rule}`, async () => {
    const plant = PLANTS.find((candidate) => candidate.name === name);
    assert.ok(plant !== undefined);
    const found = await tryPlant(plant, WORLDS_MAX, SOUND);
    assert.equal(found.rule, rule, found.what);
  });

test('a world that fails without the plant too is no catch', async () => {
  const plant = PLANTS.find(({ name }) => name === 'early-ack');
  const asked: string[] = [];
  const fails = async (job: Job): Promise<boolean> => {
    asked.push(worldName(job));
    return asked.length === 1;
  };
  const found = await tryPlant(plant, WORLDS_MAX, { fails });
  assert.equal(found.rule, 'I6');
  assert.equal(asked.length, 2);
  assert.equal(found.world, asked[1]);
});

test('without a plant the same worlds break no rule', async () => {
  const found = await tryPlant(undefined, WORLDS_MAX, SOUND);
  assert.equal(found.rule, undefined, found.what);
  assert.equal(found.seedsTaken, WORLDS_MAX);
});
