/**
 * What a forced Remove leaves (design, part 5): until the partner has heard of it, it may serve the addresses that were its own;
 * after that, the leases it gave may run for one MCLT more. Then the addresses are free and the tombstone goes.
 */
import { z } from 'zod';
import type { Config, Partner, Tombstone } from '../core/config/model.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control, TransactionRecord } from '../server/control.ts';
import { address32 } from './change-body.ts';
import { forgotten, heardId } from './changes.ts';
import { callPartner, partnerByKey } from './partner-client.ts';
import { problem } from './problems.ts';
import { clockAllowanceSec } from './waits.ts';

const STALE_RETRIES_MAX = 16;

export const tombstoneParamsSchema = z.object({ name: z.string().min(1).max(1024), id: z.string().min(1).max(128) });
const answerSchema = z.object({ disabled: z.array(z.string()) });
const heardSchema = z.object({ kind: z.literal('heard'), at: z.int() });

/**
 * The partner removed a relationship by force while this server was away: the relationship goes here too, and its scopes are
 * disabled, durably before the answer. Repeating it changes nothing.
 */
export async function takeTombstone(
  control: Control,
  partner: Partner,
  params: { readonly name: string; readonly id: string },
): Promise<{ readonly disabled: readonly string[] }> {
  for (let attempt = 0; attempt < STALE_RETRIES_MAX; attempt++) {
    const revision = control.revision();
    const { config } = revision;
    const dead = config.relationships.find((one) => one.id === params.id && one.partnerKey === partner.key);
    if (dead === undefined) return { disabled: [] };
    const scopes = config.scopes.map((scope) =>
      dead.scopeIds.includes(scope.scopeId) ? { ...scope, state: 'Inactive' as const } : scope,
    );
    const outcome = await control.changeConfig({
      base: revision.number,
      by: `partner ${partner.name}`,
      what: `failover relationship ${dead.name} was removed by force on ${partner.name}; its scopes are disabled`,
      config: { ...config, scopes, relationships: config.relationships.filter((one) => one !== dead) },
    });
    if (outcome.kind === 'ok') return { disabled: dead.scopeIds };
    if (outcome.kind === 'bad') break;
  }
  // Not disabled: the partner must not take this for heard.
  throw new Error(`the scopes of failover relationship ${params.name} could not be disabled`);
}

/** Tells partners of tombstones, and ends those whose wait is over. Called by the recovery about every half minute. */
export async function tendTombstones(control: Control): Promise<void> {
  for (const tombstone of control.revision().config.tombstones) {
    const heardAt = heardAtOf(control, tombstone);
    if (heardAt === undefined) await tell(control, tombstone);
    else if (control.now().wallAt > endsAt(tombstone, heardAt)) await end(control, tombstone);
  }
}

function endsAt(tombstone: Tombstone, heardAt: number): number {
  return heardAt + tombstone.mcltSec + clockAllowanceSec(tombstone.partnerKey);
}

/**
 * Why a scope cannot enter a relationship yet: a former partner's leases may still run in it, and a new one would take all its free
 * addresses for nobody's.
 */
export function scopeWaits(control: Control, scopeId: string): Problem | undefined {
  const tombstone = control.revision().config.tombstones.find((one) => one.scopeIds.includes(scopeId));
  if (tombstone === undefined) return undefined;
  const heardAt = heardAtOf(control, tombstone);
  const until =
    heardAt === undefined
      ? 'its former partner has heard of the removal'
      : new Date(endsAt(tombstone, heardAt) * 1000).toISOString();
  return problem(control, 'failover/scope-waits', { scopeId, name: tombstone.name, until }, scopeId);
}

function heardAtOf(control: Control, tombstone: Tombstone): number | undefined {
  const id = heardId(tombstone.relationshipId, tombstone.removedAt);
  const record = control.transactions().find((one) => one.id === id && one.state !== 'forgotten');
  const parsed = record === undefined ? undefined : heardSchema.safeParse(JSON.parse(record.body));
  return parsed?.success === true ? parsed.data.at : undefined;
}

async function tell(control: Control, tombstone: Tombstone): Promise<void> {
  const partner = partnerByKey(control, tombstone.partnerKey);
  // Of a partner that was forgotten an operator has said that it serves no more; what it gave until then is still waited for.
  if (partner !== undefined) {
    const params = { name: tombstone.name, id: tombstone.relationshipId };
    const answer = await callPartner(control, partner, { method: 'tombstone', params, answer: answerSchema });
    if (answer.kind === 'failed') return;
  }
  const at = control.now().wallAt;
  const record: TransactionRecord = {
    id: heardId(tombstone.relationshipId, tombstone.removedAt),
    state: 'committed',
    body: JSON.stringify({ kind: 'heard', at }),
  };
  await control.saveTransactions([record]);
}

async function end(control: Control, tombstone: Tombstone): Promise<void> {
  const revision = control.revision();
  const { config } = revision;
  const tombstones = config.tombstones.filter(
    (one) => one.relationshipId !== tombstone.relationshipId || one.removedAt !== tombstone.removedAt,
  );
  const standing = tombstone.scopeIds.filter((scopeId) => isAlone(config, scopeId));
  // Another change that came first is no matter: the next call finds the tombstone again.
  await control.changeConfig({
    base: revision.number,
    by: 'server',
    what: `the waits of the removed failover relationship ${tombstone.name} are over`,
    config: { ...config, tombstones },
    given: standing.map((scopeId) => ({ scopeId: address32(scopeId), owner: 'free' as const })),
    transactions: [forgotten(heardId(tombstone.relationshipId, tombstone.removedAt))],
  });
}

/** The scope is still there and in no relationship again. */
function isAlone(config: Config, scopeId: string): boolean {
  const isThere = config.scopes.some((scope) => scope.scopeId === scopeId);
  return isThere && !config.relationships.some((one) => one.scopeIds.includes(scopeId));
}
