/** The choice of served interfaces, and what is read from the kernel, without any socket or with unprivileged ones. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InterfaceChoice } from '../../src/net/interfaces.ts';
import { writeLinkFrame } from '../../src/net/link-frame.ts';
import { type Link, listLinks, readAddress, readDumpPart, readLink } from '../../src/net/native/netlink.ts';
import { formatIp4, ip4, parseIp4 } from '../../src/wire/units.ts';
import { onesSum } from './raw-client.ts';

const ADDRESS = { address: parseIp4('10.0.0.1')!, prefixLength: 24 };

function link(name: string, over: Partial<Link> = {}): Link {
  const hardware = new Uint8Array(6);
  return { index: 1, name, isEthernet: true, isLoopback: false, isUp: true, hardware, addresses: [ADDRESS], ...over };
}

test('a named interface keeps its id while it is away and after it is made again', () => {
  const choice = new InterfaceChoice(['b', 'a', 'b']);
  const ids = (links: Link[]): [number, string, number | undefined][] =>
    choice.choose(links).map(({ interfaceId, name, link: found }) => [interfaceId, name, found?.index]);
  assert.deepEqual(ids([link('a', { index: 5 })]), [
    [1, 'b', undefined],
    [2, 'a', 5],
  ]);
  assert.deepEqual(ids([]), [
    [1, 'b', undefined],
    [2, 'a', undefined],
  ]);
  assert.deepEqual(ids([link('a', { index: 9 }), link('c')]), [
    [1, 'b', undefined],
    [2, 'a', 9],
  ]);
});

test('all means Ethernet with an address, and one that came back is a new one', () => {
  const choice = new InterfaceChoice('all');
  const others = [
    link('lo', { isLoopback: true, isEthernet: false }),
    link('tun', { isEthernet: false }),
    link('port', { addresses: [] }),
  ];
  const ids = (links: Link[]): [number, string][] =>
    choice.choose(links).map(({ interfaceId, name }) => [interfaceId, name]);
  assert.deepEqual(ids([...others, link('a'), link('b', { isUp: false })]), [
    [1, 'a'],
    [2, 'b'],
  ]);
  assert.deepEqual(ids([...others, link('b')]), [[2, 'b']]);
  assert.deepEqual(ids([link('a'), link('b')]), [
    [3, 'a'],
    [2, 'b'],
  ]);
});

test('the kernel tells the loopback interface with its address', (t) => {
  if (process.platform !== 'linux') {
    t.skip('needs Linux');
    return;
  }
  const loopback = listLinks()?.find(({ name }) => name === 'lo');
  assert.equal(loopback?.isLoopback, true);
  assert.equal(loopback?.isEthernet, false);
  assert.equal(loopback?.index, 1);
});

test('any bytes in place of a dump never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      readDumpPart(Buffer.from(bytes), () => {});
      readLink(Buffer.from(bytes));
      readAddress(Buffer.from(bytes));
    }),
  );
});

test('on a point-to-point link the own address counts, not that of the far end', () => {
  // struct ifaddrmsg {AF_INET, /32, index 7}, IFA_ADDRESS 10.0.0.2, IFA_LOCAL 10.0.0.1.
  const body = Buffer.from('0220000007000000' + '080001000a000002' + '080002000a000001', 'hex');
  const found = readAddress(body);
  assert.equal(found?.index, 7);
  assert.equal(formatIp4(found?.value.address ?? ip4(0)), '10.0.0.1');
  assert.equal(found?.value.prefixLength, 32);
});

test('a dump is marked as interrupted, done or bad', () => {
  const message = (type: number, flags: number): Buffer => {
    const bytes = Buffer.alloc(20);
    bytes.writeUInt32LE(20, 0);
    bytes.writeUInt16LE(type, 4);
    bytes.writeUInt16LE(flags, 6);
    return bytes;
  };
  const types: number[] = [];
  const part = readDumpPart(Buffer.concat([message(16, 0x12), message(3, 2)]), (type) => types.push(type));
  assert.deepEqual(part, { isDone: true, isInterrupted: true, isBad: false });
  assert.deepEqual(types, [16]);
  assert.equal(readDumpPart(message(2, 0), () => {}).isBad, true);
  assert.equal(readDumpPart(message(16, 0).subarray(0, 18), () => {}).isBad, true);
  assert.deepEqual(
    readDumpPart(message(16, 0), () => {}),
    { isDone: false, isInterrupted: false, isBad: false },
  );
});

test('both checksums of a link frame are right for any payload, and it is laid out as Ethernet, IPv4 and UDP', () => {
  const address = fc.integer({ min: 0, max: 0xffffffff }).map((n) => ip4(n));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), address, address, (payload, source, destination) => {
      const room = Buffer.alloc(700, 0xaa);
      const length = writeLinkFrame(room, {
        fromHardware: Uint8Array.from([2, 0, 0, 0, 0, 1]),
        toHardware: Uint8Array.from([2, 0, 0, 0, 0, 2]),
        source,
        sourcePort: 67,
        destination,
        destinationPort: 68,
        payload,
      });
      const frame = room.subarray(0, length);
      assert.equal(length, 42 + payload.length);
      assert.equal(frame.subarray(0, 14).toString('hex'), '020000000002' + '020000000001' + '0800');
      assert.equal(frame.readUInt16BE(16), 28 + payload.length);
      assert.equal(frame.readUInt16BE(38), 8 + payload.length);
      assert.deepEqual(Uint8Array.from(frame.subarray(42)), payload);
      assert.equal(onesSum(frame.subarray(14, 34)), 0xffff);
      const pseudo = Buffer.concat([frame.subarray(26, 34), Buffer.from([0, 17]), frame.subarray(38, 40)]);
      assert.equal(onesSum(Buffer.concat([pseudo, frame.subarray(34)])), 0xffff);
      assert.notEqual(frame.readUInt16BE(40), 0, 'zero would mean that there is no checksum');
    }),
  );
});
