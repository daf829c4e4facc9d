/**
 * What goes into a relationship's endpoint and what comes out: the engine computes, the shell acts.
 * An "endpoint" is one server's side of one relationship (failover specification, abbreviations).
 */
import type {
  FailoverMessage,
  OutMessage,
  RejectReason,
  ServerState,
  WireProfile,
} from '../../wire/failover/messages.ts';
import type { EpochSec, Ip4, MonoMs, Now, Sec } from '../../wire/units.ts';
import type { AvailableState, Binding } from '../bindings/binding.ts';
import type { ProtocolRole, RelationshipMode } from '../config/model.ts';

/** The parameters of a relationship in the engine's units. A change of configuration replaces the whole value. */
export interface EndpointConfig {
  readonly name: string;
  readonly id: string;
  readonly role: ProtocolRole;
  readonly mode: RelationshipMode;
  /** HotStandby: whether this server answers. */
  readonly isActive: boolean;
  /** LoadBalance: the primary's share, 0..100. HotStandby: the standby's reserve, 0..100. */
  readonly percentage: number;
  readonly mcltSec: Sec;
  /** A longer MCLT of before, as the configuration remembers it (specification 6.5). */
  readonly formerMclt?: { readonly sec: Sec; readonly untilAt: EpochSec } | undefined;
  readonly autoPartnerDownSec: Sec | undefined;
  readonly profile: WireProfile;
  readonly scopeIds: readonly Ip4[];
  /** A non-responsible server answers a DISCOVER with `secs` above this, or unanswered for as long (design, part 3). */
  readonly loadBalanceMaxSec: Sec;
  /** This server's address on the link, which Windows is told with each lease (specification 3.2, option 34). */
  readonly localAddress?: Ip4 | undefined;
  /** Scopes that give addresses to BOOTP clients: the partner's addresses there are never used (specification 5.3, 5.5). */
  readonly bootpScopeIds?: readonly Ip4[] | undefined;
  /** The messages of a partner of another make carry a digest, so that one of before could be played again (specification 1.12). */
  readonly hasDigest?: boolean | undefined;
}

/** Limits and waits of the engine, in one place. The defaults are those for a partner of our own kind. */
export interface EndpointLimits {
  /** tReceive that we advertise: 10 s between Twinlease servers, 60 s toward foreign partners (specification 1.9). */
  readonly receiveTimerSec: Sec;
  /** max-unacked-bndupd that we advertise. */
  readonly unackedMax: number;
  /** STARTUP waits for contact; the long one when we were down longer than MCLT (specification 4.3). */
  readonly startupWaitSec: Sec;
  readonly startupWaitLongSec: Sec;
  /** Between attempts to connect (primary). */
  readonly redialMs: number;
  /** From TCP up to CONNECT/CONNECTACK + STATE. */
  readonly handshakeMs: number;
  /** S, the least skew allowance (specification 1.11). */
  readonly skewAllowanceSec: Sec;
  readonly skewRefuseSec: Sec;
  readonly skewAlarmSec: Sec;
  /** Between two looks at the balance of available addresses. */
  readonly balanceEveryMs: number;
  /** A move of addresses begins when a side is off its share by more than this part of all available ones, percent. */
  readonly balanceTolerancePercent: number;
  /** How often the time of last operation is made durable (specification 4.3). */
  readonly lastOperationalEverySec: Sec;
  /** Updates in one BNDUPD (own profile). */
  readonly updatesPerMessageMax: number;
  /** Rejected updates are compared and sent again after this. */
  readonly resendAfterRejectSec: Sec;
}

/** What an endpoint keeps durably beside the bindings; absolute state, one log record. */
export interface RelationshipRecord {
  readonly name: string;
  /** Configuration id of the relationship that the record belongs to; another id means the record is an old one. */
  readonly id: string;
  /** Never `startup`, `paused` or `shutdown`: the state to come back to. */
  readonly state: ServerState;
  readonly stateSinceAt: EpochSec;
  readonly partnerState: ServerState | undefined;
  readonly partnerFlags: number;
  readonly partnerStateAt: EpochSec;
  /** P of specification 5.5: entry into PARTNER-DOWN or the operator's time; kept after leaving it while waits run. */
  readonly partnerDownAt: EpochSec;
  readonly lastOperationalAt: EpochSec;
  /** Greatest skew measured, seconds. */
  readonly skewSec: Sec;
  /** Largest MCLT in force until `mcltWasUntilAt` (specification 6.5). */
  readonly mcltWasSec: Sec;
  readonly mcltWasUntilAt: EpochSec;
  readonly partnerStoreId: Uint8Array | undefined;
  readonly partnerSequence: number;
  /** True until UPDDONE when everything must be asked for (lost store, unknown partner). */
  readonly wantsAll: boolean;
  /** RECOVER-WAIT ends here (wall clock); 0 when none runs. */
  readonly recoverWaitUntilAt: EpochSec;
  /** Scopes added to a live relationship that stay silent here until their UPDDONE. */
  readonly silentScopeIds: readonly Ip4[];
  /** The called server of a new relationship: serves as PARTNER-DOWN while the new half recovers (specification 4.3). */
  readonly holdsAllData: boolean;
  /**
   * When one of the two stores was found lost or old; leases of before may have been extended by the server that forgot it, so
   * they are taken for over only when the greatest potential expiry, MCLT and the skew allowance have passed. 0 or absent: never.
   */
  readonly lossAt?: EpochSec;
  /**
   * Greatest sequence of our own store that we told the partner. An old copy that has run on by itself has a new sequence, but
   * still remembers less told than the partner heard. Absent: the sequence found at the start is taken.
   */
  readonly toldSequence?: number;
  /**
   * The MCLT that the partner goes by where it is not ours: as a primary of another make told it, used even while out of contact
   * (specification 1.8, step 7), or as a secondary of another make heard it last. Absent: ours.
   */
  readonly adoptedMcltSec?: Sec | undefined;
  /** Time in the partner's last CONNECT that was accepted, where its messages carry a digest (specification 1.12). */
  readonly partnerConnectAt?: EpochSec | undefined;
}

export type EndpointInput =
  /** Process start, after the store was replayed. */
  | { readonly kind: 'start' }
  /** The link is up (TCP, and TLS where used). */
  | { readonly kind: 'connected'; readonly dialled: boolean }
  | { readonly kind: 'dial-failed'; readonly why: string }
  | { readonly kind: 'disconnected'; readonly why: string }
  | { readonly kind: 'message'; readonly message: FailoverMessage }
  | { readonly kind: 'timer' }
  | { readonly kind: 'command'; readonly command: EndpointCommand }
  /**
   * New parameters, or scopes added and removed. `newScopeIds` are the added scopes whose data the *partner* holds: this half
   * is silent for them until it has them. The called server, which holds the data, gives an empty list.
   */
  | { readonly kind: 'reconfigured'; readonly config: EndpointConfig; readonly newScopeIds: readonly Ip4[] }
  /** The binding of an address of this relationship was changed by serving or an operator, and must reach the partner. */
  | { readonly kind: 'binding-changed'; readonly address: Ip4 }
  /** Client interfaces of these scopes are down here. */
  | { readonly kind: 'unserved-scopes'; readonly scopeIds: readonly Ip4[] };

export type EndpointCommand =
  | { readonly kind: 'partner-down'; readonly sinceAt?: EpochSec }
  /** Orderly stop: SHUTDOWN is announced, the connection closed. */
  | { readonly kind: 'shutdown' }
  | { readonly kind: 'pause' }
  | { readonly kind: 'resume' }
  /** Ask the partner for everything (operator, restored backup). */
  | { readonly kind: 'recover-all' };
export type CommandResult =
  | { readonly kind: 'done' }
  | { readonly kind: 'nothing-to-do' }
  | { readonly kind: 'refused'; readonly why: 'state' };

/** Everything the engine wants done, in order. The shell saves before it sends. */
export type Effect =
  /** Append the present state of this address's binding to the log. */
  | { readonly kind: 'save-binding'; readonly address: Ip4 }
  | { readonly kind: 'save-relationship'; readonly record: RelationshipRecord }
  /** Leaves after everything saved so far is durable; in order with the other `send`s. */
  | { readonly kind: 'send'; readonly message: OutMessage }
  /** Leaves at once, never waits for the log (CONTACT). */
  | { readonly kind: 'send-now'; readonly message: OutMessage }
  | { readonly kind: 'dial' }
  /** After the sends before it have left. */
  | { readonly kind: 'close'; readonly why: string }
  /** For the operator; `code` is an entry of the catalogue. */
  | { readonly kind: 'event'; readonly code: string; readonly slots: Readonly<Record<string, string | number>> };

/** What serving asks of the relationship of a scope. All answers hold for this moment only. */
export interface Rights {
  readonly relationshipName: string | undefined;
  /** Which of the two kinds of available address is ours. */
  readonly own: AvailableState;
  /** Specification 4.1: `all`, `renew` (REQUEST in RENEWING or REBINDING only) or `none`. */
  service(now: Now, scopeId: Ip4): { readonly serves: 'all' | 'renew' | 'none'; readonly why: string };
  /**
   * Whether this server is the one to answer a DISCOVER (or an INIT-REBOOT) now: hash, mode, `secs`, the time the same client
   * has repeated it unanswered (ms), a partner without addresses or without its interface. Only asked when `serves` is `all`.
   */
  answers(now: Now, ask: AnswerAsk): { readonly yes: boolean; readonly why: string };
  /** Whether an address may go to a *new* client now (specification 5.5). `available` is our own or the partner's. */
  mayAllocate(now: Now, binding: Binding): boolean;
  /**
   * Whether an address whose lease is over, which the partner has not agreed to, may go to a new client at all now: only then
   * `mayAllocate` is worth asking of each. Absent: yes.
   */
  mayTakeEnded?(): boolean;
  /** From when the partner's available addresses may be used; undefined while that is not foreseeable. */
  partnersUsableAt(now: Now): EpochSec | undefined;
  /** The lease time bound of specification 6.2 applied: at most `desired`. `binding` is the client's own binding or undefined. */
  grantSec(now: Now, desired: Sec, binding: Binding | undefined): Sec;
  /** The potential expiration to send for a grant: t + D + granted/2, at least LET, never below the one sent before. */
  potentialEndAt(now: Now, desired: Sec, granted: Sec, binding: Binding): EpochSec;
  /** In NORMAL and authoritative enough to NAK what is unknown. */
  isNormal(): boolean;
  /** Whether lease ends are acted on here now (clock trouble, an `isc` primary's right). */
  mayExpire(now: Now): boolean;
  /**
   * Whether an expired or released address may go back to its *own* client (the "undo" of specification 5.2): forbidden once
   * the partner may have been told, until it answered. Absent: always.
   */
  mayRevive?(now: Now, binding: Binding): boolean;
  /**
   * Whether an address that was set aside may be RESET: not while a server that lost its store may have leased it meanwhile.
   * Absent: always.
   */
  mayReset?(now: Now, binding: Binding): boolean;
}

export interface AnswerAsk {
  readonly scopeId: Ip4;
  /** RFC 3074 bucket of the client, 0..255. */
  readonly bucket: number;
  /** The bucket of the hardware address alone, where it is known: what counts with Windows. */
  readonly hardwareBucket?: number;
  readonly secs: number;
  readonly unansweredMs: number;
}

/** For operators: `failover status`, GetByName. */
export interface EndpointStatus {
  readonly name: string;
  readonly state: ServerState;
  readonly stateSinceAt: EpochSec;
  readonly partnerState: ServerState | undefined;
  readonly partnerStateAt: EpochSec;
  readonly isConnected: boolean;
  /** TCP + CONNECT/CONNECTACK + the partner's STATE (specification 1.8). */
  readonly isCommunicating: boolean;
  readonly skewSec: number;
  readonly unackedUpdates: number;
  readonly dirtyBindings: number;
  readonly partnerDownAt: EpochSec;
  readonly recoverWaitUntilAt: EpochSec;
  readonly autoPartnerDownAt: EpochSec;
  readonly silentScopeIds: readonly Ip4[];
  readonly lastReject: { readonly address: Ip4; readonly reason: RejectReason; readonly at: EpochSec } | undefined;
  /** From when the partner's available addresses are used; absent while that is not foreseeable. */
  readonly partnersUsableAt?: EpochSec | undefined;
  /** S and the MCLT that waits from now on would have (specification 1.11, 6.5). */
  readonly allowanceSec?: Sec;
  readonly waitMcltSec?: Sec;
  /** What is asked for from the partner and not all here yet. */
  readonly fetching?: 'everything' | 'changes' | 'scopes' | undefined;
  /** The partner has asked for leases and has not got all of them. */
  readonly isAnswering?: boolean;
  /** What of the partner's leases is not here, asked for or not; apart from those of `silentScopeIds`. */
  readonly lacks?: 'everything' | 'changes' | undefined;
  /** When one of the two stores was last found lost or old, and the MCLT by which what it forgot is waited out. */
  readonly loss?: { readonly at: EpochSec; readonly waitMcltSec: Sec } | undefined;
}

/** The endpoint itself, as the pipeline holds it. Made by `makeEndpoint` in `endpoint.ts`. */
export interface Endpoint {
  readonly rights: Rights;
  step(now: Now, input: EndpointInput): readonly Effect[];
  /** The result of the last `command` input. */
  readonly commandResult: CommandResult;
  /** When `timer` wants to be called; undefined is never. */
  readonly deadlineMs: MonoMs | undefined;
  /** While false nothing expires and no address changes hands (design, part 2 "Two clocks"). */
  setClockTrusted(isTrusted: boolean): void;
  record(): RelationshipRecord;
  status(now: Now): EndpointStatus;
  /** Two of the status, for who asks often. */
  readonly state: ServerState;
  readonly isCommunicating: boolean;
  /**
   * Whether a connection that the partner opens now may take the place of the present one: not while that one is alive (specification
   * 1.8, step 10), so that two that both sides opened at once do not end each other.
   */
  mayReplaceLink(now: Now): boolean;
}
