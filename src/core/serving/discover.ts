/**
 * DHCPDISCOVER (RFC 2131 4.3.1): whether this server answers at all, and what it offers. Nothing durable changes, except with
 * rapid commit (RFC 4039), where the answer is the lease itself.
 */
import { formatIp4, type Ip4 } from '../../wire/units.ts';
import { type Choice, chooseAddress } from './address-choice.ts';
import { reservationOf } from './address-standing.ts';
import { type Asking, answer, drop, note } from './asking.ts';
import { grant, leaseTimesFor } from './grant.ts';
import { OPTION } from './option-codes.ts';
import { configuredFor, makeReply } from './reply.ts';
import { chooseLink } from './scope-choice.ts';
import type { Link, ScopeView } from './scope-index.ts';
import type { Decision, DropCode } from './serving-types.ts';

export function decideDiscover(asking: Asking): Decision {
  const chosen = chooseLink(asking);
  if (chosen.kind === 'none') return drop(asking, undefined, 'no-scope', chosen.why);
  const { link } = chosen;
  const eligible = answeringScopes(asking, link, 'dhcp');
  if (eligible.kind === 'none') return drop(asking, link.scopes[0], eligible.code, eligible.why);
  const choice = chooseAddress(asking, link, eligible.scopes);
  if (choice === undefined) return withoutAddress(asking, eligible.scopes[0]!);
  const lease = leaseTimesFor(asking, choice);
  const { scope, address } = choice;
  const { reserved } = choice.standing;
  if (isRapidCommit(asking, choice)) {
    const changed = grant(asking, choice, lease);
    const reply = makeReply(asking, { type: 'ack', scope, reserved, address, lease, isRapidCommit: true });
    return answer(asking, scope, reply, {
      reason: `leased ${formatIp4(choice.address)} at once (rapid commit) for ${lease.grantedSec} s: ${choice.how}`,
      changed,
    });
  }
  asking.parts.offers.hold({
    address: choice.address,
    scopeId: choice.scope.id,
    client: asking.view.key,
    link: link.key,
    untilMs: asking.now.monoMs + asking.parts.settings.offerHoldSec * 1000,
  });
  return answer(asking, scope, makeReply(asking, { type: 'offer', scope, reserved, address, lease }), {
    reason: `offered ${formatIp4(choice.address)} for ${lease.grantedSec} s: ${choice.how}`,
  });
}

export type AnsweringScopes =
  | { readonly kind: 'scopes'; readonly scopes: readonly ScopeView[] }
  | { readonly kind: 'none'; readonly code: DropCode; readonly why: string };

/**
 * The scopes of the link that this server answers a new client for: active, of the client's kind, served in the state of their
 * relationship, and ours by its mode. Also notes that the client asks, so that a silent partner shows.
 */
export function answeringScopes(asking: Asking, link: Link, kind: 'dhcp' | 'bootp'): AnsweringScopes {
  const { now, view, parts, packet } = asking;
  const active = link.scopes.filter((scope) => scope.isActive);
  if (active.length === 0) {
    return { kind: 'none', code: 'scope-inactive', why: `scope ${link.scopes[0]!.idText} is not active` };
  }
  const fitting = active.filter((scope) => isForKind(asking, scope, kind));
  if (fitting.length === 0) {
    return { kind: 'none', code: 'not-allowed', why: `scope ${active[0]!.idText} does not serve ${kind} clients` };
  }
  const scopes: ScopeView[] = [];
  // Nothing is remembered of a question that comes while no scope is served (failover specification 4.1).
  let unansweredMs: number | undefined;
  let code: DropCode = 'not-serving';
  let why = '';
  for (const scope of fitting) {
    const rights = parts.rightsOf(scope.id);
    const service = rights.service(now, scope.id);
    if (service.serves !== 'all') {
      if (why === '') why = service.why;
      note(asking, `${scope.idText} is not served: ${service.why}`);
      continue;
    }
    unansweredMs ??= parts.unanswered.asked(now.monoMs, view.bucketKey);
    const { bucket, hardwareBucket } = view;
    const ask = { scopeId: scope.id, bucket, hardwareBucket, secs: packet.secs, unansweredMs };
    const turn = rights.answers(now, ask);
    note(asking, `${scope.idText}: ${turn.why}`);
    if (turn.yes) scopes.push(scope);
    else {
      code = 'partners-client';
      why = turn.why;
    }
  }
  return scopes.length > 0 ? { kind: 'scopes', scopes } : { kind: 'none', code, why };
}

/** A reservation for its kind lets a client in where the scope itself does not serve that kind. */
function isForKind(asking: Asking, scope: ScopeView, kind: 'dhcp' | 'bootp'): boolean {
  if (kind === 'dhcp' ? scope.servesDhcp : scope.servesBootp) return true;
  return reservationOf(asking, scope) !== undefined;
}

/** RFC 4039 4: only when the client asks for it and the administrator has set option 80. */
function isRapidCommit(asking: Asking, choice: Choice): boolean {
  if (!asking.packet.options.has(OPTION.rapidCommit)) return false;
  return configuredFor(asking, choice.scope, choice.standing.reserved).has(OPTION.rapidCommit);
}

/** RFC 8925 3.3: a client that can do without is told so even where no address is left; yiaddr is then 0. */
function withoutAddress(asking: Asking, scope: ScopeView): Decision {
  const requested = asking.packet.options.get(OPTION.parameterRequestList);
  const isAsked = requested?.includes(OPTION.ipv6OnlyPreferred) === true;
  if (!isAsked || !configuredFor(asking, scope, undefined).has(OPTION.ipv6OnlyPreferred)) {
    return drop(asking, scope, 'no-address', `no address to give in ${scope.idText}`);
  }
  const reply = makeReply(asking, {
    type: 'offer',
    scope,
    reserved: undefined,
    address: 0 as Ip4,
    lease: { grantedSec: scope.leaseSec, desiredSec: scope.leaseSec },
  });
  return answer(asking, scope, reply, {
    reason: 'no address is left, but the client prefers IPv6 only and was told so',
  });
}
