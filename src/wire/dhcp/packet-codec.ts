/**
 * DHCPv4 and BOOTP packets: bytes to values and back. The layout is that of RFC 2131 2, the joining and splitting of long
 * options that of RFC 3396, overloading of `file` and `sname` that of RFC 2132 9.3. Meanings of options are elsewhere; only
 * option 52 is known here, and the order and weight of options in a reply.
 */
import { assert, type Bad, bad, ip4, ok, type Read } from '../units.ts';
import { freshBytes, joined, readU16, readU32, writeU16, writeU32 } from './octets.ts';
import type { DhcpPacket, EncodeLimits } from './packet.ts';

/** The greatest UDP payload over IPv4. */
export const PACKET_BYTES_MAX = 65507;
/** The fixed fields, without the cookie. */
export const FIXED_BYTES = 236;
export const MAGIC_COOKIE = 0x63825363;
const COOKIE_BYTES = 4;
export const CHADDR_BYTES_MAX = 16;
export const SNAME_BYTES_MAX = 64;
export const FILE_BYTES_MAX = 128;
/** The length octet of an option: longer values are split (RFC 3396). */
const CHUNK_BYTES_MAX = 255;

const CHADDR_AT = 28;
const SNAME_AT = 44;
const FILE_AT = 108;
const OPTIONS_AT = FIXED_BYTES + COOKIE_BYTES;

const PAD = 0;
const OVERLOAD = 52;
const RELAY_AGENT = 82;
const END = 255;
const OVERLOADS_FILE = 1;
const OVERLOADS_SNAME = 2;
const NO_BYTES = new Uint8Array(0);

/**
 * Written first, in this order, and never dropped: message type, server identifier, lease time, T1, T2, subnet mask, client
 * identifier. Option 82 is written last (RFC 3046 2.1) and never dropped either.
 */
export const PROTECTED_FIRST: readonly number[] = [53, 54, 51, 58, 59, 1, 61];

/**
 * What a client misses most, most needed first: routes, names and boot, then what makes a host comfortable. When not all
 * options fit, room is given to these in this order, then to the others in the order of the packet; an option that has no
 * room is dropped, and a smaller one behind it may still find some.
 */
export const IMPORTANT_OPTIONS: readonly number[] = [
  121, 3, 249, 33, 6, 15, 67, 66, 150, 60, 43, 125, 108, 26, 28, 119, 81, 12, 42, 4, 44, 46, 114, 56, 17, 209, 210, 2,
  100, 101, 252,
];

const IS_PROTECTED: readonly boolean[] = Array.from(
  { length: 256 },
  (_, code) => code === RELAY_AGENT || PROTECTED_FIRST.includes(code),
);

/**
 * Reads a packet. The result shares no memory with `bytes`; its byte strings are views of one private copy. Without the
 * cookie it is a BOOTP packet, and whatever stands behind the fixed fields is ignored.
 */
export function decodeDhcpPacket(bytes: Uint8Array): Read<DhcpPacket> {
  if (bytes.length < FIXED_BYTES) return bad(`a packet has at least ${FIXED_BYTES} bytes`, bytes.length);
  if (bytes.length > PACKET_BYTES_MAX) return bad(`a packet has at most ${PACKET_BYTES_MAX} bytes`, PACKET_BYTES_MAX);
  const hasCookie = bytes.length >= OPTIONS_AT && readU32(bytes, FIXED_BYTES) === MAGIC_COOKIE;
  const length = hasCookie ? bytes.length : FIXED_BYTES;
  const own = freshBytes(length);
  own.set(length === bytes.length ? bytes : bytes.subarray(0, length));
  const hlen = own[2]!;
  const options = new Map<number, Uint8Array>();
  let overload = 0;
  if (hasCookie) {
    const read = readOptions(own, options);
    if (typeof read !== 'number') return read;
    overload = read;
  }
  return ok({
    op: own[0]!,
    htype: own[1]!,
    hlen,
    hops: own[3]!,
    xid: readU32(own, 4),
    secs: readU16(own, 8),
    flags: readU16(own, 10),
    ciaddr: ip4(readU32(own, 12)),
    yiaddr: ip4(readU32(own, 16)),
    siaddr: ip4(readU32(own, 20)),
    giaddr: ip4(readU32(own, 24)),
    chaddr: own.subarray(CHADDR_AT, CHADDR_AT + Math.min(hlen, CHADDR_BYTES_MAX)),
    sname: textField(own, SNAME_AT, (overload & OVERLOADS_SNAME) !== 0 ? 0 : SNAME_BYTES_MAX),
    file: textField(own, FILE_AT, (overload & OVERLOADS_FILE) !== 0 ? 0 : FILE_BYTES_MAX),
    hasCookie,
    options,
  });
}

/** Options, then `file`, then `sname`, as RFC 3396 5 orders them. Answers the value of option 52, 0 when absent. */
function readOptions(own: Uint8Array, options: Map<number, Uint8Array>): number | Bad {
  const parts = new SplitParts();
  const refusal = readArea(own, OPTIONS_AT, own.length, options, parts);
  if (refusal !== undefined) return refusal;
  const value = options.get(OVERLOAD);
  let overload = 0;
  if (value !== undefined) {
    options.delete(OVERLOAD);
    overload = value[0] ?? 0;
    if (value.length !== 1 || parts.has(OVERLOAD) || overload < 1 || overload > 3) {
      return bad('option 52 is not one octet of 1 to 3', value.byteOffset - own.byteOffset);
    }
    if ((overload & OVERLOADS_FILE) !== 0) {
      const inFile = readArea(own, FILE_AT, FILE_AT + FILE_BYTES_MAX, options, parts);
      if (inFile !== undefined) return inFile;
    }
    if ((overload & OVERLOADS_SNAME) !== 0) {
      const inSname = readArea(own, SNAME_AT, SNAME_AT + SNAME_BYTES_MAX, options, parts);
      if (inSname !== undefined) return inSname;
    }
  }
  parts.joinInto(options);
  // RFC 2132 9.3: only the options field itself can say what is overloaded.
  options.delete(OVERLOAD);
  return overload;
}

/**
 * The parts of options that occur more than once. They are joined at the end, in one step for each option, so that a packet
 * full of tiny parts costs no more than its length.
 */
class SplitParts {
  private parts: Map<number, Uint8Array[]> | undefined;

  add(code: number, first: Uint8Array, next: Uint8Array): void {
    this.parts ??= new Map();
    const list = this.parts.get(code);
    if (list === undefined) this.parts.set(code, [first, next]);
    else list.push(next);
  }

  has(code: number): boolean {
    return this.parts?.has(code) ?? false;
  }

  joinInto(options: Map<number, Uint8Array>): void {
    if (this.parts === undefined) return;
    for (const [code, list] of this.parts) options.set(code, joined(list));
  }
}

/** Reads `own[from, to)`. A missing end option is tolerated when the last option ends exactly at `to`; what follows an end is not read. */
function readArea(
  own: Uint8Array,
  from: number,
  to: number,
  options: Map<number, Uint8Array>,
  parts: SplitParts,
): Bad | undefined {
  let at = from;
  while (at < to) {
    const code = own[at]!;
    if (code === PAD) {
      at++;
      continue;
    }
    if (code === END) return undefined;
    if (at + 1 >= to) return bad(`option ${code} has no length`, at);
    const end = at + 2 + own[at + 1]!;
    if (end > to) return bad(`option ${code} runs past the end of its field`, at);
    const value = own.subarray(at + 2, end);
    const before = options.get(code);
    if (before === undefined) options.set(code, value);
    else parts.add(code, before, value);
    at = end;
  }
  return undefined;
}

function textField(own: Uint8Array, at: number, sizeMax: number): Uint8Array {
  let size = sizeMax;
  while (size > 0 && own[at + size - 1] === 0) size--;
  return size === 0 ? NO_BYTES : own.subarray(at, at + size);
}

/** The bytes that an option takes in a packet, with the headers of its parts. */
export function encodedOptionSize(valueLength: number): number {
  return valueLength + 2 * Math.max(1, Math.ceil(valueLength / CHUNK_BYTES_MAX));
}

/** The bytes that all options take, without the end option. */
export function encodedOptionsSize(options: ReadonlyMap<number, Uint8Array>): number {
  let size = 0;
  for (const value of options.values()) size += encodedOptionSize(value.length);
  return size;
}

/**
 * Writes a packet into fresh memory. Order: `PROTECTED_FIRST`, the others in Map order, option 82 last. When that is longer
 * than `bytesMax`, options move whole into empty `file` and `sname` fields (the larger ones first where that alone makes them
 * fit); when it still does not fit, options are dropped as `IMPORTANT_OPTIONS` says. When the protected options alone are too long they are written all the same, in a longer
 * packet: a reply without them would be a lie, and every host takes more than its announced size in fragments.
 * Without the cookie no option is written. An option 52 among the options is left out: only this function knows its value.
 */
export function encodeDhcpPacket(packet: DhcpPacket, limits: EncodeLimits): Uint8Array {
  if (!packet.hasCookie) return writeFixed(packet, freshBytes(Math.max(FIXED_BYTES, limits.bytesMin)));
  if (packet.options.has(OVERLOAD)) {
    const options = filtered(packet.options, (code) => code !== OVERLOAD);
    return encodeDhcpPacket({ ...packet, options }, limits);
  }
  const plainSize = OPTIONS_AT + encodedOptionsSize(packet.options) + 1;
  if (plainSize > limits.bytesMax) return encodeTight(packet, limits);
  const bytes = startPacket(packet, plainSize, limits.bytesMin);
  const options = packet.options;
  let at = OPTIONS_AT;
  for (const code of PROTECTED_FIRST) {
    const value = options.get(code);
    if (value !== undefined) at = writeOption(bytes, at, code, value);
  }
  for (const [code, value] of options) {
    if (!IS_PROTECTED[code]) at = writeOption(bytes, at, code, value);
  }
  const relayInfo = options.get(RELAY_AGENT);
  if (relayInfo !== undefined) at = writeOption(bytes, at, RELAY_AGENT, relayInfo);
  bytes[at] = END;
  return bytes;
}

function startPacket(packet: DhcpPacket, size: number, bytesMin: number): Uint8Array {
  const bytes = writeFixed(packet, freshBytes(Math.max(size, bytesMin)));
  writeU32(bytes, FIXED_BYTES, MAGIC_COOKIE);
  return bytes;
}

function writeFixed(packet: DhcpPacket, bytes: Uint8Array): Uint8Array {
  assert(packet.chaddr.length <= CHADDR_BYTES_MAX, 'chaddr has at most 16 bytes');
  assert(packet.sname.length <= SNAME_BYTES_MAX, 'sname has at most 64 bytes');
  assert(packet.file.length <= FILE_BYTES_MAX, 'file has at most 128 bytes');
  bytes[0] = packet.op;
  bytes[1] = packet.htype;
  bytes[2] = packet.hlen;
  bytes[3] = packet.hops;
  writeU32(bytes, 4, packet.xid);
  writeU16(bytes, 8, packet.secs);
  writeU16(bytes, 10, packet.flags);
  writeU32(bytes, 12, packet.ciaddr);
  writeU32(bytes, 16, packet.yiaddr);
  writeU32(bytes, 20, packet.siaddr);
  writeU32(bytes, 24, packet.giaddr);
  put(bytes, CHADDR_AT, packet.chaddr, 0, packet.chaddr.length);
  put(bytes, SNAME_AT, packet.sname, 0, packet.sname.length);
  put(bytes, FILE_AT, packet.file, 0, packet.file.length);
  return bytes;
}

/** Writes one option as as many instances as it needs, and answers the offset behind it. */
function writeOption(bytes: Uint8Array, at: number, code: number, value: Uint8Array): number {
  assert(code > PAD && code < END, 'options are 1 to 254');
  let from = 0;
  do {
    const size = Math.min(value.length - from, CHUNK_BYTES_MAX);
    bytes[at] = code;
    bytes[at + 1] = size;
    put(bytes, at + 2, value, from, size);
    at += 2 + size;
    from += size;
  } while (from < value.length);
  return at;
}

/** Copies in a loop: for the few bytes of most options that is faster than `set` with a view. */
function put(bytes: Uint8Array, at: number, value: Uint8Array, from: number, size: number): void {
  if (size > 48) {
    bytes.set(value.subarray(from, from + size), at);
    return;
  }
  for (let i = 0; i < size; i++) bytes[at + i] = value[from + i]!;
}

// --- when not everything fits

interface Area {
  readonly codes: number[];
  room: number;
}

interface Placement {
  readonly main: Area;
  readonly file: Area;
  readonly sname: Area;
}

/** Option 52 itself: code, length, value. */
const OVERLOAD_BYTES = 3;

function encodeTight(packet: DhcpPacket, limits: EncodeLimits): Uint8Array {
  const whole = encodeWithin(packet, packet.options, limits);
  if (whole !== undefined) return whole;
  const isKept = (code: number): boolean => IS_PROTECTED[code] || chosen.has(code);
  const chosen = new Set<number>();
  let best = encodeWithin(packet, filtered(packet.options, isKept), limits);
  // Only protected options, and they are longer than the limit.
  if (best === undefined) {
    const options = filtered(packet.options, isKept);
    return encodeDhcpPacket({ ...packet, options }, { bytesMin: limits.bytesMin, bytesMax: PACKET_BYTES_MAX });
  }
  for (const code of mostImportantFirst(packet.options)) {
    chosen.add(code);
    const tried = encodeWithin(packet, filtered(packet.options, isKept), limits);
    if (tried === undefined) chosen.delete(code);
    else best = tried;
  }
  return best;
}

/** The packet with these options, plain or overloaded; undefined when they do not fit. */
function encodeWithin(
  packet: DhcpPacket,
  options: Map<number, Uint8Array>,
  limits: EncodeLimits,
): Uint8Array | undefined {
  if (OPTIONS_AT + encodedOptionsSize(options) + 1 <= limits.bytesMax) {
    return encodeDhcpPacket({ ...packet, options }, limits);
  }
  const placement =
    place(packet, options, limits.bytesMax, 'in-order') ?? place(packet, options, limits.bytesMax, 'largest-first');
  return placement === undefined ? undefined : writePlaced(packet, options, placement, limits);
}

function filtered(
  options: ReadonlyMap<number, Uint8Array>,
  isKept: (code: number) => boolean,
): Map<number, Uint8Array> {
  return new Map([...options].filter(([code]) => isKept(code)));
}

/** The options that may be dropped: the listed ones in their order, then the others in that of the packet. */
function mostImportantFirst(options: ReadonlyMap<number, Uint8Array>): number[] {
  const listed = IMPORTANT_OPTIONS.filter((code) => options.has(code));
  const others = [...options.keys()].filter((code) => !IS_PROTECTED[code] && !IMPORTANT_OPTIONS.includes(code));
  return [...listed, ...others];
}

/**
 * Puts each option whole into the first field that has room for it. Options are not split between fields, although RFC 3396
 * allows it, because many clients read overloaded fields but do not join parts. Undefined when it does not fit.
 */
function place(
  packet: DhcpPacket,
  options: ReadonlyMap<number, Uint8Array>,
  bytesMax: number,
  order: 'in-order' | 'largest-first',
): Placement | undefined {
  const relayInfo = options.get(RELAY_AGENT);
  const relayBytes = relayInfo === undefined ? 0 : encodedOptionSize(relayInfo.length);
  const placement: Placement = {
    main: { codes: [], room: bytesMax - OPTIONS_AT - 1 - OVERLOAD_BYTES - relayBytes },
    // Each overloaded field ends with its own end option (RFC 2131 4.1).
    file: { codes: [], room: packet.file.length === 0 ? FILE_BYTES_MAX - 1 : 0 },
    sname: { codes: [], room: packet.sname.length === 0 ? SNAME_BYTES_MAX - 1 : 0 },
  };
  const first = PROTECTED_FIRST.filter((code) => options.has(code));
  const others = [...options.keys()].filter((code) => !IS_PROTECTED[code]);
  if (order === 'largest-first') others.sort((a, b) => options.get(b)!.length - options.get(a)!.length);
  for (const code of [...first, ...others]) {
    const size = encodedOptionSize(options.get(code)!.length);
    const area = [placement.main, placement.file, placement.sname].find(({ room }) => room >= size);
    if (area === undefined) return undefined;
    area.codes.push(code);
    area.room -= size;
  }
  return placement.main.room < 0 ? undefined : placement;
}

function writePlaced(
  packet: DhcpPacket,
  options: ReadonlyMap<number, Uint8Array>,
  placement: Placement,
  limits: EncodeLimits,
): Uint8Array {
  const { main, file, sname } = placement;
  const bytes = startPacket(packet, limits.bytesMax - main.room, limits.bytesMin);
  let at = OPTIONS_AT;
  const [head, ...rest] = main.codes;
  if (head !== undefined) at = writeOption(bytes, at, head, options.get(head)!);
  bytes[at] = OVERLOAD;
  bytes[at + 1] = 1;
  bytes[at + 2] = (file.codes.length > 0 ? OVERLOADS_FILE : 0) | (sname.codes.length > 0 ? OVERLOADS_SNAME : 0);
  at += OVERLOAD_BYTES;
  for (const code of rest) at = writeOption(bytes, at, code, options.get(code)!);
  const relayInfo = options.get(RELAY_AGENT);
  if (relayInfo !== undefined) at = writeOption(bytes, at, RELAY_AGENT, relayInfo);
  bytes[at] = END;
  if (file.codes.length > 0) writeArea(bytes, FILE_AT, file.codes, options);
  if (sname.codes.length > 0) writeArea(bytes, SNAME_AT, sname.codes, options);
  return bytes;
}

function writeArea(
  bytes: Uint8Array,
  at: number,
  codes: readonly number[],
  options: ReadonlyMap<number, Uint8Array>,
): void {
  for (const code of codes) at = writeOption(bytes, at, code, options.get(code)!);
  bytes[at] = END;
}
