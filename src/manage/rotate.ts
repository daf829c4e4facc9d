/**
 * A new key for this server while it is paired (design, part 5 "Trust"). Every partner is told first and then accepts both keys;
 * the change itself is one durable write here; a partner drops the old key when the new one was used. So a crash at any point
 * leaves two servers that let each other in.
 */
import { z } from 'zod';
import type { Config, Partner } from '../core/config/model.ts';
import { withPartnerKey } from '../core/config/partner-key.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control } from '../server/control.ts';
import { changesOf } from './changes.ts';
import { defineOperation } from './define.ts';
import { isDeclared } from './foreign-partner.ts';
import { failed, succeeded } from './operation.ts';
import * as params from './params.ts';
import { callPartner, sayHello } from './partner-client.ts';
import { problem } from './problems.ts';

const STALE_RETRIES_MAX = 16;

const key = z.string().regex(/^[0-9a-f]{64}$/);
export const rotateParamsSchema = z.object({ from: key, to: key });
type RotateParams = z.infer<typeof rotateParamsSchema>;
const rotatedSchema = z.object({ kind: z.literal('both') });

const resultSchema = z.object({
  Key: z.string().describe('The new key of this server.'),
  OldKey: z.string(),
  Told: z.array(z.string()).describe('Partners that accept the new key.'),
  NotTold: z.array(z.string()).describe('Partners that must be introduced anew.'),
});

export const rotate = defineOperation({
  name: 'pair.rotate',
  summary: 'Makes a new key for this server and tells the partners, without an interruption.',
  examples: ['twinlease pair rotate --what-if', 'twinlease pair rotate', 'twinlease pair rotate --force'],
  params: z.strictObject({
    ...params.common,
    Force: params.flag.describe('Goes ahead though a partner cannot be told; it must be introduced anew then.'),
  }),
  result: resultSchema,
  changes: true,
  run: async ({ control, whatIf }, given) => {
    const { upkeep } = control;
    if (upkeep === undefined)
      return failed(problem(control, 'request/unknown-operation', { operation: 'pair.rotate' }));
    const busy = openChange(control, undefined);
    if (busy !== undefined) return failed(busy);
    const isForced = given.Force === true;
    const partners = control.revision().config.partners.filter((partner) => !isDeclared(partner));
    // All of them have to answer before the first one is told.
    const asked = await Promise.all(partners.map((partner) => probe(control, partner)));
    const missing = asked.filter((one) => one.why !== undefined);
    if (missing[0] !== undefined && !isForced) return failed(notTold(control, missing[0]));
    if (whatIf) return succeeded({ whatIf: linesOf(asked) });
    const next = upkeep.nextIdentity();
    const oldKey = control.key;
    const told: Partner[] = [];
    for (const { partner, why } of asked) {
      if (why !== undefined) continue;
      const refusal = await tell(control, partner, { from: oldKey, to: next.key });
      if (refusal === undefined) told.push(partner);
      // Those who were told before accept a key that nobody has, until the next one is announced.
      else if (!isForced) return failed(refusal);
      else missing.push({ partner, why: refusal.code });
    }
    await next.adopt();
    // The first use of the new key is what lets a partner drop the old one.
    await Promise.all(told.map((partner) => sayHello(control, partner)));
    return succeeded(
      {
        Key: next.key,
        OldKey: oldKey,
        Told: told.map((partner) => partner.name),
        NotTold: missing.map(({ partner }) => partner.name),
      },
      missing.map(({ partner, why }) =>
        problem(control, 'pair/rotated-without', { partner: partner.name, why: why ?? '' }, partner.name),
      ),
    );
  },
});

/** The partner's half: from now on both keys are accepted. Repeating it changes nothing. */
export async function takeRotate(
  control: Control,
  partner: Partner,
  given: RotateParams,
): Promise<{ readonly kind: 'ok'; readonly value: unknown } | { readonly kind: 'failed'; readonly problem: Problem }> {
  for (let attempt = 0; attempt < STALE_RETRIES_MAX; attempt++) {
    const { number, config } = control.revision();
    const known = config.partners.find((one) => one.key === partner.key);
    const refusal = known === undefined ? 'the pairing was removed' : whyNot(control, config, known, given);
    if (known === undefined || refusal !== undefined) {
      const slots = { partner: partner.name, why: refusal ?? '' };
      return { kind: 'failed', problem: problem(control, 'pair/key-not-expected', slots, partner.name) };
    }
    if (known.key === given.from && known.nextKey === given.to) return { kind: 'ok', value: { kind: 'both' } };
    // It rotates again before this server has dropped the key before: that one is not in use any more.
    const isSecond = known.nextKey === given.from;
    const busy = isSecond ? openChange(control, known.key) : undefined;
    if (busy !== undefined) return { kind: 'failed', problem: busy };
    const outcome = await control.changeConfig({
      base: number,
      by: `partner ${partner.name}`,
      what: `partner ${partner.name} announces a new key`,
      config: withNextKey(isSecond ? withPartnerKey(config, known.key, given.from) : config, given),
    });
    if (outcome.kind === 'ok') return { kind: 'ok', value: { kind: 'both' } };
    if (outcome.kind === 'bad') break;
  }
  const slots = { partner: partner.name, why: 'its configuration does not allow it now' };
  return { kind: 'failed', problem: problem(control, 'pair/key-not-expected', slots, partner.name) };
}

function whyNot(control: Control, config: Config, known: Partner, { from, to }: RotateParams): string | undefined {
  if (known.key !== from && known.nextKey !== from) return 'it is known here by another key than it says';
  if (to === control.key) return 'it is the key of this server';
  const isTaken = config.partners.some((one) => one !== known && (one.key === to || one.nextKey === to));
  return isTaken ? 'it is the key of another partner' : undefined;
}

function withNextKey(config: Config, { from, to }: RotateParams): Config {
  const partners = config.partners.map((one) => (one.key === from ? { ...one, nextKey: to } : one));
  return { ...config, partners };
}

/** An open change on two servers, with the partner of this key or with any. */
function openChange(control: Control, partnerKey: string | undefined): Problem | undefined {
  const open = changesOf(control)
    .open()
    .find((one) => partnerKey === undefined || one.partnerKey === partnerKey);
  if (open === undefined) return undefined;
  return problem(control, 'pair/rotate-busy', { id: open.id, name: open.relationship }, open.relationship);
}

interface Asked {
  readonly partner: Partner;
  /** Why it cannot be told; undefined when it answers. */
  readonly why: string | undefined;
}

async function probe(control: Control, partner: Partner): Promise<Asked> {
  const hello = await sayHello(control, partner);
  if (hello.kind === 'ok') return { partner, why: undefined };
  return { partner, why: String(hello.problem.slots['why'] ?? hello.problem.code) };
}

async function tell(control: Control, partner: Partner, wanted: RotateParams): Promise<Problem | undefined> {
  const call = { method: 'rotate', params: wanted, answer: rotatedSchema };
  const answer = await callPartner(control, partner, call);
  if (answer.kind === 'ok') return undefined;
  if (!answer.isUnreachable) return answer.problem;
  return notTold(control, { partner, why: String(answer.problem.slots['why'] ?? '') });
}

function notTold(control: Control, { partner, why }: Asked): Problem {
  return problem(control, 'pair/rotate-unreachable', { partner: partner.name, why: why ?? '' }, partner.name);
}

function linesOf(asked: readonly Asked[]): string[] {
  return [
    'Makes a new key for this server.',
    ...asked.map(({ partner, why }) =>
      why === undefined
        ? `Tells partner ${partner.name}, which then accepts both keys until the new one was used.`
        : `Leaves partner ${partner.name} behind (${why}): it must be introduced anew with pair rejoin.`,
    ),
  ];
}
