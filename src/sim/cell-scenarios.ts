/**
 * Situations for the cells of failover specification 4.3 and 4.4 that chance seldom comes to, because a state lasts only for a moment
 * or two servers must fail in one order: a restart in every state, alone and with the partner; contact lost, a word of the operator, or
 * a second STATE of a partner in STARTUP in the very state.
 */
import { type OwnState, printed } from './cells.ts';
import {
  bothDeclareDown,
  declareDown,
  doIt,
  LONG_SEC,
  recovering,
  type Scenario,
  whenSettled,
  whenState,
} from './scenario-steps.ts';
import { otherSide, type Side } from './sides.ts';
import type { SimOptions, Step } from './simulate.ts';

/** So slow a link that a state which ends with the partner's next STATE lasts long enough to be met. */
const SLOW: Partial<SimOptions> = { linkLatencyMs: 1400 };
/** A disk so slow that the STATE which leads out of a state leaves seconds after the one before it. */
const SLOW_COMMIT_MS = 2500;
const LATENCY_MS = 20;
const COMMIT_MS = 5;
/** Longer than STARTUP waits, after a short absence or a long one. */
const STARTUP_SEC = 70;
/** Specification 4.4: an UPDREQ without UPDDONE is given up after this. */
const ANSWER_SEC = 75;

interface Lead {
  readonly into: OwnState;
  readonly steps: (side: Side) => readonly Step[];
  readonly isFalseDown?: boolean;
  readonly options?: Partial<SimOptions>;
  /** Only a server whose partner is gone comes to the state. */
  readonly isPartnerDead?: boolean;
}

function intoConflict(side: Side): readonly Step[] {
  return [...bothDeclareDown(), doIt({ kind: 'heal' }, LONG_SEC), whenState(side, 'potential-conflict')];
}

const LEADS: readonly Lead[] = [
  {
    into: 'recover',
    steps: (side) => [
      doIt({ kind: 'kill', side }, 30),
      doIt({ kind: 'wipe', side }),
      doIt({ kind: 'cut', how: 'closed' }),
      doIt({ kind: 'start', side }, 5),
      whenState(side, 'recover'),
      { afterSec: 2 },
    ],
  },
  { into: 'recover-wait', steps: (side) => recovering(side) },
  {
    into: 'recover-done',
    options: SLOW,
    steps: (side) => [...recovering(side), whenState(side, 'recover-done')],
  },
  { into: 'normal', steps: () => [{ afterSec: 30 }] },
  {
    into: 'communications-interrupted',
    steps: (side) => [
      doIt({ kind: 'cut', how: 'closed' }, 30),
      whenState(side, 'communications-interrupted'),
      { afterSec: 5 },
    ],
  },
  {
    into: 'partner-down',
    isPartnerDead: true,
    steps: (side) => [
      doIt({ kind: 'kill', side: otherSide(side) }, 30),
      ...declareDown(otherSide(side)),
      { afterSec: 5 },
    ],
  },
  { into: 'potential-conflict', isFalseDown: true, options: SLOW, steps: intoConflict },
  {
    into: 'resolution-interrupted',
    isFalseDown: true,
    options: SLOW,
    steps: (side) => [
      ...intoConflict(side),
      doIt({ kind: 'cut', how: 'closed' }),
      whenState(side, 'resolution-interrupted'),
      { afterSec: 2 },
    ],
  },
  {
    into: 'conflict-done',
    isFalseDown: true,
    options: SLOW,
    steps: () => [...bothDeclareDown(), doIt({ kind: 'heal' }, LONG_SEC), whenState('a', 'conflict-done')],
  },
];

/** Specification 4.3 with every state to come back to. Only the primary is ever in CONFLICT-DONE; then the secondary's restart is of another. */
const RESTARTS: readonly Scenario[] = LEADS.flatMap(
  ({ into, steps, isFalseDown, options, isPartnerDead }): Scenario[] => {
    const common = { isBrief: true, ...(isFalseDown && { isFalseDown }), ...(options && { options }) };
    return [
      {
        ...common,
        name: `restart in ${printed(into)}, without the partner`,
        steps: (side) => [
          ...steps(side),
          doIt({ kind: 'kill', side }),
          ...(isPartnerDead ? [] : [doIt({ kind: 'cut', how: 'closed' })]),
          doIt({ kind: 'start', side }, 5),
          { afterSec: STARTUP_SEC },
          doIt(isPartnerDead ? { kind: 'start', side: otherSide(side) } : { kind: 'heal' }),
          whenSettled,
        ],
      },
      {
        ...common,
        name: `restart in ${printed(into)}, with the partner`,
        steps: (side) => [
          ...steps(side),
          doIt({ kind: 'kill', side }),
          doIt({ kind: 'heal' }),
          doIt({ kind: 'start', side }, 5),
          ...(isPartnerDead ? [doIt({ kind: 'start', side: otherSide(side) })] : []),
          whenSettled,
        ],
      },
    ];
  },
);

/**
 * B starts, A has gone to the state by its STATE with the flag, and B tells another one before it has heard A. B is the one that
 * starts, because the secondary is told with CONNECT what it needs to speak first; what A says waits for its slow disk.
 */
function recoverAllInStartup(state: OwnState): readonly Step[] {
  return [
    doIt({ kind: 'commit-ms', side: 'a', ms: SLOW_COMMIT_MS }),
    doIt({ kind: 'start', side: 'b' }),
    { when: ({ hosts }) => hosts.a.state() === state && hosts.b.state() === 'startup' },
    doIt({ kind: 'recover-all', side: 'b' }),
    doIt({ kind: 'commit-ms', side: 'a', ms: COMMIT_MS }),
    whenSettled,
  ];
}

const EVENTS: readonly Scenario[] = [
  {
    name: 'RECOVER-WAIT ends without the partner, which then comes back',
    isBrief: true,
    steps: (side) => [
      ...recovering(side),
      doIt({ kind: 'kill', side: otherSide(side) }),
      whenState(side, 'recover-done'),
      doIt({ kind: 'start', side: otherSide(side) }, 10),
      whenSettled,
    ],
  },
  {
    name: 'contact lost in RECOVER-DONE',
    isBrief: true,
    options: SLOW,
    steps: (side) => [...recovering(side), whenState(side, 'recover-done'), doIt({ kind: 'reset' }), whenSettled],
  },
  {
    name: 'contact lost in RESOLUTION-INTERRUPTED, before the partner has left STARTUP',
    isBrief: true,
    isFalseDown: true,
    options: SLOW,
    steps: () => [
      ...intoConflict('a'),
      whenState('b', 'potential-conflict'),
      doIt({ kind: 'kill', side: 'b' }),
      doIt({ kind: 'link-latency', ms: LATENCY_MS }),
      doIt({ kind: 'commit-ms', side: 'b', ms: SLOW_COMMIT_MS }),
      doIt({ kind: 'start', side: 'b' }, 20),
      { when: ({ hosts }) => hosts.a.state() === 'resolution-interrupted' && hosts.a.isCommunicating() },
      doIt({ kind: 'reset' }),
      doIt({ kind: 'commit-ms', side: 'b', ms: COMMIT_MS }),
      whenSettled,
    ],
  },
  {
    name: 'PARTNER-DOWN is declared in RESOLUTION-INTERRUPTED',
    isBrief: true,
    isFalseDown: true,
    options: SLOW,
    steps: (side) => [
      ...intoConflict(side),
      doIt({ kind: 'kill', side: otherSide(side) }),
      whenState(side, 'resolution-interrupted'),
      doIt({ kind: 'partner-down', side }, 10),
      doIt({ kind: 'start', side: otherSide(side) }, LONG_SEC),
      whenSettled,
    ],
  },
  {
    name: 'killed again right after a restart, and the partner goes on alone',
    isBrief: true,
    options: { clients: 60, stayMeanSec: 20 },
    steps: (side) => [
      doIt({ kind: 'kill', side }, 30),
      doIt({ kind: 'start', side }, LONG_SEC),
      whenSettled,
      doIt({ kind: 'kill', side }, 6),
      ...declareDown(side),
      doIt({ kind: 'start', side }, 5),
      whenSettled,
    ],
  },
  {
    name: 'what a server in RECOVER asked for never comes',
    isBrief: true,
    steps: (side) => [
      doIt({ kind: 'kill', side }, 30),
      doIt({ kind: 'wipe', side }),
      doIt({ kind: 'answers', side, how: 'none' }),
      doIt({ kind: 'start', side }, 5),
      whenState(side, 'recover'),
      doIt({ kind: 'answers', side, how: 'right' }, ANSWER_SEC),
      whenSettled,
    ],
  },
  {
    name: 'the operator orders recovery of everything in STARTUP, the partner is in NORMAL already',
    isBrief: true,
    steps: () => [doIt({ kind: 'kill', side: 'b' }, 30), { afterSec: 20 }, ...recoverAllInStartup('normal')],
  },
  {
    name: 'the operator orders recovery of everything in STARTUP, the partner is in POTENTIAL-CONFLICT',
    isBrief: true,
    isFalseDown: true,
    options: SLOW,
    steps: () => [
      ...intoConflict('a'),
      whenState('b', 'potential-conflict'),
      doIt({ kind: 'kill', side: 'b' }),
      doIt({ kind: 'wipe', side: 'b' }),
      doIt({ kind: 'link-latency', ms: LATENCY_MS }),
      { afterSec: 20 },
      ...recoverAllInStartup('potential-conflict'),
    ],
  },
];

/** Rows of 5.2 and 5.3 that want more than time. */
const MOVES: readonly Scenario[] = [
  {
    name: 'ownership moves and their way back cross on a link that breaks',
    options: { linkLatencyMs: 1400, clients: 12, stayMeanSec: 40 },
    steps: (side) =>
      [90, 10, 80, 20, 95, 5, 90, 10].flatMap((percentage): Step[] => [
        doIt({ kind: 'set', side, change: { percentage } }, 6),
        doIt({ kind: 'reset' }, 8),
      ]),
  },
  {
    name: 'the operator takes declined addresses back',
    isBrief: true,
    options: { declinePercent: 25 },
    steps: (side) => [
      doIt({ kind: 'reset-aside', side }, 60),
      doIt({ kind: 'reset-aside', side: otherSide(side) }, 60),
      { afterSec: 60 },
      whenSettled,
    ],
  },
  {
    name: 'clients with reservations, of which some lie among the addresses of the partner',
    isBrief: true,
    options: { habits: 'all', clients: 60, poolSizes: [80] },
    steps: () => [{ afterSec: LONG_SEC }, whenSettled],
  },
];

export const CELL_SCENARIOS: readonly Scenario[] = [...RESTARTS, ...EVENTS, ...MOVES];
