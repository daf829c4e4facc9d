/**
 * Design, part 2 "An assertion": a fault that one packet meets ends the process once; after the restart the same packet is
 * dropped and reported, so that it cannot end both servers of a pair in turn. The fault is planted from outside.
 */
import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import test, { after, before, describe } from 'node:test';
import { Crowd } from '../../demo/crowd.ts';
import { DemoPair } from '../../demo/pair.ts';
import { encodeDhcpPacket } from '../../src/wire/dhcp/packet-codec.ts';
import { type Ip4, ip4 } from '../../src/wire/units.ts';
import { eventually } from '../support/eventually.ts';

const SCOPE = '10.93.0.0';
const NAME = Buffer.from('planted-here');
const PLANT = Buffer.concat([Uint8Array.of(12, NAME.length), NAME]).toString('hex');
const EXIT_ASSERTION = 70;

describe('a packet on which an assertion fails', () => {
  let pair: DemoPair;
  let socket: Socket;

  before(async () => {
    const scope = {
      scopeId: SCOPE,
      subnetMask: '255.255.255.0',
      startRange: '10.93.0.10',
      endRange: '10.93.0.250',
      name: 'lan',
      leaseDuration: 3600,
    };
    pair = await DemoPair.open({
      relationship: 'planted',
      scopes: [scope],
      mcltSec: 600,
      mode: 'LoadBalance',
      environment: { TWINLEASE_FAULT_PLANT: PLANT },
    });
    socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  });

  after(async () => {
    socket?.close();
    await pair?.close();
  });

  test('ends each server once, is dropped after the restart and reported, and everybody else is served', async () => {
    for (const server of pair.servers) {
      send(socket, discover(1), server.options.partnerAddress, server.dhcpPort);
      assert.equal(await server.ended(), EXIT_ASSERTION);
      await server.start();
    }
    for (const xid of [2, 3, 4])
      for (const server of pair.servers) send(socket, discover(xid), server.options.partnerAddress, server.dhcpPort);
    const crowd = await Crowd.open({
      servers: pair.servers.map((server) => ({
        name: server.options.name,
        address: server.options.partnerAddress,
        port: server.dhcpPort,
      })),
      relayAddress: '127.0.0.1',
      links: [SCOPE],
      retransmitMs: 500,
    });
    try {
      crowd.add(20);
      await eventually('the other clients are served', 20_000, () => (crowd.stats().bound === 20 ? true : undefined));
    } finally {
      crowd.close();
    }
    for (const server of pair.servers) {
      assert.ok(server.isRunning, `${server.options.name} ended again`);
      assert.ok(
        server.lines.some((line) => line.includes('serving/packet-quarantined')),
        `${server.options.name} reports it`,
      );
    }
  });
});

function send(socket: Socket, bytes: Uint8Array, address: string, port: number): void {
  socket.send(bytes, port, address);
}

/** The same DISCOVER each time, but for what a client changes when it repeats it. */
function discover(xid: number): Uint8Array {
  const empty = new Uint8Array(0);
  const none = 0 as Ip4;
  const options = new Map<number, Uint8Array>([
    [53, Uint8Array.of(1)],
    [12, NAME],
    [82, Uint8Array.of(5, 4, 10, 93, 0, 0)],
  ]);
  const fields = { op: 1, htype: 1, hlen: 6, hops: 1, xid, secs: xid, flags: 0, hasCookie: true };
  const addresses = { ciaddr: none, yiaddr: none, siaddr: none, giaddr: ip4(0x7f000001) };
  return encodeDhcpPacket(
    { ...fields, ...addresses, chaddr: Uint8Array.of(2, 0, 0, 0, 9, 9), sname: empty, file: empty, options },
    { bytesMax: 1500, bytesMin: 300 },
  );
}
