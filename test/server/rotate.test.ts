/** A new key while paired, over two real servers: nobody is locked out, whatever is interrupted. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { z } from 'zod';
import { callPartner } from '../../src/manage/partner-client.ts';
import { makeIdentity } from '../../src/net/identity.ts';
import { loadIdentity, NEXT_IDENTITY_FILE } from '../../src/server/identity.ts';
import { writePrivateText } from '../../src/server/private-files.ts';
import { eventually } from '../support/eventually.ts';
import { introduced, type LiveServer, refusal, related, stateOf } from './live.ts';

interface Rotated {
  readonly Key: string;
  readonly OldKey: string;
  readonly Told: string[];
  readonly NotTold: string[];
}

function partnersOf(live: LiveServer) {
  return live.control.revision().config.partners;
}

async function talks(from: LiveServer): Promise<boolean> {
  const partner = partnersOf(from)[0]!;
  const call = { method: 'hello', params: {}, answer: z.unknown(), timeoutMs: 5000 };
  return (await callPartner(from.control, partner, call)).kind === 'ok';
}

/** Connections that are open go on under the old key; a restart makes both dial anew. */
async function talkAnew(a: LiveServer, b: LiveServer): Promise<void> {
  a.server.channel.close();
  b.server.channel.close();
  assert.equal(await talks(a), true, 'a calls b');
  assert.equal(await talks(b), true, 'b calls a');
}

test('a rotated key is in use at once, and the partner drops the old one after its first use', async (t) => {
  const { a, b } = await related(t);
  await eventually('both in NORMAL', 15_000, () => (stateOf(a) === 'normal' && stateOf(b) === 'normal') || undefined);
  const oldKey = a.control.key;
  const rotated = await a.ask<Rotated>('pair.rotate');
  assert.deepEqual(rotated, { Key: a.control.key, OldKey: oldKey, Told: ['beta'], NotTold: [] });
  assert.notEqual(a.control.key, oldKey);
  await eventually('b knows a by the new key alone', 10_000, () => {
    const [partner] = partnersOf(b);
    return (partner?.key === a.control.key && partner.nextKey === undefined) || undefined;
  });
  assert.equal(b.control.revision().config.relationships[0]?.partnerKey, a.control.key);
  await talkAnew(a, b);
  assert.equal(stateOf(a), 'normal');
  assert.equal(existsSync(join(a.directory, 'identity', NEXT_IDENTITY_FILE)), false);

  await a.stop();
  await a.start();
  assert.equal(a.control.key, rotated.Key, 'the key lasts');
  await eventually(
    'NORMAL again over new links',
    15_000,
    () => (stateOf(a) === 'normal' && stateOf(b) === 'normal') || undefined,
  );
});

test('both servers rotate at once and still let each other in', async (t) => {
  const { a, b } = await introduced(t);
  await Promise.all([a.ask('pair.rotate'), b.ask('pair.rotate')]);
  await talkAnew(a, b);
  await eventually('each knows the other by its new key', 10_000, () => {
    return (partnersOf(a)[0]?.key === b.control.key && partnersOf(b)[0]?.key === a.control.key) || undefined;
  });
});

test('a server that ends after its partner was told goes on with the old key, and can rotate later', async (t) => {
  const { a, b } = await introduced(t);
  const oldKey = a.control.key;
  const stale = makeIdentity().key;
  const told = await callPartner(a.control, partnersOf(a)[0]!, {
    method: 'rotate',
    params: { from: oldKey, to: stale },
    answer: z.unknown(),
  });
  assert.equal(told.kind, 'ok');
  assert.equal(partnersOf(b)[0]?.nextKey, stale);
  await a.stop();
  await a.start();
  await talkAnew(a, b);
  const { Key } = await a.ask<Rotated>('pair.rotate');
  await eventually('b took the key that is in use', 10_000, () => partnersOf(b)[0]?.key === Key || undefined);
  await talkAnew(a, b);
});

test('a server that ends right after the new key is durable comes back with it and is let in', async (t) => {
  const { a, b } = await introduced(t);
  const next = makeIdentity();
  const params = { from: a.control.key, to: next.key };
  await callPartner(a.control, partnersOf(a)[0]!, { method: 'rotate', params, answer: z.unknown() });
  await a.stop();
  const { privateKeyPem, certificatePem } = next;
  await writePrivateText(
    join(a.directory, 'identity', NEXT_IDENTITY_FILE),
    JSON.stringify({ privateKeyPem, certificatePem }),
  );
  await a.start();
  assert.equal(a.control.key, next.key);
  assert.equal(existsSync(join(a.directory, 'identity', NEXT_IDENTITY_FILE)), false);
  assert.equal((await loadIdentity(join(a.directory, 'identity'))).key, next.key);
  // The partner has only ever been told of the key; it dials the old one first.
  assert.equal(await talks(b), true, 'b calls a');
  assert.equal(await talks(a), true, 'a calls b');
  await eventually('b drops the old key', 10_000, () => partnersOf(b)[0]?.key === next.key || undefined);
});

test('while a change on two servers names the old key, the partner keeps both and links open under the new one', async (t) => {
  const { a, b } = await related(t);
  await eventually('both in NORMAL', 15_000, () => (stateOf(a) === 'normal' && stateOf(b) === 'normal') || undefined);
  const oldKey = a.control.key;
  const record = { id: 'open change', state: 'prepared', body: JSON.stringify({ partnerKey: oldKey }) } as const;
  await b.control.saveTransactions([record]);
  await a.ask('pair.rotate');
  await a.stop();
  await eventually('b noticed', 10_000, () => stateOf(b) === 'communications-interrupted' || undefined);
  await a.start();
  await eventually(
    'NORMAL over a link under the new key',
    20_000,
    () => (stateOf(a) === 'normal' && stateOf(b) === 'normal') || undefined,
  );
  assert.deepEqual([partnersOf(b)[0]?.key, partnersOf(b)[0]?.nextKey], [oldKey, a.control.key]);
  await b.control.saveTransactions([{ ...record, state: 'forgotten', body: '' }]);
  await eventually('the old key goes', 10_000, () => partnersOf(b)[0]?.key === a.control.key || undefined);
});

test('an unreachable partner stops a rotation; with Force the key changes and rejoin introduces the two anew', async (t) => {
  const { a, b } = await related(t);
  const oldKey = a.control.key;
  await b.stop();
  assert.equal(refusal(await a.run('pair.rotate')), 'pair/rotate-unreachable');
  assert.equal(a.control.key, oldKey);
  const forced = await a.run('pair.rotate', { Force: true });
  assert.ok(forced.kind === 'ok');
  assert.deepEqual((forced.value as Rotated).NotTold, ['beta']);
  assert.deepEqual(
    forced.warnings.map((one) => one.code),
    ['pair/rotated-without'],
  );
  await b.start();
  assert.equal(await talks(b), false, 'b does not know the new key');
  const { Code } = await a.ask<{ Code: string }>('pair.invite');
  await b.ask('pair.rejoin', { Partner: 'alpha', Code, Server: `127.0.0.1:${a.server.doorPort}` });
  await talkAnew(a, b);
  await eventually('NORMAL again', 30_000, () => (stateOf(a) === 'normal' && stateOf(b) === 'normal') || undefined);
});

test('a partner that is introduced anew under the key it announced goes on as the partner it was', async (t) => {
  const { a, b } = await related(t);
  const next = makeIdentity();
  const params = { from: a.control.key, to: next.key };
  await callPartner(a.control, partnersOf(a)[0]!, { method: 'rotate', params, answer: z.unknown() });
  // b keeps the old key, because something open names it.
  await b.control.saveTransactions([{ id: 'open', state: 'prepared', body: JSON.stringify(a.control.key) }]);
  await a.server.changeIdentity(next);
  const { Code } = await b.ask<{ Code: string }>('pair.invite');
  await a.ask('pair.accept', { Code, Server: `127.0.0.1:${b.server.doorPort}` });
  const [partner, ...others] = partnersOf(b);
  assert.deepEqual([partner?.key, partner?.nextKey, others], [next.key, undefined, []]);
  assert.equal(b.control.revision().config.relationships[0]?.partnerKey, next.key);
  await talkAnew(a, b);
});

test('a key of another partner, of this server, or from somebody else than it says is not taken', async (t) => {
  const { a, b } = await introduced(t);
  const announce = (from: string, to: string) =>
    callPartner(a.control, partnersOf(a)[0]!, { method: 'rotate', params: { from, to }, answer: z.unknown() });
  for (const [from, to] of [
    [a.control.key, b.control.key],
    ['cc'.repeat(32), 'dd'.repeat(32)],
  ] as const) {
    const answer = await announce(from, to);
    assert.ok(answer.kind === 'failed');
    assert.equal(answer.problem.code, 'pair/key-not-expected');
  }
  assert.equal(partnersOf(b)[0]?.nextKey, undefined);
});

test('what-if names the partners and changes nothing', async (t) => {
  const { a, b } = await introduced(t);
  const { key } = a.control;
  const outcome = await a.run('pair.rotate', {}, true);
  assert.ok(outcome.kind === 'ok');
  assert.match(JSON.stringify(outcome.value), /Tells partner beta/);
  assert.equal(a.control.key, key);
  assert.equal(partnersOf(b)[0]?.nextKey, undefined);
});
