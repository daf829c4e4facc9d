/** The states, dialects and roles over which the clauses of the failover specification are tabulated. */
import type { BindingState, ServerState, WireProfile } from '../../src/wire/failover/messages.ts';

export type ServerSide = 'primary' | 'secondary';
export const ROLES: readonly ServerSide[] = ['primary', 'secondary'];
export const PROFILES: readonly WireProfile[] = ['twinlease', 'draft', 'isc', 'msft'];

export type StandingState = Exclude<ServerState, 'startup' | 'paused' | 'shutdown'>;
export const STANDING_STATES: readonly StandingState[] = [
  'recover',
  'recover-wait',
  'recover-done',
  'normal',
  'communications-interrupted',
  'partner-down',
  'potential-conflict',
  'resolution-interrupted',
  'conflict-done',
];

/** The columns of the transition table, in its order. */
export const PARTNER_STATES: readonly Exclude<ServerState, 'startup'>[] = [
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

export const BINDING_STATES_ALL: readonly BindingState[] = [
  'free',
  'active',
  'expired',
  'released',
  'abandoned',
  'reset',
  'backup',
];
