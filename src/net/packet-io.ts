/**
 * Client packets in and out, in batches (design, part 4). `fast-packet-io.ts` does it with koffi on device-bound sockets,
 * `dgram-packet-io.ts` with plain `dgram` for relay-only service on any port.
 */
import type { Ip4 } from '../wire/units.ts';

export interface ReceivedPacket {
  /** Valid only during the callback: the buffer is used again. */
  readonly bytes: Uint8Array;
  readonly interfaceId: number;
  readonly fromAddress: Ip4;
  readonly fromPort: number;
  /** Known when the socket is bound to one address; undefined on a device-bound socket. */
  readonly toAddress: Ip4 | undefined;
}

export interface OutgoingPacket {
  readonly interfaceId: number;
  readonly source: Ip4;
  readonly address: Ip4;
  readonly port: number;
  /** Set: sent as an Ethernet frame to this address (6 bytes) with IP destination `address`. */
  readonly hardware: Uint8Array | undefined;
  readonly bytes: Uint8Array;
}

export interface ServedInterface {
  readonly interfaceId: number;
  readonly name: string;
  readonly isUp: boolean;
  readonly addresses: readonly { readonly address: Ip4; readonly prefixLength: number }[];
  /** 6 bytes; empty where there is none (loopback, relay-only). */
  readonly hardware: Uint8Array;
}

export interface PacketIo {
  /** Sends now; the bytes are copied or handed to the kernel before the call returns. Failures are counted, not thrown. */
  send(batch: readonly OutgoingPacket[]): void;
  interfaces(): readonly ServedInterface[];
  /** Called for each batch received; must not throw. */
  onPackets(listener: (batch: readonly ReceivedPacket[]) => void): void;
  /** Interfaces came, went, or changed their addresses or state. */
  onInterfaces(listener: (interfaces: readonly ServedInterface[]) => void): void;
  /** The port that was bound (a test asks for 0). */
  readonly port: number;
  readonly counters: { received: number; sent: number; sendErrors: number; truncated: number };
  close(): Promise<void>;
}
/**
 * `openFastPacketIo({ interfaces: string[] | 'all', port: 67 }): Promise<PacketIo>` needs CAP_NET_RAW and CAP_NET_BIND_SERVICE;
 * `openDgramPacketIo({ address: Ip4, port: number }): Promise<PacketIo>` needs nothing on a port above 1023.
 */
