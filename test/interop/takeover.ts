/**
 * What clients notice when one server of a pair is killed, its machine vanishes, or the link to the other is dead, under a steady load of new clients and
 * renewals: for this project's pair in both modes, and beside it the pairs of ISC dhcpd and Kea where they are installed, each with its
 * default settings. Ours is held to its promises; the others are measured.
 */
import { execFileSync } from 'node:child_process';
import { CrowdProcess } from '../support/crowd-client.ts';
import type { CrowdReport } from '../support/crowd-process.ts';
import { eventually } from '../support/eventually.ts';
import { LINK, Machines } from '../support/namespace-pair.ts';
import { isc } from './isc.ts';
import { keaHotStandby, keaLoadBalance } from './kea.ts';
import type { Product, RunningPair, ScopeSetup } from './product.ts';
import { twinleaseHotStandby, twinleaseLoadBalance } from './twinlease.ts';

export const PRODUCTS: readonly Product[] = [
  twinleaseLoadBalance,
  twinleaseHotStandby,
  isc,
  keaLoadBalance,
  keaHotStandby,
];

const NETWORK = { scopeId: '10.96.0.0', prefixLength: 16, subnetMask: '255.255.0.0' };
/** The share of either server is above the demand, also the 5 % of a hot standby. */
const LARGE: ScopeSetup = { ...NETWORK, startRange: '10.96.1.0', endRange: '10.96.254.255', size: 65_024 };
const SMALL: ScopeSetup = { ...NETWORK, startRange: '10.96.1.0', endRange: '10.96.8.207', size: 2000 };
const SERVERS = ['10.96.0.1', '10.96.0.2'] as const;
const RELAY = '10.96.0.3';
const NEW_PER_SEC = 100;
const RENEWALS_PER_SEC = 100;
const CONFIRMATIONS_PER_SEC = NEW_PER_SEC + RENEWALS_PER_SEC;
/** RFC 2131 4.1, without the random part: 4, 8, 16, 16 ... seconds. */
const RETRANSMIT_MS = 4000;
const BOUNDS_MS = { kill: 10_000, vanish: 15_000, cut: 15_000 } as const;
/** Longer than any product takes to believe that its partner is gone. */
const CUT_SEC = 105;
/** After the load has ended, for those who still wait. */
const SETTLE_MS = 110_000;
/** A pair that leaves more clients waiting, or takes longer to answer, is not serving. */
const WAITING_BEFORE_MAX = 20;
const ANSWER_SEC_MAX = 3;
/** All clients come by once in this time, with some to spare. */
const CONFIRM_MS = 120_000;

export interface TakeoverCase {
  /** The first server is killed; its machine vanishes; the link between the two, and nothing else, is dead for a while. */
  readonly fault: 'kill' | 'vanish' | 'cut';
  readonly scope: 'large' | 'small';
}

interface Plan extends TakeoverCase {
  readonly setup: ScopeSetup;
  readonly beforeSec: number;
  readonly afterSec: number;
}

export interface TakeoverResult {
  readonly product: string;
  readonly settings: string;
  readonly fault: TakeoverCase['fault'];
  readonly addresses: number;
  readonly run: number;
  readonly passed: boolean;
  /** Why it did not pass, or was not run. */
  readonly why?: string;
  readonly measured?: {
    readonly clients: number;
    readonly leasesAtFault: number;
    /** Longest from wanting a lease or a renewal to the ACK, after the fault, also of those who were never served. */
    readonly longestWaitMs: number;
    /** Clients whose first message was not answered. */
    readonly waited: number;
    /** From the fault until the last of them was served. */
    readonly lastServedMs: number;
    readonly stillWaiting: number;
    readonly lostLeases: number;
    readonly moved: number;
    readonly refused: number;
    readonly duplicates: number;
  };
}

export function casesOf(product: Product): readonly TakeoverCase[] {
  const all: readonly TakeoverCase[] = [
    { fault: 'kill', scope: 'large' },
    { fault: 'vanish', scope: 'large' },
    { fault: 'cut', scope: 'large' },
    { fault: 'kill', scope: 'small' },
  ];
  return product.isOurs ? all : all.filter(({ fault }) => fault !== 'vanish');
}

/** The first program that is not there. */
export function missingProgram(product: Product): string | undefined {
  return product.programs.find((program) => {
    try {
      execFileSync('sh', ['-c', 'command -v "$0"', program], { stdio: 'ignore' });
      return false;
    } catch {
      return true;
    }
  });
}

export async function takeover(product: Product, which: TakeoverCase, run: number): Promise<TakeoverResult> {
  const plan: Plan =
    which.scope === 'large'
      ? { ...which, setup: LARGE, beforeSec: 20, afterSec: which.fault === 'cut' ? CUT_SEC : 20 }
      : { ...which, setup: SMALL, beforeSec: 10, afterSec: 9 };
  const shown = {
    product: product.name,
    settings: product.settings,
    fault: plan.fault,
    addresses: plan.setup.size,
    run,
  };
  const machines = new Machines({ label: 't', addresses: [`${SERVERS[0]}/16`, `${SERVERS[1]}/16`, `${RELAY}/16`] });
  let pair: RunningPair | undefined;
  let crowd: CrowdProcess | undefined;
  try {
    pair = await product.open(machines, plan.setup);
    crowd = await CrowdProcess.open(machines.clients, {
      servers: SERVERS.map((address, index) => ({ name: `server${index + 1}`, address, port: 67 })),
      relayAddress: RELAY,
      relayPort: 67,
      links: [plan.setup.scopeId],
      retransmitMs: RETRANSMIT_MS,
    });
    const measured = await measure(machines, pair, crowd, plan);
    const why = product.isOurs ? brokenPromise(plan, measured) : undefined;
    return { ...shown, passed: why === undefined, measured, ...(why === undefined ? {} : { why }) };
  } catch (error) {
    return { ...shown, passed: false, why: String(error) };
  } finally {
    crowd?.close();
    await pair?.close();
    machines.remove();
  }
}

async function measure(
  machines: Machines,
  pair: RunningPair,
  crowd: CrowdProcess,
  plan: Plan,
): Promise<NonNullable<TakeoverResult['measured']>> {
  await crowd.tell({ kind: 'load', newPerSec: NEW_PER_SEC, renewalsPerSec: RENEWALS_PER_SEC });
  await passes(plan.beforeSec);
  const before = await crowd.report();
  if (before.waiting > WAITING_BEFORE_MAX || before.bound < NEW_PER_SEC * (plan.beforeSec - ANSWER_SEC_MAX))
    throw new Error(`the pair did not serve before the fault: ${JSON.stringify(before)}`);
  await crowd.tell({ kind: 'mark' });
  const [first] = machines.hosts;
  if (plan.fault === 'kill') await pair.killFirst();
  else if (plan.fault === 'vanish') machines.vanish(first);
  else machines.network.setLink(first, LINK, 'down');
  await passes(plan.afterSec);
  if (plan.fault === 'cut') machines.network.setLink(first, LINK, 'up');
  await crowd.tell({ kind: 'load', newPerSec: 0, renewalsPerSec: 0 });
  const served = await settled(crowd);
  const lost = await confirm(crowd);
  return {
    clients: served.clients,
    leasesAtFault: served.sinceMark.heldAtMark,
    longestWaitMs: served.longestWaitMs,
    waited: served.sinceMark.waited + served.waiting,
    lastServedMs: served.sinceMark.lastWaitEndedMs,
    stillWaiting: served.waiting,
    lostLeases: lost.sinceMark.unconfirmed,
    moved: lost.moved,
    refused: lost.naks,
    duplicates: lost.duplicates,
  };
}

/** Until nobody waits, or those who do have been given up. */
async function settled(crowd: CrowdProcess): Promise<CrowdReport> {
  let last = await crowd.report();
  await eventually('nobody waits', SETTLE_MS, async () => {
    last = await crowd.report();
    return last.bound === last.clients && last.waiting === 0 ? true : undefined;
  }).catch(() => undefined);
  return last;
}

/** Renews all leases in turn, as many a second as the load had exchanges, until each that was held at the fault is confirmed or time is up. */
async function confirm(crowd: CrowdProcess): Promise<CrowdReport> {
  let last = await crowd.tell({ kind: 'load', newPerSec: 0, renewalsPerSec: CONFIRMATIONS_PER_SEC });
  await eventually('every lease is confirmed', CONFIRM_MS, async () => {
    last = await crowd.report();
    return last.sinceMark.unconfirmed === 0 ? true : undefined;
  }).catch(() => undefined);
  return last;
}

function brokenPromise(plan: Plan, measured: NonNullable<TakeoverResult['measured']>): string | undefined {
  const { duplicates, lostLeases, longestWaitMs, moved, refused, stillWaiting } = measured;
  if (duplicates > 0) return `${duplicates} addresses were given to two clients`;
  if (lostLeases > 0 || moved > 0 || refused > 0)
    return `${lostLeases} leases were lost, ${moved} moved, ${refused} refused`;
  // With 2,000 addresses the survivor's own share is smaller than the demand: some have to wait, and the result says how many.
  if (plan.scope === 'small') return undefined;
  const bound = BOUNDS_MS[plan.fault];
  if (stillWaiting > 0 || longestWaitMs > bound)
    return `a client waited ${longestWaitMs} ms, more than ${bound}; ${stillWaiting} still wait`;
  return undefined;
}

/** The load goes on for so long; this is the length of the measurement, not a wait for something. */
async function passes(seconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}
