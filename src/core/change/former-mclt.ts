/**
 * An MCLT that was longer before stays known for as long as leases given by it may run (failover specification 6.5). The endpoint remembers
 * that itself; the configuration does so as well, because the store, and the endpoint's memory with it, may be lost.
 */
import { addSec, type EpochSec } from '../../wire/units.ts';
import type { FormerMclt, Relationship } from '../config/model.ts';

/** The greatest allowance for clocks there is (specification 1.11): beyond it the link is refused. */
const ALLOWANCE_SEC = 60;

/** What the relationship remembers once it has this MCLT. */
export function formerMcltOf(
  present: Pick<Relationship, 'mcltSec' | 'formerMclt'>,
  mcltSec: number,
  wallAt: EpochSec,
): FormerMclt | undefined {
  const { formerMclt } = present;
  const running = formerMclt !== undefined && wallAt < formerMclt.untilAt ? formerMclt : undefined;
  if (present.mcltSec <= mcltSec) return running;
  const untilAt = addSec(wallAt, present.mcltSec + ALLOWANCE_SEC);
  return { sec: Math.max(present.mcltSec, running?.sec ?? 0), untilAt: Math.max(untilAt, running?.untilAt ?? 0) };
}

/** The relationship with another MCLT. */
export function withMclt(relationship: Relationship, mcltSec: number, wallAt: EpochSec): Relationship {
  const { formerMclt: _before, ...rest } = relationship;
  const formerMclt = formerMcltOf(relationship, mcltSec, wallAt);
  return formerMclt === undefined ? { ...rest, mcltSec } : { ...rest, mcltSec, formerMclt };
}
