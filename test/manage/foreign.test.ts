/**
 * Relationships with servers of other makes (design, part 5 "Foreign partners"): only this half is made, the answer tells what to
 * enter at the partner, and what cannot work is refused with advice.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Relationship } from '../../src/core/config/model.ts';
import { problemAdvice, problemText } from '../../src/core/problems/catalogue.ts';
import type { Problem } from '../../src/core/problems/problem.ts';
import { changesOf } from '../../src/manage/changes.ts';
import type { Outcome } from '../../src/manage/operation.ts';
import { type EpochSec, parseIp4, type Sec } from '../../src/wire/units.ts';
import { type FakeServer, type FakeWorld, lease, scope, twoServers } from './fake-control.ts';

const PARTNER = { Kind: 'isc', Name: 'dhcp3', Host: '10.0.0.3' };
const ADD = { Name: 'rel1', PartnerServer: 'dhcp3', ScopeId: ['10.0.1.0'] };
const LOAD_BALANCE = 'failover.add-by-load-balance';
const HOT_STANDBY = 'failover.add-by-hot-standby';

function value<T = Record<string, unknown>>(outcome: Outcome<unknown>): T {
  assert.equal(outcome.kind, 'ok', outcome.kind === 'failed' ? JSON.stringify(outcome.problems) : '');
  return (outcome as { value: T }).value;
}

function codes(outcome: Outcome<unknown>): string[] {
  const problems = outcome.kind === 'failed' ? outcome.problems : outcome.errors;
  return problems.map((problem) => problem.code);
}

function warnings(outcome: Outcome<unknown>): readonly Problem[] {
  assert.equal(outcome.kind, 'ok', outcome.kind === 'failed' ? JSON.stringify(outcome.problems) : '');
  return outcome.kind === 'ok' ? outcome.warnings : [];
}

function warningCodes(outcome: Outcome<unknown>): string[] {
  return warnings(outcome).map((problem) => problem.code);
}

/** What the operator is told to enter at the partner. */
function linesOf(outcome: Outcome<unknown>): string[] {
  const enter = warnings(outcome).find((problem) => problem.code === 'failover/foreign-enter');
  assert.ok(enter !== undefined);
  return String(enter.slots['lines']).split('\n').slice(1);
}

function relationshipOf(server: FakeServer, name = 'rel1'): Relationship {
  const found = server.config.relationships.find((one) => one.name === name);
  assert.ok(found !== undefined);
  return found;
}

async function declared(kind = 'isc'): Promise<FakeWorld> {
  const world = twoServers();
  value(await world.a.run('pair.declare', { ...PARTNER, Kind: kind }));
  return world;
}

async function related(more: Record<string, unknown> = {}, kind = 'isc'): Promise<FakeWorld> {
  const world = await declared(kind);
  value(await world.a.run(LOAD_BALANCE, { ...ADD, ...more }));
  return world;
}

test('a server of another make is declared, shown, and forgotten', async () => {
  const { a } = await declared();
  assert.deepEqual(
    a.config.partners.find((one) => one.name === 'dhcp3'),
    {
      key: 'foreign:10.0.0.3',
      name: 'dhcp3',
      host: '10.0.0.3',
      port: 647,
      foreign: { kind: 'isc', localAddress: null },
    },
  );
  const shown = value<Record<string, unknown>[]>(await a.run('pair.list')).find((one) => one['Name'] === 'dhcp3');
  assert.deepEqual([shown?.['Kind'], shown?.['Answers'], shown?.['Version']], ['isc', false, null]);
  value(await a.run('pair.remove', { Partner: 'dhcp3' }));
  assert.equal(
    a.config.partners.some((one) => one.name === 'dhcp3'),
    false,
  );
});

test('the list of partners says that a server of another make answers when its failover link communicates', async () => {
  const { a } = await related();
  a.states.set('rel1', 'normal');
  const shown = value<Record<string, unknown>[]>(await a.run('pair.list')).find((one) => one['Name'] === 'dhcp3');
  assert.deepEqual([shown?.['Answers'], shown?.['Relationships']], [true, ['rel1']]);
});

const WRONG_DECLARATIONS: readonly (readonly [string, Record<string, unknown>, string])[] = [
  ['an unknown make', { Kind: 'kea' }, 'request/invalid-parameter'],
  ['no name', { Name: ' ' }, 'request/invalid-parameter'],
  ['a host name', { Host: 'dhcp3.example.com' }, 'request/invalid-parameter'],
  ['the address of this server', { Host: '10.0.0.1' }, 'request/invalid-parameter'],
  ['a port beyond all', { Port: 65_536 }, 'request/invalid-parameter'],
  ['a local address that is none', { LocalAddress: 'eth0' }, 'request/invalid-parameter'],
  ['the name of a partner that there is', { Name: 'DHCP2' }, 'pair/foreign-exists'],
];
for (const [name, more, code] of WRONG_DECLARATIONS) {
  test(`a declaration with ${name} is refused`, async () => {
    const { a } = twoServers();
    assert.deepEqual(codes(await a.run('pair.declare', { ...PARTNER, ...more })), [code]);
    assert.equal(a.config.partners.length, 1);
  });
}

test('one address is declared once', async () => {
  const { a } = await declared();
  assert.deepEqual(codes(await a.run('pair.declare', { ...PARTNER, Name: 'other' })), ['pair/foreign-exists']);
});

test('a relationship is made on this server alone, and nothing is asked of anybody', async () => {
  const world = await declared();
  world.isCut = true;
  const outcome = await world.a.run(LOAD_BALANCE, { ...ADD, MaxClientLeadTime: 900, PassThru: true });
  const shown = value(outcome);
  assert.deepEqual(
    [shown['PartnerServer'], shown['ServerType'], shown['PrimaryServerIP'], shown['SecondaryServerIP']],
    ['dhcp3', 'PrimaryServer', '10.0.0.1', '10.0.0.3'],
  );
  const relationship = relationshipOf(world.a);
  assert.deepEqual(
    [relationship.profile, relationship.partnerKey, relationship.role, relationship.mcltSec, relationship.percentage],
    ['isc', 'foreign:10.0.0.3', 'primary', 900, 50],
  );
  assert.deepEqual(world.b.config.relationships, []);
  assert.deepEqual(changesOf(world.a.control).open(), []);
});

test('where no lease is held the new half fetches everything first, and says so', async () => {
  const { a } = await declared();
  const outcome = await a.run(LOAD_BALANCE, ADD);
  assert.ok(warningCodes(outcome).includes('failover/foreign-fetches'));
  const change = a.changes.at(-1);
  assert.deepEqual(change?.newRelationships, [{ name: 'rel1', holdsAllData: false }]);
  assert.deepEqual(change?.given, [{ scopeId: parseIp4('10.0.1.0'), owner: 'free' }]);
});

test('where leases are held this server goes on with all addresses as its own', async () => {
  const { a } = await declared();
  lease(a, '10.0.1.20', 1);
  const outcome = await a.run(LOAD_BALANCE, { ...ADD, ProtocolRole: 'Secondary' });
  assert.equal(warningCodes(outcome).includes('failover/foreign-fetches'), false);
  const change = a.changes.at(-1);
  assert.deepEqual(change?.newRelationships, [{ name: 'rel1', holdsAllData: true }]);
  assert.deepEqual(change?.given, [{ scopeId: parseIp4('10.0.1.0'), owner: 'backup' }]);
});

test('who holds the leases can be said, either way', async () => {
  for (const HoldsLeases of [true, false]) {
    const { a } = await declared();
    if (!HoldsLeases) lease(a, '10.0.1.20', 1);
    value(await a.run(LOAD_BALANCE, { ...ADD, HoldsLeases }));
    assert.deepEqual(a.changes.at(-1)?.newRelationships, [{ name: 'rel1', holdsAllData: HoldsLeases }]);
  }
});

test('a partner is declared on the fly when its make is named', async () => {
  const { a } = twoServers();
  a.hosts.set('isc.example.com', '10.0.0.9');
  const outcome = await a.run(LOAD_BALANCE, {
    ...ADD,
    PartnerServer: 'isc.example.com',
    PartnerKind: 'ISC',
    PartnerPort: 847,
    LocalAddress: '10.0.0.1',
  });
  value(outcome);
  assert.deepEqual(a.config.partners.at(-1), {
    key: 'foreign:10.0.0.9',
    name: 'isc.example.com',
    host: '10.0.0.9',
    port: 847,
    foreign: { kind: 'isc', localAddress: '10.0.0.1' },
  });
  assert.equal(relationshipOf(a).partnerKey, 'foreign:10.0.0.9');
});

test('a Twinlease server that came to the address of a foreign partner is the one meant', async () => {
  const { a, b } = twoServers();
  value(await a.run('pair.declare', { ...PARTNER, Host: '10.0.0.2' }));
  a.put((config) => ({ ...config, partners: [...config.partners].reverse() }));
  value(await a.run(LOAD_BALANCE, { ...ADD, PartnerServer: '10.0.0.2' }));
  assert.equal(relationshipOf(a).partnerKey, b.key);
});

const REFUSED_ADDS: readonly (readonly [string, Record<string, unknown>, string])[] = [
  ['an unknown make', { PartnerKind: 'kea' }, 'request/invalid-parameter'],
  ['another make than the partner was declared as', { PartnerKind: 'windows' }, 'failover/foreign-kind-differs'],
  ['a port without a make', { PartnerPort: 847 }, 'request/invalid-parameter'],
  ['a local address without a make', { LocalAddress: '10.0.0.1' }, 'request/invalid-parameter'],
  ['an unknown protocol role', { ProtocolRole: 'Master' }, 'request/invalid-parameter'],
  ['a shared secret with dhcpd', { SharedSecret: 'secret' }, 'failover/foreign-secret'],
  ['a name that resolves to nothing', { PartnerServer: 'nowhere', PartnerKind: 'isc' }, 'partner/name-unresolved'],
];
for (const [name, more, code] of REFUSED_ADDS) {
  test(`adding with ${name} is refused`, async () => {
    const { a } = await declared();
    const before = JSON.stringify(a.config);
    const outcome = await a.run(LOAD_BALANCE, { ...ADD, ...more });
    assert.deepEqual(codes(outcome), [code]);
    if (outcome.kind === 'failed')
      for (const problem of outcome.problems) assert.doesNotMatch(problemText(problem), /\{/);
    assert.equal(JSON.stringify(a.config), before);
    assert.equal(a.secrets.size, 0);
  });
}

test('a second relationship with the same server of another make is refused', async () => {
  const { a } = await related();
  const outcome = await a.run(LOAD_BALANCE, { ...ADD, Name: 'rel2', ScopeId: ['10.0.2.0'] });
  assert.deepEqual(codes(outcome), ['failover/foreign-partner-taken']);
});

test('the protocol role can be chosen with a Twinlease partner too, and the share stays the one of this server', async () => {
  const { a, b } = twoServers();
  const params = { ...ADD, PartnerServer: 'dhcp2', ProtocolRole: 'Secondary', LoadBalancePercent: 70, PassThru: true };
  const shown = value(await a.run(LOAD_BALANCE, params));
  assert.deepEqual([shown['ServerType'], shown['LoadBalancePercent']], ['SecondaryServer', 70]);
  assert.deepEqual([relationshipOf(a).percentage, relationshipOf(b).role], [30, 'primary']);
});

test('dhcpd as secondary is told its failover peer block and its pool', async () => {
  const { a } = await declared();
  const outcome = await a.run(LOAD_BALANCE, ADD);
  assert.deepEqual(linesOf(outcome), [
    'failover peer "rel1" {',
    '  secondary;',
    '  address 10.0.0.3;',
    '  port 647;',
    '  peer address 10.0.0.1;',
    '  peer port 647;',
    '  max-response-delay 60;',
    '  max-unacked-updates 10;',
    '  load balance max seconds 3;',
    '}',
    'subnet 10.0.1.0 netmask 255.255.255.0 {',
    '  # Options of the network as this server gives them, for example: option routers ...;',
    '  default-lease-time 691200;',
    '  max-lease-time 691200;',
    '  pool {',
    '    failover peer "rel1";',
    '    deny dynamic bootp clients;',
    '    range 10.0.1.10 10.0.1.200;',
    '  }',
    '}',
  ]);
});

test('dhcpd as primary is told the MCLT and which part of the clients is its own', async () => {
  const cases = [
    [LOAD_BALANCE, { LoadBalancePercent: 25 }, 'split 192;'],
    [HOT_STANDBY, { ServerRole: 'Active' }, 'split 0;'],
    [HOT_STANDBY, { ServerRole: 'Standby' }, 'split 256;'],
  ] as const;
  for (const [operation, more, split] of cases) {
    const { a } = await declared();
    const params = { ...ADD, ProtocolRole: 'Secondary', MaxClientLeadTime: 1200, ...more };
    const lines = linesOf(await a.run(operation, params));
    for (const line of ['  primary;', '  mclt 1200;', `  ${split}`])
      assert.ok(lines.includes(line), `${line} ${lines}`);
  }
});

test('exclusions and reservations are cut out of the ranges, and reservations become hosts', async () => {
  const world = await declared();
  world.a.put((config) => ({
    ...config,
    scopes: [
      scope(1, {
        exclusions: [{ start: '10.0.1.10', end: '10.0.1.14' }],
        reservations: [
          {
            address: '10.0.1.20',
            client: { kind: 'hardware', hex: '020000000001' },
            name: '',
            description: '',
            type: 'Both',
            options: [],
          },
        ],
      }),
    ],
  }));
  const lines = linesOf(await world.a.run(LOAD_BALANCE, ADD));
  assert.deepEqual(
    lines.filter((line) => line.includes('range ')),
    ['    range 10.0.1.15 10.0.1.19;', '    range 10.0.1.21 10.0.1.200;'],
  );
  assert.ok(
    lines.includes('host reserved-10-0-1-20 { hardware ethernet 02:00:00:00:00:01; fixed-address 10.0.1.20; }'),
  );
});

test('a name that would break out of its quotes does not', async () => {
  const { a } = await declared();
  const lines = linesOf(await a.run(LOAD_BALANCE, { ...ADD, Name: 'a" { b' }));
  assert.equal(lines[0], 'failover peer "a\\" { b" {');
});

test('the weaknesses of dhcpd are told when a relationship is made, and an MCLT shorter than a lease whenever it is', async () => {
  const { a } = await declared();
  const made = await a.run(LOAD_BALANCE, ADD);
  assert.ok(warningCodes(made).includes('failover/isc-weaknesses'));
  assert.ok(warningCodes(made).includes('failover/mclt-below-lease'));
  const changed = await a.run('failover.set', { Name: 'rel1', MaxClientLeadTime: 7200 });
  assert.deepEqual(warningCodes(changed), ['failover/foreign-enter', 'failover/mclt-below-lease']);
  const enough = await a.run('failover.set', { Name: 'rel1', MaxClientLeadTime: 691_200 });
  assert.deepEqual(warningCodes(enough), ['failover/foreign-enter']);
  for (const problem of warnings(made)) {
    const { why, action } = problemAdvice(problem);
    assert.doesNotMatch(
      `${problemText(problem)} ${why} ${action}`.replace(String(problem.slots['lines']), ''),
      /\{\w+\}/,
    );
  }
});

test('a scope that serves BOOTP clients too is pointed out', async () => {
  const world = await declared();
  world.a.put((config) => ({ ...config, scopes: [scope(1, { type: 'Both' })] }));
  assert.ok(warningCodes(await world.a.run(LOAD_BALANCE, ADD)).includes('failover/foreign-bootp'));
});

test('a Windows partner is told parameters, and a secret is used but never shown', async () => {
  const { a } = await declared('windows');
  const outcome = await a.run(LOAD_BALANCE, { ...ADD, SharedSecret: 'hush-hush' });
  const lines = linesOf(outcome);
  assert.ok(lines.includes('mode: load balance, 50 % of the clients there'));
  assert.ok(lines.includes('message authentication: with the same shared secret as here'));
  assert.doesNotMatch(JSON.stringify(outcome), /hush-hush/);
  const { profile, sharedSecretRef } = relationshipOf(a);
  assert.equal(profile, 'msft');
  assert.ok(sharedSecretRef !== null && a.secrets.get(sharedSecretRef) === 'hush-hush');
});

test('what the primary decides cannot be set on its secondary, except toward Windows', async () => {
  for (const more of [{ MaxClientLeadTime: 60 }, { LoadBalancePercent: 10 }]) {
    const { a } = await related({ ProtocolRole: 'Secondary' });
    assert.deepEqual(codes(await a.run('failover.set', { Name: 'rel1', ...more })), [
      'failover/foreign-primary-decides',
    ]);
    const windows = await related({ ProtocolRole: 'Secondary' }, 'windows');
    value(await windows.a.run('failover.set', { Name: 'rel1', ...more }));
  }
});

test('settings change on this server alone, with the partner away', async () => {
  const world = await related();
  world.isCut = true;
  value(await world.a.run('failover.set', { Name: 'rel1', LoadBalancePercent: 80, StateSwitchInterval: 120 }));
  const { percentage, stateSwitchIntervalSec } = relationshipOf(world.a);
  assert.deepEqual([percentage, stateSwitchIntervalSec], [80, 120]);
});

test('a secret cannot be set toward dhcpd, and what-if stores none', async () => {
  const { a } = await related();
  assert.deepEqual(codes(await a.run('failover.set', { Name: 'rel1', SharedSecret: 'x' })), [
    'failover/foreign-secret',
  ]);
  const draft = await related({}, 'draft');
  value(await draft.a.run('failover.set', { Name: 'rel1', SharedSecret: 'x' }, { whatIf: true }));
  assert.equal(draft.a.secrets.size, 0);
});

test('the partner can be declared down', async () => {
  const { a } = await related();
  a.states.set('rel1', 'communications-interrupted');
  value(await a.run('failover.set', { Name: 'rel1', PartnerDown: true }));
  assert.deepEqual(a.commands, ['rel1 partner-down']);
});

test('a scope is added whatever the state, as the primary’s, and the leases held of it are told', async () => {
  const { a } = await related();
  a.states.set('rel1', 'communications-interrupted');
  lease(a, '10.0.2.20', 1);
  const told: number[] = [];
  const { changeBindings } = a.control;
  Object.assign(a.control, {
    changeBindings: async (bindings: Parameters<typeof changeBindings>[0]) => {
      told.push(...bindings.map(({ address }) => address));
      await changeBindings(bindings);
    },
  });
  const outcome = await a.run('failover-scope.add', { Name: 'rel1', ScopeId: ['10.0.2.0'] });
  assert.deepEqual(relationshipOf(a).scopeIds, ['10.0.1.0', '10.0.2.0']);
  assert.ok(linesOf(outcome).some((line) => line.startsWith('subnet 10.0.2.0 ')));
  assert.deepEqual(told, [parseIp4('10.0.2.20')]);
  const change = a.changes.at(-1);
  assert.deepEqual(change?.given, [{ scopeId: parseIp4('10.0.2.0'), owner: 'free' }]);
  assert.deepEqual(change?.silentScopeIds ?? [], []);
});

test('leases of a single scope cannot be fetched from the partner', async () => {
  const { a } = await related();
  const outcome = await a.run('failover-scope.add', { Name: 'rel1', ScopeId: ['10.0.2.0'], HoldsLeases: false });
  assert.deepEqual(codes(outcome), ['failover/foreign-no-fetch']);
});

test('a relationship that is removed leaves the partner’s addresses alone for one MCLT, and then they are free', async () => {
  const world = await related({ MaxClientLeadTime: 600 });
  const { a } = world;
  const outcome = await a.run('failover.remove', { Name: ['rel1'] });
  assert.deepEqual(warningCodes(outcome), ['failover/foreign-take-out']);
  assert.deepEqual(a.config.relationships, []);
  assert.deepEqual(
    a.config.tombstones.map(({ partnerKey, scopeIds }) => [partnerKey, scopeIds]),
    [['foreign:10.0.0.3', ['10.0.1.0']]],
  );
  await world.pass(630);
  assert.equal(a.config.tombstones.length, 1, 'MCLT is over, the allowance for clocks is not');
  await world.pass(60);
  assert.deepEqual(a.config.tombstones, []);
  assert.deepEqual(a.changes.at(-1)?.given, [{ scopeId: parseIp4('10.0.1.0'), owner: 'free' }]);
});

test('while leases are still fetched a relationship is removed only by force', async () => {
  for (const state of ['recover', 'recover-wait'] as const) {
    const { a } = await related();
    a.states.set('rel1', state);
    a.waits = { recoverWaitUntilAt: (a.control.now().wallAt + 60) as EpochSec };
    assert.deepEqual(codes(await a.run('failover.remove', { Name: ['rel1'] })), ['failover/foreign-unfetched']);
    assert.equal(a.config.relationships.length, 1);
    const forced = await a.run('failover.remove', { Name: ['rel1'], Force: true });
    assert.deepEqual(warningCodes(forced), ['failover/foreign-take-out', 'failover/removed-unfetched']);
    assert.deepEqual(a.config.relationships, []);
    assert.equal(a.config.scopes.find(({ scopeId }) => scopeId === '10.0.1.0')?.state, 'Inactive');
  }
});

test('a server that was alone for longer than any lease of the partner needs no wait', async () => {
  const { a } = await related({ MaxClientLeadTime: 600 });
  a.states.set('rel1', 'partner-down');
  a.downAt = a.control.now().wallAt - 661;
  const outcome = await a.run('failover.remove', { Name: ['rel1'] });
  assert.deepEqual(warningCodes(outcome), []);
  assert.deepEqual(a.config.tombstones, []);
  const second = await related({ MaxClientLeadTime: 600 });
  second.a.states.set('rel1', 'partner-down');
  second.a.downAt = second.a.control.now().wallAt - 600;
  value(await second.a.run('failover.remove', { Name: ['rel1'] }));
  assert.equal(second.a.config.tombstones.length, 1);
});

test('a scope that is taken out waits in the same way', async () => {
  const { a } = await related();
  value(await a.run('failover-scope.add', { Name: 'rel1', ScopeId: ['10.0.2.0'] }));
  const outcome = await a.run('failover-scope.remove', { Name: 'rel1', ScopeId: ['10.0.2.0'] });
  assert.deepEqual(warningCodes(outcome), ['failover/foreign-take-out']);
  assert.deepEqual([relationshipOf(a).scopeIds, a.config.tombstones.length], [['10.0.1.0'], 1]);
});

test('a partner that is forgotten meanwhile does not shorten the wait', async () => {
  const world = await related({ MaxClientLeadTime: 600 });
  const { a } = world;
  value(await a.run('failover.remove', { Name: ['rel1'] }));
  value(await a.run('pair.remove', { Partner: 'dhcp3' }));
  assert.equal(a.config.tombstones.length, 1);
  await world.pass(690);
  assert.deepEqual(a.config.tombstones, []);
});

test('an address stays with its client until all that the partner may have promised is over', async () => {
  const world = await related({ MaxClientLeadTime: 600 });
  const { a } = world;
  const endAt = (world.wallAt + 100) as EpochSec;
  const potentialAt = (world.wallAt + 5000) as EpochSec;
  lease(a, '10.0.1.20', 1, { leaseEndAt: endAt, recvPotentialAt: potentialAt, told: true });
  lease(a, '10.0.1.21', 2, { leaseEndAt: endAt, told: false });
  lease(a, '10.0.1.22', 3, {
    state: 'released',
    leaseEndAt: endAt,
    told: true,
    stateSinceAt: world.wallAt as EpochSec,
  });
  value(await a.run('failover.remove', { Name: ['rel1'] }));
  const found = ['10.0.1.20', '10.0.1.21', '10.0.1.22'].map((address) => a.bindings.find(parseIp4(address)!));
  assert.deepEqual(
    found.map((binding) => [binding?.state, (binding?.leaseEndAt ?? 0) - world.wallAt]),
    [
      ['active', 5000 + 600 + 60],
      ['active', 100],
      ['active', 100 + 600 + 60],
    ],
  );
});

test('a longer MCLT of before and a greater difference of the clocks count in everything that is waited for', async () => {
  const world = await related({ MaxClientLeadTime: 60 });
  const { a } = world;
  a.waits = { waitMcltSec: 3600 as Sec, allowanceSec: 90 as Sec };
  lease(a, '10.0.1.20', 1, {
    leaseEndAt: (world.wallAt + 100) as EpochSec,
    recvPotentialAt: (world.wallAt + 5000) as EpochSec,
    told: true,
  });
  a.states.set('rel1', 'partner-down');
  a.downAt = a.control.now().wallAt - 3689;
  value(await a.run('failover.remove', { Name: ['rel1'] }));
  assert.equal((a.bindings.find(parseIp4('10.0.1.20')!)?.leaseEndAt ?? 0) - world.wallAt, 5000 + 3600 + 90);
  assert.deepEqual(
    a.config.tombstones.map(({ mcltSec }) => mcltSec),
    [3600],
  );
  await world.pass(3600);
  assert.equal(a.config.tombstones.length, 1);
});

test('a partner with a relationship is not forgotten', async () => {
  const { a } = await related();
  assert.deepEqual(codes(await a.run('pair.remove', { Partner: 'dhcp3' })), ['pair/partner-in-use']);
});

test('what needs the partner’s own configuration is refused with advice', async () => {
  const { a } = await related();
  a.states.set('rel1', 'normal');
  for (const [operation, params] of [
    ['replication.invoke-by-name', { Name: ['rel1'] }],
    ['replication.invoke-by-scope-id', { ScopeId: ['10.0.1.0'] }],
    ['pair.align', { Partner: 'dhcp3' }],
    ['pair.rejoin', { Partner: 'dhcp3' }],
  ] as const)
    assert.deepEqual(codes(await a.run(operation, params)), ['pair/foreign-not-managed'], operation);
});

test('what-if says what would change here and changes nothing', async () => {
  const { a } = await declared();
  const before = JSON.stringify(a.config);
  const told = value<{ whatIf: string[] }>(await a.run(LOAD_BALANCE, ADD, { whatIf: true }));
  assert.match(told.whatIf.join('\n'), /Adds relationships\[rel1\]/);
  assert.equal(JSON.stringify(a.config), before);
});
