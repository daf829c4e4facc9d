/**
 * Taking scopes that a partner pushes: compare and swap for each of them. A scope is taken when it is what the partner thinks it
 * is (or when the partner's operator said that theirs wins); otherwise ours is shown to it and stays.
 */
import { z } from 'zod';
import { checkConfig } from '../core/config/checks.ts';
import type { Config, Partner, Relationship } from '../core/config/model.ts';
import { faultProblem } from '../core/problems/config-faults.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control } from '../server/control.ts';
import { agreedHashes, agreedRecordOf } from './agreed.ts';
import { address32, otherRole, ownerOf, sharedScopeSchema } from './change-body.ts';
import { changesOf } from './changes.ts';
import { clashingDefinitions, type SharedScope, scopeHash, scopeOf, sharedScope, withShared } from './shared-config.ts';

const STALE_RETRIES_MAX = 16;

export const pushParamsSchema = z.object({
  name: z.string().min(1).max(1024),
  id: z.string().min(1).max(128),
  mineWins: z.boolean(),
  scopes: z
    .array(
      z.object({
        scopeId: z.string().max(15),
        /** What both agreed on last; null when they never compared the scope. */
        expect: z.string().max(64).nullable(),
        hash: z.string().max(64),
        shared: sharedScopeSchema.nullable(),
      }),
    )
    .max(4096),
});
type PushParams = z.infer<typeof pushParamsSchema>;
type Pushed = PushParams['scopes'][number];

type Taken =
  | { readonly kind: 'same' | 'applied' }
  | { readonly kind: 'apart'; readonly hash: string; readonly shared: SharedScope | null }
  | { readonly kind: 'refused'; readonly problem: Problem };

export type PushTaken =
  | { readonly kind: 'busy' }
  | { readonly kind: 'pushed'; readonly scopes: Readonly<Record<string, Taken>> };

export async function takePush(
  control: Control,
  partner: Partner,
  relationship: Relationship,
  params: PushParams,
): Promise<PushTaken> {
  for (let attempt = 0; attempt < STALE_RETRIES_MAX; attempt++) {
    if (changesOf(control).isLocked(relationship.name)) return { kind: 'busy' };
    const revision = control.revision();
    const { answers, config } = decide(control, revision.config, relationship, params);
    const agreed: Record<string, string> = { ...agreedHashes(control, relationship.id) };
    for (const [scopeId, taken] of Object.entries(answers)) {
      if (taken.kind === 'same' || taken.kind === 'applied') agreed[scopeId] = scopeHash(config, scopeId);
    }
    const record = agreedRecordOf(relationship.id, agreed);
    if (config === revision.config) {
      await control.saveTransactions([record]);
      return { kind: 'pushed', scopes: answers };
    }
    const applied = Object.keys(answers).filter((scopeId) => answers[scopeId]?.kind === 'applied');
    // A scope that was deleted here comes back as a new half: the partner's addresses, silent until it holds the leases.
    const created = applied.filter((scopeId) => scopeOf(revision.config, scopeId) === undefined);
    const outcome = await control.changeConfig({
      base: revision.number,
      by: `partner ${partner.name}`,
      what: `${applied.join(', ')} of failover relationship ${relationship.name} as on ${partner.name}`,
      config,
      given: created.map((scopeId) => ({ scopeId: address32(scopeId), owner: ownerOf(otherRole(relationship.role)) })),
      silentScopeIds: created.map(address32),
      transactions: [record],
    });
    if (outcome.kind === 'ok') return { kind: 'pushed', scopes: answers };
    if (outcome.kind === 'bad') return { kind: 'pushed', scopes: allRefused(applied, answers, outcome.problems[0]) };
  }
  return { kind: 'busy' };
}

function decide(
  control: Control,
  before: Config,
  relationship: Relationship,
  params: PushParams,
): { answers: Record<string, Taken>; config: Config } {
  const answers: Record<string, Taken> = {};
  let config = before;
  for (const pushed of params.scopes) {
    if (!relationship.scopeIds.includes(pushed.scopeId)) continue;
    const hash = scopeHash(before, pushed.scopeId);
    if (hash === pushed.hash) answers[pushed.scopeId] = { kind: 'same' };
    else if (!params.mineWins && hash !== pushed.expect) {
      answers[pushed.scopeId] = { kind: 'apart', hash, shared: sharedScope(before, pushed.scopeId) ?? null };
    } else {
      const tried = tryScope(control, before, config, pushed);
      if (tried.kind === 'ok') config = tried.config;
      answers[pushed.scopeId] = tried.kind === 'ok' ? { kind: 'applied' } : { kind: 'refused', problem: tried.problem };
    }
  }
  return { answers, config };
}

function tryScope(
  control: Control,
  before: Config,
  config: Config,
  pushed: Pushed,
): { kind: 'ok'; config: Config } | { kind: 'bad'; problem: Problem } {
  const { shared } = pushed;
  if (shared === null || shared.scope.scopeId !== pushed.scopeId) {
    return {
      kind: 'bad',
      problem: { code: 'scope/unknown', slots: { server: 'the partner', scopeId: pushed.scopeId } },
    };
  }
  const clash = clashingDefinitions(before, [shared])[0];
  if (clash !== undefined) {
    const what = `of option ${clash.code} on DHCP server ${control.serverName} says something else`;
    const slots = { path: 'The definition', what, fix: 'Make the two definitions the same.' };
    return { kind: 'bad', problem: { code: 'config/invalid', slots } };
  }
  const tried = withShared(config, [shared]);
  const fault = checkConfig(tried)[0];
  if (fault !== undefined) return { kind: 'bad', problem: faultProblem(fault) };
  const obstacle = changesOf(control).obstacle(before, tried);
  return obstacle === undefined ? { kind: 'ok', config: tried } : { kind: 'bad', problem: obstacle };
}

function allRefused(
  applied: readonly string[],
  answers: Readonly<Record<string, Taken>>,
  found: Problem | undefined,
): Record<string, Taken> {
  const problem = found ?? {
    code: 'config/invalid',
    slots: { path: 'The configuration', what: 'was refused', fix: '' },
  };
  const refused = applied.map((scopeId): [string, Taken] => [scopeId, { kind: 'refused', problem }]);
  return { ...answers, ...Object.fromEntries(refused) };
}
