/** DECLINE, RELEASE and INFORM. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { endDeclines } from '../../../src/core/serving/decline.ts';
import { STANDALONE_RIGHTS } from '../../../src/core/serving/standalone-rights.ts';
import type { EpochSec, Ip4 } from '../../../src/wire/units.ts';
import { rightsWith } from './fake-rights.ts';
import { at, configOf, DIRECT, LOCAL, makeWorld, outcome, RELAYED, read, SERVER, START_AT, scopeOf } from './world.ts';

const OTHER = '02 00 00 00 00 99';

describe('RFC 2131 4.3.3 DECLINE', () => {
  it('sets aside an address that was leased to the client, without its data', () => {
    const world = makeWorld();
    world.lease({});
    const decision = world.send({ type: 'decline', requested: '10.0.0.10', serverId: SERVER });
    assert.equal(outcome(decision), 'done');
    assert.deepEqual(decision.changed, [at('10.0.0.10')]);
    const binding = world.binding('10.0.0.10');
    assert.equal(binding.state, 'abandoned');
    assert.equal(binding.hardware, undefined);
    assert.equal(binding.stateSinceAt, START_AT);
    assert.equal(outcome(world.send({ requested: '10.0.0.10' })), 'offer 10.0.0.11');
  });

  it('sets aside an address that was only offered to it', () => {
    const world = makeWorld();
    world.send({});
    assert.equal(outcome(world.send({ type: 'decline', requested: '10.0.0.10' })), 'done');
    assert.equal(world.serving.isOffered(at('10.0.0.10')), false);
  });

  it('is not taken from anybody else', () => {
    const world = makeWorld();
    world.lease({});
    assert.equal(outcome(world.send({ type: 'decline', mac: OTHER, requested: '10.0.0.10' })), 'drop unknown-lease');
    assert.equal(outcome(world.send({ type: 'decline', mac: OTHER, requested: '10.0.0.12' })), 'drop unknown-lease');
    assert.equal(world.binding('10.0.0.10').state, 'active');
  });

  it('is dropped without an address, for another server, and outside every scope', () => {
    const world = makeWorld();
    assert.equal(outcome(world.send({ type: 'decline' })), 'drop malformed');
    const other = { type: 'decline', requested: '10.0.0.10', serverId: '10.0.0.3' } as const;
    assert.equal(outcome(world.send(other)), 'drop other-server-chosen');
    assert.equal(outcome(world.send({ type: 'decline', requested: '192.0.2.1' })), 'drop no-scope');
  });

  const sweep = { scopeId: at('10.0.0.0'), from: at('10.0.0.0'), limit: 2, declineHoldSec: 86_400 };
  it('ends after the configured time, a part of the scope at a time', () => {
    const world = makeWorld();
    for (const n of [10, 11, 12])
      world.change(`10.0.0.${n}`, { state: 'abandoned', stateSinceAt: START_AT as EpochSec });
    world.advance(86_399);
    assert.deepEqual(endDeclines(world.now, world.bindings, STANDALONE_RIGHTS, sweep).changed, []);
    world.advance(1);
    const first = endDeclines(world.now, world.bindings, STANDALONE_RIGHTS, sweep);
    assert.deepEqual(first, { changed: [at('10.0.0.10'), at('10.0.0.11')], next: at('10.0.0.12') });
    const rest = endDeclines(world.now, world.bindings, STANDALONE_RIGHTS, { ...sweep, from: first.next as Ip4 });
    assert.deepEqual(rest, { changed: [at('10.0.0.12')], next: undefined });
    assert.equal(world.binding('10.0.0.10').state, 'free');
  });

  it('failover specification 5.2: ends by way of RESET where there is a partner', () => {
    const world = makeWorld(undefined, () => rightsWith());
    world.change('10.0.0.10', { state: 'abandoned', stateSinceAt: (START_AT - 90_000) as EpochSec });
    endDeclines(world.now, world.bindings, rightsWith(), sweep);
    assert.equal(world.binding('10.0.0.10').state, 'reset');
    assert.equal(world.binding('10.0.0.10').dirty, true);
  });
});

describe('RFC 2131 4.3.4 RELEASE', () => {
  it('failover specification 5.2: leaves a released lease to the engine where there is a partner', () => {
    const world = makeWorld(undefined, () => rightsWith());
    world.lease({});
    world.advance(100);
    assert.equal(outcome(world.send({ type: 'release', ciaddr: '10.0.0.10', serverId: SERVER }, DIRECT)), 'done');
    const binding = world.binding('10.0.0.10');
    assert.equal(binding.state, 'released');
    assert.equal(binding.dirty, true);
    assert.equal(binding.lastTransactionAt, START_AT + 100);
    assert.equal(binding.stateSinceAt, START_AT + 100);
    assert.equal(binding.leaseEndAt, START_AT + 100);
    assert.notEqual(binding.hardware, undefined);
  });

  it('is taken from its client alone', () => {
    const world = makeWorld();
    world.lease({});
    assert.equal(
      outcome(world.send({ type: 'release', mac: OTHER, ciaddr: '10.0.0.10' }, DIRECT)),
      'drop unknown-lease',
    );
    assert.equal(outcome(world.send({ type: 'release', ciaddr: '10.0.0.11' }, DIRECT)), 'drop unknown-lease');
    assert.equal(outcome(world.send({ type: 'release' }, DIRECT)), 'drop malformed');
    assert.equal(outcome(world.send({ type: 'release', ciaddr: '192.0.2.1' }, DIRECT)), 'drop no-scope');
    const other = { type: 'release', ciaddr: '10.0.0.10', serverId: '10.0.0.3' } as const;
    assert.equal(outcome(world.send(other, DIRECT)), 'drop other-server-chosen');
    assert.equal(world.binding('10.0.0.10').state, 'active');
  });

  it('is taken in an inactive scope too', () => {
    const world = makeWorld();
    world.lease({});
    world.reconfigure(configOf([scopeOf({ state: 'Inactive' })]));
    assert.equal(outcome(world.send({ type: 'release', ciaddr: '10.0.0.10' }, DIRECT)), 'done');
  });
});

describe('RFC 2131 4.3.5 INFORM', () => {
  const world = makeWorld(configOf([scopeOf({ options: [{ code: 6, hex: '0a000005' }] })]));
  it('is answered at ciaddr with options, without address and times', () => {
    const decision = world.send({ type: 'inform', ciaddr: '10.0.0.77' }, DIRECT);
    const ack = read(decision);
    assert.equal(ack.type, 'ack');
    assert.equal(ack.address, '0.0.0.0');
    assert.deepEqual(ack.plan.destination, { kind: 'unicast', address: at('10.0.0.77'), port: 68 });
    assert.deepEqual([...ack.packet.options.keys()], [53, 54, 1, 6]);
    assert.deepEqual(decision.changed, []);
  });

  it('goes past the relay straight to ciaddr, without what the relay added', () => {
    const sent = { type: 'inform', ciaddr: '10.0.0.77', giaddr: '10.0.0.1', relay: '01 01 aa' } as const;
    const ack = read(world.send(sent, RELAYED));
    assert.deepEqual(ack.plan.destination, { kind: 'unicast', address: at('10.0.0.77'), port: 68 });
    assert.equal(ack.packet.options.has(82), false);
  });

  it('without ciaddr goes back through the relay', () => {
    const ack = read(world.send({ type: 'inform', giaddr: '10.0.0.1', relay: '01 01 aa' }, RELAYED));
    assert.deepEqual(ack.plan.destination, { kind: 'relay', address: at('10.0.0.1'), port: 67 });
    assert.equal(ack.packet.options.has(82), true);
  });

  it('without ciaddr goes to the sender', () => {
    const ack = read(world.send({ type: 'inform' }, { ...LOCAL, fromAddress: at('10.0.0.78') }));
    assert.deepEqual(ack.plan.destination, { kind: 'unicast', address: at('10.0.0.78'), port: 68 });
    assert.deepEqual(read(world.send({ type: 'inform' }, LOCAL)).plan.destination, { kind: 'broadcast' });
  });

  it('is answered in every state that serves at all, and in none other', () => {
    const inform = { type: 'inform', ciaddr: '10.0.0.77' } as const;
    const withService = (serves: 'renew' | 'none') =>
      makeWorld(undefined, () => rightsWith({ service: () => ({ serves, why: serves }) }));
    assert.equal(outcome(withService('renew').send(inform, DIRECT)), 'ack');
    assert.equal(outcome(withService('none').send(inform, DIRECT)), 'drop not-serving');
  });

  it('is not answered for networks without scope or with an inactive one', () => {
    assert.equal(outcome(world.send({ type: 'inform', ciaddr: '192.0.2.1' }, DIRECT)), 'drop no-scope');
    const off = makeWorld(configOf([scopeOf({ state: 'Inactive' })]));
    assert.equal(outcome(off.send({ type: 'inform', ciaddr: '10.0.0.77' }, DIRECT)), 'drop scope-inactive');
  });
});
