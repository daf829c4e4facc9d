/** The message digest of a relationship that has a shared secret (specification 1.12, 3.6, 11.3). */
import { createHmac } from 'node:crypto';
import type { Relationship } from '../core/config/model.ts';
import { type Decoded, decodeMessage } from '../wire/failover/codec.ts';
import { type DigestKey, draftDigestKey, type Hmac, ownDigestKey, windowsDigestKeys } from '../wire/failover/digest.ts';
import type { WireProfile } from '../wire/failover/messages.ts';
import type { Secrets } from './private-files.ts';

const hmac: Hmac = (algorithm, key, data) => createHmac(algorithm, key).update(data).digest();

/**
 * The ways in which messages of this relationship may be authenticated: none without a secret, one where it is known, and several
 * toward Windows until one has verified; `found` is the name of the one that has. Undefined: there is a secret, but its reference
 * leads nowhere; nothing may be sent or believed then, except inside TLS, where the partner refuses by itself.
 */
export function digestsOf(
  relationship: Relationship,
  secrets: Pick<Secrets, 'get'>,
  found: string | undefined,
): readonly DigestKey[] | undefined {
  const { sharedSecretRef, profile } = relationship;
  if (sharedSecretRef === null) return [];
  const secret = secrets.get(sharedSecretRef);
  if (secret === undefined) return undefined;
  switch (profile) {
    case 'twinlease':
      return [ownDigestKey(secret, hmac)];
    case 'draft':
      return [draftDigestKey(secret, hmac)];
    case 'msft': {
      const all = windowsDigestKeys(secret, hmac);
      const known = all.filter((key) => key.name === found);
      return known.length === 0 ? all : known;
    }
    case 'isc':
      // Specification 1.12: dhcpd never sends a digest and ignores one; the configuration refuses a secret.
      return [];
    default:
      return profile satisfies never;
  }
}

export interface TriedDecoding {
  readonly read: Decoded;
  /** The key that verified the message. */
  readonly key: DigestKey | undefined;
}

/** Reads a message with the first of the keys that verifies it (specification 3.6). Without keys it must carry no digest. */
export function decodeWith(frame: Uint8Array, profile: WireProfile, keys: readonly DigestKey[]): TriedDecoding {
  let read: Decoded | undefined;
  for (const key of keys) {
    read = decodeMessage(frame, profile, key);
    if (read.kind !== 'refused') return { read, key };
  }
  return { read: read ?? decodeMessage(frame, profile), key: undefined };
}
