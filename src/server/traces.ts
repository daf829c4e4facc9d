/**
 * Why a client got what it got: the decisions on the last packets, in a ring of fixed size, found by client or address; and the
 * counters of the server. Everything here is lost with the process on purpose: it explains, it promises nothing.
 */
import { clientNames, type PacketReport } from '../core/pipeline/server-core.ts';
import { type EpochSec, formatIp4, type Now } from '../wire/units.ts';
import type { DecisionTrace, ServerCounters } from './control.ts';

/** Decisions remembered, over all clients. */
export const TRACES_MAX = 20_000;
/** Decisions shown for one client. */
const TRACES_SHOWN_MAX = 50;

interface Remembered extends DecisionTrace {
  readonly address: string | null;
}

export class Traces {
  readonly #ring: (Remembered | undefined)[] = new Array(TRACES_MAX);
  #next = 0;
  readonly #drops: Record<string, number> = {};
  readonly #counts = { discovers: 0, offers: 0, requests: 0, acks: 0, naks: 0, declines: 0, releases: 0, informs: 0 };
  readonly #startedAt: EpochSec;

  constructor(startedAt: EpochSec) {
    this.#startedAt = startedAt;
  }

  note(now: Now, report: PacketReport): void {
    const { decision, packet } = report;
    this.#count(report);
    const names = packet === undefined ? { hardware: '', clientId: null, relay: null } : clientNames(packet);
    const reply = decision.kind === 'reply' ? decision.reply : undefined;
    this.#ring[this.#next] = {
      at: now.wallAt,
      messageType: decision.messageType,
      ...names,
      scopeId: decision.scopeId === undefined ? null : formatIp4(decision.scopeId),
      outcome: reply?.messageType ?? (decision.kind === 'drop' ? `dropped (${decision.code})` : 'done'),
      reason: decision.reason,
      steps: decision.steps,
      address: reply === undefined || reply.address === 0 ? null : formatIp4(reply.address),
    };
    this.#next = (this.#next + 1) % TRACES_MAX;
  }

  /** Newest first. `client`: hardware address with or without separators, client identifier in hex, or an address given out. */
  of(client: string): DecisionTrace[] {
    const plain = client.toLowerCase().replace(/[-:]/g, '');
    const found: DecisionTrace[] = [];
    // Packets that could not be read have no name and belong to nobody.
    if (plain === '') return found;
    for (let back = 1; back <= TRACES_MAX && found.length < TRACES_SHOWN_MAX; back++) {
      const trace = this.#ring[(this.#next - back + TRACES_MAX) % TRACES_MAX];
      if (trace === undefined) break;
      if (trace.hardware.replaceAll(':', '') === plain || trace.clientId === plain || trace.address === client) {
        const { address: _address, ...shown } = trace;
        found.push(shown);
      }
    }
    return found;
  }

  counters(delayedOffers: number): ServerCounters {
    return { startedAt: this.#startedAt, ...this.#counts, delayedOffers, drops: { ...this.#drops } };
  }

  #count({ decision }: PacketReport): void {
    const counts = this.#counts;
    switch (decision.messageType) {
      case 'discover':
        counts.discovers++;
        break;
      case 'request':
        counts.requests++;
        break;
      case 'decline':
        counts.declines++;
        break;
      case 'release':
        counts.releases++;
        break;
      case 'inform':
        counts.informs++;
        break;
      default:
        break;
    }
    if (decision.kind === 'drop') this.#drops[decision.code] = (this.#drops[decision.code] ?? 0) + 1;
    if (decision.kind !== 'reply') return;
    if (decision.reply.messageType === 'offer') counts.offers++;
    else if (decision.reply.messageType === 'ack') counts.acks++;
    else if (decision.reply.messageType === 'nak') counts.naks++;
  }
}
