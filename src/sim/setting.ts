/** The configuration of the servers and the addresses of the simulated network. */
import { defaultConfig, defaultScope } from '../core/config/defaults.ts';
import type { Config, Partner, Reservation, Scope } from '../core/config/model.ts';
import { formatIp4, type Ip4, ip4, toHex } from '../wire/units.ts';
import type { ChangeBody, Settings } from './change-body.ts';
import { pairOfScope, type WorldOptions } from './options.ts';
import { type HostName, PAIRS, type PairNames, type Side } from './sides.ts';

const NETWORK = 10 * 2 ** 24;
/** Where each scope's range begins, counted from its network address. */
export const FIRST_HOST = 256;
const PREFIX_LENGTH = 16;
export const SCOPE_ADDRESSES_MAX = 2 ** (32 - PREFIX_LENGTH);
/** Reserved addresses begin here, below the range; every second one lies in the range. */
const FIRST_RESERVED = 128;
const RESERVED_PER_SCOPE = 6;
/** A pool that is large enough has this many addresses excluded in its middle. */
const EXCLUDED = 2;
const EXCLUDED_FROM_SIZE = 20;

export function scopeIdOf(index: number): Ip4 {
  return ip4(NETWORK + index * 65536);
}

/** Which scope an address of the simulated network lies in. */
export function scopeIndexOf(address: Ip4): number {
  return (address >>> 16) & 255;
}

/** The servers' addresses are in the first scope's network. */
export function serverAddressOf(host: HostName): Ip4 {
  return ip4(NETWORK + 2 + 'abc'.indexOf(host));
}

export function relayAddressOf(scopeIndex: number): Ip4 {
  return ip4(scopeIdOf(scopeIndex) + 1);
}

export const SERVER_PREFIX_LENGTH = PREFIX_LENGTH;

/** What a server is known by. */
export function keyOf(host: HostName): string {
  return `${host}${host}`.repeat(32);
}

/** Locally administered, with the machine's number in the last octets. */
export function hardwareOf(machine: number): Uint8Array {
  return Uint8Array.of(2, 0, 0, 0, machine >> 8, machine & 0xff);
}

export function clientIndexOf(chaddr: Uint8Array): number {
  return chaddr[4]! * 256 + chaddr[5]!;
}

/** The clients of a scope that have a reservation; the last of them speaks BOOTP. */
export function reservedClientsOf(options: WorldOptions, scope: number): number[] {
  if (options.habits !== 'all') return [];
  const scopes = options.poolSizes.length;
  return Array.from({ length: RESERVED_PER_SCOPE }, (_none, i) => scope + scopes * (2 + 3 * i)).filter(
    (client) => client < options.clients,
  );
}

export function speaksBootp(options: WorldOptions, client: number): boolean {
  const scope = client % options.poolSizes.length;
  return reservedClientsOf(options, scope).indexOf(client) === RESERVED_PER_SCOPE - 1;
}

function reservationsOf(options: WorldOptions, scope: number): Reservation[] {
  const size = options.poolSizes[scope]!;
  return reservedClientsOf(options, scope).map((client, i) => {
    const isInRange = i % 2 === 1 && size >= EXCLUDED_FROM_SIZE;
    const host = isInRange ? FIRST_HOST + 2 * i : FIRST_RESERVED + i;
    return {
      address: formatIp4(ip4(scopeIdOf(scope) + host)),
      client: { kind: 'hardware', hex: toHex(hardwareOf(client)) },
      name: `reserved ${client}`,
      description: '',
      type: 'Both',
      options: [],
    };
  });
}

export function scopeOf(options: WorldOptions, index: number): Scope {
  const first = scopeIdOf(index) + FIRST_HOST;
  const size = options.poolSizes[index]!;
  const middle = first + (size >> 1);
  const hasExclusion = options.habits === 'all' && size >= EXCLUDED_FROM_SIZE;
  return defaultScope({
    scopeId: formatIp4(scopeIdOf(index)),
    subnetMask: '255.255.0.0',
    name: `scope ${index}`,
    startRange: formatIp4(ip4(first)),
    endRange: formatIp4(ip4(first + size - 1)),
    leaseDurationSec: options.leaseSec,
    exclusions: hasExclusion ? [{ start: formatIp4(ip4(middle)), end: formatIp4(ip4(middle + EXCLUDED - 1)) }] : [],
    reservations: reservationsOf(options, index),
    type: 'Dhcp',
  });
}

/** The scopes of a pair, by their numbers. */
export function scopesOfPair(options: WorldOptions, pair: number): number[] {
  return options.poolSizes.map((_size, scope) => scope).filter((scope) => pairOfScope(options, scope) === pair);
}

/** The server that has the scopes of a pair before the relationship is made. */
export function calledOf(options: WorldOptions, pair: number): Side {
  return pair % 2 === 0 ? options.called : options.called === 'a' ? 'b' : 'a';
}

/** Pairs other than the first have the other mode, so that one server lives in both. */
export function settingsOf(options: WorldOptions, pair: number): Settings {
  const other = options.mode === 'LoadBalance' ? 'HotStandby' : 'LoadBalance';
  const first = { mode: options.mode, percentage: options.percentage };
  return {
    ...(pair === 0 ? first : { mode: other, percentage: other === 'LoadBalance' ? 50 : 10 }),
    mcltSec: options.mcltSec,
    stateSwitchIntervalSec: options.autoPartnerDownSec,
  };
}

/** A server before the relationships: it has the scopes of those that are made on it. */
export function firstConfig(options: WorldOptions, host: HostName): Config {
  const config = defaultConfig(`server-${host}`);
  const scopes = PAIRS.flatMap((names, pair) =>
    names.hosts[calledOf(options, pair)] === host ? scopesOfPair(options, pair) : [],
  );
  const partners = PAIRS.flatMap((names) => Object.values(names.hosts))
    .filter((name, i, all) => name !== host && all.indexOf(name) === i)
    .map((name): Partner => ({ key: keyOf(name), name: `server-${name}`, host: '192.0.2.1', port: 647 }));
  // Declined addresses come back within the run.
  const server = { ...config.server, declineHoldSec: 300 };
  return { ...config, server, partners, scopes: scopes.map((scope) => scopeOf(options, scope)) };
}

/** What makes the relationship of a pair, seen from the side that is called for it. */
export function creationOf(
  options: WorldOptions,
  names: PairNames,
  at: { readonly pair: number; readonly called: Side; readonly scopes: readonly number[]; readonly id: string },
): ChangeBody {
  const settings = settingsOf(options, at.pair);
  return {
    kind: 'add-relationship',
    name: names.name,
    id: at.id,
    settings,
    role: at.called === 'a' ? 'primary' : 'secondary',
    isActive: settings.mode === 'HotStandby' && at.called === options.active,
    scopes: at.scopes.map((scope) => scopeOf(options, scope)),
  };
}
