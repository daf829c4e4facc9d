/** Which network a client is on, and under which address it is answered. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ip4 } from '../../../src/wire/units.ts';
import {
  at,
  configOf,
  LOCAL,
  makeWorld,
  outcome,
  RELAY_ONLY,
  RELAYED,
  read,
  SERVER,
  type Sent,
  scopeOf,
  uint32,
} from './world.ts';

const NORTH = scopeOf();
const SOUTH = scopeOf({ scopeId: '10.0.1.0', startRange: '10.0.1.10', endRange: '10.0.1.20', name: 'south' });
const TWO = configOf([NORTH, SOUTH]);

describe('scope choice', () => {
  const cases: readonly { name: string; sent: Sent; ingress: typeof LOCAL; gets: string }[] = [
    { name: 'RFC 2131 4.3.1: by the interface', sent: {}, ingress: LOCAL, gets: 'offer 10.0.0.10' },
    { name: 'RFC 2131 4.3.1: by giaddr', sent: { giaddr: '10.0.1.1' }, ingress: RELAYED, gets: 'offer 10.0.1.10' },
    {
      name: 'RFC 3527: link selection before giaddr',
      sent: { giaddr: '10.0.0.1', relay: '05 04 0a 00 01 01' },
      ingress: RELAYED,
      gets: 'offer 10.0.1.10',
    },
    {
      name: 'RFC 3527: link selection without giaddr is ignored',
      sent: { relay: '05 04 0a 00 01 01' },
      ingress: LOCAL,
      gets: 'offer 10.0.0.10',
    },
    {
      name: 'RFC 3011: subnet selection before giaddr',
      sent: { giaddr: '10.0.0.1', options: { 118: '0a000100' } },
      ingress: RELAYED,
      gets: 'offer 10.0.1.10',
    },
    {
      name: 'RFC 3527: link selection before subnet selection',
      sent: { giaddr: '10.0.0.1', relay: '05 04 0a 00 01 01', options: { 118: '0a000000' } },
      ingress: RELAYED,
      gets: 'offer 10.0.1.10',
    },
    {
      name: 'RFC 3011 3: an unknown subnet gets no answer',
      sent: { options: { 118: '0a090900' } },
      ingress: LOCAL,
      gets: 'drop no-scope',
    },
    { name: 'an unknown relay network', sent: { giaddr: '192.0.2.1' }, ingress: RELAYED, gets: 'drop no-scope' },
    {
      name: 'RFC 3046 2.1.1: option 82 with giaddr 0 is served by the interface',
      sent: { relay: '01 02 aa bb' },
      ingress: LOCAL,
      gets: 'offer 10.0.0.10',
    },
    {
      name: 'an interface without a scope',
      sent: {},
      ingress: { ...LOCAL, interfaceAddresses: [{ address: at('172.16.0.1'), prefixLength: 24 }] },
      gets: 'drop no-scope',
    },
    {
      name: 'several addresses on one interface: the first network with a scope',
      sent: {},
      ingress: {
        ...LOCAL,
        interfaceAddresses: [
          { address: at('172.16.0.1'), prefixLength: 24 },
          { address: at('10.0.1.2'), prefixLength: 24 },
          { address: at('10.0.0.2'), prefixLength: 24 },
        ],
      },
      gets: 'offer 10.0.1.10',
    },
  ];
  for (const { name, sent, ingress, gets } of cases) {
    it(name, () => assert.equal(outcome(makeWorld(TWO).send(sent, ingress)), gets));
  }

  it('takes an address that the client asks for from the second network of the interface', () => {
    const ingress = {
      ...LOCAL,
      interfaceAddresses: [...LOCAL.interfaceAddresses, { address: at('10.0.1.2'), prefixLength: 24 }],
    };
    assert.equal(outcome(makeWorld(TWO).send({ requested: '10.0.1.15' }, ingress)), 'offer 10.0.1.15');
  });

  it('serves only trusted relays when a list is given, and clients on the wire all the same', () => {
    const world = makeWorld(configOf([NORTH, SOUTH], { trustedRelays: ['10.0.0.1'] }));
    assert.equal(outcome(world.send({ giaddr: '10.0.1.1' }, RELAYED)), 'drop untrusted-relay');
    assert.equal(outcome(world.send({ giaddr: '10.0.0.1' }, RELAYED)), 'offer 10.0.0.10');
    assert.equal(outcome(world.send({}, LOCAL)), 'offer 10.0.0.10');
  });

  it('goes to the next scope of a superscope when the first is full', () => {
    const small = { ...NORTH, endRange: '10.0.0.10', superscopeName: 'campus' };
    const world = makeWorld(configOf([small, { ...SOUTH, superscopeName: 'campus' }]));
    assert.equal(world.lease({ mac: '02 00 00 00 00 01' }), '10.0.0.10');
    assert.equal(world.lease({ mac: '02 00 00 00 00 02' }), '10.0.1.10');
    // Both networks are on the wire, so neither address is of a wrong network.
    assert.equal(
      outcome(world.send({ type: 'request', mac: '02 00 00 00 00 02', requested: '10.0.1.10' })),
      'ack 10.0.1.10',
    );
  });

  it('passes over inactive members of a superscope', () => {
    const off = { ...NORTH, state: 'Inactive' as const, superscopeName: 'campus' };
    const world = makeWorld(configOf([off, { ...SOUTH, superscopeName: 'campus' }]));
    assert.equal(outcome(world.send({})), 'offer 10.0.1.10');
  });
});

describe('the server identifier', () => {
  it('is the address of the interface on the network of the scope', () => {
    const ingress = {
      ...LOCAL,
      interfaceAddresses: [
        { address: at('172.16.0.1'), prefixLength: 24 },
        { address: at('10.0.0.3'), prefixLength: 24 },
      ],
    };
    const offer = read(makeWorld().send({}, ingress));
    assert.equal(uint32(offer.packet.options.get(54)), at('10.0.0.3'));
    assert.equal(offer.plan.source, at('10.0.0.3'));
  });

  it('is the address that the relay wrote to', () => {
    const ingress = { ...RELAYED, toAddress: at('10.9.9.9') };
    assert.equal(
      uint32(read(makeWorld().send({ giaddr: '10.0.0.1' }, ingress)).packet.options.get(54)),
      at('10.9.9.9'),
    );
  });

  it('does not take a broadcast to the subnet for an address of its own', () => {
    const ingress = { ...LOCAL, toAddress: at('10.0.0.255') };
    assert.equal(uint32(read(makeWorld().send({}, ingress)).packet.options.get(54)), at(SERVER));
  });

  it('is the configured one in relay-only runs', () => {
    const offer = read(makeWorld().send({ giaddr: '10.0.0.1' }, RELAY_ONLY));
    assert.equal(uint32(offer.packet.options.get(54)), at('127.0.0.2'));
    assert.deepEqual(offer.plan.destination, { kind: 'relay', address: at('127.0.0.1'), port: 6700 });
  });

  it('RFC 5107: is the override of the relay, while datagrams still come from the server', () => {
    const world = makeWorld();
    const sent = { giaddr: '10.0.0.1', relay: '0b 04 0a 00 00 01' };
    const offer = read(world.send(sent, RELAYED));
    assert.equal(uint32(offer.packet.options.get(54)), at('10.0.0.1'));
    assert.equal(offer.plan.source, at(SERVER));
    const request = { ...sent, type: 'request', serverId: '10.0.0.1', requested: '10.0.0.10' } as const;
    assert.equal(outcome(world.send(request, RELAYED)), 'ack 10.0.0.10');
  });

  it('RFC 5107: an override names this server only while an offer of it is open', () => {
    const world = makeWorld();
    const request = {
      type: 'request',
      giaddr: '10.0.0.1',
      relay: '0b 04 0a 00 00 01',
      serverId: '10.0.0.1',
      requested: '10.0.0.10',
    } as const;
    assert.equal(outcome(world.send(request, RELAYED)), 'drop other-server-chosen');
  });

  it('RFC 5107: an override without a relay is the word of the client, and is ignored', () => {
    const offer = read(makeWorld().send({ relay: '0b 04 0a 00 00 01' }));
    assert.equal(uint32(offer.packet.options.get(54)), at(SERVER));
  });

  it('a client that writes to a routed address is served by its own address', () => {
    const world = makeWorld(TWO);
    world.lease({ giaddr: '10.0.1.1' }, RELAYED);
    const direct = { ...LOCAL, toAddress: at(SERVER), fromAddress: at('10.0.1.10') };
    assert.equal(outcome(world.send({ type: 'request', ciaddr: '10.0.1.10' }, direct)), 'ack 10.0.1.10');
    assert.equal(
      outcome(world.send({ type: 'request', ciaddr: '10.0.1.10' }, { ...direct, toAddress: ip4(0xffffffff) })),
      'nak',
    );
  });
});
