/**
 * Everything that can go wrong in the world, as data, and how it is done and undone. Who chooses is elsewhere: a script
 * (`scenarios.ts`) or chance (`gremlin.ts`).
 */
import { NOTHING_ENTERS } from '../core/pipeline/server-core.ts';
import type { CutKind } from './cable.ts';
import { RELATIONSHIP } from './process.ts';
import { scopeIdOf } from './setting.ts';
import { SIDES, type Side } from './sides.ts';
import type { World } from './world.ts';

export type Fault =
  /** The process ends; its system closes its connections. */
  | { readonly kind: 'kill'; readonly side: Side }
  /** The machine is gone from one moment to the next, and closes nothing. */
  | { readonly kind: 'vanish'; readonly side: Side }
  /** The process ends right after it has sent the `count`th message of this kind from now on (`any`: whatever leaves). */
  | { readonly kind: 'crash-after'; readonly side: Side; readonly what: string; readonly count: number }
  | { readonly kind: 'start'; readonly side: Side }
  /** The state directory of a server that is down is gone. */
  | { readonly kind: 'wipe'; readonly side: Side }
  | { readonly kind: 'copy'; readonly side: Side }
  /** The newest copy is put in the place of the state directory of a server that is down. */
  | { readonly kind: 'put-back'; readonly side: Side }
  | { readonly kind: 'cut'; readonly how: CutKind }
  | { readonly kind: 'heal' }
  | { readonly kind: 'link-latency'; readonly ms: number }
  /** The operator says that the partner of this server is down. */
  | { readonly kind: 'partner-down'; readonly side: Side }
  /** Orderly stop: announced, then the process ends. */
  | { readonly kind: 'shut-down'; readonly side: Side }
  /** No client reaches the server; it knows of it or not. */
  | { readonly kind: 'lan-cut'; readonly side: Side; readonly isKnown: boolean }
  | { readonly kind: 'lan-heal'; readonly side: Side }
  | { readonly kind: 'lan-loss'; readonly percent: number }
  | { readonly kind: 'commit-ms'; readonly side: Side; readonly ms: number }
  | { readonly kind: 'clock'; readonly side: Side; readonly isTrusted: boolean }
  /** Set changes the MCLT of the relationship on both servers. */
  | { readonly kind: 'set-mclt'; readonly sec: number }
  /** What no disk may do: the newest frames of a server that is down are gone, and nobody is told. To try the checker with. */
  | { readonly kind: 'lose-tail'; readonly side: Side; readonly frames: number };

/** From SHUTDOWN announced to the end of the process. */
const SHUT_DOWN_MS = 2000;

export class Faults {
  readonly #world: World;
  /** Everything is healed: a server that is just stopping comes back by itself. */
  #isOver = false;
  readonly #knownCuts = new Set<Side>();

  constructor(world: World) {
    this.#world = world;
  }

  apply(fault: Fault): void {
    this.#world.say('*', JSON.stringify(fault));
    this.#apply(fault);
  }

  /** Undoes everything. */
  healAll(): void {
    const world = this.#world;
    world.checker.onLeft = undefined;
    this.#isOver = true;
    this.apply({ kind: 'heal' });
    this.apply({ kind: 'link-latency', ms: world.options.linkLatencyMs });
    this.apply({ kind: 'lan-loss', percent: world.options.lossPercent });
    for (const side of SIDES) {
      this.apply({ kind: 'commit-ms', side, ms: world.options.commitMs });
      this.apply({ kind: 'lan-heal', side });
      this.apply({ kind: 'clock', side, isTrusted: true });
      if (!world.hosts[side].isUp) this.apply({ kind: 'start', side });
    }
  }

  #apply(fault: Fault): void {
    const { hosts, cable, lan } = this.#world;
    switch (fault.kind) {
      case 'kill':
        hosts[fault.side].stop('died');
        return;
      case 'vanish':
        hosts[fault.side].stop('vanished');
        return;
      case 'crash-after':
        this.#crashAfter(fault.side, fault.what, fault.count);
        return;
      case 'start':
        hosts[fault.side].start();
        if (this.#knownCuts.has(fault.side)) this.#tellUnserved(fault.side, true);
        return;
      case 'wipe':
      case 'put-back':
        this.#changeStore(fault);
        return;
      case 'copy':
        hosts[fault.side].copies.push(hosts[fault.side].disk.copy());
        return;
      case 'cut':
        cable.setCut(fault.how);
        return;
      case 'heal':
        cable.setCut(undefined);
        return;
      case 'link-latency':
        cable.latencyMs = fault.ms;
        return;
      case 'partner-down':
        this.#command(fault.side, 'partner-down');
        return;
      case 'shut-down':
        this.#command(fault.side, 'shutdown');
        this.#stopLater(fault.side);
        return;
      case 'lan-cut':
      case 'lan-heal':
        this.#cutLan(fault.side, fault.kind === 'lan-cut', fault.kind === 'lan-cut' && fault.isKnown);
        return;
      case 'lan-loss':
        lan.lossPercent = fault.percent;
        return;
      case 'commit-ms':
        hosts[fault.side].disk.commitMs = fault.ms;
        return;
      case 'set-mclt':
        for (const side of SIDES) this.#setMclt(side, fault.sec);
        return;
      case 'lose-tail':
        if (!hosts[fault.side].isUp) hosts[fault.side].disk.loseTail(fault.frames);
        return;
      case 'clock':
        hosts[fault.side].process?.setClockTrusted(fault.isTrusted);
        return;
      default:
        fault satisfies never;
    }
  }

  #crashAfter(side: Side, what: string, count: number): void {
    let left = count;
    const { checker, hosts } = this.#world;
    checker.onLeft = (process, kind) => {
      if (process.side !== side || (what !== 'any' && kind !== what) || --left > 0) return;
      checker.onLeft = undefined;
      this.#world.say('*', `${side} crashes after ${kind}`);
      hosts[side].stop('died');
    };
  }

  #changeStore(fault: Fault & { kind: 'wipe' | 'put-back' }): void {
    const host = this.#world.hosts[fault.side];
    if (host.isUp) return;
    const copy = host.copies.at(-1);
    if (fault.kind === 'wipe') host.disk.wipe();
    else if (copy === undefined) return;
    else host.disk.putBack(copy);
    host.left = undefined;
    this.#world.checker.storeChanged(fault.side);
  }

  #command(side: Side, kind: 'partner-down' | 'shutdown'): void {
    const { process } = this.#world.hosts[side];
    process?.input(() => process.core.command(process.now, RELATIONSHIP, { kind }));
  }

  #stopLater(side: Side): void {
    const { hosts, schedule } = this.#world;
    const { process } = hosts[side];
    schedule.after(SHUT_DOWN_MS, () => {
      if (process === undefined || hosts[side].process !== process) return;
      hosts[side].stop('died');
      if (this.#isOver) hosts[side].start();
    });
  }

  #cutLan(side: Side, isCut: boolean, isKnown: boolean): void {
    const { lan } = this.#world;
    if (isCut) lan.cutOff.add(side);
    else lan.cutOff.delete(side);
    const wasKnown = this.#knownCuts.has(side);
    if (isKnown) this.#knownCuts.add(side);
    else this.#knownCuts.delete(side);
    if (wasKnown !== isKnown) this.#tellUnserved(side, isKnown);
  }

  #setMclt(side: Side, mcltSec: number): void {
    const host = this.#world.hosts[side];
    const relationships = host.config.relationships.map((relationship) => ({ ...relationship, mcltSec }));
    host.reconfigure({ ...host.config, relationships }, NOTHING_ENTERS);
  }

  #tellUnserved(side: Side, isCut: boolean): void {
    const { process } = this.#world.hosts[side];
    const scopeIds = isCut ? this.#world.options.poolSizes.map((_size, index) => scopeIdOf(index)) : [];
    process?.input(() => process.core.unservedScopes(process.now, scopeIds));
  }
}
