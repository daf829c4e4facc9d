/**
 * What a partner may call on this server over the manage channel. The channel has proved who it is; here every parameter is
 * checked, and a partner reaches only the relationships that it shares with this server.
 */
import { z } from 'zod';
import type { CallAnswer, PartnerCall } from '../core/change/change-types.ts';
import type { Partner, Relationship } from '../core/config/model.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control } from '../server/control.ts';
import { changeBodySchema, locksOf } from './change-body.ts';
import { changesOf, prepareSchema } from './changes.ts';
import { helloOf, PRE_DRAIN_TIMEOUT_MS, READ_SCOPES_MAX } from './partner-client.ts';
import { poolNumbers } from './pool-numbers.ts';
import { invalid, problem } from './problems.ts';
import { pushParamsSchema, takePush } from './push.ts';
import { rejoinParamsSchema, takeRejoin } from './rejoin.ts';
import { rotateParamsSchema, takeRotate } from './rotate.ts';
import { sharedScope } from './shared-config.ts';
import { takeTombstone, tombstoneParamsSchema } from './tombstones.ts';

export type PartnerMethodAnswer =
  | { readonly kind: 'ok'; readonly value: unknown }
  | { readonly kind: 'failed'; readonly problem: Problem };

interface PartnerMethod {
  readonly params: z.ZodType;
  run(control: Control, partner: Partner, params: unknown): Promise<PartnerMethodAnswer>;
}

function method<P>(
  params: z.ZodType<P>,
  run: (control: Control, partner: Partner, params: P) => Promise<PartnerMethodAnswer>,
): PartnerMethod {
  // `handlePartnerCall` passes on only what `params` has accepted.
  return { params, run: (control, partner, value) => run(control, partner, value as P) };
}

const byId = z.object({ id: z.string().min(1).max(128) });
const byRelationship = z.object({ name: z.string().min(1).max(1024), id: z.string().min(1).max(128) });

/** Few scopes at a time, so that an answer fits one frame of the channel. */
const someScopes = byRelationship.extend({ scopeIds: z.array(z.string().max(15)).max(READ_SCOPES_MAX) });

export const PARTNER_METHODS: Readonly<Record<string, PartnerMethod>> = {
  hello: method(z.unknown(), async (control) => value(helloOf(control))),

  'change.check': method(z.object({ body: changeBodySchema }), async (control, partner, { body }) => {
    const stranger = strangerTo(control, partner, body);
    if (stranger !== undefined) return { kind: 'failed', problem: stranger };
    return value({ problem: changesOf(control).check(partner.key, body) ?? null });
  }),
  'change.prepare': method(prepareSchema, async (control, partner, params) => {
    const { secret, body, ...head } = params;
    const stranger = strangerTo(control, partner, body);
    if (stranger !== undefined) return value({ kind: 'no', problem: stranger } satisfies CallAnswer);
    const change = { ...head, body, relationship: body.name, locks: locksOf(body), partnerKey: partner.key };
    return await changed(control, partner, { method: 'prepare', change }, secret);
  }),
  'change.commit': method(byId, (control, partner, { id }) => changed(control, partner, { method: 'commit', id })),
  'change.abort': method(byId, (control, partner, { id }) => changed(control, partner, { method: 'abort', id })),
  'change.outcome': method(byId, (control, partner, { id }) => changed(control, partner, { method: 'outcome', id })),

  /** Everything that only we know of these leases goes to the partner. */
  drain: method(byRelationship, async (control, partner, params) => {
    const relationship = sharedWith(control, partner, params);
    if (relationship === undefined) return unknown(control, params.name);
    return value(await control.drained(relationship.name, PRE_DRAIN_TIMEOUT_MS));
  }),
  'config.push': method(pushParamsSchema, async (control, partner, params) => {
    const relationship = sharedWith(control, partner, params);
    if (relationship === undefined) return unknown(control, params.name);
    return value(await takePush(control, partner, relationship, params));
  }),
  /** Our side of the shared scopes, for a comparison by people. */
  'config.read': method(someScopes, async (control, partner, params) => {
    const relationship = sharedWith(control, partner, params);
    if (relationship === undefined) return unknown(control, params.name);
    const { config } = control.revision();
    const asked = relationship.scopeIds.filter((scopeId) => params.scopeIds.includes(scopeId));
    return value({ scopes: asked.map((scopeId) => ({ scopeId, shared: sharedScope(config, scopeId) ?? null })) });
  }),
  /** Settings that stay local but affect shared scopes; names only of what `pair align` compares. */
  'config.settings': method(z.unknown(), async (control) => {
    const { authoritative, options, loadBalanceMaxSec, offerHoldSec, declineHoldSec } =
      control.revision().config.server;
    return value({ authoritative, options, loadBalanceMaxSec, offerHoldSec, declineHoldSec });
  }),
  statistics: method(byRelationship, async (control, partner, params) => {
    const relationship = sharedWith(control, partner, params);
    if (relationship === undefined) return unknown(control, params.name);
    const scopes = relationship.scopeIds.map((scopeId) => ({ scopeId, ...poolNumbers(control, scopeId) }));
    return value({ scopes, state: control.endpointStatus(relationship.name)?.state ?? null });
  }),
  /** This server lost its configuration and gets its half back. */
  rejoin: method(rejoinParamsSchema, takeRejoin),
  rotate: method(rotateParamsSchema, takeRotate),
  tombstone: method(tombstoneParamsSchema, async (control, partner, params) =>
    value(await takeTombstone(control, partner, params)),
  ),
};

/** Carries out a call of an introduced server. Never throws on what it sends. */
export async function handlePartnerCall(
  control: Control,
  partner: Partner,
  methodName: string,
  params: unknown,
): Promise<PartnerMethodAnswer> {
  const called = Object.hasOwn(PARTNER_METHODS, methodName) ? PARTNER_METHODS[methodName] : undefined;
  if (called === undefined) {
    const slots = { operation: methodName.slice(0, 64) };
    return { kind: 'failed', problem: problem(control, 'request/unknown-operation', slots) };
  }
  const parsed = called.params.safeParse(params ?? {});
  if (parsed.success) return await called.run(control, partner, parsed.data);
  const issue = parsed.error.issues[0];
  return {
    kind: 'failed',
    problem: invalid(issue?.path.map(String).join('.') ?? 'params', issue?.message ?? 'malformed'),
  };
}

async function changed(
  control: Control,
  partner: Partner,
  call: PartnerCall,
  secret?: string,
): Promise<PartnerMethodAnswer> {
  return value(await changesOf(control).called(partner, call, secret));
}

function value(answer: unknown): PartnerMethodAnswer {
  return { kind: 'ok', value: answer };
}

/** A relationship is reached only by its own partner, and only as the one it is: a re-created one has another id. */
function sharedWith(
  control: Control,
  partner: Partner,
  wanted: { readonly name: string; readonly id: string },
): Relationship | undefined {
  return control
    .revision()
    .config.relationships.find(
      (one) => one.name === wanted.name && one.id === wanted.id && one.partnerKey === partner.key,
    );
}

/** Why a change is none of this partner's business; a new relationship is anybody's who was introduced. */
function strangerTo(
  control: Control,
  partner: Partner,
  body: { readonly kind: string; readonly name: string; readonly id: string },
): Problem | undefined {
  if (body.kind === 'add-relationship') return undefined;
  const relationship = control.revision().config.relationships.find((one) => one.name === body.name);
  if (relationship === undefined || relationship.partnerKey === partner.key) return undefined;
  return problem(control, 'partner/no-permission', { partner: control.serverName, server: partner.name }, body.name);
}

function unknown(control: Control, name: string): PartnerMethodAnswer {
  return { kind: 'failed', problem: problem(control, 'failover/unknown-relationship', { name }, name) };
}
