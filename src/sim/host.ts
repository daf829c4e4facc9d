/**
 * One machine: its disk, its configuration revisions, its clocks, and the process that runs on it or does not. What a start does is
 * what the shell does (`server/replay.ts`).
 */
import type { Config } from '../core/config/model.ts';
import type { Entering } from '../core/pipeline/server-core.ts';
import type { Ingress } from '../core/serving/serving-types.ts';
import type { ServerState } from '../wire/failover/messages.ts';
import type { Ip4, Now } from '../wire/units.ts';
import type { Listener } from './cable.ts';
import { ChangeRunner } from './change-runner.ts';
import { MachineClock } from './clock.ts';
import { Disk, type StoreCopy } from './disk.ts';
import { Life, type SavedBinding, type Step } from './life.ts';
import type { PairView } from './pair-view.ts';
import { ServerProcess } from './process.ts';
import type { Random } from './random.ts';
import type { Schedule } from './schedule.ts';
import { serverAddressOf } from './setting.ts';
import type { HostName, Side } from './sides.ts';

export { START_AT } from './clock.ts';

/** From the start of a process to the first thing that its core does; the log is read besides. */
const LOAD_MS_MAX = 200;

export interface HostParts {
  readonly name: HostName;
  readonly schedule: Schedule;
  readonly random: Random;
  readonly config: Config;
  readonly skewMs: number;
  readonly driftPpm: number;
  readonly commitMs: number;
  /** The relationships that the server can be in, and its side in each. */
  readonly places: () => readonly { readonly pair: PairView; readonly side: Side }[];
  /** The process ends by itself, because it cannot go on. */
  readonly fell: (why: string) => void;
}

/** What a planned crash waits for. */
export type StepWatch = (what: Step) => void;

export class Host {
  readonly name: HostName;
  readonly disk: Disk;
  readonly clock: MachineClock;
  readonly copies: StoreCopy[] = [];
  life: Life<ServerProcess> | undefined;
  changes: ChangeRunner | undefined;
  /** What the last process had appended. */
  left: ReadonlyMap<Ip4, SavedBinding> | undefined;
  /** The durable states of its relationships when it ended. */
  leftStates: ReadonlyMap<string, ServerState> = new Map();
  /** No process, and its machine does not answer at all. */
  hasVanished = false;
  onStep: StepWatch | undefined;
  readonly #parts: HostParts;
  readonly #revisions: Config[] = [];
  #isFirstStart = true;

  constructor(parts: HostParts) {
    this.#parts = parts;
    const { schedule, random } = parts;
    this.name = parts.name;
    this.disk = new Disk(schedule, random, parts.commitMs);
    this.clock = new MachineClock(() => schedule.nowMs, random.below(LOAD_MS_MAX), parts.skewMs, parts.driftPpm);
    this.#revisions.push(parts.config);
  }

  /** Makes it reachable; after all pairs are made. */
  connect(): void {
    const isListening = (): boolean => this.life !== undefined;
    const hasVanished = (): boolean => this.hasVanished;
    for (const { pair, side } of this.#parts.places()) {
      const listener: Listener = {
        get presence() {
          return isListening() ? 'listening' : hasVanished() ? 'gone' : 'refusing';
        },
        accept: (socket) => pair.seats[side].process?.accept(socket),
      };
      pair.cable.listen(side, listener);
    }
  }

  now(): Now {
    return this.clock.now();
  }

  get isUp(): boolean {
    return this.life !== undefined;
  }

  /** The configuration that a process has or would have. */
  get config(): Config {
    return this.life?.core.config ?? this.#revisions.at(-1)!;
  }

  start(): void {
    if (this.life !== undefined) return;
    const { schedule, random } = this.#parts;
    const places = this.#parts.places();
    const isLostStore = this.disk.isNew && !this.#isFirstStart;
    this.#isFirstStart = false;
    if (this.hasVanished) for (const { pair, side } of places) pair.cable.comeBack(side);
    this.hasVanished = false;
    const life = new Life<ServerProcess>({
      name: this.name,
      schedule,
      disk: this.disk,
      clock: this.clock,
      serverAddress: serverAddressOf(this.name),
      revisions: this.#revisions,
      isLostStore,
      seed: random.below(0x7fffffff),
      processes: (made) => places.map(({ pair, side }) => makeProcess(made, pair, side)),
      ends: (why) => {
        // The core may be in the middle of a step: the process ends as soon as it is out of it.
        schedule.after(0, () => {
          if (this.life === life) this.#parts.fell(why);
        });
      },
      step: (what) => this.onStep?.(what),
    });
    this.#revisions.length = life.configNumber;
    this.life = life;
    this.changes = new ChangeRunner(life, places, (config, entering, transactions) => {
      this.reconfigure(config, entering, transactions);
    });
  }

  /** The process ends without a word; `vanished`: the whole machine. */
  stop(how: 'died' | 'vanished'): void {
    const { life } = this;
    if (life === undefined) return;
    life.kill();
    this.left = life.saved;
    this.life = undefined;
    this.changes = undefined;
    this.onStep = undefined;
    this.hasVanished = how === 'vanished';
    this.disk.crash();
    this.leftStates = new Map(
      life.processes.flatMap(({ relationship, savedState }) =>
        savedState === undefined ? [] : [[relationship, savedState.record.state]],
      ),
    );
    for (const { pair, side } of this.#parts.places()) pair.cable.leave(side, how);
  }

  receive(pair: PairView, side: Side, ingress: Ingress, bytes: Uint8Array): void {
    const process = pair.seats[side].process;
    if (process !== undefined) this.life?.packet(process, ingress, bytes);
  }

  /** A new revision: its file is durable first, its record with what it changes. */
  reconfigure(config: Config, entering: Entering, transactions: readonly Uint8Array[] = []): void {
    if (this.life === undefined) return;
    this.#revisions.push(config);
    for (const { name, mcltSec } of config.relationships)
      for (const { pair } of this.#parts.places())
        if (pair.name === name) pair.mcltSecMax = Math.max(pair.mcltSecMax, mcltSec);
    this.life.reconfigure(this.#revisions.length, config, entering, transactions);
  }
}

function makeProcess(life: Life, pair: PairView, side: Side): ServerProcess {
  return new ServerProcess({
    life,
    relationship: pair.name,
    side,
    cable: pair.cable,
    watch: pair.checker,
    answering: () => pair.seats[side].answering,
    toClient: (reply) => pair.toClient(side, reply),
    holds: (address) => pair.holds(address),
  });
}
