/**
 * Taking over the configuration of another DHCP server from an import plan (`import/plan.ts`): scopes, options, definitions and
 * settings of the server in one revision, and relationships by the same functions that make them otherwise. What is here already is
 * never overwritten unless told; a plan that was taken over before changes nothing. A scope that comes with its relationship is inactive until that is
 * made: before, this server would be the only authority for it, and refuse the clients whose leases the partner has.
 */
import { z } from 'zod';
import { RELATIONSHIP_NAME_MAX } from '../core/config/checks.ts';
import type { Config, OptionDefinition, OptionValue, Relationship, Scope } from '../core/config/model.ts';
import { CONFIG_LIMITS, parseConfig } from '../core/config/schema.ts';
import { faultProblem } from '../core/problems/config-faults.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control } from '../server/control.ts';
import { defineOperation } from './define.ts';
import { addByHotStandby, addByLoadBalance } from './failover-add.ts';
import { changeLocally } from './local-change.ts';
import { failed, type OperationContext, type Outcome, succeeded, type WhatIfReport } from './operation.ts';
import * as params from './params.ts';
import { invalid, problem } from './problems.ts';
import { scopeObstacle } from './scope-guards.ts';
import { definitionKey, relationshipOf, relationshipOfScope, stableText } from './shared-config.ts';

const FAULTS_MAX = 20;
const CONFLICTS_MAX = 20;

/** RFC 3074. */
const BUCKET_COUNT = 256;

const existing = z.enum(['Refuse', 'Keep', 'Replace']);
type Existing = z.infer<typeof existing>;

const importParams = z.strictObject({
  ...params.common,
  Plan: z
    .record(z.string(), z.unknown())
    .describe('What a reader of another server’s files makes: server, optionDefinitions, scopes, relationships.'),
  Existing: existing
    .nullish()
    .describe(
      'What becomes of scopes, options and definitions that are here with other contents: Refuse, Keep or Replace; Refuse.',
    ),
  Relationships: params.flag.describe('Makes the failover relationships too, with partners of another make.'),
});

const importResult = z.object({
  Revision: z.int(),
  Scopes: z.array(z.string()).describe('Made or replaced.'),
  Kept: z.array(z.string()).describe('What was here already and stays: scopes, options, definitions.'),
  Reservations: z.int().describe('In the scopes that were made or replaced.'),
  OptionDefinitions: z.array(z.int()),
  ServerOptions: z.array(z.int()),
  ServerSettings: z.array(z.string()),
  Relationships: z.array(z.string()),
});
type ImportResult = z.infer<typeof importResult>;

export const importConfiguration = defineOperation({
  name: 'import.configuration',
  summary: 'Takes over a configuration that was read from the files of another DHCP server.',
  examples: ['twinlease call import.configuration --params-file plan.json --what-if'],
  params: importParams,
  result: importResult,
  changes: true,
  run: async (context, given) => {
    const read = readPlan(given.Plan);
    if (read.kind === 'bad') return failed(...read.problems);
    return await takeOver(context, read.plan, given.Existing ?? 'Refuse', given.Relationships === true);
  },
});

const relationshipSchema = z.strictObject({
  name: z.string().min(1).max(RELATIONSHIP_NAME_MAX),
  partnerKind: z.enum(['isc', 'msft', 'draft']),
  partnerAddress: z.string(),
  partnerPort: z.int().min(1).max(65_535),
  localAddress: z.string().nullable(),
  localPort: z.int().min(1).max(65_535),
  role: z.enum(['primary', 'secondary']),
  mode: z.enum(['LoadBalance', 'HotStandby']),
  isActive: z.boolean(),
  percentage: z.number().min(0).max(100),
  mcltSec: z.int().min(1).max(0xffffffff).nullable(),
  stateSwitchIntervalSec: z.int().min(1).max(0xffffffff).nullable(),
  scopeIds: z.array(z.string()).min(1).max(CONFIG_LIMITS.scopes),
});
type WantedRelationship = z.infer<typeof relationshipSchema>;

const SETTINGS = ['authoritative', 'loadBalanceMaxSec', 'declineHoldSec'] as const;
type Setting = (typeof SETTINGS)[number];

/** A plan whose shape is right; whether it fits this server is decided when it is put in force. */
interface Plan {
  readonly options: readonly OptionValue[];
  readonly settings: Partial<Pick<Config['server'], Setting>>;
  readonly definitions: readonly OptionDefinition[];
  readonly scopes: readonly Scope[];
  readonly relationships: readonly WantedRelationship[];
}

type PlanRead =
  | { readonly kind: 'ok'; readonly plan: Plan }
  | { readonly kind: 'bad'; readonly problems: readonly Problem[] };

/** The plan's parts have the shape of a configuration's, so the same schema checks them. */
function readPlan(given: Readonly<Record<string, unknown>>): PlanRead {
  const { server, optionDefinitions, scopes, relationships } = given;
  if (server !== undefined && (typeof server !== 'object' || server === null))
    return { kind: 'bad', problems: [invalid('Plan.server', 'it is not an object')] };
  const parsed = parseConfig({ formatVersion: 1, server: { name: 'plan', ...server }, optionDefinitions, scopes });
  if (parsed.kind === 'bad') return { kind: 'bad', problems: parsed.faults.slice(0, FAULTS_MAX).map(faultProblem) };
  const wanted = z
    .array(relationshipSchema)
    .max(CONFIG_LIMITS.relationships)
    .safeParse(relationships ?? []);
  if (!wanted.success) {
    const [issue] = wanted.error.issues;
    return {
      kind: 'bad',
      problems: [invalid(`Plan.relationships.${issue?.path.join('.') ?? ''}`, issue?.message ?? 'it is not valid')],
    };
  }
  const said = new Set(Object.keys(server ?? {}));
  const { config } = parsed;
  const settings = Object.fromEntries(
    SETTINGS.filter((name) => said.has(name)).map((name) => [name, config.server[name]]),
  );
  return {
    kind: 'ok',
    plan: {
      options: config.server.options,
      settings,
      definitions: config.optionDefinitions,
      scopes: config.scopes,
      relationships: wanted.data,
    },
  };
}

async function takeOver(
  context: OperationContext,
  plan: Plan,
  policy: Existing,
  withRelationships: boolean,
): Promise<Outcome<ImportResult | WhatIfReport>> {
  const { control } = context;
  const isHolding = withRelationships && !context.whatIf;
  let held: readonly Scope[] = [];
  let merged: Merged = merge(control.revision().config, plan, policy);
  const outcome = await changeLocally(context, 'configuration of another server imported', (config) => {
    held = isHolding ? scopesToHold(config, plan) : [];
    merged = merge(config, withHeld(plan, held), policy);
    if (policy === 'Refuse' && merged.conflicts.length > 0)
      return { kind: 'bad', problems: conflictProblems(control, merged) };
    const obstacle = scopeObstacle(control, config, merged.config, false);
    return obstacle === undefined ? { kind: 'ok', config: merged.config } : { kind: 'bad', problems: [obstacle] };
  });
  if (outcome.kind === 'failed') return outcome;
  if (outcome.kind === 'what-if')
    return succeeded({ whatIf: [...outcome.lines, ...(withRelationships ? plan.relationships.map(whatIfLine) : [])] });
  const made: MadeRelationships = withRelationships
    ? await makeRelationships(context, plan.relationships)
    : NO_RELATIONSHIPS;
  const obstacles = held.length > 0 ? await activate(context, held) : [];
  const { config: _config, conflicts: _conflicts, ...result } = merged;
  const value = { Revision: control.revision().number, ...result, Relationships: made.names };
  const errors = [...made.errors, ...obstacles];
  return errors.length > 0 && isNothing(value) ? failed(...errors) : succeeded(value, made.warnings, errors);
}

/** What nobody is served from yet, and what an import left inactive whose relationship could not be made. */
function scopesToHold(config: Config, plan: Plan): readonly Scope[] {
  const wanted = new Set(plan.relationships.flatMap(({ scopeIds }) => scopeIds));
  return plan.scopes.filter((scope) => {
    if (!wanted.has(scope.scopeId) || scope.state !== 'Active') return false;
    if (relationshipOfScope(config, scope.scopeId) !== undefined) return false;
    const present = config.scopes.find(({ scopeId }) => scopeId === scope.scopeId);
    return present === undefined || stableText(present) === stableText(inactive(scope));
  });
}

function withHeld(plan: Plan, held: readonly Scope[]): Plan {
  return { ...plan, scopes: plan.scopes.map((scope) => (held.includes(scope) ? inactive(scope) : scope)) };
}

function inactive(scope: Scope): Scope {
  return { ...scope, state: 'Inactive' };
}

/** Those that have their relationship now: it decides from here on who is answered. The others wait for another import or the operator. */
async function activate(context: OperationContext, held: readonly Scope[]): Promise<readonly Problem[]> {
  const ids = new Set(held.map(({ scopeId }) => scopeId));
  // The other server's configuration is where this came from: there is nothing to be changed there.
  const { warn: _warn, ...quiet } = context;
  const outcome = await changeLocally(quiet, 'scopes imported with their relationship are active', (config) => ({
    kind: 'ok',
    config: {
      ...config,
      scopes: config.scopes.map((scope) =>
        ids.has(scope.scopeId) && relationshipOfScope(config, scope.scopeId) !== undefined
          ? { ...scope, state: 'Active' }
          : scope,
      ),
    },
  }));
  return outcome.kind === 'failed' ? outcome.problems : [];
}

function isNothing(value: ImportResult): boolean {
  return [value.Scopes, value.OptionDefinitions, value.ServerOptions, value.ServerSettings, value.Relationships].every(
    (list) => list.length === 0,
  );
}

/** Something that is here with other contents. */
interface Conflict {
  readonly kind: 'scope' | 'option' | 'definition';
  readonly name: string;
}

interface Merged extends Omit<ImportResult, 'Revision' | 'Relationships'> {
  readonly config: Config;
  readonly conflicts: readonly Conflict[];
}

function merge(config: Config, plan: Plan, policy: Existing): Merged {
  const conflicts: Conflict[] = [];
  const kept: string[] = [];
  const lay = <T>(
    present: readonly T[],
    wanted: readonly T[],
    keyOf: (one: T) => string,
    kind: Conflict['kind'],
  ): Laid<T> => {
    const byKey = new Map(present.map((one) => [keyOf(one), one]));
    const changed: T[] = [];
    for (const one of wanted) {
      const key = keyOf(one);
      const other = byKey.get(key);
      if (other !== undefined && stableText(other) === stableText(one)) continue;
      if (other !== undefined) conflicts.push({ kind, name: key });
      if (other !== undefined && policy !== 'Replace') {
        kept.push(`${kind} ${key.replace(/\|+$/, '')}`);
        continue;
      }
      byKey.set(key, one);
      changed.push(one);
    }
    return { all: [...byKey.values()], changed };
  };
  const scopes = lay(config.scopes, plan.scopes, (scope) => scope.scopeId, 'scope');
  const definitions = lay(config.optionDefinitions, plan.definitions, definitionKey, 'definition');
  const options = lay(config.server.options, plan.options, optionKey, 'option');
  const settings = policy === 'Keep' ? [] : SETTINGS.filter((name) => isOther(config, plan, name));
  const server = {
    ...config.server,
    options: options.all,
    ...Object.fromEntries(settings.map((name) => [name, plan.settings[name]])),
  };
  return {
    config: { ...config, server, scopes: scopes.all, optionDefinitions: definitions.all },
    conflicts,
    Scopes: scopes.changed.map((scope) => scope.scopeId),
    Kept: kept,
    Reservations: scopes.changed.reduce((count, scope) => count + scope.reservations.length, 0),
    OptionDefinitions: definitions.changed.map((definition) => definition.code),
    ServerOptions: options.changed.map((option) => option.code),
    ServerSettings: settings.map((name) => `${name}: ${String(plan.settings[name])}`),
  };
}

interface Laid<T> {
  readonly all: readonly T[];
  readonly changed: readonly T[];
}

function optionKey(option: OptionValue): string {
  return `${option.code}|${option.vendorClass ?? ''}|${option.userClass ?? ''}`;
}

function isOther(config: Config, plan: Plan, name: Setting): boolean {
  const wanted = plan.settings[name];
  return wanted !== undefined && wanted !== config.server[name];
}

function conflictProblems(control: Control, { conflicts }: Merged): Problem[] {
  return conflicts.slice(0, CONFLICTS_MAX).map(({ kind, name }) => {
    if (kind === 'scope') return problem(control, 'scope/exists', { scopeId: name }, name);
    const optionId = name.split('|')[0] ?? name;
    if (kind === 'definition') return problem(control, 'option/exists', { optionId }, optionId);
    return invalid(
      'Plan.server.options',
      `option ${optionId} of the server has another value here; say what becomes of it with Existing`,
    );
  });
}

interface MadeRelationships {
  readonly names: string[];
  readonly warnings: readonly Problem[];
  readonly errors: readonly Problem[];
}

const NO_RELATIONSHIPS: MadeRelationships = { names: [], warnings: [], errors: [] };

/** Each by itself: one that fails is an error beside what was done. One that is here with the same partner and scopes stays. */
async function makeRelationships(
  context: OperationContext,
  wanted: readonly WantedRelationship[],
): Promise<MadeRelationships> {
  const names: string[] = [];
  const warnings: Problem[] = [];
  const errors: Problem[] = [];
  for (const one of wanted) {
    const { config } = context.control.revision();
    const present = relationshipOf(config, one.name);
    if (present !== undefined && isAsWanted(config, present, one)) continue;
    const outcome = await addRelationship(context, one);
    if (outcome.kind === 'failed') errors.push(...outcome.problems);
    else {
      names.push(one.name);
      warnings.push(...outcome.warnings);
      errors.push(...outcome.errors);
    }
  }
  return { names, warnings, errors };
}

function isAsWanted(config: Config, present: Relationship, wanted: WantedRelationship): boolean {
  const partner = config.partners.find((one) => one.key === present.partnerKey);
  const isSameScopes = stableText([...present.scopeIds].sort()) === stableText([...wanted.scopeIds].sort());
  return partner?.host === wanted.partnerAddress && present.role === wanted.role && isSameScopes;
}

async function addRelationship(context: OperationContext, wanted: WantedRelationship): Promise<Outcome<unknown>> {
  const common = {
    Name: wanted.name,
    PartnerServer: wanted.partnerAddress,
    ScopeId: wanted.scopeIds,
    PartnerKind: wanted.partnerKind,
    PartnerPort: wanted.partnerPort,
    LocalAddress: wanted.localAddress,
    ProtocolRole: wanted.role,
    MaxClientLeadTime: wanted.mcltSec,
    AutoStateTransition: wanted.stateSwitchIntervalSec !== null,
    StateSwitchInterval: wanted.stateSwitchIntervalSec,
  };
  if (wanted.mode === 'HotStandby') {
    const ServerRole = wanted.isActive ? 'Active' : 'Standby';
    return await addByHotStandby.run(context, { ...common, ReservePercent: wanted.percentage, ServerRole });
  }
  return await addByLoadBalance.run(context, {
    ...common,
    Split: Math.round((wanted.percentage * BUCKET_COUNT) / 100),
  });
}

function whatIfLine(wanted: WantedRelationship): string {
  const { name, role, partnerAddress, scopeIds } = wanted;
  return `Adds relationship ${name} as its ${role} with the partner ${partnerAddress}, for ${scopeIds.join(', ')}.`;
}
