/**
 * Calls to a partner's manage channel with what may go wrong made into problems of the catalogue, and its answers checked: a
 * partner is trusted to manage what the two share, not to send well-formed data.
 */
import { z } from 'zod';
import type { Partner } from '../core/config/model.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control } from '../server/control.ts';
import { formatIp4, parseIp4 } from '../wire/units.ts';
import { isOwnName } from './define.ts';
import { foreignProblem, invalid, problem } from './problems.ts';

/** Waits for an answer; `prepare` of a removal waits for the last updates as well. */
export const CALL_TIMEOUT_MS = 10_000;
export const PREPARE_TIMEOUT_MS = 30_000;
export const DRAIN_TIMEOUT_MS = 20_000;
/** Scopes that are read from a partner in one call. */
export const READ_SCOPES_MAX = 16;
/** The head start that a leaving partner gets while it still serves. */
export const PRE_DRAIN_TIMEOUT_MS = 3000;

/** What this version can do beyond the first one; a feature is used only when both servers have it (design, part 3). */
export const FEATURES = ['change/1', 'follow/1', 'relay-reservations', 'class-options'] as const;
/** Without these two servers cannot make changes together at all. */
const FEATURES_NEEDED = ['change/1'] as const;
/** The most two clocks may differ: the failover protocol's own default (management specification 1.7). */
export const CLOCK_SKEW_MAX_SEC = 60;

export const helloSchema = z.object({
  name: z.string().max(255),
  version: z.string().max(64),
  features: z.array(z.string().max(64)).max(256),
  clockAt: z.int().min(0),
});
export type Hello = z.infer<typeof helloSchema>;

const problemSchema = z.object({
  code: z.string().max(128),
  slots: z.record(z.string().max(64), z.union([z.string().max(4096), z.number()])),
  target: z.string().max(1024).optional(),
});

/** Reads a problem that another server sent. */
export function readProblem(value: unknown): Problem {
  const parsed = problemSchema.safeParse(value);
  if (!parsed.success) return { code: 'partner/unknown-problem', slots: { code: 'malformed', detail: '' } };
  return foreignProblem(parsed.data.code, parsed.data.slots, parsed.data.target);
}

export type Called<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | { readonly kind: 'failed'; readonly problem: Problem; readonly isUnreachable: boolean };

/** One call, its answer checked against a schema. */
export async function callPartner<T>(
  control: Control,
  partner: Partner,
  call: {
    readonly method: string;
    readonly params: unknown;
    readonly answer: z.ZodType<T>;
    readonly timeoutMs?: number;
  },
): Promise<Called<T>> {
  if (partner.foreign !== undefined) {
    const refused = problem(control, 'pair/foreign-not-managed', { partner: partner.name }, partner.name);
    return { kind: 'failed', isUnreachable: false, problem: refused };
  }
  const answer = await control.callPartner(partner, call.method, call.params, call.timeoutMs ?? CALL_TIMEOUT_MS);
  if (answer.kind === 'unreachable') {
    const slots = { partner: partner.name, why: answer.why };
    return {
      kind: 'failed',
      isUnreachable: true,
      problem: problem(control, 'partner/unreachable', slots, partner.name),
    };
  }
  if (answer.kind === 'failed') {
    // A partner that no longer knows our key does not let us in at all.
    const isStranger = answer.problem.code === 'pair/not-introduced';
    const refused = problem(control, 'partner/no-permission', { partner: partner.name }, partner.name);
    return { kind: 'failed', isUnreachable: false, problem: isStranger ? refused : readProblem(answer.problem) };
  }
  const parsed = call.answer.safeParse(answer.value);
  if (parsed.success) return { kind: 'ok', value: parsed.data };
  const why = parsed.error.issues[0]?.message ?? 'malformed';
  const slots = { partner: partner.name, method: call.method, why };
  return { kind: 'failed', isUnreachable: false, problem: problem(control, 'partner/bad-answer', slots, partner.name) };
}

export function sayHello(control: Control, partner: Partner): Promise<Called<Hello>> {
  return callPartner(control, partner, { method: 'hello', params: helloOf(control), answer: helloSchema });
}

export function helloOf(control: Control): Hello {
  return { name: control.serverName, version: control.version, features: [...FEATURES], clockAt: control.now().wallAt };
}

export function partnerByKey(control: Control, key: string): Partner | undefined {
  return control.revision().config.partners.find((partner) => partner.key === key);
}

export type FoundPartner =
  | { readonly kind: 'ok'; readonly partner: Partner }
  | { readonly kind: 'failed'; readonly problem: Problem };

/** The introduced server that a name or address means; the first half of the checks on a partner (specification 1.8). */
export async function findPartner(control: Control, wanted: string): Promise<FoundPartner> {
  const partners = introducedFirst(control.revision().config.partners);
  const name = wanted.trim().toLowerCase().replace(/\.$/, '');
  const named = partners.find((partner) => isNameOf(partner, name));
  if (named !== undefined) return { kind: 'ok', partner: named };
  const literal = parseIp4(name);
  const addresses = literal === undefined ? await control.resolve(name) : [literal];
  if (addresses.length === 0) {
    return {
      kind: 'failed',
      problem: problem(control, 'partner/name-unresolved', { partner: wanted }, 'PartnerServer'),
    };
  }
  for (const partner of partners) {
    const own = parseIp4(partner.host);
    const theirs = own === undefined ? await control.resolve(partner.host) : [own];
    if (theirs.some((address) => addresses.includes(address))) return { kind: 'ok', partner };
  }
  if (addresses.some((address) => isOwnName(control, formatIp4(address)))) {
    return { kind: 'failed', problem: invalid('PartnerServer', 'it is this server') };
  }
  const slots = { partner: wanted, why: 'the two were never introduced' };
  return { kind: 'failed', problem: problem(control, 'failover/partner-not-able', slots, 'PartnerServer') };
}

/** A Twinlease server may have come to the address of one of another make that is still declared: then it is the one meant. */
function introducedFirst(partners: readonly Partner[]): readonly Partner[] {
  return [
    ...partners.filter((partner) => partner.foreign === undefined),
    ...partners.filter((partner) => partner.foreign !== undefined),
  ];
}

/** Whether an introduced server goes by this name and this server does not. */
export function isPartnerName(control: Control, name: string): boolean {
  const wanted = name.trim().toLowerCase();
  if (wanted === control.serverName.toLowerCase()) return false;
  return control.revision().config.partners.some((partner) => isNameOf(partner, wanted));
}

/** A name as given, or the short form of a DNS name. */
function isNameOf(partner: Partner, name: string): boolean {
  return [partner.name, partner.host].some((known) => {
    const lower = known.toLowerCase();
    return lower === name || (parseIp4(lower) === undefined && !name.includes('.') && lower.split('.')[0] === name);
  });
}

/**
 * The second half: reachable, able, with rights, clocks in step, features (specification 1.8, in this order). Undefined when the
 * partner can take part.
 */
export async function partnerTrouble(
  control: Control,
  partner: Partner,
  features: readonly string[],
): Promise<{ readonly problem: Problem; readonly isUnreachable: boolean } | undefined> {
  const askedAt = control.now();
  const hello = await sayHello(control, partner);
  if (hello.kind === 'failed') return { problem: hello.problem, isUnreachable: hello.isUnreachable };
  const lacking = FEATURES_NEEDED.find((feature) => !hello.value.features.includes(feature));
  if (lacking !== undefined) {
    const why = `its version ${hello.value.version} cannot make changes together with another server`;
    return trouble(problem(control, 'failover/partner-not-able', { partner: partner.name, why }, partner.name));
  }
  // The partner read its clock somewhere between question and answer.
  const [earliest, latest] = [askedAt.wallAt, control.now().wallAt];
  const skewSec = Math.max(earliest - hello.value.clockAt, hello.value.clockAt - latest, 0);
  if (skewSec > CLOCK_SKEW_MAX_SEC) {
    return trouble(problem(control, 'failover/clocks-differ', { partner: partner.name, skewSec }, partner.name));
  }
  const missing = features.find((feature) => !hello.value.features.includes(feature));
  if (missing === undefined) return undefined;
  return trouble(
    problem(control, 'partner/feature-missing', { partner: partner.name, feature: missing }, partner.name),
  );
}

function trouble(found: Problem): { problem: Problem; isUnreachable: boolean } {
  return { problem: found, isUnreachable: false };
}
