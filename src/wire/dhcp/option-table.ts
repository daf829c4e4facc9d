/**
 * Every DHCPv4 and BOOTP option that IANA registers ("BOOTP Vendor Extensions and DHCP Options"): number, name, type. Two
 * numbers of the private-use block are added because clients in the field ask for them. Names are those of the registry in
 * kebab case, shortened where the registry's are only technical. What each type means on the wire is in `option-codecs.ts`.
 */

/** The forms that option values have. `bytes` is kept as it is; `marker` is pad and end, which have no value. */
export type OptionType =
  | 'ipv4'
  | 'ipv4-list'
  | 'ipv4-list-or-empty'
  | 'ipv4-pairs'
  | 'u8'
  | 'u16'
  | 'u32'
  | 's32'
  | 'u8-list'
  | 'u16-list'
  | 'boolean'
  | 'string'
  | 'domain'
  | 'domain-list'
  | 'compressed-domain-list'
  | 'sip-servers'
  | 'routes'
  | 'vendor-classes'
  | 'vendor-options'
  | 'sub-options'
  | 'relay-agent'
  | 'client-id'
  | 'user-class'
  | 'fqdn'
  | 'flag'
  | 'status'
  | 'bytes'
  | 'marker';

export interface OptionRow {
  readonly name: string;
  readonly type: OptionType;
}

export const DHCP_OPTIONS = {
  0: { name: 'pad', type: 'marker' }, // RFC 2132 3.1
  1: { name: 'subnet-mask', type: 'ipv4' }, // RFC 2132 3.3
  2: { name: 'time-offset', type: 's32' }, // RFC 2132 3.4
  3: { name: 'router', type: 'ipv4-list' }, // RFC 2132 3.5
  4: { name: 'time-server', type: 'ipv4-list' }, // RFC 2132 3.6
  5: { name: 'name-server', type: 'ipv4-list' }, // RFC 2132 3.7
  6: { name: 'domain-server', type: 'ipv4-list' }, // RFC 2132 3.8
  7: { name: 'log-server', type: 'ipv4-list' }, // RFC 2132 3.9
  8: { name: 'quotes-server', type: 'ipv4-list' }, // RFC 2132 3.10
  9: { name: 'lpr-server', type: 'ipv4-list' }, // RFC 2132 3.11
  10: { name: 'impress-server', type: 'ipv4-list' }, // RFC 2132 3.12
  11: { name: 'rlp-server', type: 'ipv4-list' }, // RFC 2132 3.13
  12: { name: 'hostname', type: 'string' }, // RFC 2132 3.14
  13: { name: 'boot-file-size', type: 'u16' }, // RFC 2132 3.15
  14: { name: 'merit-dump-file', type: 'string' }, // RFC 2132 3.16
  15: { name: 'domain-name', type: 'string' }, // RFC 2132 3.17
  16: { name: 'swap-server', type: 'ipv4' }, // RFC 2132 3.18
  17: { name: 'root-path', type: 'string' }, // RFC 2132 3.19
  18: { name: 'extension-file', type: 'string' }, // RFC 2132 3.20
  19: { name: 'forward', type: 'boolean' }, // RFC 2132 4.1
  20: { name: 'source-routing', type: 'boolean' }, // RFC 2132 4.2
  21: { name: 'policy-filter', type: 'ipv4-pairs' }, // RFC 2132 4.3
  22: { name: 'max-datagram-assembly', type: 'u16' }, // RFC 2132 4.4
  23: { name: 'default-ip-ttl', type: 'u8' }, // RFC 2132 4.5
  24: { name: 'mtu-timeout', type: 'u32' }, // RFC 2132 4.6
  25: { name: 'mtu-plateau', type: 'u16-list' }, // RFC 2132 4.7
  26: { name: 'mtu-interface', type: 'u16' }, // RFC 2132 5.1
  27: { name: 'mtu-subnet', type: 'boolean' }, // RFC 2132 5.2
  28: { name: 'broadcast-address', type: 'ipv4' }, // RFC 2132 5.3
  29: { name: 'mask-discovery', type: 'boolean' }, // RFC 2132 5.4
  30: { name: 'mask-supplier', type: 'boolean' }, // RFC 2132 5.5
  31: { name: 'router-discovery', type: 'boolean' }, // RFC 2132 5.6
  32: { name: 'router-request', type: 'ipv4' }, // RFC 2132 5.7
  33: { name: 'static-route', type: 'ipv4-pairs' }, // RFC 2132 5.8
  34: { name: 'trailers', type: 'boolean' }, // RFC 2132 6.1
  35: { name: 'arp-timeout', type: 'u32' }, // RFC 2132 6.2
  36: { name: 'ethernet', type: 'boolean' }, // RFC 2132 6.3
  37: { name: 'default-tcp-ttl', type: 'u8' }, // RFC 2132 7.1
  38: { name: 'keepalive-time', type: 'u32' }, // RFC 2132 7.2
  39: { name: 'keepalive-data', type: 'boolean' }, // RFC 2132 7.3
  40: { name: 'nis-domain', type: 'string' }, // RFC 2132 8.1
  41: { name: 'nis-servers', type: 'ipv4-list' }, // RFC 2132 8.2
  42: { name: 'ntp-servers', type: 'ipv4-list' }, // RFC 2132 8.3
  43: { name: 'vendor-specific', type: 'sub-options' }, // RFC 2132 8.4
  44: { name: 'netbios-name-server', type: 'ipv4-list' }, // RFC 2132 8.5
  45: { name: 'netbios-distribution-server', type: 'ipv4-list' }, // RFC 2132 8.6
  46: { name: 'netbios-node-type', type: 'u8' }, // RFC 2132 8.7
  47: { name: 'netbios-scope', type: 'string' }, // RFC 2132 8.8
  48: { name: 'x-window-font', type: 'ipv4-list' }, // RFC 2132 8.9
  49: { name: 'x-window-manager', type: 'ipv4-list' }, // RFC 2132 8.10
  50: { name: 'requested-address', type: 'ipv4' }, // RFC 2132 9.1
  51: { name: 'lease-time', type: 'u32' }, // RFC 2132 9.2
  52: { name: 'overload', type: 'u8' }, // RFC 2132 9.3
  53: { name: 'message-type', type: 'u8' }, // RFC 2132 9.6
  54: { name: 'server-id', type: 'ipv4' }, // RFC 2132 9.7
  55: { name: 'parameter-list', type: 'u8-list' }, // RFC 2132 9.8
  56: { name: 'message', type: 'string' }, // RFC 2132 9.9
  57: { name: 'max-message-size', type: 'u16' }, // RFC 2132 9.10
  58: { name: 'renewal-time', type: 'u32' }, // RFC 2132 9.11
  59: { name: 'rebinding-time', type: 'u32' }, // RFC 2132 9.12
  60: { name: 'class-id', type: 'string' }, // RFC 2132 9.13
  61: { name: 'client-id', type: 'client-id' }, // RFC 2132 9.14
  62: { name: 'netware-ip-domain', type: 'string' }, // RFC 2242 2
  63: { name: 'netware-ip-option', type: 'sub-options' }, // RFC 2242 3
  64: { name: 'nis-domain-name', type: 'string' }, // RFC 2132 8.11
  65: { name: 'nis-server-addr', type: 'ipv4-list' }, // RFC 2132 8.12
  66: { name: 'server-name', type: 'string' }, // RFC 2132 9.4
  67: { name: 'bootfile-name', type: 'string' }, // RFC 2132 9.5
  68: { name: 'home-agent-addrs', type: 'ipv4-list-or-empty' }, // RFC 2132 8.13
  69: { name: 'smtp-server', type: 'ipv4-list' }, // RFC 2132 8.14
  70: { name: 'pop3-server', type: 'ipv4-list' }, // RFC 2132 8.15
  71: { name: 'nntp-server', type: 'ipv4-list' }, // RFC 2132 8.16
  72: { name: 'www-server', type: 'ipv4-list' }, // RFC 2132 8.17
  73: { name: 'finger-server', type: 'ipv4-list' }, // RFC 2132 8.18
  74: { name: 'irc-server', type: 'ipv4-list' }, // RFC 2132 8.19
  75: { name: 'streettalk-server', type: 'ipv4-list' }, // RFC 2132 8.20
  76: { name: 'stda-server', type: 'ipv4-list' }, // RFC 2132 8.21
  77: { name: 'user-class', type: 'user-class' }, // RFC 3004
  78: { name: 'directory-agent', type: 'bytes' }, // RFC 2610 3
  79: { name: 'service-scope', type: 'bytes' }, // RFC 2610 4
  80: { name: 'rapid-commit', type: 'flag' }, // RFC 4039 4
  81: { name: 'client-fqdn', type: 'fqdn' }, // RFC 4702
  82: { name: 'relay-agent-information', type: 'relay-agent' }, // RFC 3046
  83: { name: 'isns', type: 'bytes' }, // RFC 4174
  85: { name: 'nds-servers', type: 'ipv4-list' }, // RFC 2241 2
  86: { name: 'nds-tree-name', type: 'string' }, // RFC 2241 3
  87: { name: 'nds-context', type: 'string' }, // RFC 2241 4
  88: { name: 'bcmcs-controller-domain-name', type: 'domain-list' }, // RFC 4280 4.1
  89: { name: 'bcmcs-controller-ipv4-address', type: 'ipv4-list' }, // RFC 4280 4.3
  90: { name: 'authentication', type: 'bytes' }, // RFC 3118 2
  91: { name: 'client-last-transaction-time', type: 'u32' }, // RFC 4388 6.1
  92: { name: 'associated-ip', type: 'ipv4-list' }, // RFC 4388 6.1
  93: { name: 'client-system', type: 'u16-list' }, // RFC 4578 2.1
  94: { name: 'client-network-interface', type: 'bytes' }, // RFC 4578 2.2
  95: { name: 'ldap', type: 'string' }, // RFC 3679
  97: { name: 'uuid-guid', type: 'bytes' }, // RFC 4578 2.3
  98: { name: 'user-auth', type: 'string' }, // RFC 2485
  99: { name: 'geoconf-civic', type: 'bytes' }, // RFC 4776
  100: { name: 'posix-timezone', type: 'string' }, // RFC 4833
  101: { name: 'tz-database-timezone', type: 'string' }, // RFC 4833
  108: { name: 'ipv6-only-preferred', type: 'u32' }, // RFC 8925 3.1
  109: { name: 'dhcp4o6-source-address', type: 'bytes' }, // RFC 8539 7.1
  112: { name: 'netinfo-address', type: 'ipv4-list' }, // RFC 3679
  113: { name: 'netinfo-tag', type: 'string' }, // RFC 3679
  114: { name: 'captive-portal', type: 'string' }, // RFC 8910 2.1
  116: { name: 'auto-config', type: 'u8' }, // RFC 2563 2
  117: { name: 'name-service-search', type: 'u16-list' }, // RFC 2937
  118: { name: 'subnet-selection', type: 'ipv4' }, // RFC 3011
  119: { name: 'domain-search', type: 'compressed-domain-list' }, // RFC 3397
  120: { name: 'sip-servers', type: 'sip-servers' }, // RFC 3361
  121: { name: 'classless-static-route', type: 'routes' }, // RFC 3442
  122: { name: 'cablelabs-client-configuration', type: 'sub-options' }, // RFC 3495
  123: { name: 'geoconf', type: 'bytes' }, // RFC 6225
  124: { name: 'vendor-identifying-class', type: 'vendor-classes' }, // RFC 3925 3
  125: { name: 'vendor-identifying-specific', type: 'vendor-options' }, // RFC 3925 4
  128: { name: 'pxe-128', type: 'bytes' }, // RFC 4578
  129: { name: 'pxe-129', type: 'bytes' }, // RFC 4578
  130: { name: 'pxe-130', type: 'bytes' }, // RFC 4578
  131: { name: 'pxe-131', type: 'bytes' }, // RFC 4578
  132: { name: 'pxe-132', type: 'bytes' }, // RFC 4578
  133: { name: 'pxe-133', type: 'bytes' }, // RFC 4578
  134: { name: 'pxe-134', type: 'bytes' }, // RFC 4578
  135: { name: 'pxe-135', type: 'bytes' }, // RFC 4578
  136: { name: 'pana-agent', type: 'ipv4-list' }, // RFC 5192
  137: { name: 'lost-server', type: 'domain' }, // RFC 5223
  138: { name: 'capwap-access-controller', type: 'ipv4-list' }, // RFC 5417
  139: { name: 'mos-ipv4-address', type: 'sub-options' }, // RFC 5678
  140: { name: 'mos-fqdn', type: 'sub-options' }, // RFC 5678
  141: { name: 'sip-ua-configuration-domains', type: 'domain-list' }, // RFC 6011
  142: { name: 'andsf-ipv4-address', type: 'ipv4-list' }, // RFC 6153
  143: { name: 'sztp-redirect', type: 'bytes' }, // RFC 8572 8.3
  144: { name: 'geoloc', type: 'bytes' }, // RFC 6225
  145: { name: 'forcerenew-nonce-capable', type: 'u8-list' }, // RFC 6704
  146: { name: 'rdnss-selection', type: 'bytes' }, // RFC 6731
  147: { name: 'dots-reference-identifier', type: 'domain' }, // RFC 8973
  148: { name: 'dots-address', type: 'ipv4-list' }, // RFC 8973
  150: { name: 'tftp-server-address', type: 'ipv4-list' }, // RFC 5859
  151: { name: 'status-code', type: 'status' }, // RFC 6926
  152: { name: 'base-time', type: 'u32' }, // RFC 6926
  153: { name: 'start-time-of-state', type: 'u32' }, // RFC 6926
  154: { name: 'query-start-time', type: 'u32' }, // RFC 6926
  155: { name: 'query-end-time', type: 'u32' }, // RFC 6926
  156: { name: 'dhcp-state', type: 'u8' }, // RFC 6926
  157: { name: 'data-source', type: 'u8' }, // RFC 6926
  158: { name: 'pcp-server', type: 'bytes' }, // RFC 7291
  159: { name: 'port-params', type: 'bytes' }, // RFC 7618
  161: { name: 'mud-url', type: 'string' }, // RFC 8520
  162: { name: 'network-designated-resolver', type: 'bytes' }, // RFC 9463
  175: { name: 'etherboot-175', type: 'bytes' }, // tentative, RFC 3942
  176: { name: 'ip-telephone', type: 'bytes' }, // tentative, RFC 3942
  177: { name: 'packetcable', type: 'bytes' }, // tentative, RFC 3942
  208: { name: 'pxelinux-magic', type: 'bytes' }, // RFC 5071
  209: { name: 'configuration-file', type: 'string' }, // RFC 5071
  210: { name: 'path-prefix', type: 'string' }, // RFC 5071
  211: { name: 'reboot-time', type: 'u32' }, // RFC 5071
  212: { name: '6rd', type: 'bytes' }, // RFC 5969
  213: { name: 'access-domain', type: 'domain' }, // RFC 5986
  220: { name: 'subnet-allocation', type: 'bytes' }, // RFC 6656
  221: { name: 'virtual-subnet-selection', type: 'bytes' }, // RFC 6607
  249: { name: 'classless-static-route-microsoft', type: 'routes' }, // private use, MS-DHCPE
  252: { name: 'web-proxy-auto-discovery', type: 'string' }, // private use, WPAD
  255: { name: 'end', type: 'marker' }, // RFC 2132 3.2
} as const satisfies Record<number, OptionRow>;

export type DhcpOptionName = (typeof DHCP_OPTIONS)[keyof typeof DHCP_OPTIONS]['name'];

const ROWS: ReadonlyMap<number, OptionRow> = new Map(
  Object.entries(DHCP_OPTIONS).map(([code, row]) => [Number(code), row]),
);
const CODES: ReadonlyMap<string, number> = new Map(
  Object.entries(DHCP_OPTIONS).map(([code, row]) => [row.name, Number(code)]),
);

export function optionRow(code: number): OptionRow | undefined {
  return ROWS.get(code);
}

/** The type of a registered option; `bytes` for any other number. */
export function optionType(code: number): OptionType {
  return ROWS.get(code)?.type ?? 'bytes';
}

/** The registered name, or `option-N`. */
export function optionName(code: number): string {
  return ROWS.get(code)?.name ?? `option-${code}`;
}

/** The number of a registered name, of `option-N`, or of a plain decimal number 1..254; undefined for anything else. */
export function optionByName(name: string): number | undefined {
  const plain = name.toLowerCase();
  const registered = CODES.get(plain);
  if (registered !== undefined) return registered;
  const digits = /^(?:option-)?([1-9][0-9]{0,2})$/.exec(plain)?.[1];
  if (digits === undefined) return undefined;
  const code = Number(digits);
  return code <= 254 ? code : undefined;
}
