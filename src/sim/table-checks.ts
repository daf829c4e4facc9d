/**
 * The two tables side by side: horizon (I5) and exclusive ownership (I7) for some addresses at each look, owners and balance,
 * agreement (I13, I16) and the clients' own belief at the end.
 */
import type { Binding } from '../core/bindings/binding.ts';
import { DEFAULT_LIMITS } from '../core/failover/limits.ts';
import { type Ip4, sameBytes } from '../wire/units.ts';
import { describeBinding, identityOf, shortAddress } from './describe.ts';
import type { ServerProcess } from './process.ts';
import { isEndless, type Promised } from './promises.ts';
import { mayAllocate, mcltSecOf } from './rights-view.ts';
import { scopeIdOf } from './setting.ts';
import { otherSide, SIDES } from './sides.ts';
import type { CheckerView, WorldView } from './views.ts';
import type { Report } from './violation.ts';

/** Addresses and promises looked at in one look, so that large scopes cost no more than small ones. */
const ADDRESSES_PER_LOOK = 8;
const PROMISES_PER_LOOK = 16;
/** In contact and NORMAL for so long, an address must have an owner, and both sides their share. */
const OWNER_MS_MAX = 120_000;
const BALANCE_MS_MAX = 90_000;
/** The engine moves addresses when a side is off its share by more than a tenth of all; addresses on their way come on top. */
const BALANCE_PERCENT = 15;
const BALANCE_SLACK = 3;

export class TableChecks {
  readonly #world: WorldView;
  readonly #checker: CheckerView;
  readonly #report: Report;
  #nextAddress = 0;
  #hasBeenSettled = false;
  #settledSinceMs = Number.POSITIVE_INFINITY;
  readonly #ownerlessSinceMs = new Map<Ip4, number>();
  readonly #unbalancedSinceMs = new Map<number, number>();

  constructor(world: WorldView, checker: CheckerView, report: Report) {
    this.#world = world;
    this.#checker = checker;
    this.#report = report;
  }

  look(): void {
    const a = this.#world.hosts.a.process;
    const b = this.#world.hosts.b.process;
    if (a === undefined || b === undefined) {
      this.#unsettled();
      this.#checkHorizons();
      return;
    }
    if (!this.#world.isSettled() || !this.#isQuick()) this.#unsettled();
    else {
      if (this.#settledSinceMs === Number.POSITIVE_INFINITY) this.#settledSinceMs = this.#world.nowMs;
      this.#hasBeenSettled = true;
      this.#checkBalance(a, b);
    }
    this.#checkOwners(a, b);
    this.#checkHorizons();
  }

  #unsettled(): void {
    this.#settledSinceMs = Number.POSITIVE_INFINITY;
    this.#ownerlessSinceMs.clear();
    this.#unbalancedSinceMs.clear();
  }

  /** Clocks that are doubted, slow disks and slow links delay everything. */
  #isQuick(): boolean {
    return SIDES.every((side) => {
      const { process, disk, answering } = this.#world.hosts[side];
      // A partner that refuses gifts leaves them with nobody (assumption P5 does not hold).
      if (answering !== 'right') return false;
      // Nor does a server give addresses away while it waits for what it forgot.
      const isWaiting = (process?.savedState?.record.recoverWaitUntilAt ?? 0) > (process?.now.wallAt ?? 0);
      return process?.clockTrusted === true && disk.commitMs < 500 && !isWaiting;
    });
  }

  /** I7, and that an available address has an owner, for a part of the addresses at a time. */
  #checkOwners(a: ServerProcess, b: ServerProcess): void {
    const { addresses } = this.#checker;
    for (let i = 0; i < Math.min(ADDRESSES_PER_LOOK, addresses.length); i++) {
      const address = addresses[this.#nextAddress++ % addresses.length]!;
      this.#checkOwner(a, b, address);
    }
    for (const address of this.#ownerlessSinceMs.keys()) this.#checkOwner(a, b, address);
  }

  #checkOwner(a: ServerProcess, b: ServerProcess, address: Ip4): void {
    this.#checker.looked('I7');
    if (mayAllocate(a, address) && mayAllocate(b, address))
      this.#report('I7', `both may give ${shortAddress(address)} away: ${this.#both(a, b, address)}`, address);
    if (this.#settledSinceMs === Number.POSITIVE_INFINITY || !a.table.isInPool(address)) return;
    this.#checker.looked('owned');
    const isNobodys = a.table.find(address)?.state === 'backup' && b.table.find(address)?.state === 'free';
    if (!isNobodys) {
      this.#ownerlessSinceMs.delete(address);
      return;
    }
    const sinceMs = this.#ownerlessSinceMs.get(address) ?? this.#world.nowMs;
    this.#ownerlessSinceMs.set(address, sinceMs);
    if (this.#world.nowMs - sinceMs > OWNER_MS_MAX)
      this.#report('owned', `${shortAddress(address)} belongs to nobody: ${this.#both(a, b, address)}`, address);
  }

  #both(a: ServerProcess, b: ServerProcess, address: Ip4): string {
    return `a ${describeBinding(a.table.find(address))}; b ${describeBinding(b.table.find(address))}`;
  }

  /** Some time after both are in NORMAL each side has its share, or nearly. */
  #checkBalance(a: ServerProcess, b: ServerProcess): void {
    for (const index of this.#world.options.poolSizes.keys()) {
      const scopeId = scopeIdOf(index);
      if (a.table.scopeOf(scopeId) === undefined || b.table.scopeOf(scopeId) === undefined) continue;
      this.#checker.looked('balance');
      const free = a.table.counts(scopeId).free;
      const backup = b.table.counts(scopeId).backup;
      const wanted = this.#backupShare(a, free + backup);
      const slack = Math.max(BALANCE_SLACK, ((free + backup) * BALANCE_PERCENT) / 100);
      const isDry = free + backup >= 4 && ((free === 0 && free + backup - wanted > 0) || (backup === 0 && wanted > 0));
      if (!isDry && Math.abs(backup - wanted) <= slack) {
        this.#unbalancedSinceMs.delete(index);
        continue;
      }
      const sinceMs = this.#unbalancedSinceMs.get(index) ?? this.#world.nowMs;
      this.#unbalancedSinceMs.set(index, sinceMs);
      if (this.#world.nowMs - sinceMs > BALANCE_MS_MAX)
        this.#report(
          'balance',
          `scope ${index}: a has ${free} available addresses, b ${backup}, and should have about ${wanted}`,
        );
    }
  }

  /** Specification 2.11 and 8.5, in the percentages of the relationship as the primary has it. */
  #backupShare(primary: ServerProcess, available: number): number {
    const relationship = primary.configured();
    if (relationship === undefined) return 0;
    const { mode, percentage, isActive } = relationship;
    if (mode === 'LoadBalance') return (available * (100 - percentage)) / 100;
    const reserve = (available * percentage) / 100;
    return isActive ? reserve : available - reserve;
  }

  /** I5: what a client holds is never more than MCLT and S ahead of what the other server has reason to expect. */
  #checkHorizons(): void {
    // A new half that has not heard of what the called server gave before serves nobody.
    if (this.#hasBeenSettled)
      this.#checker.promises.some(PROMISES_PER_LOOK, this.#world.nowMs, (p) => this.#checkHorizon(p));
  }

  #checkHorizon(promised: Promised): void {
    const there = otherSide(promised.side);
    const { process } = this.#world.hosts[there];
    if (process === undefined || process.state() === 'standalone' || this.#checker.isForgetful(there)) return;
    if (!process.hasFetched(promised.address)) return;
    const binding = process.table.find(promised.address);
    if (binding === undefined) return;
    this.#checker.looked('I5');
    const known = Math.max(
      process.now.wallAt,
      binding.leaseEndAt,
      binding.sentPotentialAt,
      binding.ackedPotentialAt,
      binding.recvPotentialAt,
    );
    const endAt = process.now.wallAt + (promised.untilMs - this.#world.nowMs) / 1000;
    const mcltSec = Math.max(this.#world.options.mcltSec, mcltSecOf(process));
    if (endAt <= known + mcltSec + DEFAULT_LIMITS.skewAllowanceSec) return;
    if (isEndless(promised)) this.#checker.exceptions.counts['endless lease']++;
    else
      this.#report(
        'I5',
        `c${promised.client} holds ${shortAddress(promised.address)} from ${promised.side} for ${Math.round(endAt - known)} s more than ${there} expects: ${describeBinding(binding)}`,
        promised.address,
      );
  }

  /** What the two tables say differently; nothing when everything is at rest (I16). */
  differences(): string[] {
    return this.#different().map(({ what }) => what);
  }

  reportDifferences(): void {
    this.#checker.looked('I16');
    const different = this.#different();
    if (different.length === 0) return;
    const { duelled } = this.#checker.link;
    const rule = different.every(({ address }) => address !== undefined && duelled.has(address)) ? 'I13' : 'I16';
    const shown = different.slice(0, 5).map(({ what }) => what);
    this.#report(rule, `${different.length} addresses differ: ${shown.join(' | ')}`);
  }

  #different(): { readonly address?: Ip4; readonly what: string }[] {
    const a = this.#world.hosts.a.process;
    const b = this.#world.hosts.b.process;
    if (a === undefined || b === undefined) return [{ what: 'a server is down' }];
    const out: { address: Ip4; what: string }[] = [];
    for (const address of this.#checker.addresses) {
      const ours = a.table.find(address);
      const theirs = b.table.find(address);
      if (isGivenToNobody(a, ours) && isGivenToNobody(b, theirs)) continue;
      const isDirty = ours?.dirty === true || theirs?.dirty === true;
      if (isDirty || !agree(ours, theirs))
        out.push({ address, what: `${shortAddress(address)}: ${this.#both(a, b, address)}` });
    }
    return out;
  }

  /**
   * Both tables agree by now: what each client holds is in them, with an end that is not earlier, and no lease is in them that no
   * server has granted to that client for as long.
   */
  checkBelief(): void {
    for (const side of SIDES) {
      const { process } = this.#world.hosts[side];
      if (process === undefined) continue;
      for (const address of this.#checker.addresses) this.#checkBeliefOf(process, address);
    }
  }

  #checkBeliefOf(process: ServerProcess, address: Ip4): void {
    const { nowMs } = this.#world;
    const binding = process.table.find(address);
    if (binding === undefined) return;
    this.#checker.looked('believe');
    for (const { client, untilMs } of this.#checker.promises.holders(address, nowMs)) {
      const endAt = process.now.wallAt + (untilMs - nowMs) / 1000;
      const isHis = binding.state === 'active' && identityOf(binding) === client;
      if (isHis && binding.leaseEndAt + SKEW_SEC >= endAt) continue;
      if (this.#checker.granted(address, client)?.isForgotten === true && isKeptUntil(process, binding, endAt)) {
        this.#checker.exceptions.counts['forgotten lease']++;
        continue;
      }
      this.#report(
        'believe',
        `c${client} believes that it has ${shortAddress(address)} for ${Math.round((untilMs - nowMs) / 1000)} s, and ${process.side} has ${describeBinding(binding)}`,
        address,
      );
    }
    if (binding.state !== 'active' || binding.leaseEndAt <= process.now.wallAt) return;
    const grantedUntilAt = this.#checker.granted(address, identityOf(binding))?.endAt;
    if (grantedUntilAt === undefined || binding.leaseEndAt > grantedUntilAt + SKEW_SEC)
      this.#report(
        'believe',
        `${process.side} has a lease of ${shortAddress(address)} that nobody granted: ${describeBinding(binding)}`,
        address,
      );
  }
}

/** The two clocks of the world may differ by this. */
const SKEW_SEC = DEFAULT_LIMITS.skewAllowanceSec;

/** Nobody else gets the address before: it is leased or set aside, and what was promised for it goes far enough. */
function isKeptUntil(process: ServerProcess, binding: Binding, endAt: number): boolean {
  if (binding.state === 'free' || binding.state === 'backup') return false;
  const promisedAt = Math.max(
    process.core.endpoint(process.relationship)?.record().lossAt ?? 0,
    binding.leaseEndAt,
    binding.sentPotentialAt,
    binding.ackedPotentialAt,
    binding.recvPotentialAt,
  );
  return endAt <= promisedAt + mcltSecOf(process) + SKEW_SEC;
}

/** Excluded, or reserved for who has it not now: whose it is makes no difference. */
function isGivenToNobody(process: ServerProcess, binding: Binding | undefined): boolean {
  if (binding === undefined || process.table.isInPool(binding.address)) return false;
  return binding.state === 'free' || binding.state === 'backup';
}

function agree(a: Binding | undefined, b: Binding | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.state !== b.state || a.leaseEndAt !== b.leaseEndAt) return false;
  return sameBytes(a.hardware, b.hardware) && sameBytes(a.clientId, b.clientId);
}
