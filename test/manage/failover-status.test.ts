/** `failover.status`: the facts behind the words, counted from the leases of the relationship. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EpochSec } from '../../src/wire/units.ts';
import { type FakeWorld, lease, pairedServers } from './fake-control.ts';

interface Status {
  readonly State: string;
  readonly Meaning: string;
  readonly Answers: string;
  readonly Waits: readonly string[];
  readonly Next: string;
  readonly ToDo: string;
  readonly PartnerKind: string;
  readonly HeldByPartner: number;
  readonly HeldByPartnerUntil: number | null;
  readonly ClockAllowance: number;
  readonly NewClientsLastHour: number;
  readonly Fetching: string | null;
}

async function statusOf(world: FakeWorld): Promise<Status> {
  const outcome = await world.a.run('failover.status');
  assert.ok(outcome.kind === 'ok');
  const [status] = outcome.value as Status[];
  assert.ok(status !== undefined);
  return status;
}

const at = (time: number): EpochSec => time as EpochSec;

test('in Normal it tells the shares, how many clients are new, and that nothing is to do', async () => {
  const world = await pairedServers({ LoadBalancePercent: 70 });
  const now = world.wallAt;
  for (const [offset, since] of [
    [10, now - 10],
    [11, now - 3599],
    [12, now - 3600],
  ] as const)
    lease(world.a, `10.0.1.${offset}`, offset, {
      grantedHere: true,
      stateSinceAt: at(since),
      leaseEndAt: at(now + 900),
    });
  lease(world.a, '10.0.1.13', 13, { grantedHere: false, stateSinceAt: at(now), leaseEndAt: at(now + 900) });
  const status = await statusOf(world);
  assert.equal(status.State, 'Normal');
  assert.equal(status.NewClientsLastHour, 2);
  assert.match(status.Answers, /answers 70 % of new clients and dhcp2 the other 30 %/);
  assert.deepEqual(
    [status.Waits, status.ToDo, status.PartnerKind, status.Fetching],
    [[], 'Nothing.', 'Twinlease', null],
  );
  assert.equal(status.ClockAllowance, 5);
});

test('in PartnerDown it counts the addresses that the partner may have promised, and the last moment of these', async () => {
  const world = await pairedServers({ MaxClientLeadTime: 600 });
  const now = world.wallAt;
  world.a.states.set('rel1', 'partner-down');
  world.a.downAt = now - 100;
  const told = { told: true, grantedHere: false } as const;
  lease(world.a, '10.0.1.20', 20, { ...told, leaseEndAt: at(now + 300) });
  lease(world.a, '10.0.1.21', 21, { ...told, leaseEndAt: at(now + 300), recvPotentialAt: at(now + 2000) });
  lease(world.a, '10.0.1.22', 22, { ...told, leaseEndAt: at(now - 5000) });
  // Given here after the partner went; it never heard of this one.
  lease(world.a, '10.0.1.23', 23, { told: false, grantedHere: true, leaseEndAt: at(now + 9000) });
  const status = await statusOf(world);
  assert.equal(status.HeldByPartner, 3);
  assert.equal(status.HeldByPartnerUntil, now + 2000 + 600 + 5);
  assert.match(status.Waits.at(-1) ?? '', /^3 addresses with a lease that dhcp2 may have extended/);
});

test('without contact nothing is kept back for the partner, and the command that helps is named', async () => {
  const world = await pairedServers();
  world.a.states.set('rel1', 'communications-interrupted');
  lease(world.a, '10.0.1.20', 20, { told: true, leaseEndAt: at(world.wallAt + 300) });
  const status = await statusOf(world);
  assert.equal(status.HeldByPartner, 0);
  assert.equal(status.HeldByPartnerUntil, null);
  assert.match(status.Next, /^Until you say partner-down/);
});
