/** Which changes of a binding the checker takes for rows of specification 5.2, where one step of the engine makes two of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Binding, emptyBinding } from '../../src/core/bindings/binding.ts';
import { type Cause, rowOf } from '../../src/sim/binding-rows.ts';
import { BINDING_CELLS } from '../../src/sim/cells.ts';
import type { Side } from '../../src/sim/sides.ts';
import type { BindingUpdate } from '../../src/wire/failover/messages.ts';
import { ip4 } from '../../src/wire/units.ts';

const ADDRESS = ip4(0x0a000005);

function binding(state: Binding['state'], dirty: boolean): Binding {
  return { ...emptyBinding(ADDRESS, 'free'), state, dirty, told: true, hardware: Uint8Array.of(1, 2, 0, 0, 0, 0, 9) };
}

function cellOf(before: Binding, next: Binding, cause: Cause, side: Side): string | undefined {
  const row = rowOf(before, next, cause, { side, isDown: false, hasContact: true });
  return row.kind === 'illegal' ? 'illegal' : row.cell;
}

const ACCEPTED: Cause = { kind: 'answer', said: 'accepted' };
const REFUSED: Cause = { kind: 'answer', said: 'refused' };
const OF_OTHERS: Cause = { kind: 'answer', said: undefined };

test('an end that is agreed may be given away by the primary in the step of the answer', () => {
  for (const [state, cell] of [
    ['expired', BINDING_CELLS.agreedExpired],
    ['released', BINDING_CELLS.agreedReleased],
    ['reset', BINDING_CELLS.agreedReset],
  ] as const) {
    const before = binding(state, true);
    assert.equal(cellOf(before, binding('free', false), ACCEPTED, 'a'), cell);
    assert.equal(cellOf(before, binding('backup', true), ACCEPTED, 'a'), cell);
    // A gift is told, so it cannot come out as acknowledged; and the secondary gives nothing that is the primary's.
    assert.equal(cellOf(before, binding('backup', false), ACCEPTED, 'a'), 'illegal');
    assert.equal(cellOf(before, binding('backup', true), ACCEPTED, 'b'), 'illegal');
  }
});

test('an answer that refuses, or that is about other addresses, agrees to no end', () => {
  for (const cause of [REFUSED, OF_OTHERS])
    for (const next of [binding('free', false), binding('backup', true)])
      assert.equal(cellOf(binding('released', true), next, cause, 'a'), 'illegal');
});

test('only a refused gift returns to its giver', () => {
  const given = binding('backup', true);
  assert.equal(cellOf(given, binding('free', true), REFUSED, 'a'), BINDING_CELLS.giftReturned);
  for (const cause of [ACCEPTED, OF_OTHERS]) assert.equal(cellOf(given, binding('free', true), cause, 'a'), 'illegal');
});

test('an end or a gift that is accepted may be given away by its new owner in the same step, and by nobody else', () => {
  const told = (state: BindingUpdate['state']): Cause => ({ kind: 'update', update: { address: ADDRESS, state } });
  const leased = binding('active', false);
  assert.equal(cellOf(leased, binding('backup', true), told('released'), 'a'), BINDING_CELLS.acceptedReleased);
  assert.equal(cellOf(leased, binding('backup', true), told('released'), 'b'), 'illegal');
  assert.equal(cellOf(leased, binding('backup', false), told('released'), 'a'), 'illegal');
  assert.notEqual(cellOf(leased, binding('backup', true), told('free'), 'a'), 'illegal');
  assert.equal(cellOf(leased, binding('backup', true), told('free'), 'b'), 'illegal');
  assert.notEqual(cellOf(binding('free', false), binding('free', true), told('backup'), 'b'), 'illegal');
});
