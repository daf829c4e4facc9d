/**
 * ISC dhcpd 4.4.3 as a failover partner, as far as the specification describes it (2.3 to 2.13): its states with the moves that make
 * it exit, its one-sided duel, its acceptance, its balance, its lease times. A model to test against, at the level of messages.
 */
import type {
  BindingState,
  BindingUpdate,
  FailoverMessage,
  OutMessage,
  RejectReason,
  ServerState,
} from '../../../src/wire/failover/messages.ts';
import { type EpochSec, INFINITE_AT, type Ip4, type Sec, sameBytes } from '../../../src/wire/units.ts';
import { PARTNER_STATES } from '../../clauses/parties.ts';

export interface DhcpdOptions {
  readonly role: 'primary' | 'secondary';
  readonly first: Ip4;
  readonly last: Ip4;
  readonly mcltSec: number;
}

interface Lease {
  readonly address: Ip4;
  state: BindingState;
  hardware: Uint8Array | undefined;
  clientId: Uint8Array | undefined;
  endsAt: number;
  /** "Partner time", T of specification 2.9. */
  promisedAt: number;
  startsAt: number;
  cltt: number;
  isUnacked: boolean;
  /** Whose the address was before the partner was told of the lease. */
  rewindTo: 'free' | 'backup' | undefined;
  /** Changed since the update about it that is in flight was made. */
  hasChanged: boolean;
}

type Move = ServerState | 'stay' | 'exit';
const PC = 'potential-conflict';
const PD = 'partner-down';
const S = 'stay';
const X = 'exit';

/** Specification 2.5, columns in the order of `PARTNER_STATES`. */
const MOVES: Partial<Record<ServerState, readonly Move[]>> = {
  recover: [PC, S, S, PC, PC, PC, S, S, S, S, PD],
  'recover-wait': [S, S, S, S, S, S, S, S, S, S, S],
  'recover-done': ['normal', S, S, S, S, S, S, S, 'normal', S, PD],
  normal: [S, S, PC, 'shutdown', 'shutdown', 'shutdown', PD, S, S, 'communications-interrupted', PD],
  'communications-interrupted': ['normal', 'normal', PC, PC, PC, PC, PD, 'normal', 'normal', S, PD],
  'partner-down': [PC, PC, PC, PC, PC, PC, S, S, 'normal', S, S],
  'potential-conflict': ['shutdown', S, S, S, S, S, 'recover', S, S, S, PD],
  'resolution-interrupted': [PC, PC, PC, PC, PC, PC, PC, PC, PC, S, PD],
  'conflict-done': ['normal', X, X, S, S, X, X, X, X, X, 'shutdown'],
  paused: [S, S, S, S, S, S, S, S, S, S, S],
  shutdown: [S, S, S, S, S, S, S, S, S, S, S],
};

const SILENT_FOR: ReadonlySet<ServerState | undefined> = new Set([
  PD,
  PC,
  'conflict-done',
  'resolution-interrupted',
] as const);
const SKEW_ON_EXPIRY = 65;

export class Dhcpd {
  readonly options: DhcpdOptions;
  readonly out: OutMessage[] = [];
  leases = new Map<Ip4, Lease>();
  state: ServerState = 'recover';
  stateSinceAt = 0;
  partner: ServerState | undefined;
  /** Why the process has exited or shut itself down for good. */
  ruin: string | undefined;
  now = 0;
  isStartup = true;
  #startedAt = 0;
  #isUp = false;
  #isTalking = false;
  #xid = 0;
  #windowOfPartner = 0;
  readonly #flights = new Map<number, Lease>();
  #queue: Lease[] = [];
  #job: { readonly xid: number; left: Set<Lease> } | undefined;
  #askedXid: number | undefined;

  constructor(options: DhcpdOptions) {
    this.options = options;
    this.lose();
  }

  get isPrimary(): boolean {
    return this.options.role === 'primary';
  }

  get own(): 'free' | 'backup' {
    return this.isPrimary ? 'free' : 'backup';
  }

  get isRecoverDone(): boolean {
    return this.state === 'recover-done';
  }

  /** An empty lease file. */
  lose(): void {
    this.leases = new Map();
    for (let address = this.options.first; address <= this.options.last; address = (address + 1) as Ip4)
      this.leases.set(address, {
        address,
        state: 'free',
        hardware: undefined,
        clientId: undefined,
        endsAt: 0,
        promisedAt: 0,
        startsAt: 0,
        cltt: 0,
        isUnacked: false,
        rewindTo: undefined,
        hasChanged: false,
      });
    this.state = 'recover';
    this.stateSinceAt = 0;
    this.partner = undefined;
  }

  start(now: number): void {
    this.now = now;
    this.isStartup = true;
    this.#startedAt = now;
    if (this.stateSinceAt === 0) this.stateSinceAt = now;
  }

  connected(): void {
    this.#isUp = true;
    this.#isTalking = false;
    this.#xid = 0;
    if (!this.isPrimary) return;
    this.#send({
      kind: 'connect',
      relationshipName: 'pair',
      maxUnacked: 10,
      receiveTimerSec: 15 as Sec,
      vendorClass: 'isc-4.4.3-P1',
      protocolVersion: 1,
      tlsRequest: 0,
      mcltSec: this.options.mcltSec as Sec,
      hashBuckets: new Uint8Array(32).fill(0xff, 0, 16),
    });
  }

  /** The process ends: what is not in the lease file is gone. */
  crash(): void {
    this.#isUp = false;
    this.#isTalking = false;
    this.#flights.clear();
    this.#queue = [];
    this.#job = undefined;
    this.#askedXid = undefined;
    this.out.length = 0;
  }

  disconnected(): void {
    this.crash();
    if (this.isStartup) return;
    if (this.state === 'normal') this.#enter('communications-interrupted');
    else if (this.state === PC) this.#enter('resolution-interrupted');
  }

  hear(message: FailoverMessage): void {
    switch (message.kind) {
      case 'connect':
        this.#onConnect(message);
        break;
      case 'connectack':
        this.#windowOfPartner = message.maxUnacked ?? 0;
        this.#isTalking = true;
        this.#announce();
        break;
      case 'state':
        this.#onState(message.serverState, message.serverFlags);
        break;
      case 'bndupd':
        if (message.updates.length !== 1) this.ruin = 'a batched BNDUPD closes the connection';
        else this.#onUpdate(message.updates[0]!, message.xid);
        break;
      case 'bndack':
        this.#onAnswer(message.xid, message.answers[0]?.rejectReason !== undefined);
        break;
      case 'updreq':
      case 'updreqall':
        this.#onRequest(message.xid, message.kind === 'updreqall');
        break;
      case 'upddone':
        if (message.xid === this.#askedXid) this.#onDone();
        break;
      case 'poolreq':
        this.#send({ kind: 'poolresp', addressesTransferred: this.balance() }, message.xid);
        break;
      case 'poolresp':
      case 'contact':
      case 'disconnect':
        break;
      default:
        message satisfies never;
    }
    this.#pump();
  }

  #onConnect(message: Extract<FailoverMessage, { kind: 'connect' }>): void {
    if ((message.receiveTimerSec ?? 0) < 3) this.ruin = 'a receive-timer below 3 makes it flood CONTACT';
    if ((message.maxUnacked ?? 0) < 10) this.ruin = 'a small max-unacked keeps it from sending';
    this.#windowOfPartner = message.maxUnacked ?? 0;
    this.#isTalking = true;
    this.#send(
      {
        kind: 'connectack',
        relationshipName: 'pair',
        maxUnacked: 10,
        receiveTimerSec: 15 as Sec,
        vendorClass: 'isc-4.4.3-P1',
        protocolVersion: 1,
        tlsReply: 0,
      },
      message.xid,
    );
    this.#announce();
  }

  #announce(): void {
    if (!this.#isTalking) return;
    const isFlagless = SILENT_FOR.has(this.partner);
    this.#send({
      kind: 'state',
      serverState: this.state,
      serverFlags: this.isStartup && !isFlagless ? 1 : 0,
      stateSinceAt: this.stateSinceAt as EpochSec,
    });
  }

  #enter(next: ServerState): void {
    if (next === 'shutdown') this.ruin = `${this.state} heard ${this.partner}: SHUTDOWN for good`;
    this.state = next;
    this.stateSinceAt = this.now;
    this.#announce();
    if (next === 'normal') this.#wakeInNormal();
    if (next === PC && this.isPrimary) this.#ask('updreq');
    if (next === 'recover') this.#ask('updreqall');
  }

  #wakeInNormal(): void {
    for (const lease of this.leases.values()) if (lease.isUnacked) this.#enqueue(lease);
    this.balance();
  }

  #ask(kind: 'updreq' | 'updreqall'): void {
    this.#askedXid = this.#xid;
    this.#send({ kind });
  }

  #onState(heard: ServerState | undefined, flags: number): void {
    // Only in PARTNER-DOWN it heeds the flag (specification 2.5).
    if (this.state === PD && !this.isStartup && (flags & 1) !== 0) return;
    const known: readonly (ServerState | undefined)[] = PARTNER_STATES;
    const index = known.indexOf(heard);
    if (heard === undefined || index < 0) {
      this.ruin = 'an unknown state makes it go to SHUTDOWN';
      return;
    }
    const before = this.partner;
    this.partner = heard;
    const wasStartup = this.isStartup;
    if (wasStartup) {
      this.isStartup = false;
      // It wakes in the state that it remembers, and then heeds the partner's.
      if (this.state === PC) this.state = 'resolution-interrupted';
      if (this.state === 'normal' && heard !== PD) this.#wakeInNormal();
    }
    const move: Move = wasStartup && this.state === 'normal' && heard === PD ? 'recover' : MOVES[this.state]![index]!;
    if (move === 'exit') {
      this.ruin = `it exits: ${heard} while it is in ${this.state}`;
      return;
    }
    if (move !== 'stay') {
      this.#enter(move);
      return;
    }
    if (wasStartup) this.#announce();
    if (this.state === 'recover' && this.#askedXid === undefined) this.#ask('updreqall');
    if (this.state === PC && !this.isPrimary && heard === 'conflict-done' && before === PC) this.#ask('updreq');
  }

  #onDone(): void {
    this.#askedXid = undefined;
    if (this.state === 'recover') {
      const isOver = this.stateSinceAt + this.options.mcltSec <= this.now;
      this.#enter(
        isOver || this.partner === 'recover' || this.partner === 'recover-done' ? 'recover-done' : 'recover-wait',
      );
      if (this.partner === 'recover-done' && this.isRecoverDone) this.#enter('normal');
    } else if (this.state === PC) this.#enter(this.isPrimary ? 'conflict-done' : 'normal');
  }

  #onRequest(xid: number, isAll: boolean): void {
    const wanted = [...this.leases.values()].filter(
      (lease) => isAll || lease.isUnacked || ['expired', 'released', 'reset'].includes(lease.state),
    );
    this.#job = { xid, left: new Set(wanted) };
    for (const lease of wanted) this.#enqueue(lease);
  }

  #enqueue(lease: Lease): void {
    lease.isUnacked = true;
    if (!this.#queue.includes(lease)) this.#queue.push(lease);
  }

  #pump(): void {
    if (!this.#isTalking || this.isStartup) return;
    while (this.#flights.size < this.#windowOfPartner) {
      const lease = this.#queue.shift();
      if (lease === undefined) break;
      lease.hasChanged = false;
      // Whether the partner gets it or not: from now on the lease cannot be taken back silently.
      lease.rewindTo = undefined;
      this.#flights.set(this.#xid, lease);
      this.#send({ kind: 'bndupd', updates: [this.#told(lease)] });
    }
    if (this.#job !== undefined && this.#job.left.size === 0) {
      const { xid } = this.#job;
      this.#job = undefined;
      this.#send({ kind: 'upddone' }, xid);
    }
  }

  /** Specification 2.6. */
  #told(lease: Lease): BindingUpdate {
    const isAvailable = lease.state === 'free' || lease.state === 'backup';
    return {
      address: lease.address,
      state: lease.state,
      clientId: lease.state === 'abandoned' ? undefined : lease.clientId,
      hardware: lease.state === 'abandoned' ? undefined : lease.hardware,
      leaseEndAt: lease.endsAt as EpochSec,
      potentialEndAt: (isAvailable ? Math.min(lease.promisedAt, this.now) : lease.promisedAt) as EpochSec,
      stateSinceAt: lease.startsAt as EpochSec,
      lastTransactionAt: lease.cltt === 0 ? undefined : (lease.cltt as EpochSec),
    };
  }

  /** Specification 2.8. */
  #onAnswer(xid: number, isRejected: boolean): void {
    const lease = this.#flights.get(xid);
    if (lease === undefined) return;
    this.#flights.delete(xid);
    this.#job?.left.delete(lease);
    if (lease.hasChanged) {
      if (this.state === 'normal') this.#enqueue(lease);
      return;
    }
    lease.isUnacked = false;
    if (isRejected) return;
    lease.rewindTo = undefined;
    if (lease.state === 'expired' || lease.state === 'released' || lease.state === 'reset') this.#free(lease);
  }

  #free(lease: Lease): void {
    lease.state = 'free';
    lease.rewindTo = undefined;
  }

  #onUpdate(update: BindingUpdate, xid: number): void {
    const rejectReason = this.#judge(update);
    this.#send({ kind: 'bndack', answers: [{ address: update.address, rejectReason }] }, xid);
  }

  /** Specification 2.7: why an update is rejected; undefined when it was taken. */
  #judge(update: BindingUpdate): RejectReason | undefined {
    const lease = this.leases.get(update.address);
    if (lease === undefined) return 'illegal-ip-address';
    const flight = [...this.#flights].find(([, flying]) => flying === lease);
    if (flight !== undefined) {
      if (!this.#givesWay(lease, update)) return 'less-critical-binding-information';
      this.#flights.delete(flight[0]);
      this.#job?.left.delete(lease);
      lease.isUnacked = false;
    }
    const needsClient = update.state === 'active' || update.state === 'expired' || update.state === 'released';
    if (update.state === 'abandoned' && (update.clientId ?? update.hardware) !== undefined) return 'unknown';
    if (needsClient && update.hardware === undefined) return 'missing-binding-information';
    if (!this.#mayMove(lease, update)) return 'fatal-conflict';
    this.#queue = this.#queue.filter((waiting) => waiting !== lease);
    this.#job?.left.delete(lease);
    lease.isUnacked = false;
    lease.rewindTo = undefined;
    lease.state = update.state;
    if (update.hardware !== undefined) lease.hardware = update.hardware;
    if (update.clientId !== undefined || needsClient) lease.clientId = update.clientId;
    lease.endsAt = update.leaseEndAt ?? lease.endsAt;
    lease.promisedAt = update.potentialEndAt ?? lease.promisedAt;
    lease.startsAt = update.stateSinceAt ?? lease.startsAt;
    lease.cltt = 0;
    if (update.state === 'expired' || update.state === 'released' || update.state === 'reset') this.#free(lease);
    return undefined;
  }

  #mayMove(lease: Lease, update: BindingUpdate): boolean {
    const to = update.state;
    const isAvailable = to === 'free' || to === 'backup';
    const isOver = lease.endsAt <= this.now + SKEW_ON_EXPIRY;
    if (this.state !== 'normal') {
      if (lease.state === 'active' && isAvailable) return false;
      return !(lease.state === 'active' && to === 'expired' && !isOver);
    }
    if (lease.state === 'active') {
      if (to === 'active' || to === 'released' || to === 'abandoned') return true;
      if (this.isPrimary) return false;
      if (to === 'reset') return true;
      return to === 'expired' ? isOver : (update.potentialEndAt ?? 0) <= this.now;
    }
    if (lease.state === 'expired' || lease.state === 'reset')
      return !isAvailable || (update.potentialEndAt ?? 0) <= this.now;
    return true;
  }

  /** The duel of specification 2.7; an outstanding RELEASED or EXPIRED counts as what it heads for, FREE. */
  #givesWay(lease: Lease, update: BindingUpdate): boolean {
    if (lease.state !== 'active') return update.state === 'active' || !this.isPrimary;
    if (update.state === 'expired') return true;
    if (update.state !== 'active') return !this.isPrimary;
    const theirs = update.lastTransactionAt ?? 0;
    return theirs === lease.cltt ? !this.isPrimary : theirs > lease.cltt;
  }

  /** Specification 2.11; answers how many addresses are on their way to the partner. */
  balance(): number {
    if (this.state !== 'normal' || !this.#isTalking) return 0;
    const all = [...this.leases.values()];
    const mine = all.filter((lease) => lease.state === this.own && !this.#isFlying(lease));
    const theirs = all.filter((lease) => lease.state === (this.own === 'free' ? 'backup' : 'free')).length;
    let lts = Math.trunc((mine.length - theirs) / 2);
    const hold = Math.round((mine.length + theirs) * 0.1);
    let given = 0;
    for (const lease of mine) {
      if (lts <= (lease.hardware === undefined ? 0 : hold)) continue;
      lease.state = this.isPrimary ? 'backup' : 'free';
      lease.promisedAt = this.now;
      lease.startsAt = this.now;
      this.#enqueue(lease);
      lts--;
      given++;
    }
    return given;
  }

  #isFlying(lease: Lease): boolean {
    return lease.isUnacked;
  }

  /** Time passes: the end of STARTUP and of RECOVER-WAIT, and leases that end (specification 2.5, 2.10). */
  tick(now: number): void {
    this.now = now;
    if (this.isStartup && now >= this.#startedAt + 15) {
      this.isStartup = false;
      if (this.state === 'normal') this.#enter('communications-interrupted');
      else if (this.state === PC) this.#enter('resolution-interrupted');
    }
    if (this.state === 'recover-wait' && this.stateSinceAt + this.options.mcltSec <= now) this.#enter('recover-done');
    if (!this.isStartup) for (const lease of this.leases.values()) this.#expire(lease);
    if (this.state === 'normal' && now % 60 === 0) this.#timedBalance();
    this.#pump();
  }

  #timedBalance(): void {
    this.balance();
    const all = [...this.leases.values()];
    const count = (state: string): number => all.filter((lease) => lease.state === state).length;
    const own = count(this.own);
    const theirs = count(this.own === 'free' ? 'backup' : 'free');
    const threshold = Math.round((own + theirs) * 0.15);
    if (Math.trunc((own - theirs) / 2) < (threshold === 0 ? -1 : -2 * threshold)) this.#send({ kind: 'poolreq' });
  }

  #expire(lease: Lease): void {
    if (lease.state === 'active' && lease.endsAt <= this.now && lease.endsAt !== INFINITE_AT) {
      if (this.state === 'normal' && !this.isPrimary) return;
      if (this.state !== 'normal' && lease.rewindTo !== undefined) {
        lease.state = lease.rewindTo;
        lease.rewindTo = undefined;
        lease.isUnacked = true;
        return;
      }
      lease.state = 'expired';
      this.#changed(lease);
    }
    const isGone = lease.state === 'expired' || lease.state === 'released' || lease.state === 'reset';
    if (this.state === PD && isGone && this.now >= Math.max(this.stateSinceAt + this.options.mcltSec, lease.endsAt)) {
      this.#free(lease);
      lease.isUnacked = true;
    }
  }

  #changed(lease: Lease): void {
    lease.isUnacked = true;
    lease.hasChanged = true;
    if (this.state === 'normal' && ![...this.#flights.values()].includes(lease)) this.#enqueue(lease);
  }

  /** A client gets or renews a lease here; undefined when dhcpd is silent or has nothing. */
  lease(
    client: Uint8Array,
    desired: number,
    now: number,
  ): { readonly address: Ip4; readonly endsAt: number } | undefined {
    this.now = now;
    const isServing = this.state === 'normal' || this.state === 'communications-interrupted' || this.state === PD;
    if (!isServing || this.isStartup || SILENT_FOR.has(this.partner)) return undefined;
    const held = [...this.leases.values()].find((l) => l.state === 'active' && sameBytes(l.hardware, client));
    const lease = held ?? this.#allocatable();
    if (lease === undefined) return undefined;
    if (held === undefined) {
      lease.rewindTo = this.own;
      lease.promisedAt = 0;
      lease.startsAt = now;
    }
    const reach = lease.promisedAt <= now ? this.options.mcltSec : lease.promisedAt - now + this.options.mcltSec;
    const granted = desired <= this.options.mcltSec ? desired : Math.min(desired, reach);
    Object.assign(lease, { state: 'active', hardware: client, clientId: undefined, endsAt: now + granted, cltt: now });
    lease.promisedAt = now + desired + Math.floor(granted / 2);
    if (this.state === 'normal') lease.rewindTo = undefined;
    this.#changed(lease);
    this.#pump();
    return lease;
  }

  #allocatable(): Lease | undefined {
    const all = [...this.leases.values()];
    const own = all.find((lease) => lease.state === this.own);
    if (own !== undefined || this.state !== PD) return own;
    const partners = this.own === 'free' ? 'backup' : 'free';
    return all.find(
      (lease) =>
        lease.state === partners && this.now >= Math.max(this.stateSinceAt, lease.promisedAt) + this.options.mcltSec,
    );
  }

  release(client: Uint8Array, now: number): boolean {
    this.now = now;
    const lease = [...this.leases.values()].find((l) => l.state === 'active' && sameBytes(l.hardware, client));
    if (lease === undefined || this.isStartup) return false;
    lease.state = 'released';
    lease.endsAt = now;
    this.#changed(lease);
    this.#pump();
    return true;
  }

  /** OMAPI: the partner is down; said in the middle of a handshake it would ruin two dhcpd, too. */
  partnerDown(): void {
    if (!this.#isUp && this.state === 'communications-interrupted') this.#enter(PD);
  }

  #send(body: Record<string, unknown> & { readonly kind: OutMessage['kind'] }, xid?: number): void {
    if (!this.#isUp) return;
    this.out.push({ ...body, xid: xid ?? this.#xid++ } as OutMessage);
  }
}
