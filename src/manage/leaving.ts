/**
 * Taking scopes out of a relationship on both servers (design, part 5): the partner first sends what only it knows while it still
 * serves, so that the silence that follows is short; the change then silences it durably, waits for the last updates, and only
 * after that frees its addresses. Where the last updates cannot come over, Force lets the addresses wait under a tombstone.
 */
import { z } from 'zod';
import type { Partner, Relationship } from '../core/config/model.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control } from '../server/control.ts';
import type { RemovalBody } from './change-body.ts';
import { holdPromises } from './held-promises.ts';
import type { OperationContext } from './operation.ts';
import { callPartner, PRE_DRAIN_TIMEOUT_MS } from './partner-client.ts';
import { problem } from './problems.ts';
import { type Made, runTogether } from './together.ts';

const drainedSchema = z.object({ kind: z.enum(['done', 'not']) });

export interface Removal {
  readonly partner: Partner;
  readonly relationship: Relationship;
  readonly body: RemovalBody;
  readonly force: boolean;
}

export async function removeTogether(context: OperationContext, removal: Removal): Promise<Made> {
  const { control } = context;
  const { partner, relationship, body, force } = removal;
  await drainAhead(control, partner, relationship);
  const made = await runTogether(context, { partner, body: { ...body, isDrained: true }, secret: undefined });
  if (made.kind === 'ok' || !force) return made;
  const undrained = made.problems.find((one) => one.code === 'failover/not-drained');
  if (undrained === undefined) return made;
  await holdPromises(control, relationship, body.scopeIds);
  const forced = await runTogether(context, { partner, body: { ...body, isDrained: false }, secret: undefined });
  if (forced.kind === 'failed') return forced;
  const slots = { name: relationship.name, partner: partner.name, why: undrained.slots['why'] ?? '' };
  const waits: Problem = problem(control, 'failover/removed-undrained', slots, relationship.name);
  return { kind: 'ok', warnings: [...forced.warnings, waits] };
}

/** Only a head start: under load it may not come to an end, and what counts is the drain after the silence. */
async function drainAhead(control: Control, partner: Partner, relationship: Relationship): Promise<void> {
  await callPartner(control, partner, {
    method: 'drain',
    params: { name: relationship.name, id: relationship.id },
    answer: drainedSchema,
    timeoutMs: 2 * PRE_DRAIN_TIMEOUT_MS,
  });
}
