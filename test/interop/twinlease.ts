/** Our own pair, with the defaults of the operation that makes it. */
import { eventually } from '../support/eventually.ts';
import { type Machines, NamespacePair, RELATIONSHIP } from '../support/namespace-pair.ts';
import type { Product, RunningPair, ScopeSetup } from './product.ts';

/** Of the free addresses, by default. */
const SHARES = { LoadBalance: 0.5, HotStandby: 0.05 } as const;
/** The balance is right within a tenth. */
const BALANCED_PART = 0.9;
const BALANCE_MS = 60_000;

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
  const share = scope.size * SHARES[mode] * BALANCED_PART;
  await eventually('the second server has its part of the free addresses', BALANCE_MS, async () => {
    const [status] = await pair.beta.ask<readonly { readonly freeHere: number }[]>('failover/status', {
      name: [RELATIONSHIP],
    });
    return (status?.freeHere ?? 0) >= share ? true : undefined;
  });
  return {
    killFirst: () => pair.alpha.kill(),
    close: () => pair.stop(),
  };
}
