/** Windows as a partner (specification 3.1 to 3.8). What it is thought to do is *unverified*; these tests hold us to it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { limitsOf } from '../../../src/core/failover/limits.ts';
import { encodeMessage } from '../../../src/wire/failover/codec.ts';
import type { FailoverMessage, OutMessage } from '../../../src/wire/failover/messages.ts';
import { listOptions } from '../../../src/wire/failover/options.ts';
import { WINDOWS_UNACKED_MAX } from '../../../src/wire/failover/unverified.ts';
import type { EpochSec, Ip4, Sec } from '../../../src/wire/units.ts';
import { Pair, SCOPE } from './pair.ts';
import { address, CLIENT, FIRST, Rig, sentOf, WALL } from './rig.ts';

const ROLES = ['primary', 'secondary'] as const;

function rig(role: 'primary' | 'secondary', options: ConstructorParameters<typeof Rig>[0] = {}): Rig {
  const owner = role === 'primary' ? 'free' : 'backup';
  return new Rig({ role, profile: 'msft', owner, limits: limitsOf('msft'), ...options });
}

function normal(role: 'primary' | 'secondary', options: ConstructorParameters<typeof Rig>[0] = {}): Rig {
  return rig(role, options).into('normal').answerAll().quiet();
}

function optionsIn(message: OutMessage): Map<number, Uint8Array> {
  const bytes = encodeMessage({ ...message, sentAt: WALL } as FailoverMessage, 'msft');
  const listed = listOptions(bytes, 12);
  assert.ok(listed.kind === 'ok');
  return new Map(listed.value.map(({ code, dataAt, end }) => [code, bytes.subarray(dataAt, end)]));
}

for (const role of ROLES) {
  test(`3.5 as ${role}: a lease is told alone, with mask, server and client type, the scope before the hardware address`, () => {
    const one = normal(role, { config: { localAddress: 0x0a4d0001 as Ip4 } });
    one.lease(FIRST, CLIENT, 60);
    const message = one.last('bndupd')!;
    assert.equal(message.updates.length, 1);
    const options = optionsIn(message);
    for (const code of [2, 3, 12, 33, 5, 6, 13, 18]) assert.ok(options.has(code), `option ${code}`);
    assert.deepEqual([...options.get(33)!], [255, 255, 0, 0]);
    assert.deepEqual([...options.get(34)!], [10, 77, 0, 1]);
    assert.deepEqual(
      [options.get(36)?.length, options.get(37)?.length, options.get(38)?.length, options.get(39)?.length],
      [1, 1, 4, 1],
    );
    // 10.0.0.0 with its lowest byte first, then hardware type and address.
    assert.deepEqual([...options.get(5)!], [0, 0, 0, 10, ...CLIENT]);
    assert.deepEqual([options.get(12)?.length, options.get(3)?.[0]], [1, 1]);
  });

  test(`3.7 as ${role}: POOLREQ is neither sent nor answered, and no DISCONNECT is sent`, () => {
    const one = normal(role);
    assert.deepEqual(sentOf(one.hear({ kind: 'poolreq' })), []);
    one.waitInContact(700);
    one.wait(500);
    assert.deepEqual([one.all('poolreq').length, one.all('poolresp').length, one.all('disconnect').length], [0, 0, 0]);
  });

  test(`3.7 as ${role}: CONTACT comes at least each 60 s whatever it asked for, and it is given 180 s`, () => {
    const one = rig(role, { record: { state: 'communications-interrupted' } })
      .start()
      .link({ receiveTimerSec: 3000 });
    one.says('communications-interrupted');
    one.answerAll().quiet().wait(179);
    assert.ok(one.all('contact').length >= 2);
    assert.ok(one.endpoint.isCommunicating);
    one.wait(2);
    assert.ok(!one.endpoint.isCommunicating);
  });

  test(`3.8 as ${role}: never more than ten updates are unanswered, whatever it says it bears`, () => {
    const one = rig(role, { poolSize: 60, record: { state: 'communications-interrupted' } })
      .start()
      .link({ maxUnacked: 500 });
    one.says('communications-interrupted');
    for (let i = 0; i < 40; i++) one.lease(FIRST + i, Uint8Array.of(1, 2, 2, 2, 2, 3, i), 60);
    assert.equal(one.unanswered.length, WINDOWS_UNACKED_MAX);
  });

  test(`3.1 as ${role}: hash buckets and MCLT are those configured here, not those it tells`, () => {
    const one = rig(role, {
      config: { percentage: 100, mcltSec: 77 as Sec },
      record: { state: 'communications-interrupted' },
    });
    one
      .start()
      .link({ mcltSec: 5, hashBuckets: new Uint8Array(32) })
      .says('communications-interrupted');
    assert.equal(one.endpoint.rights.grantSec(one.now, 5000 as Sec, undefined), 77);
    // The primary has all buckets.
    one.table.setPool(one.table.pools()[0]!, 'free');
    const ask = { scopeId: SCOPE, bucket: 200, secs: 0, unansweredMs: 0 };
    if (role === 'primary') assert.ok(one.endpoint.rights.answers(one.now, ask).yes);
  });

  test(`3.7 as ${role}: PAUSED and SHUTDOWN are not its words; the connection just ends`, () => {
    for (const kind of ['pause', 'shutdown'] as const) {
      const one = normal(role);
      const effects = one.step({ kind: 'command', command: { kind } });
      assert.deepEqual(sentOf(effects), []);
      assert.ok(effects.some((effect) => effect.kind === 'close'));
    }
  });

  test(`3.7 as ${role}: UPDREQ with scopes is answered with these, and at once for scopes that are not ours`, () => {
    const one = normal(role);
    one.hear({ kind: 'updreq', xid: 5, scopeIds: [SCOPE] });
    assert.equal(one.unanswered.length, 8);
    one.answerAll();
    assert.equal(one.last('upddone')?.xid, 5);
    one.quiet().hear({ kind: 'updreq', xid: 6, scopeIds: [0x0b000000 as Ip4] });
    assert.deepEqual([one.all('bndupd').length, one.last('upddone')?.xid], [0, 6]);
  });

  test(`3.5 as ${role}: the answers keep the order of the updates`, () => {
    const one = normal(role);
    const updates = [5, 3, 4].map((i) => ({ address: address(FIRST + i), state: 'backup' as const }));
    one.hear({ kind: 'bndupd', updates });
    assert.deepEqual(
      one.last('bndack')?.answers.map((answer) => answer.address),
      updates.map((update) => update.address),
    );
  });

  test(`3.1 as ${role}: an ownership move of a reserved address is refused with 15`, () => {
    const one = normal(role, { reserved: [FIRST] });
    for (const state of ['free', 'backup'] as const) assert.equal(one.told({ state }), 'outdated-binding-information');
  });

  test(`5.4 as ${role}: IP-flags 0x4 lets an update pass that is not complete`, () => {
    const one = normal(role);
    assert.equal(one.told({ state: 'expired' }), 'missing-binding-information');
    assert.equal(one.told({ state: 'expired', vendorFlags: 4 }), 'accept');
  });

  test(`W5 as ${role}: RECOVER-WAIT is heard as RECOVER, also after a restart`, () => {
    const record = { state: 'recover-wait' as const, recoverWaitUntilAt: (WALL + 500) as EpochSec };
    const one = rig(role, { record }).start().link();
    one.says('partner-down');
    for (const state of one.all('state')) assert.equal(optionsIn(state).get(24)?.[0], 6);
  });
}

test('W3 a primary passes over the CONNECT of a Windows secondary', () => {
  const one = rig('primary').start();
  one.step({ kind: 'connected', dialled: true });
  assert.deepEqual(sentOf(one.hear({ kind: 'connect', relationshipName: 'pair' })), []);
});

test('3.8 as secondary no address is given or asked back; as primary both ways each 5 minutes, and at once when dry', () => {
  const secondary = normal('secondary', { poolSize: 8 });
  secondary.waitInContact(1000);
  assert.deepEqual(secondary.all('bndupd'), []);
  const primary = normal('primary', { poolSize: 20 });
  assert.equal(primary.table.counts(SCOPE).backup, 10);
  for (let i = 10; i < 17; i++) primary.lease(FIRST + i, Uint8Array.of(1, 2, 2, 2, 2, 3, i), 5000);
  primary.answerAll().quiet().waitInContact(299);
  assert.deepEqual(primary.all('bndupd'), []);
  primary.waitInContact(10);
  const taken = primary.all('bndupd').flatMap((message) => message.updates);
  assert.ok(taken.length > 0 && taken.every((update) => update.move === 'reconcile' && update.state === 'free'));
  assert.equal(primary.table.counts(SCOPE).backup, 10, 'until it has agreed');
  primary.answerAll();
  assert.equal(primary.table.counts(SCOPE).backup, 10 - taken.length);
});

test('5.2 an address that Windows will not give back stays its own', () => {
  const one = normal('primary', { poolSize: 4 });
  const backups = one.table.counts(SCOPE).backup;
  for (let i = 2; i < 4; i++) one.lease(FIRST + i, Uint8Array.of(1, 2, 2, 2, 2, 3, i), 5000);
  assert.ok(one.unanswered.some((update) => update.state === 'free'));
  one.answerAll('fatal-conflict');
  assert.equal(one.table.counts(SCOPE).backup, backups);
});

test('law: with Windows in contact no side is dry for long while the other has two addresses', () => {
  const step = fc.record({
    at: fc.constantFrom('A' as const, 'B' as const),
    count: fc.nat(5),
    sec: fc.constantFrom(1, 20, 61),
  });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.constantFrom(10, 50, 90),
      fc.array(step, { maxLength: 10 }),
      (poolSize, percentage, steps) => {
        const pair = new Pair({ profile: 'msft', poolSize, percentage, mcltSec: 60 }).start().advance(200_000);
        let client = 0;
        for (const { at, count, sec } of steps) {
          for (let i = 0; i < count; i++) pair.lease(at, `c${client++ % 25}`);
          pair.advance(sec * 1000);
        }
        // The longest lease that was given, and a review.
        pair.advance(420_000);
        assert.equal(pair.states(), 'A normal, B normal');
        const { free, backup } = pair.servers.A.table.counts(SCOPE);
        assert.ok((free > 0 || backup < 2) && (backup > 0 || free < 2), `free ${free} backup ${backup}`);
      },
    ),
    { numRuns: 60 },
  );
});
