/**
 * Runs the machine of `core/change` over a server: performs its effects through the Control and tells it how they went. One of
 * these belongs to each Control for as long as it lives. Nothing is decided here but what a change's body means on this server.
 */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { ChangeMachine } from '../core/change/change-machine.ts';
import type {
  AskAnswer,
  CallAnswer,
  Change,
  ChangeEffect,
  ChangeInput,
  Done,
  EndResult,
  OpenChange,
  PartnerCall,
  StoredChange,
} from '../core/change/change-types.ts';
import { lackOfLeaving } from '../core/change/removal.ts';
import type { Config, Partner } from '../core/config/model.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control, TransactionRecord } from '../server/control.ts';
import { agreedRecord } from './agreed.ts';
import {
  applyBody,
  type ChangeBody,
  changeBodySchema,
  locksOf,
  type RemovalBody,
  replaceRelationship,
  type Side,
} from './change-body.ts';
import { holdForgotten } from './held-promises.ts';
import { lackHere, lackText, unfetchedProblem } from './lacks.ts';
import { CALL_TIMEOUT_MS, DRAIN_TIMEOUT_MS, PREPARE_TIMEOUT_MS, partnerByKey, readProblem } from './partner-client.ts';
import { problem } from './problems.ts';
import { relationshipOf, scopeOf } from './shared-config.ts';
import { waitsOf } from './waits.ts';

/** A revision made from another base is tried again on the new one this often. */
const STALE_RETRIES_MAX = 16;
/** Greatest body of a change as JSON: it must fit one record of the log and one frame of the channel. */
export const CHANGE_BYTES_MAX = 8 * 1024 * 1024;
/** Length of a secret that a partner may send. */
const SECRET_UNITS_MAX = 1024;

/** What only this server knows of a change; durable beside it. */
interface Extra {
  readonly secretRef: string | null;
  /** Scopes that `hold` silenced and `release` wakes again. */
  readonly silenced: readonly string[];
}
const NO_EXTRA: Extra = { secretRef: null, silenced: [] };

const changeSchema = z.object({
  id: z.string().min(1).max(128),
  relationship: z.string().min(1).max(1024),
  startedAt: z.int().min(0),
  body: changeBodySchema,
});
export const prepareSchema = changeSchema.extend({ secret: z.string().min(1).max(SECRET_UNITS_MAX).optional() });

const storedSchema = z.object({
  kind: z.literal('change'),
  side: z.enum(['coordinator', 'participant']),
  state: z.enum(['prepared', 'committed', 'aborted']),
  byHand: z.boolean(),
  change: changeSchema.extend({ partnerKey: z.string(), locks: z.array(z.string()) }),
  extra: z.object({ secretRef: z.string().nullable(), silenced: z.array(z.string()) }),
});

export const answerSchema = z.union([
  z.object({ kind: z.enum(['yes', 'done', 'aborted', 'unknown']) }),
  z.object({ kind: z.literal('no'), problem: z.unknown() }),
  z.object({ kind: z.literal('outcome'), outcome: z.enum(['committed', 'aborted', 'undecided']) }),
]);

const CHANGES = new WeakMap<Control, Changes>();

/** The changes of this server; made at the first call, from what is durable. */
export function changesOf(control: Control): Changes {
  const present = CHANGES.get(control);
  if (present !== undefined) return present;
  const made = new Changes(control);
  CHANGES.set(control, made);
  return made;
}

export interface RunChange {
  readonly partner: Partner;
  readonly body: ChangeBody;
  readonly by: string;
  /** The shared secret that the change sets, if it does. */
  readonly secret: string | undefined;
}

export class Changes {
  readonly #control: Control;
  readonly #machine = new ChangeMachine();
  readonly #extras = new Map<string, Extra>();
  readonly #by = new Map<string, string>();
  readonly #secrets = new Map<string, string>();
  readonly #operators = new Map<string, (result: EndResult) => void>();
  readonly #callers = new Map<number, (answer: CallAnswer) => void>();
  readonly #events: Problem[] = [];
  readonly #underWay = new Set<Promise<void>>();
  #lastToken = 0;

  constructor(control: Control) {
    this.#control = control;
    const stored: StoredChange[] = [];
    for (const record of control.transactions()) {
      const read = readStored(record);
      if (read === undefined) continue;
      stored.push(read.stored);
      this.#extras.set(read.stored.change.id, read.extra);
    }
    this.#machine.restore(stored);
  }

  /** Makes a change on both servers. Resolves when it is in force on both, or was refused, or is bound to follow there. */
  async run(wanted: RunChange): Promise<EndResult> {
    const { partner, body } = wanted;
    const tooLarge = this.#tooLarge(body);
    if (tooLarge !== undefined) return { kind: 'refused', problem: tooLarge };
    const id = randomUUID();
    // Each server keeps its own copy of a secret under its own reference.
    const secretRef = wanted.secret === undefined ? null : await this.#control.putSecret(wanted.secret);
    this.#extras.set(id, { ...NO_EXTRA, secretRef });
    this.#by.set(id, wanted.by);
    if (wanted.secret !== undefined) this.#secrets.set(id, wanted.secret);
    const startedAt = this.#control.now().wallAt;
    const change: Change = {
      id,
      relationship: body.name,
      locks: locksOf(body),
      partnerKey: partner.key,
      startedAt,
      body,
    };
    const result = await new Promise<EndResult>((resolve) => {
      this.#operators.set(id, resolve);
      this.#input({ kind: 'begin', change, wins: this.#wins(body.name, partner.key) });
    });
    this.#secrets.delete(id);
    return result.kind === 'refused' ? { kind: 'refused', problem: this.#named(result.problem) } : result;
  }

  /** A call of a partner about a change; `params` were checked. */
  async called(partner: Partner, call: PartnerCall, secret: string | undefined): Promise<CallAnswer> {
    const tooLarge = call.method === 'prepare' ? this.#tooLarge(call.change.body) : undefined;
    if (tooLarge !== undefined) return { kind: 'no', problem: tooLarge };
    if (call.method === 'prepare' && secret !== undefined && !this.#extras.has(call.change.id)) {
      this.#extras.set(call.change.id, { ...NO_EXTRA, secretRef: await this.#control.putSecret(secret) });
    }
    const token = ++this.#lastToken;
    return await new Promise<CallAnswer>((resolve) => {
      this.#callers.set(token, resolve);
      this.#input({ kind: 'call', partnerKey: partner.key, token, call });
    });
  }

  /** What a prepare would answer now, without promising anything. */
  check(partnerKey: string, body: ChangeBody): Problem | undefined {
    if (this.#machine.holderOf(locksOf(body)) !== undefined) return this.busy(body.name);
    const applied = this.#apply(this.#control.revision().config, body, {
      side: 'participant',
      partnerKey,
      secretRef: null,
    });
    return applied.kind === 'bad' ? applied.problem : undefined;
  }

  tick(): void {
    this.#input({ kind: 'tick' });
  }

  linkUp(partnerKey: string): void {
    this.#input({ kind: 'link-up', partnerKey });
  }

  /** Resolves when the end is durable. */
  async endByHand(id: string, outcome: 'commit' | 'abort'): Promise<void> {
    const before = new Set(this.#underWay);
    this.#input({ kind: 'end-by-hand', id, outcome });
    await Promise.all([...this.#underWay].filter((work) => !before.has(work)));
  }

  open(): OpenChange[] {
    return this.#machine.open();
  }

  /** Conditions that the machine met since the last call, for the log. */
  takeEvents(): Problem[] {
    return this.#events.splice(0).map((event) => this.#named(event));
  }

  get deadlineMs(): number | undefined {
    return this.#machine.deadlineMs;
  }

  isLocked(name: string): boolean {
    return this.#machine.holderOf([`relationship/${name}`]) !== undefined;
  }

  busy(name: string): Problem {
    return problem(this.#control, 'failover/busy', { name, why: 'a change of it on both servers is under way' }, name);
  }

  /** Why a local change must wait: what it touches is locked, or a promise could not be kept after it. */
  obstacle(before: Config, after: Config): Problem | undefined {
    for (const open of this.#machine.open()) {
      if (open.standing === 'ended-by-hand') continue;
      if (touches(before, after, open.relationship)) return this.busy(open.relationship);
    }
    for (const change of this.#machine.promised()) {
      const body = changeBodySchema.safeParse(change.body);
      if (!body.success) continue;
      const { partnerKey } = change;
      const kept = this.#apply(after, body.data, { side: 'participant', partnerKey, secretRef: null });
      if (kept.kind === 'bad') return this.busy(change.relationship);
    }
    return undefined;
  }

  #input(input: ChangeInput): void {
    for (const effect of this.#machine.step(this.#control.now().monoMs, input)) this.#perform(effect);
  }

  #perform(effect: ChangeEffect): void {
    switch (effect.kind) {
      case 'ask':
        this.#later(this.#ask(effect.partnerKey, effect.call));
        return;
      case 'hold':
        this.#later(
          this.#hold(effect.stored).then((result) => ({ kind: 'held', id: effect.stored.change.id, result })),
        );
        return;
      case 'release':
        this.#later(
          this.#release(effect.stored, effect.keep).then(() => ({ kind: 'released', id: effect.stored.change.id })),
        );
        return;
      case 'revise':
        this.#later(
          this.#revise(effect.stored).then((result) => ({ kind: 'revised', id: effect.stored.change.id, result })),
        );
        return;
      case 'forget':
        this.#extras.delete(effect.id);
        this.#later(this.#control.saveTransactions([forgotten(effect.id)]).then(() => undefined));
        return;
      case 'reply':
        this.#callers.get(effect.token)?.(effect.answer);
        this.#callers.delete(effect.token);
        return;
      case 'end':
        this.#operators.get(effect.id)?.(effect.result);
        this.#operators.delete(effect.id);
        this.#by.delete(effect.id);
        return;
      case 'event':
        if (this.#events.length < 64) this.#events.push(effect.problem);
        return;
      default:
        effect satisfies never;
    }
  }

  /**
   * A rejection here is a failed write or a fault: it must end the process (design, part 3), so it is left to reach it as an
   * unhandled rejection.
   */
  #later(work: Promise<ChangeInput | undefined>): void {
    const done = work.then((input) => {
      this.#underWay.delete(done);
      if (input !== undefined) this.#input(input);
    });
    this.#underWay.add(done);
  }

  async #ask(partnerKey: string, call: PartnerCall): Promise<ChangeInput> {
    const { method } = call;
    const id = call.method === 'prepare' ? call.change.id : call.id;
    const partner = partnerByKey(this.#control, partnerKey);
    if (partner === undefined) {
      return { kind: 'answered', id, method, answer: { kind: 'nobody', why: 'the pairing was removed' } };
    }
    const timeoutMs = method === 'prepare' ? PREPARE_TIMEOUT_MS : CALL_TIMEOUT_MS;
    const params = call.method === 'prepare' ? this.#prepareParams(call.change) : { id };
    const answer = await this.#control.callPartner(partner, `change.${method}`, params, timeoutMs);
    return { kind: 'answered', id, method, answer: readAnswer(this.#control, partner, answer) };
  }

  #prepareParams(change: Change): unknown {
    const { id, relationship, startedAt, body } = change;
    const secret = this.#secrets.get(id);
    return { id, relationship, startedAt, body, ...(secret === undefined ? {} : { secret }) };
  }

  /** The participant's promise: checked, what leaves is silenced and drained, the record durable. */
  async #hold(stored: StoredChange): Promise<Done> {
    const { change } = stored;
    const body = bodyOf(change);
    const extra = this.#extras.get(change.id) ?? NO_EXTRA;
    const context = { side: 'participant' as const, partnerKey: change.partnerKey, secretRef: extra.secretRef };
    for (let attempt = 0; attempt < STALE_RETRIES_MAX; attempt++) {
      const revision = this.#control.revision();
      const applied = this.#apply(revision.config, body, context);
      if (applied.kind === 'bad') {
        this.#extras.delete(change.id);
        return { kind: 'refused', problem: applied.problem };
      }
      if (!isRemoval(body)) {
        await this.#control.saveTransactions([recordOf(stored, extra)]);
        return { kind: 'ok' };
      }
      const silenced = leavingScopes(revision.config, body);
      this.#extras.set(change.id, { ...extra, silenced });
      const outcome = await this.#control.changeConfig({
        base: revision.number,
        by: this.#byOf(change),
        what: `scopes silenced before they leave failover relationship ${body.name}`,
        config: withLeaving(revision.config, body.name, silenced),
        transactions: [recordOf(stored, { ...extra, silenced })],
      });
      if (outcome.kind === 'stale') continue;
      if (outcome.kind === 'bad') return { kind: 'refused', problem: outcome.problems[0] ?? this.busy(body.name) };
      return await this.#drainSilenced(stored, body);
    }
    return { kind: 'refused', problem: this.busy(body.name) };
  }

  /** Design, part 5: the leaving side is silent durably before its addresses are freed, and all it granted is known by then. */
  async #drainSilenced(stored: StoredChange, body: RemovalBody): Promise<Done> {
    if (!body.isDrained) return { kind: 'ok' };
    const drained = await this.#control.drained(body.name, DRAIN_TIMEOUT_MS);
    const untold = drained.kind === 'done' ? this.#untold(body.name) : drained.why;
    if (untold === undefined) return { kind: 'ok' };
    await this.#release(stored, false);
    const slots = { name: body.name, why: untold };
    return { kind: 'refused', problem: problem(this.#control, 'failover/not-drained', slots, body.name) };
  }

  /** What a drain cannot bring over: leases that this server has forgotten itself. */
  #untold(name: string): string | undefined {
    const status = this.#control.endpointStatus(name);
    const lack = status === undefined ? undefined : lackOfLeaving(status, this.#control.now());
    const partner = relationshipOf(this.#control.revision().config, name)?.partnerServer ?? '';
    return lack === undefined ? undefined : lackText(lack, partner);
  }

  /** Wakes what `hold` silenced. */
  async #release(stored: StoredChange, keep: boolean): Promise<void> {
    const { change } = stored;
    const extra = this.#extras.get(change.id) ?? NO_EXTRA;
    const record = keep ? recordOf({ ...stored, state: 'aborted' }, NO_EXTRA) : forgotten(change.id);
    if (!keep) this.#extras.delete(change.id);
    while (extra.silenced.length > 0) {
      const revision = this.#control.revision();
      const outcome = await this.#control.changeConfig({
        base: revision.number,
        by: this.#byOf(change),
        what: `scopes go on in failover relationship ${change.relationship}`,
        config: withLeaving(revision.config, change.relationship, []),
        transactions: [record],
      });
      if (outcome.kind === 'ok') return;
      if (outcome.kind === 'bad') break;
    }
    await this.#control.saveTransactions([record]);
  }

  /** Puts the change in force: one durable revision with the record of the change, on the coordinator the commit point. */
  async #revise(stored: StoredChange): Promise<Done> {
    const { change } = stored;
    const body = bodyOf(change);
    const extra = this.#extras.get(change.id) ?? NO_EXTRA;
    const context = { side: stored.side, partnerKey: change.partnerKey, secretRef: extra.secretRef };
    const isKeeper = stored.side === 'coordinator' && isRemoval(body);
    const obstacle = isKeeper ? await this.#keep(body) : undefined;
    if (obstacle !== undefined) return { kind: 'refused', problem: obstacle };
    for (let attempt = 0; attempt < STALE_RETRIES_MAX; attempt++) {
      const revision = this.#control.revision();
      const applied = this.#apply(revision.config, body, context);
      if (applied.kind === 'bad') return { kind: 'refused', problem: applied.problem };
      const outcome = await this.#control.changeConfig({
        base: revision.number,
        by: this.#byOf(change),
        what: applied.what,
        config: applied.config,
        transaction: change.id,
        ...applied.entering,
        transactions: [
          recordOf({ ...stored, state: 'committed' }, extra),
          ...this.#sideRecords(applied.config, body, stored.side),
        ],
      });
      if (outcome.kind === 'ok') return { kind: 'ok' };
      if (outcome.kind === 'bad') return { kind: 'refused', problem: outcome.problems[0] ?? this.busy(body.name) };
    }
    return { kind: 'refused', problem: this.busy(body.name) };
  }

  /**
   * This server is about to be alone with these scopes. By now the other one is silent and has told all it knows; what a lost store forgot
   * goes on to be waited for. A store found lost since the operator asked makes this the wrong server to keep them.
   */
  async #keep(body: RemovalBody): Promise<Problem | undefined> {
    const relationship = relationshipOf(this.#control.revision().config, body.name);
    if (relationship === undefined) return undefined;
    const lack = lackHere(this.#control, relationship, body.scopeIds);
    if (lack !== undefined) return unfetchedProblem(this.#control, relationship, lack);
    // By force all that can have been promised is held already.
    if (body.isDrained) await holdForgotten(this.#control, body.name, body.scopeIds);
    return undefined;
  }

  /** Records that go with the change: what the two agree on, and that the leaving side is silent. */
  #sideRecords(after: Config, body: ChangeBody, side: Side): TransactionRecord[] {
    const records: TransactionRecord[] = [];
    const agreed = agreedRecord(this.#control, after, body);
    if (agreed !== undefined) records.push(agreed);
    if (side === 'coordinator' && isRemoval(body) && !body.isDrained) {
      // The participant was silenced before it voted, so it needs no notice of the tombstone.
      records.push({
        id: heardId(body.id, body.at),
        state: 'committed',
        body: JSON.stringify({ kind: 'heard', at: body.at }),
      });
    }
    return records;
  }

  #apply(config: Config, body: ChangeBody, context: { side: Side; partnerKey: string; secretRef: string | null }) {
    const { serverName } = this.#control;
    const present = relationshipOf(config, body.name);
    const waitMcltSec = present === undefined ? undefined : waitsOf(this.#control, present).mcltSec;
    const { wallAt } = this.#control.now();
    return applyBody(config, body, { ...context, serverName, wallAt, waitMcltSec });
  }

  #byOf(change: Change): string {
    return (
      this.#by.get(change.id) ?? `partner ${partnerByKey(this.#control, change.partnerKey)?.name ?? change.partnerKey}`
    );
  }

  #tooLarge(body: unknown): Problem | undefined {
    const bytes = Buffer.byteLength(JSON.stringify(body));
    if (bytes <= CHANGE_BYTES_MAX) return undefined;
    return problem(this.#control, 'change/too-large', { bytes, max: CHANGE_BYTES_MAX });
  }

  /** The primary's change goes first; of two servers that are about to make a relationship, the one with the lower key. */
  #wins(name: string, partnerKey: string): boolean {
    const relationship = relationshipOf(this.#control.revision().config, name);
    return relationship === undefined ? this.#control.key < partnerKey : relationship.role === 'primary';
  }

  /** The machine knows partners by their keys; people know them by name. */
  #named(found: Problem): Problem {
    const key = found.slots['partner'];
    const partner = typeof key === 'string' ? partnerByKey(this.#control, key) : undefined;
    const slots = {
      server: this.#control.serverName,
      ...found.slots,
      ...(partner === undefined ? {} : { partner: partner.name }),
    };
    return { ...found, slots };
  }
}

/** A tombstone was heard by the partner: from then on its side is silent. */
export function heardId(relationshipId: string, removedAt: number): string {
  return `heard/${relationshipId}/${removedAt}`;
}

export function forgotten(id: string): TransactionRecord {
  return { id, state: 'forgotten', body: '' };
}

function recordOf(stored: StoredChange, extra: Extra): TransactionRecord {
  return { id: stored.change.id, state: stored.state, body: JSON.stringify({ kind: 'change', ...stored, extra }) };
}

function readStored(record: TransactionRecord): { stored: StoredChange; extra: Extra } | undefined {
  if (record.state === 'forgotten' || !record.body.includes('"change"')) return undefined;
  const parsed = storedSchema.safeParse(JSON.parse(record.body));
  if (!parsed.success) return undefined;
  const { extra, kind: _kind, ...stored } = parsed.data;
  return { stored, extra };
}

/** Bodies in the machine were all checked when they entered. */
function bodyOf(change: Change): ChangeBody {
  return change.body as ChangeBody;
}

function readAnswer(
  control: Control,
  partner: Partner,
  answer: Awaited<ReturnType<Control['callPartner']>>,
): AskAnswer {
  if (answer.kind === 'unreachable') return { kind: 'nobody', why: answer.why };
  if (answer.kind === 'failed') {
    const isStranger = answer.problem.code === 'pair/not-introduced';
    const refused = problem(control, 'partner/no-permission', { partner: partner.name }, partner.name);
    return { kind: 'no', problem: isStranger ? refused : readProblem(answer.problem) };
  }
  const parsed = answerSchema.safeParse(answer.value);
  if (!parsed.success) return { kind: 'nobody', why: 'the answer cannot be understood' };
  return parsed.data.kind === 'no' ? { kind: 'no', problem: readProblem(parsed.data.problem) } : parsed.data;
}

function isRemoval(body: ChangeBody): body is RemovalBody {
  return body.kind === 'remove-relationship' || body.kind === 'remove-scopes';
}

function leavingScopes(config: Config, body: ChangeBody): readonly string[] {
  if (body.kind === 'remove-scopes') return body.scopeIds;
  return relationshipOf(config, body.name)?.scopeIds ?? [];
}

/** The relationship with these scopes silent on this server, or with none. */
function withLeaving(config: Config, name: string, leavingScopeIds: readonly string[]): Config {
  const relationship = relationshipOf(config, name);
  if (relationship === undefined) return config;
  const { leavingScopeIds: _before, ...rest } = relationship;
  return replaceRelationship(config, leavingScopeIds.length === 0 ? rest : { ...rest, leavingScopeIds });
}

/** Whether a local change alters the relationship itself or one of its scopes. */
function touches(before: Config, after: Config, name: string): boolean {
  const old = relationshipOf(before, name);
  const now = relationshipOf(after, name);
  if (JSON.stringify(old) !== JSON.stringify(now)) return true;
  return (old?.scopeIds ?? []).some((id) => JSON.stringify(scopeOf(before, id)) !== JSON.stringify(scopeOf(after, id)));
}
