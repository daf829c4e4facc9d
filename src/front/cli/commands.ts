/**
 * The command table: words of the command line and the operations behind them. An operation that no row names is reached by
 * the words of its own name, so a new operation has a command from its first day.
 */
import { byGiven, type CommandSpec, type Given } from './command-spec.ts';
import { DIFF_VIEW, HISTORY_VIEW, JSON_VIEW } from './config-views.ts';
import { FAILOVER_VIEW, STATUS_VIEW } from './failover-views.ts';
import { CHANGES_VIEW, INVITATION_VIEW, PARTNERS_VIEW } from './pair-views.ts';
import {
  LEASE_VIEW,
  OPTION_VIEW,
  RESERVATION_VIEW,
  SCOPE_STATISTICS_VIEW,
  SCOPE_VIEW,
  SERVER_VIEW,
} from './table-views.ts';
import { WHY_VIEW } from './trace-view.ts';
import { automaticView } from './views.ts';

/** What `twinlease GROUP --help` says at its top. */
export const GROUPS: Readonly<Record<string, string>> = {
  failover: 'Failover relationships: two servers that share scopes.',
  scope: 'Scopes: networks whose addresses are leased.',
  reservation: 'Reservations: addresses kept for one client each.',
  exclusion: 'Exclusions: addresses of a scope that are not leased.',
  option: 'DHCP options of the server, of scopes and of reservations.',
  lease: 'Leases of the clients.',
  config: 'The configuration and its revisions.',
  server: 'This server: its settings and how it stands.',
  superscope: 'Superscopes: scopes of one physical network.',
  'option-definition': 'Definitions of options: their names and the types of their values.',
  'free-address': 'Addresses that nobody has.',
  pair: 'The introduction of two servers to each other.',
};

const FAILOVER: readonly CommandSpec[] = [
  {
    words: 'failover add',
    operations: ['failover.add-by-load-balance', 'failover.add-by-hot-standby'],
    summary: 'Shares scopes with another server, in load-balance mode or, with its options, in hot-standby mode.',
    local: [
      { name: 'mode', choices: ['LoadBalance', 'HotStandby'], description: 'Needed only where no other option tells.' },
    ],
    choose: (given, local) => `failover.add-by-${isHotStandby(given, local) ? 'hot-standby' : 'load-balance'}`,
    positional: ['Name'],
    examples: [
      'twinlease failover add "Pair 1" --partner-server dhcp2 --scope-id 10.0.1.0 10.0.2.0 --load-balance-percent 60',
      'twinlease failover add "Pair 1" --partner-server dhcp2 --scope-id 10.0.1.0 --reserve-percent 10 --server-role Active',
      'twinlease failover add "Pair 1" --partner-server dhcp2 --scope-id 10.0.1.0 --max-client-lead-time 1h --what-if',
    ],
  },
  {
    words: 'failover get',
    operations: ['failover.get-by-name', 'failover.get-by-scope-id'],
    choose: byGiven([['ScopeId', 'failover.get-by-scope-id']], 'failover.get-by-name'),
    positional: ['Name'],
    examples: [
      'twinlease failover get',
      'twinlease failover get "Pair 1"',
      'twinlease failover get --scope-id 10.0.1.0 --json',
    ],
    view: FAILOVER_VIEW,
  },
  { words: 'failover status', operations: ['failover.status'], positional: ['Name'], view: STATUS_VIEW },
  { words: 'failover set', operations: ['failover.set'], positional: ['Name'], erasable: ['SharedSecret'] },
  { words: 'failover remove', operations: ['failover.remove'], positional: ['Name'] },
  { words: 'failover add-scope', operations: ['failover-scope.add'], positional: ['Name'] },
  { words: 'failover remove-scope', operations: ['failover-scope.remove'], positional: ['Name'] },
  {
    words: 'failover replicate',
    operations: ['replication.invoke-by-name', 'replication.invoke-by-scope-id'],
    summary: 'Overwrites what the partner has of shared scopes with the configuration of this server.',
    choose: byGiven([['ScopeId', 'replication.invoke-by-scope-id']], 'replication.invoke-by-name'),
    positional: ['Name'],
    examples: ['twinlease failover replicate "Pair 1"', 'twinlease failover replicate --scope-id 10.0.1.0 --force'],
  },
];

function isHotStandby(given: Given, local: Given): boolean {
  return local['mode'] === 'HotStandby' || given['ReservePercent'] !== undefined || given['ServerRole'] !== undefined;
}

const SCOPE: readonly CommandSpec[] = [
  {
    words: 'scope add',
    operations: ['scope.add'],
    examples: [
      'twinlease scope add --name office --start-range 10.0.1.10 --end-range 10.0.1.200 --subnet-mask 255.255.255.0',
      'twinlease scope add --name guests --start-range 10.0.2.10 --end-range 10.0.2.200 --subnet-mask 255.255.255.0 --lease-duration 4h',
    ],
  },
  { words: 'scope get', operations: ['scope.get'], positional: ['ScopeId'], view: SCOPE_VIEW },
  {
    words: 'scope set',
    operations: ['scope.set-by-without-range', 'scope.set-by-with-range'],
    summary: 'Changes a scope.',
    choose: byGiven(
      [
        ['StartRange', 'scope.set-by-with-range'],
        ['EndRange', 'scope.set-by-with-range'],
      ],
      'scope.set-by-without-range',
    ),
    positional: ['ScopeId'],
    examples: [
      'twinlease scope set 10.0.1.0 --lease-duration 1d',
      'twinlease scope set 10.0.1.0 --state Inactive --what-if',
    ],
  },
  { words: 'scope remove', operations: ['scope.remove'], positional: ['ScopeId'] },
  { words: 'scope statistics', operations: ['scope.statistics'], positional: ['ScopeId'], view: SCOPE_STATISTICS_VIEW },
];

const EXCLUSION: readonly CommandSpec[] = [
  { words: 'exclusion add', operations: ['exclusion.add'], positional: ['ScopeId'] },
  { words: 'exclusion get', operations: ['exclusion.get'], positional: ['ScopeId'] },
  { words: 'exclusion remove', operations: ['exclusion.remove'], positional: ['ScopeId'] },
];

const RESERVATION: readonly CommandSpec[] = [
  { words: 'reservation add', operations: ['reservation.add'], positional: ['ScopeId'] },
  {
    words: 'reservation get',
    ...byKey('reservation.get'),
    summary: 'Shows reservations of a scope, of addresses, or of clients in a scope.',
    examples: [
      'twinlease reservation get 10.0.1.0',
      'twinlease reservation get --ip-address 10.0.1.9',
      'twinlease reservation get 10.0.1.0 --client-id 00-15-5d-01-02-03',
    ],
    view: RESERVATION_VIEW,
  },
  { words: 'reservation set', operations: ['reservation.set'], positional: ['IPAddress'] },
  {
    words: 'reservation remove',
    ...byKey('reservation.remove'),
    summary: 'Removes the reservations of a scope, of addresses, or of clients in a scope.',
    examples: ['twinlease reservation remove --ip-address 10.0.1.9', 'twinlease reservation remove 10.0.1.0 --what-if'],
  },
];

const OPTION: readonly CommandSpec[] = [
  { words: 'option get', operations: ['option.get'], positional: ['ScopeId'], view: OPTION_VIEW },
  {
    words: 'option set',
    operations: ['option.set-by-common-options', 'option.set-by-option-id'],
    summary: 'Sets values of options: of the server, of a scope or of a reservation.',
    choose: byGiven(
      [
        ['OptionId', 'option.set-by-option-id'],
        ['Value', 'option.set-by-option-id'],
      ],
      'option.set-by-common-options',
    ),
    positional: ['ScopeId'],
    examples: [
      'twinlease option set 10.0.1.0 --router 10.0.1.1 --dns-server 10.0.0.53 10.0.0.54',
      'twinlease option set --option-id 42 --value 10.0.0.123',
      'twinlease option set --reserved-ip 10.0.1.9 --option-id 67 --value boot.img',
    ],
  },
  { words: 'option remove', operations: ['option.remove'], positional: ['ScopeId'] },
];

const LEASE: readonly CommandSpec[] = [
  {
    words: 'lease get',
    ...byKey('lease.get', ['BadLeases', 'lease.get-by-bad-leases']),
    summary: 'Shows leases of a scope, of addresses, of clients in a scope, or the addresses that clients declined.',
    examples: [
      'twinlease lease get 10.0.1.0',
      'twinlease lease get 10.0.1.0 --all-leases',
      'twinlease lease get --ip-address 10.0.1.20 --json',
      'twinlease lease get 10.0.1.0 --client-id 00-15-5d-01-02-03',
      'twinlease lease get --bad-leases',
    ],
    view: LEASE_VIEW,
  },
  {
    words: 'lease remove',
    ...byKey('lease.remove', ['BadLeases', 'lease.remove-by-bad-leases']),
    summary: 'Ends leases; the clients are not told.',
    examples: ['twinlease lease remove --ip-address 10.0.1.20', 'twinlease lease remove 10.0.1.0 --what-if'],
  },
];

const LOOKING: readonly CommandSpec[] = [
  {
    words: 'stats',
    operations: ['scope.statistics', 'server.statistics'],
    summary: 'Shows how full the scopes are, or what the server has done since its start.',
    local: [{ name: 'server', description: 'What the server has done, instead of its scopes.' }],
    choose: (_given, local) => (local['server'] === true ? 'server.statistics' : 'scope.statistics'),
    positional: ['ScopeId'],
    examples: ['twinlease stats', 'twinlease stats 10.0.1.0 --failover', 'twinlease stats --server --json'],
    view: (value, context) => (Array.isArray(value) ? SCOPE_STATISTICS_VIEW : automaticView)(value, context),
  },
  { words: 'why', operations: ['why'], positional: ['Client'], view: WHY_VIEW },
  { words: 'server set', operations: ['server.set'], erasable: ['TrustedRelays'] },
  { words: 'server status', operations: ['server.status'], view: SERVER_VIEW },
  { words: 'free-address get', operations: ['free-address.get'], positional: ['ScopeId'] },
  { words: 'backup', operations: ['backup.make'], positional: ['Path'] },
];

const CONFIG: readonly CommandSpec[] = [
  {
    words: 'config show',
    operations: ['config.show'],
    positional: ['Revision'],
    examples: ['twinlease config show > config.json', 'twinlease config show 7'],
    view: JSON_VIEW,
  },
  { words: 'config history', operations: ['config.history'], view: HISTORY_VIEW },
  {
    words: 'config diff',
    operations: ['config.diff'],
    file: { parameter: 'Config', isOptional: true },
    examples: [
      'twinlease config diff',
      'twinlease config diff --relationship "Pair 1"',
      'twinlease config diff --from 7 --to 9',
      'twinlease config diff config.json',
    ],
    view: DIFF_VIEW,
  },
  { words: 'config apply', operations: ['config.apply'], file: { parameter: 'Config' } },
  { words: 'config undo', operations: ['config.undo'], positional: ['Revision'] },
];

const PAIR: readonly CommandSpec[] = [
  { words: 'pair invite', operations: ['pair.invite'], view: INVITATION_VIEW },
  {
    words: 'pair accept',
    operations: ['pair.accept'],
    positional: ['Code'],
    asked: [{ parameter: 'Code', question: 'Code that `twinlease pair invite` shows on the other server: ' }],
  },
  { words: 'pair declare', operations: ['pair.declare'], positional: ['Name'] },
  { words: 'pair list', operations: ['pair.list'], view: PARTNERS_VIEW },
  { words: 'pair remove', operations: ['pair.remove'], positional: ['Partner'] },
  { words: 'pair rotate', operations: ['pair.rotate'] },
  { words: 'pair rejoin', operations: ['pair.rejoin'], positional: ['Partner'] },
  { words: 'pair align', operations: ['pair.align'], positional: ['Partner'] },
  { words: 'pair changes', operations: ['pair.changes'], view: CHANGES_VIEW },
  { words: 'pair end-change', operations: ['pair.end-change'], positional: ['Id'] },
];

/** The three ways in which Windows names leases and reservations. */
function byKey(
  stem: string,
  ...more: readonly (readonly [string, string])[]
): Pick<CommandSpec, 'operations' | 'choose' | 'positional'> {
  return {
    operations: [
      `${stem}-by-scope-id`,
      `${stem}-by-ip-address`,
      `${stem}-by-client-id`,
      ...more.map(([, operation]) => operation),
    ],
    choose: byGiven(
      [...more, ['ClientId', `${stem}-by-client-id`], ['IPAddress', `${stem}-by-ip-address`]],
      `${stem}-by-scope-id`,
    ),
    positional: ['ScopeId'],
  };
}

export const COMMANDS: readonly CommandSpec[] = [
  ...FAILOVER,
  ...SCOPE,
  ...RESERVATION,
  ...EXCLUSION,
  ...OPTION,
  ...LEASE,
  ...LOOKING,
  ...CONFIG,
  ...PAIR,
];
