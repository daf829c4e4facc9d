/** How far a lease may still be extended, after one server went on alone (specification 7, I3 and I5). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyBinding } from '../../../src/core/bindings/binding.ts';
import { applied } from '../../../src/core/failover/update-values.ts';
import type { BindingUpdate } from '../../../src/wire/failover/messages.ts';
import { type EpochSec, ip4 } from '../../../src/wire/units.ts';

const ADDRESS = ip4(0x0a000105);
const HARDWARE = Uint8Array.of(1, 2, 0, 0, 0, 0, 5);
const at = (sec: number): EpochSec => sec as EpochSec;

function lease(recvPotentialAt: number): ReturnType<typeof emptyBinding> {
  return {
    ...emptyBinding(ADDRESS, 'free'),
    state: 'active',
    hardware: HARDWARE,
    leaseEndAt: at(1000),
    recvPotentialAt: at(recvPotentialAt),
    lastTransactionAt: at(400),
    told: true,
  };
}

const UPDATE: BindingUpdate = {
  address: ADDRESS,
  state: 'active',
  hardware: HARDWARE,
  leaseEndAt: at(1200),
  potentialEndAt: at(1500),
  stateSinceAt: at(900),
  lastTransactionAt: at(900),
};

test('who may extend a lease beyond what the partner expects tells it so', () => {
  const next = applied(lease(9000), UPDATE, at(901), 'twinlease', 0);
  assert.equal(next.recvPotentialAt, 9000);
  assert.equal(next.dirty, true);
});

test('a partner that expects as much is told nothing', () => {
  assert.equal(applied(lease(1500), UPDATE, at(901), 'twinlease', 0).dirty, false);
});
