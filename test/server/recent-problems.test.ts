/** The list of recent problems keeps what matters, whoever repeats himself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RECENT_MAX, RECENT_OF_CODE_MAX, RecentProblems } from '../../src/server/recent-problems.ts';

const OTHER = { code: 'net/interface-down', slots: { interface: 'eth1' } };

test('the same problem of the same partner is one entry, with its count, first and last time and newest words', () => {
  const recent = new RecentProblems();
  recent.note(OTHER, 1);
  for (let at = 10; at < 10 + 5 * RECENT_MAX; at += 5)
    recent.note({ code: 'failover/bad-message', slots: { name: 'rel1', why: `at byte ${at}` } }, at);
  const last = 5 * RECENT_MAX + 5;
  assert.deepEqual(recent.list(), [
    { ...OTHER, at: 1, firstAt: 1, count: 1 },
    {
      code: 'failover/bad-message',
      slots: { name: 'rel1', why: `at byte ${last}` },
      at: last,
      firstAt: 10,
      count: RECENT_MAX,
    },
  ]);
});

test('the same code about another relationship, scope or address is another entry', () => {
  const recent = new RecentProblems();
  for (const slots of [{ name: 'a' }, { name: 'b' }, { name: 'a', address: '10.0.0.1' }, { name: 'a', partner: 'p' }])
    recent.note({ code: 'failover/update-rejected', slots }, 5);
  assert.deepEqual(
    recent.list().map(({ count }) => count),
    [1, 1, 1, 1],
  );
});

test('one code about ever new things pushes out only its own oldest entries', () => {
  const recent = new RecentProblems();
  recent.note(OTHER, 1);
  for (let i = 0; i < 10 * RECENT_MAX; i++)
    recent.note({ code: 'net/partner-refused', slots: { peer: `10.0.${i >> 8}.${i & 255}`, why: 'unknown' } }, i);
  const list = recent.list();
  assert.equal(list.length, 1 + RECENT_OF_CODE_MAX);
  assert.deepEqual(list[0]?.slots, OTHER.slots);
  assert.equal(list.at(-1)?.at, 10 * RECENT_MAX - 1);
});

test('when all are different the one not heard of for longest goes, and repeating keeps an entry', () => {
  const recent = new RecentProblems();
  for (let i = 0; i < RECENT_MAX; i++) recent.note({ code: `code/${i}`, slots: {} }, i);
  recent.note({ code: 'code/0', slots: {} }, RECENT_MAX);
  recent.note({ code: 'code/new', slots: {} }, RECENT_MAX + 1);
  const codes = recent.list().map(({ code }) => code);
  assert.equal(codes.length, RECENT_MAX);
  assert.ok(codes.includes('code/0') && !codes.includes('code/1') && codes.includes('code/new'));
});
