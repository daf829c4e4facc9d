/** The configuration of the two servers and the addresses of the simulated network. */
import { defaultConfig, defaultScope } from '../core/config/defaults.ts';
import type { Config, Relationship, Scope } from '../core/config/model.ts';
import { formatIp4, type Ip4, ip4 } from '../wire/units.ts';
import type { WorldOptions } from './options.ts';
import { RELATIONSHIP } from './process.ts';
import { otherSide, type Side } from './sides.ts';

const NETWORK = 10 * 2 ** 24;
/** Where each scope's range begins, counted from its network address. */
export const FIRST_HOST = 256;
const PREFIX_LENGTH = 16;

export function scopeIdOf(index: number): Ip4 {
  return ip4(NETWORK + index * 65536);
}

/** The servers' addresses are in the first scope's network. */
export function serverAddressOf(side: Side): Ip4 {
  return ip4(NETWORK + (side === 'a' ? 2 : 3));
}

export function relayAddressOf(scopeIndex: number): Ip4 {
  return ip4(scopeIdOf(scopeIndex) + 1);
}

export const SERVER_PREFIX_LENGTH = PREFIX_LENGTH;

export function scopeOf(options: WorldOptions, index: number): Scope {
  const first = scopeIdOf(index) + FIRST_HOST;
  return defaultScope({
    scopeId: formatIp4(scopeIdOf(index)),
    subnetMask: '255.255.0.0',
    name: `scope ${index}`,
    startRange: formatIp4(ip4(first)),
    endRange: formatIp4(ip4(first + options.poolSizes[index]! - 1)),
    leaseDurationSec: options.leaseSec,
  });
}

/** A server before the relationship: the called one has the scopes, the other nothing. */
export function firstConfig(options: WorldOptions, side: Side): Config {
  const config = defaultConfig(`server-${side}`);
  const scopes = side === options.called ? options.poolSizes.map((_size, index) => scopeOf(options, index)) : [];
  // Declined addresses come back within the run.
  return { ...config, scopes, server: { ...config.server, declineHoldSec: 300 } };
}

export function withRelationship(options: WorldOptions, side: Side, config: Config): Config {
  const scopes = options.poolSizes.map((_size, index) => scopeOf(options, index));
  const relationship: Relationship = {
    name: RELATIONSHIP,
    id: `id-${options.seed}`,
    partnerKey: (side === 'a' ? 'bb' : 'aa').repeat(32),
    partnerServer: `server-${otherSide(side)}`,
    role: side === 'a' ? 'primary' : 'secondary',
    mode: options.mode,
    isActive: options.mode === 'HotStandby' && side === options.active,
    percentage: options.percentage,
    mcltSec: options.mcltSec,
    stateSwitchIntervalSec: options.autoPartnerDownSec,
    sharedSecretRef: null,
    scopeIds: scopes.map((scope) => scope.scopeId),
    profile: 'twinlease',
  };
  const partner = { key: relationship.partnerKey, name: relationship.partnerServer, host: '192.0.2.1', port: 647 };
  return { ...config, scopes, partners: [partner], relationships: [relationship] };
}
