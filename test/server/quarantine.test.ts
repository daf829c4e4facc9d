/** Inputs that ended the process before: remembered over restarts, known again in spite of what changes between sendings. */
import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { frameFingerprint, packetFingerprint, Quarantine } from '../../src/server/quarantine.ts';
import { scratch } from './live.ts';

const PACKET = Uint8Array.from({ length: 300 }, (_, i) => i & 0xff);

function changed(bytes: Uint8Array, ...at: number[]): Uint8Array {
  const copy = Uint8Array.from(bytes);
  for (const index of at) copy[index]! ^= 0xff;
  return copy;
}

function entry(fingerprint: string, at = 1000) {
  return { fingerprint, what: 'client-packet', why: 'for the test', at } as const;
}

test('a packet is known again under another transaction id and later in its seconds, and no other packet is', () => {
  const print = packetFingerprint(PACKET);
  assert.equal(packetFingerprint(changed(PACKET, 4, 5, 6, 7, 8, 9)), print);
  for (const at of [0, 3, 10, 28, 299]) assert.notEqual(packetFingerprint(changed(PACKET, at)), print, `byte ${at}`);
  assert.notEqual(packetFingerprint(PACKET.subarray(0, 299)), print);
});

test('a frame is known again at another time with another xid, and no other frame is', () => {
  const print = frameFingerprint(PACKET);
  assert.equal(frameFingerprint(changed(PACKET, 4, 7, 8, 11)), print);
  for (const at of [0, 3, 12, 299]) assert.notEqual(frameFingerprint(changed(PACKET, at)), print, `byte ${at}`);
});

test('fingerprints and the packet itself are left as they are', () => {
  const copy = Uint8Array.from(PACKET);
  packetFingerprint(PACKET);
  frameFingerprint(PACKET);
  assert.deepEqual(PACKET, copy);
});

test('an entry lasts over a restart, in a file of its own user', (t) => {
  const directory = scratch(t);
  const before = new Quarantine(directory);
  assert.equal(before.isEmpty, true);
  before.add(entry('aa'));
  const after = new Quarantine(directory);
  assert.equal(after.has('aa'), true);
  assert.equal(after.has('bb'), false);
  assert.equal(after.isEmpty, false);
  assert.equal(statSync(join(directory, 'quarantine.json')).mode & 0o077, 0);
});

test('the newest entries are kept when there are too many', (t) => {
  const directory = scratch(t);
  const quarantine = new Quarantine(directory);
  for (let n = 0; n < 260; n++) quarantine.add(entry(`n${n}`, n));
  const after = new Quarantine(directory);
  assert.equal(after.entries.length, 256);
  assert.equal(after.has('n3'), false);
  assert.equal(after.has('n4'), true);
  assert.equal(after.has('n259'), true);
});

test('a damaged file costs its entries and nothing else', (t) => {
  const directory = scratch(t);
  const path = join(directory, 'quarantine.json');
  for (const text of ['', '{', '{"fingerprint":"aa"}', '[1,null,{"fingerprint":7,"at":1}]']) {
    writeFileSync(path, text);
    const quarantine = new Quarantine(directory);
    assert.equal(quarantine.isEmpty, true, text);
    quarantine.add(entry('aa'));
    assert.equal((JSON.parse(readFileSync(path, 'utf8')) as unknown[]).length, 1);
  }
});

test('three ends within ten minutes are a problem of their own', (t) => {
  const quarantine = new Quarantine(scratch(t));
  quarantine.add(entry('a', 1000));
  quarantine.add(entry('b', 1300));
  assert.equal(quarantine.hasEndedOften(1300), false);
  quarantine.add(entry('c', 1599));
  assert.equal(quarantine.hasEndedOften(1599), true);
  assert.equal(quarantine.hasEndedOften(1600), false, 'the first is ten minutes old');
});
