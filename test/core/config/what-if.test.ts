/** What changes of configuration do to leases that run; serving's tests show that it then happens so. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BindingTable } from '../../../src/core/bindings/binding.ts';
import { makeBindingTable } from '../../../src/core/bindings/table.ts';
import type { Config, Scope } from '../../../src/core/config/model.ts';
import { addressOf, poolShapeOf } from '../../../src/core/config/pool-shape.ts';
import { effectLines, effectOnLeases } from '../../../src/core/config/what-if.ts';
import type { EpochSec } from '../../../src/wire/units.ts';
import { configOf, reservationOf, scopeOf } from './samples.ts';

const BEFORE = scopeOf();

function tableWith(...lastOctets: number[]): BindingTable {
  const bindings = makeBindingTable(1);
  bindings.setPool(poolShapeOf(BEFORE), 'free');
  for (const n of lastOctets) {
    const binding = bindings.find(addressOf(`10.0.0.${n}`))!;
    bindings.change({
      ...binding,
      state: 'active',
      hardware: Uint8Array.of(1, 2, 0, 0, 0, 0, n),
      relayInfo: Uint8Array.of(1, 1, n),
      leaseEndAt: 5000 as EpochSec,
    });
  }
  return bindings;
}

function effects(after: Config, ...lastOctets: number[]): string[] {
  const { affected } = effectOnLeases(configOf([BEFORE]), after, tableWith(...lastOctets));
  return affected.map(({ kind, address }) => `${address & 255} ${kind}`);
}

describe('what a change does to running leases', () => {
  const cases: readonly [string, Partial<Scope>, string[]][] = [
    ['a shorter range', { endRange: '10.0.0.14' }, ['15 outside-range', '20 outside-range']],
    ['an exclusion', { exclusions: [{ start: '10.0.0.14', end: '10.0.0.16' }] }, ['15 excluded']],
    [
      'a deactivated scope',
      { state: 'Inactive' },
      ['10 scope-deactivated', '15 scope-deactivated', '20 scope-deactivated'],
    ],
    [
      'a reservation for another client',
      { reservations: [reservationOf('10.0.0.15', '020000000099')] },
      ['15 reserved-for-another'],
    ],
    ['a reservation for its own client', { reservations: [reservationOf('10.0.0.15', '02000000000f')] }, []],
    [
      'a reservation elsewhere for a client',
      { reservations: [reservationOf('10.0.0.200', '02000000000f')] },
      ['15 moves-to-reservation'],
    ],
    [
      'a reservation for another place',
      { reservations: [{ ...reservationOf('10.0.0.15', ''), client: { kind: 'circuit-id', hex: '99' } }] },
      ['15 reserved-for-another'],
    ],
    [
      'a reservation for its own place',
      { reservations: [{ ...reservationOf('10.0.0.15', ''), client: { kind: 'circuit-id', hex: '0f' } }] },
      [],
    ],
    ['a longer range, other options and another lease time', { endRange: '10.0.0.30', leaseDurationSec: 5 }, []],
  ];
  for (const [name, change, expected] of cases) {
    it(name, () => assert.deepEqual(effects(configOf([scopeOf(change)]), 10, 15, 20), expected));
  }

  it('a deleted scope is refused without force while leases run', () => {
    const found = effectOnLeases(configOf([BEFORE]), configOf([]), tableWith(10, 11));
    assert.deepEqual(found.refusedWithoutForce, [{ scopeId: addressOf('10.0.0.0'), activeLeases: 2 }]);
    assert.equal(found.counts['scope-deleted'], 2);
    assert.match(effectLines(found)[0] ?? '', /2 running leases and is deleted only with Force/);
    assert.deepEqual(effectOnLeases(configOf([BEFORE]), configOf([]), tableWith()).refusedWithoutForce, []);
  });

  it('what was so before is not told again', () => {
    const excluded = scopeOf({ exclusions: [{ start: '10.0.0.15', end: '10.0.0.15' }] });
    const found = effectOnLeases(configOf([excluded]), configOf([{ ...excluded, name: 'renamed' }]), tableWith(15));
    assert.deepEqual(found.affected, []);
    assert.deepEqual(effectLines(found), []);
  });

  it('says each effect in a sentence', () => {
    const found = effectOnLeases(configOf([BEFORE]), configOf([scopeOf({ endRange: '10.0.0.14' })]), tableWith(15));
    assert.deepEqual(effectLines(found), [
      'The lease of 10.0.0.15 (0102000000000f, until 1970-01-01 01:23:20Z) runs to its end; its next renewal is refused, because the address leaves the range.',
    ]);
  });

  it('lists a bounded number and counts all', () => {
    const wide = scopeOf({ subnetMask: '255.255.240.0', startRange: '10.0.0.10', endRange: '10.0.15.254' });
    const bindings = makeBindingTable(1);
    bindings.setPool(poolShapeOf(wide), 'free');
    for (let n = 0; n < 2500; n++) {
      const address = (addressOf('10.0.0.10') + n) as ReturnType<typeof addressOf>;
      bindings.change({
        ...bindings.find(address)!,
        state: 'active',
        hardware: Uint8Array.of(1, n >> 8, n & 255),
        leaseEndAt: 5000 as EpochSec,
      });
    }
    const found = effectOnLeases(configOf([wide]), configOf([{ ...wide, state: 'Inactive' }]), bindings);
    assert.equal(found.affected.length, 1000);
    assert.equal(found.counts['scope-deactivated'], 2500);
    assert.match(effectLines(found).at(-1) ?? '', /^1500 more leases/);
  });
});

describe('poolShapeOf', () => {
  it('sorts, joins and clips what a person wrote', () => {
    const shape = poolShapeOf(
      scopeOf({
        exclusions: [
          { start: '10.0.0.15', end: '10.0.0.16' },
          { start: '10.0.0.13', end: '10.0.0.14' },
          { start: '10.0.0.18', end: '10.0.0.99' },
          { start: '10.0.0.90', end: '10.0.0.91' },
        ],
        reservations: [reservationOf('10.0.0.200', '02'), reservationOf('10.0.0.12', '03')],
      }),
    );
    assert.deepEqual(shape, {
      scopeId: addressOf('10.0.0.0'),
      prefixLength: 24,
      firstAddress: addressOf('10.0.0.10'),
      lastAddress: addressOf('10.0.0.20'),
      exclusions: [
        { first: addressOf('10.0.0.13'), last: addressOf('10.0.0.16') },
        { first: addressOf('10.0.0.18'), last: addressOf('10.0.0.20') },
      ],
      reserved: [addressOf('10.0.0.12'), addressOf('10.0.0.200')],
    });
  });
});
