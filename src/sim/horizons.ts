/**
 * What each server may take for acknowledged by the other, known from the messages alone: the potential expirations that were
 * accepted, by address and client (failover specification 6.1). The bound of a grant (I2) is checked against this and not against
 * what the engine keeps; and what one has as acknowledged the other must have (I3).
 */
import type { Binding } from '../core/bindings/binding.ts';
import type { BindingUpdate } from '../wire/failover/messages.ts';
import { type Ip4, sameBytes } from '../wire/units.ts';
import { describeBinding, shortAddress } from './describe.ts';
import type { ServerProcess } from './process.ts';
import { otherSide, type Side } from './sides.ts';
import type { CheckerView, WorldView } from './views.ts';
import type { Report } from './violation.ts';

interface Known {
  readonly hardware: Uint8Array | undefined;
  readonly clientId: Uint8Array | undefined;
  readonly untilAt: number;
}

export class Horizons {
  readonly #world: WorldView;
  readonly #checker: CheckerView;
  readonly #report: Report;
  readonly #known: Record<Side, Map<Ip4, Known>> = { a: new Map(), b: new Map() };

  constructor(world: WorldView, checker: CheckerView, report: Report) {
    this.#world = world;
    this.#checker = checker;
    this.#report = report;
  }

  /** A new life knows what its log says. */
  born(process: ServerProcess): void {
    const known = this.#known[process.side];
    known.clear();
    for (const address of process.saved.keys()) {
      const binding = process.holds(address) ? process.table.find(address) : undefined;
      if (binding === undefined) continue;
      const untilAt = Math.max(binding.ackedPotentialAt, binding.recvPotentialAt);
      if (untilAt > 0) known.set(address, { hardware: binding.hardware, clientId: binding.clientId, untilAt });
    }
  }

  /** This side accepted the partner's update. */
  accepted(process: ServerProcess, update: BindingUpdate): void {
    if (update.state === 'active')
      this.#raise(process.side, update, Math.max(update.potentialEndAt ?? 0, update.leaseEndAt ?? 0));
  }

  /** The partner accepted this side's update. */
  acknowledged(process: ServerProcess, update: BindingUpdate): void {
    if (update.state !== 'active') return;
    const { side } = process;
    this.#raise(side, update, update.potentialEndAt ?? 0);
    const there = this.#world.hosts[otherSide(side)].process;
    if (there === undefined || this.#checker.isForgetful(there.side)) return;
    const binding = there.table.find(update.address);
    if (binding?.state !== 'active' || !isSame(binding, update)) return;
    this.#checker.looked('I3');
    // Between the answer and its arrival the other may have granted by itself, which keeps what it accepted.
    if (binding.recvPotentialAt < (update.potentialEndAt ?? 0))
      this.#report(
        'I3',
        `${there.side} accepted a potential expiration of ${shortAddress(update.address)} and has not kept it: ${describeBinding(binding)}`,
        update.address,
      );
    // What waits to be told is not known yet.
    if (binding.dirty) return;
    const here = process.table.find(update.address);
    if (here?.state !== 'active' || !isSame(here, binding)) return;
    // What the partner expects counts in every wait here, whether it is known as sent or, by way of the partner, as received.
    if (Math.max(here.sentPotentialAt, here.recvPotentialAt) < binding.recvPotentialAt)
      this.#report(
        'I3',
        `${there.side} expects more of ${shortAddress(update.address)} than ${side} knows of: ${describeBinding(binding)} against ${describeBinding(here)}`,
        update.address,
      );
  }

  /** After an answer was handled: nothing counts as acknowledged that the partner has not accepted. */
  checkAcknowledged(process: ServerProcess, address: Ip4): void {
    const binding = process.table.find(address);
    if (binding?.state !== 'active') return;
    this.#checker.looked('I3');
    if (binding.ackedPotentialAt > this.of(process.side, binding))
      this.#report(
        'I3',
        `${process.side} takes more of ${shortAddress(address)} for acknowledged than its partner has accepted: ${describeBinding(binding)}`,
        address,
      );
  }

  end(side: Side, address: Ip4): void {
    this.#known[side].delete(address);
  }

  /** Until when the partner is known to expect the lease of this client; 0 when it knows nothing of it. */
  of(side: Side, binding: Binding): number {
    const known = this.#known[side].get(binding.address);
    return known !== undefined && isSame(known, binding) ? known.untilAt : 0;
  }

  #raise(side: Side, update: BindingUpdate, untilAt: number): void {
    const before = this.#known[side].get(update.address);
    const least = before !== undefined && isSame(before, update) ? before.untilAt : 0;
    this.#known[side].set(update.address, {
      hardware: update.hardware,
      clientId: update.clientId,
      untilAt: Math.max(untilAt, least),
    });
  }
}

interface Named {
  readonly hardware?: Uint8Array | undefined;
  readonly clientId?: Uint8Array | undefined;
}

function isSame(a: Named, b: Named): boolean {
  if (a.clientId !== undefined && b.clientId !== undefined) return sameBytes(a.clientId, b.clientId);
  return a.hardware !== undefined && sameBytes(a.hardware, b.hardware);
}
