/**
 * Configured option values, made ready for replies: as bytes, by code, with those for certain classes of clients apart. Which
 * value a client gets is decided here: reservation before scope before server, and within a level the value for its class
 * before the one for everybody.
 */
import { textValue } from '../../wire/dhcp/build.ts';
import { definitionOf } from '../config/checks.ts';
import type { OptionDefinition, OptionValue } from '../config/model.ts';
import { bytesOf } from '../config/pool-shape.ts';
import { OPTION } from './option-codes.ts';

/** One level of values: a server's, a scope's or a reservation's. */
export interface OptionLevel {
  /** For every client, by code. */
  readonly plain: ReadonlyMap<number, Uint8Array>;
  readonly conditional: readonly ConditionalOption[];
}

export interface ConditionalOption {
  readonly code: number;
  readonly value: Uint8Array;
  readonly vendorClass: Uint8Array | undefined;
  readonly userClass: Uint8Array | undefined;
  /** The code is one of the vendor's own, which travel inside option 43 (RFC 2132 8.4). */
  readonly isVendorSpace: boolean;
}

const NO_OPTIONS: OptionLevel = { plain: new Map(), conditional: [] };

/** Makes a level ready. Values for which the definitions know a vendor's own option of that number go into option 43. */
export function optionLevelOf(options: readonly OptionValue[], definitions: readonly OptionDefinition[]): OptionLevel {
  if (options.length === 0) return NO_OPTIONS;
  const plain = new Map<number, Uint8Array>();
  const conditional: ConditionalOption[] = [];
  for (const option of options) {
    const value = bytesOf(option.hex);
    if (option.vendorClass === undefined && option.userClass === undefined) {
      plain.set(option.code, value);
      continue;
    }
    conditional.push({
      code: option.code,
      value,
      vendorClass: option.vendorClass === undefined ? undefined : textValue(option.vendorClass),
      userClass: option.userClass === undefined ? undefined : textValue(option.userClass),
      isVendorSpace: option.vendorClass !== undefined && definitionOf(definitions, option)?.vendorClass !== undefined,
    });
  }
  return { plain, conditional };
}

/** Lays levels over each other where no class matters: the later ones win. */
export function mergedPlain(...levels: readonly OptionLevel[]): ReadonlyMap<number, Uint8Array> {
  const merged = new Map<number, Uint8Array>();
  for (const level of levels) for (const [code, value] of level.plain) merged.set(code, value);
  return merged;
}

/** The values for one client from levels in ascending rank, given its options 60 and 77. */
export function optionsFor(
  levels: readonly OptionLevel[],
  vendorClass: Uint8Array | undefined,
  userClass: Uint8Array | undefined,
): Map<number, Uint8Array> {
  const chosen = new Map<number, Uint8Array>();
  const vendorSpace = new Map<number, Uint8Array>();
  for (const level of levels) {
    for (const [code, value] of level.plain) chosen.set(code, value);
    const ranks = new Map<ConditionalOption, number>();
    for (const option of level.conditional) {
      const rank = rankOf(option, vendorClass, userClass);
      if (rank > 0) ranks.set(option, rank);
    }
    for (const [option] of [...ranks].sort((a, b) => a[1] - b[1])) {
      (option.isVendorSpace ? vendorSpace : chosen).set(option.code, option.value);
    }
  }
  if (vendorSpace.size > 0) chosen.set(OPTION.vendorSpecific, encapsulated(vendorSpace));
  return chosen;
}

/** 0 when the value is not for this client; a value for both classes outranks one for the vendor's, that one for the user's. */
function rankOf(
  option: ConditionalOption,
  vendorClass: Uint8Array | undefined,
  userClass: Uint8Array | undefined,
): number {
  let rank = 0;
  if (option.vendorClass !== undefined) {
    if (vendorClass === undefined || !startsWith(vendorClass, option.vendorClass)) return 0;
    rank += 2;
  }
  if (option.userClass !== undefined) {
    if (userClass === undefined || !holdsUserClass(userClass, option.userClass)) return 0;
    rank += 1;
  }
  return rank;
}

/** RFC 3004 4: length-prefixed classes; Windows clients send a single one without length. */
function holdsUserClass(sent: Uint8Array, wanted: Uint8Array): boolean {
  if (sent.length === wanted.length && startsWith(sent, wanted)) return true;
  let at = 0;
  while (at < sent.length) {
    const end = at + 1 + sent[at]!;
    if (end > sent.length) return false;
    if (end - at - 1 === wanted.length && startsWith(sent.subarray(at + 1, end), wanted)) return true;
    at = end;
  }
  return false;
}

function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  if (bytes.length < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (bytes[i] !== prefix[i]) return false;
  return true;
}

/** RFC 2132 8.4: code, length, value of each; a value over 255 octets is cut into parts of the same code. */
function encapsulated(options: ReadonlyMap<number, Uint8Array>): Uint8Array {
  const out: number[] = [];
  for (const [code, value] of options) {
    for (let at = 0; at === 0 || at < value.length; at += 255) {
      const part = value.subarray(at, at + 255);
      out.push(code, part.length, ...part);
    }
  }
  return Uint8Array.from(out);
}
