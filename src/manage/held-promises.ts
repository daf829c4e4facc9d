/**
 * What a partner that is gone may have promised. Where a relationship is taken apart without the partner's agreement, its clients
 * may hold longer leases than this server knows of; each address stays with its client until all that can have been promised is over
 * (failover specification 5.5), also when no relationship remembers the waits any more.
 */
import type { Binding } from '../core/bindings/binding.ts';
import type { Relationship } from '../core/config/model.ts';
import { goneClientsAddressUsableAt } from '../core/failover/times.ts';
import type { Control } from '../server/control.ts';
import type { EpochSec, Ip4, Sec } from '../wire/units.ts';
import { address32 } from './change-body.ts';
import { waitsOf } from './waits.ts';

const SCAN_CHUNK = 1024;

/** Resolves when the ends are durable; to be called before the scopes leave the relationship. */
export async function holdPromises(
  control: Control,
  relationship: Relationship,
  scopeIds: readonly string[] = relationship.scopeIds,
): Promise<void> {
  const status = control.endpointStatus(relationship.name);
  const isAlone = status?.state === 'partner-down' && status.partnerDownAt > 0;
  const downAt = isAlone ? status.partnerDownAt : control.now().wallAt;
  const { mcltSec, allowanceSec } = waitsOf(control, relationship);
  for (const scopeId of scopeIds) {
    let from: Ip4 | undefined = address32(scopeId);
    while (from !== undefined) {
      const seen: readonly Binding[] = control.bindings.scan(address32(scopeId), from, SCAN_CHUNK);
      const held = seen.flatMap((binding) => {
        const until = heldUntil(binding, downAt, mcltSec, allowanceSec);
        return until === undefined ? [] : [{ ...binding, state: 'active' as const, leaseEndAt: until }];
      });
      if (held.length > 0) await control.changeBindings(held);
      const last = seen.at(-1);
      from = last === undefined || seen.length < SCAN_CHUNK ? undefined : ((last.address + 1) as Ip4);
    }
  }
}

/** The end that the binding must have; undefined where it needs no other. */
function heldUntil(binding: Binding, downAt: EpochSec, mclt: Sec, allowance: Sec): EpochSec | undefined {
  const isLeased = ['active', 'expired', 'released', 'reset'].includes(binding.state);
  if (!isLeased) return undefined;
  const until = goneClientsAddressUsableAt(binding, downAt, mclt, allowance);
  const known = binding.state === 'active' ? binding.leaseEndAt : 0;
  return until > known ? until : undefined;
}
