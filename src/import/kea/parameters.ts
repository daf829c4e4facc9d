/**
 * Parameters of Kea that need no reading: what becomes of each is the same wherever it stands. Those that are not named here and that
 * nothing else looks at are reported as having no equivalent.
 */

import type { Fate } from '../fates.ts';
import { lookUp } from '../look-up.ts';
import type { Context } from './context.ts';
import { booleanIn, type Fields, fieldsOf, numberIn, objectsIn, textIn } from './fields.ts';
import type { Member } from './json.ts';

type Row = readonly [carried: Fate['carried'], outcome: string, advice?: string];

const NO_DNS: Row = [
  'not-carried',
  'DNS updates are not made',
  'Let the clients or the DNS server’s own means register names.',
];
const REMARK: Row = ['not-carried', 'a remark, which has no place here'];
const SHORTER: Row = ['not-carried', 'a client may ask for a shorter lease than that of the scope, down to 60 s'];
const LONGER: Row = ['not-carried', 'no client gets a longer lease than that of the scope'];
const RESERVATIONS: Row = ['carried', 'reservations are looked for inside and outside the range'];
const CACHE: Row = ['not-carried', 'every renewal is granted anew; leases are not cached'];
const NAMES: Row = ['not-carried', 'host names are kept as the client sends them'];
const DATABASES: Row = [
  'not-carried',
  'this server keeps its own store',
  'Export the hosts of the database into the file.',
];
const STATISTICS: Row = ['not-carried', 'statistics are kept in other ways'];

const ANYWHERE: Readonly<Record<string, Row>> = {
  id: ['carried', 'a scope is known by its network address'],
  'valid-lifetime': ['carried', 'the lease time of the scopes for which it holds'],
  'min-valid-lifetime': SHORTER,
  'max-valid-lifetime': LONGER,
  'calculate-tee-times': ['not-carried', 'T1 and T2 are half and seven eighths of the lease', 'Set options 58 and 59.'],
  't1-percent': ['not-carried', 'T1 is half of the lease', 'Set option 58.'],
  't2-percent': ['not-carried', 'T2 is seven eighths of the lease', 'Set option 59.'],
  interface: ['changed', 'a scope is found by the addresses of the interface, not by its name'],
  'match-client-id': [
    'not-carried',
    'clients are known by their client identifier where they send one (RFC 2131 4.2)',
    'Reserve addresses by hardware address for clients that change their identifier.',
  ],
  'require-client-classes': ['not-carried', 'classes have no part in the choice of a scope'],
  'reservation-mode': RESERVATIONS,
  'reservations-global': RESERVATIONS,
  'reservations-in-subnet': RESERVATIONS,
  'reservations-out-of-pool': RESERVATIONS,
  'cache-threshold': CACHE,
  'cache-max-age': CACHE,
  'store-extended-info': ['carried', 'what the relay said last is always kept with the lease'],
  'hostname-char-set': NAMES,
  'hostname-char-replacement': NAMES,
  '4o6-interface': ['not-carried', 'DHCPv4 over DHCPv6 is not served'],
  '4o6-interface-id': ['not-carried', 'DHCPv4 over DHCPv6 is not served'],
  '4o6-subnet': ['not-carried', 'DHCPv4 over DHCPv6 is not served'],
  allocator: ['not-carried', 'of the free addresses the one that is unused longest is given out'],
};

const GLOBAL: Readonly<Record<string, Row>> = {
  'interfaces-config': [
    'not-carried',
    'which interfaces are served is told at start',
    'Name them in the service’s command line.',
  ],
  'hosts-database': DATABASES,
  'hosts-databases': DATABASES,
  'host-reservation-identifiers': [
    'changed',
    'the order is: client identifier, hardware address, circuit, remote identifier',
  ],
  'expired-leases-processing': ['not-carried', 'expired leases are dealt with as they end'],
  'dhcp4o6-port': ['not-carried', 'DHCPv4 over DHCPv6 is not served'],
  'control-socket': ['not-carried', 'this server is managed through its own doors: the command, REST, WS-Management'],
  'dhcp-queue-control': ['not-carried', 'packets wait in bounded queues of their own'],
  'multi-threading': ['not-carried', 'this server needs no threads for packets'],
  'dhcp-ddns': NO_DNS,
  'sanity-checks': ['not-carried', 'every lease is checked when it is imported'],
  'config-control': DATABASES,
  'server-tag': ['not-carried', 'the server is known by its own name'],
  'ip-reservations-unique': ['carried', 'an address has one reservation'],
  'reservations-lookup-first': ['carried', 'reservations always go first'],
  'early-global-reservations-lookup': ['not-carried', 'reservations belong to scopes'],
  'echo-client-id': ['not-carried', 'the client identifier always comes back in the reply (RFC 6842)'],
  'parked-packet-limit': ['not-carried', 'no hook can hold a packet back'],
  'statistic-default-sample-count': STATISTICS,
  'statistic-default-sample-age': STATISTICS,
  loggers: ['not-carried', 'logging is set where the service is started'],
  compatibility: ['not-carried', 'exceptions for single products are not made this way'],
  'user-context': REMARK,
  comment: REMARK,
};

/** Switches that say what this server does anyway, when they stand so. */
const AS_HERE: Readonly<Record<string, boolean>> = {
  'match-client-id': true,
  'echo-client-id': true,
  'calculate-tee-times': false,
  'ip-reservations-unique': true,
  'early-global-reservations-lookup': false,
};

/** Notes the parameters of a network (shared or not) or of `Dhcp4` that are no part of anything else. */
export function noteParameters({ report }: Context, fields: Fields, level: 'network' | 'global'): void {
  for (const [key, member] of fields) {
    const row = lookUp(ANYWHERE, key) ?? (level === 'global' ? lookUp(GLOBAL, key) : undefined);
    if (lookUp(AS_HERE, key) !== undefined && lookUp(AS_HERE, key) === booleanIn(fields, key))
      report.carried(member, 'as it is here');
    else if (row !== undefined) report.whole(member, fateOf(row));
    else if (key.startsWith('ddns-') || key === 'enable-updates') report.whole(member, fateOf(NO_DNS));
    else if (level === 'network' && (key === 'user-context' || key === 'comment') && !report.has(member))
      report.whole(member, fateOf(REMARK));
    else if (level === 'network' && key === 'authoritative')
      report.changed(member, 'the whole server is authoritative or not');
  }
}

function fateOf([carried, outcome, advice]: Row): Fate {
  return { carried, outcome, advice: advice ?? null };
}

/** What a hook library of Kea does, for the advice. */
const HOOKS: Readonly<Record<string, Row>> = {
  libdhcp_lease_cmds: ['not-carried', 'leases are shown and removed by "twinlease lease"'],
  libdhcp_stat_cmds: ['not-carried', 'statistics are shown by "twinlease scope statistics"'],
  libdhcp_host_cmds: ['not-carried', 'reservations are changed by "twinlease reservation"'],
  libdhcp_subnet_cmds: ['not-carried', 'scopes are changed by "twinlease scope"'],
  libdhcp_flex_id: [
    'not-carried',
    'flexible identifiers have no equivalent',
    'Reserve by circuit or remote identifier.',
  ],
  libdhcp_run_script: ['not-carried', 'no script is run for leases'],
  libdhcp_bootp: [
    'not-carried',
    'BOOTP is served where the scope’s type says so',
    'Set the type of the scopes to Both.',
  ],
};
const ADVICE_HA =
  'Make a pair of Twinlease servers: "twinlease pair invite" here, "twinlease pair accept" there, then "twinlease failover add". Kea itself cannot be the partner: its HA is a protocol of its own.';

export function noteHooks({ report }: Context, member: Member | undefined): void {
  if (member === undefined) return;
  report.notCarried(member, 'hook libraries of Kea cannot be used here');
  for (const hook of objectsIn(member)) {
    const library = hook.get('library');
    const name = /([^/]+?)(?:\.so)?$/.exec(textIn(hook, 'library') ?? '')?.[1] ?? '';
    if (name === 'libdhcp_ha') {
      report.notCarried(library, highAvailability(hook), ADVICE_HA);
      report.wholeNotCarried(hook.get('parameters'), 'the settings of Kea’s high availability', ADVICE_HA);
      continue;
    }
    const fate = fateOf(lookUp(HOOKS, name) ?? ['not-carried', 'the hook has no equivalent']);
    report.whole(library, fate);
    report.wholeNotCarried(hook.get('parameters'), 'the settings of a hook library');
  }
}

/** The mode and the peers, for the operator who makes the pair. */
function highAvailability(hook: Fields): string {
  const parameters = fieldsOf(hook.get('parameters')?.value);
  const relationships = objectsIn(parameters.get('high-availability'));
  const texts = relationships.map((one) => {
    const mode = textIn(one, 'mode') ?? 'unknown';
    const peers = objectsIn(one.get('peers')).map((peer) => textIn(peer, 'name') ?? '?');
    const own = mode === 'hot-standby' ? 'HotStandby' : mode === 'load-balancing' ? 'LoadBalance' : 'no';
    return `mode ${mode} (${own} mode here), peers ${peers.join(', ')}`;
  });
  return `Kea’s high availability cannot be carried over: ${texts.length === 0 ? 'it has no settings' : texts.join('; ')}`;
}

/** Where the leases are, so that they can be imported. */
export function noteLeaseDatabase({ report }: Context, member: Member | undefined): void {
  if (member === undefined) return;
  const fields = fieldsOf(member.value);
  const type = textIn(fields, 'type') ?? 'memfile';
  const name = textIn(fields, 'name');
  const advice =
    type === 'memfile'
      ? `Import the leases from ${name ?? 'kea-leases4.csv'}: name it as the second file.`
      : 'Write the leases into a file with "kea-admin lease-dump", and name it as the second file.';
  const isKept = booleanIn(fields, 'persist') !== false;
  report.wholeNotCarried(member, 'this server keeps leases in its own store', isKept ? advice : null);
}

/** Settings that the server has too. */
export function declineHoldSec({ report, global }: Context): number | undefined {
  const seconds = numberIn(global, 'decline-probation-period');
  report.carried(global.get('decline-probation-period'), 'how long a declined address is set aside');
  return seconds === undefined ? undefined : Math.min(seconds, 0xffffffff);
}
