/**
 * Leaving in order. Whichever way, partners first hear of the last leases. Leaving for long (failover specification 4.4, "operator: shut down"): they
 * hear SHUTDOWN, and those who know it take over alone at once instead of waiting for an operator to declare this server down.
 */
import type { EndpointStatus } from '../core/failover/endpoint-types.ts';

/** The engine gives partners five seconds to answer; what is not closed by then is left. */
const LEAVE_MS_MAX = 8000;
/** Partners get this long to take the last leases, and this long without taking one. */
const LAST_LEASES_MS_MAX = 5000;
const LAST_LEASES_STILL_MS_MAX = 2000;
const LOOK_MS = 50;

export interface TellingHost {
  nowMs(): number;
  endpointNames(): readonly string[];
  status(name: string): EndpointStatus | undefined;
}

export interface LeaveHost extends TellingHost {
  /** Gives the command SHUTDOWN and lets its effects happen. */
  shutdown(name: string): unknown;
  /** Resolves when everything decided so far is durable. */
  settled(): Promise<void>;
}

/**
 * Resolves when partners in contact have acknowledged every lease, or take no more of them. A client is answered before the partner is told
 * (specification 4.4, NORMAL): a lease that went untold with this server could be renewed by nobody, as a partner neither confirms nor refuses an
 * address that it knows as another's free one. dhcpd logs it as "lease owned by peer".
 */
export async function tellLastLeases(host: TellingHost): Promise<void> {
  const untilMs = host.nowMs() + LAST_LEASES_MS_MAX;
  let left = untold(host);
  let changedMs = host.nowMs();
  while (left > 0 && host.nowMs() < untilMs && host.nowMs() < changedMs + LAST_LEASES_STILL_MS_MAX) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    const now = untold(host);
    if (now !== left) changedMs = host.nowMs();
    left = now;
  }
}

function untold(host: TellingHost): number {
  let sum = 0;
  for (const name of host.endpointNames()) {
    const status = host.status(name);
    if (status?.isCommunicating === true && status.state === 'normal')
      sum += status.dirtyBindings + status.unackedUpdates;
  }
  return sum;
}

/** Resolves when every partner has heard it, or cannot be told within the time. */
export async function leaveForLong(host: LeaveHost): Promise<void> {
  await tellLastLeases(host);
  for (const name of host.endpointNames()) host.shutdown(name);
  await host.settled();
  const untilMs = host.nowMs() + LEAVE_MS_MAX;
  while (host.nowMs() < untilMs && host.endpointNames().some((name) => host.status(name)?.isConnected === true))
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}
