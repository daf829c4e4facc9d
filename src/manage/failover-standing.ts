/**
 * The facts behind the words of `failover status`: what the endpoint says of itself, what the addresses are promised for, and at
 * what rate new clients come.
 */
import type { Relationship } from '../core/config/model.ts';
import type { EndpointStatus } from '../core/failover/endpoint-types.ts';
import { limitsOf } from '../core/failover/limits.ts';
import { goneClientsAddressUsableAt, isUnheard } from '../core/failover/times.ts';
import type { Control } from '../server/control.ts';
import { type EpochSec, formatIp4, type Sec } from '../wire/units.ts';
import { address32 } from './change-body.ts';
import { shareOf } from './failover-object.ts';
import type { StandingFacts } from './failover-words.ts';
import { partnerByKey } from './partner-client.ts';
import { bindingsOf } from './pool-numbers.ts';

const RATE_SPAN_SEC = 3600;
/** Leases looked at in one turn of the event loop: a few milliseconds. */
const TURN = 1024;

export async function standingFacts(
  control: Control,
  relationship: Relationship,
  status: EndpointStatus | undefined,
  free: { readonly freeHere: number; readonly freeAtPartner: number },
): Promise<StandingFacts> {
  const { mode, isActive, role, percentage, profile, name, mcltSec } = relationship;
  const allowanceSec = status?.allowanceSec ?? limitsOf(profile).skewAllowanceSec;
  const waitMcltSec = status?.waitMcltSec ?? (mcltSec as Sec);
  const isAlone = status?.state === 'partner-down';
  const downAt = isAlone ? status.partnerDownAt : (0 as EpochSec);
  return {
    nowAt: control.now().wallAt,
    name,
    partner: partnerByKey(control, relationship.partnerKey)?.name ?? relationship.partnerServer,
    foreign: profile === 'twinlease' ? undefined : profile,
    role,
    mode,
    isActive,
    sharePercent: mode === 'LoadBalance' ? Math.round(shareOf(role, percentage)) : percentage,
    state: status?.state ?? 'startup',
    partnerState: status?.partnerState,
    isCommunicating: status?.isCommunicating ?? false,
    mcltSec: waitMcltSec,
    allowanceSec,
    partnerDownAt: downAt,
    partnersUsableAt: isAlone ? status.partnersUsableAt : undefined,
    recoverWaitUntilAt: status?.recoverWaitUntilAt ?? 0,
    autoPartnerDownAt: status?.autoPartnerDownAt ?? 0,
    autoPartnerDownSec: relationship.stateSwitchIntervalSec,
    silentScopes: (status?.silentScopeIds ?? []).map((scopeId) => formatIp4(scopeId)),
    fetching: status?.fetching,
    ...free,
    ...(await promises(control, relationship, { isAlone, downAt, waitMcltSec, allowanceSec })),
  };
}

interface Waiting {
  readonly isAlone: boolean;
  readonly downAt: EpochSec;
  readonly waitMcltSec: Sec;
  readonly allowanceSec: Sec;
}

/** One walk over the leases, in turns so that clients are served meanwhile: what PARTNER-DOWN keeps back, and who is new here. */
async function promises(
  control: Control,
  relationship: Relationship,
  { isAlone, downAt, waitMcltSec, allowanceSec }: Waiting,
): Promise<Pick<StandingFacts, 'heldByPartner' | 'newClients'>> {
  const nowAt = control.now().wallAt;
  let count = 0;
  let untilAt = 0;
  let newClients = 0;
  let seen = 0;
  for (const scopeId of relationship.scopeIds)
    for (const binding of bindingsOf(control, address32(scopeId))) {
      if (++seen % TURN === 0) await new Promise((resolve) => setImmediate(resolve));
      const { state } = binding;
      if (state === 'active' && binding.grantedHere && binding.stateSinceAt > nowAt - RATE_SPAN_SEC) newClients++;
      const isLeased = state === 'active' || state === 'expired' || state === 'released' || state === 'reset';
      // Of a lease that the partner never heard of it knows nothing that could be extended.
      if (!isAlone || !isLeased || isUnheard(binding)) continue;
      const usableAt = goneClientsAddressUsableAt(binding, downAt, waitMcltSec, allowanceSec);
      if (usableAt <= nowAt) continue;
      count++;
      untilAt = Math.max(untilAt, usableAt);
    }
  return { heldByPartner: { count, untilAt }, newClients };
}
