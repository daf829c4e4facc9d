/**
 * One case for every code of the management specification 1.8 whose cause can exist here: how to bring the cause about, and the
 * call that meets it. The same table runs through every front door.
 */

import { defaultScope } from '../../src/core/config/defaults.ts';
import type { Config } from '../../src/core/config/model.ts';
import { type FakeWorld, lease, pairedServers, scope, twoServers } from '../manage/fake-control.ts';

export interface ErrorCase {
  readonly cause: string;
  /** As PowerShell shows it. */
  readonly messageId: string;
  world(): FakeWorld | Promise<FakeWorld>;
  readonly operation: string;
  readonly params: Readonly<Record<string, unknown>>;
  /** Calls with the token that may only look. */
  readonly asReader?: boolean;
}

const ADD = { Name: 'rel1', PartnerServer: 'dhcp2', ScopeId: ['10.0.1.0'] };
const TO_REL1 = { Name: 'rel1', ScopeId: ['10.0.2.0'] };
const MIDDLE_OF_SCOPE = { ScopeId: '10.0.1.0', StartRange: '10.0.1.20', EndRange: '10.0.1.29' };

async function paired(change: (world: FakeWorld) => void): Promise<FakeWorld> {
  const world = await pairedServers();
  change(world);
  return world;
}

function unpaired(change: (world: FakeWorld) => void): FakeWorld {
  const world = twoServers();
  change(world);
  return world;
}

/** As many relationships as a server may have, each empty. */
function full(config: Config, partnerKey: string): Config {
  const relationships = Array.from({ length: 31 }, (_, index) => ({
    name: `full${index}`,
    id: `full${index}`,
    partnerKey,
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
  }));
  return { ...config, relationships };
}

const RELATIONSHIPS: readonly ErrorCase[] = [
  {
    cause: 'deleting a scope of a relationship',
    messageId: 'DHCP 20113',
    world: () => pairedServers(),
    operation: 'scope.remove',
    params: { ScopeId: ['10.0.1.0'], Force: true },
  },
  {
    cause: 'a scope that is in a relationship',
    messageId: 'DHCP 20113',
    world: () => pairedServers(),
    operation: 'failover.add-by-load-balance',
    params: { ...ADD, Name: 'rel2' },
  },
  {
    cause: 'adding a scope that is in a relationship',
    messageId: 'DHCP 20113',
    world: () => pairedServers(),
    operation: 'failover-scope.add',
    params: { Name: 'rel1', ScopeId: ['10.0.1.0'] },
  },
  {
    cause: 'a name that is taken',
    messageId: 'DHCP 20114',
    world: () => pairedServers(),
    operation: 'failover.add-by-load-balance',
    params: { ...ADD, ScopeId: ['10.0.2.0'] },
  },
  {
    cause: 'an unknown name to show',
    messageId: 'DHCP 20115',
    world: () => twoServers(),
    operation: 'failover.get-by-name',
    params: { Name: ['none'] },
  },
  {
    cause: 'an unknown name to change',
    messageId: 'DHCP 20115',
    world: () => twoServers(),
    operation: 'failover.set',
    params: { Name: 'none', LoadBalancePercent: 10 },
  },
  {
    cause: 'an unknown name to remove',
    messageId: 'DHCP 20115',
    world: () => twoServers(),
    operation: 'failover.remove',
    params: { Name: ['none'] },
  },
  {
    cause: 'an unknown name to replicate',
    messageId: 'DHCP 20115',
    world: () => twoServers(),
    operation: 'replication.invoke-by-name',
    params: { Name: ['none'] },
  },
  {
    cause: 'an unknown name to add a scope to',
    messageId: 'DHCP 20115',
    world: () => pairedServers(),
    operation: 'failover-scope.add',
    params: { ...TO_REL1, Name: 'none' },
  },
  {
    cause: 'adding a scope where there is no relationship',
    messageId: 'WIN32 2',
    world: () => twoServers(),
    operation: 'failover-scope.add',
    params: TO_REL1,
  },
  {
    cause: 'a scope outside any relationship',
    messageId: 'DHCP 20116',
    world: () => twoServers(),
    operation: 'failover.get-by-scope-id',
    params: { ScopeId: ['10.0.1.0'] },
  },
  {
    cause: 'removing a scope that is not in the relationship',
    messageId: 'DHCP 20116',
    world: () => pairedServers(),
    operation: 'failover-scope.remove',
    params: TO_REL1,
  },
  {
    cause: 'replicating a scope outside any relationship',
    messageId: 'DHCP 20116',
    world: () => twoServers(),
    operation: 'replication.invoke-by-scope-id',
    params: { ScopeId: ['10.0.1.0'] },
  },
  {
    cause: 'a name of 127 characters',
    messageId: 'DHCP 20125',
    world: () => twoServers(),
    operation: 'failover.add-by-hot-standby',
    params: { ...ADD, Name: 'x'.repeat(127) },
  },
  {
    cause: 'a 32nd relationship',
    messageId: 'DHCP 20128',
    world: () => unpaired(({ a, b }) => a.put((config) => full(config, b.key))),
    operation: 'failover.add-by-load-balance',
    params: ADD,
  },
  {
    cause: '401 scopes in one call',
    messageId: 'DHCP 20130',
    world: () => twoServers(),
    operation: 'failover.add-by-load-balance',
    params: { ...ADD, ScopeId: Array.from({ length: 401 }, () => '10.0.1.0') },
  },
  {
    cause: 'a scope for BOOTP only',
    messageId: 'DHCP 20131',
    world: () => unpaired(({ a }) => a.put((config) => ({ ...config, scopes: [scope(1, { type: 'Bootp' })] }))),
    operation: 'failover.add-by-load-balance',
    params: ADD,
  },
  {
    cause: 'turning a shared scope to BOOTP',
    messageId: 'DHCP 20129',
    world: () => pairedServers(),
    operation: 'scope.set-by-without-range',
    params: { ScopeId: '10.0.1.0', Type: 'Both' },
  },
  {
    cause: 'changing the range of a shared scope',
    messageId: 'DHCP 20132',
    world: () => pairedServers(),
    operation: 'scope.set-by-with-range',
    params: { ScopeId: '10.0.1.0', StartRange: '10.0.1.20', EndRange: '10.0.1.30' },
  },
];

const PARTNER: readonly ErrorCase[] = [
  {
    cause: 'a partner that was never introduced',
    messageId: 'DHCP 20118',
    world: () => unpaired(({ a }) => a.put((config) => ({ ...config, partners: [] }))),
    operation: 'failover.add-by-load-balance',
    params: { ...ADD, PartnerServer: '10.0.0.2' },
  },
  {
    cause: 'a partner whose version cannot take part',
    messageId: 'DHCP 20118',
    world: () => unpaired(({ b }) => (b.features = [])),
    operation: 'failover.add-by-load-balance',
    params: ADD,
  },
  {
    cause: 'clocks more than a minute apart',
    messageId: 'DHCP 20119',
    world: () => unpaired(({ b }) => (b.skewSec = 61)),
    operation: 'failover.add-by-load-balance',
    params: ADD,
  },
  {
    cause: 'adding a scope outside Normal',
    messageId: 'DHCP 20120',
    world: () => paired(({ a }) => a.states.set('rel1', 'startup')),
    operation: 'failover-scope.add',
    params: TO_REL1,
  },
  {
    cause: 'removing a scope outside Normal',
    messageId: 'DHCP 20120',
    world: () => paired(({ a }) => a.states.set('rel1', 'communications-interrupted')),
    operation: 'failover-scope.remove',
    params: { Name: 'rel1', ScopeId: ['10.0.1.0'] },
  },
  {
    cause: 'replication outside Normal',
    messageId: 'DHCP 20120',
    world: () => paired(({ a }) => a.states.set('rel1', 'partner-down')),
    operation: 'replication.invoke-by-name',
    params: {},
  },
  {
    cause: 'partner-down in Normal',
    messageId: 'DHCP 20120',
    world: () => pairedServers(),
    operation: 'failover.set',
    params: { Name: 'rel1', PartnerDown: true },
  },
  {
    cause: 'a partner that no longer knows this server',
    messageId: 'DHCP 20121',
    world: () => unpaired(({ b }) => b.put((config) => ({ ...config, partners: [] }))),
    operation: 'failover.add-by-load-balance',
    params: ADD,
  },
  {
    cause: 'a partner out of reach',
    messageId: 'DHCP 20122',
    world: () => unpaired((world) => (world.isCut = true)),
    operation: 'failover.add-by-load-balance',
    params: ADD,
  },
  {
    cause: 'changing a relationship with the partner away',
    messageId: 'DHCP 20122',
    world: () => paired((world) => (world.isCut = true)),
    operation: 'failover.set',
    params: { Name: 'rel1', LoadBalancePercent: 10 },
  },
  {
    cause: 'removing a relationship with the partner away',
    messageId: 'DHCP 20122',
    world: () => paired((world) => (world.isCut = true)),
    operation: 'failover.remove',
    params: { Name: ['rel1'] },
  },
  {
    cause: 'a partner name without an address',
    messageId: 'DHCP 20124',
    world: () => twoServers(),
    operation: 'failover.add-by-load-balance',
    params: { ...ADD, PartnerServer: 'nobody.example' },
  },
  {
    cause: 'a scope before it is still on its way to the partner',
    messageId: 'DHCP 20133',
    world: () => paired(({ a }) => a.silent.add(0x0a000100 as never)),
    operation: 'failover-scope.add',
    params: TO_REL1,
  },
  {
    cause: 'a partner without a feature in use',
    messageId: 'DHCP 20134',
    world: () =>
      unpaired(({ a, b }) => {
        b.features = ['change/1'];
        a.put((config) => ({ ...config, scopes: [scope(1, { options: [{ code: 15, hex: '61', userClass: 'x' }] })] }));
      }),
    operation: 'failover.add-by-load-balance',
    params: ADD,
  },
  {
    cause: 'a scope that the partner has already',
    messageId: 'DHCP 20052',
    world: () => unpaired(({ b }) => b.put((config) => ({ ...config, scopes: [scope(1)] }))),
    operation: 'failover.add-by-load-balance',
    params: ADD,
  },
];

const SCOPES: readonly ErrorCase[] = [
  {
    cause: 'an unknown scope to show',
    messageId: 'DHCP 20005',
    world: () => twoServers(),
    operation: 'scope.get',
    params: { ScopeId: ['10.9.9.0'] },
  },
  {
    cause: 'an unknown scope to share',
    messageId: 'DHCP 20005',
    world: () => twoServers(),
    operation: 'failover.add-by-load-balance',
    params: { ...ADD, ScopeId: ['10.9.9.0'] },
  },
  {
    cause: 'removing a scope with leases',
    messageId: 'DHCP 20007',
    world: () => unpaired(({ a }) => lease(a, '10.0.1.20', 1)),
    operation: 'scope.remove',
    params: { ScopeId: ['10.0.1.0'] },
  },
  {
    cause: 'a scope that overlaps another',
    messageId: 'DHCP 20052',
    world: () => twoServers(),
    operation: 'scope.add',
    params: { Name: 'x', StartRange: '10.0.1.20', EndRange: '10.0.1.30', SubnetMask: '255.255.255.0' },
  },
  {
    cause: 'an exclusion outside the range',
    messageId: 'DHCP 20023',
    world: () => twoServers(),
    operation: 'exclusion.add',
    params: { ...MIDDLE_OF_SCOPE, EndRange: '10.0.1.250' },
  },
  {
    cause: 'an exclusion that is not there',
    messageId: 'DHCP 20023',
    world: () => twoServers(),
    operation: 'exclusion.remove',
    params: MIDDLE_OF_SCOPE,
  },
  {
    cause: 'an address reserved twice',
    messageId: 'DHCP 20022',
    world: () =>
      unpaired(({ a }) => {
        const client = { kind: 'hardware' as const, hex: '020000000001' };
        const reservations = [
          { address: '10.0.1.9', client, name: 'x', description: '', type: 'Both' as const, options: [] },
        ];
        a.put((config) => ({ ...config, scopes: [defaultScope({ ...scope(1), reservations })] }));
      }),
    operation: 'reservation.add',
    params: { ScopeId: '10.0.1.0', IPAddress: '10.0.1.9', ClientId: '02-00-00-00-00-02' },
  },
];

const OPTIONS_AND_LEASES: readonly ErrorCase[] = [
  {
    cause: 'an option without a value here',
    messageId: 'DHCP 20010',
    world: () => twoServers(),
    operation: 'option.get',
    params: { OptionId: [3] },
  },
  {
    cause: 'removing an option without a value here',
    messageId: 'DHCP 20010',
    world: () => twoServers(),
    operation: 'option.remove',
    params: { ScopeId: '10.0.1.0', OptionId: [3] },
  },
  {
    cause: 'an option that is not defined',
    messageId: 'DHCP 20010',
    world: () => twoServers(),
    operation: 'option.set-by-option-id',
    params: { OptionId: 3, VendorClass: 'x', Value: ['10.0.1.1'] },
  },
  {
    cause: 'no free address',
    messageId: 'DHCP 20012',
    world: () =>
      unpaired(({ a }) => {
        a.put((config) => ({ ...config, scopes: [scope(1, { startRange: '10.0.1.20', endRange: '10.0.1.20' })] }));
        lease(a, '10.0.1.20', 1);
      }),
    operation: 'free-address.get',
    params: { ScopeId: '10.0.1.0' },
  },
  {
    cause: 'the failover statistics of a scope outside any relationship',
    messageId: 'WIN32 2',
    world: () => twoServers(),
    operation: 'scope.statistics',
    params: { ScopeId: ['10.0.1.0'], Failover: true },
  },
];

const REQUESTS: readonly ErrorCase[] = [
  {
    cause: 'an empty name',
    messageId: 'WIN32 87',
    world: () => twoServers(),
    operation: 'failover.add-by-load-balance',
    params: { ...ADD, Name: '' },
  },
  {
    cause: 'a name left out',
    messageId: 'WIN32 87',
    world: () => twoServers(),
    operation: 'failover.add-by-load-balance',
    params: { PartnerServer: 'dhcp2', ScopeId: ['10.0.1.0'] },
  },
  {
    cause: 'no scope',
    messageId: 'WIN32 87',
    world: () => twoServers(),
    operation: 'failover.add-by-load-balance',
    params: { Name: 'rel1', PartnerServer: 'dhcp2' },
  },
  {
    cause: 'a percentage above 100',
    messageId: 'WIN32 87',
    world: () => twoServers(),
    operation: 'failover.add-by-load-balance',
    params: { ...ADD, LoadBalancePercent: 101 },
  },
  {
    cause: 'a role that is none',
    messageId: 'WIN32 87',
    world: () => twoServers(),
    operation: 'failover.add-by-hot-standby',
    params: { ...ADD, ServerRole: 'Both' },
  },
  {
    cause: 'this server as its own partner',
    messageId: 'WIN32 87',
    world: () => twoServers(),
    operation: 'failover.add-by-load-balance',
    params: { ...ADD, PartnerServer: 'dhcp1' },
  },
  {
    cause: 'no lead time',
    messageId: 'WIN32 87',
    world: () => twoServers(),
    operation: 'failover.add-by-load-balance',
    params: { ...ADD, MaxClientLeadTime: 0 },
  },
  {
    cause: 'the reserve of a load-balance relationship',
    messageId: 'WIN32 87',
    world: () => pairedServers(),
    operation: 'failover.set',
    params: { Name: 'rel1', ReservePercent: 10 },
  },
  {
    cause: 'another computer',
    messageId: 'WIN32 1722',
    world: () => twoServers(),
    operation: 'scope.get',
    params: { ComputerName: 'dhcp9' },
  },
  {
    cause: 'a change by a reader',
    messageId: 'WIN32 5',
    world: () => twoServers(),
    operation: 'scope.remove',
    params: { ScopeId: ['10.0.1.0'] },
    asReader: true,
  },
];

export const ERROR_CASES: readonly ErrorCase[] = [
  ...RELATIONSHIPS,
  ...PARTNER,
  ...SCOPES,
  ...OPTIONS_AND_LEASES,
  ...REQUESTS,
];
