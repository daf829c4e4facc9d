/** The life of a lease from DISCOVER to RELEASE on a scope without relationship. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { at, DIRECT, makeWorld, outcome, read, SERVER, START_AT, uint32 } from './world.ts';

describe('the life of a lease', () => {
  it('offers the lowest never-used address and leases it to the client that takes it', () => {
    const world = makeWorld();
    const offer = read(world.send({ type: 'discover' }));
    assert.equal(offer.type, 'offer');
    assert.equal(offer.address, '10.0.0.10');
    assert.equal(uint32(offer.packet.options.get(54)), at(SERVER));
    assert.equal(uint32(offer.packet.options.get(51)), 1000);
    assert.equal(world.binding('10.0.0.10').state, 'free');
    const decision = world.send({ type: 'request', requested: '10.0.0.10', serverId: SERVER });
    assert.equal(outcome(decision), 'ack 10.0.0.10');
    assert.deepEqual(decision.changed, [at('10.0.0.10')]);
    const binding = world.binding('10.0.0.10');
    assert.equal(binding.state, 'active');
    assert.equal(binding.leaseEndAt, START_AT + 1000);
    assert.equal(binding.lastTransactionAt, START_AT);
    assert.equal(binding.stateSinceAt, START_AT);
    assert.equal(binding.grantedHere, true);
    assert.equal(binding.told, false);
    assert.equal(binding.dirty, false);
    assert.equal(binding.ownedAs, 'free');
  });

  it('renews by unicast, keeping the time at which the lease began', () => {
    const world = makeWorld();
    world.lease({});
    world.advance(500);
    const ack = read(world.send({ type: 'request', ciaddr: '10.0.0.10' }, DIRECT));
    assert.equal(ack.type, 'ack');
    assert.deepEqual(ack.plan.destination, { kind: 'unicast', address: at('10.0.0.10'), port: 68 });
    assert.equal(world.binding('10.0.0.10').leaseEndAt, START_AT + 1500);
    assert.equal(world.binding('10.0.0.10').stateSinceAt, START_AT);
  });

  it('frees a released address at once and gives it to the same client again', () => {
    const world = makeWorld();
    world.lease({});
    const decision = world.send({ type: 'release', ciaddr: '10.0.0.10', serverId: SERVER }, DIRECT);
    assert.equal(outcome(decision), 'done');
    assert.deepEqual(decision.changed, [at('10.0.0.10')]);
    assert.equal(world.binding('10.0.0.10').state, 'free');
    assert.equal(world.lease({ mac: '02 00 00 00 00 02' }), '10.0.0.11');
    assert.equal(world.lease({}), '10.0.0.10');
  });

  it('gives different addresses to clients that ask at the same time', () => {
    const world = makeWorld();
    const first = read(world.send({ mac: '02 00 00 00 00 01' }));
    const second = read(world.send({ mac: '02 00 00 00 00 02' }));
    assert.notEqual(first.address, second.address);
    assert.equal(world.serving.pendingOffers(at('10.0.0.0')), 2);
    assert.equal(world.serving.isOffered(at(first.address)), true);
  });
});
