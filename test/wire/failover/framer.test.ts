import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FRAME_BYTES_MAX, FRAMER_BYTES_MAX, Framer } from '../../../src/wire/failover/framer.ts';
import { toHex } from '../../../src/wire/units.ts';
import { goldenMessages, hex } from './vectors.ts';

function drain(framer: Framer): string[] {
  const frames: string[] = [];
  for (let framed = framer.next(); framed.kind === 'frame'; framed = framer.next()) frames.push(toHex(framed.bytes));
  return frames;
}

test('a stream split once at every byte gives the same frames', () => {
  const golden = goldenMessages().map((message) => message.bytes);
  const stream = Buffer.concat(golden);
  const expected = golden.map((bytes) => toHex(bytes));
  for (let cut = 0; cut <= stream.length; cut++) {
    const framer = new Framer();
    framer.push(stream.subarray(0, cut));
    const first = drain(framer);
    framer.push(stream.subarray(cut));
    assert.deepEqual([...first, ...drain(framer)], expected, `cut at ${cut}`);
  }
});

test('a stream that comes one byte at a time gives the same frames', () => {
  const golden = goldenMessages().map((message) => message.bytes);
  const framer = new Framer();
  const frames: string[] = [];
  for (const octet of Buffer.concat(golden)) {
    framer.push(Uint8Array.of(octet));
    frames.push(...drain(framer));
  }
  assert.deepEqual(
    frames,
    golden.map((bytes) => toHex(bytes)),
  );
});

test('lengths 12 and 2048 are frames, 11 and 2049 end the stream at once', () => {
  const framed = (length: number) => {
    const framer = new Framer();
    const bytes = new Uint8Array(length);
    bytes[0] = length >> 8;
    bytes[1] = length;
    framer.push(bytes);
    return framer.next();
  };
  assert.equal(framed(12).kind, 'frame');
  assert.equal(framed(FRAME_BYTES_MAX).kind, 'frame');
  assert.equal(framed(11).kind, 'bad');
  assert.equal(framed(FRAME_BYTES_MAX + 1).kind, 'bad');
});

test('a bad length is seen from its two bytes, tells its place, and stays', () => {
  const framer = new Framer();
  framer.push(hex('000c0b0c0000000000000000 0003'));
  assert.equal(framer.next().kind, 'frame');
  const first = framer.next();
  assert.deepEqual(first, { kind: 'bad', why: 'message length below 12', at: 12 });
  framer.push(hex('000c0b0c0000000000000000'));
  assert.deepEqual(framer.next(), first);
});

test('a frame is the caller’s: later chunks and a reused chunk do not change it', () => {
  const framer = new Framer();
  const chunk = hex('000c0b0c0102030405060708');
  framer.push(chunk);
  const framed = framer.next();
  chunk.fill(0xee);
  framer.push(chunk);
  assert.ok(framed.kind === 'frame');
  assert.equal(toHex(framed.bytes), '000c0b0c0102030405060708');
});

test('more than the limit unread ends the stream instead of growing', () => {
  const framer = new Framer();
  const chunk = new Uint8Array(1 << 16);
  for (let at = 0; at < chunk.length; at += 2048) chunk[at] = 8;
  for (let held = 0; held < FRAMER_BYTES_MAX; held += chunk.length) framer.push(chunk);
  framer.push(Uint8Array.of(1));
  assert.equal(framer.next().kind, 'bad');
});

test('a framer that was full goes on when it was drained', () => {
  const framer = new Framer();
  const chunk = new Uint8Array(1 << 16);
  for (let at = 0; at < chunk.length; at += 2048) chunk[at] = 8;
  for (let round = 0; round < 40; round++) {
    framer.push(chunk);
    assert.equal(drain(framer).length, 32);
  }
  assert.equal(framer.next().kind, 'need-more');
});
