/** Specification 5.2 "undo" and I9: an end that the partner refuses because it knows better is not undone here before it has told what. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RejectReason } from '../../../src/wire/failover/messages.ts';
import { at } from './clauses-fixtures.ts';
import { address, CLIENT, FIRST, OTHER_CLIENT, Rig } from './rig.ts';

/** In NORMAL; the client of a lease that both know has given it back, and the partner answers so to that. */
function refused(reason: RejectReason | undefined): { readonly rig: Rig; readonly offset: number } {
  const rig = new Rig().into('normal').answerAll();
  const offset = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => FIRST + i).find((i) => rig.find(i).state === 'free') ?? FIRST;
  rig.lease(offset, CLIENT, 60);
  rig.answerAll();
  rig.wait(2);
  rig.change({
    address: address(offset),
    state: 'released',
    leaseEndAt: rig.wallAt,
    lastTransactionAt: rig.wallAt,
    stateSinceAt: rig.wallAt,
  });
  rig.answer(reason);
  return { rig, offset };
}

function mayRevive({ rig, offset }: { readonly rig: Rig; readonly offset: number }): boolean | undefined {
  return rig.endpoint.rights.mayRevive?.(rig.now, rig.find(offset));
}

test('after a refusal as outdated the client of before does not get the address again, with contact and without', () => {
  const world = refused('outdated-binding-information');
  assert.equal(world.rig.find(world.offset).state, 'released');
  assert.equal(mayRevive(world), false);
  world.rig.step({ kind: 'disconnected', why: 'cut' });
  assert.equal(world.rig.state, 'communications-interrupted');
  assert.equal(mayRevive(world), false);
});

test('what the partner knows better is taken over when it tells it', () => {
  const { rig, offset } = refused('outdated-binding-information');
  const answer = rig.told({
    address: address(offset),
    state: 'active',
    hardware: OTHER_CLIENT,
    leaseEndAt: at(rig.wallAt + 60),
    potentialEndAt: at(rig.wallAt + 90),
    lastTransactionAt: at(rig.wallAt + 1),
  });
  assert.equal(answer, 'accept');
  assert.deepEqual(rig.find(offset).hardware, OTHER_CLIENT);
});

test('after any other refusal nothing has changed hands, and the client may come back', () => {
  assert.equal(mayRevive(refused('other')), true);
});

test('an end that is agreed leaves nothing to come back to', () => {
  const { rig, offset } = refused(undefined);
  assert.equal(rig.find(offset).state, 'free');
});
