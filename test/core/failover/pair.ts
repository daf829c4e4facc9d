/**
 * Two endpoints, two tables and a link in virtual time, for the tests of the engine. The shell here performs effects at once, in
 * order, and keeps what was saved: `crash` throws a server's memory away and starts it again from that.
 */
import type { AvailableState, Binding, BindingTable, PoolShape } from '../../../src/core/bindings/binding.ts';
import { makeEndpoint } from '../../../src/core/failover/endpoint.ts';
import type {
  Effect,
  Endpoint,
  EndpointCommand,
  EndpointConfig,
  EndpointInput,
  EndpointLimits,
  RelationshipRecord,
} from '../../../src/core/failover/endpoint-types.ts';
import { initialRecord } from '../../../src/core/failover/initial-record.ts';
import { limitsOf } from '../../../src/core/failover/limits.ts';
import { decodeMessage, encodeMessage } from '../../../src/wire/failover/codec.ts';
import type { FailoverMessage, ServerState, WireProfile } from '../../../src/wire/failover/messages.ts';
import {
  addSec,
  type EpochSec,
  INFINITE_AT,
  type Ip4,
  type MonoMs,
  NEVER_AT,
  type Now,
  parseIp4,
  type Sec,
  sameBytes,
} from '../../../src/wire/units.ts';
import { makeFakeTable } from './fake-table.ts';

export const EPOCH = 1_800_000_000;
export const SCOPE = parseIp4('10.0.0.0')!;
export type Side = 'A' | 'B';
export const SIDES: readonly Side[] = ['A', 'B'];

export interface PairOptions {
  readonly mode?: 'LoadBalance' | 'HotStandby';
  readonly percentage?: number;
  readonly mcltSec?: number;
  readonly autoPartnerDownSec?: number;
  readonly poolSize?: number;
  /** The called server, which holds all data. A is the primary. */
  readonly called?: Side;
  /** HotStandby: the active one. */
  readonly active?: Side;
  readonly limits?: Partial<EndpointLimits>;
  readonly delayMs?: number;
  readonly makeTable?: () => BindingTable;
  readonly isHeld?: (address: Ip4) => boolean;
  /** Seconds that B's clock is ahead. */
  readonly skewSec?: number;
  /** Both speak it, through the codec. */
  readonly profile?: WireProfile;
}

export function poolOf(size: number, scopeId: Ip4 = SCOPE): PoolShape {
  return {
    scopeId,
    prefixLength: 16,
    firstAddress: (scopeId + 10) as Ip4,
    lastAddress: (scopeId + 9 + size) as Ip4,
    exclusions: [],
    reserved: [],
  };
}

export interface Server {
  readonly side: Side;
  config: EndpointConfig;
  table: BindingTable;
  endpoint: Endpoint;
  saved: Map<Ip4, Binding>;
  savedRecord: RelationshipRecord | undefined;
  storeId: Uint8Array;
  sequence: number;
  isUp: boolean;
  skewSec: number;
  initialOwner: AvailableState;
  readonly events: { code: string; slots: Readonly<Record<string, string | number>> }[];
}

interface InFlight {
  readonly to: Side;
  readonly connection: number;
  readonly atMs: number;
  readonly message: FailoverMessage | undefined;
}

export class Pair {
  nowMs = 1_000_000;
  readonly servers: Record<Side, Server>;
  readonly options: PairOptions;
  isCut = false;
  /** Cut without telling anybody: bytes vanish. */
  isSilent = false;
  /** BNDACKs vanish, everything else passes. */
  dropAcks = false;
  /** The server dies after so many more effects. */
  crashIn: { side: Side; effects: number } | undefined;
  readonly log: string[] = [];
  readonly pools: PoolShape[];
  #wire: InFlight[] = [];
  #connection = 0;
  #isConnected = false;
  /** Sees every message as it leaves. */
  onSend: (from: Side, message: FailoverMessage) => void = () => {};
  onEffects: (side: Side, effects: readonly Effect[]) => void = () => {};

  constructor(options: PairOptions = {}) {
    this.options = options;
    this.pools = [poolOf(options.poolSize ?? 20)];
    const called = options.called ?? 'A';
    this.servers = { A: this.#makeServer('A', called), B: this.#makeServer('B', called) };
  }

  #config(side: Side): EndpointConfig {
    const { options } = this;
    return {
      name: 'pair',
      id: 'id-1',
      role: side === 'A' ? 'primary' : 'secondary',
      mode: options.mode ?? 'LoadBalance',
      isActive: (options.active ?? 'A') === side,
      percentage: options.percentage ?? 50,
      mcltSec: (options.mcltSec ?? 60) as Sec,
      autoPartnerDownSec: options.autoPartnerDownSec as Sec | undefined,
      profile: this.#profile,
      scopeIds: this.pools.map((pool) => pool.scopeId),
      loadBalanceMaxSec: 3 as Sec,
    };
  }

  get #profile(): WireProfile {
    return this.options.profile ?? 'twinlease';
  }

  get limits(): EndpointLimits {
    return { ...limitsOf(this.#profile), ...this.options.limits };
  }

  #makeServer(side: Side, called: Side): Server {
    const config = this.#config(side);
    const initialOwner: AvailableState = side === called && side === 'B' ? 'backup' : 'free';
    const server = {
      side,
      config,
      saved: new Map<Ip4, Binding>(),
      savedRecord: undefined as RelationshipRecord | undefined,
      storeId: new Uint8Array(16).fill(side === 'A' ? 1 : 2),
      sequence: 1,
      isUp: false,
      skewSec: side === 'B' ? (this.options.skewSec ?? 0) : 0,
      initialOwner,
      events: [],
    } as unknown as Server;
    server.savedRecord = initialRecord(config, this.nowOf(server), {
      holdsAllData: side === called,
      wantsAll: side !== called,
    });
    this.#boot(server, false);
    return server;
  }

  #boot(server: Server, isLostStore: boolean): void {
    server.table = this.options.makeTable?.() ?? makeFakeTable();
    for (const pool of this.pools) server.table.setPool(pool, server.initialOwner);
    for (const binding of server.saved.values()) server.table.change(binding);
    const store = { storeId: server.storeId, sequence: () => server.sequence, isLostStore };
    server.endpoint = makeEndpoint(
      server.config,
      server.savedRecord,
      server.table,
      this.limits,
      store,
      this.options.isHeld,
    );
  }

  nowOf(server: Server): Now {
    return {
      monoMs: this.nowMs as MonoMs,
      wallAt: (EPOCH + Math.floor(this.nowMs / 1000) + server.skewSec) as EpochSec,
    };
  }

  now(side: Side): Now {
    return this.nowOf(this.servers[side]);
  }

  start(...sides: Side[]): this {
    for (const side of sides.length === 0 ? SIDES : sides) {
      this.servers[side].isUp = true;
      this.step(side, { kind: 'start' });
    }
    return this;
  }

  step(side: Side, input: EndpointInput): void {
    const server = this.servers[side];
    if (!server.isUp) return;
    const effects = server.endpoint.step(this.nowOf(server), input);
    this.onEffects(side, effects);
    for (const effect of effects) {
      this.#perform(server, effect);
      // A crash between any two writes and messages (I6).
      if (this.crashIn !== undefined && this.crashIn.side === side && --this.crashIn.effects <= 0) {
        this.crashIn = undefined;
        this.kill(side);
        return;
      }
    }
  }

  /** Whether the process lives; a planned crash may have come in the middle of a step. */
  isUp(side: Side): boolean {
    return this.servers[side].isUp;
  }

  #perform(server: Server, effect: Effect): void {
    switch (effect.kind) {
      case 'save-binding':
        server.sequence++;
        server.saved.set(effect.address, server.table.find(effect.address)!);
        return;
      case 'save-relationship':
        server.sequence++;
        server.savedRecord = effect.record;
        return;
      case 'send':
      case 'send-now':
        this.#send(server, { ...effect.message, sentAt: this.nowOf(server).wallAt } as FailoverMessage);
        return;
      case 'dial':
        this.#wire.push({ to: server.side, connection: -1, atMs: this.nowMs + this.#delay(), message: undefined });
        return;
      case 'close':
        this.#disconnect(server.side);
        return;
      case 'event':
        server.events.push({ code: effect.code, slots: effect.slots });
        return;
      default:
        effect satisfies never;
    }
  }

  #delay(): number {
    return this.options.delayMs ?? 1;
  }

  #send(server: Server, made: FailoverMessage): void {
    const message = this.#profile === 'twinlease' ? made : this.#carried(made);
    this.onSend(server.side, message);
    this.log.push(`${server.side} -> ${describe(message)}`);
    if (!this.#isConnected || this.isSilent || (this.dropAcks && message.kind === 'bndack')) return;
    this.#wire.push({
      to: other(server.side),
      connection: this.#connection,
      atMs: this.nowMs + this.#delay(),
      message,
    });
  }

  /** What a dialect makes of a message. */
  #carried(message: FailoverMessage): FailoverMessage {
    const read = decodeMessage(encodeMessage(message, this.#profile), this.#profile);
    if (read.kind !== 'ok') throw new Error(`${message.kind} cannot be read back`);
    return read.value;
  }

  /** One side closes: what it sent arrives, then the end does. */
  #disconnect(by: Side): void {
    if (!this.#isConnected) return;
    this.#isConnected = false;
    if (this.isSilent) return;
    this.#wire.push({
      to: other(by),
      connection: this.#connection,
      atMs: this.nowMs + this.#delay(),
      message: undefined,
    });
  }

  #answerDial(side: Side): void {
    const a = this.servers[side];
    const b = this.servers[other(side)];
    // The first of two connections wins where both sides dial.
    if (this.#isConnected && this.#profile !== 'twinlease') return;
    if (this.isCut || this.isSilent || !a.isUp || !b.isUp) {
      this.step(side, { kind: 'dial-failed', why: 'no route' });
      return;
    }
    this.#connection++;
    this.#isConnected = true;
    this.#wire = this.#wire.filter((flight) => flight.connection === -1);
    this.step(other(side), { kind: 'connected', dialled: false });
    this.step(side, { kind: 'connected', dialled: true });
  }

  /** Runs messages and timers until `ms` have passed. */
  advance(ms: number): this {
    const endMs = this.nowMs + ms;
    for (;;) {
      const next = this.#nextEvent();
      if (next === undefined || next.atMs > endMs) break;
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.run();
    }
    this.nowMs = endMs;
    return this;
  }

  #nextEvent(): { atMs: number; run: () => void } | undefined {
    let best: { atMs: number; run: () => void } | undefined;
    const flight = this.#wire[0];
    if (flight !== undefined) best = { atMs: flight.atMs, run: () => this.#arrive() };
    for (const side of SIDES) {
      const server = this.servers[side];
      const deadline = server.isUp ? server.endpoint.deadlineMs : undefined;
      if (deadline !== undefined && (best === undefined || deadline < best.atMs))
        best = { atMs: deadline, run: () => this.step(side, { kind: 'timer' }) };
    }
    return best;
  }

  #arrive(): void {
    const flight = this.#wire.shift()!;
    if (flight.connection === -1) this.#answerDial(flight.to);
    else if (flight.connection !== this.#connection) return;
    else if (flight.message === undefined) this.step(flight.to, { kind: 'disconnected', why: 'closed' });
    else if (!this.isSilent) this.step(flight.to, { kind: 'message', message: flight.message });
  }

  cut(): this {
    this.isCut = true;
    if (this.#isConnected) {
      this.#isConnected = false;
      this.#connection++;
      this.#wire = this.#wire.filter((flight) => flight.connection === -1);
      for (const side of SIDES) this.step(side, { kind: 'disconnected', why: 'cut' });
    }
    return this;
  }

  heal(): this {
    this.isCut = false;
    this.isSilent = false;
    return this;
  }

  /** Bytes vanish in both directions and nobody is told. */
  vanish(): this {
    this.isSilent = true;
    return this;
  }

  kill(side: Side): this {
    this.servers[side].isUp = false;
    if (this.#isConnected) {
      this.#isConnected = false;
      this.#connection++;
      this.#wire = this.#wire.filter((flight) => flight.connection === -1);
      this.step(other(side), { kind: 'disconnected', why: 'closed' });
    }
    return this;
  }

  /** From what was saved; `lost` throws that away too. */
  revive(side: Side, lost = false): this {
    const server = this.servers[side];
    if (lost) {
      server.saved = new Map();
      server.savedRecord = undefined;
      server.initialOwner = 'free';
      server.storeId = server.storeId.map((octet) => octet + 64);
      server.sequence = 1;
    }
    this.#boot(server, lost);
    server.isUp = true;
    this.step(side, { kind: 'start' });
    return this;
  }

  /** A copy of a store as it is now; `restore` puts it back in place of the present one. */
  copyStore(side: Side): { readonly toldSequence: number; restore(): void } {
    const server = this.servers[side];
    const copy = {
      saved: new Map([...server.saved].map(([k, v]) => [k, { ...v }])),
      record: server.savedRecord,
      sequence: server.sequence,
    };
    return {
      toldSequence: copy.record?.toldSequence ?? 0,
      restore() {
        server.saved = new Map([...copy.saved].map(([address, binding]) => [address, { ...binding }]));
        server.savedRecord = copy.record;
        server.sequence = copy.sequence;
      },
    };
  }

  command(side: Side, command: EndpointCommand): string {
    this.step(side, { kind: 'command', command });
    return this.servers[side].endpoint.commandResult.kind;
  }

  state(side: Side): ServerState {
    const server = this.servers[side];
    return server.endpoint.status(this.nowOf(server)).state;
  }

  states(): string {
    return SIDES.map((side) => `${side} ${this.servers[side].isUp ? this.state(side) : 'down'}`).join(', ');
  }

  find(side: Side, address: Ip4): Binding {
    return this.servers[side].table.find(address)!;
  }

  counts(side: Side, scopeId: Ip4 = SCOPE): string {
    const { free, backup, active, transitory } = this.servers[side].table.counts(scopeId);
    return `free ${free} backup ${backup} active ${active} transitory ${transitory}`;
  }

  /** A client asks a server for (or to renew) a lease, as serving would grant it; undefined when refused. */
  lease(side: Side, client: string, desired = 600, wanted?: Ip4): Binding | undefined {
    const server = this.servers[side];
    if (!server.isUp) return undefined;
    const now = this.nowOf(server);
    const { rights } = server.endpoint;
    const serves = rights.service(now, SCOPE).serves;
    if (serves === 'none') return undefined;
    const hardware = Uint8Array.from([1, ...new TextEncoder().encode(client)]);
    const own = server.table
      .findByHardware(hardware, SCOPE)
      .find((b) => b.state === 'active' && (wanted === undefined || b.address === wanted));
    // A client whose lease is over is neither RENEWING nor REBINDING.
    if (serves === 'renew' && (own === undefined || own.leaseEndAt < now.wallAt)) return undefined;
    const binding = own ?? (serves === 'all' ? this.#allocate(server, hardware, now) : undefined);
    if (binding === undefined) return undefined;
    // An undone end leaves the lease as it was; only a new client starts from zero.
    const isKnown = own !== undefined || binding.state === 'expired' || binding.state === 'released';
    const isSame = isKnown && sameBytes(binding.hardware, hardware);
    const granted = rights.grantSec(now, desired as Sec, isSame ? binding : undefined);
    if (!isSame) {
      binding.ownedAs = binding.state === 'backup' ? 'backup' : 'free';
      binding.told = false;
      binding.stateSinceAt = now.wallAt;
      for (const key of ['sentPotentialAt', 'ackedPotentialAt', 'recvPotentialAt', 'leaseEndAt'] as const)
        binding[key] = NEVER_AT;
    }
    binding.state = 'active';
    binding.hardware = hardware;
    binding.clientId = undefined;
    binding.leaseEndAt = addSec(now.wallAt, granted);
    binding.sentPotentialAt = rights.potentialEndAt(now, desired as Sec, granted, binding);
    binding.lastTransactionAt = now.wallAt;
    binding.grantedHere = true;
    binding.dirty = true;
    server.table.change(binding);
    server.saved.set(binding.address, { ...binding });
    server.sequence++;
    this.step(side, { kind: 'binding-changed', address: binding.address });
    return binding;
  }

  #allocate(server: Server, hardware: Uint8Array, now: Now): Binding | undefined {
    const { rights } = server.endpoint;
    const last = server.table.findByHardware(hardware, SCOPE)[0];
    if (
      last !== undefined &&
      (last.state === 'expired' || last.state === 'released') &&
      rights.mayRevive?.(now, last) === true
    ) {
      // Its own address again: nothing of the old lease's times counts against anybody else.
      return last;
    }
    for (const owner of [rights.own, rights.own === 'free' ? 'backup' : 'free'] as const) {
      const address = server.table.nextFree(SCOPE, owner, (a) => !rights.mayAllocate(now, server.table.find(a)!), 1000);
      if (address !== undefined) return server.table.find(address);
    }
    return undefined;
  }

  release(side: Side, address: Ip4): void {
    const server = this.servers[side];
    const binding = server.table.find(address)!;
    const now = this.nowOf(server);
    binding.state = 'released';
    binding.stateSinceAt = now.wallAt;
    binding.lastTransactionAt = now.wallAt;
    binding.dirty = true;
    server.table.change(binding);
    server.saved.set(address, { ...binding });
    this.step(side, { kind: 'binding-changed', address });
  }
}

export function other(side: Side): Side {
  return side === 'A' ? 'B' : 'A';
}

export function describe(message: FailoverMessage): string {
  switch (message.kind) {
    case 'bndupd':
      return `bndupd ${message.updates.map((u) => `${u.address - SCOPE}:${u.move ?? u.state}`).join(' ')}`;
    case 'bndack':
      return `bndack ${message.answers.map((a) => `${a.address - SCOPE}${a.rejectReason === undefined ? '' : `:${a.rejectReason}`}`).join(' ')}`;
    case 'state':
      return `state ${message.serverState}${message.serverFlags === 1 ? ' startup' : ''}`;
    case 'connectack':
      return message.rejectReason === undefined ? 'connectack' : `connectack ${message.rejectReason}`;
    case 'poolresp':
      return `poolresp ${message.addressesTransferred}`;
    case 'disconnect':
      return `disconnect ${message.rejectReason}`;
    default:
      return message.kind;
  }
}

/** What both tables must agree on (I16), as lines of differences. */
export function differences(pair: Pair): string[] {
  const found: string[] = [];
  for (const pool of pair.pools)
    for (let address = pool.firstAddress; address <= pool.lastAddress; address = (address + 1) as Ip4) {
      const [a, b] = [pair.find('A', address), pair.find('B', address)];
      const text = (x: Binding): string =>
        `${x.state}/${x.hardware?.join('.') ?? '-'}/${x.leaseEndAt === INFINITE_AT ? '-' : x.leaseEndAt}`;
      if (text(a) !== text(b)) found.push(`${address - pool.scopeId}: A ${text(a)} B ${text(b)}`);
      if (a.dirty || b.dirty) found.push(`${address - pool.scopeId}: dirty ${a.dirty} ${b.dirty}`);
    }
  return found;
}
