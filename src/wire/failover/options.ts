/**
 * The option space of the failover protocol as one table, and the reader and writer that it drives (failover
 * specification 1.3, 1.5, 3.2). An option's value here is its plain content; what a message makes of it is `codec.ts`.
 */
import { type Bad, bad, type EpochSec, type Ip4, type Read, type Sec } from '../units.ts';
import { readU16, readU32, swappedIp4, writeU16, writeU32 } from './bytes.ts';
import type { MessageKind, WireProfile } from './messages.ts';
import { eitherText, shortenedUtf8, utf8Bytes, utf8Text, utf16Bytes, utf16Text } from './text.ts';

/** Code and length before the data of every option. */
export const OPTION_HEADER_BYTES = 4;
/** A longer reject text is cut when sent: it is for people, and must not crowd out anything else. */
export const MESSAGE_TEXT_BYTES_MAX = 255;

interface Codec<T> {
  size(value: T): number;
  /** Writes exactly `size(value)` bytes. */
  write(value: T, out: Uint8Array, at: number): void;
  /** Reads `bytes[from, to)`. Undefined when that cannot be this option; the answer shares no memory with the bytes. */
  read(bytes: Uint8Array, from: number, to: number): T | undefined;
}

function unsigned<T extends number>(width: 1 | 2 | 4): Codec<T> {
  return {
    size: () => width,
    write(value, out, at) {
      if (width === 1) out[at] = value;
      else if (width === 2) writeU16(value, out, at);
      else writeU32(value, out, at);
    },
    read(bytes, from, to) {
      if (to - from !== width) return undefined;
      return (width === 1 ? bytes[from]! : width === 2 ? readU16(bytes, from) : readU32(bytes, from)) as T;
    },
  };
}

function text(toBytes: (value: string) => Uint8Array, fromBytes: (data: Uint8Array) => string): Codec<string> {
  return {
    size: (value) => toBytes(value).length,
    write: (value, out, at) => out.set(toBytes(value), at),
    read: (bytes, from, to) => fromBytes(bytes.subarray(from, to)),
  };
}

function ip4List(convert: (address: number) => Ip4): Codec<readonly Ip4[]> {
  return {
    size: (value) => 4 * value.length,
    write(value, out, at) {
      for (let i = 0; i < value.length; i++) writeU32(convert(value[i]!), out, at + 4 * i);
    },
    read(bytes, from, to) {
      if ((to - from) % 4 !== 0) return undefined;
      const list: Ip4[] = [];
      for (let i = from; i < to; i += 4) list.push(convert(readU32(bytes, i)));
      return list;
    },
  };
}

const u8 = unsigned<number>(1);
const u16 = unsigned<number>(2);
const u32 = unsigned<number>(4);
const ip4 = unsigned<Ip4>(4);
const instant = unsigned<EpochSec>(4);
const seconds = unsigned<Sec>(4);
const utf8 = text(utf8Bytes, utf8Text);
const utf16 = text(utf16Bytes, utf16Text);
const message = text((value) => shortenedUtf8(value, MESSAGE_TEXT_BYTES_MAX), utf8Text);
// W16 of the specification is open: Windows may write this text either way.
const eitherMessage = text((value) => shortenedUtf8(value, MESSAGE_TEXT_BYTES_MAX), eitherText);
const networkOrderList = ip4List((address) => address as Ip4);
const littleEndianList = ip4List(swappedIp4);
const raw: Codec<Uint8Array> = {
  size: (value) => value.length,
  write: (value, out, at) => out.set(value, at),
  read(bytes, from, to) {
    // For the few bytes of an identifier a loop is faster than `slice`.
    const copy = new Uint8Array(to - from);
    for (let i = from; i < to; i++) copy[i - from] = bytes[i]!;
    return copy;
  },
};

interface OptionEntry {
  readonly name: string;
  readonly codec: Codec<unknown>;
  /** How Windows writes it, where that differs (specification 3.2, 3.3). */
  readonly msft?: Codec<unknown>;
  /** Profiles that know the code at all; absent means every one. */
  readonly profiles?: readonly WireProfile[];
}

const MSFT: readonly WireProfile[] = ['msft'];
const OWN_AND_MSFT: readonly WireProfile[] = ['twinlease', 'msft'];

/** Every option by its code. Option 10 is listed so that its repetition is noticed; nothing here uses it. */
export const FAILOVER_OPTIONS = {
  1: { name: 'addresses-transferred', codec: u32 },
  2: { name: 'assigned-ip-address', codec: ip4 },
  3: { name: 'binding-status', codec: u8 },
  4: { name: 'client-identifier', codec: raw },
  5: { name: 'client-hardware-address', codec: raw },
  6: { name: 'client-last-transaction-time', codec: instant },
  7: { name: 'client-reply-options', codec: raw },
  8: { name: 'client-request-options', codec: raw },
  9: { name: 'ddns', codec: raw },
  10: { name: 'delayed-service-parameter', codec: u8 },
  11: { name: 'hash-bucket-assignment', codec: raw },
  12: { name: 'ip-flags', codec: u16, msft: u8 },
  13: { name: 'lease-expiration-time', codec: instant },
  14: { name: 'max-unacked-bndupd', codec: u32 },
  15: { name: 'mclt', codec: seconds },
  16: { name: 'message', codec: message, msft: eitherMessage },
  17: { name: 'message-digest', codec: raw },
  18: { name: 'potential-expiration-time', codec: instant },
  19: { name: 'receive-timer', codec: seconds },
  20: { name: 'protocol-version', codec: u8 },
  21: { name: 'reject-reason', codec: u8 },
  22: { name: 'relationship-name', codec: utf8, msft: utf16 },
  23: { name: 'server-flags', codec: u8 },
  24: { name: 'server-state', codec: u8 },
  25: { name: 'start-time-of-state', codec: instant },
  26: { name: 'tls-reply', codec: u8 },
  27: { name: 'tls-request', codec: u8 },
  28: { name: 'vendor-class-identifier', codec: utf8, msft: utf16 },
  29: { name: 'vendor-specific-options', codec: raw },
  30: { name: 'scope-id-list', codec: networkOrderList, msft: littleEndianList, profiles: OWN_AND_MSFT },
  31: { name: 'client-name', codec: raw, profiles: MSFT },
  32: { name: 'client-description', codec: raw, profiles: MSFT },
  33: { name: 'client-subnet-mask', codec: raw, profiles: MSFT },
  34: { name: 'server-ip', codec: raw, profiles: MSFT },
  35: { name: 'server-name', codec: raw, profiles: MSFT },
  36: { name: 'client-type', codec: raw, profiles: MSFT },
  37: { name: 'nap-status', codec: raw, profiles: MSFT },
  38: { name: 'nap-probation', codec: raw, profiles: MSFT },
  39: { name: 'nap-capable', codec: raw, profiles: MSFT },
  40: { name: 'matched-policy', codec: raw, profiles: OWN_AND_MSFT },
  41: { name: 'extended-address-state', codec: raw, profiles: MSFT },
} as const satisfies Record<number, OptionEntry>;

export type OptionCode = keyof typeof FAILOVER_OPTIONS;
type OptionValue<C extends OptionCode> = (typeof FAILOVER_OPTIONS)[C]['codec'] extends Codec<infer T> ? T : never;
/** Values of options by code. Absent and undefined both mean: not in the message. */
export type OptionValues = { [C in OptionCode]?: OptionValue<C> | undefined };
const OPTION_CODE_MAX = 41;

/** To be filled. A list with room for every code: an object that grows by numbers is many times slower. */
export function noOptions(): OptionValues {
  return new Array<undefined>(OPTION_CODE_MAX + 1).fill(undefined) as OptionValues;
}

/** The options that open a group, so that a message may hold several of them (specification 1.3). */
const GROUP_OPENER = 2;

/**
 * Which options each message uses, in the order in which dhcpd writes them (specification 2.4, 2.6). Others are ignored
 * on reading, as dhcpd does (specification 2.2). In `bndupd` and `bndack` the list describes one group.
 */
export const MESSAGE_OPTIONS = {
  poolreq: [],
  poolresp: [1],
  bndupd: [2, 3, 4, 5, 13, 18, 25, 6, 12, 9, 8, 7, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41],
  bndack: [2, 21, 16],
  connect: [22, 14, 19, 28, 20, 27, 15, 11, 29],
  connectack: [22, 14, 19, 28, 20, 26, 21, 16, 29],
  updreqall: [],
  upddone: [],
  updreq: [30],
  state: [24, 23, 25, 28, 29],
  contact: [],
  disconnect: [21, 16],
} as const satisfies Record<MessageKind, readonly OptionCode[]>;

/** An option of a message as a profile writes it. */
interface UsedOption {
  readonly code: OptionCode;
  readonly name: string;
  readonly codec: Codec<unknown>;
}

interface UsedOptions {
  /** In the order of writing. */
  readonly list: readonly UsedOption[];
  readonly byCode: readonly (UsedOption | undefined)[];
}

/** Made from the tables once: they are gone through for every message. */
const USED: Readonly<Record<WireProfile, Readonly<Record<MessageKind, UsedOptions>>>> = {
  twinlease: usedBy('twinlease'),
  isc: usedBy('isc'),
  msft: usedBy('msft'),
  draft: usedBy('draft'),
};

function usedBy(profile: WireProfile): Record<MessageKind, UsedOptions> {
  const kinds = Object.keys(MESSAGE_OPTIONS) as MessageKind[];
  return Object.fromEntries(kinds.map((kind) => [kind, usedIn(kind, profile)])) as Record<MessageKind, UsedOptions>;
}

function usedIn(kind: MessageKind, profile: WireProfile): UsedOptions {
  const list: UsedOption[] = [];
  const byCode = new Array<UsedOption | undefined>(OPTION_CODE_MAX + 1).fill(undefined);
  for (const code of MESSAGE_OPTIONS[kind]) {
    const entry: OptionEntry = FAILOVER_OPTIONS[code];
    if (entry.profiles !== undefined && !entry.profiles.includes(profile)) continue;
    const codec = profile === 'msft' && entry.msft !== undefined ? entry.msft : entry.codec;
    const used = { code, name: entry.name, codec };
    list.push(used);
    byCode[code] = used;
  }
  return { list, byCode };
}

/** One option as it lies in a frame. */
export interface RawOption {
  readonly code: number;
  /** Offset of the option's code. */
  readonly at: number;
  /** Offset of its data, and of what follows it. */
  readonly dataAt: number;
  readonly end: number;
}

/** Walks the options from `from` to the end of the bytes. A length that runs past the end is an error (specification 1.2). */
export function listOptions(bytes: Uint8Array, from: number): Read<readonly RawOption[]> {
  const options: RawOption[] = [];
  let at = from;
  while (at < bytes.length) {
    const dataAt = at + OPTION_HEADER_BYTES;
    if (dataAt > bytes.length) return bad('option header runs past the end of the message', at);
    const end = dataAt + readU16(bytes, at + 2);
    if (end > bytes.length) return bad('option data runs past the end of the message', at);
    options.push({ code: readU16(bytes, at), at, dataAt, end });
    at = end;
  }
  return { kind: 'ok', value: options };
}

/**
 * Reads the options that the message uses into groups: one for most messages; for `bndupd` and `bndack` one for each
 * assigned-IP-address, or one without it. With a single assigned-IP-address the order does not matter, as for dhcpd
 * (specification 1.3).
 */
export function readOptions(
  bytes: Uint8Array,
  from: number,
  kind: MessageKind,
  profile: WireProfile,
): Read<readonly OptionValues[]> {
  const listed = listOptions(bytes, from);
  if (listed.kind === 'bad') return listed;
  const isGrouped = MESSAGE_OPTIONS[kind][0] === GROUP_OPENER;
  let openers = 0;
  if (isGrouped) for (const { code } of listed.value) if (code === GROUP_OPENER) openers++;
  const { byCode } = USED[profile][kind];
  const groups: OptionValues[] = openers > 1 ? [] : [noOptions()];
  for (const option of listed.value) {
    const used = option.code <= OPTION_CODE_MAX ? byCode[option.code] : undefined;
    if (used === undefined) continue;
    if (openers > 1 && option.code === GROUP_OPENER) groups.push(noOptions());
    const problem = readOne(bytes, option, used, groups.at(-1));
    if (problem !== undefined) return problem;
  }
  return { kind: 'ok', value: groups };
}

function readOne(
  bytes: Uint8Array,
  option: RawOption,
  { name, codec }: UsedOption,
  into: OptionValues | undefined,
): Bad | undefined {
  if (into === undefined) return bad(`option ${name} before the first of several addresses`, option.at);
  // The table gives each code its own type of value; here the code is known only as a number.
  const values = into as Record<number, unknown>;
  // The draft forbids it, and dhcpd closes the connection (specification 1.3, 2.2).
  if (values[option.code] !== undefined) return bad(`option ${name} appears twice`, option.at);
  const value = codec.read(bytes, option.dataAt, option.end);
  if (value === undefined) return bad(`option ${name} has a wrong length`, option.at);
  values[option.code] = value;
  return undefined;
}

/** Bytes that `writeOptions` will write. */
export function optionsSize(values: OptionValues, kind: MessageKind, profile: WireProfile): number {
  let size = 0;
  for (const { code, codec } of USED[profile][kind].list) {
    const value: unknown = values[code];
    if (value !== undefined) size += OPTION_HEADER_BYTES + codec.size(value);
  }
  return size;
}

/** Writes the options of one group in the message's order; gives the offset after them. There must be room for them. */
export function writeOptions(
  values: OptionValues,
  kind: MessageKind,
  profile: WireProfile,
  out: Uint8Array,
  at: number,
): number {
  for (const { code, codec } of USED[profile][kind].list) {
    const value: unknown = values[code];
    if (value === undefined) continue;
    const size = codec.size(value);
    writeU16(code, out, at);
    writeU16(size, out, at + 2);
    codec.write(value, out, at + OPTION_HEADER_BYTES);
    at += OPTION_HEADER_BYTES + size;
  }
  return at;
}
