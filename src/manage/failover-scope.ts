/**
 * Scopes of a relationship: Add and Remove of PS_DhcpServerv4FailoverScope (management specification 1.3, 1.7). An added scope is
 * served by the called server without a gap while the new half recovers from it (failover specification 4.3); a removed one stays
 * on the called server and goes on the partner.
 */
import { z } from 'zod';
import type { Relationship } from '../core/config/model.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control } from '../server/control.ts';
import { ADD_SCOPES_MAX, type ChangeBody } from './change-body.ts';
import { changesOf } from './changes.ts';
import { defineOperation } from './define.ts';
import { failoverObject, failoverSchema, stateName } from './failover-object.ts';
import { changeForeign, isLongAlone, takeOutAdvice } from './foreign-change.ts';
import { type DeclaredPartner, isDeclared } from './foreign-partner.ts';
import { holdPromises } from './held-promises.ts';
import { disabledWarning, type LackHere, lackHere, unfetchedProblem } from './lacks.ts';
import { removeTogether } from './leaving.ts';
import { failed, type OperationContext, type Outcome, succeeded, type WhatIfReport } from './operation.ts';
import * as params from './params.ts';
import { partnerByKey, partnerTrouble } from './partner-client.ts';
import { invalid, problem } from './problems.ts';
import { featuresUsed, readScopeIds, splitKnown } from './scope-list.ts';
import { relationshipOf, relationshipOfScope, sharedScope } from './shared-config.ts';
import { runTogether, whatIfTogether } from './together.ts';
import { scopeWaits } from './tombstones.ts';

const addParams = z.strictObject({
  Name: params.text,
  ScopeId: params.scopeIds,
  ...params.common,
  PassThru: params.passThru,
  HoldsLeases: params.flag.describe(
    'With a partner of another make: what this server has of the scopes is complete, which it must be.',
  ),
});
const removeParams = z.strictObject({
  ...params.common,
  Name: params.text,
  ScopeId: params.scopeIds,
  Force: params.flag.describe('Goes ahead without asking, and although the relationship is not in Normal.'),
  PassThru: params.passThru,
});
const result = failoverSchema.nullable();
type Result = z.infer<typeof result>;

export const addFailoverScope = defineOperation({
  name: 'failover-scope.add',
  windows: 'PS_DhcpServerv4FailoverScope.Add',
  summary: 'Adds scopes to a relationship.',
  examples: ['twinlease failover add-scope --name rel1 --scope-id 10.0.2.0'],
  params: addParams,
  result,
  changes: true,
  run: add,
});

export const removeFailoverScope = defineOperation({
  name: 'failover-scope.remove',
  windows: 'PS_DhcpServerv4FailoverScope.Remove',
  summary: 'Takes scopes out of a relationship; they stay on this server and go on the partner.',
  examples: ['twinlease failover remove-scope --name rel1 --scope-id 10.0.2.0'],
  params: removeParams,
  result,
  changes: true,
  confirm: (given) => `${given.ScopeId.join(', ')}: the partner loses the scope. Go on?`,
  run: remove,
});

async function add(
  context: OperationContext,
  given: z.infer<typeof addParams>,
): Promise<Outcome<Result | WhatIfReport>> {
  const { control } = context;
  const start = readRequest(control, given);
  if (start.kind === 'bad') return failed(start.problem);
  const { relationship, scopeIds } = start;
  const { config } = control.revision();
  if (given.ScopeId.length > ADD_SCOPES_MAX) {
    const slots = { count: given.ScopeId.length, max: ADD_SCOPES_MAX };
    return failed(problem(control, 'failover/too-many-scopes', slots, 'ScopeId'));
  }
  // Single scopes that cannot be added are told, and the others are added (management specification 1.3).
  const { known, errors } = splitKnown(control, config, scopeIds);
  const refused: Problem[] = [...errors];
  const fit = known.filter(({ scopeId, type }) => {
    if (type === 'Bootp') refused.push(problem(control, 'failover/bootp-scope', { scopeId }, scopeId));
    return type !== 'Bootp';
  });
  if (fit.length === 0) return failed(...refused);
  const partner = partnerByKey(control, relationship.partnerKey);
  if (isDeclared(partner) && given.HoldsLeases === false) {
    const slots = { partner: partner.name };
    return failed(problem(control, 'failover/foreign-no-fetch', slots, relationship.name));
  }
  // A server of another make stops to read a changed configuration, so its state is no reason to wait.
  const notNormal = isDeclared(partner) ? undefined : stateProblem(control, relationship);
  if (notNormal !== undefined) return failed(notNormal);
  const scopes = fit.filter(({ scopeId }) => {
    const other = relationshipOfScope(config, scopeId);
    if (other !== undefined)
      refused.push(problem(control, 'failover/scope-in-relationship', { scopeId, name: other.name }, scopeId));
    const waiting = scopeWaits(control, scopeId);
    if (waiting !== undefined) refused.push(waiting);
    return other === undefined && waiting === undefined;
  });
  if (scopes.length === 0) return failed(...refused);
  const busy = syncProblem(control, relationship);
  if (busy !== undefined) return failed(busy);
  const body: ChangeBody = {
    kind: 'add-scopes',
    name: relationship.name,
    id: relationship.id,
    scopes: scopes.map((scope) => ({
      scope,
      definitions: [...(sharedScope(config, scope.scopeId)?.definitions ?? [])],
    })),
  };
  return await finish(context, relationship, body, {
    features: featuresUsed(scopes),
    refused,
    passThru: given.PassThru === true,
  });
}

async function remove(
  context: OperationContext,
  given: z.infer<typeof removeParams>,
): Promise<Outcome<Result | WhatIfReport>> {
  const { control } = context;
  const start = readRequest(control, given);
  if (start.kind === 'bad') return failed(start.problem);
  const { relationship, scopeIds } = start;
  const { known, errors } = splitKnown(control, control.revision().config, scopeIds);
  const refused: Problem[] = [...errors];
  const leaving = known.filter(({ scopeId }) => {
    const isMember = relationship.scopeIds.includes(scopeId);
    if (!isMember) refused.push(problem(control, 'failover/scope-not-in-relationship', { scopeId }, scopeId));
    return isMember;
  });
  if (leaving.length === 0) return failed(...refused);
  const force = given.Force === true;
  const isForeign = relationship.profile !== 'twinlease';
  const notNormal = isForeign ? undefined : stateProblem(control, relationship);
  if (notNormal !== undefined && !force) return failed(notNormal);
  const busy = lockProblem(control, relationship);
  if (busy !== undefined) return failed(busy);
  const lack = lackHere(
    control,
    relationship,
    leaving.map((scope) => scope.scopeId),
  );
  // A partner of our own kind can be asked to keep them itself; it must be reached in any case.
  if (lack !== undefined && !(isForeign && force)) return failed(unfetchedProblem(control, relationship, lack));
  const body = {
    kind: 'remove-scopes' as const,
    name: relationship.name,
    id: relationship.id,
    scopeIds: leaving.map((scope) => scope.scopeId),
    isDrained: !isForeign || isLongAlone(control, relationship),
    at: control.now().wallAt as number,
  };
  const passThru = given.PassThru === true;
  return await finish(context, relationship, body, { features: [], refused, passThru, force, lack });
}

interface Finish {
  readonly features: readonly string[];
  /** Scopes that were left out, and why. */
  readonly refused: readonly Problem[];
  readonly passThru: boolean;
  readonly force?: boolean;
  /** By force, although not all leases of leaving scopes are known here. */
  readonly lack?: LackHere | undefined;
}

/** The partner's part of both methods. */
async function finish(
  context: OperationContext,
  relationship: Relationship,
  body: Extract<ChangeBody, { kind: 'add-scopes' | 'remove-scopes' }>,
  how: Finish,
): Promise<Outcome<Result | WhatIfReport>> {
  const { control } = context;
  const { name } = relationship;
  const partner = partnerByKey(control, relationship.partnerKey);
  if (partner === undefined)
    return failed(problem(control, 'pair/unknown-partner', { partner: relationship.partnerServer }, name));
  if (isDeclared(partner)) return await finishForeign(context, relationship, body, { ...how, partner });
  const trouble = await partnerTrouble(control, partner, how.features);
  if (trouble !== undefined) return failed(trouble.problem);
  if (context.whatIf) {
    const told = await whatIfTogether(context, { partner, body, secret: undefined });
    return told.kind === 'failed' ? told : { ...told, errors: how.refused };
  }
  const made =
    body.kind === 'add-scopes'
      ? await runTogether(context, { partner, body, secret: undefined })
      : await removeTogether(context, { partner, relationship, body, force: how.force === true });
  if (made.kind === 'failed') return made;
  const now = relationshipOf(control.revision().config, name);
  const value = how.passThru && now !== undefined ? await failoverObject(control, now) : null;
  return succeeded(value, made.warnings, how.refused);
}

async function finishForeign(
  context: OperationContext,
  relationship: Relationship,
  body: Extract<ChangeBody, { kind: 'add-scopes' | 'remove-scopes' }>,
  how: Finish & { readonly partner: DeclaredPartner },
): Promise<Outcome<Result | WhatIfReport>> {
  const { control } = context;
  const { partner, refused } = how;
  if (body.kind === 'remove-scopes' && !context.whatIf) await holdPromises(control, relationship, body.scopeIds);
  const { lack } = how;
  const made = await changeForeign(context, { partner, body, secret: undefined, disables: lack?.scopeIds });
  if (made.kind === 'failed') return made;
  if (made.kind === 'what-if') return succeeded({ whatIf: made.lines }, [], refused);
  const now = relationshipOf(control.revision().config, relationship.name);
  const value = how.passThru && now !== undefined ? await failoverObject(control, now) : null;
  const warnings = [...made.warnings];
  if (body.kind === 'remove-scopes' && !body.isDrained)
    warnings.push(takeOutAdvice(control, relationship, partner, body));
  if (body.kind === 'remove-scopes' && lack !== undefined) warnings.push(disabledWarning(control, relationship, lack));
  return succeeded(value, warnings, refused);
}

type Read =
  | { readonly kind: 'ok'; readonly relationship: Relationship; readonly scopeIds: readonly string[] }
  | { readonly kind: 'bad'; readonly problem: Problem };

function readRequest(control: Control, given: { readonly Name: string; readonly ScopeId: readonly string[] }): Read {
  if (given.Name.trim() === '') return { kind: 'bad', problem: invalid('Name', 'it is empty') };
  const ids = readScopeIds(given.ScopeId);
  if (ids.kind === 'bad') return ids;
  const { config } = control.revision();
  // Management specification 1.8: a server without any relationship answers FILE_NOT_FOUND.
  if (config.relationships.length === 0) {
    return {
      kind: 'bad',
      problem: problem(control, 'request/not-found', { object: 'any failover relationship' }, given.Name),
    };
  }
  const relationship = relationshipOf(config, given.Name);
  if (relationship !== undefined) return { kind: 'ok', relationship, scopeIds: ids.scopeIds };
  return { kind: 'bad', problem: problem(control, 'failover/unknown-relationship', { name: given.Name }, given.Name) };
}

export function stateProblem(control: Control, relationship: Relationship): Problem | undefined {
  const { name } = relationship;
  if (control.endpointStatus(name)?.state === 'normal') return undefined;
  return problem(control, 'failover/not-normal', { name, state: stateName(control, name) }, name);
}

/** In Normal, but a scope that was added before is still on its way to the partner, or another change is under way. */
function syncProblem(control: Control, relationship: Relationship): Problem | undefined {
  const { name } = relationship;
  const silent = control.endpointStatus(name)?.silentScopeIds.length ?? 0;
  if (silent === 0) return lockProblem(control, relationship);
  return problem(
    control,
    'failover/busy',
    { name, why: `${silent} scopes that were added before still get their leases` },
    name,
  );
}

function lockProblem(control: Control, relationship: Relationship): Problem | undefined {
  const changes = changesOf(control);
  return changes.isLocked(relationship.name) ? changes.busy(relationship.name) : undefined;
}
