/**
 * A partner is known by the hash of its key, and relationships and tombstones name it by that. When its key changes, all of
 * these change in one revision. A server of another make has no key: its address takes the place.
 */
import type { Config, Partner, Relationship } from './model.ts';

export const FOREIGN_KEY_PREFIX = 'foreign:';

/** What a server of another make is known by. `host` is a dotted quad. */
export function foreignKey(host: string): string {
  return `${FOREIGN_KEY_PREFIX}${host}`;
}

/** The dialect that is spoken with a partner. */
export function profileOf(partner: Partner): Relationship['profile'] {
  return partner.foreign?.kind ?? 'twinlease';
}

/** The server of another make that calls from this address, if one was declared. */
export function foreignPartnerAt(config: Pick<Config, 'partners'>, address: string): Partner | undefined {
  return config.partners.find((partner) => partner.foreign !== undefined && partner.host === address);
}

/** The configuration with the partner's new key in the place of the old one; a key that was announced for later is used up. */
export function withPartnerKey(config: Config, oldKey: string, newKey: string): Config {
  const moved = <T extends { readonly partnerKey: string }>(one: T): T =>
    one.partnerKey === oldKey ? { ...one, partnerKey: newKey } : one;
  return {
    ...config,
    partners: config.partners.map((partner) => {
      if (partner.key !== oldKey) return partner;
      const { nextKey: _nextKey, ...kept } = partner;
      return { ...kept, key: newKey };
    }),
    relationships: config.relationships.map(moved),
    tombstones: config.tombstones.map(moved),
  };
}
