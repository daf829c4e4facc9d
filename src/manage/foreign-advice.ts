/**
 * What an operator must know when a relationship with a server of another make is made or changed: what to enter there, and what
 * that make does differently (failover specification 2.1, 2.10, 2.14, 3.1). A secret is never part of it.
 */
import type { Config, Relationship, Scope } from '../core/config/model.ts';
import { poolShapeOf } from '../core/config/pool-shape.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control } from '../server/control.ts';
import { formatIp4, type Ip4 } from '../wire/units.ts';
import type { DeclaredPartner } from './foreign-partner.ts';
import { problem } from './problems.ts';
import { scopeOf } from './shared-config.ts';

const BUCKETS = 256;
/** Specification 1.9, 2.1: what suits our own timers and window. */
const RESPONSE_DELAY_SEC = 60;
const UNACKED_UPDATES = 10;
const BALANCE_MAX_SEC_DEFAULT = 3;

/** Warnings about the relationship as it is in `config`; `isNew` adds what is said once. */
export async function foreignAdvice(
  control: Control,
  config: Config,
  relationship: Relationship,
  how: { readonly partner: DeclaredPartner; readonly isNew: boolean },
): Promise<Problem[]> {
  const { partner, isNew } = how;
  const scopes = relationship.scopeIds.map((id) => scopeOf(config, id)).filter((scope) => scope !== undefined);
  const place = await control.placeFor(partner.host);
  const lines = linesThere({
    relationship,
    partner,
    scopes,
    ownAddress: partner.foreign.localAddress ?? place.address ?? 'ADDRESS-OF-THIS-SERVER',
    ownPort: place.port,
    loadBalanceMaxSec: config.server.loadBalanceMaxSec,
  });
  const { name } = relationship;
  const slots = { name, partner: partner.name, lines: `\n${lines.join('\n')}` };
  const advice: Problem[] = [problem(control, 'failover/foreign-enter', slots, name)];
  if (partner.foreign.kind === 'isc') {
    const long = longestLease(scopes);
    if (long !== undefined && long.leaseDurationSec > relationship.mcltSec) {
      const { mcltSec } = relationship;
      const about = { name, mcltSec, scopeId: long.scopeId, leaseSec: long.leaseDurationSec };
      advice.push(problem(control, 'failover/mclt-below-lease', about, name));
    }
    if (isNew) {
      const about = { partner: partner.name, port: place.port };
      advice.push(problem(control, 'failover/isc-weaknesses', about, name));
    }
  }
  for (const { scopeId, type } of scopes) {
    if (type === 'Both')
      advice.push(problem(control, 'failover/foreign-bootp', { scopeId, partner: partner.name }, scopeId));
  }
  return advice;
}

function longestLease(scopes: readonly Scope[]): Scope | undefined {
  return scopes.reduce<Scope | undefined>(
    (longest, scope) => (longest !== undefined && longest.leaseDurationSec >= scope.leaseDurationSec ? longest : scope),
    undefined,
  );
}

interface OtherSide {
  readonly relationship: Relationship;
  readonly partner: DeclaredPartner;
  readonly scopes: readonly Scope[];
  readonly ownAddress: string;
  readonly ownPort: number;
  readonly loadBalanceMaxSec: number;
}

/** What to enter at the partner, line by line. */
function linesThere(side: OtherSide): string[] {
  switch (side.partner.foreign.kind) {
    case 'isc':
      return dhcpdLines(side);
    case 'msft':
    case 'draft':
      return parameterLines(side);
    default:
      return side.partner.foreign.kind satisfies never;
  }
}

/** dhcpd.conf(5), "failover". */
function dhcpdLines(side: OtherSide): string[] {
  const { relationship, partner, scopes } = side;
  const name = quoted(relationship.name);
  const isTherePrimary = relationship.role === 'secondary';
  const seconds = side.loadBalanceMaxSec === 0 ? BALANCE_MAX_SEC_DEFAULT : side.loadBalanceMaxSec;
  return [
    `failover peer ${name} {`,
    `  ${isTherePrimary ? 'primary' : 'secondary'};`,
    `  address ${partner.host};`,
    `  port ${partner.port};`,
    `  peer address ${side.ownAddress};`,
    `  peer port ${side.ownPort};`,
    `  max-response-delay ${RESPONSE_DELAY_SEC};`,
    `  max-unacked-updates ${UNACKED_UPDATES};`,
    ...(isTherePrimary ? [`  mclt ${relationship.mcltSec};`, `  split ${splitOf(relationship)};`] : []),
    `  load balance max seconds ${seconds};`,
    '}',
    ...scopes.flatMap((scope) => subnetLines(scope, name)),
  ];
}

/** The part of the buckets that the primary serves; here the partner is it (specification 8.2). */
function splitOf(relationship: Relationship): number {
  if (relationship.mode === 'HotStandby') return relationship.isActive ? 0 : BUCKETS;
  return Math.round((relationship.percentage * BUCKETS) / 100);
}

function subnetLines(scope: Scope, name: string): string[] {
  const lease = scope.leaseDurationSec;
  return [
    `subnet ${scope.scopeId} netmask ${scope.subnetMask} {`,
    '  # Options of the network as this server gives them, for example: option routers ...;',
    `  default-lease-time ${lease};`,
    `  max-lease-time ${lease};`,
    '  pool {',
    `    failover peer ${name};`,
    '    deny dynamic bootp clients;',
    ...rangesOf(scope).map(([first, last]) => `    range ${formatIp4(first)} ${formatIp4(last)};`),
    '  }',
    '}',
    ...scope.reservations.map((reservation) => {
      const { client, address } = reservation;
      if (client.kind === 'hardware' && (client.htype ?? 1) === 1)
        return `host reserved-${address.replaceAll('.', '-')} { hardware ethernet ${colons(client.hex)}; fixed-address ${address}; }`;
      return `# ${address} is reserved here by ${client.kind} ${client.hex}`;
    }),
  ];
}

/** The addresses that are leased dynamically: the range less exclusions and reservations. */
function rangesOf(scope: Scope): readonly (readonly [Ip4, Ip4])[] {
  const { firstAddress, lastAddress, exclusions, reserved } = poolShapeOf(scope);
  const holes = [...exclusions, ...reserved.map((address) => ({ first: address, last: address }))].sort(
    (a, b) => a.first - b.first,
  );
  const ranges: (readonly [Ip4, Ip4])[] = [];
  let from = firstAddress as number;
  for (const { first, last } of holes) {
    if (last < from || first > lastAddress) continue;
    if (first > from) ranges.push([from as Ip4, (first - 1) as Ip4]);
    from = last + 1;
  }
  if (from <= lastAddress) ranges.push([from as Ip4, lastAddress]);
  return ranges;
}

function parameterLines({ relationship, partner, scopes, ownAddress, ownPort }: OtherSide): string[] {
  const isBalanced = relationship.mode === 'LoadBalance';
  const isTherePrimary = relationship.role === 'secondary';
  const share = isTherePrimary ? relationship.percentage : 100 - relationship.percentage;
  return [
    `relationship name: ${relationship.name}`,
    `its role: ${isTherePrimary ? 'primary' : 'secondary'}; its own address: ${partner.host}, port ${partner.port}`,
    `its partner: ${ownAddress}, port ${ownPort}`,
    isBalanced
      ? `mode: load balance, ${share} % of the clients there`
      : `mode: hot standby, ${relationship.isActive ? 'standby' : 'active'} there, reserve of the standby ${relationship.percentage} %`,
    `MCLT: ${relationship.mcltSec} s`,
    `message authentication: ${relationship.sharedSecretRef === null ? 'none' : 'with the same shared secret as here'}`,
    ...scopes.map(
      (scope) =>
        `scope ${scope.scopeId} mask ${scope.subnetMask}: ${rangesOf(scope)
          .map(([first, last]) => `${formatIp4(first)} to ${formatIp4(last)}`)
          .join(', ')}; leases of ${scope.leaseDurationSec} s`,
    ),
  ];
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, (character) => `\\${character}`)}"`;
}

function colons(hex: string): string {
  return hex.match(/../g)?.join(':') ?? hex;
}
