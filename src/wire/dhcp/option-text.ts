/**
 * Option values as an operator reads and writes them, in the manner of a Windows DHCP server: one text for each element,
 * dotted quads for addresses, decimal or `0x` numbers, `0x` hexadecimal for binary. A type given by an operator's own
 * definition goes before the registered one. Values that do not have the form of their type are shown as binary.
 */
import { type Bad, bad, formatIp4, type Ip4, ip4, maskOf, ok, parseIp4, type Read } from '../units.ts';
import { writeDomainNames } from './domain-name.ts';
import { joined, readText, readU16, readU32, u32Octets, writeText } from './octets.ts';
import { OPTION_CODECS, type OptionData } from './option-codecs.ts';
import { optionType } from './option-table.ts';

/** The types that an operator's option definition can have; the same names as in the configuration. */
export type OptionDefinitionType =
  | 'byte'
  | 'word'
  | 'dword'
  | 'dword-dword'
  | 'ipv4-address'
  | 'string'
  | 'binary'
  | 'encapsulated';

/** More cannot be sent in a packet on any link that DHCP is used on. */
export const OPTION_VALUE_BYTES_MAX = 2048;
/** An operator's value has at most this many elements: one for each byte. */
export const OPTION_TEXTS_MAX = OPTION_VALUE_BYTES_MAX;

/** The texts of a value, one for each element. Never fails: a value without the right form is shown as binary. */
export function optionToText(code: number, bytes: Uint8Array, definitionType?: OptionDefinitionType): string[] {
  const texts = definitionType === undefined ? nativeToText(code, bytes) : definedToText(bytes, definitionType);
  return texts ?? binaryToText(bytes);
}

/**
 * Reads texts into the value's wire bytes. `at` of a refusal is the index of the text. The binary form is accepted for every
 * type that has no text form of its own, and for classless routes.
 */
export function optionFromText(
  code: number,
  values: readonly string[],
  definitionType?: OptionDefinitionType,
): Read<Uint8Array> {
  if (!Number.isInteger(code) || code < 1 || code > 254 || code === 52)
    return bad(`${code} is not an option to set`, 0);
  if (values.length > OPTION_TEXTS_MAX) return bad(`more than ${OPTION_TEXTS_MAX} values`, OPTION_TEXTS_MAX);
  const read = definitionType === undefined ? nativeFromText(code, values) : definedFromText(values, definitionType);
  if (read.kind === 'ok' && read.value.length > OPTION_VALUE_BYTES_MAX) {
    return bad(`the value is longer than ${OPTION_VALUE_BYTES_MAX} bytes`, 0);
  }
  return read;
}

/** The definition that a registered option has where options have definitions; undefined for unregistered numbers. */
export function standardDefinitionOf(code: number): { type: OptionDefinitionType; isArray: boolean } | undefined {
  switch (optionType(code)) {
    case 'ipv4':
      return { type: 'ipv4-address', isArray: false };
    case 'ipv4-list':
    case 'ipv4-list-or-empty':
    case 'ipv4-pairs':
      return { type: 'ipv4-address', isArray: true };
    case 'u8':
    case 'boolean':
      return { type: 'byte', isArray: false };
    case 'u8-list':
      return { type: 'byte', isArray: true };
    case 'u16':
      return { type: 'word', isArray: false };
    case 'u16-list':
      return { type: 'word', isArray: true };
    case 'u32':
    case 's32':
      return { type: 'dword', isArray: false };
    case 'string':
      return { type: 'string', isArray: false };
    case 'marker':
      return undefined;
    default:
      return { type: 'binary', isArray: false };
  }
}

// --- by registered type

function nativeToText(code: number, bytes: Uint8Array): string[] | undefined {
  const read = OPTION_CODECS[optionType(code)].decode(bytes);
  return read.kind === 'bad' ? undefined : dataToText(read.value);
}

function dataToText(data: OptionData): string[] | undefined {
  switch (data.kind) {
    case 'ipv4':
      return [formatIp4(data.address)];
    case 'ipv4-list':
      return data.addresses.map(formatIp4);
    case 'ipv4-pairs':
      return data.pairs.flatMap(([first, second]) => [formatIp4(first), formatIp4(second)]);
    case 'number':
      return [String(data.value)];
    case 'numbers':
      return data.values.map(String);
    case 'boolean':
      return [data.value ? '1' : '0'];
    case 'string':
      return [data.text];
    case 'domains':
      return [...data.names];
    case 'routes':
      return data.routes.map(
        ({ destination, prefixLength, router }) => `${formatIp4(destination)}/${prefixLength} ${formatIp4(router)}`,
      );
    case 'flag':
      return [];
    case 'vendor-classes':
    case 'vendor-options':
    case 'sub-options':
    case 'relay-agent':
    case 'client-id':
    case 'user-class':
    case 'fqdn':
    case 'status':
    case 'bytes':
      return undefined;
    default:
      return data satisfies never;
  }
}

function nativeFromText(code: number, values: readonly string[]): Read<Uint8Array> {
  const type = optionType(code);
  const read = nativeBytes(code, values);
  // Vendors put anything into option 43 and its like, with or without the form of RFC 2132 8.4.
  if (read.kind === 'bad' || type === 'sub-options') return read;
  // The reader of the type knows how many elements it may have.
  const check = OPTION_CODECS[type].decode(read.value);
  return check.kind === 'bad' ? bad(check.why, 0) : read;
}

function nativeBytes(code: number, values: readonly string[]): Read<Uint8Array> {
  const type = optionType(code);
  switch (type) {
    case 'ipv4':
    case 'ipv4-list':
    case 'ipv4-list-or-empty':
    case 'ipv4-pairs':
      return addressesFromText(values);
    case 'u8':
    case 'u8-list':
      return numbersFromText(values, 1);
    case 'u16':
    case 'u16-list':
      return numbersFromText(values, 2);
    case 'u32':
      return numbersFromText(values, 4);
    case 's32':
      return numbersFromText(values, 4, true);
    case 'boolean':
      return numbersFromText(values.map(booleanDigit), 1);
    case 'string':
      return stringFromText(values);
    case 'domain':
    case 'domain-list':
      return writeDomainNames(values, false);
    case 'compressed-domain-list':
      return writeDomainNames(values, true);
    case 'sip-servers':
      return sipServersFromText(values);
    case 'routes':
      return routesFromText(values);
    case 'flag':
      // A form field for a flag is often an empty text.
      return values.every((value) => value === '') ? ok(new Uint8Array(0)) : bad('this option has no value', 0);
    case 'marker':
      return bad('pad and end have no value', 0);
    default:
      return binaryFromText(values);
  }
}

function booleanDigit(text: string): string {
  const plain = text.trim().toLowerCase();
  if (plain === 'true') return '1';
  return plain === 'false' ? '0' : plain;
}

function sipServersFromText(values: readonly string[]): Read<Uint8Array> {
  const areAddresses = values.length > 0 && values.every((value) => parseIp4(value.trim()) !== undefined);
  const read = areAddresses ? addressesFromText(values) : writeDomainNames(values, false);
  return read.kind === 'bad' ? read : ok(joined([Uint8Array.of(areAddresses ? 1 : 0), read.value]));
}

/** `10.0.0.0/8 192.0.2.1`, destination and router; Windows knows only the binary form, which is accepted too. */
function routesFromText(values: readonly string[]): Read<Uint8Array> {
  if (!values.some((value) => value.includes('/'))) return binaryFromText(values);
  const octets: number[] = [];
  for (const [index, value] of values.entries()) {
    const match = /^([0-9.]+)\/([0-9]{1,2})[\s,]+([0-9.]+)$/.exec(value.trim());
    const destination = parseIp4(match?.[1] ?? '');
    const prefixLength = Number(match?.[2] ?? 33);
    const router = parseIp4(match?.[3] ?? '');
    if (destination === undefined || router === undefined || prefixLength > 32) {
      return bad('a route is written as destination/prefix, a space, and the router', index);
    }
    if (ip4(destination & maskOf(prefixLength)) !== destination) {
      return bad(`${formatIp4(destination)} has bits beyond the prefix of ${prefixLength}`, index);
    }
    octets.push(prefixLength, ...u32Octets(destination).slice(0, (prefixLength + 7) >> 3), ...u32Octets(router));
  }
  return ok(Uint8Array.from(octets));
}

// --- by an operator's definition

const UNIT_BYTES = { byte: 1, word: 2, dword: 4, 'dword-dword': 8, 'ipv4-address': 4 } as const;

function definedToText(bytes: Uint8Array, type: OptionDefinitionType): string[] | undefined {
  switch (type) {
    case 'string': {
      const text = readText(bytes);
      return text === undefined ? undefined : [text];
    }
    case 'binary':
    case 'encapsulated':
      return undefined;
    default: {
      const unit = UNIT_BYTES[type];
      if (bytes.length === 0 || bytes.length % unit !== 0) return undefined;
      const texts: string[] = [];
      for (let at = 0; at < bytes.length; at += unit) texts.push(unitToText(bytes, at, type));
      return texts;
    }
  }
}

function unitToText(bytes: Uint8Array, at: number, type: keyof typeof UNIT_BYTES): string {
  switch (type) {
    case 'byte':
      return String(bytes[at]);
    case 'word':
      return String(readU16(bytes, at));
    case 'dword':
      return String(readU32(bytes, at));
    case 'dword-dword':
      return String((BigInt(readU32(bytes, at)) << 32n) | BigInt(readU32(bytes, at + 4)));
    case 'ipv4-address':
      return formatIp4(ip4(readU32(bytes, at)));
    default:
      return type satisfies never;
  }
}

function definedFromText(values: readonly string[], type: OptionDefinitionType): Read<Uint8Array> {
  switch (type) {
    case 'string':
      return stringFromText(values);
    case 'binary':
    case 'encapsulated':
      return binaryFromText(values);
    case 'ipv4-address':
      return values.length === 0 ? bad('a value is missing', 0) : addressesFromText(values);
    default:
      return values.length === 0 ? bad('a value is missing', 0) : numbersFromText(values, UNIT_BYTES[type]);
  }
}

// --- elements

function stringFromText(values: readonly string[]): Read<Uint8Array> {
  const [text] = values;
  if (values.length !== 1 || text === undefined) return bad('a text option has one value', 0);
  // RFC 2132 2: NUL ends a text for many receivers.
  if (text.includes('\0')) return bad('a text cannot hold a NUL character', 0);
  const bytes = writeText(text);
  // Half of a surrogate pair has no UTF-8 form.
  return readText(bytes) === text ? ok(bytes) : bad('the text is not well-formed Unicode', 0);
}

function addressesFromText(values: readonly string[]): Read<Uint8Array> {
  const octets: number[] = [];
  for (const [index, value] of values.entries()) {
    const address: Ip4 | undefined = parseIp4(value.trim());
    if (address === undefined) return bad(`"${shown(value)}" is not an IPv4 address`, index);
    octets.push(...u32Octets(address));
  }
  return ok(Uint8Array.from(octets));
}

function numbersFromText(values: readonly string[], unit: 1 | 2 | 4 | 8, isSigned = false): Read<Uint8Array> {
  const bytes = new Uint8Array(values.length * unit);
  const limit = 1n << BigInt(8 * unit);
  for (const [index, value] of values.entries()) {
    const read = numberFromText(value, index, limit, isSigned);
    if (typeof read !== 'bigint') return read;
    let rest = read;
    for (let at = (index + 1) * unit - 1; at >= index * unit; at--) {
      bytes[at] = Number(rest & 255n);
      rest >>= 8n;
    }
  }
  return ok(bytes);
}

function numberFromText(value: string, index: number, limit: bigint, isSigned: boolean): bigint | Bad {
  const text = value.trim();
  const isNegative = isSigned && text.startsWith('-');
  const digits = isNegative ? text.slice(1) : text;
  if (digits.length > 32 || !/^(0[xX][0-9a-fA-F]+|[0-9]+)$/.test(digits)) {
    return bad(`"${shown(value)}" is not a number`, index);
  }
  const size = BigInt(digits);
  // A signed number may also be given as its hexadecimal bit pattern.
  const isPattern = isSigned && /^0x/i.test(digits) && !isNegative;
  const max = isSigned && !isPattern ? limit / 2n - (isNegative ? 0n : 1n) : limit - 1n;
  if (size > max) return bad(`${shown(value)} is out of range`, index);
  return isNegative && size !== 0n ? limit - size : size;
}

/** One text for each byte, as Windows shows binary data. */
function binaryToText(bytes: Uint8Array): string[] {
  return Array.from(bytes, (octet) => `0x${octet.toString(16).padStart(2, '0')}`);
}

/**
 * Hexadecimal in any number of texts: pairs of digits, with or without `0x`, with or without `:`, `-` or blanks between
 * pairs. A single digit counts as a byte only after `0x`.
 */
function binaryFromText(values: readonly string[]): Read<Uint8Array> {
  const octets: number[] = [];
  for (const [index, value] of values.entries()) {
    const text = value.trim();
    const hasPrefix = /^0x/i.test(text);
    let digits = (hasPrefix ? text.slice(2) : text).replace(/[-:\s]/g, '');
    if (hasPrefix && digits.length === 1) digits = `0${digits}`;
    if (digits.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(digits) || (hasPrefix && digits === '')) {
      return bad(`"${shown(value)}" is not hexadecimal`, index);
    }
    if (octets.length + digits.length / 2 > OPTION_VALUE_BYTES_MAX) {
      return bad(`the value is longer than ${OPTION_VALUE_BYTES_MAX} bytes`, index);
    }
    for (let at = 0; at < digits.length; at += 2) octets.push(Number.parseInt(digits.slice(at, at + 2), 16));
  }
  return ok(Uint8Array.from(octets));
}

const SHOWN_CHARACTERS_MAX = 40;

/** An operator's text in a refusal, cut to a readable length. */
function shown(text: string): string {
  return text.length <= SHOWN_CHARACTERS_MAX ? text : `${text.slice(0, SHOWN_CHARACTERS_MAX)}…`;
}
