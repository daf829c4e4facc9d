/**
 * Everything that a pair can do by the tables of the failover specification, by name: the cells of the server states (4.4), its other
 * events, STARTUP (4.3), the rows of the binding states (5.2) and the duel. Runs note what they reach (`coverage.ts`). The table is
 * written out once more here, as the specification prints it: a checker that used the engine's own could not see it go wrong.
 */
import type { ServerState } from '../wire/failover/messages.ts';

export type OwnState = Exclude<ServerState, 'startup' | 'paused' | 'shutdown'>;
export type ToldState = Exclude<ServerState, 'startup'>;

export const TOLD_STATES: readonly ToldState[] = [
  'normal',
  'communications-interrupted',
  'partner-down',
  'potential-conflict',
  'resolution-interrupted',
  'conflict-done',
  'recover',
  'recover-wait',
  'recover-done',
  'paused',
  'shutdown',
];

/** Specification 4.4: the next state for each of `TOLD_STATES`; `=` stays. */
const PRINTED: Readonly<Record<OwnState, string>> = {
  recover: '= = = PC PC PC = = = = =',
  'recover-wait': '= = = = = = = = = = =',
  'recover-done': 'N = = PC = = = = N = =',
  normal: '= N PC PC PC PC CI CI N CI PD',
  'communications-interrupted': 'N N PC PC PC PC = = N = PD',
  'partner-down': 'PC PC PC PC PC PC = = N = =',
  'potential-conflict': '= = = = = = = = = = =',
  'resolution-interrupted': 'PC PC PC PC PC PC PC PC PC PC PC',
  'conflict-done': 'N = = = = = = = = = =',
};
const SHORT: Readonly<Record<string, OwnState>> = {
  N: 'normal',
  CI: 'communications-interrupted',
  PD: 'partner-down',
  PC: 'potential-conflict',
};
export const OWN_STATES = Object.keys(PRINTED) as OwnState[];

/** The next state by the table; the same one where it stays. */
export function nextState(own: OwnState, told: ToldState): OwnState {
  const cell = PRINTED[own].split(' ')[TOLD_STATES.indexOf(told)] ?? '=';
  return SHORT[cell] ?? own;
}

/** "Comm lost" of specification 4.4. */
export function afterLoss(own: OwnState): OwnState {
  if (own === 'normal') return 'communications-interrupted';
  return own === 'potential-conflict' ? 'resolution-interrupted' : own;
}

export function isOwnState(state: string): state is OwnState {
  return Object.hasOwn(PRINTED, state);
}

/** Specification 4.4 prints states so. */
export function printed(state: string): string {
  return state.toUpperCase();
}

export function tableCell(own: OwnState, told: ToldState): string {
  return `4.4 ${printed(own)} x ${printed(told)}`;
}

export function flagCell(own: OwnState): string {
  return `4.4 ${printed(own)} x STARTUP flag`;
}

export function lossCell(own: OwnState): string {
  return `4.4 ${printed(own)}: contact lost`;
}

export function startupCell(previous: OwnState, how: 'contact' | 'no contact'): string {
  return `4.3 STARTUP, before ${printed(previous)}: ${how}`;
}

export const EVENT_CELLS = {
  wentOnAlone: '4.3 STARTUP: the partner went on alone, RECOVER',
  ownStoreOld: '4.3 the own store is old or another: RECOVER',
  unanswered: '4.4 NORMAL: no answer to an update though CONTACT flows',
  operatorInterrupted: '4.4 COMMUNICATIONS-INTERRUPTED: operator says that the partner is down',
  operatorResolution: '4.4 RESOLUTION-INTERRUPTED: operator says that the partner is down',
  safePeriod: '4.4 COMMUNICATIONS-INTERRUPTED: the safe period ends',
  doneToWait: '4.4 RECOVER: UPDDONE, RECOVER-WAIT',
  doneToDone: '4.4 RECOVER: UPDDONE, nothing to wait for',
  askedInVain: '4.4 RECOVER: no UPDDONE for a time',
  waitedConnected: '4.4 RECOVER-WAIT: the time is over, in contact',
  waitedAlone: '4.4 RECOVER-WAIT: the time is over, without contact',
  conflictDone: '4.4 POTENTIAL-CONFLICT, primary: UPDDONE, CONFLICT-DONE',
  conflictOver: '4.4 POTENTIAL-CONFLICT, secondary: UPDDONE, NORMAL',
  pause: '4.4 operator: pause',
  resume: '4.4 operator: resume',
  shutdown: '4.4 operator: shut down',
} as const;

export const BINDING_CELLS = {
  freeTaken: '5.2 FREE to ACTIVE, the primary’s ACK',
  backupTaken: '5.2 BACKUP to ACTIVE, the secondary’s ACK',
  partnersTaken: '5.5 the partner’s available address to ACTIVE in PARTNER-DOWN',
  reservedTaken: '5.3 the partner’s reserved address to ACTIVE, for its one client',
  renewed: '5.2 ACTIVE to ACTIVE, a renewal',
  expired: '5.2 ACTIVE to EXPIRED',
  released: '5.2 ACTIVE to RELEASED',
  declined: '5.2 any to ABANDONED',
  resetAside: '5.2 ABANDONED to RESET',
  agreedExpired: '5.2 EXPIRED to FREE, the sender at the answer',
  agreedReleased: '5.2 RELEASED to FREE, the sender at the answer',
  agreedReset: '5.2 RESET to FREE, the sender at the answer',
  acceptedExpired: '5.2 EXPIRED to FREE, the receiver',
  acceptedReleased: '5.2 RELEASED to FREE, the receiver',
  acceptedReset: '5.2 RESET to FREE, the receiver',
  waitedOut: '5.2 EXPIRED, RELEASED or RESET to FREE in PARTNER-DOWN, after the wait',
  undoneExpired: '5.2 EXPIRED to ACTIVE, same client, not told yet',
  undoneReleased: '5.2 RELEASED to ACTIVE, same client, not told yet',
  rewound: '5.2 back to FREE or BACKUP, the partner never heard of the lease',
  primaryGives: '5.2 FREE to BACKUP, the primary at sending',
  secondaryTakes: '5.2 FREE to BACKUP, the secondary at acceptance',
  secondaryGives: '5.2 BACKUP to FREE, the secondary at sending',
  primaryTakes: '5.2 BACKUP to FREE, the primary at acceptance',
  giftReturned: '5.2 a refused gift returns to the giver',
  primaryDemands: '5.2 BACKUP to FREE, taken by the primary',
  operatorReset: '5.2 any to RESET, by the operator',
  learntLease: '5.4 a lease learnt from the partner',
  learntAside: '5.4 an address set aside, learnt from the partner',
  takenBack: '5.2 an end taken back, because the partner lost its store',
} as const;

export type DuelKind = 'ACTIVE' | 'ownership move' | 'RELEASED, EXPIRED or RESET' | 'ABANDONED';
const DUEL_KINDS: readonly DuelKind[] = ['ACTIVE', 'ownership move', 'RELEASED, EXPIRED or RESET', 'ABANDONED'];

export function duelCell(mine: DuelKind, isActive: boolean): string {
  return `5.2 duel, mine ${mine}, incoming ${isActive ? 'ACTIVE' : 'not ACTIVE'}`;
}

export const ALL_CELLS: readonly string[] = [
  ...OWN_STATES.flatMap((own) => TOLD_STATES.map((told) => tableCell(own, told))),
  ...OWN_STATES.map(flagCell),
  ...OWN_STATES.map(lossCell),
  ...OWN_STATES.flatMap((own) => [startupCell(own, 'contact'), startupCell(own, 'no contact')]),
  ...Object.values(EVENT_CELLS),
  ...Object.values(BINDING_CELLS),
  ...DUEL_KINDS.flatMap((mine) => [duelCell(mine, true), duelCell(mine, false)]),
];

/** Some cells are met by a scripted partner alone (`scripted-partner.ts`), and counted apart. */
export const WHY_SCRIPTED =
  'a connection of two servers of our own kind begins with what a lost one leaves of their states, and both leave that by the table with the first STATE that they hear; and only from Windows does the primary take addresses. A partner that says what the script wants shows these cells';
