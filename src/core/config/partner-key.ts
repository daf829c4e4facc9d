/**
 * A partner is known by the hash of its key, and relationships and tombstones name it by that. When its key changes, all of
 * these change in one revision.
 */
import type { Config } from './model.ts';

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
