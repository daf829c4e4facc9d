/** DHCPREQUEST in its four forms: what is granted, what is refused, and where silence is the right answer. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { EpochSec } from '../../../src/wire/units.ts';
import { rightsWith } from './fake-rights.ts';
import {
  at,
  configOf,
  DIRECT,
  hexBytes,
  LOCAL,
  makeWorld,
  outcome,
  RELAYED,
  read,
  SERVER,
  START_AT,
  scopeOf,
  type World,
} from './world.ts';

const OTHER = '02 00 00 00 00 99';
const RELEASED = { state: 'released', leaseEndAt: START_AT as EpochSec } as const;

function leasedWorld(more: Parameters<typeof makeWorld> = []): World {
  const world = makeWorld(...more);
  assert.equal(world.lease({}), '10.0.0.10');
  return world;
}

describe('RFC 2131 4.3.2 SELECTING', () => {
  it('drops a request for another server and lets the own offer go', () => {
    const world = makeWorld();
    world.send({});
    assert.equal(world.serving.isOffered(at('10.0.0.10')), true);
    const decision = world.send({ type: 'request', serverId: '10.0.0.3', requested: '10.0.0.77' });
    assert.equal(outcome(decision), 'drop other-server-chosen');
    assert.equal(world.serving.isOffered(at('10.0.0.10')), false);
  });

  it('grants what can still be given when the offer is over or was forgotten', () => {
    assert.equal(
      outcome(makeWorld().send({ type: 'request', serverId: SERVER, requested: '10.0.0.15' })),
      'ack 10.0.0.15',
    );
  });

  it('refuses an address of another network', () => {
    assert.equal(outcome(makeWorld().send({ type: 'request', serverId: SERVER, requested: '10.9.0.15' })), 'nak');
  });

  it('refuses an address that another client has, was offered, or that is excluded', () => {
    const world = leasedWorld([configOf([scopeOf({ exclusions: [{ start: '10.0.0.18', end: '10.0.0.20' }] })])]);
    world.send({ mac: '02 00 00 00 00 03' });
    const ask = (requested: string): string =>
      outcome(world.send({ type: 'request', mac: OTHER, serverId: SERVER, requested }));
    assert.equal(ask('10.0.0.10'), 'nak');
    assert.equal(ask('10.0.0.11'), 'nak');
    assert.equal(ask('10.0.0.19'), 'nak');
    assert.equal(ask('10.0.0.9'), 'nak');
  });

  it('takes the address from ciaddr where a client puts it there', () => {
    const world = makeWorld();
    world.send({});
    assert.equal(outcome(world.send({ type: 'request', serverId: SERVER, ciaddr: '10.0.0.10' })), 'ack 10.0.0.10');
  });

  it('releases the older lease of a client that took another address', () => {
    const world = leasedWorld();
    const decision = world.send({ type: 'request', serverId: SERVER, requested: '10.0.0.15' });
    assert.equal(outcome(decision), 'ack 10.0.0.15');
    assert.deepEqual(decision.changed, [at('10.0.0.15'), at('10.0.0.10')]);
    assert.equal(world.binding('10.0.0.10').state, 'free');
  });

  it('keeps the older lease when only the identifier agrees, which two machines may share', () => {
    const world = makeWorld();
    world.lease({ clientId: '00 aa', mac: '02 00 00 00 00 01' });
    world.send({ type: 'request', clientId: '00 aa', mac: OTHER, serverId: SERVER, requested: '10.0.0.15' });
    assert.equal(world.binding('10.0.0.10').state, 'active');
    assert.equal(world.binding('10.0.0.15').state, 'active');
  });
});

describe('RFC 2131 4.3.2 INIT-REBOOT', () => {
  it('confirms the lease of the client', () => {
    assert.equal(outcome(leasedWorld().send({ type: 'request', requested: '10.0.0.10' })), 'ack 10.0.0.10');
  });

  it('refuses an address of a wrong network, authoritative or not', () => {
    for (const authoritative of [true, false]) {
      const world = makeWorld(configOf([scopeOf()], { authoritative }));
      assert.equal(outcome(world.send({ type: 'request', requested: '192.168.1.4' })), 'nak');
    }
  });

  it('refuses an address known to belong to another, authoritative or not', () => {
    for (const authoritative of [true, false]) {
      const world = leasedWorld([configOf([scopeOf()], { authoritative })]);
      assert.equal(outcome(world.send({ type: 'request', mac: OTHER, requested: '10.0.0.10' })), 'nak');
    }
  });

  const unknown = { type: 'request', requested: '10.0.0.15' } as const;
  it('refuses an unknown lease when authoritative', () => {
    assert.equal(outcome(makeWorld().send(unknown)), 'nak');
  });
  it('is silent about an unknown lease when not authoritative', () => {
    const world = makeWorld(configOf([scopeOf()], { authoritative: false }));
    assert.equal(outcome(world.send(unknown)), 'drop unknown-lease');
  });
  it('is silent about an unknown lease when authoritative but not NORMAL', () => {
    const world = makeWorld(undefined, () => rightsWith({ isNormal: () => false }));
    assert.equal(outcome(world.send(unknown)), 'drop unknown-lease');
  });

  it('gives a released address back to its last client', () => {
    const world = leasedWorld();
    world.send({ type: 'release', ciaddr: '10.0.0.10' }, DIRECT);
    assert.equal(outcome(world.send({ type: 'request', requested: '10.0.0.10' })), 'ack 10.0.0.10');
    assert.equal(world.binding('10.0.0.10').state, 'active');
  });

  it('is silent while the end of its lease awaits the agreement of the partner', () => {
    const world = leasedWorld([undefined, () => rightsWith()]);
    world.change('10.0.0.10', RELEASED);
    assert.equal(outcome(world.send({ type: 'request', requested: '10.0.0.10' })), 'drop unknown-lease');
    assert.equal(world.binding('10.0.0.10').state, 'released');
  });

  it('is answered by the server whose turn it is', () => {
    const silent = makeWorld(undefined, () => rightsWith({ answers: () => ({ yes: false, why: 'not our bucket' }) }));
    silent.change('10.0.0.10', { state: 'active', hardware: hexBytes('01 02 00 00 00 00 01') });
    assert.equal(outcome(silent.send({ type: 'request', requested: '10.0.0.10' })), 'drop partners-client');
  });
});

describe('RFC 2131 4.3.2 RENEWING and REBINDING', () => {
  const forms = [
    { name: 'renewing', sent: { type: 'request', ciaddr: '10.0.0.10' }, ingress: DIRECT },
    { name: 'rebinding on the wire', sent: { type: 'request', ciaddr: '10.0.0.10' }, ingress: LOCAL },
    {
      name: 'rebinding through a relay',
      sent: { type: 'request', ciaddr: '10.0.0.10', giaddr: '10.0.0.1' },
      ingress: RELAYED,
    },
  ] as const;
  for (const { name, sent, ingress } of forms) {
    it(`${name}: renews the lease of the client`, () => {
      const world = leasedWorld();
      world.advance(600);
      assert.equal(outcome(world.send(sent, ingress)), 'ack 10.0.0.10');
      assert.equal(world.binding('10.0.0.10').leaseEndAt, START_AT + 1600);
    });
    it(`${name}: refuses the lease of another`, () => {
      assert.equal(outcome(leasedWorld().send({ ...sent, mac: OTHER }, ingress)), 'nak');
    });
    it(`${name}: is silent about an unknown lease unless authoritative`, () => {
      const silent = makeWorld(configOf([scopeOf()], { authoritative: false }));
      assert.equal(outcome(silent.send(sent, ingress)), 'drop unknown-lease');
      assert.equal(outcome(makeWorld().send(sent, ingress)), 'nak');
    });
    it(`${name}: is answered whichever server's client it is`, () => {
      const rights = rightsWith({ answers: () => ({ yes: false, why: 'not our bucket' }) });
      const world = makeWorld(undefined, () => rights);
      world.change('10.0.0.10', { state: 'active', hardware: hexBytes('01 02 00 00 00 00 01') });
      assert.equal(outcome(world.send(sent, ingress)), 'ack 10.0.0.10');
    });
    it(`${name}: an address excluded, cut off or of a deactivated scope is refused, and the lease runs on`, () => {
      const changes = [
        scopeOf({ exclusions: [{ start: '10.0.0.10', end: '10.0.0.11' }] }),
        scopeOf({ startRange: '10.0.0.12' }),
        scopeOf({ state: 'Inactive' }),
      ];
      for (const scope of changes) {
        const world = leasedWorld();
        world.reconfigure(configOf([scope]));
        assert.equal(outcome(world.send(sent, ingress)), 'nak');
        assert.equal(world.binding('10.0.0.10').state, 'active');
        assert.equal(outcome(world.send({ ...sent, mac: OTHER }, ingress)).startsWith('ack'), false);
      }
    });
  }

  it('rebinding from a wrong network is refused', () => {
    const world = leasedWorld([
      configOf([scopeOf(), scopeOf({ scopeId: '10.0.1.0', startRange: '10.0.1.10', endRange: '10.0.1.20' })]),
    ]);
    assert.equal(outcome(world.send({ type: 'request', ciaddr: '10.0.0.10', giaddr: '10.0.1.1' }, RELAYED)), 'nak');
  });

  it('never learns a lease from a client that rebinds', () => {
    const world = makeWorld(undefined, () => rightsWith({ isNormal: () => false }));
    assert.equal(outcome(world.send({ type: 'request', ciaddr: '10.0.0.15' })), 'drop unknown-lease');
    assert.equal(world.binding('10.0.0.15').state, 'free');
  });

  it('renews a lease whose end has passed but was not acted on yet', () => {
    const world = leasedWorld();
    world.advance(1001);
    assert.equal(outcome(world.send({ type: 'request', ciaddr: '10.0.0.10' }, DIRECT)), 'ack 10.0.0.10');
  });

  it('a request that names no address at all is malformed', () => {
    assert.equal(outcome(makeWorld().send({ type: 'request' })), 'drop malformed');
  });

  it('a NAK carries the reason and nothing of the lease', () => {
    const nak = read(leasedWorld().send({ type: 'request', mac: OTHER, clientId: '01 aa', requested: '10.0.0.10' }));
    assert.deepEqual(
      [...nak.packet.options.keys()].sort((a, b) => a - b),
      [53, 54, 56, 61],
    );
    assert.equal(nak.address, '0.0.0.0');
    assert.deepEqual(nak.plan.destination, { kind: 'broadcast' });
  });
});
