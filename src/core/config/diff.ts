/**
 * What differs between two configurations, as entries that a person can read: things are named by what they are (a scope by its
 * network, a reservation by its address), so that order and position mean nothing. Also which part of a scope belongs to its
 * relationship (design, part 5), how two servers' versions of it differ, and how one takes over the other's.
 */
import { formatIp4 } from '../../wire/units.ts';
import { definitionOf } from './checks.ts';
import type { Config, OptionDefinition, OptionValue, ReservationKey, Scope } from './model.ts';
import { poolShapeOf } from './pool-shape.ts';

/** One difference. `before` is undefined for what was added, `after` for what was removed. */
export interface Change {
  /** As in `scopes[10.0.1.0].reservations[10.0.1.9].name`. */
  readonly path: string;
  readonly kind: 'added' | 'removed' | 'changed';
  readonly before: unknown;
  readonly after: unknown;
}

/** The differences from `before` to `after`, in the order of the file's sections. */
export function diffConfig(before: Config, after: Config): Change[] {
  const changes: Change[] = [];
  diffValue('', before, after, changes);
  return changes;
}

/** What a relationship's scope carries with it from one server to the other: itself and the definitions it refers to. */
export interface ReplicatedScope {
  readonly scope: Scope;
  readonly definitions: readonly OptionDefinition[];
}

/** The replicated part of a scope, as it is written; undefined when there is no such scope. */
export function replicatedPartOf(config: Config, scopeId: string): ReplicatedScope | undefined {
  const scope = config.scopes.find((candidate) => candidate.scopeId === scopeId);
  if (scope === undefined) return undefined;
  const definitions = new Set<OptionDefinition>();
  for (const option of optionsOf(scope)) {
    const definition = definitionOf(config.optionDefinitions, option);
    if (definition !== undefined) definitions.add(definition);
  }
  return { scope, definitions: config.optionDefinitions.filter((definition) => definitions.has(definition)) };
}

/**
 * How two servers' versions of a shared scope differ in meaning: spelling that makes no difference (order, touching exclusions,
 * a hardware type that is the default) is levelled first. Empty when a client could not tell the two apart.
 */
export function scopeDiff(mine: ReplicatedScope | undefined, theirs: ReplicatedScope | undefined): Change[] {
  const changes: Change[] = [];
  diffValue('', levelled(mine), levelled(theirs), changes);
  return changes;
}

/** The configuration with this version of the scope in place of its own; the other scopes and settings are kept. */
export function adoptScope(config: Config, replicated: ReplicatedScope): Config {
  const { scope, definitions } = replicated;
  const isThere = config.scopes.some((candidate) => candidate.scopeId === scope.scopeId);
  const taken = new Set(definitions.map(definitionKey));
  return {
    ...config,
    scopes: isThere
      ? config.scopes.map((candidate) => (candidate.scopeId === scope.scopeId ? scope : candidate))
      : [...config.scopes, scope],
    optionDefinitions: [
      ...config.optionDefinitions.filter((definition) => !taken.has(definitionKey(definition))),
      ...definitions,
    ],
  };
}

function optionsOf(scope: Scope): OptionValue[] {
  return [...scope.options, ...scope.reservations.flatMap((reservation) => reservation.options)];
}

function levelled(replicated: ReplicatedScope | undefined): unknown {
  if (replicated === undefined) return {};
  const { scope, definitions } = replicated;
  const exclusions = poolShapeOf(scope).exclusions.map(({ first, last }) => ({
    start: formatIp4(first),
    end: formatIp4(last),
  }));
  const reservations = scope.reservations.map((reservation) => ({
    ...reservation,
    client: levelledKey(reservation.client),
  }));
  return { scope: { ...scope, exclusions, reservations }, optionDefinitions: definitions };
}

function levelledKey(key: ReservationKey): ReservationKey {
  return key.kind === 'hardware' ? { kind: 'hardware', hex: key.hex, htype: key.htype ?? 1 } : key;
}

type Fields = Readonly<Record<string, unknown>>;

/** How the members of each list are told apart; lists that are not named here hold plain texts. */
const MEMBER_NAMES: Readonly<Record<string, (member: Fields) => string>> = {
  scopes: (m) => text(m['scopeId']),
  exclusions: (m) => `${text(m['start'])}-${text(m['end'])}`,
  reservations: (m) => text(m['address']),
  options: (m) => optionKey(m),
  optionDefinitions: (m) => optionKey(m),
  relationships: (m) => text(m['name']),
  partners: (m) => text(m['key']),
  tombstones: (m) => text(m['relationshipId']),
};

function diffValue(path: string, before: unknown, after: unknown, changes: Change[]): void {
  if (Array.isArray(before) && Array.isArray(after)) {
    diffLists(path, before, after, changes);
  } else if (isFields(before) && isFields(after)) {
    for (const field of new Set([...Object.keys(before), ...Object.keys(after)])) {
      const at = path === '' ? field : `${path}.${field}`;
      diffPresence(at, before[field], after[field], changes);
    }
  } else if (before !== after) {
    changes.push({ path, kind: 'changed', before, after });
  }
}

function diffPresence(path: string, before: unknown, after: unknown, changes: Change[]): void {
  if (before === undefined && after === undefined) return;
  if (before === undefined) changes.push({ path, kind: 'added', before, after });
  else if (after === undefined) changes.push({ path, kind: 'removed', before, after });
  else diffValue(path, before, after, changes);
}

function diffLists(path: string, before: readonly unknown[], after: readonly unknown[], changes: Change[]): void {
  const nameOf = MEMBER_NAMES[path.slice(path.lastIndexOf('.') + 1)];
  const name = (member: unknown): string => (nameOf !== undefined && isFields(member) ? nameOf(member) : text(member));
  const old = new Map(before.map((member) => [name(member), member]));
  const next = new Map(after.map((member) => [name(member), member]));
  for (const key of new Set([...old.keys(), ...next.keys()])) {
    diffPresence(`${path}[${key}]`, old.get(key), next.get(key), changes);
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function optionKey(member: Fields): string {
  const classes = [
    member['vendorClass'] === undefined ? '' : ` vendor ${text(member['vendorClass'])}`,
    member['userClass'] === undefined ? '' : ` user ${text(member['userClass'])}`,
  ];
  return `${text(member['code'])}${classes.join('')}`;
}

function definitionKey(definition: OptionDefinition): string {
  return `${definition.code}|${definition.vendorClass ?? ''}`;
}
