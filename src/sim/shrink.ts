/**
 * Makes a failing run small enough to be read: its faults as a script, then fewer of them, less time between them, fewer clients, a
 * plainer world, as long as the same rule is broken. Each attempt is a run of its own, so that what is left fails indeed.
 */
import type { AppliedFault } from './fault.ts';
import type { RuleId } from './rules.ts';
import { type SimOptions, type SimReport, type Step, simulate } from './simulate.ts';

/** A failing run as it is kept: everything that makes it, as data. */
export interface KeptStory {
  /** The rule that it broke when it was found. */
  readonly rule: RuleId;
  readonly what: string;
  readonly options: Omit<SimOptions, 'faults'>;
  readonly faults: readonly AppliedFault[];
  /** When everything is healed. */
  readonly endMs: number;
}

export interface Shrunk {
  readonly kind: 'shrunk' | 'not-repeated';
  readonly story: KeptStory;
  readonly report: SimReport;
  readonly runs: number;
}

/** After the last fault that is left, before everything is healed. */
const AFTER_LAST_MS = 60_000;
const MINUTE_MS = 60_000;

/** The run of a kept story. */
export function worldOf({ options, faults, endMs }: KeptStory): SimOptions {
  const steps: Step[] = faults.map(({ atMs, fault }) => ({ atMs, fault }));
  return { ...options, faults: [...steps, { atMs: endMs }] };
}

/** The story of a failing run, whole; `undefined` where nothing failed. */
export function storyOf(report: SimReport): KeptStory | undefined {
  const violation = report.violations[0];
  if (violation === undefined) return undefined;
  const { faults: _faults, ...options } = report.options;
  const lastMs = report.applied.at(-1)?.atMs ?? 0;
  // Chance does its worst for so long after the pair was made.
  const endMs = report.options.faults === 'random' ? report.faultsEndMs : lastMs + AFTER_LAST_MS;
  return { rule: violation.rule, what: violation.what, options, faults: report.applied, endMs };
}

/** At most `runsMax` runs are made. */
export function shrink(report: SimReport, runsMax: number): Shrunk | undefined {
  const whole = storyOf(report);
  if (whole === undefined) return undefined;
  const search = new Search(whole, runsMax);
  if (!search.accepts(whole)) return { kind: 'not-repeated', story: whole, report, runs: search.runs };
  search.fewerFaults();
  search.plainerWorld();
  search.lessTime();
  search.fewerFaults();
  const { story, runs } = search;
  return { kind: 'shrunk', story, report: search.report!, runs };
}

class Search {
  story: KeptStory;
  report: SimReport | undefined;
  runs = 0;
  readonly #runsMax: number;

  constructor(story: KeptStory, runsMax: number) {
    this.story = story;
    this.#runsMax = runsMax;
  }

  /** Runs the candidate, and takes it where it breaks the same rule. */
  accepts(candidate: KeptStory): boolean {
    if (this.runs >= this.#runsMax) return false;
    this.runs++;
    const report = tried(candidate);
    const violation = report?.violations[0];
    if (report === undefined || violation?.rule !== this.story.rule) return false;
    this.story = { ...candidate, what: violation.what };
    this.report = report;
    return true;
  }

  /** Delta debugging: leaves out parts of the list, large ones first. */
  fewerFaults(): void {
    for (let size = Math.ceil(this.story.faults.length / 2); size >= 1; size = Math.floor(size / 2)) {
      for (let from = 0; from < this.story.faults.length; ) {
        const faults = this.story.faults.filter((_fault, i) => i < from || i >= from + size);
        if (!this.accepts({ ...this.story, faults })) from += size;
      }
    }
  }

  plainerWorld(): void {
    for (const change of PLAINER) {
      const options = { ...this.story.options, ...change(this.story.options) };
      this.accepts({ ...this.story, options });
    }
    for (let clients = Math.floor(this.story.options.clients / 2); clients >= 1; clients = Math.floor(clients / 2)) {
      if (!this.accepts({ ...this.story, options: { ...this.story.options, clients } })) break;
    }
  }

  /** Takes whole minutes out between faults, and what comes after the last. */
  lessTime(): void {
    const { faults } = this.story;
    this.accepts({ ...this.story, endMs: (faults.at(-1)?.atMs ?? 0) + AFTER_LAST_MS });
    for (let i = faults.length - 1; i >= 0; i--) {
      const gapMs = this.story.faults[i]!.atMs - (this.story.faults[i - 1]?.atMs ?? MINUTE_MS);
      const lessMs = Math.floor(gapMs / MINUTE_MS) * MINUTE_MS;
      if (lessMs <= 0) continue;
      const sooner = this.story.faults.map((one, j) => (j < i ? one : { ...one, atMs: one.atMs - lessMs }));
      this.accepts({ ...this.story, faults: sooner, endMs: this.story.endMs - lessMs });
    }
  }
}

/** A run that throws breaks another rule than the one that is looked for. */
function tried(candidate: KeptStory): SimReport | undefined {
  try {
    return simulate(worldOf(candidate));
  } catch {
    return undefined;
  }
}

type Options = KeptStory['options'];
const PLAINER: readonly ((options: Options) => Partial<Options>)[] = [
  () => ({ habits: 'plain' }),
  () => ({ lossPercent: 0, duplicatePercent: 0, latePercent: 0 }),
  () => ({ skewMs: { a: 0, b: 0 }, driftPpm: { a: 0, b: 0, c: 0 } }),
  () => ({ declinePercent: 0 }),
  ({ poolSizes }) => ({ poolSizes: poolSizes.slice(0, 1), pairOfScope: [0] }),
  () => ({ linkLatencyMs: 5, commitMs: 5 }),
];
