/**
 * The configuration of a relationship's scopes follows to the partner by itself (design, part 5). Each scope is pushed on the
 * condition that the partner still has what both last agreed on; where it does not, both were changed apart, and the difference
 * is shown and nothing overwritten until someone decides. The server owns the timers and calls in.
 */
import { z } from 'zod';
import type { Partner, Relationship } from '../core/config/model.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control } from '../server/control.ts';
import type { Now } from '../wire/units.ts';
import { agreedHashes, agreedRecordOf } from './agreed.ts';
import { sharedScopeSchema } from './change-body.ts';
import { changesOf } from './changes.ts';
import { type Called, callPartner, partnerByKey, readProblem } from './partner-client.ts';
import { problem } from './problems.ts';
import { relationshipOf, type SharedScope, scopeHash, sharedScope } from './shared-config.ts';

/** A push that nobody answered, or that found the partner busy, is made again after this. */
export const FOLLOW_RETRY_MS = 5000;
/** What is apart is compared again this often: the partner may have been put right. */
export const FOLLOW_COMPARE_MS = 60_000;

/** Scopes go over in calls of about this size; one frame of the channel holds four times as much. */
const PUSH_BYTES_MAX = 4 * 1024 * 1024;

/** The partner's answer for one scope. */
export const pushedScopeSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('same') }),
  z.object({ kind: z.literal('applied') }),
  /** It was changed there since both agreed; `shared` is what is there, null when there is no such scope. */
  z.object({ kind: z.literal('apart'), hash: z.string(), shared: sharedScopeSchema.nullable() }),
  z.object({ kind: z.literal('refused'), problem: z.unknown() }),
]);
export const pushAnswerSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('pushed'), scopes: z.record(z.string(), pushedScopeSchema) }),
  /** A change on both servers holds the relationship. */
  z.object({ kind: z.literal('busy') }),
]);
type PushAnswer = z.infer<typeof pushAnswerSchema>;

export interface Difference {
  readonly relationship: string;
  readonly scopeId: string;
  readonly kind: 'apart' | 'not-taken';
  /** What the partner has; undefined when it has no such scope, or was not asked. */
  readonly theirs: SharedScope | undefined;
  /** Why the partner does not take it. */
  readonly problem: Problem | undefined;
}

interface Following {
  isPushing: boolean;
  /** Something changed while a push was under way. */
  isWanted: boolean;
  dueAtMs: number | undefined;
  differences: readonly Difference[];
}

const FOLLOWERS = new WeakMap<Control, Follower>();

export function followerOf(control: Control): Follower {
  const present = FOLLOWERS.get(control);
  if (present !== undefined) return present;
  return new Follower(control);
}

/** One for each server; `followerOf` finds the one that was made last for it. */
export class Follower {
  readonly #control: Control;
  readonly #following = new Map<string, Following>();
  #work: Promise<unknown> = Promise.resolve();

  constructor(control: Control) {
    this.#control = control;
    FOLLOWERS.set(control, this);
  }

  /** A revision came into force. */
  onConfigChanged(): void {
    const { relationships } = this.#control.revision().config;
    for (const name of [...this.#following.keys()]) {
      if (!relationships.some((relationship) => relationship.name === name)) this.#following.delete(name);
    }
    for (const relationship of relationships) {
      if (this.#waiting(relationship).length > 0) this.#start(relationship.name);
    }
  }

  /** The link of a relationship is up: what was changed meanwhile goes over, and what is apart is compared again. */
  onRelationshipCommunicating(name: string): void {
    const relationship = relationshipOf(this.#control.revision().config, name);
    if (relationship === undefined) return;
    changesOf(this.#control).linkUp(relationship.partnerKey);
    this.#start(name);
  }

  tick(now: Now): void {
    for (const [name, following] of this.#following) {
      if (following.dueAtMs !== undefined && following.dueAtMs <= now.monoMs) this.#start(name);
    }
  }

  /** When `tick` wants to be called; undefined is never. */
  get deadlineMs(): number | undefined {
    const due = [...this.#following.values()].map((following) => following.dueAtMs).filter((at) => at !== undefined);
    return due.length === 0 ? undefined : Math.min(...due);
  }

  /** What differs between this server and its partners, as far as known now. */
  differences(name?: string): Difference[] {
    return [...this.#following]
      .filter(([relationship]) => name === undefined || relationship === name)
      .flatMap(([, following]) => following.differences);
  }

  /** Resolves when no push is under way any more. */
  async settled(): Promise<void> {
    let seen: Promise<unknown> | undefined;
    while (seen !== this.#work) {
      seen = this.#work;
      await seen;
    }
  }

  /** Sends scopes and overwrites whatever the partner has (replication: mine wins). Answers the scopes that are now the same. */
  async overwrite(
    relationship: Relationship,
    scopeIds: readonly string[],
  ): Promise<
    | { readonly kind: 'ok'; readonly scopeIds: string[]; readonly problems: Problem[] }
    | { readonly kind: 'failed'; readonly problem: Problem }
  > {
    const partner = partnerByKey(this.#control, relationship.partnerKey);
    if (partner === undefined) {
      const slots = { partner: relationship.partnerServer };
      return { kind: 'failed', problem: problem(this.#control, 'pair/unknown-partner', slots, relationship.name) };
    }
    const { sent, answer } = await this.#push(partner, relationship, scopeIds, true);
    if (answer.kind === 'failed') return { kind: 'failed', problem: answer.problem };
    if (answer.value.kind === 'busy')
      return { kind: 'failed', problem: changesOf(this.#control).busy(relationship.name) };
    const differences = await this.#record(relationship, sent, answer.value);
    const left = this.#of(relationship.name);
    left.differences = [...left.differences.filter((one) => !scopeIds.includes(one.scopeId)), ...differences];
    const wrong = new Set(differences.map((one) => one.scopeId));
    const problems = differences.map((one) => one.problem).filter((one) => one !== undefined);
    return { kind: 'ok', scopeIds: scopeIds.filter((scopeId) => !wrong.has(scopeId)), problems };
  }

  #start(name: string): void {
    const following = this.#of(name);
    if (following.isPushing) {
      following.isWanted = true;
      return;
    }
    following.isPushing = true;
    following.isWanted = false;
    following.dueAtMs = undefined;
    const done = this.#follow(name, following).finally(() => {
      following.isPushing = false;
      if (following.isWanted) this.#start(name);
    });
    // A rejection is a failed write; it must reach the process (design, part 3), so only the wait for it is silent.
    this.#work = Promise.all([this.#work, done]).catch(() => undefined);
  }

  async #follow(name: string, following: Following): Promise<void> {
    const relationship = relationshipOf(this.#control.revision().config, name);
    if (relationship === undefined || relationship.profile !== 'twinlease') return;
    const partner = partnerByKey(this.#control, relationship.partnerKey);
    const waiting = [
      ...new Set([...this.#waiting(relationship), ...following.differences.map((one) => one.scopeId)]),
    ].filter((scopeId) => relationship.scopeIds.includes(scopeId));
    if (partner === undefined || waiting.length === 0) return;
    const retryAtMs = this.#control.now().monoMs + FOLLOW_RETRY_MS;
    if (changesOf(this.#control).isLocked(name)) {
      following.dueAtMs = retryAtMs;
      return;
    }
    const { sent, answer } = await this.#push(partner, relationship, waiting, false);
    if (answer.kind === 'failed' || answer.value.kind === 'busy') {
      following.dueAtMs = retryAtMs;
      return;
    }
    following.differences = await this.#record(relationship, sent, answer.value);
    if (following.differences.length > 0) following.dueAtMs = this.#control.now().monoMs + FOLLOW_COMPARE_MS;
  }

  /** Scopes that are not what both last agreed on. */
  #waiting(relationship: Relationship): string[] {
    const { config } = this.#control.revision();
    const agreed = agreedHashes(this.#control, relationship.id);
    return relationship.scopeIds.filter((scopeId) => scopeHash(config, scopeId) !== agreed[scopeId]);
  }

  async #push(
    partner: Partner,
    relationship: Relationship,
    scopeIds: readonly string[],
    mineWins: boolean,
  ): Promise<{ readonly sent: ReadonlyMap<string, string>; readonly answer: Called<PushAnswer> }> {
    const { config } = this.#control.revision();
    const agreed = agreedHashes(this.#control, relationship.id);
    const scopes = scopeIds.map((scopeId) => ({
      scopeId,
      expect: agreed[scopeId] ?? null,
      hash: scopeHash(config, scopeId),
      shared: sharedScope(config, scopeId) ?? null,
    }));
    // What was sent is what may be agreed on; the configuration may have changed again in the meantime.
    const sent = new Map(scopes.map(({ scopeId, hash }) => [scopeId, hash]));
    const { name, id } = relationship;
    const answers: Record<string, z.infer<typeof pushedScopeSchema>> = {};
    for (const part of inParts(scopes)) {
      const params = { name, id, mineWins, scopes: part };
      const call = { method: 'config.push', params, answer: pushAnswerSchema };
      const answer = await callPartner(this.#control, partner, call);
      if (answer.kind === 'failed' || answer.value.kind === 'busy') return { sent, answer };
      Object.assign(answers, answer.value.scopes);
    }
    return { sent, answer: { kind: 'ok', value: { kind: 'pushed', scopes: answers } } };
  }

  /** Takes down what is agreed now and answers what is not. */
  async #record(
    relationship: Relationship,
    sent: ReadonlyMap<string, string>,
    answer: Extract<PushAnswer, { kind: 'pushed' }>,
  ): Promise<Difference[]> {
    const agreed: Record<string, string> = { ...agreedHashes(this.#control, relationship.id) };
    const differences: Difference[] = [];
    for (const [scopeId, hash] of sent) {
      const one = answer.scopes[scopeId];
      if (one === undefined) continue;
      const base = { relationship: relationship.name, scopeId };
      if (one.kind === 'apart') {
        differences.push({ ...base, kind: 'apart', theirs: one.shared ?? undefined, problem: undefined });
      } else if (one.kind === 'refused') {
        differences.push({ ...base, kind: 'not-taken', theirs: undefined, problem: readProblem(one.problem) });
      } else agreed[scopeId] = hash;
    }
    await this.#control.saveTransactions([agreedRecordOf(relationship.id, agreed)]);
    return differences;
  }

  #of(name: string): Following {
    const present = this.#following.get(name);
    if (present !== undefined) return present;
    const made: Following = { isPushing: false, isWanted: false, dueAtMs: undefined, differences: [] };
    this.#following.set(name, made);
    return made;
  }
}

/** Divides what is to be sent into parts of a bounded size; a scope is never divided. */
function inParts<T>(items: readonly T[]): T[][] {
  const parts: T[][] = [];
  let bytes = PUSH_BYTES_MAX;
  for (const item of items) {
    const size = JSON.stringify(item).length;
    if (bytes + size > PUSH_BYTES_MAX) {
      parts.push([]);
      bytes = 0;
    }
    parts.at(-1)?.push(item);
    bytes += size;
  }
  return parts;
}
