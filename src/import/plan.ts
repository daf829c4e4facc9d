/**
 * What a reader of another product's files hands over: a configuration in our own terms, leases, and a report in which every
 * statement of the source appears as carried over, carried over with a change, or not carried over. Nothing is dropped silently.
 */
import type {
  ForeignKind,
  OptionDefinition,
  OptionValue,
  ProtocolRole,
  RelationshipMode,
  Scope,
} from '../core/config/model.ts';
import type { EpochSec } from '../wire/units.ts';

export interface ImportPlan {
  readonly source: 'isc-dhcpd' | 'kea' | 'windows';
  readonly server: ImportedSettings;
  readonly optionDefinitions: readonly OptionDefinition[];
  readonly scopes: readonly Scope[];
  readonly relationships: readonly ImportedRelationship[];
  readonly report: readonly ReportLine[];
}

/** Settings of the whole server; what is absent stays as it is. */
export interface ImportedSettings {
  readonly options?: readonly OptionValue[];
  readonly authoritative?: boolean;
  readonly loadBalanceMaxSec?: number;
  readonly declineHoldSec?: number;
}

/** A failover relationship as the source has it, from the side of the server that the files belong to. */
export interface ImportedRelationship {
  readonly name: string;
  readonly partnerKind: ForeignKind;
  readonly partnerAddress: string;
  readonly partnerPort: number;
  readonly localAddress: string | null;
  /** The door that the partner calls has to be this one. */
  readonly localPort: number;
  readonly role: ProtocolRole;
  readonly mode: RelationshipMode;
  readonly isActive: boolean;
  /** As in `Relationship.percentage`. */
  readonly percentage: number;
  /** Null where the primary decides it and the files of the secondary do not have it. */
  readonly mcltSec: number | null;
  readonly stateSwitchIntervalSec: number | null;
  readonly scopeIds: readonly string[];
}

export type Carried = 'carried' | 'changed' | 'not-carried';

export interface ReportLine {
  readonly carried: Carried;
  readonly file: string;
  /** From 1; 0 is the file as a whole. */
  readonly line: number;
  /** The statement, shortened, without secrets. */
  readonly statement: string;
  /** What became of it, or why nothing did. */
  readonly outcome: string;
  /** What the operator may do about it; null where nothing needs doing. */
  readonly advice: string | null;
}

/** One lease of the source. Where a file has several entries of an address, the reader has settled which one holds. */
export interface ImportedLease {
  readonly address: string;
  readonly state: 'active' | 'declined';
  /** Lower-case hex; null where the client has none. */
  readonly clientIdHex: string | null;
  readonly htype: number;
  /** Lower-case hex; empty for a declined address. */
  readonly hardwareHex: string;
  readonly hostName: string;
  readonly startAt: EpochSec;
  /** 0xffffffff has no end. */
  readonly endAt: EpochSec;
}

export type LeaseRead =
  | { readonly kind: 'lease'; readonly lease: ImportedLease }
  | { readonly kind: 'report'; readonly line: ReportLine };
