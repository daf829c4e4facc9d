/** The message digest of a relationship that has a shared secret (specification 1.12, 11.3); inside TLS between two of our kind. */
import { createHmac } from 'node:crypto';
import type { Relationship } from '../core/config/model.ts';
import { type DigestKey, type Hmac, ownDigestKey } from '../wire/failover/digest.ts';
import type { Secrets } from './private-files.ts';

const hmac: Hmac = (algorithm, key, data) => createHmac(algorithm, key).update(data).digest();

/** `missing` is called when the reference leads nowhere: the partner will refuse us then, and an operator must give the secret again. */
export function digestOf(
  relationship: Relationship,
  secrets: Pick<Secrets, 'get'>,
  missing: () => void,
): DigestKey | undefined {
  if (relationship.sharedSecretRef === null) return undefined;
  const secret = secrets.get(relationship.sharedSecretRef);
  if (secret !== undefined) return ownDigestKey(secret, hmac);
  missing();
  return undefined;
}
