/** Specification 1.14, 3.1, 3.5, 3.7, 3.8: what differs by the make of the partner, with the real endpoint. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointConfig } from '../../../src/core/failover/endpoint-types.ts';
import type { WireProfile } from '../../../src/wire/failover/messages.ts';
import type { Ip4, Sec } from '../../../src/wire/units.ts';
import { ROLES } from '../../clauses/parties.ts';
import { SAID, theirs } from './clauses-fixtures.ts';
import { address, FIRST, isClosed, kindsOf, Rig, sentOf } from './rig.ts';

/* 1.14, 3 */

test('updates in one BNDUPD: one toward dhcpd and Windows [1.14 batch/isc] [1.14 batch/msft] [3.8 5]', () => {
  for (const profile of ['isc', 'msft'] as const)
    for (const { sent } of SAID.get(profile)!)
      for (const message of sent) if (message.kind === 'bndupd') assert.equal(message.updates.length, 1, profile);
});

test('POOLREQ: the draft’s secondary asks, dhcpd is answered, Windows hears and is told nothing of it [1.14 poolreq/draft] [1.14 poolreq/isc] [1.14 poolreq/msft] [3.7 poolreq-dropped] [3.8 4]', () => {
  const asks = (profile: WireProfile, role: 'primary' | 'secondary'): Rig =>
    new Rig({
      profile,
      role,
      owner: role === 'primary' ? 'backup' : 'free',
      record: { state: 'communications-interrupted' },
    }).into('communications-interrupted');
  for (const role of ROLES) {
    const draft = asks('draft', role);
    draft.says('communications-interrupted');
    assert.equal(draft.all('poolreq').length > 0, role === 'secondary', `draft ${role}`);
    const windows = asks('msft', role);
    windows.says('communications-interrupted');
    assert.equal(windows.all('poolreq').length, 0);
    assert.deepEqual(
      sentOf(windows.hear({ kind: 'poolreq' })).filter((message) => message.kind === 'poolresp'),
      [],
    );
    const isc = asks('isc', role);
    isc.says('communications-interrupted');
    assert.ok(kindsOf(isc.hear({ kind: 'poolreq' })).includes('poolresp'), `isc ${role}`);
  }
});

test('DISCONNECT toward the draft and dhcpd, none toward Windows; one received is obeyed [1.14 disconnect/draft] [1.14 disconnect/isc] [1.14 disconnect/msft] [3.7 no-disconnect]', () => {
  for (const profile of ['draft', 'isc', 'msft'] as const) {
    const rig = new Rig({ profile }).into('normal');
    rig.quiet().wait(rig.limits.receiveTimerSec + 1);
    assert.equal(rig.all('disconnect').length, profile === 'msft' ? 0 : 1, profile);
    assert.ok(isClosed(rig.effects));
    const other = new Rig({ profile }).into('normal');
    assert.ok(isClosed(other.hear({ kind: 'disconnect', rejectReason: 'other' })));
  }
});

test('answers to a batch are understood in any order; ours are in the order of the updates [1.14 bndack/draft] [1.14 bndack/msft] [3.5 same-order] [3.5 16-updates] [D 6.3 all-answered] [D 7.2 batch]', () => {
  const rig = new Rig({ profile: 'draft', limits: { updatesPerMessageMax: 8 }, poolSize: 8 }).into('normal');
  const gifts = rig.last('bndupd')!;
  assert.ok(gifts.updates.length > 2);
  rig.hear({
    kind: 'bndack',
    xid: gifts.xid,
    answers: [...gifts.updates].reverse().map((one) => ({ address: one.address })),
  });
  for (const { address: given } of gifts.updates) assert.equal(rig.table.find(given)?.dirty, false);
  const windows = new Rig({ profile: 'msft', role: 'secondary', poolSize: 16 }).into('normal');
  const updates = Array.from({ length: 15 }, (_, i) => ({ address: address(FIRST + 15 - i), state: 'free' as const }));
  const unreadable = [{ index: 3, address: address(99), rejectReason: 'unknown', message: 'bad' }];
  windows.hear({ kind: 'bndupd', updates, unreadable });
  const expected = updates.map((one) => one.address);
  expected.splice(3, 0, address(99));
  assert.deepEqual(
    windows.last('bndack')?.answers.map((answer) => answer.address),
    expected,
  );
});

test('dhcpd: exactly one answer per update, with its xid [1.14 bndack/isc]', () => {
  const rig = new Rig({ profile: 'isc', role: 'secondary', poolSize: 8 }).into('normal');
  rig.quiet();
  for (let i = 0; i < 5; i++)
    rig.hear({ kind: 'bndupd', xid: 700 + i, updates: [{ address: address(FIRST + i), state: 'free' }] });
  assert.deepEqual(
    rig.all('bndack').map((message) => [message.xid, message.answers.length]),
    [0, 1, 2, 3, 4].map((i) => [700 + i, 1]),
  );
});

test('Windows’s MCLT and hash buckets are not used [1.14 hba-polarity/msft] [3.1 not-used] [3.8 6]', () => {
  const rig = new Rig({ profile: 'msft', role: 'secondary', config: { percentage: 25 } }).start();
  rig.link({ mcltSec: 7, hashBuckets: new Uint8Array(32).fill(0xff) });
  rig.says('communications-interrupted');
  assert.equal(rig.endpoint.rights.grantSec(rig.now, 5000 as Sec, undefined), 60);
  rig.told({ address: address(FIRST), state: 'backup' });
  const mine = Array.from({ length: 256 }, (_, bucket) => bucket).filter(
    (bucket) =>
      rig.endpoint.rights.answers(rig.now, { scopeId: rig.config.scopeIds[0]!, bucket, secs: 0, unansweredMs: 0 }).yes,
  );
  assert.equal(mine.length, 192);
});

test('Windows asks for named scopes: all of them and nothing else, then UPDDONE [3.7 updreq]', () => {
  const rig = new Rig({ profile: 'msft', poolSize: 6 }).into('normal');
  rig.answerAll();
  rig.quiet().hear({ kind: 'updreq', xid: 88, scopeIds: [...rig.config.scopeIds] });
  rig.answerAll();
  const told = new Set(rig.all('bndupd').flatMap((message) => message.updates.map((update) => update.address)));
  assert.equal(told.size, 6);
  assert.equal(rig.last('upddone')?.xid, 88);
  rig.quiet().hear({ kind: 'updreq', xid: 89, scopeIds: [0x01020300 as Ip4] });
  assert.equal(rig.last('upddone')?.xid, 89);
  assert.equal(rig.all('bndupd').length, 0);
});

test('with Windows as secondary we move addresses every 5 min without being asked [3.7 ownership] [3.8 3]', () => {
  const rig = new Rig({ profile: 'msft', poolSize: 20 }).into('normal');
  rig.answerAll();
  assert.equal(rig.table.counts(rig.config.scopeIds[0]!).backup, 10);
  for (let i = 0; i < 8; i++) rig.told({ address: address(FIRST + 19 - i), state: 'free' });
  for (let offset = FIRST; offset < FIRST + 20; offset++)
    if (rig.find(offset).state === 'backup') rig.told(theirs('active', { address: address(offset) }));
  rig.quiet();
  rig.waitInContact(299);
  const early = rig
    .all('bndupd')
    .flatMap((message) => message.updates)
    .filter((update) => update.state === 'backup').length;
  rig.waitInContact(2);
  const moved = rig
    .all('bndupd')
    .flatMap((message) => message.updates)
    .filter((update) => update.state === 'backup').length;
  assert.ok(moved > early, `${early} then ${moved}`);
});

test('Windows never hears PAUSED or SHUTDOWN [3.7 passing-states]', () => {
  for (const kind of ['pause', 'shutdown'] as const) {
    const rig = new Rig({ profile: 'msft' }).into('normal');
    rig.quiet().command({ kind });
    assert.deepEqual(rig.all('state'), []);
    assert.ok(isClosed(rig.effects));
  }
});

test('Windows’s clock more than 60 s away on any message ends the connection [3.7 clock]', () => {
  for (const kind of ['contact', 'upddone', 'bndupd'] as const) {
    const rig = new Rig({ profile: 'msft', role: 'secondary' }).into('normal');
    rig.partnerSkewSec = 61;
    assert.ok(isClosed(rig.hear({ kind, ...(kind === 'bndupd' ? { updates: [] } : {}) })), kind);
  }
});

test('the relationship with Windows is known by its exact name and the role [3.1 name]', () => {
  const config: Partial<EndpointConfig> = { name: 'Büro-1' };
  const rig = new Rig({ profile: 'msft', role: 'secondary', config }).start().link({ relationshipName: 'Büro-1' });
  assert.equal(rig.last('connectack')?.rejectReason, undefined);
  const other = new Rig({ profile: 'msft', role: 'secondary', config }).start().link({ relationshipName: 'Büro-2' });
  assert.equal(other.last('connectack')?.rejectReason, 'invalid-partner');
});
