/**
 * Statistics: PS_DhcpServerv4ScopeStatistics and PS_DhcpServerv4Statistics (management specification 2.1, 2.2).
 */
import { z } from 'zod';
import type { Scope } from '../core/config/model.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control } from '../server/control.ts';
import { defineOperation } from './define.ts';
import { failed, succeeded } from './operation.ts';
import * as params from './params.ts';
import { poolNumbers } from './pool-numbers.ts';
import { listed, problem } from './problems.ts';
import { readScopeIds, splitKnown } from './scope-list.ts';
import { relationshipOfScope } from './shared-config.ts';

const scopeStatisticsSchema = z.object({
  AddressesFree: z.int(),
  AddressesInUse: z.int(),
  PendingOffers: z.int(),
  ScopeId: z.string(),
  SuperscopeName: z.string().nullable(),
  ReservedAddress: z.int(),
  PercentageInUse: z.number(),
  AddressesFreeOnThisServer: z.int().nullable(),
  AddressesFreeOnPartnerServer: z.int().nullable(),
  AddressesInUseOnThisServer: z.int().nullable(),
  AddressesInUseOnPartnerServer: z.int().nullable(),
});
type ScopeStatistics = z.infer<typeof scopeStatisticsSchema>;

export const getScopeStatistics = defineOperation({
  name: 'scope.statistics',
  windows: 'PS_DhcpServerv4ScopeStatistics.Get',
  summary: 'Shows how full scopes are, and with failover whose the addresses are.',
  examples: ['twinlease stats', 'twinlease scope statistics --scope-id 10.0.1.0 --failover'],
  params: z.strictObject({
    ...params.common,
    ScopeId: params.scopeIds.nullish(),
    Failover: params.flag.describe('Tells the addresses of this server and of the partner apart.'),
  }),
  result: z.array(scopeStatisticsSchema),
  changes: false,
  run: async ({ control }, given) => {
    const { config } = control.revision();
    const byFailover = given.Failover === true;
    if (given.ScopeId == null || given.ScopeId.length === 0) {
      return succeeded(config.scopes.map((scope) => statisticsOf(control, scope, byFailover)));
    }
    const ids = readScopeIds(given.ScopeId);
    if (ids.kind === 'bad') return failed(ids.problem);
    const { known, errors } = splitKnown(control, config, ids.scopeIds);
    const problems: Problem[] = [...errors];
    // Management specification 1.8: asked for by name, a scope outside any relationship has no such statistics (2).
    const shown = known.filter(({ scopeId }) => {
      const isShared = relationshipOfScope(config, scopeId) !== undefined;
      if (byFailover && !isShared) {
        problems.push(
          problem(control, 'request/not-found', { object: `failover statistics of scope ${scopeId}` }, scopeId),
        );
      }
      return isShared || !byFailover;
    });
    return listed(
      shown.map((scope) => statisticsOf(control, scope, byFailover)),
      problems,
    );
  },
});

function statisticsOf(control: Control, scope: Scope, byFailover: boolean): ScopeStatistics {
  const numbers = poolNumbers(control, scope.scopeId);
  const isShared = byFailover && relationshipOfScope(control.revision().config, scope.scopeId) !== undefined;
  return {
    AddressesFree: numbers.free,
    AddressesInUse: numbers.inUse,
    PendingOffers: numbers.pendingOffers,
    ScopeId: scope.scopeId,
    SuperscopeName: scope.superscopeName,
    ReservedAddress: numbers.reserved,
    PercentageInUse: percent(numbers.inUse, numbers.total),
    AddressesFreeOnThisServer: isShared ? numbers.freeHere : null,
    AddressesFreeOnPartnerServer: isShared ? numbers.freeAtPartner : null,
    AddressesInUseOnThisServer: isShared ? numbers.inUseHere : null,
    AddressesInUseOnPartnerServer: isShared ? numbers.inUseAtPartner : null,
  };
}

export const getServerStatistics = defineOperation({
  name: 'server.statistics',
  windows: 'PS_DhcpServerv4Statistics.Get',
  summary: 'Shows what the server has done since its start.',
  examples: ['twinlease stats --server'],
  params: z.strictObject(params.common),
  result: z.object({
    Discovers: z.int(),
    Offers: z.int(),
    Requests: z.int(),
    Acks: z.int(),
    Naks: z.int(),
    Declines: z.int(),
    Releases: z.int(),
    ServerStartTime: z.int().describe('Seconds since 1970.'),
    DelayedOffers: z.int(),
    TotalScopes: z.int(),
    ScopesWithDelayConfigured: z.int(),
    TotalAddresses: z.int(),
    AddressesInUse: z.int(),
    AddressesAvailable: z.int(),
    PendingOffers: z.int(),
    PercentageInUse: z.number(),
    PercentageAvailable: z.number(),
    PercentagePendingOffers: z.number(),
    Informs: z.int(),
    Drops: z.record(z.string(), z.int()).describe('Packets without an answer, by reason.'),
  }),
  changes: false,
  run: async ({ control }) => {
    const counters = control.counters();
    const { scopes } = control.revision().config;
    const all = scopes.map((scope) => poolNumbers(control, scope.scopeId));
    const sum = (pick: (numbers: (typeof all)[number]) => number): number =>
      all.reduce((total, one) => total + pick(one), 0);
    const [total, inUse, free, pending] = [
      sum((n) => n.total),
      sum((n) => n.inUse),
      sum((n) => n.free),
      sum((n) => n.pendingOffers),
    ];
    return succeeded({
      Discovers: counters.discovers,
      Offers: counters.offers,
      Requests: counters.requests,
      Acks: counters.acks,
      Naks: counters.naks,
      Declines: counters.declines,
      Releases: counters.releases,
      ServerStartTime: counters.startedAt,
      DelayedOffers: counters.delayedOffers,
      TotalScopes: scopes.length,
      ScopesWithDelayConfigured: scopes.filter((scope) => scope.delayMs > 0).length,
      TotalAddresses: total,
      AddressesInUse: inUse,
      AddressesAvailable: free,
      PendingOffers: pending,
      PercentageInUse: percent(inUse, total),
      PercentageAvailable: percent(free, total),
      PercentagePendingOffers: percent(pending, total),
      Informs: counters.informs,
      Drops: { ...counters.drops },
    });
  },
});

function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : (100 * part) / whole;
}
