/** DHCPRELEASE (RFC 2131 4.3.4): the client gives its address back. There is no answer to it. */
import { formatIp4 } from '../../wire/units.ts';
import { reservationOf } from './address-standing.ts';
import { type Asking, done, drop } from './asking.ts';
import { letGo } from './grant.ts';
import { isHolder } from './reservations.ts';
import { serverIdIs } from './scope-choice.ts';
import type { Decision } from './serving-types.ts';

export function decideRelease(asking: Asking): Decision {
  const { view, parts, now, packet } = asking;
  if (view.serverId !== undefined && serverIdIs(asking, view.serverId) === 'other') {
    return drop(asking, undefined, 'other-server-chosen', `the release is for ${formatIp4(view.serverId)}`);
  }
  const address = packet.ciaddr;
  if (address === 0) return drop(asking, undefined, 'malformed', 'a release without an address');
  const scope = parts.scopes.find(address);
  const binding = parts.bindings.find(address);
  if (scope === undefined || binding === undefined) {
    return drop(asking, undefined, 'no-scope', `no scope holds ${formatIp4(address)}`);
  }
  const service = parts.rightsOf(scope.id).service(now, scope.id);
  if (service.serves !== 'all') return drop(asking, scope, 'not-serving', service.why);
  if (binding.state !== 'active' || !isHolder(binding, view, reservationOf(asking, scope))) {
    return drop(asking, scope, 'unknown-lease', `${formatIp4(address)} is not leased to this client`);
  }
  letGo(asking, scope, binding);
  return done(asking, scope, `${formatIp4(address)} was released by its client`, [address]);
}
