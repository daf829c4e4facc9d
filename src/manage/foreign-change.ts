/**
 * Changes of a relationship whose partner is of another make: only this half is made, by the same function that makes it for two
 * servers of our own, and the answer says what to enter at the partner (design, part 5 "Foreign partners").
 */
import type { Partner, Relationship } from '../core/config/model.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control, TransactionRecord } from '../server/control.ts';
import { addSec, type EpochSec, type Ip4 } from '../wire/units.ts';
import { address32, applyBody, type ChangeBody } from './change-body.ts';
import { heardId } from './changes.ts';
import { foreignAdvice } from './foreign-advice.ts';
import type { DeclaredPartner } from './foreign-partner.ts';
import { withDisabled } from './lacks.ts';
import { changeLocally, type Mutation } from './local-change.ts';
import type { OperationContext } from './operation.ts';
import { problem } from './problems.ts';
import { relationshipOf } from './shared-config.ts';
import { clockAllowanceSec, waitsOf } from './waits.ts';

/** Bindings read at once when a scope that comes in is told to the partner. */
const SCAN_CHUNK = 1024;

export interface ForeignChange {
  readonly partner: DeclaredPartner;
  /** The partner is made known in the same revision. */
  readonly isNewPartner?: boolean;
  readonly body: ChangeBody;
  readonly secret: string | undefined;
  /** For scopes that come in: whether what is held here is the whole truth. */
  readonly holdsLeases?: boolean;
  /** Of scopes that leave, those that are disabled because not all their leases are known here. */
  readonly disables?: readonly string[] | undefined;
}

export type ForeignMade =
  | { readonly kind: 'done'; readonly warnings: readonly Problem[] }
  | { readonly kind: 'what-if'; readonly lines: readonly string[] }
  | { readonly kind: 'failed'; readonly problems: readonly Problem[] };

export async function changeForeign(context: OperationContext, change: ForeignChange): Promise<ForeignMade> {
  const { control } = context;
  const { partner, body } = change;
  const secretRef = change.secret === undefined ? null : await secretRefOf(context, change.secret);
  const leaving = relationshipOf(control.revision().config, body.name);
  const waitMcltSec = leaving === undefined ? undefined : waitsOf(control, leaving).mcltSec;
  const outcome = await changeLocally(context, whatOf(body), (config): Mutation => {
    const partners = change.isNewPartner === true ? [...config.partners, partner] : config.partners;
    const applied = applyBody({ ...config, partners }, body, {
      side: 'coordinator',
      serverName: control.serverName,
      partnerKey: partner.key,
      secretRef,
      wallAt: control.now().wallAt,
      foreign: { profile: partner.foreign.kind, holdsLeases: change.holdsLeases ?? true },
      waitMcltSec,
    });
    if (applied.kind === 'bad') return { kind: 'bad', problems: [applied.problem] };
    const after = withDisabled(applied.config, change.disables ?? []);
    return { kind: 'ok', config: after, with: { ...applied.entering, transactions: heardRecords(body) } };
  });
  if (outcome.kind === 'failed') return outcome;
  if (outcome.kind === 'what-if') return outcome;
  if (body.kind === 'add-scopes') await tellLeases(control, body);
  const relationship = relationshipOf(outcome.config, body.name);
  if (relationship === undefined || body.kind === 'remove-scopes') return { kind: 'done', warnings: [] };
  const isNew = body.kind === 'add-relationship';
  return { kind: 'done', warnings: await foreignAdvice(control, outcome.config, relationship, { partner, isNew }) };
}

/** Nothing is stored for a question. */
async function secretRefOf({ control, whatIf }: OperationContext, secret: string): Promise<string> {
  return whatIf ? 'new secret' : await control.putSecret(secret);
}

function whatOf(body: ChangeBody): string {
  switch (body.kind) {
    case 'add-relationship':
      return `failover relationship ${body.name} added`;
    case 'set':
      return `failover relationship ${body.name} changed`;
    case 'add-scopes':
      return `${body.scopes.map(({ scope }) => scope.scopeId).join(', ')} added to failover relationship ${body.name}`;
    case 'remove-scopes':
      return `${body.scopeIds.join(', ')} removed from failover relationship ${body.name}`;
    case 'remove-relationship':
      return `failover relationship ${body.name} removed`;
    default:
      return body satisfies never;
  }
}

/** Nobody tells the partner but the operator, who is asked to do so at once: the tombstone counts as heard. */
function heardRecords(body: ChangeBody): TransactionRecord[] {
  if (body.kind !== 'remove-relationship' && body.kind !== 'remove-scopes') return [];
  if (body.isDrained) return [];
  return [{ id: heardId(body.id, body.at), state: 'committed', body: JSON.stringify({ kind: 'heard', at: body.at }) }];
}

/** The partner begins with nothing in such a scope and does not ask, so what is held here is sent unasked. */
async function tellLeases(control: Control, body: Extract<ChangeBody, { kind: 'add-scopes' }>): Promise<void> {
  for (const { scope } of body.scopes) {
    const scopeId = address32(scope.scopeId);
    let from: Ip4 | undefined = scopeId;
    while (from !== undefined) {
      const seen = control.bindings.scan(scopeId, from, SCAN_CHUNK);
      const held = seen.filter(({ state }) => state !== 'free' && state !== 'backup');
      if (held.length > 0) await control.changeBindings(held);
      const last = seen.at(-1);
      from = last === undefined || seen.length < SCAN_CHUNK ? undefined : ((last.address + 1) as Ip4);
    }
  }
}

/** Whether nothing that the partner may have leased can still run: this server has been alone for long enough. */
export function isLongAlone(control: Control, relationship: Relationship): boolean {
  const status = control.endpointStatus(relationship.name);
  if (status?.state !== 'partner-down' || status.partnerDownAt === 0) return false;
  const { mcltSec, allowanceSec } = waitsOf(control, relationship);
  return control.now().wallAt > addSec(status.partnerDownAt, mcltSec + allowanceSec);
}

/** What the operator must do at the partner when scopes leave. */
export function takeOutAdvice(
  control: Control,
  relationship: Relationship,
  partner: Partner,
  leaving: { readonly scopeIds: readonly string[]; readonly at: number },
): Problem {
  const { mcltSec } = waitsOf(control, relationship);
  const until = new Date(addSec(leaving.at as EpochSec, mcltSec + clockAllowanceSec(partner.key)) * 1000).toISOString();
  const slots = { name: relationship.name, partner: partner.name, scopes: leaving.scopeIds.join(', '), until };
  return problem(control, 'failover/foreign-take-out', slots, relationship.name);
}
