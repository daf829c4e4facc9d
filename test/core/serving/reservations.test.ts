/** Reservations: by hardware, identifier and place; inside and outside the range; over leases that run. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Reservation, ReservationKey, Scope } from '../../../src/core/config/model.ts';
import { rightsWith } from './fake-rights.ts';
import {
  configOf,
  DIRECT,
  hexBytes,
  LOCAL,
  makeWorld,
  outcome,
  RELAYED,
  read,
  SERVER,
  scopeOf,
  uint32,
} from './world.ts';

const MAC = '02 00 00 00 00 01';
const OTHER = '02 00 00 00 00 99';

function reserved(address: string, client: ReservationKey, more: Partial<Reservation> = {}): Reservation {
  return { address, client, name: 'host', description: '', type: 'Both', options: [], ...more };
}
const BY_MAC: ReservationKey = { kind: 'hardware', hex: '020000000001' };

function scopeWith(...reservations: Reservation[]): Scope {
  return scopeOf({ reservations });
}

describe('reservations', () => {
  const keys: readonly { name: string; client: ReservationKey; relay?: string; clientId?: string }[] = [
    { name: 'hardware address', client: BY_MAC },
    { name: 'client identifier', client: { kind: 'client-id', hex: '00aabb' }, clientId: '00 aa bb' },
    { name: 'circuit-id', client: { kind: 'circuit-id', hex: '0102' }, relay: '01 02 01 02' },
    { name: 'remote-id', client: { kind: 'remote-id', hex: '0304' }, relay: '02 02 03 04' },
  ];
  for (const { name, client, relay, clientId } of keys) {
    for (const address of ['10.0.0.15', '10.0.0.200']) {
      it(`by ${name} on ${address}`, () => {
        const world = makeWorld(configOf([scopeWith(reserved(address, client))]));
        const sent = {
          mac: MAC,
          giaddr: '10.0.0.1',
          ...(relay === undefined ? {} : { relay }),
          ...(clientId === undefined ? {} : { clientId }),
        };
        assert.equal(world.lease(sent, RELAYED), address);
        assert.equal(world.binding(address).ipFlags, 1);
        assert.equal(outcome(world.send({ type: 'request', ...sent, ciaddr: address }, RELAYED)), `ack ${address}`);
      });
    }
  }

  it('are never given to another client', () => {
    const world = makeWorld(
      configOf([scopeOf({ endRange: '10.0.0.11', reservations: [reserved('10.0.0.10', BY_MAC)] })]),
    );
    assert.equal(outcome(world.send({ mac: OTHER, requested: '10.0.0.10' })), 'offer 10.0.0.11');
    assert.equal(outcome(world.send({ mac: '02 00 00 00 00 98' })), 'drop no-address');
    assert.equal(outcome(world.send({ type: 'request', mac: OTHER, requested: '10.0.0.10' })), 'nak');
    assert.equal(outcome(world.send({ type: 'request', mac: OTHER, serverId: SERVER, requested: '10.0.0.10' })), 'nak');
  });

  it('by hardware address match whatever identifier the same machine sends', () => {
    const world = makeWorld(configOf([scopeWith(reserved('10.0.0.15', BY_MAC))]));
    assert.equal(world.lease({ mac: MAC, clientId: '00 50 58 45' }), '10.0.0.15');
    assert.equal(world.lease({ mac: MAC, clientId: 'ff 01 02 03' }), '10.0.0.15');
    assert.equal(world.lease({ mac: MAC }), '10.0.0.15');
    assert.equal(
      outcome(world.send({ type: 'release', mac: MAC, clientId: 'ff 09', ciaddr: '10.0.0.15' }, DIRECT)),
      'done',
    );
  });

  it('by hardware address make bindings that name no identifier, so that the partner sees one client', () => {
    const world = makeWorld(configOf([scopeWith(reserved('10.0.0.15', BY_MAC))]));
    world.lease({ mac: MAC, clientId: '00 50 58 45' });
    assert.equal(world.binding('10.0.0.15').clientId, undefined);
    assert.deepEqual(world.binding('10.0.0.15').hardware, hexBytes('01 02 00 00 00 00 01'));
  });

  it('that are removed leave the client its address', () => {
    const world = makeWorld(configOf([scopeWith(reserved('10.0.0.15', BY_MAC))]));
    const client = { mac: MAC, clientId: '00 aa' };
    world.lease(client);
    world.reconfigure(configOf([scopeOf()]));
    assert.equal(outcome(world.send(client)), 'offer 10.0.0.15');
    assert.equal(outcome(world.send({ type: 'request', ...client, ciaddr: '10.0.0.15' }, DIRECT)), 'ack 10.0.0.15');
    assert.deepEqual(world.binding('10.0.0.15').clientId, hexBytes('00 aa'));
    assert.equal(world.binding('10.0.0.15').ipFlags, 0);
  });

  it('that move take their client along, and its former address is let go', () => {
    const world = makeWorld(configOf([scopeWith(reserved('10.0.0.15', BY_MAC))]));
    const client = { mac: MAC, clientId: '00 aa' };
    world.lease(client);
    world.reconfigure(configOf([scopeWith(reserved('10.0.0.16', BY_MAC))]));
    assert.equal(outcome(world.send({ type: 'request', ...client, ciaddr: '10.0.0.15' }, DIRECT)), 'nak');
    assert.equal(world.lease(client), '10.0.0.16');
    assert.equal(world.binding('10.0.0.15').state, 'free');
  });

  it('of another hardware type are another client', () => {
    const world = makeWorld(configOf([scopeWith(reserved('10.0.0.15', { ...BY_MAC, htype: 6 }))]));
    assert.equal(outcome(world.send({ mac: MAC })), 'offer 10.0.0.10');
  });

  it('by identifier win over those by hardware address', () => {
    const world = makeWorld(
      configOf([scopeWith(reserved('10.0.0.15', BY_MAC), reserved('10.0.0.16', { kind: 'client-id', hex: '00aa' }))]),
    );
    assert.equal(outcome(world.send({ mac: MAC, clientId: '00 aa' })), 'offer 10.0.0.16');
  });

  it('on an excluded address hold', () => {
    const scope = scopeOf({
      exclusions: [{ start: '10.0.0.15', end: '10.0.0.15' }],
      reservations: [reserved('10.0.0.15', BY_MAC)],
    });
    assert.equal(makeWorld(configOf([scope])).lease({ mac: MAC }), '10.0.0.15');
  });

  it('on an address leased to another wait for the end of that lease', () => {
    const world = makeWorld();
    world.lease({ mac: OTHER });
    world.reconfigure(configOf([scopeWith(reserved('10.0.0.10', BY_MAC))]));
    assert.equal(world.lease({ mac: MAC }), '10.0.0.11');
    assert.equal(outcome(world.send({ type: 'request', mac: OTHER, ciaddr: '10.0.0.10' }, DIRECT)), 'nak');
    assert.equal(world.binding('10.0.0.10').state, 'active');
    // While it waits, the client keeps what it has.
    assert.equal(outcome(world.send({ type: 'request', mac: MAC, ciaddr: '10.0.0.11' }, DIRECT)), 'ack 10.0.0.11');
    world.change('10.0.0.10', { state: 'free' });
    assert.equal(outcome(world.send({ type: 'request', mac: MAC, ciaddr: '10.0.0.11' }, DIRECT)), 'nak');
    assert.equal(world.lease({ mac: MAC }), '10.0.0.10');
  });

  it('by place are not shared by two machines at once', () => {
    const world = makeWorld(configOf([scopeWith(reserved('10.0.0.15', { kind: 'circuit-id', hex: '01' }))]));
    const sent = { giaddr: '10.0.0.1', relay: '01 01 01' };
    assert.equal(world.lease({ ...sent, mac: MAC }, RELAYED), '10.0.0.15');
    assert.equal(world.lease({ ...sent, mac: OTHER }, RELAYED), '10.0.0.10');
  });

  it('by place are believed of a client on the wire only where every relay is', () => {
    const scope = scopeWith(reserved('10.0.0.15', { kind: 'circuit-id', hex: '01' }));
    assert.equal(outcome(makeWorld(configOf([scope])).send({ relay: '01 01 01' }, LOCAL)), 'offer 10.0.0.15');
    const wary = makeWorld(configOf([scope], { trustedRelays: ['10.0.0.1'] }));
    assert.equal(outcome(wary.send({ relay: '01 01 01' }, LOCAL)), 'offer 10.0.0.10');
  });

  it('may have a lease time of their own', () => {
    const world = makeWorld(
      configOf([scopeWith(reserved('10.0.0.15', BY_MAC, { options: [{ code: 51, hex: '00001c20' }] }))]),
    );
    assert.equal(uint32(read(world.send({ mac: MAC })).packet.options.get(51)), 7200);
  });

  it('let a DHCP client into a scope for BOOTP, for that address alone', () => {
    const scope = scopeOf({ type: 'Bootp', reservations: [reserved('10.0.0.15', BY_MAC)] });
    const world = makeWorld(configOf([scope]));
    assert.equal(outcome(world.send({ mac: MAC })), 'offer 10.0.0.15');
    assert.equal(outcome(world.send({ mac: OTHER })), 'drop not-allowed');
    assert.equal(outcome(world.send({ type: 'request', mac: OTHER, serverId: SERVER, requested: '10.0.0.16' })), 'nak');
    world.change('10.0.0.15', { state: 'abandoned' });
    assert.equal(outcome(world.send({ mac: MAC })), 'drop no-address');
  });

  it('for BOOTP clients are not for DHCP clients', () => {
    const world = makeWorld(configOf([scopeWith(reserved('10.0.0.15', BY_MAC, { type: 'Bootp' }))]));
    assert.equal(outcome(world.send({ mac: MAC })), 'offer 10.0.0.10');
  });

  it('failover specification 5.3: are given to their client by either server, whomever the address is available to', () => {
    const world = makeWorld(configOf([scopeWith(reserved('10.0.0.15', BY_MAC))]), () => rightsWith());
    world.change('10.0.0.15', { state: 'backup' });
    assert.equal(world.lease({ mac: MAC }), '10.0.0.15');
    assert.equal(world.binding('10.0.0.15').ownedAs, 'backup');
  });
});
