/**
 * What two servers do together, as data: the body of a change of `core/change`, and the one function that applies it to a
 * configuration. Both servers run the same function, each from its own side, so that what was promised is what is made.
 * Who serves what meanwhile follows the failover specification 4.3.
 */
import { z } from 'zod';
import { withMclt } from '../core/change/former-mclt.ts';
import { checkConfig } from '../core/config/checks.ts';
import type {
  Config,
  ForeignKind,
  ProtocolRole,
  Relationship,
  RelationshipMode,
  Scope,
  Tombstone,
} from '../core/config/model.ts';
import { parseScope } from '../core/config/schema.ts';
import { faultProblem } from '../core/problems/config-faults.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { ConfigChange } from '../server/control.ts';
import { type EpochSec, type Ip4, parseIp4 } from '../wire/units.ts';
import {
  clashingDefinitions,
  relationshipOf,
  relationshipOfScope,
  type SharedScope,
  scopeOf,
  withShared,
} from './shared-config.ts';

/** Relationships of one server at most, as on Windows (management specification 1.7). */
export const RELATIONSHIPS_MAX = 31;
export const NAME_UNITS_MAX = 126;
/** Scopes in one call at most: DHCP_FAILOVER_MAX_NUM_ADD_SCOPES. */
export const ADD_SCOPES_MAX = 400;

const scope = z.unknown().transform((value, context): Scope => {
  const parsed = parseScope(value);
  if (parsed.kind === 'ok') return parsed.scope;
  const first = parsed.faults[0];
  context.addIssue({ code: 'custom', message: `${first?.path ?? 'scope'} ${first?.what ?? 'is not valid'}` });
  return z.NEVER;
});
const definition = z.strictObject({
  code: z.int().min(1).max(254),
  name: z.string().min(1).max(255),
  type: z.enum(['byte', 'word', 'dword', 'dword-dword', 'ipv4-address', 'string', 'binary', 'encapsulated']),
  isArray: z.boolean(),
  description: z.string().max(255).exactOptional(),
  vendorClass: z.string().min(1).max(255).exactOptional(),
});
export const sharedScopeSchema = z.strictObject({ scope, definitions: z.array(definition).max(4096) });
const sharedScopes = z.array(sharedScopeSchema).max(4096);
const address = z.string().refine((text) => parseIp4(text) !== undefined, 'is not an IPv4 address');
const addresses = z.array(address).max(4096);
const name = z.string().min(1).max(1024);
const id = z.string().min(1).max(128);
const seconds = z.int().min(1).max(0xffffffff);

/** Parameters of a relationship that are the same on both servers. */
const sharedSettings = z.strictObject({
  mode: z.enum(['LoadBalance', 'HotStandby']),
  /** LoadBalance: the primary's share. HotStandby: the standby's reserve. */
  percentage: z.int().min(0).max(100),
  mcltSec: seconds,
  stateSwitchIntervalSec: seconds.nullable(),
});

export const changeBodySchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('add-relationship'),
    name,
    id,
    settings: sharedSettings,
    /** Role of the coordinator; the participant has the other one. */
    role: z.enum(['primary', 'secondary']),
    /** HotStandby: whether the coordinator is the active one. */
    isActive: z.boolean(),
    hasSecret: z.boolean(),
    /** What each side shows as its partner. */
    coordinatorName: z.string().min(1).max(255),
    participantName: z.string().min(1).max(255),
    scopes: sharedScopes,
  }),
  z.strictObject({ kind: z.literal('add-scopes'), name, id, scopes: sharedScopes }),
  z.strictObject({
    kind: z.literal('set'),
    name,
    id,
    settings: sharedSettings,
    /** HotStandby: whether the primary is the active one. */
    primaryIsActive: z.boolean(),
    secret: z.enum(['keep', 'clear', 'set']),
  }),
  /**
   * `isDrained`: the participant's last updates reached the coordinator, so its addresses are free at once. Otherwise they wait
   * under a tombstone.
   */
  z.strictObject({
    kind: z.literal('remove-relationship'),
    name,
    id,
    scopeIds: addresses,
    isDrained: z.boolean(),
    at: z.int(),
  }),
  z.strictObject({
    kind: z.literal('remove-scopes'),
    name,
    id,
    scopeIds: addresses,
    isDrained: z.boolean(),
    at: z.int(),
  }),
]);
export type ChangeBody = z.infer<typeof changeBodySchema>;
export type RemovalBody = Extract<ChangeBody, { kind: 'remove-relationship' | 'remove-scopes' }>;

export type Side = 'coordinator' | 'participant';

export interface ApplyContext {
  readonly side: Side;
  readonly serverName: string;
  readonly partnerKey: string;
  /** Reference of the secret on this server, for changes that set one. */
  readonly secretRef: string | null;
  /** The partner is of another make: only this half is made. */
  readonly foreign?: ForeignSide;
  /** By this server's clock. */
  readonly wallAt: EpochSec;
  /** The longest MCLT that may still be in force, for what waits when scopes leave. Absent: the relationship's. */
  readonly waitMcltSec?: number | undefined;
}

export interface ForeignSide {
  readonly profile: ForeignKind;
  /** Whether what this server has of the scopes is the whole truth; otherwise everything is fetched from the partner first. */
  readonly holdsLeases: boolean;
}

export type Applied =
  | {
      readonly kind: 'ok';
      readonly config: Config;
      readonly entering: Pick<ConfigChange, 'given' | 'forgotten' | 'newRelationships' | 'silentScopeIds'>;
      readonly what: string;
    }
  | { readonly kind: 'bad'; readonly problem: Problem };

/** Applies a change to a configuration, seen from one of the two servers. Decides only; nothing is stored. */
export function applyBody(config: Config, body: ChangeBody, context: ApplyContext): Applied {
  const applied = applyKind(config, body, context);
  if (applied.kind === 'bad') return applied;
  const fault = checkConfig(applied.config)[0];
  return fault === undefined ? applied : { kind: 'bad', problem: faultProblem(fault) };
}

function applyKind(config: Config, body: ChangeBody, context: ApplyContext): Applied {
  switch (body.kind) {
    case 'add-relationship':
      return addRelationship(config, body, context);
    case 'add-scopes':
      return addScopes(config, body, context);
    case 'set':
      return setRelationship(config, body, context);
    case 'remove-relationship':
      return removeRelationship(config, body, context);
    case 'remove-scopes':
      return removeScopes(config, body, context);
    default:
      return body satisfies never;
  }
}

/** The locks that a change holds on both servers until it has ended. */
export function locksOf(body: ChangeBody): string[] {
  const scopeIds =
    body.kind === 'add-relationship' || body.kind === 'add-scopes'
      ? body.scopes.map((shared) => shared.scope.scopeId)
      : [];
  return [`relationship/${body.name}`, ...scopeIds.map((scopeId) => `scope/${scopeId}`)];
}

type BodyOf<K extends ChangeBody['kind']> = Extract<ChangeBody, { kind: K }>;

function addRelationship(config: Config, body: BodyOf<'add-relationship'>, context: ApplyContext): Applied {
  const server = context.serverName;
  // The order is the one of the management specification 1.8.
  if (config.relationships.length >= RELATIONSHIPS_MAX) {
    return bad('failover/too-many-relationships', { server, max: RELATIONSHIPS_MAX });
  }
  const taken = firstShared(config, body.scopes);
  if (taken !== undefined) return bad('failover/scope-in-relationship', { server, ...taken }, taken.scopeId);
  if (relationshipOf(config, body.name) !== undefined)
    return bad('failover/name-taken', { server, name: body.name }, body.name);
  const missing = scopesWrong(config, body.scopes, context);
  if (missing !== undefined) return { kind: 'bad', problem: missing };
  const isCoordinator = context.side === 'coordinator';
  const relationship: Relationship = {
    name: body.name,
    id: body.id,
    partnerKey: context.partnerKey,
    partnerServer: isCoordinator ? body.participantName : body.coordinatorName,
    role: isCoordinator ? body.role : otherRole(body.role),
    ...body.settings,
    isActive: isCoordinator ? body.isActive : body.settings.mode === 'HotStandby' && !body.isActive,
    sharedSecretRef: body.hasSecret ? context.secretRef : null,
    scopeIds: body.scopes.map((shared) => shared.scope.scopeId),
    profile: context.foreign?.profile ?? 'twinlease',
  };
  const holdsAllData = isCoordinator && (context.foreign?.holdsLeases ?? true);
  const withScopes = isCoordinator ? config : withShared(config, body.scopes);
  return {
    kind: 'ok',
    config: { ...withScopes, relationships: [...config.relationships, relationship] },
    entering: {
      // Failover specification 4.3: all free addresses start as the called server's, then balance moves them.
      given: relationship.scopeIds.map((scopeId) => ({
        scopeId: address32(scopeId),
        // A server of another make, too, begins with everything as the primary's (specification 4.5).
        owner: context.foreign?.holdsLeases === false ? 'free' : ownerOf(body.role),
      })),
      newRelationships: [{ name: body.name, holdsAllData }],
    },
    what: `failover relationship ${body.name} added`,
  };
}

function addScopes(config: Config, body: BodyOf<'add-scopes'>, context: ApplyContext): Applied {
  const relationship = relationshipOf(config, body.name);
  if (relationship === undefined || relationship.id !== body.id) return unknownRelationship(body, context);
  const taken = firstShared(config, body.scopes);
  if (taken !== undefined)
    return bad('failover/scope-in-relationship', { server: context.serverName, ...taken }, taken.scopeId);
  const wrong = scopesWrong(config, body.scopes, context);
  if (wrong !== undefined) return { kind: 'bad', problem: wrong };
  const isCoordinator = context.side === 'coordinator';
  const scopeIds = body.scopes.map((shared) => shared.scope.scopeId);
  const withScopes = isCoordinator ? config : withShared(config, body.scopes);
  const coordinatorRole = isCoordinator ? relationship.role : otherRole(relationship.role);
  return {
    kind: 'ok',
    config: replaceRelationship(withScopes, { ...relationship, scopeIds: [...relationship.scopeIds, ...scopeIds] }),
    entering: {
      given: scopeIds.map((scopeId) => ({
        scopeId: address32(scopeId),
        // A server of another make takes what is new in a live relationship for the primary's, and nobody tells it otherwise.
        owner: context.foreign === undefined ? ownerOf(coordinatorRole) : 'free',
      })),
      // Failover specification 4.3: the new half is silent until it holds the leases.
      silentScopeIds: isCoordinator ? [] : scopeIds.map(address32),
    },
    what: `${scopeIds.join(', ')} added to failover relationship ${body.name}`,
  };
}

function setRelationship(config: Config, body: BodyOf<'set'>, context: ApplyContext): Applied {
  const relationship = relationshipOf(config, body.name);
  if (relationship === undefined || relationship.id !== body.id) return unknownRelationship(body, context);
  const isPrimary = relationship.role === 'primary';
  const secretRef = { keep: relationship.sharedSecretRef, clear: null, set: context.secretRef }[body.secret];
  const changed: Relationship = {
    ...withMclt(relationship, body.settings.mcltSec, context.wallAt),
    ...body.settings,
    isActive: body.settings.mode === 'HotStandby' && isPrimary === body.primaryIsActive,
    sharedSecretRef: secretRef,
  };
  return {
    kind: 'ok',
    config: replaceRelationship(config, changed),
    entering: {},
    what: `failover relationship ${body.name} changed`,
  };
}

function removeRelationship(config: Config, body: BodyOf<'remove-relationship'>, context: ApplyContext): Applied {
  const relationship = relationshipOf(config, body.name);
  if (relationship === undefined || relationship.id !== body.id) return unknownRelationship(body, context);
  const left = { ...config, relationships: config.relationships.filter((other) => other !== relationship) };
  const what = `failover relationship ${body.name} removed`;
  if (context.side === 'participant') return { ...leaving(left, relationship.scopeIds), what };
  return { ...staying(left, asWaited(relationship, context), relationship.scopeIds, body), what };
}

function removeScopes(config: Config, body: BodyOf<'remove-scopes'>, context: ApplyContext): Applied {
  const relationship = relationshipOf(config, body.name);
  if (relationship === undefined || relationship.id !== body.id) return unknownRelationship(body, context);
  const gone = body.scopeIds.filter((scopeId) => relationship.scopeIds.includes(scopeId));
  const rest = relationship.scopeIds.filter((scopeId) => !gone.includes(scopeId));
  const { leavingScopeIds: _silenced, ...kept } = relationship;
  const left = replaceRelationship(config, { ...kept, scopeIds: rest });
  const what = `${gone.join(', ')} removed from failover relationship ${body.name}`;
  if (context.side === 'participant') return { ...leaving(left, gone), what };
  return { ...staying(left, asWaited(relationship, context), gone, body), what };
}

/** The participant's scopes go, with all that is known of their addresses. */
function leaving(config: Config, scopeIds: readonly string[]): Omit<Extract<Applied, { kind: 'ok' }>, 'what'> {
  const present = scopeIds.filter((scopeId) => scopeOf(config, scopeId) !== undefined);
  return {
    kind: 'ok',
    config: { ...config, scopes: config.scopes.filter((one) => !present.includes(one.scopeId)) },
    entering: { forgotten: present.map(address32) },
  };
}

function asWaited(relationship: Relationship, { waitMcltSec }: ApplyContext): Relationship {
  return { ...relationship, mcltSec: waitMcltSec ?? relationship.mcltSec };
}

/** The coordinator keeps the scopes; the addresses of the other one are free, or wait until its leases must have ended. */
function staying(
  config: Config,
  relationship: Relationship,
  scopeIds: readonly string[],
  removal: { readonly isDrained: boolean; readonly at: number },
): Omit<Extract<Applied, { kind: 'ok' }>, 'what'> {
  if (removal.isDrained) {
    return {
      kind: 'ok',
      config,
      entering: { given: scopeIds.map((scopeId) => ({ scopeId: address32(scopeId), owner: 'free' })) },
    };
  }
  const tombstones = [...config.tombstones, tombstoneOf(relationship, scopeIds, removal.at)];
  return { kind: 'ok', config: { ...config, tombstones }, entering: {} };
}

export function tombstoneOf(relationship: Relationship, scopeIds: readonly string[], at: number): Tombstone {
  return {
    relationshipId: relationship.id,
    name: relationship.name,
    partnerKey: relationship.partnerKey,
    removedAt: at,
    scopeIds: [...scopeIds],
    role: relationship.role,
    mcltSec: relationship.mcltSec,
  };
}

/** Reasons of the scopes themselves: on the coordinator they must be there, on the participant they must not. */
function scopesWrong(config: Config, shared: readonly SharedScope[], context: ApplyContext): Problem | undefined {
  const server = context.serverName;
  for (const { scope } of shared) {
    const present = scopeOf(config, scope.scopeId);
    if (context.side === 'coordinator' && present === undefined) {
      return { code: 'scope/unknown', slots: { server, scopeId: scope.scopeId }, target: scope.scopeId };
    }
    if (context.side === 'participant' && present !== undefined) {
      return { code: 'scope/exists', slots: { server, scopeId: scope.scopeId }, target: scope.scopeId };
    }
  }
  if (context.side === 'coordinator') return undefined;
  const clash = clashingDefinitions(config, shared)[0];
  if (clash === undefined) return undefined;
  const what = `of option ${clash.code} on DHCP server ${server} says something else`;
  return { code: 'config/invalid', slots: { path: 'The definition', what, fix: 'Make the two definitions the same.' } };
}

function firstShared(config: Config, shared: readonly SharedScope[]): { scopeId: string; name: string } | undefined {
  for (const { scope } of shared) {
    const relationship = relationshipOfScope(config, scope.scopeId);
    if (relationship !== undefined) return { scopeId: scope.scopeId, name: relationship.name };
  }
  return undefined;
}

function unknownRelationship(body: { readonly name: string }, context: ApplyContext): Applied {
  return bad('failover/unknown-relationship', { server: context.serverName, name: body.name }, body.name);
}

function bad(code: string, slots: Problem['slots'], target?: string): Applied {
  return { kind: 'bad', problem: target === undefined ? { code, slots } : { code, slots, target } };
}

export function replaceRelationship(config: Config, changed: Relationship): Config {
  return { ...config, relationships: config.relationships.map((one) => (one.name === changed.name ? changed : one)) };
}

export function otherRole(role: ProtocolRole): ProtocolRole {
  return role === 'primary' ? 'secondary' : 'primary';
}

export function ownerOf(role: ProtocolRole): 'free' | 'backup' {
  return role === 'primary' ? 'free' : 'backup';
}

export function settingsOf(relationship: Relationship): {
  mode: RelationshipMode;
  percentage: number;
  mcltSec: number;
  stateSwitchIntervalSec: number | null;
} {
  const { mode, percentage, mcltSec, stateSwitchIntervalSec } = relationship;
  return { mode, percentage, mcltSec, stateSwitchIntervalSec };
}

/** Scope ids of a checked configuration always parse. */
export function address32(text: string): Ip4 {
  return parseIp4(text) ?? (0 as Ip4);
}
