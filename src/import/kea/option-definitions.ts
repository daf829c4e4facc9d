/**
 * The DHCPv4 options that Kea 2.2 knows by name (ARM, "Standard DHCPv4 options") and those that a configuration defines itself, each
 * with the type that tells how its text becomes octets.
 */
import type { OptionDefinition } from '../../core/config/model.ts';
import { lookUp } from '../look-up.ts';

export const KEA_TYPES = [
  'empty',
  'binary',
  'boolean',
  'int8',
  'int16',
  'int32',
  'uint8',
  'uint16',
  'uint32',
  'ipv4-address',
  'ipv6-address',
  'ipv6-prefix',
  'psid',
  'string',
  'tuple',
  'fqdn',
  'record',
] as const;
export type KeaType = (typeof KEA_TYPES)[number];

export interface KeaDefinition {
  readonly name: string;
  readonly code: number;
  readonly space: string;
  /** The types of a record's fields; a single one for other types. */
  readonly fields: readonly KeaType[];
  /** The last field repeats. */
  readonly isArray: boolean;
  /** Name of the space whose options follow the value; empty for none. */
  readonly encapsulates: string;
}

export const DHCP4_SPACE = 'dhcp4';
export const VENDOR_ENCAPSULATED_SPACE = 'vendor-encapsulated-options-space';

type Row = readonly [name: string, code: number, type: KeaType | readonly KeaType[], shape?: 'array'];

const STANDARD: readonly Row[] = [
  ['subnet-mask', 1, 'ipv4-address'],
  ['time-offset', 2, 'int32'],
  ['routers', 3, 'ipv4-address', 'array'],
  ['time-servers', 4, 'ipv4-address', 'array'],
  ['name-servers', 5, 'ipv4-address', 'array'],
  ['domain-name-servers', 6, 'ipv4-address', 'array'],
  ['log-servers', 7, 'ipv4-address', 'array'],
  ['cookie-servers', 8, 'ipv4-address', 'array'],
  ['lpr-servers', 9, 'ipv4-address', 'array'],
  ['impress-servers', 10, 'ipv4-address', 'array'],
  ['resource-location-servers', 11, 'ipv4-address', 'array'],
  ['host-name', 12, 'string'],
  ['boot-size', 13, 'uint16'],
  ['merit-dump', 14, 'string'],
  // Kea takes a name here; on the wire it is text without a closing dot (RFC 2132 3.17).
  ['domain-name', 15, 'string'],
  ['swap-server', 16, 'ipv4-address'],
  ['root-path', 17, 'string'],
  ['extensions-path', 18, 'string'],
  ['ip-forwarding', 19, 'boolean'],
  ['non-local-source-routing', 20, 'boolean'],
  ['policy-filter', 21, 'ipv4-address', 'array'],
  ['max-dgram-reassembly', 22, 'uint16'],
  ['default-ip-ttl', 23, 'uint8'],
  ['path-mtu-aging-timeout', 24, 'uint32'],
  ['path-mtu-plateau-table', 25, 'uint16', 'array'],
  ['interface-mtu', 26, 'uint16'],
  ['all-subnets-local', 27, 'boolean'],
  ['broadcast-address', 28, 'ipv4-address'],
  ['perform-mask-discovery', 29, 'boolean'],
  ['mask-supplier', 30, 'boolean'],
  ['router-discovery', 31, 'boolean'],
  ['router-solicitation-address', 32, 'ipv4-address'],
  ['static-routes', 33, 'ipv4-address', 'array'],
  ['trailer-encapsulation', 34, 'boolean'],
  ['arp-cache-timeout', 35, 'uint32'],
  ['ieee802-3-encapsulation', 36, 'boolean'],
  ['default-tcp-ttl', 37, 'uint8'],
  ['tcp-keepalive-interval', 38, 'uint32'],
  ['tcp-keepalive-garbage', 39, 'boolean'],
  ['nis-domain', 40, 'string'],
  ['nis-servers', 41, 'ipv4-address', 'array'],
  ['ntp-servers', 42, 'ipv4-address', 'array'],
  ['vendor-encapsulated-options', 43, 'empty'],
  ['netbios-name-servers', 44, 'ipv4-address', 'array'],
  ['netbios-dd-server', 45, 'ipv4-address', 'array'],
  ['netbios-node-type', 46, 'uint8'],
  ['netbios-scope', 47, 'string'],
  ['font-servers', 48, 'ipv4-address', 'array'],
  ['x-display-manager', 49, 'ipv4-address', 'array'],
  ['dhcp-requested-address', 50, 'ipv4-address'],
  ['dhcp-lease-time', 51, 'uint32'],
  ['dhcp-option-overload', 52, 'uint8'],
  ['dhcp-message-type', 53, 'uint8'],
  ['dhcp-server-identifier', 54, 'ipv4-address'],
  ['dhcp-parameter-request-list', 55, 'uint8', 'array'],
  ['dhcp-message', 56, 'string'],
  ['dhcp-max-message-size', 57, 'uint16'],
  ['dhcp-renewal-time', 58, 'uint32'],
  ['dhcp-rebinding-time', 59, 'uint32'],
  ['vendor-class-identifier', 60, 'string'],
  ['dhcp-client-identifier', 61, 'binary'],
  ['nwip-domain-name', 62, 'string'],
  ['nwip-suboptions', 63, 'binary'],
  ['nisplus-domain-name', 64, 'string'],
  ['nisplus-servers', 65, 'ipv4-address', 'array'],
  ['tftp-server-name', 66, 'string'],
  ['boot-file-name', 67, 'string'],
  ['mobile-ip-home-agent', 68, 'ipv4-address', 'array'],
  ['smtp-server', 69, 'ipv4-address', 'array'],
  ['pop-server', 70, 'ipv4-address', 'array'],
  ['nntp-server', 71, 'ipv4-address', 'array'],
  ['www-server', 72, 'ipv4-address', 'array'],
  ['finger-server', 73, 'ipv4-address', 'array'],
  ['irc-server', 74, 'ipv4-address', 'array'],
  ['streettalk-server', 75, 'ipv4-address', 'array'],
  ['streettalk-directory-assistance-server', 76, 'ipv4-address', 'array'],
  ['user-class', 77, 'binary'],
  ['slp-directory-agent', 78, ['boolean', 'ipv4-address'], 'array'],
  ['slp-service-scope', 79, ['boolean', 'string']],
  ['fqdn', 81, ['uint8', 'uint8', 'uint8', 'fqdn']],
  ['dhcp-agent-options', 82, 'empty'],
  ['nds-servers', 85, 'ipv4-address', 'array'],
  ['nds-tree-name', 86, 'string'],
  ['nds-context', 87, 'string'],
  ['bcms-controller-names', 88, 'fqdn', 'array'],
  ['bcms-controller-address', 89, 'ipv4-address', 'array'],
  ['authenticate', 90, 'binary'],
  ['client-last-transaction-time', 91, 'uint32'],
  ['associated-ip', 92, 'ipv4-address', 'array'],
  ['client-system', 93, 'uint16', 'array'],
  ['client-ndi', 94, ['uint8', 'uint8', 'uint8']],
  ['uuid-guid', 97, ['uint8', 'binary']],
  ['uap-servers', 98, 'string'],
  ['geoconf-civic', 99, 'binary'],
  ['pcode', 100, 'string'],
  ['tcode', 101, 'string'],
  ['v6-only-preferred', 108, 'uint32'],
  ['netinfo-server-address', 112, 'ipv4-address', 'array'],
  ['netinfo-server-tag', 113, 'string'],
  ['v4-captive-portal', 114, 'string'],
  ['auto-config', 116, 'uint8'],
  ['name-service-search', 117, 'uint16', 'array'],
  ['domain-search', 119, 'fqdn', 'array'],
  ['vivco-suboptions', 124, ['uint32', 'binary']],
  ['vivso-suboptions', 125, 'uint32'],
  ['pana-agent', 136, 'ipv4-address', 'array'],
  ['v4-lost', 137, 'fqdn'],
  ['capwap-ac-v4', 138, 'ipv4-address', 'array'],
  ['sip-ua-cs-domains', 141, 'fqdn', 'array'],
  ['rdnss-selection', 146, ['uint8', 'ipv4-address', 'ipv4-address', 'fqdn']],
  ['v4-portparams', 159, ['uint8', 'psid']],
  ['option-6rd', 212, ['uint8', 'uint8', 'ipv6-address', 'ipv4-address'], 'array'],
  ['v4-access-domain', 213, 'fqdn'],
];

/** Definitions of all spaces, found by name and by number; those of the configuration are added to the standard ones. */
export class Definitions {
  readonly #byName = new Map<string, KeaDefinition>();
  readonly #byCode = new Map<string, KeaDefinition>();

  constructor(outer?: Definitions) {
    if (outer === undefined) for (const row of STANDARD) this.add(standard(row));
    else {
      for (const [key, definition] of outer.#byName) this.#byName.set(key, definition);
      for (const [key, definition] of outer.#byCode) this.#byCode.set(key, definition);
    }
  }

  add(definition: KeaDefinition): void {
    const { space, name, code } = definition;
    this.#byName.set(`${space} ${name}`, definition);
    this.#byCode.set(`${space} ${code}`, definition);
  }

  byName(space: string, name: string): KeaDefinition | undefined {
    return this.#byName.get(`${space} ${name}`);
  }

  byCode(space: string, code: number): KeaDefinition | undefined {
    return this.#byCode.get(`${space} ${code}`);
  }
}

function standard([name, code, type, shape]: Row): KeaDefinition {
  return {
    name,
    code,
    space: DHCP4_SPACE,
    fields: typeof type === 'string' ? [type] : type,
    isArray: shape === 'array',
    encapsulates: code === 43 ? VENDOR_ENCAPSULATED_SPACE : '',
  };
}

export function standardOptions(): readonly Pick<KeaDefinition, 'name' | 'code'>[] {
  return STANDARD.map(([name, code]) => ({ name, code }));
}

const OWN_TYPES: Readonly<Partial<Record<KeaType, OptionDefinition['type']>>> = {
  boolean: 'byte',
  int8: 'byte',
  uint8: 'byte',
  int16: 'word',
  uint16: 'word',
  int32: 'dword',
  uint32: 'dword',
  'ipv4-address': 'ipv4-address',
  string: 'string',
  binary: 'binary',
};

/** The type of our own definition; `isExact` is false where only the octets are known of it. */
export function ownType(
  definition: KeaDefinition,
): Pick<OptionDefinition, 'type' | 'isArray'> & { readonly isExact: boolean } {
  const [only] = definition.fields;
  // A value with options inside it can be longer than its own type says.
  if (definition.encapsulates !== '') return { type: 'encapsulated', isArray: false, isExact: only === 'empty' };
  const type = definition.fields.length === 1 && only !== undefined ? lookUp(OWN_TYPES, only) : undefined;
  const isListOfText = definition.isArray && (type === 'string' || type === 'binary');
  if (type === undefined || isListOfText) return { type: 'binary', isArray: false, isExact: false };
  return { type, isArray: definition.isArray, isExact: only === 'boolean' || !only?.startsWith('int') };
}
