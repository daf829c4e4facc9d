/**
 * The configuration of shared scopes follows to the partner by itself; what was changed apart is shown and waits for a decision.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Outcome } from '../../src/manage/operation.ts';
import { type FakeServer, type FakeWorld, pairedServers } from './fake-control.ts';

function value<T>(outcome: Outcome<unknown>): T {
  assert.equal(outcome.kind, 'ok', outcome.kind === 'failed' ? JSON.stringify(outcome.problems) : '');
  return (outcome as { value: T }).value;
}

function nameOf(server: FakeServer, scopeId = '10.0.1.0'): string | undefined {
  return server.config.scopes.find((one) => one.scopeId === scopeId)?.name;
}

async function rename(server: FakeServer, name: string, scopeId = '10.0.1.0'): Promise<void> {
  value(await server.run('scope.set-by-without-range', { ScopeId: scopeId, Name: name }));
}

async function apart(): Promise<FakeWorld> {
  const world = await pairedServers();
  world.isCut = true;
  await rename(world.a, 'one');
  await rename(world.b, 'two');
  world.isCut = false;
  await world.pass(6);
  return world;
}

test('a change on either server reaches the other by itself, with reservations, options and definitions', async () => {
  const world = await pairedServers();
  const { a, b } = world;
  const scopeId = '10.0.1.0';
  value(await a.run('reservation.add', { ScopeId: scopeId, IPAddress: '10.0.1.9', ClientId: '00-15-5d-01-02-03' }));
  value(await a.run('option-definition.add', { OptionId: 230, Name: 'site', Type: 'DWord' }));
  value(await a.run('option.set-by-option-id', { ScopeId: scopeId, OptionId: 230, Value: ['7'] }));
  await world.rest();
  assert.deepEqual(b.config.scopes, a.config.scopes.slice(0, 1));
  assert.equal(b.config.scopes[0]?.options[0]?.hex, '00000007');
  assert.equal(b.config.optionDefinitions[0]?.name, 'site');
  value(await b.run('exclusion.add', { ScopeId: scopeId, StartRange: '10.0.1.20', EndRange: '10.0.1.29' }));
  await world.rest();
  assert.deepEqual(a.config.scopes[0]?.exclusions, [{ start: '10.0.1.20', end: '10.0.1.29' }]);
});

test('scopes outside the relationship and settings of the server stay where they are', async () => {
  const world = await pairedServers();
  await rename(world.a, 'mine alone', '10.0.2.0');
  value(await world.a.run('server.set', { OfferHoldSec: 99 }));
  await world.pass(12);
  assert.equal(nameOf(world.b, '10.0.2.0'), undefined);
  assert.equal(world.b.config.server.offerHoldSec, 30);
});

test('a change made while the partner is away goes over when it is back', async () => {
  const world = await pairedServers();
  world.b.kill();
  await rename(world.a, 'new name');
  await world.pass(6);
  world.b.restart();
  await world.pass(12);
  assert.equal(nameOf(world.b), 'new name');
  assert.equal(world.b.revisions.at(-1)?.by, 'partner dhcp1');
});

test('changed apart: both are shown the difference and neither is overwritten', async () => {
  const world = await apart();
  await world.pass(120);
  assert.deepEqual([nameOf(world.a), nameOf(world.b)], ['one', 'two']);
  const differences = value<{ Path: string; Before: unknown; After: unknown }[]>(
    await world.a.run('config.diff', { Relationship: 'rel1' }),
  );
  assert.deepEqual(
    differences.map((one) => [one.Path, one.Before, one.After]),
    [['10.0.1.0 scope.name', 'one', 'two']],
  );
  for (const server of [world.a, world.b]) {
    const [status] = value<{ ScopesApart: string[] }[]>(await server.run('failover.status'));
    assert.deepEqual(status?.ScopesApart, ['10.0.1.0']);
    const shown = value<{ Problems: { Code: string }[] }>(await server.run('server.status'));
    assert.deepEqual(
      shown.Problems.map((one) => one.Code),
      ['config/apart'],
    );
  }
});

test('replication decides: the called server wins, and afterwards changes follow again', async () => {
  const world = await apart();
  assert.deepEqual(value(await world.b.run('replication.invoke-by-name')), ['10.0.1.0']);
  assert.deepEqual([nameOf(world.a), nameOf(world.b)], ['two', 'two']);
  await world.pass(66);
  const [status] = value<{ ScopesApart: string[] }[]>(await world.a.run('failover.status'));
  assert.deepEqual(status?.ScopesApart, []);
  await rename(world.a, 'three');
  await world.rest();
  assert.equal(nameOf(world.b), 'three');
});

test('two servers that made the same change are not apart', async () => {
  const world = await pairedServers();
  world.isCut = true;
  await rename(world.a, 'same');
  await rename(world.b, 'same');
  world.isCut = false;
  await world.pass(12);
  const [status] = value<{ ScopesApart: string[] }[]>(await world.a.run('failover.status'));
  assert.deepEqual(status?.ScopesApart, []);
});

test('changes of different scopes on the two servers at once both take effect', async () => {
  const world = await pairedServers();
  value(await world.a.run('failover-scope.add', { Name: 'rel1', ScopeId: ['10.0.2.0'] }));
  world.isCut = true;
  await rename(world.a, 'a changed', '10.0.1.0');
  await rename(world.b, 'b changed', '10.0.2.0');
  world.isCut = false;
  await world.pass(12);
  for (const server of [world.a, world.b])
    assert.deepEqual([nameOf(server, '10.0.1.0'), nameOf(server, '10.0.2.0')], ['a changed', 'b changed']);
});

test('replication creates again a scope that was deleted on the partner behind its back', async () => {
  const world = await pairedServers();
  // An operation refuses this, so it is done behind the server's back.
  world.b.revisions.push({ ...world.b.control.revision(), config: { ...world.b.config, scopes: [] } });
  assert.deepEqual(value(await world.a.run('replication.invoke-by-scope-id', { ScopeId: ['10.0.1.0'] })), ['10.0.1.0']);
  assert.equal(nameOf(world.b), 'net 1');
});

test('bringing an old revision back follows to the partner like any change', async () => {
  const world = await pairedServers();
  await rename(world.a, 'first');
  await world.rest();
  await rename(world.a, 'second');
  await world.rest();
  value(await world.a.run('config.undo'));
  await world.rest();
  assert.deepEqual([nameOf(world.a), nameOf(world.b)], ['first', 'first']);
});

test('what the partner cannot take is shown with its reason', async () => {
  const world = await pairedServers();
  value(await world.b.run('option-definition.add', { OptionId: 230, Name: 'theirs', Type: 'String' }));
  value(await world.a.run('option-definition.add', { OptionId: 230, Name: 'ours', Type: 'DWord' }));
  value(await world.a.run('option.set-by-option-id', { ScopeId: '10.0.1.0', OptionId: 230, Value: ['7'] }));
  await world.rest();
  const [status] = value<{ ScopesApart: string[] }[]>(await world.a.run('failover.status'));
  assert.deepEqual(status?.ScopesApart, ['10.0.1.0']);
  assert.deepEqual(world.b.config.scopes[0]?.options, []);
});
