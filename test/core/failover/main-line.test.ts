/** The life of a pair, from its creation over every loss to agreement again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { differences, Pair } from './pair.ts';

function normalPair(options: ConstructorParameters<typeof Pair>[0] = {}): Pair {
  const pair = new Pair(options).start().advance(3000);
  assert.equal(pair.states(), 'A normal, B normal');
  assert.deepEqual(differences(pair), []);
  return pair;
}

test('4.3 cold start: the called server is never silent, and both reach NORMAL with the addresses shared', () => {
  const pair = new Pair();
  pair.start('A');
  assert.equal(pair.state('A'), 'partner-down');
  const before = pair.lease('A', 'c1');
  assert.ok(before !== undefined);
  pair.start('B').advance(3000);
  assert.equal(pair.states(), 'A normal, B normal');
  assert.deepEqual(differences(pair), []);
  assert.equal(pair.counts('A'), 'free 9 backup 10 active 1 transitory 0');
});

test('main line: updates, cut, heal, partner down, return, recover', () => {
  const pair = normalPair();
  const first = pair.lease('A', 'c1')!;
  pair.advance(100);
  assert.deepEqual(differences(pair), []);
  pair.cut().advance(1000);
  assert.equal(pair.states(), 'A communications-interrupted, B communications-interrupted');
  pair.lease('A', 'c2');
  pair.lease('B', 'c3');
  assert.equal(pair.lease('B', 'c1')!.address, first.address);
  pair.heal().advance(5000);
  assert.equal(pair.states(), 'A normal, B normal');
  assert.deepEqual(differences(pair), []);
  pair.kill('B').advance(1000);
  assert.equal(pair.state('A'), 'communications-interrupted');
  assert.equal(pair.command('A', { kind: 'partner-down' }), 'done');
  assert.equal(pair.state('A'), 'partner-down');
  pair.lease('A', 'c4');
  pair.advance(200_000).revive('B').advance(5000);
  assert.equal(pair.states(), 'A normal, B normal');
  assert.deepEqual(differences(pair), []);
});
