/**
 * From which network a packet comes, and so which scopes may serve it (RFC 2131 4.3.1), and under which address this server
 * speaks to its client.
 */
import { formatIp4, type Ip4, maskOf } from '../../wire/units.ts';
import { type Asking, note } from './asking.ts';
import { addressIn } from './client-view.ts';
import { OPTION } from './option-codes.ts';
import type { Link, ScopeView } from './scope-index.ts';
import type { Ingress } from './serving-types.ts';

export type LinkChoice =
  | { readonly kind: 'link'; readonly link: Link }
  | { readonly kind: 'none'; readonly why: string };

const BROADCAST = 0xffffffff;

/**
 * The link of the client. In order: the relay's link selection (RFC 3527), the subnet selection option (RFC 3011 2, before
 * giaddr), giaddr, the client's own address where it wrote to us directly, the addresses of the interface.
 */
export function chooseLink(asking: Asking): LinkChoice {
  const { packet, view } = asking;
  // Without giaddr no relay stands behind the suboption (RFC 3527 3): a client could move itself with it.
  if (packet.giaddr !== 0 && view.relay?.linkSelection !== undefined) {
    return byAddress(asking, view.relay.linkSelection, 'link selection (RFC 3527)');
  }
  const subnet = addressIn(packet.options.get(OPTION.subnetSelection));
  if (subnet !== undefined) return byAddress(asking, subnet, 'subnet selection (RFC 3011)');
  if (packet.giaddr !== 0) return byAddress(asking, packet.giaddr, 'relay');
  if (packet.ciaddr !== 0 && isDirectToUs(asking.ingress)) return byAddress(asking, packet.ciaddr, "client's address");
  return byInterface(asking);
}

/** Whether a packet without relay was sent to one of our addresses, so that it may have been routed from anywhere. */
export function isDirectToUs(ingress: Ingress): boolean {
  return ingress.interfaceAddresses.length === 0 || unicastTarget(ingress) !== undefined;
}

/** The address of ours that a unicast packet was sent to. */
export function unicastTarget(ingress: Ingress): Ip4 | undefined {
  const to = ingress.toAddress;
  if (to === undefined || to === BROADCAST || to === 0) return undefined;
  for (const { address, prefixLength } of ingress.interfaceAddresses) {
    if (to === address) return to;
    // A broadcast to the subnet is a broadcast.
    if (prefixLength < 31 && to === (address | ~maskOf(prefixLength)) >>> 0) return undefined;
  }
  return to;
}

/** The address under which this server speaks to the client: option 54 and the source of its datagrams. */
export function serverAddressFor(asking: Asking, scope: ScopeView | undefined): Ip4 {
  const { ingress, parts } = asking;
  if (ingress.interfaceAddresses.length === 0) return parts.identity.relayServerAddress;
  if (asking.packet.giaddr !== 0 || asking.packet.ciaddr !== 0) {
    const to = unicastTarget(ingress);
    if (to !== undefined) return to;
  }
  if (scope !== undefined) {
    for (const { address } of ingress.interfaceAddresses)
      if (address >= scope.first && address <= scope.last) return address;
  }
  return ingress.interfaceAddresses[0]!.address;
}

/** Whether a server identifier sent by a client is one of ours, and whether only through an override (RFC 5107). */
export function serverIdIs(asking: Asking, serverId: Ip4): 'ours' | 'override' | 'other' {
  const { ingress, parts, packet, view } = asking;
  if (serverId === parts.identity.relayServerAddress || serverId === unicastTarget(ingress)) return 'ours';
  for (const { address } of ingress.interfaceAddresses) if (address === serverId) return 'ours';
  return packet.giaddr !== 0 && view.relay?.serverIdOverride === serverId ? 'override' : 'other';
}

function byAddress(asking: Asking, address: Ip4, how: string): LinkChoice {
  const link = asking.parts.scopes.linkOf(address);
  if (link === undefined) return { kind: 'none', why: `no scope holds ${formatIp4(address)} (${how})` };
  note(asking, `network ${link.scopes[0]!.idText} by ${how} ${formatIp4(address)}`);
  return { kind: 'link', link };
}

/** Several addresses of one interface stand for several networks on one wire (RFC 2131 4.3.1). */
function byInterface(asking: Asking): LinkChoice {
  const scopes: ScopeView[] = [];
  let first: Link | undefined;
  for (const { address } of asking.ingress.interfaceAddresses) {
    const link = asking.parts.scopes.linkOf(address);
    if (link === undefined) continue;
    first ??= link;
    for (const scope of link.scopes) if (!scopes.includes(scope)) scopes.push(scope);
  }
  if (first === undefined) return { kind: 'none', why: 'no scope holds an address of the interface' };
  note(asking, `network ${first.scopes[0]!.idText} by the interface's address`);
  return { kind: 'link', link: scopes.length === first.scopes.length ? first : { key: first.key, scopes } };
}
