/** What serving makes of the rights that a relationship gives it (failover specification 4.1, 5.2, 5.5, 6.2, 8.4). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Binding } from '../../../src/core/bindings/binding.ts';
import type { AnswerAsk, Rights } from '../../../src/core/failover/endpoint-types.ts';
import type { EpochSec, Sec } from '../../../src/wire/units.ts';
import { rightsWith, sec } from './fake-rights.ts';
import {
  at,
  configOf,
  DIRECT,
  hexBytes,
  LOCAL,
  makeWorld,
  outcome,
  read,
  SERVER,
  START_AT,
  scopeOf,
  uint32,
  type World,
} from './world.ts';

const OTHER = '02 00 00 00 00 99';
const OWN_HARDWARE = hexBytes('01 02 00 00 00 00 01');

function pairWorld(more: Partial<Rights> = {}): World {
  return makeWorld(undefined, () => rightsWith(more));
}

describe('4.1 what each state serves', () => {
  const none = (): World => {
    const world = pairWorld({ service: () => ({ serves: 'none', why: 'RECOVER' }) });
    world.change('10.0.0.10', { state: 'active', hardware: OWN_HARDWARE });
    return world;
  };
  it('none: no answer to anything, and nothing changes', () => {
    for (const sent of [
      { type: 'discover' },
      { type: 'request', serverId: SERVER, requested: '10.0.0.10' },
      { type: 'request', requested: '10.0.0.10' },
      { type: 'request', ciaddr: '10.0.0.10' },
      { type: 'request', ciaddr: '192.0.2.1' },
      { type: 'release', ciaddr: '10.0.0.10' },
      { type: 'decline', requested: '10.0.0.10' },
    ] as const) {
      const world = none();
      const decision = world.send(sent);
      assert.equal(outcome(decision), 'drop not-serving', JSON.stringify(sent));
      assert.deepEqual(decision.changed, []);
      assert.equal(world.binding('10.0.0.10').state, 'active');
    }
  });

  it('renew: the own lease is renewed, and nothing else happens, not even a NAK', () => {
    const world = pairWorld({ service: () => ({ serves: 'renew', why: 'RECOVER-DONE' }) });
    const leaseEndAt = (START_AT + 1) as EpochSec;
    world.change('10.0.0.10', { state: 'active', hardware: OWN_HARDWARE, leaseEndAt });
    world.change('10.0.0.12', { state: 'active', hardware: OWN_HARDWARE, leaseEndAt: START_AT as EpochSec });
    assert.equal(outcome(world.send({ type: 'request', ciaddr: '10.0.0.10' }, DIRECT)), 'ack 10.0.0.10');
    assert.equal(outcome(world.send({ type: 'request', ciaddr: '10.0.0.10' }, LOCAL)), 'ack 10.0.0.10');
    for (const sent of [
      { type: 'discover' },
      { type: 'request', mac: OTHER, ciaddr: '10.0.0.10' },
      { type: 'request', ciaddr: '10.0.0.11' },
      // Its own too, but over: the partner may have given it on.
      { type: 'request', ciaddr: '10.0.0.12' },
      { type: 'request', ciaddr: '192.0.2.1' },
      { type: 'request', requested: '10.0.0.10' },
      { type: 'request', serverId: SERVER, requested: '10.0.0.10' },
      { type: 'release', ciaddr: '10.0.0.10' },
      { type: 'decline', requested: '10.0.0.10' },
    ] as const) {
      assert.equal(outcome(world.send(sent)), 'drop not-serving', JSON.stringify(sent));
    }
  });
});

describe('8.4 who answers', () => {
  it("is silent to the partner's clients and says so", () => {
    const decision = pairWorld({ answers: () => ({ yes: false, why: 'bucket 34 is the partner’s' }) }).send({});
    assert.equal(outcome(decision), 'drop partners-client');
    assert.match(decision.reason, /bucket 34/);
  });

  it('hands over the RFC 3074 bucket of identifier or hardware address, and secs', () => {
    const asks: AnswerAsk[] = [];
    const world = pairWorld({
      answers: (_now, ask) => {
        asks.push(ask);
        return { yes: true, why: '' };
      },
    });
    world.send({ mac: '00 11 22 33 44 55', secs: 7 });
    world.send({ mac: '00 11 22 33 44 55', clientId: '01 00 11 22 33 44 55' });
    assert.deepEqual(
      asks.map(({ bucket, secs, scopeId }) => [bucket, secs, scopeId]),
      [
        [135, 7, at('10.0.0.0')],
        [223, 0, at('10.0.0.0')],
      ],
    );
  });

  it('tells for how long the same client has asked in vain, until it is answered by anybody', () => {
    const waits: number[] = [];
    const world = pairWorld({
      answers: (_now, { unansweredMs }) => {
        waits.push(unansweredMs);
        return { yes: false, why: 'not ours' };
      },
    });
    world.send({});
    world.advance(2);
    world.send({});
    world.advance(2);
    world.send({ mac: OTHER });
    world.send({});
    // The partner was chosen: the client has been answered.
    world.send({ type: 'request', serverId: '10.0.0.3', requested: '10.0.0.10' });
    world.advance(2);
    world.send({});
    world.advance(3600);
    world.send({});
    assert.deepEqual(waits, [0, 2000, 0, 4000, 0, 0]);
  });

  it('a superscope over two relationships: each scope by its own rule', () => {
    const north = scopeOf({ superscopeName: 'campus' });
    const south = scopeOf({
      scopeId: '10.0.1.0',
      startRange: '10.0.1.10',
      endRange: '10.0.1.20',
      superscopeName: 'campus',
    });
    const silent = rightsWith({ answers: () => ({ yes: false, why: 'not ours' }) });
    const world = makeWorld(configOf([north, south]), (scopeId) =>
      scopeId === at('10.0.0.0') ? silent : rightsWith(),
    );
    assert.equal(outcome(world.send({})), 'offer 10.0.1.10');
  });
});

describe('5.1 and 5.5 which addresses', () => {
  it('the secondary gives the ones that are kept for it', () => {
    const world = pairWorld({ own: 'backup', mayAllocate: (_now, binding) => binding.state === 'backup' });
    world.change('10.0.0.14', { state: 'backup' });
    assert.equal(world.lease({}), '10.0.0.14');
    assert.equal(world.binding('10.0.0.14').ownedAs, 'backup');
    assert.equal(outcome(world.send({ mac: OTHER, requested: '10.0.0.12' })), 'drop no-address');
  });

  it("the partner's are used only once the wait of PARTNER-DOWN is over", () => {
    let usableAt: EpochSec | undefined;
    const world = makeWorld(configOf([scopeOf({ endRange: '10.0.0.11' })]), () =>
      rightsWith({
        partnersUsableAt: () => usableAt,
        mayAllocate: (now, binding) =>
          binding.state === 'free' || (binding.state === 'backup' && usableAt !== undefined && usableAt <= now.wallAt),
      }),
    );
    world.change('10.0.0.10', { state: 'backup' });
    world.change('10.0.0.11', { state: 'backup' });
    assert.equal(outcome(world.send({})), 'drop no-address');
    usableAt = (START_AT + 100) as EpochSec;
    assert.equal(outcome(world.send({})), 'drop no-address');
    world.advance(100);
    assert.equal(world.lease({}), '10.0.0.10');
    assert.equal(world.binding('10.0.0.10').ownedAs, 'backup');
  });

  it('waits of single addresses are asked of the rights one by one', () => {
    const world = pairWorld({
      mayAllocate: (_now, binding) => binding.address === at('10.0.0.17'),
      partnersUsableAt: () => START_AT as EpochSec,
    });
    for (let n = 10; n <= 20; n++) world.change(`10.0.0.${n}`, { state: 'backup' });
    assert.equal(outcome(world.send({})), 'offer 10.0.0.17');
  });

  it("a last address that is the partner's now is not given back by us", () => {
    const world = pairWorld();
    world.change('10.0.0.15', { state: 'backup', hardware: OWN_HARDWARE });
    assert.equal(outcome(world.send({})), 'offer 10.0.0.10');
  });
});

describe('5.2 undo and what a binding says', () => {
  const undoRights: Partial<Rights> = { mayRevive: (_now, binding: Binding) => !binding.dirty };
  it('what the rights let go back to its client alone goes to nobody else', () => {
    const world = pairWorld(undoRights);
    world.change('10.0.0.10', { state: 'expired', hardware: OWN_HARDWARE });
    assert.equal(outcome(world.send({ mac: OTHER, requested: '10.0.0.10' })), 'offer 10.0.0.11');
    assert.equal(outcome(world.send({ type: 'request', mac: OTHER, ciaddr: '10.0.0.10' }, DIRECT)), 'nak');
    assert.equal(outcome(world.send({ type: 'request', ciaddr: '10.0.0.10' }, DIRECT)), 'ack 10.0.0.10');
  });

  it('no revival while the partner may have been told (7, I9)', () => {
    const world = pairWorld(undoRights);
    world.change('10.0.0.10', { state: 'expired', hardware: OWN_HARDWARE, dirty: true });
    assert.equal(outcome(world.send({ type: 'request', ciaddr: '10.0.0.10' }, DIRECT)), 'drop unknown-lease');
    assert.equal(outcome(world.send({ type: 'request', requested: '10.0.0.10' })), 'drop unknown-lease');
    assert.equal(outcome(world.send({})), 'offer 10.0.0.11');
  });

  it('a released lease goes back to its client when the rights allow it, and what was told of it stays', () => {
    const world = pairWorld(undoRights);
    world.change('10.0.0.10', {
      state: 'released',
      hardware: OWN_HARDWARE,
      told: true,
      ackedPotentialAt: (START_AT + 500) as EpochSec,
      ownedAs: 'backup',
    });
    assert.equal(world.lease({}), '10.0.0.10');
    const binding = world.binding('10.0.0.10');
    assert.equal(binding.told, true);
    assert.equal(binding.ackedPotentialAt, START_AT + 500);
    assert.equal(binding.ownedAs, 'backup');
    assert.equal(binding.stateSinceAt, START_AT);
  });

  it('a new client starts from zero, whatever was known of the one before (6.1)', () => {
    const world = makeWorld(configOf([scopeOf({ endRange: '10.0.0.10' })]), () =>
      rightsWith({ mayAllocate: () => true }),
    );
    world.change('10.0.0.10', {
      state: 'expired',
      hardware: hexBytes('01 02 00 00 00 00 77'),
      hostName: hexBytes('61'),
      told: true,
      sentPotentialAt: 5 as EpochSec,
      ackedPotentialAt: 6 as EpochSec,
      recvPotentialAt: 7 as EpochSec,
    });
    assert.equal(world.lease({}), '10.0.0.10');
    const binding = world.binding('10.0.0.10');
    assert.deepEqual([binding.sentPotentialAt, binding.ackedPotentialAt, binding.recvPotentialAt], [0, 0, 0]);
    assert.equal(binding.hostName, undefined);
    assert.equal(binding.dirty, true);
  });

  it('with each grant goes the potential end that the partner is to hear: from what was wanted, what was granted, what was sent (6.2)', () => {
    const world = pairWorld({
      grantSec: () => sec(60),
      potentialEndAt: (now, desired, granted, binding) =>
        Math.max(now.wallAt + desired + granted / 2, binding.sentPotentialAt) as EpochSec,
    });
    const wanted = START_AT + scopeOf({}).leaseDurationSec + 30;
    assert.equal(world.lease({}), '10.0.0.10');
    assert.equal(world.binding('10.0.0.10').sentPotentialAt, wanted);
    assert.equal(world.binding('10.0.0.10').leaseEndAt, START_AT + 60);
    world.change('10.0.0.10', { ...world.binding('10.0.0.10'), sentPotentialAt: (wanted + 500) as EpochSec });
    assert.equal(outcome(world.send({ type: 'request', ciaddr: '10.0.0.10' }, DIRECT)), 'ack 10.0.0.10');
    assert.equal(world.binding('10.0.0.10').sentPotentialAt, wanted + 500);
  });

  it('an address leased from available is told to nobody yet', () => {
    const world = pairWorld();
    world.change('10.0.0.10', { hardware: OWN_HARDWARE, told: true });
    assert.equal(world.lease({}), '10.0.0.10');
    assert.equal(world.binding('10.0.0.10').told, false);
  });

  it('keeps host name and relay information, from option 12 or 81, over renewals without them', () => {
    const world = pairWorld();
    world.lease({ options: { 12: '686f7374' }, relay: '01 01 aa' });
    world.send({ type: 'request', ciaddr: '10.0.0.10' }, DIRECT);
    assert.deepEqual(world.binding('10.0.0.10').hostName, hexBytes('686f7374'));
    assert.deepEqual(world.binding('10.0.0.10').relayInfo, hexBytes('01 01 aa'));
    world.send({ type: 'request', ciaddr: '10.0.0.10', options: { 81: '0000006e616d65' } }, DIRECT);
    assert.deepEqual(world.binding('10.0.0.10').hostName, hexBytes('6e616d65'));
  });
});

describe('6.2 lease time', () => {
  it('OFFER and ACK tell what the rights grant, and the binding ends then', () => {
    const asked: number[] = [];
    const world = pairWorld({
      grantSec: (_now, desired, binding) => {
        asked.push(binding?.address ?? 0);
        return Math.min(desired, 60) as Sec;
      },
    });
    assert.equal(uint32(read(world.send({})).packet.options.get(51)), 60);
    const ack = world.send({ type: 'request', serverId: SERVER, requested: '10.0.0.10' });
    assert.equal(uint32(read(ack).packet.options.get(51)), 60);
    assert.equal(world.binding('10.0.0.10').leaseEndAt, START_AT + 60);
    assert.deepEqual(asked, [0, 0]);
    world.send({ type: 'request', ciaddr: '10.0.0.10' }, DIRECT);
    assert.equal(asked[2], at('10.0.0.10'));
  });

  it('another client’s times never lengthen a lease', () => {
    const seen: (Binding | undefined)[] = [];
    const world = pairWorld({
      mayAllocate: () => true,
      grantSec: (_now, _desired, binding) => {
        seen.push(binding);
        return sec(60);
      },
    });
    world.change('10.0.0.10', { state: 'expired', hardware: hexBytes('01 02 00 00 00 00 77') });
    world.send({ requested: '10.0.0.10' });
    assert.deepEqual(seen, [undefined]);
  });
});
