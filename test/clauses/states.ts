/** Specification 4.1 to 4.3 and 4.5: what a state permits, what holds of all transitions, starting up, and whole sequences. */
import type { ServerState } from '../../src/wire/failover/messages.ts';
import { type Clause, type ClauseTable, table } from './clause.ts';

export type Serves = 'all' | 'renew' | 'none';

export interface Permission {
  readonly serves: Serves;
  /** Whether a DISCOVER is answered by hash. */
  readonly isBalanced: boolean;
  /** What may go to a new client: our own available addresses, the partner's too once the wait is over, or nothing. */
  readonly allocates: 'own' | 'own, later the partner’s' | 'nothing';
  readonly isBounded: boolean;
}

const SILENT: Permission = { serves: 'none', isBalanced: false, allocates: 'nothing', isBounded: false };
const ALONE: Permission = { serves: 'all', isBalanced: false, allocates: 'own', isBounded: true };

export const PERMISSIONS: Readonly<Record<ServerState, Permission>> = {
  startup: SILENT,
  normal: { ...ALONE, isBalanced: true },
  'communications-interrupted': ALONE,
  'partner-down': { ...ALONE, allocates: 'own, later the partner’s' },
  'potential-conflict': SILENT,
  'resolution-interrupted': ALONE,
  'conflict-done': ALONE,
  recover: SILENT,
  'recover-wait': SILENT,
  'recover-done': { serves: 'renew', isBalanced: false, allocates: 'nothing', isBounded: true },
  paused: SILENT,
  shutdown: SILENT,
};

function permissionClauses(): Clause[] {
  return Object.entries(PERMISSIONS).flatMap(([state, { serves, isBalanced, allocates, isBounded }]) => {
    const name = state.toUpperCase();
    const clauses = [
      { id: `4.1 ${state}/serves`, rule: `${name} serves ${serves}` },
      { id: `4.1 ${state}/allocates`, rule: `${name}: a new client may get ${allocates}` },
    ];
    if (serves === 'all')
      clauses.push({
        id: `4.1 ${state}/balancing`,
        rule: `${name}: ${isBalanced ? 'a DISCOVER is answered by hash, a renewal always' : 'no balancing'}`,
      });
    if (isBounded) clauses.push({ id: `4.1 ${state}/bound`, rule: `${name}: lease times are bounded by 6.2` });
    return clauses;
  });
}

export const STATE_TABLES: readonly ClauseTable[] = [
  { section: '4.1', title: 'What a state permits', clauses: permissionClauses() },
  table('4.1', 'RELEASE, DECLINE, INFORM', {
    'release-decline': 'RELEASE and DECLINE count in every state that serves all, in no other',
    inform: 'INFORM needs no lease and is answered whenever the server serves at all',
    'nothing-remembered': 'a message that a silent state leaves unanswered changes nothing',
  }),
  table('4.2', 'Rules of all transitions', {
    'durable-first': 'a new state and its time are saved before they are announced or acted on',
    announced: 'a new state is announced with STATE when connected',
    'partner-kept': 'the partner’s state is kept durably with its flag and the time it was heard',
    'change-while-connected': [
      'a change of the partner’s state counts as contact lost, then found again with the new state',
      'the table of 4.4 is applied to the present state, which gives the same next state in every cell; nothing unanswered is rescinded',
    ],
    'redo-after-cut': 'an UPDREQ cut off by a lost connection is asked again on the next',
    'timers/safe-period': 'the safe period runs in COMMUNICATIONS-INTERRUPTED only',
    'timers/recover-wait': 'RECOVER-WAIT goes on without contact and over a restart',
  }),
  table('4.3', 'Starting up', {
    'step-1': 'what was kept is the state to come back to',
    'step-1-none':
      'nothing kept: RECOVER; a lost store waits from the process’s start, who never gave a lease does not',
    'step-1-passing': 'PAUSED and SHUTDOWN are never kept',
    'step-2/normal': 'kept NORMAL comes back as COMMUNICATIONS-INTERRUPTED',
    'step-2/potential-conflict': 'kept POTENTIAL-CONFLICT comes back as RESOLUTION-INTERRUPTED',
    'step-3': 'the startup timer is short after a short stop, long after one longer than MCLT',
    'step-4': 'STATE carries the state to come back to, as step 2 makes it, with the flag STARTUP',
    'step-5': 'the partner’s STATE ends STARTUP, and 4.4 is applied to it',
    'step-5/partner-down-later': 'the partner went PARTNER-DOWN after our last moment of operation: RECOVER',
    'step-5/partner-down-earlier': 'it had gone before that: POTENTIAL-CONFLICT',
    'step-6': 'no contact within the time: the state to come back to',
    'last-operational': 'the last moment of operation is durable at least every 10 s while serving',
    'no-outage/live-leases':
      'a relationship over live leases: the called server serves on, the new half recovers without a wait',
    'no-outage/scope-added': 'a scope added: the half without its leases is silent there until UPDDONE',
    'no-outage/old-store':
      'a partner with an older or another store is told, and goes through RECOVER with UPDREQALL and the wait',
    'no-outage/partner-down':
      'partner-down: taken in COMMUNICATIONS- and RESOLUTION-INTERRUPTED, nothing in PARTNER-DOWN, else refused',
  }),
  table('4.5', 'Whole sequences', {
    'first-start': [
      'first start of both: each asks the other for all, and both reach NORMAL',
      'one of the two, the called server, holds all data and serves throughout; the other asks it',
    ],
    'crash-and-return': 'crash and return within COMMUNICATIONS-INTERRUPTED: both NORMAL, updates both ways',
    'return-to-partner-down': 'return to PARTNER-DOWN: RECOVER, RECOVER-WAIT, RECOVER-DONE, NORMAL',
    'both-partner-down': 'both PARTNER-DOWN: PC, the primary CONFLICT-DONE, the secondary NORMAL, the primary NORMAL',
  }),
];
