/**
 * What the deciding functions share: the long-lived parts of serving, the packet being decided, and the ways in which a
 * decision ends. The steps that led to a decision are collected here, so that `why` can show them.
 */
import type { DhcpPacket } from '../../wire/dhcp/packet.ts';
import type { Ip4, Now } from '../../wire/units.ts';
import type { BindingTable } from '../bindings/binding.ts';
import type { ServerSettings } from '../config/model.ts';
import type { Rights } from '../failover/endpoint-types.ts';
import type { ClientView } from './client-view.ts';
import type { FreeCandidates } from './free-candidates.ts';
import type { Offers } from './offers.ts';
import type { ScopeIndex, ScopeView } from './scope-index.ts';
import type { Decision, DropCode, Ingress, ReplyPlan, ServingIdentity } from './serving-types.ts';
import type { Unanswered } from './unanswered.ts';

/** The parts that outlive a packet. */
export interface ServingParts {
  readonly settings: ServerSettings;
  readonly trustedRelays: ReadonlySet<Ip4>;
  readonly scopes: ScopeIndex;
  readonly bindings: BindingTable;
  readonly rightsOf: (scopeId: Ip4) => Rights;
  readonly identity: ServingIdentity;
  readonly offers: Offers;
  readonly candidates: FreeCandidates;
  readonly unanswered: Unanswered;
}

/** One packet on its way to a decision. */
export interface Asking {
  readonly parts: ServingParts;
  readonly now: Now;
  readonly ingress: Ingress;
  readonly packet: DhcpPacket;
  readonly view: ClientView;
  readonly steps: string[];
}

/** Steps kept for the trace of one decision. */
export const STEPS_MAX = 16;

export function note(asking: Asking, step: string): void {
  if (asking.steps.length < STEPS_MAX) asking.steps.push(step);
}

export const NOTHING_CHANGED: readonly Ip4[] = [];

export function drop(asking: Asking, scope: ScopeView | undefined, code: DropCode, reason: string): Decision {
  return {
    kind: 'drop',
    code,
    messageType: asking.view.messageType,
    scopeId: scope?.id,
    reason,
    steps: asking.steps,
    changed: NOTHING_CHANGED,
  };
}

export function answer(
  asking: Asking,
  scope: ScopeView | undefined,
  reply: ReplyPlan,
  told: { readonly reason: string; readonly changed?: readonly Ip4[] },
): Decision {
  asking.parts.unanswered.answered(asking.view.bucketKey);
  return {
    kind: 'reply',
    reply,
    messageType: asking.view.messageType,
    scopeId: scope?.id,
    reason: told.reason,
    steps: asking.steps,
    changed: told.changed ?? NOTHING_CHANGED,
  };
}

export function done(asking: Asking, scope: ScopeView, reason: string, changed: readonly Ip4[]): Decision {
  return {
    kind: 'done',
    messageType: asking.view.messageType,
    scopeId: scope.id,
    reason,
    steps: asking.steps,
    changed,
  };
}

/**
 * Whether what the relay said in option 82 may name the client. Where only certain relays are trusted, a packet that came
 * without a relay carries nothing but the client's own word (RFC 3046 5).
 */
export function mayTrustRelay(asking: Asking): boolean {
  return asking.packet.giaddr !== 0 || asking.parts.trustedRelays.size === 0;
}
