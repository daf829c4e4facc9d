/** The packet codec: captured packets, laws of decoding and encoding, and the rules for what does not fit. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { getU32, messageTypeOf } from '../../../src/wire/dhcp/build.ts';
import { type DhcpPacket, MESSAGE_TYPES, OP_REPLY } from '../../../src/wire/dhcp/packet.ts';
import {
  decodeDhcpPacket,
  encodeDhcpPacket,
  encodedOptionSize,
  encodedOptionsSize,
  IMPORTANT_OPTIONS,
  PACKET_BYTES_MAX,
  PROTECTED_FIRST,
} from '../../../src/wire/dhcp/packet-codec.ts';
import { ip4, toHex } from '../../../src/wire/units.ts';
import { readVectors } from './vectors.ts';

const ROOMY = { bytesMin: 0, bytesMax: PACKET_BYTES_MAX };

function emptyPacket(options: Iterable<readonly [number, Uint8Array]> = []): DhcpPacket {
  return {
    op: 2,
    htype: 1,
    hlen: 6,
    hops: 0,
    xid: 1,
    secs: 0,
    flags: 0,
    ciaddr: ip4(0),
    yiaddr: ip4(0),
    siaddr: ip4(0),
    giaddr: ip4(0),
    chaddr: Uint8Array.of(2, 0, 0, 0, 0, 1),
    sname: new Uint8Array(0),
    file: new Uint8Array(0),
    hasCookie: true,
    options: new Map(options),
  };
}

function decoded(bytes: Uint8Array): DhcpPacket {
  const read = decodeDhcpPacket(bytes);
  assert.equal(read.kind, 'ok', read.kind === 'bad' ? read.why : '');
  return (read as { value: DhcpPacket }).value;
}

function refusal(bytes: Uint8Array): { why: string; at: number } {
  const read = decodeDhcpPacket(bytes);
  assert.equal(read.kind, 'bad');
  return read as { kind: 'bad'; why: string; at: number };
}

/** Everything that a packet says, in a form that compares by value. */
function plain(packet: DhcpPacket): unknown {
  return {
    ...packet,
    chaddr: toHex(packet.chaddr),
    sname: toHex(packet.sname),
    file: toHex(packet.file),
    options: [...packet.options]
      .map(([code, bytes]) => [code, toHex(bytes)])
      .sort((a, b) => Number(a[0]) - Number(b[0])),
  };
}

/** A packet of fixed fields, the cookie, and these octets in the options field. */
function raw(optionOctets: readonly number[], file: readonly number[] = [], sname: readonly number[] = []): Uint8Array {
  const bytes = new Uint8Array(240 + optionOctets.length);
  bytes.set([1, 1, 6, 0], 0);
  bytes.set(sname, 44);
  bytes.set(file, 108);
  bytes.set([0x63, 0x82, 0x53, 0x63], 236);
  bytes.set(optionOctets, 240);
  return bytes;
}

const filled = (size: number, octet = 0x61): Uint8Array => new Uint8Array(size).fill(octet);

/** Codes in the order in which they stand in the options field. */
function writtenCodes(bytes: Uint8Array, from = 240, to = bytes.length): number[] {
  const codes: number[] = [];
  for (let at = from; at < to && bytes[at] !== 255; at += bytes[at] === 0 ? 1 : 2 + bytes[at + 1]!) {
    if (bytes[at] !== 0) codes.push(bytes[at]!);
  }
  return codes;
}

const optionCode = fc.integer({ min: 1, max: 254 }).filter((code) => code !== 52);
const trimmed = (maxLength: number) =>
  fc.uint8Array({ maxLength }).map((bytes) => {
    let size = bytes.length;
    while (size > 0 && bytes[size - 1] === 0) size--;
    return bytes.slice(0, size);
  });
const u32 = fc.nat(0xffffffff);

const anyPacket: fc.Arbitrary<DhcpPacket> = fc
  .record({
    op: fc.nat(255),
    htype: fc.nat(255),
    hlen: fc.nat(255),
    hops: fc.nat(255),
    xid: u32,
    secs: fc.nat(65535),
    flags: fc.nat(65535),
    ciaddr: u32.map(ip4),
    yiaddr: u32.map(ip4),
    siaddr: u32.map(ip4),
    giaddr: u32.map(ip4),
    address: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    sname: trimmed(64),
    file: trimmed(128),
    options: fc.array(fc.tuple(optionCode, fc.uint8Array({ maxLength: 700 })), { maxLength: 12 }),
  })
  .map(({ address, options, ...fields }) => ({
    ...fields,
    chaddr: address.slice(0, Math.min(fields.hlen, 16)),
    hasCookie: true,
    options: new Map(options),
  }));

test('captured packets decode to what tshark saw and encode back to the same meaning', () => {
  const vectors = readVectors();
  assert.ok(vectors.length >= 20);
  for (const vector of vectors) {
    const packet = decoded(vector.bytes);
    const type = messageTypeOf(packet);
    assert.ok(type !== undefined, vector.name);
    assert.equal(MESSAGE_TYPES[type], vector.messageType, vector.name);
    assert.equal(packet.xid, vector.xid, vector.name);
    const again = decoded(encodeDhcpPacket(packet, { bytesMin: 300, bytesMax: 548 }));
    assert.deepEqual(plain(again), plain(packet), vector.name);
  }
});

test('replies of ISC dhcpd are encoded back to the same octets, as its order of options is ours', () => {
  const replies = readVectors().filter((vector) => vector.bytes[0] === OP_REPLY);
  assert.ok(replies.length >= 6);
  for (const { name, bytes } of replies) {
    const packet = decoded(bytes);
    assert.equal(toHex(encodeDhcpPacket(packet, { bytesMin: 300, bytesMax: 548 })), toHex(bytes), name);
    assert.equal(typeof getU32(packet, 51), 'number', name);
  }
});

test('any packet with any options decodes from its encoding unchanged, and its length is predicted', () => {
  fc.assert(
    fc.property(anyPacket, (packet) => {
      const bytes = encodeDhcpPacket(packet, ROOMY);
      assert.equal(bytes.length, 241 + encodedOptionsSize(packet.options));
      assert.deepEqual(plain(decoded(bytes)), plain(packet));
    }),
  );
});

test('a packet cut anywhere is refused, or is a shorter packet when the cut is between two options', () => {
  fc.assert(
    fc.property(anyPacket, fc.nat(), (packet, place) => {
      const bytes = encodeDhcpPacket(packet, ROOMY);
      const size = place % bytes.length;
      const read = decodeDhcpPacket(bytes.subarray(0, size));
      if (size < 236) assert.equal(read.kind, 'bad');
      else if (size < 240) assert.equal(read.kind === 'ok' && read.value.hasCookie, false);
      else {
        const ends = new Set([240]);
        for (let at = 240; bytes[at] !== 255; at += 2 + bytes[at + 1]!) ends.add(at + 2 + bytes[at + 1]!);
        assert.equal(read.kind, ends.has(size) ? 'ok' : 'bad');
      }
    }),
  );
});

test('random octets are decoded or refused with a reason and a place, never thrown at', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (tail, withHead) => {
      const bytes = withHead ? raw([...tail]) : tail;
      const read = decodeDhcpPacket(bytes);
      if (read.kind === 'bad') {
        assert.ok(read.why.length > 0);
        assert.ok(read.at >= 0 && read.at <= bytes.length);
      }
    }),
    { numRuns: 500 },
  );
});

test('the parts of an option are joined in order, wherever they stand', () => {
  const packet = decoded(
    raw([53, 1, 1, 43, 1, 0xa1, 52, 1, 3, 43, 1, 0xa2, 255], [43, 2, 0xa3, 0xa4, 255], [0, 43, 1, 0xa5, 255]),
  );
  assert.equal(toHex(packet.options.get(43)!), 'a1a2a3a4a5');
  assert.equal(packet.options.has(52), false);
  assert.equal(packet.file.length + packet.sname.length, 0);
});

test('file is read before sname, and only the fields that option 52 names', () => {
  const file = [12, 1, 0x66, 255];
  const sname = [12, 1, 0x73, 255];
  const seen = [1, 2, 3].map((overload) => {
    const packet = decoded(raw([52, 1, overload, 255], file, sname));
    return [toHex(packet.options.get(12)!), packet.file.length, packet.sname.length];
  });
  assert.deepEqual(seen, [
    ['66', 0, 4],
    ['73', 4, 0],
    ['6673', 0, 0],
  ]);
});

test('option 52 inside an overloaded field means nothing', () => {
  const packet = decoded(raw([52, 1, 1, 255], [52, 1, 2, 52, 1, 9, 255], [12, 1, 0x73, 255]));
  assert.equal(packet.options.size, 0);
  assert.equal(packet.sname.length, 4);
});

test('an option 52 that lies is refused', () => {
  for (const options of [
    [52, 1, 0],
    [52, 1, 4],
    [52, 0],
    [52, 2, 1, 1],
    [52, 1, 1, 52, 1, 2],
    [52, 0, 52, 1, 1],
  ]) {
    assert.match(refusal(raw([...options, 255])).why, /option 52/);
  }
});

test('options that run past the end of file or sname are refused', () => {
  const overrun = new Array<number>(126).fill(0);
  assert.match(refusal(raw([52, 1, 1, 255], [...overrun, 12, 1])).why, /option 12 runs past/);
  assert.match(refusal(raw([52, 1, 1, 255], [...overrun, 0, 12])).why, /option 12 has no length/);
  assert.match(refusal(raw([52, 1, 2, 255], [], [12, 63])).why, /option 12 runs past/);
});

test('the end option may be missing when the options end exactly, also in an overloaded field', () => {
  assert.equal(messageTypeOf(decoded(raw([53, 1, 1]))), 'discover');
  const packet = decoded(raw([52, 1, 2], [], [12, 62, ...filled(62)]));
  assert.equal(packet.options.get(12)?.length, 62);
});

test('whatever follows the end option is ignored', () => {
  const packet = decoded(raw([53, 1, 1, 255, 12, 200, 1, 2, 3]));
  assert.deepEqual([...packet.options.keys()], [53]);
});

test('pad octets may stand anywhere', () => {
  assert.equal(messageTypeOf(decoded(raw([0, 0, 53, 1, 3, 0, 255]))), 'request');
});

test('a refusal names the option and where it begins', () => {
  assert.deepEqual(refusal(raw([53, 1, 1, 61, 9, 1])), {
    kind: 'bad',
    why: 'option 61 runs past the end of its field',
    at: 243,
  });
  assert.equal(refusal(raw([53, 1, 1, 61])).at, 243);
});

test('packets that are too short or too long are refused', () => {
  assert.match(refusal(new Uint8Array(235)).why, /at least 236/);
  assert.match(refusal(new Uint8Array(PACKET_BYTES_MAX + 1)).why, /at most/);
});

test('a BOOTP packet without cookie keeps its fields and has no options', () => {
  const bytes = raw([1, 4, 255, 0, 0, 0]);
  bytes.set([1, 2, 3, 4], 236);
  bytes.set([0x62, 0x6f, 0x6f, 0x74], 108);
  const packet = decoded(bytes);
  assert.equal(packet.hasCookie, false);
  assert.equal(packet.options.size, 0);
  assert.equal(toHex(packet.file), '626f6f74');
  const again = encodeDhcpPacket(packet, { bytesMin: 300, bytesMax: 548 });
  assert.equal(again.length, 300);
  assert.deepEqual(plain(decoded(again)), plain(packet));
});

test('a hardware length above 16 is kept, and the address cut to the field', () => {
  const bytes = raw([255]);
  bytes[2] = 200;
  const packet = decoded(bytes);
  assert.equal(packet.hlen, 200);
  assert.equal(packet.chaddr.length, 16);
});

test('the decoded packet does not change when the receive buffer is used again', () => {
  // A Node Buffer, because its slice would share memory.
  const buffer = Buffer.from(readVectors()[0]!.bytes);
  const split = Buffer.from(raw([12, 1, 0x61, 12, 1, 0x62, 255], [0x66], [0x73]));
  for (const received of [buffer, split]) {
    const packet = decoded(received);
    const before = plain(packet);
    received.fill(0xee);
    assert.deepEqual(plain(packet), before);
  }
});

test('a packet full of one-octet parts is joined once and whole', () => {
  const octets: number[] = [];
  for (let i = 0; i < 20_000; i++) octets.push(43, 1, i & 255);
  const value = decoded(raw(octets)).options.get(43)!;
  assert.equal(value.length, 20_000);
  assert.ok(value.every((octet, i) => octet === (i & 255)));
});

test('long options are split into parts of 255 octets', () => {
  const bytes = encodeDhcpPacket(emptyPacket([[43, filled(600)]]), ROOMY);
  assert.deepEqual([bytes[241], bytes[241 + 257], bytes[241 + 514]], [255, 255, 90]);
  for (const [length, size] of [
    [0, 2],
    [1, 3],
    [255, 257],
    [256, 260],
    [510, 514],
    [511, 517],
  ] as const) {
    assert.equal(encodedOptionSize(length), size);
    const written = encodeDhcpPacket(emptyPacket([[43, filled(length)]]), ROOMY);
    assert.equal(written.length, 241 + size);
  }
});

test('the protected options come first, the others keep their order, option 82 is last', () => {
  const codes = [82, 200, 61, 15, 1, 3, 59, 58, 51, 54, 53, 6];
  const bytes = encodeDhcpPacket(emptyPacket(codes.map((code) => [code, filled(4)])), ROOMY);
  assert.deepEqual(writtenCodes(bytes), [53, 54, 51, 58, 59, 1, 61, 200, 15, 3, 6, 82]);
});

test('short packets are padded to the least length with zeros', () => {
  const bytes = encodeDhcpPacket(emptyPacket([[53, Uint8Array.of(2)]]), { bytesMin: 300, bytesMax: 548 });
  assert.equal(bytes.length, 300);
  assert.equal(bytes[243], 255);
  assert.ok(bytes.subarray(244).every((octet) => octet === 0));
});

/** 53 and five options of 60 octets and up, together too long for 548. */
const CROWD: readonly (readonly [number, Uint8Array])[] = [
  [53, Uint8Array.of(5)],
  [54, filled(4)],
  [15, filled(80)],
  [6, filled(100)],
  [17, filled(90)],
  [200, filled(60)],
  [82, filled(30)],
];

test('what does not fit moves into file, then into sname, and nothing is lost', () => {
  const limits = { bytesMin: 300, bytesMax: 548 };
  const packet = emptyPacket([...CROWD, [201, filled(40)]]);
  const bytes = encodeDhcpPacket(packet, limits);
  assert.ok(bytes.length <= limits.bytesMax);
  assert.deepEqual(plain(decoded(bytes)), plain(packet));
  const codes = writtenCodes(bytes);
  assert.equal(codes[0], 53);
  assert.equal(codes[1], 52);
  assert.equal(codes.at(-1), 82);
  assert.deepEqual(writtenCodes(bytes, 108, 236), [17]);
  assert.deepEqual(writtenCodes(bytes, 44, 108), [201]);
});

test('an overloaded field keeps room for its own end option', () => {
  // 548 leaves 301 octets beside 53 and 52, so that the last option has to go elsewhere.
  const head = [
    [53, Uint8Array.of(5)],
    [15, filled(255)],
  ] as const;
  const limits = { bytesMin: 300, bytesMax: 548 };
  const withFile = (size: number) => emptyPacket([...head, [200, filled(size)]]);
  const inFile = encodeDhcpPacket(withFile(125), limits);
  assert.deepEqual(plain(decoded(inFile)), plain(withFile(125)));
  assert.equal(inFile[235], 255);
  assert.deepEqual([...decoded(encodeDhcpPacket(withFile(126), limits)).options.keys()], [53, 15]);
  const withSname = (size: number) => ({ ...withFile(size), file: filled(1) });
  const inSname = encodeDhcpPacket(withSname(61), limits);
  assert.deepEqual(plain(decoded(inSname)), plain(withSname(61)));
  assert.equal(inSname[107], 255);
  assert.deepEqual([...decoded(encodeDhcpPacket(withSname(62), limits)).options.keys()], [53, 15]);
});

test('an option 52 among the options is never written as such', () => {
  const plainOne = encodeDhcpPacket(
    emptyPacket([
      [53, Uint8Array.of(2)],
      [52, Uint8Array.of(3)],
    ]),
    ROOMY,
  );
  assert.deepEqual(writtenCodes(plainOne), [53]);
  const tight = encodeDhcpPacket(emptyPacket([[52, Uint8Array.of(3)], ...CROWD]), { bytesMin: 300, bytesMax: 548 });
  assert.deepEqual([...tight.subarray(243, 246)], [52, 1, 1]);
});

test('sname alone is overloaded when file names a boot file', () => {
  const options = [...CROWD.filter(([code]) => code !== 17), [201, filled(50)] as const];
  const packet = { ...emptyPacket(options), file: filled(20) };
  const bytes = encodeDhcpPacket(packet, { bytesMin: 300, bytesMax: 548 });
  assert.ok(bytes.length <= 548);
  assert.deepEqual(plain(decoded(bytes)), plain(packet));
  const overloadAt = writtenCodes(bytes).indexOf(52);
  assert.equal(overloadAt, 1);
  assert.equal(bytes[245], 2);
});

test('larger options are placed first when that makes all of them fit', () => {
  // In Map order the small one would take the room that only the options field has for the last.
  const packet = emptyPacket([
    [53, Uint8Array.of(5)],
    [200, filled(100)],
    [201, filled(250)],
  ]);
  const bytes = encodeDhcpPacket(packet, { bytesMin: 300, bytesMax: 548 });
  assert.deepEqual(plain(decoded(bytes)), plain(packet));
});

test('when all fields are full the unlisted options go first, and the important ones stay', () => {
  const full = { ...emptyPacket([...CROWD, [3, filled(4)], [201, filled(8)]]), file: filled(1), sname: filled(1) };
  const bytes = encodeDhcpPacket(full, { bytesMin: 300, bytesMax: 500 });
  const read = decoded(bytes);
  assert.ok(bytes.length <= 500);
  // 200 has no room, the smaller 201 and 17 have none either only when nothing is left for them.
  assert.deepEqual([...read.options.keys()], [53, 54, 15, 6, 3, 201, 82]);
  assert.equal(toHex(read.file), '61');
});

test('any packet fits its limit unless the protected options alone are longer; those are never dropped', () => {
  const order = [...PROTECTED_FIRST, 82];
  const options = fc.array(
    fc.tuple(fc.oneof(optionCode, fc.constantFrom(...order, ...IMPORTANT_OPTIONS)), fc.uint8Array({ maxLength: 300 })),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(
      options,
      trimmed(64),
      trimmed(128),
      fc.integer({ min: 548, max: 1472 }),
      (list, sname, file, bytesMax) => {
        const packet = { ...emptyPacket(list), sname, file };
        const bytes = encodeDhcpPacket(packet, { bytesMin: 300, bytesMax });
        const read = decoded(bytes);
        const protectedOnly = new Map([...packet.options].filter(([code]) => order.includes(code)));
        for (const [code, value] of protectedOnly) assert.equal(toHex(read.options.get(code)!), toHex(value));
        for (const [code, value] of read.options) assert.equal(toHex(value), toHex(packet.options.get(code)!));
        assert.equal(toHex(read.file), toHex(file));
        assert.equal(toHex(read.sname), toHex(sname));
        if (bytes.length > bytesMax) assert.deepEqual(new Set(read.options.keys()), new Set(protectedOnly.keys()));
        if (241 + encodedOptionsSize(packet.options) <= bytesMax) assert.equal(read.options.size, packet.options.size);
        if (packet.options.has(82)) assert.equal(writtenCodes(bytes).at(-1), 82);
      },
    ),
    { numRuns: 300 },
  );
});

test('no option of less weight is kept in the place of a listed one that would have fitted alone', () => {
  const fits = fc.uniqueArray(fc.tuple(optionCode, fc.uint8Array({ minLength: 20, maxLength: 120 })), {
    maxLength: 15,
    selector: ([code]) => code,
  });
  fc.assert(
    fc.property(fits, (list) => {
      const packet = { ...emptyPacket(list.filter(([code]) => code !== 3)), file: filled(2), sname: filled(2) };
      packet.options.delete(82);
      for (const code of PROTECTED_FIRST) packet.options.delete(code);
      packet.options.delete(121);
      packet.options.set(3, filled(4));
      assert.ok(decoded(encodeDhcpPacket(packet, { bytesMin: 300, bytesMax: 548 })).options.has(3));
    }),
  );
});
