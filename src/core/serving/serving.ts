/**
 * A client packet in, a decision out: this file looks at what every packet must pass, and hands it to the function for its
 * kind. Deterministic: the same packets at the same times over the same table give the same decisions.
 */

import type { DhcpPacket } from '../../wire/dhcp/packet.ts';
import { formatIp4, type Ip4, type Now } from '../../wire/units.ts';
import type { BindingTable } from '../bindings/binding.ts';
import type { Config } from '../config/model.ts';
import { addressOf } from '../config/pool-shape.ts';
import type { Rights } from '../failover/endpoint-types.ts';
import { type Asking, drop, NOTHING_CHANGED, type ServingParts } from './asking.ts';
import { decideBootp } from './bootp.ts';
import { viewOf } from './client-view.ts';
import { decideDecline } from './decline.ts';
import { decideDiscover } from './discover.ts';
import { makeFreeCandidates } from './free-candidates.ts';
import { importLease } from './import-lease.ts';
import { decideInform } from './inform.ts';
import { makeOffers } from './offers.ts';
import { decideRelease } from './release.ts';
import { decideRequest } from './request.ts';
import { makeScopeIndex } from './scope-index.ts';
import type { Decision, Ingress, Serving, ServingIdentity } from './serving-types.ts';
import { makeUnanswered } from './unanswered.ts';

/**
 * Makes the serving core. `config` must be checked, and the table must know its pools; the table is changed by `decide`. Rights
 * are asked anew for every packet, so the relationship's state counts at once.
 */
export function makeServing(
  config: Config,
  bindings: BindingTable,
  rightsOf: (scopeId: Ip4) => Rights,
  identity: ServingIdentity,
): Serving {
  const offers = makeOffers();
  const candidates = makeFreeCandidates();
  const unanswered = makeUnanswered();
  const partsOf = (from: Config): ServingParts => ({
    settings: from.server,
    trustedRelays: new Set(from.server.trustedRelays.map(addressOf)),
    scopes: makeScopeIndex(from),
    bindings,
    rightsOf,
    identity,
    offers,
    candidates,
    unanswered,
  });
  let parts = partsOf(config);
  return {
    decide: (now, ingress, packet) => decide(parts, now, ingress, packet),
    expireOffers: (now) => offers.expire(now.monoMs),
    pendingOffers: (scopeId) => offers.pending(scopeId),
    isOffered: (address) => offers.has(address),
    importLease: (now, lease, isTrial) => importLease(parts, now, lease, isTrial),
    reconfigure(next) {
      parts = partsOf(next);
    },
  };
}

function decide(parts: ServingParts, now: Now, ingress: Ingress, packet: DhcpPacket): Decision {
  const viewed = viewOf(packet);
  if (viewed.kind === 'bad') return malformed(viewed.why);
  const asking: Asking = { parts, now, ingress, packet, view: viewed.view, steps: [] };
  if (packet.giaddr !== 0 && parts.trustedRelays.size > 0 && !parts.trustedRelays.has(packet.giaddr)) {
    return drop(
      asking,
      undefined,
      'untrusted-relay',
      `the relay ${formatIp4(packet.giaddr)} is not among the trusted ones`,
    );
  }
  const { messageType } = viewed.view;
  switch (messageType) {
    case 'discover':
      return decideDiscover(asking);
    case 'request':
      return decideRequest(asking);
    case 'decline':
      return decideDecline(asking);
    case 'release':
      return decideRelease(asking);
    case 'inform':
      return decideInform(asking);
    case 'bootp':
      return decideBootp(asking);
    case 'offer':
    case 'ack':
    case 'nak':
      return drop(asking, undefined, 'not-for-us', `an ${messageType} is a server's message`);
    default:
      return messageType satisfies never;
  }
}

function malformed(why: string): Decision {
  return {
    kind: 'drop',
    code: 'malformed',
    messageType: 'unknown',
    scopeId: undefined,
    reason: why,
    steps: [],
    changed: NOTHING_CHANGED,
  };
}
