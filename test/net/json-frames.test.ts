/** JSON frames: any cut of the stream gives the same values, and every broken rule ends the channel with its reason. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Connection } from '../../src/net/connection.ts';
import { encodeJsonFrame, JSON_FRAME_BYTES_MAX, JsonFrameReader, jsonChannel } from '../../src/net/json-frames.ts';

function framed(value: unknown): Buffer {
  const frame = encodeJsonFrame(value);
  assert.equal(frame.kind, 'ok');
  return frame.kind === 'ok' ? frame.value : Buffer.alloc(0);
}

function raw(length: number, body: Uint8Array): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(length);
  return Buffer.concat([header, body]);
}

test('a stream cut in two at every place gives the same values', () => {
  const values = [{ a: [1, 'é', null] }, 'x', 0, { deep: { er: true } }];
  const stream = Buffer.concat(values.map(framed));
  for (let cut = 0; cut <= stream.length; cut++) {
    const reader = new JsonFrameReader();
    const first = reader.push(stream.subarray(0, cut));
    const second = reader.push(stream.subarray(cut));
    assert.deepEqual([...first.values, ...second.values], values, `cut at ${cut}`);
    assert.equal(second.fault, undefined);
  }
});

test('any values in any pieces come out as they went in', () => {
  const pieces = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(fc.array(fc.jsonValue(), { maxLength: 8 }), pieces, (values, sizes) => {
      const stream = Buffer.concat(values.map(framed));
      const reader = new JsonFrameReader();
      const out: unknown[] = [];
      for (let at = 0, i = 0; at < stream.length; i++) {
        const size = sizes[i % sizes.length]!;
        const { values: some, fault } = reader.push(stream.subarray(at, at + size));
        assert.equal(fault, undefined);
        out.push(...some);
        at += size;
      }
      // JSON has no -0: what went in is compared after one turn through it.
      assert.deepEqual(out, JSON.parse(JSON.stringify(values)));
    }),
  );
});

test('any bytes at all never throw, and after a fault nothing more comes out', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.uint8Array({ maxLength: 64 }), (a, b) => {
      const reader = new JsonFrameReader();
      const first = reader.push(a);
      const second = reader.push(b);
      if (first.fault === undefined) return;
      assert.equal(second.fault, first.fault);
      assert.equal(second.values.length, 0);
    }),
  );
});

test('each broken rule is named with its place', () => {
  const good = framed(1);
  const cases: [string, Buffer, RegExp][] = [
    ['empty', raw(0, Buffer.alloc(0)), /empty/],
    ['too long', raw(JSON_FRAME_BYTES_MAX + 1, Buffer.alloc(0)), /says 16777217 bytes/],
    ['not JSON', raw(3, Buffer.from('{"a')), /not UTF-8 JSON/],
    ['not UTF-8', raw(3, Buffer.from([0x22, 0xff, 0x22])), /not UTF-8 JSON/],
    ['byte order mark', raw(4, Buffer.from([0xef, 0xbb, 0xbf, 0x31])), /not UTF-8 JSON/],
    ['two values', raw(3, Buffer.from('1 2')), /not UTF-8 JSON/],
  ];
  for (const [name, bytes, why] of cases) {
    const { values, fault } = new JsonFrameReader().push(Buffer.concat([good, bytes, good]));
    assert.deepEqual(values, [1], name);
    assert.match(fault?.why ?? '', why, name);
    assert.equal(fault?.at, good.length, name);
  }
});

test('the largest frame passes in small pieces, and one octet more cannot be made', () => {
  const text = 'x'.repeat(JSON_FRAME_BYTES_MAX - 2);
  const stream = framed(text);
  const reader = new JsonFrameReader();
  const out: unknown[] = [];
  for (let at = 0; at < stream.length; at += 9973) out.push(...reader.push(stream.subarray(at, at + 9973)).values);
  assert.equal(out.length, 1);
  assert.equal(out[0], text);
  assert.equal(encodeJsonFrame(`${text}x`).kind, 'bad');
  assert.equal(encodeJsonFrame(undefined).kind, 'bad');
});

/** A connection in memory: only what a channel uses of it. */
function fakeConnection(): { connection: Connection; written: Buffer[]; feed(bytes: Buffer): void } {
  const written: Buffer[] = [];
  let onData: (bytes: Buffer) => void = () => {};
  let onClose: (why: string) => void = () => {};
  const connection: Connection = {
    kind: 'plain',
    alpn: undefined,
    peerKey: undefined,
    remoteAddress: '',
    remotePort: 0,
    localAddress: '',
    bufferedBytes: 0,
    write: (bytes) => written.push(Buffer.from(bytes)),
    onData: (listener) => {
      onData = listener;
    },
    onClose: (listener) => {
      onClose = listener;
    },
    close: (why) => onClose(why ?? ''),
  };
  return { connection, written, feed: (bytes) => onData(bytes) };
}

test('a channel closes at a bad frame with the reason, after the good ones before it', () => {
  const { connection, feed } = fakeConnection();
  const seen: unknown[] = [];
  const reasons: string[] = [];
  jsonChannel(connection, { onValue: (value) => seen.push(value), onClose: (why) => reasons.push(why) });
  feed(Buffer.concat([framed('one'), raw(1, Buffer.from('?')), framed('two')]));
  feed(framed('three'));
  assert.deepEqual(seen, ['one']);
  assert.deepEqual(reasons, ['bad frame at byte 9: the frame is not UTF-8 JSON']);
});

test('a channel closed by its listener gives out nothing more of the same read', () => {
  const { connection, feed } = fakeConnection();
  const seen: unknown[] = [];
  const channel = jsonChannel(connection, {
    onValue: (value) => {
      seen.push(value);
      channel.close('enough');
    },
    onClose: () => {},
  });
  feed(Buffer.concat([framed(1), framed(2)]));
  assert.deepEqual(seen, [1]);
});

test('a channel sends a value as one frame and refuses what is none', () => {
  const { connection, written } = fakeConnection();
  const channel = jsonChannel(connection, { onValue: () => {}, onClose: () => {} });
  assert.equal(channel.send({ a: 1 }), true);
  assert.equal(channel.send(undefined), false);
  assert.deepEqual(written, [framed({ a: 1 })]);
});
