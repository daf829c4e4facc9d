/** What a lost store had promised ends only when its time is over, whoever is asked (failover specification 4.3, `lossAt`). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Binding, emptyBinding } from '../../../src/core/bindings/binding.ts';
import { endDeclines } from '../../../src/core/serving/decline.ts';
import { NEVER_AT } from '../../../src/wire/units.ts';
import { differences, other, Pair, SCOPE, SIDES, type Side } from './pair.ts';

const MCLT_SEC = 600;
const HOLD_SEC = 30;
const STEP_SEC = 10;

/** The hold of declined addresses is looked at once, as the pipeline does with its timer. */
function sweep(pair: Pair, side: Side): number {
  const { table, endpoint } = pair.servers[side];
  const { changed } = endDeclines(pair.now(side), table, endpoint.rights, {
    scopeId: SCOPE,
    from: SCOPE,
    limit: 1000,
    declineHoldSec: HOLD_SEC,
  });
  for (const address of changed) pair.step(side, { kind: 'binding-changed', address });
  return changed.length;
}

/** As serving sets an address aside, the times that were promised staying known. */
function decline(pair: Pair, side: Side, binding: Binding): void {
  const now = pair.now(side);
  const { sentPotentialAt, ackedPotentialAt, recvPotentialAt, told } = binding;
  const aside: Binding = {
    ...emptyBinding(binding.address, binding.ownedAs),
    ...{ sentPotentialAt, ackedPotentialAt, recvPotentialAt, told },
    state: 'abandoned',
    leaseEndAt: NEVER_AT,
    lastTransactionAt: now.wallAt,
    stateSinceAt: now.wallAt,
    dirty: true,
  };
  pair.servers[side].table.change(aside);
  pair.servers[side].saved.set(binding.address, { ...aside });
  pair.step(side, { kind: 'binding-changed', address: binding.address });
}

/** A lease that both know; then the link is cut, and `side` extends it and loses its store. The end it had promised. */
function extendAndLose(pair: Pair, side: Side, before: (binding: Binding) => void): Binding {
  pair.start().advance(3000);
  assert.ok(pair.lease(side, 'c', 900) !== undefined);
  pair.advance(3000);
  const known = pair.lease(side, 'c', 900)!;
  pair.advance(3000).cut().advance(1000);
  before(pair.find(other(side), known.address));
  // Near the end of what the partner has reason to expect, and for as long as the rules allow.
  pair.advance(600_000);
  const promised = pair.lease(side, 'c', 5000);
  assert.ok(promised !== undefined && promised.address === known.address);
  pair.kill(side).advance(1000).heal();
  pair.revive(side, true);
  return promised;
}

for (const side of SIDES) {
  test(`4.3 a lease that ${side} extended and forgot is not ended before it is over`, () => {
    const pair = new Pair({ mcltSec: MCLT_SEC });
    const promised = extendAndLose(pair, side, () => {});
    while (pair.now(side).wallAt + STEP_SEC < promised.leaseEndAt) {
      pair.advance(STEP_SEC * 1000);
      for (const one of SIDES) {
        const { state } = pair.find(one, promised.address);
        const isForgotten = one === side && pair.state(side) === 'recover';
        assert.ok(isForgotten || state === 'active', `${one} has it as ${state}`);
      }
    }
    pair.advance(3_000_000);
    assert.equal(pair.find('A', promised.address).state, 'free');
    assert.deepEqual(differences(pair), []);
  });

  test(`4.3 an address declined at ${other(side)}, leased on by ${side} and forgotten, stays aside until that lease is over`, () => {
    const pair = new Pair({ mcltSec: MCLT_SEC });
    const promised = extendAndLose(pair, side, (binding) => decline(pair, other(side), binding));
    while (pair.now(side).wallAt + STEP_SEC < promised.leaseEndAt) {
      pair.advance(STEP_SEC * 1000);
      for (const one of SIDES) {
        sweep(pair, one);
        const { state } = pair.find(one, promised.address);
        const isForgotten = one === side && pair.state(side) === 'recover';
        assert.ok(isForgotten || state === 'abandoned', `${one} has it as ${state}`);
      }
    }
    for (let i = 0; i < 300; i++) {
      for (const one of SIDES) sweep(pair, one);
      pair.advance(10_000);
    }
    assert.equal(pair.find('A', promised.address).state, 'free');
    assert.deepEqual(differences(pair), []);
  });
}

test('4.3 a RESET that is not agreed when the partner loses its store is taken back', () => {
  const pair = new Pair({ mcltSec: MCLT_SEC });
  let given: Binding | undefined;
  extendAndLose(pair, 'B', (binding) => {
    decline(pair, 'A', binding);
    pair.advance(HOLD_SEC * 1000 + 1000);
    assert.equal(sweep(pair, 'A'), 1);
    given = pair.find('A', binding.address);
    assert.equal(given.state, 'reset');
  });
  pair.advance(30_000);
  assert.equal(pair.find('A', given!.address).state, 'abandoned');
  assert.equal(sweep(pair, 'A'), 0);
});

test('5.2 a lease renewed between giving way and the answer to what gave way reaches the partner', () => {
  const pair = new Pair({ mcltSec: MCLT_SEC }).start().advance(3000);
  const { address } = pair.lease('A', 'c', 100)!;
  pair.advance(3000).cut().advance(50_000);
  // Only A knows of the longer lease; for B it ends, and both tell each other at once.
  assert.equal(pair.lease('A', 'c', 600)?.address, address);
  pair.advance(100_000);
  assert.equal(pair.find('B', address).state, 'expired');
  const crossing: string[] = [];
  let renewed: Binding | undefined;
  pair.onSend = (from, message) => {
    if (message.kind === 'bndupd') crossing.push(`${from} ${message.updates[0]?.state}`);
  };
  pair.heal();
  for (let ms = 0; ms < 20_000 && renewed === undefined; ms++) {
    pair.advance(1);
    if (crossing.includes('B expired') && pair.find('B', address).state === 'active')
      renewed = pair.lease('B', 'c', 700);
  }
  assert.ok(renewed?.address === address);
  assert.ok(crossing.includes('A active'));
  pair.advance(5000);
  assert.equal(pair.find('A', address).leaseEndAt, renewed.leaseEndAt);
  assert.deepEqual(differences(pair), []);
});

test('4.3 a RESET that an operator orders too early is refused by the server that forgot, and the address stays aside', () => {
  const pair = new Pair({ mcltSec: MCLT_SEC });
  const promised = extendAndLose(pair, 'B', (binding) => decline(pair, 'A', binding));
  while (pair.states() !== 'A normal, B normal') pair.advance(1000);
  assert.ok(pair.now('A').wallAt + 60 < promised.leaseEndAt);
  const { table } = pair.servers.A;
  table.change({
    ...pair.find('A', promised.address),
    state: 'reset',
    stateSinceAt: pair.now('A').wallAt,
    dirty: true,
  });
  pair.step('A', { kind: 'binding-changed', address: promised.address });
  pair.advance(5000);
  assert.equal(pair.find('A', promised.address).state, 'abandoned');
  assert.equal(sweep(pair, 'A'), 0);
  assert.deepEqual(differences(pair), []);
});

test('5.4 two grants to one client that cross, one of them released at once: both servers end with the same', () => {
  const pair = new Pair({ mcltSec: MCLT_SEC, skewSec: 2 }).start().advance(3000);
  const { address } = pair.lease('A', 'c', 600)!;
  pair.advance(60_000);
  assert.equal(pair.lease('B', 'c', 600)?.address, address);
  assert.equal(pair.lease('A', 'c', 600)?.address, address);
  pair.release('B', address);
  pair.advance(3000);
  assert.deepEqual(differences(pair), []);
});

test('4.3 an old copy that remembers a longer agreement than the partner has now does not grant by it', () => {
  const pair = new Pair({ mcltSec: 60, poolSize: 2 }).start().advance(3000);
  const { address } = pair.lease('A', 'c', 5000)!;
  pair.advance(15_000);
  const copy = pair.copyStore('A');
  pair.release('A', address);
  pair.advance(15_000);
  assert.equal(pair.find('B', address).state, 'free');
  // The same client has its address again, for a much shorter time.
  assert.equal(pair.lease('A', 'c', 100)?.address, address);
  pair.advance(15_000).kill('A').advance(1000);
  copy.restore();
  pair.revive('A').advance(90_000);
  assert.equal(pair.states(), 'A normal, B normal');
  const { ackedPotentialAt, recvPotentialAt } = pair.find('A', address);
  const known = pair.find('B', address);
  assert.ok(known.state === 'active' || known.state === 'expired' || known.state === 'free');
  const knownAt = Math.max(known.sentPotentialAt, known.ackedPotentialAt, known.recvPotentialAt, known.leaseEndAt);
  assert.ok(Math.max(ackedPotentialAt, recvPotentialAt) <= knownAt, 'what allows grants is known to both');
});

test('4.3 an end that the partner was told of before it lost its store is not undone: the address is nobody’s for a time', () => {
  const pair = new Pair({ mcltSec: MCLT_SEC }).start().advance(3000);
  const { address } = pair.lease('A', 'c', 5000)!;
  pair.advance(15_000);
  pair.dropAcks = true;
  pair.release('A', address);
  pair.advance(2000).kill('B').advance(20_000);
  pair.dropAcks = false;
  pair.revive('B', true).advance(30_000);
  assert.equal(pair.find('A', address).state, 'abandoned');
  assert.equal(sweep(pair, 'A'), 0);
  assert.notEqual(pair.lease('A', 'c', 600)?.address, address);
});

test('the status tells what of the partner’s leases is not here yet, and since when a store is known to be lost', () => {
  const pair = new Pair({ mcltSec: MCLT_SEC }).start().advance(3000);
  const lacks = (side: Side) => pair.servers[side].endpoint.status(pair.now(side)).lacks;
  const loss = (side: Side) => pair.servers[side].endpoint.status(pair.now(side)).loss;
  assert.deepEqual([lacks('A'), lacks('B'), loss('A'), loss('B')], [undefined, undefined, undefined, undefined]);
  pair.kill('A').advance(1000).cut();
  pair.revive('A', true);
  assert.equal(lacks('A'), 'everything');
  pair.heal().advance(20_000);
  assert.deepEqual([lacks('A'), lacks('B')], [undefined, undefined]);
  for (const side of SIDES) {
    const found = loss(side);
    assert.equal(found?.waitMcltSec, MCLT_SEC);
    assert.ok(Math.abs(pair.now(side).wallAt - (found?.at ?? 0)) <= 30);
  }
});
