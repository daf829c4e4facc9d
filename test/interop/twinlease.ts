/** Our own pair, with the defaults of the operation that makes it. */
import { balanced, type Machines, NamespacePair } from '../support/namespace-pair.ts';
import type { Product, RunningPair, ScopeSetup } from './product.ts';

type Mode = 'LoadBalance' | 'HotStandby';

/** Of the free addresses, by default. */
const SHARES: Readonly<Record<Mode, number>> = { LoadBalance: 0.5, HotStandby: 0.05 };

export const twinleaseLoadBalance = product('LoadBalance');
export const twinleaseHotStandby = product('HotStandby');

function product(mode: Mode): Product {
  const share = mode === 'LoadBalance' ? 'LoadBalancePercent 50' : 'ReservePercent 5';
  return {
    name: `Twinlease, ${mode}`,
    settings: `MaxClientLeadTime 3600 s, ${share}, LeaseDuration 691200 s (the defaults)`,
    programs: ['ip'],
    isOurs: true,
    open: (machines, scope) => open(machines, scope, mode),
  };
}

async function open(machines: Machines, scope: ScopeSetup, mode: Mode): Promise<RunningPair> {
  const pair = new NamespacePair(machines);
  try {
    await pair.start();
    const { scopeId, subnetMask, startRange, endRange } = scope;
    await pair.join({ mode, scopes: [{ scopeId, subnetMask, startRange, endRange }] });
    await balanced(pair, scope.size * SHARES[mode]);
  } catch (error) {
    await pair.stop();
    throw error;
  }
  return { killFirst: () => pair.alpha.kill(), close: () => pair.stop() };
}
