/**
 * The messages of the DHCP failover protocol as values (failover specification 1.4 to 1.8).
 * Bytes are made and read by `codec.ts`, frames are cut by `framer.ts`; which dialect is spoken is a `WireProfile`.
 */
import type { EpochSec, Ip4, Sec } from '../units.ts';

/**
 * The dialect spoken on one relationship (specification 1.14). `twinlease` is ours: the `isc` encodings, with several
 * updates in a BNDUPD and the options 7 to 9 and 29 in use.
 */
export type WireProfile = 'twinlease' | 'draft' | 'isc' | 'msft';

export const BINDING_STATES = {
  free: 1,
  active: 2,
  expired: 3,
  released: 4,
  abandoned: 5,
  reset: 6,
  backup: 7,
} as const;
export type BindingState = keyof typeof BINDING_STATES;

export const SERVER_STATES = {
  startup: 1,
  normal: 2,
  'communications-interrupted': 3,
  'partner-down': 4,
  'potential-conflict': 5,
  recover: 6,
  paused: 7,
  shutdown: 8,
  'recover-done': 9,
  'resolution-interrupted': 10,
  'conflict-done': 11,
  'recover-wait': 254,
} as const;
export type ServerState = keyof typeof SERVER_STATES;

export const REJECT_REASONS = {
  'illegal-ip-address': 1,
  'fatal-conflict': 2,
  'missing-binding-information': 3,
  'time-mismatch': 4,
  'invalid-mclt': 5,
  unknown: 6,
  'duplicate-connection': 7,
  'invalid-partner': 8,
  'tls-not-supported': 9,
  'tls-not-configured': 10,
  'tls-required': 11,
  'digest-not-supported': 12,
  'digest-not-configured': 13,
  'version-mismatch': 14,
  'outdated-binding-information': 15,
  'less-critical-binding-information': 16,
  'no-traffic': 17,
  'hba-conflict': 18,
  'ip-not-reserved': 19,
  'digest-does-not-compare': 20,
  'digest-missing': 21,
  other: 254,
} as const;
export type RejectReason = keyof typeof REJECT_REASONS;

export const FLAG_STARTUP = 0x01;
export const IP_FLAG_RESERVED = 0x0001;
export const IP_FLAG_BOOTP = 0x0002;

/** What two Twinlease servers tell of their stores (option 29, own profile; specification 4.3). */
export interface StoreMark {
  /** 16 random bytes made with the store. */
  readonly storeId: Uint8Array;
  /** Sequence of the newest durable commit, 0 .. 2^53 - 1. */
  readonly sequence: number;
}

/** One binding update: the options of one group of a BNDUPD (specification 1.6). Absent means the option was not sent. */
export interface BindingUpdate {
  readonly address: Ip4;
  readonly state: BindingState;
  readonly clientId?: Uint8Array | undefined;
  /** htype followed by chaddr. */
  readonly hardware?: Uint8Array | undefined;
  readonly leaseEndAt?: EpochSec | undefined;
  readonly potentialEndAt?: EpochSec | undefined;
  readonly stateSinceAt?: EpochSec | undefined;
  readonly lastTransactionAt?: EpochSec | undefined;
  readonly ipFlags?: number | undefined;
  readonly ddns?: { readonly flags: number; readonly name: Uint8Array } | undefined;
  /** Encoded DHCP options (without the magic of option 8) that the client sent: 12, 60, 77, 81, 82, 118. */
  readonly requestOptions?: Uint8Array | undefined;
  /** Encoded DHCP options (without the magic of option 7) that were sent to the client: 58, 59. */
  readonly replyOptions?: Uint8Array | undefined;
  /** Options 31 to 41 of [MS-DHCPF], raw, by code; `msft` profile, and 40 (policy name, UTF-8) also in `twinlease`. */
  readonly vendorUse?: ReadonlyMap<number, Uint8Array> | undefined;
  /** `msft` only: the scope of the address, which Windows writes before the hardware address (specification 3.3). */
  readonly scopeId?: Ip4 | undefined;
  /**
   * `msft` only, of an available address: the primary takes it back, or it is told again after a loss of data (specification 3.4).
   * Absent: it changes hands.
   */
  readonly move?: 'reconcile' | 'resent' | undefined;
  /** `msft` only: the IP-flags byte, whose bits mean something else there; `ipFlags` is then absent (specification 3.3). */
  readonly vendorFlags?: number | undefined;
}

/**
 * A group of a BNDUPD that is not a usable update, but that the draft answers with a reject instead of closing the
 * connection: no address or binding-status, a status that is none, a malformed client (specification 5.4, tests 1 and 3).
 */
export interface UnreadableUpdate {
  /** Place among all groups of the message, readable or not; answers go back in that order (specification 1.14). */
  readonly index: number;
  /** 0.0.0.0 when the group had no address. */
  readonly address: Ip4;
  readonly rejectReason: RejectReason;
  readonly message: string;
}

export interface BindingAnswer {
  readonly address: Ip4;
  /** Absent: accepted. A number that the table lacks is kept as `unknown` by the reader. */
  readonly rejectReason?: RejectReason | undefined;
  readonly message?: string | undefined;
}

interface Head {
  /** The sender's clock when the message left (header offset 4). */
  readonly sentAt: EpochSec;
  /** Unsigned 32 bit (specification 1.13). */
  readonly xid: number;
}

export type FailoverMessage = Head &
  (
    | { readonly kind: 'poolreq' }
    | { readonly kind: 'poolresp'; readonly addressesTransferred: number }
    | {
        readonly kind: 'bndupd';
        readonly updates: readonly BindingUpdate[];
        /** Only from the reader, and only when there are any: each is to be answered with its reject reason. */
        readonly unreadable?: readonly UnreadableUpdate[] | undefined;
      }
    | { readonly kind: 'bndack'; readonly answers: readonly BindingAnswer[] }
    | {
        readonly kind: 'connect';
        readonly relationshipName?: string | undefined;
        readonly maxUnacked?: number | undefined;
        readonly receiveTimerSec?: Sec | undefined;
        readonly vendorClass?: string | undefined;
        readonly protocolVersion?: number | undefined;
        readonly tlsRequest?: number | undefined;
        readonly mcltSec?: Sec | undefined;
        /**
         * 32 bytes; bucket b is byte b >> 3, bit b & 7 (specification 8.2). A set bit means that the primary serves the
         * bucket, whatever the profile: the codec turns the bits round for `draft`. Absent also when it was not 32 bytes.
         */
        readonly hashBuckets?: Uint8Array | undefined;
        readonly store?: StoreMark | undefined;
        /** What the sender remembers of the *receiver's* store: one that is behind it, or has another id, is an old one. */
        readonly remembered?: StoreMark | undefined;
      }
    | {
        readonly kind: 'connectack';
        readonly relationshipName?: string | undefined;
        readonly maxUnacked?: number | undefined;
        readonly receiveTimerSec?: Sec | undefined;
        readonly vendorClass?: string | undefined;
        readonly protocolVersion?: number | undefined;
        readonly tlsReply?: number | undefined;
        readonly rejectReason?: RejectReason | undefined;
        readonly message?: string | undefined;
        readonly store?: StoreMark | undefined;
        /** What the sender remembers of the *receiver's* store: one that is behind it, or has another id, is an old one. */
        readonly remembered?: StoreMark | undefined;
      }
    /** `scopeIds`: option 30, only these scopes are wanted (own and `msft` profile). */
    | { readonly kind: 'updreq'; readonly scopeIds?: readonly Ip4[] | undefined }
    | { readonly kind: 'updreqall' }
    | { readonly kind: 'upddone' }
    | {
        readonly kind: 'state';
        /** Undefined when the number is none of the table: the receiver treats it as "no information". */
        readonly serverState: ServerState | undefined;
        /** Bit 0 is STARTUP. */
        readonly serverFlags: number;
        readonly stateSinceAt: EpochSec;
        readonly store?: StoreMark | undefined;
        /** Own profile: scopes whose client interface is down here, so that the partner answers them (design, part 3). */
        readonly unservedScopeIds?: readonly Ip4[] | undefined;
      }
    | { readonly kind: 'contact' }
    | { readonly kind: 'disconnect'; readonly rejectReason: RejectReason; readonly message?: string | undefined }
  );
export type MessageKind = FailoverMessage['kind'];
/** A message as the engine makes it: the shell stamps `sentAt` when the bytes leave. */
export type OutMessage = FailoverMessage extends infer M
  ? M extends FailoverMessage
    ? Omit<M, 'sentAt'>
    : never
  : never;

export const MESSAGE_NUMBERS = {
  poolreq: 1,
  poolresp: 2,
  bndupd: 3,
  bndack: 4,
  connect: 5,
  connectack: 6,
  updreqall: 7,
  upddone: 8,
  updreq: 9,
  state: 10,
  contact: 11,
  disconnect: 12,
} as const satisfies Record<MessageKind, number>;
