/**
 * The configuration of one server as plain data. Checked by `schema.ts`, compared by `diff.ts`; every stored revision is one
 * of these. Addresses are dotted quads and times are seconds, so that a person can read and edit the file.
 */

/** Options travel and rest in the form of their wire bytes; `optionText` in `wire/dhcp` turns them to text and back. */
export interface OptionValue {
  /** 1..254 */
  readonly code: number;
  /** Lower-case hex of the option's value on the wire. */
  readonly hex: string;
  /** Only for clients of this vendor class (option 60 begins with it) or user class (option 77 holds it). */
  readonly vendorClass?: string;
  readonly userClass?: string;
}

export interface OptionDefinition {
  readonly code: number;
  readonly name: string;
  readonly type: 'byte' | 'word' | 'dword' | 'dword-dword' | 'ipv4-address' | 'string' | 'binary' | 'encapsulated';
  readonly isArray: boolean;
  readonly description?: string;
  readonly vendorClass?: string;
}

export type ScopeState = 'Active' | 'Inactive';
export type ClientKind = 'Dhcp' | 'Bootp' | 'Both';

/** How a reservation knows its client. Hex is lower case. */
export type ReservationKey =
  /** Hardware address: htype 1 unless given. A client is matched whatever client identifier it sends. */
  | { readonly kind: 'hardware'; readonly hex: string; readonly htype?: number }
  | { readonly kind: 'client-id'; readonly hex: string }
  | { readonly kind: 'circuit-id'; readonly hex: string }
  | { readonly kind: 'remote-id'; readonly hex: string };

export interface Reservation {
  readonly address: string;
  readonly client: ReservationKey;
  readonly name: string;
  readonly description: string;
  readonly type: ClientKind;
  readonly options: readonly OptionValue[];
}

export interface AddressRange {
  readonly start: string;
  readonly end: string;
}

export interface Scope {
  /** The network address; identifies the scope. */
  readonly scopeId: string;
  readonly subnetMask: string;
  readonly name: string;
  readonly description: string;
  readonly startRange: string;
  readonly endRange: string;
  readonly exclusions: readonly AddressRange[];
  readonly reservations: readonly Reservation[];
  readonly state: ScopeState;
  readonly type: ClientKind;
  /** 0 .. 0xffffffff; the latter is "no end". Default 691200 (8 days). */
  readonly leaseDurationSec: number;
  /** Wait before an OFFER, 0 .. 1000 ms. */
  readonly delayMs: number;
  readonly maxBootpClients: number;
  readonly superscopeName: string | null;
  readonly activatePolicies: boolean;
  readonly options: readonly OptionValue[];
}

export type RelationshipMode = 'LoadBalance' | 'HotStandby';
export type ProtocolRole = 'primary' | 'secondary';

export interface FormerMclt {
  readonly sec: number;
  readonly untilAt: number;
}

/** A failover relationship as one of its two servers keeps it. */
export interface Relationship {
  readonly name: string;
  /** Random, made when the relationship is; the same on both servers. Tells a re-created one from an old one. */
  readonly id: string;
  /** Key hash of the partner in `partners`. */
  readonly partnerKey: string;
  /** As the operator named it, for display and look-up. */
  readonly partnerServer: string;
  readonly role: ProtocolRole;
  readonly mode: RelationshipMode;
  /** Only for HotStandby: whether this server is the active one. */
  readonly isActive: boolean;
  /**
   * LoadBalance: the *primary's* share of clients, 0..100. HotStandby: the reserve of the standby, 0..100. A whole number, except
   * with a partner of another make, whose share may be any number of the 256 buckets.
   */
  readonly percentage: number;
  readonly mcltSec: number;
  /** A longer MCLT of before, and until when leases given by it may run: also a server that lost its store must wait by it. */
  readonly formerMclt?: FormerMclt;
  /** Automatic partner-down after this many seconds; null is off. */
  readonly stateSwitchIntervalSec: number | null;
  /** A reference into the secrets file, never the secret. */
  readonly sharedSecretRef: string | null;
  readonly scopeIds: readonly string[];
  /** Scopes of these that are about to leave this server: it is silent for them until their removal is settled. */
  readonly leavingScopeIds?: readonly string[];
  readonly profile: 'twinlease' | 'isc' | 'msft' | 'draft';
}

/** A server of another make: plain TCP, known by its address alone, configured by its own administrator. */
export type ForeignKind = 'isc' | 'msft' | 'draft';
export interface ForeignPartner {
  readonly kind: ForeignKind;
  /** Dotted quad that this server calls from, as the partner has it in its configuration; null takes what the route gives. */
  readonly localAddress: string | null;
}

/** Another Twinlease server that was introduced to this one, or a server of another make that was declared. */
export interface Partner {
  /** SHA-256 of its public key (SPKI), lower-case hex: what it is known by. Of a foreign one `foreign:` and its address. */
  readonly key: string;
  /** Announced by the partner, which changes to it next: both are accepted until it has used this one. */
  readonly nextKey?: string;
  readonly name: string;
  /** Host name or address, and port, of its partner door. A foreign partner's host is a dotted quad. */
  readonly host: string;
  readonly port: number;
  readonly foreign?: ForeignPartner;
}

/** A forced Remove leaves one (design, part 5). */
export interface Tombstone {
  readonly relationshipId: string;
  readonly name: string;
  readonly partnerKey: string;
  readonly removedAt: number;
  readonly scopeIds: readonly string[];
  readonly role: ProtocolRole;
  readonly mcltSec: number;
}

/** Settings of the server itself: local by nature, never replicated. */
export interface ServerSettings {
  readonly name: string;
  /** NAK an unknown lease in INIT-REBOOT (and REBINDING) while NORMAL. */
  readonly authoritative: boolean;
  /** Only packets with these relay addresses in giaddr are served; empty is "any". */
  readonly trustedRelays: readonly string[];
  /** Options of lowest rank. */
  readonly options: readonly OptionValue[];
  /** A responsible-elsewhere server answers a DISCOVER once `secs` is above this (design, part 3). Default 3. */
  readonly loadBalanceMaxSec: number;
  /** An offered address is held this long, 1..3600 s. Default 30. */
  readonly offerHoldSec: number;
  /** An address that a client declined is kept aside this long. Default 86400. */
  readonly declineHoldSec: number;
}

export interface Config {
  readonly formatVersion: 1;
  readonly server: ServerSettings;
  readonly optionDefinitions: readonly OptionDefinition[];
  readonly scopes: readonly Scope[];
  readonly relationships: readonly Relationship[];
  readonly partners: readonly Partner[];
  readonly tombstones: readonly Tombstone[];
}

/** One numbered revision: who made it, when, and why. */
export interface Revision {
  readonly number: number;
  readonly madeAt: number;
  readonly by: string;
  readonly what: string;
  /** Id of the two-server change that made it, if one did. */
  readonly transaction: string | null;
  readonly config: Config;
}
