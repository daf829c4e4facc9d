/** Problems of failover with servers of another make, which this server cannot configure. Part of the catalogue (`catalogue.ts`). */
import type { ProblemEntry } from './problem.ts';

const INVALID = { family: 'WIN32', number: 87, symbol: 'ERROR_INVALID_PARAMETER' } as const;
const NOT_SUPPORTED = { family: 'DHCP', number: 20118, symbol: 'ERROR_DHCP_FO_NOT_SUPPORTED' } as const;

export const FOREIGN_PROBLEMS = {
  'pair/foreign-exists': {
    severity: 'error',
    text: 'DHCP server {server} knows a partner {partner} at {host} already.',
    why: 'A server of another make is recognised by the address that it calls from, so one address has one server.',
    action: 'Use that partner, or remove it first: `twinlease pair remove --partner {partner}`.',
    http: 409,
  },
  'pair/foreign-not-managed': {
    severity: 'error',
    text: 'Partner {partner} is not a Twinlease server: DHCP server {server} cannot ask or change its configuration.',
    why: 'With servers of another make only the failover protocol is shared.',
    action: 'Make the change there with its own tools, and here with those of this server.',
    windows: NOT_SUPPORTED,
    http: 409,
  },
  'failover/foreign-partner-taken': {
    severity: 'error',
    text: 'DHCP server {server} has the failover relationship {name} with partner {partner} already.',
    why: 'Connections of a server of another make are told apart by its address alone, so there is one relationship with it.',
    action: 'Add the scopes to that one: `twinlease failover add-scope {name} --scope-id ...`.',
    windows: NOT_SUPPORTED,
    http: 409,
  },
  'failover/foreign-kind-differs': {
    severity: 'error',
    text: 'Partner {partner} was declared as {kind}, not as {wanted}.',
    why: 'Each make speaks its own dialect of the protocol.',
    action:
      'Leave PartnerKind out, or declare the partner anew: `twinlease pair remove`, then `twinlease pair declare`.',
    windows: INVALID,
    http: 400,
  },
  'failover/foreign-secret': {
    severity: 'error',
    text: 'A shared secret cannot be used with ISC dhcpd (partner {partner}).',
    why: 'dhcpd neither sends nor checks message digests, so the secret would protect nothing.',
    action: 'Leave SharedSecret out, and lead the connection over a trusted network or through a tunnel.',
    windows: INVALID,
    http: 400,
  },
  'failover/foreign-primary-decides': {
    severity: 'error',
    text: '{parameter} of failover relationship {name} is set by its primary, {partner}.',
    why: 'The primary tells it when it connects, and the secondary takes it over.',
    action: 'Change it there; here it follows with the next connection.',
    windows: NOT_SUPPORTED,
    http: 409,
  },
  'failover/foreign-no-fetch': {
    severity: 'error',
    text: 'The leases of single scopes cannot be fetched from partner {partner}.',
    why: 'It can only be asked for everything that it holds, which needs a silence of this server in all scopes of the relationship.',
    action:
      'Remove the relationship and add it again with all its scopes and HoldsLeases off, at a time when the partner serves alone.',
    windows: NOT_SUPPORTED,
    http: 409,
  },
  'failover/foreign-enter': {
    severity: 'warning',
    text: 'Partner {partner} must be configured to match:{lines}',
    why: 'This server cannot configure it; until both sides match, its connections are refused or its leases rejected.',
    action: 'Enter this at {partner}, and start it anew where it reads its configuration only then.',
  },
  'failover/foreign-change-there': {
    severity: 'warning',
    text: 'The same change is needed at partner {partner} of failover relationship {name}: {what}.',
    why: 'This server cannot configure it. Until both are alike, clients get other answers from one than from the other, and leases of addresses that only one knows are rejected.',
    action:
      'Make the change at {partner} with its own tools, and start it anew where it reads its configuration only then.',
  },
  'failover/foreign-take-out': {
    severity: 'warning',
    text: 'Partner {partner} must stop serving {scopes}: take failover relationship {name} and these scopes out of its configuration now.',
    why: 'This server goes on alone. From {until} (one MCLT and an allowance for the clocks after the removal) on it also gives out what were the addresses of the partner.',
    action: 'Change the configuration of {partner} before then, and start it anew.',
  },
  'failover/foreign-unfetched': {
    severity: 'error',
    text: 'Failover relationship {name} on DHCP server {server} is in state {state}: it has not fetched all leases from {partner} yet.',
    why: 'Alone, this server would give addresses to new clients that {partner} has leased to others.',
    action:
      'Wait for Normal, or repeat with Force: the scopes are then disabled here, to be enabled when no lease of {partner} runs any more, at once if it never served them.',
    windows: { family: 'DHCP', number: 20120, symbol: 'ERROR_DHCP_FO_STATE_NOT_NORMAL' },
    http: 409,
  },
  'failover/foreign-fetches': {
    severity: 'warning',
    text: 'DHCP server {server} serves the scopes of failover relationship {name} only when it has fetched the leases from {partner}.',
    why: 'No lease of these scopes is held here, so the partner may know clients that this server does not.',
    action:
      'Nothing, if the partner is or was serving them. Otherwise start it; or say HoldsLeases: then this server serves at once.',
  },
  'failover/mclt-below-lease': {
    severity: 'warning',
    text: 'The MCLT of failover relationship {name} ({mcltSec} s) is shorter than leases of scope {scopeId} ({leaseSec} s).',
    why: 'ISC dhcpd in PARTNER-DOWN gives addresses to new clients after its own knowledge of the lease and one MCLT, whatever was extended here meanwhile: two clients may get one address.',
    action: 'Make the MCLT at least as long as the longest lease, or the leases no longer than the MCLT.',
  },
  'failover/isc-weaknesses': {
    severity: 'warning',
    text: 'Failover with ISC dhcpd (partner {partner}) is not authenticated, and dhcpd does not notice a lease file that was put back from an old copy.',
    why: 'Whoever can send from its address can speak for it; and addresses leased since the copy may be given out twice.',
    action:
      'Keep port {port} reachable for the two servers only. Never restore dhcpd.leases by itself: begin with an empty file, which dhcpd fills from here.',
  },
  'failover/foreign-bootp': {
    severity: 'warning',
    text: 'Scope {scopeId} also serves BOOTP clients; their addresses have no end, and partner {partner} keeps its own of them for ever.',
    why: 'An address that was leased without end is never given back, not even when its server is down.',
    action: 'Change the type of the scope to Dhcp unless BOOTP clients are there.',
  },
  'failover/foreign-garbled': {
    severity: 'warning',
    text: 'A connection from partner {peer} (failover relationship {name}) was closed: {why}.',
    why: 'The partner is declared as another make than it is, or somebody else uses its address.',
    action: 'Compare the kind shown by `twinlease pair list` with what runs there.',
  },
  'failover/foreign-speaks-otherwise': {
    severity: 'warning',
    text: 'Partner {peer} (failover relationship {name}) is declared as {declared} and speaks as {spoken}.',
    why: 'The makes write states, names and times in different ways, so that leases would be misread; most often no connection comes about at all.',
    action:
      'Remove the relationship, declare the partner again with the right `--kind`, and add the relationship; a Twinlease partner is introduced with `twinlease pair invite`.',
  },
} as const satisfies Readonly<Record<string, ProblemEntry>>;
