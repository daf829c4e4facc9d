/**
 * Chance as the author of faults: links cut and healed, processes killed between any two sends, machines gone, stores lost and put
 * back, PARTNER-DOWN for partners that are dead. It keeps the assumptions of failover specification 7 (P1, P2): a server that was
 * declared down comes back only where its partner can be reached, and no second store is lost before the first is whole again.
 */
import type { CutKind } from './cable.ts';
import type { Fault, Faults } from './faults.ts';
import type { Random } from './random.ts';
import { otherSide, SIDES, type Side } from './sides.ts';
import type { World } from './world.ts';

const GAP_MEAN_SEC = 45;
const CUT_KINDS: readonly CutKind[] = ['closed', 'closed', 'silent', 'a-to-b', 'b-to-a'];
const CRASH_AFTER: readonly string[] = [
  'any',
  'ack',
  'offer',
  'bndupd',
  'bndack',
  'state',
  'connect',
  'connectack',
  'upddone',
  'updreq',
  'updreqall',
  'poolreq',
  'poolresp',
];
/** A copy younger than this cannot be told from the present store: the partner hears of it every 10 s. */
const COPY_AGE_MS_MIN = 20_000;
/** Automatic partner-down must not come while the partner serves, so contact is lost for less. */
const AUTO_MARGIN_SEC = 30;

export class Gremlin {
  readonly #world: World;
  readonly #faults: Faults;
  readonly #random: Random;
  #isActive = true;
  /** A store was lost or is old, and is not whole again. */
  #isLossy = false;
  /** Comes back while its partner holds it for down: contact must not be lost before it has heard that. */
  readonly #returning = new Set<Side>();

  constructor(world: World, faults: Faults) {
    this.#world = world;
    this.#faults = faults;
    this.#random = world.random;
    this.#next();
  }

  stop(): void {
    this.#isActive = false;
    for (const side of SIDES) if (!this.#world.hosts[side].isUp) this.#bringBack(side);
  }

  #next(): void {
    this.#world.schedule.after(this.#random.gap(GAP_MEAN_SEC * 1000), () => {
      if (!this.#isActive) return;
      if (this.#world.isSettled()) this.#isLossy = false;
      for (const side of this.#returning) {
        const host = this.#world.hosts[side];
        if (host.isUp && host.state() !== 'startup') this.#returning.delete(side);
      }
      this.#choose();
      this.#next();
    });
  }

  #choose(): void {
    const side = this.#random.pick(SIDES);
    const deeds: readonly (readonly [weight: number, deed: () => void])[] = [
      [20, () => this.#cutLink()],
      [8, () => this.#kill(side, { kind: 'kill', side })],
      [20, () => this.#crash(side)],
      [5, () => this.#kill(side, { kind: 'vanish', side })],
      [5, () => this.#lose(side)],
      [5, () => this.#putBack(side)],
      [12, () => this.#dieForLong(side)],
      [4, () => this.#shutDown(side)],
      [5, () => this.#cutLan(side)],
      [5, () => this.#stall(side)],
      [4, () => this.#loseOnLan()],
      [3, () => this.#doubtClock(side)],
      [4, () => this.#slowLink()],
    ];
    let dice = this.#random.below(deeds.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, deed] of deeds) {
      if (dice < weight) {
        deed();
        return;
      }
      dice -= weight;
    }
  }

  #cutLan(side: Side): void {
    const isKnown = this.#random.chance(50);
    this.#for(this.#lengthSec(5, 60), { kind: 'lan-cut', side, isKnown }, { kind: 'lan-heal', side });
  }

  #loseOnLan(): void {
    const { lossPercent } = this.#world.options;
    const percent = this.#random.between(10, 60);
    this.#for(this.#lengthSec(5, 90), { kind: 'lan-loss', percent }, { kind: 'lan-loss', percent: lossPercent });
  }

  #doubtClock(side: Side): void {
    const sec = this.#lengthSec(5, 120);
    this.#for(sec, { kind: 'clock', side, isTrusted: false }, { kind: 'clock', side, isTrusted: true });
  }

  #slowLink(): void {
    const { linkLatencyMs } = this.#world.options;
    const ms = this.#random.between(100, 1500);
    this.#for(this.#lengthSec(5, 60), { kind: 'link-latency', ms }, { kind: 'link-latency', ms: linkLatencyMs });
  }

  #crash(side: Side): void {
    const what = this.#random.pick(CRASH_AFTER);
    this.#kill(side, { kind: 'crash-after', side, what, count: this.#random.between(1, 12) });
  }

  /** Perhaps after a time without contact; its partner is told, and goes on alone for a time. */
  #dieForLong(side: Side): void {
    if (this.#isLossy || !this.#mayLoseContact() || !this.#world.isSettled()) return;
    const { mcltSec, autoPartnerDownSec } = this.#world.options;
    const cutSec =
      autoPartnerDownSec === null && this.#random.chance(50) ? this.#random.between(20, 2 * Math.min(mcltSec, 300)) : 0;
    if (cutSec > 0) this.#faults.apply({ kind: 'cut', how: 'closed' });
    this.#later(cutSec, () => {
      const host = this.#world.hosts[side];
      if (!host.isUp || this.#returning.size > 0) return;
      this.#faults.apply({ kind: this.#random.chance(50) ? 'kill' : 'vanish', side });
      this.#later(this.#random.between(13, 40), () => this.#declareDown());
      this.#later(this.#random.between(30, 2 * Math.max(mcltSec, 600)), () => this.#bringBack(side));
    });
  }

  #for(sec: number, fault: Fault, undo: Fault): void {
    this.#faults.apply(fault);
    this.#later(sec, () => this.#faults.apply(undo));
  }

  #later(sec: number, run: () => void): void {
    this.#world.schedule.after(sec * 1000, () => {
      if (this.#isActive) run();
    });
  }

  /** Short ones are common, long ones happen. */
  #lengthSec(low: number, high: number): number {
    return this.#random.chance(70)
      ? this.#random.between(low, Math.min(high, low + 30))
      : this.#random.between(low, high);
  }

  /** With automatic partner-down a loss of contact must find both together. */
  #mayLoseContact(): boolean {
    if (this.#returning.size > 0) return false;
    return this.#world.options.autoPartnerDownSec === null || this.#world.isSettled();
  }

  #cutLink(): void {
    if (!this.#mayLoseContact()) return;
    const autoSec = this.#world.options.autoPartnerDownSec;
    const sec = Math.min(
      this.#lengthSec(2, 1200),
      autoSec === null ? Number.POSITIVE_INFINITY : autoSec - AUTO_MARGIN_SEC,
    );
    this.#for(sec, { kind: 'cut', how: this.#random.pick(CUT_KINDS) }, { kind: 'heal' });
  }

  #kill(side: Side, fault: Fault): void {
    const host = this.#world.hosts[side];
    if (!host.isUp || !this.#mayLoseContact()) return;
    this.#faults.apply(fault);
    this.#later(this.#lengthSec(1, 900), () => this.#bringBack(side));
  }

  /** Perhaps after a time without contact, so that what is lost was known to nobody else. */
  #lose(side: Side): void {
    if (!this.#mayLose(side)) return;
    const mayCut = this.#world.options.autoPartnerDownSec === null && this.#random.chance(50);
    const cutSec = mayCut ? this.#random.between(20, 300) : 0;
    if (cutSec > 0) this.#faults.apply({ kind: 'cut', how: 'closed' });
    this.#later(cutSec, () => {
      if (!this.#mayLose(side)) return;
      this.#isLossy = true;
      if (this.#world.hosts[side].isUp) this.#faults.apply({ kind: 'kill', side });
      this.#faults.apply({ kind: 'wipe', side });
      this.#faults.apply({ kind: 'heal' });
      this.#later(this.#lengthSec(1, 300), () => this.#bringBack(side));
    });
  }

  /** What a server gave away in PARTNER-DOWN, or while its partner is down, is known to nobody else. */
  #mayLose(side: Side): boolean {
    if (this.#isLossy || !this.#mayLoseContact()) return false;
    return !this.#world.hosts[side].isPartnerDown() && !this.#hasDownPartner(side);
  }

  /** Its partner is down and knows nothing of what this server has done since: then nobody would. */
  #hasDownPartner(side: Side): boolean {
    return !this.#world.hosts[otherSide(side)].isUp;
  }

  #putBack(side: Side): void {
    const host = this.#world.hosts[side];
    const copy = host.copies.at(-1);
    if (copy === undefined || this.#world.nowMs - copy.madeMs < COPY_AGE_MS_MIN) {
      if (host.isUp && copy === undefined) this.#faults.apply({ kind: 'copy', side });
      return;
    }
    if (this.#isLossy || this.#returning.size > 0 || !this.#world.isSettled()) return;
    this.#isLossy = true;
    this.#faults.apply({ kind: 'kill', side });
    this.#faults.apply({ kind: 'put-back', side });
    host.copies.length = 0;
    this.#protect(side);
    this.#later(this.#lengthSec(1, 60), () => this.#bringBack(side));
  }

  /** Only for a partner that is dead. */
  #declareDown(): void {
    const side = SIDES.find((candidate) => {
      const state = this.#world.hosts[candidate].state();
      return (
        (state === 'communications-interrupted' || state === 'resolution-interrupted') &&
        !this.#world.hosts[otherSide(candidate)].isUp
      );
    });
    if (side !== undefined) this.#faults.apply({ kind: 'partner-down', side });
  }

  #shutDown(side: Side): void {
    if (!this.#world.isSettled() || this.#returning.size > 0) return;
    this.#faults.apply({ kind: 'shut-down', side });
    this.#protect(side);
    this.#later(this.#lengthSec(5, 300), () => this.#bringBack(side));
  }

  #stall(side: Side): void {
    const { commitMs } = this.#world.options;
    this.#for(
      this.#lengthSec(3, 60),
      { kind: 'commit-ms', side, ms: this.#random.between(200, 6000) },
      { kind: 'commit-ms', side, ms: commitMs },
    );
  }

  /** A crash that was waiting for its moment would take contact away too. */
  #protect(side: Side): void {
    this.#returning.add(side);
    this.#world.checker.onLeft = undefined;
  }

  #bringBack(side: Side): void {
    const { hosts } = this.#world;
    if (hosts[side].isUp) return;
    const other = hosts[otherSide(side)];
    const mustMeet = this.#returning.has(side) || other.isPartnerDown();
    if (mustMeet || this.#world.options.autoPartnerDownSec !== null) {
      this.#protect(side);
      this.#faults.apply({ kind: 'heal' });
      this.#faults.apply({ kind: 'link-latency', ms: this.#world.options.linkLatencyMs });
      if (!other.isUp) this.#faults.apply({ kind: 'start', side: other.side });
    }
    this.#faults.apply({ kind: 'start', side });
  }
}
