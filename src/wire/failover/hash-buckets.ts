/**
 * Which of the two servers answers a client: the hash of RFC 3074 and the 32 bytes that assign its 256 buckets
 * (failover specification 8.1, 8.2). The `secs` override and hot standby are rules of `core/failover`.
 */
import { assert, fromHex } from '../units.ts';

export const BUCKET_COUNT = 256;
export const HASH_BUCKETS_BYTES = BUCKET_COUNT / 8;

/** The mixing table of RFC 3074, a permutation of 0 .. 255, 32 entries to a line. */
const MIX = mixingTable(
  'fbaf77d7510e4fbf6731b58fba9d00e81f20373c983a11edae46a090dc5a39df' +
    '3b03128c6fa6cbc486f37c5fdeb3c541b430240f6b2ee982a51e7ba1d1176110' +
    '285bdb3d640ad26dfa7f168a1d6cf443cf09b2cc4a627ef9a774224dc1c87905' +
    '14714723800db65e19e2e3c74b1b29f5e6e02be1b11a9b96d48eda73f1495869' +
    '27723effc0c991d6a89edd949a7a0c5452a32c8be4eccdf2d90bbb929f4056ef' +
    'c32a6ac67670b8ac5702ad75b0e5f7fd89b963a466932d42e7348dd3c2cef6ee' +
    '386e4ef83ff0bd5d5c3335b713ab48322168654508fc53784c875536ca7dbcd5' +
    '60eb88d0a281be849c262f0107fe1804d88359151c8525999550aa4406a9ea97',
);

/** RFC 3074: from the last byte to the first, beginning with the length. An empty key gives 0. */
export function bucketOf(key: Uint8Array): number {
  let bucket = key.length & 0xff;
  for (let i = key.length - 1; i >= 0; i--) bucket = MIX[bucket ^ key[i]!]!;
  return bucket;
}

/**
 * What is hashed for a client: the contents of option 61, type octet included, when it sent one; else its hardware
 * address without hardware type. Windows is thought to hash the hardware address always (specification 11.1 W7): then
 * leave `clientId` out.
 */
export function bucketKey(clientId: Uint8Array | undefined, chaddr: Uint8Array): Uint8Array {
  return clientId ?? chaddr;
}

/** Buckets 0 .. n-1 are set for n of 256, as dhcpd's `split n` does; a set bit means that the primary serves. */
export function hashBucketsForSplit(bucketCount: number): Uint8Array {
  const buckets = new Uint8Array(HASH_BUCKETS_BYTES);
  const count = Math.min(Math.max(Math.trunc(bucketCount), 0), BUCKET_COUNT);
  for (let bucket = 0; bucket < count; bucket++) buckets[bucket >> 3]! |= 1 << (bucket & 7);
  return buckets;
}

/** The primary's share of the clients in percent, 0 .. 100. */
export function hashBucketsForPercent(percent: number): Uint8Array {
  return hashBucketsForSplit(Math.round((BUCKET_COUNT * percent) / 100));
}

/** Bucket b is byte b >> 3, bit b & 7, least significant bit 0. */
export function isSet(buckets: Uint8Array, bucket: number): boolean {
  return ((buckets[bucket >> 3] ?? 0) & (1 << (bucket & 7))) !== 0;
}

/** The opposite assignment: the draft's polarity from dhcpd's, and back (specification 8.2). */
export function inverted(buckets: Uint8Array): Uint8Array {
  return buckets.map((octet) => ~octet);
}

/** How many of the 256 buckets the primary serves. */
export function countSet(buckets: Uint8Array): number {
  let count = 0;
  for (let bucket = 0; bucket < BUCKET_COUNT; bucket++) if (isSet(buckets, bucket)) count++;
  return count;
}

function mixingTable(digits: string): Uint8Array {
  const table = fromHex(digits);
  assert(table?.length === BUCKET_COUNT, 'the mixing table has 256 entries');
  return table;
}
