/**
 * The operations on relationships take effect on both servers, with the defaults and effects of the management specification
 * 1.2 to 1.4 and 1.7.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Outcome } from '../../src/manage/operation.ts';
import { parseIp4 } from '../../src/wire/units.ts';
import { type FakeServer, lease, pairedServers, scope, twoServers } from './fake-control.ts';

function value<T = Record<string, unknown>>(outcome: Outcome<unknown>): T {
  assert.equal(outcome.kind, 'ok', outcome.kind === 'failed' ? JSON.stringify(outcome.problems) : '');
  return (outcome as { value: T }).value;
}

function codes(outcome: Outcome<unknown>): string[] {
  return outcome.kind === 'failed' ? outcome.problems.map((problem) => problem.code) : [];
}

function owners(server: FakeServer, scopeId: string): { free: number; backup: number } {
  const { free, backup } = server.bindings.counts(parseIp4(scopeId)!);
  return { free, backup };
}

const ADD = { Name: 'rel1', PartnerServer: 'dhcp2', ScopeId: ['10.0.1.0'] };

test('AddByLoadBalance makes the relationship and its scopes on both servers, with the documented defaults', async () => {
  const { a, b } = twoServers();
  const shown = value(await a.run('failover.add-by-load-balance', { ...ADD, PassThru: true }));
  assert.deepEqual(shown, {
    Name: 'rel1',
    PartnerServer: 'dhcp2',
    Mode: 'LoadBalance',
    ServerRole: null,
    LoadBalancePercent: 50,
    ReservePercent: null,
    ScopeId: ['10.0.1.0'],
    MaxClientLeadTime: 3600,
    AutoStateTransition: false,
    StateSwitchInterval: null,
    State: 'Normal',
    EnableAuth: false,
    PrimaryServerIP: '10.0.0.1',
    SecondaryServerIP: '10.0.0.2',
    PrimaryServerName: 'dhcp1',
    SecondaryServerName: 'dhcp2',
    ServerType: 'PrimaryServer',
  });
  const [there] = value<Record<string, unknown>[]>(await b.run('failover.get-by-name'));
  assert.equal(there?.['PartnerServer'], 'dhcp1');
  assert.equal(there?.['ServerType'], 'SecondaryServer');
  assert.deepEqual(b.config.scopes, a.config.scopes.slice(0, 1));
  assert.deepEqual(a.openChanges(), []);
});

test('all addresses of a new relationship are the called server’s, and only it holds all data', async () => {
  const { a, b } = twoServers();
  lease(a, '10.0.1.20', 1);
  value(await a.run('failover.add-by-hot-standby', { ...ADD, ServerRole: 'Standby' }));
  assert.deepEqual(
    [owners(a, '10.0.1.0'), owners(b, '10.0.1.0')],
    [
      { free: 0, backup: 190 },
      { free: 0, backup: 191 },
    ],
  );
  assert.deepEqual(a.changes.at(-1)?.newRelationships, [{ name: 'rel1', holdsAllData: true }]);
  assert.deepEqual(b.changes.find((change) => change.newRelationships)?.newRelationships, [
    { name: 'rel1', holdsAllData: false },
  ]);
  assert.equal(a.config.relationships[0]?.role, 'secondary');
  assert.deepEqual([a.config.relationships[0]?.isActive, b.config.relationships[0]?.isActive], [false, true]);
});

test('AddByHotStandby stores the reserve, and the percentage of load balance is the asked server’s', async () => {
  const standby = twoServers();
  const shown = value(
    await standby.a.run('failover.add-by-hot-standby', { ...ADD, ReservePercent: 0, PassThru: true }),
  );
  assert.deepEqual([shown['ServerRole'], shown['ReservePercent'], shown['LoadBalancePercent']], ['Active', 0, null]);
  const balance = await pairedServers({ LoadBalancePercent: 70 });
  const [there] = value<Record<string, unknown>[]>(await balance.b.run('failover.get-by-name', { Name: ['rel1'] }));
  assert.equal(there?.['LoadBalancePercent'], 30);
});

test('a switch interval turns the automatic transition on; the flag alone takes 60 minutes', async () => {
  const first = await pairedServers({ StateSwitchInterval: 120, AutoStateTransition: false });
  assert.equal(first.b.config.relationships[0]?.stateSwitchIntervalSec, 120);
  const second = await pairedServers({ AutoStateTransition: true });
  assert.equal(second.b.config.relationships[0]?.stateSwitchIntervalSec, 3600);
});

test('a shared secret is kept by each server in its own file and never shown or logged', async () => {
  const { a, b } = await pairedServers({ SharedSecret: 'hush-hush' });
  for (const server of [a, b]) {
    const ref = server.config.relationships[0]?.sharedSecretRef;
    assert.equal(server.secrets.get(ref ?? ''), 'hush-hush');
    const durable = JSON.stringify([server.revisions, [...server.transactions.values()], server.audits]);
    assert.ok(!durable.includes('hush-hush'), `${server.name} lets the secret out`);
  }
});

test('GetByName tells unknown names beside the known ones; GetByScopeId gives one object for each relationship', async () => {
  const { a } = await pairedServers();
  const some = await a.run('failover.get-by-name', { Name: ['rel1', 'nope'] });
  assert.equal(value<unknown[]>(some).length, 1);
  assert.deepEqual(some.kind === 'ok' && some.errors.map((problem) => problem.code), ['failover/unknown-relationship']);
  value(await a.run('failover-scope.add', { Name: 'rel1', ScopeId: ['10.0.2.0'] }));
  const found = await a.run('failover.get-by-scope-id', { ScopeId: ['10.0.2.0', '10.0.1.0', '10.9.9.0'] });
  assert.equal(value<unknown[]>(found).length, 1);
  assert.deepEqual(found.kind === 'ok' && found.errors.map((problem) => problem.code), ['scope/unknown']);
});

test('Set changes both servers, each seen from its own side', async () => {
  const { a, b } = await pairedServers();
  const shown = value(
    await b.run('failover.set', { Name: 'rel1', LoadBalancePercent: 30, MaxClientLeadTime: 600, PassThru: true }),
  );
  assert.equal(shown['LoadBalancePercent'], 30);
  assert.equal(a.config.relationships[0]?.percentage, 70);
  assert.deepEqual([a.config.relationships[0]?.mcltSec, b.config.relationships[0]?.mcltSec], [600, 600]);
});

test('a shorter MCLT leaves the longer one known on both servers until leases by it have ended', async () => {
  const world = await pairedServers({ MaxClientLeadTime: 3600 });
  const { a, b } = world;
  const formers = () => [a, b].map((server) => server.config.relationships[0]?.formerMclt);
  value(await a.run('failover.set', { Name: 'rel1', MaxClientLeadTime: 60 }));
  const former = { sec: 3600, untilAt: world.wallAt + 3660 };
  assert.deepEqual(formers(), [former, former]);
  value(await a.run('failover.set', { Name: 'rel1', LoadBalancePercent: 30 }));
  assert.deepEqual(formers(), [former, former]);
  b.put((config) => ({ ...config, scopes: [], relationships: [] }));
  value(await a.run('pair.rejoin', { Partner: 'dhcp2' }));
  assert.deepEqual(formers(), [former, former], 'a partner that lost its configuration hears of it');
  world.wallAt += 3660;
  value(await a.run('failover.set', { Name: 'rel1', LoadBalancePercent: 40 }));
  assert.deepEqual(formers(), [undefined, undefined]);
});

test('Set switches the mode: the primary becomes active with the default reserve, and back to half and half', async () => {
  const { a, b } = await pairedServers({ LoadBalancePercent: 80 });
  value(await b.run('failover.set', { Name: 'rel1', Mode: 'HotStandby' }));
  assert.deepEqual([a.config.relationships[0]?.isActive, b.config.relationships[0]?.isActive], [true, false]);
  assert.equal(a.config.relationships[0]?.percentage, 5);
  value(await a.run('failover.set', { Name: 'rel1', Mode: 'LoadBalance' }));
  assert.deepEqual([a.config.relationships[0]?.percentage, b.config.relationships[0]?.isActive], [50, false]);
});

test('Set with the present values is no change and needs no partner', async () => {
  const world = await pairedServers();
  world.b.kill();
  const before = world.a.revisions.length;
  const same = {
    Name: 'rel1',
    Mode: 'loadbalance',
    LoadBalancePercent: 50,
    MaxClientLeadTime: 3600,
    AutoStateTransition: false,
  };
  value(await world.a.run('failover.set', same));
  assert.equal(world.a.revisions.length, before);
  assert.deepEqual(codes(await world.a.run('failover.set', { Name: 'rel1', LoadBalancePercent: 60 })), [
    'partner/unreachable',
  ]);
  assert.equal(world.a.revisions.length, before);
});

test('Set: an interval wins over AutoStateTransition false, null clears the secret, absent keeps it', async () => {
  const { a, b } = await pairedServers({ SharedSecret: 'one' });
  value(await a.run('failover.set', { Name: 'rel1', AutoStateTransition: false, StateSwitchInterval: 300 }));
  assert.equal(b.config.relationships[0]?.stateSwitchIntervalSec, 300);
  assert.notEqual(b.config.relationships[0]?.sharedSecretRef, null);
  value(await a.run('failover.set', { Name: 'rel1', SharedSecret: null, AutoStateTransition: false }));
  for (const server of [a, b]) {
    assert.equal(server.config.relationships[0]?.sharedSecretRef, null);
    assert.equal(server.config.relationships[0]?.stateSwitchIntervalSec, null);
  }
});

test('partner-down is this server’s alone, and nothing when it is so already', async () => {
  const world = await pairedServers();
  world.b.kill();
  world.a.states.set('rel1', 'communications-interrupted');
  value(await world.a.run('failover.set', { Name: 'rel1', PartnerDown: true }));
  assert.deepEqual(world.a.commands, ['rel1 partner-down']);
  value(await world.a.run('failover.set', { Name: 'rel1', PartnerDown: true }));
  assert.deepEqual(world.a.commands, ['rel1 partner-down']);
});

test('Remove drains and silences the partner, then frees the addresses; the scopes stay here and go there', async () => {
  const { a, b } = await pairedServers();
  lease(a, '10.0.1.20', 1);
  const order: string[] = [];
  const world = { a, b };
  for (const server of [world.a, world.b]) {
    const { control } = server;
    const real = control.changeConfig.bind(control);
    control.changeConfig = async (change) => {
      order.push(`${server.name} ${change.what}`);
      return await real(change);
    };
  }
  const shown = value<Record<string, unknown>[]>(await a.run('failover.remove', { Name: ['rel1'], PassThru: true }));
  assert.deepEqual(
    shown.map((one) => one['Name']),
    ['rel1'],
  );
  assert.deepEqual(order, [
    'dhcp2 scopes silenced before they leave failover relationship rel1',
    'dhcp1 failover relationship rel1 removed',
    'dhcp2 failover relationship rel1 removed',
  ]);
  assert.deepEqual([a.config.relationships, b.config.relationships, b.config.scopes], [[], [], []]);
  assert.equal(a.config.scopes.length, 2);
  assert.deepEqual(owners(a, '10.0.1.0'), { free: 190, backup: 0 });
  assert.equal(a.bindings.find(parseIp4('10.0.1.20')!)?.state, 'active');
});

test('a Remove that cannot drain changes nothing and wakes the silenced scopes again', async () => {
  const { a, b } = await pairedServers();
  b.drainRefusal = 'too slow';
  assert.deepEqual(codes(await a.run('failover.remove', { Name: ['rel1'] })), ['failover/not-drained']);
  assert.equal(b.config.relationships[0]?.leavingScopeIds, undefined);
  assert.equal(b.config.relationships.length + a.config.relationships.length, 2);
  const forced = await a.run('failover.remove', { Name: ['rel1'], Force: true });
  assert.deepEqual(forced.kind === 'ok' && forced.warnings.map((problem) => problem.code), [
    'failover/removed-undrained',
  ]);
  assert.equal(a.config.tombstones.length, 1);
});

test('with the partner away Remove is refused, and with Force leaves a tombstone that the partner hears when it is back', async () => {
  const world = await pairedServers();
  world.b.kill();
  assert.deepEqual(codes(await world.a.run('failover.remove', { Name: ['rel1'] })), ['partner/unreachable']);
  assert.equal(world.a.config.relationships.length, 1);
  const forced = await world.a.run('failover.remove', { Name: ['rel1'], Force: true });
  assert.deepEqual(forced.kind === 'ok' && forced.warnings.map((problem) => problem.code), ['failover/removed-alone']);
  assert.deepEqual(world.a.config.tombstones[0]?.scopeIds, ['10.0.1.0']);
  assert.equal(world.a.changes.at(-1)?.given, undefined);
  world.b.restart();
  await world.pass(60);
  assert.deepEqual(world.b.config.relationships, []);
  assert.equal(world.b.config.scopes[0]?.state, 'Inactive');
  assert.equal(world.a.config.tombstones.length, 1, 'leases of the partner may still run');
  world.wallAt += 3600;
  await world.pass(60);
  assert.deepEqual(world.a.config.tombstones, []);
  assert.deepEqual(world.a.changes.at(-1)?.given, [{ scopeId: parseIp4('10.0.1.0'), owner: 'free' }]);
});

test('FailoverScope.Add: the called server keeps all addresses, the new half starts silent', async () => {
  const { a, b } = await pairedServers();
  value(await a.run('failover-scope.add', { Name: 'rel1', ScopeId: ['10.0.2.0', '10.0.2.0'] }));
  const id = parseIp4('10.0.2.0')!;
  assert.deepEqual(b.config.relationships[0]?.scopeIds, ['10.0.1.0', '10.0.2.0']);
  assert.deepEqual([a.changes.at(-1)?.silentScopeIds, b.changes.at(-1)?.silentScopeIds], [[], [id]]);
  assert.deepEqual(
    [a.changes.at(-1)?.given, b.changes.at(-1)?.given],
    [[{ scopeId: id, owner: 'free' }], [{ scopeId: id, owner: 'free' }]],
  );
});

test('a scope added on the secondary is the secondary’s', async () => {
  const { a, b } = await pairedServers();
  b.put((config) => ({ ...config, scopes: [...config.scopes, scope(5)] }));
  value(await b.run('failover-scope.add', { Name: 'rel1', ScopeId: ['10.0.5.0'] }));
  assert.deepEqual(owners(a, '10.0.5.0'), { free: 0, backup: 191 });
  assert.deepEqual(owners(b, '10.0.5.0'), { free: 0, backup: 191 });
});

test('FailoverScope.Add adds what can be added and tells the rest', async () => {
  const { a, b } = await pairedServers();
  const added = await a.run('failover-scope.add', { Name: 'rel1', ScopeId: ['10.9.9.0', '10.0.1.0', '10.0.2.0'] });
  assert.deepEqual(added.kind === 'ok' && added.errors.map((problem) => problem.code), [
    'scope/unknown',
    'failover/scope-in-relationship',
  ]);
  assert.deepEqual(b.config.relationships[0]?.scopeIds, ['10.0.1.0', '10.0.2.0']);
});

test('FailoverScope.Remove keeps the relationship, even empty; the scope stays here and goes there', async () => {
  const { a, b } = await pairedServers();
  const shown = value(await a.run('failover-scope.remove', { Name: 'rel1', ScopeId: ['10.0.1.0'], PassThru: true }));
  assert.equal(shown['ScopeId'], null);
  assert.deepEqual(b.config.scopes, []);
  assert.equal(b.config.relationships.length, 1);
  assert.equal(a.config.scopes.length, 2);
  assert.deepEqual(owners(a, '10.0.1.0'), { free: 191, backup: 0 });
});

test('FailoverScope.Remove outside Normal needs Force', async () => {
  const { a, b } = await pairedServers();
  a.states.set('rel1', 'potential-conflict');
  assert.deepEqual(codes(await a.run('failover-scope.remove', { Name: 'rel1', ScopeId: ['10.0.1.0'] })), [
    'failover/not-normal',
  ]);
  value(await a.run('failover-scope.remove', { Name: 'rel1', ScopeId: ['10.0.1.0'], Force: true }));
  assert.deepEqual(b.config.scopes, []);
});

test('what-if says what would happen on both servers and changes neither', async () => {
  const world = await pairedServers();
  const before = [world.a.revisions.length, world.b.revisions.length];
  const add = value<{ whatIf: string[] }>(
    await world.a.run('failover-scope.add', { Name: 'rel1', ScopeId: ['10.0.2.0'] }, { whatIf: true }),
  );
  assert.ok(add.whatIf.some((line) => line.startsWith('dhcp2: Adds scope 10.0.2.0')));
  const calls: [string, Record<string, unknown>][] = [
    ['failover.add-by-load-balance', { Name: 'rel2', PartnerServer: 'dhcp2', ScopeId: ['10.0.2.0'] }],
    ['failover.set', { Name: 'rel1', LoadBalancePercent: 10 }],
    ['failover.remove', { Name: ['rel1'] }],
    ['failover-scope.remove', { Name: 'rel1', ScopeId: ['10.0.1.0'] }],
    ['replication.invoke-by-name', {}],
  ];
  for (const [operation, params] of calls) {
    const told = value<{ whatIf: string[] }>(await world.a.run(operation, params, { whatIf: true }));
    assert.ok(told.whatIf.length > 0, operation);
  }
  assert.deepEqual([world.a.revisions.length, world.b.revisions.length], before);
  assert.deepEqual([world.a.openChanges(), world.b.openChanges()], [[], []]);
});

test('of two changes of one relationship at once the primary’s takes effect and the other is busy', async () => {
  const world = await pairedServers();
  const both = await Promise.all([
    world.a.run('failover.set', { Name: 'rel1', LoadBalancePercent: 10 }),
    world.b.run('failover.set', { Name: 'rel1', LoadBalancePercent: 20 }),
  ]);
  assert.equal(both[0].kind, 'ok');
  assert.deepEqual(codes(both[1]), ['failover/busy']);
  assert.deepEqual(
    [world.a.config.relationships[0]?.percentage, world.b.config.relationships[0]?.percentage],
    [10, 10],
  );
});
