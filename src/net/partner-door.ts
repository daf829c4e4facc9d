/**
 * The one TCP port at which partners call. A connection that begins with a TLS record has to prove a known key; any other is plain
 * failover, and is let in only from an address that a relationship declares as a foreign partner's. Until a caller is identified
 * it costs little and not for long: time, number and number per address are limited.
 */
import net from 'node:net';
import tls from 'node:tls';
import {
  type Connection,
  PARTNER_ALPNS,
  type PartnerAlpn,
  plainAddress,
  plainConnection,
  tlsConnection,
} from './connection.ts';
import type { Identity } from './identity.ts';
import { findPeer, tlsOptions } from './peer-tls.ts';

/** draft-12 8.1: the port of failover, and IANA's `dhcp-failover`. */
export const PARTNER_PORT = 647;

export interface DoorLimits {
  /** From the accept to the first two bytes. */
  readonly firstBytesMs: number;
  /** From the accept to the greeting of a caller that says nothing and is known to wait for one; TLS speaks sooner. */
  readonly silentMs: number;
  /** From the first bytes to the end of the handshake. */
  readonly handshakeMs: number;
  /** Callers not yet identified. One more pushes out the oldest, so that a crowd of silent ones cannot shut the door. */
  readonly pendingMax: number;
  readonly pendingPerAddressMax: number;
  /** Callers that were let in and are still there. */
  readonly establishedMax: number;
}

export const DOOR_LIMITS: DoorLimits = {
  firstBytesMs: 5000,
  silentMs: 200,
  handshakeMs: 10_000,
  pendingMax: 64,
  pendingPerAddressMax: 8,
  establishedMax: 256,
};

export interface PartnerDoorOptions {
  /** 647 when absent; 0 takes any free one. */
  readonly port?: number;
  /** Every address when absent. */
  readonly host?: string;
  readonly identity: Identity;
  readonly allowKey: (key: string, alpn: PartnerAlpn) => boolean;
  /** Whether pairing is open: then a key that `allowKey` does not know may speak `twinlease-manage/1`. */
  readonly allowUnknown: () => boolean;
  readonly allowPlain: (remoteAddress: string) => boolean;
  /** Whether a caller from this address waits for us to speak: such a one is let in as plain when it stays silent for a moment. */
  readonly expectsGreeting?: (remoteAddress: string) => boolean;
  readonly onConnection: (connection: Connection) => void;
  /** For the log: called once for each caller that was turned away. */
  readonly onRefused?: (remoteAddress: string, why: string) => void;
  readonly limits?: Partial<DoorLimits>;
}

export interface PartnerDoor {
  readonly port: number;
  /** For callers from now on, when the own key is rotated. */
  setIdentity(identity: Identity): void;
  /** Lets nobody in any more. Connections that were handed over stay. */
  close(): Promise<void>;
}

/** Rejects with the system error when the port cannot be had. */
export async function openPartnerDoor(options: PartnerDoorOptions): Promise<PartnerDoor> {
  const door = new Door(options);
  await door.listen(options.port ?? PARTNER_PORT, options.host);
  return door;
}

/** A caller that is not identified yet. */
interface Caller {
  readonly socket: net.Socket;
  readonly address: string;
  timer: NodeJS.Timeout;
}

class Door implements PartnerDoor {
  private readonly options: PartnerDoorOptions;
  private readonly limits: DoorLimits;
  private readonly server: net.Server;
  private readonly tlsServer: tls.Server;
  /** By address and port of the far end, oldest first. */
  private readonly pending = new Map<string, Caller>();
  private identity: Identity;
  private establishedCount = 0;

  constructor(options: PartnerDoorOptions) {
    this.options = options;
    this.limits = { ...DOOR_LIMITS, ...options.limits };
    this.identity = options.identity;
    this.server = net.createServer({ noDelay: true, keepAlive: false }, (socket) => this.accept(socket));
    this.tlsServer = tls.createServer({
      ...tlsOptions(options.identity),
      requestCert: true,
      // The check is ours, after the handshake: by key, whatever authority or date the certificate names.
      rejectUnauthorized: false,
      ALPNProtocols: [...PARTNER_ALPNS],
      handshakeTimeout: this.limits.handshakeMs,
    });
    this.tlsServer.on('secureConnection', (socket) => this.identify(socket));
    this.tlsServer.on('tlsClientError', (cause, socket) => {
      const caller = this.pending.get(farEnd(socket));
      if (caller !== undefined) this.refuse(caller, `the TLS handshake failed: ${cause.message}`);
    });
  }

  get port(): number {
    const address = this.server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  async listen(port: number, host: string | undefined): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen({ port, ...(host === undefined ? {} : { host }) }, () => {
        this.server.removeListener('error', reject);
        resolve();
      });
    });
    // A failed accept (no descriptors left, for one) costs that caller only.
    this.server.on('error', (cause) => this.options.onRefused?.('', cause.message));
  }

  setIdentity(identity: Identity): void {
    this.identity = identity;
    this.tlsServer.setSecureContext(tlsOptions(identity));
  }

  async close(): Promise<void> {
    this.server.close();
    for (const caller of [...this.pending.values()]) this.refuse(caller, 'the server is stopping');
  }

  private accept(socket: net.Socket): void {
    const address = plainAddress(socket.remoteAddress);
    // An error of a socket that is given up here or was handed over is told by its 'close' or by its new owner.
    socket.on('error', () => {});
    if (socket.remotePort === undefined) {
      // It was reset before it was accepted.
      socket.destroy();
      return;
    }
    const fromThere = [...this.pending.values()].filter((caller) => caller.address === address).length;
    if (fromThere >= this.limits.pendingPerAddressMax) {
      socket.destroy();
      this.options.onRefused?.(address, 'too many unidentified connections from this address');
      return;
    }
    const oldest = this.pending.size >= this.limits.pendingMax ? [...this.pending.values()][0] : undefined;
    if (oldest !== undefined) this.refuse(oldest, 'pushed out by later connections before it was identified');

    const tooLate = (): void => this.refuse(caller, 'it did not say in time what it speaks');
    const caller: Caller = { socket, address, timer: setTimeout(tooLate, this.limits.firstBytesMs) };
    this.pending.set(farEnd(socket), caller);
    if (this.options.allowPlain(address) && this.options.expectsGreeting?.(address) === true) {
      clearTimeout(caller.timer);
      caller.timer = setTimeout(() => {
        socket.removeListener('data', onHead);
        socket.removeListener('end', gone);
        if (head.length > 0) socket.unshift(head);
        socket.pause();
        this.greet(caller);
      }, this.limits.silentMs);
    }
    const gone = (): void => this.refuse(caller, 'it was closed before it was identified');
    socket.once('close', gone);
    socket.once('end', gone);
    let head = Buffer.alloc(0);
    const onHead = (bytes: Buffer): void => {
      head = Buffer.concat([head, bytes]);
      if (head.length < 2) return;
      socket.removeListener('data', onHead);
      socket.removeListener('end', gone);
      socket.pause();
      socket.unshift(head);
      this.sort(caller, head);
    };
    socket.on('data', onHead);
  }

  /** RFC 8446 5.1: a handshake record begins with 22 and 3. As the length of a failover message that would be too long. */
  private sort(caller: Caller, head: Buffer): void {
    if (head[0] === 22 && head[1] === 3) {
      clearTimeout(caller.timer);
      const tooLate = (): void => this.refuse(caller, 'the TLS handshake took too long');
      caller.timer = setTimeout(tooLate, this.limits.handshakeMs);
      this.tlsServer.emit('connection', caller.socket);
      return;
    }
    if (!this.options.allowPlain(caller.address)) {
      this.refuse(caller, 'it does not begin with TLS, and no relationship has a foreign partner at this address');
      return;
    }
    this.greet(caller);
  }

  private greet(caller: Caller): void {
    if (this.admit(caller)) this.options.onConnection(plainConnection(caller.socket));
  }

  private identify(socket: tls.TLSSocket): void {
    const caller = this.pending.get(farEnd(socket));
    if (caller === undefined) {
      socket.destroy();
      return;
    }
    const peer = findPeer(socket, this.identity);
    if (peer.kind === 'refused') {
      this.refuse(caller, peer.why);
      return;
    }
    const isKnown = this.options.allowKey(peer.peerKey, peer.alpn);
    if (!isKnown && !(peer.alpn === 'twinlease-manage/1' && this.options.allowUnknown())) {
      this.refuse(caller, `the key ${peer.peerKey} is not known here for ${peer.alpn}`);
      return;
    }
    if (this.admit(caller)) this.options.onConnection(tlsConnection(socket, { ...peer, isKnown }));
  }

  private admit(caller: Caller): boolean {
    if (this.establishedCount >= this.limits.establishedMax) {
      this.refuse(caller, 'too many connections');
      return false;
    }
    this.forget(caller);
    this.establishedCount++;
    caller.socket.once('close', () => this.establishedCount--);
    return true;
  }

  /** Does nothing for a caller that was let in or turned away before. */
  private refuse(caller: Caller, why: string): void {
    if (!this.forget(caller)) return;
    caller.socket.destroy();
    this.options.onRefused?.(caller.address, why);
  }

  private forget(caller: Caller): boolean {
    clearTimeout(caller.timer);
    for (const [name, waiting] of this.pending) if (waiting === caller) return this.pending.delete(name);
    return false;
  }
}

/** Unique among the connections of one port. */
function farEnd(socket: net.Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}
