/**
 * What two servers last agreed on: for each relationship the hash of each of its scopes. It is kept as a record of its own in
 * the log and not in the configuration, because bringing back an old revision must not bring back an old agreement with it.
 */
import { z } from 'zod';
import type { Config } from '../core/config/model.ts';
import { AGREED_ID_PREFIX, type Control, type TransactionRecord } from '../server/control.ts';
import type { ChangeBody } from './change-body.ts';
import { relationshipOf, scopeHash } from './shared-config.ts';

export type AgreedHashes = Readonly<Record<string, string>>;

const agreedSchema = z.object({ kind: z.literal('agreed'), hashes: z.record(z.string(), z.string()) });

function agreedId(relationshipId: string): string {
  return `${AGREED_ID_PREFIX}${relationshipId}`;
}

/** The agreed hash of each scope of the relationship; a scope without one was never compared. */
export function agreedHashes(control: Control, relationshipId: string): AgreedHashes {
  const record = control.transactions().find((one) => one.id === agreedId(relationshipId));
  if (record === undefined || record.state === 'forgotten') return {};
  const parsed = agreedSchema.safeParse(JSON.parse(record.body));
  return parsed.success ? parsed.data.hashes : {};
}

/** The record of these hashes, to be made durable. */
export function agreedRecordOf(relationshipId: string, hashes: AgreedHashes): TransactionRecord {
  return { id: agreedId(relationshipId), state: 'committed', body: JSON.stringify({ kind: 'agreed', hashes }) };
}

/** The record that goes with a change on both servers: scopes enter agreed on, and leave without a trace. */
export function agreedRecord(control: Control, after: Config, body: ChangeBody): TransactionRecord | undefined {
  const present = agreedHashes(control, body.id);
  switch (body.kind) {
    case 'add-relationship':
    case 'add-scopes': {
      const entered = body.scopes.map(({ scope }) => [scope.scopeId, scopeHash(after, scope.scopeId)]);
      return agreedRecordOf(body.id, { ...present, ...Object.fromEntries(entered) });
    }
    case 'remove-scopes': {
      const left = relationshipOf(after, body.name)?.scopeIds ?? [];
      return agreedRecordOf(
        body.id,
        Object.fromEntries(Object.entries(present).filter(([scopeId]) => left.includes(scopeId))),
      );
    }
    case 'remove-relationship':
      return { id: agreedId(body.id), state: 'forgotten', body: '' };
    case 'set':
      return undefined;
    default:
      return body satisfies never;
  }
}
