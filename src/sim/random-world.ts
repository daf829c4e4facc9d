/**
 * A world by chance: small scopes that run dry and larger ones, short and long leases, good and bad networks, two servers or three, a few
 * clients or many, faults now and then or one upon the other.
 */
import type { WorldOptions } from './options.ts';
import { makeRandom, type Random } from './random.ts';
import { SIDES, type Side } from './sides.ts';
import type { SimOptions } from './simulate.ts';

export interface Size {
  readonly minutes: number;
  readonly clientsMax: number;
  readonly drainSecMax: number;
}

/** What a long run makes many of: short leases, so that much happens in little time. */
export const CROWDED: Size = { minutes: 8, clientsMax: 1200, drainSecMax: 1200 };

/** The pairs of three scopes of three servers, and of two scopes of three. */
const THREE_SERVERS: readonly (readonly number[])[] = [
  [0, 1, 2],
  [0, 0, 1],
  [0, 1],
];

export function randomWorld(seed: number, { minutes, clientsMax, drainSecMax }: Size): SimOptions {
  const random = makeRandom(seed ^ 0x2545f491);
  const mode = random.chance(50) ? 'LoadBalance' : 'HotStandby';
  const clients = random.between(4, clientsMax);
  const pairOfScope = pairsByChance(random);
  const poolSize = (): number =>
    Math.max(3, Math.round((clients / pairOfScope.length) * random.pick([0.5, 1, 1.3, 2, 4])));
  return {
    name: 'random',
    seed,
    minutes,
    drainSecMax,
    faults: 'random',
    mode,
    percentage: mode === 'LoadBalance' ? random.pick([50, 50, 30, 80]) : random.pick([5, 10, 30]),
    called: random.pick<Side>(SIDES),
    active: random.pick<Side>(SIDES),
    mcltSec: random.pick([60, 60, 120, 300, 600, 3600]),
    leaseSec: random.pick([300, 300, 600, 1200, 3600, 86_400]),
    autoPartnerDownSec: random.chance(20) ? random.pick([60, 120, 300]) : null,
    poolSizes: pairOfScope.map(poolSize),
    pairOfScope,
    clients,
    habits: random.chance(70) ? 'all' : 'plain',
    ...clocks(random),
    lossPercent: random.pick([0, 0, 1, 5]),
    duplicatePercent: random.pick([0, 1, 5]),
    latePercent: random.pick([0, 2, 5]),
    linkLatencyMs: random.pick([1, 5, 50, 200]),
    commitMs: random.pick([1, 5, 30]),
    stayMeanSec: random.pick([60, 300, 1200]),
    declinePercent: random.pick([1, 1, 1, 10]),
    faultGapSec: random.pick([6, 15, 45]),
    operatorErrs: random.chance(5),
  };
}

/** A world in which as much as possible happens in as little time: what a long run consists of. */
export function crowdedWorld(seed: number, size: Size = CROWDED): SimOptions {
  const random = makeRandom(seed ^ 0x6a09e667);
  const world = randomWorld(seed, size);
  const leaseSec = random.pick([60, 90, 120, 300]);
  return {
    ...world,
    name: 'crowded',
    leaseSec,
    mcltSec: random.pick([60, 60, 90, 120]),
    autoPartnerDownSec: world.autoPartnerDownSec === null ? null : random.pick([60, 120]),
    lossPercent: random.pick([0, 2, 5]),
    duplicatePercent: random.pick([1, 3, 5]),
    faultGapSec: random.pick([3, 6, 15]),
  };
}

function pairsByChance(random: Random): readonly number[] {
  const dice = random.below(100);
  if (dice < 50) return [0];
  if (dice < 75) return [0, 0];
  return random.pick(THREE_SERVERS);
}

/** Together never further apart than the allowance of 5 s. */
function clocks(random: Random): Pick<WorldOptions, 'skewMs' | 'driftPpm'> {
  const skewMs = (): number => random.between(-1200, 1200);
  const driftPpm = (): number => random.between(-100, 100);
  return { skewMs: { a: skewMs(), b: skewMs() }, driftPpm: { a: driftPpm(), b: driftPpm(), c: driftPpm() } };
}
