/** Orderly stops (failover specification 4.4): what the partner hears, and what it does next. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leaveForLong } from '../../src/server/leave.ts';
import { eventually } from '../support/eventually.ts';
import { type LiveServer, related, SHARED, stateOf } from './live.ts';

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
