/**
 * The rules of failover specification 7 about the states of the two servers: legal steps by the printed table (I24), never NORMAL
 * alone (I23), UPDDONE with everything (I17), the winner of a conflict (I25); which cells of the tables are reached; and whether P1
 * holds.
 */
import type { Binding } from '../core/bindings/binding.ts';
import type { RelationshipRecord } from '../core/failover/endpoint-types.ts';
import { DEFAULT_LIMITS } from '../core/failover/limits.ts';
import { type FailoverMessage, FLAG_STARTUP, type ServerState } from '../wire/failover/messages.ts';
import type { Ip4 } from '../wire/units.ts';
import { isSameClient } from './binding-rows.ts';
import {
  afterLoss,
  EVENT_CELLS,
  flagCell,
  isOwnState,
  lossCell,
  nextState,
  type OwnState,
  startupCell,
  type ToldState,
  tableCell,
} from './cells.ts';
import { describeBinding, shortAddress } from './describe.ts';
import type { ServerProcess } from './process.ts';
import { serves } from './rights-view.ts';
import { otherSide, SIDES, type Side } from './sides.ts';
import type { CheckerView, WorldView } from './views.ts';
import type { Report } from './violation.ts';

const BOTH_DOWN_MS_MAX = 5000;
/** A tenth less, for clocks that drift. */
const STARTUP_MS_MIN = DEFAULT_LIMITS.startupWaitSec * 900;

/** Steps that no STATE of the partner leads to, by what does. */
const STEPS_OF_UPDDONE: ReadonlySet<string> = new Set([
  'recover>recover-wait',
  'recover>recover-done',
  'potential-conflict>conflict-done',
  'potential-conflict>normal',
]);
const STEPS_OF_TIME: ReadonlySet<string> = new Set([
  'recover-wait>recover-done',
  'communications-interrupted>partner-down',
  'resolution-interrupted>partner-down',
]);

type StateMessage = FailoverMessage & { readonly kind: 'state' };

interface Heard {
  readonly state: ServerState;
  readonly sinceAt: number;
  readonly flags: number;
}

/** How a server stood before the message that it handles. */
interface Handling {
  readonly message: FailoverMessage;
  readonly before: ServerState | 'standalone';
  readonly kept: OwnState | undefined;
  readonly lastOperationalAt: number;
  readonly isNews: boolean;
  hasLostContact: boolean;
  hasLostStore: boolean;
}

export class StateChecks {
  readonly #world: WorldView;
  readonly #checker: CheckerView;
  readonly #report: Report;
  #bothDownSinceMs: number | undefined;
  readonly #heard: Record<Side, Heard | undefined> = { a: undefined, b: undefined };
  readonly #handling: Record<Side, Handling | undefined> = { a: undefined, b: undefined };
  /** The state as the events tell it: at the time of an event the core has done the whole step. */
  readonly #told: Record<Side, string> = { a: 'startup', b: 'startup' };
  readonly #records: Record<Side, RelationshipRecord | undefined> = { a: undefined, b: undefined };
  /** When each entered PARTNER-DOWN, by its own clock; over restarts (P of 5.5). */
  readonly #downSinceAt: Record<Side, number> = { a: 0, b: 0 };
  /** Went to RECOVER since its store was lost or put back. */
  readonly #hasRecovered: Record<Side, boolean> = { a: true, b: true };
  /** The state that the log had when the process began. */
  readonly #startedFrom: Record<Side, OwnState | undefined> = { a: undefined, b: undefined };
  /** The primary's clients on addresses that both servers have leased, found on entering POTENTIAL-CONFLICT (I25). */
  readonly #winners = new Map<Ip4, { readonly binding: Binding; readonly foundAt: number }>();

  constructor(world: WorldView, checker: CheckerView, report: Report) {
    this.#world = world;
    this.#checker = checker;
    this.#report = report;
  }

  born(process: ServerProcess): void {
    this.#told[process.side] = 'startup';
    this.#records[process.side] = process.core.endpoint(process.relationship)?.record();
    this.#handling[process.side] = undefined;
    const kept = this.#records[process.side]?.state;
    this.#startedFrom[process.side] = kept !== undefined && isOwnState(kept) ? kept : undefined;
  }

  connected(side: Side): void {
    this.#heard[side] = undefined;
  }

  arrived(process: ServerProcess, message: FailoverMessage): void {
    const { side } = process;
    const before = process.state();
    this.#told[side] = before;
    if (
      message.kind !== 'state' &&
      message.kind !== 'upddone' &&
      message.kind !== 'connect' &&
      message.kind !== 'connectack'
    )
      return;
    const record = process.core.endpoint(process.relationship)?.record();
    const kept = record !== undefined && isOwnState(record.state) ? record.state : undefined;
    const isNews = message.kind === 'state' && this.#isNews(side, message);
    this.#handling[side] = {
      message,
      before,
      kept,
      lastOperationalAt: record?.lastOperationalAt ?? 0,
      isNews,
      hasLostContact: false,
      hasLostStore: false,
    };
  }

  #isNews(side: Side, message: StateMessage): boolean {
    const { serverState: state, stateSinceAt: sinceAt, serverFlags: flags } = message;
    const heard = this.#heard[side];
    if (state === undefined || state === 'startup') return false;
    this.#heard[side] = { state, sinceAt, flags };
    return heard?.state !== state || heard.sinceAt !== sinceAt || heard.flags !== flags;
  }

  handled(process: ServerProcess): void {
    const { side } = process;
    const handling = this.#handling[side];
    this.#handling[side] = undefined;
    this.#told[side] = process.state();
    if (handling === undefined) return;
    if (handling.message.kind === 'state') this.#afterState(process, handling, handling.message);
    else if (handling.message.kind === 'upddone') this.#afterDone(process, handling);
  }

  /** The cell that the message met, and what came of it. */
  #afterState(process: ServerProcess, handling: Handling, message: StateMessage): void {
    const { before, kept } = handling;
    if (kept === undefined || before === 'paused' || before === 'shutdown' || before === 'standalone') return;
    const isLeaving = before === 'startup';
    if ((!handling.isNews && !isLeaving) || message.serverState === undefined || message.serverState === 'startup')
      return;
    const told: ToldState = message.serverState;
    const own = isLeaving ? this.#leftStartup(handling, kept, told, message.stateSinceAt) : kept;
    const isFlagged = (message.serverFlags & FLAG_STARTUP) !== 0;
    const { coverage } = this.#checker;
    if (isFlagged) coverage.reach(flagCell(own));
    const isHeld = isFlagged && isHeldBack(own, told);
    if (!isHeld) coverage.reach(tableCell(own, told));
    const expected = isHeld ? own : nextState(own, told);
    const now = process.state();
    this.#checker.looked('I24');
    const isCut = handling.hasLostContact && (now === afterLoss(own) || now === afterLoss(expected));
    if (now !== expected && !isCut && !(handling.hasLostStore && now === 'recover'))
      this.#report(
        'I24',
        `${process.side} in ${own} hears ${told}${isFlagged ? ' (STARTUP)' : ''} and is in ${now}, not in ${expected}`,
      );
  }

  /** Specification 4.3, steps 2 and 5. */
  #leftStartup(handling: Handling, kept: OwnState, told: ToldState, toldSinceAt: number): OwnState {
    const base = afterLoss(kept);
    const { coverage } = this.#checker;
    coverage.reach(startupCell(kept, 'contact'));
    const isRecovering = base === 'recover' || base === 'recover-wait' || base === 'recover-done';
    const wentOnAlone = told === 'partner-down' && !isRecovering && base !== 'partner-down';
    if (!wentOnAlone || toldSinceAt < handling.lastOperationalAt) return base;
    coverage.reach(EVENT_CELLS.wentOnAlone);
    return 'recover';
  }

  /** I17 from the other end: who asked for everything has everything. */
  #afterDone(process: ServerProcess, handling: Handling): void {
    const { side } = process;
    const now = process.state();
    const { coverage } = this.#checker;
    if (handling.before === 'recover' && now === 'recover-wait') coverage.reach(EVENT_CELLS.doneToWait);
    if (handling.before === 'recover' && now === 'recover-done') coverage.reach(EVENT_CELLS.doneToDone);
    if (handling.before === 'potential-conflict' && now === 'conflict-done') coverage.reach(EVENT_CELLS.conflictDone);
    if (handling.before === 'potential-conflict' && now === 'normal') coverage.reach(EVENT_CELLS.conflictOver);
    if (handling.before !== 'recover' || now === 'recover') return;
    if (now === 'recover-done' && (this.#records[side]?.recoverWaitUntilAt ?? 0) > process.now.wallAt)
      this.#report('I24', `${side} goes to recover-done while leases given before a loss may run`);
    const there = this.#world.hosts[otherSide(side)].process;
    if (there === undefined) return;
    this.#checker.looked('I17');
    for (const address of this.#checker.addresses) {
      const ours = process.table.find(address);
      const theirs = there.table.find(address);
      if (ours === undefined || theirs === undefined || theirs.dirty || ours.dirty) continue;
      if (!process.table.isInPool(address) || !process.isShared(address) || !there.isShared(address)) continue;
      if (isSameState(ours, theirs)) continue;
      this.#report(
        'I17',
        `${side} has its UPDDONE, and of ${shortAddress(address)} it has ${describeBinding(ours)}, ${there.side} ${describeBinding(theirs)}`,
        address,
      );
    }
  }

  event(process: ServerProcess, code: string, slots: Readonly<Record<string, string | number>>): void {
    const { side } = process;
    const { coverage } = this.#checker;
    switch (code) {
      case 'failover/state-changed':
        this.#changed(process, String(slots.from), String(slots.to));
        return;
      case 'failover/partner-lost': {
        const handling = this.#handling[side];
        if (handling !== undefined) handling.hasLostContact = true;
        const own = this.#told[side];
        if (isOwnState(own)) coverage.reach(lossCell(own));
        if (slots.why === 'updates stay unanswered')
          coverage.reach(own === 'recover' ? EVENT_CELLS.askedInVain : EVENT_CELLS.unanswered);
        return;
      }
      case 'failover/own-store-old': {
        const handling = this.#handling[side];
        if (handling !== undefined) handling.hasLostStore = true;
        coverage.reach(EVENT_CELLS.ownStoreOld);
        return;
      }
      case 'failover/auto-partner-down':
        coverage.reach(EVENT_CELLS.safePeriod);
        return;
      default:
    }
  }

  #changed(process: ServerProcess, from: string, to: string): void {
    const { side } = process;
    this.#told[side] = to;
    if (to === 'partner-down') this.#downSinceAt[side] = process.now.wallAt;
    this.#checker.looked('I24');
    if (!this.#isLegal(side, from, to)) this.#report('I24', `${side} goes from ${from} to ${to}`);
    if (from === 'recover-wait' && to === 'recover-done')
      this.#checker.coverage.reach(
        this.#world.hosts[side].isCommunicating() ? EVENT_CELLS.waitedConnected : EVENT_CELLS.waitedAlone,
      );
    if (to === 'potential-conflict') this.#noteWinners();
    this.notePartnerServes();
  }

  #isLegal(side: Side, from: string, to: string): boolean {
    // RECOVER is entered from anywhere: the store is found lost or old, or the partner went on alone.
    if (to === 'recover') return true;
    if (!isOwnState(from)) return false;
    const step = `${from}>${to}`;
    const handling = this.#handling[side];
    if (afterLoss(from) === to && from !== to) return true;
    if (handling === undefined) return STEPS_OF_TIME.has(step);
    if (handling.message.kind === 'upddone') return STEPS_OF_UPDDONE.has(step);
    if (handling.message.kind !== 'state' || handling.message.serverState === undefined) return false;
    return handling.message.serverState !== 'startup' && nextState(from, handling.message.serverState) === to;
  }

  /** The durable record of a server, whether its process lives or not. */
  saved(side: Side, record: RelationshipRecord): void {
    this.#records[side] = record;
    if (record.state === 'recover') this.#hasRecovered[side] = true;
  }

  storeChanged(side: Side): void {
    this.#records[side] = undefined;
    this.#hasRecovered[side] = false;
    this.#winners.clear();
  }

  /** The relationship is gone from this server, and with it everything that was to be remembered of it. */
  left(side: Side): void {
    this.#records[side] = undefined;
    this.#hasRecovered[side] = true;
  }

  /** P by what was seen: the partner may have been heard a little before the state was entered. */
  downSinceAt(side: Side): number {
    return this.#downSinceAt[side];
  }

  /** P1, whichever of the two changed. */
  notePartnerServes(): void {
    for (const side of SIDES) {
      const record = this.#records[side];
      if (record?.state !== 'partner-down' || record.holdsAllData) continue;
      const other = this.#world.hosts[otherSide(side)];
      if (other.process !== undefined && serves(other.process))
        this.#checker.excuse(side, `${side} holds ${other.side} for down, which serves in ${other.state()}`);
    }
  }

  /** An operator's word, before it is carried out. */
  commanded(process: ServerProcess, kind: 'partner-down' | 'shutdown' | 'pause' | 'resume'): void {
    const { coverage } = this.#checker;
    const state = process.state();
    if (kind === 'partner-down') {
      if (state === 'communications-interrupted') coverage.reach(EVENT_CELLS.operatorInterrupted);
      if (state === 'resolution-interrupted') coverage.reach(EVENT_CELLS.operatorResolution);
    } else if (state !== 'standalone') coverage.reach(EVENT_CELLS[kind]);
  }

  look(): void {
    const [a, b] = SIDES.map((side) => this.#world.hosts[side].process);
    this.notePartnerServes();
    for (const side of SIDES) this.#lookAt(this.#world.hosts[side].process);
    if (a === undefined || b === undefined) {
      this.#bothDownSinceMs = undefined;
      return;
    }
    this.#checkBothDown(a, b);
  }

  /** I22, I23; and STARTUP that ended without contact. */
  #lookAt(process: ServerProcess | undefined): void {
    if (process === undefined) return;
    const state = process.state();
    const { side } = process;
    if (this.#told[side] === 'startup' && isOwnState(state) && !process.link.isAttached) {
      this.#checkStartup(process, state);
      const previous = this.#startedFrom[side];
      if (previous !== undefined) this.#checker.coverage.reach(startupCell(previous, 'no contact'));
    }
    this.#told[side] = state;
    const silentMs = process.now.monoMs - process.link.lastReceivedMs;
    const limitMs = DEFAULT_LIMITS.receiveTimerSec * 1000 + 1000;
    if (state === 'normal') {
      this.#checker.looked('I23');
      if (silentMs > limitMs) this.#report('I23', `${side} is NORMAL and has heard nothing for ${silentMs} ms`);
    }
    if (this.#world.hosts[side].isCommunicating() && silentMs > limitMs)
      this.#report('I22', `${side} has heard nothing for ${silentMs} ms and holds the link for alive`);
  }

  /** Specification 4.3: without contact STARTUP lasts its time, except on the server of a new relationship that has all data. */
  #checkStartup(process: ServerProcess, state: OwnState): void {
    const { side } = process;
    if (this.#startedFrom[side] === undefined || this.#records[side]?.holdsAllData === true) return;
    this.#checker.looked('I24');
    const lastedMs = this.#world.nowMs - process.bornMs;
    if (lastedMs < STARTUP_MS_MIN)
      this.#report('I24', `${side} is in ${state} ${lastedMs} ms after its start, and has not heard its partner`);
  }

  #checkBothDown(a: ServerProcess, b: ServerProcess): void {
    const areBoth = [a, b].every(
      (process) => process.state() === 'partner-down' && this.#world.hosts[process.side].isCommunicating(),
    );
    if (!areBoth) this.#bothDownSinceMs = undefined;
    else {
      this.#checker.looked('I23');
      this.#bothDownSinceMs ??= this.#world.nowMs;
      if (this.#world.nowMs - this.#bothDownSinceMs > BOTH_DOWN_MS_MAX)
        this.#report('I23', 'both are in PARTNER-DOWN and talk to each other');
    }
  }

  /** I25: which addresses both servers have leased to different clients, whose leases run. */
  #noteWinners(): void {
    const { a, b } = this.#world.hosts;
    if (a.process === undefined || b.process === undefined) return;
    const states = SIDES.map((side) => this.#world.hosts[side].state());
    if (!states.every((state) => state === 'potential-conflict' || state === 'partner-down')) return;
    if (this.#checker.isForgetful('a') || this.#checker.isForgetful('b')) return;
    for (const address of this.#checker.addresses) {
      const ours = a.process.table.find(address);
      const theirs = b.process.table.find(address);
      if (ours?.state !== 'active' || theirs?.state !== 'active' || isSameClient(ours, theirs)) continue;
      const nowAt = Math.max(a.process.now.wallAt, b.process.now.wallAt);
      // Long enough that neither is over before the conflict is settled.
      if (ours.leaseEndAt < nowAt + CONFLICT_SEC_MAX || theirs.leaseEndAt < nowAt + CONFLICT_SEC_MAX) continue;
      this.#winners.set(address, { binding: ours, foundAt: nowAt });
    }
  }

  /** Both are in NORMAL again: the primary's clients have kept their addresses, in both tables. */
  settled(): void {
    for (const side of SIDES) {
      if (this.#hasRecovered[side]) continue;
      this.#checker.looked('I19');
      this.#report('I19', `${side} is in NORMAL with a store that was lost or put back, and has not recovered`);
    }
    if (this.#winners.size === 0) return;
    for (const [address, { binding: winner, foundAt }] of this.#winners) {
      this.#checker.looked('I25');
      for (const side of SIDES) {
        const { process } = this.#world.hosts[side];
        const binding = process?.table.find(address);
        if (process === undefined || binding?.state !== 'active' || process.now.wallAt >= winner.leaseEndAt) continue;
        // A client that spoke to a server since has changed it again.
        if (binding.lastTransactionAt <= foundAt && !isSameClient(binding, winner))
          this.#report(
            'I25',
            `${side} has ${shortAddress(address)} ${describeBinding(binding)} after the conflict, the primary had ${describeBinding(winner)}`,
          );
      }
    }
    this.#winners.clear();
  }
}

/** A conflict is settled within this, or its leases say nothing any more. */
const CONFLICT_SEC_MAX = 30;

/** "With flag STARTUP": PARTNER-DOWN ignores it, and nobody leaves for POTENTIAL-CONFLICT merely by it. */
function isHeldBack(own: OwnState, told: ToldState): boolean {
  if (own === 'partner-down') return true;
  if (own !== 'resolution-interrupted' && own !== 'communications-interrupted') return false;
  return told === 'potential-conflict' || told === 'resolution-interrupted';
}

/** The end of a lease that both have agreed to is FREE at both; what waits for agreement is not yet. */
function isSameState(a: Binding, b: Binding): boolean {
  if (a.state !== b.state) return false;
  return a.state !== 'active' || isSameClient(a, b);
}
