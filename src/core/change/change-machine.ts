/**
 * One server's part in all changes that take effect on two servers (design, part 5 "Both sides"), as a deterministic object.
 *
 * The called server coordinates: prepare there, then one durable local revision that carries the id (the commit point), then
 * commit there, then forget. The other server prepares durably, locks, goes on with the old configuration, and waits for the
 * outcome; an id that the coordinator does not know was aborted. Of two changes at once the primary's wins. A server that was
 * left in doubt shows it until the other one answers or an operator ends it.
 */
import type { Problem } from '../problems/problem.ts';
import type {
  AskAnswer,
  CallAnswer,
  Change,
  ChangeEffect,
  ChangeInput,
  Done,
  OpenChange,
  PartnerCall,
  StoredChange,
} from './change-types.ts';

/** A commit or a question about the outcome is repeated this often while nobody answers. */
export const RESEND_EVERY_MS = 5000;
/** Open changes of one server; more are refused. */
export const OPEN_CHANGES_MAX = 64;
/** Calls of the partner that wait for one change; more are answered with busy. */
const WAITING_CALLS_MAX = 8;

type Phase =
  /** Coordinator: asked `prepare`. */
  | 'preparing'
  /** Coordinator: the local revision is being made. Its end is the commit point. */
  | 'deciding'
  /** Coordinator: in force here, `commit` goes to the partner until it confirms. */
  | 'committed'
  /** Participant: checks and durable record under way. */
  | 'holding'
  /** Participant: promised, waits for the outcome. */
  | 'prepared'
  /** Participant: the revision is being made. */
  | 'committing'
  | 'releasing'
  /** Participant: ended; kept until the coordinator has forgotten it, so that a repeated `commit` gets its answer. */
  | 'settled';

interface Open {
  readonly change: Change;
  readonly side: 'coordinator' | 'participant';
  phase: Phase;
  wins: boolean;
  byHand: boolean;
  /** Participant: how it ended, once `settled`. */
  outcome: 'committed' | 'aborted' | undefined;
  /** The operator still waits for the result. */
  operatorWaits: boolean;
  /** An abort came while the hold was under way. */
  abortWanted: boolean;
  asking: boolean;
  askAtMs: number;
  readonly waiting: { readonly token: number; readonly method: PartnerCall['method'] }[];
}

export class ChangeMachine {
  readonly #open = new Map<string, Open>();
  #nowMs = 0;
  #effects: ChangeEffect[] = [];

  /** Takes up what was durable when the process ended. To be called once, before the first `step`. */
  restore(stored: readonly StoredChange[]): void {
    for (const record of stored) {
      const isCoordinator = record.side === 'coordinator';
      // A coordinator keeps a record only from its commit point on.
      if (isCoordinator && record.state !== 'committed') continue;
      const open = makeOpen(record.change, record.side, record.state === 'prepared' ? 'prepared' : 'settled');
      if (isCoordinator) open.phase = 'committed';
      else if (record.state !== 'prepared') open.outcome = record.state;
      open.byHand = record.byHand;
      this.#open.set(record.change.id, open);
    }
  }

  /** Decides on one input. The effects are to be performed in their order. */
  step(nowMs: number, input: ChangeInput): readonly ChangeEffect[] {
    this.#nowMs = nowMs;
    this.#effects = [];
    this.#take(input);
    return this.#effects;
  }

  /** When `tick` wants to be called; undefined is never. */
  get deadlineMs(): number | undefined {
    let least: number | undefined;
    for (const open of this.#open.values()) {
      if (!wantsToAsk(open)) continue;
      least = least === undefined ? open.askAtMs : Math.min(least, open.askAtMs);
    }
    return least;
  }

  /** Changes that have not ended on both servers, oldest first. */
  open(): OpenChange[] {
    const shown: OpenChange[] = [];
    for (const open of this.#open.values()) {
      const standing = standingOf(open);
      if (standing === undefined) continue;
      const { id, relationship, partnerKey, startedAt } = open.change;
      shown.push({ id, relationship, partnerKey, side: open.side, standing, startedAt });
    }
    return shown.sort((a, b) => a.startedAt - b.startedAt || (a.id < b.id ? -1 : 1));
  }

  /** The open change that holds one of these locks. */
  holderOf(locks: readonly string[]): Change | undefined {
    for (const open of this.#open.values()) {
      if (open.phase !== 'settled' && open.change.locks.some((key) => locks.includes(key))) return open.change;
    }
    return undefined;
  }

  /** Changes that this server has promised to make when it is told to, with what they would do. */
  promised(): readonly Change[] {
    return [...this.#open.values()]
      .filter((open) => open.side === 'participant' && ['holding', 'prepared', 'committing'].includes(open.phase))
      .map((open) => open.change);
  }

  #take(input: ChangeInput): void {
    switch (input.kind) {
      case 'begin':
        this.#begin(input.change, input.wins);
        return;
      case 'answered':
        this.#answered(input.id, input.method, input.answer);
        return;
      case 'held':
        this.#held(input.id, input.result);
        return;
      case 'released':
        this.#released(input.id);
        return;
      case 'revised':
        this.#revised(input.id, input.result);
        return;
      case 'call':
        this.#called(input.partnerKey, input.token, input.call);
        return;
      case 'link-up':
        for (const open of this.#open.values())
          if (open.change.partnerKey === input.partnerKey) open.askAtMs = this.#nowMs;
        this.#askWhatIsDue();
        return;
      case 'end-by-hand':
        this.#endByHand(input.id, input.outcome);
        return;
      case 'tick':
        this.#askWhatIsDue();
        return;
      default:
        input satisfies never;
    }
  }

  // The coordinator.

  #begin(change: Change, wins: boolean): void {
    const refusal = this.#refusal(change);
    if (refusal !== undefined) {
      this.#do({ kind: 'end', id: change.id, result: { kind: 'refused', problem: refusal } });
      return;
    }
    const open = makeOpen(change, 'coordinator', 'preparing');
    open.wins = wins;
    open.operatorWaits = true;
    this.#open.set(change.id, open);
    this.#ask(open, { method: 'prepare', change });
  }

  #answered(id: string, method: PartnerCall['method'], answer: AskAnswer): void {
    const open = this.#open.get(id);
    if (open === undefined) return;
    open.asking = false;
    open.askAtMs = this.#nowMs + RESEND_EVERY_MS;
    if (method === 'prepare' && open.phase === 'preparing') this.#voted(open, answer);
    else if (method === 'commit' && open.phase === 'committed') this.#confirmed(open, answer);
    else if (method === 'outcome' && open.side === 'participant') this.#heardOutcome(open, answer);
  }

  #voted(open: Open, answer: AskAnswer): void {
    if (answer.kind === 'yes') {
      open.phase = 'deciding';
      this.#do({ kind: 'revise', stored: storedOf(open, 'committed') });
      return;
    }
    // Nothing is durable here yet, so silence is an abort: whoever asks later hears that the id is unknown.
    this.#do({ kind: 'ask', partnerKey: open.change.partnerKey, call: { method: 'abort', id: open.change.id } });
    this.#endRefused(open, answer.kind === 'no' ? answer.problem : unreachable(open.change, answer));
  }

  #confirmed(open: Open, answer: AskAnswer): void {
    if (answer.kind === 'done') {
      this.#end(open, { kind: 'done' });
      this.#drop(open);
      return;
    }
    if (answer.kind === 'aborted' || answer.kind === 'unknown') this.#endedDifferently(open, 'commit', answer.kind);
    if (answer.kind === 'no') this.#do({ kind: 'event', problem: answer.problem });
    this.#end(open, { kind: 'unconfirmed' });
  }

  // The participant.

  #called(partnerKey: string, token: number, call: PartnerCall): void {
    const id = call.method === 'prepare' ? call.change.id : call.id;
    const open = this.#open.get(id);
    const mine = open !== undefined && open.change.partnerKey === partnerKey ? open : undefined;
    switch (call.method) {
      case 'prepare':
        if (open === undefined) this.#prepare({ ...call.change, partnerKey }, token);
        else if (mine?.side === 'participant') this.#prepareAgain(mine, token);
        else this.#reply(token, { kind: 'no', problem: busy(call.change, 'the id of the change is taken') });
        return;
      case 'commit':
        if (mine?.side === 'participant') this.#commit(mine, token);
        else this.#reply(token, { kind: 'unknown' });
        return;
      case 'abort':
        if (mine?.side === 'participant') this.#abort(mine);
        this.#reply(token, { kind: 'done' });
        return;
      case 'outcome':
        this.#reply(token, { kind: 'outcome', outcome: mine?.side === 'coordinator' ? outcomeOf(mine) : 'aborted' });
        return;
      default:
        call satisfies never;
    }
  }

  #prepare(change: Change, token: number): void {
    for (const own of [...this.#open.values()]) {
      const meets = own.change.locks.some((key) => change.locks.includes(key));
      if (!meets || own.side !== 'coordinator' || own.phase !== 'preparing' || own.wins) continue;
      // Of two at once the primary's wins: ours is not durable anywhere here, so it can be dropped.
      this.#do({ kind: 'ask', partnerKey: own.change.partnerKey, call: { method: 'abort', id: own.change.id } });
      this.#endRefused(own, busy(own.change, 'the partner makes another change at the same time'));
    }
    const refusal = this.#refusal(change);
    if (refusal !== undefined) {
      this.#reply(token, { kind: 'no', problem: refusal });
      return;
    }
    const open = makeOpen(change, 'participant', 'holding');
    open.waiting.push({ token, method: 'prepare' });
    this.#open.set(change.id, open);
    this.#do({ kind: 'hold', stored: storedOf(open, 'prepared') });
  }

  #prepareAgain(open: Open, token: number): void {
    if (open.phase === 'prepared') this.#reply(token, { kind: 'yes' });
    else if (open.phase === 'holding') this.#wait(open, token, 'prepare');
    else this.#reply(token, { kind: 'no', problem: busy(open.change, 'the change has ended here') });
  }

  #held(id: string, result: Done): void {
    const open = this.#open.get(id);
    if (open?.phase !== 'holding') return;
    if (result.kind === 'refused') {
      this.#replyAll(open, { kind: 'no', problem: result.problem });
      this.#open.delete(id);
      return;
    }
    open.phase = 'prepared';
    open.askAtMs = this.#nowMs + RESEND_EVERY_MS;
    if (open.abortWanted) {
      this.#replyAll(open, { kind: 'no', problem: busy(open.change, 'the coordinator gave the change up') });
      this.#release(open);
    } else this.#replyAll(open, { kind: 'yes' });
  }

  #commit(open: Open, token: number): void {
    if (open.phase === 'settled') {
      this.#reply(token, open.outcome === 'committed' ? { kind: 'done' } : { kind: 'aborted' });
      return;
    }
    if (open.phase === 'releasing') {
      this.#reply(token, { kind: 'aborted' });
      return;
    }
    this.#wait(open, token, 'commit');
    if (open.phase === 'prepared') this.#revise(open);
  }

  #abort(open: Open): void {
    if (open.phase === 'holding') open.abortWanted = true;
    else if (open.phase === 'prepared') this.#release(open);
    else if (open.phase === 'settled' && open.outcome === 'aborted') this.#drop(open);
  }

  #heardOutcome(open: Open, answer: AskAnswer): void {
    if (answer.kind !== 'outcome' || answer.outcome === 'undecided') return;
    if (open.phase === 'prepared') {
      if (answer.outcome === 'committed') this.#revise(open);
      else this.#release(open);
    } else if (open.phase === 'settled' && answer.outcome === 'aborted') {
      // The coordinator has forgotten it. What an operator committed here by hand may never have been in force there.
      if (open.byHand && open.outcome === 'committed') this.#endedDifferently(open, 'commit', 'unknown');
      this.#drop(open);
    } else if (open.phase === 'settled' && open.outcome === 'aborted') {
      this.#endedDifferently(open, 'abort', 'commit');
    }
  }

  #revise(open: Open): void {
    open.phase = 'committing';
    this.#do({ kind: 'revise', stored: storedOf(open, 'committed') });
  }

  #release(open: Open): void {
    open.phase = 'releasing';
    this.#do({ kind: 'release', stored: storedOf(open, 'aborted'), keep: open.byHand });
  }

  #released(id: string): void {
    const open = this.#open.get(id);
    if (open?.phase !== 'releasing') return;
    if (!open.byHand) {
      this.#open.delete(id);
      return;
    }
    open.phase = 'settled';
    open.outcome = 'aborted';
    open.askAtMs = this.#nowMs + RESEND_EVERY_MS;
  }

  // Both.

  #revised(id: string, result: Done): void {
    const open = this.#open.get(id);
    if (open === undefined) return;
    if (open.side === 'coordinator' && open.phase === 'deciding') {
      if (result.kind === 'refused') {
        this.#do({ kind: 'ask', partnerKey: open.change.partnerKey, call: { method: 'abort', id } });
        this.#endRefused(open, result.problem);
        return;
      }
      open.phase = 'committed';
      this.#ask(open, { method: 'commit', id });
    } else if (open.side === 'participant' && open.phase === 'committing') {
      if (result.kind === 'refused') {
        // A promise must be kept: it is tried again when asked again, and shown as in doubt until then.
        open.phase = 'prepared';
        open.askAtMs = this.#nowMs + RESEND_EVERY_MS;
        this.#replyAll(open, { kind: 'no', problem: result.problem });
        this.#do({ kind: 'event', problem: result.problem });
        return;
      }
      open.phase = 'settled';
      open.outcome = 'committed';
      open.askAtMs = this.#nowMs + RESEND_EVERY_MS;
      this.#replyAll(open, { kind: 'done' });
    }
  }

  #endByHand(id: string, outcome: 'commit' | 'abort'): void {
    const open = this.#open.get(id);
    if (open === undefined || standingOf(open) === undefined || standingOf(open) === 'under-way') return;
    if (open.side === 'coordinator' || open.phase === 'settled') {
      // It is in force here already (or was given up here); all that is left is to stop asking the other server.
      this.#drop(open);
      return;
    }
    if (open.phase !== 'prepared') return;
    open.byHand = true;
    if (outcome === 'commit') this.#revise(open);
    else this.#release(open);
  }

  #askWhatIsDue(): void {
    for (const open of this.#open.values()) {
      if (!wantsToAsk(open) || open.askAtMs > this.#nowMs) continue;
      const method = open.side === 'coordinator' ? 'commit' : 'outcome';
      this.#ask(open, { method, id: open.change.id });
    }
  }

  #ask(open: Open, call: PartnerCall): void {
    open.asking = true;
    this.#do({ kind: 'ask', partnerKey: open.change.partnerKey, call });
  }

  #refusal(change: Change): Problem | undefined {
    const holder = this.holderOf(change.locks);
    if (holder !== undefined) return busy(change, 'another change of it is under way');
    if (this.#open.size >= OPEN_CHANGES_MAX) return { code: 'change/too-many', slots: { count: this.#open.size } };
    return undefined;
  }

  #wait(open: Open, token: number, method: PartnerCall['method']): void {
    if (open.waiting.length >= WAITING_CALLS_MAX) {
      this.#reply(token, { kind: 'no', problem: busy(open.change, 'too many calls wait for it') });
      return;
    }
    open.waiting.push({ token, method });
  }

  #replyAll(open: Open, answer: CallAnswer): void {
    for (const { token } of open.waiting.splice(0)) this.#reply(token, answer);
  }

  #reply(token: number, answer: CallAnswer): void {
    this.#do({ kind: 'reply', token, answer });
  }

  #end(open: Open, result: Extract<ChangeEffect, { kind: 'end' }>['result']): void {
    if (!open.operatorWaits) return;
    open.operatorWaits = false;
    this.#do({ kind: 'end', id: open.change.id, result });
  }

  #endRefused(open: Open, problem: Problem): void {
    this.#open.delete(open.change.id);
    this.#end(open, { kind: 'refused', problem });
  }

  #drop(open: Open): void {
    this.#open.delete(open.change.id);
    this.#do({ kind: 'forget', id: open.change.id });
  }

  #endedDifferently(open: Open, here: 'commit' | 'abort', there: string): void {
    if (open.byHand && open.side === 'coordinator') return;
    const { id, relationship, partnerKey } = open.change;
    const slots = { id, name: relationship, partner: partnerKey, here, there };
    this.#do({ kind: 'event', problem: { code: 'change/ended-differently', slots, target: relationship } });
  }

  #do(effect: ChangeEffect): void {
    this.#effects.push(effect);
  }
}

function makeOpen(change: Change, side: Open['side'], phase: Phase): Open {
  return {
    change,
    side,
    phase,
    wins: false,
    byHand: false,
    outcome: undefined,
    operatorWaits: false,
    abortWanted: false,
    asking: false,
    askAtMs: 0,
    waiting: [],
  };
}

function storedOf(open: Open, state: StoredChange['state']): StoredChange {
  return { side: open.side, state, change: open.change, byHand: open.byHand };
}

function wantsToAsk(open: Open): boolean {
  if (open.asking) return false;
  return open.phase === 'committed' || open.phase === 'prepared' || open.phase === 'settled';
}

function outcomeOf(open: Open): 'committed' | 'undecided' {
  return open.phase === 'committed' ? 'committed' : 'undecided';
}

function standingOf(open: Open): OpenChange['standing'] | undefined {
  switch (open.phase) {
    case 'prepared':
      return 'in-doubt';
    case 'committed':
      return 'unconfirmed';
    case 'settled':
      return open.byHand ? 'ended-by-hand' : undefined;
    default:
      return 'under-way';
  }
}

function busy(change: Change, why: string): Problem {
  return { code: 'failover/busy', slots: { name: change.relationship, why }, target: change.relationship };
}

function unreachable(change: Change, answer: AskAnswer): Problem {
  const why = answer.kind === 'nobody' ? answer.why : `it answered ${answer.kind} to prepare`;
  return { code: 'partner/unreachable', slots: { partner: change.partnerKey, why } };
}
