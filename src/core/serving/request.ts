/**
 * DHCPREQUEST in its four forms (RFC 2131 4.3.2 and table 4). What tells them apart, and what each may be answered:
 *
 *   form          server id   requested address   ciaddr      an unknown lease is
 *   selecting     yes         yes                 0           refused: the client waits for this server alone
 *   init-reboot   no          yes                 0           not answered, or refused if authoritative and NORMAL
 *   renewing      no          no                  unicast     the same
 *   rebinding     no          no                  broadcast   the same
 *
 * A NAK goes out only for a wrong network and for an address that is known not to be the client's; the configuration counts as
 * knowledge (excluded or reserved since, scope deactivated), which is how a client leaves such an address at its next renewal.
 */
import { formatIp4, type Ip4 } from '../../wire/units.ts';
import type { Choice } from './address-choice.ts';
import { reservationOf, type Standing, standingOf } from './address-standing.ts';
import { type Asking, answer, drop, note } from './asking.ts';
import { grant, leaseTimesFor } from './grant.ts';
import { makeNak, makeReply } from './reply.ts';
import { chooseLink, isDirectToUs, serverIdIs } from './scope-choice.ts';
import type { Link, ScopeView } from './scope-index.ts';
import type { Decision } from './serving-types.ts';

type Form = 'selecting' | 'init-reboot' | 'renewing' | 'rebinding';

export function decideRequest(asking: Asking): Decision {
  const { packet, view } = asking;
  if (view.serverId !== undefined) return decideSelecting(asking, view.serverId);
  if (packet.ciaddr !== 0) {
    const form = packet.giaddr === 0 && isDirectToUs(asking.ingress) ? 'renewing' : 'rebinding';
    return decideKnown(asking, form, packet.ciaddr);
  }
  if (view.requestedAddress !== undefined) return decideKnown(asking, 'init-reboot', view.requestedAddress);
  return drop(asking, undefined, 'malformed', 'a request with neither server identifier nor an address');
}

// --- selecting

function decideSelecting(asking: Asking, serverId: Ip4): Decision {
  const { view, parts, packet, now } = asking;
  const chosen = chooseLink(asking);
  // Whomever it chose: the client has been answered.
  parts.unanswered.answered(view.bucketKey);
  const ours = serverIdIs(asking, serverId);
  const link = chosen.kind === 'link' ? chosen.link : undefined;
  if (ours === 'other') {
    if (link !== undefined) parts.offers.releaseClient(view.key, link.key);
    return drop(asking, link?.scopes[0], 'other-server-chosen', `the client chose ${formatIp4(serverId)}`);
  }
  if (chosen.kind === 'none') return drop(asking, undefined, 'no-scope', chosen.why);
  // RFC 2131 4.3.2 puts the address into option 50; some clients put it into ciaddr.
  const address = view.requestedAddress ?? packet.ciaddr;
  if (address === 0) return drop(asking, undefined, 'malformed', 'a selecting request without an address');
  const offer = parts.offers.of(now.monoMs, view.key, chosen.link.key);
  if (ours === 'override' && offer?.address !== address) {
    // RFC 5107: behind such a relay every server hears its own name; only an open offer tells whose it was.
    return drop(
      asking,
      chosen.link.scopes[0],
      'other-server-chosen',
      'the relay speaks for every server, and no offer of ours is open',
    );
  }
  return decideOurs(asking, chosen.link, address);
}

function decideOurs(asking: Asking, link: Link, address: Ip4): Decision {
  const scope = scopeIn(link, address);
  if (scope === undefined) return wrongNetwork(asking, link, address);
  const service = asking.parts.rightsOf(scope.id).service(asking.now, scope.id);
  if (service.serves !== 'all') return drop(asking, scope, 'not-serving', service.why);
  if (!scope.isActive) return nak(asking, scope, `scope ${scope.idText} is not active`);
  const standing = standingOf(asking, scope, address);
  if (standing.kind === 'own' || standing.kind === 'allocatable') {
    return lease(asking, { scope, address, standing, how: 'the client chose our offer' });
  }
  // The client asked this server and no other, and holds no lease: silence would only cost it a minute.
  return nak(asking, scope, standing.why);
}

// --- init-reboot, renewing, rebinding

function decideKnown(asking: Asking, form: Form, address: Ip4): Decision {
  const { parts, view, now } = asking;
  const chosen = chooseLink(asking);
  if (chosen.kind === 'none') return drop(asking, undefined, 'no-scope', chosen.why);
  const scope = scopeIn(chosen.link, address);
  note(asking, `${form} for ${formatIp4(address)}`);
  if (form !== 'init-reboot') parts.unanswered.answered(view.bucketKey);
  if (scope === undefined) return decideElsewhere(asking, chosen.link, address);
  const rights = parts.rightsOf(scope.id);
  const service = rights.service(now, scope.id);
  if (service.serves === 'none') return drop(asking, scope, 'not-serving', service.why);
  const standing = standingOf(asking, scope, address);
  if (service.serves === 'renew') {
    // Failover specification 4.1: in RECOVER-DONE leases go on, and nothing else happens.
    // A lease that is over may be another's at the partner by now.
    const isRunning = standing.kind === 'own' && standing.binding.leaseEndAt > now.wallAt;
    if (form === 'init-reboot' || standing.kind !== 'own' || !isRunning || !scope.isActive) {
      return drop(asking, scope, 'not-serving', service.why);
    }
    return lease(asking, { scope, address, standing, how: `${form}, its own lease` });
  }
  if (form === 'init-reboot') {
    const unansweredMs = parts.unanswered.asked(now.monoMs, view.bucketKey);
    const turn = rights.answers(now, {
      scopeId: scope.id,
      bucket: view.bucket,
      hardwareBucket: view.hardwareBucket,
      secs: asking.packet.secs,
      unansweredMs,
    });
    note(asking, turn.why);
    if (!turn.yes) return drop(asking, scope, 'partners-client', turn.why);
  }
  if (!scope.isActive) return decideInactive(asking, scope, standing);
  return decideByStanding(asking, { link: chosen.link, scope, address, form }, standing);
}

interface Known {
  readonly link: Link;
  readonly scope: ScopeView;
  readonly address: Ip4;
  readonly form: Form;
}

function decideByStanding(asking: Asking, known: Known, standing: Standing): Decision {
  const { scope, address, form } = known;
  switch (standing.kind) {
    case 'own': {
      const better = betterReservation(asking, known, standing);
      if (better !== undefined) return nak(asking, scope, `${formatIp4(better)} is reserved for this client`);
      return lease(asking, { scope, address, standing, how: `${form}, its own lease` });
    }
    case 'allocatable':
      if (standing.wasHolder || standing.reserved !== undefined) {
        return lease(asking, { scope, address, standing, how: `${form}, its last address, and still to be had` });
      }
      return unknownLease(asking, scope, address);
    case 'anothers':
      return nak(asking, scope, standing.why);
    case 'barred':
      return standing.isHolder ? nak(asking, scope, standing.why) : unknownLease(asking, scope, address);
    case 'unavailable':
      // Its lease is over and the partner's agreement is awaited: neither a promise nor a refusal would be right.
      if (standing.wasHolder) return drop(asking, scope, 'unknown-lease', standing.why);
      // Updates are lazy: the partner may have leased an address of its own share to this client a moment ago.
      if (standing.isPartners) return drop(asking, scope, 'unknown-lease', `${standing.why}; the partner may have`);
      return unknownLease(asking, scope, address);
    default:
      return standing satisfies never;
  }
}

/** A client with a reservation that it could have now leaves its other address at the next renewal. */
function betterReservation(asking: Asking, known: Known, standing: Standing & { kind: 'own' }): Ip4 | undefined {
  if (standing.reserved !== undefined) return undefined;
  for (const scope of known.link.scopes) {
    if (!scope.isActive || asking.parts.rightsOf(scope.id).service(asking.now, scope.id).serves !== 'all') continue;
    const reserved = reservationOf(asking, scope);
    if (reserved === undefined) continue;
    const there = standingOf(asking, scope, reserved.address);
    if (there.kind === 'own' || there.kind === 'allocatable') return reserved.address;
    note(asking, `waits for its reservation: ${there.why}`);
  }
  return undefined;
}

/** An inactive scope renews nothing: its clients are sent away; of others it knows nothing. */
function decideInactive(asking: Asking, scope: ScopeView, standing: Standing): Decision {
  const why = `scope ${scope.idText} is not active`;
  const isHolder = standing.kind === 'own' || (standing.kind === 'barred' && standing.isHolder);
  return isHolder ? nak(asking, scope, why) : drop(asking, scope, 'scope-inactive', why);
}

/** RFC 2131 4.3.2: an address that is not of the network the client is on. */
function decideElsewhere(asking: Asking, link: Link, address: Ip4): Decision {
  const { parts, now } = asking;
  const served = link.scopes.find((scope) => parts.rightsOf(scope.id).service(now, scope.id).serves === 'all');
  if (served === undefined)
    return drop(asking, link.scopes[0], 'not-serving', 'no scope of this network is served now');
  return wrongNetwork(asking, link, address);
}

function wrongNetwork(asking: Asking, link: Link, address: Ip4): Decision {
  const scope = link.scopes[0]!;
  return nak(asking, scope, `${formatIp4(address)} is not of this network (${scope.idText})`);
}

/** RFC 2131 4.3.2: a server without record of the client stays silent, unless it is the authority for the network. */
function unknownLease(asking: Asking, scope: ScopeView, address: Ip4): Decision {
  const { parts } = asking;
  const what = `no lease of this client on ${formatIp4(address)} is known`;
  if (!parts.settings.authoritative) return drop(asking, scope, 'unknown-lease', `${what}; not authoritative`);
  if (!parts.rightsOf(scope.id).isNormal()) {
    return drop(asking, scope, 'unknown-lease', `${what}; the partner may know it`);
  }
  return nak(asking, scope, what);
}

function scopeIn(link: Link, address: Ip4): ScopeView | undefined {
  return link.scopes.find(({ first, last }) => address >= first && address <= last);
}

function lease(asking: Asking, choice: Choice): Decision {
  const { scope, address, standing } = choice;
  const times = leaseTimesFor(asking, choice);
  const changed = grant(asking, choice, times);
  const reply = makeReply(asking, { type: 'ack', scope, reserved: standing.reserved, address, lease: times });
  return answer(asking, scope, reply, {
    reason: `leased ${formatIp4(address)} for ${times.grantedSec} s: ${choice.how}`,
    changed,
  });
}

function nak(asking: Asking, scope: ScopeView, why: string): Decision {
  return answer(asking, scope, makeNak(asking, scope, why), { reason: `refused: ${why}` });
}
