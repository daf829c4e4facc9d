/**
 * The reply to a client: its fields (RFC 2131 table 3), its options in the order in which the client asked for them, and the
 * way it must go (RFC 2131 4.1). What is granted was decided before; nothing here changes a binding.
 */
import { ip4Value, replyTo, textValue, u8Value, u32Value } from '../../wire/dhcp/build.ts';
import { type DhcpPacket, FLAG_BROADCAST, MESSAGE_TYPES } from '../../wire/dhcp/packet.ts';
import { encodeDhcpPacket, FILE_BYTES_MAX, SNAME_BYTES_MAX } from '../../wire/dhcp/packet-codec.ts';
import { INFINITE_SEC, type Ip4, ip4, maskOf, parseIp4, type Sec } from '../../wire/units.ts';
import type { Asking } from './asking.ts';
import { uint32In } from './client-view.ts';
import { OPTION } from './option-codes.ts';
import { optionsFor } from './option-levels.ts';
import type { ReservedAddress } from './reservations.ts';
import { isDirectToUs, serverAddressFor } from './scope-choice.ts';
import type { ScopeView } from './scope-index.ts';
import type { Ingress, ReplyDestination, ReplyPlan } from './serving-types.ts';

/** The lease time that is told, and the one that was meant (RFC 2131 4.4.5 derives T1 and T2 from the former). */
export interface LeaseTimes {
  readonly grantedSec: Sec;
  readonly desiredSec: Sec;
}

export interface ReplyContent {
  readonly type: 'offer' | 'ack' | 'bootp';
  readonly scope: ScopeView;
  readonly reserved: ReservedAddress | undefined;
  /** yiaddr; 0 in the answer to an INFORM. */
  readonly address: Ip4;
  /** Undefined for INFORM and BOOTP. */
  readonly lease: LeaseTimes | undefined;
  readonly isRapidCommit?: boolean;
}

const SERVER_PORT = 67;
const CLIENT_PORT = 68;
const NO_ADDRESS = ip4(0);
const IP_AND_UDP_BYTES = 28;
/** RFC 2131 2: every client takes a datagram of 576 octets. */
const BYTES_MAX_LEAST = 576 - IP_AND_UDP_BYTES;
/** What fits in a frame of an ordinary Ethernet, whatever the client says it takes. */
const BYTES_MAX_MOST = 1500 - IP_AND_UDP_BYTES;
/** RFC 951 3, RFC 1542 2.1: relays and old clients want at least 300; BOOTP has no more than 64 octets of options. */
const BOOTP_BYTES = 300;

/** Made by the server for each reply, never taken from the configured values as they stand. */
const MADE_HERE: ReadonlySet<number> = new Set([
  OPTION.leaseTime,
  OPTION.messageType,
  OPTION.serverId,
  OPTION.renewalTime,
  OPTION.rebindingTime,
  OPTION.clientId,
  OPTION.rapidCommit,
  OPTION.relayInformation,
  OPTION.subnetSelection,
]);

/** OFFER, ACK or a BOOTP reply. The bytes are fresh. */
export function makeReply(asking: Asking, content: ReplyContent): ReplyPlan {
  const { packet } = asking;
  const { scope, type } = content;
  const source = serverAddressFor(asking, scope);
  const configured = configuredFor(asking, scope, content.reserved);
  const reply = replyTo(packet);
  // RFC 2131 table 3: an ACK repeats ciaddr, an OFFER has none; the answer to an INFORM has no yiaddr.
  reply.ciaddr = type === 'offer' ? NO_ADDRESS : packet.ciaddr;
  reply.yiaddr = content.address;
  setBootFields(reply, configured, source);
  reply.hasCookie = type !== 'bootp' || packet.hasCookie;
  if (type !== 'bootp') {
    reply.options.set(OPTION.messageType, u8Value(MESSAGE_TYPES[type]));
    reply.options.set(OPTION.serverId, ip4Value(overrideOf(asking) ?? source));
    if (content.lease !== undefined) setTimes(reply, content.lease, configured);
    if (content.isRapidCommit === true) reply.options.set(OPTION.rapidCommit, new Uint8Array());
  }
  reply.options.set(OPTION.subnetMask, configured.get(OPTION.subnetMask) ?? ip4Value(scope.mask));
  addRequested(reply, configured, packet.options.get(OPTION.parameterRequestList));
  addEchoes(reply, packet);
  // No relay will see this reply, so none would take its information out again (RFC 3046 2.1).
  if (packet.giaddr !== 0 && isAnsweredDirectly(asking)) reply.options.delete(OPTION.relayInformation);
  return {
    messageType: type,
    destination: destinationOf(asking, content.address, 'reply'),
    interfaceId: asking.ingress.interfaceId,
    source,
    bytes: encodeDhcpPacket(reply, {
      bytesMax: type === 'bootp' ? BOOTP_BYTES : bytesMaxOf(packet),
      bytesMin: BOOTP_BYTES,
    }),
    delayMs: type === 'offer' ? scope.delayMs : 0,
    address: content.address,
  };
}

/** A NAK: no address, no parameters, only why (RFC 2131 table 3). */
export function makeNak(asking: Asking, scope: ScopeView | undefined, why: string): ReplyPlan {
  const { packet } = asking;
  const source = serverAddressFor(asking, scope);
  const reply = replyTo(packet);
  reply.hasCookie = true;
  // RFC 2131 4.3.2: the client may have no usable address any more, so the relay must broadcast it.
  if (packet.giaddr !== 0) reply.flags |= FLAG_BROADCAST;
  reply.options.set(OPTION.messageType, u8Value(MESSAGE_TYPES.nak));
  reply.options.set(OPTION.serverId, ip4Value(overrideOf(asking) ?? source));
  reply.options.set(OPTION.message, textValue(why));
  addEchoes(reply, packet);
  return {
    messageType: 'nak',
    destination: destinationOf(asking, NO_ADDRESS, 'nak'),
    interfaceId: asking.ingress.interfaceId,
    source,
    bytes: encodeDhcpPacket(reply, { bytesMax: bytesMaxOf(packet), bytesMin: BOOTP_BYTES }),
    delayMs: 0,
    address: NO_ADDRESS,
  };
}

/** The configured values for this client: reservation before scope before server, its classes before everybody. */
export function configuredFor(
  asking: Asking,
  scope: ScopeView,
  reserved: ReservedAddress | undefined,
): ReadonlyMap<number, Uint8Array> {
  const own = reserved?.options;
  const hasOwn = own !== undefined && (own.plain.size > 0 || own.conditional.length > 0);
  if (!hasOwn && !scope.hasConditionalOptions) return scope.plainOptions;
  const { options } = asking.packet;
  const levels = hasOwn ? [...scope.optionLevels, own] : scope.optionLevels;
  return optionsFor(levels, options.get(OPTION.vendorClass), options.get(OPTION.userClass));
}

/** RFC 5107 4: the relay wants to be taken for the server, and may say so because it stands in giaddr. */
function overrideOf(asking: Asking): Ip4 | undefined {
  return asking.packet.giaddr === 0 ? undefined : asking.view.relay?.serverIdOverride;
}

/**
 * Lease time, T1 and T2. Configured values of options 58 and 59 hold while the lease is as long as meant; a lease cut short by
 * the partner's ignorance must come back early to be lengthened (failover specification 6.2).
 */
function setTimes(reply: DhcpPacket, lease: LeaseTimes, configured: ReadonlyMap<number, Uint8Array>): void {
  const { grantedSec, desiredSec } = lease;
  reply.options.set(OPTION.leaseTime, u32Value(grantedSec));
  // RFC 2131 3.3: an infinite lease is never renewed.
  if (grantedSec === INFINITE_SEC) return;
  let renewSec = Math.floor(grantedSec / 2);
  let rebindSec = Math.floor((grantedSec * 7) / 8);
  if (grantedSec === desiredSec) {
    const t1 = uint32In(configured.get(OPTION.renewalTime)) ?? renewSec;
    const t2 = uint32In(configured.get(OPTION.rebindingTime)) ?? rebindSec;
    // RFC 2131 4.4.5: T1 before T2 before the end, else the values are useless.
    if (t1 < t2 && t2 < grantedSec) [renewSec, rebindSec] = [t1, t2];
  }
  reply.options.set(OPTION.renewalTime, u32Value(renewSec));
  reply.options.set(OPTION.rebindingTime, u32Value(rebindSec));
}

/** RFC 2132 9.8: the values in the order in which the client lists them; all of them for a client that lists none. */
function addRequested(
  reply: DhcpPacket,
  configured: ReadonlyMap<number, Uint8Array>,
  requested: Uint8Array | undefined,
): void {
  if (requested === undefined) {
    for (const [code, value] of configured) {
      // RFC 8925 3.3: option 108 goes only to those who ask for it.
      if (!MADE_HERE.has(code) && code !== OPTION.ipv6OnlyPreferred) reply.options.set(code, value);
    }
    return;
  }
  for (const code of requested) {
    const value = configured.get(code);
    if (value !== undefined && !MADE_HERE.has(code)) reply.options.set(code, value);
  }
}

/** What goes back as it came: RFC 6842 3 (61), RFC 3011 3 (118), RFC 3046 2.2 (82). */
function addEchoes(reply: DhcpPacket, packet: DhcpPacket): void {
  for (const code of [OPTION.clientId, OPTION.subnetSelection, OPTION.relayInformation]) {
    const value = packet.options.get(code);
    if (value !== undefined) reply.options.set(code, value);
  }
}

/** Boot programs read the fields rather than options 66 and 67, and look for the server in siaddr. */
function setBootFields(reply: DhcpPacket, configured: ReadonlyMap<number, Uint8Array>, source: Ip4): void {
  const server = configured.get(OPTION.tftpServerName);
  const file = configured.get(OPTION.bootFileName);
  if (server !== undefined) {
    if (server.length < SNAME_BYTES_MAX) reply.sname = server;
    reply.siaddr = parseIp4(asciiOf(server)) ?? NO_ADDRESS;
  } else if (file !== undefined) {
    reply.siaddr = source;
  }
  if (file !== undefined && file.length < FILE_BYTES_MAX) reply.file = file;
}

const DOTTED_QUAD_MAX = 15;

function asciiOf(bytes: Uint8Array): string {
  return bytes.length > DOTTED_QUAD_MAX ? '' : String.fromCharCode(...bytes);
}

/** RFC 2132 9.10: option 57 counts the whole datagram. */
function bytesMaxOf(packet: DhcpPacket): number {
  const value = packet.options.get(OPTION.maxMessageSize);
  if (value === undefined || value.length !== 2) return BYTES_MAX_LEAST;
  const size = ((value[0]! << 8) | value[1]!) - IP_AND_UDP_BYTES;
  return Math.min(Math.max(size, BYTES_MAX_LEAST), BYTES_MAX_MOST);
}

function isOnWire(ingress: Ingress, address: Ip4): boolean {
  return ingress.interfaceAddresses.some(
    (own) => (own.address & maskOf(own.prefixLength)) === (address & maskOf(own.prefixLength)),
  );
}

/** RFC 2131 4.3.5: the answer to an INFORM goes straight to ciaddr, past any relay. */
function isAnsweredDirectly({ ingress, packet, view }: Asking): boolean {
  return view.messageType === 'inform' && packet.ciaddr !== 0 && ingress.interfaceAddresses.length > 0;
}

/** RFC 2131 4.1, last paragraphs, and 4.3.2 for the NAK. */
function destinationOf(asking: Asking, yiaddr: Ip4, kind: 'reply' | 'nak'): ReplyDestination {
  const { ingress, packet, view } = asking;
  const isRelayOnly = ingress.interfaceAddresses.length === 0;
  if (isAnsweredDirectly(asking)) return { kind: 'unicast', address: packet.ciaddr, port: CLIENT_PORT };
  if (packet.giaddr !== 0) {
    // Relays on ports of their own exist in tests and unprivileged runs, where the answer goes back to where the question came from.
    if (isRelayOnly && ingress.fromPort !== SERVER_PORT) {
      return { kind: 'relay', address: ingress.fromAddress, port: ingress.fromPort };
    }
    // RFC 8357 3: a relay behind address translation says that its port matters.
    const port = view.relay?.wantsSourcePort === true ? ingress.fromPort : SERVER_PORT;
    return { kind: 'relay', address: packet.giaddr, port };
  }
  if (isRelayOnly) return { kind: 'unicast', address: ingress.fromAddress, port: ingress.fromPort };
  if (kind === 'nak') {
    // RFC 2131 4.1 broadcasts it. That never reaches a client that renews from behind a router, which has its address and
    // listens there: it would otherwise learn of the refusal only when it rebinds.
    if (packet.ciaddr !== 0 && isDirectToUs(ingress) && !isOnWire(ingress, packet.ciaddr)) {
      return { kind: 'unicast', address: packet.ciaddr, port: CLIENT_PORT };
    }
    return { kind: 'broadcast' };
  }
  if (packet.ciaddr !== 0) return { kind: 'unicast', address: packet.ciaddr, port: CLIENT_PORT };
  // RFC 2131 4.4.3: an INFORM without ciaddr came from a host that has its address.
  if (yiaddr === 0 && view.messageType === 'inform' && ingress.fromAddress !== 0) {
    return { kind: 'unicast', address: ingress.fromAddress, port: CLIENT_PORT };
  }
  if ((packet.flags & FLAG_BROADCAST) !== 0 || packet.chaddr.length === 0 || yiaddr === 0) return { kind: 'broadcast' };
  return { kind: 'link-layer', address: yiaddr, htype: packet.htype, hardware: packet.chaddr };
}
