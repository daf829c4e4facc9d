import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import {
  bucketKey,
  bucketOf,
  countSet,
  hashBucketsForPercent,
  hashBucketsForSplit,
  inverted,
  isSet,
} from '../../../src/wire/failover/hash-buckets.ts';
import { toHex } from '../../../src/wire/units.ts';
import { hex } from './vectors.ts';

/** Failover specification 8.3; recovered bit by bit from dhcpd 4.4.3-P1, except for the last five. */
const VECTORS: readonly (readonly [key: string, bucket: number])[] = [
  ['02 00 00 00 00 00', 4],
  ['02 ff ff ff ff ff', 68],
  ['00 11 22 33 44 55', 135],
  ['00 16 3e 5e 6c 00', 108],
  ['02 77 aa 00 00 00', 183],
  ['02 77 aa 00 00 03', 34],
  ['52 54 00 12 ab cd', 112],
  ['aa bb cc dd ee ff', 57],
  ['01 00 11 22 33 44 55', 223],
  ['01 02 77 aa 00 00 03', 234],
  ['ff 00 11 22 33 00 01 00 01 2a 3b 4c 5d 00 11 22 33 44 55', 128],
  ['00 68 6f 73 74 2d 61', 80],
  ['00', 175],
  ['6162636465666768696a6b6c6d6e6f707172737475767778797a', 253],
  ['00 00 00 00 00 00', 254],
  ['ff ff ff ff ff ff', 79],
  ['', 0],
  ['c0 ff ee', 245],
  ['00 11 22 33 44 55 66 77', 208],
];

for (const [key, bucket] of VECTORS) {
  test(`the key ${key === '' ? '(empty)' : key} falls into bucket ${bucket}`, () => {
    assert.equal(bucketOf(hex(key)), bucket);
  });
}

test('the 24 clients that were seen answered by dhcpd fall into their buckets', () => {
  const seen = [
    194, 211, 253, 191, 14, 209, 25, 124, 71, 176, 100, 81, 170, 57, 220, 254, 171, 34, 141, 200, 28, 203, 115, 218,
  ];
  assert.deepEqual(
    seen.map((_, client) => bucketOf(Uint8Array.of(0x02, 0x77, 0xbb, 0, 0, client))),
    seen,
  );
});

test('the mixing table is that of RFC 3074', () => {
  // A one-byte key b gives T[1 xor b], which shows the whole table.
  const table = Uint8Array.from({ length: 256 }, (_, index) => bucketOf(Uint8Array.of(index ^ 1)));
  assert.equal(
    createHash('sha256').update(table).digest('hex'),
    '50015bcb049a75f57f1224b2d303a4d75485a0de3a772a30e06256daa1c873a7',
  );
});

test('a key longer than 255 bytes begins with its length modulo 256', () => {
  // 256 bytes begin like an empty key, so the last byte is mixed with 0.
  const key = new Uint8Array(256);
  let expected = 0;
  for (let i = 0; i < 256; i++) expected = bucketOf(Uint8Array.of(expected ^ 1));
  assert.equal(bucketOf(key), expected);
});

test('the client-identifier is hashed when there is one, else the hardware address', () => {
  const chaddr = hex('02 77 aa 00 00 03');
  assert.equal(bucketOf(bucketKey(undefined, chaddr)), 34);
  assert.equal(bucketOf(bucketKey(hex('01 02 77 aa 00 00 03'), chaddr)), 234);
});

test('with split 128 the same client goes to the primary by address and to the secondary by identifier', () => {
  const half = hashBucketsForPercent(50);
  assert.equal(isSet(half, 34), true);
  assert.equal(isSet(half, 234), false);
});

/** Failover specification 8.2, as dhcpd writes them. */
const SPLITS: readonly (readonly [split: number, bytes: string])[] = [
  [0, '00'.repeat(32)],
  [1, `01${'00'.repeat(31)}`],
  [128, 'ff'.repeat(16) + '00'.repeat(16)],
  [200, 'ff'.repeat(25) + '00'.repeat(7)],
  [255, `${'ff'.repeat(31)}7f`],
  [256, 'ff'.repeat(32)],
];

for (const [split, bytes] of SPLITS) {
  test(`split ${split} has the bytes of dhcpd`, () => {
    assert.equal(toHex(hashBucketsForSplit(split)), bytes);
    assert.equal(countSet(hashBucketsForSplit(split)), split);
  });
}

test('a percentage sets the nearest number of buckets', () => {
  const counts = [0, 1, 30, 50, 70, 99, 100].map((percent) => countSet(hashBucketsForPercent(percent)));
  assert.deepEqual(counts, [0, 3, 77, 128, 179, 253, 256]);
});

test('the opposite polarity sets exactly the other buckets', () => {
  const buckets = hashBucketsForPercent(30);
  for (let bucket = 0; bucket < 256; bucket++)
    assert.notEqual(isSet(buckets, bucket), isSet(inverted(buckets), bucket));
});
