/** What a simulated world is made of: the pairs, their scopes, their clients, and how bad the networks and disks are. */
import type { RelationshipMode } from '../core/config/model.ts';
import type { HostName, Side } from './sides.ts';

export interface WorldOptions {
  readonly seed: number;
  readonly mode: RelationshipMode;
  /** LoadBalance: the primary's share. HotStandby: the reserve of the standby. */
  readonly percentage: number;
  /** The server on which the relationship is created; it serves alone before. */
  readonly called: Side;
  /** HotStandby: who answers. */
  readonly active: Side;
  readonly mcltSec: number;
  readonly leaseSec: number;
  readonly autoPartnerDownSec: number | null;
  /** One scope for each: how many addresses its range has. The first is on the servers' wire, the others behind relays. */
  readonly poolSizes: readonly number[];
  /** The pair that each scope belongs to, as a number of `PAIRS`; all to the first when absent. */
  readonly pairOfScope?: readonly number[];
  readonly clients: number;
  /** `plain`: as the RFCs have them. `all`: also clones, movers, BOOTP, reserved ones, and those that ignore what they are told. */
  readonly habits?: 'plain' | 'all';
  /** How far each server's wall clock is off. */
  readonly skewMs: Readonly<Record<Side, number>>;
  readonly driftPpm?: Readonly<Record<HostName, number>>;
  /** Of the packets between clients and servers. */
  readonly lossPercent: number;
  readonly duplicatePercent: number;
  /** Packets that come much later than those sent after them. */
  readonly latePercent?: number;
  readonly linkLatencyMs: number;
  readonly commitMs: number;
  /** Mean time that a client stays before it reboots, releases or goes away. */
  readonly stayMeanSec: number;
  /** How often a client finds its new address in use. */
  readonly declinePercent: number;
  /** Mean time between two faults that chance makes. */
  readonly faultGapSec?: number;
  /** An operator declares partners down that serve: then P1 does not hold. */
  readonly operatorErrs?: boolean;
}

/** The pairs of the world that have a scope. */
export function pairsOf(options: WorldOptions): number[] {
  return [...new Set(options.poolSizes.map((_size, scope) => pairOfScope(options, scope)))].sort((a, b) => a - b);
}

export function pairOfScope(options: WorldOptions, scope: number): number {
  return options.pairOfScope?.[scope] ?? 0;
}
