/**
 * The transition table of the failover specification, 4.4, as data: what becomes of this server's state when the partner says
 * its own while communications are OK. What the actions do is in `machine.ts`; the rules for the STARTUP flag are there too.
 */
import type { ServerState } from '../../wire/failover/messages.ts';

/** States that are kept durably: all but STARTUP, PAUSED and SHUTDOWN, whose predecessor is kept. */
export type KeptState =
  | 'recover'
  | 'recover-wait'
  | 'recover-done'
  | 'normal'
  | 'communications-interrupted'
  | 'partner-down'
  | 'potential-conflict'
  | 'resolution-interrupted'
  | 'conflict-done';
export type PartnerState = Exclude<ServerState, 'startup'>;

/** The letters of specification 4.4, by what they do. */
export type TransitionAction =
  /** a */
  | 'ask-for-updates'
  /** b */
  | 'enter-conflict'
  /** c, and d without the pass through COMMUNICATIONS-INTERRUPTED, which both sides of one connection do not need. */
  | 'enter-normal'
  /** g */
  | 'secondary-asks';

export interface Transition {
  /** Undefined: stay. */
  readonly next?: KeptState;
  readonly action?: TransitionAction;
}

const STAY: Transition = {};
const ASK: Transition = { action: 'ask-for-updates' };
/** b: also what dhcpd's peculiarities lead to (`isc-rules.ts`). */
export const CONFLICT: Transition = { next: 'potential-conflict', action: 'enter-conflict' };
const NORMAL: Transition = { next: 'normal', action: 'enter-normal' };
const INTERRUPTED: Transition = { next: 'communications-interrupted' };
const DOWN: Transition = { next: 'partner-down' };

/** `TRANSITIONS[mine][partner's]`. */
export const TRANSITIONS: Readonly<Record<KeptState, Readonly<Record<PartnerState, Transition>>>> = {
  recover: {
    normal: ASK,
    'communications-interrupted': ASK,
    'partner-down': ASK,
    'potential-conflict': CONFLICT,
    'resolution-interrupted': CONFLICT,
    'conflict-done': CONFLICT,
    recover: ASK,
    'recover-wait': ASK,
    'recover-done': ASK,
    paused: STAY,
    shutdown: STAY,
  },
  'recover-wait': {
    normal: STAY,
    'communications-interrupted': STAY,
    'partner-down': STAY,
    'potential-conflict': STAY,
    'resolution-interrupted': STAY,
    'conflict-done': STAY,
    recover: STAY,
    'recover-wait': STAY,
    'recover-done': STAY,
    paused: STAY,
    shutdown: STAY,
  },
  'recover-done': {
    normal: NORMAL,
    'communications-interrupted': STAY,
    'partner-down': STAY,
    'potential-conflict': CONFLICT,
    'resolution-interrupted': STAY,
    'conflict-done': STAY,
    recover: STAY,
    'recover-wait': STAY,
    'recover-done': NORMAL,
    paused: STAY,
    shutdown: STAY,
  },
  normal: {
    normal: STAY,
    'communications-interrupted': NORMAL,
    'partner-down': CONFLICT,
    'potential-conflict': CONFLICT,
    'resolution-interrupted': CONFLICT,
    'conflict-done': CONFLICT,
    recover: INTERRUPTED,
    'recover-wait': INTERRUPTED,
    'recover-done': NORMAL,
    paused: INTERRUPTED,
    shutdown: DOWN,
  },
  'communications-interrupted': {
    normal: NORMAL,
    'communications-interrupted': NORMAL,
    'partner-down': CONFLICT,
    'potential-conflict': CONFLICT,
    'resolution-interrupted': CONFLICT,
    'conflict-done': CONFLICT,
    recover: STAY,
    'recover-wait': STAY,
    'recover-done': NORMAL,
    paused: STAY,
    shutdown: DOWN,
  },
  'partner-down': {
    normal: CONFLICT,
    'communications-interrupted': CONFLICT,
    'partner-down': CONFLICT,
    'potential-conflict': CONFLICT,
    'resolution-interrupted': CONFLICT,
    'conflict-done': CONFLICT,
    recover: STAY,
    'recover-wait': STAY,
    'recover-done': NORMAL,
    paused: STAY,
    shutdown: STAY,
  },
  'potential-conflict': {
    normal: STAY,
    'communications-interrupted': STAY,
    'partner-down': STAY,
    'potential-conflict': STAY,
    'resolution-interrupted': STAY,
    'conflict-done': { action: 'secondary-asks' },
    recover: STAY,
    'recover-wait': STAY,
    'recover-done': STAY,
    paused: STAY,
    shutdown: STAY,
  },
  'resolution-interrupted': {
    normal: CONFLICT,
    'communications-interrupted': CONFLICT,
    'partner-down': CONFLICT,
    'potential-conflict': CONFLICT,
    'resolution-interrupted': CONFLICT,
    'conflict-done': CONFLICT,
    recover: CONFLICT,
    'recover-wait': CONFLICT,
    'recover-done': CONFLICT,
    paused: CONFLICT,
    shutdown: CONFLICT,
  },
  'conflict-done': {
    normal: NORMAL,
    'communications-interrupted': STAY,
    'partner-down': STAY,
    'potential-conflict': STAY,
    'resolution-interrupted': STAY,
    'conflict-done': STAY,
    recover: STAY,
    'recover-wait': STAY,
    'recover-done': STAY,
    paused: STAY,
    shutdown: STAY,
  },
};

/** What a lost connection makes of a state (specification 4.4, "comm lost"); other states stay. */
export const AFTER_CONTACT_LOST: Readonly<Partial<Record<KeptState, KeptState>>> = {
  normal: 'communications-interrupted',
  'potential-conflict': 'resolution-interrupted',
};

/** Which clients are served in a state (specification 4.1). */
export const SERVICE: Readonly<Record<ServerState, 'all' | 'renew' | 'none'>> = {
  startup: 'none',
  normal: 'all',
  'communications-interrupted': 'all',
  'partner-down': 'all',
  'potential-conflict': 'none',
  recover: 'none',
  paused: 'none',
  shutdown: 'none',
  'recover-done': 'renew',
  'resolution-interrupted': 'all',
  'conflict-done': 'all',
  'recover-wait': 'none',
};

/** A record never holds the passing states; anything else in one is a fault of whoever wrote it. */
export function isKept(state: ServerState): state is KeptState {
  return state !== 'startup' && state !== 'paused' && state !== 'shutdown';
}
