/**
 * What a setting is when nobody said otherwise. The defaults of a scope are those of the class's `Add` (management
 * specification 2.2), those of the server are this product's own.
 */
import type { Config, Scope } from './model.ts';

/** Eight days (management specification 2.2). */
export const LEASE_DURATION_DEFAULT_SEC = 691_200;
/** "No limit" of MaxBootpClients. */
export const BOOTP_CLIENTS_UNLIMITED = 0xffffffff;

/** Whatever `Scope.Add` does not demand. */
export const SCOPE_DEFAULTS = {
  description: '',
  exclusions: [],
  reservations: [],
  state: 'Active',
  type: 'Dhcp',
  leaseDurationSec: LEASE_DURATION_DEFAULT_SEC,
  delayMs: 0,
  maxBootpClients: BOOTP_CLIENTS_UNLIMITED,
  superscopeName: null,
  activatePolicies: true,
  options: [],
} as const satisfies Omit<Scope, 'scopeId' | 'subnetMask' | 'name' | 'startRange' | 'endRange'>;

export const SERVER_DEFAULTS = {
  authoritative: true,
  trustedRelays: [],
  options: [],
  loadBalanceMaxSec: 3,
  offerHoldSec: 30,
  declineHoldSec: 86_400,
} as const satisfies Omit<Config['server'], 'name'>;

/** The configuration of a server that was just installed: it serves nothing yet. */
export function defaultConfig(name: string): Config {
  return {
    formatVersion: 1,
    server: { name, ...SERVER_DEFAULTS },
    optionDefinitions: [],
    scopes: [],
    relationships: [],
    partners: [],
    tombstones: [],
  };
}

/** A scope with every default, from what `Scope.Add` demands. */
export function defaultScope(
  given: Pick<Scope, 'scopeId' | 'subnetMask' | 'name' | 'startRange' | 'endRange'> & Partial<Scope>,
): Scope {
  return { ...SCOPE_DEFAULTS, ...given };
}
