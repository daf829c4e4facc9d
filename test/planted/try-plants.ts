/**
 * Tries the planted faults: each in a copy of its own, on the same worlds in the same order, until the simulator finds it. A world that
 * fails without the plant too proves nothing: it is passed over and named.
 */
import type { FailedRun } from '../../src/sim/totals.ts';
import type { Job } from '../sim/run/job.ts';
import { makePool, type Pool } from '../sim/run/pool.ts';
import { makeCopy } from './copy.ts';
import { PLANTS, type Plant } from './plants.ts';
import { searchJobs, worldName } from './search-jobs.ts';

/** Worlds tried before a plant counts as not found. */
export const WORLDS_MAX = 600;
/** A world takes seconds; one that takes this long has no end, which no world has without a plant. */
const WORLD_MS_MAX = 300_000;

export interface Found {
  readonly name: string;
  readonly breaks: string;
  /** The rule that it broke; undefined when it was not found. */
  readonly rule: string | undefined;
  readonly what: string | undefined;
  /** The world that found it. */
  readonly world: string | undefined;
  /** Worlds that were run until it was found, this one included. */
  readonly seedsTaken: number;
  readonly seconds: number;
}

export interface PlantedResult {
  readonly count: number;
  readonly caught: number;
  readonly plants: readonly Found[];
  /** Worlds that fail without any plant, and were passed over. */
  readonly unsound: readonly string[];
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
  const sound = new SoundCode();
  const queue = plants.values();
  const work = async (): Promise<void> => {
    for (const plant of queue) {
      const result = await tryPlant(plant, WORLDS_MAX, sound);
      found.push(result);
      note(`${result.name}: ${result.rule ?? 'NOT FOUND'} after ${result.seedsTaken} worlds, ${result.seconds} s`);
    }
  };
  try {
    await Promise.all(Array.from({ length: workers }, work));
  } finally {
    await sound.close();
  }
  for (const world of sound.failing) note(`passed over, since it fails without a plant: ${world}`);
  const inOrder = plants.flatMap(({ name }) => found.filter((result) => result.name === name));
  const caught = inOrder.filter(({ rule }) => rule !== undefined).length;
  return { count: plants.length, caught, plants: inOrder, unsound: sound.failing };
}

/** Runs the worlds one after another in a copy with the plant; without one it shows that the worlds themselves are sound. */
export async function tryPlant(
  plant: Plant | undefined,
  worldsMax: number,
  sound: Pick<SoundCode, 'fails'>,
): Promise<Found> {
  const began = process.hrtime.bigint();
  const copy = makeCopy(plant);
  let pool = makePool(1, copy.worker);
  let first: FailedRun | undefined;
  let world: string | undefined;
  let seedsTaken = 0;
  try {
    for (const job of searchJobs()) {
      if (seedsTaken >= worldsMax || first !== undefined) break;
      seedsTaken++;
      const failed = await failureIn(pool, job);
      if (failed === undefined) continue;
      if (plant === undefined || !(await sound.fails(job))) {
        first = failed;
        world = worldName(job);
      } else if (failed.rule === 'thrown') {
        // The thread may be gone with it.
        await pool.close();
        pool = makePool(1, copy.worker);
      }
    }
  } finally {
    await pool.close();
    copy.remove();
  }
  const seconds = Math.round(Number(process.hrtime.bigint() - began) / 1e8) / 10;
  const { name, breaks } = plant ?? { name: 'none', breaks: 'nothing' };
  return { name, breaks, rule: first?.rule, what: first?.what, world, seedsTaken, seconds };
}

/** The code without a plant: whether a world fails in it as well. Each world is asked about once. */
export class SoundCode {
  /** By name, with the rule. */
  readonly failing: string[] = [];
  readonly #known = new Map<string, Promise<boolean>>();
  #pool: Pool | undefined;
  #last: Promise<unknown> = Promise.resolve();

  fails(job: Job): Promise<boolean> {
    const name = worldName(job);
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    this.#pool ??= makePool(1);
    const pool = this.#pool;
    // One thread for all who ask, one after the other.
    const answer = this.#last.then(async () => {
      const failed = await failureIn(pool, job);
      if (failed !== undefined) this.failing.push(`${name}: ${failed.rule}: ${failed.what}`);
      return failed !== undefined;
    });
    this.#known.set(name, answer);
    this.#last = answer;
    return answer;
  }

  async close(): Promise<void> {
    await this.#pool?.close();
    this.#pool = undefined;
  }
}

/** The first rule that the world breaks. A thread that ends, or does not come to an end, has broken one too. */
async function failureIn(pool: Pool, job: Job): Promise<FailedRun | undefined> {
  let failed: FailedRun | undefined;
  let timer: NodeJS.Timeout | undefined;
  const noEnd = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`the world has no end in ${WORLD_MS_MAX} ms`)), WORLD_MS_MAX);
  });
  try {
    const run = pool.run([job], (_job, { violations }) => {
      failed = violations[0];
      return true;
    });
    await Promise.race([run, noEnd]);
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    failed = { seed: 'from' in job ? job.from : job.seed, rule: 'thrown', what };
  } finally {
    clearTimeout(timer);
  }
  return failed;
}
