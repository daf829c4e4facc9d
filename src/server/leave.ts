/**
 * Leaving for long (failover specification 4.4, "operator: shut down"): partners hear SHUTDOWN, and those who know it take over alone
 * at once instead of waiting for an operator to declare this server down.
 */
import type { EndpointStatus } from '../core/failover/endpoint-types.ts';

/** The engine gives partners five seconds to answer; what is not closed by then is left. */
const LEAVE_MS_MAX = 8000;
const LOOK_MS = 50;

export interface LeaveHost {
  nowMs(): number;
  endpointNames(): readonly string[];
  status(name: string): EndpointStatus | undefined;
  /** Gives the command SHUTDOWN and lets its effects happen. */
  shutdown(name: string): unknown;
  /** Resolves when everything decided so far is durable. */
  settled(): Promise<void>;
}

/** Resolves when every partner has heard it, or cannot be told within the time. */
export async function leaveForLong(host: LeaveHost): Promise<void> {
  for (const name of host.endpointNames()) host.shutdown(name);
  await host.settled();
  const untilMs = host.nowMs() + LEAVE_MS_MAX;
  while (host.nowMs() < untilMs && host.endpointNames().some((name) => host.status(name)?.isConnected === true))
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}
