/**
 * What two servers of the simulated world change together, as data, and what it does to a configuration seen from either of them. The
 * rules are those of `manage/change-body.ts`, less the texts for people.
 */
import { withMclt } from '../core/change/former-mclt.ts';
import type { Config, ProtocolRole, Relationship, RelationshipMode, Scope } from '../core/config/model.ts';
import { type Entering, NOTHING_ENTERS } from '../core/pipeline/server-core.ts';
import { type EpochSec, type Ip4, parseIp4 } from '../wire/units.ts';

export interface Settings {
  readonly mode: RelationshipMode;
  readonly percentage: number;
  readonly mcltSec: number;
  readonly stateSwitchIntervalSec: number | null;
}

export type ChangeBody =
  | {
      readonly kind: 'add-relationship';
      readonly name: string;
      readonly id: string;
      readonly settings: Settings;
      /** Of the coordinator, which holds the data. */
      readonly role: ProtocolRole;
      readonly isActive: boolean;
      readonly scopes: readonly Scope[];
    }
  | { readonly kind: 'add-scopes'; readonly name: string; readonly id: string; readonly scopes: readonly Scope[] }
  | {
      readonly kind: 'set';
      readonly name: string;
      readonly id: string;
      readonly settings: Settings;
      readonly primaryIsActive: boolean;
    }
  | { readonly kind: 'remove-relationship'; readonly name: string; readonly id: string }
  | {
      readonly kind: 'remove-scopes';
      readonly name: string;
      readonly id: string;
      readonly scopeIds: readonly string[];
    };

export interface Applied {
  readonly config: Config;
  readonly entering: Entering;
}

export interface Seen {
  readonly isCoordinator: boolean;
  readonly partnerKey: string;
  /** By this server's clock. */
  readonly wallAt: EpochSec;
}

/** Undefined where the change cannot be made, because something else was changed before. */
export function applyBody(config: Config, body: ChangeBody, seen: Seen): Applied | undefined {
  const present = config.relationships.find(({ name }) => name === body.name);
  if (body.kind === 'add-relationship') return present === undefined ? addRelationship(config, body, seen) : undefined;
  if (present === undefined || present.id !== body.id) return undefined;
  switch (body.kind) {
    case 'set': {
      const isPrimary = present.role === 'primary';
      const isActive = body.settings.mode === 'HotStandby' && isPrimary === body.primaryIsActive;
      const kept = withMclt(present, body.settings.mcltSec, seen.wallAt);
      return { config: replaced(config, { ...kept, ...body.settings, isActive }), entering: NOTHING_ENTERS };
    }
    case 'add-scopes':
      return addScopes(config, present, body.scopes, seen);
    case 'remove-relationship': {
      const relationships = config.relationships.filter((one) => one !== present);
      return removed({ ...config, relationships }, present.scopeIds, seen);
    }
    case 'remove-scopes': {
      const { leavingScopeIds: _silenced, ...kept } = present;
      const scopeIds = present.scopeIds.filter((scopeId) => !body.scopeIds.includes(scopeId));
      const gone = present.scopeIds.filter((scopeId) => body.scopeIds.includes(scopeId));
      return removed(replaced(config, { ...kept, scopeIds }), gone, seen);
    }
    default:
      return body satisfies never;
  }
}

/** What a removal silences on the participant before it is promised. */
export function silencedBy(config: Config, body: ChangeBody): readonly string[] {
  if (body.kind === 'remove-scopes') return body.scopeIds;
  if (body.kind !== 'remove-relationship') return [];
  return config.relationships.find(({ name }) => name === body.name)?.scopeIds ?? [];
}

/** The relationship with these scopes silent on this server, or with none. */
export function withLeaving(config: Config, name: string, leavingScopeIds: readonly string[]): Config {
  const relationship = config.relationships.find((one) => one.name === name);
  if (relationship === undefined) return config;
  const { leavingScopeIds: _before, ...rest } = relationship;
  return replaced(config, leavingScopeIds.length === 0 ? rest : { ...rest, leavingScopeIds });
}

export function locksOf(body: ChangeBody): string[] {
  const scopes = body.kind === 'add-relationship' || body.kind === 'add-scopes' ? body.scopes : [];
  return [`relationship/${body.name}`, ...scopes.map(({ scopeId }) => `scope/${scopeId}`)];
}

function addRelationship(
  config: Config,
  body: Extract<ChangeBody, { kind: 'add-relationship' }>,
  seen: Seen,
): Applied | undefined {
  const scopeIds = body.scopes.map(({ scopeId }) => scopeId);
  if (!scopesFit(config, body.scopes, seen.isCoordinator)) return undefined;
  const { isCoordinator } = seen;
  const relationship: Relationship = {
    name: body.name,
    id: body.id,
    partnerKey: seen.partnerKey,
    partnerServer: 'the partner',
    role: isCoordinator ? body.role : otherRole(body.role),
    ...body.settings,
    isActive: isCoordinator ? body.isActive : body.settings.mode === 'HotStandby' && !body.isActive,
    sharedSecretRef: null,
    scopeIds,
    profile: 'twinlease',
  };
  const scopes = isCoordinator ? config.scopes : [...config.scopes, ...body.scopes];
  return {
    config: { ...config, scopes, relationships: [...config.relationships, relationship] },
    entering: {
      ...NOTHING_ENTERS,
      // Failover specification 4.3: all free addresses start as the called server's, then balance moves them.
      given: scopeIds.map((scopeId) => ({ scopeId: address(scopeId), owner: ownerOf(body.role) })),
      newRelationships: [{ name: body.name, holdsAllData: isCoordinator }],
    },
  };
}

function addScopes(
  config: Config,
  present: Relationship,
  added: readonly Scope[],
  { isCoordinator }: Seen,
): Applied | undefined {
  if (!scopesFit(config, added, isCoordinator)) return undefined;
  const scopeIds = added.map(({ scopeId }) => scopeId);
  const scopes = isCoordinator ? config.scopes : [...config.scopes, ...added];
  const role = isCoordinator ? present.role : otherRole(present.role);
  return {
    config: replaced({ ...config, scopes }, { ...present, scopeIds: [...present.scopeIds, ...scopeIds] }),
    entering: {
      ...NOTHING_ENTERS,
      given: scopeIds.map((scopeId) => ({ scopeId: address(scopeId), owner: ownerOf(role) })),
      // The new half is silent until it holds the leases.
      silentScopeIds: isCoordinator ? [] : scopeIds.map(address),
    },
  };
}

/** All that the participant granted is known to the coordinator, and the participant is silent: its addresses are free. */
function removed(config: Config, scopeIds: readonly string[], { isCoordinator }: Seen): Applied {
  if (isCoordinator) {
    const given = scopeIds.map((scopeId) => ({ scopeId: address(scopeId), owner: 'free' as const }));
    return { config, entering: { ...NOTHING_ENTERS, given } };
  }
  const scopes = config.scopes.filter(({ scopeId }) => !scopeIds.includes(scopeId));
  return { config: { ...config, scopes }, entering: { ...NOTHING_ENTERS, forgotten: scopeIds.map(address) } };
}

/** On the coordinator the scopes must be there, on the participant they must not; and in no relationship. */
function scopesFit(config: Config, scopes: readonly Scope[], isCoordinator: boolean): boolean {
  return scopes.every(({ scopeId }) => {
    const isTaken = config.relationships.some((one) => one.scopeIds.includes(scopeId));
    return !isTaken && config.scopes.some((scope) => scope.scopeId === scopeId) === isCoordinator;
  });
}

function replaced(config: Config, relationship: Relationship): Config {
  const relationships = config.relationships.map((one) => (one.name === relationship.name ? relationship : one));
  return { ...config, relationships };
}

function ownerOf(role: ProtocolRole): 'free' | 'backup' {
  return role === 'primary' ? 'free' : 'backup';
}

function otherRole(role: ProtocolRole): ProtocolRole {
  return role === 'primary' ? 'secondary' : 'primary';
}

export function address(text: string): Ip4 {
  return parseIp4(text)!;
}
