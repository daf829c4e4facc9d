/**
 * One run: the pair is made over live leases, things go wrong, everything is healed, and then the world must come to rest by
 * itself: both servers in NORMAL without any operator, and two tables that say the same.
 */

import { INFINITE_AT, type Ip4 } from '../wire/units.ts';
import type { Counts } from './checker.ts';
import { type AppliedFault, type Fault, Faults } from './faults.ts';
import { Gremlin } from './gremlin.ts';
import type { WorldOptions } from './options.ts';
import { SCOPE_ADDRESSES_MAX } from './setting.ts';
import { SIDES } from './sides.ts';
import { settingInWords } from './story.ts';
import type { Violation } from './violation.ts';
import { World } from './world.ts';

/** One step of a script: waits, then does. */
export interface Step {
  readonly afterSec?: number;
  /** Waits until this moment, counted from the beginning of the run. */
  readonly atMs?: number;
  /** Waits until this holds; that it never does is a failure of the run. */
  readonly when?: (world: World) => boolean;
  readonly fault?: Fault;
}

export interface SimOptions extends WorldOptions {
  readonly name: string;
  /** How long chance may do its worst; not used by a script. */
  readonly minutes: number;
  readonly faults: 'none' | 'random' | readonly Step[];
  /** Longest virtual time spent on seeing every lease end; a run that would need more leaves it out. */
  readonly drainSecMax: number;
}

export interface SimReport {
  readonly name: string;
  readonly options: SimOptions;
  readonly violations: readonly Violation[];
  /** Where P1 did not hold, and how often I1 and its kin were broken by that. */
  readonly excuses: readonly string[];
  readonly counts: Counts;
  /** Known exceptions that were proved to be such, by kind. */
  readonly exceptions: Readonly<Record<string, number>>;
  /** How often each cell of the specification's tables was reached (`cells.ts`). */
  readonly cells: ReadonlyMap<string, number>;
  /** How often each rule was looked at. */
  readonly looks: Readonly<Record<string, number>>;
  readonly messages: Readonly<Record<string, number>>;
  readonly virtualSec: number;
  /** Everything that went wrong on purpose: what script or chance did, and packets lost and doubled. */
  readonly faults: number;
  readonly faultKinds: Readonly<Record<string, number>>;
  /** What was done and when; replayed as a script it gives the same run (`shrink.ts`). */
  readonly applied: readonly AppliedFault[];
  /** When the faults were over and everything was healed. */
  readonly faultsEndMs: number;
  /** The last lines, for whoever must understand a violation. */
  trace(lines: number, word?: string): string[];
  /** The run in words: who did what when; with everything that concerns the address. */
  story(about?: Ip4): string[];
}

const CREATED_AT_SEC = 15;
const CLIENTS_COME_SEC = 40;
const FIRST_NORMAL_SEC = 120;
const WHEN_SEC_MAX = 7200;
/** STARTUP, a slow redial, skew and a conflict, beside MCLT. */
const SETTLE_SEC = 240;
/** Putting the configuration back takes a change for each pair, and drains and timeouts of those that were under way. */
const RESTORE_SEC = 300;
const RESTORE_EVERY_SEC = 5;
/** States that a server comes to by itself; one without the relationship waits for an operator. */
const SETTLED: ReadonlySet<string> = new Set(['normal', 'standalone']);
const AFTERWARDS_SEC = 120;
const AGREE_SEC = 300;
const QUIET_SEC = 120;

/** Runs a world to its end, or to its first violation. Deterministic: the same options give the same report. */
export function simulate(options: SimOptions): SimReport {
  const { world, applied, faultsEndMs } = runOnce(options, false);
  let traced: World | undefined;
  const checkers = world.pairs.map(({ checker }) => checker);
  // The same run once more: nothing but the trace is different.
  const again = (): World => {
    traced ??= runOnce(options, true).world;
    return traced;
  };
  return {
    name: options.name,
    options,
    violations: checkers.flatMap(({ violations }) => violations),
    excuses: checkers.flatMap(({ excuses }) => excuses),
    exceptions: sumOf(checkers.map(({ exceptions }) => exceptions.counts)),
    cells: sumOfMaps(checkers.map(({ coverage }) => coverage.counts)),
    looks: sumOf(checkers.map(({ looks }) => looks)),
    counts: sumOfCounts(checkers.map(({ counts }) => counts)),
    messages: sumOf(checkers.map(({ link }) => link.counts)),
    virtualSec: Math.round(world.nowMs / 1000),
    faults: world.faultCounts.total + world.tornCount,
    faultKinds: { ...world.faultCounts.byKind, 'write torn': world.tornCount },
    applied,
    faultsEndMs,
    trace: (lines, word) => again().trace.tail(lines, word),
    story: (about) => [...settingInWords(options), ...(again().trace.story?.lines(about) ?? [])],
  };
}

function sumOf(tallies: readonly object[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const tally of tallies)
    for (const [key, count] of Object.entries(tally) as [string, number][]) sum[key] = (sum[key] ?? 0) + count;
  return sum;
}

function sumOfMaps(maps: readonly ReadonlyMap<string, number>[]): Map<string, number> {
  const sum = new Map<string, number>();
  for (const map of maps) for (const [key, count] of map) sum.set(key, (sum.get(key) ?? 0) + count);
  return sum;
}

function sumOfCounts(all: readonly Counts[]): Counts {
  const longestWaitMs = Math.max(...all.map((counts) => counts.longestWaitMs));
  return { ...(sumOf(all) as unknown as Counts), longestWaitMs };
}

interface Once {
  readonly world: World;
  readonly applied: readonly AppliedFault[];
  readonly faultsEndMs: number;
}

function runOnce(options: SimOptions, isTraced: boolean): Once {
  const world = new World(options, isTraced);
  const run = new Run(world, options);
  run.all();
  return { world, applied: run.applied, faultsEndMs: run.faultsEndMs };
}

/** For tests and people: what failed, and what went before. */
export function describeFailure(report: SimReport, lines = 60): string {
  const { options } = report;
  const what = report.violations.map((violation) => `${violation.rule}: ${violation.what}`).join('\n');
  const { faults, ...shown } = options;
  return `${report.name}, seed ${options.seed} after ${report.virtualSec} s: ${what}\n${JSON.stringify(shown)}\n${typeof faults === 'string' ? faults : ''}\n${report.trace(lines).join('\n')}`;
}

class Run {
  readonly #world: World;
  readonly #options: SimOptions;
  readonly #faults: Faults;
  faultsEndMs = 0;

  constructor(world: World, options: SimOptions) {
    this.#world = world;
    this.#options = options;
    this.#faults = new Faults(world);
  }

  get applied(): readonly AppliedFault[] {
    return this.#faults.applied;
  }

  all(): void {
    this.#begin();
    this.#goWrong();
    this.faultsEndMs = this.#world.nowMs;
    this.#settle();
    this.#rest();
  }

  #begin(): void {
    const { clients, random, schedule } = this.#world;
    this.#world.boot();
    for (const client of clients) schedule.after(random.below(CLIENTS_COME_SEC * 1000), () => client.start());
    this.#pass(CREATED_AT_SEC);
    this.#world.createRelationship();
    this.#await('both are NORMAL after the creation', FIRST_NORMAL_SEC, () => this.#world.isSettled());
  }

  #goWrong(): void {
    const { faults, minutes } = this.#options;
    if (faults === 'none') {
      this.#pass(minutes * 60);
      return;
    }
    if (faults === 'random') {
      const gremlin = new Gremlin(this.#world, this.#faults);
      this.#pass(minutes * 60);
      gremlin.stop();
      return;
    }
    for (const step of faults) {
      if (step.afterSec !== undefined) this.#pass(step.afterSec);
      const { schedule } = this.#world;
      if (step.atMs !== undefined && !schedule.isStopped) schedule.runUntil(Math.max(step.atMs, schedule.nowMs));
      const { when } = step;
      if (when !== undefined)
        this.#await(`the script goes on: ${when.toString()}`, WHEN_SEC_MAX, () => when(this.#world));
      if (step.fault !== undefined) this.#faults.apply(step.fault);
    }
  }

  /** "No state needs help." */
  #settle(): void {
    if (this.#world.schedule.isStopped) return;
    const { pairs } = this.#world;
    this.#faults.healAll();
    const isSettled = (): boolean =>
      pairs.every(({ seats }) => SIDES.every((side) => SETTLED.has(seats[side].state()))) && this.#world.areTalking();
    const mcltSec = Math.max(...pairs.map(({ mcltSecMax }) => mcltSecMax));
    this.#await('both are NORMAL again', mcltSec + SETTLE_SEC, isSettled);
    this.#restoreConfig(mcltSec);
    this.#pass(AFTERWARDS_SEC);
    this.#await('both stay NORMAL', 1, () => this.#world.isSettled());
  }

  /** Operators put back what they took away; a change that is under way first comes to its end. */
  #restoreConfig(mcltSec: number): void {
    const { schedule } = this.#world;
    if (schedule.isStopped) return;
    let isWhole = this.#faults.restoreConfig();
    for (let sec = 0; sec < RESTORE_SEC && !isWhole && !schedule.isStopped; sec += RESTORE_EVERY_SEC) {
      this.#pass(RESTORE_EVERY_SEC);
      isWhole = this.#faults.restoreConfig();
    }
    if (!isWhole && !schedule.isStopped)
      this.#world.checker.report('help', `the configuration cannot be put back (${this.#world.states()})`);
    this.#await('both are NORMAL with all scopes', mcltSec + SETTLE_SEC, () => this.#world.isSettled());
  }

  #rest(): void {
    const { clients, checker, pairs } = this.#world;
    for (const client of clients) client.stop();
    this.#pass(QUIET_SEC / 2);
    this.#agree();
    const { leaseSec } = this.#options;
    const mcltSec = Math.max(...pairs.map(({ mcltSecMax }) => mcltSecMax));
    const lastEndMs = Math.max(...pairs.map((pair) => pair.checker.promises.lastEndMs));
    const drainSec = (lastEndMs - this.#world.nowMs) / 1000 + 2 * leaseSec + 2 * mcltSec;
    if (drainSec > this.#options.drainSecMax) return;
    this.#await('every lease ends', drainSec + AGREE_SEC, () => this.#isDrained());
    // Leases of reserved addresses are in no pool's count.
    this.#pass(Math.max(lastEndMs - this.#world.nowMs, this.#lastEndsInMs(), 0) / 1000 + QUIET_SEC);
    this.#agree();
    if (this.#world.schedule.isStopped) return;
    const quietMs = this.#world.nowMs - checker.link.lastUpdateMs;
    if (quietMs < (QUIET_SEC / 2) * 1000)
      checker.report('I15', `updates still flow ${QUIET_SEC} s after everything ended`);
  }

  #agree(): void {
    if (this.#world.schedule.isStopped) return;
    const checkers = this.#world.pairs.map(({ checker }) => checker);
    const differ = (): boolean => checkers.some((checker) => checker.differences().length > 0);
    for (let sec = 0; sec < AGREE_SEC && differ(); sec += 5) this.#pass(5);
    if (this.#world.schedule.isStopped) return;
    for (const checker of checkers) checker.checkAtRest();
  }

  /** Until the last lease that a server knows of ends: its client may not have heard of it. */
  #lastEndsInMs(): number {
    let lastSec = 0;
    for (const { life } of this.#world.machines.values()) {
      for (const { scopeId } of life?.table.pools() ?? []) {
        for (const { state, leaseEndAt } of life?.table.scan(scopeId, scopeId, SCOPE_ADDRESSES_MAX) ?? [])
          if (state === 'active' && leaseEndAt !== INFINITE_AT)
            lastSec = Math.max(lastSec, leaseEndAt - (life?.now.wallAt ?? 0));
      }
    }
    return lastSec * 1000;
  }

  #isDrained(): boolean {
    return [...this.#world.machines.values()].every(({ life }) => {
      return life?.table.pools().every(({ scopeId }) => {
        const { free, backup, total } = life.table.counts(scopeId);
        return free + backup === total;
      });
    });
  }

  #pass(sec: number): void {
    const { schedule } = this.#world;
    if (!schedule.isStopped) schedule.runUntil(schedule.nowMs + sec * 1000);
  }

  #await(what: string, secMax: number, holds: () => boolean): void {
    for (let sec = 0; sec < secMax && !holds(); sec++) this.#pass(1);
    if (!this.#world.schedule.isStopped && !holds())
      this.#world.checker.report('help', `${what}: not within ${Math.round(secMax)} s (${this.#world.states()})`);
  }
}
