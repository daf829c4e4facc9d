/**
 * The relay agent information option, 82 (RFC 3046): its registered sub-options, and the value as a map. A server echoes the
 * received bytes as they are (RFC 3046 2.2) and uses the map only to look things up.
 */
import { type Ip4, ip4, ok, type Read } from '../units.ts';
import { joined, readU32 } from './octets.ts';
import { readSubOptions, type SubOption, writeSubOptions } from './sub-options.ts';

/** The sub-options that IANA registers; 150 is what Cisco relays sent for 5 before RFC 3527. */
export const RELAY_AGENT_SUB_OPTIONS = {
  1: { name: 'circuit-id', type: 'bytes' }, // RFC 3046 3.1
  2: { name: 'remote-id', type: 'bytes' }, // RFC 3046 3.2
  4: { name: 'docsis-device-class', type: 'u32' }, // RFC 3256
  5: { name: 'link-selection', type: 'ipv4' }, // RFC 3527
  6: { name: 'subscriber-id', type: 'string' }, // RFC 3993
  7: { name: 'radius-attributes', type: 'bytes' }, // RFC 4014
  8: { name: 'authentication', type: 'bytes' }, // RFC 4030
  9: { name: 'vendor-specific', type: 'bytes' }, // RFC 4243
  10: { name: 'relay-agent-flags', type: 'u8' }, // RFC 5010
  11: { name: 'server-id-override', type: 'ipv4' }, // RFC 5107
  12: { name: 'relay-agent-id', type: 'bytes' }, // RFC 6925
  13: { name: 'access-technology-type', type: 'bytes' }, // RFC 7839
  14: { name: 'access-network-name', type: 'string' }, // RFC 7839
  15: { name: 'access-point-name', type: 'string' }, // RFC 7839
  16: { name: 'access-point-bssid', type: 'bytes' }, // RFC 7839
  17: { name: 'operator-id', type: 'bytes' }, // RFC 7839
  18: { name: 'operator-realm', type: 'string' }, // RFC 7839
  19: { name: 'relay-source-port', type: 'flag' }, // RFC 8357
  150: { name: 'link-selection-cisco', type: 'ipv4' },
  151: { name: 'virtual-subnet-selection', type: 'bytes' }, // RFC 6607
  152: { name: 'virtual-subnet-selection-control', type: 'flag' }, // RFC 6607
} as const satisfies Record<
  number,
  { readonly name: string; readonly type: 'bytes' | 'u8' | 'u32' | 'ipv4' | 'string' | 'flag' }
>;

export const SUB_CIRCUIT_ID = 1;
export const SUB_REMOTE_ID = 2;
export const SUB_LINK_SELECTION = 5;
export const SUB_SUBSCRIBER_ID = 6;
export const SUB_RELAY_FLAGS = 10;
export const SUB_SERVER_ID_OVERRIDE = 11;
export const SUB_RELAY_SOURCE_PORT = 19;
export const SUB_VSS = 151;
export const SUB_VSS_CONTROL = 152;

/** Sub-option code to its value. Instances of one code are joined in order, as RFC 3396 does for options. */
export type RelayAgentInfo = ReadonlyMap<number, Uint8Array>;

/** The values are copies. An empty option gives an empty map, although RFC 3046 2.0 wants at least one sub-option. */
export function decodeRelayAgent(bytes: Uint8Array): Read<RelayAgentInfo> {
  const read = readSubOptions(bytes, 'plain');
  if (read.kind === 'bad') return read;
  const info = new Map<number, Uint8Array>();
  for (const { code, bytes: value } of read.value) {
    const before = info.get(code);
    info.set(code, before === undefined ? value : joined([before, value]));
  }
  return ok(info);
}

/** Writes the sub-options in Map order; a value above 255 bytes is written as several instances. */
export function encodeRelayAgent(info: RelayAgentInfo): Uint8Array {
  const parts: SubOption[] = [];
  for (const [code, bytes] of info) {
    let at = 0;
    do {
      parts.push({ code, bytes: bytes.subarray(at, at + 255) });
      at += 255;
    } while (at < bytes.length);
  }
  return writeSubOptions(parts, 'plain');
}

/** The address in a four-byte sub-option such as link selection; undefined when absent or of another length. */
export function relayAddress(info: RelayAgentInfo, code: number): Ip4 | undefined {
  const bytes = info.get(code);
  return bytes?.length === 4 ? ip4(readU32(bytes, 0)) : undefined;
}

/** The registered name, or `sub-option-N`. */
export function relayAgentSubOptionName(code: number): string {
  const rows: Readonly<Record<number, { readonly name: string }>> = RELAY_AGENT_SUB_OPTIONS;
  return rows[code]?.name ?? `sub-option-${code}`;
}
