/**
 * What this server is known by: a key and a self-signed certificate, made when first started and kept in the identity
 * directory, private to the service user (design, part 5 "Trust").
 */
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { type Identity, keyOf, makeIdentity } from '../net/identity.ts';
import { readPrivateText, writePrivateText } from './private-files.ts';

export type { Identity };

export async function loadIdentity(directory: string): Promise<Identity> {
  const keyPath = join(directory, 'key.pem');
  const certificatePath = join(directory, 'certificate.pem');
  const privateKeyPem = await readPrivateText(keyPath);
  const certificatePem = await readPrivateText(certificatePath);
  if (privateKeyPem !== undefined && certificatePem !== undefined) {
    return { privateKeyPem, certificatePem, key: keyOf(new X509Certificate(certificatePem)) };
  }
  if (privateKeyPem !== undefined || certificatePem !== undefined) {
    throw new Error(
      `${directory} holds only one of key.pem and certificate.pem. Restore the other, or remove it and introduce this server anew.`,
    );
  }
  const identity = makeIdentity();
  await writePrivateText(keyPath, identity.privateKeyPem);
  await writePrivateText(certificatePath, identity.certificatePem);
  return identity;
}
