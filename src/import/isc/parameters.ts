/**
 * The statements of dhcpd.conf(5) that are one setting: which are carried over by what the scopes and reservations are made of, and
 * what to say of every other. A value that is what this server does anyway counts as carried over.
 */

import { lookUp } from '../look-up.ts';
import { flagIn } from './option-values.ts';
import type { Report } from './report.ts';
import { nameAt, type Statement, wordAt } from './statements.ts';

/** Parameters that the mapping to scopes and reservations looks at. */
export const MAPPED_PARAMETERS: ReadonlySet<string> = new Set([
  'default-lease-time',
  'max-lease-time',
  'min-lease-time',
  'filename',
  'next-server',
  'server-name',
  'vendor-option-space',
  'use-host-decl-names',
  'abandon-lease-time',
]);

interface Rule {
  /** The value that means what this server does anyway; undefined where none does. */
  readonly same?: boolean | string;
  readonly outcome: string;
  readonly advice?: string;
  /** Not quite what dhcpd does, but near. */
  readonly isNear?: boolean;
}

const NO_DNS = 'this server does not update DNS';
const DNS_ADVICE = 'Let the clients or the name server keep the names.';
const BY_FLAGS = 'is an option of `twinlease serve` or of the service, not of the configuration';
const NO_EQUIVALENT = 'has no equivalent';

const DNS: Rule = { outcome: NO_DNS, advice: DNS_ADVICE };
const DNS_OFF: Rule = { ...DNS, same: false };
const BY_SERVICE: Rule = { outcome: BY_FLAGS, advice: 'See `twinlease serve --help`.' };
const OWN_STORE: Rule = { outcome: 'this server keeps its own state below its data directory' };
const LOGS: Rule = { outcome: 'this server logs to its standard error, which the journal keeps' };
const OMAPI: Rule = { outcome: 'there is no omapi; the REST door and the command line take its place' };
const LDAP: Rule = {
  outcome: 'what stands in LDAP is not read',
  advice: 'Write it out as a file with dhcpd-ldap, and import that.',
};
const IPV6: Rule = { outcome: 'this server serves IPv4 only' };
const PING: Rule = {
  same: false,
  outcome: 'addresses are not pinged before they are offered; a client that finds its address in use declines it',
};

/** By name; `allow`, `deny` and `ignore` count as on and off. */
const RULES: Readonly<Record<string, Rule>> = {
  'ddns-update-style': { ...DNS, same: 'none' },
  'ddns-updates': DNS_OFF,
  'client-updates': { ...DNS, same: false },
  'do-forward-updates': DNS_OFF,
  'do-reverse-updates': DNS_OFF,
  'update-static-leases': DNS_OFF,
  'update-optimization': DNS,
  'update-conflict-detection': DNS,
  'ddns-hostname': DNS,
  'ddns-domainname': DNS,
  'ddns-rev-domainname': DNS,
  'ddns-ttl': DNS,
  'ddns-local-address4': DNS,
  'ddns-local-address6': DNS,
  'ddns-dual-stack-mixed-mode': DNS,
  'ddns-guard-id-must-match': DNS,
  'ddns-other-guard-is-dynamic': DNS,
  'fqdn-reply': DNS,
  'unknown-clients': {
    same: true,
    outcome: 'clients without a reservation are served like all others',
    advice: 'Exclude the addresses (`twinlease exclusion add`) where only known clients may have one.',
  },
  'boot-unknown-clients': {
    same: true,
    outcome: 'clients without a reservation are served like all others',
    advice: 'Exclude the addresses (`twinlease exclusion add`) where only known clients may have one.',
  },
  booting: { same: true, outcome: 'a client cannot be refused by itself', advice: 'Block it where it is plugged in.' },
  duplicates: {
    same: true,
    outcome: 'a client is known by its identifier, or by its hardware address where it sends none',
  },
  declines: {
    same: true,
    outcome: 'an address that a client declines is always kept aside',
    advice: 'Shorten the time with `twinlease server set --decline-hold-sec`.',
  },
  leasequery: { same: false, outcome: 'lease queries (RFC 4388) are not answered' },
  'one-lease-per-client': {
    isNear: true,
    outcome: 'a client that takes another address in a scope gives up the one before, in other scopes it keeps it',
  },
  'infinite-is-reserved': { same: false, outcome: 'an infinite lease does not become a reservation' },
  'ping-check': PING,
  'ping-timeout': PING,
  'ping-timeout-ms': PING,
  'ping-cltt-secs': PING,
  'always-broadcast': {
    same: false,
    outcome: 'replies are broadcast to the clients that ask for it (RFC 2131 4.1)',
  },
  'always-reply-rfc1048': { same: false, outcome: 'a BOOTP client is answered in the form of its request' },
  'stash-agent-options': { same: true, outcome: 'what a relay said of a client is kept with its lease' },
  'get-lease-hostnames': { same: false, outcome: 'names of clients are not looked up in DNS' },
  'use-lease-addr-for-default-route': { same: false, outcome: 'the router is always the one that is configured' },
  'min-secs': {
    same: '0',
    outcome: 'there is no wait by the secs field',
    advice: 'See the delay of a scope: `twinlease scope set --delay`.',
  },
  'server-identifier': {
    outcome: 'the server identifier is the address of the interface that the client is reached by',
  },
  'server-id-check': { same: false, outcome: 'the server identifier of a request is always looked at' },
  'echo-client-id': { same: true, outcome: 'the client identifier is always sent back (RFC 6842)' },
  'ignore-client-uids': { same: false, outcome: 'client identifiers are kept' },
  'check-secs-byte-order': { same: false, outcome: 'the secs field is read as the standard has it' },
  'site-option-space': {
    outcome: 'the numbers from 224 on mean the same to everybody',
    advice: 'Set their values by vendor class.',
  },
  'dhcp-cache-threshold': { isNear: true, outcome: 'every renewal is given the whole lease time' },
  'adaptive-lease-time-threshold': { outcome: 'lease times do not depend on how full a scope is' },
  'dynamic-bootp-lease-cutoff': { outcome: 'the address of a BOOTP client has no end' },
  'dynamic-bootp-lease-length': { outcome: 'the address of a BOOTP client has no end' },
  'delayed-ack': { isNear: true, outcome: 'writes to disk are joined by themselves while many clients ask' },
  'max-ack-delay': { isNear: true, outcome: 'writes to disk are joined by themselves while many clients ask' },
  'dont-use-fsync': { same: false, outcome: 'a lease is always on disk before it is given' },
  'lease-file-name': OWN_STORE,
  'dhcpv6-lease-file-name': IPV6,
  'pid-file-name': BY_SERVICE,
  'dhcpv6-pid-file-name': IPV6,
  'local-port': BY_SERVICE,
  'remote-port': BY_SERVICE,
  'local-address': BY_SERVICE,
  'local-address6': IPV6,
  'bind-local-address6': IPV6,
  'limited-broadcast-address': { same: '255.255.255.255', outcome: 'broadcasts go to 255.255.255.255' },
  'log-facility': LOGS,
  'log-threshold-low': { outcome: 'how full a scope is shows `twinlease stats`' },
  'log-threshold-high': { outcome: 'how full a scope is shows `twinlease stats`' },
  'db-time-format': OWN_STORE,
  'omapi-port': OMAPI,
  'omapi-key': OMAPI,
  'release-on-roam': { isNear: true, outcome: 'a lease in another network ends at its time' },
  'preferred-lifetime': IPV6,
  'prefix-length-mode': IPV6,
  'dhcpv6-set-tee-times': IPV6,
  'limit-addrs-per-ia': IPV6,
  'limit-prefs-per-ia': IPV6,
  'use-eui-64': IPV6,
  'persist-eui-64-leases': IPV6,
  subnet6: IPV6,
  pool6: IPV6,
  range6: IPV6,
  prefix6: IPV6,
  'fixed-address6': IPV6,
  'fixed-prefix6': IPV6,
  interface: { outcome: 'the interfaces are told to `twinlease serve --interface`' },
  dynamic: {
    outcome: 'the host was made through omapi',
    advice: 'Write it into the configuration, or reserve its address here.',
  },
  deleted: { outcome: 'the host was removed through omapi' },
  zone: DNS,
  key: { outcome: 'keys serve omapi and DNS updates, which are not here' },
  set: { outcome: `a variable ${NO_EQUIVALENT}` },
  unset: { outcome: `a variable ${NO_EQUIVALENT}` },
  define: { outcome: `a function ${NO_EQUIVALENT}` },
  eval: { outcome: `an expression ${NO_EQUIVALENT}` },
  execute: { outcome: 'no program is run for an event', advice: 'Follow the leases through the REST door.' },
  log: { outcome: 'what is logged cannot be configured' },
  on: { outcome: 'nothing is run for an event', advice: 'Follow the leases through the REST door.' },
  switch: {
    outcome: `a choice by an expression ${NO_EQUIVALENT}`,
    advice: 'Set the values by vendor class or user class.',
  },
  add: { outcome: `adding a client to a class ${NO_EQUIVALENT}` },
  break: { outcome: `a step in a choice ${NO_EQUIVALENT}` },
  'parse-vendor-option': { outcome: `a look into option 43 of the client ${NO_EQUIVALENT}` },
  spawn: { outcome: `a class that makes others ${NO_EQUIVALENT}` },
  lease: { outcome: 'a limit on the leases of a class has no equivalent' },
};

const ON_WORDS: Readonly<Record<string, boolean>> = { allow: true, deny: false, ignore: false };

/** The name and the value of a parameter, with `allow` and its kind in the same form. */
export function parameterOf(statement: Statement): { readonly name: string; readonly value: string } {
  const first = wordAt(statement, 0);
  const isOn = lookUp(ON_WORDS, first);
  if (isOn !== undefined) return { name: wordAt(statement, 1), value: String(isOn) };
  return { name: first, value: nameAt(statement, 1) ?? '' };
}

/** Says what became of a parameter that the mapping does not look at. */
export function reportParameter(report: Report, statement: Statement): void {
  const { name, value } = parameterOf(statement);
  const rule = lookUp(RULES, name) ?? (name.startsWith('ldap-') ? LDAP : undefined);
  if (rule === undefined) {
    report.wholeNotCarried(statement, 'is no statement that is known here', 'See whether the server needs it at all.');
    return;
  }
  if (isSame(rule, value)) report.carried(statement, `as it is here anyway: ${rule.outcome}`);
  else if (rule.isNear === true) report.changed(statement, rule.outcome, rule.advice ?? null);
  else report.wholeNotCarried(statement, rule.outcome, rule.advice ?? null);
}

function isSame(rule: Rule, value: string): boolean {
  if (rule.same === undefined) return false;
  return typeof rule.same === 'string' ? rule.same === value.toLowerCase() : rule.same === flagIn(value);
}
