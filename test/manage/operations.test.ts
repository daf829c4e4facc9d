/**
 * The operations around failover: scopes, exclusions, reservations, options, leases, statistics, the configuration as a whole and
 * the pairing.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Reservation } from '../../src/core/config/model.ts';
import type { Outcome } from '../../src/manage/operation.ts';
import { type EpochSec, parseIp4 } from '../../src/wire/units.ts';
import { type FakeServer, FakeWorld, lease, pairedServers, scope, twoServers } from './fake-control.ts';

function value<T = Record<string, unknown>>(outcome: Outcome<unknown>): T {
  assert.equal(outcome.kind, 'ok', outcome.kind === 'failed' ? JSON.stringify(outcome.problems) : '');
  return (outcome as { value: T }).value;
}

function code(outcome: Outcome<unknown>): string | undefined {
  return outcome.kind === 'failed' ? outcome.problems[0]?.code : 'ok';
}

function stateOf(server: FakeServer, address: string): string | undefined {
  return server.bindings.find(parseIp4(address)!)?.state;
}

const NEW_SCOPE = { Name: 'new', StartRange: '10.5.0.10', EndRange: '10.5.0.20', SubnetMask: '255.255.255.0' };

test('a scope is added with the documented defaults, its id made from its range', async () => {
  const { a } = new FakeWorld();
  const made = value(await a.run('scope.add', { ...NEW_SCOPE, PassThru: true }));
  assert.deepEqual(made, {
    ScopeId: '10.5.0.0',
    Name: 'new',
    Description: '',
    SubnetMask: '255.255.255.0',
    StartRange: '10.5.0.10',
    EndRange: '10.5.0.20',
    SuperscopeName: null,
    LeaseDuration: 691_200,
    NapProfile: null,
    NapEnable: false,
    Delay: 0,
    State: 'Active',
    Type: 'Dhcp',
    MaxBootpClients: 0xffffffff,
    ActivatePolicies: true,
  });
  assert.equal(value(await a.run('scope.add', { ...NEW_SCOPE, StartRange: '10.6.0.1', EndRange: '10.6.0.5' })), null);
});

test('a scope that overlaps another is refused whatever its mask', async () => {
  const { a } = twoServers();
  for (const SubnetMask of ['255.255.0.0', '255.255.255.128']) {
    const overlapping = { Name: 'x', StartRange: '10.0.1.10', EndRange: '10.0.1.20', SubnetMask };
    assert.equal(code(await a.run('scope.add', overlapping)), 'scope/exists', SubnetMask);
  }
});

test('a scope is changed with and without its range; what is not named stays', async () => {
  const { a } = twoServers();
  value(await a.run('scope.set-by-without-range', { ScopeId: '10.0.1.0', State: 'inactive', LeaseDuration: 60 }));
  value(
    await a.run('scope.set-by-with-range', { ScopeId: '10.0.1.0', StartRange: '10.0.1.50', EndRange: '10.0.1.60' }),
  );
  const [changed] = value<Record<string, unknown>[]>(await a.run('scope.get', { ScopeId: ['10.0.1.0'] }));
  const shown = [changed?.['State'], changed?.['LeaseDuration'], changed?.['StartRange'], changed?.['Name']];
  assert.deepEqual(shown, ['Inactive', 60, '10.0.1.50', 'net 1']);
});

test('setting a shared scope to its present range is no change of range', async () => {
  const { a } = await pairedServers();
  const same = { ScopeId: '10.0.1.0', StartRange: '10.0.1.10', EndRange: '10.0.1.200', Description: 'same' };
  value(await a.run('scope.set-by-with-range', same));
  assert.equal(a.config.scopes[0]?.description, 'same');
});

test('a scope in use goes only by force, and takes its leases along', async () => {
  const { a } = twoServers();
  lease(a, '10.0.1.20', 1);
  const told = value<{ whatIf: string[] }>(
    await a.run('scope.remove', { ScopeId: ['10.0.1.0'], Force: true }, { whatIf: true }),
  );
  assert.ok(told.whatIf.some((line) => line.includes('10.0.1.20')));
  const gone = value<{ ScopeId: string }[]>(
    await a.run('scope.remove', { ScopeId: ['10.0.1.0', '10.0.2.0'], Force: true, PassThru: true }),
  );
  assert.deepEqual(
    gone.map((one) => one.ScopeId),
    ['10.0.1.0', '10.0.2.0'],
  );
  assert.equal(a.bindings.find(parseIp4('10.0.1.20')!), undefined);
});

test('exclusions are added, shown and removed, one or all', async () => {
  const { a } = twoServers();
  const range = { ScopeId: '10.0.1.0', StartRange: '10.0.1.10', EndRange: '10.0.1.19' };
  assert.deepEqual(value(await a.run('exclusion.add', { ...range, PassThru: true })), range);
  assert.equal(code(await a.run('exclusion.add', range)), 'scope/invalid-range');
  value(await a.run('exclusion.add', { ...range, StartRange: '10.0.1.30', EndRange: '10.0.1.30' }));
  assert.equal(value<unknown[]>(await a.run('exclusion.get')).length, 2);
  value(await a.run('exclusion.remove', range));
  assert.equal(value<unknown[]>(await a.run('exclusion.remove', { ScopeId: '10.0.1.0', PassThru: true })).length, 1);
  assert.deepEqual(value(await a.run('exclusion.get', { ScopeId: ['10.0.1.0'] })), []);
});

test('reservations are known by hardware address, client identifier or relay port', async () => {
  const { a } = twoServers();
  const add = (address: string, more: object): Promise<Outcome<unknown>> =>
    a.run('reservation.add', { ScopeId: '10.0.1.0', IPAddress: address, PassThru: true, ...more });
  assert.deepEqual(value(await add('10.0.1.9', { ClientId: '00:15:5D:01:02:03', Name: 'printer' })), {
    Name: 'printer',
    Description: '',
    Type: 'Both',
    ClientId: '00-15-5d-01-02-03',
    IPAddress: '10.0.1.9',
    ScopeId: '10.0.1.0',
    AddressState: 'InactiveReservation',
  });
  value(await add('10.0.1.8', { ClientId: '01ffee' }));
  value(await add('10.0.1.7', { ClientId: '0102', ClientKey: 'circuit-id' }));
  assert.deepEqual(
    a.config.scopes[0]?.reservations.map((one) => one.client.kind),
    ['hardware', 'client-id', 'circuit-id'],
  );
  assert.equal(code(await add('10.0.1.6', { ClientId: 'no hex' })), 'request/invalid-parameter');
  value(await a.run('reservation.set', { IPAddress: '10.0.1.9', Name: 'plotter' }));
  const byClient = { ScopeId: '10.0.1.0', ClientId: ['00155d010203'] };
  assert.equal(value<{ Name: string }[]>(await a.run('reservation.get-by-client-id', byClient))[0]?.Name, 'plotter');
  value(await a.run('reservation.remove-by-client-id', byClient));
  assert.equal(code(await a.run('reservation.get-by-ip-address', { IPAddress: ['10.0.1.9'] })), 'reservation/unknown');
  const rest = await a.run('reservation.remove-by-ip-address', { IPAddress: ['10.0.1.8', '10.0.1.99'] });
  assert.equal(rest.kind === 'ok' && rest.errors.length, 1);
  value(await a.run('reservation.remove-by-scope-id', { ScopeId: '10.0.1.0' }));
  assert.deepEqual(value(await a.run('reservation.get-by-scope-id', { ScopeId: '10.0.1.0' })), []);
});

test('options are set at server, scope and reservation level and shown in Windows’s words', async () => {
  const { a } = twoServers();
  value(await a.run('reservation.add', { ScopeId: '10.0.1.0', IPAddress: '10.0.1.9', ClientId: '00155d010203' }));
  const common = {
    ScopeId: '10.0.1.0',
    Router: ['10.0.1.1'],
    DnsServer: ['10.0.0.53', '10.0.0.54'],
    DnsDomain: 'a.example',
  };
  value(await a.run('option.set-by-common-options', common));
  value(await a.run('option.set-by-option-id', { OptionId: 42, Value: ['10.0.0.1'] }));
  value(await a.run('option.set-by-option-id', { ReservedIP: '10.0.1.9', OptionId: 12, Value: ['box'] }));
  const shown = value<{ OptionId: number; Type: string; Value: string[] }[]>(
    await a.run('option.get', { ScopeId: '10.0.1.0', OptionId: [6, 3] }),
  );
  assert.deepEqual(
    shown.map((one) => [one.OptionId, one.Type, one.Value]),
    [
      [6, 'IPv4Address', ['10.0.0.53', '10.0.0.54']],
      [3, 'IPv4Address', ['10.0.1.1']],
    ],
  );
  assert.equal(a.config.server.options[0]?.hex, '0a000001');
  assert.equal(a.config.scopes[0]?.reservations[0]?.options[0]?.hex, '626f78');
  assert.equal(
    code(await a.run('option.set-by-option-id', { OptionId: 3, Value: ['router'] })),
    'request/invalid-parameter',
  );
  const removed = await a.run('option.remove', { ScopeId: '10.0.1.0', OptionId: [3, 99] });
  assert.equal(removed.kind === 'ok' && removed.errors[0]?.code, 'option/unknown');
});

test('an own definition gives an option a type, and a vendor class its own space', async () => {
  const { a } = twoServers();
  value(await a.run('option-definition.add', { OptionId: 230, Name: 'site', Type: 'word', MultiValued: true }));
  assert.equal(
    code(await a.run('option-definition.add', { OptionId: 230, Name: 'again', Type: 'Byte' })),
    'option/exists',
  );
  value(await a.run('option.set-by-option-id', { OptionId: 230, Value: ['1', '0x0200'] }));
  assert.equal(a.config.server.options[0]?.hex, '00010200');
  value(await a.run('option-definition.set', { OptionId: 230, Name: 'sites' }));
  const [shown] = value<Record<string, unknown>[]>(await a.run('option-definition.get', { OptionId: [230] }));
  assert.deepEqual([shown?.['Name'], shown?.['Type'], shown?.['MultiValued']], ['sites', 'Word', true]);
  const ofVendor = { OptionId: 1, VendorClass: 'acme', Value: ['7'] };
  assert.equal(code(await a.run('option.set-by-option-id', ofVendor)), 'option/unknown');
  value(await a.run('option-definition.add', { OptionId: 1, VendorClass: 'acme', Name: 'mode', Type: 'Byte' }));
  value(await a.run('option.set-by-option-id', ofVendor));
  value(await a.run('option.remove', { OptionId: [230] }));
  value(await a.run('option-definition.remove', { OptionId: [230] }));
  const standard = value<{ OptionId: number }[]>(await a.run('option-definition.get'));
  assert.ok(standard.some((one) => one.OptionId === 3) && !standard.some((one) => one.OptionId === 230));
});

test('leases are shown by scope, client and address, with the server that granted them', async () => {
  const { a } = await pairedServers();
  lease(a, '10.0.1.20', 1, { hostName: new TextEncoder().encode('box') });
  lease(a, '10.0.1.21', 2, { grantedHere: false });
  lease(a, '10.0.1.22', 3, { state: 'expired' });
  lease(a, '10.0.1.23', 4, { state: 'abandoned' });
  const active = value<Record<string, unknown>[]>(await a.run('lease.get-by-scope-id', { ScopeId: '10.0.1.0' }));
  assert.deepEqual(
    active.map((one) => [one['IPAddress'], one['ClientId'], one['HostName'], one['AddressState'], one['ServerIP']]),
    [
      ['10.0.1.20', '02-00-00-00-00-01', 'box', 'Active', '10.0.0.1'],
      ['10.0.1.21', '02-00-00-00-00-02', '', 'Active', '10.0.0.2'],
    ],
  );
  const all = value<unknown[]>(await a.run('lease.get-by-scope-id', { ScopeId: '10.0.1.0', AllLeases: true }));
  assert.equal(all.length, 4);
  const byClient = { ScopeId: '10.0.1.0', ClientId: ['02-00-00-00-00-02'] };
  assert.equal(value<unknown[]>(await a.run('lease.get-by-client-id', byClient)).length, 1);
  assert.equal(code(await a.run('lease.get-by-ip-address', { IPAddress: ['10.0.1.99'] })), 'lease/unknown');
  const [bad] = value<Record<string, unknown>[]>(await a.run('lease.get-by-bad-leases', { BadLeases: true }));
  assert.deepEqual([bad?.['IPAddress'], bad?.['AddressState']], ['10.0.1.23', 'Declined']);
});

test('a removed lease is free at once where one server decides, and released first where two do', async () => {
  const { a } = await pairedServers();
  lease(a, '10.0.1.20', 1);
  lease(a, '10.0.2.20', 2);
  lease(a, '10.0.1.21', 3, { state: 'abandoned' });
  const told = value<{ whatIf: string[] }>(
    await a.run('lease.remove-by-ip-address', { IPAddress: ['10.0.1.20'] }, { whatIf: true }),
  );
  assert.equal(told.whatIf.length, 1);
  assert.equal(stateOf(a, '10.0.1.20'), 'active');
  value(await a.run('lease.remove-by-ip-address', { IPAddress: ['10.0.1.20', '10.0.2.20'] }));
  value(await a.run('lease.remove-by-bad-leases'));
  assert.deepEqual(
    ['10.0.1.20', '10.0.2.20', '10.0.1.21'].map((address) => stateOf(a, address)),
    ['released', 'free', 'reset'],
  );
});

test('statistics count pools, and tell the two servers’ addresses apart when asked to', async () => {
  const { a, b } = await pairedServers();
  lease(a, '10.0.1.20', 1);
  lease(a, '10.0.1.21', 2, { grantedHere: false });
  const [plain] = value<Record<string, unknown>[]>(await a.run('scope.statistics', { ScopeId: ['10.0.1.0'] }));
  assert.deepEqual(
    [plain?.['AddressesFree'], plain?.['AddressesInUse'], plain?.['AddressesFreeOnThisServer']],
    [189, 2, null],
  );
  const all = value<Record<string, unknown>[]>(await a.run('scope.statistics', { Failover: true }));
  assert.deepEqual(
    all.map((one) => [
      one['AddressesFreeOnThisServer'],
      one['AddressesFreeOnPartnerServer'],
      one['AddressesInUseOnThisServer'],
      one['AddressesInUseOnPartnerServer'],
    ]),
    [
      [189, 0, 1, 1],
      [null, null, null, null],
    ],
  );
  const [there] = value<Record<string, unknown>[]>(await b.run('scope.statistics', { Failover: true }));
  assert.deepEqual([there?.['AddressesFreeOnThisServer'], there?.['AddressesFreeOnPartnerServer']], [0, 191]);
  const server = value(await a.run('server.statistics'));
  assert.deepEqual(
    [server['Discovers'], server['TotalScopes'], server['TotalAddresses'], server['AddressesInUse']],
    [7, 2, 382, 2],
  );
});

test('free addresses are this server’s own, in order; fewer than asked is a warning', async () => {
  const { a, b } = await pairedServers();
  lease(a, '10.0.1.10', 1);
  assert.deepEqual(value(await a.run('free-address.get', { ScopeId: '10.0.1.0', NumAddress: 2 })), [
    '10.0.1.11',
    '10.0.1.12',
  ]);
  const few = await a.run('free-address.get', { ScopeId: '10.0.1.0', NumAddress: 2, StartAddress: '10.0.1.200' });
  assert.deepEqual(value(few), ['10.0.1.200']);
  assert.deepEqual(few.kind === 'ok' && few.warnings.map((one) => one.code), ['scope/few-free']);
  assert.equal(
    code(await b.run('free-address.get', { ScopeId: '10.0.1.0' })),
    'scope/full',
    'all are the called server’s',
  );
});

test('superscopes are names that scopes have in common', async () => {
  const { a } = twoServers();
  value(await a.run('superscope.add', { SuperscopeName: 'floor', ScopeId: ['10.0.1.0', '10.0.2.0'] }));
  assert.deepEqual(value(await a.run('superscope.get')), [
    { SuperscopeName: 'floor', ScopeId: ['10.0.1.0', '10.0.2.0'] },
  ]);
  value(await a.run('superscope.rename', { Name: 'floor', NewName: 'cellar' }));
  value(await a.run('superscope.remove', { SuperscopeName: 'cellar', ScopeId: ['10.0.1.0'] }));
  assert.deepEqual(value(await a.run('superscope.get')), [{ SuperscopeName: 'cellar', ScopeId: ['10.0.2.0'] }]);
  assert.equal(code(await a.run('superscope.get', { SuperscopeName: ['floor'] })), 'request/not-found');
});

test('a configuration is shown, changed and applied against the revision it was made from', async () => {
  const { a } = twoServers();
  const file = structuredClone(
    value<Record<string, unknown> & { scopes: { name: string }[] }>(await a.run('config.show')),
  );
  file.scopes[0]!.name = 'from the file';
  const told = value<{ whatIf: string[] }>(await a.run('config.apply', { Config: file }, { whatIf: true }));
  assert.ok(told.whatIf.some((line) => line.includes('from the file')));
  assert.equal(a.config.scopes[0]?.name, 'net 1', 'what-if changes nothing');
  const differences = value<{ After: unknown }[]>(await a.run('config.diff', { Config: file }));
  assert.deepEqual(
    differences.map((one) => one.After),
    ['from the file'],
  );
  value(await a.run('config.apply', { Config: file }));
  assert.equal(a.config.scopes[0]?.name, 'from the file');
  assert.equal(
    code(await a.run('config.apply', { Config: file })),
    'config/stale',
    'another revision is in force by now',
  );
});

test('a file replaces only the sections it names, and what it lacks of reservations and relationships stays without prune', async () => {
  const { a, b } = await pairedServers();
  value(await a.run('reservation.add', { ScopeId: '10.0.2.0', IPAddress: '10.0.2.9', ClientId: '00155d010203' }));
  const base = (): number => a.revisions.length;
  const options = { server: { name: 'dhcp1', options: [{ code: 3, hex: '0a000101' }] } };
  value(await a.run('config.apply', { Config: options, Base: base() }));
  assert.equal(a.config.scopes.length, 2);
  const withoutReservation = { scopes: [a.config.scopes[0], scope(2)] };
  assert.equal(code(await a.run('config.apply', { Config: withoutReservation, Base: base() })), 'config/needs-prune');
  value(await a.run('config.apply', { Config: withoutReservation, Base: base(), Prune: true }));
  assert.equal(
    code(await a.run('config.apply', { Config: { relationships: [] }, Base: base() })),
    'config/needs-prune',
  );
  const changed = { relationships: [{ ...a.config.relationships[0], mcltSec: 5 }] };
  assert.equal(
    code(await a.run('config.apply', { Config: changed, Base: base(), Prune: true })),
    'config/relationship-fixed',
  );
  assert.equal(
    code(await a.run('config.apply', { Config: { scopes: [scope(2)] }, Base: base(), Prune: true })),
    'failover/scope-in-relationship',
  );
  value(await a.run('config.apply', { Config: { relationships: [] }, Base: base(), Prune: true }));
  assert.deepEqual(
    [a.config.relationships, b.config.relationships, b.config.scopes],
    [[], [], []],
    'it went on both servers',
  );
});

test('what is wrong with a file is said field by field', async () => {
  const { a } = twoServers();
  const outcome = await a.run('config.apply', { Config: { scopes: [{ scopeId: 'x' }] }, Base: a.revisions.length });
  assert.equal(outcome.kind, 'failed');
  assert.ok(outcome.kind === 'failed' && outcome.problems.length > 1);
  assert.equal(code(outcome), 'config/invalid');
});

test('history tells who did what, and any revision can be compared and brought back', async () => {
  const { a } = twoServers();
  value(await a.run('scope.set-by-without-range', { ScopeId: '10.0.1.0', Name: 'changed' }));
  const history = value<{ Revision: number; By: string; What: string }[]>(await a.run('config.history'));
  const last = history.at(-1);
  assert.deepEqual([last?.By, last?.What], ['admin (cli)', 'scope 10.0.1.0 changed']);
  const before = (last?.Revision ?? 0) - 1;
  const [difference] = value<{ Path: string }[]>(await a.run('config.diff', { From: before }));
  assert.equal(difference?.Path, 'scopes[10.0.1.0].name');
  value(await a.run('config.undo', { Revision: before }));
  assert.equal(a.config.scopes[0]?.name, 'net 1');
  assert.equal(code(await a.run('config.undo', { Revision: 999 })), 'config/unknown-revision');
});

test('what two servers did together is not undone by one of them', async () => {
  const { a } = await pairedServers();
  assert.equal(code(await a.run('config.undo')), 'config/no-undo');
  value(await a.run('config.undo', { Revision: 2 }));
  assert.deepEqual([a.config.relationships.length, a.config.scopes.map((one) => one.scopeId)], [1, ['10.0.1.0']]);
});

test('two servers are introduced by a one-time code, listed, and forgotten when nothing is shared', async () => {
  const world = new FakeWorld();
  const { Code } = value<{ Code: string }>(await world.b.run('pair.invite'));
  assert.equal(code(await world.a.run('pair.accept', { Code: 'wrong', Server: '10.0.0.2' })), 'pair/code-malformed');
  assert.equal(value(await world.a.run('pair.accept', { Code, Server: '10.0.0.2' }))['Name'], 'dhcp2');
  const [listed] = value<Record<string, unknown>[]>(await world.a.run('pair.list'));
  assert.deepEqual([listed?.['Name'], listed?.['Answers'], listed?.['Relationships']], ['dhcp2', true, []]);
  assert.ok(!JSON.stringify([...world.a.audits, ...world.b.audits]).includes(Code), 'the code is not in the audit log');
  value(await world.a.run('pair.remove', { Partner: 'dhcp2' }));
  assert.equal(code(await world.a.run('pair.remove', { Partner: 'dhcp2' })), 'pair/unknown-partner');
  const paired = await pairedServers();
  assert.equal(code(await paired.a.run('pair.remove', { Partner: 'dhcp2' })), 'pair/partner-in-use');
});

test('a partner that lost its configuration gets its half back, and enters as one that may have given leases', async () => {
  const world = await pairedServers({ SharedSecret: 'hush' });
  world.b.put((config) => ({ ...config, scopes: [], relationships: [] }));
  assert.deepEqual(value(await world.a.run('pair.rejoin', { Partner: 'dhcp2' })), ['rel1']);
  const [back] = world.b.config.relationships;
  assert.deepEqual(
    [back?.role, back?.id, back?.scopeIds],
    ['secondary', world.a.config.relationships[0]?.id, ['10.0.1.0']],
  );
  assert.equal(world.b.secrets.get(back?.sharedSecretRef ?? ''), 'hush');
  assert.equal(world.b.changes.at(-1)?.newRelationships, undefined);
  const revisions = world.b.revisions.length;
  value(await world.a.run('pair.rejoin', { Partner: 'dhcp2' }));
  assert.equal(world.b.revisions.length, revisions, 'repeating it changes nothing');
});

test('settings that stay local are compared, and aligned on command', async () => {
  const world = await pairedServers();
  value(await world.b.run('server.set', { OfferHoldSec: 77 }));
  const told = value<{ whatIf: string[] }>(await world.a.run('pair.align', { Partner: 'dhcp2' }, { whatIf: true }));
  assert.ok(told.whatIf.some((line) => line.includes('offerHoldSec')));
  assert.deepEqual(value(await world.a.run('pair.align', { Partner: 'dhcp2' })), [
    { Setting: 'server.offerHoldSec', Here: '30', There: '77' },
  ]);
  assert.equal(value(await world.a.run('server.get'))['OfferHoldSec'], 77);
});

test('why shows the traces of a client', async () => {
  const { a } = twoServers();
  a.traces = [
    {
      at: 5 as EpochSec,
      messageType: 'discover',
      hardware: '00155d010203',
      clientId: null,
      relay: null,
      scopeId: null,
      outcome: 'dropped',
      reason: 'no scope',
      steps: ['looked'],
    },
  ];
  const [trace] = value<Record<string, unknown>[]>(await a.run('why', { Client: '00-15-5D-01-02-03' }));
  assert.deepEqual([trace?.['Outcome'], trace?.['Reason']], ['dropped', 'no scope']);
  assert.equal(code(await a.run('why', { Client: 'who?' })), 'request/invalid-parameter');
});

test('a change in the audit log names who, what and how it ended, and no secret', async () => {
  const { a } = twoServers();
  await a.run('failover.add-by-load-balance', {
    Name: 'r',
    PartnerServer: 'dhcp2',
    ScopeId: ['10.0.1.0'],
    SharedSecret: 'hush',
  });
  await a.run('scope.remove', { ScopeId: ['10.9.9.0'] });
  await a.run('scope.remove', { ScopeId: ['10.0.2.0'] }, { whatIf: true });
  const lines = a.audits as { operation: string; result: string; parameters: unknown }[];
  assert.deepEqual(
    lines.map((line) => [line.operation, line.result]),
    [
      ['failover.add-by-load-balance', 'ok'],
      ['scope.remove', 'scope/unknown'],
    ],
  );
  assert.ok(!JSON.stringify(lines).includes('hush'));
});

test('a change that would not fit one record of the log is refused before anything is begun', async () => {
  const world = twoServers();
  const description = 'd'.repeat(255);
  const reservations = (third: number): Reservation[] =>
    Array.from({ length: 190 }, (_, i) => ({
      address: `10.9.${third}.${10 + i}`,
      client: {
        kind: 'client-id',
        hex: `${third.toString(16).padStart(2, '0')}${i.toString(16).padStart(2, '0')}`.repeat(120),
      },
      name: description,
      description,
      type: 'Both',
      options: [],
    }));
  const scopes = Array.from({ length: 50 }, (_, i) =>
    scope(1, {
      scopeId: `10.9.${i}.0`,
      startRange: `10.9.${i}.10`,
      endRange: `10.9.${i}.200`,
      reservations: reservations(i),
    }),
  );
  world.a.put((config) => ({ ...config, scopes }));
  const all = { Name: 'r', PartnerServer: 'dhcp2', ScopeId: scopes.map((one) => one.scopeId) };
  assert.equal(code(await world.a.run('failover.add-by-load-balance', all)), 'change/too-large');
  value(await world.a.run('failover.add-by-load-balance', { ...all, ScopeId: all.ScopeId.slice(0, 20) }));
  assert.equal(world.b.config.scopes.length, 20);
});
