/**
 * The configuration as a whole and its revisions: show, history, compare, bring back. A file is applied in `config-apply.ts`.
 */
import { z } from 'zod';
import { type Change, diffConfig, scopeDiff } from '../core/config/diff.ts';
import type { Config, Partner, Relationship } from '../core/config/model.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control } from '../server/control.ts';
import { sharedScopeSchema } from './change-body.ts';
import { namedSections } from './config-apply.ts';
import { defineOperation } from './define.ts';
import { changeLocally } from './local-change.ts';
import { failed, type OperationContext, type Outcome, succeeded, type WhatIfReport } from './operation.ts';
import * as params from './params.ts';
import { callPartner, partnerByKey, READ_SCOPES_MAX } from './partner-client.ts';
import { problem } from './problems.ts';
import { scopeObstacle } from './scope-guards.ts';
import { relationshipOf, type SharedScope, sharedScope } from './shared-config.ts';

const revisionNumber = z.int().min(1);

export const showConfig = defineOperation({
  name: 'config.show',
  summary: 'Shows the configuration in the form in which it can be applied again.',
  examples: ['twinlease config show --json > config.json', 'twinlease config show --revision 7'],
  params: z.strictObject({
    ...params.common,
    Revision: revisionNumber.nullish().describe('The one in force when left out.'),
  }),
  result: z.looseObject({ revision: z.int() }),
  changes: false,
  run: async ({ control }, given) => {
    const found = await configAt(control, given.Revision ?? undefined);
    return found.kind === 'bad' ? failed(found.problem) : succeeded({ revision: found.number, ...found.config });
  },
});

export const configHistory = defineOperation({
  name: 'config.history',
  summary: 'Shows the revisions of the configuration: who made them, when, and what was changed.',
  examples: ['twinlease config history'],
  params: z.strictObject(params.common),
  result: z.array(
    z.object({
      Revision: z.int(),
      MadeAt: z.int(),
      By: z.string(),
      What: z.string(),
      Transaction: z.string().nullable(),
    }),
  ),
  changes: false,
  run: async ({ control }) => {
    const revisions = await control.history();
    return succeeded(
      revisions.map((one) => ({
        Revision: one.number,
        MadeAt: one.madeAt,
        By: one.by,
        What: one.what,
        Transaction: one.transaction,
      })),
    );
  },
});

const differenceSchema = z.object({
  Path: z.string(),
  Kind: z.enum(['added', 'removed', 'changed']),
  Before: z.unknown(),
  After: z.unknown(),
});
type DifferenceObject = z.infer<typeof differenceSchema>;

export const diff = defineOperation({
  name: 'config.diff',
  summary: 'Compares two revisions, a file with what is in force, or this server with its partners.',
  examples: ['twinlease config diff --from 7', 'twinlease config diff --relationship rel1', 'twinlease config diff'],
  params: z.strictObject({
    ...params.common,
    From: revisionNumber.nullish().describe('Revision to compare from.'),
    To: revisionNumber.nullish().describe('Revision to compare with; the one in force when left out.'),
    Config: z.record(z.string(), z.unknown()).nullish().describe('A configuration to compare with what is in force.'),
    Relationship: params.optionalText.describe(
      'Compares its scopes with the partner’s. All relationships when nothing is given.',
    ),
  }),
  result: z.array(differenceSchema),
  changes: false,
  run: async ({ control }, given): Promise<Outcome<DifferenceObject[]>> => {
    if (given.Config != null) {
      const present = control.revision().config;
      const read = namedSections(control, given.Config);
      return read.kind === 'bad'
        ? failed(...read.problems)
        : succeeded(diffConfig(present, read.config).map(differenceObject));
    }
    if (given.From == null && given.To == null) return await diffWithPartners(control, given.Relationship ?? undefined);
    const from = await configAt(control, given.From ?? undefined);
    if (from.kind === 'bad') return failed(from.problem);
    const to = await configAt(control, given.To ?? undefined);
    if (to.kind === 'bad') return failed(to.problem);
    return succeeded(diffConfig(from.config, to.config).map(differenceObject));
  },
});

export const undo = defineOperation({
  name: 'config.undo',
  summary: 'Brings a revision back: scopes, options and settings of this server, as they were.',
  examples: ['twinlease config undo', 'twinlease config undo --revision 7 --what-if'],
  params: z.strictObject({
    ...params.common,
    Revision: revisionNumber.nullish().describe('The one before the present one when left out.'),
    Force: params.flag.describe('Without asking; also takes back a scope whose addresses clients hold.'),
  }),
  result: z.object({ Revision: z.int() }),
  changes: true,
  confirm: () => 'Everything that was changed since then is changed back on this server. Go on?',
  run: bringBack,
});

async function bringBack(
  context: OperationContext,
  given: { readonly Revision?: number | null | undefined; readonly Force?: boolean | null | undefined },
): Promise<Outcome<{ Revision: number } | WhatIfReport>> {
  const { control } = context;
  const present = control.revision();
  const number = given.Revision ?? present.number - 1;
  if (given.Revision == null && present.transaction !== null) {
    const why = 'the last change was made on two servers together';
    return failed(problem(control, 'config/no-undo', { number: present.number, why }, String(present.number)));
  }
  const old = await configAt(control, number);
  if (old.kind === 'bad') return failed(old.problem);
  const outcome = await changeLocally(context, `revision ${number} brought back`, (config) => {
    const after = asItWas(config, old.config);
    const obstacle = scopeObstacle(control, config, after, given.Force === true);
    return obstacle === undefined ? { kind: 'ok', config: after } : { kind: 'bad', problems: [obstacle] };
  });
  if (outcome.kind === 'failed') return outcome;
  return succeeded(outcome.kind === 'what-if' ? { whatIf: outcome.lines } : { Revision: outcome.number });
}

/** What two servers made together stays: relationships, partners, tombstones, and the scopes that are shared now and were not there then. */
function asItWas(config: Config, old: Config): Config {
  const shared = new Set(config.relationships.flatMap((one) => one.scopeIds));
  const were = new Map(old.scopes.map((scope) => [scope.scopeId, scope]));
  const missing = config.scopes.filter((scope) => shared.has(scope.scopeId) && !were.has(scope.scopeId));
  return {
    ...old,
    scopes: [...old.scopes, ...missing],
    relationships: config.relationships,
    partners: config.partners,
    tombstones: config.tombstones,
  };
}

type ConfigAt =
  | { readonly kind: 'ok'; readonly number: number; readonly config: Config }
  | { readonly kind: 'bad'; readonly problem: Problem };

async function configAt(control: Control, number: number | undefined): Promise<ConfigAt> {
  const present = control.revision();
  if (number === undefined || number === present.number)
    return { kind: 'ok', number: present.number, config: present.config };
  const revision = await control.readRevision(number);
  if (revision === undefined)
    return { kind: 'bad', problem: problem(control, 'config/unknown-revision', { number }, String(number)) };
  return { kind: 'ok', number, config: revision.config };
}

const readSchema = z.object({
  scopes: z.array(z.object({ scopeId: z.string(), shared: sharedScopeSchema.nullable() })),
});

async function diffWithPartners(control: Control, name: string | undefined): Promise<Outcome<DifferenceObject[]>> {
  const { config } = control.revision();
  if (name !== undefined && relationshipOf(config, name) === undefined) {
    return failed(problem(control, 'failover/unknown-relationship', { name }, name));
  }
  const differences: DifferenceObject[] = [];
  const errors: Problem[] = [];
  for (const relationship of config.relationships) {
    if (name !== undefined && relationship.name !== name) continue;
    const partner = partnerByKey(control, relationship.partnerKey);
    if (partner === undefined) continue;
    const theirs = await readTheirs(control, partner, relationship);
    if (theirs.kind === 'failed') {
      errors.push(theirs.problem);
      continue;
    }
    for (const scopeId of relationship.scopeIds) {
      const changes = scopeDiff(sharedScope(config, scopeId), theirs.scopes.get(scopeId));
      differences.push(
        ...changes.map((change) => ({ ...differenceObject(change), Path: `${scopeId} ${change.path}` })),
      );
    }
  }
  return differences.length === 0 && errors.length > 0 ? failed(...errors) : succeeded(differences, [], errors);
}

type Theirs =
  | { readonly kind: 'ok'; readonly scopes: ReadonlyMap<string, SharedScope | undefined> }
  | { readonly kind: 'failed'; readonly problem: Problem };

async function readTheirs(control: Control, partner: Partner, relationship: Relationship): Promise<Theirs> {
  const { name, id, scopeIds } = relationship;
  const scopes = new Map<string, SharedScope | undefined>();
  for (let at = 0; at < scopeIds.length; at += READ_SCOPES_MAX) {
    const wanted = { name, id, scopeIds: scopeIds.slice(at, at + READ_SCOPES_MAX) };
    const call = { method: 'config.read', params: wanted, answer: readSchema };
    const answer = await callPartner(control, partner, call);
    if (answer.kind === 'failed') return answer;
    for (const one of answer.value.scopes) scopes.set(one.scopeId, one.shared ?? undefined);
  }
  return { kind: 'ok', scopes };
}

function differenceObject(change: Change): DifferenceObject {
  return { Path: change.path, Kind: change.kind, Before: change.before ?? null, After: change.after ?? null };
}
