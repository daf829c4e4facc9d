/** What a simulated world is made of: the pair, its scopes, its clients, and how bad the networks and disks are. */
import type { RelationshipMode } from '../core/config/model.ts';
import type { Side } from './sides.ts';

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
  readonly clients: number;
  /** How far each server's wall clock is off. */
  readonly skewMs: Readonly<Record<Side, number>>;
  /** Of the packets between clients and servers. */
  readonly lossPercent: number;
  readonly duplicatePercent: number;
  readonly linkLatencyMs: number;
  readonly commitMs: number;
  /** Mean time that a client stays before it reboots, releases or goes away. */
  readonly stayMeanSec: number;
  /** How often a client finds its new address in use. */
  readonly declinePercent: number;
}
