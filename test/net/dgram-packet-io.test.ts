/** Relay-only packets over loopback, on ports that the system chooses. */
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { type DgramPacketIo, openDgramPacketIo } from '../../src/net/dgram-packet-io.ts';
import type { OutgoingPacket, ReceivedPacket } from '../../src/net/packet-io.ts';
import { ip4, parseIp4 } from '../../src/wire/units.ts';

const LOOPBACK = parseIp4('127.0.0.1')!;

async function open(t: TestContext): Promise<{ io: DgramPacketIo; relay: dgram.Socket; relayPort: number }> {
  const io = await openDgramPacketIo({ address: LOOPBACK, port: 0 });
  t.after(() => io.close());
  const relay = dgram.createSocket('udp4');
  relay.bind(0, '127.0.0.1');
  await once(relay, 'listening');
  t.after(() => relay.close());
  return { io, relay, relayPort: relay.address().port };
}

function packetTo(port: number, over: Partial<OutgoingPacket> = {}): OutgoingPacket {
  const bytes = Uint8Array.from([1, 2, 3]);
  return { interfaceId: 0, source: LOOPBACK, address: LOOPBACK, port, hardware: undefined, bytes, ...over };
}

/** All packets up to the wanted number, with copies of their bytes. */
async function received(io: DgramPacketIo, count: number): Promise<ReceivedPacket[]> {
  return new Promise((resolve) => {
    const all: ReceivedPacket[] = [];
    io.onPackets((batch) => {
      assert.ok(batch.length > 0, 'no batch is empty');
      all.push(...batch.map((packet) => ({ ...packet, bytes: Uint8Array.from(packet.bytes) })));
      if (all.length >= count) resolve(all);
    });
  });
}

test('a packet is received with where it came from and was sent to', async (t) => {
  const { io, relay, relayPort } = await open(t);
  const come = received(io, 1);
  relay.send(Uint8Array.from([9, 8]), io.port, '127.0.0.1');
  assert.deepEqual(await come, [
    { bytes: Uint8Array.from([9, 8]), interfaceId: 0, fromAddress: LOOPBACK, fromPort: relayPort, toAddress: LOOPBACK },
  ]);
  assert.equal(io.counters.received, 1);
});

test('a burst keeps its order and comes in batches', async (t) => {
  const { io, relay } = await open(t);
  const come = received(io, 100);
  for (let i = 0; i < 100; i++) relay.send(Uint8Array.from([i]), io.port, '127.0.0.1');
  assert.deepEqual(
    (await come).map(({ bytes }) => bytes[0]),
    [...Array(100).keys()],
  );
});

test('what is sent is as it was at the call, even if the buffer is used again at once', async (t) => {
  const { io, relay, relayPort } = await open(t);
  const seen: number[][] = [];
  const done = new Promise<void>((resolve) => {
    relay.on('message', (bytes) => {
      seen.push([...bytes]);
      if (seen.length === 2) resolve();
    });
  });
  const slot = Uint8Array.from([1, 1]);
  io.send([packetTo(relayPort, { bytes: slot })]);
  slot.fill(2);
  io.send([packetTo(relayPort, { bytes: slot })]);
  slot.fill(3);
  await done;
  assert.deepEqual(seen, [
    [1, 1],
    [2, 2],
  ]);
  assert.equal(io.counters.sent, 2);
});

test('frames and broadcasts are unsendable, and do not keep others of the batch back', async (t) => {
  const { io, relay, relayPort } = await open(t);
  const answer = once(relay, 'message');
  io.send([
    packetTo(68, { hardware: new Uint8Array(6) }),
    packetTo(68, { address: ip4(0xffffffff) }),
    packetTo(68, { address: ip4(0) }),
    packetTo(0),
    packetTo(relayPort),
  ]);
  await answer;
  assert.deepEqual(io.counters, { received: 0, sent: 1, sendErrors: 1, truncated: 0, unsendable: 3 });
});

test('a packet that is too long is counted and dropped', async (t) => {
  const { io, relay } = await open(t);
  const come = received(io, 1);
  relay.send(new Uint8Array(4097), io.port, '127.0.0.1');
  relay.send(new Uint8Array(4096), io.port, '127.0.0.1');
  assert.equal((await come)[0]?.bytes.length, 4096);
  assert.equal(io.counters.truncated, 1);
});

test('a port that is taken rejects, and a send after close is counted', async (t) => {
  const { io } = await open(t);
  await assert.rejects(openDgramPacketIo({ address: LOOPBACK, port: io.port }), { code: 'EADDRINUSE' });
  await io.close();
  await io.close();
  io.send([packetTo(1)]);
  assert.equal(io.counters.sendErrors, 1);
  assert.equal(io.interfaces()[0]?.isUp, false);
});

test('the one interface has the bound address', async (t) => {
  const { io } = await open(t);
  const [only, ...rest] = io.interfaces();
  assert.deepEqual(rest, []);
  assert.deepEqual(only, {
    interfaceId: 0,
    name: 'relay',
    isUp: true,
    addresses: [{ address: LOOPBACK, prefixLength: 32 }],
    hardware: new Uint8Array(0),
  });
});
