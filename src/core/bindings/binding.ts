/**
 * One binding: everything this server durably knows of an address (failover specification 6.1).
 * It is the value that callers see; `table.ts` keeps a million of them in typed arrays, `core/pipeline` writes them to the log.
 */
import type { BindingState } from '../../wire/failover/messages.ts';
import { type EpochSec, type Ip4, NEVER_AT } from '../../wire/units.ts';

/** Whose an available address is: `free` the primary's (and a scope's without relationship), `backup` the secondary's. */
export type AvailableState = 'free' | 'backup';

export interface Binding {
  readonly address: Ip4;
  state: BindingState;
  /** Contents of option 61, type octet included; kept for an available address as its last client's. 1..255 bytes. */
  clientId: Uint8Array | undefined;
  /** htype followed by chaddr, 2..17 bytes. */
  hardware: Uint8Array | undefined;
  /** Option 12 or the name of option 81 as sent, at most 255 bytes. */
  hostName: Uint8Array | undefined;
  /** The relay information (option 82 payload) of the last packet that came through a relay, at most 255 bytes. */
  relayInfo: Uint8Array | undefined;
  /** Name of the policy that chose the address, UTF-8, at most 255 bytes. */
  policy: Uint8Array | undefined;
  /** Bits of the failover DDNS option's flags (specification 1.5, option 9); 0 when DNS is not done. */
  dnsFlags: number;
  /** LET: the end of the client's lease as far as known. */
  leaseEndAt: EpochSec;
  /** Greatest potential expiration sent to the partner for this client. */
  sentPotentialAt: EpochSec;
  /** Greatest one that the partner accepted. */
  ackedPotentialAt: EpochSec;
  /** Greatest one accepted from the partner. */
  recvPotentialAt: EpochSec;
  /** CLTT: when the client last spoke to a server about this lease. */
  lastTransactionAt: EpochSec;
  /** STOS: when `state` began. For an available address also the order of reuse (longest unused first). */
  stateSinceAt: EpochSec;
  /** RESERVED 1, BOOTP 2 (specification 1.5, option 12). */
  ipFlags: number;
  /** Differs from what the partner acknowledged. */
  dirty: boolean;
  /** A BNDUPD about the present client binding has left since the address was last available. */
  told: boolean;
  /** Whose the address was before it was leased; a rewind returns it there (specification 5.2). */
  ownedAs: AvailableState;
  /** This server (not the partner) gave the last grant; for "who answers" and Lease.ServerIP. */
  grantedHere: boolean;
}

export function emptyBinding(address: Ip4, state: AvailableState): Binding {
  return {
    address,
    state,
    clientId: undefined,
    hardware: undefined,
    hostName: undefined,
    relayInfo: undefined,
    policy: undefined,
    dnsFlags: 0,
    leaseEndAt: NEVER_AT,
    sentPotentialAt: NEVER_AT,
    ackedPotentialAt: NEVER_AT,
    recvPotentialAt: NEVER_AT,
    lastTransactionAt: NEVER_AT,
    stateSinceAt: NEVER_AT,
    ipFlags: 0,
    dirty: false,
    told: false,
    ownedAs: state,
    grantedHere: false,
  };
}

/** The addresses of one scope that the table must know. */
export interface PoolShape {
  /** The scope's network address. */
  readonly scopeId: Ip4;
  readonly prefixLength: number;
  /** The one range of the scope, both ends included. */
  readonly firstAddress: Ip4;
  readonly lastAddress: Ip4;
  /** Sorted, disjoint, inside the range: never handed out dynamically. */
  readonly exclusions: readonly { readonly first: Ip4; readonly last: Ip4 }[];
  /** Reserved addresses inside or outside the range: never handed out dynamically. */
  readonly reserved: readonly Ip4[];
}

export interface PoolCounts {
  /** Addresses of the pool (range less exclusions and reservations) by state. `free` and `backup` include never-used ones. */
  readonly free: number;
  readonly backup: number;
  readonly active: number;
  /** expired, released and reset: waiting for agreement. */
  readonly transitory: number;
  readonly abandoned: number;
  /** Size of the pool. */
  readonly total: number;
  /** Active bindings of the scope that are outside the pool: reservations, and leases on addresses excluded or cut off since. */
  readonly activeOutside: number;
}

/**
 * The binding table as everyone but its own file sees it. Deterministic; mutable inside. All answers are copies: the caller
 * owns them and may change them, and nothing happens before `change`. Their byte strings are replaced and never written to: other
 * answers share them.
 */
export interface BindingTable {
  /**
   * Adds a pool or gives it a new shape. Bindings are kept whatever the shape; addresses without a record that enter the pool
   * belong to `initialOwner`. Addresses that leave the pool keep their binding and are no longer found by `nextFree`.
   */
  setPool(shape: PoolShape, initialOwner: AvailableState): void;
  /** Forgets the pool and every binding of the scope. */
  removePool(scopeId: Ip4): void;
  pools(): readonly PoolShape[];
  /** The scope (pool) whose network holds the address. */
  scopeOf(address: Ip4): Ip4 | undefined;
  /** True when the address is in the range, not excluded and not reserved. */
  isInPool(address: Ip4): boolean;

  /**
   * The binding of an address of a known scope, undefined outside all scopes. An address without a record answers an
   * empty binding in the state `free` or `backup`.
   */
  find(address: Ip4): Binding | undefined;
  /** Bindings of this client identifier in the scope (or in all scopes), newest transaction first, at most `limit` (default 16). */
  findByClientId(clientId: Uint8Array, scopeId?: Ip4, limit?: number): Binding[];
  /** The same by htype + chaddr. */
  findByHardware(hardware: Uint8Array, scopeId?: Ip4, limit?: number): Binding[];
  /** Stores the absolute state of one binding; moves it between indexes and lists. The address must be in a known scope. */
  change(binding: Binding): void;
  /**
   * The available address of the owner that is unused longest: never-used ones first in ascending order, then by
   * `stateSinceAt`. `skip` refuses an address (held by an offer, in use); at most `limit` (default 64) addresses are tried.
   */
  nextFree(scopeId: Ip4, owner: AvailableState, skip?: (address: Ip4) => boolean, limit?: number): Ip4 | undefined;
  counts(scopeId: Ip4): PoolCounts;
  /** Number of bindings of the scope with `dirty` set. */
  dirtyCount(scopeId: Ip4): number;

  /**
   * Addresses with state `active` whose lease ended at or before `at`, oldest first, at most `limit`. They stay due
   * until changed: who acts only on some scopes says so with `isWanted`, so that the others do not fill the answer.
   */
  takeDue(at: EpochSec, limit: number, isWanted?: (scopeId: Ip4) => boolean): Ip4[];
  /**
   * The earliest lease end of an active binding that is not infinite; undefined when there is none. It may be early, never late
   * (exact in small tables): a caller that then finds nothing due asks again, and the answer lies after the `at` it gave.
   */
  dueAt(): EpochSec | undefined;

  /** Addresses (with a record) of the scope in ascending order, from `from` on, at most `limit`; for listings and full updates. */
  scan(scopeId: Ip4, from: Ip4, limit: number): Binding[];
  /**
   * Every address of the scope's pool whatever its state, ascending from `from`, at most `limit`; never-used ones too.
   */
  scanAll(scopeId: Ip4, from: Ip4, limit: number): Binding[];
  /** Addresses with `dirty` set in the scope, ascending from `from`, at most `limit`. */
  scanDirty(scopeId: Ip4, from: Ip4, limit: number): Ip4[];
  /** Addresses of the scope, also outside the pool, in state expired, released or reset, ascending from `from`, at most `limit`. */
  scanTransitory(scopeId: Ip4, from: Ip4, limit: number): Ip4[];
  /** Makes every address of the scope available to `owner` that is available now (a new relationship; specification 4.3). */
  giveAll(scopeId: Ip4, owner: AvailableState): void;

  /** Number of bindings with a record. */
  readonly size: number;
}

/** What the snapshot writer copies while the table goes on changing (design, part 3). */
export interface SnapshotSection {
  readonly name: string;
  /** Shared memory: a worker reads it while the owner writes. */
  readonly buffer: SharedArrayBuffer;
  readonly byteLength: number;
}

export interface SnapshotSource {
  /**
   * From now to `endCopy` freed storage of variable length is not reused and no section moves. Sections may be copied in any
   * order and in pieces of any size.
   */
  beginCopy(): readonly SnapshotSection[];
  endCopy(): void;
  /**
   * Takes back what was copied. Only whole records are trusted: indexes, lists and counts are made anew, and a torn
   * record is put right by the replay that follows. Only scopes that are set at the time are taken back, each as it was copied and
   * then given the shape it was set with; whatever the table held else is forgotten. Answers why, and changes nothing, when
   * the sections are not of a known layout.
   */
  restore(
    sections: readonly { readonly name: string; readonly bytes: Uint8Array }[],
  ): { kind: 'ok' } | { kind: 'bad'; why: string };
}
