/**
 * From file to client without any right: a server that serves relays only, an import over its REST door as the command line does it,
 * and a client that takes a lease, and one whose lease came with the lease file and who only renews it.
 */
import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { ServerProcess } from '../../../demo/server-process.ts';
import { type DhcpPacket, MESSAGE_TYPES, OP_REQUEST } from '../../../src/wire/dhcp/packet.ts';
import { decodeDhcpPacket, encodeDhcpPacket } from '../../../src/wire/dhcp/packet-codec.ts';
import { formatIp4, type Ip4, parseIp4, toHex } from '../../../src/wire/units.ts';
import { runCli } from '../../front/cli-world.ts';
import { sampleText } from './sample-files.ts';

const LOOPBACK = '127.0.0.1';
/** RFC 3527 and RFC 8357: the client is in 10.64.16.0, and the answer goes to the port that the relay sent from. */
const RELAY_INFORMATION = Buffer.from('05040a4010011300', 'hex');
const ANSWER_MS = 10_000;

test('a new client gets what the file says, and one of the lease file keeps its address', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'twinlease-import-'));
  const server = new ServerProcess({
    name: 'imported',
    dataDirectory: join(directory, 'data'),
    relayOnly: `${LOOPBACK}:0`,
    partnerAddress: LOOPBACK,
  });
  const socket = createSocket('udp4');
  t.after(async () => {
    socket.close();
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  await server.start();
  await new Promise<void>((resolve) => socket.bind(0, LOOPBACK, resolve));

  const endAt = Math.floor(Date.now() / 1000) + 3600;
  const leases = `lease 10.64.17.77 { cltt epoch ${endAt - 7200}; ends epoch ${endAt}; binding state active; hardware ethernet 02:00:00:00:00:02; }\n`;
  const imported = await runCli(['import', '/campus.conf', '/campus.leases'], {
    env: { TWINLEASE_URL: server.restUrl, TWINLEASE_TOKEN_FILE: '/token' },
    files: { '/token': server.token, '/campus.conf': sampleText('campus.conf'), '/campus.leases': leases },
    fetch: (url, init) => fetch(url, init),
  });
  assert.equal(imported.code, 0, imported.stderr);

  const ask = (packet: DhcpPacket): Promise<DhcpPacket> => exchange(socket, server.dhcpPort, packet);
  const offer = await ask(request('discover', '020000000001'));
  assert.equal(typeOf(offer), MESSAGE_TYPES.offer);
  assert.deepEqual(
    [3, 6, 15, 51].map((code) => toHex(offer.options.get(code) ?? new Uint8Array())),
    ['0a401001', '0a4000350a400036', Buffer.from('main.campus.example.edu').toString('hex'), '00007080'],
  );
  const chosen = new Map([
    [50, octetsOf(offer.yiaddr)],
    [54, offer.options.get(54) ?? new Uint8Array()],
  ]);
  const ack = await ask(request('request', '020000000001', { options: chosen }));
  assert.deepEqual([typeOf(ack), ack.yiaddr], [MESSAGE_TYPES.ack, offer.yiaddr]);

  const kept = parseIp4('10.64.17.77')!;
  const renewed = await ask(request('request', '020000000002', { ciaddr: kept }));
  assert.deepEqual([typeOf(renewed), formatIp4(renewed.yiaddr)], [MESSAGE_TYPES.ack, '10.64.17.77']);
});

function request(
  type: 'discover' | 'request',
  hardware: string,
  more: { readonly ciaddr?: Ip4; readonly options?: ReadonlyMap<number, Uint8Array> } = {},
): DhcpPacket {
  const none = new Uint8Array(0);
  const address = 0 as Ip4;
  return {
    op: OP_REQUEST,
    htype: 1,
    hlen: 6,
    hops: 1,
    xid: 0x7001_0000 + Number.parseInt(hardware.slice(-4), 16),
    secs: 0,
    flags: 0,
    ciaddr: more.ciaddr ?? address,
    yiaddr: address,
    siaddr: address,
    giaddr: parseIp4(LOOPBACK)!,
    chaddr: Buffer.from(hardware, 'hex'),
    sname: none,
    file: none,
    hasCookie: true,
    options: new Map<number, Uint8Array>([
      [53, Uint8Array.of(MESSAGE_TYPES[type])],
      [55, Uint8Array.of(1, 3, 6, 15, 51)],
      ...(more.options ?? []),
      [82, RELAY_INFORMATION],
    ]),
  };
}

async function exchange(socket: Socket, port: number, packet: DhcpPacket): Promise<DhcpPacket> {
  const answered = new Promise<DhcpPacket>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no answer')), ANSWER_MS);
    socket.once('message', (bytes) => {
      clearTimeout(timer);
      const read = decodeDhcpPacket(bytes);
      if (read.kind === 'ok') resolve(read.value);
      else reject(new Error(read.why));
    });
  });
  socket.send(encodeDhcpPacket(packet, { bytesMax: 1500, bytesMin: 300 }), port, LOOPBACK);
  return await answered;
}

function typeOf(packet: DhcpPacket): number | undefined {
  return packet.options.get(53)?.[0];
}

function octetsOf(address: Ip4): Uint8Array {
  return Uint8Array.of(address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255);
}
