/**
 * A client packet in, a decision out. `serving.ts` decides; the pipeline commits and sends. Why a packet got no answer is part
 * of the decision, and is what `twinlease why` shows.
 */
import type { DhcpPacket, MessageType } from '../../wire/dhcp/packet.ts';
import type { EpochSec, Ip4 } from '../../wire/units.ts';
import type { Binding } from '../bindings/binding.ts';

/** Where a packet came from. Owned by the caller; read before the call returns. */
export interface Ingress {
  /** Index of the interface in the shell's list; replies without relay leave by the same. */
  readonly interfaceId: number;
  /** All addresses of that interface with their prefix lengths; empty in relay-only mode. */
  readonly interfaceAddresses: readonly { readonly address: Ip4; readonly prefixLength: number }[];
  /** The address the packet was sent to, when known: ours for unicast, 255.255.255.255 for broadcast. */
  readonly toAddress: Ip4 | undefined;
  readonly fromAddress: Ip4;
  readonly fromPort: number;
}

/** The `server identifier` candidates of this host are the ingress addresses; `relayServerAddress` serves relay-only runs. */
export interface ServingIdentity {
  /** Used as server identifier where no interface address fits (relay-only mode). */
  readonly relayServerAddress: Ip4;
}

/** Where a reply goes (RFC 2131 4.1 and its successors). */
export type ReplyDestination =
  /** To a relay (giaddr) on port 67, or to where the packet came from in relay-only mode on another port. */
  | { readonly kind: 'relay'; readonly address: Ip4; readonly port: number }
  /** To a client that has its address (ciaddr), port 68. */
  | { readonly kind: 'unicast'; readonly address: Ip4; readonly port: number }
  /** To a client without address, in a link-layer frame to `hardware` (chaddr), IP destination yiaddr. */
  | { readonly kind: 'link-layer'; readonly address: Ip4; readonly htype: number; readonly hardware: Uint8Array }
  | { readonly kind: 'broadcast' };

/** A finished reply: bytes are fresh and owned by the receiver of the decision. */
export interface ReplyPlan {
  readonly messageType: MessageType | 'bootp';
  readonly destination: ReplyDestination;
  readonly interfaceId: number;
  /** Source address of the datagram: the server identifier. */
  readonly source: Ip4;
  readonly bytes: Uint8Array;
  /** Wait before sending (scope's offer delay); 0 for all but OFFER. */
  readonly delayMs: number;
  /** yiaddr, for logs. */
  readonly address: Ip4;
}

export type Decision = {
  /** Kind of the packet as far as it could be told. */
  readonly messageType: MessageType | 'bootp' | 'unknown';
  readonly scopeId: Ip4 | undefined;
  /** One line for the trace: what was decided and why, e.g. "offered 10.0.0.7: the client's last address". */
  readonly reason: string;
  /** Steps that led there, at most 16. */
  readonly steps: readonly string[];
  /** Already applied to the table; the pipeline writes a record of each and tells the relationship, then sends the reply. */
  readonly changed: readonly Ip4[];
} & (
  | { readonly kind: 'drop'; readonly code: DropCode }
  | { readonly kind: 'reply'; readonly reply: ReplyPlan }
  | { readonly kind: 'done' }
);

/** Stable names, counted in the statistics. */
export type DropCode =
  | 'malformed'
  | 'not-for-us'
  | 'no-scope'
  | 'scope-inactive'
  | 'untrusted-relay'
  | 'not-serving'
  | 'partners-client'
  | 'other-server-chosen'
  | 'no-address'
  | 'unknown-lease'
  | 'not-allowed'
  | 'overloaded'
  | 'quarantined';

/** A lease that another server gave; see `import-lease.ts`. */
export interface LeaseToImport {
  readonly address: Ip4;
  readonly state: 'active' | 'declined';
  /** At least one of the two for an active lease. */
  readonly clientId: Uint8Array | undefined;
  readonly hardware: Uint8Array | undefined;
  readonly hostName: Uint8Array | undefined;
  /** When the client last spoke to the other server; 0 where that is not known. */
  readonly startAt: EpochSec;
  readonly endAt: EpochSec;
}

export type ImportRefusal =
  | 'unknown-scope'
  | 'outside-pool'
  | 'excluded'
  /** For another client than this one. */
  | 'reserved'
  /** By another client, now. */
  | 'held'
  | 'over'
  /** This server has dealt with the address since, and that is over too. */
  | 'newer'
  /** Another client declined it here. */
  | 'set-aside'
  /** The partner's to give: the import belongs there. */
  | 'partners'
  /** An older lease of the address is over, and the partner has not agreed yet. */
  | 'unsettled'
  | 'not-serving';

export type ImportVerdict =
  /** `isPartnerUntold`: until the partner hears of the lease, only MCLT protects it there (failover specification 7, I5). */
  | { readonly kind: 'made'; readonly isPartnerUntold: boolean }
  | { readonly kind: 'present' }
  | { readonly kind: 'refused'; readonly why: ImportRefusal };

/** The serving core as the pipeline sees it; made by `makeServing` in `serving.ts`. */
export interface Serving {
  /** Decides one packet. Mutates the binding table and the offers; allocates only the decision. */
  decide(now: import('../../wire/units.ts').Now, ingress: Ingress, packet: DhcpPacket): Decision;
  /** Offers whose hold time is over are let go. Called with the timer. */
  expireOffers(now: import('../../wire/units.ts').Now): void;
  /** Offers open now, per scope. */
  pendingOffers(scopeId: Ip4): number;
  /** Whether an address is held by an open offer. */
  isOffered(address: Ip4): boolean;
  /** Takes a lease over that another server gave; see `import-lease.ts`. A trial changes nothing. */
  importLease(now: import('../../wire/units.ts').Now, lease: LeaseToImport, isTrial: boolean): ImportVerdict;
  /** Takes a new configuration into use; offers stay. */
  reconfigure(config: import('../config/model.ts').Config): void;
}

export type { Binding };
