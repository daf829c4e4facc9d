/** DHCPDISCOVER: which address is offered, for how long, and when there is none. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Decision } from '../../../src/core/serving/serving-types.ts';
import { type EpochSec, formatIp4, type Ip4 } from '../../../src/wire/units.ts';
import {
  at,
  configOf,
  DIRECT,
  LOCAL,
  makeWorld,
  outcome,
  RELAYED,
  read,
  SERVER,
  START_AT,
  scopeOf,
  uint32,
} from './world.ts';

const OTHER = '02 00 00 00 00 99';

describe('choice of the address', () => {
  it("RFC 2131 4.3.1: the client's present address before anything else", () => {
    const world = makeWorld();
    world.lease({});
    assert.equal(outcome(world.send({ requested: '10.0.0.15' })), 'offer 10.0.0.10');
  });

  it("RFC 2131 4.3.1: the client's last address before the one it asks for", () => {
    const world = makeWorld();
    world.lease({});
    world.send({ type: 'release', ciaddr: '10.0.0.10' }, DIRECT);
    assert.equal(outcome(world.send({ requested: '10.0.0.15' })), 'offer 10.0.0.10');
  });

  it('RFC 2131 4.3.1: the address that the client asks for, if it is to be had', () => {
    const world = makeWorld();
    assert.equal(outcome(world.send({ requested: '10.0.0.15' })), 'offer 10.0.0.15');
    assert.equal(outcome(world.send({ mac: OTHER, requested: '10.0.0.15' })), 'offer 10.0.0.10');
    assert.equal(outcome(world.send({ mac: '02 00 00 00 00 98', requested: '10.0.0.200' })), 'offer 10.0.0.11');
    assert.equal(outcome(world.send({ mac: '02 00 00 00 00 97', requested: '192.0.2.1' })), 'offer 10.0.0.12');
  });

  it('the address unused longest when none was never used', () => {
    const world = makeWorld(configOf([scopeOf({ startRange: '10.0.0.10', endRange: '10.0.0.12' })]));
    for (const n of [1, 2, 3]) world.lease({ mac: `02 00 00 00 00 0${n}` });
    for (const n of [2, 1, 3]) {
      world.advance(10);
      world.send({ type: 'release', mac: `02 00 00 00 00 0${n}`, ciaddr: `10.0.0.${9 + n}` }, DIRECT);
    }
    assert.equal(outcome(world.send({ mac: OTHER })), 'offer 10.0.0.11');
  });

  it('never an excluded address', () => {
    const world = makeWorld(configOf([scopeOf({ exclusions: [{ start: '10.0.0.10', end: '10.0.0.19' }] })]));
    assert.equal(outcome(world.send({ requested: '10.0.0.12' })), 'offer 10.0.0.20');
    assert.equal(outcome(world.send({ mac: OTHER })), 'drop no-address');
  });

  it('a lease that is over is taken from its client only when nothing else is left', () => {
    const world = makeWorld(configOf([scopeOf({ endRange: '10.0.0.11' })]));
    world.lease({});
    world.change('10.0.0.10', { state: 'expired' });
    assert.equal(outcome(world.send({ mac: OTHER })), 'offer 10.0.0.11');
    assert.equal(outcome(world.send({ mac: '02 00 00 00 00 98' })), 'offer 10.0.0.10');
  });

  it('a client is known by its identifier, whatever hardware it comes with (RFC 2131 4.2)', () => {
    const world = makeWorld();
    world.lease({ clientId: '00 aa', mac: '02 00 00 00 00 01' });
    assert.equal(outcome(world.send({ clientId: '00 aa', mac: OTHER })), 'offer 10.0.0.10');
    assert.equal(outcome(world.send({ clientId: '00 bb', mac: '02 00 00 00 00 01' })), 'offer 10.0.0.11');
    assert.equal(outcome(world.send({ mac: '02 00 00 00 00 01' })), 'offer 10.0.0.12');
  });

  it('RFC 4390 2.1: a client without hardware address is served by its identifier, and answered by broadcast', () => {
    const world = makeWorld();
    const offer = read(world.send({ hlen: 0, clientId: 'ff 00 01 02' }));
    assert.deepEqual(offer.plan.destination, { kind: 'broadcast' });
    assert.equal(outcome(world.send({ hlen: 0 })), 'drop malformed');
  });
});

describe('offers', () => {
  it('are repeated to a client that asks again, also through another relay', () => {
    const world = makeWorld();
    const first = outcome(world.send({ giaddr: '10.0.0.1' }, RELAYED));
    assert.equal(first, 'offer 10.0.0.10');
    assert.equal(outcome(world.send({ giaddr: '10.0.0.3' }, RELAYED)), first);
    assert.equal(outcome(world.send({}, LOCAL)), first);
    assert.equal(world.serving.pendingOffers(at('10.0.0.0')), 1);
  });

  it('are held for the configured time', () => {
    const world = makeWorld(configOf([scopeOf()], { offerHoldSec: 30 }));
    world.send({});
    world.advance(29);
    assert.equal(outcome(world.send({ mac: OTHER, requested: '10.0.0.10' })), 'offer 10.0.0.11');
    world.advance(1);
    assert.equal(outcome(world.send({ mac: '02 00 00 00 00 98', requested: '10.0.0.10' })), 'offer 10.0.0.10');
  });

  it('are let go by the timer', () => {
    const world = makeWorld();
    world.send({});
    world.advance(30);
    world.serving.expireOffers(world.now);
    assert.equal(world.serving.isOffered(at('10.0.0.10')), false);
    assert.equal(world.serving.pendingOffers(at('10.0.0.0')), 0);
  });

  it('one machine on two networks has an offer on each', () => {
    const south = scopeOf({ scopeId: '10.0.1.0', startRange: '10.0.1.10', endRange: '10.0.1.20' });
    const world = makeWorld(configOf([scopeOf(), south]));
    world.send({ giaddr: '10.0.0.1' }, RELAYED);
    world.send({ giaddr: '10.0.1.1' }, RELAYED);
    assert.equal(world.serving.isOffered(at('10.0.0.10')), true);
    assert.equal(world.serving.isOffered(at('10.0.1.10')), true);
  });

  it('wait for the delay of the scope, and nothing else does', () => {
    const world = makeWorld(configOf([scopeOf({ delayMs: 250 })]));
    assert.equal(read(world.send({})).plan.delayMs, 250);
    const ack = world.send({ type: 'request', serverId: SERVER, requested: '10.0.0.10' });
    assert.equal(read(ack).plan.delayMs, 0);
  });

  it('find an address behind many that are held', () => {
    const world = makeWorld(configOf([scopeOf({ startRange: '10.0.0.1', endRange: '10.0.0.254' })]));
    const offered = new Set<string>();
    for (let n = 0; n < 254; n++) {
      offered.add(outcome(world.send({ mac: `02 00 00 00 01 ${n.toString(16).padStart(2, '0')}` })));
    }
    assert.equal(offered.size, 254);
    assert.equal(offered.has('drop no-address'), false);
    assert.equal(outcome(world.send({ mac: OTHER })), 'drop no-address');
  });
});

describe('many offers at once', () => {
  const wide = configOf([
    scopeOf({ subnetMask: '255.255.0.0', startRange: '10.0.0.10', endRange: '10.0.255.250', exclusions: [] }),
  ]);
  const macOf = (n: number): string => `02 00 00 01 ${hexOctet(n >> 8)} ${hexOctet(n & 255)}`;
  const hexOctet = (n: number): string => n.toString(16).padStart(2, '0');

  it('thousands of clients that ask and never take are offered different addresses, in order', () => {
    const world = makeWorld(wide);
    const offered = new Set<number>();
    for (let n = 0; n < 5000; n++) offered.add(uint32OfOffer(world.send({ mac: macOf(n) })));
    assert.equal(offered.size, 5000);
    assert.equal(Math.max(...offered), at('10.0.0.10') + 4999);
  });

  it('an address leased and freed while it was a candidate goes to the end of the order', () => {
    const world = makeWorld(wide);
    for (let n = 0; n < 100; n++) world.send({ mac: macOf(n) });
    // The walk for this one has collected those behind it.
    const next = formatIp4((uint32OfOffer(world.send({ mac: macOf(100) })) + 1) as Ip4);
    world.lease({ mac: OTHER, requested: next });
    world.advance(5);
    world.send({ type: 'release', mac: OTHER, ciaddr: next }, DIRECT);
    world.change(next, { hardware: undefined });
    const after = uint32OfOffer(world.send({ mac: macOf(101) }));
    assert.equal(after, at(next) + 1);
  });
});

function uint32OfOffer(decision: Decision): number {
  return read(decision).packet.yiaddr;
}

describe('lease time', () => {
  const asked = (hex: string, scope = scopeOf()): number =>
    uint32(read(makeWorld(configOf([scope])).send({ options: { 51: hex } })).packet.options.get(51));
  it('RFC 2131 4.3.1: a shorter one is granted as asked', () => assert.equal(asked('0000012c'), 300));
  it('RFC 2131 4.3.1: a longer one is cut to what is configured', () => assert.equal(asked('ffffffff'), 1000));
  it('one too short to be of use is raised', () => assert.equal(asked('00000001'), 60));
  it('one below what is ever asked for stays as configured', () =>
    assert.equal(asked('00000001', scopeOf({ leaseDurationSec: 20 })), 20));

  it('RFC 2131 3.3: an infinite lease has no end, no T1 and no T2', () => {
    const world = makeWorld(configOf([scopeOf({ leaseDurationSec: 0xffffffff })]));
    const offer = read(world.send({}));
    assert.equal(uint32(offer.packet.options.get(51)), 0xffffffff);
    assert.equal(offer.packet.options.has(58) || offer.packet.options.has(59), false);
    world.lease({});
    assert.equal(world.binding('10.0.0.10').leaseEndAt, 0xffffffff);
  });
});

describe('RFC 4039 rapid commit', () => {
  const rapid = configOf([scopeOf({ options: [{ code: 80, hex: '' }] })]);
  it('leases at once when the client asks and option 80 is configured', () => {
    const world = makeWorld(rapid);
    const decision = world.send({ options: { 80: '' } });
    assert.equal(outcome(decision), 'ack 10.0.0.10');
    assert.equal(read(decision).packet.options.has(80), true);
    assert.deepEqual(decision.changed, [at('10.0.0.10')]);
    assert.equal(world.binding('10.0.0.10').leaseEndAt, (START_AT + 1000) as EpochSec);
    assert.equal(world.serving.isOffered(at('10.0.0.10')), false);
  });
  it('offers when only one side wants it', () => {
    assert.equal(outcome(makeWorld(rapid).send({})), 'offer 10.0.0.10');
    const offer = read(makeWorld().send({ options: { 80: '' } }));
    assert.equal(offer.type, 'offer');
    assert.equal(offer.packet.options.has(80), false);
  });
});

describe('RFC 8925 IPv6-only preferred', () => {
  const config = configOf([scopeOf({ endRange: '10.0.0.10', options: [{ code: 108, hex: '00000708' }] })]);
  it('is told only to those who ask for it', () => {
    assert.equal(read(makeWorld(config).send({ options: { 55: '016c' } })).packet.options.has(108), true);
    assert.equal(read(makeWorld(config).send({ options: { 55: '0103' } })).packet.options.has(108), false);
    assert.equal(read(makeWorld(config).send({})).packet.options.has(108), false);
    assert.equal(read(makeWorld().send({ options: { 55: '016c' } })).packet.options.has(108), false);
  });
  it('is told without an address where none is left', () => {
    const world = makeWorld(config);
    world.lease({});
    const offer = read(world.send({ mac: OTHER, options: { 55: '016c' } }));
    assert.equal(offer.type, 'offer');
    assert.equal(offer.address, '0.0.0.0');
    assert.equal(outcome(world.send({ mac: OTHER })), 'drop no-address');
  });
});

describe('what is not answered', () => {
  it('an inactive scope', () => {
    const world = makeWorld(configOf([scopeOf({ state: 'Inactive' })]));
    assert.equal(outcome(world.send({})), 'drop scope-inactive');
  });
  it('a scope for BOOTP clients', () => {
    assert.equal(outcome(makeWorld(configOf([scopeOf({ type: 'Bootp' })])).send({})), 'drop not-allowed');
  });
  it('the messages of servers, and unknown ones', () => {
    const world = makeWorld();
    for (const type of ['offer', 'ack', 'nak'] as const) assert.equal(outcome(world.send({ type })), 'drop not-for-us');
    assert.equal(outcome(world.send({ options: { 53: '09' } })), 'drop malformed');
    assert.equal(outcome(world.send({ options: { 53: '0101' } })), 'drop malformed');
  });
  it('every drop says why', () => {
    const decision = makeWorld(configOf([scopeOf({ state: 'Inactive' })])).send({});
    assert.match(decision.reason, /10\.0\.0\.0 is not active/);
    assert.deepEqual(decision.steps, ["network 10.0.0.0 by the interface's address"]);
  });
});
