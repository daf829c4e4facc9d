import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { decodeMessage, encodeMessage, peekConnect } from '../../../src/wire/failover/codec.ts';
import {
  type DigestKey,
  digestOverhead,
  draftDigestKey,
  type Hmac,
  isSameDigest,
  ownDigestKey,
  seal,
  windowsDigestKeys,
} from '../../../src/wire/failover/digest.ts';
import type { FailoverMessage } from '../../../src/wire/failover/messages.ts';
import type { EpochSec } from '../../../src/wire/units.ts';
import { hex } from './vectors.ts';

const hmac: Hmac = (algorithm, key, data) => new Uint8Array(createHmac(algorithm, key).update(data).digest());
const contact: FailoverMessage = { kind: 'contact', sentAt: 0x6b048097 as EpochSec, xid: 26 };
const connect: FailoverMessage = {
  kind: 'connect',
  sentAt: 0x6b048097 as EpochSec,
  xid: 0,
  relationshipName: 'pair',
};

function verdict(frame: Uint8Array, digest: DigestKey | undefined): string {
  const read = decodeMessage(frame, 'twinlease', digest);
  return read.kind === 'refused' ? read.rejectReason : read.kind;
}

test('our digest is HMAC-SHA-256 of the whole message with the digest bytes zero, as first option', () => {
  const frame = encodeMessage(connect, 'twinlease', ownDigestKey('geheim', hmac));
  const start = hex('0039 05 0c 6b048097 00000000 0011 0021 02');
  assert.deepEqual(frame.slice(0, start.length), start);
  assert.deepEqual(frame.slice(start.length + 32), hex('0016 0004 70616972'));
  const zeroed = frame.slice();
  zeroed.fill(0, start.length, start.length + 32);
  const expected = createHmac('sha256', Buffer.from('geheim', 'utf8')).update(zeroed).digest();
  assert.deepEqual(frame.slice(start.length, start.length + 32), new Uint8Array(expected));
});

test('the draft’s digest is HMAC-MD5 of the message followed by the secret', () => {
  const frame = encodeMessage(contact, 'draft', draftDigestKey('geheim', hmac));
  const start = hex('0021 0b 0c 6b048097 0000001a 0011 0011 01');
  assert.deepEqual(frame.slice(0, start.length), start);
  const data = Buffer.concat([start, new Uint8Array(16), Buffer.from('geheim')]);
  const expected = createHmac('md5', Buffer.from('geheim')).update(data).digest();
  assert.deepEqual(frame.slice(start.length), new Uint8Array(expected));
});

test('a missing, a wrong, an unknown and an unexpected digest are refused with the draft’s reasons', () => {
  const key = ownDigestKey('geheim', hmac);
  const frame = encodeMessage(contact, 'twinlease', key);
  assert.equal(verdict(frame, key), 'ok');
  assert.equal(verdict(encodeMessage(contact, 'twinlease'), key), 'digest-missing');
  assert.equal(verdict(frame, ownDigestKey('anders', hmac)), 'digest-does-not-compare');
  assert.equal(verdict(frame, draftDigestKey('geheim', hmac)), 'digest-not-supported');
  assert.equal(verdict(frame, undefined), 'digest-not-configured');
});

test('a refusal names the message, so that it can be answered', () => {
  const frame = encodeMessage(connect, 'twinlease', ownDigestKey('geheim', hmac));
  assert.deepEqual(decodeMessage(frame, 'twinlease'), {
    kind: 'refused',
    rejectReason: 'digest-not-configured',
    why: 'message digest',
    messageKind: 'connect',
    xid: 0,
  });
});

test('a digest that is not the first option is refused by a key that wants it there', () => {
  const key = ownDigestKey('geheim', hmac);
  const last = seal(encodeMessage(connect, 'twinlease'), { ...key, position: 'last' });
  assert.equal(verdict(last, key), 'digest-does-not-compare');
  assert.equal(verdict(last, { ...key, position: 'last' }), 'ok');
});

test('a second digest does not hide a changed message', () => {
  const key = ownDigestKey('geheim', hmac);
  const sealed = seal(encodeMessage(contact, 'twinlease', key), { ...key, hmac: () => new Uint8Array(32) });
  assert.equal(verdict(sealed, key), 'digest-does-not-compare');
});

test('dhcpd’s dialect passes over a digest, as dhcpd does', () => {
  const frame = encodeMessage(contact, 'isc', ownDigestKey('geheim', hmac));
  assert.equal(decodeMessage(frame, 'isc').kind, 'ok');
});

test('the relationship of a sealed CONNECT can be learned before the key is known', () => {
  const frame = encodeMessage(connect, 'twinlease', ownDigestKey('geheim', hmac));
  assert.equal(peekConnect(frame, 'twinlease')?.relationshipName, 'pair');
  assert.equal(peekConnect(encodeMessage(contact, 'twinlease'), 'twinlease'), undefined);
  assert.equal(peekConnect(frame.subarray(0, 20), 'twinlease'), undefined);
});

test('the search over Windows’s schemes has 18 of them and begins with the likeliest', () => {
  const keys = windowsDigestKeys('geheim', hmac);
  assert.equal(keys.length, 18);
  assert.equal(keys[0]!.name, 'sha256/first/zeroed/utf-16le');
  assert.equal(new Set(keys.map((key) => key.name)).size, 18);
});

test('with a secret longer than a hash block each of Windows’s schemes is told from the others', () => {
  const keys = windowsDigestKeys('g'.repeat(70), hmac);
  for (const used of keys) {
    const frame = encodeMessage(connect, 'msft', used);
    const found = keys.filter((key) => decodeMessage(frame, 'msft', key).kind === 'ok');
    assert.deepEqual(
      found.map((key) => key.name),
      [used.name],
    );
  }
});

test('with a short secret a scheme is taken for another only when both write the same bytes', () => {
  const keys = windowsDigestKeys('geheim', hmac);
  for (const used of keys) {
    const frame = encodeMessage(connect, 'msft', used);
    const found = keys.filter((key) => decodeMessage(frame, 'msft', key).kind === 'ok');
    assert.ok(found.includes(used), used.name);
    for (const key of found) assert.deepEqual(encodeMessage(connect, 'msft', key), frame, key.name);
  }
});

test('sealing adds the announced number of bytes', () => {
  const plainFrame = encodeMessage(connect, 'msft');
  for (const key of [...windowsDigestKeys('s', hmac), draftDigestKey('s', hmac)]) {
    assert.equal(seal(plainFrame, key).length, plainFrame.length + digestOverhead(key));
  }
});

test('digests are the same only when every byte is', () => {
  assert.equal(isSameDigest(hex('010203'), hex('010203')), true);
  assert.equal(isSameDigest(hex('010203'), hex('010283')), false);
  assert.equal(isSameDigest(hex('010203'), hex('0102')), false);
});
