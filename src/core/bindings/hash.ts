/**
 * The two hash functions of the binding table. Clients choose their identifiers, so identifiers are hashed with a keyed
 * function (HalfSipHash with one and three rounds): without the seed nobody can make identifiers that collide.
 */

/** A key for `hashBytes`, made from the table's seed. */
export interface HashKey {
  readonly k0: number;
  readonly k1: number;
}

/** Takes up to 53 bits of the seed. */
export function makeHashKey(seed: number): HashKey {
  const k0 = seed >>> 0;
  return { k0, k1: scramble(k0 ^ Math.floor(Math.abs(seed) / 0x100000000)) >>> 0 };
}

/** A bijection of 32-bit numbers in which every bit of the result depends on every bit of the argument. */
export function scramble(n: number): number {
  n ^= n >>> 16;
  n = Math.imul(n, 0x85ebca6b);
  n ^= n >>> 13;
  n = Math.imul(n, 0xc2b2ae35);
  return (n ^ (n >>> 16)) >>> 0;
}

/** HalfSipHash-1-3 of `bytes[from .. from + length)`, unsigned 32 bit. */
export function hashBytes(key: HashKey, bytes: Uint8Array, from: number, length: number): number {
  let v0 = key.k0 | 0;
  let v1 = key.k1 | 0;
  let v2 = 0x6c796765 ^ v0;
  let v3 = 0x74656462 ^ v1;
  const words = length >>> 2;
  let tail = length << 24;
  for (let i = words << 2, shift = 0; i < length; i++, shift += 8) tail |= bytes[from + i]! << shift;
  let at = from;
  // One turn for each word, one for the tail with the length, three to finish (in which m is 0).
  for (let turn = 0; turn < words + 4; turn++) {
    let m = 0;
    if (turn < words) {
      m = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
      at += 4;
    } else if (turn === words) m = tail;
    else if (turn === words + 1) v2 ^= 0xff;
    v3 ^= m;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= m;
  }
  return (v1 ^ v3) >>> 0;
}
