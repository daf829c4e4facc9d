/**
 * What must happen before scopes leave a relationship (design, part 5): everything that only the partner knows of their leases
 * comes over first. The change itself then silences the partner durably, lets the rest come over, and only after that frees the
 * addresses.
 */
import { z } from 'zod';
import type { Partner, Relationship } from '../core/config/model.ts';
import type { Control } from '../server/control.ts';
import { callPartner, DRAIN_TIMEOUT_MS } from './partner-client.ts';

const drainedSchema = z.union([
  z.object({ kind: z.literal('done') }),
  z.object({ kind: z.literal('not'), why: z.string() }),
]);

/** Lets the partner send all it has, while it still serves; so the silence that follows is short. */
export async function drainPartner(
  control: Control,
  partner: Partner,
  relationship: Relationship,
): Promise<{ readonly isDrained: boolean; readonly why: string }> {
  const answer = await callPartner(control, partner, {
    method: 'drain',
    params: { name: relationship.name, id: relationship.id },
    answer: drainedSchema,
    timeoutMs: DRAIN_TIMEOUT_MS + 5000,
  });
  if (answer.kind === 'failed') return { isDrained: false, why: answer.problem.code };
  return answer.value.kind === 'done' ? { isDrained: true, why: '' } : { isDrained: false, why: answer.value.why };
}
