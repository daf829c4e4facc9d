/**
 * One life of a server: the production core over simulated ports, driven as `server/server.ts` drives it (decide, commit, send). It
 * ends with `kill`; the next life begins with what the disk kept. What belongs to one relationship is in `process.ts`.
 */
import type { Binding, BindingTable, SnapshotSource } from '../core/bindings/binding.ts';
import { makeBindingTable } from '../core/bindings/table.ts';
import type { Config } from '../core/config/model.ts';
import { poolShapeOf } from '../core/config/pool-shape.ts';
import type { RelationshipRecord } from '../core/failover/endpoint-types.ts';
import { DEFAULT_LIMITS } from '../core/failover/limits.ts';
import { giveSpan } from '../core/pipeline/pool-changes.ts';
import { bindingAddressIn, decodeRecord, encodeRecord } from '../core/pipeline/record-codec.ts';
import type { LogRecord } from '../core/pipeline/records.ts';
import { type CorePorts, type Entering, type PacketReport, ServerCore } from '../core/pipeline/server-core.ts';
import type { Ingress, ReplyPlan } from '../core/serving/serving-types.ts';
import type { OutMessage } from '../wire/failover/messages.ts';
import { assert, type Ip4, type MonoMs, type Now } from '../wire/units.ts';
import type { MachineClock } from './clock.ts';
import type { Disk, Snapshot } from './disk.ts';
import type { Schedule } from './schedule.ts';
import type { HostName } from './sides.ts';

/** The event loop is never left without looking at the core's deadline for longer. */
const TIMER_MS_MAX = 1000;
const TIMER_MS_MIN = 0.001;
const SECOND_MS = 1000;
/** Design, part 2: the wall clock is made durable at least this often. */
const HEARTBEAT_SEC = 10;
/** Replies and records that may wait for the disk; then packets are shed. */
const WAITING_REPLIES_MAX = 256;
const WAITING_RECORDS_MAX = 4096;
/** A snapshot is due after so many records; so a start is quick, and snapshots are often under way when something ends. */
const SNAPSHOT_RECORDS = 4000;
/** Between two pieces of a snapshot that is copied while the table changes. */
const COPY_PIECE_MS = 15;
const COPY_PIECES = 3;
const NO_DIGEST = new Uint8Array(32);
const FOREVER_MS = Number.POSITIVE_INFINITY;

/** A transaction record of a two-server change, as replayed. */
export interface KeptTransaction {
  readonly id: string;
  readonly state: 'prepared' | 'committed' | 'aborted';
  readonly body: Uint8Array;
}

/** The newest record of an address: what it says, and when it is durable. */
export interface SavedBinding {
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

/** What belongs to one relationship of the server, as its life uses it. */
export interface LifePart {
  readonly relationship: string;
  readonly link: { dial(): void; close(): void; release(sequence: number): void };
  holds(address: Ip4): boolean;
  born(record: RelationshipRecord | undefined): void;
  stateSaved(record: RelationshipRecord, sequence: number): void;
  bindingSaved(address: Ip4, bytes: Uint8Array, sequence: number): void;
  appended(record: LogRecord, sequence: number): void;
  deciding(bytes: Uint8Array): void;
  decided(report: PacketReport): void;
  promised(reply: ReplyPlan, afterSequence: number): void;
  leave(reply: ReplyPlan): void;
  send(message: OutMessage, afterSequence: number): void;
  event(code: string, slots: Readonly<Record<string, string | number>>): void;
  broken(what: string): void;
}

export interface LifeParts<Part extends LifePart> {
  readonly name: HostName;
  readonly schedule: Schedule;
  readonly disk: Disk;
  readonly clock: MachineClock;
  readonly serverAddress: Ip4;
  /** Newest revision first is tried; the one whose number the log names is taken. */
  readonly revisions: readonly Config[];
  readonly isLostStore: boolean;
  readonly seed: number;
  /** The parts of the relationships that this server can be in; each knows its scopes. */
  processes(life: Life<Part>): readonly Part[];
  /** The disk refused: the process must end. */
  readonly ends: (why: string) => void;
  /** Something happened that a crash may be planned for. */
  readonly step: (what: Step) => void;
}

/** Between what a process may end: a record in the open frame, a frame durable and nothing of it sent, an effect of a change. */
export type Step = 'append' | 'durable' | 'change';

export class Life<Part extends LifePart = LifePart> {
  readonly name: HostName;
  readonly core: ServerCore;
  readonly disk: Disk;
  readonly clock: MachineClock;
  readonly schedule: Schedule;
  readonly bornMs: number;
  readonly saved = new Map<Ip4, SavedBinding>();
  readonly transactions = new Map<string, KeptTransaction>();
  readonly processes: readonly Part[];
  readonly configNumber: number;
  isDead = false;
  clockTrusted = true;
  /** Of the newest record appended. */
  lastSequence = 0;
  readonly table: BindingTable & SnapshotSource;
  /** An operator's word that the clock cannot be trusted. */
  isClockDistrusted = false;
  /** Bindings are changed because their scope leaves the relationship. */
  isHolding = false;
  /** An operator takes back what is set aside. */
  isResetting = false;
  /** Called about once a second, for what else runs on the server. */
  onSecond: () => void = () => {};
  readonly #parts: LifeParts<Part>;
  readonly #byName = new Map<string, Part>();
  #waiting: { readonly sequence: number; readonly reply: ReplyPlan; readonly process: Part }[] = [];
  #timerAtMs = FOREVER_MS;
  #secondAtMs = 0;
  #heartbeatAt = 0;
  #isCopying = false;
  #configRecord: Uint8Array;
  /** Whose packet is being decided. */
  #asked: Part | undefined;

  constructor(parts: LifeParts<Part>) {
    const { disk, schedule } = parts;
    this.#parts = parts;
    this.name = parts.name;
    this.disk = disk;
    this.clock = parts.clock;
    this.schedule = schedule;
    this.bornMs = schedule.nowMs;
    this.clock.restart();
    const replayed = this.#replay(parts.revisions);
    this.table = replayed.table;
    this.configNumber = replayed.number;
    this.#configRecord = configRecord(replayed.number);
    this.processes = parts.processes(this);
    for (const process of this.processes) this.#byName.set(process.relationship, process);
    const config = parts.revisions[replayed.number - 1]!;
    this.core = new ServerCore(
      {
        ports: this.#ports(),
        bindings: this.table,
        identity: { relayServerAddress: parts.serverAddress },
        store: {
          storeId: disk.storeId,
          sequence: () => disk.durableSequence,
          isLostStore: parts.isLostStore,
        },
        limits: () => DEFAULT_LIMITS,
      },
      config,
      replayed.records,
    );
    for (const process of this.processes) process.born(replayed.records.get(process.relationship));
    disk.attach({
      durable: (sequence) => this.#durable(sequence),
      failed: () => parts.ends('its disk refuses to write'),
    });
    if (disk.isNew) this.#append(this.#configRecord);
    this.#secondAtMs = this.now.monoMs + SECOND_MS;
    this.input(() => this.core.start(this.now));
    this.input(() => this.core.unservedScopes(this.now, []));
  }

  get now(): Now {
    return this.clock.now();
  }

  kill(): void {
    this.isDead = true;
    this.#waiting = [];
  }

  input<T>(run: () => T): T | undefined {
    if (this.isDead) return undefined;
    const result = run();
    this.disk.kick();
    this.#setTimer();
    return result;
  }

  packet(process: Part, ingress: Ingress, bytes: Uint8Array): void {
    if (this.isDead) return;
    this.#asked = process;
    process.deciding(bytes);
    process.decided(this.core.packet(this.now, ingress, bytes));
    this.#asked = undefined;
    this.disk.kick();
    this.#setTimer();
  }

  /** `transactions` are durable in one commit with the revision. */
  reconfigure(number: number, config: Config, entering: Entering, transactions: readonly Uint8Array[] = []): void {
    this.input(() => {
      this.#configRecord = configRecord(number);
      this.#append(this.#configRecord);
      for (const record of transactions) this.#append(record);
      this.core.reconfigure(this.now, config, entering);
    });
  }

  /** Makes records of changes durable; answers the sequence to wait for. */
  saveTransactions(records: readonly Uint8Array[]): number {
    let sequence = 0;
    this.input(() => {
      for (const record of records) sequence = this.#append(record);
    });
    return sequence;
  }

  /** Bindings that stay with their clients when their scope leaves the relationship. */
  hold(bindings: readonly Binding[]): void {
    this.isHolding = true;
    this.input(() => this.core.changeBindings(this.now, bindings));
    this.isHolding = false;
  }

  /** What the removal of a lease does with an address that was declined (`manage/lease.ts`). */
  resetAside(bindings: readonly Binding[]): void {
    const stateSinceAt = this.now.wallAt;
    this.isResetting = true;
    this.input(() =>
      this.core.changeBindings(
        this.now,
        bindings.map((binding) => ({ ...binding, state: 'reset', stateSinceAt, dirty: true })),
      ),
    );
    this.isResetting = false;
  }

  setClockTrusted(isTrusted: boolean): void {
    if (this.clockTrusted === isTrusted) return;
    this.clockTrusted = isTrusted;
    this.input(() => this.core.setClockTrusted(isTrusted));
  }

  #replay(revisions: readonly Config[]): {
    number: number;
    table: BindingTable & SnapshotSource;
    records: Map<string, RelationshipRecord>;
  } {
    let number = revisions.length;
    for (;;) {
      const once = this.#replayWith(revisions[number - 1]!);
      // A revision whose record never became durable was never in force (`server/replay.ts`).
      if (once.number === undefined || once.number === number) return { ...once, number };
      number = once.number;
    }
  }

  #replayWith(config: Config): {
    number: number | undefined;
    table: BindingTable & SnapshotSource;
    records: Map<string, RelationshipRecord>;
  } {
    const table = makeBindingTable(this.#parts.seed);
    for (const scope of config.scopes) table.setPool(poolShapeOf(scope), 'free');
    const records = new Map<string, RelationshipRecord>();
    this.transactions.clear();
    let number: number | undefined;
    const addresses = new Set<Ip4>();
    const take = (bytes: Uint8Array): void => {
      const read = decodeRecord(bytes);
      assert(read.kind === 'ok', 'every record of the log can be read');
      if (read.value.kind === 'configuration') number = read.value.number;
      else takeRecord(table, records, this.transactions, read.value);
      if (read.value.kind === 'binding') addresses.add(read.value.binding.address);
    };
    const restore = (snapshot: Snapshot): void => {
      assert(table.restore(snapshot.sections).kind === 'ok', 'every snapshot can be read');
      for (const address of snapshot.addresses) addresses.add(address);
    };
    this.disk.replay(restore, take);
    this.saved.clear();
    for (const address of addresses) {
      const binding = table.find(address);
      if (binding !== undefined)
        this.saved.set(address, { sequence: 0, bytes: encodeRecord({ kind: 'binding', binding }) });
    }
    return { number, table, records };
  }

  /** A step that a crash may be planned for is done. */
  stepped(what: Step): void {
    this.#parts.step(what);
  }

  #append(bytes: Uint8Array): number {
    // It ended between two records of one frame: what follows must not reach the log of the next life.
    if (this.isDead) return this.lastSequence;
    const sequence = this.disk.append(bytes);
    this.lastSequence = sequence;
    const address = bindingAddressIn(bytes);
    if (address !== undefined) {
      const process = this.#processOfScope(address);
      process?.bindingSaved(address, bytes, sequence);
      this.saved.set(address, { sequence, bytes });
    } else this.#appendRare(bytes, sequence);
    this.#parts.step('append');
    return sequence;
  }

  #appendRare(bytes: Uint8Array, sequence: number): void {
    const read = decodeRecord(bytes);
    if (read.kind === 'bad') {
      for (const process of this.processes) process.broken(`a record that cannot be read: ${read.why}`);
      return;
    }
    const record = read.value;
    if (record.kind === 'relationship') this.#byName.get(record.record.name)?.stateSaved(record.record, sequence);
    else if (record.kind === 'scope-given') this.#noteGiven(record.scopeId, sequence);
    else if (record.kind === 'scope-gone') this.#noteGone(record.scopeId);
    else if (record.kind === 'transaction') noteTransaction(this.transactions, record);
    for (const process of this.processes) process.appended(record, sequence);
  }

  /** One record says of all available addresses of the scope whose they are. */
  #noteGiven(scopeId: Ip4, sequence: number): void {
    for (const address of this.saved.keys()) {
      const binding = this.table.scopeOf(address) === scopeId ? this.table.find(address) : undefined;
      if (binding?.state === 'free' || binding?.state === 'backup')
        this.saved.set(address, { sequence, bytes: encodeRecord({ kind: 'binding', binding }) });
    }
  }

  #noteGone(scopeId: Ip4): void {
    for (const address of this.saved.keys()) if ((address & 0xffff0000) >>> 0 === scopeId) this.saved.delete(address);
  }

  #processOfScope(address: Ip4): Part | undefined {
    return this.processes.find((process) => process.holds(address));
  }

  #ports(): CorePorts {
    const { disk } = this;
    return {
      append: (record) => (this.isDead ? 0 : this.#append(record)),
      hasRoom: () => this.#waiting.length < WAITING_REPLIES_MAX && disk.waitingCount < WAITING_RECORDS_MAX,
      sendPacket: (reply, afterSequence) => this.#send(reply, afterSequence),
      sendLink: (name, message, afterSequence) => {
        if (!this.isDead) this.#byName.get(name)?.send(message, afterSequence);
      },
      dial: (name) => {
        if (!this.isDead) this.#byName.get(name)?.link.dial();
      },
      closeLink: (name) => {
        if (!this.isDead) this.#byName.get(name)?.link.close();
      },
      event: (code, slots) => {
        if (this.isDead) return;
        const process = this.#byName.get(String(slots['name']));
        process?.event(code, slots);
      },
    };
  }

  #send(reply: ReplyPlan, afterSequence: number): void {
    const process = this.#asked;
    if (this.isDead || process === undefined) return;
    process.promised(reply, afterSequence);
    if (afterSequence <= this.disk.durableSequence) process.leave(reply);
    else this.#waiting.push({ sequence: afterSequence, reply, process });
  }

  #durable(sequence: number): void {
    this.#parts.step('durable');
    let due = 0;
    while (due < this.#waiting.length && this.#waiting[due]!.sequence <= sequence) due++;
    for (const { process, reply } of this.#waiting.splice(0, due)) {
      if (this.isDead) return;
      process.leave(reply);
    }
    for (const process of this.processes) if (!this.isDead) process.link.release(sequence);
  }

  #everySecond(): void {
    const { monoMs, wallAt } = this.now;
    this.#secondAtMs = monoMs + SECOND_MS;
    this.clock.follow();
    this.setClockTrusted(!this.clock.isDoubtful && !this.isClockDistrusted);
    if (this.clockTrusted && wallAt >= this.#heartbeatAt) {
      this.#heartbeatAt = wallAt + HEARTBEAT_SEC;
      this.#append(encodeRecord({ kind: 'heartbeat', wallAt }));
    }
    if (this.disk.recordsSince >= SNAPSHOT_RECORDS && !this.#isCopying) this.#snapshot();
    this.onSecond();
  }

  /** Copies the table in pieces while it changes; the three rules of design part 3 make the result whole. */
  #snapshot(): void {
    const { schedule, disk, table } = this;
    this.#isCopying = true;
    const sequence = disk.openSequence;
    const records = this.#stateRecords();
    const sections = table
      .beginCopy()
      .map(({ name, buffer }) => ({ name, from: new Uint8Array(buffer), bytes: new Uint8Array(buffer.byteLength) }));
    const snapshot: Snapshot = { sequence, sections, records, addresses: [...this.saved.keys()] };
    const copyPiece = (piece: number): void => {
      if (this.isDead) return;
      for (const { from, bytes } of sections) {
        const at = Math.floor((bytes.length * piece) / COPY_PIECES);
        bytes.set(from.subarray(at, Math.floor((bytes.length * (piece + 1)) / COPY_PIECES)), at);
      }
      if (piece + 1 < COPY_PIECES) schedule.after(COPY_PIECE_MS, () => copyPiece(piece + 1));
      else {
        table.endCopy();
        this.#installWhenDurable(snapshot, disk.openSequence);
      }
    };
    copyPiece(0);
  }

  #installWhenDurable(snapshot: Snapshot, lastSequence: number): void {
    if (this.isDead) return;
    if (this.disk.durableSequence < lastSequence && this.disk.waitingCount > 0) {
      this.schedule.after(COPY_PIECE_MS, () => this.#installWhenDurable(snapshot, lastSequence));
      return;
    }
    this.disk.install(snapshot);
    this.#isCopying = false;
  }

  #stateRecords(): Uint8Array[] {
    const transactions = [...this.transactions.values()].map((kept) => encodeRecord({ kind: 'transaction', ...kept }));
    const heartbeat = encodeRecord({ kind: 'heartbeat', wallAt: this.now.wallAt });
    return [this.#configRecord, ...this.core.stateRecords(), ...transactions, heartbeat];
  }

  #setTimer(): void {
    if (this.isDead) return;
    const { nowMs } = this.schedule;
    const { monoMs } = this.now;
    const deadlineMs = Math.min(this.core.deadlineMs(), this.#secondAtMs, monoMs + TIMER_MS_MAX) as MonoMs;
    const leftMs = deadlineMs - monoMs;
    // What is left may be less than the world's time can tell apart, which has run longer than the process.
    const atMs = leftMs <= 0 ? nowMs : nowMs + Math.max(leftMs, TIMER_MS_MIN);
    if (this.#timerAtMs <= atMs && this.#timerAtMs >= nowMs) return;
    this.#timerAtMs = atMs;
    this.schedule.at(atMs, () => {
      if (this.#timerAtMs !== atMs || this.isDead) return;
      this.#timerAtMs = FOREVER_MS;
      if (this.now.monoMs >= this.#secondAtMs) this.input(() => this.#everySecond());
      this.input(() => this.core.timer(this.now));
    });
  }
}

function configRecord(number: number): Uint8Array {
  return encodeRecord({ kind: 'configuration', number, sha256: NO_DIGEST });
}

function noteTransaction(
  transactions: Map<string, KeptTransaction>,
  { id, state, body }: Extract<LogRecord, { kind: 'transaction' }>,
): void {
  if (state === 'forgotten') transactions.delete(id);
  else transactions.set(id, { id, state, body });
}

/** What `server/replay.ts` does with a record. */
function takeRecord(
  table: BindingTable,
  records: Map<string, RelationshipRecord>,
  transactions: Map<string, KeptTransaction>,
  record: LogRecord,
): void {
  switch (record.kind) {
    case 'binding':
      if (table.scopeOf(record.binding.address) !== undefined) table.change(record.binding);
      return;
    case 'relationship':
      records.set(record.record.name, record.record);
      return;
    case 'relationship-gone':
      records.delete(record.name);
      return;
    case 'scope-gone': {
      const shape = table.pools().find((pool) => pool.scopeId === record.scopeId);
      if (shape === undefined) return;
      table.removePool(shape.scopeId);
      table.setPool(shape, 'free');
      return;
    }
    case 'scope-given':
      if (table.pools().some(({ scopeId }) => scopeId === record.scopeId)) table.giveAll(record.scopeId, record.owner);
      return;
    case 'range-given':
      giveSpan(table, record, record.owner);
      return;
    case 'transaction':
      noteTransaction(transactions, record);
      return;
    case 'configuration':
    case 'heartbeat':
      return;
    default:
      record satisfies never;
  }
}
