/**
 * The rules of failover specification 7 about messages, watched at the link: order of writes (I6), no revival (I9), window (I11),
 * one answer (I12), duels (I13), idempotence (I14), quiet apply (I15), UPDDONE (I17), keep-alive (I22), xids (I26).
 */
import type { Binding } from '../core/bindings/binding.ts';
import {
  type BindingAnswer,
  type BindingUpdate,
  type FailoverMessage,
  FLAG_STARTUP,
  type OutMessage,
} from '../wire/failover/messages.ts';
import { type EpochSec, type Ip4, sameBytes } from '../wire/units.ts';
import { afterLoss, type DuelKind, duelCell, isOwnState } from './cells.ts';
import { describeBinding, shortAddress } from './describe.ts';
import { Horizons } from './horizons.ts';
import type { ServerProcess } from './process.ts';
import { isSameLease } from './same-binding.ts';
import { otherSide, type Side } from './sides.ts';
import type { CheckerView, LinkView, WorldView } from './views.ts';
import type { Report } from './violation.ts';

/** Specification 1.9: half of the 10 s that both sides advertise, and what the loop may be late. */
const GAP_MS_MAX = 5500;
/** The engine cuts a connection on which an update stays unanswered for 60 s; a stalled disk holds the message back before. */
const ANSWER_MS_MAX = 90_000;
/** Updates of one address between the servers, without any change at either but what the other's updates made. */
const ECHOES_MAX = 8;
/** A refused update is sent again after 30 s; that is no echo. */
const ECHO_MS_MAX = 20_000;

interface Flight {
  readonly updates: readonly BindingUpdate[];
  readonly sentMs: number;
}

/** One direction of the present connection. */
interface Direction {
  /** Unanswered updates by xid. */
  readonly flights: Map<number, Flight>;
  readonly addresses: Map<Ip4, BindingUpdate>;
  /** Updates that wait for the disk before they leave: for the engine they are under way already. */
  readonly queued: Map<Ip4, BindingUpdate>;
  partnersWindow: number;
  lastLeftMs: number;
  hasState: boolean;
  /** The last xid of this side's own numbering on this connection. */
  lastXid: number;
}

/** The last update of an address that was accepted, and what came of it. */
interface Applied {
  readonly update: BindingUpdate;
  readonly result: Binding | undefined;
}

export class LinkChecks implements LinkView {
  readonly #report: Report;
  readonly #world: WorldView;
  readonly #checker: CheckerView;
  readonly #horizons: Horizons;
  readonly #directions: Record<Side, Direction> = { a: newDirection(), b: newDirection() };
  /** Ends of leases that were sent and are not answered, over connections and lives (I9). */
  readonly #ends: Record<Side, Set<Ip4>> = { a: new Set(), b: new Set() };
  /** Ends in messages that wait for the disk, by xid: what was accepted from the partner before they leave settles them. */
  readonly #queuedEnds: Record<Side, Map<Ip4, number>> = { a: new Map(), b: new Map() };
  readonly #applied: Record<Side, Map<Ip4, Applied>> = { a: new Map(), b: new Map() };
  /** The update message that a side is handling. */
  readonly #arrived: Record<Side, readonly BindingUpdate[] | undefined> = { a: undefined, b: undefined };
  /** What the answer that a side is handling was about. */
  readonly #answered: Record<Side, readonly BindingUpdate[]> = { a: [], b: [] };
  /** Accepted again, so that nothing may have changed by it. */
  readonly #again: Record<Side, Set<Ip4>> = { a: new Set(), b: new Set() };
  /** The same update left other times behind, which is right only if this step also tells the partner of the address. */
  readonly #excused: Record<Side, Map<Ip4, string>> = { a: new Map(), b: new Map() };
  /** Addresses that both servers had an update of under way at the same time. */
  readonly duelled = new Set<Ip4>();
  readonly #echoes = new Map<Ip4, { readonly count: number; readonly lastMs: number }>();
  readonly counts: Record<string, number> = {};
  lastUpdateMs = 0;

  constructor(world: WorldView, checker: CheckerView, report: Report) {
    this.#world = world;
    this.#checker = checker;
    this.#report = report;
    this.#horizons = new Horizons(world, checker, report);
  }

  connected(side: Side): void {
    this.#directions[side] = { ...newDirection(), lastLeftMs: this.#world.nowMs };
    this.#queuedEnds[side].clear();
    this.#echoes.clear();
  }

  /** A wiped or older store knows nothing of what it sent. */
  forget(side: Side): void {
    this.#ends[side].clear();
    this.#applied[side].clear();
    this.#applied[otherSide(side)].clear();
  }

  born(process: ServerProcess): void {
    this.#horizons.born(process);
    this.#applied[process.side].clear();
  }

  /** The address became available in the table of this side: what was promised for it is over there. */
  available(side: Side, address: Ip4): void {
    this.#horizons.end(side, address);
  }

  expectedUntilAt(side: Side, binding: Binding): number {
    return this.#horizons.of(side, binding);
  }

  hasUnansweredEnd(side: Side, address: Ip4): boolean {
    this.#checker.looked('I9');
    return this.#ends[side].has(address);
  }

  /** A binding changed here for a reason of its own, so that the partner must hear of it. */
  changedByItself(side: Side, address: Ip4): void {
    this.#applied[side].delete(address);
    this.#echoes.delete(address);
  }

  queued(process: ServerProcess, message: OutMessage, afterSequence: number): void {
    this.#checker.looked('I6');
    if (afterSequence === 0 && message.kind !== 'contact') {
      // Before anything was ever saved there is nothing to wait for.
      if (process.saved.size > 0)
        this.#report('I6', `${process.side} lets ${message.kind} leave without waiting for the log`);
      return;
    }
    if (message.kind === 'bndack') this.#answerQueued(process, message, afterSequence);
    else if (message.kind === 'bndupd')
      for (const update of message.updates) this.#updateQueued(process, message.xid, update, afterSequence);
    else if (message.kind === 'state') this.#stateMustBeSaved(process, message, afterSequence);
    else if (message.kind === 'upddone') this.#doneQueued(process, message.xid);
  }

  #answerQueued(process: ServerProcess, message: OutMessage & { kind: 'bndack' }, afterSequence: number): void {
    const { side } = process;
    for (const { address, rejectReason } of message.answers) {
      const update = this.#arrived[side]?.find((candidate) => candidate.address === address);
      if (rejectReason !== undefined) {
        // An address of a scope that has left the relationship here, and not there yet, is none of its addresses any more.
        if (this.#again[side].has(address) && process.isShared(address))
          this.#report('I14', `${side} refuses an update of ${shortAddress(address)} that it had accepted`, address);
        continue;
      }
      this.#mustBeSaved(process, address, afterSequence, 'BNDACK');
      this.#ends[side].delete(address);
      this.#queuedEnds[side].delete(address);
      if (update === undefined) continue;
      this.#horizons.accepted(process, update);
      this.#noteApplied(process, update);
    }
  }

  /** I14. */
  #noteApplied(process: ServerProcess, update: BindingUpdate): void {
    const { side } = process;
    const result = process.table.find(update.address);
    const before = this.#applied[side].get(update.address);
    this.#applied[side].set(update.address, { update, result });
    if (!this.#again[side].has(update.address) || before?.result === undefined || result === undefined) return;
    if (isSameLease(before.result, result)) return;
    const what = `${side}: the same update of ${shortAddress(update.address)} makes something else of it: ${describeBinding(result)}`;
    if (isSameLease(asTold(before.result), result)) this.#excused[side].set(update.address, what);
    else this.#report('I14', what, update.address);
  }

  #updateQueued(process: ServerProcess, xid: number, update: BindingUpdate, afterSequence: number): void {
    const { address } = update;
    this.#directions[process.side].queued.set(address, update);
    this.#excused[process.side].delete(address);
    if (isEnd(update.state)) this.#queuedEnds[process.side].set(address, xid);
    if (process.saved.has(address)) this.#mustBeSaved(process, address, afterSequence, 'BNDUPD');
    const told = process.table.find(address);
    if (told === undefined || update.state !== 'active') return;
    if (told.sentPotentialAt < (update.potentialEndAt ?? 0))
      this.#report('I6', `${process.side}: sentPET of ${shortAddress(address)} is not kept`, address);
    this.#checker.looked('I4');
    if ((update.potentialEndAt ?? 0) < (update.leaseEndAt ?? 0))
      this.#report('I4', `${process.side}: PET of ${shortAddress(address)} is before its LET`, address);
    if (!told.told) this.#report('I6', `${process.side}: ${shortAddress(address)} is told and not marked so`, address);
  }

  /** I17: outside NORMAL nothing is under way but what was asked for. */
  #doneQueued(process: ServerProcess, xid: number): void {
    this.#checker.looked('I17');
    const { side } = process;
    const { flights, queued } = this.#directions[side];
    const isAnsweringRecovery =
      process.state() !== 'normal' && this.#world.hosts[otherSide(side)].state() === 'recover';
    if (isAnsweringRecovery && flights.size + queued.size > 0)
      this.#report(
        'I17',
        `${side} says UPDDONE #${xid} while ${flights.size + queued.size} of its updates are not answered`,
      );
  }

  leaving(process: ServerProcess, message: OutMessage): void {
    this.counts[message.kind] = (this.counts[message.kind] ?? 0) + 1;
    const { side } = process;
    const direction = this.#directions[side];
    const { nowMs } = this.#world;
    this.#checker.looked('I22');
    if (direction.hasState && nowMs - direction.lastLeftMs > GAP_MS_MAX)
      this.#report('I22', `${side} was silent for ${nowMs - direction.lastLeftMs} ms before ${message.kind}`);
    direction.lastLeftMs = nowMs;
    if (message.kind === 'state') direction.hasState = true;
    this.#checkXid(side, direction, message);
    if (message.kind === 'bndupd') this.#updateLeaves(side, direction, message.xid, message.updates);
  }

  /** I26: the numbers of a connection begin anew and go up; answers carry the number of their question. */
  #checkXid(side: Side, direction: Direction, message: OutMessage): void {
    // CONTACT does not wait for the disk, and overtakes what has its number before it.
    if (isAnswer(message.kind) || message.kind === 'contact') return;
    if (direction.lastXid === 0 && message.xid > FIRST_XIDS)
      this.#report('I26', `${side} begins a connection with ${message.kind} #${message.xid}`);
    if (message.xid <= direction.lastXid)
      this.#report('I26', `${side} sends ${message.kind} #${message.xid} after #${direction.lastXid}`);
    direction.lastXid = message.xid;
  }

  arrived(process: ServerProcess, message: FailoverMessage): void {
    const { side } = process;
    const direction = this.#directions[side];
    this.#arrived[side] = undefined;
    this.#again[side].clear();
    this.#excused[side].clear();
    if ((message.kind === 'connect' || message.kind === 'connectack') && message.maxUnacked !== undefined)
      direction.partnersWindow = message.maxUnacked;
    if (message.kind === 'bndupd') this.#updatesArrive(process, message.updates);
    if (message.kind === 'bndack') this.#answerArrives(process, direction, message);
  }

  #updatesArrive(process: ServerProcess, updates: readonly BindingUpdate[]): void {
    const { side } = process;
    this.#arrived[side] = updates;
    const mine = this.#directions[side];
    for (const update of updates) {
      const { address } = update;
      const own = mine.addresses.get(address) ?? mine.queued.get(address);
      if (own !== undefined) {
        this.#checker.looked('I13');
        this.duelled.add(address);
        this.#checker.coverage.reach(duelCell(duelKind(own.state), update.state === 'active'));
        continue;
      }
      const before = this.#applied[side].get(address);
      if (before === undefined || !isSameUpdate(before.update, update)) continue;
      // Nothing else may have been written meanwhile, here or there.
      const present = process.table.find(address);
      if (before.result === undefined || present === undefined || !isSameLease(before.result, present)) continue;
      // With a lost store it takes everything anew, and trusts nothing that it still has.
      if (process.core.endpoint(process.relationship)?.record().wantsAll === true) continue;
      this.#checker.looked('I14');
      this.#again[side].add(address);
    }
  }

  #answerArrives(process: ServerProcess, direction: Direction, message: FailoverMessage & { kind: 'bndack' }): void {
    const { side } = process;
    this.#checker.looked('I12');
    const flight = direction.flights.get(message.xid);
    if (flight === undefined) {
      this.#report('I12', `${side} gets an answer to #${message.xid}, which it has not sent on this connection`);
      return;
    }
    direction.flights.delete(message.xid);
    const { updates } = flight;
    this.#answered[side] = updates;
    if (!isAboutEach(message.answers, updates))
      this.#report('I12', `${side}: the answer to #${message.xid} names other addresses`);
    for (let i = 0; i < updates.length; i++) {
      const update = updates[i]!;
      direction.addresses.delete(update.address);
      this.#ends[side].delete(update.address);
      if (message.answers[i]?.rejectReason === undefined) this.#horizons.acknowledged(process, update);
    }
  }

  handled(process: ServerProcess): void {
    for (const update of this.#answered[process.side]) this.#horizons.checkAcknowledged(process, update.address);
    this.#answered[process.side] = [];
    for (const [address, what] of this.#excused[process.side]) this.#report('I14', what, address);
    this.#excused[process.side].clear();
    this.#arrived[process.side] = undefined;
    this.#again[process.side].clear();
  }

  /** Now and then: what should have happened and has not. */
  look(process: ServerProcess): void {
    const direction = this.#directions[process.side];
    const { nowMs } = this.#world;
    if (!process.link.isAttached || !direction.hasState || !this.#isCommunicating(process)) return;
    this.#checker.looked('I22');
    if (nowMs - direction.lastLeftMs > GAP_MS_MAX)
      this.#report('I22', `${process.side} has sent nothing for ${nowMs - direction.lastLeftMs} ms`);
    for (const [xid, { sentMs }] of direction.flights) {
      if (nowMs - sentMs > ANSWER_MS_MAX)
        this.#report(
          'I12',
          `${process.side} has had no answer to #${xid} for ${nowMs - sentMs} ms, and the connection lasts`,
        );
      return;
    }
  }

  #isCommunicating(process: ServerProcess): boolean {
    return this.#world.hosts[process.side].isCommunicating();
  }

  #updateLeaves(side: Side, direction: Direction, xid: number, updates: readonly BindingUpdate[]): void {
    this.#checker.looked('I11');
    this.lastUpdateMs = this.#world.nowMs;
    for (const update of updates) {
      const { address, state } = update;
      if (direction.addresses.has(address))
        this.#report('I12', `${side} has two unanswered updates of ${shortAddress(address)}`, address);
      direction.addresses.set(address, update);
      direction.queued.delete(address);
      this.#noteEcho(side, address);
      if (!isEnd(state) || this.#queuedEnds[side].get(address) !== xid) continue;
      this.#queuedEnds[side].delete(address);
      this.#ends[side].add(address);
    }
    direction.flights.set(xid, { updates, sentMs: this.#world.nowMs });
    if (direction.flights.size > direction.partnersWindow)
      this.#report(
        'I11',
        `${side} has ${direction.flights.size} unanswered updates, ${otherSide(side)} takes ${direction.partnersWindow}`,
      );
  }

  /** I15: an update that answers an update that answers an update. */
  #noteEcho(side: Side, address: Ip4): void {
    this.#checker.looked('I15');
    const { nowMs } = this.#world;
    const before = this.#echoes.get(address);
    const echoes = before === undefined || nowMs - before.lastMs > ECHO_MS_MAX ? 1 : before.count + 1;
    this.#echoes.set(address, { count: echoes, lastMs: nowMs });
    if (echoes > ECHOES_MAX)
      this.#report(
        'I15',
        `${side} and ${otherSide(side)} tell each other ${echoes} times of ${shortAddress(address)}, which nobody changed`,
        address,
      );
  }

  #mustBeSaved(process: ServerProcess, address: Ip4, afterSequence: number, what: string): void {
    const saved = process.saved.get(address);
    if (saved === undefined || saved.sequence > afterSequence)
      this.#report('I6', `${process.side}: ${what} of ${shortAddress(address)} does not wait for its record`, address);
    else if (!process.isSavedAsIs(address))
      this.#report('I6', `${process.side}: ${what} of ${shortAddress(address)} is not what was saved`, address);
  }

  #stateMustBeSaved(process: ServerProcess, message: OutMessage & { kind: 'state' }, afterSequence: number): void {
    const saved = process.savedState;
    if (message.serverState === 'paused' || message.serverState === 'shutdown') return;
    const isFlagged = (message.serverFlags & FLAG_STARTUP) !== 0;
    const kept = saved?.record.state;
    // Specification 4.3: in STARTUP the state to come back to is told.
    const expected = isFlagged && kept !== undefined && isOwnState(kept) ? afterLoss(kept) : kept;
    if (saved === undefined || saved.sequence > afterSequence || expected !== message.serverState)
      this.#report('I6', `${process.side} announces ${message.serverState} and has saved ${kept}`);
  }
}

/** CONNECT, or the STATE that follows the secondary's answer, and CONTACTs that overtook them. */
const FIRST_XIDS = 8;

function isAnswer(kind: OutMessage['kind']): boolean {
  return kind === 'bndack' || kind === 'connectack' || kind === 'upddone' || kind === 'poolresp';
}

/** One answer for each update, in their order. */
function isAboutEach(answers: readonly BindingAnswer[], updates: readonly BindingUpdate[]): boolean {
  return answers.length === updates.length && answers.every(({ address }, i) => address === updates[i]!.address);
}

function isEnd(state: string): boolean {
  return state === 'expired' || state === 'released' || state === 'reset';
}

function duelKind(state: BindingUpdate['state']): DuelKind {
  if (state === 'active') return 'ACTIVE';
  if (state === 'abandoned') return 'ABANDONED';
  return isEnd(state) ? 'RELEASED, EXPIRED or RESET' : 'ownership move';
}

/** As the sender of an update of it keeps a binding (specification 6.3). */
function asTold(binding: Binding): Binding {
  const { leaseEndAt, sentPotentialAt, ackedPotentialAt, recvPotentialAt } = binding;
  const reachAt = Math.max(leaseEndAt, sentPotentialAt, ackedPotentialAt, recvPotentialAt) as EpochSec;
  return { ...binding, told: true, sentPotentialAt: reachAt };
}

function isSameUpdate(a: BindingUpdate, b: BindingUpdate): boolean {
  return (
    a.state === b.state &&
    a.leaseEndAt === b.leaseEndAt &&
    a.potentialEndAt === b.potentialEndAt &&
    a.stateSinceAt === b.stateSinceAt &&
    a.lastTransactionAt === b.lastTransactionAt &&
    a.ipFlags === b.ipFlags &&
    sameBytes(a.hardware, b.hardware) &&
    sameBytes(a.clientId, b.clientId) &&
    sameBytes(a.requestOptions, b.requestOptions)
  );
}

function newDirection(): Direction {
  return {
    flights: new Map(),
    addresses: new Map(),
    queued: new Map(),
    partnersWindow: 0,
    lastLeftMs: 0,
    hasState: false,
    lastXid: 0,
  };
}
