/**
 * Client packets at full speed and with the full rights: one UDP socket per served interface, bound to the device; one per own
 * address, for packets to it that come by whatever interface; and one packet socket for frames to clients that have no address.
 * The kernel hands a broadcast to the device's socket only and a unicast to the address's socket only, so each packet is seen
 * once. Sockets move up to 64 datagrams per call. Needs CAP_NET_RAW, and CAP_NET_BIND_SERVICE for a port below 1024.
 */
import { formatIp4, type Ip4, ip4, maskOf } from '../wire/units.ts';
import { followInterfaces, type InterfaceFollower, type ServedLink } from './interfaces.ts';
import { writeLinkFrame } from './link-frame.ts';
import {
  AF_INET,
  AF_PACKET,
  bindSocket,
  boundPort,
  closeFd,
  EAGAIN,
  EINTR,
  ENETDOWN,
  ENODEV,
  ENXIO,
  ETH_P_IP,
  IP_PKTINFO,
  IPPROTO_IP,
  inetAddress,
  linkAddress,
  openSocket,
  SO_BINDTODEVICE,
  SO_BROADCAST,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_REUSEADDR,
  SO_SNDBUF,
  SOCK_DGRAM,
  SOCK_RAW,
  SOL_SOCKET,
  setIntOption,
  setOption,
  systemError,
} from './native/libc.ts';
import { PACKET_BYTES_MAX, ReceiveVector, SendVector, VECTOR_SLOTS } from './native/message-vectors.ts';
import type { Link } from './native/netlink.ts';
import { ReadWatcher } from './native/read-watcher.ts';
import type { OutgoingPacket, PacketIo, ReceivedPacket, ServedInterface } from './packet-io.ts';

const SERVER_PORT = 67;
const LIMITED_BROADCAST = ip4(0xffffffff);
/** What the kernel may hold for us per socket, as far as it lets us. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;
const SEND_BUFFER_BYTES = 1024 * 1024;
/** Full vectors read from one socket before the others get their turn. */
const VECTORS_PER_TURN_MAX = 4;
/** The system errors for which opening fails at once, because waiting will not mend them. */
const HOPELESS = new Set(['EPERM', 'EACCES', 'EADDRINUSE']);

export interface FastPacketIoOptions {
  /** Names, served as soon as they exist; or every Ethernet interface that has an IPv4 address. */
  readonly interfaces: readonly string[] | 'all';
  /** 67 when absent; 0 takes any free one. */
  readonly port?: number;
  /** A socket could not be opened or has failed; it is tried again every second. Called once per new cause. */
  readonly onTrouble?: (what: string, cause: Error) => void;
}

/** A socket with what waits to be sent through it within one `send`. */
interface Endpoint {
  readonly fd: number;
  readonly watcher: ReadWatcher | undefined;
  readonly pending: OutgoingPacket[];
  isClosed: boolean;
}

interface Device {
  readonly link: Link;
  readonly endpoint: Endpoint;
}

/** Where the packet in a slot of the receive vector came from. */
type Describe = (slot: number) => Pick<ReceivedPacket, 'interfaceId' | 'toAddress'>;

interface OwnAddress {
  /** The interface that has the address. */
  interfaceId: number;
  readonly endpoint: Endpoint;
}

/** Rejects when the rights are missing or another server has the port. */
export async function openFastPacketIo(options: FastPacketIoOptions): Promise<PacketIo> {
  return new FastPacketIo(options);
}

class FastPacketIo implements PacketIo {
  readonly counters = { received: 0, sent: 0, sendErrors: 0, truncated: 0 };
  private readonly options: FastPacketIoOptions;
  private readonly devices = new Map<number, Device>();
  private readonly ownAddresses = new Map<Ip4, OwnAddress>();
  private readonly idsByIndex = new Map<number, number>();
  private readonly troubles = new Map<string, string>();
  private readonly incoming = new ReceiveVector();
  private readonly outgoing = new SendVector();
  private readonly linkEndpoint: Endpoint;
  private readonly follower: InterfaceFollower;
  private served: readonly ServedInterface[] = [];
  private servedText = '';
  private packetListener: ((batch: readonly ReceivedPacket[]) => void) | undefined;
  private interfaceListener: ((interfaces: readonly ServedInterface[]) => void) | undefined;
  private openPort: number;
  private isOpening = true;
  private isClosed = false;

  constructor(options: FastPacketIoOptions) {
    this.options = options;
    this.openPort = options.port ?? SERVER_PORT;
    // With the protocol 0 a packet socket receives nothing. Each frame names its interface, so one socket serves all.
    const fd = openSocket(AF_PACKET, SOCK_RAW, 0);
    if (fd < 0) throw systemError('socket(AF_PACKET)', fd);
    setIntOption(fd, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER_BYTES);
    this.linkEndpoint = { fd, watcher: undefined, pending: [], isClosed: false };
    try {
      this.follower = followInterfaces(options.interfaces, (links) => this.adjust(links));
    } catch (cause) {
      this.closeSockets();
      throw cause;
    }
    this.isOpening = false;
  }

  get port(): number {
    return this.openPort;
  }

  interfaces(): readonly ServedInterface[] {
    return this.served;
  }

  onPackets(listener: (batch: readonly ReceivedPacket[]) => void): void {
    this.packetListener = listener;
  }

  onInterfaces(listener: (interfaces: readonly ServedInterface[]) => void): void {
    this.interfaceListener = listener;
  }

  send(batch: readonly OutgoingPacket[]): void {
    const touched: Endpoint[] = [];
    for (const packet of batch) {
      const endpoint = this.isClosed ? undefined : this.endpointFor(packet);
      if (endpoint === undefined || packet.bytes.length > PACKET_BYTES_MAX) {
        this.counters.sendErrors++;
        continue;
      }
      if (endpoint.pending.length === 0) touched.push(endpoint);
      endpoint.pending.push(packet);
    }
    for (const endpoint of touched) this.flush(endpoint);
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    this.follower.close();
    this.closeSockets();
  }

  private closeSockets(): void {
    for (const { endpoint } of this.devices.values()) closeEndpoint(endpoint);
    for (const { endpoint } of this.ownAddresses.values()) closeEndpoint(endpoint);
    this.devices.clear();
    this.ownAddresses.clear();
    closeEndpoint(this.linkEndpoint);
  }

  /**
   * A frame goes by the packet socket and a broadcast by its device. A unicast to a network of that interface leaves by it too, so
   * that equal networks on two interfaces do no harm; any other is routed, from the source address that the reply names.
   */
  private endpointFor(packet: OutgoingPacket): Endpoint | undefined {
    const device = this.devices.get(packet.interfaceId);
    if (packet.hardware !== undefined) {
      return device?.link.hardware.length === 6 && packet.hardware.length === 6 ? this.linkEndpoint : undefined;
    }
    if (packet.address === LIMITED_BROADCAST) return device?.endpoint;
    if (device !== undefined && isOnLink(device.link, packet.address)) return device.endpoint;
    return this.ownAddresses.get(packet.source)?.endpoint ?? device?.endpoint;
  }

  private flush(endpoint: Endpoint): void {
    const { pending } = endpoint;
    for (let start = 0; start < pending.length; start += VECTOR_SLOTS) {
      const count = Math.min(VECTOR_SLOTS, pending.length - start);
      for (let slot = 0; slot < count; slot++) this.fill(slot, pending[start + slot]!);
      this.sendFilled(endpoint.fd, count);
    }
    pending.length = 0;
  }

  private fill(slot: number, packet: OutgoingPacket): void {
    if (packet.hardware === undefined) {
      this.outgoing.putDatagram(slot, packet.bytes, packet);
      return;
    }
    const { link } = this.devices.get(packet.interfaceId)!;
    const length = writeLinkFrame(this.outgoing.room(slot), {
      fromHardware: link.hardware,
      toHardware: packet.hardware,
      source: packet.source,
      sourcePort: this.openPort,
      destination: packet.address,
      destinationPort: packet.port,
      payload: packet.bytes,
    });
    this.outgoing.putFrame(slot, length, linkAddress(link.index, ETH_P_IP, packet.hardware));
  }

  private sendFilled(fd: number, count: number): void {
    let first = 0;
    while (first < count) {
      const sent = this.outgoing.send(fd, first, count);
      if (sent > 0) {
        this.counters.sent += sent;
        first += sent;
        continue;
      }
      // The first of the rest was refused; those behind it may still be good.
      this.counters.sendErrors++;
      first++;
      if (sent === -ENODEV || sent === -ENXIO || sent === -ENETDOWN) this.follower.lookSoon();
    }
  }

  private drain(endpoint: Endpoint, describe: Describe): void {
    for (let round = 0; round < VECTORS_PER_TURN_MAX && !endpoint.isClosed; round++) {
      const count = this.incoming.receive(endpoint.fd);
      if (count <= 0) {
        // Any other error was about one earlier datagram or the device, which the next look finds out.
        if (count !== -EAGAIN && count !== -EINTR) this.follower.lookSoon();
        return;
      }
      const batch: ReceivedPacket[] = [];
      for (let slot = 0; slot < count; slot++) {
        if (this.incoming.isTruncated(slot)) {
          this.counters.truncated++;
          continue;
        }
        const { interfaceId, toAddress } = describe(slot);
        batch.push({
          bytes: this.incoming.bytes(slot),
          interfaceId,
          fromAddress: this.incoming.fromAddress(slot),
          fromPort: this.incoming.fromPort(slot),
          toAddress,
        });
      }
      this.incoming.rearm(count);
      this.counters.received += batch.length;
      if (batch.length > 0) this.packetListener?.(batch);
      if (count < VECTOR_SLOTS) return;
    }
  }

  /** Makes the sockets fit the interfaces as they are now. What cannot be opened is tried again at the next look. */
  private adjust(links: readonly ServedLink[]): void {
    const present = new Map(links.map((served) => [served.interfaceId, served]));
    for (const [interfaceId, device] of this.devices) {
      if (present.get(interfaceId)?.link?.index === device.link.index) continue;
      closeEndpoint(device.endpoint);
      this.devices.delete(interfaceId);
    }
    this.idsByIndex.clear();
    for (const { interfaceId, name, link } of links) {
      if (link === undefined) continue;
      this.idsByIndex.set(link.index, interfaceId);
      const open = this.devices.get(interfaceId)?.endpoint;
      const endpoint = open ?? this.attempt(name, () => this.openDevice(interfaceId, name));
      if (endpoint !== undefined) this.devices.set(interfaceId, { link, endpoint });
    }
    this.adjustAddresses(links);
    this.report(links);
  }

  private adjustAddresses(links: readonly ServedLink[]): void {
    const owners = new Map<Ip4, ServedLink>();
    for (const served of links) {
      for (const { address } of served.link?.addresses ?? []) if (!owners.has(address)) owners.set(address, served);
    }
    for (const [address, own] of this.ownAddresses) {
      const owner = owners.get(address);
      if (owner !== undefined && !own.endpoint.isClosed) {
        own.interfaceId = owner.interfaceId;
        continue;
      }
      closeEndpoint(own.endpoint);
      this.ownAddresses.delete(address);
    }
    for (const [address, { interfaceId, link }] of owners) {
      // While an interface is down the kernel does not count its addresses as local, so that they cannot be bound.
      if (this.ownAddresses.has(address) || link?.isUp !== true) continue;
      const endpoint = this.attempt(formatIp4(address), () => this.openAddress(address));
      if (endpoint !== undefined) this.ownAddresses.set(address, { interfaceId, endpoint });
    }
  }

  private openDevice(interfaceId: number, name: string): Endpoint {
    const fd = this.openUdp(ip4(0), name);
    const origin = { interfaceId, toAddress: undefined };
    return this.watch(fd, () => origin);
  }

  private openAddress(address: Ip4): Endpoint {
    const fd = this.openUdp(address, undefined);
    return this.watch(fd, (slot) => {
      const arrivedOn = this.idsByIndex.get(this.incoming.arrivedOn(slot));
      return { interfaceId: arrivedOn ?? this.ownAddresses.get(address)?.interfaceId ?? 0, toAddress: address };
    });
  }

  private watch(fd: number, describe: Describe): Endpoint {
    const onReadable = (): void => this.drain(endpoint, describe);
    const onFailure = (cause: Error): void => this.onSocketFailure(endpoint, cause);
    let watcher: ReadWatcher;
    try {
      watcher = new ReadWatcher(fd, onReadable, onFailure);
    } catch (cause) {
      closeFd(fd);
      throw cause;
    }
    const endpoint: Endpoint = { fd, watcher, pending: [], isClosed: false };
    return endpoint;
  }

  private onSocketFailure(endpoint: Endpoint, cause: Error): void {
    closeEndpoint(endpoint);
    for (const [id, device] of this.devices) if (device.endpoint === endpoint) this.devices.delete(id);
    this.options.onTrouble?.('socket', cause);
    this.follower.lookSoon();
  }

  /** Throws the system error; closes what it opened. */
  private openUdp(address: Ip4, device: string | undefined): number {
    const fd = openSocket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0) throw systemError('socket', fd);
    const steps: [string, () => number][] = [
      ['SO_REUSEADDR', () => setIntOption(fd, SOL_SOCKET, SO_REUSEADDR, 1)],
      ['SO_BROADCAST', () => setIntOption(fd, SOL_SOCKET, SO_BROADCAST, 1)],
      ['IP_PKTINFO', () => setIntOption(fd, IPPROTO_IP, IP_PKTINFO, 1)],
      ['SO_SNDBUF', () => setIntOption(fd, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER_BYTES)],
      ['SO_RCVBUF', () => setIntOption(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER_BYTES)],
    ];
    if (device !== undefined) {
      const name = Buffer.from(`${device}\0`, 'latin1');
      steps.push([`SO_BINDTODEVICE ${device}`, () => setOption(fd, SOL_SOCKET, SO_BINDTODEVICE, name)]);
    }
    steps.push([
      `bind ${formatIp4(address)}:${this.openPort}`,
      () => bindSocket(fd, inetAddress(address, this.openPort)),
    ]);
    for (const [what, step] of steps) {
      const result = step();
      if (result >= 0) continue;
      closeFd(fd);
      throw systemError(what, result);
    }
    // Beyond the system's limit only with CAP_NET_ADMIN; without it the plain option above has got as far as allowed.
    setIntOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES);
    if (this.openPort === 0) this.openPort = boundPort(fd);
    return fd;
  }

  private attempt(what: string, open: () => Endpoint): Endpoint | undefined {
    try {
      const endpoint = open();
      this.troubles.delete(what);
      return endpoint;
    } catch (cause) {
      if (!(cause instanceof Error)) throw cause;
      const code = (cause as NodeJS.ErrnoException).code;
      if (code === undefined || (this.isOpening && HOPELESS.has(code))) throw cause;
      if (this.troubles.get(what) !== cause.message) this.options.onTrouble?.(what, cause);
      this.troubles.set(what, cause.message);
      return undefined;
    }
  }

  private report(links: readonly ServedLink[]): void {
    const served = links.map(({ interfaceId, name, link }) => ({
      interfaceId,
      name,
      isUp: link?.isUp === true && this.devices.has(interfaceId),
      addresses: link?.addresses ?? [],
      hardware: link?.hardware ?? new Uint8Array(0),
    }));
    const text = JSON.stringify(served);
    if (text === this.servedText) return;
    this.servedText = text;
    this.served = served;
    this.interfaceListener?.(served);
  }
}

function isOnLink(link: Link, address: Ip4): boolean {
  for (const own of link.addresses) {
    const mask = maskOf(own.prefixLength);
    if (own.prefixLength > 0 && (own.address & mask) === (address & mask)) return true;
  }
  return false;
}

function closeEndpoint(endpoint: Endpoint): void {
  if (endpoint.isClosed) return;
  endpoint.isClosed = true;
  endpoint.watcher?.close();
  closeFd(endpoint.fd);
}
