/**
 * What the store holds, put back in memory: the snapshot, then every record of the log after it. Which configuration is in
 * force is itself a record, while the table needs the scopes before it can take bindings; so the newest revision is tried
 * first, and in the rare case that its record never became durable the replay is made again with the one before.
 */
import type { BindingTable, SnapshotSource } from '../core/bindings/binding.ts';
import { makeBindingTable } from '../core/bindings/table.ts';
import type { Revision } from '../core/config/model.ts';
import { poolShapeOf } from '../core/config/pool-shape.ts';
import type { RelationshipRecord } from '../core/failover/endpoint-types.ts';
import { giveSpan } from '../core/pipeline/pool-changes.ts';
import { decodeRecord } from '../core/pipeline/record-codec.ts';
import type { LogRecord } from '../core/pipeline/records.ts';
import type { Revisions } from '../store/revisions.ts';
import { openStore } from '../store/store.ts';
import type { FileLayer, ReplayResult, Store, StoreLimits } from '../store/store-types.ts';
import { type EpochSec, sameBytes } from '../wire/units.ts';
import { firstRevision, readRevision, revisionHash } from './config-service.ts';
import type { TransactionRecord } from './control.ts';
import { type RestoredMark, readRestoredMark } from './restored-mark.ts';

export interface Replayed {
  readonly table: BindingTable & SnapshotSource;
  readonly store: Store;
  readonly replay: ReplayResult;
  readonly revision: Revision;
  readonly relationships: ReadonlyMap<string, RelationshipRecord>;
  readonly transactions: Map<string, TransactionRecord>;
  /** The wall clock that was made durable last; 0 in a new store. */
  readonly newestAt: EpochSec;
  /** Hash of the revision's file as it is now. */
  readonly configSha256: Uint8Array;
  /** The file is not the one that the log names: somebody changed it from outside. */
  readonly isConfigEdited: boolean;
  /** The store was lost or never existed, while a configuration did; or it was put back from a backup. */
  readonly isLostStore: boolean;
  /** Set when the state was put back: what the relationships knew then is not given back. */
  readonly restored: RestoredMark | undefined;
}

export interface ReplayOptions {
  readonly stateDirectory: string;
  readonly layer: FileLayer;
  readonly limits: StoreLimits;
  readonly revisions: Revisions;
  readonly serverName: string;
  readonly nowSec: number;
  readonly seed: number;
}

export type ReplayOutcome =
  | { readonly kind: 'ok'; readonly value: Replayed }
  | { readonly kind: 'bad'; readonly why: string };

export async function replayStore(options: ReplayOptions): Promise<ReplayOutcome> {
  const numbers = [...(await options.revisions.list())].sort((a, b) => b - a);
  let isFirstStart = false;
  if (numbers.length === 0) {
    isFirstStart = true;
    const { bytes } = firstRevision(options.serverName, options.nowSec);
    await options.revisions.write(1, bytes);
    numbers.push(1);
  }
  let candidate = numbers[0]!;
  for (let attempt = 0; attempt < 2; attempt++) {
    const revision = await readRevision(options.revisions, candidate);
    if (revision === undefined)
      return { kind: 'bad', why: `configuration revision ${candidate} is named by the log but its file is missing` };
    const once = await replayWith(options, revision);
    if (once.kind === 'bad') return once;
    const { configurationNumber, configurationHash, ...replayed } = once.value;
    if (configurationNumber === undefined || configurationNumber === candidate) {
      // A revision whose record never became durable was never in force.
      for (const number of numbers) if (number > candidate) await options.revisions.remove(number);
      const restored = await readRestoredMark(options.stateDirectory);
      const isLostStore = (replayed.replay.isNew && !isFirstStart) || restored !== undefined;
      const sha256 = (await revisionHash(options.revisions, candidate)) ?? new Uint8Array(32);
      const isConfigEdited = configurationHash !== undefined && !sameBytes(configurationHash, sha256);
      const value = { ...replayed, isLostStore, restored, configSha256: sha256, isConfigEdited };
      if (restored === undefined) return { kind: 'ok', value };
      // Without its record an endpoint begins like one whose store is lost; the leases of the copy stay, and are overruled by
      // what the partner says of them. The time of the restore is a durable one, so a copy may be older than any gap.
      const newestAt = Math.max(replayed.newestAt, restored.restoredAt) as EpochSec;
      return { kind: 'ok', value: { ...value, newestAt, relationships: new Map() } };
    }
    await once.value.store.close();
    candidate = configurationNumber;
  }
  return { kind: 'bad', why: 'the log and the configuration directory belong to different servers or times' };
}

type Once =
  | {
      kind: 'ok';
      value: {
        configurationNumber: number | undefined;
        configurationHash: Uint8Array | undefined;
      } & Omit<Replayed, 'isLostStore' | 'restored' | 'configSha256' | 'isConfigEdited'>;
    }
  | { kind: 'bad'; why: string };

async function replayWith(options: ReplayOptions, revision: Revision): Promise<Once> {
  const table = makeBindingTable(options.seed);
  for (const scope of revision.config.scopes) {
    // Never-used addresses are the primary's side until a record says otherwise.
    table.setPool(poolShapeOf(scope), 'free');
  }
  const state = new ReplayState(table);
  const opened = await openStore(options.stateDirectory, options.layer, options.limits, {
    restore: (sections) => table.restore(sections),
    record: (bytes) => state.take(bytes),
  });
  if (opened.kind === 'bad') return opened;
  const { store, replay } = opened;
  return {
    kind: 'ok',
    value: {
      table,
      store,
      replay,
      revision,
      relationships: state.relationships,
      transactions: state.transactions,
      newestAt: state.newestAt,
      configurationNumber: state.configurationNumber,
      configurationHash: state.configurationHash,
    },
  };
}

class ReplayState {
  readonly relationships = new Map<string, RelationshipRecord>();
  readonly transactions = new Map<string, TransactionRecord>();
  configurationNumber: number | undefined;
  configurationHash: Uint8Array | undefined;
  newestAt = 0 as EpochSec;
  readonly #table: BindingTable;

  constructor(table: BindingTable) {
    this.#table = table;
  }

  take(bytes: Uint8Array): { kind: 'ok' } | { kind: 'bad'; why: string } {
    const read = decodeRecord(bytes);
    if (read.kind === 'bad') return { kind: 'bad', why: read.why };
    this.#apply(read.value);
    return { kind: 'ok' };
  }

  #apply(record: LogRecord): void {
    switch (record.kind) {
      case 'binding':
        // Records of scopes that were deleted later have no place any more.
        if (this.#table.scopeOf(record.binding.address) !== undefined) this.#table.change(record.binding);
        break;
      case 'relationship':
        this.relationships.set(record.record.name, record.record);
        break;
      case 'relationship-gone':
        this.relationships.delete(record.name);
        break;
      case 'scope-gone':
        this.#forget(record.scopeId);
        break;
      case 'scope-given':
        if (this.#table.pools().some((pool) => pool.scopeId === record.scopeId))
          this.#table.giveAll(record.scopeId, record.owner);
        break;
      case 'range-given':
        giveSpan(this.#table, record, record.owner);
        break;
      case 'configuration':
        this.configurationNumber = record.number;
        this.configurationHash = record.sha256;
        break;
      case 'transaction':
        if (record.state === 'forgotten') this.transactions.delete(record.id);
        else
          this.transactions.set(record.id, {
            id: record.id,
            state: record.state,
            body: Buffer.from(record.body).toString('utf8'),
          });
        break;
      case 'heartbeat':
        // The last one, not the greatest: an operator may have taken an earlier clock for right since.
        this.newestAt = record.wallAt;
        break;
      default:
        record satisfies never;
    }
  }

  /** The scope was deleted then; when one of the same name exists now, it starts empty. */
  #forget(scopeId: number): void {
    const shape = this.#table.pools().find((pool) => pool.scopeId === scopeId);
    if (shape === undefined) return;
    this.#table.removePool(shape.scopeId);
    this.#table.setPool(shape, 'free');
  }
}
