/** The enumerations of the failover protocol the other way round: from the number on the wire to the name, or undefined. */
import {
  BINDING_STATES,
  type BindingState,
  MESSAGE_NUMBERS,
  type MessageKind,
  REJECT_REASONS,
  type RejectReason,
  SERVER_STATES,
  type ServerState,
} from './messages.ts';

function inverted<K extends string>(table: Readonly<Record<K, number>>): ReadonlyMap<number, K> {
  const names = new Map<number, K>();
  for (const name of Object.keys(table) as K[]) names.set(table[name], name);
  return names;
}

const MESSAGE_KINDS = inverted<MessageKind>(MESSAGE_NUMBERS);
const BINDING_STATE_NAMES = inverted<BindingState>(BINDING_STATES);
const SERVER_STATE_NAMES = inverted<ServerState>(SERVER_STATES);
const REJECT_REASON_NAMES = inverted<RejectReason>(REJECT_REASONS);

export function messageKindOf(number: number): MessageKind | undefined {
  return MESSAGE_KINDS.get(number);
}

export function bindingStateOf(number: number): BindingState | undefined {
  return BINDING_STATE_NAMES.get(number);
}

/** Undefined for 0 and for numbers that no draft and no product uses: no information (specification 1.7). */
export function serverStateOf(number: number): ServerState | undefined {
  return SERVER_STATE_NAMES.get(number);
}

/** A reserved number is still a reject, so it becomes `unknown` (specification 1.7). */
export function rejectReasonOf(number: number): RejectReason {
  return REJECT_REASON_NAMES.get(number) ?? 'unknown';
}
