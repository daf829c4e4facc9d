/**
 * The addresses that were offered and not yet taken. Nothing of it is durable: an offer is no promise (RFC 2131 3.1), but while
 * it is held the address goes to nobody else, and a client whose DISCOVER comes twice, or by two relays, gets the same again.
 */
import type { Ip4, MonoMs } from '../../wire/units.ts';

export interface Offer {
  readonly address: Ip4;
  readonly scopeId: Ip4;
  /** `ClientView.key` of the client it was made to. */
  readonly client: string;
  /** The link it was made on: one machine may ask on several at once. */
  readonly link: string;
  readonly untilMs: number;
}

export interface Offers {
  /** The offer that this client has on this link and that is still held. */
  of(nowMs: MonoMs, client: string, link: string): Offer | undefined;
  /** The client that the address is held for now. */
  holderOf(nowMs: MonoMs, address: Ip4): string | undefined;
  /** Holds an address; an earlier offer of the same client on the same link is let go. */
  hold(offer: Offer): void;
  release(address: Ip4): void;
  releaseClient(client: string, link: string): void;
  /** Lets go of what is over. */
  expire(nowMs: MonoMs): void;
  pending(scopeId: Ip4): number;
  has(address: Ip4): boolean;
  readonly size: number;
}

/** Offers held at once. Beyond, the oldest are let go: their clients have most likely chosen another server. */
export const OFFERS_MAX = 65_536;
/** How many are let go at a time when the table is full, so that the search for the oldest is paid rarely. */
const EVICT_BATCH = 256;

export function makeOffers(offersMax = OFFERS_MAX): Offers {
  // Insertion order of `byAddress` is order of age, because holding again deletes and inserts.
  const byAddress = new Map<Ip4, Offer>();
  const byClient = new Map<string, Offer>();
  const perScope = new Map<Ip4, number>();
  const clientKey = (client: string, link: string): string => `${client}@${link}`;

  const drop = (offer: Offer): void => {
    byAddress.delete(offer.address);
    const key = clientKey(offer.client, offer.link);
    if (byClient.get(key) === offer) byClient.delete(key);
    const left = (perScope.get(offer.scopeId) ?? 1) - 1;
    if (left === 0) perScope.delete(offer.scopeId);
    else perScope.set(offer.scopeId, left);
  };

  return {
    of(nowMs, client, link) {
      const offer = byClient.get(clientKey(client, link));
      return offer !== undefined && offer.untilMs > nowMs ? offer : undefined;
    },
    holderOf(nowMs, address) {
      const offer = byAddress.get(address);
      return offer !== undefined && offer.untilMs > nowMs ? offer.client : undefined;
    },
    hold(offer) {
      const before = byClient.get(clientKey(offer.client, offer.link));
      if (before !== undefined) drop(before);
      const there = byAddress.get(offer.address);
      if (there !== undefined) drop(there);
      if (byAddress.size >= offersMax) {
        let left = Math.min(EVICT_BATCH, offersMax);
        for (const oldest of byAddress.values()) {
          if (left-- === 0) break;
          drop(oldest);
        }
      }
      byAddress.set(offer.address, offer);
      byClient.set(clientKey(offer.client, offer.link), offer);
      perScope.set(offer.scopeId, (perScope.get(offer.scopeId) ?? 0) + 1);
    },
    release(address) {
      const offer = byAddress.get(address);
      if (offer !== undefined) drop(offer);
    },
    releaseClient(client, link) {
      const offer = byClient.get(clientKey(client, link));
      if (offer !== undefined) drop(offer);
    },
    expire(nowMs) {
      for (const offer of byAddress.values()) {
        // A changed hold time may leave a longer one in front; it only delays the ones behind until it ends itself.
        if (offer.untilMs > nowMs) break;
        drop(offer);
      }
    },
    pending: (scopeId) => perScope.get(scopeId) ?? 0,
    has: (address) => byAddress.has(address),
    get size() {
      return byAddress.size;
    },
  };
}
