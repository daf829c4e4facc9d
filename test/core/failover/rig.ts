/**
 * One endpoint against a partner that a test speaks for, message by message, in any dialect and in virtual time. What the
 * endpoint sends is kept as values and, on demand, as the bytes that its dialect makes of them.
 */
import type { Binding, BindingTable } from '../../../src/core/bindings/binding.ts';
import { emptyBinding } from '../../../src/core/bindings/binding.ts';
import { initialRecord, limitsOf, makeEndpoint } from '../../../src/core/failover/endpoint.ts';
import type {
  Effect,
  Endpoint,
  EndpointCommand,
  EndpointConfig,
  EndpointInput,
  EndpointLimits,
  RelationshipRecord,
} from '../../../src/core/failover/endpoint-types.ts';
import { encodeMessage } from '../../../src/wire/failover/codec.ts';
import {
  type BindingUpdate,
  type FailoverMessage,
  FLAG_STARTUP,
  type MessageKind,
  type OutMessage,
  type RejectReason,
  type ServerState,
  type WireProfile,
} from '../../../src/wire/failover/messages.ts';
import { listOptions } from '../../../src/wire/failover/options.ts';
import type { EpochSec, Ip4, MonoMs, Now, Sec } from '../../../src/wire/units.ts';
import type { ServerSide } from '../../clauses/parties.ts';
import { makeFakeTable } from './fake-table.ts';
import { poolOf, SCOPE } from './pair.ts';

export const WALL = 1_800_000_000;
export const MCLT = 60;
/** Addresses of the pool, as numbers from the scope's own. */
export const FIRST = 10;
export const CLIENT = Uint8Array.of(1, 2, 2, 2, 2, 2, 2);
export const OTHER_CLIENT = Uint8Array.of(1, 3, 3, 3, 3, 3, 3);
const RUNAWAY_STEPS_MAX = 100_000;

export interface RigOptions {
  readonly role?: ServerSide;
  readonly profile?: WireProfile;
  readonly config?: Partial<EndpointConfig>;
  readonly limits?: Partial<EndpointLimits>;
  /** Changes to a kept record in NORMAL; `none` when nothing was kept. */
  readonly record?: Partial<RelationshipRecord> | 'none';
  readonly isLostStore?: boolean;
  readonly poolSize?: number;
  readonly bindings?: readonly Partial<Binding>[];
  /** Whose the available addresses are at first. */
  readonly owner?: 'free' | 'backup';
  readonly reserved?: readonly number[];
}

export const address = (offset: number): Ip4 => (SCOPE + offset) as Ip4;

export class Rig {
  readonly role: ServerSide;
  readonly profile: WireProfile;
  readonly config: EndpointConfig;
  readonly limits: EndpointLimits;
  readonly table: BindingTable;
  readonly endpoint: Endpoint;
  nowMs = 0;
  /** Seconds that the partner's clock is ahead. */
  partnerSkewSec = 0;
  sequence = 500;
  readonly sent: OutMessage[] = [];
  readonly effects: Effect[] = [];
  /** Bindings as they were ordered to be saved. */
  readonly saved = new Map<Ip4, Binding>();
  #xid = 1000;
  #asked = 0;
  /** BNDUPDs of this connection that have no answer yet. */
  #unanswered: Extract<OutMessage, { kind: 'bndupd' }>[] = [];

  constructor(options: RigOptions = {}) {
    this.role = options.role ?? 'primary';
    this.profile = options.profile ?? 'twinlease';
    this.config = {
      name: 'pair',
      id: 'id-1',
      role: this.role,
      mode: 'LoadBalance',
      isActive: true,
      percentage: 50,
      mcltSec: MCLT as Sec,
      autoPartnerDownSec: undefined,
      profile: this.profile,
      scopeIds: [SCOPE],
      loadBalanceMaxSec: 3 as Sec,
      ...options.config,
    };
    this.limits = { ...limitsOf(this.profile), ...options.limits };
    this.table = makeFakeTable();
    const reserved = (options.reserved ?? []).map(address);
    this.table.setPool({ ...poolOf(options.poolSize ?? 8), reserved }, options.owner ?? 'free');
    for (const change of options.bindings ?? []) this.put(change);
    const base = initialRecord(this.config, this.now, { holdsAllData: false, wantsAll: false });
    const record: RelationshipRecord | undefined =
      options.record === 'none'
        ? undefined
        : { ...base, state: 'normal', stateSinceAt: (WALL - 1000) as EpochSec, ...options.record };
    const store = {
      storeId: new Uint8Array(16).fill(7),
      sequence: () => this.sequence,
      isLostStore: options.isLostStore ?? false,
    };
    this.endpoint = makeEndpoint(this.config, record, this.table, this.limits, store);
  }

  get now(): Now {
    return { monoMs: this.nowMs as MonoMs, wallAt: this.wallAt };
  }

  get wallAt(): EpochSec {
    return (WALL + Math.floor(this.nowMs / 1000)) as EpochSec;
  }

  get state(): ServerState {
    return this.endpoint.status(this.now).state;
  }

  put(change: Partial<Binding>): Binding {
    const at = change.address ?? address(FIRST);
    const binding = { ...emptyBinding(at, 'free'), ...change, address: at };
    this.table.change(binding);
    return binding;
  }

  find(offset = FIRST): Binding {
    const found = this.table.find(address(offset));
    if (found === undefined) throw new Error(`no address ${offset}`);
    return found;
  }

  step(input: EndpointInput): readonly Effect[] {
    if (input.kind === 'disconnected') this.#unanswered = [];
    const effects = this.endpoint.step(this.now, input);
    for (const effect of effects) {
      this.effects.push(effect);
      if (effect.kind === 'send' || effect.kind === 'send-now') {
        this.sent.push(effect.message);
        if (effect.message.kind === 'bndupd') this.#unanswered.push(effect.message);
        if (effect.message.kind === 'updreq' || effect.message.kind === 'updreqall') this.#asked = effect.message.xid;
      }
      if (effect.kind === 'close') this.#unanswered = [];
      if (effect.kind === 'save-binding') this.saved.set(effect.address, { ...this.table.find(effect.address)! });
    }
    return effects;
  }

  start(): this {
    this.step({ kind: 'start' });
    return this;
  }

  command(command: EndpointCommand): string {
    this.step({ kind: 'command', command });
    return this.endpoint.commandResult.kind;
  }

  /** What a message led to; it is stamped with the partner's clock and a new xid unless it says otherwise. */
  hear(message: { readonly kind: MessageKind } & Record<string, unknown>): readonly Effect[] {
    const sentAt = (this.wallAt + this.partnerSkewSec) as EpochSec;
    return this.step({ kind: 'message', message: { sentAt, xid: this.#xid++, ...message } as FailoverMessage });
  }

  /** Passes the time up to `sec` later, with every timer on its way. */
  wait(sec: number): this {
    const endMs = this.nowMs + sec * 1000;
    for (let steps = 0; ; steps++) {
      if (steps > RUNAWAY_STEPS_MAX) throw new Error('a timer is always due');
      const deadline = this.endpoint.deadlineMs;
      if (deadline === undefined || deadline > endMs) break;
      this.nowMs = Math.max(this.nowMs, deadline);
      this.step({ kind: 'timer' });
    }
    this.nowMs = endMs;
    return this;
  }

  /** As `wait`, with a partner that gives a sign of life every second. */
  waitInContact(sec: number): this {
    for (let i = 0; i < sec; i++) {
      this.wait(1);
      this.hear({ kind: 'contact' });
    }
    return this;
  }

  /** TCP and CONNECT/CONNECTACK with a partner that agrees to everything. */
  link(change: Record<string, unknown> = {}): this {
    this.step({ kind: 'connected', dialled: this.role === 'primary' });
    const common = {
      relationshipName: 'pair',
      maxUnacked: 10,
      receiveTimerSec: 60,
      vendorClass: this.profile === 'isc' ? 'isc-4.4.3-P1' : 'partner',
      protocolVersion: 1,
    };
    if (this.role === 'primary') {
      this.hear({ kind: 'connectack', ...common, xid: this.last('connect')?.xid ?? 0, ...change });
    } else {
      this.hear({ kind: 'connect', ...common, mcltSec: MCLT, hashBuckets: new Uint8Array(32).fill(0x0f), ...change });
    }
    return this;
  }

  says(serverState: ServerState | undefined, flags = 0, sinceAt: number = this.wallAt): readonly Effect[] {
    return this.hear({ kind: 'state', serverState, serverFlags: flags, stateSinceAt: sinceAt });
  }

  /** Brings it into a state with the partner in contact; for states that need no contact it was alone before. */
  into(mine: Exclude<ServerState, 'startup' | 'paused' | 'shutdown'>): this {
    this.start();
    if (mine === 'normal') {
      this.link().says('communications-interrupted', 0, WALL - 100);
      return this;
    }
    if (mine === 'potential-conflict') {
      this.link().says('partner-down', 0, WALL - 100);
      return this;
    }
    this.wait(Math.max(this.limits.startupWaitSec, this.limits.startupWaitLongSec));
    return this.link();
  }

  startupFlag(state: ServerState): readonly Effect[] {
    return this.says(state, FLAG_STARTUP);
  }

  /** The xid of our newest request for updates. */
  get asked(): number {
    return this.#asked;
  }

  /** An update of the partner; what it was answered with, `accept` or the reason. */
  told(
    update: Partial<BindingUpdate> & Pick<BindingUpdate, 'state'>,
    sentAt?: number,
  ): RejectReason | 'accept' | 'none' {
    const whole = { address: address(FIRST), ...update };
    const effects = this.hear({ kind: 'bndupd', updates: [whole], ...(sentAt === undefined ? {} : { sentAt }) });
    const answer = sentOf(effects).find((message) => message.kind === 'bndack');
    if (answer?.kind !== 'bndack') return 'none';
    return answer.answers[0]?.rejectReason ?? 'accept';
  }

  /** Serving or an operator changed a binding. */
  change(change: Partial<Binding>): readonly Effect[] {
    const at = change.address ?? address(FIRST);
    this.table.change({ ...this.table.find(at)!, dirty: true, ...change });
    return this.step({ kind: 'binding-changed', address: at });
  }

  /** A lease of a client as serving writes it, told to the engine. */
  lease(offset: number, hardware: Uint8Array, grantedSec: number, desiredSec = 600): readonly Effect[] {
    const before = this.find(offset);
    return this.change({
      ...before,
      state: 'active',
      ownedAs: before.state === 'backup' ? 'backup' : 'free',
      hardware,
      leaseEndAt: (this.wallAt + grantedSec) as EpochSec,
      sentPotentialAt: (this.wallAt + desiredSec + grantedSec / 2) as EpochSec,
      lastTransactionAt: this.wallAt,
      stateSinceAt: this.wallAt,
      grantedHere: true,
      dirty: true,
    });
  }

  /** Answers the newest BNDUPD that has no answer yet. */
  answer(rejectReason?: RejectReason): readonly Effect[] {
    const update = this.#unanswered.pop();
    if (update === undefined) throw new Error('nothing to answer');
    return this.#answer(update, rejectReason);
  }

  /** Answers all of them, in order, and what comes of that. */
  answerAll(rejectReason?: RejectReason): this {
    for (let steps = 0; ; steps++) {
      if (steps > RUNAWAY_STEPS_MAX) throw new Error('updates without end');
      const update = this.#unanswered.shift();
      if (update === undefined) return this;
      this.#answer(update, rejectReason);
    }
  }

  get unanswered(): readonly BindingUpdate[] {
    return this.#unanswered.flatMap((message) => message.updates);
  }

  #answer(update: Extract<OutMessage, { kind: 'bndupd' }>, rejectReason: RejectReason | undefined): readonly Effect[] {
    const answers = update.updates.map((one) => ({ address: one.address, rejectReason }));
    return this.hear({ kind: 'bndack', xid: update.xid, answers });
  }

  last<K extends MessageKind>(kind: K): Extract<OutMessage, { kind: K }> | undefined {
    return this.all(kind).at(-1);
  }

  all<K extends MessageKind>(kind: K): Extract<OutMessage, { kind: K }>[] {
    return this.sent.filter((message): message is Extract<OutMessage, { kind: K }> => message.kind === kind);
  }

  /** Forgets what was sent until now. */
  quiet(): this {
    this.sent.length = 0;
    this.effects.length = 0;
    return this;
  }
}

export function sentOf(effects: readonly Effect[]): OutMessage[] {
  return effects.flatMap((effect) => (effect.kind === 'send' || effect.kind === 'send-now' ? [effect.message] : []));
}

export function kindsOf(effects: readonly Effect[]): MessageKind[] {
  return sentOf(effects).map((message) => message.kind);
}

export function isClosed(effects: readonly Effect[]): boolean {
  return effects.some((effect) => effect.kind === 'close');
}

export function eventsOf(effects: readonly Effect[]): string[] {
  return effects.flatMap((effect) => (effect.kind === 'event' ? [effect.code] : []));
}

/** Codes of the options as they lie in the message on the wire. */
export function optionCodes(message: OutMessage, profile: WireProfile): number[] {
  const frame = encodeMessage({ ...message, sentAt: WALL as EpochSec } as FailoverMessage, profile);
  const listed = listOptions(frame, 12);
  if (listed.kind === 'bad') throw new Error(listed.why);
  return listed.value.map((option) => option.code);
}
