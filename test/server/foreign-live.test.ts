/**
 * A real server and a scripted server of another make on loopback: from the operations down to the bytes of the failover link, in
 * both roles and with either side calling (failover specification 1.1, 1.8).
 */
import assert from 'node:assert/strict';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import { decodeMessage, encodeMessage } from '../../src/wire/failover/codec.ts';
import { Framer } from '../../src/wire/failover/framer.ts';
import { hashBucketsForSplit } from '../../src/wire/failover/hash-buckets.ts';
import type { FailoverMessage, OutMessage, ServerState, WireProfile } from '../../src/wire/failover/messages.ts';
import type { EpochSec, Sec } from '../../src/wire/units.ts';
import { eventually } from '../support/eventually.ts';
import { LiveServer } from './live.ts';

const NAME = 'mixed';
/** The other server: all of 127.0.0.0/8 is this host's. */
const PEER = '127.0.0.2';
const WAIT_MS = 10_000;

type Kind = FailoverMessage['kind'];

/** One connection of the scripted server. */
class Peer {
  readonly socket: net.Socket;
  readonly received: FailoverMessage[] = [];
  isEnded = false;
  readonly #profile: WireProfile;

  constructor(socket: net.Socket, profile: WireProfile) {
    this.socket = socket;
    this.#profile = profile;
    const framer = new Framer();
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.isEnded = true;
    });
    socket.on('data', (chunk) => {
      framer.push(chunk);
      for (let next = framer.next(); next.kind === 'frame'; next = framer.next()) {
        const read = decodeMessage(next.bytes, profile);
        assert.ok(read.kind === 'ok', JSON.stringify(read));
        this.received.push(read.value);
      }
    });
  }

  send(message: OutMessage): void {
    const sentAt = Math.floor(Date.now() / 1000) as EpochSec;
    this.socket.write(encodeMessage({ ...message, sentAt } as FailoverMessage, this.#profile));
  }

  async message<K extends Kind>(kind: K): Promise<Extract<FailoverMessage, { kind: K }>> {
    return await eventually(`a ${kind}`, WAIT_MS, () =>
      this.received.find((one): one is Extract<FailoverMessage, { kind: K }> => one.kind === kind),
    );
  }

  state(serverState: ServerState): void {
    const stateSinceAt = Math.floor(Date.now() / 1000) as EpochSec;
    this.send({ kind: 'state', xid: 50, serverState, serverFlags: 0, stateSinceAt });
  }
}

interface Setting {
  readonly role: 'Primary' | 'Secondary';
  readonly kind?: 'isc' | 'draft';
  /** The peer listens, so that we can call it. */
  readonly listens?: boolean;
}

class World {
  readonly live: LiveServer;
  readonly accepted: Peer[] = [];
  readonly profile: WireProfile;

  private constructor(live: LiveServer, profile: WireProfile) {
    this.live = live;
    this.profile = profile;
  }

  static async open(t: TestContext, { role, kind = 'isc', listens = false }: Setting): Promise<World> {
    const live = await LiveServer.open(t, 'alpha');
    const world = new World(live, kind);
    const server = net.createServer((socket) => world.accepted.push(new Peer(socket, kind)));
    await new Promise<void>((resolve) => server.listen(0, PEER, resolve));
    t.after(() => {
      for (const { socket } of world.accepted) socket.destroy();
      server.close();
    });
    const { port } = server.address() as net.AddressInfo;
    if (!listens) server.close();
    const range = { StartRange: '10.77.0.10', EndRange: '10.77.0.29', SubnetMask: '255.255.255.0' };
    await live.ask('scope.add', { Name: 'lan', ...range });
    await live.ask('pair.declare', { Kind: kind, Name: 'other', Host: PEER, Port: port, LocalAddress: '127.0.0.1' });
    await live.ask('failover.add-by-load-balance', {
      Name: NAME,
      PartnerServer: 'other',
      ScopeId: ['10.77.0.0'],
      ProtocolRole: role,
    });
    return world;
  }

  /** The peer calls. */
  async call(t: TestContext, localAddress = PEER): Promise<Peer> {
    const socket = net.connect({ host: '127.0.0.1', port: this.live.server.doorPort, localAddress });
    t.after(() => socket.destroy());
    const peer = new Peer(socket, this.profile);
    await new Promise<void>((resolve) => socket.once('connect', resolve));
    return peer;
  }

  /** The peer is called. */
  async called(): Promise<Peer> {
    const before = this.accepted.length;
    return await eventually('a call', WAIT_MS, () => this.accepted[before] ?? this.accepted.at(-1));
  }

  get relationship() {
    const found = this.live.control.revision().config.relationships.find((one) => one.name === NAME);
    assert.ok(found !== undefined);
    return found;
  }

  get isCommunicating(): boolean {
    return this.live.control.endpointStatus(NAME)?.isCommunicating === true;
  }
}

function connect(more: Partial<Extract<OutMessage, { kind: 'connect' }>> = {}): OutMessage {
  return {
    kind: 'connect',
    xid: 1,
    relationshipName: NAME,
    maxUnacked: 10,
    receiveTimerSec: 60 as Sec,
    vendorClass: 'isc-4.4.3-P1',
    protocolVersion: 1,
    tlsRequest: 0,
    mcltSec: 600 as Sec,
    hashBuckets: hashBucketsForSplit(192),
    ...more,
  };
}

function accepting(xid: number): OutMessage {
  return {
    kind: 'connectack',
    xid,
    relationshipName: NAME,
    maxUnacked: 10,
    receiveTimerSec: 60 as Sec,
    protocolVersion: 1,
  };
}

test('as primary of dhcpd the server greets a dhcpd that calls and says nothing, and the two communicate', async (t) => {
  const world = await World.open(t, { role: 'Primary' });
  const peer = await world.call(t);
  const { xid, mcltSec, relationshipName } = await peer.message('connect');
  assert.deepEqual([mcltSec, relationshipName], [3600, NAME]);
  peer.send(accepting(xid));
  peer.state('recover');
  assert.equal((await peer.message('state')).serverState, 'recover');
  await eventually('they communicate', WAIT_MS, () => (world.isCommunicating ? true : undefined));
  const partners = await world.live.ask<{ Name: string; Answers: boolean }[]>('pair.list');
  assert.deepEqual(
    partners.map(({ Name, Answers }) => [Name, Answers]),
    [['other', true]],
  );
});

test('as primary the server calls from the agreed address, and a new share of the clients is told by a new CONNECT', async (t) => {
  const world = await World.open(t, { role: 'Primary', listens: true });
  const first = await world.called();
  assert.equal(first.socket.remoteAddress, '127.0.0.1');
  const told = await first.message('connect');
  assert.deepEqual(told.hashBuckets, hashBucketsForSplit(128));
  first.send(accepting(told.xid));
  first.state('recover');
  await eventually('they communicate', WAIT_MS, () => (world.isCommunicating ? true : undefined));
  await world.live.ask('failover.set', { Name: NAME, LoadBalancePercent: 75 });
  const second = await eventually('another call', WAIT_MS, () => world.accepted[1]);
  assert.deepEqual((await second.message('connect')).hashBuckets, hashBucketsForSplit(192));
  await eventually('the first connection ends', WAIT_MS, () => (first.isEnded ? true : undefined));
});

test('as secondary the MCLT and the share that the primary tells are taken over, durably', async (t) => {
  const world = await World.open(t, { role: 'Secondary' });
  const peer = await world.call(t);
  peer.send(connect());
  assert.equal((await peer.message('connectack')).rejectReason, undefined);
  peer.state('recover');
  await eventually('they communicate', WAIT_MS, () => (world.isCommunicating ? true : undefined));
  await eventually('the primary’s parameters', WAIT_MS, () => (world.relationship.mcltSec === 600 ? true : undefined));
  assert.equal(world.relationship.percentage, 75);
  assert.ok(world.isCommunicating, 'the connection goes on');
  await world.live.stop();
  await world.live.start();
  assert.deepEqual([world.relationship.mcltSec, world.relationship.percentage], [600, 75]);
});

test('as secondary the server calls too, and waits for CONNECT on the connection that it opened', async (t) => {
  const world = await World.open(t, { role: 'Secondary', listens: true });
  const peer = await world.called();
  peer.send(connect());
  const answer = await peer.message('connectack');
  assert.deepEqual([answer.xid, answer.rejectReason], [1, undefined]);
});

test('a CONNECT under another name is refused with reason 8 and tells nothing', async (t) => {
  const world = await World.open(t, { role: 'Secondary' });
  const peer = await world.call(t);
  peer.send(connect({ relationshipName: 'another' }));
  assert.equal((await peer.message('connectack')).rejectReason, 'invalid-partner');
  await eventually('the connection ends', WAIT_MS, () => (peer.isEnded ? true : undefined));
  assert.equal(world.relationship.mcltSec, 3600);
});

test('two primaries refuse each other with reason 8', async (t) => {
  const world = await World.open(t, { role: 'Primary' });
  const peer = await world.call(t);
  await peer.message('connect');
  peer.send(connect());
  assert.equal((await peer.message('connectack')).rejectReason, 'invalid-partner');
  await eventually('the connection ends', WAIT_MS, () => (peer.isEnded ? true : undefined));
});

test('a caller from an address that was not declared is closed without a byte', async (t) => {
  const world = await World.open(t, { role: 'Secondary' });
  const peer = await world.call(t, '127.0.0.3');
  peer.send(connect());
  await eventually('the connection ends', WAIT_MS, () => (peer.isEnded ? true : undefined));
  assert.deepEqual(peer.received, []);
});

for (const [kind, heard] of [
  ['draft', true],
  ['isc', false],
] as const) {
  test(`at an orderly stop a ${kind} partner ${heard ? 'hears PAUSED' : 'does not hear PAUSED'}`, async (t) => {
    const world = await World.open(t, { role: 'Secondary', kind });
    const peer = await world.call(t);
    peer.send(connect());
    await peer.message('connectack');
    peer.state('recover');
    await eventually('they communicate', WAIT_MS, () => (world.isCommunicating ? true : undefined));
    await world.live.stop();
    await eventually('the connection ends', WAIT_MS, () => (peer.isEnded ? true : undefined));
    const states = peer.received.filter((one) => one.kind === 'state').map((one) => one.serverState);
    assert.equal(states.includes('paused'), heard, states.join(' '));
  });
}
