/**
 * Changes that two servers make together, run as `manage/changes.ts` runs them: the machine of `core/change` decides, this file asks the
 * partner over the cable, makes records and revisions durable, and answers. A crash may come between any two of its effects.
 */
import { ChangeMachine } from '../core/change/change-machine.ts';
import type {
  AskAnswer,
  CallAnswer,
  Change,
  ChangeEffect,
  ChangeInput,
  Done,
  EndResult,
  PartnerCall,
  StoredChange,
} from '../core/change/change-types.ts';
import { heldAfterLoss, lackOfKeeper, lackOfLeaving } from '../core/change/removal.ts';
import type { Config } from '../core/config/model.ts';
import { encodeRecord } from '../core/pipeline/record-codec.ts';
import { type Entering, NOTHING_ENTERS } from '../core/pipeline/server-core.ts';
import { address, applyBody, type ChangeBody, locksOf, silencedBy, withLeaving } from './change-body.ts';
import type { KeptTransaction, Life } from './life.ts';
import type { PairView } from './pair-view.ts';
import { keyOf, SCOPE_ADDRESSES_MAX } from './setting.ts';
import { otherSide, type Side } from './sides.ts';

const CALL_TIMEOUT_MS = 10_000;
const PREPARE_TIMEOUT_MS = 30_000;
const DRAIN_TIMEOUT_MS = 20_000;
const DRAIN_LOOK_MS = 50;
const DURABLE_LOOK_MS = 2;

type Place = { readonly pair: PairView; readonly side: Side };
type Reconfigure = (config: Config, entering: Entering, transactions: readonly Uint8Array[]) => void;

const utf8 = { encode: new TextEncoder(), decode: new TextDecoder() };

export class ChangeRunner {
  readonly #life: Life;
  readonly #places: readonly Place[];
  readonly #reconfigure: Reconfigure;
  readonly #machine = new ChangeMachine();
  readonly #operators = new Map<string, (result: EndResult) => void>();
  readonly #callers = new Map<number, (answer: CallAnswer) => void>();
  /** What `hold` silenced, by change. */
  readonly #silenced = new Map<string, readonly string[]>();
  #token = 0;

  constructor(life: Life, places: readonly Place[], reconfigure: Reconfigure) {
    this.#life = life;
    this.#places = places;
    this.#reconfigure = reconfigure;
    const stored: StoredChange[] = [];
    for (const kept of life.transactions.values()) {
      const read = JSON.parse(utf8.decode.decode(kept.body)) as { stored: StoredChange; silenced: readonly string[] };
      stored.push(read.stored);
      this.#silenced.set(kept.id, read.silenced);
    }
    this.#machine.restore(stored);
    life.onSecond = () => this.#input({ kind: 'tick' });
  }

  /** Changes that this server does not know the end of, or has not confirmed. */
  get openCount(): number {
    return this.#machine.open().length;
  }

  isLocked(body: ChangeBody): boolean {
    return this.#machine.holderOf(locksOf(body)) !== undefined;
  }

  /** An operator's change; this server coordinates. */
  begin(pair: PairView, side: Side, id: string, body: ChangeBody, ended: (result: EndResult) => void): void {
    if (this.#lacksLeases(body)) {
      ended(refused('the partner has to keep the scopes'));
      return;
    }
    const change: Change = {
      id,
      relationship: body.name,
      locks: locksOf(body),
      partnerKey: keyOf(pair.names.hosts[otherSide(side)]),
      startedAt: this.#life.now.wallAt,
      body,
    };
    this.#operators.set(id, ended);
    this.#input({ kind: 'begin', change, wins: side === 'a' });
  }

  /** The partner calls. */
  call(partnerKey: string, call: PartnerCall, answer: (answer: CallAnswer) => void): void {
    const token = ++this.#token;
    this.#callers.set(token, answer);
    this.#input({ kind: 'call', partnerKey, token, call });
  }

  linkUp(partnerKey: string): void {
    this.#input({ kind: 'link-up', partnerKey });
  }

  #input(input: ChangeInput): void {
    if (this.#life.isDead) return;
    const { deadlineMs } = this.#machine;
    const nowMs = this.#life.now.monoMs;
    if (input.kind === 'tick' && (deadlineMs === undefined || deadlineMs > nowMs)) return;
    for (const effect of this.#machine.step(nowMs, input)) {
      if (this.#life.isDead) return;
      this.#perform(effect);
      this.#life.stepped('change');
    }
  }

  #perform(effect: ChangeEffect): void {
    switch (effect.kind) {
      case 'ask':
        this.#ask(effect.partnerKey, effect.call);
        return;
      case 'hold':
        this.#hold(effect.stored);
        return;
      case 'release':
        this.#release(effect.stored, effect.keep);
        return;
      case 'revise':
        this.#revise(effect.stored);
        return;
      case 'forget':
        this.#silenced.delete(effect.id);
        this.#life.saveTransactions([forgotten(effect.id)]);
        return;
      case 'reply':
        this.#callers.get(effect.token)?.(effect.answer);
        this.#callers.delete(effect.token);
        return;
      case 'end':
        this.#operators.get(effect.id)?.(effect.result);
        this.#operators.delete(effect.id);
        return;
      case 'event':
        return;
      default:
        effect satisfies never;
    }
  }

  #ask(partnerKey: string, call: PartnerCall): void {
    const place = this.#placeOf(partnerKey);
    if (place === undefined) return;
    const { pair, side } = place;
    const id = call.method === 'prepare' ? call.change.id : call.id;
    const timeoutMs = call.method === 'prepare' ? PREPARE_TIMEOUT_MS : CALL_TIMEOUT_MS;
    let isAnswered = false;
    const answered = (answer: AskAnswer): void => {
      if (isAnswered) return;
      isAnswered = true;
      this.#input({ kind: 'answered', id, method: call.method, answer });
    };
    this.#life.schedule.after(timeoutMs, () => answered({ kind: 'nobody', why: 'no answer in time' }));
    pair.cable.call(
      side,
      (reply) => {
        const there = pair.seats[otherSide(side)].host.changes;
        if (there === undefined) return false;
        there.call(keyOf(this.#life.name), call, (answer) => reply(() => answered(answer)));
        return true;
      },
      () => answered({ kind: 'nobody', why: 'not reachable' }),
    );
  }

  /** The participant's promise: checked, what leaves is silenced and drained, the record durable. */
  #hold(stored: StoredChange): void {
    const { id, partnerKey } = stored.change;
    const body = stored.change.body as ChangeBody;
    const { config } = this.#life.core;
    const { wallAt } = this.#life.now;
    if (applyBody(config, body, { isCoordinator: false, partnerKey, wallAt }) === undefined) {
      this.#held(id, refused('it does not fit here'));
      return;
    }
    const silenced = silencedBy(config, body);
    this.#silenced.set(id, silenced);
    const record = this.#recordOf(stored);
    if (silenced.length === 0) {
      const sequence = this.#life.saveTransactions([record]);
      this.#whenDurable(sequence, () => this.#held(id, { kind: 'ok' }));
      return;
    }
    this.#reconfigure(withLeaving(config, body.name, silenced), NOTHING_ENTERS, [record]);
    const untilMs = this.#life.now.monoMs + DRAIN_TIMEOUT_MS;
    this.#whenDurable(this.#life.lastSequence, () => this.#drain(stored, body.name, untilMs));
  }

  /** The leaving side is silent durably before its addresses are freed, and all it granted is known by then (design, part 5). */
  #drain(stored: StoredChange, name: string, untilMs: number): void {
    if (this.#life.isDead) return;
    const status = this.#life.core.endpoint(name)?.status(this.#life.now);
    const isTold = status?.isCommunicating === true && status.dirtyBindings === 0 && status.unackedUpdates === 0;
    const isForgetful = status !== undefined && lackOfLeaving(status, this.#life.now) !== undefined;
    if (isTold && !isForgetful) {
      this.#held(stored.change.id, { kind: 'ok' });
      return;
    }
    if (!isTold && status?.isCommunicating === true && this.#life.now.monoMs <= untilMs) {
      this.#life.schedule.after(DRAIN_LOOK_MS, () => this.#drain(stored, name, untilMs));
      return;
    }
    this.#wake(stored, false);
    this.#whenDurable(this.#life.lastSequence, () =>
      this.#held(stored.change.id, refused('what it granted cannot be told')),
    );
  }

  #release(stored: StoredChange, keep: boolean): void {
    const { id } = stored.change;
    this.#wake(stored, keep);
    this.#whenDurable(this.#life.lastSequence, () => this.#input({ kind: 'released', id }));
  }

  /** Undoes what `hold` silenced. */
  #wake(stored: StoredChange, keep: boolean): void {
    const { id, relationship } = stored.change;
    const record = keep ? this.#recordOf({ ...stored, state: 'aborted' }) : forgotten(id);
    const silenced = this.#silenced.get(id) ?? [];
    if (!keep) this.#silenced.delete(id);
    if (silenced.length === 0) this.#life.saveTransactions([record]);
    else this.#reconfigure(withLeaving(this.#life.core.config, relationship, []), NOTHING_ENTERS, [record]);
  }

  /** One durable revision with the record of the change, on the coordinator the commit point. */
  #revise(stored: StoredChange): void {
    const { id, partnerKey } = stored.change;
    const isCoordinator = stored.side === 'coordinator';
    const body = stored.change.body as ChangeBody;
    const { core, now } = this.#life;
    const applied = applyBody(core.config, body, { isCoordinator, partnerKey, wallAt: now.wallAt });
    if (applied === undefined || (isCoordinator && this.#lacksLeases(body))) {
      this.#life.schedule.after(0, () => this.#input({ kind: 'revised', id, result: refused('it does not fit') }));
      return;
    }
    if (isCoordinator) this.#holdForgotten(body);
    if (this.#life.isDead) return;
    this.#reconfigure(applied.config, applied.entering, [this.#recordOf({ ...stored, state: 'committed' })]);
    this.#whenDurable(this.#life.lastSequence, () => this.#input({ kind: 'revised', id, result: { kind: 'ok' } }));
  }

  /** The called server keeps the scopes, and so must know all their leases. */
  #lacksLeases(body: ChangeBody): boolean {
    const { core, now } = this.#life;
    const scopeIds = silencedBy(core.config, body).map(address);
    const status = scopeIds.length === 0 ? undefined : core.endpoint(body.name)?.status(now);
    return status !== undefined && lackOfKeeper(status, scopeIds, now) !== undefined;
  }

  /** What a lost store forgot is waited for in the scopes that leave, too. */
  #holdForgotten(body: ChangeBody): void {
    const { core, now, table } = this.#life;
    const status = core.endpoint(body.name)?.status(now);
    if (status?.loss === undefined) return;
    for (const scopeId of silencedBy(core.config, body).map(address)) {
      const held = table
        .scan(scopeId, scopeId, SCOPE_ADDRESSES_MAX)
        .map((binding) => heldAfterLoss(binding, status, now, core.config.server.declineHoldSec))
        .filter((binding) => binding !== undefined);
      this.#life.hold(held);
    }
  }

  #held(id: string, result: Done): void {
    this.#life.schedule.after(0, () => this.#input({ kind: 'held', id, result }));
  }

  #whenDurable(sequence: number, run: () => void): void {
    const { disk, schedule } = this.#life;
    const look = (): void => {
      if (this.#life.isDead) return;
      if (disk.durableSequence >= sequence) run();
      else schedule.after(DURABLE_LOOK_MS, look);
    };
    look();
  }

  #recordOf(stored: StoredChange): Uint8Array {
    const { id } = stored.change;
    const body = utf8.encode.encode(JSON.stringify({ stored, silenced: this.#silenced.get(id) ?? [] }));
    const kept: KeptTransaction = { id, state: stored.state, body };
    return encodeRecord({ kind: 'transaction', ...kept });
  }

  #placeOf(partnerKey: string): Place | undefined {
    return this.#places.find(({ pair, side }) => keyOf(pair.names.hosts[otherSide(side)]) === partnerKey);
  }
}

function forgotten(id: string): Uint8Array {
  return encodeRecord({ kind: 'transaction', id, state: 'forgotten', body: new Uint8Array() });
}

function refused(why: string): Extract<Done, { kind: 'refused' }> {
  return { kind: 'refused', problem: { code: 'failover/busy', slots: { why } } };
}
