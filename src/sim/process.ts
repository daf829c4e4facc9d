/**
 * One life of a server: the production core over simulated ports, driven as `server/server.ts` drives it (decide, commit,
 * send). It ends with `kill`; the next life begins with what the disk kept.
 */

import type { BindingTable } from '../core/bindings/binding.ts';
import { makeBindingTable } from '../core/bindings/table.ts';
import type { Config } from '../core/config/model.ts';
import { poolShapeOf } from '../core/config/pool-shape.ts';
import type { EndpointStatus, RelationshipRecord } from '../core/failover/endpoint-types.ts';
import { DEFAULT_LIMITS } from '../core/failover/limits.ts';
import { giveSpan } from '../core/pipeline/pool-changes.ts';
import { decodeRecord, encodeRecord } from '../core/pipeline/record-codec.ts';
import type { LogRecord } from '../core/pipeline/records.ts';
import { type CorePorts, type Entering, type PacketReport, ServerCore } from '../core/pipeline/server-core.ts';
import type { Ingress, ReplyPlan } from '../core/serving/serving-types.ts';
import type { FailoverMessage, OutMessage, ServerState } from '../wire/failover/messages.ts';
import { assert, type Ip4, type MonoMs, type Now, sameBytes } from '../wire/units.ts';
import type { Cable, Socket } from './cable.ts';
import type { Disk } from './disk.ts';
import { LinkEnd } from './link-end.ts';
import type { Schedule } from './schedule.ts';
import type { Side } from './sides.ts';

export const RELATIONSHIP = 'pair';
/** The event loop is never left without looking at the core's deadline for longer. */
const TIMER_MS_MAX = 1000;
/** Replies and records that may wait for the disk; then packets are shed. */
const WAITING_REPLIES_MAX = 256;
const WAITING_RECORDS_MAX = 4096;
const NO_DIGEST = new Uint8Array(32);

/** What a process tells its observers; calls must not act on it, except that `left` may end it. */
export interface ProcessWatch {
  deciding(process: ServerProcess, packet: Uint8Array): void;
  decided(process: ServerProcess, report: PacketReport): void;
  /** A reply was decided, to leave after the sequence. */
  promised(process: ServerProcess, reply: ReplyPlan, afterSequence: number): void;
  replyLeaving(process: ServerProcess, reply: ReplyPlan): void;
  /** The core gave a message to the link. */
  queued(process: ServerProcess, message: OutMessage, afterSequence: number): void;
  messageLeaving(process: ServerProcess, message: OutMessage): void;
  /** Something left for a client or the partner. */
  left(process: ServerProcess, what: string): void;
  messageArrived(process: ServerProcess, message: FailoverMessage): void;
  connection(process: ServerProcess, isUp: boolean, why: string): void;
  event(process: ServerProcess, code: string, slots: Readonly<Record<string, string | number>>): void;
  broken(process: ServerProcess, what: string): void;
}

export interface ProcessParts {
  readonly side: Side;
  readonly schedule: Schedule;
  readonly disk: Disk;
  readonly cable: Cable;
  readonly watch: ProcessWatch;
  /** Sends a reply toward its client. */
  readonly toClient: (reply: ReplyPlan) => void;
  readonly now: () => Now;
  readonly serverAddress: Ip4;
  readonly configNumber: number;
  readonly config: Config;
  readonly isLostStore: boolean;
  readonly seed: number;
}

/** The newest record of an address: what it says, and when it is durable. */
export interface SavedBinding {
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

export class ServerProcess {
  readonly side: Side;
  readonly core: ServerCore;
  readonly table: BindingTable;
  readonly link: LinkEnd;
  readonly disk: Disk;
  readonly bornMs: number;
  readonly saved = new Map<Ip4, SavedBinding>();
  savedState: { readonly sequence: number; readonly record: RelationshipRecord } | undefined;
  isDead = false;
  clockTrusted = true;
  readonly #parts: ProcessParts;
  #waiting: { readonly sequence: number; readonly reply: ReplyPlan }[] = [];
  #timerAtMs = Number.POSITIVE_INFINITY;

  constructor(parts: ProcessParts) {
    this.#parts = parts;
    this.side = parts.side;
    this.disk = parts.disk;
    this.bornMs = parts.schedule.nowMs;
    this.table = makeBindingTable(parts.seed);
    for (const scope of parts.config.scopes) this.table.setPool(poolShapeOf(scope), 'free');
    const records = this.#replay();
    this.link = new LinkEnd(this.#linkEvents(), parts.disk.durableSequence);
    const isNew = parts.disk.isNew;
    this.core = new ServerCore(
      {
        ports: this.#ports(),
        bindings: this.table,
        identity: { relayServerAddress: parts.serverAddress },
        store: {
          storeId: parts.disk.storeId,
          sequence: () => parts.disk.durableSequence,
          isLostStore: parts.isLostStore,
        },
        limits: () => DEFAULT_LIMITS,
      },
      parts.config,
      records,
    );
    parts.disk.onDurable((sequence) => this.#release(sequence));
    if (isNew) this.#append(encodeRecord({ kind: 'configuration', number: parts.configNumber, sha256: NO_DIGEST }));
    this.input(() => this.core.start(parts.now()));
    this.input(() => this.core.unservedScopes(parts.now(), []));
  }

  get now(): Now {
    return this.#parts.now();
  }

  /** `undefined` while the server has no relationship. */
  status(): EndpointStatus | undefined {
    return this.core.endpoint(RELATIONSHIP)?.status(this.now);
  }

  state(): ServerState | 'standalone' {
    return this.status()?.state ?? 'standalone';
  }

  kill(): void {
    this.isDead = true;
    this.#waiting = [];
  }

  input<T>(run: () => T): T | undefined {
    if (this.isDead) return undefined;
    const result = run();
    this.#parts.disk.kick();
    this.#setTimer();
    return result;
  }

  packet(ingress: Ingress, bytes: Uint8Array): void {
    this.input(() => {
      this.#parts.watch.deciding(this, bytes);
      this.#parts.watch.decided(this, this.core.packet(this.now, ingress, bytes));
    });
  }

  reconfigure(number: number, config: Config, entering: Entering): void {
    this.input(() => {
      this.#append(encodeRecord({ kind: 'configuration', number, sha256: NO_DIGEST }));
      this.core.reconfigure(this.now, config, entering);
    });
  }

  accept(socket: Socket): void {
    this.link.accept(socket);
  }

  setClockTrusted(isTrusted: boolean): void {
    this.clockTrusted = isTrusted;
    this.input(() => this.core.setClockTrusted(isTrusted));
  }

  /** Whether clients get answers here, and which. */
  serves(scopeId: Ip4): 'all' | 'renew' | 'none' {
    return this.core.rightsOf(scopeId).service(this.now, scopeId).serves;
  }

  /** The table says exactly what was last appended for the address. */
  isSavedAsIs(address: Ip4): boolean {
    const saved = this.saved.get(address);
    const binding = this.table.find(address);
    return (
      saved !== undefined && binding !== undefined && sameBytes(encodeRecord({ kind: 'binding', binding }), saved.bytes)
    );
  }

  #replay(): Map<string, RelationshipRecord> {
    const records = new Map<string, RelationshipRecord>();
    this.disk.replay((bytes) => {
      const read = decodeRecord(bytes);
      assert(read.kind === 'ok', 'every record of the log can be read');
      this.#take(read.value, bytes, records);
    });
    return records;
  }

  #take(record: LogRecord, bytes: Uint8Array, records: Map<string, RelationshipRecord>): void {
    switch (record.kind) {
      case 'binding':
        if (this.table.scopeOf(record.binding.address) === undefined) return;
        this.table.change(record.binding);
        this.saved.set(record.binding.address, { sequence: 0, bytes });
        return;
      case 'relationship':
        records.set(record.record.name, record.record);
        this.savedState = { sequence: 0, record: record.record };
        return;
      case 'relationship-gone':
        records.delete(record.name);
        return;
      case 'scope-given':
        if (this.table.pools().some(({ scopeId }) => scopeId === record.scopeId))
          this.table.giveAll(record.scopeId, record.owner);
        return;
      case 'range-given':
        giveSpan(this.table, record, record.owner);
        return;
      case 'scope-gone':
      case 'configuration':
      case 'transaction':
      case 'heartbeat':
        return;
      default:
        record satisfies never;
    }
  }

  #append(bytes: Uint8Array): number {
    const sequence = this.disk.append(bytes);
    const read = decodeRecord(bytes);
    if (read.kind === 'bad') this.#parts.watch.broken(this, `a record that cannot be read: ${read.why}`);
    else if (read.value.kind === 'binding') this.saved.set(read.value.binding.address, { sequence, bytes });
    else if (read.value.kind === 'relationship') this.savedState = { sequence, record: read.value.record };
    else if (read.value.kind === 'scope-given') this.#noteGiven(read.value.scopeId, sequence);
    return sequence;
  }

  /** One record says of all available addresses of the scope whose they are. */
  #noteGiven(scopeId: Ip4, sequence: number): void {
    for (const address of this.saved.keys()) {
      const binding = this.table.scopeOf(address) === scopeId ? this.table.find(address) : undefined;
      if (binding?.state === 'free' || binding?.state === 'backup')
        this.saved.set(address, { sequence, bytes: encodeRecord({ kind: 'binding', binding }) });
    }
  }

  #ports(): CorePorts {
    const { watch, disk } = this.#parts;
    return {
      append: (record) => (this.isDead ? 0 : this.#append(record)),
      hasRoom: () => this.#waiting.length < WAITING_REPLIES_MAX && disk.waitingCount < WAITING_RECORDS_MAX,
      sendPacket: (reply, afterSequence) => {
        if (this.isDead) return;
        watch.promised(this, reply, afterSequence);
        if (afterSequence <= disk.durableSequence) this.#leave(reply);
        else this.#waiting.push({ sequence: afterSequence, reply });
      },
      sendLink: (_name, message, afterSequence) => {
        if (this.isDead) return;
        watch.queued(this, message, afterSequence);
        this.link.send(message, afterSequence);
      },
      dial: () => {
        if (!this.isDead) this.link.dial();
      },
      closeLink: () => {
        if (!this.isDead) this.link.close();
      },
      event: (code, slots) => {
        if (!this.isDead) watch.event(this, code, slots);
      },
    };
  }

  #leave(reply: ReplyPlan): void {
    this.#parts.watch.replyLeaving(this, reply);
    this.#parts.toClient(reply);
    this.#parts.watch.left(this, reply.messageType);
  }

  #release(sequence: number): void {
    if (this.isDead) return;
    while (this.#waiting.length > 0 && this.#waiting[0]!.sequence <= sequence)
      this.#leave(this.#waiting.shift()!.reply);
    if (!this.isDead) this.link.release(sequence);
  }

  #linkEvents(): ConstructorParameters<typeof LinkEnd>[0] {
    const { watch, cable, side } = this.#parts;
    return {
      now: this.#parts.now,
      isAlive: () => !this.isDead,
      dial: (answer) => cable.dial(side, answer),
      connected: (dialled) => {
        watch.connection(this, true, dialled ? 'dialled' : 'accepted');
        this.input(() => this.core.linkConnected(this.now, RELATIONSHIP, dialled));
      },
      failed: (why) => void this.input(() => this.core.linkFailed(this.now, RELATIONSHIP, why)),
      closed: (why) => {
        if (this.isDead) return;
        watch.connection(this, false, why);
        this.input(() => this.core.linkClosed(this.now, RELATIONSHIP, why));
      },
      message: (message) => {
        if (this.isDead) return;
        watch.messageArrived(this, message);
        this.input(() => this.core.linkMessage(this.now, RELATIONSHIP, message));
      },
      leaving: (message) => watch.messageLeaving(this, message),
      left: (message) => watch.left(this, message.kind),
      unreadable: (why) => watch.broken(this, `a message that cannot be read: ${why}`),
    };
  }

  #setTimer(): void {
    if (this.isDead) return;
    const { monoMs } = this.now;
    const deadlineMs = Math.min(this.core.deadlineMs(), monoMs + TIMER_MS_MAX) as MonoMs;
    const atMs = this.#parts.schedule.nowMs + Math.max(deadlineMs - monoMs, 0);
    if (this.#timerAtMs <= atMs && this.#timerAtMs >= this.#parts.schedule.nowMs) return;
    this.#timerAtMs = atMs;
    this.#parts.schedule.at(atMs, () => {
      if (this.#timerAtMs !== atMs || this.isDead) return;
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.input(() => this.core.timer(this.now));
    });
  }
}
