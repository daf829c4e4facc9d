import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeMessage, encodeMessage, fittingUpdates } from '../../../src/wire/failover/codec.ts';
import { draftDigestKey, type Hmac, ownDigestKey, windowsDigestKeys } from '../../../src/wire/failover/digest.ts';
import { FRAME_BYTES_MAX, Framer } from '../../../src/wire/failover/framer.ts';
import type { EpochSec } from '../../../src/wire/units.ts';
import { messageArbitrary, PROFILES, updateArbitrary } from './arbitraries.ts';
import { plain } from './vectors.ts';

const RUNS = { numRuns: 400 };
const hmac: Hmac = (algorithm, key, data) => new Uint8Array(createHmac(algorithm, key).update(data).digest());

for (const profile of PROFILES) {
  test(`${profile}: what was encoded is decoded to the same message`, () => {
    fc.assert(
      fc.property(messageArbitrary(profile), (message) => {
        const frame = encodeMessage(message, profile);
        const read = decodeMessage(frame, profile);
        assert.ok(read.kind === 'ok', JSON.stringify(read));
        assert.deepEqual(plain(read.value), plain(message));
        assert.deepEqual(encodeMessage(read.value, profile), frame);
      }),
      RUNS,
    );
  });

  test(`${profile}: a frame cut anywhere is refused`, () => {
    fc.assert(
      fc.property(messageArbitrary(profile), (message) => {
        const frame = encodeMessage(message, profile);
        for (let length = 0; length < frame.length; length++) {
          assert.equal(decodeMessage(frame.subarray(0, length), profile).kind, 'bad');
        }
      }),
      { numRuns: 60 },
    );
  });

  test(`${profile}: options cut anywhere under a header that fits never throw`, () => {
    fc.assert(
      fc.property(messageArbitrary(profile), (message) => {
        const frame = encodeMessage(message, profile);
        for (let length = 12; length < frame.length; length++) {
          const cut = frame.slice(0, length);
          cut[0] = length >> 8;
          cut[1] = length;
          const read = decodeMessage(cut, profile);
          if (read.kind === 'bad') assert.ok(read.at <= length);
        }
      }),
      { numRuns: 60 },
    );
  });

  test(`${profile}: flipped bits never throw, and what still decodes can be encoded`, () => {
    const flips = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 7 })), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(messageArbitrary(profile), flips, (message, places) => {
        const frame = encodeMessage(message, profile);
        for (const [place, bit] of places) frame[place % frame.length]! ^= 1 << bit;
        const read = decodeMessage(frame, profile);
        if (read.kind === 'ok') assert.equal(decodeMessage(encodeMessage(read.value, profile), profile).kind, 'ok');
      }),
      RUNS,
    );
  });

  test(`${profile}: any bytes as options never throw`, () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 80 }), (type, options) => {
        const size = 12 + options.length;
        const frame = Uint8Array.of(size >> 8, size, type, 12, 0, 0, 0, 0, 0, 0, 0, 0, ...options);
        assert.ok(['ok', 'bad', 'ignored', 'refused'].includes(decodeMessage(frame, profile).kind));
      }),
      RUNS,
    );
  });

  test(`${profile}: a BNDUPD holds as many updates as fit, and not one more`, () => {
    const updates = fc.array(updateArbitrary(profile), { minLength: 30, maxLength: 120 });
    const key = ownDigestKey('secret', hmac);
    fc.assert(
      fc.property(updates, fc.boolean(), (all, isSealed) => {
        const digest = isSealed ? key : undefined;
        const count = fittingUpdates(all, profile, digest);
        const head = { kind: 'bndupd' as const, sentAt: 1 as EpochSec, xid: 1 };
        const frame = encodeMessage({ ...head, updates: all.slice(0, count) }, profile, digest);
        assert.ok(frame.length <= FRAME_BYTES_MAX);
        if (count < all.length) {
          assert.throws(() => encodeMessage({ ...head, updates: all.slice(0, count + 1) }, profile, digest));
        }
      }),
      { numRuns: 40 },
    );
  });
}

test('every message passes every digest scheme, and any change to it is noticed', () => {
  const keys = [ownDigestKey('küß', hmac), draftDigestKey('secret', hmac), ...windowsDigestKeys('secret', hmac)];
  fc.assert(
    fc.property(messageArbitrary('twinlease'), fc.constantFrom(...keys), fc.nat(), (message, key, place) => {
      const frame = encodeMessage(message, 'twinlease', key);
      const read = decodeMessage(frame, 'twinlease', key);
      assert.ok(read.kind === 'ok', JSON.stringify(read));
      assert.deepEqual(plain(read.value), plain(message));
      frame[place % frame.length]! ^= 0x10;
      assert.notEqual(decodeMessage(frame, 'twinlease', key).kind, 'ok');
    }),
    RUNS,
  );
});

test('any split of a stream gives the same frames', () => {
  const stream = fc.array(
    messageArbitrary('isc').map((message) => encodeMessage(message, 'isc')),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(stream, fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1 }), (frames, sizes) => {
      const whole = Buffer.concat(frames);
      const framer = new Framer();
      const seen: Uint8Array[] = [];
      for (let at = 0, turn = 0; at < whole.length; turn++) {
        const end = at + sizes[turn % sizes.length]!;
        framer.push(whole.subarray(at, end));
        at = end;
        for (let framed = framer.next(); framed.kind === 'frame'; framed = framer.next()) seen.push(framed.bytes);
      }
      assert.equal(framer.next().kind, 'need-more');
      assert.deepEqual(seen.map(plain), frames.map(plain));
    }),
    { numRuns: 100 },
  );
});
