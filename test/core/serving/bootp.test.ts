/** BOOTP clients (RFC 951, RFC 1534). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Reservation } from '../../../src/core/config/model.ts';
import type { EpochSec } from '../../../src/wire/units.ts';
import { rightsWith } from './fake-rights.ts';
import { configOf, LOCAL, makeWorld, outcome, packetOf, read, START_AT, scopeOf } from './world.ts';

const BOTH = configOf([scopeOf({ type: 'Both', options: [{ code: 3, hex: '0a000001' }] })]);
const OTHER = '02 00 00 00 00 99';

describe('BOOTP', () => {
  it('gives an address without end, at once and without DHCP options', () => {
    const world = makeWorld(BOTH);
    const reply = read(world.send({ type: 'bootp' }));
    assert.equal(reply.type, 'bootp');
    assert.equal(reply.address, '10.0.0.10');
    assert.deepEqual([...reply.packet.options.keys()], [1, 3]);
    assert.equal(reply.plan.bytes.length, 300);
    const binding = world.binding('10.0.0.10');
    assert.equal(binding.state, 'active');
    assert.equal(binding.leaseEndAt, 0xffffffff);
    assert.equal(binding.ipFlags, 2);
  });

  it('answers a second question the same, with nothing to make durable', () => {
    const world = makeWorld(BOTH);
    world.send({ type: 'bootp' });
    const again = world.send({ type: 'bootp' });
    assert.equal(outcome(again), 'bootp 10.0.0.10');
    assert.deepEqual(again.changed, []);
  });

  it('is not served by a scope for DHCP, except by reservation', () => {
    assert.equal(outcome(makeWorld().send({ type: 'bootp' })), 'drop not-allowed');
    const reservation: Reservation = {
      address: '10.0.0.15',
      client: { kind: 'hardware', hex: '020000000001' },
      name: '',
      description: '',
      type: 'Bootp',
      options: [],
    };
    const world = makeWorld(configOf([scopeOf({ reservations: [reservation] })]));
    assert.equal(outcome(world.send({ type: 'bootp' })), 'bootp 10.0.0.15');
    assert.equal(outcome(world.send({ type: 'bootp', mac: OTHER })), 'drop not-allowed');
  });

  it('is served up to the number of clients that the scope allows', () => {
    const world = makeWorld(configOf([scopeOf({ type: 'Bootp', maxBootpClients: 1 })]));
    assert.equal(outcome(world.send({ type: 'bootp' })), 'bootp 10.0.0.10');
    assert.equal(outcome(world.send({ type: 'bootp', mac: OTHER })), 'drop not-allowed');
    assert.equal(outcome(world.send({ type: 'bootp' })), 'bootp 10.0.0.10');
  });

  it('RFC 951 7.3: a client that names another server is not answered', () => {
    const world = makeWorld(BOTH);
    const named = (text: string): string => {
      const packet = packetOf({ type: 'bootp' });
      packet.sname = Uint8Array.from(text, (character) => character.charCodeAt(0));
      return outcome(world.serving.decide(world.now, LOCAL, packet));
    };
    assert.equal(named('other'), 'drop not-for-us');
    assert.equal(named('dhcp1'), 'bootp 10.0.0.10');
  });

  it('without the cookie gets an answer without options', () => {
    const world = makeWorld(BOTH);
    const packet = packetOf({ type: 'bootp' });
    packet.hasCookie = false;
    const reply = read(world.serving.decide(world.now, LOCAL, packet));
    assert.equal(reply.packet.hasCookie, false);
    assert.equal(reply.address, '10.0.0.10');
  });

  it('failover specification 7 P4: never takes an address across ownership', () => {
    const rights = rightsWith({ mayAllocate: () => true, partnersUsableAt: () => START_AT as EpochSec });
    const world = makeWorld(configOf([scopeOf({ type: 'Both', endRange: '10.0.0.10' })]), () => rights);
    world.change('10.0.0.10', { state: 'backup' });
    assert.equal(outcome(world.send({ type: 'bootp' })), 'drop no-address');
    assert.equal(outcome(world.send({ type: 'bootp', options: { 50: '0a00000a' } })), 'drop no-address');
    assert.equal(outcome(world.send({})), 'offer 10.0.0.10');
  });
});
