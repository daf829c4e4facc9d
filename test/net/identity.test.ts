/** The hand-written certificate, checked by OpenSSL's reader. */
import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { keyOf, makeIdentity } from '../../src/net/identity.ts';

test('the certificate is self-signed by its own key, named twinlease, and has no end', () => {
  const identity = makeIdentity();
  const certificate = new X509Certificate(identity.certificatePem);
  assert.equal(certificate.subject, 'CN=twinlease');
  assert.equal(certificate.issuer, 'CN=twinlease');
  assert.equal(certificate.verify(certificate.publicKey), true);
  assert.equal(certificate.checkPrivateKey(createPrivateKey(identity.privateKeyPem)), true);
  assert.equal(certificate.validFrom, 'Jan  1 00:00:00 1970 GMT');
  assert.equal(certificate.validTo, 'Dec 31 23:59:59 9999 GMT');
});

test('the key is the hash of the public key, whatever form the certificate has', () => {
  const identity = makeIdentity();
  const certificate = new X509Certificate(identity.certificatePem);
  assert.match(identity.key, /^[0-9a-f]{64}$/);
  assert.equal(keyOf(new X509Certificate(certificate.raw)), identity.key);
  const own = createPublicKey(createPrivateKey(identity.privateKeyPem));
  assert.equal(certificate.publicKey.equals(own), true);
});

test('serial numbers are positive, in their shortest form, and never the same', () => {
  const serials = new Set<string>();
  for (let i = 0; i < 16; i++) {
    const { serialNumber } = new X509Certificate(makeIdentity().certificatePem);
    assert.match(serialNumber, /^[4-7][0-9A-F]{31}$/);
    serials.add(serialNumber);
  }
  assert.equal(serials.size, 16);
});
