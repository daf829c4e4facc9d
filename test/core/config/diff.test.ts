/** Differences between configurations, and between two servers' versions of a scope. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { adoptScope, diffConfig, replicatedPartOf, scopeDiff } from '../../../src/core/config/diff.ts';
import type { Config, Scope } from '../../../src/core/config/model.ts';
import { configOf, FOREIGN, PARTNER, reservationOf, scopeOf } from './samples.ts';

const SECOND = scopeOf({ scopeId: '10.0.1.0', startRange: '10.0.1.10', endRange: '10.0.1.20' });

describe('diffConfig', () => {
  it('is empty for equal configurations in any order', () => {
    assert.deepEqual(diffConfig(configOf([scopeOf(), SECOND]), configOf([SECOND, scopeOf()])), []);
  });

  it('names things by what they are', () => {
    const before = configOf([
      scopeOf({
        reservations: [reservationOf('10.0.0.5', '020000000001', { name: 'a' })],
        options: [{ code: 6, hex: '0a000005' }],
      }),
    ]);
    const after = configOf(
      [
        scopeOf({
          reservations: [reservationOf('10.0.0.5', '020000000001', { name: 'b' })],
          exclusions: [{ start: '10.0.0.12', end: '10.0.0.13' }],
          options: [{ code: 6, hex: '0a000005', vendorClass: 'x' }],
          leaseDurationSec: 60,
        }),
        SECOND,
      ],
      { server: { ...before.server, authoritative: false } },
    );
    assert.deepEqual(
      diffConfig(before, after).map(({ path, kind }) => `${kind} ${path}`),
      [
        'changed server.authoritative',
        'added scopes[10.0.0.0].exclusions[10.0.0.12-10.0.0.13]',
        'changed scopes[10.0.0.0].reservations[10.0.0.5].name',
        'changed scopes[10.0.0.0].leaseDurationSec',
        'removed scopes[10.0.0.0].options[6]',
        'added scopes[10.0.0.0].options[6 vendor x]',
        'added scopes[10.0.1.0]',
      ],
    );
    const [change] = diffConfig(before, after);
    assert.deepEqual(change, { path: 'server.authoritative', kind: 'changed', before: true, after: false });
  });

  it('names a foreign partner by its address, and what of it changed', () => {
    const before = configOf([], { partners: [PARTNER] });
    const declared = configOf([], { partners: [PARTNER, FOREIGN] });
    const moved = { ...FOREIGN, foreign: { kind: 'isc', localAddress: '192.0.2.1' } } as const;
    assert.deepEqual(
      diffConfig(before, declared).map(({ path, kind }) => `${kind} ${path}`),
      ['added partners[foreign:192.0.2.3]'],
    );
    assert.deepEqual(
      diffConfig(declared, configOf([], { partners: [PARTNER, moved] })).map(({ path }) => path),
      ['partners[foreign:192.0.2.3].foreign.localAddress'],
    );
  });

  it('shows members of plain lists', () => {
    const before = configOf();
    const after = { ...before, server: { ...before.server, trustedRelays: ['10.0.0.1'] } };
    assert.deepEqual(diffConfig(before, after), [
      { path: 'server.trustedRelays[10.0.0.1]', kind: 'added', before: undefined, after: '10.0.0.1' },
    ]);
  });
});

describe('the replicated part of a scope', () => {
  const differ = (a: Partial<Scope>, b: Partial<Scope>): string[] =>
    scopeDiff(
      replicatedPartOf(configOf([scopeOf(a)]), '10.0.0.0'),
      replicatedPartOf(configOf([scopeOf(b)]), '10.0.0.0'),
    ).map(({ path }) => path);

  it('is the same when only the spelling differs', () => {
    assert.deepEqual(
      differ(
        {
          exclusions: [
            { start: '10.0.0.14', end: '10.0.0.15' },
            { start: '10.0.0.12', end: '10.0.0.13' },
          ],
          reservations: [reservationOf('10.0.0.5', '02'), reservationOf('10.0.0.6', '03')],
        },
        {
          exclusions: [{ start: '10.0.0.12', end: '10.0.0.15' }],
          reservations: [
            reservationOf('10.0.0.6', '03'),
            reservationOf('10.0.0.5', '02', { client: { kind: 'hardware', hex: '02', htype: 1 } }),
          ],
        },
      ),
      [],
    );
  });

  const each: readonly [string, Partial<Scope>][] = [
    ['scope.endRange', { endRange: '10.0.0.30' }],
    ['scope.name', { name: 'other' }],
    ['scope.description', { description: 'x' }],
    ['scope.state', { state: 'Inactive' }],
    ['scope.type', { type: 'Both' }],
    ['scope.delayMs', { delayMs: 5 }],
    ['scope.leaseDurationSec', { leaseDurationSec: 5 }],
    ['scope.superscopeName', { superscopeName: 's' }],
    ['scope.activatePolicies', { activatePolicies: false }],
    ['scope.options[6]', { options: [{ code: 6, hex: '0a000005' }] }],
    ['scope.exclusions[10.0.0.12-10.0.0.12]', { exclusions: [{ start: '10.0.0.12', end: '10.0.0.12' }] }],
    ['scope.reservations[10.0.0.5]', { reservations: [reservationOf('10.0.0.5', '02')] }],
  ];
  for (const [path, change] of each) it(`differs in ${path}`, () => assert.deepEqual(differ({}, change), [path]));

  const definitions: Config['optionDefinitions'] = [
    { code: 200, name: 'colour', type: 'byte', isArray: false },
    { code: 201, name: 'unused', type: 'byte', isArray: false },
  ];
  const coloured = scopeOf({
    reservations: [reservationOf('10.0.0.5', '02', { options: [{ code: 200, hex: '01' }] })],
  });

  it('takes along the definitions that it refers to, and no others', () => {
    const part = replicatedPartOf(configOf([coloured], { optionDefinitions: definitions }), '10.0.0.0');
    assert.deepEqual(part?.definitions, [definitions[0]]);
    assert.equal(replicatedPartOf(configOf([]), '10.0.0.0'), undefined);
  });

  it('differs when a definition does, or when one side lacks the scope', () => {
    const mine = replicatedPartOf(configOf([coloured], { optionDefinitions: definitions }), '10.0.0.0');
    const theirs = replicatedPartOf(configOf([coloured]), '10.0.0.0');
    assert.deepEqual(
      scopeDiff(mine, theirs).map(({ path }) => path),
      ['optionDefinitions[200]'],
    );
    assert.deepEqual(
      scopeDiff(undefined, theirs).map(({ path, kind }) => `${kind} ${path}`),
      ['added scope', 'added optionDefinitions'],
    );
  });

  it('is the same on both sides once one has adopted it, and nothing else has changed', () => {
    const mine = configOf([coloured], { optionDefinitions: definitions });
    for (const theirs of [configOf([SECOND]), configOf([scopeOf(), SECOND])]) {
      const part = replicatedPartOf(mine, '10.0.0.0')!;
      const adopted = adoptScope(theirs, part);
      assert.deepEqual(scopeDiff(part, replicatedPartOf(adopted, '10.0.0.0')), []);
      assert.equal(
        diffConfig(theirs, adopted).some(({ path }) => path.startsWith('scopes[10.0.1.0]')),
        false,
      );
      assert.equal(adopted.scopes.length, 2);
    }
  });
});
