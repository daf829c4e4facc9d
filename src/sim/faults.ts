/**
 * Everything that can go wrong in the world, as data, and how it is done and undone. Who chooses is elsewhere: a script
 * (`scenarios.ts`) or chance (`gremlin.ts`).
 */
import type { Binding, BindingTable, PoolShape } from '../core/bindings/binding.ts';
import type { EndpointCommand } from '../core/failover/endpoint-types.ts';
import type { ChangeBody, Settings } from './change-body.ts';
import type { AppliedFault, Fault } from './fault.ts';
import type { LanCut } from './lan.ts';
import type { Step as LifeStep } from './life.ts';
import { creationOf, scopeIdOf, scopeOf, scopesOfPair } from './setting.ts';
import { type HostName, SIDES, type Side } from './sides.ts';
import { nameOf } from './story.ts';
import type { Pair, World } from './world.ts';

export type { AppliedFault, Fault } from './fault.ts';

/** From SHUTDOWN announced to the end of the process. */
const SHUT_DOWN_MS = 2000;
const STEP_IN_WORDS: Readonly<Record<LifeStep, string>> = {
  append: 'with a record that is not on its disk yet',
  durable: 'with a commit of which nothing has left yet',
  change: 'in the middle of a change of two servers',
};
/** What undoes another fault, or only prepares one, is none itself. */
const NOT_COUNTED: ReadonlySet<string> = new Set([
  'disarm',
  'start',
  'copy',
  'heal',
  'lan-heal',
  'disk-free',
  'resume',
  'add-scope',
  'add-relationship',
]);

export class Faults {
  readonly #world: World;
  /** Everything is healed: a server that is just stopping comes back by itself. */
  #isOver = false;
  readonly #knownCuts = new Set<HostName>();
  /** What was done and when, up to the healing; replayed as a script it gives the same run. */
  readonly applied: AppliedFault[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  apply(fault: Fault): void {
    if (!this.#isOver) this.applied.push({ atMs: this.#world.nowMs, fault });
    if (!this.#isOver && isCounted(fault)) this.#world.faultCounts.note(kindOf(fault));
    this.#world.trace.story?.fault(this.#world.nowMs, fault);
    this.#world.say('*', JSON.stringify(fault));
    this.#apply(fault);
  }

  /** Undoes everything; operators put the configuration back once the servers can agree on it (`restoreConfig`). */
  healAll(): void {
    const world = this.#world;
    this.apply({ kind: 'disarm' });
    this.#isOver = true;
    for (const { number } of world.pairs) this.apply({ kind: 'heal', pair: number });
    this.apply({ kind: 'link-latency', ms: world.options.linkLatencyMs });
    this.apply({ kind: 'lan-loss', percent: world.options.lossPercent });
    for (const [side, host] of world.machines) {
      this.apply({ kind: 'commit-ms', side, ms: world.options.commitMs });
      this.apply({ kind: 'disk-free', side });
      this.apply({ kind: 'lan-heal', side });
      this.apply({ kind: 'clock', side, isTrusted: true });
      this.apply({ kind: 'clock-step', side, byMs: 0 });
      if (!host.isUp) this.apply({ kind: 'start', side });
    }
    for (const pair of world.pairs)
      for (const side of SIDES) this.apply({ kind: 'answers', side, how: 'right', pair: pair.number });
    for (const pair of world.pairs)
      for (const side of SIDES)
        if (pair.seats[side].state() === 'paused')
          this.apply({ kind: 'resume', side: pair.names.hosts[side], pair: pair.number });
  }

  /** Adds what operators took away; answers whether everything is in place. */
  restoreConfig(): boolean {
    return this.#world.pairs.every((pair) => {
      if (!pair.isWhole()) this.#addBack(pair);
      return pair.isWhole();
    });
  }

  #apply(fault: Fault): void {
    const { lan } = this.#world;
    switch (fault.kind) {
      case 'kill':
        this.#host(fault.side).stop('died');
        return;
      case 'vanish':
        this.#host(fault.side).stop('vanished');
        return;
      case 'crash-after':
        this.#crashAfter(fault.side, fault.what, fault.count);
        return;
      case 'crash-at':
        this.#crashAt(fault.side, fault.what, fault.count);
        return;
      case 'disarm':
        for (const { checker } of this.#world.pairs) checker.onLeft = undefined;
        for (const host of this.#world.machines.values()) host.onStep = undefined;
        return;
      case 'start':
        this.#host(fault.side).start();
        if (this.#knownCuts.has(fault.side)) this.#tellUnserved(fault.side, true);
        return;
      case 'wipe':
      case 'put-back':
        this.#changeStore(fault);
        return;
      case 'copy':
        this.#host(fault.side).copies.push(this.#host(fault.side).disk.copy());
        return;
      case 'link-latency':
        for (const { cable } of this.#world.pairs) cable.latencyMs = fault.ms;
        return;
      case 'shut-down':
        for (const { pair } of this.#world.placesOf(fault.side)) this.#command(fault.side, pair, { kind: 'shutdown' });
        this.#stopLater(fault.side);
        return;
      case 'lan-cut':
        this.#cutLan(fault.side, fault.way ?? 'both', fault.isKnown);
        return;
      case 'lan-heal':
        this.#cutLan(fault.side, undefined, false);
        return;
      case 'lan-loss':
        lan.lossPercent = fault.percent;
        return;
      case 'commit-ms':
        this.#host(fault.side).disk.commitMs = fault.ms;
        return;
      case 'disk-full':
      case 'disk-free':
        this.#host(fault.side).disk.isRefusing = fault.kind === 'disk-full';
        return;
      case 'lose-tail':
        if (!this.#host(fault.side).isUp) this.#host(fault.side).disk.loseTail(fault.frames);
        return;
      case 'reset-aside':
        this.#resetAside(fault.side);
        return;
      case 'clock':
        this.#trustClock(fault.side, fault.isTrusted);
        return;
      case 'clock-step':
        if (fault.byMs === 0) this.#host(fault.side).clock.unstep();
        else this.#host(fault.side).clock.step(fault.byMs);
        return;
      default:
        this.#applyToPair(fault);
    }
  }

  #applyToPair(fault: PairFault): void {
    const number = 'pair' in fault ? (fault.pair ?? 0) : 0;
    const pair = this.#world.pairs.find((one) => one.number === number);
    if (pair === undefined) return;
    switch (fault.kind) {
      case 'cut':
        pair.cable.setCut(fault.how);
        return;
      case 'heal':
        pair.cable.setCut(undefined);
        return;
      case 'reset':
        pair.cable.reset();
        return;
      case 'answers':
        pair.seats[fault.side].answering = fault.how;
        return;
      case 'partner-down':
      case 'pause':
      case 'resume':
      case 'recover-all':
        this.#command(fault.side, pair, { kind: fault.kind });
        return;
      case 'set':
        this.#set(pair, fault.side, fault.change);
        return;
      case 'set-mclt':
        this.#set(pair, 'a', { mcltSec: fault.sec });
        return;
      case 'remove-scope':
      case 'add-scope':
      case 'remove-relationship':
      case 'add-relationship':
        this.#reshape(pair, fault.side, fault.kind);
        return;
      default:
        fault satisfies never;
    }
  }

  #host(name: HostName) {
    return this.#world.machine(name);
  }

  #resetAside(name: HostName): void {
    const { life } = this.#host(name);
    life?.resetAside(life.table.pools().flatMap((pool) => asideIn(life.table, pool)));
  }

  #trustClock(name: HostName, isTrusted: boolean): void {
    const { life } = this.#host(name);
    if (life === undefined) return;
    life.isClockDistrusted = !isTrusted;
    life.setClockTrusted(isTrusted && !life.clock.isDoubtful);
  }

  #crashAfter(name: HostName, what: string, count: number): void {
    let left = count;
    for (const { pair, side } of this.#world.placesOf(name))
      pair.checker.onLeft = (process, kind) => {
        if (process.side !== side || (what !== 'any' && kind !== what) || --left > 0) return;
        this.#crash(name, `right after ${kind}`);
      };
  }

  #crashAt(name: HostName, what: LifeStep, count: number): void {
    let left = count;
    this.#host(name).onStep = (step) => {
      if (step === what && --left <= 0) this.#crash(name, STEP_IN_WORDS[step]);
    };
  }

  #crash(name: HostName, when: string): void {
    for (const { pair } of this.#world.placesOf(name)) pair.checker.onLeft = undefined;
    this.#world.say('*', `${name} crashes ${when}`);
    this.#world.trace.story?.tell(this.#world.nowMs, `${nameOf(name)} crashes, ${when}.`);
    this.#host(name).stop('died');
  }

  #changeStore(fault: Fault & { kind: 'wipe' | 'put-back' }): void {
    const host = this.#host(fault.side);
    if (host.isUp) return;
    const copy = host.copies.at(-1);
    if (fault.kind === 'wipe') host.disk.wipe();
    else if (copy === undefined) return;
    else host.disk.putBack(copy);
    host.left = undefined;
    host.leftStates = new Map();
    for (const { pair, side } of this.#world.placesOf(fault.side)) pair.checker.storeChanged(side);
  }

  #command(name: HostName, pair: Pair, command: EndpointCommand): void {
    const side = SIDES.find((candidate) => pair.names.hosts[candidate] === name);
    const process = side === undefined ? undefined : pair.seats[side].process;
    if (process === undefined) return;
    if (command.kind !== 'recover-all') pair.checker.commanded(process, command.kind);
    process.input(() => process.core.command(process.now, pair.name, command));
  }

  #stopLater(name: HostName): void {
    const host = this.#host(name);
    const { life } = host;
    this.#world.schedule.after(SHUT_DOWN_MS, () => {
      if (life === undefined || host.life !== life) return;
      host.stop('died');
      if (this.#isOver) host.start();
    });
  }

  #cutLan(name: HostName, cut: LanCut | undefined, isKnown: boolean): void {
    const { lan } = this.#world;
    if (cut !== undefined) lan.cutOff.set(name, cut);
    else lan.cutOff.delete(name);
    const wasKnown = this.#knownCuts.has(name);
    if (isKnown) this.#knownCuts.add(name);
    else this.#knownCuts.delete(name);
    if (wasKnown !== isKnown) this.#tellUnserved(name, isKnown);
  }

  #tellUnserved(name: HostName, isCut: boolean): void {
    const { life } = this.#host(name);
    const scopeIds = isCut ? this.#world.options.poolSizes.map((_size, index) => scopeIdOf(index)) : [];
    life?.input(() => life.core.unservedScopes(life.now, scopeIds));
  }

  /** What the relationship has now, with something else. */
  #set(pair: Pair, side: Side, change: Partial<Settings>): void {
    const present = pair.seats[side].process?.configured();
    if (present === undefined) return;
    const { mode, percentage, mcltSec, stateSwitchIntervalSec, id } = present;
    const settings = { mode, percentage, mcltSec, stateSwitchIntervalSec, ...change };
    const isPrimary = present.role === 'primary';
    const primaryIsActive = mode === 'HotStandby' ? present.isActive === isPrimary : true;
    this.#world.change(pair, side, { kind: 'set', name: pair.name, id, settings, primaryIsActive });
  }

  #reshape(
    pair: Pair,
    side: Side,
    kind: 'remove-scope' | 'add-scope' | 'remove-relationship' | 'add-relationship',
  ): void {
    const body = this.#bodyOf(pair, side, kind);
    if (body !== undefined) this.#world.change(pair, side, body);
  }

  #bodyOf(pair: Pair, side: Side, kind: string): ChangeBody | undefined {
    const { options } = this.#world;
    const { name } = pair;
    const process = pair.seats[side].process;
    const present = process?.configured();
    if (process === undefined) return undefined;
    const scopes = scopesOfPair(options, pair.number);
    if (kind === 'add-relationship') {
      if (present !== undefined) return undefined;
      const id = `id-${options.seed}-${pair.number}-${this.#world.nowMs}`;
      return creationOf(options, pair.names, { pair: pair.number, called: side, scopes, id });
    }
    if (present === undefined) return undefined;
    if (kind === 'remove-relationship') return { kind, name, id: present.id };
    const last = scopes.at(-1)!;
    const scopeId = scopeOf(options, last).scopeId;
    const isIn = present.scopeIds.includes(scopeId);
    if (kind === 'remove-scope')
      return isIn && scopes.length > 1
        ? { kind: 'remove-scopes', name, id: present.id, scopeIds: [scopeId] }
        : undefined;
    return isIn ? undefined : { kind: 'add-scopes', name, id: present.id, scopes: [scopeOf(options, last)] };
  }

  /** On the server that has the scopes. */
  #addBack(pair: Pair): void {
    const scopeId = scopeOf(this.#world.options, scopesOfPair(this.#world.options, pair.number).at(-1)!).scopeId;
    const side = SIDES.find((candidate) =>
      pair.seats[candidate].process?.core.config.scopes.some((scope) => scope.scopeId === scopeId),
    );
    if (side === undefined) return;
    const kind = pair.seats[side].process?.configured() === undefined ? 'add-relationship' : 'add-scope';
    this.apply({ kind, side, pair: pair.number });
  }
}

type PairFault = Extract<
  Fault,
  {
    kind:
      | 'cut'
      | 'heal'
      | 'reset'
      | 'answers'
      | 'partner-down'
      | 'pause'
      | 'resume'
      | 'recover-all'
      | 'set'
      | 'set-mclt'
      | 'remove-scope'
      | 'add-scope'
      | 'remove-relationship'
      | 'add-relationship';
  }
>;

function asideIn(table: BindingTable, { scopeId, firstAddress, lastAddress }: PoolShape): Binding[] {
  const all = table.scan(scopeId, firstAddress, lastAddress - firstAddress + 1);
  return all.filter(({ state }) => state === 'abandoned');
}

function isCounted(fault: Fault): boolean {
  if (fault.kind === 'clock-step') return fault.byMs !== 0;
  if (fault.kind === 'clock') return !fault.isTrusted;
  return !NOT_COUNTED.has(fault.kind);
}

function kindOf(fault: Fault): string {
  if (fault.kind === 'cut') return `link cut ${fault.how}`;
  if (fault.kind === 'crash-at' || fault.kind === 'crash-after') return `${fault.kind} ${fault.what}`;
  return fault.kind;
}
