/** Our own pair, with the defaults of the operation that makes it. */
import { NamespacePair, type Machines } from '../support/namespace-pair.ts';
import type { Product, RunningPair, ScopeSetup } from './product.ts';

export const twinleaseLoadBalance = product('LoadBalance');
export const twinleaseHotStandby = product('HotStandby');

function product(mode: 'LoadBalance' | 'HotStandby'): Product {
  const share = mode === 'LoadBalance' ? 'LoadBalancePercent 50' : 'ReservePercent 5';
  return {
    name: `Twinlease, ${mode}`,
    settings: `MaxClientLeadTime 3600 s, ${share}, LeaseDuration 691200 s (the defaults)`,
    programs: ['ip'],
    isOurs: true,
    open: (machines, scope) => open(machines, scope, mode),
  };
}

async function open(machines: Machines, scope: ScopeSetup, mode: 'LoadBalance' | 'HotStandby'): Promise<RunningPair> {
  const pair = new NamespacePair(machines);
  await pair.start();
  const { scopeId, subnetMask, startRange, endRange } = scope;
  await pair.join({ mode, scopes: [{ scopeId, subnetMask, startRange, endRange }] });
  return {
    killFirst: () => pair.alpha.kill(),
    close: () => pair.stop(),
  };
}
