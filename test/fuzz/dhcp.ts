/**
 * Seeded mutations of captured packets, and of made-up ones with the rarer options, through the whole DHCPv4 wire part:
 * decode, every option's reader, encode, and the law that what was written reads back the same.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { clientIdentityOf, messageTypeOf, userClassesOf } from '../../src/wire/dhcp/build.ts';
import { decodeOption, encodeOption, optionFromText, optionToText } from '../../src/wire/dhcp/options.ts';
import type { DhcpPacket } from '../../src/wire/dhcp/packet.ts';
import { decodeDhcpPacket, encodeDhcpPacket } from '../../src/wire/dhcp/packet-codec.ts';
import { fromHex, ip4, sameBytes, toHex } from '../../src/wire/units.ts';
import { readVectors } from '../wire/dhcp/vectors.ts';

export interface FuzzOptions {
  readonly iterations: number;
  readonly seed: number;
  /** Called about a hundred times. */
  readonly onProgress?: (done: number) => void;
}

export interface FuzzResult {
  readonly iterations: number;
  /** At most `EXCEPTIONS_KEPT_MAX`; the run goes on after one. */
  readonly exceptions: readonly { readonly input: string; readonly stack: string }[];
  /** Heap in use at the end against that after the first tenth, both after a collection. */
  readonly heapGrowthBytes: number;
}

export const EXCEPTIONS_KEPT_MAX = 20;
const INPUT_BYTES_MAX = 1500;
const MUTATIONS_MAX = 6;
/** The dearer checks run for one input in so many. */
const DEEP_EVERY = 16;

/** Runs synchronously. The same seed gives the same inputs. */
export function fuzzDhcp(options: FuzzOptions): FuzzResult {
  const corpus = [...readVectors().map((vector) => vector.bytes), ...madeUpPackets()];
  const random = makeRandom(options.seed);
  const scratch = new Uint8Array(INPUT_BYTES_MAX);
  const exceptions: { input: string; stack: string }[] = [];
  const progressEvery = Math.max(1, Math.floor(options.iterations / 100));
  const warmAt = Math.floor(options.iterations / 10);
  let heapWarm = 0;
  for (let i = 0; i < options.iterations; i++) {
    if (i === warmAt) heapWarm = heapUsed();
    const input = mutate(corpus[random() % corpus.length]!, scratch, random);
    try {
      exercise(input, i % DEEP_EVERY === 0, random);
    } catch (cause) {
      if (exceptions.length < EXCEPTIONS_KEPT_MAX) {
        exceptions.push({ input: toHex(input), stack: cause instanceof Error ? String(cause.stack) : String(cause) });
      }
    }
    if (i % progressEvery === 0) options.onProgress?.(i);
  }
  const heapGrowthBytes = heapUsed() - heapWarm;
  options.onProgress?.(options.iterations);
  return { iterations: options.iterations, exceptions, heapGrowthBytes };
}

function exercise(input: Uint8Array, isDeep: boolean, random: () => number): void {
  const read = decodeDhcpPacket(input);
  if (read.kind === 'bad') {
    if (read.why === '' || read.at < 0 || read.at > Math.max(input.length, 236))
      throw new Error('a refusal without place');
    return;
  }
  const packet = read.value;
  messageTypeOf(packet);
  clientIdentityOf(packet);
  userClassesOf(packet);
  for (const [code, bytes] of packet.options) exerciseOption(code, bytes, isDeep);
  const tight = random() % 4 === 0;
  const written = encodeDhcpPacket(packet, { bytesMin: 300, bytesMax: tight ? 548 : 65507 });
  if (isDeep && !tight) mustReadBack(packet, written);
}

function exerciseOption(code: number, bytes: Uint8Array, isDeep: boolean): void {
  const data = decodeOption(code, bytes);
  if (!isDeep) return;
  const texts = optionToText(code, bytes);
  if (data.kind === 'bad') return;
  const again = encodeOption(code, data.value);
  const second = decodeOption(code, again);
  if (second.kind === 'bad') throw new Error(`option ${code} does not read back: ${second.why}`);
  if (!sameBytes(encodeOption(code, second.value), again)) throw new Error(`option ${code} has two canonical forms`);
  optionFromText(code, texts);
}

function mustReadBack(packet: DhcpPacket, written: Uint8Array): void {
  const read = decodeDhcpPacket(written);
  if (read.kind === 'bad') throw new Error(`does not read back: ${read.why}`);
  if (read.value.options.size !== packet.options.size) throw new Error('options were lost');
  for (const [code, bytes] of packet.options) {
    if (!sameBytes(bytes, read.value.options.get(code))) throw new Error(`option ${code} changed`);
  }
}

/** One of: other octet, other bit, cut, run of one octet, octets doubled or taken out, a length octet made to lie. */
function mutate(base: Uint8Array, scratch: Uint8Array, random: () => number): Uint8Array {
  scratch.set(base);
  let size = base.length;
  for (let left = 1 + (random() % MUTATIONS_MAX); left > 0; left--) {
    // Most of the meaning is in the options, so most mutations go there.
    const inOptions = size > 240 && random() % 4 !== 0;
    const at = inOptions ? 240 + (random() % (size - 240)) : random() % Math.max(1, size);
    switch (random() % 8) {
      case 0:
        scratch[at] = random();
        break;
      case 1:
        scratch[at]! ^= 1 << (random() & 7);
        break;
      case 2:
        size = random() % 8 === 0 ? random() % (size + 1) : Math.max(0, size - (random() % 8));
        break;
      case 3:
        scratch.fill(random(), at, Math.min(size, at + (random() % 16)));
        break;
      case 4: {
        const count = Math.min(random() % 32, INPUT_BYTES_MAX - size);
        scratch.copyWithin(at + count, at, size);
        size += count;
        break;
      }
      case 5: {
        const count = Math.min(random() % 16, size - at);
        scratch.copyWithin(at, at + count, size);
        size -= Math.max(0, count);
        break;
      }
      case 6:
        scratch[at] = LYING_LENGTHS[random() % LYING_LENGTHS.length]!;
        break;
      default:
        scratch[at] = INTERESTING_CODES[random() % INTERESTING_CODES.length]!;
    }
  }
  return scratch.subarray(0, size);
}

const LYING_LENGTHS = [0, 1, 2, 3, 4, 5, 8, 63, 64, 127, 128, 192, 254, 255];
const INTERESTING_CODES = [0, 3, 15, 43, 52, 53, 55, 61, 77, 81, 82, 88, 119, 120, 121, 124, 125, 151, 249, 255];

/** A 32-bit xorshift generator. */
function makeRandom(seed: number): () => number {
  let state = seed >>> 0 || 0x9e3779b9;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}

/** Packets with what the captures lack: relay information, long and structured options, overloaded fields. */
function madeUpPackets(): Uint8Array[] {
  const rich = new Map<number, Uint8Array>([
    [53, hex('01')],
    [61, hex('01020000000001')],
    [43, hex('0104000000020a03616263ff')],
    [77, hex('036162630464656667')],
    [81, hex('04000004686f7374076578616d706c6503636f6d00')],
    [119, hex('03666f6f076578616d706c6503636f6d0003626172c004')],
    [120, hex('00037369700765786c616d706c6500')],
    [121, hex('080a0a000001180a010a0a000002')],
    [124, hex('0000000903616263')],
    [125, hex('00000de906010474657374')],
    [151, hex('006f6b')],
    [82, hex('0106000401020304020800060200000000010504c0000200')],
  ]);
  const base: DhcpPacket = {
    op: 1,
    htype: 1,
    hlen: 6,
    hops: 1,
    xid: 0x12345678,
    secs: 4,
    flags: 0x8000,
    ciaddr: ip4(0),
    yiaddr: ip4(0),
    siaddr: ip4(0),
    giaddr: ip4(0x0a000001),
    chaddr: hex('020000000001'),
    sname: new Uint8Array(0),
    file: new Uint8Array(0),
    hasCookie: true,
    options: rich,
  };
  const long = new Map([...rich, [56, new Uint8Array(600).fill(0x61)]]);
  const many = new Map([...rich, [12, new Uint8Array(100).fill(0x62)], [15, new Uint8Array(50).fill(0x63)]]);
  return [
    encodeDhcpPacket(base, { bytesMin: 300, bytesMax: 1472 }),
    encodeDhcpPacket({ ...base, options: long }, { bytesMin: 300, bytesMax: 1472 }),
    encodeDhcpPacket({ ...base, options: many }, { bytesMin: 300, bytesMax: 500 }),
    encodeDhcpPacket({ ...base, hasCookie: false }, { bytesMin: 300, bytesMax: 548 }),
  ];
}

function hex(text: string): Uint8Array {
  const bytes = fromHex(text);
  if (bytes === undefined) throw new Error(`${text} is not hexadecimal`);
  return bytes;
}

let collect: (() => void) | undefined;

function heapUsed(): number {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
  return process.memoryUsage().heapUsed;
}
