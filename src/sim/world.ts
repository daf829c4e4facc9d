/**
 * A simulated world: two servers with the production core, a link between them, clients, and a checker that looks on. It has no
 * will of its own: faults come from a script or from chance (`faults.ts`), the phases of a run from `simulate.ts`.
 */
import { NOTHING_ENTERS } from '../core/pipeline/server-core.ts';
import { Cable } from './cable.ts';
import { Checker } from './checker.ts';
import { Client } from './client.ts';
import { Host } from './host.ts';
import { Lan } from './lan.ts';
import type { WorldOptions } from './options.ts';
import { RELATIONSHIP } from './process.ts';
import { makeRandom, type Random } from './random.ts';
import { Schedule } from './schedule.ts';
import { firstConfig, scopeIdOf, serverAddressOf, withRelationship } from './setting.ts';
import { otherSide, SIDES, type Side } from './sides.ts';
import { Trace } from './trace.ts';

/** The checker looks at the whole world this often. */
const LOOK_EVERY_MS = 2500;

export class World {
  readonly options: WorldOptions;
  readonly schedule = new Schedule();
  readonly random: Random;
  readonly trace = new Trace();
  readonly cable: Cable;
  readonly lan: Lan;
  readonly hosts: Readonly<Record<Side, Host>>;
  readonly clients: Client[] = [];
  readonly checker: Checker;

  constructor(options: WorldOptions) {
    this.options = options;
    this.random = makeRandom(options.seed);
    const { schedule, random } = this;
    this.cable = new Cable(schedule, random, options.linkLatencyMs);
    this.checker = new Checker(this);
    this.lan = new Lan(
      schedule,
      random,
      {
        toServer: (side, ingress, bytes, ask) => {
          this.hosts[side].receive(ingress, bytes);
          if (ask !== undefined) this.checker.asked(side, ask);
        },
        toClient: (index, packet, side) => this.clients[index]?.receive(packet, side),
      },
      options.lossPercent,
      options.duplicatePercent,
    );
    this.hosts = { a: this.#makeHost('a'), b: this.#makeHost('b') };
    for (let index = 0; index < options.clients; index++) {
      const scopeIndex = index % options.poolSizes.length;
      const watch = this.checker;
      this.clients.push(
        new Client({
          index,
          scopeIndex,
          schedule,
          random,
          lan: this.lan,
          watch,
          stayMeanSec: options.stayMeanSec,
          declinePercent: options.declinePercent,
        }),
      );
    }
  }

  get nowMs(): number {
    return this.schedule.nowMs;
  }

  /** Starts the called server alone, then the other, then the looking. */
  boot(): void {
    this.hosts[this.options.called].start();
    this.hosts[otherSide(this.options.called)].start();
    this.#look();
  }

  /** What AddByLoadBalance or AddByHotStandby does to the two servers; the called one first. */
  createRelationship(): void {
    const { options } = this;
    const called = this.hosts[options.called];
    const partner = this.hosts[otherSide(options.called)];
    const owner = options.called === 'a' ? 'free' : 'backup';
    const given = options.poolSizes.map((_size, index) => ({ scopeId: scopeIdOf(index), owner }) as const);
    const enter = (host: Host, holdsAllData: boolean): void =>
      host.reconfigure(withRelationship(options, host.side, host.config), {
        ...NOTHING_ENTERS,
        given,
        newRelationships: [{ name: RELATIONSHIP, holdsAllData }],
      });
    this.say('', 'the relationship is created');
    enter(called, true);
    this.schedule.after(this.random.below(500), () => enter(partner, false));
  }

  /** Both up, in NORMAL, and talking. */
  isSettled(): boolean {
    return SIDES.every((side) => this.hosts[side].state() === 'normal' && this.hosts[side].isCommunicating());
  }

  say(who: string, text: string): void {
    this.trace.add(this.nowMs, who, () => text);
  }

  states(): string {
    return SIDES.map((side) => `${side} ${this.hosts[side].state()}`).join(', ');
  }

  #makeHost(side: Side): Host {
    const { options, schedule, random, cable } = this;
    return new Host({
      side,
      schedule,
      random,
      cable,
      watch: this.checker,
      serverAddress: serverAddressOf(side),
      toClient: (from, reply) => this.lan.reply(from, reply),
      config: firstConfig(options, side),
      skewMs: options.skewMs[side],
      commitMs: options.commitMs,
    });
  }

  #look(): void {
    this.schedule.after(LOOK_EVERY_MS, () => {
      this.checker.look();
      this.#look();
    });
  }
}
