/**
 * The engine in the `isc` profile and the model of dhcpd as its partner, in virtual time. Messages pass through the codec, so what
 * dhcpd's dialect cannot carry is lost here too. The engine's store is what it ordered to be saved.
 */
import assert from 'node:assert/strict';
import type { Binding, BindingTable } from '../../../src/core/bindings/binding.ts';
import { FOREIGN_LIMITS, initialRecord, makeEndpoint } from '../../../src/core/failover/endpoint.ts';
import type {
  Effect,
  Endpoint,
  EndpointCommand,
  EndpointConfig,
  EndpointInput,
  RelationshipRecord,
} from '../../../src/core/failover/endpoint-types.ts';
import { decodeMessage, encodeMessage } from '../../../src/wire/failover/codec.ts';
import type { FailoverMessage, OutMessage } from '../../../src/wire/failover/messages.ts';
import type { EpochSec, Ip4, MonoMs, Now, Sec } from '../../../src/wire/units.ts';
import { type Asked, granted, released } from './client.ts';
import { Dhcpd } from './dhcpd-model.ts';
import { makeFakeTable } from './fake-table.ts';
import { describe, EPOCH, poolOf, SCOPE } from './pair.ts';

export interface IscLabOptions {
  /** Ours; dhcpd has the other. */
  readonly role: 'primary' | 'secondary';
  readonly poolSize?: number;
  readonly mcltSec?: number;
  readonly config?: Partial<EndpointConfig>;
  /** Whether the relationship was created over live leases of ours. */
  readonly holdsAllData?: boolean;
}

interface Promised {
  readonly client: string;
  readonly by: string;
  until: number;
}

export class IscLab {
  readonly options: IscLabOptions;
  readonly config: EndpointConfig;
  readonly dhcpd: Dhcpd;
  table: BindingTable = makeFakeTable();
  endpoint: Endpoint;
  record: RelationshipRecord;
  saved = new Map<Ip4, Binding>();
  nowMs = 0;
  isUp = false;
  isDhcpdUp = false;
  isCut = false;
  readonly log: string[] = [];
  readonly clashes: string[] = [];
  /** Everything that the engine sent. */
  readonly sent: FailoverMessage[] = [];
  readonly events: string[] = [];
  #isConnected = false;
  #wantsDial = false;
  #hasTold = false;
  #closedMs = -1;
  #toUs: OutMessage[] = [];
  #toDhcpd: OutMessage[] = [];
  readonly #held = new Map<Ip4, Promised>();

  constructor(options: IscLabOptions) {
    this.options = options;
    const mcltSec = (options.mcltSec ?? 60) as Sec;
    this.config = {
      name: 'pair',
      id: 'id-1',
      role: options.role,
      mode: 'LoadBalance',
      isActive: true,
      percentage: 50,
      mcltSec,
      autoPartnerDownSec: undefined,
      profile: 'isc',
      scopeIds: [SCOPE],
      loadBalanceMaxSec: 3 as Sec,
      ...options.config,
    };
    const pool = poolOf(options.poolSize ?? 8);
    this.dhcpd = new Dhcpd({
      role: options.role === 'primary' ? 'secondary' : 'primary',
      first: pool.firstAddress,
      last: pool.lastAddress,
      mcltSec,
    });
    const holdsAllData = options.holdsAllData ?? false;
    this.record = initialRecord(this.config, this.now, { holdsAllData, wantsAll: !holdsAllData });
    this.endpoint = this.#make(false);
  }

  get now(): Now {
    return { monoMs: this.nowMs as MonoMs, wallAt: (EPOCH + Math.floor(this.nowMs / 1000)) as EpochSec };
  }

  get states(): string {
    return `${this.isUp ? this.endpoint.state : 'down'} / ${this.isDhcpdUp ? `${this.dhcpd.state}${this.dhcpd.isStartup ? ' startup' : ''}` : 'down'}`;
  }

  #make(isLostStore: boolean): Endpoint {
    this.table = makeFakeTable();
    this.table.setPool(poolOf(this.options.poolSize ?? 8), 'free');
    for (const binding of this.saved.values()) this.table.change(binding);
    const store = { storeId: new Uint8Array(16), sequence: () => 1, isLostStore };
    return makeEndpoint(this.config, isLostStore ? undefined : this.record, this.table, FOREIGN_LIMITS, store);
  }

  start(which: 'us' | 'dhcpd' | 'both' = 'both'): this {
    if (which !== 'us' && !this.isDhcpdUp) {
      this.isDhcpdUp = true;
      this.dhcpd.start(this.now.wallAt);
    }
    if (which !== 'dhcpd' && !this.isUp) {
      this.isUp = true;
      this.step({ kind: 'start' });
    }
    return this;
  }

  kill(which: 'us' | 'dhcpd'): void {
    // A dead process takes no notice of the end of its connection.
    if (which === 'us') this.isUp = false;
    else {
      this.isDhcpdUp = false;
      this.dhcpd.crash();
    }
    this.#break();
  }

  revive(which: 'us' | 'dhcpd', isLost = false): void {
    if (which === 'dhcpd' && !this.isDhcpdUp) {
      if (isLost) this.dhcpd.lose();
      this.start('dhcpd');
    } else if (which === 'us' && !this.isUp) {
      if (isLost) this.saved = new Map();
      this.endpoint = this.#make(isLost);
      this.start('us');
    }
  }

  cut(): void {
    this.isCut = true;
    this.#break();
  }

  #break(): void {
    this.#toUs = [];
    this.#toDhcpd = [];
    if (!this.#isConnected) return;
    this.#isConnected = false;
    if (this.isDhcpdUp) this.dhcpd.disconnected();
    if (this.isUp) this.step({ kind: 'disconnected', why: 'cut' });
  }

  command(command: EndpointCommand): string {
    this.step({ kind: 'command', command });
    return this.endpoint.commandResult.kind;
  }

  step(input: EndpointInput): readonly Effect[] {
    const effects = this.endpoint.step(this.now, input);
    for (const effect of effects) {
      switch (effect.kind) {
        case 'save-binding':
          this.saved.set(effect.address, this.table.find(effect.address)!);
          break;
        case 'save-relationship':
          this.record = effect.record;
          break;
        case 'send':
        case 'send-now':
          this.#send(effect.message);
          break;
        case 'dial':
          this.#wantsDial = true;
          break;
        case 'close':
          this.#closeFromUs();
          break;
        case 'event':
          this.events.push(effect.code);
          break;
        default:
          effect satisfies never;
      }
    }
    return effects;
  }

  #send(message: OutMessage): void {
    const whole = { ...message, sentAt: this.now.wallAt } as FailoverMessage;
    const read = decodeMessage(encodeMessage(whole, 'isc'), 'isc');
    assert.ok(read.kind === 'ok', 'dhcpd can read what it is sent');
    this.sent.push(read.value);
    if (read.value.kind === 'state' && this.#isConnected) {
      if (!this.#hasTold && read.value.serverState === 'normal') this.dhcpd.ruin = 'NORMAL in the first STATE';
      this.#hasTold = true;
    }
    if (read.value.kind !== 'contact') this.log.push(`us -> ${describe(read.value)}`);
    if (this.#isConnected) this.#toDhcpd.push(read.value);
  }

  /** What was sent before arrives, then the end. */
  #closeFromUs(): void {
    if (!this.#isConnected) return;
    while (this.#toDhcpd.length > 0) this.#arriveAtDhcpd();
    this.#isConnected = false;
    this.#closedMs = this.nowMs;
    this.#toUs = [];
    this.dhcpd.out.length = 0;
    if (this.isDhcpdUp) this.dhcpd.disconnected();
  }

  #arriveAtDhcpd(): void {
    const message = this.#toDhcpd.shift();
    if (message === undefined) return;
    this.dhcpd.hear({ ...message, sentAt: this.now.wallAt } as FailoverMessage);
    this.#collect();
  }

  #collect(): void {
    for (const message of this.dhcpd.out.splice(0)) {
      const whole = { ...message, sentAt: this.now.wallAt } as FailoverMessage;
      const read = decodeMessage(encodeMessage(whole, 'isc'), 'isc');
      assert.ok(read.kind === 'ok');
      if (this.#isConnected) {
        this.log.push(`dhcpd -> ${describe(read.value)}`);
        this.#toUs.push(read.value);
      }
    }
  }

  #arriveAtUs(): void {
    const message = this.#toUs.shift();
    if (message === undefined) return;
    this.step({ kind: 'message', message: { ...message, sentAt: this.now.wallAt } as FailoverMessage });
  }

  /** A connection if there can be one, and some messages of each direction. */
  deliver(toDhcpd: number, toUs: number): void {
    this.#wantsDial ||= this.isUp && this.endpoint.status(this.now).isConnected === false;
    this.#connect();
    for (let i = 0; i < Math.max(toDhcpd, toUs); i++) {
      if (i < toDhcpd) this.#arriveAtDhcpd();
      if (i < toUs) this.#arriveAtUs();
    }
  }

  /** Everything that is on its way, and what it causes. */
  settle(): this {
    this.#connect();
    for (let turns = 0; this.#toUs.length + this.#toDhcpd.length > 0; turns++) {
      assert.ok(turns < 10_000, 'the conversation comes to an end');
      this.#arriveAtDhcpd();
      this.#arriveAtUs();
      this.#connect();
    }
    return this;
  }

  /** Either side dials; the connection is up when both can. */
  #connect(): void {
    if (this.#isConnected || !this.isUp || !this.isDhcpdUp || this.isCut) {
      if (this.#wantsDial && !this.#isConnected) {
        this.#wantsDial = false;
        this.step({ kind: 'dial-failed', why: 'no route' });
      }
      return;
    }
    const dialled = this.#wantsDial;
    // Not again in the second in which a connection was ended: it waits 5 s.
    const isDhcpdDialling = Math.floor(this.nowMs / 1000) % 5 === 0 && this.nowMs > this.#closedMs;
    if (!dialled && !isDhcpdDialling) return;
    this.#wantsDial = false;
    this.#isConnected = true;
    this.#hasTold = false;
    this.dhcpd.connected();
    this.#collect();
    this.step({ kind: 'connected', dialled });
  }

  advance(sec: number): this {
    for (let i = 0; i < sec; i++) {
      this.nowMs += 1000;
      if (this.isDhcpdUp) {
        this.dhcpd.tick(this.now.wallAt);
        this.#collect();
        // It says CONTACT by itself; that is not modelled, so the engine hears one.
        if (this.#isConnected) this.step({ kind: 'message', message: this.#contact() });
      }
      for (let turns = 0; turns < 200; turns++) {
        const deadline = this.isUp ? this.endpoint.deadlineMs : undefined;
        if (deadline === undefined || deadline > this.nowMs) break;
        this.step({ kind: 'timer' });
      }
      this.settle();
    }
    return this;
  }

  #contact(): FailoverMessage {
    return { kind: 'contact', sentAt: this.now.wallAt, xid: 0 };
  }

  /** A client asks one server for a lease, or to renew it; what it got is remembered as promised. */
  lease(at: 'us' | 'dhcpd', name: string, desired = 50): { address: Ip4; endsAt: number } | undefined {
    const hardware = hardwareOf(name);
    const got = at === 'us' ? this.#grant(hardware, desired) : this.#dhcpdGrant(hardware, desired);
    if (got === undefined) return undefined;
    this.#promise(got.address, name, at, got.endsAt);
    return got;
  }

  #dhcpdGrant(hardware: Uint8Array, desired: number): { address: Ip4; endsAt: number } | undefined {
    if (!this.isDhcpdUp) return undefined;
    const got = this.dhcpd.lease(hardware, desired, this.now.wallAt);
    this.#collect();
    return got;
  }

  #promise(address: Ip4, client: string, by: string, until: number): void {
    const before = this.#held.get(address);
    if (before !== undefined && before.client !== client && before.until > this.now.wallAt)
      this.clashes.push(
        `${address - SCOPE}: ${client} by ${by} while ${before.client} has it by ${before.by} for ${before.until - this.now.wallAt} s`,
      );
    for (const [other, held] of this.#held) if (held.client === client && other !== address) this.#held.delete(other);
    this.#held.set(address, { client, by, until });
  }

  release(at: 'us' | 'dhcpd', name: string): void {
    const hardware = hardwareOf(name);
    for (const held of this.#held.values()) if (held.client === name) held.until = 0;
    if (at === 'dhcpd') {
      if (this.isDhcpdUp) this.dhcpd.release(hardware, this.now.wallAt);
      this.#collect();
      return;
    }
    const binding = this.isUp ? released(this.#asked(hardware)) : undefined;
    if (binding !== undefined) this.#change(binding);
  }

  #asked(hardware: Uint8Array): Asked {
    return { rights: this.endpoint.rights, table: this.table, now: this.now, scopeId: SCOPE, hardware };
  }

  #change(binding: Binding): void {
    this.table.change(binding);
    this.saved.set(binding.address, { ...binding });
    this.step({ kind: 'binding-changed', address: binding.address });
  }

  #grant(hardware: Uint8Array, desired: number): { address: Ip4; endsAt: number } | undefined {
    const binding = this.isUp ? granted(this.#asked(hardware), desired) : undefined;
    if (binding === undefined) return undefined;
    this.#change(binding);
    return { address: binding.address, endsAt: binding.leaseEndAt };
  }

  /** Where the two databases do not agree on status and client. */
  differences(): string[] {
    const found: string[] = [];
    for (const lease of this.dhcpd.leases.values()) {
      const ours = this.table.find(lease.address)!;
      const text = (state: string, hardware: Uint8Array | undefined): string =>
        state === 'active' ? `${state} ${hardware}` : state;
      const [a, b] = [text(ours.state, ours.hardware), text(lease.state, lease.hardware)];
      if (a !== b) found.push(`${lease.address - SCOPE}: ours ${a}, dhcpd's ${b}`);
    }
    return found;
  }

  dhcpdCount(state: string): number {
    return [...this.dhcpd.leases.values()].filter((lease) => lease.state === state).length;
  }
}

export function hardwareOf(name: string): Uint8Array {
  return Uint8Array.from([1, ...new TextEncoder().encode(name)]);
}
