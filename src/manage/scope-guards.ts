/**
 * What must not be done to a scope, whichever operation does it: the rules of a scope in a relationship (management
 * specification 1.7, 2.2) and of one whose addresses are in use.
 */
import type { Config } from '../core/config/model.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control } from '../server/control.ts';
import { address32 } from './change-body.ts';
import { problem } from './problems.ts';
import { relationshipOfScope } from './shared-config.ts';

/** The first rule that a change of scopes breaks. `force` lets scopes with leases go. */
export function scopeObstacle(control: Control, before: Config, after: Config, force: boolean): Problem | undefined {
  const left = new Map(after.scopes.map((scope) => [scope.scopeId, scope]));
  for (const was of before.scopes) {
    const { scopeId } = was;
    const now = left.get(scopeId);
    if (now === was) continue;
    const relationship = relationshipOfScope(before, scopeId);
    if (relationship !== undefined) {
      const { name } = relationship;
      if (now === undefined) return problem(control, 'failover/scope-in-relationship', { scopeId, name }, scopeId);
      if (now.type !== 'Dhcp' && now.type !== was.type)
        return problem(control, 'failover/bootp-conversion', { scopeId }, scopeId);
      const isMoved =
        now.startRange !== was.startRange || now.endRange !== was.endRange || now.subnetMask !== was.subnetMask;
      if (isMoved) return problem(control, 'failover/range-fixed', { scopeId, name }, scopeId);
    }
    if (now === undefined && !force) {
      const { active, activeOutside } = control.bindings.counts(address32(scopeId));
      const activeCount = active + activeOutside;
      if (activeCount > 0) return problem(control, 'scope/in-use', { scopeId, activeCount }, scopeId);
    }
  }
  return undefined;
}
