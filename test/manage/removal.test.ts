/**
 * Taking scopes out of a relationship when one of the two servers does not know all their leases: it fetches them, or a store was lost.
 * Whatever is called, no address goes to a new client while another may still use it, and there is always a way on.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problemText } from '../../src/core/problems/catalogue.ts';
import type { Problem } from '../../src/core/problems/problem.ts';
import type { Outcome } from '../../src/manage/operation.ts';
import { type EpochSec, parseIp4, type Sec } from '../../src/wire/units.ts';
import { type FakeServer, type FakeWorld, lease, pairedServers } from './fake-control.ts';

const REMOVE = { Name: ['rel1'] };
const MCLT_SEC = 600;
const ALLOWANCE_SEC = 5;

function warningsOf(outcome: Outcome<unknown>): readonly Problem[] {
  assert.equal(outcome.kind, 'ok', JSON.stringify(outcome));
  return outcome.kind === 'ok' ? outcome.warnings : [];
}

function codes(outcome: Outcome<unknown>): string[] {
  return (outcome.kind === 'failed' ? outcome.problems : outcome.warnings).map(({ code }) => code);
}

function states(server: FakeServer): Record<string, string> {
  return Object.fromEntries(server.config.scopes.map(({ scopeId, state }) => [scopeId, state]));
}

/** What both servers keep of a loss that was found `agoSec` ago. */
function lossOf(world: FakeWorld, agoSec: number): { at: EpochSec; waitMcltSec: Sec } {
  return { at: (world.wallAt - agoSec) as EpochSec, waitMcltSec: MCLT_SEC as Sec };
}

test('while this server fetches the leases, Remove is a matter of the partner, which has them', async () => {
  const { a, b } = await pairedServers();
  a.waits = { lacks: 'everything' };
  assert.deepEqual(codes(await a.run('failover.remove', REMOVE)), ['failover/unfetched']);
  assert.deepEqual(codes(await a.run('failover.remove', REMOVE, { whatIf: true })), ['failover/unfetched']);
  assert.deepEqual(codes(await b.run('failover.remove', REMOVE)), []);
  assert.deepEqual([a.config.relationships, b.config.relationships], [[], []]);
  assert.equal(b.config.scopes.length, 1);
});

test('the refusal names the partner, or the moment from which this server may keep the scopes', async () => {
  const world = await pairedServers();
  const { a } = world;
  const textOf = async (): Promise<string> => {
    const outcome = await a.run('failover.remove', REMOVE);
    return outcome.kind === 'failed' ? problemText(outcome.problems[0]!) : '';
  };
  a.waits = { lacks: 'changes' };
  assert.match(await textOf(), /has not fetched all leases from dhcp2 yet/);
  a.waits = { recoverWaitUntilAt: (world.wallAt + 60) as EpochSec };
  assert.ok((await textOf()).includes(new Date((world.wallAt + 60) * 1000).toISOString()));
  world.wallAt += 60;
  assert.equal(await textOf(), '');
});

test('a scope that is still fetched here leaves only by way of the partner, and the others leave as ever', async () => {
  const { a, b } = await pairedServers();
  assert.deepEqual(codes(await a.run('failover-scope.add', { Name: 'rel1', ScopeId: ['10.0.2.0'] })), []);
  b.silent.add(parseIp4('10.0.2.0')!);
  const take = (scopeId: string) => ({ Name: 'rel1', ScopeId: [scopeId] });
  assert.deepEqual(codes(await b.run('failover-scope.remove', take('10.0.2.0'))), ['failover/unfetched']);
  assert.deepEqual(codes(await b.run('failover-scope.remove', take('10.0.1.0'))), []);
  assert.deepEqual(codes(await a.run('failover-scope.remove', take('10.0.2.0'))), []);
  assert.deepEqual(Object.keys(states(a)), ['10.0.2.0']);
  assert.deepEqual(Object.keys(states(b)), ['10.0.1.0']);
});

test('with the partner gone for good, Force disables what is not known here and says when it may be enabled', async () => {
  const world = await pairedServers();
  const { a, b } = world;
  a.waits = { lacks: 'everything' };
  b.kill();
  assert.deepEqual(codes(await a.run('failover.remove', REMOVE)), ['partner/unreachable']);
  const forced = await a.run('failover.remove', { ...REMOVE, Force: true });
  assert.deepEqual(codes(forced), ['failover/removed-alone', 'failover/removed-unfetched']);
  assert.deepEqual(states(a), { '10.0.1.0': 'Inactive', '10.0.2.0': 'Active' });
  assert.deepEqual(a.config.relationships, []);
  assert.equal(a.config.tombstones.length, 1);
  // The default lease duration after now, when the partner may have given its last lease.
  const until = new Date((world.wallAt + 691_200) * 1000).toISOString();
  assert.equal(
    warningsOf(forced)[1]?.slots['when'],
    `when no lease of dhcp2 runs any more, which may be until ${until}`,
  );
  assert.equal((await a.run('scope.set-by-without-range', { ScopeId: '10.0.1.0', State: 'Active' })).kind, 'ok');
});

test('a partner that will never come back is forgotten, and its addresses are free one MCLT after that', async () => {
  const world = await pairedServers({ MaxClientLeadTime: 600 });
  const { a, b } = world;
  b.kill();
  assert.deepEqual(codes(await a.run('failover.remove', { ...REMOVE, Force: true })), ['failover/removed-alone']);
  await world.pass(3600);
  assert.equal(a.config.tombstones.length, 1, 'it may still serve');
  assert.equal((await a.run('pair.remove', { Partner: 'dhcp2' })).kind, 'ok');
  assert.deepEqual(a.config.partners, []);
  await world.pass(590);
  assert.equal(a.config.tombstones.length, 1, 'its last leases may still run');
  await world.pass(90);
  assert.deepEqual(a.config.tombstones, []);
  assert.deepEqual(a.changes.at(-1)?.given, [{ scopeId: parseIp4('10.0.1.0'), owner: 'free' }]);
});

test('leases without end have no moment after which their scope may be enabled', async () => {
  const { a, b } = await pairedServers();
  a.put((config) => ({ ...config, scopes: config.scopes.map((one) => ({ ...one, leaseDurationSec: 0xffffffff })) }));
  a.waits = { lacks: 'changes' };
  b.kill();
  const [, disabled] = warningsOf(await a.run('failover.remove', { ...REMOVE, Force: true }));
  assert.match(String(disabled?.slots['when']), /no end by themselves/);
});

test('by Force only the scopes are disabled whose leases are not known here', async () => {
  const { a, b } = await pairedServers();
  assert.deepEqual(codes(await a.run('failover-scope.add', { Name: 'rel1', ScopeId: ['10.0.2.0'] })), []);
  a.silent.add(parseIp4('10.0.2.0')!);
  b.kill();
  const forced = await a.run('failover.remove', { ...REMOVE, Force: true });
  assert.deepEqual(codes(forced), ['failover/removed-alone', 'failover/removed-unfetched']);
  assert.deepEqual(states(a), { '10.0.1.0': 'Active', '10.0.2.0': 'Inactive' });
});

test('by Force in RecoverWait the scopes are disabled until what this server forgot is over', async () => {
  const world = await pairedServers();
  const { a, b } = world;
  const untilAt = (world.wallAt + 300) as EpochSec;
  a.waits = { state: 'recover-wait', recoverWaitUntilAt: untilAt, loss: lossOf(world, 300) };
  b.kill();
  const forced = await a.run('failover.remove', { ...REMOVE, Force: true });
  assert.equal(warningsOf(forced)[1]?.slots['when'], `from ${new Date(untilAt * 1000).toISOString()} on`);
  assert.equal(states(a)['10.0.1.0'], 'Inactive');
});

test('a partner that forgot leases cannot leave at once; by Force its addresses wait', async () => {
  const world = await pairedServers();
  const { a, b } = world;
  const loss = lossOf(world, 100);
  b.waits = { recoverWaitUntilAt: (world.wallAt + 505) as EpochSec, loss, allowanceSec: ALLOWANCE_SEC as Sec };
  const refused = await a.run('failover.remove', REMOVE);
  assert.deepEqual(codes(refused), ['failover/not-drained']);
  assert.match(
    refused.kind === 'failed' ? problemText(refused.problems[0]!) : '',
    /it gave before its failure may run/,
  );
  assert.equal(b.config.relationships[0]?.leavingScopeIds, undefined);
  const forced = await a.run('failover.remove', { ...REMOVE, Force: true });
  assert.deepEqual(codes(forced), ['failover/removed-undrained']);
  assert.deepEqual([a.config.relationships, a.config.tombstones.length], [[], 1]);
  assert.equal(states(a)['10.0.1.0'], 'Active');
});

test('a partner that only came back after this server went on alone remembers what it gave, and may leave', async () => {
  const world = await pairedServers();
  const { a, b } = world;
  b.waits = { state: 'recover-wait', recoverWaitUntilAt: (world.wallAt + 505) as EpochSec };
  assert.deepEqual(codes(await a.run('failover.remove', REMOVE)), []);
  assert.deepEqual(a.config.tombstones, []);
});

test('a half that was just made gave no lease, and may leave while it fetches', async () => {
  const { a, b } = await pairedServers();
  b.waits = { state: 'recover', lacks: 'everything' };
  assert.deepEqual(codes(await a.run('failover.remove', REMOVE)), []);
  assert.deepEqual([a.config.relationships, b.config.relationships], [[], []]);
});

test('after the loss of a store each address stays with its client for as long as the lost one may have promised', async () => {
  const world = await pairedServers();
  const { a } = world;
  const loss = lossOf(world, 700);
  a.waits = { loss, allowanceSec: ALLOWANCE_SEC as Sec };
  const before = { lastTransactionAt: (loss.at - 50) as EpochSec };
  const in5000 = (world.wallAt + 5000) as EpochSec;
  const stateSinceAt = (world.wallAt - 10) as EpochSec;
  lease(a, '10.0.1.20', 1, { ...before, recvPotentialAt: in5000 });
  lease(a, '10.0.1.21', 2, { ...before, state: 'released', recvPotentialAt: in5000 });
  lease(a, '10.0.1.22', 3, { lastTransactionAt: (loss.at + 1) as EpochSec, recvPotentialAt: in5000 });
  lease(a, '10.0.1.23', 4, { ...before, state: 'expired', leaseEndAt: loss.at });
  lease(a, '10.0.1.24', 5, {
    ...before,
    state: 'abandoned',
    recvPotentialAt: (world.wallAt + 90_000) as EpochSec,
    stateSinceAt,
  });
  assert.deepEqual(codes(await a.run('failover.remove', REMOVE)), []);
  const found = [20, 21, 22, 23].map((last) => a.bindings.find(parseIp4(`10.0.1.${last}`)!));
  assert.deepEqual(
    found.map((binding) => [binding?.state, (binding?.leaseEndAt ?? 0) - world.wallAt]),
    [
      ['active', 5000 + MCLT_SEC + ALLOWANCE_SEC],
      ['active', 5000 + MCLT_SEC + ALLOWANCE_SEC],
      ['active', 3600],
      // 700 s have passed since the loss.
      ['expired', -700],
    ],
  );
  const aside = a.bindings.find(parseIp4('10.0.1.24')!);
  const { declineHoldSec } = a.config.server;
  assert.equal(aside?.state, 'abandoned');
  assert.equal((aside?.stateSinceAt ?? 0) + declineHoldSec - world.wallAt, 90_000 + MCLT_SEC + ALLOWANCE_SEC);
});

test('a scope that leaves after a loss takes its waits along, and one that stays is not touched', async () => {
  const world = await pairedServers();
  const { a } = world;
  assert.deepEqual(codes(await a.run('failover-scope.add', { Name: 'rel1', ScopeId: ['10.0.2.0'] })), []);
  const loss = lossOf(world, 100);
  a.waits = { loss, allowanceSec: ALLOWANCE_SEC as Sec };
  for (const address of ['10.0.1.20', '10.0.2.20']) {
    const leaseEndAt = (world.wallAt + 10) as EpochSec;
    lease(a, address, 1, { lastTransactionAt: loss.at, leaseEndAt });
  }
  assert.deepEqual(codes(await a.run('failover-scope.remove', { Name: 'rel1', ScopeId: ['10.0.2.0'] })), []);
  const ends = ['10.0.1.20', '10.0.2.20'].map((address) => a.bindings.find(parseIp4(address)!)?.leaseEndAt ?? 0);
  assert.deepEqual(
    ends.map((at) => at - world.wallAt),
    [10, 10 + MCLT_SEC + ALLOWANCE_SEC],
  );
});

test('a removal that must be made from a newer revision adds no wait to the wait', async () => {
  const world = await pairedServers();
  const { a } = world;
  const loss = lossOf(world, 100);
  a.waits = { loss, allowanceSec: ALLOWANCE_SEC as Sec };
  lease(a, '10.0.1.20', 1, { lastTransactionAt: loss.at, leaseEndAt: (world.wallAt + 10) as EpochSec });
  let interruptions = 0;
  world.onStep = ({ server, what, when }) => {
    if (server !== a || !what.startsWith('revision') || when !== 'before' || interruptions > 0) return;
    interruptions++;
    a.put((config) => ({ ...config, server: { ...config.server, offerHoldSec: 77 } }));
  };
  assert.deepEqual(codes(await a.run('failover.remove', REMOVE)), []);
  assert.equal(interruptions, 1);
  const { leaseEndAt } = a.bindings.find(parseIp4('10.0.1.20')!)!;
  assert.equal(leaseEndAt - world.wallAt, 10 + MCLT_SEC + ALLOWANCE_SEC);
});

test('a store found lost after the operator asked stops the removal on both servers', async () => {
  const world = await pairedServers();
  const { a, b } = world;
  world.onStep = ({ server, what, when }) => {
    if (server === b && what.startsWith('drained') && when === 'after') a.waits = { lacks: 'everything' };
  };
  assert.deepEqual(codes(await a.run('failover.remove', REMOVE)), ['failover/unfetched']);
  await world.rest();
  assert.equal(a.config.relationships.length + b.config.relationships.length, 2);
  assert.equal(b.config.relationships[0]?.leavingScopeIds, undefined);
  assert.deepEqual([a.openChanges(), b.openChanges()], [[], []]);
});
