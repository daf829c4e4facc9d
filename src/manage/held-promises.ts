/**
 * What may have been promised beyond what this server knows, when scopes leave a relationship. A partner that is gone may have extended
 * leases, and a server that lost its store has forgotten some; each address stays with its client until all that can have been promised
 * is over (failover specification 5.5), also when no relationship remembers the waits any more.
 */

import type { Binding } from '../core/bindings/binding.ts';
import { heldAfterLoss, heldUntil } from '../core/change/removal.ts';
import type { Relationship } from '../core/config/model.ts';
import { goneClientsAddressUsableAt } from '../core/failover/times.ts';
import type { Control } from '../server/control.ts';
import type { Ip4 } from '../wire/units.ts';
import { address32 } from './change-body.ts';
import { waitsOf } from './waits.ts';

const SCAN_CHUNK = 1024;

/**
 * For scopes that leave without the partner's agreement. Resolves when the ends are durable; to be called before the scopes leave the
 * relationship.
 */
export async function holdPromises(
  control: Control,
  relationship: Relationship,
  scopeIds: readonly string[] = relationship.scopeIds,
): Promise<void> {
  const status = control.endpointStatus(relationship.name);
  const now = control.now();
  const isAlone = status?.state === 'partner-down' && status.partnerDownAt > 0;
  const downAt = isAlone ? status.partnerDownAt : now.wallAt;
  const { mcltSec, allowanceSec } = waitsOf(control, relationship);
  const { declineHoldSec } = control.revision().config.server;
  await changeEach(control, scopeIds, (binding) =>
    heldUntil(binding, goneClientsAddressUsableAt(binding, downAt, mcltSec, allowanceSec), now, declineHoldSec),
  );
}

/** For scopes that leave by agreement: only what a lost store forgot is not known to this server. Resolves as `holdPromises`. */
export async function holdForgotten(control: Control, name: string, scopeIds: readonly string[]): Promise<void> {
  const status = control.endpointStatus(name);
  if (status?.loss === undefined) return;
  const now = control.now();
  const { declineHoldSec } = control.revision().config.server;
  await changeEach(control, scopeIds, (binding) => heldAfterLoss(binding, status, now, declineHoldSec));
}

async function changeEach(
  control: Control,
  scopeIds: readonly string[],
  changed: (binding: Binding) => Binding | undefined,
): Promise<void> {
  for (const scopeId of scopeIds) {
    let from: Ip4 | undefined = address32(scopeId);
    while (from !== undefined) {
      const seen: readonly Binding[] = control.bindings.scan(address32(scopeId), from, SCAN_CHUNK);
      const held = seen.map(changed).filter((binding) => binding !== undefined);
      if (held.length > 0) await control.changeBindings(held);
      const last = seen.at(-1);
      from = last === undefined || seen.length < SCAN_CHUNK ? undefined : ((last.address + 1) as Ip4);
    }
  }
}
