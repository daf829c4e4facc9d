/** The checker's own tables against the engine's: written out twice, so that neither can go wrong alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AFTER_CONTACT_LOST, TRANSITIONS } from '../../src/core/failover/states.ts';
import { ALL_CELLS, afterLoss, BINDING_CELLS, nextState, OWN_STATES, TOLD_STATES } from '../../src/sim/cells.ts';
import { rfc3074Bucket } from '../../src/sim/responsible.ts';
import { meet, scriptedCells, takesBack } from '../../src/sim/scripted-partner.ts';
import { emptyTotals, summary } from '../../src/sim/totals.ts';
import { bucketOf } from '../../src/wire/failover/hash-buckets.ts';

test('both tables of 4.4 lead to the same states', () => {
  for (const own of OWN_STATES) {
    for (const told of TOLD_STATES)
      assert.equal(nextState(own, told), TRANSITIONS[own][told].next ?? own, `${own} x ${told}`);
    assert.equal(afterLoss(own), AFTER_CONTACT_LOST[own] ?? own);
  }
});

test('both hashes put clients into the buckets of specification 8.3', () => {
  for (const [hex, bucket] of [
    ['020000000000', 4],
    ['001122334455', 135],
    ['01001122334455', 223],
    ['00686f73742d61', 80],
  ] as const) {
    const key = Uint8Array.from(Buffer.from(hex, 'hex'));
    assert.equal(rfc3074Bucket(key), bucket);
    assert.equal(bucketOf(key), bucket);
  }
});

test('every cell has one name', () => {
  assert.equal(new Set(ALL_CELLS).size, ALL_CELLS.length);
});

test('before anything is run the script alone reaches the whole table of 4.4 and what only Windows is asked for, no more', () => {
  const { cellsReached, cellsScripted, cellsTotal, unreached } = summary(emptyTotals());
  const scripted = OWN_STATES.length * TOLD_STATES.length + 1;
  assert.equal(cellsReached, 0);
  assert.equal(cellsTotal, ALL_CELLS.length);
  assert.equal(cellsScripted, scripted);
  assert.equal((unreached as string[]).length, ALL_CELLS.length - scripted);
});

test('the script shows what is wanted of it and nothing else', () => {
  assert.deepEqual(scriptedCells(new Set()), []);
  assert.deepEqual(scriptedCells(new Set([BINDING_CELLS.primaryDemands])), [BINDING_CELLS.primaryDemands]);
  assert.deepEqual(scriptedCells(new Set([BINDING_CELLS.renewed])), []);
});

test('the primary takes addresses back from Windows, and has them at the answer', () => {
  assert.equal(takesBack(), true);
});

test('a scripted partner leads the endpoint through every cell of 4.4, to the state that is printed there', () => {
  for (const own of OWN_STATES)
    for (const told of TOLD_STATES) {
      const { cell, next } = meet(own, told);
      assert.equal(next, nextState(own, told), cell);
    }
});
