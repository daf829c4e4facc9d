/**
 * What this server is known by: a key and a self-signed certificate, made when first started and kept in the identity
 * directory, private to the service user (design, part 5 "Trust"). A change of the pair goes through a third file that holds
 * both, so that a crash between the two never leaves a key without its certificate.
 */
import { X509Certificate } from 'node:crypto';
import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type Identity, keyOf, makeIdentity } from '../net/identity.ts';
import { nodeFileLayer } from '../store/file-layer.ts';
import { readPrivateText, writePrivateText } from './private-files.ts';

export type { Identity };

export const KEY_FILE = 'key.pem';
export const CERTIFICATE_FILE = 'certificate.pem';
/** There only while key and certificate are being replaced; what is in it is already in force. */
export const NEXT_IDENTITY_FILE = 'identity-next.json';

export async function loadIdentity(directory: string): Promise<Identity> {
  const unfinished = await readPrivateText(join(directory, NEXT_IDENTITY_FILE));
  if (unfinished !== undefined) {
    const identity = readNext(directory, unfinished);
    await replaceFiles(directory, identity);
    return identity;
  }
  const privateKeyPem = await readPrivateText(join(directory, KEY_FILE));
  const certificatePem = await readPrivateText(join(directory, CERTIFICATE_FILE));
  if (privateKeyPem !== undefined && certificatePem !== undefined) {
    return { privateKeyPem, certificatePem, key: keyOf(new X509Certificate(certificatePem)) };
  }
  if (privateKeyPem !== undefined || certificatePem !== undefined) {
    throw new Error(
      `${directory} holds only one of ${KEY_FILE} and ${CERTIFICATE_FILE}. Restore the other, or remove it and introduce this server anew.`,
    );
  }
  const identity = makeIdentity();
  await storeIdentity(directory, identity);
  return identity;
}

/** Replaces the identity. It is this server's from the first durable write on, also when the process ends in the middle. */
export async function storeIdentity(directory: string, identity: Identity): Promise<void> {
  const { privateKeyPem, certificatePem } = identity;
  await writePrivateText(join(directory, NEXT_IDENTITY_FILE), JSON.stringify({ privateKeyPem, certificatePem }));
  await replaceFiles(directory, identity);
}

async function replaceFiles(directory: string, identity: Identity): Promise<void> {
  await writePrivateText(join(directory, KEY_FILE), identity.privateKeyPem);
  await writePrivateText(join(directory, CERTIFICATE_FILE), identity.certificatePem);
  await unlink(join(directory, NEXT_IDENTITY_FILE));
  await nodeFileLayer.syncDirectory(directory);
}

function readNext(directory: string, text: string): Identity {
  const { privateKeyPem, certificatePem } = JSON.parse(text) as Record<string, unknown>;
  if (typeof privateKeyPem !== 'string' || typeof certificatePem !== 'string') {
    throw new Error(
      `${join(directory, NEXT_IDENTITY_FILE)} is not what this program wrote. Restore the identity directory.`,
    );
  }
  return { privateKeyPem, certificatePem, key: keyOf(new X509Certificate(certificatePem)) };
}
