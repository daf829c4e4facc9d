/**
 * Message digests (failover specification 1.12, 3.6, 11.3): where option 17 stands, what it covers, and how it is
 * checked. The keyed hash itself comes from outside, because this part imports no cryptography.
 */
import { bad, type Read } from '../units.ts';
import { writeU16 } from './bytes.ts';
import { HEADER_BYTES } from './framer.ts';
import { listOptions, OPTION_HEADER_BYTES, type RawOption } from './options.ts';
import { utf8Bytes, utf16Bytes } from './text.ts';
import {
  WINDOWS_DIGEST_COVERAGES,
  WINDOWS_DIGEST_POSITIONS,
  WINDOWS_DIGEST_TYPE,
  WINDOWS_SECRET_ENCODINGS,
} from './unverified.ts';

const DIGEST_CODE = 17;
/** The draft's only type is HMAC-MD5. We write the same for SHA-256 as Windows (specification 3.6). */
const TYPE_MD5 = 1;
const TYPE_SHA256 = WINDOWS_DIGEST_TYPE;
const MD5_BYTES = 16;
const SHA256_BYTES = 32;

/** HMAC of RFC 2104 with the named hash. */
export type Hmac = (algorithm: 'md5' | 'sha256', key: Uint8Array, data: Uint8Array) => Uint8Array;

/** How the messages of one relationship are authenticated. Made by the functions below, or by hand for a new dialect. */
export interface DigestKey {
  /** Tells the scheme apart from others with the same secret, so that a combination once found can be kept. */
  readonly name: string;
  /** First byte of option 17. */
  readonly type: number;
  readonly digestBytes: number;
  readonly position: 'first' | 'last';
  /**
   * `zeroed`: the whole message with the digest bytes zero. `zeroed-and-secret`: the same followed by the secret.
   * `removed`: the message as it was before option 17 was put in, with its shorter length.
   */
  readonly coverage: 'zeroed' | 'zeroed-and-secret' | 'removed';
  readonly secret: Uint8Array;
  /** The keyed hash of the data, `digestBytes` long. */
  readonly hmac: (data: Uint8Array) => Uint8Array;
}

/** Between Twinlease servers: HMAC-SHA-256, type 2, first option, digest bytes zero, key = secret in UTF-8 (11.3). */
export function ownDigestKey(secret: string, hmac: Hmac): DigestKey {
  return sha256Key('first', 'zeroed', 'utf-8', utf8Bytes(secret), hmac);
}

/** As draft-12 says: HMAC-MD5, type 1, first option, over the zeroed message followed by the secret. */
export function draftDigestKey(secret: string, hmac: Hmac): DigestKey {
  const key = utf8Bytes(secret);
  return {
    name: 'draft',
    type: TYPE_MD5,
    digestBytes: MD5_BYTES,
    position: 'first',
    coverage: 'zeroed-and-secret',
    secret: key,
    hmac: (data) => hmac('md5', key, data),
  };
}

/**
 * The ways in which Windows may do it, likeliest first (specification 3.6, 11.1 W1). The first that verifies a received
 * message is to be kept with the relationship; a primary, who sends first, tries them on successive connections. HMAC
 * fills a short key with zeros (RFC 2104), so a final NUL often makes no difference, and then either name is right.
 */
export function windowsDigestKeys(secret: string, hmac: Hmac): readonly DigestKey[] {
  const bytes = {
    'utf-16le': utf16Bytes(secret),
    'utf-16le-nul': utf16Bytes(`${secret}\0`),
    'utf-8': utf8Bytes(secret),
  } as const satisfies Record<(typeof WINDOWS_SECRET_ENCODINGS)[number], Uint8Array>;
  const keys: DigestKey[] = [];
  for (const encoding of WINDOWS_SECRET_ENCODINGS)
    for (const position of WINDOWS_DIGEST_POSITIONS)
      for (const coverage of WINDOWS_DIGEST_COVERAGES)
        keys.push(sha256Key(position, coverage, encoding, bytes[encoding], hmac));
  return keys;
}

function sha256Key(
  position: DigestKey['position'],
  coverage: DigestKey['coverage'],
  encoding: string,
  secret: Uint8Array,
  hmac: Hmac,
): DigestKey {
  return {
    name: `sha256/${position}/${coverage}/${encoding}`,
    type: TYPE_SHA256,
    digestBytes: SHA256_BYTES,
    position,
    coverage,
    secret,
    hmac: (data) => hmac('sha256', secret, data),
  };
}

/** Bytes that `seal` adds to a frame. */
export function digestOverhead(key: DigestKey): number {
  return OPTION_HEADER_BYTES + 1 + key.digestBytes;
}

/** Puts option 17 into a finished message. The frame must have a header of 12 bytes and no option 17. */
export function seal(frame: Uint8Array, key: DigestKey): Uint8Array {
  const overhead = digestOverhead(key);
  const at = key.position === 'first' ? HEADER_BYTES : frame.length;
  const sealed = new Uint8Array(frame.length + overhead);
  sealed.set(frame.subarray(0, at));
  sealed.set(frame.subarray(at), at + overhead);
  writeU16(sealed.length, sealed, 0);
  writeU16(DIGEST_CODE, sealed, at);
  writeU16(1 + key.digestBytes, sealed, at + 2);
  sealed[at + OPTION_HEADER_BYTES] = key.type;
  const digest = key.hmac(key.coverage === 'removed' ? frame : covered(sealed, key));
  sealed.set(digest.subarray(0, key.digestBytes), at + OPTION_HEADER_BYTES + 1);
  return sealed;
}

export type DigestVerdict = 'good' | 'digest-missing' | 'digest-not-supported' | 'digest-does-not-compare';

/** Checks a received message whose options begin at `from`. The verdicts but `good` are the draft's reject reasons. */
export function checkDigest(frame: Uint8Array, from: number, key: DigestKey): Read<DigestVerdict> {
  const found = findDigest(frame, from);
  if (found.kind === 'bad') return found;
  const option = found.value;
  if (option === undefined) return { kind: 'ok', value: 'digest-missing' };
  if (option.end === option.dataAt) return bad('option message-digest has a wrong length', option.at);
  if (frame[option.dataAt] !== key.type) return { kind: 'ok', value: 'digest-not-supported' };
  const isInPlace = key.position === 'first' ? option.at === from : option.end === frame.length;
  const received = frame.subarray(option.dataAt + 1, option.end);
  if (!isInPlace || received.length !== key.digestBytes) return { kind: 'ok', value: 'digest-does-not-compare' };
  const expected = key.hmac(coveredOf(frame, option, key));
  return { kind: 'ok', value: isSameDigest(received, expected) ? 'good' : 'digest-does-not-compare' };
}

/** The first option 17 of a message, if it has one. */
export function findDigest(frame: Uint8Array, from: number): Read<RawOption | undefined> {
  const listed = listOptions(frame, from);
  if (listed.kind === 'bad') return listed;
  return { kind: 'ok', value: digestAmong(listed.value) };
}

function digestAmong(options: readonly RawOption[]): RawOption | undefined {
  for (const option of options) if (option.code === DIGEST_CODE) return option;
  return undefined;
}

function coveredOf(frame: Uint8Array, option: RawOption, key: DigestKey): Uint8Array {
  if (key.coverage === 'removed') {
    const plain = new Uint8Array(frame.length - (option.end - option.at));
    plain.set(frame.subarray(0, option.at));
    plain.set(frame.subarray(option.end), option.at);
    writeU16(plain.length, plain, 0);
    return plain;
  }
  const zeroed = frame.slice();
  zeroed.fill(0, option.dataAt + 1, option.end);
  return covered(zeroed, key);
}

function covered(zeroed: Uint8Array, key: DigestKey): Uint8Array {
  if (key.coverage !== 'zeroed-and-secret') return zeroed;
  const data = new Uint8Array(zeroed.length + key.secret.length);
  data.set(zeroed);
  data.set(key.secret, zeroed.length);
  return data;
}

/** Takes the same time wherever the first difference is, so that a guesser learns nothing from it. */
export function isSameDigest(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}
