/** Relay agent information and the small tools of a server. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  clientIdentityOf,
  getBytes,
  getIp4,
  getIp4List,
  getText,
  getU8,
  getU16,
  getU32,
  ip4ListValue,
  ip4Value,
  messageTypeOf,
  replyTo,
  textValue,
  u8Value,
  u16Value,
  u32Value,
  userClassesOf,
  userClassValue,
} from '../../../src/wire/dhcp/build.ts';
import type { DhcpPacket } from '../../../src/wire/dhcp/packet.ts';
import { decodeDhcpPacket } from '../../../src/wire/dhcp/packet-codec.ts';
import {
  decodeRelayAgent,
  encodeRelayAgent,
  RELAY_AGENT_SUB_OPTIONS,
  relayAddress,
  relayAgentSubOptionName,
  SUB_LINK_SELECTION,
  SUB_SERVER_ID_OVERRIDE,
} from '../../../src/wire/dhcp/relay-agent.ts';
import { fromHex, ip4, parseIp4, toHex } from '../../../src/wire/units.ts';
import { readVectors } from './vectors.ts';

const hex = (text: string): Uint8Array => fromHex(text.replaceAll(' ', ''))!;

function vector(name: string): DhcpPacket {
  const found = readVectors().find((one) => one.name === name);
  assert.ok(found !== undefined, name);
  const read = decodeDhcpPacket(found.bytes);
  assert.ok(read.kind === 'ok');
  return read.value;
}

test('relay information reads back unchanged, its length is predicted, and a cut is refused or a prefix', () => {
  const entries = fc.uniqueArray(fc.tuple(fc.nat(255), fc.uint8Array({ maxLength: 400 })), {
    maxLength: 6,
    selector: ([code]) => code,
  });
  fc.assert(
    fc.property(entries, fc.nat(), (list, place) => {
      const bytes = encodeRelayAgent(new Map(list));
      const size = list.reduce((sum, [, item]) => sum + item.length + 2 * Math.max(1, Math.ceil(item.length / 255)), 0);
      assert.equal(bytes.length, size);
      const read = decodeRelayAgent(bytes);
      assert.ok(read.kind === 'ok');
      assert.deepEqual(
        [...read.value].map(([code, item]) => [code, toHex(item)]),
        list.map(([code, item]) => [code, toHex(item)]),
      );
      const cut = decodeRelayAgent(bytes.subarray(0, place % (bytes.length + 1)));
      if (cut.kind === 'bad') assert.ok(cut.why !== '');
      else for (const [code, item] of cut.value) assert.ok(toHex(new Map(list).get(code)!).startsWith(toHex(item)));
    }),
  );
});

test('every registered sub-option has a name of its own', () => {
  const codes = Object.keys(RELAY_AGENT_SUB_OPTIONS).map(Number);
  const names = codes.map(relayAgentSubOptionName);
  assert.equal(new Set(names).size, codes.length);
  assert.equal(relayAgentSubOptionName(5), 'link-selection');
  assert.equal(relayAgentSubOptionName(200), 'sub-option-200');
});

test('link selection and server identifier override are addresses, or nothing when of another length', () => {
  const read = decodeRelayAgent(hex('0106000401020304 0504c0000200 0b03c00002'));
  assert.ok(read.kind === 'ok');
  assert.equal(relayAddress(read.value, SUB_LINK_SELECTION), parseIp4('192.0.2.0'));
  assert.equal(relayAddress(read.value, SUB_SERVER_ID_OVERRIDE), undefined);
  assert.equal(toHex(read.value.get(1)!), '000401020304');
});

test('in relay information 0 and 255 are sub-options like any other', () => {
  const read = decodeRelayAgent(hex('0001aa ff01bb'));
  assert.ok(read.kind === 'ok');
  assert.deepEqual([...read.value.keys()], [0, 255]);
});

test('parts of one sub-option are joined', () => {
  const read = decodeRelayAgent(hex('0101aa 0201bb 0101cc'));
  assert.ok(read.kind === 'ok');
  assert.equal(toHex(read.value.get(1)!), 'aacc');
});

test('relay information that lies is refused at its place', () => {
  assert.deepEqual(decodeRelayAgent(hex('0101aa 0205bb')), {
    kind: 'bad',
    why: 'sub-option 2 runs past the end',
    at: 3,
  });
  assert.deepEqual(decodeRelayAgent(hex('01')), { kind: 'bad', why: 'sub-option 1 has no length', at: 0 });
});

test('getters answer values of the right length and nothing else', () => {
  const packet = vector('request-selecting-udhcpc');
  packet.options.set(200, hex('0102'));
  assert.equal(getU8(packet, 53), 3);
  assert.equal(getU8(packet, 200), undefined);
  assert.equal(getU16(packet, 200), 0x0102);
  assert.equal(getU16(packet, 53), undefined);
  assert.equal(getU32(packet, 200), undefined);
  assert.equal(getIp4(packet, 54), parseIp4('10.77.0.2'));
  assert.equal(getIp4(packet, 200), undefined);
  assert.equal(getIp4List(packet, 200), undefined);
  assert.equal(getIp4List(packet, 201), undefined);
  assert.equal(getText(packet, 60), 'udhcp 1.35.0');
  assert.equal(getText(packet, 201), undefined);
  assert.equal(toHex(getBytes(packet, 200)!), '0102');
});

test('values made for a reply are read by the getters', () => {
  fc.assert(
    fc.property(fc.nat(0xffffffff), fc.array(fc.nat(0xffffffff).map(ip4), { minLength: 1 }), (n, list) => {
      const packet = replyTo(vector('discover-udhcpc'));
      packet.options
        .set(1, u32Value(n))
        .set(2, u16Value(n & 0xffff))
        .set(3, u8Value(n & 0xff));
      packet.options
        .set(4, ip4Value(ip4(n)))
        .set(5, ip4ListValue(list))
        .set(6, textValue(`ü${n}`));
      assert.equal(getU32(packet, 1), n);
      assert.equal(getU16(packet, 2), n & 0xffff);
      assert.equal(getU8(packet, 3), n & 0xff);
      assert.equal(getIp4(packet, 4), n);
      assert.deepEqual(getIp4List(packet, 5), list);
      assert.equal(getText(packet, 6), `ü${n}`);
    }),
  );
});

test('the message type is named, and unknown for BOOTP and strange numbers', () => {
  assert.equal(messageTypeOf(vector('decline-script')), 'decline');
  const packet = vector('discover-udhcpc');
  packet.options.set(53, Uint8Array.of(77));
  assert.equal(messageTypeOf(packet), undefined);
  packet.options.delete(53);
  assert.equal(messageTypeOf(packet), undefined);
});

test('a client is known by its identifier and by its hardware address with type', () => {
  const both = clientIdentityOf(vector('discover-udhcpc'));
  assert.equal(toHex(both.clientId!), '010277aa000000');
  assert.equal(toHex(both.hardware!), '010277aa000000');
  const packet = vector('discover-dhclient');
  const one = clientIdentityOf(packet);
  assert.equal(one.clientId, undefined);
  assert.equal(toHex(one.hardware!), '010277aa000003');
  packet.options.set(61, new Uint8Array(0));
  assert.equal(clientIdentityOf(packet).clientId, undefined);
  packet.chaddr = new Uint8Array(0);
  assert.equal(clientIdentityOf(packet).hardware, undefined);
});

test('user classes are found in both forms', () => {
  const packet = vector('discover-udhcpc');
  assert.deepEqual(userClassesOf(packet), []);
  packet.options.set(77, userClassValue([hex('61'), hex('6263')]));
  assert.deepEqual(
    userClassesOf(packet).map((item) => toHex(item)),
    ['61', '6263'],
  );
  packet.options.set(77, hex('69505845'));
  assert.deepEqual(
    userClassesOf(packet).map((item) => toHex(item)),
    ['69505845'],
  );
});

test('a reply takes over what every reply takes over, and nothing else', () => {
  const request = vector('request-selecting-dhclient');
  request.giaddr = ip4(0x0a000001);
  request.flags = 0x8000;
  request.hops = 3;
  request.secs = 9;
  const reply = replyTo(request);
  assert.equal(reply.op, 2);
  assert.deepEqual(
    [reply.xid, reply.htype, reply.hlen, reply.flags, reply.giaddr, toHex(reply.chaddr)],
    [request.xid, 1, 6, 0x8000, 0x0a000001, toHex(request.chaddr)],
  );
  assert.deepEqual([reply.hops, reply.secs, reply.ciaddr, reply.yiaddr, reply.options.size], [0, 0, 0, 0, 0]);
});
