/**
 * The situations that failover specification 7 names, as scripts over a fixed world: each must come to rest by itself, and
 * without a breach of any rule but those that a false PARTNER-DOWN voids.
 */
import type { RelationshipMode } from '../core/config/model.ts';
import type { CutKind } from './cable.ts';
import type { Fault } from './faults.ts';
import { otherSide, type Side } from './sides.ts';
import type { SimOptions, Step } from './simulate.ts';
import type { World } from './world.ts';

export interface Scenario {
  readonly name: string;
  /** `side` is the server that it happens to. */
  readonly steps: (side: Side) => readonly Step[];
  /** PARTNER-DOWN is declared while the partner serves. */
  readonly isFalseDown?: boolean;
  readonly options?: Partial<SimOptions>;
}

/** Longer than the MCLT of the scenarios' world. */
const LONG_SEC = 200;

function doIt(fault: Fault, afterSec = 0): Step {
  return { afterSec, fault };
}

function whenState(side: Side, state: string): Step {
  return { when: (world) => world.hosts[side].state() === state };
}

function whenDown(side: Side): Step {
  return { when: (world) => !world.hosts[side].isUp };
}

const whenSettled: Step = { when: (world: World) => world.isSettled() };

function crashAfter(what: string): (side: Side) => readonly Step[] {
  return (side) => [
    doIt({ kind: 'crash-after', side, what, count: 5 }, 30),
    whenDown(side),
    doIt({ kind: 'start', side }, 60),
    whenSettled,
  ];
}

function cutFor(how: CutKind, sec: number): (side: Side) => readonly Step[] {
  return () => [doIt({ kind: 'cut', how }, 30), doIt({ kind: 'heal' }, sec), whenSettled];
}

/** The store is lost while the server is in the state that the steps before lead to. */
function loseStore(side: Side): readonly Step[] {
  return [
    doIt({ kind: 'kill', side }),
    doIt({ kind: 'wipe', side }),
    doIt({ kind: 'heal' }, 5),
    doIt({ kind: 'start', side }),
    whenSettled,
  ];
}

function declareDown(side: Side): readonly Step[] {
  return [
    whenState(otherSide(side), 'communications-interrupted'),
    doIt({ kind: 'partner-down', side: otherSide(side) }),
  ];
}

function bothDeclareDown(): readonly Step[] {
  return [
    doIt({ kind: 'cut', how: 'closed' }, 30),
    whenState('a', 'communications-interrupted'),
    whenState('b', 'communications-interrupted'),
    doIt({ kind: 'partner-down', side: 'a' }),
    doIt({ kind: 'partner-down', side: 'b' }),
  ];
}

export const SCENARIOS: readonly Scenario[] = [
  { name: 'crash between ACK and BNDUPD', steps: crashAfter('ack') },
  { name: 'crash after BNDUPD', steps: crashAfter('bndupd') },
  { name: 'crash after BNDACK', steps: crashAfter('bndack') },
  {
    name: 'crash between the durable write and BNDACK',
    steps: (side) => [
      doIt({ kind: 'commit-ms', side, ms: 1500 }, 30),
      { when: (world) => world.hosts[side].disk.waitingCount > 3 },
      doIt({ kind: 'kill', side }, 1),
      doIt({ kind: 'commit-ms', side, ms: 5 }),
      doIt({ kind: 'start', side }, 20),
      whenSettled,
    ],
  },
  { name: 'link cut for longer than MCLT, clients roam', steps: cutFor('closed', LONG_SEC) },
  { name: 'link silent for longer than MCLT', steps: cutFor('silent', LONG_SEC) },
  { name: 'one direction lost, from the primary', steps: cutFor('a-to-b', LONG_SEC) },
  { name: 'one direction lost, from the secondary', steps: cutFor('b-to-a', LONG_SEC) },
  { name: 'link silent for less than the receive timer', steps: cutFor('silent', 7) },
  {
    name: 'killed and back within COMMUNICATIONS-INTERRUPTED',
    steps: (side) => [doIt({ kind: 'kill', side }, 30), doIt({ kind: 'start', side }, LONG_SEC), whenSettled],
  },
  {
    name: 'vanished and back',
    steps: (side) => [doIt({ kind: 'vanish', side }, 30), doIt({ kind: 'start', side }, LONG_SEC), whenSettled],
  },
  {
    name: 'partner-down, and back after the waits',
    steps: (side) => [
      doIt({ kind: 'kill', side }, 30),
      ...declareDown(side),
      doIt({ kind: 'start', side }, 3 * LONG_SEC),
      whenSettled,
    ],
  },
  {
    name: 'partner-down, and back before the waits',
    steps: (side) => [
      doIt({ kind: 'vanish', side }, 30),
      ...declareDown(side),
      doIt({ kind: 'start', side }, 20),
      whenSettled,
    ],
  },
  {
    name: 'orderly stop, and back',
    steps: (side) => [
      doIt({ kind: 'shut-down', side }, 30),
      whenState(otherSide(side), 'partner-down'),
      doIt({ kind: 'start', side }, LONG_SEC),
      whenSettled,
    ],
  },
  { name: 'store lost while NORMAL', steps: (side) => [doIt({ kind: 'kill', side }, 60), ...loseStore(side)] },
  {
    name: 'store lost in COMMUNICATIONS-INTERRUPTED',
    steps: (side) => [
      doIt({ kind: 'cut', how: 'closed' }, 30),
      whenState(side, 'communications-interrupted'),
      { afterSec: 60 },
      ...loseStore(side),
    ],
  },
  {
    name: 'store lost with leases of addresses that the partner holds for declined',
    options: { declinePercent: 25 },
    steps: (side) => [
      doIt({ kind: 'cut', how: 'closed' }, 200),
      { afterSec: 2 * LONG_SEC },
      doIt({ kind: 'kill', side }),
      ...loseStore(side),
    ],
  },
  {
    name: 'store lost while the partner is in PARTNER-DOWN',
    steps: (side) => [
      doIt({ kind: 'kill', side }, 30),
      ...declareDown(side),
      { afterSec: LONG_SEC },
      ...loseStore(side),
    ],
  },
  {
    name: 'store lost again in RECOVER',
    steps: (side) => [
      doIt({ kind: 'kill', side }, 30),
      doIt({ kind: 'wipe', side }),
      doIt({ kind: 'cut', how: 'closed' }),
      doIt({ kind: 'start', side }, 5),
      whenState(side, 'recover'),
      ...loseStore(side),
    ],
  },
  {
    name: 'store lost in RECOVER-WAIT',
    steps: (side) => [
      doIt({ kind: 'kill', side }, 30),
      doIt({ kind: 'wipe', side }),
      doIt({ kind: 'start', side }, 5),
      whenState(side, 'recover-wait'),
      ...loseStore(side),
    ],
  },
  {
    name: 'an old copy of the store is put back',
    steps: (side) => [
      doIt({ kind: 'copy', side }, 10),
      doIt({ kind: 'kill', side }, 120),
      doIt({ kind: 'put-back', side }),
      doIt({ kind: 'start', side }, 5),
      whenSettled,
    ],
  },
  {
    name: 'false PARTNER-DOWN on one side',
    isFalseDown: true,
    steps: (side) => [
      doIt({ kind: 'cut', how: 'silent' }, 30),
      whenState(side, 'communications-interrupted'),
      doIt({ kind: 'partner-down', side }),
      doIt({ kind: 'heal' }, 2 * LONG_SEC),
      whenSettled,
    ],
  },
  {
    name: 'false PARTNER-DOWN on both sides',
    isFalseDown: true,
    steps: () => [...bothDeclareDown(), doIt({ kind: 'heal' }, 2 * LONG_SEC), whenSettled],
  },
  {
    name: 'restart in POTENTIAL-CONFLICT',
    isFalseDown: true,
    steps: (side) => [
      ...bothDeclareDown(),
      doIt({ kind: 'heal' }, LONG_SEC),
      doIt({ kind: 'crash-after', side, what: 'bndupd', count: 1 }),
      whenDown(side),
      doIt({ kind: 'start', side }, 30),
      whenSettled,
    ],
  },
  {
    name: 'restart in CONFLICT-DONE',
    isFalseDown: true,
    steps: (side) => [
      ...bothDeclareDown(),
      doIt({ kind: 'heal' }, LONG_SEC),
      whenState('a', 'conflict-done'),
      doIt({ kind: 'kill', side }),
      doIt({ kind: 'start', side }, 30),
      whenSettled,
    ],
    options: { linkLatencyMs: 1200 },
  },
  {
    name: 'store lost in POTENTIAL-CONFLICT',
    isFalseDown: true,
    steps: (side) => [
      ...bothDeclareDown(),
      doIt({ kind: 'heal' }, LONG_SEC),
      whenState(side, 'potential-conflict'),
      ...loseStore(side),
    ],
    options: { linkLatencyMs: 1200 },
  },
  {
    name: 'MCLT made short, a kill, then PARTNER-DOWN',
    options: { mcltSec: 900, leaseSec: 3600 },
    steps: (side) => [
      doIt({ kind: 'cut', how: 'closed' }, 120),
      doIt({ kind: 'heal' }, 100),
      whenSettled,
      doIt({ kind: 'set-mclt', sec: 60 }, 10),
      doIt({ kind: 'kill', side }, 2),
      ...declareDown(side),
      doIt({ kind: 'start', side }, 1500),
      whenSettled,
    ],
  },
  {
    name: 'the client interface is down and the server knows it',
    steps: (side) => [
      doIt({ kind: 'lan-cut', side, isKnown: true }, 30),
      doIt({ kind: 'lan-heal', side }, LONG_SEC),
      whenSettled,
    ],
  },
  {
    name: 'the client interface is down and nobody knows it',
    steps: (side) => [
      doIt({ kind: 'lan-cut', side, isKnown: false }, 30),
      doIt({ kind: 'lan-heal', side }, LONG_SEC),
      whenSettled,
    ],
  },
  {
    name: 'a slow disk',
    steps: (side) => [
      doIt({ kind: 'commit-ms', side, ms: 4000 }, 30),
      doIt({ kind: 'commit-ms', side, ms: 5 }, LONG_SEC),
      whenSettled,
    ],
  },
  {
    name: 'automatic partner-down after a kill',
    options: { autoPartnerDownSec: 60 },
    steps: (side) => [
      doIt({ kind: 'kill', side }, 30),
      whenState(otherSide(side), 'partner-down'),
      doIt({ kind: 'start', side }, LONG_SEC),
      whenSettled,
    ],
  },
];

/** The world of a scenario: leases of some minutes, addresses a little short. */
export function scenarioWorld(scenario: Scenario, mode: RelationshipMode, side: Side, seed: number): SimOptions {
  return {
    name: `${scenario.name} (${mode}, ${side})`,
    seed,
    minutes: 0,
    drainSecMax: 3600,
    faults: scenario.steps(side),
    mode,
    percentage: mode === 'LoadBalance' ? 50 : 10,
    called: seed % 2 === 0 ? 'a' : 'b',
    active: seed % 3 === 0 ? 'b' : 'a',
    mcltSec: 120,
    leaseSec: 600,
    autoPartnerDownSec: null,
    poolSizes: [40],
    clients: 36,
    skewMs: { a: 1800, b: -1900 },
    lossPercent: 1,
    duplicatePercent: 2,
    linkLatencyMs: 20,
    commitMs: 5,
    stayMeanSec: 120,
    declinePercent: 1,
    ...scenario.options,
  };
}
