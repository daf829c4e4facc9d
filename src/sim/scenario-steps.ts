/** What the scripts of `scenarios.ts` and `cell-scenarios.ts` are made of: single steps, and the ways into the states. */
import type { CutKind } from './cable.ts';
import type { Fault } from './faults.ts';
import { otherSide, type Side } from './sides.ts';
import type { SimOptions, Step } from './simulate.ts';

export interface Scenario {
  readonly name: string;
  /** `side` is the server that it happens to. */
  readonly steps: (side: Side) => readonly Step[];
  /** PARTNER-DOWN is declared while the partner serves. */
  readonly isFalseDown?: boolean;
  /** Run once for each server, in one of the modes, which it has nothing to do with. */
  readonly isBrief?: boolean;
  readonly options?: Partial<SimOptions>;
}

/** Longer than the MCLT of the scenarios' world. */
export const LONG_SEC = 200;

export function doIt(fault: Fault, afterSec = 0): Step {
  return { afterSec, fault };
}

export function whenState(side: Side, state: string): Step {
  return { when: (world) => world.hosts[side].state() === state };
}

export function whenDown(side: Side): Step {
  return { when: (world) => !world.hosts[side].isUp };
}

export const whenSettled: Step = { when: (world) => world.isSettled() };

export function crashAfter(what: string): (side: Side) => readonly Step[] {
  return (side) => [
    doIt({ kind: 'crash-after', side, what, count: 5 }, 30),
    whenDown(side),
    doIt({ kind: 'start', side }, 60),
    whenSettled,
  ];
}

export function cutFor(how: CutKind, sec: number): (side: Side) => readonly Step[] {
  return () => [doIt({ kind: 'cut', how }, 30), doIt({ kind: 'heal' }, sec), whenSettled];
}

/** The store is lost while the server is in the state that the steps before lead to. */
export function loseStore(side: Side): readonly Step[] {
  return [
    doIt({ kind: 'kill', side }),
    doIt({ kind: 'wipe', side }),
    doIt({ kind: 'heal' }, 5),
    doIt({ kind: 'start', side }),
    whenSettled,
  ];
}

export function declareDown(side: Side): readonly Step[] {
  return [
    whenState(otherSide(side), 'communications-interrupted'),
    doIt({ kind: 'partner-down', side: otherSide(side) }),
  ];
}

export function bothDeclareDown(): readonly Step[] {
  return [
    doIt({ kind: 'cut', how: 'closed' }, 30),
    whenState('a', 'communications-interrupted'),
    whenState('b', 'communications-interrupted'),
    doIt({ kind: 'partner-down', side: 'a' }),
    doIt({ kind: 'partner-down', side: 'b' }),
  ];
}

/** Its store is lost, and it waits in contact with its partner. */
export function recovering(side: Side, between: readonly Step[] = []): readonly Step[] {
  return [
    doIt({ kind: 'kill', side }, 30),
    ...between,
    doIt({ kind: 'wipe', side }),
    doIt({ kind: 'start', side }, 5),
    whenState(side, 'recover-wait'),
    { afterSec: 2 },
  ];
}
