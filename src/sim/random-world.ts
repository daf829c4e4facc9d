/** A world by chance: small scopes that run dry and larger ones, short and long leases, good and bad networks. */
import { makeRandom } from './random.ts';
import { SIDES, type Side } from './sides.ts';
import type { SimOptions } from './simulate.ts';

export interface Size {
  readonly minutes: number;
  readonly clientsMax: number;
  readonly drainSecMax: number;
}

export function randomWorld(seed: number, { minutes, clientsMax, drainSecMax }: Size): SimOptions {
  const random = makeRandom(seed ^ 0x2545f491);
  const mode = random.chance(50) ? 'LoadBalance' : 'HotStandby';
  const skewMs = (): number => random.between(-2000, 2000);
  const clients = random.between(4, clientsMax);
  const scopes = random.chance(25) ? 2 : 1;
  const poolSize = (): number => Math.max(3, Math.round((clients / scopes) * random.pick([0.5, 1, 1.3, 2, 4])));
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
    poolSizes: Array.from({ length: scopes }, poolSize),
    clients,
    skewMs: { a: skewMs(), b: skewMs() },
    lossPercent: random.pick([0, 0, 1, 5]),
    duplicatePercent: random.pick([0, 1, 5]),
    linkLatencyMs: random.pick([1, 5, 50, 200]),
    commitMs: random.pick([1, 5, 30]),
    stayMeanSec: random.pick([60, 300, 1200]),
    declinePercent: random.pick([1, 1, 1, 10]),
  };
}
