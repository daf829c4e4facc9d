/**
 * How long the leases of a partner are waited out where no endpoint does it any more (failover specification 1.11, 5.5, 6.5): by the
 * longest MCLT that may still be in force, and with the allowance for clocks.
 */
import type { Relationship } from '../core/config/model.ts';
import type { Control } from '../server/control.ts';
import type { Sec } from '../wire/units.ts';

/** S, the least allowances for clocks (failover specification 1.11). */
const ALLOWANCE_SEC = 5;
const FOREIGN_ALLOWANCE_SEC = 60;

/** A partner of another make is known by a declared key (`foreign:` and its address). */
export function clockAllowanceSec(partnerKey: string): number {
  return partnerKey.startsWith('foreign:') ? FOREIGN_ALLOWANCE_SEC : ALLOWANCE_SEC;
}

/** The waits of a relationship that is about to go; its endpoint knows a longer MCLT of before and the clocks as measured. */
export function waitsOf(
  control: Control,
  relationship: Relationship,
): { readonly mcltSec: Sec; readonly allowanceSec: Sec } {
  const status = control.endpointStatus(relationship.name);
  const measuredSec = Math.max(status?.allowanceSec ?? 0, status?.skewSec ?? 0);
  return {
    mcltSec: Math.max(status?.waitMcltSec ?? 0, relationship.mcltSec) as Sec,
    allowanceSec: Math.max(measuredSec, clockAllowanceSec(relationship.partnerKey)) as Sec,
  };
}
