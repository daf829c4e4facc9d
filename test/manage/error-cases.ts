/**
 * Every Windows code of the management specification 1.8 whose cause can exist here, as data: how the cause is made, and the call
 * that meets it. The tests of the operations and those of the front doors run the same table.
 */
import type { Tombstone } from '../../src/core/config/model.ts';
import type { Caller } from '../../src/server/control.ts';
import { type EpochSec, parseIp4, type Sec } from '../../src/wire/units.ts';
import { type FakeWorld, lease, pairedServers, READER, scope, twoServers } from './fake-control.ts';

export interface ErrorCase {
  /** What goes wrong. */
  readonly name: string;
  /** As PowerShell shows it: `DHCP n` or `WIN32 n`. */
  readonly messageId: string;
  /** Key of the catalogue. */
  readonly code: string;
  readonly operation: string;
  readonly params: Readonly<Record<string, unknown>>;
  /** Makes the world, in which `a` is the called server. */
  readonly world: () => Promise<FakeWorld>;
  readonly caller?: Caller;
}

/** Two introduced servers, the first with 10.0.1.0 and 10.0.2.0. */
const two = (change?: (world: FakeWorld) => void) => async (): Promise<FakeWorld> => {
  const world = twoServers();
  change?.(world);
  return world;
};
/** The same with the relationship rel1 over 10.0.1.0. */
const paired = (change?: (world: FakeWorld) => void) => async (): Promise<FakeWorld> => {
  const world = await pairedServers();
  change?.(world);
  return world;
};

const ADD = { Name: 'rel2', PartnerServer: 'dhcp2', ScopeId: ['10.0.2.0'] };
const LOAD_BALANCE = 'failover.add-by-load-balance';
const HOT_STANDBY = 'failover.add-by-hot-standby';
const INVALID = { messageId: 'WIN32 87', code: 'request/invalid-parameter' };

const manyScopes = (world: FakeWorld): void => {
  world.a.put((config) => ({
    ...config,
    scopes: Array.from({ length: 401 }, (_, i) =>
      scope(1, {
        scopeId: `10.${1 + (i >> 8)}.${i & 255}.0`,
        startRange: `10.${1 + (i >> 8)}.${i & 255}.10`,
        endRange: `10.${1 + (i >> 8)}.${i & 255}.20`,
      }),
    ),
  }));
};

const manyRelationships = (world: FakeWorld): void => {
  world.a.put((config) => ({
    ...config,
    relationships: Array.from({ length: 31 }, (_, i) => ({
      name: `r${i}`,
      id: `id${i}`,
      partnerKey: world.b.key,
      partnerServer: 'dhcp2',
      role: 'primary' as const,
      mode: 'LoadBalance' as const,
      isActive: false,
      percentage: 50,
      mcltSec: 3600,
      stateSwitchIntervalSec: null,
      sharedSecretRef: null,
      scopeIds: [],
      profile: 'twinlease' as const,
    })),
  }));
};

const tombstone = (world: FakeWorld): Tombstone => ({
  relationshipId: 'gone',
  name: 'gone',
  partnerKey: world.b.key,
  removedAt: world.a.control.now().wallAt,
  scopeIds: ['10.0.2.0'],
  role: 'primary',
  mcltSec: 3600,
});

const ADD_PARAMETERS: readonly (readonly [string, string, Record<string, unknown>])[] = [
  ['an empty name', LOAD_BALANCE, { Name: '' }],
  ['no partner', LOAD_BALANCE, { PartnerServer: '' }],
  ['the partner address 0.0.0.0', LOAD_BALANCE, { PartnerServer: '0.0.0.0' }],
  ['this server as its own partner', LOAD_BALANCE, { PartnerServer: 'dhcp1' }],
  ['no scope', LOAD_BALANCE, { ScopeId: [] }],
  ['a scope that is no address', LOAD_BALANCE, { ScopeId: ['ten'] }],
  ['a share above 100', LOAD_BALANCE, { LoadBalancePercent: 101 }],
  ['a reserve above 100', HOT_STANDBY, { ReservePercent: 101 }],
  ['an unknown role', HOT_STANDBY, { ServerRole: 'Master' }],
  ['a lead time of nothing', LOAD_BALANCE, { MaxClientLeadTime: 0 }],
  ['a lead time beyond 32 bits', LOAD_BALANCE, { MaxClientLeadTime: 2 ** 32 }],
  ['a switch interval of nothing', LOAD_BALANCE, { StateSwitchInterval: 0 }],
  ['an empty secret', LOAD_BALANCE, { SharedSecret: '' }],
  ['a parameter that does not exist', LOAD_BALANCE, { Colour: 'blue' }],
];

const SET_PARAMETERS: readonly (readonly [string, Record<string, unknown>])[] = [
  ['an empty name', { Name: '' }],
  ['a reserve in load balance', { ReservePercent: 5 }],
  ['a share when the mode becomes hot standby', { Mode: 'HotStandby', LoadBalancePercent: 50 }],
  ['an unknown mode', { Mode: 'Both' }],
  ['a lead time of nothing', { MaxClientLeadTime: 0 }],
  ['a share above 100', { LoadBalancePercent: 101 }],
];

const OF_PARAMETERS: readonly ErrorCase[] = [
  ...ADD_PARAMETERS.map(([name, operation, params]) => ({
    name: `adding with ${name}`,
    ...INVALID,
    operation,
    params: { ...ADD, ...params },
    world: two(),
  })),
  ...SET_PARAMETERS.map(([name, params]) => ({
    name: `setting with ${name}`,
    ...INVALID,
    operation: 'failover.set',
    params: { Name: 'rel1', ...params },
    world: paired(),
  })),
  {
    name: 'adding no scope',
    ...INVALID,
    operation: 'failover-scope.add',
    params: { Name: 'rel1', ScopeId: [] },
    world: paired(),
  },
  { name: 'removing nothing', ...INVALID, operation: 'failover.remove', params: { Name: [] }, world: paired() },
];

const OF_ADDING: readonly ErrorCase[] = [
  {
    name: 'a reader adds a relationship',
    messageId: 'WIN32 5',
    code: 'request/access-denied',
    operation: LOAD_BALANCE,
    params: ADD,
    world: two(),
    caller: READER,
  },
  {
    name: 'a request for another computer',
    messageId: 'WIN32 1722',
    code: 'request/other-computer',
    operation: 'failover.get-by-name',
    params: { ComputerName: 'elsewhere' },
    world: two(),
  },
  {
    name: 'an unknown scope',
    messageId: 'DHCP 20005',
    code: 'scope/unknown',
    operation: LOAD_BALANCE,
    params: { ...ADD, ScopeId: ['10.9.9.0'] },
    world: two(),
  },
  {
    name: 'a scope for BOOTP only',
    messageId: 'DHCP 20131',
    code: 'failover/bootp-scope',
    operation: LOAD_BALANCE,
    params: ADD,
    world: two((world) => world.a.put((config) => ({ ...config, scopes: [scope(1), scope(2, { type: 'Bootp' })] }))),
  },
  {
    name: 'a name of 127',
    messageId: 'DHCP 20125',
    code: 'failover/name-too-long',
    operation: LOAD_BALANCE,
    params: { ...ADD, Name: 'n'.repeat(127) },
    world: two(),
  },
  {
    name: '401 scopes at once',
    messageId: 'DHCP 20130',
    code: 'failover/too-many-scopes',
    operation: LOAD_BALANCE,
    params: { ...ADD, ScopeId: Array.from({ length: 401 }, (_, i) => `10.${1 + (i >> 8)}.${i & 255}.0`) },
    world: two(manyScopes),
  },
  {
    name: 'a 32nd relationship',
    messageId: 'DHCP 20128',
    code: 'failover/too-many-relationships',
    operation: LOAD_BALANCE,
    params: ADD,
    world: two(manyRelationships),
  },
  {
    name: 'a scope that is shared already',
    messageId: 'DHCP 20113',
    code: 'failover/scope-in-relationship',
    operation: LOAD_BALANCE,
    params: { ...ADD, ScopeId: ['10.0.1.0'] },
    world: paired(),
  },
  {
    name: 'a scope in which leases of a former partner may run',
    messageId: 'DHCP 20113',
    code: 'failover/scope-waits',
    operation: LOAD_BALANCE,
    params: ADD,
    world: two((world) => world.a.put((config) => ({ ...config, tombstones: [tombstone(world)] }))),
  },
  {
    name: 'a name that is taken',
    messageId: 'DHCP 20114',
    code: 'failover/name-taken',
    operation: LOAD_BALANCE,
    params: { ...ADD, Name: 'rel1' },
    world: paired(),
  },
  {
    name: 'a partner name without address',
    messageId: 'DHCP 20124',
    code: 'partner/name-unresolved',
    operation: LOAD_BALANCE,
    params: { ...ADD, PartnerServer: 'nowhere.example' },
    world: two(),
  },
  {
    name: 'a partner that is down',
    messageId: 'DHCP 20122',
    code: 'partner/unreachable',
    operation: LOAD_BALANCE,
    params: ADD,
    world: two((world) => world.b.kill()),
  },
  {
    name: 'a partner that was never introduced',
    messageId: 'DHCP 20118',
    code: 'failover/partner-not-able',
    operation: LOAD_BALANCE,
    params: { ...ADD, PartnerServer: '10.0.0.99' },
    world: two(),
  },
  {
    name: 'a partner of a version that cannot make changes together',
    messageId: 'DHCP 20118',
    code: 'failover/partner-not-able',
    operation: LOAD_BALANCE,
    params: ADD,
    world: two((world) => {
      world.b.features = [];
    }),
  },
  {
    name: 'a partner that has forgotten this server',
    messageId: 'DHCP 20121',
    code: 'partner/no-permission',
    operation: LOAD_BALANCE,
    params: ADD,
    world: two((world) => world.b.put((config) => ({ ...config, partners: [] }))),
  },
  {
    name: 'clocks that differ by more than a minute',
    messageId: 'DHCP 20119',
    code: 'failover/clocks-differ',
    operation: LOAD_BALANCE,
    params: ADD,
    world: two((world) => {
      world.b.skewSec = 61;
    }),
  },
  {
    name: 'a partner without a feature that a scope uses',
    messageId: 'DHCP 20134',
    code: 'partner/feature-missing',
    operation: LOAD_BALANCE,
    params: ADD,
    world: two((world) => {
      world.b.features = ['change/1'];
      world.a.put((config) => ({
        ...config,
        scopes: [scope(1), scope(2, { options: [{ code: 3, hex: '0a000201', userClass: 'x' }] })],
      }));
    }),
  },
  {
    name: 'a scope that the partner has too',
    messageId: 'DHCP 20052',
    code: 'scope/exists',
    operation: LOAD_BALANCE,
    params: ADD,
    world: two((world) => world.b.put((config) => ({ ...config, scopes: [scope(2)] }))),
  },
  {
    name: 'a partner with 31 relationships',
    messageId: 'DHCP 20128',
    code: 'failover/too-many-relationships',
    operation: LOAD_BALANCE,
    params: ADD,
    world: two((world) => {
      manyRelationships(world);
      const { relationships } = world.a.config;
      world.a.put((config) => ({ ...config, relationships: [] }));
      world.b.put((config) => ({
        ...config,
        relationships: relationships.map((one) => ({ ...one, partnerKey: world.a.key })),
      }));
    }),
  },
];

const OF_RELATIONSHIPS: readonly ErrorCase[] = [
  {
    name: 'an unknown relationship',
    messageId: 'DHCP 20115',
    code: 'failover/unknown-relationship',
    operation: 'failover.get-by-name',
    params: { Name: ['nope'] },
    world: paired(),
  },
  {
    name: 'setting an unknown relationship',
    messageId: 'DHCP 20115',
    code: 'failover/unknown-relationship',
    operation: 'failover.set',
    params: { Name: 'nope' },
    world: paired(),
  },
  {
    name: 'removing an unknown relationship',
    messageId: 'DHCP 20115',
    code: 'failover/unknown-relationship',
    operation: 'failover.remove',
    params: { Name: ['nope'] },
    world: paired(),
  },
  {
    name: 'replicating an unknown relationship',
    messageId: 'DHCP 20115',
    code: 'failover/unknown-relationship',
    operation: 'replication.invoke-by-name',
    params: { Name: ['nope'] },
    world: paired(),
  },
  {
    name: 'the relationship of a scope that is not shared',
    messageId: 'DHCP 20116',
    code: 'failover/scope-not-in-relationship',
    operation: 'failover.get-by-scope-id',
    params: { ScopeId: ['10.0.2.0'] },
    world: paired(),
  },
  {
    name: 'replicating a scope that is not shared',
    messageId: 'DHCP 20116',
    code: 'failover/scope-not-in-relationship',
    operation: 'replication.invoke-by-scope-id',
    params: { ScopeId: ['10.0.2.0'] },
    world: paired(),
  },
  {
    name: 'removing a scope that is not shared',
    messageId: 'DHCP 20116',
    code: 'failover/scope-not-in-relationship',
    operation: 'failover-scope.remove',
    params: { Name: 'rel1', ScopeId: ['10.0.2.0'] },
    world: paired(),
  },
  {
    name: 'replicating outside Normal',
    messageId: 'DHCP 20120',
    code: 'failover/not-normal',
    operation: 'replication.invoke-by-name',
    params: {},
    world: paired((world) => void world.a.states.set('rel1', 'communications-interrupted')),
  },
  {
    name: 'partner-down in Normal',
    messageId: 'DHCP 20120',
    code: 'failover/not-normal',
    operation: 'failover.set',
    params: { Name: 'rel1', PartnerDown: true },
    world: paired(),
  },
  {
    name: 'removing before the last leases came over',
    messageId: 'DHCP 20120',
    code: 'failover/not-drained',
    operation: 'failover.remove',
    params: { Name: ['rel1'] },
    world: paired((world) => {
      world.b.drainRefusal = 'too slow';
    }),
  },
  {
    name: 'removing where the leases are still being fetched, even by force',
    messageId: 'DHCP 20120',
    code: 'failover/unfetched',
    operation: 'failover.remove',
    params: { Name: ['rel1'], Force: true },
    world: paired((world) => {
      world.a.waits = { lacks: 'everything' };
    }),
  },
  {
    name: 'removing where leases of before a failure may run',
    messageId: 'DHCP 20120',
    code: 'failover/unfetched',
    operation: 'failover.remove',
    params: { Name: ['rel1'] },
    world: paired((world) => {
      world.a.waits = { recoverWaitUntilAt: (world.wallAt + 60) as EpochSec };
    }),
  },
  {
    name: 'taking a scope out where its leases are still being fetched, even by force',
    messageId: 'DHCP 20120',
    code: 'failover/unfetched',
    operation: 'failover-scope.remove',
    params: { Name: 'rel1', ScopeId: ['10.0.1.0'], Force: true },
    world: paired((world) => void world.a.silent.add(parseIp4('10.0.1.0')!)),
  },
  {
    name: 'removing while the partner has forgotten leases that may run',
    messageId: 'DHCP 20120',
    code: 'failover/not-drained',
    operation: 'failover.remove',
    params: { Name: ['rel1'] },
    world: paired((world) => {
      const at = world.wallAt as EpochSec;
      world.b.waits = { recoverWaitUntilAt: (at + 60) as EpochSec, loss: { at, waitMcltSec: 3600 as Sec } };
    }),
  },
  {
    name: 'setting with the partner away',
    messageId: 'DHCP 20122',
    code: 'partner/unreachable',
    operation: 'failover.set',
    params: { Name: 'rel1', LoadBalancePercent: 10 },
    world: paired((world) => world.b.kill()),
  },
  {
    name: 'removing with the partner away',
    messageId: 'DHCP 20122',
    code: 'partner/unreachable',
    operation: 'failover.remove',
    params: { Name: ['rel1'] },
    world: paired((world) => world.b.kill()),
  },
  {
    name: 'taking a scope out with the partner away, even by force',
    messageId: 'DHCP 20122',
    code: 'partner/unreachable',
    operation: 'failover-scope.remove',
    params: { Name: 'rel1', ScopeId: ['10.0.1.0'], Force: true },
    world: paired((world) => world.b.kill()),
  },
  {
    name: 'replicating with the partner away',
    messageId: 'DHCP 20122',
    code: 'partner/unreachable',
    operation: 'replication.invoke-by-name',
    params: {},
    world: paired((world) => world.b.kill()),
  },
  {
    name: 'adding a scope to no relationship at all',
    messageId: 'WIN32 2',
    code: 'request/not-found',
    operation: 'failover-scope.add',
    params: { Name: 'rel1', ScopeId: ['10.0.2.0'] },
    world: two(),
  },
  {
    name: 'adding a scope to an unknown relationship',
    messageId: 'DHCP 20115',
    code: 'failover/unknown-relationship',
    operation: 'failover-scope.add',
    params: { Name: 'nope', ScopeId: ['10.0.2.0'] },
    world: paired(),
  },
  {
    name: 'adding a scope outside Normal',
    messageId: 'DHCP 20120',
    code: 'failover/not-normal',
    operation: 'failover-scope.add',
    params: { Name: 'rel1', ScopeId: ['10.0.2.0'] },
    world: paired((world) => void world.a.states.set('rel1', 'partner-down')),
  },
  {
    name: 'adding a scope that is in it already',
    messageId: 'DHCP 20113',
    code: 'failover/scope-in-relationship',
    operation: 'failover-scope.add',
    params: { Name: 'rel1', ScopeId: ['10.0.1.0'] },
    world: paired(),
  },
  {
    name: 'adding a scope while one gets its leases',
    messageId: 'DHCP 20133',
    code: 'failover/busy',
    operation: 'failover-scope.add',
    params: { Name: 'rel1', ScopeId: ['10.0.2.0'] },
    world: paired((world) => void world.a.silent.add(parseIp4('10.0.1.0')!)),
  },
  {
    name: 'adding a BOOTP scope',
    messageId: 'DHCP 20131',
    code: 'failover/bootp-scope',
    operation: 'failover-scope.add',
    params: { Name: 'rel1', ScopeId: ['10.0.2.0'] },
    world: paired((world) =>
      world.a.put((config) => ({
        ...config,
        scopes: config.scopes.map((one) => (one.scopeId === '10.0.2.0' ? { ...one, type: 'Bootp' } : one)),
      })),
    ),
  },
  {
    name: 'adding 401 scopes',
    messageId: 'DHCP 20130',
    code: 'failover/too-many-scopes',
    operation: 'failover-scope.add',
    params: { Name: 'rel1', ScopeId: Array.from({ length: 401 }, () => '10.0.2.0') },
    world: paired(),
  },
  {
    name: 'adding a scope that the partner has too',
    messageId: 'DHCP 20052',
    code: 'scope/exists',
    operation: 'failover-scope.add',
    params: { Name: 'rel1', ScopeId: ['10.0.2.0'] },
    world: paired((world) => world.b.put((config) => ({ ...config, scopes: [...config.scopes, scope(2)] }))),
  },
];

const reservedOne = (world: FakeWorld): void =>
  world.a.put((config) => ({
    ...config,
    scopes: config.scopes.map((one) =>
      one.scopeId === '10.0.2.0'
        ? {
            ...one,
            reservations: [
              {
                address: '10.0.2.9',
                client: { kind: 'hardware', hex: '020000000001' },
                name: '',
                description: '',
                type: 'Both',
                options: [],
              },
            ],
          }
        : one,
    ),
  }));

const OF_SCOPES: readonly ErrorCase[] = [
  {
    name: 'deleting a shared scope',
    messageId: 'DHCP 20113',
    code: 'failover/scope-in-relationship',
    operation: 'scope.remove',
    params: { ScopeId: ['10.0.1.0'], Force: true },
    world: paired(),
  },
  {
    name: 'giving a shared scope to BOOTP',
    messageId: 'DHCP 20129',
    code: 'failover/bootp-conversion',
    operation: 'scope.set-by-without-range',
    params: { ScopeId: '10.0.1.0', Type: 'Both' },
    world: paired(),
  },
  {
    name: 'changing the range of a shared scope',
    messageId: 'DHCP 20132',
    code: 'failover/range-fixed',
    operation: 'scope.set-by-with-range',
    params: { ScopeId: '10.0.1.0', StartRange: '10.0.1.10', EndRange: '10.0.1.100' },
    world: paired(),
  },
  {
    name: 'an unknown scope',
    messageId: 'DHCP 20005',
    code: 'scope/unknown',
    operation: 'scope.get',
    params: { ScopeId: ['10.9.9.0'] },
    world: two(),
  },
  {
    name: 'removing a scope that clients use',
    messageId: 'DHCP 20007',
    code: 'scope/in-use',
    operation: 'scope.remove',
    params: { ScopeId: ['10.0.1.0'] },
    world: two((world) => lease(world.a, '10.0.1.20', 1)),
  },
  {
    name: 'a scope that exists',
    messageId: 'DHCP 20052',
    code: 'scope/exists',
    operation: 'scope.add',
    params: { Name: 'x', StartRange: '10.0.1.10', EndRange: '10.0.1.20', SubnetMask: '255.255.255.0' },
    world: two(),
  },
  {
    name: 'a range that holds the broadcast address',
    messageId: 'DHCP 20023',
    code: 'config/invalid-range',
    operation: 'scope.add',
    params: { Name: 'x', StartRange: '10.7.1.10', EndRange: '10.7.1.255', SubnetMask: '255.255.255.0' },
    world: two(),
  },
  {
    name: 'an exclusion outside the range',
    messageId: 'DHCP 20023',
    code: 'scope/invalid-range',
    operation: 'exclusion.add',
    params: { ScopeId: '10.0.1.0', StartRange: '10.0.1.1', EndRange: '10.0.1.15' },
    world: two(),
  },
  {
    name: 'an exclusion that is not there',
    messageId: 'DHCP 20023',
    code: 'exclusion/unknown',
    operation: 'exclusion.remove',
    params: { ScopeId: '10.0.1.0', StartRange: '10.0.1.10', EndRange: '10.0.1.15' },
    world: two(),
  },
  {
    name: 'a second reservation of an address',
    messageId: 'DHCP 20022',
    code: 'reservation/exists',
    operation: 'reservation.add',
    params: { ScopeId: '10.0.2.0', IPAddress: '10.0.2.9', ClientId: '02-00-00-00-00-02' },
    world: two(reservedOne),
  },
  {
    name: 'a second reservation of a client',
    messageId: 'DHCP 20022',
    code: 'reservation/exists',
    operation: 'reservation.add',
    params: { ScopeId: '10.0.2.0', IPAddress: '10.0.2.8', ClientId: '02:00:00:00:00:01' },
    world: two(reservedOne),
  },
  {
    name: 'an option without a value',
    messageId: 'DHCP 20010',
    code: 'option/unknown',
    operation: 'option.get',
    params: { ScopeId: '10.0.1.0', OptionId: [3] },
    world: two(),
  },
  {
    name: 'an option that nobody defined',
    messageId: 'DHCP 20010',
    code: 'option/unknown',
    operation: 'option.set-by-option-id',
    params: { OptionId: 230, Value: ['1'] },
    world: two(),
  },
  {
    name: 'a scope without a free address',
    messageId: 'DHCP 20012',
    code: 'scope/full',
    operation: 'free-address.get',
    params: { ScopeId: '10.0.1.0', StartAddress: '10.0.1.20', EndAddress: '10.0.1.20' },
    world: two((world) => lease(world.a, '10.0.1.20', 1, { leaseEndAt: 2_000_000_000 as EpochSec })),
  },
  {
    name: 'failover statistics of a scope that is not shared',
    messageId: 'WIN32 2',
    code: 'request/not-found',
    operation: 'scope.statistics',
    params: { ScopeId: ['10.0.2.0'], Failover: true },
    world: paired(),
  },
];

export const ERROR_CASES: readonly ErrorCase[] = [...OF_PARAMETERS, ...OF_ADDING, ...OF_RELATIONSHIPS, ...OF_SCOPES];
