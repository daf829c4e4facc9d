/**
 * DHCPINFORM (RFC 2131 3.4, 4.3.5): a host that has its address asks for the rest. No binding is looked at or changed, so it is
 * answered in every state in which the scope is served at all (failover specification 4.1).
 */
import { formatIp4, type Ip4 } from '../../wire/units.ts';
import { reservationOf } from './address-standing.ts';
import { type Asking, answer, drop } from './asking.ts';
import { makeReply } from './reply.ts';
import { chooseLink } from './scope-choice.ts';
import type { ScopeView } from './scope-index.ts';
import type { Decision } from './serving-types.ts';

export function decideInform(asking: Asking): Decision {
  const { parts, now, packet } = asking;
  const found = scopeFor(asking);
  if (found.kind === 'none') return drop(asking, undefined, 'no-scope', found.why);
  const { scope } = found;
  if (!scope.isActive) return drop(asking, scope, 'scope-inactive', `scope ${scope.idText} is not active`);
  const service = parts.rightsOf(scope.id).service(now, scope.id);
  if (service.serves === 'none') return drop(asking, scope, 'not-serving', service.why);
  const reply = makeReply(asking, {
    type: 'ack',
    scope,
    reserved: reservationOf(asking, scope),
    // RFC 2131 4.3.5: the answer has neither an address nor a lease time.
    address: 0 as Ip4,
    lease: undefined,
  });
  const who = packet.ciaddr === 0 ? 'a host without ciaddr' : formatIp4(packet.ciaddr);
  return answer(asking, scope, reply, { reason: `told ${who} the options of ${scope.idText}` });
}

type ScopeFound =
  | { readonly kind: 'scope'; readonly scope: ScopeView }
  | { readonly kind: 'none'; readonly why: string };

/** The scope of the client's own address, else the first of its link: hosts with a fixed address may be anywhere on it. */
function scopeFor(asking: Asking): ScopeFound {
  const own = asking.packet.ciaddr === 0 ? undefined : asking.parts.scopes.find(asking.packet.ciaddr);
  if (own !== undefined) return { kind: 'scope', scope: own };
  const chosen = chooseLink(asking);
  return chosen.kind === 'none' ? chosen : { kind: 'scope', scope: chosen.link.scopes[0]! };
}
