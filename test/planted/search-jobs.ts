/**
 * The worlds in which planted faults are looked for, in the order of a search: the fixed situations, one variant of each before the
 * next variant of any, because they are short and each is of another kind, and those first that chance seldom brings about; random
 * worlds between them, crowded ones after each round, and in the end long ones.
 */
import { AIMED_SCENARIOS } from '../../src/sim/aimed-scenarios.ts';
import { CROWDED } from '../../src/sim/random-world.ts';
import { SCENARIOS, type Scenario, scenarioWorlds } from '../../src/sim/scenarios.ts';
import type { Job } from '../sim/run/job.ts';

const SHORT = { minutes: 20, clientsMax: 40, drainSecMax: 3600 };
const LONG = { minutes: 60, clientsMax: 60, drainSecMax: 14_400 };
/** Random worlds before all, then one for so many situations. */
const SHORT_FIRST = 6;
const SITUATIONS_PER_SHORT = 6;
/** After each round of situations. */
const CROWDED_PER_ROUND = 5;
/** A situation in both modes, on either server. */
const VARIANTS_MAX = 4;

/** The numbers of the situations as they are tried; those that only lead to one cell of a table come last. */
const IN_ORDER = [
  ...numbersOf((scenario) => AIMED_SCENARIOS.includes(scenario)),
  ...numbersOf((scenario) => !AIMED_SCENARIOS.includes(scenario) && scenario.isBrief !== true),
  ...numbersOf((scenario) => scenario.isBrief === true),
];

function numbersOf(isWanted: (scenario: Scenario) => boolean): number[] {
  return [...SCENARIOS.keys()].filter((index) => isWanted(SCENARIOS[index]!));
}

/** One world each. */
export function* searchJobs(): Generator<Job> {
  let seed = 1;
  let crowded = 1;
  const short = (): Job => ({ kind: 'seeds', from: seed++, count: 1, size: SHORT, stopsAtFailure: true });
  while (seed <= SHORT_FIRST) yield short();
  for (let round = 0; round < VARIANTS_MAX; round++) {
    for (const [place, index] of IN_ORDER.entries()) {
      if (round < variantsOf(index)) yield situation(index, round);
      if (place % SITUATIONS_PER_SHORT === 0) yield short();
    }
    if (round === 0) yield* crowds();
    for (let i = 0; i < CROWDED_PER_ROUND; i++)
      yield { kind: 'seeds', from: crowded++, count: 1, size: CROWDED, isCrowded: true, stopsAtFailure: true };
  }
  for (;;) yield { kind: 'seeds', from: seed++, count: 1, size: LONG, stopsAtFailure: true };
}

/** Situations in which more clients than usual make more of what happens. */
function* crowds(): Generator<Job> {
  for (const [index, scenario] of SCENARIOS.entries()) {
    if (scenario.isFalseDown === true && scenario.isBrief !== true) yield { ...situation(index, 0), crowd: 'short' };
    if (scenario.name === 'a slow disk') yield { ...situation(index, 0), crowd: 'busy' };
  }
}

/** The rounds begin with another variant at each situation, so that no round has one mode or one server alone. */
function situation(index: number, round: number): Job & { readonly kind: 'scenarios' } {
  const variant = (index + round) % variantsOf(index);
  return { kind: 'scenarios', index, seed: firstSeedOf(index), variant, stopsAtFailure: true };
}

function variantsOf(index: number): number {
  return scenarioWorlds(SCENARIOS[index]!, firstSeedOf(index)).length;
}

function firstSeedOf(index: number): number {
  return index * VARIANTS_MAX + 1;
}

/** The same for the same world, and enough to run it again. */
export function worldName(job: Job): string {
  if (job.kind === 'seeds')
    return `${job.isCrowded === true ? 'crowded ' : ''}seed ${job.from}, ${job.size.minutes} minutes`;
  const world = scenarioWorlds(SCENARIOS[job.index]!, job.seed)[job.variant ?? 0];
  return `${world?.name}, seed ${world?.seed}${job.crowd === undefined ? '' : `, crowd ${job.crowd}`}`;
}
