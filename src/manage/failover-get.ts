/**
 * Reading relationships: GetByName and GetByScopeId of PS_DhcpServerv4Failover (management specification 1.2).
 */
import { z } from 'zod';
import type { Problem } from '../core/problems/problem.ts';
import { defineOperation } from './define.ts';
import { type FailoverObject, failoverObject, failoverSchema } from './failover-object.ts';
import { failed } from './operation.ts';
import * as params from './params.ts';
import { listed, problem } from './problems.ts';
import { readScopeIds, splitKnown } from './scope-list.ts';
import { relationshipOf, relationshipOfScope } from './shared-config.ts';

const result = z.array(failoverSchema);

export const getByName = defineOperation({
  name: 'failover.get-by-name',
  windows: 'PS_DhcpServerv4Failover.GetByName',
  summary: 'Shows failover relationships.',
  examples: ['twinlease failover get', 'twinlease failover get --name rel1 --json'],
  params: z.strictObject({
    ...params.common,
    Name: params.texts.nullish().describe('All relationships when left out.'),
  }),
  result,
  changes: false,
  run: async ({ control }, given) => {
    const { config } = control.revision();
    const names = [...new Set(given.Name ?? [])];
    const wanted = names.length === 0 ? config.relationships.map((one) => one.name) : names;
    const found: FailoverObject[] = [];
    const errors: Problem[] = [];
    for (const name of wanted) {
      const relationship = relationshipOf(config, name);
      if (relationship === undefined) errors.push(problem(control, 'failover/unknown-relationship', { name }, name));
      else found.push(await failoverObject(control, relationship));
    }
    return listed(found, errors);
  },
});

export const getByScopeId = defineOperation({
  name: 'failover.get-by-scope-id',
  windows: 'PS_DhcpServerv4Failover.GetByScopeId',
  summary: 'Shows the relationships that share these scopes.',
  examples: ['twinlease failover get --scope-id 10.0.1.0'],
  params: z.strictObject({ ...params.common, ScopeId: params.scopeIds }),
  result,
  changes: false,
  run: async ({ control }, given) => {
    const { config } = control.revision();
    const ids = readScopeIds(given.ScopeId);
    if (ids.kind === 'bad') return failed(ids.problem);
    const found = new Map<string, FailoverObject>();
    const { known, errors } = splitKnown(control, config, ids.scopeIds);
    const outside: Problem[] = [...errors];
    for (const { scopeId } of known) {
      const relationship = relationshipOfScope(config, scopeId);
      if (relationship === undefined)
        outside.push(problem(control, 'failover/scope-not-in-relationship', { scopeId }, scopeId));
      else if (!found.has(relationship.name)) found.set(relationship.name, await failoverObject(control, relationship));
    }
    return listed([...found.values()], outside);
  },
});
