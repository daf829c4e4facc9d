/** Specification 4.4: the transition table as it is printed, and the events beside it. */
import type { ServerState } from '../../src/wire/failover/messages.ts';
import type { Clause, ClauseTable } from './clause.ts';
import { table } from './clause.ts';
import { PARTNER_STATES, STANDING_STATES, type StandingState } from './parties.ts';

/** The next state (`=` stays) and the letter of the action, in the order of `PARTNER_STATES`. */
const PRINTED: Readonly<Record<StandingState, string>> = {
  recover: '= a | = a | = a | PC b | PC b | PC b | = a | = a | = a | = | =',
  'recover-wait': '= | = | = | = | = | = | = | = | = | = | =',
  'recover-done': 'NORMAL c | = | = | PC b | = | = | = | = | NORMAL c | = | =',
  normal: '= | NORMAL d | PC b | PC b | PC b | PC b | COMM-INT | COMM-INT | NORMAL d | COMM-INT e | PD f',
  'communications-interrupted': 'NORMAL c | NORMAL c | PC b | PC b | PC b | PC b | = | = | NORMAL c | = | PD f',
  'partner-down': 'PC b | PC b | PC b | PC b | PC b | PC b | = | = | NORMAL c | = | =',
  'potential-conflict': '= | = | = | = | = | = g | = | = | = | = | =',
  'resolution-interrupted': 'PC b | PC b | PC b | PC b | PC b | PC b | PC b | PC b | PC b | PC b | PC b',
  'conflict-done': 'NORMAL c | = | = | = | = | = | = | = | = | = | =',
};

const NEXT: Readonly<Record<string, StandingState>> = {
  NORMAL: 'normal',
  'COMM-INT': 'communications-interrupted',
  PD: 'partner-down',
  PC: 'potential-conflict',
};

const ACTIONS: Readonly<Record<string, string>> = {
  a: 'asks for updates',
  b: 'the primary sends UPDREQ, the secondary waits',
  c: 'queues what is unacknowledged and reviews the balance',
  d: 'queues what is unacknowledged and reviews the balance',
  e: 'the safe period starts',
  f: 'at once',
  g: 'the secondary sends UPDREQ',
};

export interface Cell {
  readonly id: string;
  readonly mine: StandingState;
  readonly partner: Exclude<ServerState, 'startup'>;
  readonly next: StandingState;
  readonly action: string | undefined;
}

export const CELLS: readonly Cell[] = STANDING_STATES.flatMap((mine) =>
  PRINTED[mine].split(' | ').map((text, column): Cell => {
    const [next = '=', action] = text.split(' ');
    const partner = PARTNER_STATES[column]!;
    return { id: `4.4 ${mine}/${partner}`, mine, partner, next: NEXT[next] ?? mine, action };
  }),
);

function cellClause({ id, mine, partner, next, action }: Cell): Clause {
  const does = action === undefined ? '' : `; ${ACTIONS[action]}`;
  const rule = `${upper(mine)} hears ${upper(partner)}: ${next === mine ? 'stays' : upper(next)}${does}`;
  if (action === 'd')
    return {
      id,
      rule: `${rule} after a full pass through COMMUNICATIONS-INTERRUPTED`,
      instead:
        'no pass through COMMUNICATIONS-INTERRUPTED: both ends keep their connection and xids, so nothing unanswered need be rescinded',
    };
  return { id, rule };
}

export function upper(state: string): string {
  return state.toUpperCase();
}

export const TRANSITION_TABLES: readonly ClauseTable[] = [
  { section: '4.4', title: 'State by the state that the partner tells', clauses: CELLS.map(cellClause) },
  table('4.4', 'Actions', {
    'action/a-all': 'RECOVER asks with UPDREQALL when the store was lost or the partner is not known',
    'action/a-changes': 'RECOVER asks with UPDREQ otherwise',
    'action/a-done': 'UPDDONE ends the asking: RECOVER-WAIT',
    'action/b': 'entering PC: the primary sends UPDREQ, the secondary waits',
    'action/c': 'entering NORMAL: everything unacknowledged is sent, the primary reviews the balance',
    'action/c-poolreq':
      'entering NORMAL: a secondary of the draft’s dialect sends POOLREQ, toward dhcpd and Windows none',
    'action/e': 'PAUSED heard: the safe period starts',
    'action/f': 'SHUTDOWN heard: PARTNER-DOWN at once',
    'action/g-secondary': 'in PC the secondary hears CONFLICT-DONE: UPDREQ; on UPDDONE NORMAL',
    'action/g-primary': 'in PC the primary’s UPDDONE: CONFLICT-DONE',
  }),
  table('4.4', 'The STARTUP flag', {
    'startup-flag/partner-down': 'PARTNER-DOWN takes no transition on a STATE with the flag',
    'startup-flag/resolution-interrupted': 'RESOLUTION-INTERRUPTED waits for the STATE without the flag before PC',
    'startup-flag/communications-interrupted': 'COMMUNICATIONS-INTERRUPTED waits so before PC too',
    'startup-flag/others': 'every other state treats a flagged STATE as any other',
  }),
  table('4.4', 'Other events', {
    'event/comm-lost/normal': 'contact lost in NORMAL: COMMUNICATIONS-INTERRUPTED',
    'event/comm-lost/potential-conflict': 'contact lost in POTENTIAL-CONFLICT: RESOLUTION-INTERRUPTED',
    'event/comm-lost/others': 'contact lost in any other state: it stays',
    'event/comm-lost/actions': 'after a loss: dialled again, xids forgotten, unanswered updates are unsent ones again',
    'event/no-bndack': 'updates stay unanswered though CONTACT flows: DISCONNECT 254, COMMUNICATIONS-INTERRUPTED',
    'event/operator-partner-down': [
      'the operator declares the partner down in NORMAL, COMMUNICATIONS-INTERRUPTED or RESOLUTION-INTERRUPTED: PARTNER-DOWN',
      'refused in NORMAL: a partner that is heard is not down (4.3 says so too)',
    ],
    'event/safe-period': 'the safe period ends in COMMUNICATIONS-INTERRUPTED: PARTNER-DOWN, with an alarm',
    'event/safe-period-cancelled': 'any transition ends the safe period',
    'event/upddone': 'UPDDONE in RECOVER: RECOVER-WAIT up to the failure plus MCLT; none for who never served',
    'event/no-upddone': 'neither UPDDONE nor BNDUPD for a time in RECOVER: stays, and the connection is made anew',
    'event/recover-wait-over': 'RECOVER-WAIT ends with its timer, with contact or without: RECOVER-DONE',
    'event/pause': 'the operator pauses: PAUSED is announced, the state before kept, the connection closed',
    'event/shutdown':
      'the operator shuts down: SHUTDOWN is announced, last operational is now, then the connection closes',
    'event/shutdown-partner-down': 'the partner answers SHUTDOWN with PARTNER-DOWN: the next start begins in RECOVER',
  }),
];
