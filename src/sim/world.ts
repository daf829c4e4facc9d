/**
 * A simulated world: two or three servers with the production core, a link for each pair, clients, and for each pair a checker that
 * looks on. It has no will of its own: faults come from a script or from chance (`faults.ts`), the phases of a run from `simulate.ts`.
 */
import type { ReplyPlan } from '../core/serving/serving-types.ts';
import type { Ip4 } from '../wire/units.ts';
import { Cable } from './cable.ts';
import type { ChangeBody } from './change-body.ts';
import { Checker } from './checker.ts';
import { Client, type ClientWatch } from './client.ts';
import { FaultCounts } from './fault-counts.ts';
import { planHabits } from './habits.ts';
import { Host } from './host.ts';
import { Lan } from './lan.ts';
import { pairOfScope, pairsOf, type WorldOptions } from './options.ts';
import { makeRandom, type Random } from './random.ts';
import { Schedule } from './schedule.ts';
import { Seat } from './seat.ts';
import { calledOf, creationOf, firstConfig, scopeIndexOf, scopesOfPair } from './setting.ts';
import { type HostName, PAIRS, type PairNames, SIDES, type Side, sideOf } from './sides.ts';
import { Trace } from './trace.ts';
import type { WorldView } from './views.ts';

/** The checkers look at the whole world this often. */
const LOOK_EVERY_MS = 2500;

/** A relationship of two servers, whether it is configured at the moment or not. */
export interface Pair {
  readonly number: number;
  readonly name: string;
  readonly names: PairNames;
  readonly cable: Cable;
  readonly seats: Readonly<Record<Side, Seat>>;
  readonly checker: Checker;
  /** The greatest MCLT that was in force in this run. */
  mcltSecMax: number;
  toClient(side: Side, reply: ReplyPlan): void;
  /** Whether the address lies in a scope that the pair has or may have. */
  holds(address: Ip4): boolean;
  /** Both servers have the relationship with all its scopes, and no change of it is open. */
  isWhole(): boolean;
}

export class World {
  readonly options: WorldOptions;
  readonly schedule = new Schedule();
  readonly random: Random;
  readonly trace: Trace;
  readonly lan: Lan<Pair>;
  readonly machines: ReadonlyMap<HostName, Host>;
  readonly pairs: readonly Pair[];
  /** The two servers of the first pair. */
  readonly hosts: Readonly<Record<Side, Seat>>;
  readonly clients: Client[] = [];
  readonly faultCounts = new FaultCounts();
  clientPackets = 0;
  /** When the configuration of a pair last began to change: a copy of a store from before is of another time. */
  changedMs = 0;
  #changes = 0;
  readonly #pairsByScope: readonly Pair[];

  constructor(options: WorldOptions, isTraced: boolean) {
    this.options = options;
    this.trace = new Trace(isTraced);
    this.random = makeRandom(options.seed);
    this.machines = this.#makeMachines();
    this.pairs = pairsOf(options).map((number) => this.#makePair(number));
    this.#pairsByScope = options.poolSizes.map((_size, scope) => {
      const number = pairOfScope(options, scope);
      return this.pairs.find((pair) => pair.number === number)!;
    });
    this.hosts = this.pairs[0]!.seats;
    for (const host of this.machines.values()) host.connect();
    this.lan = this.#makeLan();
    this.#makeClients();
  }

  get nowMs(): number {
    return this.schedule.nowMs;
  }

  /** The first pair's. */
  get checker(): Checker {
    return this.pairs[0]!.checker;
  }

  get cable(): Cable {
    return this.pairs[0]!.cable;
  }

  machine(name: HostName): Host {
    return this.machines.get(name)!;
  }

  pairOfScope(scope: number): Pair {
    return this.#pairsByScope[scope]!;
  }

  /** Pairs that a server has a seat in. */
  placesOf(name: HostName): { readonly pair: Pair; readonly side: Side }[] {
    return this.pairs.flatMap((pair) => {
      const side = sideOf(pair.names, name);
      return side === undefined ? [] : [{ pair, side }];
    });
  }

  /** Starts the servers that are called, then the others, then the looking. */
  boot(): void {
    this.machine(PAIRS[0]!.hosts[this.options.called]).start();
    for (const host of this.machines.values()) host.start();
    this.#look();
  }

  /** What AddByLoadBalance or AddByHotStandby does on the server that is called. */
  createRelationship(): void {
    this.say('', this.pairs.length === 1 ? 'the relationship is created' : 'the relationships are created');
    for (const pair of this.pairs) {
      const called = calledOf(this.options, pair.number);
      const scopes = scopesOfPair(this.options, pair.number);
      const id = `id-${this.options.seed}-${pair.number}`;
      this.change(pair, called, creationOf(this.options, pair.names, { pair: pair.number, called, scopes, id }));
    }
  }

  /** An operator changes the relationship on both servers; one of them coordinates. */
  change(pair: Pair, side: Side, body: ChangeBody): void {
    const id = `change-${++this.#changes}`;
    this.changedMs = this.nowMs;
    this.say(pair.names.hosts[side], `an operator asks for ${body.kind} of ${pair.name}`);
    pair.seats[side].host.changes?.begin(pair, side, id, body, (result) => {
      const why = result.kind === 'refused' ? `: ${JSON.stringify(result.problem)}` : '';
      this.say(pair.names.hosts[side], `${body.kind} of ${pair.name} is ${result.kind}${why}`);
    });
  }

  /** Frames of the logs that a crash left in part. */
  get tornCount(): number {
    return [...this.machines.values()].reduce((sum, { disk }) => sum + disk.tornCount, 0);
  }

  /** All servers up, all relationships in NORMAL, and talking. */
  isSettled(): boolean {
    return this.pairs.every(isPairSettled);
  }

  /** Where both servers have the relationship, they talk. */
  areTalking(): boolean {
    return this.pairs.every(({ seats }) => {
      const isShared = SIDES.every((side) => seats[side].process?.configured() !== undefined);
      return !isShared || SIDES.every((side) => seats[side].isCommunicating());
    });
  }

  /** Clients reach the server, and lose at most this part of the packets on the way. */
  reaches(host: HostName, lossPercentMax: number): boolean {
    return !this.lan.cutOff.has(host) && this.lan.lossPercent <= lossPercentMax;
  }

  say(who: string, text: string): void {
    this.trace.add(this.nowMs, who, () => text);
  }

  states(): string {
    return this.pairs
      .map(({ names, seats }) => SIDES.map((side) => `${names.hosts[side]} ${seats[side].state()}`).join(', '))
      .join('; ');
  }

  #makeMachines(): Map<HostName, Host> {
    const { options, schedule, random } = this;
    const names = new Set(pairsOf(options).flatMap((pair) => Object.values(PAIRS[pair]!.hosts)));
    const machines = new Map<HostName, Host>();
    for (const name of names) {
      machines.set(
        name,
        new Host({
          name,
          schedule,
          random,
          config: firstConfig(options, name),
          skewMs: name === 'c' ? 0 : options.skewMs[name],
          driftPpm: options.driftPpm?.[name] ?? 0,
          commitMs: options.commitMs,
          places: () => this.placesOf(name),
          fell: (why) => {
            this.say(name, `the process ends: ${why}`);
            this.machine(name).stop('died');
          },
        }),
      );
    }
    return machines;
  }

  #makePair(number: number): Pair {
    const { options, schedule, random, trace } = this;
    const names = PAIRS[number]!;
    const seats = {
      a: new Seat('a', this.machine(names.hosts.a), names.name),
      b: new Seat('b', this.machine(names.hosts.b), names.name),
    };
    const own = options.poolSizes.map((size, scope) => (pairOfScope(options, scope) === number ? size : 0));
    const world = this;
    const view: WorldView = {
      get nowMs() {
        return schedule.nowMs;
      },
      options: {
        ...options,
        poolSizes: own,
        get mcltSec() {
          return pair.mcltSecMax;
        },
      },
      hosts: seats,
      get clients() {
        if (world.pairs.length === 1) return world.clients;
        return world.clients.filter(({ scopeIndex }) => own[scopeIndex]! > 0);
      },
      reaches: (side, lossPercentMax) => world.reaches(names.hosts[side], lossPercentMax),
      schedule,
      trace,
      isSettled: () => isPairSettled(pair),
      say: (who, text) => world.say(who, text),
    };
    const checker = new Checker(view);
    const pair: Pair = {
      number,
      name: names.name,
      names,
      cable: new Cable(schedule, random, options.linkLatencyMs),
      seats,
      checker,
      mcltSecMax: options.mcltSec,
      toClient: (side, reply) => this.lan.reply(pair, side, reply),
      holds: (address) => (own[scopeIndexOf(address)] ?? 0) > 0,
      isWhole: () =>
        SIDES.every((side) => {
          const { process, host } = seats[side];
          const count = process?.configured()?.scopeIds.length ?? 0;
          return count === scopesOfPair(options, number).length && host.changes?.openCount === 0;
        }),
    };
    return pair;
  }

  #makeLan(): Lan<Pair> {
    const { options, schedule, random } = this;
    return new Lan<Pair>(
      {
        schedule,
        random,
        counts: this.faultCounts,
        ends: {
          toServer: (pair, side, ingress, bytes, ask) => {
            this.clientPackets++;
            pair.seats[side].host.receive(pair, side, ingress, bytes);
            if (ask !== undefined) pair.checker.asked(side, ask);
          },
          toClient: (machine, packet, side) => {
            const client = this.clients[machine];
            if (client === undefined) return;
            client.receive(packet, side);
            // A cloned hardware address is answered on every machine that has it.
            for (const twin of client.twins) twin.receive(packet, side);
          },
        },
      },
      {
        lossPercent: options.lossPercent,
        duplicatePercent: options.duplicatePercent,
        latePercent: options.latePercent ?? 0,
      },
    );
  }

  #makeClients(): void {
    const { options, schedule, random } = this;
    const plans = Array.from({ length: options.clients }, (_none, machine) => planHabits(options, machine));
    const machinesOf = new Map<number, number>();
    for (const { index } of plans) machinesOf.set(index, (machinesOf.get(index) ?? 0) + 1);
    for (const [machine, plan] of plans.entries()) {
      const watchOf = (scope: number): ClientWatch => this.pairOfScope(scope).checker;
      this.clients.push(
        // No spread: it would make an object that is slow to read.
        new Client({
          index: plan.index,
          hardware: plan.hardware,
          scope: plan.scope,
          habits: plan.habits,
          isCloned: (machinesOf.get(plan.index) ?? 0) > 1,
          scopes: options.poolSizes.length,
          schedule,
          random,
          send: {
            broadcast: (scope, bytes, isAsked) => this.lan.broadcast(this.pairOfScope(scope), scope, bytes, isAsked),
            unicast: (scope, to, from, bytes) => this.lan.unicast(this.pairOfScope(scope), to, from, bytes),
          },
          watchOf,
          stayMeanSec: options.stayMeanSec,
          declinePercent: options.declinePercent,
        }),
      );
      if (plan.hardware !== machine) this.clients[plan.hardware]?.twins.push(this.clients[machine]!);
    }
  }

  #look(): void {
    this.schedule.after(LOOK_EVERY_MS, () => {
      for (const { checker } of this.pairs) checker.look();
      this.#look();
    });
  }
}

function isPairSettled(pair: Pair): boolean {
  return SIDES.every((side) => {
    const { process } = pair.seats[side];
    return process !== undefined && process.state() === 'normal' && process.isCommunicating();
  });
}
