/**
 * An established connection to a partner, over TLS or plain, as the rest of the server sees it: bytes in, bytes out through a
 * bounded buffer, and one reason when it ends. Framing and identity checks are done elsewhere.
 */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

/** What is spoken inside TLS: the failover link, or management between two servers. */
export type PartnerAlpn = 'twinlease-link/1' | 'twinlease-manage/1';
export const PARTNER_ALPNS: readonly PartnerAlpn[] = ['twinlease-link/1', 'twinlease-manage/1'];

/** What a failover link may have waiting: a partner that reads nothing for so long is lost. */
export const LINK_OUTBOUND_BYTES_MAX = 4 * 1024 * 1024;
/** Two of the largest frames of the manage channel. */
export const MANAGE_OUTBOUND_BYTES_MAX = 34 * 1024 * 1024;
/** After `close` the rest is still sent for this long, and then no more. */
const CLOSE_LINGER_MS = 2000;
/** What the TLS exporter gives for each label. */
const EXPORTER_BYTES = 32;

interface ConnectionBase {
  /** Numeric, without an IPv4-mapped prefix. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  /** Copied or handed over before it returns. Above the limit the connection is closed instead; after the end it does nothing. */
  write(bytes: Uint8Array): void;
  /** One listener. What came before it was set is kept and given to it. `bytes` is the listener's own. */
  onData(listener: (bytes: Buffer) => void): void;
  /** One listener, called once, also when the connection had ended before; `why` is for people. */
  onClose(listener: (why: string) => void): void;
  /** Sends what is buffered, then ends; nothing is received any more. `why` is what `onClose` tells. */
  close(why?: string): void;
  readonly bufferedBytes: number;
}

export interface TlsConnection extends ConnectionBase {
  readonly kind: 'tls';
  readonly alpn: PartnerAlpn;
  readonly peerKey: string;
  /** False for a stranger who came in because pairing is open. */
  readonly isKnown: boolean;
  /** RFC 8446 7.5: 32 bytes that only the two ends of this very connection can know. */
  exporter(label: string): Buffer;
}

export interface PlainConnection extends ConnectionBase {
  readonly kind: 'plain';
  readonly alpn: undefined;
  readonly peerKey: undefined;
}

export type Connection = TlsConnection | PlainConnection;

export function plainConnection(socket: Socket): PlainConnection {
  return new PlainSocket(socket);
}

/** Precondition: the handshake is done, and key and protocol were checked. */
export function tlsConnection(
  socket: TLSSocket,
  found: Pick<TlsConnection, 'alpn' | 'peerKey' | 'isKnown'>,
): TlsConnection {
  return new TlsSocket(socket, found);
}

/** An IPv4 address that came in on an IPv6 socket, as IPv4. */
export function plainAddress(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');
}

class SocketEnd implements ConnectionBase {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  private readonly socket: Socket;
  private readonly outboundBytesMax: number;
  private closeListener: ((why: string) => void) | undefined;
  private lingering: NodeJS.Timeout | undefined;
  private why: string | undefined;
  private isClosing = false;
  private hasEnded = false;
  private isTold = false;

  constructor(socket: Socket, outboundBytesMax: number) {
    this.socket = socket;
    this.outboundBytesMax = outboundBytesMax;
    this.remoteAddress = plainAddress(socket.remoteAddress);
    this.remotePort = socket.remotePort ?? 0;
    this.localAddress = plainAddress(socket.localAddress);
    socket.on('error', (cause) => this.end(cause.message));
    socket.on('end', () => this.end('the far end closed the connection'));
    socket.on('close', () => this.end('the connection was closed'));
  }

  get bufferedBytes(): number {
    return this.hasEnded ? 0 : this.socket.writableLength;
  }

  write(bytes: Uint8Array): void {
    if (this.isClosing || this.hasEnded) return;
    if (this.socket.writableLength + bytes.length > this.outboundBytesMax) {
      this.end(`the far end does not read: more than ${this.outboundBytesMax} bytes were waiting to be sent`);
      return;
    }
    this.socket.write(Buffer.from(bytes));
  }

  onData(listener: (bytes: Buffer) => void): void {
    this.socket.removeAllListeners('data');
    this.socket.on('data', (bytes) => {
      if (!this.isClosing && !this.hasEnded) listener(bytes);
    });
    this.socket.resume();
  }

  onClose(listener: (why: string) => void): void {
    this.closeListener = listener;
    if (this.hasEnded) queueMicrotask(() => this.tell());
  }

  close(why = 'closed by this side'): void {
    if (this.isClosing || this.hasEnded) return;
    this.isClosing = true;
    this.why = why;
    this.lingering = setTimeout(() => this.end(why), CLOSE_LINGER_MS);
    // Read on, so that the far end's own end is noticed; what comes is dropped.
    this.socket.resume();
    this.socket.end();
  }

  private end(why: string): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.why ??= why;
    clearTimeout(this.lingering);
    this.socket.destroy();
    this.tell();
  }

  private tell(): void {
    if (this.isTold || this.closeListener === undefined) return;
    this.isTold = true;
    this.closeListener(this.why ?? '');
  }
}

class PlainSocket extends SocketEnd implements PlainConnection {
  readonly kind = 'plain';
  readonly alpn = undefined;
  readonly peerKey = undefined;

  constructor(socket: Socket) {
    super(socket, LINK_OUTBOUND_BYTES_MAX);
  }
}

class TlsSocket extends SocketEnd implements TlsConnection {
  readonly kind = 'tls';
  readonly alpn: PartnerAlpn;
  readonly peerKey: string;
  readonly isKnown: boolean;
  private readonly tls: TLSSocket;

  constructor(socket: TLSSocket, found: Pick<TlsConnection, 'alpn' | 'peerKey' | 'isKnown'>) {
    super(socket, found.alpn === 'twinlease-manage/1' ? MANAGE_OUTBOUND_BYTES_MAX : LINK_OUTBOUND_BYTES_MAX);
    this.tls = socket;
    this.alpn = found.alpn;
    this.peerKey = found.peerKey;
    this.isKnown = found.isKnown;
  }

  exporter(label: string): Buffer {
    return this.tls.exportKeyingMaterial(EXPORTER_BYTES, label, Buffer.alloc(0));
  }
}
