/**
 * What both ends of a TLS connection between partners have in common: TLS 1.3 only, both sides show a certificate, and the key in
 * it decides, not a certificate authority and not a date, so that a wrong clock cannot stop failover (design, part 5).
 */
import { constants } from 'node:crypto';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import { PARTNER_ALPNS, type PartnerAlpn } from './connection.ts';
import { type Identity, keyOf } from './identity.ts';

/** No tickets: each connection proves both keys anew, so that a key that was taken off the list cannot resume. */
export function tlsOptions(identity: Identity): SecureContextOptions {
  return {
    key: identity.privateKeyPem,
    cert: identity.certificatePem,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

export type PeerFound = { readonly kind: 'ok'; readonly alpn: PartnerAlpn; readonly peerKey: string } | PeerRefused;

export interface PeerRefused {
  readonly kind: 'refused';
  readonly reason: 'no-protocol' | 'no-certificate' | 'own-key';
  readonly why: string;
}

/** Who is at the other end, once the handshake is done and has proved that it holds the key it shows. */
export function findPeer(socket: TLSSocket, identity: Identity): PeerFound {
  const alpn = PARTNER_ALPNS.find((known) => known === socket.alpnProtocol);
  if (alpn === undefined) return refused('no-protocol', 'no protocol of Twinlease was agreed on (ALPN)');
  const peerKey = shownKey(socket);
  if (peerKey === undefined) return refused('no-certificate', 'the far end showed no usable certificate');
  // Two machines with one identity are copies of one disk, and could be taken for each other.
  if (peerKey === identity.key) return refused('own-key', 'the far end has the same identity as this server');
  return { kind: 'ok', alpn, peerKey };
}

function shownKey(socket: TLSSocket): string | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return undefined;
  try {
    return keyOf(certificate);
  } catch {
    // Outside bytes: a kind of key that cannot be written as SubjectPublicKeyInfo is no partner's.
    return undefined;
  }
}

function refused(reason: PeerRefused['reason'], why: string): PeerRefused {
  return { kind: 'refused', reason, why };
}
