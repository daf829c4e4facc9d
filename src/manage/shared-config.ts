/**
 * The configuration that two servers share: the scopes of a relationship, each with the option definitions that its values use
 * (design, part 5 "Both sides"). It is compared by a hash for each scope over a canonical form, so that the order in which things
 * were entered makes no difference.
 */
import { createHash } from 'node:crypto';
import { adoptScope, type ReplicatedScope, replicatedPartOf } from '../core/config/diff.ts';
import type { Config, OptionDefinition, OptionValue, Relationship, Scope } from '../core/config/model.ts';
import { parseIp4 } from '../wire/units.ts';

/** A scope as it travels. */
export type SharedScope = ReplicatedScope;

export function scopeOf(config: Config, scopeId: string): Scope | undefined {
  return config.scopes.find((scope) => scope.scopeId === scopeId);
}

export function relationshipOf(config: Config, name: string): Relationship | undefined {
  return config.relationships.find((relationship) => relationship.name === name);
}

export function relationshipOfScope(config: Config, scopeId: string): Relationship | undefined {
  return config.relationships.find((relationship) => relationship.scopeIds.includes(scopeId));
}

/** The scope with the definitions that its own options and those of its reservations use. */
export const sharedScope: (config: Config, scopeId: string) => SharedScope | undefined = replicatedPartOf;

/** Hash of a shared scope; `absent` when the server has none with this id. */
export function sharedHash(shared: SharedScope | undefined): string {
  if (shared === undefined) return 'absent';
  const canonical = { scope: canonicalScope(shared.scope), definitions: [...shared.definitions].sort(byDefinition) };
  return createHash('sha256').update(stableText(canonical)).digest('hex');
}

export function scopeHash(config: Config, scopeId: string): string {
  return sharedHash(sharedScope(config, scopeId));
}

/** Puts shared scopes into a configuration: each replaces the one with its id or is added; definitions likewise. */
export function withShared(config: Config, shared: readonly SharedScope[]): Config {
  return shared.reduce(adoptScope, config);
}

/** Definitions that are there already and mean something else. */
export function clashingDefinitions(config: Config, shared: readonly SharedScope[]): OptionDefinition[] {
  const present = new Map(config.optionDefinitions.map((definition) => [definitionKey(definition), definition]));
  const clashes = new Map<string, OptionDefinition>();
  for (const definition of shared.flatMap((one) => one.definitions)) {
    const other = present.get(definitionKey(definition));
    if (other === undefined) continue;
    if (other.type !== definition.type || other.isArray !== definition.isArray)
      clashes.set(definitionKey(definition), definition);
  }
  return [...clashes.values()];
}

export function definitionKey(definition: Pick<OptionDefinition, 'code' | 'vendorClass'>): string {
  return `${definition.code}|${definition.vendorClass ?? ''}`;
}

function canonicalScope(scope: Scope): Scope {
  return {
    ...scope,
    exclusions: [...scope.exclusions].sort((a, b) => addressOrder(a.start, b.start)),
    reservations: scope.reservations
      .map((reservation) => ({ ...reservation, options: [...reservation.options].sort(byOption) }))
      .sort((a, b) => addressOrder(a.address, b.address)),
    options: [...scope.options].sort(byOption),
  };
}

function addressOrder(a: string, b: string): number {
  return (parseIp4(a) ?? 0) - (parseIp4(b) ?? 0);
}

function byOption(a: OptionValue, b: OptionValue): number {
  return a.code - b.code || textOrder(a.vendorClass, b.vendorClass) || textOrder(a.userClass, b.userClass);
}

function byDefinition(a: OptionDefinition, b: OptionDefinition): number {
  return a.code - b.code || textOrder(a.vendorClass, b.vendorClass);
}

function textOrder(a: string | undefined, b: string | undefined): number {
  const [left, right] = [a ?? '', b ?? ''];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** JSON with the names of every object in order, so that equal values give equal text. */
export function stableText(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
