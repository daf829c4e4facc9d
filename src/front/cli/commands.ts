/**
 * The command table: words of the command line and the operations behind them. An operation that no row names is reached by
 * the words of its own name, so a new operation has a command from its first day.
 */
import { byGiven, type CommandSpec, type Given } from './command-spec.ts';
import { FAILOVER_VIEW } from './failover-views.ts';

/** What `twinlease GROUP --help` says at its top. */
export const GROUPS: Readonly<Record<string, string>> = {
  failover: 'Failover relationships: two servers that share scopes.',
  scope: 'Scopes: networks whose addresses are leased.',
  reservation: 'Reservations: addresses kept for one client each.',
  exclusion: 'Exclusions: addresses of a scope that are not leased.',
  option: 'DHCP options of the server, of scopes and of reservations.',
  lease: 'Leases of the clients.',
  config: 'The configuration and its revisions.',
  pair: 'The introduction of two servers to each other.',
};

const FAILOVER: readonly CommandSpec[] = [
  {
    words: 'failover add',
    operations: ['failover.add-by-load-balance', 'failover.add-by-hot-standby'],
    summary: 'Share scopes with another server, in load-balance mode or, with its options, in hot-standby mode.',
    local: [{ name: 'mode', choices: ['LoadBalance', 'HotStandby'], description: 'Needed only where no other option tells.' }],
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
    examples: ['twinlease failover get', 'twinlease failover get "Pair 1"', 'twinlease failover get --scope-id 10.0.1.0 --json'],
    view: FAILOVER_VIEW,
  },
  { words: 'failover set', operations: ['failover.set'], positional: ['Name'], erasable: ['SharedSecret'] },
  { words: 'failover remove', operations: ['failover.remove'], positional: ['Name'] },
  { words: 'failover add-scope', operations: ['failover-scope.add'], positional: ['Name'] },
  { words: 'failover remove-scope', operations: ['failover-scope.remove'], positional: ['Name'] },
  {
    words: 'failover replicate',
    operations: ['replication.invoke-by-name', 'replication.invoke-by-scope-id'],
    summary: 'Overwrite what the partner has of shared scopes with the configuration of this server.',
    choose: byGiven([['ScopeId', 'replication.invoke-by-scope-id']], 'replication.invoke-by-name'),
    positional: ['Name'],
    examples: ['twinlease failover replicate "Pair 1"', 'twinlease failover replicate --scope-id 10.0.1.0 --force'],
  },
];

function isHotStandby(given: Given, local: Given): boolean {
  return local['mode'] === 'HotStandby' || given['ReservePercent'] !== undefined || given['ServerRole'] !== undefined;
}

export const COMMANDS: readonly CommandSpec[] = [...FAILOVER];
