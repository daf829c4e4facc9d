/**
 * A server that does not know all leases of a scope and is asked to keep it: refused as long as the partner can be asked instead. Where an
 * operator forces it, because the partner is gone for good, the scope is disabled until it is safe, so that no address goes to two clients.
 */
import { type Lack, lackOfKeeper } from '../core/change/removal.ts';
import type { Config, Relationship } from '../core/config/model.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control } from '../server/control.ts';
import { addSec, type EpochSec, INFINITE_SEC } from '../wire/units.ts';
import { address32 } from './change-body.ts';
import { stateName } from './failover-object.ts';
import { problem } from './problems.ts';
import { scopeOf } from './shared-config.ts';

export type LackHere = Lack & { readonly scopeIds: readonly string[] };

/** What this server does not know of the leases of these scopes, and which of them it is. */
export function lackHere(
  control: Control,
  relationship: Relationship,
  scopeIds: readonly string[] = relationship.scopeIds,
): LackHere | undefined {
  const status = control.endpointStatus(relationship.name);
  if (status === undefined) return undefined;
  const now = control.now();
  const lacking = scopeIds.filter((scopeId) => lackOfKeeper(status, [address32(scopeId)], now) !== undefined);
  const lack = lackOfKeeper(status, lacking.map(address32), now);
  return lack === undefined || lacking.length === 0 ? undefined : { ...lack, scopeIds: lacking };
}

/** Why Remove must be called on the other server. */
export function unfetchedProblem(control: Control, relationship: Relationship, lack: Lack): Problem {
  const { name, partnerServer: partner, profile } = relationship;
  if (profile === 'twinlease')
    return problem(control, 'failover/unfetched', { name, partner, why: lackText(lack, partner) }, name);
  return problem(control, 'failover/foreign-unfetched', { name, partner, state: stateName(control, name) }, name);
}

export function withDisabled(config: Config, scopeIds: readonly string[]): Config {
  const scopes = config.scopes.map((scope) =>
    scopeIds.includes(scope.scopeId) ? { ...scope, state: 'Inactive' as const } : scope,
  );
  return { ...config, scopes };
}

/** Says what was disabled by force, and when it may be enabled again. */
export function disabledWarning(control: Control, relationship: Relationship, lack: LackHere): Problem {
  const { name, partnerServer: partner } = relationship;
  const { scopeIds } = lack;
  const when = lack.kind === 'forgotten' ? `from ${instant(lack.untilAt)} on` : leasesOver(control, partner, scopeIds);
  const slots = { name, partner, scopes: scopeIds.join(', '), why: lackText(lack, partner), when };
  return problem(control, 'failover/removed-unfetched', slots, name);
}

/** Also what the other server says of itself when it is to leave. */
export function lackText(lack: Lack, partner: string): string {
  return lack.kind === 'unfetched'
    ? `it has not fetched all leases from ${partner} yet`
    : `leases that it gave before its failure may run until ${instant(lack.untilAt)}`;
}

/** A partner that is gone gave its last lease now at the latest. */
function leasesOver(control: Control, partner: string, scopeIds: readonly string[]): string {
  const { config } = control.revision();
  const longestSec = Math.max(...scopeIds.map((scopeId) => scopeOf(config, scopeId)?.leaseDurationSec ?? 0));
  if (longestSec >= INFINITE_SEC) return `when no lease of ${partner} runs any more; they have no end by themselves`;
  return `when no lease of ${partner} runs any more, which may be until ${instant(addSec(control.now().wallAt, longestSec))}`;
}

function instant(at: EpochSec): string {
  return new Date(at * 1000).toISOString();
}
