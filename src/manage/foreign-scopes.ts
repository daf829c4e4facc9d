/**
 * Changes of scopes that are shared with a server of another make: nothing carries them over, so the operator is told what to change
 * there. Two servers that give the same clients other options, or count other addresses as theirs, work against each other.
 */
import { replicatedPartOf, scopeDiff } from '../core/config/diff.ts';
import type { Config } from '../core/config/model.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control } from '../server/control.ts';
import { isDeclared } from './foreign-partner.ts';
import { problem } from './problems.ts';

/** What no client and no partner notices. */
const LOCAL_PARTS: ReadonlySet<string> = new Set([
  'name',
  'description',
  'superscopeName',
  'delayMs',
  'maxBootpClients',
]);
/** As the operations name the parts; what is missing here is named as it is. */
const PART_NAMES: Readonly<Record<string, string>> = {
  startRange: 'address range',
  endRange: 'address range',
  subnetMask: 'subnet mask',
  leaseDurationSec: 'lease duration',
  activatePolicies: 'policies',
  optionDefinitions: 'option definitions',
};

/** A warning for each relationship with a server of another make whose scopes differ between the two, in what matters there. */
export function changesThere(control: Pick<Control, 'serverName'>, before: Config, after: Config): readonly Problem[] {
  const warnings: Problem[] = [];
  for (const { name, partnerKey, scopeIds } of after.relationships) {
    const partner = after.partners.find((one) => one.key === partnerKey);
    if (!isDeclared(partner)) continue;
    const shared = before.relationships.find((one) => one.name === name && one.partnerKey === partnerKey)?.scopeIds;
    const changed = scopeIds
      .filter((scopeId) => shared?.includes(scopeId) === true)
      .map((scopeId) => ({ scopeId, parts: partsChanged(before, after, scopeId) }))
      .filter(({ parts }) => parts.length > 0);
    if (changed.length === 0) continue;
    const what = changed.map(({ scopeId, parts }) => `${parts.join(', ')} of scope ${scopeId}`).join('; ');
    warnings.push(problem(control, 'failover/foreign-change-there', { name, partner: partner.name, what }, name));
  }
  return warnings;
}

function partsChanged(before: Config, after: Config, scopeId: string): readonly string[] {
  const changes = scopeDiff(replicatedPartOf(before, scopeId), replicatedPartOf(after, scopeId));
  const parts = changes.map(({ path }) => partOf(path)).filter((part) => part !== undefined);
  return [...new Set(parts)];
}

/** Of `scope.reservations[10.0.1.9].name` the reservations; undefined where it matters to this server alone. */
function partOf(path: string): string | undefined {
  const [head = '', second = '', last = ''] = path.split(/\[[^\]]*\]\.?|\./);
  const part = head === 'scope' ? second : head;
  if (LOCAL_PARTS.has(part) || (part === 'reservations' && LOCAL_PARTS.has(last))) return undefined;
  return PART_NAMES[part] ?? part;
}
