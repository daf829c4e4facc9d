/**
 * The options that dhcpd knows by name (dhcp-options(5)) and the types that a configuration may define its own with. A type is a
 * record of fields, of which all or the last may repeat.
 */
import type { OptionDefinition } from '../../core/config/model.ts';
import { lookUp } from '../look-up.ts';
import type { Token } from './lexer.ts';
import { isMark } from './statements.ts';

export type FieldType =
  | 'ip'
  | 'ip6'
  | 'u8'
  | 'u16'
  | 'u32'
  | 's8'
  | 's16'
  | 's32'
  | 'flag'
  | 'text'
  /** Text in quotes or pairs of hexadecimal digits. */
  | 'data'
  /** A name without quotes, in DNS's wire form. */
  | 'domain'
  /** Names in quotes, in DNS's wire form. */
  | 'domains'
  | 'domains-compressed'
  | 'encapsulated';

export interface IscType {
  readonly fields: readonly FieldType[];
  readonly repeats: 'nothing' | 'record' | 'last';
  /** How many of the last fields may be left out. */
  readonly optional?: number;
  /** Name of the option space that an `encapsulated` field holds; empty for the one of `vendor-option-space`. */
  readonly space?: string;
}

export interface KnownOption {
  readonly code: number;
  readonly type: IscType;
}

const one = (...fields: readonly FieldType[]): IscType => ({ fields, repeats: 'nothing' });
const many = (...fields: readonly FieldType[]): IscType => ({ fields, repeats: 'record' });
const holds = (space: string): IscType => ({ fields: ['encapsulated'], repeats: 'nothing', space });

const IP = one('ip');
const IPS = many('ip');
const TEXT = one('text');
const FLAG = one('flag');
const U8 = one('u8');
const U16 = one('u16');
const U32 = one('u32');

/** dhcp-options(5): name, number, type. */
const STANDARD: readonly (readonly [string, number, IscType])[] = [
  ['subnet-mask', 1, IP],
  ['time-offset', 2, one('s32')],
  ['routers', 3, IPS],
  ['time-servers', 4, IPS],
  ['ien116-name-servers', 5, IPS],
  ['domain-name-servers', 6, IPS],
  ['log-servers', 7, IPS],
  ['cookie-servers', 8, IPS],
  ['lpr-servers', 9, IPS],
  ['impress-servers', 10, IPS],
  ['resource-location-servers', 11, IPS],
  ['host-name', 12, TEXT],
  ['boot-size', 13, U16],
  ['merit-dump', 14, TEXT],
  ['domain-name', 15, TEXT],
  ['swap-server', 16, IP],
  ['root-path', 17, TEXT],
  ['extensions-path', 18, TEXT],
  ['ip-forwarding', 19, FLAG],
  ['non-local-source-routing', 20, FLAG],
  ['policy-filter', 21, many('ip', 'ip')],
  ['max-dgram-reassembly', 22, U16],
  ['default-ip-ttl', 23, U8],
  ['path-mtu-aging-timeout', 24, U32],
  ['path-mtu-plateau-table', 25, many('u16')],
  ['interface-mtu', 26, U16],
  ['all-subnets-local', 27, FLAG],
  ['broadcast-address', 28, IP],
  ['perform-mask-discovery', 29, FLAG],
  ['mask-supplier', 30, FLAG],
  ['router-discovery', 31, FLAG],
  ['router-solicitation-address', 32, IP],
  ['static-routes', 33, many('ip', 'ip')],
  ['trailer-encapsulation', 34, FLAG],
  ['arp-cache-timeout', 35, U32],
  ['ieee802-3-encapsulation', 36, FLAG],
  ['default-tcp-ttl', 37, U8],
  ['tcp-keepalive-interval', 38, U32],
  ['tcp-keepalive-garbage', 39, FLAG],
  ['nis-domain', 40, TEXT],
  ['nis-servers', 41, IPS],
  ['ntp-servers', 42, IPS],
  ['vendor-encapsulated-options', 43, holds('')],
  ['netbios-name-servers', 44, IPS],
  ['netbios-dd-server', 45, IPS],
  ['netbios-node-type', 46, U8],
  ['netbios-scope', 47, TEXT],
  ['font-servers', 48, IPS],
  ['x-display-manager', 49, IPS],
  ['dhcp-requested-address', 50, IP],
  ['dhcp-lease-time', 51, U32],
  ['dhcp-option-overload', 52, U8],
  ['dhcp-message-type', 53, U8],
  ['dhcp-server-identifier', 54, IP],
  ['dhcp-parameter-request-list', 55, many('u8')],
  ['dhcp-message', 56, TEXT],
  ['dhcp-max-message-size', 57, U16],
  ['dhcp-renewal-time', 58, U32],
  ['dhcp-rebinding-time', 59, U32],
  ['vendor-class-identifier', 60, one('data')],
  ['dhcp-client-identifier', 61, one('data')],
  ['nwip-domain', 62, TEXT],
  ['nwip-suboptions', 63, holds('nwip')],
  ['nisplus-domain', 64, TEXT],
  ['nisplus-servers', 65, IPS],
  ['tftp-server-name', 66, TEXT],
  ['bootfile-name', 67, TEXT],
  ['mobile-ip-home-agent', 68, IPS],
  ['smtp-server', 69, IPS],
  ['pop-server', 70, IPS],
  ['nntp-server', 71, IPS],
  ['www-server', 72, IPS],
  ['finger-server', 73, IPS],
  ['irc-server', 74, IPS],
  ['streettalk-server', 75, IPS],
  ['streettalk-directory-assistance-server', 76, IPS],
  ['user-class', 77, TEXT],
  ['slp-directory-agent', 78, { fields: ['flag', 'ip'], repeats: 'last' }],
  ['slp-service-scope', 79, { fields: ['flag', 'text'], repeats: 'nothing', optional: 1 }],
  ['fqdn', 81, holds('fqdn')],
  ['relay-agent-information', 82, holds('agent')],
  ['nds-servers', 85, IPS],
  ['nds-tree-name', 86, TEXT],
  ['nds-context', 87, TEXT],
  ['bcms-controller-names', 88, one('domains')],
  ['bcms-controller-address', 89, IPS],
  ['client-last-transaction-time', 91, U32],
  ['associated-ip', 92, IPS],
  ['pxe-system-type', 93, many('u16')],
  ['pxe-interface-id', 94, one('u8', 'u8', 'u8')],
  ['pxe-client-id', 97, one('u8', 'data')],
  ['uap-servers', 98, TEXT],
  ['geoconf-civic', 99, one('data')],
  ['pcode', 100, TEXT],
  ['tcode', 101, TEXT],
  ['v6-only-preferred', 108, U32],
  ['netinfo-server-address', 112, IPS],
  ['netinfo-server-tag', 113, TEXT],
  ['default-url', 114, TEXT],
  ['auto-config', 116, U8],
  ['name-service-search', 117, many('u16')],
  ['subnet-selection', 118, IP],
  ['domain-search', 119, one('domains-compressed')],
  ['vivco', 124, holds('vendor-class')],
  ['vivso', 125, holds('vendor')],
  ['pana-agent', 136, IPS],
  ['v4-lost', 137, one('domain')],
  ['capwap-ac-v4', 138, IPS],
  ['sip-ua-cs-domains', 141, one('domains-compressed')],
  ['ipv4-address-andsf', 142, IPS],
  ['rdnss-selection', 146, one('u8', 'ip', 'ip', 'domains')],
  ['tftp-server-address', 150, IPS],
  ['v4-portparams', 159, one('u8', 'u8', 'u16')],
  ['v4-captive-portal', 160, TEXT],
  ['loader-configfile', 209, TEXT],
  ['loader-pathprefix', 210, TEXT],
  ['loader-reboottime', 211, U32],
  ['option-6rd', 212, { fields: ['u8', 'u8', 'ip6', 'ip'], repeats: 'last' }],
  ['v4-access-domain', 213, one('domain')],
];

/** dhcp-options(5), "The Netware/IP options": what option 63 is made of. */
const NWIP: readonly (readonly [string, number, IscType])[] = [
  ['nsq-broadcast', 5, FLAG],
  ['preferred-dss', 6, IPS],
  ['nearest-nwip-server', 7, IPS],
  ['autoretries', 8, U8],
  ['autoretry-secs', 9, U8],
  ['nwip-1-1', 10, U8],
  ['primary-dss', 11, IP],
];

/** Widths in octets of number and length, for options inside others. */
export interface OptionSpace {
  readonly name: string;
  readonly codeBytes: number;
  readonly lengthBytes: number;
  readonly options: Map<string, KnownOption>;
}

export const DHCP_SPACE = 'dhcp';

/** The spaces that dhcpd has by itself, made anew for each file, which adds to them. */
export function standardSpaces(): Map<string, OptionSpace> {
  const space = (name: string, rows: readonly (readonly [string, number, IscType])[]): [string, OptionSpace] => [
    name,
    {
      name,
      codeBytes: 1,
      lengthBytes: 1,
      options: new Map(rows.map(([option, code, type]) => [option, { code, type }])),
    },
  ];
  return new Map([space(DHCP_SPACE, STANDARD), space('nwip', NWIP)]);
}

/** What stands behind `=` in a definition. */
export function readType(tokens: readonly Token[]): IscType | undefined {
  let at = 0;
  const word = (): string => (tokens[at]?.kind === 'word' ? (tokens[at]?.text.toLowerCase() ?? '') : '');
  const take = (wanted: string): boolean => {
    if (word() !== wanted) return false;
    at++;
    return true;
  };
  const isArray = take('array');
  if (isArray && !take('of')) return undefined;
  if (!isArray && take('encapsulate')) {
    const space = tokens[at];
    if (space === undefined || tokens.length !== at + 1) return undefined;
    return holds(space.text);
  }
  const isRecord = isMark(tokens[at], '{');
  if (isRecord) at++;
  const fields: FieldType[] = [];
  for (;;) {
    const field = readField(tokens, at);
    if (field === undefined) return undefined;
    fields.push(field.type);
    at = field.next;
    if (!isRecord || !isMark(tokens[at], ',')) break;
    at++;
  }
  if (isRecord) {
    if (!isMark(tokens[at], '}')) return undefined;
    at++;
  }
  return at === tokens.length ? { fields, repeats: isArray ? 'record' : 'nothing' } : undefined;
}

const INTEGERS: Readonly<Record<string, FieldType>> = {
  'unsigned 8': 'u8',
  'unsigned 16': 'u16',
  'unsigned 32': 'u32',
  'signed 8': 's8',
  'signed 16': 's16',
  'signed 32': 's32',
};
const SIMPLE: Readonly<Record<string, FieldType>> = {
  boolean: 'flag',
  'ip-address': 'ip',
  'ip6-address': 'ip6',
  text: 'text',
  string: 'data',
  'domain-name': 'domain',
};

function readField(
  tokens: readonly Token[],
  at: number,
): { readonly type: FieldType; readonly next: number } | undefined {
  const words = tokens.slice(at, at + 3).map((token) => (token.kind === 'word' ? token.text.toLowerCase() : ''));
  const simple = lookUp(SIMPLE, words[0] ?? '');
  if (simple !== undefined) return { type: simple, next: at + 1 };
  if (words[0] === 'domain-list') {
    const isCompressed = words[1] === 'compressed';
    return { type: isCompressed ? 'domains-compressed' : 'domains', next: at + (isCompressed ? 2 : 1) };
  }
  // dhcp-options(5): an integer without a word before it is signed, as parsers of old took it.
  const isNamed = words[0] === 'signed' || words[0] === 'unsigned';
  const [sign, integer, width] = isNamed ? words : ['signed', ...words];
  const type = integer === 'integer' ? INTEGERS[`${sign} ${width}`] : undefined;
  return type === undefined ? undefined : { type, next: at + (isNamed ? 3 : 2) };
}

const DEFINITION_TYPES: Readonly<Partial<Record<FieldType, OptionDefinition['type']>>> = {
  ip: 'ipv4-address',
  u8: 'byte',
  s8: 'byte',
  u16: 'word',
  s16: 'word',
  u32: 'dword',
  s32: 'dword',
  flag: 'byte',
  text: 'string',
  data: 'binary',
  encapsulated: 'encapsulated',
};

/** The type of our own definition, and what is lost by it. */
export function definitionType(
  type: IscType,
): Pick<OptionDefinition, 'type' | 'isArray'> & { readonly difference: string | null } {
  const [only] = type.fields;
  const found = type.fields.length === 1 && only !== undefined ? lookUp(DEFINITION_TYPES, only) : undefined;
  const isArray = type.repeats !== 'nothing';
  // A list of texts has no form of its own here.
  if (found === undefined || (isArray && (found === 'string' || found === 'binary')))
    return { type: 'binary', isArray: false, difference: 'shown and entered in octets' };
  const isSigned = ['s8', 's16', 's32'].includes(only ?? '');
  return { type: found, isArray, difference: isSigned ? 'whose numbers have no sign here' : null };
}
