/** Runs one job of seeds or scenarios; in a worker, or where it is called. */
import { crowdedWorld, randomWorld } from '../../../src/sim/random-world.ts';
import { SCENARIOS, scenarioWorlds } from '../../../src/sim/scenarios.ts';
import { type SimOptions, simulate } from '../../../src/sim/simulate.ts';
import { addReport, addThrown, emptyTotals, type Totals } from '../../../src/sim/totals.ts';
import type { Job } from './job.ts';

const CROWDS = {
  /** More clients than addresses, so that what was one server's is soon given out by the other. */
  short: { clients: 60, stayMeanSec: 40 },
  busy: { clients: 500, poolSizes: [800], stayMeanSec: 20, leaseSec: 120 },
};

export function runJob(job: Job): Totals {
  const totals = emptyTotals();
  for (const options of worlds(job)) {
    try {
      addReport(totals, job.kind, simulate(options));
    } catch (error) {
      addThrown(totals, job.kind, options.seed, error);
    }
    if (job.stopsAtFailure && totals.violations.length > 0) break;
  }
  return totals;
}

function* worlds(job: Job): Generator<SimOptions> {
  if (job.kind === 'seeds') {
    for (let seed = job.from; seed < job.from + job.count; seed++)
      yield (job.isCrowded === true ? crowdedWorld : randomWorld)(seed, job.size);
    return;
  }
  const scenario = SCENARIOS[job.index];
  if (scenario === undefined) return;
  const all = scenarioWorlds(scenario, job.seed);
  for (const world of job.variant === undefined ? all : all.slice(job.variant, job.variant + 1))
    yield job.crowd === undefined ? world : { ...world, ...CROWDS[job.crowd] };
}
