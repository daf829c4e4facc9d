/** Each rule between the fields of a configuration, with the code that Windows gives it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkConfig, checkScope, type RuleName } from '../../../src/core/config/checks.ts';
import type { Config, OptionDefinition, Scope } from '../../../src/core/config/model.ts';
import { configOf, FOREIGN, PARTNER, relationshipOf, reservationOf, scopeOf } from './samples.ts';

interface Case {
  readonly name: string;
  readonly rule: RuleName;
  readonly code: number;
  readonly path: string;
}

function assertFault(config: Config, { rule, code, path }: Case): void {
  const fault = checkConfig(config).find((candidate) => candidate.rule === rule);
  assert.notEqual(fault, undefined, JSON.stringify(checkConfig(config)));
  assert.equal(fault?.windowsCode, code);
  assert.equal(fault?.path, path);
  assert.equal((fault?.what.length ?? 0) > 0 && (fault?.fix.length ?? 0) > 0, true);
}

const net = (scopeId: string, subnetMask: string, startRange: string, endRange: string): Partial<Scope> => ({
  scopeId,
  subnetMask,
  startRange,
  endRange,
});

describe('checkScope', () => {
  const cases: readonly (Case & { scope: Partial<Scope> })[] = [
    {
      name: 'a prefix over /30',
      scope: net('10.0.0.0', '255.255.255.254', '10.0.0.0', '10.0.0.1'),
      rule: 'prefix-too-long',
      code: 87,
      path: 'scopes[0].subnetMask',
    },
    {
      name: 'a prefix of 0',
      scope: net('0.0.0.0', '0.0.0.0', '10.0.0.1', '10.0.0.2'),
      rule: 'prefix-too-long',
      code: 87,
      path: 'scopes[0].subnetMask',
    },
    {
      name: 'an id that is no network address',
      scope: { scopeId: '10.0.0.1' },
      rule: 'network-not-aligned',
      code: 87,
      path: 'scopes[0].scopeId',
    },
    ...(
      [
        ['0.0.0.0', '0.0.0.10', '0.0.0.20'],
        ['127.0.0.0', '127.0.0.10', '127.0.0.20'],
        ['169.254.7.0', '169.254.7.10', '169.254.7.20'],
        ['224.0.1.0', '224.0.1.10', '224.0.1.20'],
        ['239.255.255.0', '239.255.255.10', '239.255.255.20'],
        ['240.0.0.0', '240.0.0.10', '240.0.0.20'],
        ['255.255.255.0', '255.255.255.10', '255.255.255.20'],
      ] as const
    ).map(([id, start, end]) => ({
      name: `the network ${id}`,
      scope: net(id, '255.255.255.0', start, end),
      rule: 'network-reserved' as const,
      code: 87,
      path: 'scopes[0].scopeId',
    })),
    {
      name: 'a network that holds a reserved one',
      scope: net('168.0.0.0', '254.0.0.0', '168.0.0.1', '168.0.0.2'),
      rule: 'network-reserved',
      code: 87,
      path: 'scopes[0].scopeId',
    },
    {
      name: 'a range backwards',
      scope: { startRange: '10.0.0.20', endRange: '10.0.0.10' },
      rule: 'range-backwards',
      code: 20023,
      path: 'scopes[0].endRange',
    },
    {
      name: 'a range outside the network',
      scope: { endRange: '10.0.1.20' },
      rule: 'range-outside-network',
      code: 20023,
      path: 'scopes[0].endRange',
    },
    {
      name: 'the network address in the range',
      scope: { startRange: '10.0.0.0' },
      rule: 'range-holds-network-address',
      code: 20023,
      path: 'scopes[0].startRange',
    },
    {
      name: 'the broadcast address in the range',
      scope: { endRange: '10.0.0.255' },
      rule: 'range-holds-broadcast-address',
      code: 20023,
      path: 'scopes[0].endRange',
    },
    {
      name: 'a lease of no time',
      scope: { leaseDurationSec: 0 },
      rule: 'lease-too-short',
      code: 87,
      path: 'scopes[0].leaseDurationSec',
    },
    {
      name: 'an exclusion backwards',
      scope: { exclusions: [{ start: '10.0.0.13', end: '10.0.0.12' }] },
      rule: 'exclusion-backwards',
      code: 20023,
      path: 'scopes[0].exclusions[0]',
    },
    {
      name: 'an exclusion outside the range',
      scope: { exclusions: [{ start: '10.0.0.20', end: '10.0.0.21' }] },
      rule: 'exclusion-outside-range',
      code: 20023,
      path: 'scopes[0].exclusions[0]',
    },
    {
      name: 'two exclusions that overlap',
      scope: {
        exclusions: [
          { start: '10.0.0.14', end: '10.0.0.16' },
          { start: '10.0.0.12', end: '10.0.0.14' },
        ],
      },
      rule: 'exclusion-overlaps',
      code: 20023,
      path: 'scopes[0].exclusions[0]',
    },
    {
      name: 'a reservation outside the network',
      scope: { reservations: [reservationOf('10.0.1.5', '020000000001')] },
      rule: 'reservation-outside-network',
      code: 87,
      path: 'scopes[0].reservations[0].address',
    },
    {
      name: 'a reservation of the broadcast address',
      scope: { reservations: [reservationOf('10.0.0.255', '020000000001')] },
      rule: 'reservation-not-a-host',
      code: 87,
      path: 'scopes[0].reservations[0].address',
    },
    {
      name: 'an address reserved twice',
      scope: { reservations: [reservationOf('10.0.0.5', '020000000001'), reservationOf('10.0.0.5', '020000000002')] },
      rule: 'reservation-address-twice',
      code: 20022,
      path: 'scopes[0].reservations[1].address',
    },
    {
      name: 'a client with two reservations',
      scope: {
        reservations: [
          reservationOf('10.0.0.5', '020000000001'),
          reservationOf('10.0.0.6', '020000000001', { client: { kind: 'hardware', hex: '020000000001', htype: 1 } }),
        ],
      },
      rule: 'reservation-client-twice',
      code: 20022,
      path: 'scopes[0].reservations[1].client',
    },
    {
      name: 'an option set twice',
      scope: {
        options: [
          { code: 3, hex: '0a000001' },
          { code: 3, hex: '0a000002' },
        ],
      },
      rule: 'option-twice',
      code: 87,
      path: 'scopes[0].options[1]',
    },
    {
      name: 'an option that the server makes',
      scope: { options: [{ code: 54, hex: '0a000001' }] },
      rule: 'option-not-settable',
      code: 87,
      path: 'scopes[0].options[0]',
    },
    {
      name: 'the lease time as an option of the scope',
      scope: { options: [{ code: 51, hex: '00000e10' }] },
      rule: 'option-not-settable',
      code: 87,
      path: 'scopes[0].options[0]',
    },
    {
      name: 'a lease time of 0 for a reservation',
      scope: {
        reservations: [reservationOf('10.0.0.5', '020000000001', { options: [{ code: 51, hex: '00000000' }] })],
      },
      rule: 'option-value-malformed',
      code: 87,
      path: 'scopes[0].reservations[0].options[0]',
    },
  ];
  for (const one of cases) it(`refuses ${one.name}`, () => assertFault(configOf([scopeOf(one.scope)]), one));

  it('takes what is in order', () => {
    const scope = scopeOf({
      exclusions: [
        { start: '10.0.0.12', end: '10.0.0.13' },
        { start: '10.0.0.14', end: '10.0.0.14' },
      ],
      reservations: [
        reservationOf('10.0.0.200', '020000000001'),
        reservationOf('10.0.0.12', '020000000002', { options: [{ code: 51, hex: '00000e10' }] }),
      ],
      options: [
        { code: 3, hex: '0a000001' },
        { code: 3, hex: '0a000002', vendorClass: 'x' },
      ],
    });
    assert.deepEqual(checkScope(scope), []);
    assert.deepEqual(checkScope(scopeOf(net('192.0.2.4', '255.255.255.252', '192.0.2.5', '192.0.2.6'))), []);
  });
});

describe('option definitions', () => {
  const definitions: OptionDefinition[] = [
    { code: 200, name: 'colour', type: 'word', isArray: false },
    { code: 201, name: 'servers', type: 'ipv4-address', isArray: true },
    { code: 54, name: 'mode', type: 'byte', isArray: false, vendorClass: 'Acme' },
  ];
  const wrong = (code: number, hex: string, vendorClass?: string): number =>
    checkScope(
      scopeOf({ options: [{ code, hex, ...(vendorClass === undefined ? {} : { vendorClass }) }] }),
      'scope',
      definitions,
    ).length;
  it('rule the length of values', () => {
    assert.equal(wrong(200, '0001'), 0);
    assert.equal(wrong(200, '000001'), 1);
    assert.equal(wrong(201, '0a0000010a000002'), 0);
    assert.equal(wrong(201, '0a00000100'), 1);
    assert.equal(wrong(201, ''), 1);
  });
  it("of a vendor's own space may use any number", () => assert.equal(wrong(54, '01', 'Acme'), 0));
  it('are one for each number and vendor', () => {
    assertFault(configOf([], { optionDefinitions: [definitions[0]!, definitions[0]!] }), {
      name: '',
      rule: 'definition-twice',
      code: 87,
      path: 'optionDefinitions[1]',
    });
  });
});

describe('checkConfig', () => {
  const second = scopeOf({ scopeId: '10.0.1.0', startRange: '10.0.1.10', endRange: '10.0.1.20' });
  const paired = (more: Parameters<typeof relationshipOf>[0] = {}): Partial<Config> => ({
    relationships: [relationshipOf(more)],
    partners: [PARTNER],
  });
  const cases: readonly (Case & { config: Config })[] = [
    {
      name: 'a scope twice',
      config: configOf([scopeOf(), scopeOf()]),
      rule: 'scope-exists',
      code: 20052,
      path: 'scopes[1].scopeId',
    },
    {
      name: 'scopes that overlap, not side by side in the file',
      config: configOf([
        scopeOf({ scopeId: '10.0.0.0', subnetMask: '255.255.0.0' }),
        scopeOf({ scopeId: '10.9.0.0', startRange: '10.9.0.10', endRange: '10.9.0.20' }),
        second,
      ]),
      rule: 'scopes-overlap',
      code: 20052,
      path: 'scopes[2].scopeId',
    },
    {
      name: 'superscopes that differ in case alone',
      config: configOf([scopeOf({ superscopeName: 'Campus' }), { ...second, superscopeName: 'campus' }]),
      rule: 'superscope-name-case',
      code: 87,
      path: 'scopes[1].superscopeName',
    },
    {
      name: 'two relationships of one name',
      config: configOf([], {
        relationships: [relationshipOf({ scopeIds: [] }), relationshipOf({ name: 'PAIR', scopeIds: [] })],
        partners: [PARTNER],
      }),
      rule: 'relationship-name-twice',
      code: 20114,
      path: 'relationships[1].name',
    },
    {
      name: 'a name over 126 characters',
      config: configOf(undefined, paired({ name: 'x'.repeat(127) })),
      rule: 'relationship-name-too-long',
      code: 20125,
      path: 'relationships[0].name',
    },
    {
      name: 'a scope in two relationships',
      config: configOf(undefined, {
        relationships: [relationshipOf(), relationshipOf({ name: 'other' })],
        partners: [PARTNER],
      }),
      rule: 'relationship-scope-taken',
      code: 20113,
      path: 'relationships[1].scopeIds[0]',
    },
    {
      name: 'a scope that does not exist',
      config: configOf([second], paired()),
      rule: 'relationship-scope-unknown',
      code: 20005,
      path: 'relationships[0].scopeIds[0]',
    },
    {
      name: 'a scope for BOOTP only',
      config: configOf([scopeOf({ type: 'Bootp' })], paired()),
      rule: 'relationship-scope-bootp',
      code: 20131,
      path: 'relationships[0].scopeIds[0]',
    },
    {
      name: 'a partner never introduced',
      config: configOf(undefined, { relationships: [relationshipOf()] }),
      rule: 'relationship-partner-unknown',
      code: 87,
      path: 'relationships[0].partnerKey',
    },
    {
      name: '32 relationships',
      config: configOf([], {
        relationships: Array.from({ length: 32 }, (_, n) => relationshipOf({ name: `r${n}`, scopeIds: [] })),
        partners: [PARTNER],
      }),
      rule: 'relationships-too-many',
      code: 20128,
      path: 'relationships',
    },
    {
      name: 'two partners with one key',
      config: configOf([], { partners: [PARTNER, { ...PARTNER, name: 'x' }] }),
      rule: 'partner-twice',
      code: 87,
      path: 'partners[1].key',
    },
    {
      name: 'a relationship in another dialect than its partner’s',
      config: configOf(undefined, {
        relationships: [relationshipOf({ profile: 'draft', partnerKey: FOREIGN.key })],
        partners: [FOREIGN],
      }),
      rule: 'relationship-profile',
      code: 87,
      path: 'relationships[0].profile',
    },
    {
      name: 'a Twinlease partner spoken to as dhcpd',
      config: configOf(undefined, { relationships: [relationshipOf({ profile: 'isc' })], partners: [PARTNER] }),
      rule: 'relationship-profile',
      code: 87,
      path: 'relationships[0].profile',
    },
    {
      name: 'a relationship with a foreign partner that was not declared',
      config: configOf(undefined, { relationships: [relationshipOf({ profile: 'isc', partnerKey: FOREIGN.key })] }),
      rule: 'relationship-partner-unknown',
      code: 87,
      path: 'relationships[0].partnerKey',
    },
    {
      name: 'two relationships with one foreign partner',
      config: configOf([], {
        relationships: ['r1', 'r2'].map((name) =>
          relationshipOf({ name, profile: 'isc', partnerKey: FOREIGN.key, scopeIds: [] }),
        ),
        partners: [FOREIGN],
      }),
      rule: 'relationship-partner-shared',
      code: 87,
      path: 'relationships[1].partnerKey',
    },
    {
      name: 'a shared secret with dhcpd',
      config: configOf([], {
        relationships: [
          relationshipOf({ profile: 'isc', partnerKey: FOREIGN.key, scopeIds: [], sharedSecretRef: 'ref' }),
        ],
        partners: [FOREIGN],
      }),
      rule: 'relationship-secret-unused',
      code: 87,
      path: 'relationships[0].sharedSecretRef',
    },
    {
      name: 'a foreign partner that is known by a name',
      config: configOf([], { partners: [{ ...FOREIGN, host: 'dhcp3.example.com' }] }),
      rule: 'partner-foreign-host',
      code: 87,
      path: 'partners[0].host',
    },
    {
      name: 'a foreign partner with the key of another address',
      config: configOf([], { partners: [{ ...FOREIGN, host: '192.0.2.4' }] }),
      rule: 'partner-foreign-key',
      code: 87,
      path: 'partners[0].key',
    },
    {
      name: 'a Twinlease partner with the key of a foreign one',
      config: configOf([], { partners: [{ ...PARTNER, key: FOREIGN.key }] }),
      rule: 'partner-foreign-key',
      code: 87,
      path: 'partners[0].key',
    },
  ];
  for (const one of cases) it(`refuses ${one.name}`, () => assertFault(one.config, one));

  it('takes what is in order', () => {
    const config = configOf([scopeOf({ superscopeName: 'campus' }), { ...second, superscopeName: 'campus' }], paired());
    assert.deepEqual(checkConfig(config), []);
    const foreign = configOf(undefined, {
      relationships: [relationshipOf({ profile: 'isc', partnerKey: FOREIGN.key })],
      partners: [PARTNER, FOREIGN],
    });
    assert.deepEqual(checkConfig(foreign), []);
  });

  it('looks at ten thousand reservations in no time', () => {
    const reservations = Array.from({ length: 10_000 }, (_, n) =>
      reservationOf(`10.0.${1 + (n >> 8)}.${n & 255}`, `0200${n.toString(16).padStart(8, '0')}`),
    );
    const big = scopeOf({ subnetMask: '255.255.0.0', reservations });
    assert.deepEqual(checkConfig(configOf([big])), []);
  });
});
