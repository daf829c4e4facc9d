/**
 * Removing relationships: Remove of PS_DhcpServerv4Failover (management specification 1.2, 1.7). The scopes stay on the called
 * server and go on the partner. With the partner away it is refused, unless Force says that this server goes on alone: then a
 * tombstone keeps the partner's addresses untouched until it is safe.
 */
import { z } from 'zod';
import type { Relationship } from '../core/config/model.ts';
import type { Problem } from '../core/problems/problem.ts';
import { tombstoneOf } from './change-body.ts';
import { changesOf } from './changes.ts';
import { defineOperation } from './define.ts';
import { type FailoverObject, failoverObject, failoverSchema } from './failover-object.ts';
import { changeForeign, isLongAlone, takeOutAdvice } from './foreign-change.ts';
import { type DeclaredPartner, isDeclared } from './foreign-partner.ts';
import { holdPromises } from './held-promises.ts';
import { disabledWarning, lackHere, unfetchedProblem, withDisabled } from './lacks.ts';
import { removeTogether } from './leaving.ts';
import { changeLocally } from './local-change.ts';
import { failed, type OperationContext, type Outcome, succeeded, type WhatIfReport } from './operation.ts';
import * as params from './params.ts';
import { partnerByKey, partnerTrouble } from './partner-client.ts';
import { invalid, problem } from './problems.ts';
import { relationshipOf } from './shared-config.ts';
import { whatIfTogether } from './together.ts';
import { waitsOf } from './waits.ts';

const removeParams = z.strictObject({
  ...params.common,
  Name: params.texts,
  Force: params.flag.describe(
    'Goes ahead without asking, and on this server alone when the partner cannot be reached.',
  ),
  PassThru: params.passThru,
});
type RemoveParams = z.infer<typeof removeParams>;

export const removeFailover = defineOperation({
  name: 'failover.remove',
  windows: 'PS_DhcpServerv4Failover.Remove',
  summary: 'Removes relationships; their scopes stay on this server and go on the partner.',
  examples: ['twinlease failover remove --name rel1', 'twinlease failover remove --name rel1 --what-if'],
  params: removeParams,
  result: z.array(failoverSchema).nullable(),
  changes: true,
  confirm: (given) => `${given.Name.join(', ')}: the relationship is removed and the partner loses its scopes. Go on?`,
  run: remove,
});

async function remove(
  context: OperationContext,
  given: RemoveParams,
): Promise<Outcome<FailoverObject[] | null | WhatIfReport>> {
  const { control } = context;
  const names = [...new Set(given.Name)];
  if (names.length === 0 || names.some((name) => name.trim() === ''))
    return failed(invalid('Name', 'no relationship is given'));
  const removed: FailoverObject[] = [];
  const errors: Problem[] = [];
  const warnings: Problem[] = [];
  const lines: string[] = [];
  // Unknown names are all found before the first relationship goes.
  const known = names.filter((name) => relationshipOf(control.revision().config, name) !== undefined);
  for (const name of names) {
    if (!known.includes(name)) errors.push(problem(control, 'failover/unknown-relationship', { name }, name));
  }
  for (const name of known) {
    const relationship = relationshipOf(control.revision().config, name);
    if (relationship === undefined) continue;
    const asItWas = await failoverObject(control, relationship);
    const outcome = await removeOne(context, relationship, given.Force === true);
    if (outcome.kind === 'failed') {
      errors.push(...outcome.problems);
      continue;
    }
    warnings.push(...outcome.warnings);
    if ('whatIf' in outcome.value) lines.push(...outcome.value.whatIf);
    removed.push(asItWas);
  }
  if (removed.length === 0 && errors.length > 0) return failed(...errors);
  if (context.whatIf) return succeeded({ whatIf: lines }, warnings, errors);
  return succeeded(given.PassThru === true ? removed : null, warnings, errors);
}

type Removed = Outcome<Record<string, never> | WhatIfReport>;

async function removeOne(context: OperationContext, relationship: Relationship, force: boolean): Promise<Removed> {
  const { control } = context;
  if (changesOf(control).isLocked(relationship.name)) return failed(changesOf(control).busy(relationship.name));
  const partner = partnerByKey(control, relationship.partnerKey);
  if (isDeclared(partner)) {
    const lack = force ? undefined : lackHere(control, relationship);
    if (lack !== undefined) return failed(unfetchedProblem(control, relationship, lack));
    return await removeForeign(context, relationship, partner);
  }
  if (partner === undefined || relationship.profile !== 'twinlease') {
    return await removeAlone(context, relationship, relationship.partnerServer, 'this server cannot manage it');
  }
  // The clocks do not matter for taking apart what was together, so only a partner that cannot be asked stands in the way.
  const trouble = await partnerTrouble(control, partner, []);
  const isAway = trouble !== undefined && (trouble.isUnreachable || trouble.problem.code === 'partner/no-permission');
  if (isAway) {
    if (!force) return failed(trouble.problem);
    const why = trouble.problem.slots['why'] ?? 'it no longer knows this server';
    return await removeAlone(context, relationship, partner.name, String(why));
  }
  // It can be asked to keep the scopes itself, so that Force, which scripts give as a matter of course, does no harm.
  const lack = lackHere(control, relationship);
  if (lack !== undefined) return failed(unfetchedProblem(control, relationship, lack));
  const { name, id, scopeIds } = relationship;
  const at = control.now().wallAt;
  const body = { kind: 'remove-relationship' as const, name, id, scopeIds: [...scopeIds], isDrained: true, at };
  if (context.whatIf) return await whatIfTogether(context, { partner, body, secret: undefined });
  const made = await removeTogether(context, { partner, relationship, body, force });
  return made.kind === 'failed' ? made : succeeded({}, made.warnings);
}

/** Only this half goes. What may still be leased there waits under a tombstone, unless this server was alone long enough. */
async function removeForeign(
  context: OperationContext,
  relationship: Relationship,
  partner: DeclaredPartner,
): Promise<Removed> {
  const { control } = context;
  const { name, id, scopeIds } = relationship;
  const isDrained = isLongAlone(control, relationship);
  const at = control.now().wallAt;
  const body = { kind: 'remove-relationship' as const, name, id, scopeIds: [...scopeIds], isDrained, at };
  const lack = lackHere(control, relationship);
  if (!context.whatIf) await holdPromises(control, relationship);
  const made = await changeForeign(context, { partner, body, secret: undefined, disables: lack?.scopeIds });
  if (made.kind === 'failed') return made;
  if (made.kind === 'what-if') return succeeded({ whatIf: made.lines });
  const warnings = [...made.warnings];
  if (!isDrained) warnings.push(takeOutAdvice(control, relationship, partner, { scopeIds, at }));
  if (lack !== undefined) warnings.push(disabledWarning(control, relationship, lack));
  return succeeded({}, warnings);
}

/** Design, part 5: local by nature, with a tombstone that the partner hears when it returns. */
async function removeAlone(
  context: OperationContext,
  relationship: Relationship,
  partner: string,
  why: string,
): Promise<Removed> {
  const { control } = context;
  const { name } = relationship;
  const lack = lackHere(control, relationship);
  if (!context.whatIf) await holdPromises(control, relationship);
  const at = control.now().wallAt;
  const { mcltSec } = waitsOf(control, relationship);
  const outcome = await changeLocally(context, `failover relationship ${name} removed by force`, (config) => {
    const present = relationshipOf(config, name);
    if (present === undefined || present.id !== relationship.id) {
      return { kind: 'bad', problems: [problem(control, 'failover/unknown-relationship', { name }, name)] };
    }
    const left = lack === undefined ? config : withDisabled(config, lack.scopeIds);
    const relationships = config.relationships.filter((one) => one.name !== name);
    return {
      kind: 'ok',
      config: {
        ...left,
        relationships,
        tombstones: [...config.tombstones, tombstoneOf({ ...present, mcltSec }, present.scopeIds, at)],
      },
    };
  });
  if (outcome.kind === 'failed') return outcome;
  if (outcome.kind === 'what-if') return succeeded({ whatIf: outcome.lines });
  const warnings = [problem(control, 'failover/removed-alone', { name, partner, why }, name)];
  if (lack !== undefined) warnings.push(disabledWarning(control, relationship, lack));
  return succeeded({}, warnings);
}
