/**
 * The records of the binding log as values (design, part 3). A record is the absolute state of one thing, so replaying it
 * twice or over a fuzzy snapshot gives the same. Bytes are made and read by `record-codec.ts`.
 */
import type { EpochSec, Ip4 } from '../../wire/units.ts';
import type { Binding } from '../bindings/binding.ts';
import type { RelationshipRecord } from '../failover/endpoint-types.ts';

export type LogRecord =
  | { readonly kind: 'binding'; readonly binding: Binding }
  | { readonly kind: 'relationship'; readonly record: RelationshipRecord }
  | { readonly kind: 'relationship-gone'; readonly name: string }
  /** The scope and all its bindings are forgotten. */
  | { readonly kind: 'scope-gone'; readonly scopeId: Ip4 }
  /** Every address of the scope that is available becomes this owner's. */
  | { readonly kind: 'scope-given'; readonly scopeId: Ip4; readonly owner: 'free' | 'backup' }
  /** Never-used addresses that entered a pool when its shape changed are this owner's (`pool-changes.ts`). */
  | { readonly kind: 'range-given'; readonly first: Ip4; readonly last: Ip4; readonly owner: 'free' | 'backup' }
  /** Revision `number` of the configuration, whose file was durable before, is in force from here on. */
  | { readonly kind: 'configuration'; readonly number: number; readonly sha256: Uint8Array }
  /** A two-server change that this server has prepared, committed or aborted (design, part 5). `body` is opaque JSON. */
  | {
      readonly kind: 'transaction';
      readonly id: string;
      readonly state: 'prepared' | 'committed' | 'aborted' | 'forgotten';
      readonly body: Uint8Array;
    }
  /** Wall clock while running, written at least every 10 s: the clock at start is compared with it (design, part 2). */
  | { readonly kind: 'heartbeat'; readonly wallAt: EpochSec };
