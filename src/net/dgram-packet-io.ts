/**
 * Relay-only service through plain `dgram`, on any port and without any right: for unprivileged runs, for tests, and where there
 * is no native library. It knows one pseudo interface, so what needs a real one (broadcasts, frames to a hardware address) is
 * counted as unsendable.
 */
import dgram from 'node:dgram';
import { networkInterfaces } from 'node:os';
import { formatIp4, type Ip4, ip4, parseIp4 } from '../wire/units.ts';
import type { OutgoingPacket, PacketIo, ReceivedPacket, ServedInterface } from './packet-io.ts';

/** The one interface of this kind of service. */
export const RELAY_INTERFACE_ID = 0;
/** Datagrams gathered in one turn of the event loop before they are handed over early. */
const BATCH_PACKETS_MAX = 256;
/** A longer datagram is dropped: no relay sends one. */
const PACKET_BYTES_MAX = 4096;
/** Sends that the system has not taken yet; more are dropped. */
const SENDS_WAITING_MAX = 1024;
const LIMITED_BROADCAST = 0xffffffff;

export interface DgramPacketIo extends PacketIo {
  readonly counters: PacketIo['counters'] & { unsendable: number };
}

/** Rejects when the port cannot be bound. */
export async function openDgramPacketIo(options: { address: Ip4; port: number }): Promise<DgramPacketIo> {
  const socket = dgram.createSocket({
    type: 'udp4',
    // Addresses are always numeric: answering at once keeps `send` synchronous, without a turn through the resolver.
    lookup: (host, _options, done) => done(null, host, 4),
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(options.port, formatIp4(options.address), () => {
      socket.removeListener('error', reject);
      resolve();
    });
  });
  return new RelaySocket(socket, options.address);
}

class RelaySocket implements DgramPacketIo {
  readonly counters = { received: 0, sent: 0, sendErrors: 0, truncated: 0, unsendable: 0 };
  readonly port: number;
  private readonly socket: dgram.Socket;
  private readonly address: Ip4;
  private packetListener: ((batch: readonly ReceivedPacket[]) => void) | undefined;
  private batch: ReceivedPacket[] = [];
  private handOver: NodeJS.Immediate | undefined;
  private isClosed = false;

  constructor(socket: dgram.Socket, address: Ip4) {
    this.socket = socket;
    this.address = address;
    this.port = socket.address().port;
    socket.on('message', (bytes, from) => this.take(bytes, from));
    // After the bind, errors are about single datagrams (a port unreachable, for one): they cost that datagram only.
    socket.on('error', () => this.counters.sendErrors++);
  }

  interfaces(): readonly ServedInterface[] {
    const own = this.address === 0 ? hostAddresses() : [this.address];
    const addresses = own.map((address) => ({ address, prefixLength: 32 }));
    return [
      { interfaceId: RELAY_INTERFACE_ID, name: 'relay', isUp: !this.isClosed, addresses, hardware: new Uint8Array(0) },
    ];
  }

  onPackets(listener: (batch: readonly ReceivedPacket[]) => void): void {
    this.packetListener = listener;
  }

  /** The pseudo interface never changes, so the listener is never called. */
  onInterfaces(_listener: (interfaces: readonly ServedInterface[]) => void): void {}

  send(batch: readonly OutgoingPacket[]): void {
    for (const packet of batch) {
      if (packet.hardware !== undefined || packet.address === LIMITED_BROADCAST || packet.address === 0) {
        this.counters.unsendable++;
      } else if (this.isClosed || packet.port === 0 || this.socket.getSendQueueCount() >= SENDS_WAITING_MAX) {
        this.counters.sendErrors++;
      } else {
        // Copied, because a datagram that the system does not take at once waits in a queue.
        this.socket.send(Buffer.from(packet.bytes), packet.port, formatIp4(packet.address), (failure) => {
          if (failure === null) this.counters.sent++;
          else this.counters.sendErrors++;
        });
      }
    }
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    clearImmediate(this.handOver);
    await new Promise<void>((resolve) => this.socket.close(() => resolve()));
  }

  private take(bytes: Buffer, from: dgram.RemoteInfo): void {
    const fromAddress = parseIp4(from.address);
    if (fromAddress === undefined) return;
    if (bytes.length > PACKET_BYTES_MAX) {
      this.counters.truncated++;
      return;
    }
    this.counters.received++;
    const toAddress = this.address === 0 ? undefined : this.address;
    this.batch.push({ bytes, interfaceId: RELAY_INTERFACE_ID, fromAddress, fromPort: from.port, toAddress });
    if (this.batch.length >= BATCH_PACKETS_MAX) this.deliver();
    else this.handOver ??= setImmediate(() => this.deliver());
  }

  private deliver(): void {
    clearImmediate(this.handOver);
    this.handOver = undefined;
    const batch = this.batch;
    this.batch = [];
    if (batch.length > 0) this.packetListener?.(batch);
  }
}

function hostAddresses(): Ip4[] {
  const entries = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return entries
    .filter((entry) => entry.family === 'IPv4' && !entry.internal)
    .map((entry) => parseIp4(entry.address) ?? ip4(0));
}
