/** Demands of draft-ietf-dhc-failover-12 that the specification's tables do not have, by the draft's sections. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { PARTNER_PORT } from '../../../src/net/partner-door.ts';
import { DEFAULT_PARTNER_PORT } from '../../../src/server/server.ts';
import { decodeMessage, encodeMessage } from '../../../src/wire/failover/codec.ts';
import { IP_FLAG_RESERVED } from '../../../src/wire/failover/messages.ts';
import type { EpochSec } from '../../../src/wire/units.ts';
import { PROFILES, ROLES } from '../../clauses/parties.ts';
import { SCOPE } from './pair.ts';
import { address, CLIENT, FIRST, isClosed, kindsOf, MCLT, Rig, WALL } from './rig.ts';

const at = (time: number): EpochSec => time as EpochSec;
const leases = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    address: address(FIRST + i),
    state: 'active' as const,
    hardware: Uint8Array.of(1, 1, 1, 1, 1, 1, i),
    leaseEndAt: at(WALL + 9000),
    sentPotentialAt: at(WALL + 9000),
    lastTransactionAt: at(WALL - 10),
    dirty: i % 2 === 0,
  }));

test('UPDREQ is answered with what is not acknowledged and nothing else, UPDREQALL with every address [D 7.3.2 all-unacked] [D 7.4.2 all]', () => {
  for (const profile of PROFILES)
    for (const kind of ['updreq', 'updreqall'] as const) {
      const rig = new Rig({
        profile,
        poolSize: 10,
        bindings: leases(6),
        record: { state: 'communications-interrupted' },
      });
      rig.into('communications-interrupted').says('paused');
      rig.quiet().hear({ kind, xid: 60 });
      rig.answerAll();
      const told = rig
        .all('bndupd')
        .flatMap((message) => message.updates.map((update) => update.address - SCOPE - FIRST));
      assert.deepEqual(
        told.sort((a, b) => a - b),
        kind === 'updreq' ? [0, 2, 4] : [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        profile,
      );
      assert.equal(rig.sent.at(-1)?.kind, 'upddone');
    }
});

test('changes after the request do not put UPDDONE off [D 7.3.2 later-changes]', () => {
  const rig = new Rig({ poolSize: 6, bindings: leases(6), limits: { updatesPerMessageMax: 1 } }).into('normal');
  rig.hear({ kind: 'updreq', xid: 61 });
  const asked = rig.unanswered.length;
  assert.ok(asked >= 3);
  for (let i = 0; i < 40 && rig.last('upddone') === undefined; i++) {
    // An address that the walk has passed changes again and again.
    rig.lease(FIRST, CLIENT, 60 + i);
    rig.answer();
  }
  assert.equal(rig.last('upddone')?.xid, 61);
});

test('a rejected update counts as answered for UPDDONE [D 7.5 rejected-counts]', () => {
  for (const reason of ['outdated-binding-information', 'fatal-conflict', 'illegal-ip-address'] as const) {
    const rig = new Rig({ poolSize: 6, bindings: leases(6) }).into('normal');
    rig.hear({ kind: 'updreqall', xid: 62 });
    rig.answerAll(reason);
    assert.equal(rig.last('upddone')?.xid, 62, reason);
  }
});

test('POOLRESP tells how many addresses are moved for the POOLREQ [D 7.6.2 count]', () => {
  const rig = new Rig({ poolSize: 8 }).into('normal').answerAll();
  for (let offset = FIRST; offset < FIRST + 8; offset++)
    if (rig.find(offset).state === 'backup') {
      const lease = { leaseEndAt: at(WALL + 900), lastTransactionAt: at(WALL), hardware: Uint8Array.of(1, offset) };
      assert.equal(rig.told({ address: address(offset), state: 'active', ...lease }), 'accept');
    }
  rig.quiet().hear({ kind: 'poolreq', xid: 63 });
  const answer = rig.last('poolresp');
  const moved = rig.unanswered.filter((update) => update.state === 'backup').length;
  assert.equal(moved, 2);
  assert.equal(answer?.addressesTransferred, moved);
});

test('the window advertised is at least 10 and less than 100 [D 7.8.1 window]', () => {
  for (const profile of PROFILES)
    for (const role of ROLES) {
      const rig = new Rig({ profile, role }).start().link();
      const said = rig.last('connect') ?? rig.last('connectack');
      assert.ok(said?.maxUnacked !== undefined && said.maxUnacked >= 10 && said.maxUnacked < 100, profile);
    }
});

test('each change of state is announced while connected, and only then [D 7.10 on-change]', () => {
  const rig = new Rig({ record: { state: 'recover' } }).into('recover');
  for (const [partner, mine] of [
    ['potential-conflict', 'potential-conflict'],
    ['conflict-done', 'potential-conflict'],
  ] as const) {
    rig.quiet().says(partner);
    assert.equal(rig.state, mine);
    assert.equal(rig.last('state')?.serverState, partner === 'potential-conflict' ? mine : undefined);
  }
  rig.quiet().step({ kind: 'disconnected', why: 'cut' });
  assert.equal(rig.state, 'resolution-interrupted');
  assert.deepEqual(rig.all('state'), []);
});

test('the secondary says nothing on a connection before CONNECT [D 8.2 secondary-waits]', () => {
  for (const profile of PROFILES) {
    const rig = new Rig({ profile, role: 'secondary' }).start();
    rig.step({ kind: 'connected', dialled: false });
    rig.wait(rig.limits.handshakeMs / 1000 - 1);
    assert.deepEqual(rig.sent, [], profile);
    assert.ok(isClosed(rig.hear({ kind: 'contact' })), 'anything else is no first message');
  }
});

test('a lost connection does not make the secondary call at once [D 8.2 no-blind-reconnect]', () => {
  for (const profile of PROFILES) {
    const rig = new Rig({ profile, role: 'secondary' }).into('normal').quiet();
    const effects = rig.step({ kind: 'disconnected', why: 'cut' });
    assert.ok(!effects.some((effect) => effect.kind === 'dial'), profile);
    rig.nowMs += 999;
    assert.ok(!rig.step({ kind: 'timer' }).some((effect) => effect.kind === 'dial'), profile);
  }
});

test('PARTNER-DOWN keeps trying to reach the partner [D 9.4.2 keeps-trying]', () => {
  const rig = new Rig({ record: { state: 'partner-down', partnerDownAt: at(WALL) } }).start().wait(30);
  for (let i = 0; i < 20; i++) {
    rig.quiet().wait(10);
    assert.ok(rig.effects.some((effect) => effect.kind === 'dial'));
    rig.step({ kind: 'dial-failed', why: 'no route' });
  }
});

test('RECOVER asks as soon as the partner has told its state, each time [D 9.5.2 refresh]', () => {
  const rig = new Rig({ record: { state: 'recover', wantsAll: true } }).into('recover');
  for (let i = 0; i < 3; i++) {
    assert.ok(kindsOf(rig.says('partner-down')).includes('updreqall'));
    rig.step({ kind: 'disconnected', why: 'cut' });
    rig.quiet().link();
  }
});

test('UPDDONE in POTENTIAL-CONFLICT: CONFLICT-DONE for the primary, NORMAL for the secondary [D 9.10.3 upddone]', () => {
  for (const role of ROLES) {
    const rig = new Rig({ role, record: { state: 'partner-down' } }).into('potential-conflict');
    if (role === 'secondary') rig.says('conflict-done');
    rig.hear({ kind: 'upddone', xid: rig.last('updreq')!.xid });
    assert.equal(rig.state, role === 'primary' ? 'conflict-done' : 'normal');
  }
});

test('PARTNER-DOWN heard after our SHUTDOWN: the next start begins in RECOVER, with the wait [D 9.14.2 partner-down] [4.4 event/shutdown-partner-down]', () => {
  for (const profile of ['twinlease', 'draft', 'isc'] as const) {
    const rig = new Rig({ profile }).into('normal');
    rig.command({ kind: 'shutdown' });
    const stoppedAt = rig.wallAt;
    assert.equal(rig.state, 'shutdown');
    rig.nowMs += 1000;
    const effects = rig.says('partner-down');
    assert.ok(isClosed(effects));
    const record = rig.endpoint.record();
    assert.equal(record.state, 'recover', profile);
    const again = new Rig({ profile, record }).start().link();
    assert.ok(kindsOf(again.says('partner-down')).some((kind) => kind === 'updreq' || kind === 'updreqall'));
    assert.ok(again.endpoint.record().recoverWaitUntilAt >= stoppedAt + MCLT);
  }
  const alone = new Rig().into('normal');
  alone.command({ kind: 'shutdown' });
  alone.quiet().wait(6);
  assert.ok(isClosed(alone.effects), 'a partner that says nothing is not waited for long');
  assert.equal(alone.endpoint.record().state, 'normal');
});

test('the last transaction of an ended lease is that with its client, not the end [D 7.1.3 real-cltt]', () => {
  const [lease] = leases(1);
  const rig = new Rig({
    poolSize: 1,
    bindings: [{ ...lease!, dirty: false, leaseEndAt: at(WALL + 20), told: true }],
  }).into('normal');
  rig.waitInContact(30);
  const update = rig.unanswered.find((one) => one.state === 'expired');
  assert.equal(update?.lastTransactionAt, WALL - 10);
});

test('a reservation that is no more: the draft’s dialect tells the address without R [D 5.13 cancelled]', () => {
  const rig = new Rig({
    profile: 'draft',
    bindings: [{ address: address(FIRST), state: 'free', ipFlags: 0, dirty: true }],
  }).into('normal');
  const update = rig.unanswered.find((one) => one.address === address(FIRST));
  assert.equal((update?.ipFlags ?? 0) & IP_FLAG_RESERVED, 0);
  assert.ok(update?.state === 'free' || update?.state === 'backup');
});

test('R is set for the lease of a reserved address, in every dialect that has the flag [D 12.12 r-bit]', () => {
  for (const profile of ['twinlease', 'draft', 'isc'] as const) {
    const [lease] = leases(1);
    const rig = new Rig({ profile, reserved: [FIRST], bindings: [{ ...lease!, ipFlags: IP_FLAG_RESERVED }] }).into(
      'normal',
    );
    const update = rig.unanswered.find((one) => one.address === address(FIRST));
    assert.equal(update?.ipFlags, IP_FLAG_RESERVED, profile);
  }
});

test('undefined bits of the DDNS flags come back as they came and change nothing [D 12.9 other-bits]', () => {
  const rig = new Rig({ record: { state: 'communications-interrupted' } }).into('communications-interrupted');
  rig.says('paused');
  const ddns = { flags: 0xfff3, name: Uint8Array.of(0) };
  const lease = {
    state: 'active',
    hardware: CLIENT,
    leaseEndAt: at(WALL + 100),
    lastTransactionAt: at(WALL),
    ddns,
  } as const;
  assert.equal(rig.told(lease), 'accept');
  assert.equal(rig.find().dnsFlags & 0xf, 3);
});

test('delayed-service-parameter is never sent, with hash buckets or without [D 12.10 beside-hba]', () => {
  const rig = new Rig({ profile: 'draft' }).start().link();
  const connect = rig.last('connect')!;
  const read = decodeMessage(encodeMessage({ ...connect, sentAt: at(WALL) }, 'draft'), 'draft');
  assert.ok(read.kind === 'ok' && read.value.kind === 'connect' && read.value.hashBuckets?.length === 32);
});

test('in PARTNER-DOWN after the wait an ended lease becomes available by itself [5.2 transitory/free-partner-down]', () => {
  for (const state of ['expired', 'released', 'reset'] as const) {
    const [lease] = leases(1);
    const binding = { ...lease!, state, dirty: false, leaseEndAt: at(WALL - 100), sentPotentialAt: at(0), told: true };
    const rig = new Rig({
      poolSize: 1,
      bindings: [binding],
      record: { state: 'partner-down', partnerDownAt: at(WALL) },
    }).start();
    rig.wait(MCLT + 5 - 1);
    assert.equal(rig.find().state, state);
    rig.wait(2);
    assert.equal(rig.find().state, 'free', state);
  }
});

test('what is believed of Windows without having been seen stands in one file, each marked so [3.8 7]', () => {
  const text = readFileSync(join(process.cwd(), 'src', 'wire', 'failover', 'unverified.ts'), 'utf8');
  const exported = text.split('\n').filter((line) => line.startsWith('export const '));
  assert.ok(exported.length >= 10);
  for (const part of text.split(/\n(?=export const )/).slice(0, -1)) assert.match(part, /unverified|export const/);
  const marks = text.match(/\*unverified\*/g) ?? [];
  assert.ok(marks.length >= 9, 'each group of them is marked');
});

test('the default port of the partner door is 647 [1.1 port]', () => {
  assert.equal(PARTNER_PORT, 647);
  assert.equal(DEFAULT_PARTNER_PORT, 647);
});

test('a batch of both kinds of answer is acted on one by one [D 7.2 batch]', () => {
  const rig = new Rig({ poolSize: 4, bindings: leases(3).map((one) => ({ ...one, dirty: true })) }).into('normal');
  const [message] = rig.all('bndupd');
  const answers = message!.updates.map((one, i) => ({
    address: one.address,
    rejectReason: i === 1 ? ('outdated-binding-information' as const) : undefined,
  }));
  rig.hear({ kind: 'bndack', xid: message!.xid, answers });
  assert.deepEqual(
    message!.updates.slice(0, 3).map((one) => rig.table.find(one.address)?.dirty),
    [false, true, false],
  );
});
