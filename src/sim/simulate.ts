/**
 * One run: the pair is made over live leases, things go wrong, everything is healed, and then the world must come to rest by
 * itself: both servers in NORMAL without any operator, and two tables that say the same.
 */
import type { Counts } from './checker.ts';
import { type Fault, Faults } from './faults.ts';
import { Gremlin } from './gremlin.ts';
import type { WorldOptions } from './options.ts';
import type { Violation } from './violation.ts';
import { World } from './world.ts';

/** One step of a script: waits, then does. */
export interface Step {
  readonly afterSec?: number;
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
  readonly messages: Readonly<Record<string, number>>;
  readonly virtualSec: number;
  /** The last lines, for whoever must understand a violation. */
  trace(lines: number, word?: string): string[];
}

const CREATED_AT_SEC = 15;
const CLIENTS_COME_SEC = 40;
const FIRST_NORMAL_SEC = 120;
const WHEN_SEC_MAX = 7200;
/** STARTUP, a slow redial, skew and a conflict, beside MCLT. */
const SETTLE_SEC = 240;
const AFTERWARDS_SEC = 120;
const AGREE_SEC = 300;
const QUIET_SEC = 120;

/** Runs a world to its end, or to its first violation. Deterministic: the same options give the same report. */
export function simulate(options: SimOptions): SimReport {
  const world = new World(options);
  const run = new Run(world, options);
  run.all();
  return {
    name: options.name,
    options,
    violations: world.checker.violations,
    excuses: world.checker.excuses,
    counts: world.checker.counts,
    messages: world.checker.link.counts,
    virtualSec: Math.round(world.nowMs / 1000),
    trace: (lines, word) => world.trace.tail(lines, word),
  };
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

  constructor(world: World, options: SimOptions) {
    this.#world = world;
    this.#options = options;
    this.#faults = new Faults(world);
  }

  all(): void {
    this.#begin();
    this.#goWrong();
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
      const { when } = step;
      if (when !== undefined)
        this.#await(`the script goes on: ${when.toString()}`, WHEN_SEC_MAX, () => when(this.#world));
      if (step.fault !== undefined) this.#faults.apply(step.fault);
    }
  }

  /** "No state needs help." */
  #settle(): void {
    this.#faults.healAll();
    this.#await('both are NORMAL again', this.#options.mcltSec + SETTLE_SEC, () => this.#world.isSettled());
    this.#pass(AFTERWARDS_SEC);
    this.#await('both stay NORMAL', 1, () => this.#world.isSettled());
  }

  #rest(): void {
    const { clients, checker } = this.#world;
    for (const client of clients) client.stop();
    this.#pass(QUIET_SEC / 2);
    this.#agree();
    const { leaseSec, mcltSec } = this.#options;
    const drainSec = (checker.promises.lastEndMs - this.#world.nowMs) / 1000 + 2 * leaseSec + 2 * mcltSec;
    if (drainSec > this.#options.drainSecMax) return;
    this.#await('every lease ends', drainSec + AGREE_SEC, () => this.#isDrained());
    this.#pass(QUIET_SEC);
    this.#agree();
    const quietMs = this.#world.nowMs - checker.link.lastUpdateMs;
    if (quietMs < (QUIET_SEC / 2) * 1000)
      checker.report('I15', `updates still flow ${QUIET_SEC} s after everything ended`);
  }

  #agree(): void {
    if (this.#world.schedule.isStopped) return;
    const { checker } = this.#world;
    for (let sec = 0; sec < AGREE_SEC && checker.differences().length > 0; sec += 5) this.#pass(5);
    const differences = checker.differences();
    if (differences.length > 0)
      checker.report('I16', `${differences.length} addresses differ: ${differences.slice(0, 5).join(' | ')}`);
  }

  #isDrained(): boolean {
    return (['a', 'b'] as const).every((side) => {
      const table = this.#world.hosts[side].process?.table;
      return table?.pools().every(({ scopeId }) => {
        const { free, backup, total } = table.counts(scopeId);
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
