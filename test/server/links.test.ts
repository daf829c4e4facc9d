/** The failover connections: nothing leaves before the commit it rests on, order is kept, and what is not ours is turned away. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Relationship } from '../../src/core/config/model.ts';
import type { TlsConnection } from '../../src/net/connection.ts';
import { type LinkEvents, Links, UNKNOWN_LOOK_MS, UNKNOWN_LOOKS_MAX } from '../../src/server/links.ts';
import { frameFingerprint } from '../../src/server/quarantine.ts';
import { decodeMessage, encodeMessage } from '../../src/wire/failover/codec.ts';
import { type DigestKey, ownDigestKey } from '../../src/wire/failover/digest.ts';
import type { FailoverMessage, OutMessage } from '../../src/wire/failover/messages.ts';
import { type EpochSec, ip4, type MonoMs, type Now, type Sec } from '../../src/wire/units.ts';

const NAME = 'rel1';
const PARTNER_KEY = 'aa'.repeat(32);
const NOW: Now = { monoMs: 1000 as MonoMs, wallAt: 1_800_000_000 as EpochSec };
/** More than may wait for the disk on one link. */
const TOO_MANY = 4097;

class Wire {
  readonly frames: Uint8Array[] = [];
  isClosed = false;
  #onData: ((bytes: Buffer) => void) | undefined;
  #onClose: ((why: string) => void) | undefined;

  constructor(peerKey = PARTNER_KEY) {
    this.connection = {
      kind: 'tls',
      alpn: 'twinlease-link/1',
      peerKey,
      isKnown: true,
      remoteAddress: '192.0.2.2',
      remotePort: 647,
      localAddress: '192.0.2.1',
      bufferedBytes: 0,
      exporter: () => Buffer.alloc(32),
      write: (bytes) => this.frames.push(bytes),
      onData: (listener) => {
        this.#onData = listener;
      },
      onClose: (listener) => {
        this.#onClose = listener;
      },
      close: () => {
        this.isClosed = true;
      },
    };
  }

  readonly connection: TlsConnection;

  get sent(): FailoverMessage[] {
    return this.frames.map((frame) => {
      const read = decodeMessage(frame, 'twinlease');
      assert.ok(read.kind === 'ok');
      return read.value;
    });
  }

  get xids(): number[] {
    return this.sent.map((message) => message.xid);
  }

  receive(...messages: readonly OutMessage[]): void {
    this.receiveBytes(Buffer.concat(messages.map((message) => frameOf(message))));
  }

  receiveBytes(bytes: Buffer): void {
    this.#onData?.(bytes);
  }

  end(why: string): void {
    this.#onClose?.(why);
  }
}

class World {
  /** Whether the configuration has the relationship yet. */
  isKnown = true;
  digest: DigestKey | undefined;
  readonly told: string[] = [];
  readonly quarantined = new Set<string>();
  readonly dialled: Wire[] = [];
  readonly links: Links;
  now: Now = NOW;

  constructor() {
    const relationship = { id: 'id1', name: NAME, partnerKey: PARTNER_KEY, profile: 'twinlease' } as Relationship;
    const events: LinkEvents = {
      now: () => this.now,
      connected: (name, dialled) => this.told.push(`connected ${name} ${dialled ? 'by us' : 'by the partner'}`),
      failed: (name, why) => this.told.push(`failed ${name}: ${why}`),
      closed: (name, why) => this.told.push(`closed ${name}: ${why}`),
      message: (name, message) => this.told.push(`${message.kind} ${message.xid} of ${name}`),
      relationshipOf: (name) => (name === NAME && this.isKnown ? relationship : undefined),
      foreignAt: () => undefined,
      digestsOf: () => (this.digest === undefined ? [] : [this.digest]),
      digestFound: () => undefined,
      mayReplace: () => true,
      dial: () => {
        const wire = new Wire();
        this.dialled.push(wire);
        return Promise.resolve(wire.connection);
      },
      isQuarantined: (fingerprint) => this.quarantined.has(fingerprint),
      heardTime: () => undefined,
      event: (code) => this.told.push(code),
    };
    this.links = new Links(events);
  }

  /** A link that we have opened. */
  async opened(): Promise<Wire> {
    this.links.dial(NAME);
    await Promise.resolve();
    await Promise.resolve();
    const wire = this.dialled.at(-1);
    assert.ok(wire !== undefined);
    return wire;
  }
}

function frameOf(message: OutMessage): Uint8Array {
  return encodeMessage({ ...message, sentAt: NOW.wallAt } as FailoverMessage, 'twinlease');
}

function contact(xid: number): OutMessage {
  return { kind: 'contact', xid };
}

function bndack(xid: number): OutMessage {
  return { kind: 'bndack', xid, answers: [{ address: ip4(0x0a000007) }] };
}

function connect(relationshipName: string): OutMessage {
  return {
    kind: 'connect',
    xid: 1,
    relationshipName,
    maxUnacked: 32,
    receiveTimerSec: 10 as Sec,
    vendorClass: 'twinlease',
    protocolVersion: 1,
    mcltSec: 3600 as Sec,
    hashBuckets: new Uint8Array(32),
  };
}

test('a BNDACK waits for the flush of the commit it rests on, and a CONTACT waits for nothing', async () => {
  const { links, wire } = await withLink();
  links.release(4);
  links.send(NAME, bndack(1), 5);
  links.send(NAME, contact(2), 0);
  assert.deepEqual(wire.xids, [2]);
  links.release(4);
  assert.deepEqual(wire.xids, [2], 'the flush before does not cover it');
  links.release(5);
  assert.deepEqual(wire.xids, [2, 1]);
});

test('what rests on a commit that is durable already leaves at once, but never past a message that still waits', async () => {
  const { links, wire } = await withLink();
  links.release(7);
  links.send(NAME, bndack(1), 7);
  assert.deepEqual(wire.xids, [1]);
  links.send(NAME, bndack(2), 8);
  links.send(NAME, bndack(3), 7);
  assert.deepEqual(wire.xids, [1]);
  links.release(8);
  assert.deepEqual(wire.xids, [1, 2, 3]);
});

test('whatever is sent and flushed in whatever order, each message leaves once, in order, and never before it is durable', async () => {
  const steps = fc.array(fc.oneof(fc.record({ commit: fc.nat(3) }), fc.record({ flush: fc.nat(4) })), {
    maxLength: 60,
  });
  await fc.assert(
    fc.asyncProperty(steps, async (taken) => {
      const { links, wire } = await withLink();
      let open = 1;
      let durable = 0;
      const waitsFor = new Map<number, number>();
      for (const step of taken) {
        if ('commit' in step) {
          // The engine's messages rest on the newest commit, which only grows.
          open += step.commit;
          const xid = waitsFor.size + 1;
          waitsFor.set(xid, open);
          links.send(NAME, bndack(xid), open);
        } else {
          durable = Math.min(durable + step.flush, open);
          links.release(durable);
        }
        for (const xid of wire.xids) assert.ok((waitsFor.get(xid) ?? 0) <= durable, `${xid} left too early`);
        const due = [...waitsFor].filter(([, sequence]) => sequence <= durable).map(([xid]) => xid);
        assert.deepEqual(wire.xids, due);
      }
    }),
    { numRuns: 200 },
  );
});

test('the time in a message is that of its leaving, not of its deciding', async () => {
  const { links, wire, world } = await withLink();
  links.send(NAME, bndack(1), 1);
  world.now = { monoMs: (NOW.monoMs + 3000) as MonoMs, wallAt: (NOW.wallAt + 3) as EpochSec };
  links.release(1);
  assert.equal(wire.sent[0]?.sentAt, NOW.wallAt + 3);
});

test('closing lets the messages before it leave first, and is no news to the engine that asked for it', async () => {
  const { links, wire, told } = await withLink();
  links.send(NAME, bndack(1), 3);
  links.close(NAME);
  assert.equal(wire.isClosed, false);
  links.send(NAME, bndack(2), 3);
  links.release(3);
  assert.deepEqual(wire.xids, [1]);
  assert.equal(wire.isClosed, true);
  wire.end('closed by this side');
  assert.deepEqual(told, [`connected ${NAME} by us`]);
});

test('a link is closed when more messages wait for the disk than a living disk would leave', async () => {
  const { links, wire } = await withLink();
  for (let i = 1; i < TOO_MANY; i++) links.send(NAME, bndack(i), 1);
  assert.equal(wire.isClosed, false);
  links.send(NAME, bndack(TOO_MANY), 1);
  assert.equal(wire.isClosed, true);
  assert.deepEqual(wire.xids, []);
});

test('after the end nothing leaves but a DISCONNECT, whatever still waited for the disk', async () => {
  const { links, wire } = await withLink();
  links.send(NAME, bndack(1), 9);
  links.closeAll();
  assert.deepEqual(
    wire.sent.map(({ kind }) => kind),
    ['disconnect'],
  );
  assert.equal(wire.isClosed, true);
});

test('what waited on a lost connection does not leave on the next one', async () => {
  const world = new World();
  const first = await world.opened();
  world.links.send(NAME, bndack(1), 5);
  first.end('lost');
  const second = await world.opened();
  world.links.release(5);
  assert.deepEqual([first.xids, second.xids], [[], []]);
});

test('a connection of the partner counts once it has named a relationship that is with its key', () => {
  const world = new World();
  const wire = new Wire();
  world.links.accept(wire.connection);
  wire.receive(connect(NAME), contact(2));
  assert.deepEqual(world.told, [`connected ${NAME} by the partner`, `connect 1 of ${NAME}`, `contact 2 of ${NAME}`]);
});

test('a CONNECT of another key, or for a relationship that stays unknown, is refused with its reason', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  for (const { key, name } of [
    { key: 'bb'.repeat(32), name: NAME },
    { key: PARTNER_KEY, name: 'other' },
  ]) {
    const world = new World();
    const wire = new Wire(key);
    world.links.accept(wire.connection);
    wire.receive(connect(name));
    for (let look = 0; look < UNKNOWN_LOOKS_MAX; look++) t.mock.timers.tick(UNKNOWN_LOOK_MS);
    const [refusal] = wire.sent;
    assert.ok(refusal?.kind === 'connectack');
    assert.equal(refusal.rejectReason, 'invalid-partner');
    assert.equal(wire.isClosed, true);
    assert.deepEqual(world.told, ['failover/refused-partner']);
  }
});

test('a CONNECT that comes before the change which makes its relationship waits for it', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const world = new World();
  const wire = new Wire();
  world.isKnown = false;
  world.links.accept(wire.connection);
  wire.receive(connect(NAME), contact(2));
  for (let look = 0; look < 2; look++) t.mock.timers.tick(UNKNOWN_LOOK_MS);
  assert.deepEqual([wire.sent, world.told], [[], []]);
  world.isKnown = true;
  t.mock.timers.tick(UNKNOWN_LOOK_MS);
  assert.deepEqual(world.told, [`connected ${NAME} by the partner`, `connect 1 of ${NAME}`, `contact 2 of ${NAME}`]);
});

test('with a shared secret a CONNECT without digest is refused, and what we send carries one', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const world = new World();
  const wire = new Wire();
  world.digest = ownDigestKey('a secret', (algorithm, key, data) => createHmac(algorithm, key).update(data).digest());
  world.links.accept(wire.connection);
  wire.receive(connect(NAME));
  for (let look = 0; look < UNKNOWN_LOOKS_MAX; look++) t.mock.timers.tick(UNKNOWN_LOOK_MS);
  const [refusal] = wire.sent;
  assert.ok(refusal?.kind === 'connectack');
  assert.equal(refusal.rejectReason, 'digest-missing');
  const signed = new Wire();
  world.links.accept(signed.connection);
  signed.receiveBytes(
    Buffer.from(encodeMessage({ ...connect(NAME), sentAt: NOW.wallAt } as FailoverMessage, 'twinlease', world.digest)),
  );
  assert.deepEqual(world.told.slice(-2), [`connected ${NAME} by the partner`, `connect 1 of ${NAME}`]);
  world.links.send(NAME, contact(9), 0);
  assert.equal(decodeMessage(signed.frames.at(-1) ?? new Uint8Array(0), 'twinlease', world.digest).kind, 'ok');
});

test('a new connection of the partner takes the place of the old one', async () => {
  const world = new World();
  const old = await world.opened();
  const wire = new Wire();
  world.links.accept(wire.connection);
  wire.receive(connect(NAME));
  assert.equal(old.isClosed, true);
  world.links.send(NAME, contact(5), 0);
  assert.deepEqual([old.xids, wire.xids], [[], [5]]);
});

test('a first message that is no CONNECT, or no message at all, ends the connection', () => {
  for (const bytes of [Buffer.from(frameOf(contact(1))), Buffer.from('GET / HTTP/1.1\r\n\r\n')]) {
    const world = new World();
    const wire = new Wire();
    world.links.accept(wire.connection);
    wire.receiveBytes(bytes);
    assert.equal(wire.isClosed, true);
    assert.deepEqual(world.told, []);
  }
});

test('a message that ended the process before is not decided again: its updates are rejected, the link goes on', async () => {
  const world = new World();
  const wire = await world.opened();
  const update: OutMessage = { kind: 'bndupd', xid: 7, updates: [{ address: ip4(0x0a000007), state: 'free' }] };
  world.quarantined.add(frameFingerprint(frameOf(update)));
  wire.receive(update, contact(8));
  const [answer] = wire.sent;
  assert.ok(answer?.kind === 'bndack');
  assert.deepEqual([answer.xid, answer.answers[0]?.rejectReason], [7, 'other']);
  assert.deepEqual(world.told.slice(1), ['serving/packet-quarantined', `contact 8 of ${NAME}`]);
});

test('while the link is cut by command it neither dials nor accepts, and afterwards it does again', async () => {
  const { links, wire, told, world } = await withLink();
  links.setCut(true);
  assert.equal(wire.isClosed, true);
  wire.end('closed by this side');
  links.dial(NAME);
  const incoming = new Wire();
  links.accept(incoming.connection);
  await Promise.resolve();
  assert.equal(incoming.isClosed, true);
  assert.deepEqual(told.slice(1), [
    `closed ${NAME}: closed by this side`,
    `failed ${NAME}: the link was cut by command`,
  ]);
  links.setCut(false);
  const again = await world.opened();
  links.send(NAME, contact(3), 0);
  assert.deepEqual(again.xids, [3]);
});

async function withLink(): Promise<{
  readonly world: World;
  readonly links: Links;
  readonly wire: Wire;
  readonly told: string[];
}> {
  const world = new World();
  const wire = await world.opened();
  return { world, links: world.links, wire, told: world.told };
}
