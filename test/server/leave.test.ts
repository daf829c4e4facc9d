/** Orderly stops (failover specification 4.4): what the partner hears, and what it does next. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Binding } from '../../src/core/bindings/binding.ts';
import { leaveForLong, tellLastLeases } from '../../src/server/leave.ts';
import { type Ip4, parseIp4 } from '../../src/wire/units.ts';
import { eventually } from '../support/eventually.ts';
import { introduced, type LiveServer, related, SHARED, stateOf } from './live.ts';

const WAIT_MS = 30_000;

async function normal(...servers: readonly LiveServer[]): Promise<void> {
  await eventually('both are in normal', WAIT_MS, () =>
    servers.every((live) => stateOf(live) === 'normal') ? true : undefined,
  );
}

test('a partner hears PAUSED when the server stops, and serves everybody from then on', async (t) => {
  const { a, b } = await related(t);
  await normal(a, b);
  await a.stop();
  const status = await eventually('the partner has heard it', WAIT_MS, () => {
    const found = b.control.endpointStatus(SHARED.Name);
    return found?.partnerState === 'paused' ? found : undefined;
  });
  assert.equal(status.state, 'communications-interrupted');
  await a.start();
  await normal(a, b);
});

/** More than a partner is told before it has acknowledged some: 32 messages of at most 32. */
const LAST_LEASES = 1200;

/** The first addresses of the scope become leases of as many clients. */
function lease(live: LiveServer, first: Ip4, count: number): Promise<void> {
  const leaseEndAt = (live.control.now().wallAt + 3600) as Binding['leaseEndAt'];
  const leases = Array.from({ length: count }, (_, index): Binding => {
    const binding = live.control.bindings.find((first + index) as Ip4);
    assert.ok(binding !== undefined);
    const hardware = Uint8Array.of(1, 2, 0, 0, 0, index >> 8, index & 255);
    return { ...binding, state: 'active', hardware, leaseEndAt };
  });
  return live.control.changeBindings(leases);
}

for (const isLong of [false, true])
  test(`a server that stops${isLong ? ' for long' : ''} first tells its partner of the leases that it gave last`, async (t) => {
    const { a, b } = await introduced(t);
    await a.ask('scope.add', {
      Name: 'lan',
      StartRange: '10.77.0.10',
      EndRange: '10.77.7.250',
      SubnetMask: '255.255.248.0',
    });
    await a.ask('failover.add-by-load-balance', {
      Name: SHARED.Name,
      PartnerServer: 'beta',
      ScopeId: [SHARED.ScopeId],
      MaxClientLeadTime: 5,
    });
    await normal(a, b);
    const first = parseIp4('10.77.0.10')!;
    await lease(a, first, LAST_LEASES);
    if (isLong) {
      const asked = new Promise<void>((resolve) => {
        a.server.onStop = resolve;
      });
      await a.ask('server.stop', { Long: true });
      await asked;
    }
    await a.stop();
    await eventually('the partner has taken what it was sent', WAIT_MS, () =>
      b.control.endpointStatus(SHARED.Name)?.isCommunicating === false ? true : undefined,
    );
    const known = Array.from({ length: LAST_LEASES }, (_, index) => b.control.bindings.find((first + index) as Ip4));
    assert.equal(known.filter((binding) => binding?.state === 'active').length, LAST_LEASES);
  });

test('a stop for long sends the partner to PARTNER-DOWN, and on its return the server recovers from it', async (t) => {
  const { a, b } = await related(t);
  await normal(a, b);
  const asked = new Promise<void>((resolve) => {
    a.server.onStop = resolve;
  });
  await a.ask('server.stop', { Long: true });
  assert.equal(stateOf(b), 'partner-down');
  await asked;
  await a.stop();
  await a.start();
  await eventually('it has recovered', WAIT_MS, () =>
    stateOf(a) === 'normal' && stateOf(b) === 'normal' ? true : undefined,
  );
});

test('what would be announced is told beforehand, and nothing stops', async (t) => {
  const { a } = await related(t);
  const told = await a.run('server.stop', { Long: true }, true);
  assert.ok(told.kind === 'ok');
  assert.deepEqual(told.value, {
    whatIf: ['Relationship pair: the partner is told SHUTDOWN, and goes on alone.', 'The server stops.'],
  });
});

test('a partner that does not let go of the connection is waited for only so long', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let nowMs = 0;
  let isDone = false;
  const leaving = leaveForLong({
    nowMs: () => nowMs,
    endpointNames: () => ['r1'],
    status: () => ({ isConnected: true }) as never,
    shutdown: () => undefined,
    settled: () => Promise.resolve(),
  }).then(() => {
    isDone = true;
  });
  for (let i = 0; i < 200 && !isDone; i++) {
    nowMs += 50;
    t.mock.timers.tick(50);
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  }
  await leaving;
  assert.ok(nowMs >= 8000 && nowMs < 9000, String(nowMs));
});

/** How long a stop waits for a partner with so many leases untold at a time. */
async function toldWithin(t: TestContext, status: (nowMs: number) => object): Promise<number> {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let nowMs = 0;
  let isDone = false;
  const telling = tellLastLeases({
    nowMs: () => nowMs,
    endpointNames: () => ['r1'],
    status: () => ({ isCommunicating: true, state: 'normal', unackedUpdates: 0, ...status(nowMs) }) as never,
  }).then(() => {
    isDone = true;
  });
  for (let i = 0; i < 200 && !isDone; i++) {
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    if (isDone) break;
    nowMs += 50;
    t.mock.timers.tick(50);
  }
  await telling;
  return nowMs;
}

test('a partner that knows every lease is not waited for', async (t) => {
  assert.equal(await toldWithin(t, () => ({ dirtyBindings: 0 })), 0);
});

test('a partner without contact is not waited for', async (t) => {
  assert.equal(await toldWithin(t, () => ({ dirtyBindings: 9, isCommunicating: false })), 0);
});

test('a partner that takes the last leases is waited for until it has them', async (t) => {
  assert.equal(await toldWithin(t, (nowMs) => ({ dirtyBindings: Math.max(0, 10 - nowMs / 100) })), 1000);
});

test('a partner that takes no more of them, as it refuses some, is waited for two seconds', async (t) => {
  assert.equal(await toldWithin(t, () => ({ dirtyBindings: 3 })), 2000);
});

test('a partner that takes them without end is waited for five seconds', async (t) => {
  assert.equal(await toldWithin(t, (nowMs) => ({ dirtyBindings: 1e6 - nowMs })), 5000);
});
