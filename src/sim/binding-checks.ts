/**
 * Every change of a binding, as the two servers make them: whether it is a row of failover specification 5.2 (I24), whether times
 * only grow (I4), whether the waits of 5.5 were kept (I10), whether a restart gives back what was durable (I26), whether the codec of
 * the log keeps every field, and whether an available address ever belongs to both (I7). One look per record, at that address only.
 */
import { type AvailableState, type Binding, emptyBinding } from '../core/bindings/binding.ts';
import { DEFAULT_LIMITS } from '../core/failover/limits.ts';
import { decodeRecord } from '../core/pipeline/record-codec.ts';
import type { LogRecord } from '../core/pipeline/records.ts';
import type { FailoverMessage } from '../wire/failover/messages.ts';
import { type Ip4, sameBytes } from '../wire/units.ts';
import { type Cause, rowOf } from './binding-rows.ts';
import { BINDING_CELLS } from './cells.ts';
import { describeBinding, shortAddress } from './describe.ts';
import type { ServerProcess } from './process.ts';
import { mayAllocate, mcltSecOf } from './rights-view.ts';
import { isSameBinding } from './same-binding.ts';
import { otherSide, type Side } from './sides.ts';
import type { CheckerView, WorldView } from './views.ts';
import type { Report } from './violation.ts';

/** One record in so many is read back and compared field by field; a field that gets lost is lost in all. */
const READ_BACK_EVERY = 5;

interface Kept {
  readonly binding: Binding;
  readonly sequence: number;
  /** The one appended before, as long as this one may not be durable. */
  readonly before: Kept | undefined;
}

/** What one server's log says of its bindings, in the order it was appended. */
interface Shadow {
  process: ServerProcess | undefined;
  readonly kept: Map<Ip4, Kept>;
  /** Whose the addresses without a record are, by scope. */
  readonly owners: Map<Ip4, AvailableState>;
  /** The store that it is of; a wiped one or an old copy makes it worthless. */
  isOfThisStore: boolean;
}

export class BindingChecks {
  readonly #world: WorldView;
  readonly #checker: CheckerView;
  readonly #report: Report;
  readonly #shadows: Record<Side, Shadow> = { a: newShadow(), b: newShadow() };
  #records = 0;
  /** The message that is being handled, and by whom. */
  #handling: { readonly side: Side; readonly message: FailoverMessage } | undefined;
  #packetAt: Side | undefined;

  constructor(world: WorldView, checker: CheckerView, report: Report) {
    this.#world = world;
    this.#checker = checker;
    this.#report = report;
  }

  storeChanged(side: Side): void {
    this.#shadows[side].kept.clear();
    this.#shadows[side].isOfThisStore = false;
  }

  handling(side: Side, message: FailoverMessage | undefined): void {
    this.#handling = message === undefined ? undefined : { side, message };
  }

  deciding(side: Side | undefined): void {
    this.#packetAt = side;
  }

  /** I26: the table holds what was durable when the process before it ended. */
  born(process: ServerProcess): void {
    // A process that was killed while it handled something never came to its end.
    if (this.#handling?.side === process.side) this.#handling = undefined;
    if (this.#packetAt === process.side) this.#packetAt = undefined;
    const shadow = this.#shadows[process.side];
    if (shadow.isOfThisStore && shadow.process !== undefined) this.#checkReplay(process, shadow);
    shadow.process = process;
    shadow.isOfThisStore = true;
    shadow.kept.clear();
    this.#readOwners(process, shadow);
    for (const address of process.saved.keys()) {
      const binding = process.holds(address) ? process.table.find(address) : undefined;
      if (binding !== undefined) shadow.kept.set(address, { binding, sequence: 0, before: undefined });
    }
  }

  #checkReplay(process: ServerProcess, shadow: Shadow): void {
    this.#checker.looked('I26');
    const durable = process.disk.durableSequence;
    for (const [address, kept] of shadow.kept) {
      const was = newestUpTo(kept, durable)?.binding;
      const now = process.table.find(address);
      if (was === undefined || now === undefined || isSameBinding(was, now)) continue;
      this.#report(
        'I26',
        `${process.side} starts with ${shortAddress(address)} ${describeBinding(now)}, and had durably ${describeBinding(was)}`,
        address,
      );
    }
  }

  appended(process: ServerProcess, record: LogRecord, sequence: number): void {
    if (record.kind === 'relationship') {
      if (record.record.name !== process.relationship) return;
      this.#checker.looked('I26');
      const { stateSinceAt } = record.record;
      if (stateSinceAt > process.now.wallAt)
        this.#report('I26', `${process.side} is in ${record.record.state} since a time that is still to come`);
      return;
    }
    const { kept, owners } = this.#shadows[process.side];
    if (record.kind === 'scope-gone') {
      owners.delete(record.scopeId);
      for (const address of kept.keys()) if (process.table.scopeOf(address) === undefined) kept.delete(address);
    }
    if (record.kind !== 'scope-given' || !process.holds(record.scopeId)) return;
    owners.set(record.scopeId, record.owner);
    for (const [address, { binding }] of kept) {
      const isAvailable = binding.state === 'free' || binding.state === 'backup';
      if (!isAvailable || process.table.scopeOf(address) !== record.scopeId) continue;
      const now = process.table.find(address);
      if (now !== undefined) kept.set(address, { binding: now, sequence, before: kept.get(address) });
    }
  }

  saved(process: ServerProcess, address: Ip4, bytes: Uint8Array, sequence: number): void {
    const { side } = process;
    const { kept } = this.#shadows[side];
    const next = process.table.find(address);
    if (next === undefined) return;
    if (this.#records++ % READ_BACK_EVERY === 0) this.#readBack(process, next, bytes);
    const last = kept.get(address);
    kept.set(address, { binding: next, sequence, before: shortened(last, process.disk.durableSequence) });
    if (process.state() === 'standalone' || !process.isShared(address)) return;
    const before = last?.binding ?? this.#neverUsed(process, next);
    const cause = this.#causeOf(process, address);
    this.#checkStep(process, before, next, cause);
    this.#checkTimes(process, before, next, cause);
    if (next.state !== 'free' && next.state !== 'backup') return;
    this.#checker.link.available(side, address);
    this.#checkOwner(process, next);
  }

  /** How an address without a record was before its first one. */
  #neverUsed(process: ServerProcess, next: Binding): Binding {
    const scopeId = process.table.scopeOf(next.address) ?? next.address;
    return emptyBinding(next.address, this.#shadows[process.side].owners.get(scopeId) ?? 'free');
  }

  /** All addresses of a scope that were never used belong to the same server. */
  #readOwners(process: ServerProcess, shadow: Shadow): void {
    shadow.owners.clear();
    for (const address of this.#checker.addresses) {
      const scopeId = process.table.scopeOf(address);
      if (scopeId === undefined || shadow.owners.has(scopeId) || process.saved.has(address)) continue;
      const state = process.table.find(address)?.state;
      if (state === 'free' || state === 'backup') shadow.owners.set(scopeId, state);
    }
  }

  #readBack(process: ServerProcess, binding: Binding, bytes: Uint8Array): void {
    this.#checker.looked('codec');
    const read = decodeRecord(bytes);
    if (read.kind === 'ok' && read.value.kind === 'binding' && isSameBinding(read.value.binding, binding)) return;
    const said = read.kind === 'ok' && read.value.kind === 'binding' ? describeBinding(read.value.binding) : 'nothing';
    this.#report('codec', `${process.side} has ${describeBinding(binding)}, and its record says ${said}`);
  }

  #causeOf({ side, life }: ServerProcess, address: Ip4): Cause {
    if (life.isHolding) return { kind: 'held' };
    if (life.isResetting) return { kind: 'operator' };
    if (this.#handling?.side === side) {
      const { message } = this.#handling;
      if (message.kind === 'bndack') {
        const answer = message.answers.find((candidate) => candidate.address === address);
        const said = answer === undefined ? undefined : answer.rejectReason === undefined ? 'accepted' : 'refused';
        return { kind: 'answer', said };
      }
      if (message.kind === 'updreqall') return { kind: 'partner-lost-store' };
      if (message.kind === 'bndupd') {
        const update = message.updates.find((candidate) => candidate.address === address);
        return update === undefined ? { kind: 'timer' } : { kind: 'update', update };
      }
    }
    return this.#packetAt === side ? { kind: 'packet' } : { kind: 'timer' };
  }

  /** I24, the waits of I10, and which exceptions begin here. */
  #checkStep(process: ServerProcess, before: Binding, next: Binding, cause: Cause): void {
    const { side } = process;
    const { address } = next;
    const state = process.state();
    this.#checker.looked('I24');
    const row = rowOf(before, next, cause, {
      side,
      isDown: state === 'partner-down',
      hasContact: process.isCommunicating(),
    });
    if (row.kind === 'illegal') {
      this.#report(
        'I24',
        `${side} in ${state} turns ${shortAddress(address)} ${describeBinding(before)} into ${describeBinding(next)} (${cause.kind})`,
        address,
      );
      return;
    }
    if (row.cell !== undefined) {
      this.#checker.coverage.reach(row.cell);
      if (cause.kind !== 'update' && cause.kind !== 'answer') this.#checker.link.changedByItself(side, address);
    }
    if (!row.isAlone) return;
    // What is done without the partner's consent: right only when it is down.
    this.#checker.notePartnerServes();
    this.#checker.exceptions.doneAlone(side, address);
    if (row.cell === BINDING_CELLS.waitedOut || row.cell === BINDING_CELLS.partnersTaken)
      this.#checkWait(process, before);
  }

  /** I10: specification 5.5 by what the server itself knew of the address. */
  #checkWait(process: ServerProcess, before: Binding): void {
    const { side } = process;
    this.#checker.looked('I10');
    const record = process.core.endpoint(process.relationship)?.record();
    if (record === undefined || record.holdsAllData) return;
    // Nobody here says that the partner stopped before the state was entered.
    const downAt = Math.max(record.partnerDownAt, this.#checker.downSinceAt(side));
    const leadSec = mcltSecOf(process) + DEFAULT_LIMITS.skewAllowanceSec;
    const isUnheard = !before.told && before.recvPotentialAt === 0;
    const isAvailable = before.state === 'free' || before.state === 'backup';
    const heldUntilAt = Math.max(
      before.leaseEndAt,
      before.sentPotentialAt,
      before.ackedPotentialAt,
      before.recvPotentialAt,
    );
    const usableAt =
      isUnheard && !isAvailable ? before.leaseEndAt : Math.max(downAt, isAvailable ? 0 : heldUntilAt) + leadSec;
    const leftSec = usableAt - process.now.wallAt;
    if (leftSec > 0)
      this.#report(
        'I10',
        `${side} uses ${shortAddress(before.address)} ${leftSec} s before the waits of PARTNER-DOWN are over: ${describeBinding(before)}`,
        before.address,
      );
  }

  /** I4. */
  #checkTimes(process: ServerProcess, before: Binding, next: Binding, cause: Cause): void {
    if (next.state !== 'active') return;
    this.#checker.looked('I4');
    const { side } = process;
    if (next.sentPotentialAt < next.ackedPotentialAt)
      this.#report('I4', `${side}: more is acknowledged than was sent: ${describeBinding(next)}`, next.address);
    if (before.state !== 'active' || !sameBytes(before.hardware, next.hardware)) return;
    const state = process.state();
    if (state === 'recover' || state === 'potential-conflict') return;
    if (next.sentPotentialAt < before.sentPotentialAt || next.recvPotentialAt < before.recvPotentialAt)
      this.#report(
        'I4',
        `${side}: a promise of ${shortAddress(next.address)} becomes less (${cause.kind}): ${describeBinding(before)} to ${describeBinding(next)}`,
        next.address,
      );
  }

  /** I7: at the moment when an address becomes available here. */
  #checkOwner(process: ServerProcess, binding: Binding): void {
    const { address } = binding;
    const other = this.#world.hosts[otherSide(process.side)].process;
    if (other === undefined) return;
    this.#checker.looked('I7');
    if (!mayAllocate(process, address) || !mayAllocate(other, address)) return;
    this.#report(
      'I7',
      `both may give ${shortAddress(address)} away: ${process.side} ${describeBinding(binding)}; ${other.side} ${describeBinding(other.table.find(address))}`,
      address,
    );
  }
}

/** The chain up to the newest one that is durable. */
function shortened(kept: Kept | undefined, durable: number): Kept | undefined {
  if (kept === undefined) return undefined;
  const { binding, sequence, before } = kept;
  if (before === undefined) return kept;
  if (sequence <= durable) return { binding, sequence, before: undefined };
  const rest = shortened(before, durable);
  return rest === before ? kept : { binding, sequence, before: rest };
}

function newestUpTo(kept: Kept | undefined, sequence: number): Kept | undefined {
  let one = kept;
  while (one !== undefined && one.sequence > sequence) one = one.before;
  return one;
}

function newShadow(): Shadow {
  return { process: undefined, kept: new Map(), owners: new Map(), isOfThisStore: false };
}
