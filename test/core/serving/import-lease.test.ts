/** Leases of another server, taken over: what is made of them, and each reason to refuse one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ImportVerdict, LeaseToImport } from '../../../src/core/serving/serving-types.ts';
import { type EpochSec, INFINITE_AT, type Ip4, ip4 } from '../../../src/wire/units.ts';
import { rightsWith } from './fake-rights.ts';
import { at, configOf, hexBytes, makeWorld, outcome, START_AT, scopeOf, type World } from './world.ts';

const MAC = '02 00 00 00 00 01';

function leaseOf(address: string, more: Partial<LeaseToImport> = {}): LeaseToImport {
  return {
    address: at(address),
    state: 'active',
    clientId: undefined,
    hardware: hexBytes(`01 ${MAC}`),
    hostName: undefined,
    startAt: (START_AT - 100) as EpochSec,
    endAt: (START_AT + 5000) as EpochSec,
    ...more,
  };
}

function word(verdict: ImportVerdict): string {
  return verdict.kind === 'refused' ? verdict.why : verdict.kind;
}

function take(world: World, lease: LeaseToImport, isTrial = false): string {
  return word(world.serving.importLease(world.now, lease, isTrial));
}

const SCOPE = scopeOf({
  exclusions: [{ start: '10.0.0.15', end: '10.0.0.16' }],
  reservations: [
    {
      address: '10.0.0.12',
      client: { kind: 'hardware', hex: '020000000009' },
      name: '',
      description: '',
      type: 'Both',
      options: [],
    },
    {
      address: '10.0.0.100',
      client: { kind: 'client-id', hex: 'ff01' },
      name: '',
      description: '',
      type: 'Both',
      options: [],
    },
    {
      address: '10.0.0.101',
      client: { kind: 'circuit-id', hex: '0102' },
      name: '',
      description: '',
      type: 'Both',
      options: [],
    },
  ],
});

test('an imported lease is a binding of its client, with its times and its name, and the client renews it', () => {
  const world = makeWorld();
  const hostName = new TextEncoder().encode('printer');
  assert.equal(take(world, leaseOf('10.0.0.14', { hostName, clientId: hexBytes('01 aa bb') })), 'made');
  const { state, leaseEndAt, lastTransactionAt, grantedHere, dirty, ...rest } = world.binding('10.0.0.14');
  assert.deepEqual([state, leaseEndAt, lastTransactionAt], ['active', START_AT + 5000, START_AT - 100]);
  assert.deepEqual([grantedHere, dirty, rest.hostName], [true, false, hostName]);
  assert.deepEqual([rest.clientId, rest.hardware], [hexBytes('01 aa bb'), hexBytes(`01 ${MAC}`)]);
  const renewal = world.send({ type: 'request', mac: MAC, clientId: '01 aa bb', ciaddr: '10.0.0.14' });
  assert.equal(outcome(renewal), 'ack 10.0.0.14');
});

test('each reason to refuse a lease is told', () => {
  const world = makeWorld(configOf([SCOPE]));
  world.lease({ mac: '02 00 00 00 00 07' });
  world.change('10.0.0.17', { state: 'abandoned' });
  const reasons = [
    leaseOf('10.9.0.1'),
    leaseOf('10.0.0.9'),
    leaseOf('10.0.0.15'),
    leaseOf('10.0.0.12'),
    leaseOf('10.0.0.10'),
    leaseOf('10.0.0.13', { endAt: START_AT as EpochSec }),
    leaseOf('10.0.0.17'),
    leaseOf('10.0.0.101'),
    leaseOf('10.0.0.100', { clientId: hexBytes('ff 02') }),
  ].map((lease) => take(world, lease));
  assert.deepEqual(reasons, [
    'unknown-scope',
    'outside-pool',
    'excluded',
    'reserved',
    'held',
    'over',
    'set-aside',
    'reserved',
    'reserved',
  ]);
});

test('a reserved address is taken over for the client that it is reserved for, and known as serving knows it', () => {
  const world = makeWorld(configOf([SCOPE]));
  const hardware = hexBytes('01 02 00 00 00 00 09');
  assert.equal(take(world, leaseOf('10.0.0.12', { hardware, clientId: hexBytes('ff 05') })), 'made');
  const { clientId, ipFlags } = world.binding('10.0.0.12');
  assert.deepEqual([clientId, ipFlags], [undefined, 1]);
  assert.equal(take(world, leaseOf('10.0.0.100', { clientId: hexBytes('ff 01') })), 'made');
  assert.deepEqual(world.binding('10.0.0.100').clientId, hexBytes('ff 01'));
});

test('what this server knows of its own client is never put back by an older lease', () => {
  const world = makeWorld();
  const address = world.lease({ mac: MAC });
  const before = world.binding(address);
  assert.equal(take(world, leaseOf(address, { endAt: (START_AT + 500) as EpochSec })), 'present');
  assert.equal(take(world, leaseOf(address)), 'present', 'a longer one of before the renewal here');
  assert.deepEqual(world.binding(address), before);
  world.advance(10);
  assert.equal(take(world, leaseOf(address, { startAt: (START_AT + 5) as EpochSec })), 'made', 'renewed there since');
  assert.equal(world.binding(address).leaseEndAt, START_AT + 5000);
});

test('a client that gave the address up here does not get it back by an older lease', () => {
  const world = makeWorld();
  take(world, leaseOf('10.0.0.14'));
  world.advance(10);
  const released = world.send({ type: 'release', mac: MAC, ciaddr: '10.0.0.14' });
  assert.equal(outcome(released), 'done');
  assert.equal(take(world, leaseOf('10.0.0.14')), 'newer');
  assert.equal(world.binding('10.0.0.14').state, 'free');
});

test('a declined address is set aside until it would be usable there, at most for the time that holds here', () => {
  const world = makeWorld(configOf([scopeOf()], { declineHoldSec: 600 }));
  const declined: LeaseToImport = leaseOf('10.0.0.14', { state: 'declined', hardware: undefined });
  assert.equal(take(world, declined), 'made');
  assert.deepEqual(
    [world.binding('10.0.0.14').state, world.binding('10.0.0.14').stateSinceAt],
    ['abandoned', START_AT],
  );
  assert.equal(take(world, declined), 'present');
  assert.equal(take(world, { ...declined, address: at('10.0.0.13'), endAt: (START_AT + 60) as EpochSec }), 'made');
  assert.equal(world.binding('10.0.0.13').stateSinceAt, START_AT + 60 - 600 + 440, 'not before it was declined');
  const old = (START_AT - 5000) as EpochSec;
  assert.equal(
    take(world, { ...declined, address: at('10.0.0.12'), startAt: old, endAt: (START_AT + 60) as EpochSec }),
    'made',
  );
  assert.equal(world.binding('10.0.0.12').stateSinceAt, START_AT + 60 - 600);
  assert.equal(take(world, { ...declined, address: at('10.0.0.11'), endAt: START_AT as EpochSec }), 'over');
  const taken = world.lease({ mac: '02 00 00 00 00 07' });
  assert.equal(take(world, { ...declined, address: at(taken) }), 'held');
});

test('an address that was used or set aside here since is not set aside again', () => {
  const world = makeWorld(configOf([scopeOf()], { declineHoldSec: 600 }));
  const declined = leaseOf('10.0.0.14', { state: 'declined', hardware: undefined });
  take(world, declined);
  world.change('10.0.0.14', { state: 'free', stateSinceAt: (START_AT + 1) as EpochSec });
  world.advance(10);
  assert.equal(take(world, declined), 'newer');
  assert.equal(take(world, { ...declined, startAt: (START_AT + 5) as EpochSec }), 'made', 'declined there later');
});

test('a trial says what would be and changes nothing', () => {
  const world = makeWorld();
  const before = world.binding('10.0.0.14');
  assert.equal(take(world, leaseOf('10.0.0.14'), true), 'made');
  assert.deepEqual(world.binding('10.0.0.14'), before);
});

test('an offer to another client gives way to a lease that exists', () => {
  const world = makeWorld();
  const offer = outcome(world.send({ type: 'discover', mac: '02 00 00 00 00 07' }));
  assert.equal(offer, 'offer 10.0.0.10');
  assert.equal(take(world, leaseOf('10.0.0.10')), 'made');
  assert.equal(world.serving.isOffered(at('10.0.0.10')), false);
  const request = { type: 'request', mac: '02 00 00 00 00 07', requested: '10.0.0.10', serverId: '10.0.0.2' } as const;
  assert.notEqual(outcome(world.send(request)), 'ack 10.0.0.10');
});

test('specification 5.1: an address that is the partner’s to give is left to the partner', () => {
  const world = makeWorld(undefined, () => rightsWith());
  world.change('10.0.0.14', { state: 'backup', ownedAs: 'backup' });
  assert.equal(take(world, leaseOf('10.0.0.14')), 'partners');
  world.change('10.0.0.13', { state: 'expired', hardware: hexBytes('01 02 00 00 00 00 07') });
  assert.equal(take(world, leaseOf('10.0.0.13')), 'unsettled');
  assert.equal(take(world, leaseOf('10.0.0.12')), 'made');
  const { dirty, told } = world.binding('10.0.0.12');
  assert.deepEqual([dirty, told], [true, false], 'the partner is owed an update');
});

test('specification 7, P4: a lease without end is taken over only out of the own share', () => {
  const world = makeWorld(undefined, () => rightsWith({ mayAllocate: () => true }));
  world.change('10.0.0.14', { state: 'backup', ownedAs: 'backup' });
  assert.equal(take(world, leaseOf('10.0.0.14', { endAt: INFINITE_AT })), 'partners');
  assert.equal(take(world, leaseOf('10.0.0.13', { endAt: INFINITE_AT })), 'made');
  assert.equal(world.binding('10.0.0.13').leaseEndAt, INFINITE_AT);
});

test('nothing is taken over in a failover state without service', () => {
  const world = makeWorld(undefined, () => rightsWith({ service: () => ({ serves: 'none', why: 'RECOVER' }) }));
  assert.equal(take(world, leaseOf('10.0.0.14')), 'not-serving');
});

test('specification 7, I5: a lease longer than MCLT that the partner cannot be told now is counted', () => {
  const bounded = { grantSec: (_now: unknown, desired: number) => Math.min(desired, 3600) as never };
  const alone = makeWorld(undefined, () => rightsWith({ ...bounded, isNormal: () => false }));
  const untold = (world: World, address: string, endAt: number): unknown => {
    const verdict = world.serving.importLease(world.now, leaseOf(address, { endAt: endAt as EpochSec }), false);
    return verdict.kind === 'made' && verdict.isPartnerUntold;
  };
  assert.equal(untold(alone, '10.0.0.10', START_AT + 3601), true);
  assert.equal(untold(alone, '10.0.0.11', START_AT + 3600), false);
  const normal = makeWorld(undefined, () => rightsWith(bounded));
  assert.equal(untold(normal, '10.0.0.10', START_AT + 9999), false);
});

test('a client imported by its hardware address as identifier is known without one, and stays named so', () => {
  const world = makeWorld();
  take(world, leaseOf('10.0.0.14', { clientId: hexBytes(`01 ${MAC}`) }));
  assert.equal(outcome(world.send({ type: 'discover', mac: MAC })), 'offer 10.0.0.14');
  assert.equal(outcome(world.send({ type: 'request', mac: MAC, ciaddr: '10.0.0.14' })), 'ack 10.0.0.14');
  assert.deepEqual(world.binding('10.0.0.14').clientId, hexBytes(`01 ${MAC}`));
  assert.equal(outcome(world.send({ type: 'request', mac: '02 00 00 00 00 05', ciaddr: '10.0.0.14' })), 'nak');
  assert.equal(outcome(world.send({ type: 'release', mac: MAC, ciaddr: '10.0.0.14' })), 'done');
  assert.equal(world.binding('10.0.0.14').state, 'free');
});

test('law: importing again changes nothing, and no living binding of another client is ever touched', () => {
  const lease = fc
    .record({
      last: fc.integer({ min: 8, max: 22 }),
      client: fc.integer({ min: 1, max: 4 }),
      declined: fc.boolean(),
      start: fc.integer({ min: -700, max: 20 }),
      end: fc.integer({ min: -20, max: 2000 }),
      withId: fc.boolean(),
    })
    .map(({ last, client, declined, start, end, withId }) => ({
      address: ip4(at('10.0.0.0') + last),
      state: declined ? ('declined' as const) : ('active' as const),
      clientId: withId && !declined ? Uint8Array.of(1, client) : undefined,
      hardware: declined ? undefined : Uint8Array.of(1, 2, 0, 0, 0, 0, client),
      hostName: undefined,
      startAt: (START_AT + start) as EpochSec,
      endAt: (START_AT + end) as EpochSec,
    }));
  const byAddress = fc.uniqueArray(lease, { maxLength: 15, selector: ({ address }) => address });
  const lived = fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 5 });
  fc.assert(
    fc.property(byAddress, lived, (leases, clients) => {
      const world = makeWorld(configOf([SCOPE], { declineHoldSec: 600 }));
      for (const client of new Set(clients)) world.lease({ mac: `02 00 00 00 00 0${client}` });
      const all = (): unknown[] => world.bindings.scan(at('10.0.0.0'), at('10.0.0.0'), 256);
      const before = new Map(world.bindings.scan(at('10.0.0.0'), 0 as Ip4, 256).map((one) => [one.address, one]));
      const first = leases.map((one) => take(world, one));
      const after = all();
      const second = leases.map((one) => take(world, one));
      assert.deepEqual(all(), after);
      assert.ok(second.every((verdict) => verdict !== 'made'));
      assert.deepEqual(
        second,
        first.map((verdict) => (verdict === 'made' ? 'present' : verdict)),
      );
      for (const [address, held] of before) {
        const now = world.bindings.find(address)!;
        assert.deepEqual([now.clientId, now.hardware], [held.clientId, held.hardware]);
        assert.ok(now.leaseEndAt >= held.leaseEndAt);
      }
    }),
  );
});
