/** Small configurations for the tests of this folder. */
import { defaultConfig, defaultScope } from '../../../src/core/config/defaults.ts';
import type { Config, Partner, Relationship, Reservation, Scope } from '../../../src/core/config/model.ts';

export function scopeOf(more: Partial<Scope> = {}): Scope {
  return defaultScope({
    scopeId: '10.0.0.0',
    subnetMask: '255.255.255.0',
    name: 'lab',
    startRange: '10.0.0.10',
    endRange: '10.0.0.20',
    ...more,
  });
}

export function configOf(scopes: readonly Scope[] = [scopeOf()], more: Partial<Config> = {}): Config {
  return { ...defaultConfig('dhcp1'), scopes, ...more };
}

export function reservationOf(address: string, hex: string, more: Partial<Reservation> = {}): Reservation {
  return { address, client: { kind: 'hardware', hex }, name: '', description: '', type: 'Both', options: [], ...more };
}

export const PARTNER: Partner = { key: 'ab'.repeat(32), name: 'dhcp2', host: '192.0.2.2', port: 647 };

/** A server of another make at 192.0.2.3. */
export const FOREIGN: Partner = {
  key: 'foreign:192.0.2.3',
  name: 'dhcp3',
  host: '192.0.2.3',
  port: 647,
  foreign: { kind: 'isc', localAddress: null },
};

export function relationshipOf(more: Partial<Relationship> = {}): Relationship {
  return {
    name: 'pair',
    id: 'id-1',
    partnerKey: PARTNER.key,
    partnerServer: 'dhcp2',
    role: 'primary',
    mode: 'LoadBalance',
    isActive: true,
    percentage: 50,
    mcltSec: 3600,
    stateSwitchIntervalSec: null,
    sharedSecretRef: null,
    scopeIds: ['10.0.0.0'],
    profile: 'twinlease',
    ...more,
  };
}
