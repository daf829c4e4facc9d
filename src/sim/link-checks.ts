/**
 * The rules of failover specification 7 about messages, watched at the link: window (I11), one answer (I12), order of writes (I6),
 * no revival (I9), keep-alive (I22).
 */
import type { FailoverMessage, OutMessage } from '../wire/failover/messages.ts';
import type { Ip4 } from '../wire/units.ts';
import { shortAddress } from './describe.ts';
import type { ServerProcess } from './process.ts';
import { otherSide, type Side } from './sides.ts';
import type { Report } from './violation.ts';

/** Specification 1.9: half of the 10 s that both sides advertise, and what the loop may be late. */
const GAP_MS_MAX = 5500;

/** One direction of the present connection. */
interface Direction {
  /** Unanswered updates by xid. */
  readonly flights: Map<number, readonly Ip4[]>;
  readonly addresses: Set<Ip4>;
  partnersWindow: number;
  lastLeftMs: number;
  hasState: boolean;
}

export class LinkChecks {
  readonly #report: Report;
  readonly #nowMs: () => number;
  readonly #directions: Record<Side, Direction> = { a: newDirection(), b: newDirection() };
  /** Ends of leases that were sent and are not answered, over connections and lives (I9). */
  readonly #ends: Record<Side, Set<Ip4>> = { a: new Set(), b: new Set() };
  /** Ends in messages that wait for the disk, by xid: what was accepted from the partner before they leave settles them. */
  readonly #queuedEnds: Record<Side, Map<Ip4, number>> = { a: new Map(), b: new Map() };
  readonly counts: Record<string, number> = {};
  lastUpdateMs = 0;

  constructor(report: Report, nowMs: () => number) {
    this.#report = report;
    this.#nowMs = nowMs;
  }

  connected(side: Side): void {
    this.#directions[side] = { ...newDirection(), lastLeftMs: this.#nowMs() };
    this.#queuedEnds[side].clear();
  }

  /** A wiped or older store knows nothing of what it sent. */
  forget(side: Side): void {
    this.#ends[side].clear();
  }

  hasUnansweredEnd(side: Side, address: Ip4): boolean {
    return this.#ends[side].has(address);
  }

  queued(process: ServerProcess, message: OutMessage, afterSequence: number): void {
    if (afterSequence === 0 && message.kind !== 'contact') {
      // Before anything was ever saved there is nothing to wait for.
      if (process.saved.size > 0)
        this.#report('I6', `${process.side} lets ${message.kind} leave without waiting for the log`);
      return;
    }
    if (message.kind === 'bndack') {
      for (const { address, rejectReason } of message.answers) {
        if (rejectReason !== undefined) continue;
        this.#mustBeSaved(process, address, afterSequence, 'BNDACK');
        this.#settleEnd(process.side, address);
      }
    } else if (message.kind === 'bndupd') {
      for (const update of message.updates) {
        if (isEnd(update.state)) this.#queuedEnds[process.side].set(update.address, message.xid);
        if (process.saved.has(update.address)) this.#mustBeSaved(process, update.address, afterSequence, 'BNDUPD');
        const told = process.table.find(update.address);
        if (told === undefined || update.state !== 'active') continue;
        if (told.sentPotentialAt < (update.potentialEndAt ?? 0))
          this.#report('I6', `${process.side}: sentPET of ${shortAddress(update.address)} is not kept`);
        if ((update.potentialEndAt ?? 0) < (update.leaseEndAt ?? 0))
          this.#report('I4', `${process.side}: PET of ${shortAddress(update.address)} is before its LET`);
        if (!told.told)
          this.#report('I6', `${process.side}: ${shortAddress(update.address)} is told and not marked so`);
      }
    } else if (message.kind === 'state') this.#stateMustBeSaved(process, message, afterSequence);
  }

  leaving(process: ServerProcess, message: OutMessage): void {
    this.counts[message.kind] = (this.counts[message.kind] ?? 0) + 1;
    const { side } = process;
    const direction = this.#directions[side];
    const nowMs = this.#nowMs();
    if (direction.hasState && nowMs - direction.lastLeftMs > GAP_MS_MAX)
      this.#report('I22', `${side} was silent for ${nowMs - direction.lastLeftMs} ms before ${message.kind}`);
    direction.lastLeftMs = nowMs;
    if (message.kind === 'state') direction.hasState = true;
    if (message.kind === 'bndupd') this.#updateLeaves(side, direction, message.xid, message.updates);
  }

  arrived(process: ServerProcess, message: FailoverMessage): void {
    const { side } = process;
    const direction = this.#directions[side];
    if ((message.kind === 'connect' || message.kind === 'connectack') && message.maxUnacked !== undefined) {
      direction.partnersWindow = message.maxUnacked;
    }
    if (message.kind !== 'bndack') return;
    const addresses = direction.flights.get(message.xid);
    if (addresses === undefined) {
      this.#report('I12', `${side} gets an answer to #${message.xid}, which it has not sent on this connection`);
      return;
    }
    direction.flights.delete(message.xid);
    const answered = message.answers.map((answer) => answer.address);
    if (answered.join() !== addresses.join())
      this.#report('I12', `${side}: the answer to #${message.xid} names other addresses`);
    for (const address of addresses) {
      direction.addresses.delete(address);
      this.#ends[side].delete(address);
    }
  }

  #updateLeaves(
    side: Side,
    direction: Direction,
    xid: number,
    updates: readonly { readonly address: Ip4; readonly state: string }[],
  ): void {
    this.lastUpdateMs = this.#nowMs();
    for (const { address, state } of updates) {
      if (direction.addresses.has(address))
        this.#report('I12', `${side} has two unanswered updates of ${shortAddress(address)}`);
      direction.addresses.add(address);
      if (!isEnd(state) || this.#queuedEnds[side].get(address) !== xid) continue;
      this.#queuedEnds[side].delete(address);
      this.#ends[side].add(address);
    }
    direction.flights.set(
      xid,
      updates.map(({ address }) => address),
    );
    if (direction.flights.size > direction.partnersWindow)
      this.#report(
        'I11',
        `${side} has ${direction.flights.size} unanswered updates, ${otherSide(side)} takes ${direction.partnersWindow}`,
      );
  }

  #mustBeSaved(process: ServerProcess, address: Ip4, afterSequence: number, what: string): void {
    const saved = process.saved.get(address);
    if (saved === undefined || saved.sequence > afterSequence)
      this.#report('I6', `${process.side}: ${what} of ${shortAddress(address)} does not wait for its record`);
    else if (!process.isSavedAsIs(address))
      this.#report('I6', `${process.side}: ${what} of ${shortAddress(address)} is not what was saved`);
  }

  /** The partner's word on the address was taken instead of ours. */
  #settleEnd(side: Side, address: Ip4): void {
    this.#ends[side].delete(address);
    this.#queuedEnds[side].delete(address);
  }

  #stateMustBeSaved(process: ServerProcess, message: OutMessage & { kind: 'state' }, afterSequence: number): void {
    const saved = process.savedState;
    if (message.serverState === 'paused' || message.serverState === 'shutdown') return;
    if (saved === undefined || saved.sequence > afterSequence || saved.record.state !== message.serverState)
      this.#report('I6', `${process.side} announces ${message.serverState} and has saved ${saved?.record.state}`);
  }
}

function isEnd(state: string): boolean {
  return state === 'expired' || state === 'released' || state === 'reset';
}

function newDirection(): Direction {
  return { flights: new Map(), addresses: new Set(), partnersWindow: 0, lastLeftMs: 0, hasState: false };
}
