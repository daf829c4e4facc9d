/**
 * Calls a partner: over TLS 1.3 with both keys proved, or plainly for a partner of another make. A call ends in a connection or in
 * a reason, within a limited time. TCP keepalive stays off, because the contacts of the failover protocol do its work.
 */
import net from 'node:net';
import tls from 'node:tls';
import { assert } from '../wire/units.ts';
import {
  type PartnerAlpn,
  type PlainConnection,
  plainConnection,
  type TlsConnection,
  tlsConnection,
} from './connection.ts';
import type { Identity } from './identity.ts';
import { findPeer, type PeerRefused, tlsOptions } from './peer-tls.ts';

/** From the first packet to the end of the handshake. */
export const DIAL_TIMEOUT_MS = 10_000;

export interface DialFailed {
  readonly kind: 'failed';
  /** `unreachable`: nothing could be opened or it broke off; `timeout`; else the handshake was done, and the far end is not who it has to be. */
  readonly reason: 'unreachable' | 'timeout' | 'wrong-key' | PeerRefused['reason'];
  readonly why: string;
}
export type Dialled<C> = { readonly kind: 'ok'; readonly connection: C } | DialFailed;

export interface DialPlace {
  readonly host: string;
  readonly port: number;
  /** Partners of another make know a server by the address it calls from. */
  readonly localAddress?: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface DialPartnerOptions extends DialPlace {
  readonly alpn: PartnerAlpn;
  /** Undefined only for pairing, where the far end is not known yet; so never for a link. */
  readonly expectKey: string | undefined;
  readonly identity: Identity;
}

/**
 * Never rejects. The far end checks our key only after the handshake is done on this side (RFC 8446 2), so that a refusal by it
 * shows as a connection that closes before the first byte.
 */
export async function dialPartner(options: DialPartnerOptions): Promise<Dialled<TlsConnection>> {
  assert(
    options.expectKey !== undefined || options.alpn === 'twinlease-manage/1',
    'a link is opened to a known key only',
  );
  const socket = tls.connect({
    ...place(options),
    ...tlsOptions(options.identity),
    ALPNProtocols: [options.alpn],
    // The check is ours, by key; the name only spares the resolver's name from being sent in clear.
    rejectUnauthorized: false,
    servername: 'twinlease',
  });
  return settle(socket, 'secureConnect', options, () => {
    const peer = findPeer(socket, options.identity);
    if (peer.kind === 'refused') return { kind: 'failed', reason: peer.reason, why: peer.why };
    if (options.expectKey !== undefined && peer.peerKey !== options.expectKey) {
      return { kind: 'failed', reason: 'wrong-key', why: `the far end has the key ${peer.peerKey}, not the partner's` };
    }
    const isKnown = options.expectKey !== undefined;
    return { kind: 'ok', connection: tlsConnection(socket, { ...peer, isKnown }) };
  });
}

/** Calls a partner of another make. Never rejects. */
export async function dialPlain(options: DialPlace): Promise<Dialled<PlainConnection>> {
  const socket = net.connect(place(options));
  return settle(socket, 'connect', options, () => ({ kind: 'ok', connection: plainConnection(socket) }));
}

function place(options: DialPlace): net.TcpNetConnectOpts {
  const { host, port, localAddress } = options;
  return { host, port, noDelay: true, keepAlive: false, ...(localAddress === undefined ? {} : { localAddress }) };
}

function settle<C>(
  socket: net.Socket,
  readyEvent: 'connect' | 'secureConnect',
  options: DialPlace,
  ready: () => Dialled<C>,
): Promise<Dialled<C>> {
  return new Promise((resolve) => {
    const timeoutMs = options.timeoutMs ?? DIAL_TIMEOUT_MS;
    const finish = (result: Dialled<C>): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', onAbort);
      socket.removeListener('close', onClosed);
      if (result.kind === 'failed') socket.destroy();
      resolve(result);
    };
    const fail = (reason: DialFailed['reason'], why: string): void => finish({ kind: 'failed', reason, why });
    const onAbort = (): void => fail('unreachable', 'the call was given up');
    const onClosed = (): void => fail('unreachable', 'the far end closed the connection during the handshake');
    const timer = setTimeout(() => fail('timeout', `no answer within ${timeoutMs} ms`), timeoutMs);
    // Stays for good: what breaks later is told by the connection's own listener.
    socket.on('error', (cause) => fail('unreachable', cause.message));
    socket.once('close', onClosed);
    socket.once(readyEvent, () => finish(ready()));
    options.signal?.addEventListener('abort', onAbort);
    if (options.signal?.aborted === true) onAbort();
  });
}
