/**
 * The branded numbers that every other file uses: addresses, instants and spans, each made in this one place.
 * It leaves out calendar and time zones: an instant is a count of seconds since 1970, unsigned 32 bit, good past 2038.
 */

/** An IPv4 address as an unsigned 32-bit number, most significant octet first. */
export type Ip4 = number & { readonly __brand: 'Ip4' };
/** Seconds since 1970-01-01 UTC, 0 .. 0xffffffff. 0 means "never set"; `INFINITE_AT` means "no end". */
export type EpochSec = number & { readonly __brand: 'EpochSec' };
/** A span in whole seconds, 0 .. 0xffffffff. `INFINITE_SEC` means "for ever". */
export type Sec = number & { readonly __brand: 'Sec' };
/** Milliseconds of a clock that only runs forward; its zero has no meaning. For timers only. */
export type MonoMs = number & { readonly __brand: 'MonoMs' };

/** RFC 2131 3.3: a lease time of all ones is infinite. */
export const INFINITE_SEC = 0xffffffff as Sec;
export const INFINITE_AT = 0xffffffff as EpochSec;
export const NEVER_AT = 0 as EpochSec;

/** Both clocks, as every input to the core carries them: `monoMs` for timers, `wallAt` for bindings. */
export interface Now {
  readonly monoMs: MonoMs;
  readonly wallAt: EpochSec;
}

/** What a reader of outside bytes answers instead of throwing. `at` is the byte offset where it stopped. */
export interface Bad {
  readonly kind: 'bad';
  readonly why: string;
  readonly at: number;
}
export type Read<T> = { readonly kind: 'ok'; readonly value: T } | Bad;

export function ok<T>(value: T): Read<T> {
  return { kind: 'ok', value };
}

export function bad(why: string, at: number): Bad {
  return { kind: 'bad', why, at };
}

/** Takes the low 32 bits as an unsigned address. */
export function ip4(n: number): Ip4 {
  return (n >>> 0) as Ip4;
}

/** Parses a dotted quad of four decimal octets without leading zeros; anything else gives undefined. */
export function parseIp4(text: string): Ip4 | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let n = 0;
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part)) return undefined;
    const octet = Number(part);
    if (octet > 255) return undefined;
    n = n * 256 + octet;
  }
  return n as Ip4;
}

/** Addresses are written into the reason of nearly every decision; a list is faster than making the digits each time. */
const OCTET_TEXTS: readonly string[] = Array.from({ length: 256 }, (_none, octet) => String(octet));

export function formatIp4(address: Ip4): string {
  const [a, b, c, d] = [address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255];
  return `${OCTET_TEXTS[a]}.${OCTET_TEXTS[b]}.${OCTET_TEXTS[c]}.${OCTET_TEXTS[d]}`;
}

/** The netmask of a prefix length 0 .. 32. */
export function maskOf(prefixLength: number): Ip4 {
  return ip4(prefixLength === 0 ? 0 : 0xffffffff << (32 - prefixLength));
}

/** The prefix length of a contiguous mask, or undefined for any other value. */
export function prefixLengthOf(mask: Ip4): number | undefined {
  for (let length = 0; length <= 32; length++) if (maskOf(length) === mask) return length;
  return undefined;
}

/** `at` plus `span`, absorbing infinity and staying below it. */
export function addSec(at: EpochSec, span: number): EpochSec {
  if (at === INFINITE_AT || span >= INFINITE_SEC) return INFINITE_AT;
  return Math.min(at + span, 0xfffffffe) as EpochSec;
}

const HEX_TEXTS: readonly string[] = Array.from({ length: 256 }, (_none, octet) => octet.toString(16).padStart(2, '0'));

/** Lower-case hexadecimal without separators. */
export function toHex(bytes: Uint8Array, separator = ''): string {
  let text = '';
  for (let i = 0; i < bytes.length; i++) {
    if (i > 0 && separator !== '') text += separator;
    text += HEX_TEXTS[bytes[i]!];
  }
  return text;
}

/** Reads hexadecimal pairs, optionally separated by `:` or `-`; undefined when it is anything else. */
export function fromHex(text: string): Uint8Array | undefined {
  const plain = text.replace(/[-:]/g, '');
  if (plain.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(plain)) return undefined;
  const bytes = new Uint8Array(plain.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(plain.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

export function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Names what must hold. A failure is a fault of this program: the process ends (design, part 2). */
export function assert(condition: unknown, whatMustHold: string): asserts condition {
  if (!condition) throw new AssertionFailed(whatMustHold);
}

export class AssertionFailed extends Error {
  override readonly name = 'AssertionFailed';
}
