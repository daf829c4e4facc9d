/**
 * A partner that lost its configuration, or its whole machine, gets back what it shared with this server. It comes in as one that
 * may have given leases it no longer knows of: it recovers everything and waits before it serves (failover specification 4.3).
 */
import { z } from 'zod';
import { checkConfig } from '../core/config/checks.ts';
import type { Config, Partner, Relationship } from '../core/config/model.ts';
import { faultProblem } from '../core/problems/config-faults.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control } from '../server/control.ts';
import { address32, otherRole, ownerOf, settingsOf, sharedScopeSchema } from './change-body.ts';
import { defineOperation } from './define.ts';
import { isDeclared } from './foreign-partner.ts';
import { changeLocally } from './local-change.ts';
import { failed, type Outcome, succeeded } from './operation.ts';
import { partnerNamed, unknownPartner } from './pair.ts';
import * as params from './params.ts';
import { callPartner, PREPARE_TIMEOUT_MS } from './partner-client.ts';
import { problem } from './problems.ts';
import { relationshipOfScope, sharedScope, withShared } from './shared-config.ts';

const STALE_RETRIES_MAX = 16;

export const rejoinParamsSchema = z.object({
  name: z.string().min(1).max(1024),
  id: z.string().min(1).max(128),
  /** As the one that rejoins has them. */
  role: z.enum(['primary', 'secondary']),
  isActive: z.boolean(),
  partnerServer: z.string().min(1).max(255),
  settings: z.object({
    mode: z.enum(['LoadBalance', 'HotStandby']),
    percentage: z.int().min(0).max(100),
    mcltSec: z.int().min(1).max(0xffffffff),
    stateSwitchIntervalSec: z.int().min(1).max(0xffffffff).nullable(),
  }),
  formerMclt: z
    .object({ sec: z.int().min(1).max(0xffffffff), untilAt: z.int().min(0).max(0xffffffff) })
    .exactOptional(),
  secret: z.string().min(1).max(1024).nullable(),
  scopes: z.array(sharedScopeSchema).max(4096),
});
type RejoinParams = z.infer<typeof rejoinParamsSchema>;

const rejoinedSchema = z.object({ kind: z.enum(['made', 'there']) });

export const rejoin = defineOperation({
  name: 'pair.rejoin',
  summary: 'Gives a partner that lost its configuration or its machine back what it shared with this server.',
  examples: [
    'twinlease pair rejoin --partner dhcp2 --code CODE --server dhcp2.example.com',
    'twinlease pair rejoin --partner dhcp2',
  ],
  params: z.strictObject({
    ...params.common,
    Partner: params.text.describe('The partner as this server knows it.'),
    Code: params.optionalText.describe('One-time code of the new machine, where the identity was lost as well.'),
    Server: params.optionalText.describe('Host name or address of the new machine.'),
  }),
  result: z.array(z.string()).describe('Relationships that were given back.'),
  changes: true,
  run: async (context, given): Promise<Outcome<string[] | { whatIf: string[] }>> => {
    const { control } = context;
    const old = partnerNamed(control, given.Partner);
    if (old === undefined) return failed(unknownPartner(control, given.Partner));
    if (isDeclared(old)) return failed(problem(control, 'pair/foreign-not-managed', { partner: old.name }, old.name));
    const shared = control.revision().config.relationships.filter((one) => one.partnerKey === old.key);
    if (context.whatIf) {
      return succeeded({
        whatIf: shared.map(
          (one) => `Gives relationship ${one.name} with ${one.scopeIds.length} scopes to ${old.name}.`,
        ),
      });
    }
    let partner: Partner = old;
    if (given.Code != null) {
      const accepted = await control.acceptInvitation(given.Code.trim(), given.Server ?? old.host);
      if (accepted.kind === 'failed') return failed(accepted.problem);
      partner = accepted.partner;
      const moved = await changeLocally(context, `partner ${old.name} has a new identity`, (config) => ({
        kind: 'ok',
        config: withNewKey(config, old.key, accepted.partner.key),
      }));
      if (moved.kind === 'failed') return moved;
    }
    const done: string[] = [];
    const errors: Problem[] = [];
    for (const relationship of shared) {
      const wanted = rejoinOf(control, relationship);
      const call = { method: 'rejoin', params: wanted, answer: rejoinedSchema, timeoutMs: PREPARE_TIMEOUT_MS };
      const answer = await callPartner(control, partner, call);
      if (answer.kind === 'ok') done.push(relationship.name);
      else errors.push(answer.problem);
    }
    return done.length === 0 && errors.length > 0 ? failed(...errors) : succeeded(done, [], errors);
  },
});

function withNewKey(config: Config, oldKey: string, newKey: string): Config {
  if (oldKey === newKey) return config;
  return {
    ...config,
    partners: config.partners.filter((one) => one.key !== oldKey),
    relationships: config.relationships.map((one) =>
      one.partnerKey === oldKey ? { ...one, partnerKey: newKey } : one,
    ),
    tombstones: config.tombstones.map((one) => (one.partnerKey === oldKey ? { ...one, partnerKey: newKey } : one)),
  };
}

/** The relationship as the other server has it. */
function rejoinOf(control: Control, relationship: Relationship): RejoinParams {
  const { config } = control.revision();
  const { name, id, role, mode, isActive, sharedSecretRef, formerMclt } = relationship;
  return {
    name,
    id,
    role: otherRole(role),
    isActive: mode === 'HotStandby' && !isActive,
    partnerServer: control.serverName,
    settings: settingsOf(relationship),
    ...(formerMclt === undefined ? {} : { formerMclt }),
    secret: sharedSecretRef === null ? null : (control.secretOf(sharedSecretRef) ?? null),
    scopes: relationship.scopeIds
      .map((scopeId) => sharedScope(config, scopeId))
      .filter((one) => one !== undefined)
      .map(({ scope, definitions }) => ({ scope, definitions: [...definitions] })),
  };
}

/** The other half: called on the server that lost its configuration. Repeating it changes nothing. */
export async function takeRejoin(
  control: Control,
  partner: Partner,
  given: RejoinParams,
): Promise<{ readonly kind: 'ok'; readonly value: unknown } | { readonly kind: 'failed'; readonly problem: Problem }> {
  const sharedSecretRef = given.secret === null ? null : await control.putSecret(given.secret);
  for (let attempt = 0; attempt < STALE_RETRIES_MAX; attempt++) {
    const revision = control.revision();
    const { config } = revision;
    const present = config.relationships.find((one) => one.name === given.name);
    if (present !== undefined) {
      const isOurs = present.id === given.id && present.partnerKey === partner.key;
      if (isOurs) return { kind: 'ok', value: { kind: 'there' } };
      return { kind: 'failed', problem: problem(control, 'failover/name-taken', { name: given.name }, given.name) };
    }
    const wrong = scopeInTheWay(control, config, given);
    if (wrong !== undefined) return { kind: 'failed', problem: wrong };
    const after = withRelationship(config, partner, given, sharedSecretRef);
    const fault = checkConfig(after)[0];
    if (fault !== undefined) return { kind: 'failed', problem: faultProblem(fault) };
    // No entry among the new relationships: this server may have given leases that it no longer knows of.
    const owner = ownerOf(otherRole(given.role));
    const outcome = await control.changeConfig({
      base: revision.number,
      by: `partner ${partner.name}`,
      what: `failover relationship ${given.name} given back`,
      config: after,
      given: given.scopes.map(({ scope }) => ({ scopeId: address32(scope.scopeId), owner })),
    });
    if (outcome.kind === 'ok') return { kind: 'ok', value: { kind: 'made' } };
    if (outcome.kind === 'bad') return { kind: 'failed', problem: outcome.problems[0] ?? busy(control, given.name) };
  }
  return { kind: 'failed', problem: busy(control, given.name) };
}

function withRelationship(
  config: Config,
  partner: Partner,
  given: RejoinParams,
  sharedSecretRef: string | null,
): Config {
  const relationship: Relationship = {
    name: given.name,
    id: given.id,
    partnerKey: partner.key,
    partnerServer: given.partnerServer,
    role: given.role,
    ...given.settings,
    ...(given.formerMclt === undefined ? {} : { formerMclt: given.formerMclt }),
    isActive: given.isActive,
    sharedSecretRef,
    scopeIds: given.scopes.map(({ scope }) => scope.scopeId),
    profile: 'twinlease',
  };
  const withScopes = withShared(config, given.scopes);
  return { ...withScopes, relationships: [...config.relationships, relationship] };
}

function scopeInTheWay(control: Control, config: Config, given: RejoinParams): Problem | undefined {
  for (const { scope } of given.scopes) {
    const other = relationshipOfScope(config, scope.scopeId);
    if (other === undefined) continue;
    return problem(
      control,
      'failover/scope-in-relationship',
      { scopeId: scope.scopeId, name: other.name },
      scope.scopeId,
    );
  }
  return undefined;
}

function busy(control: Control, name: string): Problem {
  return problem(control, 'failover/busy', { name, why: 'its configuration changes all the time' }, name);
}
