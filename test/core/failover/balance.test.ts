/** Shares of the available addresses, and that moves converge without a side running dry. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { PoolCounts } from '../../../src/core/bindings/binding.ts';
import { backupTarget, toGive } from '../../../src/core/failover/balance.ts';
import type { EndpointConfig } from '../../../src/core/failover/endpoint-types.ts';
import type { Sec } from '../../../src/wire/units.ts';
import { Pair, SCOPE } from './pair.ts';

function config(change: Partial<EndpointConfig>): EndpointConfig {
  return {
    name: 'pair',
    id: 'id-1',
    role: 'primary',
    mode: 'LoadBalance',
    isActive: true,
    percentage: 50,
    mcltSec: 60 as Sec,
    autoPartnerDownSec: undefined,
    profile: 'twinlease',
    scopeIds: [SCOPE],
    loadBalanceMaxSec: 3 as Sec,
    ...change,
  };
}

function counts(free: number, backup: number): PoolCounts {
  return { free, backup, active: 0, transitory: 0, abandoned: 0, total: free + backup, activeOutside: 0 };
}

test('load balance: the secondary has 100 - percentage of what is available, each side at least one of two', () => {
  assert.equal(backupTarget(config({ percentage: 50 }), 100), 50);
  assert.equal(backupTarget(config({ percentage: 70 }), 100), 30);
  assert.equal(backupTarget(config({ percentage: 100 }), 100), 1);
  assert.equal(backupTarget(config({ percentage: 0 }), 100), 99);
  assert.equal(backupTarget(config({ percentage: 50 }), 0), 0);
});

test('8.5 hot standby: the reserve is on the standby, whichever role that has; 0 is no reserve', () => {
  const standbySecondary = { mode: 'HotStandby', percentage: 5, isActive: true } as const;
  assert.equal(backupTarget(config(standbySecondary), 100), 5);
  assert.equal(backupTarget(config({ ...standbySecondary, role: 'secondary', isActive: false }), 100), 5);
  assert.equal(backupTarget(config({ ...standbySecondary, isActive: false }), 100), 95);
  assert.equal(backupTarget(config({ ...standbySecondary, percentage: 0 }), 100), 0);
  assert.equal(backupTarget(config(standbySecondary), 3), 1);
});

test('the side with too many gives, the other does not; within the tolerance nobody, unless one is dry', () => {
  const secondary = config({ role: 'secondary' });
  assert.equal(toGive(config({}), counts(80, 20), 10, false), 30);
  assert.equal(toGive(secondary, counts(80, 20), 10, false), 0);
  assert.equal(toGive(secondary, counts(20, 80), 10, false), 30);
  assert.equal(toGive(config({}), counts(55, 45), 10, false), 0);
  assert.equal(toGive(config({}), counts(55, 45), 10, true), 5);
  assert.equal(toGive(config({ percentage: 99 }), counts(100, 0), 10, false), 1);
});

test('law: after each side has given what it should, neither gives more and both have their share', () => {
  const any = fc.record({
    free: fc.nat(500),
    backup: fc.nat(500),
    percentage: fc.integer({ min: 0, max: 100 }),
    mode: fc.constantFrom('LoadBalance' as const, 'HotStandby' as const),
    primaryActive: fc.boolean(),
  });
  fc.assert(
    fc.property(any, ({ free, backup, percentage, mode, primaryActive }) => {
      const primary = config({ percentage, mode, isActive: primaryActive });
      const secondary = config({ percentage, mode, role: 'secondary', isActive: !primaryActive });
      const given = toGive(primary, counts(free, backup), 10, true);
      const back = toGive(secondary, counts(free, backup), 10, true);
      assert.ok(given === 0 || back === 0);
      const after = counts(free - given + back, backup + given - back);
      assert.equal(toGive(primary, after, 10, true) + toGive(secondary, after, 10, true), 0);
      assert.equal(after.backup, backupTarget(primary, free + backup));
      if (mode === 'LoadBalance' && free + backup >= 2) assert.ok(after.free >= 1 && after.backup >= 1);
    }),
  );
});

for (const percentage of [50, 20, 90])
  test(`a pair at ${percentage} % shares its addresses so, and the share follows what is leased`, () => {
    const pair = new Pair({ percentage, poolSize: 50 }).start().advance(5000);
    const share = (): number => pair.servers.A.table.counts(SCOPE).backup;
    assert.equal(share(), (50 * (100 - percentage)) / 100);
    for (let i = 0; i < 20; i++) assert.ok(pair.lease(i % 2 === 0 ? 'A' : 'B', `c${i}`) !== undefined || i > 0);
    pair.advance(15_000);
    const { free, backup } = pair.servers.A.table.counts(SCOPE);
    const off = Math.abs(backup - backupTarget(pair.servers.A.config, free + backup));
    assert.ok(off <= Math.floor((free + backup) / 10), `off by ${off}`);
  });

test('neither side runs dry: one that has used its share gets more within seconds', () => {
  const pair = new Pair({ percentage: 50, poolSize: 40 }).start().advance(5000);
  let given = 0;
  for (let i = 0; i < 36; i++) {
    if (pair.lease('B', `c${i}`) !== undefined) given++;
    pair.advance(1000);
  }
  assert.equal(given, 36);
});

test('addresses held by an offer are not given away', () => {
  const held = new Set([SCOPE + 10, SCOPE + 11, SCOPE + 12]);
  const pair = new Pair({ poolSize: 8, isHeld: (address) => held.has(address) });
  pair.start().advance(5000);
  for (const address of held) assert.equal(pair.find('A', address as never).state, 'free');
  assert.equal(pair.servers.A.table.counts(SCOPE).backup, 4);
});

test('law: while both are in contact no side is dry for long while the other has two, and nobody goes unanswered', () => {
  const step = fc.record({
    at: fc.constantFrom('A' as const, 'B' as const),
    count: fc.nat(5),
    releases: fc.nat(3),
    sec: fc.constantFrom(1, 7, 30),
  });
  const setting = fc.record({
    profile: fc.constantFrom('twinlease' as const, 'draft' as const),
    poolSize: fc.integer({ min: 1, max: 20 }),
    percentage: fc.constantFrom(5, 20, 50, 80, 95),
    mode: fc.constantFrom('LoadBalance' as const, 'HotStandby' as const),
    active: fc.constantFrom('A' as const, 'B' as const),
  });
  fc.assert(
    fc.property(setting, fc.array(step, { maxLength: 8 }), (options, steps) => {
      const pair = new Pair({ ...options, mcltSec: 60 }).start().advance(200_000);
      assert.equal(pair.states(), 'A normal, B normal');
      let client = 0;
      for (const { at, count, releases, sec } of steps) {
        for (let i = 0; i < count; i++) pair.lease(at, `c${client++ % 25}`, 300);
        const held = pair.servers[at].table.scan(SCOPE, SCOPE, 100).filter((binding) => binding.state === 'active');
        for (const { address } of held.slice(0, releases)) pair.release(at, address);
        pair.advance(sec * 1000);
        for (const side of ['A', 'B'] as const) {
          const { free, backup } = pair.servers[side].table.counts(SCOPE);
          const [own, partners] = side === 'A' ? [free, backup] : [backup, free];
          if (partners > 0 || own === 0) continue;
          // The other side has nothing: this one answers every client.
          const ask = { scopeId: SCOPE, secs: 0, unansweredMs: 0 };
          for (const bucket of [0, 127, 128, 255])
            assert.ok(pair.servers[side].endpoint.rights.answers(pair.now(side), { ...ask, bucket }).yes);
        }
      }
      pair.advance(130_000);
      const { free, backup } = pair.servers.A.table.counts(SCOPE);
      if (options.mode === 'LoadBalance')
        assert.ok((free > 0 || backup < 2) && (backup > 0 || free < 2), `free ${free} backup ${backup}`);
    }),
    { numRuns: 60 },
  );
});
