/** A few of the kills that `npm run bench -- kills` makes fifty of. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { killRounds } from '../support/kill-rounds.ts';

test('a server killed under load has every acknowledged lease after its restart', async () => {
  const result = await killRounds({ kills: 5, clients: 300, perSec: 1000, seed: 7 });
  assert.deepEqual(result.missing, []);
  assert.ok(result.acks > 500, `${result.acks} acks`);
});
