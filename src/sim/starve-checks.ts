/**
 * No client waits for long while an address that it may have is free: a server that it reaches serves its scope, and has
 * addresses of its own that are not on offer.
 */
import { shortAddress } from './describe.ts';
import { scopeIdOf } from './setting.ts';
import { SIDES, type Side } from './sides.ts';
import type { CheckerView, ClientView, WorldView } from './views.ts';
import type { Report } from './violation.ts';

const LOOK_EVERY_MS = 10_000;
/** Clients looked at in one look. */
const CLIENTS_PER_LOOK = 64;
/** A client repeats itself after at most 64 s and some of its packets are lost; after this it is not chance any more. */
const STARVE_MS_MAX = 400_000;
/** With more than this part of the packets lost the LAN is to blame. */
const LOSS_PERCENT_MAX = 10;

export class StarveChecks {
  readonly #world: WorldView;
  readonly #checker: CheckerView;
  readonly #report: Report;
  #nextLookMs = 0;
  #nextClient = 0;
  /** Since when each scope has had a server with addresses; none for a scope that has none now. */
  readonly #servedSinceMs = new Map<number, number>();

  constructor(world: WorldView, checker: CheckerView, report: Report) {
    this.#world = world;
    this.#checker = checker;
    this.#report = report;
  }

  look(): void {
    const { nowMs, options, clients } = this.#world;
    for (const index of options.poolSizes.keys()) {
      if (!SIDES.some((side) => this.#hasAddresses(side, index))) this.#servedSinceMs.delete(index);
      else if (!this.#servedSinceMs.has(index)) this.#servedSinceMs.set(index, nowMs);
    }
    if (nowMs < this.#nextLookMs) return;
    this.#nextLookMs = nowMs + LOOK_EVERY_MS;
    for (let i = 0; i < Math.min(CLIENTS_PER_LOOK, clients.length); i++)
      this.#checkClient(clients[this.#nextClient++ % clients.length]!);
  }

  #checkClient(client: ClientView): void {
    this.#checker.looked('starve');
    const { askingSinceMs } = client;
    const servedSinceMs = this.#servedSinceMs.get(client.scopeIndex);
    if (askingSinceMs === undefined || servedSinceMs === undefined) return;
    const waitedMs = this.#world.nowMs - Math.max(askingSinceMs, servedSinceMs);
    if (waitedMs > STARVE_MS_MAX)
      this.#report(
        'starve',
        `c${client.index} has asked for ${Math.round(waitedMs / 1000)} s in ${shortAddress(scopeIdOf(client.scopeIndex))}, where addresses are free`,
      );
  }

  /** More than one: the last may be on offer to somebody. */
  #hasAddresses(side: Side, index: number): boolean {
    const { process } = this.#world.hosts[side];
    if (process === undefined || !process.clockTrusted || !this.#world.reaches(side, LOSS_PERCENT_MAX)) return false;
    const scopeId = scopeIdOf(index);
    if (process.table.scopeOf(scopeId) === undefined || process.serves(scopeId) !== 'all') return false;
    const counts = process.table.counts(scopeId);
    const own = process.core.rightsOf(scopeId).own === 'free' ? counts.free : counts.backup;
    return own - process.core.serving.pendingOffers(scopeId) >= 2;
  }
}
