/**
 * What an option's value means: one reader and one writer for each type of `option-table.ts`. Readers take bytes from outside
 * and refuse with a reason; writers take values of this program and assert their preconditions. Everything read is a copy.
 */
import { assert, type Bad, bad, type Ip4, ip4, maskOf, ok, type Read } from '../units.ts';
import {
  domainNameText,
  parseDomainName,
  readDomainName,
  readDomainNames,
  writeDomainName,
  writeDomainNames,
} from './domain-name.ts';
import { copyOf, readText, readU16, readU32, u32Octets, writeText } from './octets.ts';
import type { OptionType } from './option-table.ts';
import { decodeRelayAgent, encodeRelayAgent, type RelayAgentInfo } from './relay-agent.ts';
import { readSubOptions, type SubOption, writeSubOptions } from './sub-options.ts';

/** RFC 3442. `destination` has no bit set beyond the prefix. */
export interface ClasslessRoute {
  readonly destination: Ip4;
  readonly prefixLength: number;
  readonly router: Ip4;
}

export interface VendorClass {
  readonly enterprise: number;
  readonly bytes: Uint8Array;
}

export interface VendorOptions {
  readonly enterprise: number;
  readonly subOptions: readonly SubOption[];
}

/** RFC 4702 2.1: the flags S (server updates A), O (overridden), E (canonical encoding), N (no update). */
export const FQDN_S = 1;
export const FQDN_O = 2;
export const FQDN_E = 4;
export const FQDN_N = 8;

/** The value of an option. Which kind an option has follows from its type; `bytes` stands for any type when encoding. */
export type OptionData =
  | { readonly kind: 'ipv4'; readonly address: Ip4 }
  | { readonly kind: 'ipv4-list'; readonly addresses: readonly Ip4[] }
  | { readonly kind: 'ipv4-pairs'; readonly pairs: readonly (readonly [Ip4, Ip4])[] }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'numbers'; readonly values: readonly number[] }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'domains'; readonly names: readonly string[] }
  | { readonly kind: 'routes'; readonly routes: readonly ClasslessRoute[] }
  | { readonly kind: 'vendor-classes'; readonly classes: readonly VendorClass[] }
  | { readonly kind: 'vendor-options'; readonly vendors: readonly VendorOptions[] }
  | { readonly kind: 'sub-options'; readonly subOptions: readonly SubOption[] }
  | { readonly kind: 'relay-agent'; readonly info: RelayAgentInfo }
  | { readonly kind: 'client-id'; readonly type: number; readonly id: Uint8Array }
  | { readonly kind: 'user-class'; readonly classes: readonly Uint8Array[] }
  | FqdnData
  | { readonly kind: 'flag' }
  | { readonly kind: 'status'; readonly code: number; readonly message: string }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array };

/** Option 81. A `name` in canonical encoding (flag E) ends with a dot when it is complete; the ASCII form is kept as sent. */
export interface FqdnData {
  readonly kind: 'fqdn';
  readonly flags: number;
  readonly rcode1: number;
  readonly rcode2: number;
  readonly name: string;
}

export interface OptionCodec {
  readonly decode: (bytes: Uint8Array) => Read<OptionData>;
  readonly encode: (data: OptionData) => Uint8Array;
}

type DataOf<K extends OptionData['kind']> = Extract<OptionData, { kind: K }>;

function codec<K extends OptionData['kind']>(
  kind: K,
  decode: (bytes: Uint8Array) => Read<DataOf<K>>,
  encode: (data: DataOf<K>) => Uint8Array,
): OptionCodec {
  return {
    decode,
    encode(data) {
      if (data.kind === 'bytes') return copyOf(data.bytes);
      assert(data.kind === kind, `a value of this option has kind ${kind}`);
      return encode(data as DataOf<K>);
    },
  };
}

const IP4_LIST = addressList(1);

export const OPTION_CODECS: Readonly<Record<OptionType, OptionCodec>> = {
  ipv4: codec(
    'ipv4',
    (bytes) => (bytes.length === 4 ? ok({ kind: 'ipv4', address: ip4(readU32(bytes, 0)) }) : wrongLength(bytes, '4')),
    (data) => Uint8Array.from(u32Octets(data.address)),
  ),
  'ipv4-list': IP4_LIST,
  'ipv4-list-or-empty': addressList(0),
  'ipv4-pairs': codec('ipv4-pairs', readPairs, (data) =>
    Uint8Array.from(data.pairs.flatMap(([first, second]) => [...u32Octets(first), ...u32Octets(second)])),
  ),
  u8: number(1, 0, 0xff),
  u16: number(2, 0, 0xffff),
  u32: number(4, 0, 0xffffffff),
  s32: number(4, -0x80000000, 0x7fffffff),
  'u8-list': numbers(1),
  'u16-list': numbers(2),
  boolean: codec('boolean', readBoolean, (data) => Uint8Array.of(data.value ? 1 : 0)),
  string: codec(
    'string',
    (bytes) => {
      const text = readText(bytes);
      return text === undefined ? bad('the text is not UTF-8', 0) : ok({ kind: 'string', text });
    },
    (data) => writeText(data.text),
  ),
  domain: codec('domains', readOneDomain, (data) => writeNames(data.names, false)),
  'domain-list': codec('domains', readDomains, (data) => writeNames(data.names, false)),
  'compressed-domain-list': codec('domains', readDomains, (data) => writeNames(data.names, true)),
  'sip-servers': { decode: readSipServers, encode: writeSipServers },
  routes: codec('routes', readRoutes, writeRoutes),
  'vendor-classes': codec('vendor-classes', readVendorClasses, writeVendorClasses),
  'vendor-options': codec('vendor-options', readVendorOptions, writeVendorOptions),
  'sub-options': codec(
    'sub-options',
    (bytes) => {
      const read = readSubOptions(bytes, 'pad-and-end');
      return read.kind === 'bad' ? read : ok({ kind: 'sub-options', subOptions: read.value });
    },
    (data) => writeSubOptions(data.subOptions, 'pad-and-end'),
  ),
  'relay-agent': codec(
    'relay-agent',
    (bytes) => {
      const read = decodeRelayAgent(bytes);
      return read.kind === 'bad' ? read : ok({ kind: 'relay-agent', info: read.value });
    },
    (data) => encodeRelayAgent(data.info),
  ),
  // RFC 2132 9.14: a type octet and at least one more.
  'client-id': codec(
    'client-id',
    (bytes) =>
      bytes.length < 2
        ? wrongLength(bytes, '2 or more')
        : ok({ kind: 'client-id', type: bytes[0]!, id: copyOf(bytes, 1) }),
    (data) => Uint8Array.of(data.type, ...data.id),
  ),
  'user-class': codec('user-class', readUserClass, writeUserClass),
  fqdn: codec('fqdn', readFqdn, writeFqdn),
  flag: codec(
    'flag',
    (bytes) => (bytes.length === 0 ? ok({ kind: 'flag' }) : wrongLength(bytes, '0')),
    () => new Uint8Array(0),
  ),
  // RFC 6926 6.2.2.
  status: codec('status', readStatus, (data) => Uint8Array.of(data.code, ...writeText(data.message))),
  bytes: codec(
    'bytes',
    (bytes) => ok({ kind: 'bytes', bytes: copyOf(bytes) }),
    (data) => copyOf(data.bytes),
  ),
  marker: {
    decode: () => bad('pad and end have no value', 0),
    encode: () => {
      assert(false, 'pad and end have no value');
    },
  },
};

function wrongLength(bytes: Uint8Array, wanted: string): Bad {
  return bad(`the value has ${bytes.length} bytes instead of ${wanted}`, 0);
}

function addressList(countMin: number): OptionCodec {
  return codec(
    'ipv4-list',
    (bytes) => {
      if (bytes.length % 4 !== 0 || bytes.length < 4 * countMin) return wrongLength(bytes, 'a multiple of 4');
      const addresses: Ip4[] = [];
      for (let at = 0; at < bytes.length; at += 4) addresses.push(ip4(readU32(bytes, at)));
      return ok({ kind: 'ipv4-list', addresses });
    },
    (data) => Uint8Array.from(data.addresses.flatMap(u32Octets)),
  );
}

function readPairs(bytes: Uint8Array): Read<DataOf<'ipv4-pairs'>> {
  if (bytes.length % 8 !== 0 || bytes.length === 0) return wrongLength(bytes, 'a multiple of 8');
  const pairs: [Ip4, Ip4][] = [];
  for (let at = 0; at < bytes.length; at += 8) pairs.push([ip4(readU32(bytes, at)), ip4(readU32(bytes, at + 4))]);
  return ok({ kind: 'ipv4-pairs', pairs });
}

function number(size: 1 | 2 | 4, min: number, max: number): OptionCodec {
  return codec(
    'number',
    (bytes) => {
      if (bytes.length !== size) return wrongLength(bytes, String(size));
      const unsigned = readUnsigned(bytes, 0, size);
      return ok({ kind: 'number', value: unsigned > max ? unsigned - 0x100000000 : unsigned });
    },
    (data) => {
      assert(Number.isInteger(data.value) && data.value >= min && data.value <= max, 'the number fits its option');
      return Uint8Array.from(u32Octets(data.value >>> 0).slice(4 - size));
    },
  );
}

function numbers(size: 1 | 2): OptionCodec {
  return codec(
    'numbers',
    (bytes) => {
      if (bytes.length % size !== 0 || bytes.length === 0) return wrongLength(bytes, `a multiple of ${size}`);
      const values: number[] = [];
      for (let at = 0; at < bytes.length; at += size) values.push(readUnsigned(bytes, at, size));
      return ok({ kind: 'numbers', values });
    },
    (data) => Uint8Array.from(data.values.flatMap((value) => u32Octets(value).slice(4 - size))),
  );
}

function readUnsigned(bytes: Uint8Array, at: number, size: 1 | 2 | 4): number {
  if (size === 1) return bytes[at]!;
  return size === 2 ? readU16(bytes, at) : readU32(bytes, at);
}

function readBoolean(bytes: Uint8Array): Read<DataOf<'boolean'>> {
  if (bytes.length !== 1) return wrongLength(bytes, '1');
  if (bytes[0]! > 1) return bad(`${bytes[0]} is neither 0 nor 1`, 0);
  return ok({ kind: 'boolean', value: bytes[0] === 1 });
}

function readOneDomain(bytes: Uint8Array): Read<DataOf<'domains'>> {
  const read = readDomainName(bytes, 0);
  if (read.kind === 'bad') return read;
  if (read.next !== bytes.length) return bad('bytes follow the domain name', read.next);
  return ok({ kind: 'domains', names: [domainNameText(read.name.labels)] });
}

function readDomains(bytes: Uint8Array): Read<DataOf<'domains'>> {
  const read = readDomainNames(bytes);
  return read.kind === 'bad' ? read : ok({ kind: 'domains', names: read.value });
}

function writeNames(names: readonly string[], compress: boolean): Uint8Array {
  const written = writeDomainNames(names, compress);
  assert(written.kind === 'ok', 'the domain names are well formed');
  return written.value;
}

/** RFC 3361 3: an encoding octet, then names (0) or addresses (1). */
function readSipServers(bytes: Uint8Array): Read<OptionData> {
  if (bytes.length === 0) return wrongLength(bytes, '1 or more');
  if (bytes[0] === 1) return IP4_LIST.decode(bytes.subarray(1));
  if (bytes[0] !== 0) return bad(`encoding ${bytes[0]} is neither names nor addresses`, 0);
  const read = readDomainNames(bytes.subarray(1));
  return read.kind === 'bad' ? bad(read.why, read.at + 1) : ok({ kind: 'domains', names: read.value });
}

function writeSipServers(data: OptionData): Uint8Array {
  if (data.kind === 'bytes') return copyOf(data.bytes);
  if (data.kind === 'ipv4-list') return Uint8Array.of(1, ...IP4_LIST.encode(data));
  assert(data.kind === 'domains', 'SIP servers are names or addresses');
  return Uint8Array.of(0, ...writeNames(data.names, false));
}

function readRoutes(bytes: Uint8Array): Read<DataOf<'routes'>> {
  const routes: ClasslessRoute[] = [];
  let at = 0;
  while (at < bytes.length) {
    const prefixLength = bytes[at]!;
    if (prefixLength > 32) return bad(`${prefixLength} is not a prefix length`, at);
    const significant = (prefixLength + 7) >> 3;
    const end = at + 1 + significant + 4;
    if (end > bytes.length) return bad('a route runs past the end', at);
    let destination = 0;
    for (let i = 0; i < significant; i++) destination |= bytes[at + 1 + i]! << (24 - 8 * i);
    routes.push({
      // RFC 3442: bits beyond the mask mean nothing.
      destination: ip4(destination & maskOf(prefixLength)),
      prefixLength,
      router: ip4(readU32(bytes, at + 1 + significant)),
    });
    at = end;
  }
  return routes.length === 0 ? wrongLength(bytes, '5 or more') : ok({ kind: 'routes', routes });
}

function writeRoutes(data: DataOf<'routes'>): Uint8Array {
  const octets: number[] = [];
  for (const { destination, prefixLength, router } of data.routes) {
    assert(prefixLength >= 0 && prefixLength <= 32, 'a prefix length is 0 to 32');
    octets.push(prefixLength, ...u32Octets(destination).slice(0, (prefixLength + 7) >> 3), ...u32Octets(router));
  }
  return Uint8Array.from(octets);
}

/** RFC 3925 3 and 4: enterprise number, length, data, repeated. Calls `take` for each. */
function readByEnterprise(
  bytes: Uint8Array,
  take: (enterprise: number, data: Uint8Array) => Bad | undefined,
): Bad | undefined {
  let at = 0;
  while (at < bytes.length) {
    if (at + 5 > bytes.length) return bad('an enterprise number or its length is cut off', at);
    const end = at + 5 + bytes[at + 4]!;
    if (end > bytes.length) return bad('the data of an enterprise run past the end', at);
    const refusal = take(readU32(bytes, at), bytes.subarray(at + 5, end));
    if (refusal !== undefined) return bad(refusal.why, at + 5 + refusal.at);
    at = end;
  }
  return at === 0 ? wrongLength(bytes, '5 or more') : undefined;
}

function writeByEnterprise(entries: readonly (readonly [number, Uint8Array])[]): Uint8Array {
  const octets: number[] = [];
  for (const [enterprise, data] of entries) {
    assert(data.length <= 255, 'the data of one enterprise have at most 255 bytes');
    octets.push(...u32Octets(enterprise), data.length, ...data);
  }
  return Uint8Array.from(octets);
}

function readVendorClasses(bytes: Uint8Array): Read<DataOf<'vendor-classes'>> {
  const classes: VendorClass[] = [];
  const refusal = readByEnterprise(bytes, (enterprise, data) => {
    classes.push({ enterprise, bytes: copyOf(data) });
    return undefined;
  });
  return refusal ?? ok({ kind: 'vendor-classes', classes });
}

function writeVendorClasses(data: DataOf<'vendor-classes'>): Uint8Array {
  return writeByEnterprise(data.classes.map(({ enterprise, bytes }) => [enterprise, bytes]));
}

function readVendorOptions(bytes: Uint8Array): Read<DataOf<'vendor-options'>> {
  const vendors: VendorOptions[] = [];
  const refusal = readByEnterprise(bytes, (enterprise, data) => {
    const read = readSubOptions(data, 'plain');
    if (read.kind === 'bad') return read;
    vendors.push({ enterprise, subOptions: read.value });
    return undefined;
  });
  return refusal ?? ok({ kind: 'vendor-options', vendors });
}

function writeVendorOptions(data: DataOf<'vendor-options'>): Uint8Array {
  return writeByEnterprise(
    data.vendors.map(({ enterprise, subOptions }) => [enterprise, writeSubOptions(subOptions, 'plain')]),
  );
}

/** RFC 3004 4: length and class, repeated. Windows clients and old boot ROMs send one class without any length. */
function readUserClass(bytes: Uint8Array): Read<DataOf<'user-class'>> {
  if (bytes.length === 0) return wrongLength(bytes, '1 or more');
  const classes: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    const length = bytes[at]!;
    const end = at + 1 + length;
    if (length === 0 || end > bytes.length) return ok({ kind: 'user-class', classes: [copyOf(bytes)] });
    classes.push(copyOf(bytes, at + 1, end));
    at = end;
  }
  return ok({ kind: 'user-class', classes });
}

function writeUserClass(data: DataOf<'user-class'>): Uint8Array {
  const octets: number[] = [];
  for (const item of data.classes) {
    assert(item.length >= 1 && item.length <= 255, 'a user class has 1 to 255 bytes');
    octets.push(item.length, ...item);
  }
  return Uint8Array.from(octets);
}

function readFqdn(bytes: Uint8Array): Read<DataOf<'fqdn'>> {
  if (bytes.length < 3) return wrongLength(bytes, '3 or more');
  const flags = bytes[0]!;
  const start = { kind: 'fqdn', flags, rcode1: bytes[1]!, rcode2: bytes[2]! } as const;
  if ((flags & FQDN_E) === 0) {
    // RFC 4702 2.3.1: the ASCII encoding is deprecated, yet some clients know no other.
    const name = readText(bytes.subarray(3));
    return name === undefined ? bad('the name is not text', 3) : ok({ ...start, name });
  }
  const read = readDomainName(bytes.subarray(3), 0, true);
  if (read.kind === 'bad') return bad(read.why, read.at + 3);
  if (3 + read.next !== bytes.length) return bad('bytes follow the domain name', 3 + read.next);
  const { labels, isRooted } = read.name;
  if (labels.length === 0) return ok({ ...start, name: isRooted ? '.' : '' });
  return ok({ ...start, name: domainNameText(labels) + (isRooted ? '.' : '') });
}

function writeFqdn(data: DataOf<'fqdn'>): Uint8Array {
  const start = [data.flags, data.rcode1, data.rcode2];
  if ((data.flags & FQDN_E) === 0) return Uint8Array.of(...start, ...writeText(data.name));
  if (data.name === '') return Uint8Array.from(start);
  const parsed = parseDomainName(data.name);
  assert(parsed.kind === 'ok', 'the domain name is well formed');
  return Uint8Array.of(...start, ...writeDomainName(parsed.value));
}

function readStatus(bytes: Uint8Array): Read<DataOf<'status'>> {
  if (bytes.length === 0) return wrongLength(bytes, '1 or more');
  const message = readText(bytes.subarray(1));
  return message === undefined ? bad('the message is not UTF-8', 1) : ok({ kind: 'status', code: bytes[0]!, message });
}
