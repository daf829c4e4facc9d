/**
 * One machine of the pair: its disk, its configuration revisions, its clocks, and the process that runs on it or does not. What a
 * start does is what the shell does (`server/replay.ts`).
 */
import type { Config } from '../core/config/model.ts';
import { decodeRecord } from '../core/pipeline/record-codec.ts';
import type { Entering } from '../core/pipeline/server-core.ts';
import type { Ingress, ReplyPlan } from '../core/serving/serving-types.ts';
import type { ServerState } from '../wire/failover/messages.ts';
import type { EpochSec, Ip4, MonoMs, Now } from '../wire/units.ts';
import type { Cable, Listener } from './cable.ts';
import { Disk, type StoreCopy } from './disk.ts';
import { type ProcessWatch, RELATIONSHIP, type SavedBinding, ServerProcess } from './process.ts';
import type { Random } from './random.ts';
import type { Schedule } from './schedule.ts';
import type { Side } from './sides.ts';

/** The wall clock at the beginning of a run: past 2038, so that sign errors would show. */
export const START_AT = 2_200_000_000;

export interface HostParts {
  readonly side: Side;
  readonly schedule: Schedule;
  readonly random: Random;
  readonly cable: Cable;
  readonly watch: ProcessWatch;
  readonly serverAddress: Ip4;
  readonly toClient: (side: Side, reply: ReplyPlan) => void;
  readonly config: Config;
  readonly skewMs: number;
  readonly commitMs: number;
}

export class Host {
  readonly side: Side;
  readonly disk: Disk;
  readonly copies: StoreCopy[] = [];
  process: ServerProcess | undefined;
  /** What the last process had appended, for who must know what may be on the disk of a server that is down. */
  left: ReadonlyMap<Ip4, SavedBinding> | undefined;
  /** No process, and its machine does not answer at all. */
  hasVanished = false;
  readonly #parts: HostParts;
  readonly #revisions: Config[] = [];
  readonly #monoBaseMs: number;
  #isFirstStart = true;

  constructor(parts: HostParts) {
    this.#parts = parts;
    this.side = parts.side;
    this.disk = new Disk(parts.schedule, parts.random, parts.commitMs);
    this.#monoBaseMs = parts.random.below(1_000_000);
    this.#revisions.push(parts.config);
    const isListening = (): boolean => this.process !== undefined;
    const hasVanished = (): boolean => this.hasVanished;
    const listener: Listener = {
      get presence() {
        return isListening() ? 'listening' : hasVanished() ? 'gone' : 'refusing';
      },
      accept: (socket) => this.process?.accept(socket),
    };
    parts.cable.listen(this.side, listener);
  }

  now(): Now {
    const trueMs = this.#parts.schedule.nowMs;
    return {
      monoMs: (trueMs + this.#monoBaseMs) as MonoMs,
      wallAt: (START_AT + Math.floor((trueMs + this.#parts.skewMs) / 1000)) as EpochSec,
    };
  }

  get isUp(): boolean {
    return this.process !== undefined;
  }

  state(): ServerState | 'standalone' | 'down' {
    return this.process?.state() ?? 'down';
  }

  /** The configuration that a process has or would have. */
  get config(): Config {
    return this.#revisions[this.#durableRevision() - 1]!;
  }

  start(): void {
    if (this.process !== undefined) return;
    const number = this.#durableRevision();
    this.#revisions.length = number;
    const isLostStore = this.disk.isNew && !this.#isFirstStart;
    this.#isFirstStart = false;
    const { side, schedule, cable, watch, serverAddress, random } = this.#parts;
    if (this.hasVanished) cable.comeBack(side);
    this.hasVanished = false;
    this.process = new ServerProcess({
      side,
      schedule,
      disk: this.disk,
      cable,
      watch,
      toClient: (reply) => this.#parts.toClient(side, reply),
      now: () => this.now(),
      serverAddress,
      configNumber: number,
      config: this.#revisions[number - 1]!,
      isLostStore,
      seed: random.below(0x7fffffff),
    });
  }

  /** The process ends without a word; `vanished`: the whole machine. */
  stop(how: 'died' | 'vanished'): void {
    if (this.process === undefined) return;
    this.process.kill();
    this.left = this.process.saved;
    this.process = undefined;
    this.hasVanished = how === 'vanished';
    this.disk.crash();
    this.#parts.cable.leave(this.side, how);
  }

  receive(ingress: Ingress, bytes: Uint8Array): void {
    this.process?.packet(ingress, bytes);
  }

  /** A new revision: its file is durable first, its record with what it changes. */
  reconfigure(config: Config, entering: Entering): void {
    if (this.process === undefined) return;
    this.#revisions.push(config);
    this.process.reconfigure(this.#revisions.length, config, entering);
  }

  /** PARTNER-DOWN in the durable record, or in force. */
  isPartnerDown(): boolean {
    if (this.process !== undefined) return this.process.status()?.state === 'partner-down';
    let state: ServerState | undefined;
    this.disk.replay((bytes) => {
      const read = decodeRecord(bytes);
      if (read.kind === 'ok' && read.value.kind === 'relationship') state = read.value.record.state;
    });
    return state === 'partner-down';
  }

  isCommunicating(): boolean {
    return this.process?.core.endpoint(RELATIONSHIP)?.status(this.now()).isCommunicating ?? false;
  }

  #durableRevision(): number {
    let number: number | undefined;
    this.disk.replay((bytes) => {
      const read = decodeRecord(bytes);
      if (read.kind === 'ok' && read.value.kind === 'configuration') number = read.value.number;
    });
    return number ?? this.#revisions.length;
  }
}
