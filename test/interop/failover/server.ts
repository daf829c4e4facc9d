/**
 * What the interworking matrix wants of a failover server of any make: started, stopped, killed, robbed of its store, told that its partner is
 * down, and asked for its state and its table in words that all makes share.
 */
import type { Host } from '../../support/network.ts';

export type Role = 'primary' | 'secondary';
export const ROLES = ['primary', 'secondary'] as const;

/** Names of the draft, as dhcpd writes them. */
export type ServerState =
  | 'unknown-state'
  | 'startup'
  | 'normal'
  | 'communications-interrupted'
  | 'partner-down'
  | 'potential-conflict'
  | 'resolution-interrupted'
  | 'conflict-done'
  | 'recover'
  | 'recover-wait'
  | 'recover-done'
  | 'paused'
  | 'shutdown';

/** An address that is not simply available. */
export interface Row {
  readonly state: 'active' | 'abandoned' | 'ending';
  /** Hardware address, lower-case hex. */
  readonly client: string;
  /** Seconds since 1970; null has no end. */
  readonly endsAt: number | null;
}

export interface Table {
  readonly rows: ReadonlyMap<string, Row>;
  /** Available addresses of the primary and of the secondary. */
  readonly free: number;
  readonly backup: number;
}

export interface PoolSetup {
  readonly scopeId: string;
  readonly subnetMask: string;
  readonly first: string;
  readonly last: string;
  readonly size: number;
}

/** What a case asks of both servers. */
export interface Setup {
  readonly pool: PoolSetup;
  readonly mcltSec: number;
  readonly leaseSec: number;
  /** Buckets of the primary, 0 to 256, as dhcpd's `split`. */
  readonly split: number;
  /** Hardware addresses and their addresses in the pool, entered at the server of ours. */
  readonly reservations: ReadonlyMap<string, string>;
  /** dhcpd has them too, as our server tells its operator: as hosts, and not in the pool. */
  readonly entersReservations: boolean;
  /** BOOTP clients are served too, where the server can. */
  readonly servesBootp: boolean;
  /** A dhcpd in these roles looks at the balance each few seconds; the others as seldom as they do by default. */
  readonly quickBalance: readonly Role[];
  /** dhcpd keeps a lease without end as a reserved one. */
  readonly infiniteIsReserved: boolean;
}

export interface ServerPlace {
  readonly role: Role;
  readonly host: Host;
  readonly lanAddress: string;
  readonly linkAddress: string;
  readonly partnerLinkAddress: string;
  /** Of its own, for what it writes. */
  readonly directory: string;
  readonly setup: Setup;
}

export interface FailoverServer {
  readonly make: 'isc' | 'twinlease';
  readonly place: ServerPlace;
  readonly isRunning: boolean;
  /** The first start also configures it. Resolves when the process answers. */
  start(): Promise<void>;
  /** SIGTERM; resolves when the process has ended. */
  stop(): Promise<void>;
  kill(): Promise<void>;
  /** While it does not run: what it knows of leases and of the partner is gone, its configuration stays. */
  loseStore(): void;
  state(): Promise<ServerState>;
  /** The state of the partner as it knows it. */
  partnerState(): Promise<ServerState>;
  /** The operator's word that the partner is down. */
  partnerDown(): Promise<void>;
  table(): Promise<Table>;
  /** Everything it logged. */
  log(): string;
}
