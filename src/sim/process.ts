/**
 * A server process as one relationship sees it: its side, its end of the link, and what the process keeps of the relationship. The
 * core, the table and the log it shares with the other relationships of the same server (`life.ts`).
 */
import type { Binding, BindingTable } from '../core/bindings/binding.ts';
import type { Relationship } from '../core/config/model.ts';
import type { EndpointStatus, RelationshipRecord } from '../core/failover/endpoint-types.ts';
import { BINDING_RECORD_BYTES_MAX, encodeBindingInto } from '../core/pipeline/record-codec.ts';
import type { LogRecord } from '../core/pipeline/records.ts';
import type { PacketReport, ServerCore } from '../core/pipeline/server-core.ts';
import type { ReplyPlan } from '../core/serving/serving-types.ts';
import type { FailoverMessage, OutMessage, ServerState } from '../wire/failover/messages.ts';
import type { Ip4, Now } from '../wire/units.ts';
import type { Cable, Socket } from './cable.ts';
import type { Disk } from './disk.ts';
import type { Life, LifePart, SavedBinding } from './life.ts';
import { LinkEnd } from './link-end.ts';
import { PAIRS, type Side } from './sides.ts';

/** Where a record is written to be compared. */
const RECORD = new Uint8Array(BINDING_RECORD_BYTES_MAX);
/** The first pair's, which every world has. */
export const RELATIONSHIP = PAIRS[0]!.name;

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
  /** The core has done everything that the message led to. */
  messageHandled(process: ServerProcess, message: FailoverMessage): void;
  connection(process: ServerProcess, isUp: boolean, why: string): void;
  event(process: ServerProcess, code: string, slots: Readonly<Record<string, string | number>>): void;
  broken(process: ServerProcess, what: string): void;
  /** A life begins: the log is replayed, the core is made and has done nothing yet. */
  born(process: ServerProcess): void;
  /** A binding's record was appended; `saved` still holds the one before it. */
  bindingSaved(process: ServerProcess, address: Ip4, bytes: Uint8Array, sequence: number): void;
  /** Another record was appended, as the codec reads it back. */
  appended(process: ServerProcess, record: LogRecord, sequence: number): void;
}

/** How a partner answers updates: as it should, not at all, or with refusals only. */
export type Answering = 'right' | 'none' | 'refusals';

export interface ProcessParts {
  readonly life: Life;
  readonly relationship: string;
  readonly side: Side;
  readonly cable: Cable;
  readonly watch: ProcessWatch;
  /** Sends a reply toward its client. */
  readonly toClient: (reply: ReplyPlan) => void;
  readonly answering: () => Answering;
  /** Whether a scope is one that the relationship has now or may have. */
  readonly holds: (address: Ip4) => boolean;
}

export class ServerProcess implements LifePart {
  readonly life: Life;
  readonly relationship: string;
  readonly side: Side;
  readonly link: LinkEnd;
  readonly watch: ProcessWatch;
  savedState: { readonly sequence: number; readonly record: RelationshipRecord } | undefined;
  readonly #parts: ProcessParts;

  constructor(parts: ProcessParts) {
    this.#parts = parts;
    this.life = parts.life;
    this.relationship = parts.relationship;
    this.side = parts.side;
    this.watch = parts.watch;
    this.link = new LinkEnd(this.#linkEvents(), parts.life.disk.durableSequence);
  }

  get core(): ServerCore {
    return this.life.core;
  }

  get table(): BindingTable {
    return this.life.table;
  }

  get disk(): Disk {
    return this.life.disk;
  }

  get saved(): ReadonlyMap<Ip4, SavedBinding> {
    return this.life.saved;
  }

  get bornMs(): number {
    return this.life.bornMs;
  }

  get isDead(): boolean {
    return this.life.isDead;
  }

  get clockTrusted(): boolean {
    return this.life.clockTrusted;
  }

  get now(): Now {
    return this.life.now;
  }

  /** `undefined` while the server has no such relationship. */
  status(): EndpointStatus | undefined {
    return this.core.endpoint(this.relationship)?.status(this.now);
  }

  state(): ServerState | 'standalone' {
    return this.core.endpoint(this.relationship)?.state ?? 'standalone';
  }

  isCommunicating(): boolean {
    return this.core.endpoint(this.relationship)?.isCommunicating ?? false;
  }

  /** The relationship in the configuration in force. */
  configured(): Relationship | undefined {
    return this.core.config.relationships.find(({ name }) => name === this.relationship);
  }

  input<T>(run: () => T): T | undefined {
    return this.life.input(run);
  }

  accept(socket: Socket): void {
    this.link.accept(socket);
  }

  holds(address: Ip4): boolean {
    return this.#parts.holds(address);
  }

  /** The address is in a scope that the relationship has now. */
  isShared(address: Ip4): boolean {
    const scopeId = this.table.scopeOf(address);
    return scopeId !== undefined && this.core.rightsOf(scopeId).relationshipName === this.relationship;
  }

  /** A half that was just made, and a scope that was just added, is silent here until it has fetched its leases. */
  hasFetched(address: Ip4): boolean {
    const record = this.savedState?.record;
    const scopeId = this.table.scopeOf(address);
    if (record === undefined || scopeId === undefined) return false;
    return (!record.wantsAll || record.holdsAllData) && !record.silentScopeIds.includes(scopeId);
  }

  /** Whether clients get answers here, and which. */
  serves(scopeId: Ip4): 'all' | 'renew' | 'none' {
    return this.core.rightsOf(scopeId).service(this.now, scopeId).serves;
  }

  /** The table says exactly what was last appended for the address. */
  isSavedAsIs(address: Ip4, binding: Binding | undefined = this.table.find(address)): boolean {
    const saved = this.saved.get(address);
    if (saved === undefined || binding === undefined) return false;
    if (encodeBindingInto(binding, RECORD, 0) !== saved.bytes.length) return false;
    for (let i = 0; i < saved.bytes.length; i++) if (saved.bytes[i] !== RECORD[i]) return false;
    return true;
  }

  /** The log is replayed, the core is made and has done nothing yet. */
  born(record: RelationshipRecord | undefined): void {
    this.savedState = record === undefined ? undefined : { sequence: 0, record };
    this.watch.born(this);
  }

  bindingSaved(address: Ip4, bytes: Uint8Array, sequence: number): void {
    this.watch.bindingSaved(this, address, bytes, sequence);
  }

  appended(record: LogRecord, sequence: number): void {
    this.watch.appended(this, record, sequence);
  }

  deciding(bytes: Uint8Array): void {
    this.watch.deciding(this, bytes);
  }

  decided(report: PacketReport): void {
    this.watch.decided(this, report);
  }

  promised(reply: ReplyPlan, afterSequence: number): void {
    this.watch.promised(this, reply, afterSequence);
  }

  event(code: string, slots: Readonly<Record<string, string | number>>): void {
    this.watch.event(this, code, slots);
  }

  broken(what: string): void {
    this.watch.broken(this, what);
  }

  stateSaved(record: RelationshipRecord, sequence: number): void {
    this.savedState = { sequence, record };
  }

  send(message: OutMessage, afterSequence: number): void {
    this.watch.queued(this, message, afterSequence);
    this.link.send(message, afterSequence);
  }

  leave(reply: ReplyPlan): void {
    this.watch.replyLeaving(this, reply);
    this.#parts.toClient(reply);
    this.watch.left(this, reply.messageType);
  }

  /** A partner that is not as it should be: its core never sees the update. */
  #isLeftAlone(message: FailoverMessage): boolean {
    const how = this.#parts.answering();
    if (message.kind !== 'bndupd' || how === 'right') return false;
    if (how === 'refusals') {
      const answers = message.updates.map(({ address }) => ({ address, rejectReason: 'fatal-conflict' as const }));
      this.link.answer({ kind: 'bndack', xid: message.xid, answers });
    }
    return true;
  }

  #linkEvents(): ConstructorParameters<typeof LinkEnd>[0] {
    const { watch, cable, side, life, relationship } = this.#parts;
    return {
      now: () => life.now,
      isAlive: () => !life.isDead,
      dial: (answer) => cable.dial(side, answer),
      connected: (dialled) => {
        watch.connection(this, true, dialled ? 'dialled' : 'accepted');
        this.input(() => this.core.linkConnected(this.now, relationship, dialled));
      },
      failed: (why) => void this.input(() => this.core.linkFailed(this.now, relationship, why)),
      closed: (why) => {
        if (life.isDead) return;
        watch.connection(this, false, why);
        this.input(() => this.core.linkClosed(this.now, relationship, why));
      },
      message: (message) => {
        if (life.isDead || this.#isLeftAlone(message)) return;
        watch.messageArrived(this, message);
        this.input(() => this.core.linkMessage(this.now, relationship, message));
        if (!life.isDead) watch.messageHandled(this, message);
      },
      leaving: (message) => watch.messageLeaving(this, message),
      left: (message) => watch.left(this, message.kind),
      unreadable: (why) => watch.broken(this, `a message that cannot be read: ${why}`),
    };
  }
}
