/**
 * How Windows authenticates is not known beforehand; the way that verified its first message is kept with the relationship, so that
 * it is used from the first message on after a restart (specification 3.6). It is kept for one secret: another is searched anew.
 */
import type { Relationship } from '../core/config/model.ts';
import type { TransactionRecord } from './control.ts';

const ID_PREFIX = 'digest/';

interface Found {
  readonly kind: 'digest';
  readonly secretRef: string;
  readonly key: string;
}

/** Name of the key that verified before; undefined when none has. */
export function foundDigest(
  transactions: ReadonlyMap<string, TransactionRecord>,
  relationship: Relationship,
): string | undefined {
  const record = transactions.get(ID_PREFIX + relationship.id);
  if (record === undefined || record.state === 'forgotten') return undefined;
  const found = JSON.parse(record.body) as Found;
  return found.secretRef === relationship.sharedSecretRef ? found.key : undefined;
}

export function digestRecord(relationship: Relationship, key: string): TransactionRecord | undefined {
  const { id, sharedSecretRef } = relationship;
  if (sharedSecretRef === null) return undefined;
  const body: Found = { kind: 'digest', secretRef: sharedSecretRef, key };
  return { id: ID_PREFIX + id, state: 'committed', body: JSON.stringify(body) };
}

/** What is kept of relationships that are no more. */
export function staleDigestRecords(
  transactions: ReadonlyMap<string, TransactionRecord>,
  relationships: readonly Relationship[],
): TransactionRecord[] {
  const kept = new Set(relationships.map(({ id }) => ID_PREFIX + id));
  return [...transactions.keys()]
    .filter((id) => id.startsWith(ID_PREFIX) && !kept.has(id))
    .map((id) => ({ id, state: 'forgotten', body: '' }));
}
