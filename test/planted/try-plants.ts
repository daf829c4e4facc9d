/**
 * Tries the planted faults: each in a copy of its own, on the same worlds in the same order, until the simulator finds it. The
 * order is that of a search: random worlds, short ones first, and the fixed situations between them.
 */
import { CROWDED } from '../../src/sim/random-world.ts';
import { SCENARIOS } from '../../src/sim/scenarios.ts';
import type { Job } from '../sim/run/job.ts';
import { makePool } from '../sim/run/pool.ts';
import { makeCopy } from './copy.ts';
import { PLANTS, type Plant } from './plants.ts';

/** Worlds tried before a plant counts as not found. */
export const WORLDS_MAX = 330;
const SHORT = { minutes: 20, clientsMax: 40, drainSecMax: 3600 };
const LONG = { minutes: 60, clientsMax: 60, drainSecMax: 14_400 };
const SHORT_WORLDS = 40;
const CROWDED_WORLDS = 20;

export interface Found {
  readonly name: string;
  readonly breaks: string;
  /** The rule that it broke; undefined when it was not found. */
  readonly rule: string | undefined;
  readonly what: string | undefined;
  /** Worlds that were run until it was found, this one included. */
  readonly seedsTaken: number;
  readonly seconds: number;
}

export interface PlantedResult {
  readonly count: number;
  readonly caught: number;
  readonly plants: readonly Found[];
}

export interface TryOptions {
  readonly workers: number;
  /** Only the plant of this name. */
  readonly only?: string | undefined;
  readonly note: (line: string) => void;
}

export async function tryAllPlants({ workers, only, note }: TryOptions): Promise<PlantedResult> {
  const plants = PLANTS.filter(({ name }) => only === undefined || name === only);
  const found: Found[] = [];
  const queue = plants.values();
  const work = async (): Promise<void> => {
    for (const plant of queue) {
      const result = await tryPlant(plant, WORLDS_MAX);
      found.push(result);
      note(`${result.name}: ${result.rule ?? 'NOT FOUND'} after ${result.seedsTaken} seeds, ${result.seconds} s`);
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  const inOrder = plants.flatMap(({ name }) => found.filter((result) => result.name === name));
  return { count: plants.length, caught: inOrder.filter(({ rule }) => rule !== undefined).length, plants: inOrder };
}

/** Runs the worlds one after another in a copy with the plant; without one it shows that the worlds themselves are sound. */
export async function tryPlant(plant: Plant | undefined, worldsMax: number): Promise<Found> {
  const began = process.hrtime.bigint();
  const copy = makeCopy(plant);
  const pool = makePool(1, copy.worker);
  let rule: string | undefined;
  let what: string | undefined;
  let seedsTaken = 0;
  try {
    await pool.run(searchJobs(), (_job, totals) => {
      seedsTaken += totals.seeds + totals.scenarios;
      const first = totals.violations[0];
      rule = first?.rule;
      what = first?.what;
      return first === undefined && seedsTaken < worldsMax;
    });
  } finally {
    await pool.close();
    copy.remove();
  }
  const seconds = Math.round(Number(process.hrtime.bigint() - began) / 1e8) / 10;
  return { name: plant?.name ?? 'none', breaks: plant?.breaks ?? 'nothing', rule, what, seedsTaken, seconds };
}

function* searchJobs(): Generator<Job> {
  for (let seed = 1; seed <= SHORT_WORLDS; seed++)
    yield { kind: 'seeds', from: seed, count: 1, size: SHORT, stopsAtFailure: true };
  for (const index of SCENARIOS.keys()) yield { kind: 'scenarios', index, seed: index * 4 + 1, stopsAtFailure: true };
  for (const [index, { isFalseDown }] of SCENARIOS.entries())
    if (isFalseDown === true)
      yield { kind: 'scenarios', index, seed: index * 4 + 1, crowd: 'short', stopsAtFailure: true };
  yield {
    kind: 'scenarios',
    index: SCENARIOS.findIndex(({ name }) => name === 'a slow disk'),
    seed: 1,
    crowd: 'busy',
    stopsAtFailure: true,
  };
  for (let seed = 1; seed <= CROWDED_WORLDS; seed++)
    yield { kind: 'seeds', from: seed, count: 1, size: CROWDED, isCrowded: true, stopsAtFailure: true };
  for (let seed = SHORT_WORLDS + 1; ; seed++)
    yield { kind: 'seeds', from: seed, count: 1, size: LONG, stopsAtFailure: true };
}
