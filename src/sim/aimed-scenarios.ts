/** Situations that chance seldom brings about: a full window, one address at two clients, a share that is used up, a start alone. */
import {
  bothDeclareDown,
  cutFor,
  declareDown,
  doIt,
  LONG_SEC,
  loseStore,
  type Scenario,
  whenSettled,
  whenState,
} from './scenario-steps.ts';
import { otherSide } from './sides.ts';

export const AIMED_SCENARIOS: readonly Scenario[] = [
  {
    name: 'more addresses change than the window of updates takes',
    options: { poolSizes: [160], clients: 120, stayMeanSec: 30 },
    steps: () => [
      doIt({ kind: 'answers', side: 'a', how: 'none' }, 30),
      doIt({ kind: 'answers', side: 'b', how: 'none' }),
      doIt({ kind: 'answers', side: 'a', how: 'right' }, 50),
      doIt({ kind: 'answers', side: 'b', how: 'right' }),
      { afterSec: 60 },
      whenSettled,
    ],
  },
  {
    name: 'both sides lease the same addresses in a false PARTNER-DOWN',
    isFalseDown: true,
    // Addresses that were given back wait, so each takes what the other had for free, and has leased meanwhile.
    options: { poolSizes: [60], clients: 70, stayMeanSec: 30 },
    steps: () => [...bothDeclareDown(), doIt({ kind: 'heal' }, LONG_SEC), whenSettled],
  },
  {
    name: 'the own share is used up without contact',
    options: { clients: 60, stayMeanSec: 40 },
    steps: cutFor('closed', LONG_SEC),
  },
  {
    name: 'started while the partner cannot be reached',
    steps: (side) => [
      doIt({ kind: 'kill', side }, 30),
      doIt({ kind: 'cut', how: 'closed' }),
      doIt({ kind: 'start', side }, 20),
      whenState(side, 'communications-interrupted'),
      doIt({ kind: 'heal' }, 60),
      whenSettled,
    ],
  },
  {
    name: 'restart in PARTNER-DOWN while its waits run',
    options: { poolSizes: [60], clients: 52, stayMeanSec: 30 },
    steps: (side) => [
      doIt({ kind: 'kill', side }, 30),
      ...declareDown(side),
      doIt({ kind: 'kill', side: otherSide(side) }, 5),
      doIt({ kind: 'start', side: otherSide(side) }, 5),
      doIt({ kind: 'start', side }, 2 * LONG_SEC),
      whenSettled,
    ],
  },
  {
    name: 'leases of long ago end in PARTNER-DOWN while the partner is told of them over a slow link',
    options: { leaseSec: 120 },
    steps: (side) => [
      doIt({ kind: 'kill', side }, 60),
      ...declareDown(side),
      // Nothing ends meanwhile.
      doIt({ kind: 'clock', side: otherSide(side), isTrusted: false }, 30),
      doIt({ kind: 'wipe', side }, 3 * LONG_SEC),
      doIt({ kind: 'link-latency', ms: 1400 }),
      doIt({ kind: 'start', side }),
      whenState(side, 'recover'),
      doIt({ kind: 'clock', side: otherSide(side), isTrusted: true }, 3),
      whenSettled,
    ],
  },
  {
    name: 'store lost in POTENTIAL-CONFLICT with leases that it gave alone',
    isFalseDown: true,
    options: { linkLatencyMs: 1200, poolSizes: [80], clients: 80, stayMeanSec: 30 },
    steps: (side) => [
      ...bothDeclareDown(),
      doIt({ kind: 'heal' }, 90),
      whenState(side, 'potential-conflict'),
      ...loseStore(side),
    ],
  },
];
