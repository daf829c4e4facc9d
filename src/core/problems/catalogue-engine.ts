/**
 * Problems and news of the failover engine and of serving: what happens between two servers without anybody asking for it. Part
 * of the catalogue (`catalogue.ts`).
 */
import type { ProblemEntry } from './problem.ts';

export const ENGINE_PROBLEMS = {
  'failover/state-changed': {
    severity: 'info',
    text: 'Failover relationship {name} went from {from} to {to}.',
    why: 'What this server may do for clients follows from the state.',
    action: 'Nothing, if the partner was stopped or started on purpose; else see `twinlease failover status`.',
  },
  'failover/partner-state-changed': {
    severity: 'info',
    text: 'The partner of failover relationship {name} went from {from} to {to}.',
    why: 'What the two servers do together follows from both states.',
    action: 'Nothing.',
  },
  'failover/partner-lost': {
    severity: 'warning',
    text: 'Failover relationship {name} has lost contact with its partner: {why}.',
    why: 'Each server goes on alone with its own part of the addresses and short leases.',
    action:
      'Bring the partner or the network back. If the partner is down for good: `twinlease failover set --partner-down`.',
  },
  'failover/partner-back': {
    severity: 'info',
    text: 'Failover relationship {name} has contact with its partner again.',
    why: 'The servers bring each other up to date.',
    action: 'Nothing.',
  },
  'failover/refused-by-partner': {
    severity: 'error',
    text: 'The partner of failover relationship {name} refuses the connection: {reason} {message}.',
    why: 'The two servers cannot work together until the reason is gone.',
    action: 'Compare the relationship on both servers: name, mode, secret, version.',
  },
  'failover/refused-partner': {
    severity: 'error',
    text: 'The connection of the partner of failover relationship {name} was refused: {reason}.',
    why: 'The two servers cannot work together until the reason is gone.',
    action: 'Compare the relationship on both servers: name, mode, secret, version.',
  },
  'failover/time-skew': {
    severity: 'error',
    text: 'Clocks differ by {skewSec} s from the partner of failover relationship {name}.',
    why: 'Lease ends travel as absolute times, so a skew this large can hand one address to two clients.',
    action: 'Fix NTP on either host. The link resumes by itself; no restart is needed.',
  },
  'failover/update-rejected': {
    severity: 'warning',
    text: 'The partner of failover relationship {name} rejects the update of {address}: {reason}.',
    why: 'The two servers know different things of this address; it is compared and sent again.',
    action: 'If it stays: `twinlease lease get` for the address on both servers, and `twinlease why` for the client.',
  },
  'failover/conflict': {
    severity: 'warning',
    text: 'Failover relationship {name}: both servers gave {address} to a client. {outcome}.',
    why: 'The servers were both active without knowing of each other.',
    action:
      'The client that lost it gets another address at its next renewal. Find out why both served: see the state changes before.',
  },
  'failover/potential-conflict': {
    severity: 'error',
    text: 'Failover relationship {name} is in potential conflict: both servers may have given out the same addresses.',
    why: 'They compare all leases before either serves new clients.',
    action: 'Nothing if it ends within minutes; else check the connection between the servers.',
  },
  'failover/auto-partner-down': {
    severity: 'warning',
    text: 'Failover relationship {name}: no contact for {seconds} s, so the partner is taken for down.',
    why: 'This server takes over the partner’s addresses as soon as no lease can be running on them.',
    action: 'Nothing. When the partner is back, it recovers from this server.',
  },
  'failover/recovering': {
    severity: 'info',
    text: 'Failover relationship {name}: this server gets its leases from the partner ({why}).',
    why: 'It serves again when it holds them and no lease it may have given before can still be running.',
    action: 'Nothing; `twinlease failover status` shows the end of the wait.',
  },
  'failover/old-store': {
    severity: 'error',
    text: 'Failover relationship {name}: {who} came back with an older state than the other server remembers.',
    why: 'It was put back from a copy, so it must get everything from the other server before it serves.',
    action: 'Nothing. It recovers by itself.',
  },
  'failover/own-store-old': {
    severity: 'error',
    text: 'Failover relationship {name}: the state of this server is older than its partner remembers.',
    why: 'It was put back from a copy, so it gets everything from the partner before it serves.',
    action: 'Nothing. It recovers by itself.',
  },
  'failover/scope-unserved': {
    severity: 'warning',
    text: 'Failover relationship {name}: the interface of scope {scopeId} is down on {who}.',
    why: 'The other server answers all clients of the scope meanwhile.',
    action: 'Bring the interface back.',
  },
  'failover/bad-message': {
    severity: 'error',
    text: 'Failover relationship {name}: a message of the partner cannot be understood: {why}.',
    why: 'The connection was closed and is opened again.',
    action: 'Run the same version on both servers; if it goes on, report it with the log.',
  },
  'failover/digest-failed': {
    severity: 'error',
    text: 'Failover relationship {name}: a message of the partner does not carry the right digest: {why}.',
    why: 'The shared secrets differ, or somebody else sends messages.',
    action: 'Set the same secret on both servers.',
  },
  'failover/unequal': {
    severity: 'warning',
    text: 'Failover relationship {name}: {what} differs: {here} here, {there} on the partner.',
    why: 'The servers act on different parameters.',
    action: 'Set it again: `twinlease failover set` changes both servers.',
  },
  'failover/balance': {
    severity: 'info',
    text: 'Failover relationship {name}: {count} addresses of scope {scopeId} went to {to}.',
    why: 'Each server keeps its share of the free addresses, so that it can serve alone.',
    action: 'Nothing.',
  },
  'serving/packet-quarantined': {
    severity: 'error',
    text: 'A packet with fingerprint {fingerprint} ended the server {count} times and is dropped from now on.',
    why: 'The program has a fault that this packet meets. Everything else is served.',
    action: 'Report it with the fingerprint and the log.',
  },
  'serving/address-in-use': {
    severity: 'warning',
    text: 'Client {client} declined {address} in scope {scopeId}: somebody else uses it.',
    why: 'The address is kept aside for a while.',
    action: 'Find the device with this address, and exclude or reserve the address.',
  },
  'serving/scope-full': {
    severity: 'warning',
    text: 'Scope {scopeId} has no address left for client {client}.',
    why: 'New clients of this network get no address.',
    action: 'Shorten the lease time, remove exclusions, or add a scope to the superscope.',
  },
  'serving/overload': {
    severity: 'warning',
    text: '{count} packets were dropped because the disk does not keep up.',
    why: 'A promise must be on disk before it leaves, so a slow disk limits the rate.',
    action: 'Use a faster disk, or find what else writes to it.',
  },
} as const satisfies Readonly<Record<string, ProblemEntry>>;
