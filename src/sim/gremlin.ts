/**
 * Chance as the author of faults: links cut and healed, processes killed between any two steps, machines gone, stores lost and put
 * back, clocks set, operators who change everything, PARTNER-DOWN for partners that are dead. It keeps the assumptions of failover
 * specification 7 (P1, P2) unless the world has an operator who errs: a server that was declared down comes back only where its
 * partner can be reached, and no second store is lost before the first is whole again.
 */
import type { CutKind } from './cable.ts';
import type { Fault, Faults } from './faults.ts';
import type { Host } from './host.ts';
import type { Step as LifeStep } from './life.ts';
import { makeRandom, type Random } from './random.ts';
import { type HostName, otherSide, SIDES, type Side } from './sides.ts';
import type { Pair, World } from './world.ts';

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
const CRASH_AT: readonly LifeStep[] = ['append', 'append', 'durable', 'durable', 'change'];
/** A copy younger than this cannot be told from the present store: the partner hears of it every 10 s. */
const COPY_AGE_MS_MIN = 20_000;
/** After this both have noticed that the link is cut. */
const NOTICED_SEC = 5;
/** Automatic partner-down must not come while the partner serves, so contact is lost for less. */
const AUTO_MARGIN_SEC = 30;

type Deed = readonly [weight: number, deed: () => void];

export class Gremlin {
  readonly #world: World;
  readonly #faults: Faults;
  readonly #random: Random;
  readonly #gapSec: number;
  readonly #names: readonly HostName[];
  #isActive = true;
  /** A store was lost or is old, and is not whole again. */
  #isLossy = false;
  /** Comes back while its partner holds it for down: contact must not be lost before it has heard that. */
  readonly #returning = new Set<HostName>();
  /** Nothing else is to happen before: what goes wrong takes its time. */
  #quietUntilMs = 0;

  constructor(world: World, faults: Faults) {
    this.#world = world;
    this.#faults = faults;
    // A stream of its own: the list of what it did, replayed as a script, then gives the same run.
    this.#random = makeRandom(world.options.seed ^ 0x51ed270b);
    this.#gapSec = world.options.faultGapSec ?? 45;
    this.#names = [...world.machines.keys()];
    this.#next();
  }

  stop(): void {
    this.#isActive = false;
    for (const name of this.#names) if (!this.#host(name).isUp) this.#bringBack(name);
  }

  #next(): void {
    this.#world.schedule.after(this.#random.gap(this.#gapSec * 1000), () => {
      if (!this.#isActive) return;
      if (this.#world.isSettled()) this.#isLossy = false;
      for (const name of this.#returning) {
        const isBack = this.#world.placesOf(name).every(({ pair, side }) => {
          const state = pair.seats[side].state();
          return state !== 'down' && state !== 'startup';
        });
        if (isBack) this.#returning.delete(name);
      }
      if (this.#world.nowMs >= this.#quietUntilMs) this.#choose();
      this.#next();
    });
  }

  #choose(): void {
    const name = this.#random.pick(this.#names);
    const pair = this.#random.pick(this.#world.pairs);
    const side = this.#random.pick(SIDES);
    const deeds: readonly Deed[] = [
      [18, () => this.#cutLink(pair)],
      [12, () => this.#apply({ kind: 'reset', pair: pair.number })],
      [8, () => this.#kill(name, { kind: 'kill', side: name })],
      [14, () => this.#crash(name)],
      [10, () => this.#crashAt(name)],
      [5, () => this.#kill(name, { kind: 'vanish', side: name })],
      [5, () => this.#lose(name)],
      [5, () => this.#putBack(name)],
      [12, () => this.#dieForLong(name)],
      [4, () => this.#shutDown(name)],
      [5, () => this.#cutLan(name)],
      [5, () => this.#stall(name)],
      [3, () => this.#fillDisk(name)],
      [4, () => this.#loseOnLan()],
      [4, () => this.#doubtClock(name)],
      [4, () => this.#slowLink()],
      [3, () => this.#pause(name, pair)],
      [2, () => this.#recoverAll(name, pair)],
      [10, () => this.#set(pair, side)],
      [5, () => this.#takeScopeAway(pair, side)],
      [3, () => this.#takeRelationshipAway(pair, side)],
      [this.#world.options.operatorErrs === true ? 10 : 0, () => this.#declareDownWrongly(name, pair)],
      [this.#world.options.operatorErrs === true ? 40 : 0, () => this.#declareBothDown(pair)],
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

  #host(name: HostName): Host {
    return this.#world.machine(name);
  }

  #apply(fault: Fault): void {
    this.#faults.apply(fault);
  }

  // --- networks, disks, clocks

  #cutLan(name: HostName): void {
    const isKnown = this.#random.chance(50);
    const way = isKnown ? 'both' : this.#random.pick(['both', 'to-server', 'to-client'] as const);
    this.#for(this.#lengthSec(5, 60), { kind: 'lan-cut', side: name, isKnown, way }, { kind: 'lan-heal', side: name });
  }

  #loseOnLan(): void {
    const { lossPercent } = this.#world.options;
    const percent = this.#random.between(10, 60);
    this.#for(this.#lengthSec(5, 90), { kind: 'lan-loss', percent }, { kind: 'lan-loss', percent: lossPercent });
  }

  #doubtClock(name: HostName): void {
    const sec = this.#lengthSec(5, 120);
    if (this.#random.chance(50)) {
      this.#for(sec, { kind: 'clock', side: name, isTrusted: false }, { kind: 'clock', side: name, isTrusted: true });
      return;
    }
    // Below 5 s it is followed, above it is a step; a start in between would take it for the truth, so it is undone before.
    const byMs = this.#random.chance(40)
      ? this.#random.between(-900, 900)
      : this.#random.pick([-7_200_000, -60_000, -8000, 8000, 60_000, 7_200_000]);
    this.#for(sec, { kind: 'clock-step', side: name, byMs }, { kind: 'clock-step', side: name, byMs: 0 });
  }

  #slowLink(): void {
    const { linkLatencyMs } = this.#world.options;
    const ms = this.#random.between(100, 1500);
    this.#for(this.#lengthSec(5, 60), { kind: 'link-latency', ms }, { kind: 'link-latency', ms: linkLatencyMs });
  }

  #stall(name: HostName): void {
    const { commitMs } = this.#world.options;
    this.#for(
      this.#lengthSec(3, 60),
      { kind: 'commit-ms', side: name, ms: this.#random.between(200, 6000) },
      { kind: 'commit-ms', side: name, ms: commitMs },
    );
  }

  #cutLink(pair: Pair): void {
    if (!this.#mayLoseContact()) return;
    const autoSec = this.#world.options.autoPartnerDownSec;
    const sec = Math.min(
      this.#lengthSec(2, 1200),
      autoSec === null ? Number.POSITIVE_INFINITY : autoSec - AUTO_MARGIN_SEC,
    );
    const { number } = pair;
    this.#for(sec, { kind: 'cut', how: this.#random.pick(CUT_KINDS), pair: number }, { kind: 'heal', pair: number });
  }

  // --- processes

  #crash(name: HostName): void {
    const what = this.#random.pick(CRASH_AFTER);
    this.#kill(name, { kind: 'crash-after', side: name, what, count: this.#random.between(1, 12) });
  }

  #crashAt(name: HostName): void {
    const what = this.#random.pick(CRASH_AT);
    const count = this.#random.between(1, what === 'change' ? 6 : 40);
    this.#kill(name, { kind: 'crash-at', side: name, what, count });
  }

  #fillDisk(name: HostName): void {
    this.#kill(name, { kind: 'disk-full', side: name });
  }

  #kill(name: HostName, fault: Fault): void {
    if (!this.#host(name).isUp || !this.#mayLoseContact()) return;
    this.#apply(fault);
    this.#later(this.#lengthSec(1, 900), () => this.#bringBack(name));
  }

  /** Perhaps after a time without contact; its partners are told, and go on alone for a time. */
  #dieForLong(name: HostName): void {
    if (this.#isLossy || !this.#mayLoseContact() || !this.#world.isSettled()) return;
    const { mcltSec, autoPartnerDownSec } = this.#world.options;
    const cutSec =
      autoPartnerDownSec === null && this.#random.chance(50) ? this.#random.between(20, 2 * Math.min(mcltSec, 300)) : 0;
    if (cutSec > 0) this.#cutFrom(name);
    this.#later(cutSec, () => {
      if (!this.#host(name).isUp || this.#returning.size > 0) return;
      this.#apply({ kind: this.#random.chance(50) ? 'kill' : 'vanish', side: name });
      this.#later(this.#random.between(13, 40), () => this.#declareDown(name));
      this.#later(this.#random.between(30, 2 * Math.max(mcltSec, 600)), () => this.#bringBack(name));
    });
  }

  #shutDown(name: HostName): void {
    if (!this.#world.isSettled() || this.#returning.size > 0) return;
    this.#apply({ kind: 'shut-down', side: name });
    this.#protect(name);
    this.#later(this.#lengthSec(5, 300), () => this.#bringBack(name));
  }

  #bringBack(name: HostName): void {
    const host = this.#host(name);
    this.#apply({ kind: 'disk-free', side: name });
    if (host.isUp) return;
    const places = this.#world.placesOf(name);
    const areDown = places.some(({ pair, side }) => pair.seats[otherSide(side)].isPartnerDown());
    if (this.#returning.has(name) || areDown || this.#world.options.autoPartnerDownSec !== null) {
      this.#protect(name);
      for (const { pair, side } of places) {
        this.#apply({ kind: 'heal', pair: pair.number });
        const partner = pair.names.hosts[otherSide(side)];
        if (!this.#host(partner).isUp) this.#start(partner);
      }
      this.#apply({ kind: 'link-latency', ms: this.#world.options.linkLatencyMs });
    }
    this.#start(name);
  }

  /** With the right time: a start believes the system's clock. */
  #start(name: HostName): void {
    this.#apply({ kind: 'disk-free', side: name });
    this.#apply({ kind: 'clock-step', side: name, byMs: 0 });
    this.#apply({ kind: 'start', side: name });
  }

  // --- stores

  /** Perhaps after a time without contact, so that what is lost was known to nobody else. */
  #lose(name: HostName): void {
    if (!this.#mayLose(name)) return;
    const mayCut = this.#world.options.autoPartnerDownSec === null && this.#random.chance(50);
    const cutSec = mayCut ? this.#random.between(20, 300) : 0;
    if (cutSec > 0) this.#cutFrom(name);
    this.#later(cutSec, () => {
      if (!this.#mayLose(name)) return;
      this.#isLossy = true;
      if (this.#host(name).isUp) this.#apply({ kind: 'kill', side: name });
      this.#apply({ kind: 'wipe', side: name });
      for (const { pair } of this.#world.placesOf(name)) this.#apply({ kind: 'heal', pair: pair.number });
      this.#later(this.#lengthSec(1, 300), () => this.#bringBack(name));
    });
  }

  /** What a server gave away alone, or while its partner is down, is known to nobody else. */
  #mayLose(name: HostName): boolean {
    if (this.#isLossy || !this.#mayLoseContact() || this.#isChanging(name)) return false;
    return this.#world.placesOf(name).every(({ pair, side }) => {
      const { seats } = pair;
      return pair.isWhole() && !seats[side].isPartnerDown() && seats[otherSide(side)].isUp;
    });
  }

  #putBack(name: HostName): void {
    const host = this.#host(name);
    const { nowMs, changedMs } = this.#world;
    const copy = host.copies.at(-1);
    if (copy !== undefined && copy.madeMs < changedMs) host.copies.length = 0;
    if (copy === undefined || nowMs - copy.madeMs < COPY_AGE_MS_MIN || copy.madeMs < changedMs) {
      if (host.isUp && host.copies.length === 0) this.#apply({ kind: 'copy', side: name });
      return;
    }
    if (this.#isLossy || this.#returning.size > 0 || !this.#world.isSettled() || this.#isChanging(name)) return;
    this.#isLossy = true;
    this.#apply({ kind: 'kill', side: name });
    this.#apply({ kind: 'put-back', side: name });
    host.copies.length = 0;
    this.#protect(name);
    this.#later(this.#lengthSec(1, 60), () => this.#bringBack(name));
  }

  // --- operators

  #set(pair: Pair, side: Side): void {
    const dice = this.#random.below(3);
    const percentage = this.#random.pick([5, 10, 30, 50, 70, 95]);
    const { mcltSec } = this.#world.options;
    const change =
      dice === 0
        ? { mode: this.#random.pick(['LoadBalance', 'HotStandby'] as const), percentage }
        : dice === 1
          ? { percentage }
          : { mcltSec: this.#random.pick([60, mcltSec, mcltSec, 2 * mcltSec]) };
    this.#apply({ kind: 'set', side, change, pair: pair.number });
  }

  #takeScopeAway(pair: Pair, side: Side): void {
    if (this.#isLossy || !pair.isWhole()) return;
    this.#apply({ kind: 'remove-scope', side, pair: pair.number });
    this.#later(this.#lengthSec(5, 120), () => this.#apply({ kind: 'add-scope', side, pair: pair.number }));
  }

  #takeRelationshipAway(pair: Pair, side: Side): void {
    if (this.#isLossy || !pair.isWhole()) return;
    this.#apply({ kind: 'remove-relationship', side, pair: pair.number });
    this.#later(this.#lengthSec(5, 90), () => this.#apply({ kind: 'add-relationship', side, pair: pair.number }));
  }

  #pause(name: HostName, pair: Pair): void {
    if (this.#world.options.autoPartnerDownSec !== null) return;
    if (!this.#mayLoseContact() || !this.#host(name).isUp) return;
    const at = { side: name, pair: pair.number };
    this.#for(this.#lengthSec(3, 60), { kind: 'pause', ...at }, { kind: 'resume', ...at });
  }

  #recoverAll(name: HostName, pair: Pair): void {
    if (this.#isLossy || !this.#world.isSettled() || this.#returning.size > 0) return;
    this.#apply({ kind: 'recover-all', side: name, pair: pair.number });
  }

  /** Only for a partner that is dead. */
  #declareDown(name: HostName): void {
    if (this.#host(name).isUp) return;
    for (const { pair, side } of this.#world.placesOf(name)) {
      const partner = pair.seats[otherSide(side)];
      const state = partner.state();
      if (state !== 'communications-interrupted' && state !== 'resolution-interrupted') continue;
      this.#apply({ kind: 'partner-down', side: pair.names.hosts[otherSide(side)], pair: pair.number });
    }
  }

  #declareDownWrongly(name: HostName, pair: Pair): void {
    this.#apply({ kind: 'partner-down', side: name, pair: pair.number });
  }

  /** Each is told that the other is down, for long enough that both give the same addresses away: what I25 is about. */
  #declareBothDown(pair: Pair): void {
    if (this.#isLossy || this.#world.options.autoPartnerDownSec !== null || this.#returning.size > 0) return;
    const { number, names, seats } = pair;
    if (pair.cable.cut !== undefined || SIDES.some((side) => seats[side].state() !== 'normal')) return;
    const waitSec = pair.mcltSecMax + this.#random.between(20, 120);
    this.#quietUntilMs = this.#world.nowMs + (NOTICED_SEC + waitSec + NOTICED_SEC) * 1000;
    this.#for(NOTICED_SEC + waitSec, { kind: 'cut', how: 'closed', pair: number }, { kind: 'heal', pair: number });
    this.#later(NOTICED_SEC, () => {
      for (const side of SIDES) this.#apply({ kind: 'partner-down', side: names.hosts[side], pair: number });
    });
  }

  // --- what the assumptions ask for

  /** A change of two servers is under way or in doubt here or there. */
  #isChanging(name: HostName): boolean {
    return this.#world.placesOf(name).some(({ pair }) => SIDES.some((side) => this.#hasOpenChange(pair, side)));
  }

  #hasOpenChange(pair: Pair, side: Side): boolean {
    return (pair.seats[side].host.changes?.openCount ?? 0) > 0;
  }

  #for(sec: number, fault: Fault, undo: Fault): void {
    this.#apply(fault);
    this.#later(sec, () => this.#apply(undo));
  }

  #later(sec: number, run: () => void): void {
    this.#world.schedule.after(sec * 1000, () => {
      if (this.#isActive) run();
    });
  }

  /** Short ones are common, long ones happen. */
  #lengthSec(low: number, high: number): number {
    const most = Math.min(high, Math.max(low + 30, this.#gapSec * 8));
    return this.#random.chance(70)
      ? this.#random.between(low, Math.min(most, low + 30))
      : this.#random.between(low, most);
  }

  /** With automatic partner-down a loss of contact must find all together. */
  #mayLoseContact(): boolean {
    if (this.#returning.size > 0) return false;
    return this.#world.options.autoPartnerDownSec === null || this.#world.isSettled();
  }

  #cutFrom(name: HostName): void {
    for (const { pair } of this.#world.placesOf(name)) this.#apply({ kind: 'cut', how: 'closed', pair: pair.number });
  }

  /** A crash that was waiting for its moment would take contact away too. */
  #protect(name: HostName): void {
    this.#returning.add(name);
    this.#apply({ kind: 'disarm' });
  }
}
