/** The shape of a configuration: what is taken, what a missing field means, and how a refusal reads. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { defaultConfig } from '../../../src/core/config/defaults.ts';
import { configJsonSchema, parseConfig, parseScope, type ShapeFault } from '../../../src/core/config/schema.ts';
import { configOf, FOREIGN, PARTNER, relationshipOf, reservationOf, scopeOf } from './samples.ts';

const FULL = configOf(
  [
    scopeOf({
      exclusions: [{ start: '10.0.0.12', end: '10.0.0.13' }],
      reservations: [reservationOf('10.0.0.200', '020000000001', { options: [{ code: 6, hex: '0a000005' }] })],
      options: [{ code: 3, hex: '0a000001', vendorClass: 'PXEClient' }],
      superscopeName: 'campus',
    }),
  ],
  {
    optionDefinitions: [{ code: 200, name: 'colour', type: 'byte', isArray: false }],
    relationships: [relationshipOf()],
    partners: [PARTNER, FOREIGN],
    tombstones: [
      {
        relationshipId: 'x',
        name: 'old',
        partnerKey: '',
        removedAt: 5,
        scopeIds: ['10.0.0.0'],
        role: 'primary',
        mcltSec: 60,
      },
    ],
  },
);

function faultsOf(value: unknown): readonly ShapeFault[] {
  const parsed = parseConfig(value);
  assert.equal(parsed.kind, 'bad');
  return parsed.kind === 'bad' ? parsed.faults : [];
}

describe('parseConfig', () => {
  it('takes a complete configuration as it is, also through JSON', () => {
    assert.deepEqual(parseConfig(FULL), { kind: 'ok', config: FULL });
    assert.deepEqual(parseConfig(JSON.parse(JSON.stringify(FULL))), { kind: 'ok', config: FULL });
  });

  it('fills in what is missing with the defaults', () => {
    assert.deepEqual(parseConfig({ formatVersion: 1, server: { name: 'dhcp1' } }), {
      kind: 'ok',
      config: defaultConfig('dhcp1'),
    });
  });

  it('reads a configuration of before there were partners of other makes', () => {
    const { partners: _partners, ...old } = FULL;
    const parsed = parseConfig({ ...old, partners: [{ key: PARTNER.key, name: 'dhcp2', host: 'dhcp2', port: 647 }] });
    assert.equal(parsed.kind, 'ok');
    assert.deepEqual(parsed.kind === 'ok' ? parsed.config.partners[0]?.foreign : 'bad', undefined);
  });

  it('takes the route’s own address where none is given to call a foreign partner from', () => {
    const parsed = parseConfig({ ...FULL, partners: [{ ...FOREIGN, foreign: { kind: 'isc' } }] });
    const partner = parsed.kind === 'ok' ? parsed.config.partners[0] : undefined;
    assert.deepEqual(partner?.foreign, { kind: 'isc', localAddress: null });
  });

  it('gives a scope the defaults of Scope.Add: Active, Dhcp, 8 days, no delay', () => {
    const parsed = parseScope({
      scopeId: '10.0.0.0',
      subnetMask: '255.255.255.0',
      name: 'lab',
      startRange: '10.0.0.10',
      endRange: '10.0.0.20',
    });
    assert.equal(parsed.kind, 'ok');
    if (parsed.kind !== 'ok') return;
    assert.deepEqual(parsed.scope, scopeOf());
    assert.deepEqual(
      [parsed.scope.state, parsed.scope.type, parsed.scope.leaseDurationSec, parsed.scope.delayMs],
      ['Active', 'Dhcp', 691_200, 0],
    );
  });

  it('writes hexadecimal in lower case without separators', () => {
    const config = configOf([scopeOf({ reservations: [reservationOf('10.0.0.9', '02-00-00-00-00-AB')] })]);
    const parsed = parseConfig(config);
    const client = parsed.kind === 'ok' ? parsed.config.scopes[0]?.reservations[0]?.client : undefined;
    assert.equal(client?.hex, '0200000000ab');
  });

  const faults: readonly { name: string; value: unknown; path: string; what: RegExp }[] = [
    {
      name: 'a partner key that is neither a hash nor an address',
      value: configOf([], { partners: [{ ...PARTNER, key: 'dhcp2' }] }),
      path: 'partners[0].key',
      what: /neither 32 octets/,
    },
    {
      name: 'a partner of an unknown make',
      value: { ...FULL, partners: [{ ...FOREIGN, foreign: { kind: 'kea', localAddress: null } }] },
      path: 'partners[0].foreign.kind',
      what: /allowed/,
    },
    {
      name: 'a foreign partner that is called from a name',
      value: { ...FULL, partners: [{ ...FOREIGN, foreign: { kind: 'isc', localAddress: 'eth0' } }] },
      path: 'partners[0].foreign.localAddress',
      what: /not an IPv4 address/,
    },
    { name: 'no object', value: 'x', path: '', what: /not of the type object/ },
    { name: 'no server name', value: { formatVersion: 1, server: {} }, path: 'server.name', what: /is missing/ },
    { name: 'a format from the future', value: { ...FULL, formatVersion: 2 }, path: 'formatVersion', what: /allowed/ },
    { name: 'a misspelt field', value: { ...FULL, scope: [] }, path: '', what: /unknown fields: scope/ },
    {
      name: 'an address with leading zeros',
      value: configOf([scopeOf({ startRange: '10.0.0.010' })]),
      path: 'scopes[0].startRange',
      what: /not an IPv4 address/,
    },
    {
      name: 'a mask with holes',
      value: configOf([scopeOf({ subnetMask: '255.0.255.0' })]),
      path: 'scopes[0].subnetMask',
      what: /not a subnet mask/,
    },
    {
      name: 'odd hexadecimal',
      value: configOf([scopeOf({ options: [{ code: 3, hex: '0a0' }] })]),
      path: 'scopes[0].options[0].hex',
      what: /hexadecimal/,
    },
    {
      name: 'option 255',
      value: configOf([scopeOf({ options: [{ code: 255, hex: '' }] })]),
      path: 'scopes[0].options[0].code',
      what: /above 254/,
    },
    {
      name: 'a delay over a second',
      value: configOf([scopeOf({ delayMs: 1001 })]),
      path: 'scopes[0].delayMs',
      what: /above 1000/,
    },
    {
      name: 'a share over 100',
      value: { ...FULL, relationships: [relationshipOf({ percentage: 101 })] },
      path: 'relationships[0].percentage',
      what: /above 100/,
    },
    {
      name: 'an MCLT of 0',
      value: { ...FULL, relationships: [relationshipOf({ mcltSec: 0 })] },
      path: 'relationships[0].mcltSec',
      what: /below 1/,
    },
    {
      name: 'an offer held for no time',
      value: { ...FULL, server: { ...FULL.server, offerHoldSec: 0 } },
      path: 'server.offerHoldSec',
      what: /below 1/,
    },
  ];
  for (const { name, value, path, what } of faults) {
    it(`refuses ${name}, saying where, what and how to mend it`, () => {
      const [fault] = faultsOf(value);
      assert.equal(fault?.path, path);
      assert.match(fault?.what ?? '', what);
      assert.equal((fault?.fix.length ?? 0) > 0, true);
    });
  }

  it('never throws, whatever comes', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        assert.equal(parseConfig(value).kind, 'bad');
      }),
      { numRuns: 300 },
    );
  });

  it('publishes a JSON Schema that names the sections', () => {
    const schema = JSON.stringify(configJsonSchema());
    for (const section of ['scopes', 'relationships', 'partners', 'tombstones', 'optionDefinitions']) {
      assert.equal(schema.includes(`"${section}"`), true);
    }
  });
});
