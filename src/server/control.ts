/**
 * What a running server offers to `manage`: its configuration, its table, its relationships and its partners. The operations
 * are built on this and nothing else, so that tests can supply a server made of plain objects.
 */
import type { Binding, BindingTable } from '../core/bindings/binding.ts';
import type { Config, Partner, Revision } from '../core/config/model.ts';
import type { CommandResult, EndpointCommand, EndpointStatus } from '../core/failover/endpoint-types.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { ImportVerdict, LeaseToImport } from '../core/serving/serving-types.ts';
import type { EpochSec, Ip4, Now } from '../wire/units.ts';
import type { BackupOutcome, BackupRequest } from './backup.ts';

/** Who asks. */
export interface Caller {
  readonly account: string;
  readonly role: 'reader' | 'administrator';
  readonly door: 'rest' | 'cli' | 'wsman' | 'cimxml' | 'partner';
  readonly address: string;
}

/** One packet as it was decided, for `why`. */
export interface DecisionTrace {
  readonly at: EpochSec;
  readonly messageType: string;
  readonly hardware: string;
  readonly clientId: string | null;
  readonly relay: string | null;
  readonly scopeId: string | null;
  readonly outcome: string;
  readonly reason: string;
  readonly steps: readonly string[];
}

export interface ServerCounters {
  readonly startedAt: EpochSec;
  readonly discovers: number;
  readonly offers: number;
  readonly requests: number;
  readonly acks: number;
  readonly naks: number;
  readonly declines: number;
  readonly releases: number;
  readonly informs: number;
  readonly delayedOffers: number;
  /** By DropCode. */
  readonly drops: Readonly<Record<string, number>>;
}

export interface ConfigChange {
  /** Number of the revision that the change was made from; refused as stale when another is in force. */
  readonly base: number;
  readonly by: string;
  readonly what: string;
  readonly config: Config;
  /** Id of the two-server change that this revision carries; its durability is that change's commit point. */
  readonly transaction?: string;
  /**
   * How scopes enter or leave with this revision. `given`: all available addresses of these scopes become this owner's
   * (a new relationship, specification 4.3). `forgotten`: bindings of these scopes are dropped (scope deleted).
   */
  readonly given?: readonly { readonly scopeId: Ip4; readonly owner: 'free' | 'backup' }[];
  readonly forgotten?: readonly Ip4[];
  /** Records of relationships made by this change start like this (specification 4.3). */
  readonly newRelationships?: readonly { readonly name: string; readonly holdsAllData: boolean }[];
  /** Scopes added to a live relationship that are silent here until their UPDDONE: those of the server that was not called. */
  readonly silentScopeIds?: readonly Ip4[];
  /** Two-server change records that must be durable together with the revision. */
  readonly transactions?: readonly TransactionRecord[];
}

export type ConfigOutcome =
  | { readonly kind: 'ok'; readonly revision: Revision }
  | { readonly kind: 'stale'; readonly present: number }
  | { readonly kind: 'bad'; readonly problems: readonly Problem[] };

/** A durable fact about a two-server change (log record `transaction`). */
export interface TransactionRecord {
  readonly id: string;
  readonly state: 'prepared' | 'committed' | 'aborted' | 'forgotten';
  /** JSON text, opaque to the store. */
  readonly body: string;
}

/**
 * Ids of the transaction records that say what two servers last agreed on begin with this. A store that was put back from a
 * backup forgets them: what was agreed on since is not known, so the two configurations are compared anew.
 */
export const AGREED_ID_PREFIX = 'agreed/';

/** Work on the server's own files and key. */
export interface Upkeep {
  /** Copies state and configuration while the server runs. One at a time. */
  backup(request: BackupRequest): Promise<BackupOutcome>;
  /** Where `backup` would put it. */
  backupPlace(path: string | undefined): Promise<{ kind: 'ok'; path: string } | { kind: 'failed'; problem: Problem }>;
  /**
   * Makes a new identity, which is nobody's yet. `adopt` makes it this server's: durable first, then used for every connection
   * from then on. Until then it can be given up without a trace.
   */
  nextIdentity(): { readonly key: string; adopt(): Promise<void> };
  /** Why the clock of this machine is not trusted now, and by how much it is off. */
  clockDoubt(): { readonly kind: string; readonly bySec: number } | undefined;
  /**
   * Tells the partners that this server leaves, for long or not, and lets the process end soon after: the caller still has its
   * answer sent.
   */
  stop(isLong: boolean): Promise<void>;
  /** An operator says that the machine's clock is right. Resolves when that is durable. */
  trustClock(): Promise<void>;
}

export type PartnerAnswer =
  | { readonly kind: 'ok'; readonly value: unknown }
  /** The partner answered with a problem. */
  | { readonly kind: 'failed'; readonly problem: Problem }
  /** Nobody answered; what the partner did is unknown. `why` is for people. */
  | { readonly kind: 'unreachable'; readonly why: string; readonly mayHaveArrived: boolean };

export interface Control {
  readonly serverName: string;
  /** SHA-256 of our public key, hex. Another one once the key was rotated. */
  readonly key: string;
  /** Version of the program. */
  readonly version: string;
  now(): Now;
  /** Addresses of this host and its names, lower case, for ComputerName and "not this server". */
  ownNames(): readonly string[];

  revision(): Revision;
  /** Numbers, dates and texts of the stored revisions, newest last. */
  history(): Promise<readonly Omit<Revision, 'config'>[]>;
  readRevision(number: number): Promise<Revision | undefined>;
  /**
   * Checks and makes a configuration the one in force: file and log record durable, then the core reconfigured, then resolved.
   * Changes are applied one at a time in the order of the calls.
   */
  changeConfig(change: ConfigChange): Promise<ConfigOutcome>;
  /** Makes transaction records durable without a configuration. */
  saveTransactions(records: readonly TransactionRecord[]): Promise<void>;
  /** The newest record of each two-server change that is not forgotten. */
  transactions(): readonly TransactionRecord[];

  readonly bindings: Omit<BindingTable, 'change' | 'setPool' | 'removePool' | 'giveAll'>;
  /**
   * Stores bindings changed by an operator (absolute states; a relationship's partner is told). Resolves when durable.
   */
  changeBindings(bindings: readonly Binding[]): Promise<void>;
  /**
   * Takes leases over that another server gave, one verdict for each in this order (`core/serving/import-lease.ts`). Decided at
   * once, resolves when durable; a trial changes nothing.
   */
  importLeases(leases: readonly LeaseToImport[], isTrial: boolean): Promise<readonly ImportVerdict[]>;
  pendingOffers(scopeId: Ip4): number;

  endpointStatus(name: string): EndpointStatus | undefined;
  /** Resolves when the resulting state is durable. */
  command(name: string, command: EndpointCommand): Promise<CommandResult | { readonly kind: 'unknown' }>;
  /** Resolves when every update of the relationship was sent and answered, or says why not after `timeoutMs`. */
  drained(
    name: string,
    timeoutMs: number,
  ): Promise<{ readonly kind: 'done' } | { readonly kind: 'not'; readonly why: string }>;

  /** Calls a method of the partner's manage channel over mutually authenticated TLS; opens the connection when needed. */
  callPartner(partner: Partner, method: string, params: unknown, timeoutMs: number): Promise<PartnerAnswer>;
  /**
   * Introduces this server to another by its one-time code: proves the secret over TLS and exchanges keys and names
   * (design, part 5 "Trust"). The inviting side of this is `invite`.
   */
  acceptInvitation(
    code: string,
    host: string | undefined,
  ): Promise<
    { readonly kind: 'ok'; readonly partner: Partner } | { readonly kind: 'failed'; readonly problem: Problem }
  >;
  invite(): { readonly code: string; readonly expiresAt: EpochSec };
  /** Address (if one can be told) and port at which a partner at this address reaches us. */
  placeFor(host: string): Promise<{ readonly address: string | undefined; readonly port: number }>;
  /** Resolves a host name to IPv4 addresses; empty when it has none. */
  resolve(host: string): Promise<readonly Ip4[]>;

  /** Secrets by reference; stored in a file private to the service user. */
  putSecret(secret: string): Promise<string>;
  hasSecret(ref: string): boolean;
  secretOf(ref: string): string | undefined;

  /** Absent where there are no files behind the server. */
  readonly upkeep?: Upkeep;

  counters(): ServerCounters;
  /** Traces of the client's last packets, newest first; `client` is a hardware address or client identifier in hex, or an address. */
  traces(client: string): readonly DecisionTrace[];
  /** What was wrong lately, each thing once: when first and last, and how often. */
  problems(): readonly (Problem & { readonly at: EpochSec; readonly firstAt: EpochSec; readonly count: number })[];
  /** Writes a line to the audit log. Secrets are removed by the caller. */
  audit(entry: {
    readonly caller: Caller;
    readonly operation: string;
    readonly parameters: unknown;
    readonly result: string;
  }): void;
}
