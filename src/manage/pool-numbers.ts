/**
 * The counts of a scope's pool as operators see them. Whose the free and used addresses are is told apart only for a scope in a
 * relationship (management specification 2.2).
 */
import type { Binding } from '../core/bindings/binding.ts';
import type { Control } from '../server/control.ts';
import type { Ip4 } from '../wire/units.ts';
import { address32, ownerOf } from './change-body.ts';
import { relationshipOfScope } from './shared-config.ts';

/** Bindings read at once. */
const SCAN_BATCH = 1024;

export interface PoolNumbers {
  readonly free: number;
  readonly inUse: number;
  readonly pendingOffers: number;
  readonly reserved: number;
  readonly total: number;
  readonly freeHere: number;
  readonly freeAtPartner: number;
  readonly inUseHere: number;
  readonly inUseAtPartner: number;
}

export function poolNumbers(control: Control, scopeId: string): PoolNumbers {
  const id = address32(scopeId);
  const counts = control.bindings.counts(id);
  const { config } = control.revision();
  const scope = config.scopes.find((one) => one.scopeId === scopeId);
  const relationship = relationshipOfScope(config, scopeId);
  const isBackupMine = relationship !== undefined && ownerOf(relationship.role) === 'backup';
  const inUse = counts.active + counts.transitory + counts.abandoned;
  const inUseHere = relationship === undefined ? inUse : grantedHere(control, id);
  return {
    free: counts.free + counts.backup,
    inUse,
    pendingOffers: control.pendingOffers(id),
    reserved: scope?.reservations.length ?? 0,
    total: counts.total,
    freeHere: isBackupMine ? counts.backup : counts.free,
    freeAtPartner: relationship === undefined ? 0 : isBackupMine ? counts.free : counts.backup,
    inUseHere,
    inUseAtPartner: Math.max(0, inUse - inUseHere),
  };
}

function grantedHere(control: Control, scopeId: Ip4): number {
  let count = 0;
  for (const binding of bindingsOf(control, scopeId)) {
    if (control.bindings.isInPool(binding.address) && isInUse(binding) && binding.grantedHere) count++;
  }
  return count;
}

function isInUse(binding: Binding): boolean {
  return binding.state !== 'free' && binding.state !== 'backup';
}

/** Every binding of the scope that has a record, ascending. */
export function* bindingsOf(control: Control, scopeId: Ip4): Generator<Binding> {
  let from: Ip4 = scopeId;
  for (;;) {
    const batch = control.bindings.scan(scopeId, from, SCAN_BATCH);
    yield* batch;
    const last = batch.at(-1);
    if (last === undefined || batch.length < SCAN_BATCH) return;
    from = (last.address + 1) as Ip4;
  }
}
