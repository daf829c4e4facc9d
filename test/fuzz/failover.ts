/**
 * Mutations of captured failover frames through framer, reader and writer in every dialect, from a seed: nothing may
 * throw, and memory may not grow. A finding names its input, so that it can become a vector.
 */
import { createHmac } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { decodeMessage, detectProfile, encodeMessage, peekConnect } from '../../src/wire/failover/codec.ts';
import { type DigestKey, ownDigestKey } from '../../src/wire/failover/digest.ts';
import { FRAME_BYTES_MAX, Framer } from '../../src/wire/failover/framer.ts';
import type { WireProfile } from '../../src/wire/failover/messages.ts';
import { toHex } from '../../src/wire/units.ts';
import { capturedFrames, goldenMessages } from '../wire/failover/vectors.ts';

export interface FuzzOptions {
  readonly iterations: number;
  readonly seed: number;
  readonly onProgress?: (done: number) => void;
}

export interface FuzzResult {
  readonly iterations: number;
  readonly exceptions: { inputHex: string; stack: string }[];
  readonly heapGrowthBytes: number;
}

/** Findings beyond these are only more of the same. */
const EXCEPTIONS_MAX = 20;
const PROGRESS_EVERY = 100_000;
const PROFILES: readonly WireProfile[] = ['twinlease', 'draft', 'isc', 'msft'];
/** One input in so many is checked against a digest, which costs more than all the rest. */
const DIGEST_EVERY = 16;

export function fuzzFailover(options: FuzzOptions): FuzzResult {
  const random = numbersFrom(options.seed);
  const seeds = [...goldenMessages(), ...capturedFrames()].map((vector) => vector.bytes);
  const key = ownDigestKey('fuzz', (algorithm, secret, data) => createHmac(algorithm, secret).update(data).digest());
  for (const profile of PROFILES) {
    // A sealed frame of each dialect among the seeds lets mutations reach the digest.
    const read = decodeMessage(seeds[0]!, 'isc');
    if (read.kind === 'ok') seeds.push(encodeMessage(read.value, profile, key));
  }
  const exceptions: { inputHex: string; stack: string }[] = [];
  // Warm up before measuring, so that compiled code and caches do not count as growth.
  const warmUp = Math.min(Math.floor(options.iterations / 10), PROGRESS_EVERY);
  let heapAtStart = heapUsed();
  for (let done = 0; done < options.iterations; done++) {
    if (done === warmUp) heapAtStart = heapUsed();
    const input = mutated(seeds, random);
    try {
      feed(input, done % DIGEST_EVERY === 0 ? key : undefined, random);
    } catch (error) {
      const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
      exceptions.push({ inputHex: toHex(input), stack });
      if (exceptions.length >= EXCEPTIONS_MAX) return { iterations: done + 1, exceptions, heapGrowthBytes: 0 };
    }
    if ((done + 1) % PROGRESS_EVERY === 0) options.onProgress?.(done + 1);
  }
  return { iterations: options.iterations, exceptions, heapGrowthBytes: heapUsed() - heapAtStart };
}

/** Heap in use after a collection, which has to be asked for: otherwise garbage would count as growth. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

/** Runs one input through everything that outside bytes reach. */
function feed(input: Uint8Array, key: DigestKey | undefined, random: () => number): void {
  const framer = new Framer();
  const cut = random() % (input.length + 1);
  framer.push(input.subarray(0, cut));
  framer.push(input.subarray(cut));
  for (let framed = framer.next(); framed.kind === 'frame'; framed = framer.next()) readFrame(framed.bytes, key);
  // The framer lets no false length through, so the reader is also given the input as it is, and with its length set right.
  readFrame(input, key);
  if (input.length >= 2 && input.length <= FRAME_BYTES_MAX) {
    const fitted = input.slice();
    fitted[0] = input.length >> 8;
    fitted[1] = input.length;
    readFrame(fitted, key);
  }
}

function readFrame(frame: Uint8Array, key: DigestKey | undefined): void {
  detectProfile(frame);
  for (const profile of PROFILES) {
    peekConnect(frame, profile);
    if (key !== undefined) decodeMessage(frame, profile, key);
    const read = decodeMessage(frame, profile);
    if (read.kind !== 'ok') continue;
    // Names may grow when broken UTF-8 was replaced, so only a frame with room to spare must be writable.
    if (3 * frame.length <= FRAME_BYTES_MAX) encodeMessage(read.value, profile);
  }
}

/** A seeded generator of unsigned 32-bit numbers (xorshift); the same seed gives the same run. */
function numbersFrom(seed: number): () => number {
  let state = (seed ^ 0x9e3779b9) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}

const INTERESTING = [0, 1, 2, 3, 4, 7, 8, 11, 12, 16, 32, 127, 128, 254, 255] as const;

function mutated(seeds: readonly Uint8Array[], random: () => number): Uint8Array {
  let input: Uint8Array = seeds[random() % seeds.length]!.slice();
  const changes = random() % 6;
  for (let change = 0; change < changes; change++) {
    if (input.length === 0) return input;
    const place = random() % input.length;
    switch (random() % 7) {
      case 0:
        input[place]! ^= 1 << (random() % 8);
        break;
      case 1:
        input[place] = INTERESTING[random() % INTERESTING.length]!;
        break;
      case 2:
        input[place] = random();
        break;
      case 3:
        input = input.slice(0, place);
        break;
      case 4:
        input = spliced(input, place, input, random);
        break;
      case 5:
        input = spliced(input, place, seeds[random() % seeds.length]!, random);
        break;
      default:
        input = removed(input, place, random);
    }
  }
  return input;
}

/** Puts a piece of `from` into `input`; a BNDUPD thus gets options twice, and several groups. */
function spliced(input: Uint8Array, at: number, from: Uint8Array, random: () => number): Uint8Array {
  const start = random() % from.length;
  const piece = from.subarray(start, start + (random() % 64));
  const result = new Uint8Array(input.length + piece.length);
  result.set(input.subarray(0, at));
  result.set(piece, at);
  result.set(input.subarray(at), at + piece.length);
  return result;
}

function removed(input: Uint8Array, at: number, random: () => number): Uint8Array {
  const count = Math.min(random() % 16, input.length - at);
  const result = new Uint8Array(input.length - count);
  result.set(input.subarray(0, at));
  result.set(input.subarray(at + count), at);
  return result;
}
