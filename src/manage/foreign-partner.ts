/**
 * Servers of another make as partners (design, part 5 "Foreign partners"): how they are named, declared and recognised. Nothing is
 * ever asked of them here; what they are told is the failover protocol's alone.
 */
import type { Config, ForeignKind, ForeignPartner, Partner } from '../core/config/model.ts';
import { foreignKey, foreignPartnerAt } from '../core/config/partner-key.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control } from '../server/control.ts';
import { formatIp4, parseIp4 } from '../wire/units.ts';
import { isOwnName } from './define.ts';
import { invalid, problem } from './problems.ts';

/** draft-12 8.1. */
const FOREIGN_PORT_DEFAULT = 647;

export type DeclaredPartner = Partner & { readonly foreign: ForeignPartner };

/** As operators write the kinds. */
const KINDS: Readonly<Record<string, ForeignKind>> = { isc: 'isc', windows: 'msft', msft: 'msft', draft: 'draft' };
export const KIND_NAMES: Readonly<Record<ForeignKind, string>> = { isc: 'isc', msft: 'windows', draft: 'draft' };

export function isDeclared(partner: Partner | undefined): partner is DeclaredPartner {
  return partner?.foreign !== undefined;
}

export interface Declaration {
  readonly kind: string;
  readonly name: string;
  readonly host: string;
  readonly port: number | null | undefined;
  readonly localAddress: string | null | undefined;
}

export type Declared =
  | { readonly kind: 'ok'; readonly partner: DeclaredPartner }
  | { readonly kind: 'bad'; readonly problem: Problem };

/** Reads a declaration. `parameter` names are those of `pair.declare`. */
export function readDeclaration(control: Control, wanted: Declaration): Declared {
  const kind = kindOf(wanted.kind);
  if (kind === undefined) return bad(invalid('Kind', 'it is none of isc, windows and draft'));
  const name = wanted.name.trim();
  if (name === '') return bad(invalid('Name', 'it is empty'));
  const address = parseIp4(wanted.host.trim());
  if (address === undefined || address === 0)
    return bad(invalid('Host', 'it is not the IPv4 address of a server, by which it is recognised'));
  const host = formatIp4(address);
  const isLoopback = address >>> 24 === 127;
  if (!isLoopback && isOwnName(control, host)) return bad(invalid('Host', 'it is this server'));
  const port = wanted.port ?? FOREIGN_PORT_DEFAULT;
  if (port < 1 || port > 65_535) return bad(invalid('Port', 'it is not between 1 and 65535'));
  const local = wanted.localAddress ?? null;
  if (local !== null && (parseIp4(local) ?? 0) === 0) return bad(invalid('LocalAddress', 'it is not an IPv4 address'));
  return { kind: 'ok', partner: { key: foreignKey(host), name, host, port, foreign: { kind, localAddress: local } } };
}

export function kindOf(text: string): ForeignKind | undefined {
  const lower = text.trim().toLowerCase();
  return Object.hasOwn(KINDS, lower) ? KINDS[lower] : undefined;
}

/** Why the partner cannot be added beside those that are known. */
export function declarationObstacle(control: Control, config: Config, partner: DeclaredPartner): Problem | undefined {
  const name = partner.name.toLowerCase();
  const other =
    foreignPartnerAt(config, partner.host) ?? config.partners.find((known) => known.name.toLowerCase() === name);
  if (other === undefined) return undefined;
  return problem(control, 'pair/foreign-exists', { partner: other.name, host: other.host }, partner.host);
}

/** The declared server that a name or address means, without asking anybody. */
export function declaredPartner(config: Config, wanted: string): DeclaredPartner | undefined {
  const name = wanted.trim().toLowerCase();
  const found = config.partners.find(
    (partner) => isDeclared(partner) && [partner.name.toLowerCase(), partner.host].includes(name),
  );
  return isDeclared(found) ? found : undefined;
}

function bad(found: Problem): Declared {
  return { kind: 'bad', problem: found };
}
