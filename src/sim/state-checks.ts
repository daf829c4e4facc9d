/**
 * The rules of failover specification 7 about the two servers side by side: horizon (I5), exclusive ownership (I7), never NORMAL
 * alone (I23), legal steps (I24), agreement (I16); and whether P1 holds.
 */
import type { Binding } from '../core/bindings/binding.ts';
import { DEFAULT_LIMITS } from '../core/failover/limits.ts';
import { AFTER_CONTACT_LOST, type KeptState, TRANSITIONS } from '../core/failover/states.ts';
import { type Ip4, ip4, sameBytes } from '../wire/units.ts';
import { describeBinding, shortAddress } from './describe.ts';
import type { ServerProcess } from './process.ts';
import { FIRST_HOST, scopeIdOf } from './setting.ts';
import { otherSide, SIDES } from './sides.ts';
import type { CheckerView, WorldView } from './views.ts';
import type { Report } from './violation.ts';

/** Addresses looked at in one look, so that large scopes cost no more than small ones. */
const ADDRESSES_PER_LOOK = 24;
const BOTH_DOWN_MS_MAX = 5000;
/** Steps that no message of the partner leads to: waits, commands, answers, losses (specification 4.4, other events). */
const OTHER_STEPS: ReadonlySet<string> = new Set([
  'recover>recover-wait',
  'recover>recover-done',
  'recover-wait>recover-done',
  'potential-conflict>conflict-done',
  'potential-conflict>normal',
  'normal>partner-down',
  'communications-interrupted>partner-down',
  'resolution-interrupted>partner-down',
]);

export class StateChecks {
  readonly #world: WorldView;
  readonly #checker: CheckerView;
  readonly #report: Report;
  readonly #addresses: readonly Ip4[];
  #nextAddress = 0;
  #hasBeenSettled = false;
  #bothDownSinceMs: number | undefined;

  constructor(world: WorldView, checker: CheckerView, report: Report) {
    this.#world = world;
    this.#checker = checker;
    this.#report = report;
    this.#addresses = world.options.poolSizes.flatMap((size, index) =>
      Array.from({ length: size }, (_none, i) => ip4(scopeIdOf(index) + FIRST_HOST + i)),
    );
  }

  changed(process: ServerProcess, from: string, to: string): void {
    if (!isLegal(from, to)) this.#report('I24', `${process.side} goes from ${from} to ${to}`);
    const other = this.#world.hosts[otherSide(process.side)];
    if (to === 'partner-down' && other.process !== undefined && serves(other.process))
      this.#checker.excuse(`${process.side} declares ${other.side} down, which serves in ${other.state()}`);
  }

  look(): void {
    const [a, b] = SIDES.map((side) => this.#world.hosts[side].process);
    for (const side of SIDES) this.#checkAlone(this.#world.hosts[side].process);
    if (a === undefined || b === undefined) return;
    for (const [down, other] of [
      [a, b],
      [b, a],
    ] as const) {
      if (down.state() === 'partner-down' && serves(other) && other.state() !== 'partner-down')
        this.#checker.excuse(`${other.side} serves in ${other.state()}, while ${down.side} holds it for down`);
    }
    this.#checkBothDown(a, b);
    this.#checkOwners(a, b);
    this.#checkHorizons();
  }

  differences(): string[] {
    const [a, b] = SIDES.map((side) => this.#world.hosts[side].process);
    if (a === undefined || b === undefined) return ['a server is down'];
    const out: string[] = [];
    for (const address of this.#addresses) {
      const ours = a.table.find(address);
      const theirs = b.table.find(address);
      const isDirty = ours?.dirty === true || theirs?.dirty === true;
      if (isDirty || !agree(ours, theirs))
        out.push(`${shortAddress(address)}: a ${describeBinding(ours)}; b ${describeBinding(theirs)}`);
    }
    return out;
  }

  /** I23. */
  #checkAlone(process: ServerProcess | undefined): void {
    if (process === undefined || process.state() !== 'normal') return;
    const silentMs = process.now.monoMs - process.link.lastReceivedMs;
    if (silentMs > DEFAULT_LIMITS.receiveTimerSec * 1000 + 1000)
      this.#report('I23', `${process.side} is NORMAL and has heard nothing for ${silentMs} ms`);
  }

  #checkBothDown(a: ServerProcess, b: ServerProcess): void {
    const areBoth = [a, b].every(
      (process) => process.state() === 'partner-down' && process.status()?.isCommunicating === true,
    );
    if (!areBoth) this.#bothDownSinceMs = undefined;
    else {
      this.#bothDownSinceMs ??= this.#world.nowMs;
      if (this.#world.nowMs - this.#bothDownSinceMs > BOTH_DOWN_MS_MAX)
        this.#report('I23', 'both are in PARTNER-DOWN and talk to each other');
    }
  }

  /** I7, a part of the addresses at a time. */
  #checkOwners(a: ServerProcess, b: ServerProcess): void {
    const addresses = this.#addresses;
    for (let i = 0; i < Math.min(ADDRESSES_PER_LOOK, addresses.length); i++) {
      const address = addresses[this.#nextAddress++ % addresses.length]!;
      if (mayAllocate(a, address) && mayAllocate(b, address))
        this.#report(
          'I7',
          `both may give ${shortAddress(address)} away: a ${describeBinding(a.table.find(address))}; b ${describeBinding(b.table.find(address))}`,
        );
    }
  }

  /** I5: what a client holds is never more than MCLT and S ahead of what the other server has reason to expect. */
  #checkHorizons(): void {
    const { nowMs, options } = this.#world;
    // A new half that has not heard of what the called server gave before serves nobody.
    this.#hasBeenSettled ||= this.#world.isSettled();
    if (!this.#hasBeenSettled) return;
    for (const promised of this.#checker.promises.running(nowMs)) {
      const there = otherSide(promised.side);
      const { process } = this.#world.hosts[there];
      const state = process?.state();
      if (process === undefined || state === 'standalone' || this.#checker.isForgetful(there)) continue;
      const binding = process.table.find(promised.address);
      if (binding === undefined) continue;
      const known = Math.max(
        process.now.wallAt,
        binding.leaseEndAt,
        binding.sentPotentialAt,
        binding.ackedPotentialAt,
        binding.recvPotentialAt,
      );
      const endAt = process.now.wallAt + (promised.untilMs - nowMs) / 1000;
      if (endAt > known + options.mcltSec + DEFAULT_LIMITS.skewAllowanceSec)
        this.#report(
          'I5',
          `c${promised.client} holds ${shortAddress(promised.address)} from ${promised.side} for ${Math.round(endAt - known)} s more than ${there} expects: ${describeBinding(binding)}`,
        );
    }
  }
}

function serves(process: ServerProcess): boolean {
  return (
    process.state() !== 'standalone' && process.table.pools().some(({ scopeId }) => process.serves(scopeId) === 'all')
  );
}

function mayAllocate(process: ServerProcess, address: Ip4): boolean {
  const scopeId = process.table.scopeOf(address);
  const binding = process.table.find(address);
  if (
    scopeId === undefined ||
    binding === undefined ||
    process.state() === 'standalone' ||
    process.serves(scopeId) !== 'all'
  )
    return false;
  return process.core.rightsOf(scopeId).mayAllocate(process.now, binding);
}

function agree(a: Binding | undefined, b: Binding | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.state !== b.state || a.leaseEndAt !== b.leaseEndAt) return false;
  return sameBytes(a.hardware, b.hardware) && sameBytes(a.clientId, b.clientId);
}

function isLegal(from: string, to: string): boolean {
  // RECOVER is entered from anywhere: the store is found lost or old, or the partner went on alone.
  if (to === 'recover' || OTHER_STEPS.has(`${from}>${to}`)) return true;
  if (AFTER_CONTACT_LOST[from as KeptState] === to) return true;
  const row = TRANSITIONS[from as KeptState];
  return row !== undefined && Object.values(row).some((transition) => transition.next === to);
}
