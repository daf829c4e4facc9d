/**
 * Many runs of the simulator: `npm run sim -- --seeds N [--from M] [--minutes M] [--clients C] [--drain SEC] [--workers W]
 * [--crowded] [--append FILE] [--planted] [--only NAME] [--scenarios] [--json]`. `--seeds 0` runs nothing, with `--scenarios` the fixed situations,
 * which other runs have besides. Crowded worlds have many clients, short leases and a fault every few
 * seconds: as much as possible in as little time.
 * Prints one JSON object with `--json`, lines for people without. A seed that fails is named on standard error with the
 * command that tells its story, and the exit status is 1.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { CROWDED } from '../../../src/sim/random-world.ts';
import { SCENARIOS } from '../../../src/sim/scenarios.ts';
import { addTotals, emptyTotals, summary, type Totals } from '../../../src/sim/totals.ts';
import { tryAllPlants } from '../../planted/try-plants.ts';
import type { Job } from './job.ts';
import { makePool } from './pool.ts';
import { nextSeed, presentCommit, readTotals, writeTotals } from './totals-file.ts';

/** Seeds in one job: a run that is ended early loses not more than these for each worker. */
const SEEDS_PER_JOB = 5;
/** Between two notes on standard error of how far a long run is. */
const PROGRESS_MS = 30_000;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string' },
    minutes: { type: 'string' },
    clients: { type: 'string' },
    drain: { type: 'string' },
    crowded: { type: 'boolean', default: false },
    workers: { type: 'string' },
    append: { type: 'string' },
    planted: { type: 'boolean', default: false },
    scenarios: { type: 'boolean', default: false },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

const workers = values.workers === undefined ? availableParallelism() : Number(values.workers);
const kept = values.append === undefined ? undefined : readTotals(values.append);
const from = values.from === undefined ? (kept === undefined ? 1 : nextSeed(kept)) : Number(values.from);
const seeds = Number(values.seeds);
const usual = values.crowded ? CROWDED : { minutes: 60, clientsMax: 60, drainSecMax: 14_400 };
const size = {
  minutes: Number(values.minutes ?? usual.minutes),
  clientsMax: Number(values.clients ?? usual.clientsMax),
  drainSecMax: Number(values.drain ?? usual.drainSecMax),
};
const began = process.hrtime.bigint();
const totals = emptyTotals();

const isEnded = await runSeeds();
const seconds = Number(process.hrtime.bigint() - began) / 1e9;
let shown = totals;
if (values.append !== undefined && kept !== undefined) {
  kept.sittings.push({
    commit: presentCommit(),
    from,
    seeds: totals.seeds,
    minutes: size.minutes,
    seconds: Math.round(seconds),
  });
  addTotals(kept.totals, totals);
  writeTotals(values.append, kept);
  shown = kept.totals;
}
const planted = values.planted
  ? await tryAllPlants({ workers, only: values.only, note: (line) => console.error(line) })
  : undefined;
const printed: Record<string, unknown> = { ...summary(shown), seconds: Math.round(seconds) };
if (kept !== undefined) printed['sittings'] = kept.sittings;
if (planted !== undefined) printed['planted'] = planted;
if (isEnded) printed['ended'] = 'by a signal, before all seeds were run';
if (values.json) console.log(JSON.stringify(printed));
else
  for (const [name, value] of Object.entries(printed))
    console.log(`${name}: ${typeof value === 'object' ? JSON.stringify(value) : value}`);
process.exitCode = totals.violations.length > 0 || (planted !== undefined && planted.caught < planted.count) ? 1 : 0;

/** The scenarios once, then the seeds. True when a signal ended it before. */
async function runSeeds(): Promise<boolean> {
  if (seeds === 0 && !values.scenarios) return false;
  const pool = makePool(workers);
  let isStopped = false;
  const stop = (): void => {
    isStopped = true;
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  let notedMs = Date.now();
  await pool.run(jobs(), (job, done) => {
    addTotals(totals, done);
    for (const { seed, rule, what } of done.violations) failed(job, seed, rule, what);
    if (Date.now() - notedMs > PROGRESS_MS) {
      notedMs = Date.now();
      console.error(progress(totals));
    }
    return !isStopped;
  });
  await pool.close();
  process.off('SIGINT', stop);
  process.off('SIGTERM', stop);
  return isStopped;
}

function* jobs(): Generator<Job> {
  for (let seed = from; seed < from + seeds; seed += SEEDS_PER_JOB) {
    const count = Math.min(SEEDS_PER_JOB, from + seeds - seed);
    yield { kind: 'seeds', from: seed, count, size, isCrowded: values.crowded, stopsAtFailure: false };
  }
  for (const index of SCENARIOS.keys())
    yield { kind: 'scenarios', index, seed: from + index * 4, stopsAtFailure: false };
}

function progress({ seeds: done, clientPackets, violations }: Totals): string {
  const sec = Number(process.hrtime.bigint() - began) / 1e9;
  return `${done} of ${seeds} seeds, ${clientPackets} client packets, ${violations.length} violations after ${Math.round(sec)} s`;
}

function failed(job: Job, seed: number, rule: string, what: string): void {
  const how =
    job.kind === 'seeds'
      ? `twinlease sim --seed ${seed} --minutes ${size.minutes} --clients ${size.clientsMax} --drain ${size.drainSecMax}${values.crowded ? ' --crowded' : ''} --story`
      : `twinlease sim --scenario '${SCENARIOS[job.index]?.name}' --seed ${job.seed} --story`;
  console.error(`seed ${seed}: ${rule}: ${what}\n  ${how}`);
}
