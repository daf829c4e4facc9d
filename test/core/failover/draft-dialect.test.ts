/** The dialect of the draft toward a partner that keeps to it (specification 1.1, 1.14, 5.3), and BOOTP scopes (5.3, 5.5). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeMessage } from '../../../src/wire/failover/codec.ts';
import type { FailoverMessage } from '../../../src/wire/failover/messages.ts';
import { listOptions } from '../../../src/wire/failover/options.ts';
import type { EpochSec } from '../../../src/wire/units.ts';
import { SCOPE } from './pair.ts';
import { address, CLIENT, FIRST, Rig, sentOf, WALL } from './rig.ts';

function normal(role: 'primary' | 'secondary', options: ConstructorParameters<typeof Rig>[0] = {}): Rig {
  const owner = role === 'primary' ? 'free' : 'backup';
  return new Rig({ role, profile: 'draft', owner, ...options }).into('normal').answerAll().quiet();
}

test('1.1 a primary uses only the connection that it opened; another one makes it dial at once', () => {
  const one = new Rig({ role: 'primary', profile: 'draft' }).start();
  one.step({ kind: 'dial-failed', why: 'refused' });
  one.quiet();
  const effects = one.step({ kind: 'connected', dialled: false });
  assert.deepEqual(
    effects.map((effect) => effect.kind),
    ['close', 'dial'],
  );
  assert.deepEqual(
    sentOf(one.step({ kind: 'connected', dialled: true })).map((message) => message.kind),
    ['connect'],
  );
});

test('1.14 a set bit of the hash buckets means the secondary on the wire, and the primary here', () => {
  const one = new Rig({ role: 'primary', profile: 'draft', config: { percentage: 100 } }).start().link();
  const connect = one.last('connect');
  assert.ok(connect?.hashBuckets?.every((octet) => octet === 0xff));
  const bytes = encodeMessage({ ...connect, sentAt: WALL } as FailoverMessage, 'draft');
  const listed = listOptions(bytes, 12);
  assert.ok(listed.kind === 'ok');
  const buckets = listed.value.find((option) => option.code === 11);
  assert.ok(buckets !== undefined);
  assert.ok(bytes.subarray(buckets.dataAt, buckets.end).every((octet) => octet === 0));
});

test('1.4, 1.14 only the secondary sends POOLREQ: on entering NORMAL, and when it runs low', () => {
  const secondary = new Rig({ role: 'secondary', profile: 'draft', owner: 'backup' }).into('normal');
  assert.equal(secondary.all('poolreq').length, 1);
  const primary = normal('primary');
  for (let i = 0; i < 4; i++) primary.lease(FIRST + 4 + i, Uint8Array.of(1, 2, 3, 4, 5, 6, i), 600);
  primary.waitInContact(200);
  assert.deepEqual(primary.all('poolreq'), []);
});

test('5.3 a reserved address that becomes available stays the primary’s and is told as BACKUP with the flag', () => {
  const one = normal('primary', { reserved: [FIRST] });
  one.change({ ...one.find(), state: 'free', stateSinceAt: WALL as EpochSec });
  const [update] = one.unanswered;
  assert.deepEqual([update?.address, update?.state, update?.ipFlags], [address(FIRST), 'backup', 1]);
  one.answerAll();
  assert.equal(one.find().state, 'free');
  const other = normal('primary');
  other.change({ ...other.find(), state: 'free', stateSinceAt: WALL as EpochSec });
  assert.deepEqual([other.unanswered[0]?.state, other.unanswered[0]?.ipFlags], ['free', undefined]);
});

test('5.3 BACKUP with the flag for an address that is not reserved here is refused with 19', () => {
  const one = normal('secondary', { reserved: [FIRST] });
  assert.equal(one.told({ state: 'backup', ipFlags: 1 }), 'accept');
  assert.equal(one.told({ address: address(FIRST + 1), state: 'backup', ipFlags: 1 }), 'ip-not-reserved');
});

test('5.5 the partner’s addresses of a scope that serves BOOTP are never used, not even in PARTNER-DOWN', () => {
  const record = { state: 'partner-down' as const, partnerDownAt: (WALL - 9000) as EpochSec };
  for (const bootpScopeIds of [undefined, [SCOPE]]) {
    const one = new Rig({ role: 'primary', profile: 'isc', record, config: { bootpScopeIds } }).start().wait(60);
    const may = (state: 'free' | 'backup'): boolean =>
      one.endpoint.rights.mayAllocate(one.now, { ...one.find(), state, hardware: CLIENT });
    assert.deepEqual([may('free'), may('backup')], [true, bootpScopeIds === undefined]);
  }
});

test('4.3 a scope that comes to a living relationship is fetched whole where it cannot be named', () => {
  for (const profile of ['draft', 'isc'] as const) {
    const one = new Rig({ role: 'secondary', profile, owner: 'backup' }).into('normal').answerAll().quiet();
    one.step({ kind: 'reconfigured', config: one.config, newScopeIds: [SCOPE] });
    assert.equal(one.endpoint.rights.service(one.now, SCOPE).serves, 'none');
    assert.equal(one.all('updreqall').length, 1);
    one.hear({ kind: 'upddone', xid: one.last('updreqall')?.xid });
    assert.equal(one.endpoint.rights.service(one.now, SCOPE).serves, 'all');
  }
});
