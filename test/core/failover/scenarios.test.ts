/** Losses and returns of a pair, each as a story in virtual time; named by the section whose rule decides. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeBindingTable } from '../../../src/core/bindings/table.ts';
import type { Ip4, Sec } from '../../../src/wire/units.ts';
import { differences, other, Pair, type PairOptions, poolOf, SCOPE, SIDES } from './pair.ts';

function normalPair(options: PairOptions = {}): Pair {
  const pair = new Pair(options).start().advance(3000);
  assert.equal(pair.states(), 'A normal, B normal');
  return pair;
}

function assertAgreed(pair: Pair): void {
  assert.equal(pair.states(), 'A normal, B normal');
  assert.deepEqual(differences(pair), []);
}

function leaseAll(pair: Pair, prefix: string, count: number): void {
  for (let i = 0; i < count; i++) pair.lease(i % 2 === 0 ? 'A' : 'B', `${prefix}${i}`);
}

test('the engine works the same on the real binding table', () => {
  const pair = new Pair({ makeTable: () => makeBindingTable(1) }).start().advance(3000);
  leaseAll(pair, 'c', 6);
  pair.cut().advance(2000);
  leaseAll(pair, 'd', 4);
  pair.heal().advance(5000);
  assertAgreed(pair);
  pair.kill('B').advance(1000);
  pair.command('A', { kind: 'partner-down' });
  pair.advance(100_000);
  pair.revive('B').advance(5000);
  assertAgreed(pair);
});

for (const side of SIDES) {
  test(`4.5 ${side} is killed and comes back within COMMUNICATIONS-INTERRUPTED: nothing is lost`, () => {
    const pair = normalPair();
    leaseAll(pair, 'c', 6);
    pair.kill(side).advance(500);
    assert.equal(pair.state(other(side)), 'communications-interrupted');
    assert.ok(pair.lease(other(side), 'late') !== undefined);
    pair.advance(10_000).revive(side).advance(3000);
    assertAgreed(pair);
    assert.equal(pair.servers.A.table.counts(SCOPE).active, 7);
  });

  test(`4.3 ${side} loses its store: it gets everything, and waits MCLT before it serves`, () => {
    const pair = normalPair({ mcltSec: 60 });
    leaseAll(pair, 'c', 6);
    pair.advance(1000).kill(side).advance(20_000).revive(side, true).advance(5000);
    assert.equal(pair.state(side), 'recover-wait');
    assert.equal(pair.lease(side, 'c0'), undefined);
    assert.ok(pair.lease(other(side), 'new') !== undefined);
    pair.advance(100);
    assert.equal(pair.servers[side].table.counts(SCOPE).active, 6 + 1);
    pair.advance(55_000);
    assert.equal(pair.state(side), 'recover-wait');
    pair.advance(8000);
    assertAgreed(pair);
  });

  test(`4.3 ${side} comes back from an old copy: told so, it recovers and waits`, () => {
    const pair = normalPair({ mcltSec: 60 });
    leaseAll(pair, 'c', 4);
    pair.advance(15_000);
    const copy = pair.copyStore(side);
    leaseAll(pair, 'd', 4);
    pair.advance(30_000).kill(side).advance(1000);
    copy.restore();
    pair.revive(side).advance(3000);
    assert.equal(pair.state(side), 'recover-wait');
    assert.ok(pair.servers[side].events.some((e) => e.code === 'failover/own-store-old'));
    pair.advance(90_000);
    assertAgreed(pair);
  });
}

test('5.4 a client that moved while the servers did not hear of each other keeps its newer lease; the older is over after MCLT', () => {
  const pair = normalPair({ mcltSec: 60 });
  pair.cut().advance(2000);
  const older = pair.lease('A', 'c')!;
  pair.advance(3000);
  const newer = pair.lease('B', 'c')!;
  assert.notEqual(older.address, newer.address);
  pair.heal().advance(5000);
  for (const side of SIDES)
    assert.deepEqual(
      [older, newer].map(({ address }) => pair.find(side, address).state),
      ['active', 'active'],
    );
  assert.ok(pair.find('B', older.address).leaseEndAt <= pair.now('B').wallAt + 60);
  assert.equal(pair.lease('B', 'c')?.address, newer.address);
  pair.advance(70_000);
  for (const side of SIDES)
    assert.deepEqual(
      [older, newer].map(({ address }) => pair.find(side, address).state),
      ['free', 'active'],
    );
  assertAgreed(pair);
});

test('4.3 an old copy that ran on alone, and so has a new sequence, is told all the same', () => {
  const pair = normalPair({ mcltSec: 60 });
  pair.advance(15_000);
  const copy = pair.copyStore('B');
  leaseAll(pair, 'c', 6);
  pair.advance(30_000).kill('B').cut().advance(1000);
  copy.restore();
  pair.revive('B').advance(30_000);
  pair.servers.B.sequence += 1000;
  pair.heal().advance(4000);
  assert.ok(pair.servers.B.events.some((e) => e.code === 'failover/own-store-old'));
  pair.advance(120_000);
  assertAgreed(pair);
});

test('1.9 a machine that vanishes is noticed within 10 s, by both sides', () => {
  const pair = normalPair();
  pair.vanish().advance(10_001);
  assert.equal(pair.states(), 'A communications-interrupted, B communications-interrupted');
});

test('4.4 partner-down: refused in NORMAL, taken in COMMUNICATIONS-INTERRUPTED, nothing to do in PARTNER-DOWN', () => {
  const pair = normalPair();
  assert.equal(pair.command('A', { kind: 'partner-down' }), 'refused');
  pair.kill('B').advance(100);
  assert.equal(pair.command('A', { kind: 'partner-down' }), 'done');
  assert.equal(pair.command('A', { kind: 'partner-down' }), 'nothing-to-do');
});

test('4.4 the safe period: PARTNER-DOWN by itself after the interval, unless contact returns', () => {
  const pair = normalPair({ autoPartnerDownSec: 120 });
  pair.cut().advance(119_000);
  assert.equal(pair.state('A'), 'communications-interrupted');
  pair.heal().advance(3000);
  assertAgreed(pair);
  pair.kill('B').advance(119_000);
  assert.equal(pair.state('A'), 'communications-interrupted');
  pair.advance(2000);
  assert.equal(pair.state('A'), 'partner-down');
});

test('5.5 the survivor uses the partner’s addresses after P + MCLT + S, no sooner', () => {
  const pair = normalPair({ mcltSec: 60, poolSize: 4 });
  pair.kill('B').advance(100);
  pair.command('A', { kind: 'partner-down' });
  assert.ok(pair.lease('A', 'c1', 5000) && pair.lease('A', 'c2', 5000));
  assert.equal(pair.lease('A', 'c3'), undefined);
  pair.advance(40_000);
  assert.ok(pair.lease('A', 'c1', 5000) && pair.lease('A', 'c2', 5000));
  pair.advance(24_000);
  assert.equal(pair.lease('A', 'c3'), undefined);
  pair.advance(2000);
  assert.ok(pair.lease('A', 'c3'));
});

test('5.5 a lease that the dead partner may have extended is waited for up to its potential end, MCLT and S', () => {
  const pair = normalPair({ mcltSec: 60, poolSize: 2 });
  const lease = pair.lease('B', 'c1', 600)!;
  pair.advance(100).kill('B').advance(100);
  pair.command('A', { kind: 'partner-down' });
  // It was told t + 600 + 30 as the potential end.
  pair.advance((630 + 60 + 2) * 1000);
  assert.notEqual(pair.find('A', lease.address).state, 'free');
  pair.advance(6000);
  assert.equal(pair.find('A', lease.address).state, 'free');
});

test('4.5 a partner returns to PARTNER-DOWN: RECOVER, RECOVER-WAIT, RECOVER-DONE, both NORMAL', () => {
  const pair = normalPair({ mcltSec: 60 });
  leaseAll(pair, 'c', 4);
  pair.advance(1000).kill('B').advance(5000);
  pair.command('A', { kind: 'partner-down' });
  pair.revive('B').advance(3000);
  assert.equal(pair.states(), 'A partner-down, B recover-wait');
  assert.equal(pair.lease('B', 'c1'), undefined);
  pair.advance(75_000);
  assertAgreed(pair);
});

test('4.4, I25 partner-down declared on both sides: potential conflict, resolved, the primary’s client keeps the address', () => {
  const pair = normalPair({ mcltSec: 20, poolSize: 4 });
  pair.cut().advance(100);
  pair.command('A', { kind: 'partner-down' });
  pair.command('B', { kind: 'partner-down' });
  pair.advance(30_000);
  leaseAll(pair, 'a', 8);
  const clashes: Ip4[] = [];
  for (const pool of pair.pools)
    for (let address = pool.firstAddress; address <= pool.lastAddress; address = (address + 1) as Ip4) {
      const [a, b] = [pair.find('A', address), pair.find('B', address)];
      if (a.state === 'active' && b.state === 'active' && a.hardware?.join() !== b.hardware?.join())
        clashes.push(address);
    }
  assert.ok(clashes.length > 0);
  const winners = clashes.map((address) => pair.find('A', address).hardware);
  pair.heal().advance(5000);
  const passed = pair.servers.A.events.filter((e) => e.code === 'failover/state-changed').map((e) => e.slots['to']);
  assert.deepEqual(passed.slice(-3), ['potential-conflict', 'conflict-done', 'normal']);
  assert.equal(pair.states(), 'A normal, B normal');
  for (const [i, address] of clashes.entries()) assert.deepEqual(pair.find('B', address).hardware, winners[i]);
  pair.advance(60_000);
  assertAgreed(pair);
});

test('4.4 an orderly stop: the partner is in PARTNER-DOWN at once, and both come together again', () => {
  const pair = normalPair({ mcltSec: 20 });
  assert.equal(pair.command('B', { kind: 'shutdown' }), 'done');
  pair.advance(100);
  assert.equal(pair.state('A'), 'partner-down');
  pair.kill('B').advance(5000).revive('B').advance(60_000);
  assertAgreed(pair);
});

test('4.4 pause and resume: the partner goes on alone and does not take over', () => {
  const pair = normalPair();
  assert.equal(pair.command('B', { kind: 'pause' }), 'done');
  pair.advance(100);
  assert.equal(pair.states(), 'A communications-interrupted, B paused');
  assert.equal(pair.lease('B', 'c1'), undefined);
  assert.equal(pair.command('B', { kind: 'resume' }), 'done');
  pair.advance(5000);
  assertAgreed(pair);
});

test('1.10 never more unanswered updates than the partner allows, and never two for one address', () => {
  const pair = new Pair({ limits: { unackedMax: 3, updatesPerMessageMax: 2 }, delayMs: 300, poolSize: 60 });
  const open = { A: new Map<number, number[]>(), B: new Map<number, number[]>() };
  let most = 0;
  pair.onSend = (from, message) => {
    if (message.kind === 'connect' || message.kind === 'connectack') for (const side of SIDES) open[side].clear();
    if (message.kind === 'bndupd') {
      assert.ok(message.updates.length <= 2);
      for (const addresses of open[from].values())
        for (const u of message.updates) assert.ok(!addresses.includes(u.address));
      open[from].set(
        message.xid,
        message.updates.map((u) => u.address),
      );
      most = Math.max(most, open[from].size);
    }
    if (message.kind === 'bndack') open[other(from)].delete(message.xid);
  };
  pair.start().advance(60_000);
  leaseAll(pair, 'c', 20);
  pair.advance(60_000);
  assertAgreed(pair);
  assert.equal(most, 3);
});

test('I17 UPDDONE leaves after the answers to everything that was asked for', () => {
  const pair = new Pair({ poolSize: 40, limits: { unackedMax: 2, updatesPerMessageMax: 3 } });
  pair.start().advance(20_000);
  const asked = pair.log.indexOf('B -> updreqall');
  const done = pair.log.indexOf('A -> upddone');
  assert.ok(asked >= 0 && done > asked);
  const between = pair.log.slice(asked, done);
  const updates = between.filter((line) => line.startsWith('A -> bndupd'));
  assert.equal(updates.length, between.filter((line) => line.startsWith('B -> bndack')).length);
  assert.equal(updates.flatMap((line) => line.split(' ').slice(3)).length, 40);
});

test('6.3 what was told of a lease is durable before the update leaves, and an update before its answer', () => {
  const pair = normalPair();
  let checked = 0;
  pair.onSend = (from, message) => {
    if (message.kind === 'bndupd')
      for (const u of message.updates) {
        const saved = pair.servers[from].saved.get(u.address)!;
        assert.equal(saved.state, u.state);
        if (u.state !== 'active') continue;
        assert.ok(saved.told && saved.sentPotentialAt >= u.potentialEndAt!);
        checked++;
      }
    if (message.kind === 'bndack')
      for (const a of message.answers) {
        assert.deepEqual(pair.servers[from].saved.get(a.address), pair.find(from, a.address));
        checked++;
      }
  };
  leaseAll(pair, 'c', 6);
  pair.advance(700_000);
  assert.ok(checked > 12);
});

test('I15 a quiet pair sends nothing but CONTACT and its store’s mark', () => {
  const pair = normalPair();
  leaseAll(pair, 'c', 4);
  pair.advance(30_000);
  // The second time they get the full time.
  leaseAll(pair, 'c', 4);
  pair.advance(30_000);
  const before = pair.log.length;
  pair.advance(60_000);
  for (const line of pair.log.slice(before)) assert.match(line, /-> (contact|state normal)$/);
});

test('5.2 a lease that the partner never heard of goes back to its owner while the link is cut', () => {
  const pair = normalPair();
  pair.cut().advance(100);
  const lease = pair.lease('B', 'c1', 600)!;
  pair.advance(70_000);
  assert.equal(pair.find('B', lease.address).state, 'backup');
  const told = normalPair();
  const known = told.lease('B', 'c1', 30)!;
  told.advance(100).cut().advance(70_000);
  assert.equal(told.find('B', known.address).state, 'expired');
  pair.heal().advance(60_000);
  assertAgreed(pair);
});

test('I9 an expired address goes back to its own client only while its end was not told', () => {
  const pair = normalPair();
  const lease = pair.lease('A', 'c1', 30)!;
  pair.advance(100).cut().advance(40_000);
  const { rights } = pair.servers.A.endpoint;
  assert.equal(pair.find('A', lease.address).state, 'expired');
  assert.equal(rights.mayRevive?.(pair.now('A'), pair.find('A', lease.address)), true);
  assert.equal(rights.mayAllocate(pair.now('A'), pair.find('A', lease.address)), false);
  pair.kill('A').revive('A');
  const again = pair.servers.A.endpoint.rights;
  assert.equal(again.mayRevive?.(pair.now('A'), pair.find('A', lease.address)), false);
});

test('clock in doubt: nothing expires and no address changes hands, renewals go on', () => {
  const pair = normalPair();
  const lease = pair.lease('A', 'c1', 30)!;
  for (const side of SIDES) pair.servers[side].endpoint.setClockTrusted(false);
  pair.advance(120_000);
  assert.equal(pair.find('A', lease.address).state, 'active');
  assert.ok(pair.lease('A', 'c1', 30));
  for (const side of SIDES) pair.servers[side].endpoint.setClockTrusted(true);
  pair.advance(120_000);
  assert.equal(pair.find('A', lease.address).state, 'free');
  assertAgreed(pair);
});

test('4.3 a scope added to a live pair: the new half is silent and the other serves it until the data are here', () => {
  const pair = normalPair();
  const added = poolOf(6, ((SCOPE + 0x10000) >>> 0) as Ip4);
  pair.pools.push(added);
  for (const side of SIDES) pair.servers[side].table.setPool(added, 'free');
  pair.servers.A.table.change({
    ...pair.find('A', added.firstAddress),
    state: 'active',
    hardware: Uint8Array.of(1, 9),
    leaseEndAt: (pair.now('A').wallAt + 5000) as never,
  });
  const config = (side: 'A' | 'B') => ({ ...pair.servers[side].config, scopeIds: [SCOPE, added.scopeId] });
  // The new half first: its request waits at the other until that has the scope too.
  pair.step('B', { kind: 'reconfigured', config: config('B'), newScopeIds: [added.scopeId] });
  pair.advance(50);
  const silent = pair.servers.B.endpoint.rights.service(pair.now('B'), added.scopeId);
  assert.equal(silent.serves, 'none');
  pair.step('A', { kind: 'reconfigured', config: config('A'), newScopeIds: [] });
  const ask = { scopeId: added.scopeId, bucket: 255, secs: 0, unansweredMs: 0 };
  assert.equal(pair.servers.A.endpoint.rights.answers(pair.now('A'), ask).yes, true);
  pair.advance(20_000);
  assert.equal(pair.servers.B.endpoint.rights.service(pair.now('B'), added.scopeId).serves, 'all');
  assert.equal(pair.find('B', added.firstAddress).state, 'active');
  assert.equal(pair.servers.B.table.counts(added.scopeId).backup, 3);
  assert.deepEqual(differences(pair), []);
});

test('4.3 the called server has an added scope first: what the other refuses until it has it too does not stay with the called one', () => {
  const pair = normalPair();
  const added = poolOf(60, ((SCOPE + 0x10000) >>> 0) as Ip4);
  pair.pools.push(added);
  for (const side of SIDES) pair.servers[side].table.setPool(added, 'free');
  pair.servers.A.table.change({
    ...pair.find('A', added.firstAddress),
    state: 'active',
    hardware: Uint8Array.of(1, 9),
    leaseEndAt: (pair.now('A').wallAt + 5000) as never,
    dirty: true,
  });
  const config = (side: 'A' | 'B') => ({ ...pair.servers[side].config, scopeIds: [SCOPE, added.scopeId] });
  pair.step('A', { kind: 'reconfigured', config: config('A'), newScopeIds: [] });
  // Long enough for the balance to be looked at and for its first gifts to come back.
  pair.advance(500);
  assert.equal(pair.servers.A.table.counts(added.scopeId).backup, 0);
  pair.step('B', { kind: 'reconfigured', config: config('B'), newScopeIds: [added.scopeId] });
  pair.advance(3000);
  assert.equal(pair.servers.B.endpoint.rights.service(pair.now('B'), added.scopeId).serves, 'all');
  assert.equal(pair.find('B', added.firstAddress).state, 'active');
  assert.ok(pair.servers.B.table.counts(added.scopeId).backup >= 29, 'the new half has its share');
  assert.deepEqual(differences(pair), []);
});

test('8.4 who answers a DISCOVER in NORMAL: hash, secs, repetition, a partner without addresses or interface', () => {
  const pair = normalPair({ percentage: 50 });
  const answers = (side: 'A' | 'B', change: object): boolean =>
    pair.servers[side].endpoint.rights.answers(pair.now(side), {
      scopeId: SCOPE,
      bucket: 10,
      secs: 0,
      unansweredMs: 0,
      ...change,
    }).yes;
  assert.deepEqual([answers('A', {}), answers('B', {})], [true, false]);
  assert.deepEqual([answers('A', { bucket: 200 }), answers('B', { bucket: 200 })], [false, true]);
  assert.deepEqual([answers('B', { secs: 3 }), answers('B', { secs: 4 })], [false, true]);
  assert.deepEqual([answers('B', { unansweredMs: 2999 }), answers('B', { unansweredMs: 3000 })], [false, true]);
  pair.step('A', { kind: 'unserved-scopes', scopeIds: [SCOPE] });
  pair.advance(10);
  assert.equal(answers('B', {}), true);
  pair.step('A', { kind: 'unserved-scopes', scopeIds: [] });
  pair.advance(10);
  assert.equal(answers('B', {}), false);
  pair.cut().advance(10);
  assert.deepEqual([answers('A', { bucket: 200 }), answers('B', {})], [true, true]);
});

for (const active of SIDES)
  test(`8.5 hot standby with ${active} active: it answers, the other holds the reserve and renews`, () => {
    const pair = normalPair({ mode: 'HotStandby', percentage: 10, active, called: active, poolSize: 40 });
    const standby = other(active);
    pair.advance(20_000);
    const { free, backup } = pair.servers.A.table.counts(SCOPE);
    assert.equal(standby === 'B' ? backup : free, 4);
    const ask = { scopeId: SCOPE, bucket: 77, secs: 0, unansweredMs: 0 };
    assert.equal(pair.servers[active].endpoint.rights.answers(pair.now(active), ask).yes, true);
    assert.equal(pair.servers[standby].endpoint.rights.answers(pair.now(standby), ask).yes, false);
    pair.lease(active, 'c1');
    pair.advance(100).kill(active).advance(100);
    assert.ok(pair.lease(standby, 'c1'));
    assert.equal(pair.servers[standby].endpoint.rights.answers(pair.now(standby), ask).yes, true);
    for (let i = 0; i < 4; i++) assert.ok(pair.lease(standby, `new${i}`));
    assert.equal(pair.lease(standby, 'one too many'), undefined);
    pair.revive(active).advance(60_000);
    assertAgreed(pair);
  });

test('a change of the percentage moves addresses; MCLT made shorter is remembered for the waits', () => {
  const pair = normalPair({ percentage: 50, mcltSec: 200, poolSize: 40 });
  for (const side of SIDES) {
    const config = { ...pair.servers[side].config, percentage: 80, mcltSec: 20 as Sec };
    pair.step(side, { kind: 'reconfigured', config, newScopeIds: [] });
  }
  pair.advance(30_000);
  assert.equal(pair.counts('A'), 'free 32 backup 8 active 0 transitory 0');
  pair.kill('B').advance(100);
  pair.command('A', { kind: 'partner-down' });
  const usableAt = pair.servers.A.endpoint.rights.partnersUsableAt(pair.now('A'))!;
  assert.equal(usableAt - pair.now('A').wallAt, 205);
});

test('a partner that leaves updates unanswered is cut off after a minute', () => {
  const pair = normalPair();
  pair.dropAcks = true;
  pair.lease('A', 'c1');
  pair.advance(59_000);
  assert.equal(pair.state('A'), 'normal');
  pair.advance(2000);
  assert.ok(pair.servers.A.events.some((e) => e.code === 'failover/partner-lost'));
  pair.dropAcks = false;
  pair.advance(20_000);
  assertAgreed(pair);
});
