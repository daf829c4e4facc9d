/**
 * A running server: opens the store, the sockets and the partner door, and drives the core with what they bring, in the order
 * decide, commit, send. Everything that acts is here or in a file beside it; every rule is in `core`.
 */
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import type { SnapshotSource } from '../core/bindings/binding.ts';
import type { Partner } from '../core/config/model.ts';
import { limitsOf } from '../core/failover/limits.ts';
import { encodeRecord } from '../core/pipeline/record-codec.ts';
import { NOTHING_ENTERS, ServerCore } from '../core/pipeline/server-core.ts';
import type { Ingress } from '../core/serving/serving-types.ts';
import type { Connection } from '../net/connection.ts';
import type { PacketIo, ReceivedPacket, ServedInterface } from '../net/packet-io.ts';
import { openPartnerDoor, type PartnerDoor } from '../net/partner-door.ts';
import { nodeFileLayer } from '../store/file-layer.ts';
import { openRevisions } from '../store/revisions.ts';
import { DEFAULT_STORE_LIMITS } from '../store/store.ts';
import type { FileLayer, ReplayResult, Store } from '../store/store-types.ts';
import type { EpochSec, Ip4 } from '../wire/units.ts';
import { CopyStopped } from './backup-format.ts';
import { WallClock } from './clock.ts';
import { ConfigService } from './config-service.ts';
import { AGREED_ID_PREFIX, type ConfigChange, type TransactionRecord } from './control.ts';
import { staleDigestRecords } from './found-digests.ts';
import { type Identity, loadIdentity, storeIdentity } from './identity.ts';
import { KnownPartners } from './known-partners.ts';
import { tellLastLeases } from './leave.ts';
import { Links } from './links.ts';
import { makeLog, type ServerLog } from './log.ts';
import { Outbound } from './outbound.ts';
import { PartnerChannel } from './partner-channel.ts';
import {
  channelHost,
  expectsGreeting,
  foreignCallerAt,
  linkEvents,
  needsNewLink,
  type PartnerHandler,
} from './partner-wiring.ts';
import { Secrets } from './private-files.ts';
import { packetFingerprint, Quarantine } from './quarantine.ts';
import { type Replayed, replayStore } from './replay.ts';
import { type RestoredMark, removeRestoredMark } from './restored-mark.ts';
import { ServedInterfaces } from './served-interfaces.ts';
import { Traces } from './traces.ts';

/** The clock is followed, interfaces are looked at and the store is asked for a snapshot this often. */
const TICK_MS = 1000;
/** The wall clock is made durable this often (design, part 2 "Two clocks"). */
const HEARTBEAT_SEC = 10;
/** The event loop is never left without looking at the core's deadline for longer. */
const TIMER_MS_MAX = 1000;
/** At an orderly stop partners get this long to take what they were sent last. */
const LAST_WORDS_MS = 2000;
export const DEFAULT_PARTNER_PORT = 647;

/** Process ends, as sysexits(3) names them. */
export const EXIT_ASSERTION = 70;
export const EXIT_STORE = 74;

export interface ServerOptions {
  readonly name: string;
  /** State, configuration and identity are lost and restored apart (design, part 3). */
  readonly stateDirectory: string;
  readonly configDirectory: string;
  readonly identityDirectory: string;
  readonly partnerAddress: string;
  readonly partnerPort: number;
  readonly openPacketIo: () => Promise<PacketIo>;
  /** Server identifier in relay-only service. */
  readonly relayServerAddress: Ip4;
  readonly logLevel: string;
  readonly layer?: FileLayer;
  /** A file system full of surprises ends here: the process must stop with this status. */
  readonly end: (status: number, why: string) => never;
  /** Bytes that make deciding fail, to try the quarantine (`TWINLEASE_FAULT_PLANT`, hex). */
  readonly faultPlant?: Uint8Array;
}

export class Server {
  readonly options: ServerOptions;
  readonly log: ServerLog;
  readonly clock: WallClock;
  readonly core: ServerCore;
  readonly store: Store;
  readonly configs: ConfigService;
  readonly links: Links;
  readonly channel: PartnerChannel;
  readonly traces: Traces;
  readonly secrets: Secrets;
  readonly partners: KnownPartners;
  readonly quarantine: Quarantine;
  readonly outbound: Outbound;
  readonly io: PacketIo;
  readonly replay: ReplayResult;
  readonly transactions: Map<string, TransactionRecord>;
  /** Set by the program that composes the server; until then partners are told to come again. */
  onPartnerCall: PartnerHandler | undefined;
  /** About once a second, for those who follow partners and finish changes. */
  onTick: (() => void) | undefined;
  onCommunicating: ((relationship: string) => void) | undefined;
  onConfigChanged: (() => void) | undefined;
  /** An operator wants the process to end. */
  onStop: (() => void) | undefined;
  readonly #source: SnapshotSource;
  readonly #door: PartnerDoor;
  readonly #interfaces = new ServedInterfaces();
  readonly #communicating = new Set<string>();
  #identity: Identity;
  #configRecord: Uint8Array | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = 0;
  #tick: NodeJS.Timeout | undefined;
  #heartbeatAt = 0;
  /** Newest wall clock that was trusted: what a later start is compared with. */
  #trustedAt: EpochSec;
  #isSnapshotting = false;
  /** A copy of the store's files is under way, so that none of them may go. */
  #copying: Promise<unknown> | undefined;
  /** The mark of a restored store is being removed. */
  #unmarking: Promise<void> | undefined;
  #isClosing = false;

  private constructor(parts: Parts) {
    this.options = parts.options;
    this.log = parts.log;
    this.clock = parts.clock;
    this.store = parts.store;
    this.secrets = parts.secrets;
    this.#identity = parts.identity;
    this.#trustedAt = parts.newestAt;
    this.quarantine = parts.quarantine;
    this.io = parts.io;
    this.replay = parts.replay;
    this.transactions = parts.transactions;
    this.#source = parts.table;
    this.#door = parts.door;
    this.traces = new Traces(this.clock.now().wallAt);
    this.outbound = new Outbound(parts.io);
    this.links = new Links(linkEvents(this));
    this.links.durableSequence = parts.store.durableSequence;
    this.channel = new PartnerChannel(channelHost(this));
    this.configs = new ConfigService(
      parts.revisions,
      parts.revision,
      (revision, sha256, change) => this.#enforce(revision.number, sha256, change),
      () => this.clock.now().wallAt,
    );
    this.partners = new KnownPartners({ configs: this.configs, transactions: parts.transactions });
    this.core = new ServerCore(
      {
        ports: {
          append: (record) => this.store.append(record),
          hasRoom: () => this.outbound.hasRoom && this.store.waitingBytes < DEFAULT_STORE_LIMITS.waitingBytesMax / 2,
          sendPacket: (reply, after) => this.outbound.add(reply, after, this.store.durableSequence),
          sendLink: (name, message, after) => this.links.send(name, message, after),
          dial: (name) => this.links.dial(name),
          closeLink: (name) => this.links.close(name),
          event: (code, slots) => this.log.event(code, slots),
        },
        bindings: parts.table,
        identity: { relayServerAddress: parts.options.relayServerAddress },
        store: {
          storeId: parts.store.storeId,
          sequence: () => this.store.durableSequence,
          isLostStore: parts.isLostStore,
        },
        limits: (relationship) => limitsOf(relationship.profile),
      },
      parts.revision.config,
      parts.relationships,
    );
  }

  static async open(options: ServerOptions): Promise<Server> {
    const layer = options.layer ?? nodeFileLayer;
    for (const directory of [options.stateDirectory, options.configDirectory, options.identityDirectory])
      await layer.mkdir(directory);
    const clock = new WallClock();
    const log = makeLog({ serverName: options.name, level: options.logLevel, nowSec: () => clock.now().wallAt });
    const identity = await loadIdentity(options.identityDirectory);
    const secrets = await Secrets.open(options.identityDirectory);
    const revisions = await openRevisions(options.configDirectory, layer);
    const nowSec = clock.now().wallAt;
    const seed = randomInt(0x7fffffff);
    const replayed = await replayStore({
      stateDirectory: options.stateDirectory,
      layer,
      limits: DEFAULT_STORE_LIMITS,
      revisions,
      serverName: options.name,
      nowSec,
      seed,
    });
    if (replayed.kind === 'bad') throw new Error(replayed.why);
    clock.checkAgainst(replayed.value.newestAt);
    const io = await options.openPacketIo();
    let server: Server | undefined;
    const door = await openPartnerDoor({
      host: options.partnerAddress,
      port: options.partnerPort,
      identity,
      allowKey: (key) => server?.partnerOf(key) !== undefined,
      allowUnknown: () => server?.channel.isPairingOpen ?? false,
      allowPlain: (address) =>
        server !== undefined && foreignCallerAt(server.configs.present.config, address) !== undefined,
      expectsGreeting: (address) => server !== undefined && expectsGreeting(server.configs.present.config, address),
      onConnection: (connection) => server?.takeConnection(connection),
      onRefused: (peer, why) => log.event('net/partner-refused', { peer, why }),
    });
    const quarantine = new Quarantine(options.stateDirectory);
    server = new Server({ options, log, clock, identity, secrets, revisions, io, door, quarantine, ...replayed.value });
    server.#start(replayed.value);
    return server;
  }

  get doorPort(): number {
    return this.#door.port;
  }

  get identity(): Identity {
    return this.#identity;
  }

  get isClosing(): boolean {
    return this.#isClosing;
  }

  partnerOf(key: string): Partner | undefined {
    return this.partners.of(key);
  }

  takeConnection(connection: Connection): void {
    if (connection.kind === 'plain') this.links.acceptPlain(connection);
    else if (connection.alpn === 'twinlease-link/1') this.links.accept(this.partners.identified(connection));
    else if (connection.alpn === 'twinlease-manage/1') {
      // An introduction is bound to the very key that was proved, so the channel gets the connection as it is.
      this.partners.noteUse(connection.peerKey);
      this.channel.accept(connection);
    }
  }

  /** Durable first; connections that are open go on under the identity that they were made with. */
  async changeIdentity(identity: Identity): Promise<void> {
    await storeIdentity(this.options.identityDirectory, identity);
    this.#identity = identity;
    this.#door.setIdentity(identity);
    this.channel.reconnect();
  }

  /** An operator says that the machine's clock is right: from now on it is followed, and a later start is compared with it. */
  async trustClock(): Promise<void> {
    this.clock.adopt();
    this.#noteClock();
    this.#heartbeat(this.clock.now().wallAt);
    await this.store.settled();
  }

  /** Takes a snapshot, then keeps every file of the store in its place until `run` has ended. One at a time. */
  async withStillFiles<T>(run: () => Promise<T>): Promise<T> {
    if (this.#isClosing) throw new CopyStopped('the server stops');
    const copying = this.store.snapshot(this.#source, () => this.#stateRecords(), true).then(run);
    this.#copying = copying;
    try {
      return await copying;
    } finally {
      this.#copying = undefined;
    }
  }

  get isCopying(): boolean {
    return this.#copying !== undefined;
  }

  /** Cuts this server off from its partners, or lets them come back; clients are served on. For drills and demonstrations. */
  setCut(isCut: boolean): void {
    this.links.setCut(isCut);
    this.channel.setCut(isCut);
    this.afterInput();
  }

  /** Runs one input of the core and sends off what it decided. Every door of the shell goes through here. */
  input<T>(run: () => T): T {
    const result = run();
    this.afterInput();
    return result;
  }

  afterInput(): void {
    this.store.kick();
    this.outbound.flush();
    this.#schedule();
  }

  saveTransactions(records: readonly TransactionRecord[]): void {
    for (const record of records) {
      this.store.append(
        encodeRecord({ kind: 'transaction', id: record.id, state: record.state, body: Buffer.from(record.body) }),
      );
      if (record.state === 'forgotten') this.transactions.delete(record.id);
      else this.transactions.set(record.id, record);
    }
  }

  async close(): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    clearTimeout(this.#timer);
    clearInterval(this.#tick);
    this.outbound.close();
    await this.io.close();
    // It gives up at its next chunk, and its caller hears why.
    await this.#copying?.catch(() => undefined);
    await tellLastLeases({
      nowMs: () => this.clock.now().monoMs,
      endpointNames: () => [...this.core.endpointNames()],
      status: (name) => this.core.endpoint(name)?.status(this.clock.now()),
    });
    await this.#announcePause();
    await this.#unmarking;
    this.links.closeAll();
    this.channel.close();
    await this.#door.close();
    await this.store.close();
  }

  /**
   * Partners who know PAUSED hear it, so that they serve everybody at once and not only when they miss us (failover specification
   * 4.4). dhcpd would keep a state that only its operator ends, and Windows does not know one (2.5, 3.7).
   */
  async #announcePause(): Promise<void> {
    for (const { name, profile } of this.configs.present.config.relationships) {
      if (profile === 'twinlease' || profile === 'draft') this.core.command(this.clock.now(), name, { kind: 'pause' });
    }
    this.store.kick();
    await this.store.settled();
    await this.links.ended(LAST_WORDS_MS);
  }

  #start(replayed: Pick<Replayed, 'replay' | 'restored' | 'configSha256' | 'isConfigEdited'>): void {
    const { restored } = replayed;
    this.store.onDurable((sequence) => {
      this.outbound.release(sequence);
      this.links.release(sequence);
      this.outbound.flush();
    });
    this.store.onFailed((cause) => this.#die(EXIT_STORE, 'store/write-failed', { why: cause.message }));
    this.#beginConfiguration(replayed);
    this.#noteClock();
    this.input(() => this.core.start(this.clock.now()));
    if (restored !== undefined) this.#beginRestored(restored);
    this.#noteInterfaces(this.io.interfaces());
    this.io.onInterfaces((interfaces) => this.#noteInterfaces(interfaces));
    this.io.onPackets((batch) => this.#takePackets(batch));
    this.#tick = setInterval(() => this.#everySecond(), TICK_MS);
    if (this.quarantine.hasEndedOften(this.clock.now().wallAt))
      this.log.event('server/crash-loop', { count: this.quarantine.entries.length });
  }

  /** A file that was edited is in force all the same: the server must come up. It is said, and the log names it from now on. */
  #beginConfiguration({
    replay,
    configSha256,
    isConfigEdited,
  }: Pick<Replayed, 'replay' | 'configSha256' | 'isConfigEdited'>): void {
    const { number } = this.configs.present;
    if (isConfigEdited) this.log.event('config/edited-outside', { number });
    if (replay.isNew || isConfigEdited) this.#appendConfiguration(number, configSha256);
    else this.#configRecord = encodeRecord({ kind: 'configuration', number, sha256: configSha256 });
  }

  /** The state is an old copy. What is durable after this says so too, and the mark has done its work. */
  #beginRestored(restored: RestoredMark): void {
    this.log.event('store/restored', { madeAt: new Date(restored.madeAt * 1000).toISOString() });
    const agreed = [...this.transactions.values()].filter(({ id }) => id.startsWith(AGREED_ID_PREFIX));
    this.saveTransactions(agreed.map(({ id }) => ({ id, state: 'forgotten', body: '' })));
    this.store.append(encodeRecord({ kind: 'heartbeat', wallAt: this.#trustedAt }));
    this.afterInput();
    // A rejection is a failed write and must reach the process (design, part 3).
    this.#unmarking = this.store.settled().then(() => removeRestoredMark(this.options.stateDirectory));
  }

  #takePackets(batch: readonly ReceivedPacket[]): void {
    const now = this.clock.now();
    for (const received of batch) {
      if (!this.quarantine.isEmpty) {
        const fingerprint = packetFingerprint(received.bytes);
        if (this.quarantine.has(fingerprint)) {
          this.log.event('serving/packet-quarantined', { fingerprint: fingerprint.slice(0, 16), count: 1 });
          continue;
        }
      }
      const ingress: Ingress = {
        interfaceId: received.interfaceId,
        // Relay-only service has no interface that clients are on.
        interfaceAddresses:
          this.options.relayServerAddress !== 0 ? [] : this.#interfaces.addressesOf(received.interfaceId),
        toAddress: received.toAddress,
        fromAddress: received.fromAddress,
        fromPort: received.fromPort,
      };
      const report = this.guarded(
        'client-packet',
        () => packetFingerprint(received.bytes),
        () => {
          this.#springPlant(received.bytes);
          return this.core.packet(now, ingress, received.bytes);
        },
      );
      this.traces.note(now, report);
    }
    this.afterInput();
  }

  /** Design, part 2: an assertion that fails while one input is decided ends the process, after its fingerprint is written. */
  guarded<T>(what: 'client-packet' | 'partner-message', fingerprint: () => string, run: () => T): T {
    try {
      return run();
    } catch (error) {
      const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.quarantine.add({ fingerprint: fingerprint(), what, why, at: this.clock.now().wallAt });
      return this.#die(EXIT_ASSERTION, 'server/fault', { what, why });
    }
  }

  #springPlant(bytes: Uint8Array): void {
    const { faultPlant } = this.options;
    if (
      faultPlant !== undefined &&
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(Buffer.from(faultPlant))
    )
      throw new Error('the planted fault was met');
  }

  #die(status: number, code: string, slots: Readonly<Record<string, string | number>>): never {
    this.log.event(code, slots);
    this.links.closeAll();
    return this.options.end(status, String(slots['why'] ?? code));
  }

  #schedule(): void {
    if (this.#isClosing) return;
    const now = this.clock.now().monoMs;
    const deadline = Math.min(this.core.deadlineMs(), now + TIMER_MS_MAX);
    if (this.#timer !== undefined && this.#timerAtMs <= deadline && this.#timerAtMs >= now) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = deadline;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.input(() => this.core.timer(this.clock.now()));
        this.#noteCommunicating();
      },
      Math.max(0, deadline - now),
    );
  }

  #heartbeat(wallAt: EpochSec): void {
    this.#heartbeatAt = wallAt + HEARTBEAT_SEC;
    this.#trustedAt = wallAt;
    this.store.append(encodeRecord({ kind: 'heartbeat', wallAt }));
    this.afterInput();
  }

  #everySecond(): void {
    this.clock.follow();
    this.#noteClock();
    const now = this.clock.now();
    // A clock that was found to be ahead is back in the past now, and must not wait until the old time comes again.
    const isDue = now.wallAt >= this.#heartbeatAt || now.wallAt < this.#heartbeatAt - HEARTBEAT_SEC;
    if (isDue && this.clock.doubt === undefined) this.#heartbeat(now.wallAt);
    if (this.store.isSnapshotDue && !this.#isSnapshotting && !this.isCopying) this.#snapshot();
    this.#noteCommunicating();
    // A rejection is a failed write and must reach the process (design, part 3).
    void this.partners.settle();
    this.onTick?.();
  }

  #snapshot(): void {
    this.#isSnapshotting = true;
    this.store
      .snapshot(this.#source, () => this.#stateRecords())
      .then(
        () => {
          this.#isSnapshotting = false;
        },
        (error: unknown) => {
          this.#isSnapshotting = false;
          // The log goes on and the next snapshot is due later; a store that failed altogether says so itself.
          if (!this.#isClosing)
            this.log.event('store/snapshot-failed', { why: error instanceof Error ? error.message : String(error) });
        },
      );
  }

  #stateRecords(): Uint8Array[] {
    const transactions = [...this.transactions.values()].map((t) =>
      encodeRecord({ kind: 'transaction', id: t.id, state: t.state, body: Buffer.from(t.body) }),
    );
    // A clock that is in doubt is not what a later start may be compared with.
    const wallAt = this.clock.doubt === undefined ? this.clock.now().wallAt : this.#trustedAt;
    const heartbeat = encodeRecord({ kind: 'heartbeat', wallAt });
    return [
      ...(this.#configRecord === undefined ? [] : [this.#configRecord]),
      ...this.core.stateRecords(),
      ...transactions,
      heartbeat,
    ];
  }

  #appendConfiguration(number: number, sha256: Uint8Array): void {
    const record = encodeRecord({ kind: 'configuration', number, sha256 });
    this.#configRecord = record;
    this.store.append(record);
  }

  async #enforce(number: number, sha256: Uint8Array, change: ConfigChange): Promise<void> {
    const before = new Map(this.core.config.relationships.map((one) => [one.name, one]));
    this.input(() => {
      this.#appendConfiguration(number, sha256);
      this.saveTransactions([
        ...(change.transactions ?? []),
        ...staleDigestRecords(this.transactions, change.config.relationships),
      ]);
      this.core.reconfigure(this.clock.now(), change.config, {
        given: change.given ?? NOTHING_ENTERS.given,
        forgotten: change.forgotten ?? NOTHING_ENTERS.forgotten,
        newRelationships: change.newRelationships ?? NOTHING_ENTERS.newRelationships,
        silentScopeIds: change.silentScopeIds ?? NOTHING_ENTERS.silentScopeIds,
      });
    });
    for (const relationship of change.config.relationships) {
      const old = before.get(relationship.name);
      if (old !== undefined && needsNewLink(old, relationship)) this.links.renew(relationship.name);
    }
    await this.store.settled();
    this.#noteInterfaces(this.io.interfaces());
    this.onConfigChanged?.();
  }

  #noteClock(): void {
    const { doubt } = this.clock;
    this.core.setClockTrusted(doubt === undefined);
    if (doubt !== undefined) this.log.event('clock/doubtful', { kind: doubt.kind, bySec: doubt.bySec });
  }

  #noteCommunicating(): void {
    const now = this.clock.now();
    for (const name of this.core.endpointNames()) {
      const isCommunicating = this.core.endpoint(name)?.status(now).isCommunicating ?? false;
      if (isCommunicating === this.#communicating.has(name)) continue;
      if (isCommunicating) this.#communicating.add(name);
      else this.#communicating.delete(name);
      if (isCommunicating) this.onCommunicating?.(name);
    }
  }

  #noteInterfaces(interfaces: readonly ServedInterface[]): void {
    for (const name of this.#interfaces.note(interfaces)) this.log.event('net/interface-down', { interface: name });
    const unserved = this.#interfaces.unserved(this.configs.present.config.scopes);
    this.input(() => this.core.unservedScopes(this.clock.now(), unserved));
  }
}

interface Parts {
  readonly options: ServerOptions;
  readonly log: ServerLog;
  readonly clock: WallClock;
  readonly identity: Identity;
  readonly secrets: Secrets;
  readonly revisions: ConstructorParameters<typeof ConfigService>[0];
  readonly revision: ConstructorParameters<typeof ConfigService>[1];
  readonly io: PacketIo;
  readonly door: PartnerDoor;
  readonly quarantine: Quarantine;
  readonly table: ServerCore['bindings'] & SnapshotSource;
  readonly store: Store;
  readonly replay: ReplayResult;
  readonly relationships: ConstructorParameters<typeof ServerCore>[2];
  readonly transactions: Map<string, TransactionRecord>;
  readonly isLostStore: boolean;
  readonly newestAt: EpochSec;
}

/** Where state, configuration and identity live below one directory. */
export function directoriesBelow(root: string): {
  stateDirectory: string;
  configDirectory: string;
  identityDirectory: string;
} {
  return {
    stateDirectory: join(root, 'state'),
    configDirectory: join(root, 'config'),
    identityDirectory: join(root, 'identity'),
  };
}
