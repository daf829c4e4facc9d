/**
 * The configured scopes as serving uses them: parsed once per revision, found by address in logarithmic time, and joined to the
 * links that superscopes make of them.
 */
import { formatIp4, type Ip4, type Sec } from '../../wire/units.ts';
import type { Config, Scope } from '../config/model.ts';
import { addressOf, poolShapeOf } from '../config/pool-shape.ts';
import { mergedPlain, type OptionLevel, optionLevelOf } from './option-levels.ts';
import { makeReservationIndex, type ReservationIndex } from './reservations.ts';

export interface ScopeView {
  readonly id: Ip4;
  readonly idText: string;
  readonly mask: Ip4;
  /** First and last address of the network. */
  readonly first: number;
  readonly last: number;
  readonly rangeFirst: number;
  readonly rangeLast: number;
  /** Sorted and disjoint. */
  readonly exclusions: readonly { readonly first: Ip4; readonly last: Ip4 }[];
  readonly isActive: boolean;
  readonly servesDhcp: boolean;
  readonly servesBootp: boolean;
  readonly maxBootpClients: number;
  readonly delayMs: number;
  readonly leaseSec: Sec;
  readonly reservations: ReservationIndex;
  /** Server's and scope's options, for clients of no class. */
  readonly plainOptions: ReadonlyMap<number, Uint8Array>;
  /** In ascending rank: the server's, then the scope's. */
  readonly optionLevels: readonly OptionLevel[];
  readonly hasConditionalOptions: boolean;
}

/** The scopes that share one wire: a superscope, or a scope alone. Each of them answers by its own rule. */
export interface Link {
  readonly key: string;
  /** The scope that was found first, then the others of its superscope in ascending order. */
  readonly scopes: readonly ScopeView[];
}

export interface ScopeIndex {
  /** The scope whose network holds the address. */
  find(address: Ip4): ScopeView | undefined;
  /** The link of the network that holds the address. */
  linkOf(address: Ip4): Link | undefined;
}

export function makeScopeIndex(config: Config): ScopeIndex {
  const serverLevel = optionLevelOf(config.server.options, config.optionDefinitions);
  const views = config.scopes.map((scope) => viewOfScope(scope, config, serverLevel));
  const order = views.map((_, i) => i).sort((a, b) => views[a]!.first - views[b]!.first);
  const sorted = order.map((i) => views[i]!);
  const names = order.map((i) => config.scopes[i]!.superscopeName);
  const links = new Map<Ip4, Link>();

  const find = (address: Ip4): ScopeView | undefined => {
    let low = 0;
    let high = sorted.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const view = sorted[middle]!;
      if (address < view.first) high = middle - 1;
      else if (address > view.last) low = middle + 1;
      else return view;
    }
    return undefined;
  };
  sorted.forEach((view, i) => {
    const name = names[i];
    const others = name === null ? [] : sorted.filter((other, n) => names[n] === name && other !== view);
    links.set(view.id, { key: name === null ? view.idText : `superscope ${name}`, scopes: [view, ...others] });
  });
  return {
    find,
    linkOf(address) {
      const view = find(address);
      return view === undefined ? undefined : links.get(view.id);
    },
  };
}

/** Whether the address may be leased dynamically: in the range and not excluded. Reservations are looked at apart. */
export function isInRange(view: ScopeView, address: Ip4): boolean {
  return address >= view.rangeFirst && address <= view.rangeLast && !isExcluded(view, address);
}

export function isExcluded(view: ScopeView, address: Ip4): boolean {
  let low = 0;
  let high = view.exclusions.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const span = view.exclusions[middle]!;
    if (address < span.first) high = middle - 1;
    else if (address > span.last) low = middle + 1;
    else return true;
  }
  return false;
}

function viewOfScope(scope: Scope, config: Config, serverLevel: OptionLevel): ScopeView {
  const shape = poolShapeOf(scope);
  const level = optionLevelOf(scope.options, config.optionDefinitions);
  return {
    id: shape.scopeId,
    idText: formatIp4(shape.scopeId),
    mask: addressOf(scope.subnetMask),
    first: shape.scopeId,
    last: shape.scopeId + 2 ** (32 - shape.prefixLength) - 1,
    rangeFirst: shape.firstAddress,
    rangeLast: shape.lastAddress,
    exclusions: shape.exclusions,
    isActive: scope.state === 'Active',
    servesDhcp: scope.type !== 'Bootp',
    servesBootp: scope.type !== 'Dhcp',
    maxBootpClients: scope.maxBootpClients,
    delayMs: scope.delayMs,
    leaseSec: scope.leaseDurationSec as Sec,
    reservations: makeReservationIndex(scope, config.optionDefinitions),
    plainOptions: mergedPlain(serverLevel, level),
    optionLevels: [serverLevel, level],
    hasConditionalOptions: serverLevel.conditional.length + level.conditional.length > 0,
  };
}
