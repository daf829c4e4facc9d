/**
 * The situations that failover specification 7 names, as scripts over a fixed world: each must come to rest by itself, and
 * without a breach of any rule but those that a false PARTNER-DOWN voids.
 */
import type { RelationshipMode } from '../core/config/model.ts';
import { AIMED_SCENARIOS } from './aimed-scenarios.ts';
import { CELL_SCENARIOS } from './cell-scenarios.ts';
import {
  bothDeclareDown,
  crashAfter,
  cutFor,
  declareDown,
  doIt,
  LONG_SEC,
  loseStore,
  recovering,
  type Scenario,
  whenDown,
  whenSettled,
  whenState,
} from './scenario-steps.ts';
import { otherSide, SIDES, type Side } from './sides.ts';
import type { SimOptions, Step } from './simulate.ts';

export type { Scenario } from './scenario-steps.ts';

/** The partner of a server in this state, and in contact, goes PAUSED or SHUTDOWN: the last columns of specification 4.4. */
const LEADS: readonly {
  readonly state: string;
  readonly isFalseDown?: boolean;
  readonly steps: (side: Side) => readonly Step[];
}[] = [
  { state: 'normal', steps: () => [{ afterSec: 30 }] },
  { state: 'communications-interrupted', steps: (side) => recovering(otherSide(side)) },
  { state: 'partner-down', steps: (side) => recovering(otherSide(side), declareDown(otherSide(side))) },
  { state: 'recover', steps: (side) => [...loseStore(side).slice(0, -1), whenState(side, 'recover')] },
  { state: 'recover-wait', steps: (side) => recovering(side) },
  {
    state: 'potential-conflict',
    isFalseDown: true,
    steps: (side) => [
      ...bothDeclareDown(),
      doIt({ kind: 'heal' }, LONG_SEC),
      whenState(side, 'potential-conflict'),
      { afterSec: 1 },
    ],
  },
];

const ANNOUNCED: readonly Scenario[] = LEADS.flatMap(({ state, isFalseDown, steps }) => [
  {
    name: `the partner pauses in ${state}`,
    options: { linkLatencyMs: 300 },
    ...(isFalseDown && { isFalseDown }),
    steps: (side) => [
      ...steps(side),
      doIt({ kind: 'pause', side: otherSide(side) }),
      doIt({ kind: 'resume', side: otherSide(side) }, 40),
      whenSettled,
    ],
  },
  {
    name: `the partner shuts down in ${state}`,
    options: { linkLatencyMs: 300 },
    ...(isFalseDown && { isFalseDown }),
    steps: (side) => [
      ...steps(side),
      doIt({ kind: 'shut-down', side: otherSide(side) }),
      doIt({ kind: 'start', side: otherSide(side) }, 40),
      whenSettled,
    ],
  },
]);

/** What operators change on both servers, and a crash in the middle of it. */
const CHANGES: readonly Scenario[] = [
  {
    name: 'mode, percentage and MCLT are changed, and back',
    steps: (side) => [
      doIt({ kind: 'set', side, change: { mode: 'HotStandby', percentage: 30 } }, 30),
      doIt({ kind: 'set', side: otherSide(side), change: { mode: 'LoadBalance', percentage: 80 } }, 60),
      doIt({ kind: 'set', side, change: { mcltSec: 60 } }, 60),
      doIt({ kind: 'set', side, change: { mcltSec: 120 } }, 60),
      whenSettled,
    ],
  },
  {
    name: 'a scope leaves the relationship and comes back',
    options: { poolSizes: [40, 40] },
    steps: (side) => [
      doIt({ kind: 'remove-scope', side }, 60),
      doIt({ kind: 'add-scope', side }, LONG_SEC),
      { afterSec: LONG_SEC },
    ],
  },
  {
    name: 'the relationship is removed and made again',
    steps: (side) => [
      doIt({ kind: 'remove-relationship', side }, 60),
      doIt({ kind: 'add-relationship', side }, LONG_SEC),
      { afterSec: LONG_SEC },
    ],
  },
  ...[1, 2, 3, 4].map(
    (count): Scenario => ({
      name: `crash at step ${count} of a change of two servers`,
      options: { poolSizes: [40, 40] },
      steps: (side) => [
        doIt({ kind: 'crash-at', side, what: 'change', count }, 60),
        doIt({ kind: 'remove-scope', side: 'a' }),
        doIt({ kind: 'kill', side }, 15),
        doIt({ kind: 'start', side }, 15),
        { afterSec: 60 },
      ],
    }),
  ),
];

/** Each clock's part of the allowance of 5 s. One second of that goes by times being whole seconds. */
const APART_MS = 2000;

/** What the networks, disks, clocks and the partner itself do. */
const NETWORKS: readonly Scenario[] = [
  ...[1, -1].map(
    (sign): Scenario => ({
      name: `clocks as far apart as is allowed for, the primary ${sign > 0 ? 'ahead' : 'behind'}`,
      options: { skewMs: { a: sign * APART_MS, b: -sign * APART_MS } },
      steps: (side) => [
        doIt({ kind: 'cut', how: 'closed' }, 30),
        doIt({ kind: 'heal' }, LONG_SEC),
        whenSettled,
        doIt({ kind: 'kill', side }, 10),
        ...declareDown(side),
        doIt({ kind: 'start', side }, LONG_SEC),
        whenSettled,
      ],
    }),
  ),
  {
    name: 'duelling ownership moves',
    options: { linkLatencyMs: 1400, clients: 24, stayMeanSec: 40 },
    steps: (side) =>
      [90, 10, 80, 20, 95, 5].map((percentage) => doIt({ kind: 'set', side, change: { percentage } }, 12)),
  },
  {
    name: 'duelling RELEASE and renewal',
    options: {
      linkLatencyMs: 1400,
      stayMeanSec: 15,
      lossPercent: 10,
      duplicatePercent: 30,
      latePercent: 20,
      leaseSec: 60,
    },
    steps: () => [doIt({ kind: 'lan-loss', percent: 30 }, 60), { afterSec: LONG_SEC }],
  },
  {
    name: 'a partner that never acknowledges',
    steps: (side) => [
      doIt({ kind: 'answers', side, how: 'none' }, 30),
      doIt({ kind: 'answers', side, how: 'right' }, LONG_SEC),
      whenSettled,
    ],
  },
  {
    name: 'a partner that refuses everything',
    steps: (side) => [
      doIt({ kind: 'answers', side, how: 'refusals' }, 30),
      doIt({ kind: 'answers', side, how: 'right' }, LONG_SEC),
      { afterSec: 60 },
    ],
  },
  {
    name: 'connections that break again and again',
    steps: () => Array.from({ length: 12 }, (_none, i) => doIt({ kind: 'reset' }, 2 + 3 * i)),
  },
  {
    name: 'the disk is full',
    steps: (side) => [
      doIt({ kind: 'disk-full', side }, 30),
      whenDown(side),
      doIt({ kind: 'disk-free', side }, 60),
      doIt({ kind: 'start', side }),
      whenSettled,
    ],
  },
  {
    name: 'a clock is set forward and backward',
    steps: (side) => [
      doIt({ kind: 'clock-step', side, byMs: 3_600_000 }, 30),
      doIt({ kind: 'clock-step', side, byMs: 0 }, 90),
      doIt({ kind: 'clock-step', side, byMs: -3_600_000 }, 60),
      doIt({ kind: 'clock-step', side, byMs: 0 }, 90),
      whenSettled,
    ],
  },
  {
    name: 'the operator orders recovery of everything',
    steps: (side) => [doIt({ kind: 'recover-all', side }, 60), whenSettled],
  },
  {
    name: 'recovery of everything while ends wait for their answers',
    options: { linkLatencyMs: 800, stayMeanSec: 20 },
    steps: (side) => [
      doIt({ kind: 'recover-all', side }, 60),
      whenSettled,
      doIt({ kind: 'recover-all', side }, 60),
      whenSettled,
    ],
  },
  {
    name: 'three servers in a ring, one of them dies',
    options: { poolSizes: [30, 30, 30], pairOfScope: [0, 1, 2], clients: 60 },
    steps: (side) => [
      doIt({ kind: 'kill', side }, 60),
      doIt({ kind: 'start', side }, LONG_SEC),
      doIt({ kind: 'vanish', side: 'c' }, 60),
      doIt({ kind: 'start', side: 'c' }, LONG_SEC),
      whenSettled,
    ],
  },
];

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
    name: 'store lost in PARTNER-DOWN, while the partner recovers',
    isBrief: true,
    steps: (side) => [
      doIt({ kind: 'kill', side: otherSide(side) }, 30),
      // Longer than the clocks are apart: else the partner cannot tell that it was held for down after it had served.
      { afterSec: 10 },
      ...declareDown(otherSide(side)),
      doIt({ kind: 'start', side: otherSide(side) }, 20),
      whenState(otherSide(side), 'recover-wait'),
      { afterSec: 10 },
      ...loseStore(side),
    ],
  },
  {
    name: 'store lost in PARTNER-DOWN, and the partner is back when what was given has ended',
    isBrief: true,
    steps: (side) => [
      doIt({ kind: 'kill', side: otherSide(side) }, 30),
      ...declareDown(otherSide(side)),
      { afterSec: 2 * LONG_SEC },
      ...loseStore(side).slice(0, -1),
      doIt({ kind: 'start', side: otherSide(side) }, LONG_SEC),
      whenSettled,
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
  ...CHANGES,
  ...ANNOUNCED,
  ...NETWORKS,
  ...AIMED_SCENARIOS,
  ...CELL_SCENARIOS,
];

/** The worlds that a scenario is run in: both modes, either server. Their seeds follow each other. */
export function scenarioWorlds(scenario: Scenario, firstSeed: number): SimOptions[] {
  const modes = ['LoadBalance', 'HotStandby'] as const;
  const places = modes.flatMap((mode) => SIDES.map((side) => ({ mode, side })));
  const isRun = (i: number): boolean => scenario.isBrief !== true || i === firstSeed % 2 || i === 3 - (firstSeed % 2);
  return places.flatMap(({ mode, side }, i) => (isRun(i) ? [scenarioWorld(scenario, mode, side, firstSeed + i)] : []));
}

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
