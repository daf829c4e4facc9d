/**
 * A server's identity: a P-256 key and a certificate that it signs itself, made once when it first starts. The certificate only
 * carries the key through TLS: partners know each other by the hash of the key, so name and dates say nothing, and the dates
 * reach from 1970 to the end of 9999 so that no clock can make it invalid (RFC 5280 4.1).
 */
import { createHash, generateKeyPairSync, randomBytes, sign, X509Certificate } from 'node:crypto';

export interface Identity {
  /** PKCS #8. */
  readonly privateKeyPem: string;
  readonly certificatePem: string;
  /** What partners know this server by: see `keyOf`. */
  readonly key: string;
}

const COMMON_NAME = 'twinlease';
const SERIAL_BYTES = 16;

// X.690: identifier octets.
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OBJECT_IDENTIFIER = 0x06;
const UTF8_STRING = 0x0c;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
const SEQUENCE = 0x30;
const SET = 0x31;
const EXPLICIT_0 = 0xa0;

/** 1.2.840.10045.4.3.2, ecdsa-with-SHA256: RFC 5758 3.2. */
const ECDSA_WITH_SHA256 = Buffer.from('2a8648ce3d040302', 'hex');
/** 2.5.4.3, id-at-commonName. */
const ID_COMMON_NAME = Buffer.from('550403', 'hex');

/** Makes a new identity; two calls never give the same. */
export function makeIdentity(): Identity {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = der(SEQUENCE, der(OBJECT_IDENTIFIER, ECDSA_WITH_SHA256));
  const nameAttribute = der(
    SEQUENCE,
    der(OBJECT_IDENTIFIER, ID_COMMON_NAME),
    der(UTF8_STRING, Buffer.from(COMMON_NAME)),
  );
  const name = der(SEQUENCE, der(SET, nameAttribute));
  // RFC 5280 4.1.2.5: dates before 2050 are UTCTime, and 99991231235959Z means that there is no end.
  const validity = der(
    SEQUENCE,
    der(UTC_TIME, Buffer.from('700101000000Z')),
    der(GENERALIZED_TIME, Buffer.from('99991231235959Z')),
  );
  const toBeSigned = der(
    SEQUENCE,
    der(EXPLICIT_0, der(INTEGER, Buffer.from([2]))),
    der(INTEGER, serialNumber()),
    algorithm,
    name,
    validity,
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
  );
  const signature = sign('sha256', toBeSigned, privateKey);
  // X.690 8.6.2.2: the first octet counts the unused bits, of which there are none.
  const certificate = der(SEQUENCE, toBeSigned, algorithm, der(BIT_STRING, Buffer.from([0]), signature));
  const parsed = new X509Certificate(certificate);
  return {
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    certificatePem: parsed.toString(),
    key: keyOf(parsed),
  };
}

/** The SHA-256 of the certificate's SubjectPublicKeyInfo, in lower-case hexadecimal. */
export function keyOf(certificate: X509Certificate): string {
  return createHash('sha256')
    .update(certificate.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

/** RFC 5280 4.1.2.2: positive, not zero, at most 20 octets; the top two bits make it so in its shortest form. */
function serialNumber(): Buffer {
  const serial = randomBytes(SERIAL_BYTES);
  serial[0] = (serial[0]! & 0x3f) | 0x40;
  return serial;
}

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), derLength(content.length), content]);
}

/** X.690 10.1: the definite form in the fewest octets. */
function derLength(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  if (length < 0x100) return Buffer.from([0x81, length]);
  return Buffer.from([0x82, length >>> 8, length & 0xff]);
}
