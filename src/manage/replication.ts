/**
 * Replication: InvokeByName and InvokeByScopeId of PS_DhcpServerv4FailoverReplication (management specification 1.4, 1.7). Shared
 * configuration follows by itself; these two decide where both servers were changed apart: the called server's wins.
 */
import { z } from 'zod';
import type { Relationship } from '../core/config/model.ts';
import type { Problem } from '../core/problems/problem.ts';
import { defineOperation } from './define.ts';
import { stateProblem } from './failover-scope.ts';
import { followerOf } from './follow.ts';
import { failed, type OperationContext, type Outcome, succeeded, type WhatIfReport } from './operation.ts';
import * as params from './params.ts';
import { listed, problem } from './problems.ts';
import { readScopeIds, splitKnown } from './scope-list.ts';
import { relationshipOf, relationshipOfScope } from './shared-config.ts';

const result = z.array(z.string());

const byNameParams = z.strictObject({
  ...params.common,
  Force: params.force,
  Name: params.texts.nullish().describe('Every relationship of the server when left out.'),
});
const byScopeParams = z.strictObject({ ...params.common, Force: params.force, ScopeId: params.scopeIds });

const QUESTION = 'What the partner has of these scopes is overwritten with the configuration of this server. Go on?';

export const invokeByName = defineOperation({
  name: 'replication.invoke-by-name',
  windows: 'PS_DhcpServerv4FailoverReplication.InvokeByName',
  summary: 'Makes the partner’s configuration of all scopes of a relationship the same as here.',
  examples: ['twinlease failover replicate --name rel1'],
  params: byNameParams,
  result,
  changes: true,
  confirm: () => QUESTION,
  run: async (context, given) => {
    const { control } = context;
    const { config } = control.revision();
    const names =
      given.Name == null || given.Name.length === 0
        ? config.relationships.map((one) => one.name)
        : [...new Set(given.Name)];
    const errors: Problem[] = [];
    const wanted: Part[] = [];
    for (const name of names) {
      const relationship = relationshipOf(config, name);
      if (relationship === undefined) errors.push(problem(control, 'failover/unknown-relationship', { name }, name));
      else wanted.push({ relationship, scopeIds: relationship.scopeIds });
    }
    return await replicate(context, wanted, errors);
  },
});

export const invokeByScopeId = defineOperation({
  name: 'replication.invoke-by-scope-id',
  windows: 'PS_DhcpServerv4FailoverReplication.InvokeByScopeId',
  summary: 'Makes the partner’s configuration of these scopes the same as here.',
  examples: ['twinlease failover replicate --scope-id 10.0.1.0'],
  params: byScopeParams,
  result,
  changes: true,
  confirm: () => QUESTION,
  run: async (context, given) => {
    const { control } = context;
    const { config } = control.revision();
    const ids = readScopeIds(given.ScopeId);
    if (ids.kind === 'bad') return failed(ids.problem);
    const { known, errors } = splitKnown(control, config, ids.scopeIds);
    const outside: Problem[] = [...errors];
    const wanted = new Map<string, { relationship: Relationship; scopeIds: string[] }>();
    for (const { scopeId } of known) {
      const relationship = relationshipOfScope(config, scopeId);
      if (relationship === undefined) {
        outside.push(problem(control, 'failover/scope-not-in-relationship', { scopeId }, scopeId));
        continue;
      }
      const part = wanted.get(relationship.name) ?? { relationship, scopeIds: [] };
      part.scopeIds.push(scopeId);
      wanted.set(relationship.name, part);
    }
    return await replicate(context, [...wanted.values()], outside);
  },
});

interface Part {
  readonly relationship: Relationship;
  readonly scopeIds: readonly string[];
}

async function replicate(
  context: OperationContext,
  wanted: readonly Part[],
  before: readonly Problem[],
): Promise<Outcome<string[] | WhatIfReport>> {
  const { control } = context;
  const errors: Problem[] = [...before];
  const done: string[] = [];
  for (const { relationship, scopeIds } of wanted) {
    if (relationship.profile !== 'twinlease') {
      const slots = { partner: relationship.partnerServer };
      errors.push(problem(control, 'pair/foreign-not-managed', slots, relationship.name));
      continue;
    }
    const notNormal = stateProblem(control, relationship);
    if (notNormal !== undefined) {
      errors.push(notNormal);
      continue;
    }
    if (context.whatIf) {
      done.push(...scopeIds);
      continue;
    }
    const answer = await followerOf(control).overwrite(relationship, scopeIds);
    if (answer.kind === 'failed') errors.push(answer.problem);
    else {
      done.push(...answer.scopeIds);
      errors.push(...answer.problems);
    }
  }
  if (!context.whatIf) return listed(done, errors);
  if (done.length === 0 && errors.length > 0) return failed(...errors);
  const lines = done.map(
    (scopeId) => `The partner’s configuration of scope ${scopeId} becomes the one of ${control.serverName}.`,
  );
  return succeeded({ whatIf: lines.length === 0 ? ['Nothing would change.'] : lines }, [], errors);
}
