/** The formulas of MCLT and of the waits, with the specification's own example. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyBinding } from '../../../src/core/bindings/binding.ts';
import {
  boundedGrantSec,
  goneClientsAddressUsableAt,
  partnersAddressesUsableAt,
  potentialAfterGrantAt,
  recoverWaitEndsAt,
} from '../../../src/core/failover/times.ts';
import { type EpochSec, INFINITE_AT, INFINITE_SEC, type Ip4, type Sec } from '../../../src/wire/units.ts';

const MCLT = 60 as Sec;
const DESIRED = 600 as Sec;
const BASE = 1_800_000_000;
const at = (t: number): EpochSec => (t === 0 ? 0 : BASE + t) as EpochSec;

test('6.2 the example: every row of grants, ends and potential ends', () => {
  const binding = emptyBinding(1 as Ip4, 'free');
  const grant = (t: number): [number, number, number] => {
    const now = (BASE + t) as EpochSec;
    const granted = boundedGrantSec(now, DESIRED, MCLT, binding);
    const potential = potentialAfterGrantAt(now, DESIRED, granted, binding.sentPotentialAt);
    binding.sentPotentialAt = potential;
    return [granted, t + granted, potential - BASE];
  };
  assert.deepEqual(grant(0), [60, 60, 630]);
  binding.ackedPotentialAt = at(630);
  assert.deepEqual(grant(30), [600, 630, 930]);
  binding.ackedPotentialAt = at(930);
  assert.deepEqual(grant(330), [600, 930, 1230]);
  binding.ackedPotentialAt = at(1230);
  assert.deepEqual(grant(630), [600, 1230, 1530]);
  assert.deepEqual(grant(930), [360, 1290, 1710]);
  assert.deepEqual(grant(1110).slice(0, 2), [180, 1290]);
  assert.deepEqual(grant(1200).slice(0, 2), [90, 1290]);
  assert.deepEqual(grant(1245).slice(0, 2), [60, 1305]);
  const partners = { ...emptyBinding(1 as Ip4, 'free'), recvPotentialAt: at(1230) };
  assert.equal(boundedGrantSec(at(1000), DESIRED, MCLT, partners), 290);
});

test('6.2 a lease end set by this server lends no reach: renewals without acknowledgement stay at MCLT', () => {
  const binding = { ...emptyBinding(1 as Ip4, 'free'), leaseEndAt: at(5000) };
  assert.equal(boundedGrantSec(at(100), DESIRED, MCLT, binding), 60);
});

test('6.1 infinity absorbs', () => {
  const binding = { ...emptyBinding(1 as Ip4, 'free'), ackedPotentialAt: INFINITE_AT };
  assert.equal(boundedGrantSec(at(100), INFINITE_SEC, MCLT, binding), INFINITE_SEC);
  assert.equal(boundedGrantSec(at(100), INFINITE_SEC, MCLT, undefined), 60);
  assert.equal(potentialAfterGrantAt(at(100), INFINITE_SEC, MCLT, at(0)), INFINITE_AT);
});

test('6.2 potential end: never below the one sent before nor below the lease end', () => {
  assert.equal(potentialAfterGrantAt(at(100), DESIRED, MCLT, at(9000)), at(9000));
  assert.equal(potentialAfterGrantAt(at(100), 10 as Sec, MCLT, at(0)), at(160));
});

test('5.5 waits in PARTNER-DOWN, row by row', () => {
  const down = at(1000);
  const wait = 65;
  assert.equal(partnersAddressesUsableAt(down, MCLT, 5 as Sec), at(1065));
  const usable = (change: object): number =>
    goneClientsAddressUsableAt(
      { ...emptyBinding(1 as Ip4, 'free'), told: true, state: 'active', ...change },
      down,
      MCLT,
      5 as Sec,
    ) - BASE;
  assert.equal(usable({ leaseEndAt: at(500) }), 1000 + wait);
  assert.equal(usable({ leaseEndAt: at(2000) }), 2000 + wait);
  assert.equal(usable({ sentPotentialAt: at(2100) }), 2100 + wait);
  assert.equal(usable({ ackedPotentialAt: at(2200) }), 2200 + wait);
  assert.equal(usable({ recvPotentialAt: at(2300) }), 2300 + wait);
  assert.equal(usable({ state: 'released', stateSinceAt: at(1500), leaseEndAt: at(1200) }), 1500 + wait);
  assert.equal(usable({ state: 'expired', stateSinceAt: at(1500), leaseEndAt: at(1200) }), 1200 + wait);
  // Leased here, and the partner never heard of it: its own end.
  assert.equal(usable({ told: false, leaseEndAt: at(1200) }), 1200);
});

test('5.5 a client that released here may have gone back to the partner: its potential ends count all the same', () => {
  const binding = {
    ...emptyBinding(1 as Ip4, 'free'),
    told: true,
    state: 'released' as const,
    stateSinceAt: at(1500),
    recvPotentialAt: at(3000),
  };
  assert.equal(goneClientsAddressUsableAt(binding, at(1000), MCLT, 5 as Sec), at(3065));
});

test('4.4 RECOVER-WAIT: MCLT and the allowance after the failure; none for a server that never served', () => {
  assert.equal(recoverWaitEndsAt(at(100), MCLT, 5 as Sec), at(165));
  assert.equal(recoverWaitEndsAt(at(0), MCLT, 5 as Sec), 0);
});
