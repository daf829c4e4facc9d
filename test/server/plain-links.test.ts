/**
 * Connections with servers of other makes (failover specification 1.1, 1.8): who sends CONNECT on which connection, which of two
 * connections that meet is kept, what is turned away, and how the way of authenticating of a Windows partner is found.
 */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import type { ForeignKind, Relationship } from '../../src/core/config/model.ts';
import type { PlainConnection } from '../../src/net/connection.ts';
import { digestsOf } from '../../src/server/digest-keys.ts';
import { type LinkEvents, Links } from '../../src/server/links.ts';
import { decodeMessage, encodeMessage } from '../../src/wire/failover/codec.ts';
import { type DigestKey, windowsDigestKeys } from '../../src/wire/failover/digest.ts';
import type { FailoverMessage, OutMessage } from '../../src/wire/failover/messages.ts';
import type { EpochSec, MonoMs, Now, Sec } from '../../src/wire/units.ts';

const NAME = 'rel1';
const PEER = '192.0.2.3';
const WALL_AT = 1_800_000_000 as EpochSec;

const NOW: Now = { monoMs: 1000 as MonoMs, wallAt: WALL_AT };

class Wire {
  readonly frames: Uint8Array[] = [];
  isClosed = false;
  #onData: ((bytes: Buffer) => void) | undefined;
  #onClose: ((why: string) => void) | undefined;
  readonly profile: ForeignKind;

  constructor(profile: ForeignKind, remoteAddress = PEER) {
    this.profile = profile;
    this.connection = {
      kind: 'plain',
      alpn: undefined,
      peerKey: undefined,
      remoteAddress,
      remotePort: 40_000,
      localAddress: '192.0.2.1',
      bufferedBytes: 0,
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

  readonly connection: PlainConnection;

  get sent(): FailoverMessage[] {
    return this.frames.map((frame) => {
      const read = decodeMessage(frame, this.profile);
      assert.ok(read.kind === 'ok', JSON.stringify(read));
      return read.value;
    });
  }

  get kinds(): string[] {
    return this.sent.map((message) => message.kind);
  }

  receive(...messages: readonly OutMessage[]): void {
    const frames = messages.map((message) =>
      encodeMessage({ ...message, sentAt: WALL_AT } as FailoverMessage, this.profile),
    );
    this.receiveBytes(Buffer.concat(frames));
  }

  receiveBytes(bytes: Uint8Array): void {
    this.#onData?.(Buffer.from(bytes));
  }

  end(why: string): void {
    this.isClosed = true;
    this.#onClose?.(why);
  }
}

interface Setting {
  readonly kind?: ForeignKind;
  readonly role?: Relationship['role'];
  readonly secret?: string;
  /** The partner is declared, but nothing is shared with it. */
  readonly isAlone?: boolean;
}

/** An engine that as primary sends CONNECT on every connection that it is told of, and as secondary accepts each. */
class World {
  /** The engine finds the connection quiet for too long. */
  isQuiet = false;
  /** The commit on which the answer to a CONNECT rests. */
  answersAfter = 0;
  readonly told: string[] = [];
  readonly events: (readonly [string, Readonly<Record<string, string | number>>])[] = [];
  readonly dialled: Wire[] = [];
  readonly links: Links;
  readonly kind: ForeignKind;
  found: string | undefined;
  #xid = 0;

  constructor({ kind = 'isc', role = 'primary', secret, isAlone = false }: Setting = {}) {
    this.kind = kind;
    const sharedSecretRef = secret === undefined ? null : 'ref';
    const relationship = { id: 'id1', name: NAME, role, profile: kind, sharedSecretRef } as Relationship;
    const events: LinkEvents = {
      now: () => NOW,
      mayReplace: () => this.isQuiet,
      connected: (name, dialled) => {
        this.told.push(`connected ${dialled ? 'by us' : 'by the partner'}`);
        if (role === 'primary') this.links.send(name, connect(NAME, ++this.#xid), 0);
      },
      failed: (_name, why) => this.told.push(`failed: ${why}`),
      closed: (_name, why) => this.told.push(`closed: ${why}`),
      message: (name, message) => {
        this.told.push(`${message.kind} ${message.xid}`);
        if (message.kind === 'connect' && role === 'secondary')
          this.links.send(name, { kind: 'connectack', xid: message.xid, relationshipName: NAME }, this.answersAfter);
      },
      relationshipOf: (name) => (name === NAME ? relationship : undefined),
      foreignAt: (address) =>
        address === PEER ? { kind, relationship: isAlone ? undefined : relationship } : undefined,
      digestsOf: () => digestsOf(relationship, { get: () => secret }, this.found),
      digestFound: (_relationship, keyName) => {
        this.found = keyName;
      },
      dial: () => {
        const wire = new Wire(kind);
        this.dialled.push(wire);
        return Promise.resolve(wire.connection);
      },
      isQuarantined: () => false,
      heardTime: () => undefined,
      event: (code, slots) => this.events.push([code, slots]),
    };
    this.links = new Links(events);
  }

  async dial(): Promise<Wire> {
    const before = this.dialled.length;
    this.links.dial(NAME);
    while (this.dialled.length === before) await Promise.resolve();
    for (let i = 0; i < 4; i++) await Promise.resolve();
    return this.dialled.at(-1)!;
  }

  incoming(address = PEER): Wire {
    const wire = new Wire(this.kind, address);
    this.links.acceptPlain(wire.connection);
    return wire;
  }

  codes(): string[] {
    return this.events.map(([code]) => code);
  }
}

function connect(relationshipName: string, xid = 1): OutMessage {
  return {
    kind: 'connect',
    xid,
    relationshipName,
    maxUnacked: 10,
    receiveTimerSec: 60 as Sec,
    protocolVersion: 1,
    tlsRequest: 0,
    mcltSec: 600 as Sec,
    hashBuckets: new Uint8Array(32),
  };
}

function accepting(xid: number): OutMessage {
  return { kind: 'connectack', xid, relationshipName: NAME, maxUnacked: 10, receiveTimerSec: 60 as Sec };
}

function contact(xid: number): OutMessage {
  return { kind: 'contact', xid };
}

test('as primary of dhcpd CONNECT goes out on a connection that dhcpd opened', () => {
  const world = new World();
  const wire = world.incoming();
  assert.deepEqual(wire.kinds, ['connect']);
  wire.receive(accepting(1), contact(2));
  assert.deepEqual(world.told, ['connected by the partner', 'connectack 1', 'contact 2']);
});

test('a connection from an address that no partner has is closed without a byte', () => {
  const world = new World();
  const wire = world.incoming('192.0.2.77');
  assert.deepEqual([wire.frames, wire.isClosed, world.told], [[], true, []]);
});

for (const [name, chosen] of [
  ['the one we opened', 0],
  ['the one dhcpd opened', 1],
] as const) {
  test(`when both call at once CONNECT goes out on both connections, and dhcpd chooses ${name}`, async () => {
    const world = new World();
    const wires = [await world.dial(), world.incoming()] as const;
    assert.deepEqual(
      wires.map((wire) => wire.sent.map(({ kind, xid }) => [kind, xid])),
      [[['connect', 1]], [['connect', 1]]],
    );
    wires[chosen].receive(accepting(1));
    wires[1 - chosen]?.end('the far end closed the connection');
    world.links.send(NAME, contact(5), 0);
    assert.deepEqual(world.told, ['connected by us', 'connectack 1'], 'the engine sees one connection');
    assert.deepEqual(wires[chosen].kinds, ['connect', 'contact']);
    assert.deepEqual([wires[chosen].isClosed, wires[1 - chosen]?.isClosed], [false, true]);
  });
}

test('when dhcpd closes the connection it did not choose before it answers on the other, the other is kept', async () => {
  const world = new World();
  const ours = await world.dial();
  const theirs = world.incoming();
  ours.end('the far end closed the connection');
  theirs.receive(accepting(1));
  assert.deepEqual(world.told, ['connected by us', 'connectack 1']);
  world.links.send(NAME, contact(6), 0);
  assert.deepEqual(theirs.kinds, ['connect', 'contact']);
});

test('both connections that met may be lost, and then the engine hears of it once', async () => {
  const world = new World();
  const ours = await world.dial();
  const theirs = world.incoming();
  theirs.end('reset');
  ours.end('reset');
  assert.deepEqual(world.told, ['connected by us', 'closed: reset']);
});

test('a third connection at that moment is closed', async () => {
  const world = new World();
  await world.dial();
  world.incoming();
  const third = world.incoming();
  assert.deepEqual([third.frames, third.isClosed], [[], true]);
});

test('the loser of a meeting that comes a moment late is closed, and a later call takes the place of a dead connection', () => {
  const world = new World();
  const first = world.incoming();
  first.receive(accepting(1));
  const late = world.incoming();
  assert.deepEqual([late.frames, late.isClosed, first.isClosed], [[], true, false]);
  world.isQuiet = true;
  const again = world.incoming();
  assert.equal(first.isClosed, true);
  assert.deepEqual(again.kinds, ['connect']);
  assert.deepEqual(world.told.slice(2), [
    'closed: replaced by a new connection of the partner',
    'connected by the partner',
  ]);
});

test('as secondary the CONNECT of dhcpd is taken on whichever connection it comes, and the other one is closed', async () => {
  const world = new World({ role: 'secondary' });
  const ours = await world.dial();
  const theirs = world.incoming();
  assert.deepEqual([ours.frames, theirs.frames], [[], []], 'a secondary waits');
  theirs.receive(connect(NAME));
  assert.deepEqual(theirs.kinds, ['connectack']);
  assert.equal(ours.isClosed, true);
  assert.deepEqual(world.told.at(-1), 'connect 1');
});

test('as secondary of dhcpd the second CONNECT of two that met is closed without a word', async () => {
  const world = new World({ role: 'secondary' });
  const ours = await world.dial();
  const theirs = world.incoming();
  ours.receive(connect(NAME));
  theirs.receive(connect(NAME, 9));
  assert.deepEqual([theirs.sent, ours.isClosed, theirs.isClosed], [[], false, true]);
  assert.deepEqual(world.events, []);
});

test('while the answer to a CONNECT waits for the disk, a second connection does not take its place', async () => {
  const world = new World({ role: 'secondary' });
  world.answersAfter = 5;
  const theirs = world.incoming();
  theirs.receive(connect(NAME));
  const ours = await world.dial();
  ours.receive(connect(NAME, 9));
  world.links.release(5);
  assert.deepEqual([theirs.kinds, theirs.isClosed], [['connectack'], false]);
  assert.deepEqual([ours.frames, ours.isClosed], [[], true]);
  assert.deepEqual(world.told, ['connected by the partner', 'connect 1']);
});

test('a connection that ends by itself before its last words are durable is not waited for', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const world = new World();
  const wire = await world.dial();
  wire.receive(accepting(1));
  world.links.send(NAME, contact(5), 7);
  world.links.close(NAME);
  wire.end('reset');
  let hasEnded = false;
  void world.links.ended(1000).then(() => {
    hasEnded = true;
  });
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(hasEnded, true);
  world.links.release(7);
  assert.deepEqual(wire.kinds, ['connect'], 'nothing is written to it any more');
});

test('as secondary of others the second CONNECT of two that met is answered with reject 7', async () => {
  const world = new World({ role: 'secondary', kind: 'draft' });
  const ours = await world.dial();
  const theirs = world.incoming();
  ours.receive(connect(NAME));
  theirs.receive(connect(NAME, 9));
  const [answer] = theirs.sent;
  assert.ok(answer?.kind === 'connectack');
  assert.deepEqual([answer.rejectReason, answer.xid], ['duplicate-connection', 9]);
  assert.deepEqual([ours.isClosed, theirs.isClosed], [false, true]);
  assert.deepEqual(world.events, [], 'that is no news for an operator');
});

for (const [role, kind, calls] of [
  ['primary', 'msft', true],
  ['secondary', 'draft', true],
  ['secondary', 'msft', false],
] as const)
  test(`a secret that is corrected while there is no link ${calls ? 'makes' : 'does not make'} the ${role} of ${kind} call at once`, () => {
    const world = new World({ role, kind });
    world.links.renew(NAME);
    assert.equal(world.dialled.length, calls ? 1 : 0);
  });

test('a CONNECT for another relationship is answered with reject 8 and does not touch the connection that there is', async () => {
  const world = new World({ role: 'secondary' });
  const ours = await world.dial();
  ours.receive(connect(NAME));
  world.isQuiet = true;
  const theirs = world.incoming();
  theirs.receive(connect('another'));
  const [answer] = theirs.sent;
  assert.ok(answer?.kind === 'connectack');
  assert.deepEqual([answer.rejectReason, answer.relationshipName], ['invalid-partner', 'another']);
  assert.deepEqual([ours.isClosed, theirs.isClosed], [false, true]);
  assert.deepEqual(world.codes(), ['failover/refused-partner']);
});

test('a declared partner with which nothing is shared is answered with reject 8', () => {
  const world = new World({ isAlone: true });
  const wire = world.incoming();
  wire.receive(connect(NAME));
  const [answer] = wire.sent;
  assert.ok(answer?.kind === 'connectack');
  assert.equal(answer.rejectReason, 'invalid-partner');
  assert.equal(wire.isClosed, true);
});

for (const [kind, speaks, told] of [
  ['draft', 'isc', { declared: 'the draft', spoken: 'isc' }],
  ['draft', 'msft', { declared: 'the draft', spoken: 'windows' }],
  ['isc', 'msft', { declared: 'isc', spoken: 'windows' }],
] as const)
  for (const role of ['primary', 'secondary'] as const)
    test(`a partner declared as ${kind} that speaks as ${speaks} is told of, to the ${role} too`, async () => {
      const world = new World({ role, kind });
      const wire = role === 'primary' && kind !== 'isc' ? await world.dial() : world.incoming();
      const first = role === 'primary' ? accepting(1) : connect(NAME);
      const sent =
        first.kind === 'connect' || first.kind === 'connectack' ? { ...first, vendorClass: 'isc-4.4.3' } : first;
      wire.receiveBytes(encodeMessage({ ...sent, sentAt: WALL_AT } as FailoverMessage, speaks));
      const slots = world.events.find(([code]) => code === 'failover/foreign-speaks-otherwise')?.[1];
      assert.deepEqual(slots, { peer: PEER, name: NAME, ...told });
    });

test('a partner that shows no make, or the declared one, is not told of', () => {
  for (const kind of ['isc', 'msft', 'draft'] as const) {
    const world = new World({ role: 'secondary', kind });
    const plain = connect(NAME);
    world.incoming().receive(kind === 'isc' ? ({ ...plain, vendorClass: 'isc-4.4.3' } as OutMessage) : plain);
    assert.deepEqual(world.codes(), []);
  }
});

test('what is no CONNECT ends the connection and is told', () => {
  for (const bytes of [
    Buffer.from('000c0b0c6b04809700000001', 'hex'),
    Buffer.from('000d050c6b0480970000000100', 'hex'),
  ]) {
    const world = new World({ role: 'secondary' });
    const wire = world.incoming();
    wire.receiveBytes(bytes);
    assert.deepEqual([wire.frames, wire.isClosed], [[], true]);
    assert.deepEqual(world.codes(), ['failover/foreign-garbled']);
  }
});

test('a message that cannot be understood ends an established connection and is told', () => {
  const world = new World();
  const wire = world.incoming();
  wire.receive(accepting(1));
  wire.receiveBytes(Buffer.from('000d0a0c6b0480970000000200', 'hex'));
  assert.equal(wire.isClosed, true);
  assert.deepEqual(world.codes(), ['failover/bad-message']);
});

test('a partner that says nothing is closed after a limited time', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const world = new World({ role: 'secondary' });
  const wire = world.incoming();
  t.mock.timers.tick(14_999);
  assert.equal(wire.isClosed, false);
  t.mock.timers.tick(1);
  assert.equal(wire.isClosed, true);
});

for (const kind of ['draft', 'msft'] as const) {
  test(`to a primary of a ${kind} partner an incoming connection is only a hint to call it`, async () => {
    const world = new World({ kind });
    const wire = world.incoming();
    assert.deepEqual([wire.frames, wire.isClosed], [[], true]);
    for (let i = 0; i < 6; i++) await Promise.resolve();
    assert.deepEqual(world.told, ['connected by us']);
  });
}

const hmac = (algorithm: string, key: Uint8Array, data: Uint8Array): Uint8Array =>
  createHmac(algorithm, key).update(data).digest();

/** One that differs from the first in everything. */
function anotherWay(secret: string): DigestKey {
  const key = windowsDigestKeys(secret, hmac).find(({ name }) => name === 'sha256/last/removed/utf-8');
  assert.ok(key !== undefined);
  return key;
}

function signed(message: OutMessage, key: DigestKey): Uint8Array {
  return encodeMessage({ ...message, sentAt: WALL_AT } as FailoverMessage, 'msft', key);
}

test('as secondary of Windows the way of authenticating is taken from its CONNECT, kept, and used for the answer', () => {
  const key = anotherWay('secret');
  const world = new World({ kind: 'msft', role: 'secondary', secret: 'secret' });
  const wire = world.incoming();
  wire.receiveBytes(signed(connect(NAME), key));
  assert.equal(world.found, key.name);
  const answer = wire.frames[0];
  assert.ok(answer !== undefined);
  assert.equal(decodeMessage(answer, 'msft', key).kind, 'ok');
});

test('a way that was found is the only one that is believed from then on', () => {
  const key = anotherWay('secret');
  const world = new World({ kind: 'msft', role: 'secondary', secret: 'secret' });
  world.found = windowsDigestKeys('secret', hmac)[0]!.name;
  const wire = world.incoming();
  wire.receiveBytes(signed(connect(NAME), key));
  const [answer] = wire.sent;
  assert.ok(answer?.kind === 'connectack');
  assert.equal(answer.rejectReason, 'digest-does-not-compare');
  assert.deepEqual(world.told, []);
});

test('as primary of Windows the ways of authenticating are tried on successive connections, each once', async () => {
  const ways = windowsDigestKeys('secret', hmac);
  const world = new World({ kind: 'msft', secret: 'secret' });
  const tried: string[] = [];
  for (let i = 0; i < ways.length; i++) {
    const wire = await world.dial();
    const frame = wire.frames[0];
    assert.ok(frame !== undefined);
    const first = ways.find((way) => decodeMessage(frame, 'msft', way).kind === 'ok');
    assert.ok(first !== undefined);
    tried.push(first.name);
    wire.end('the far end closed the connection');
  }
  // A final NUL often makes no difference to HMAC, so that one name may stand for two ways.
  const positions = new Set(tried.map((name) => name.replace('-nul', '')));
  assert.deepEqual([...positions].sort(), [...new Set(ways.map(({ name }) => name.replace('-nul', '')))].sort());
});

test('a message without a digest is refused where a secret is agreed', () => {
  const world = new World({ kind: 'draft', role: 'secondary', secret: 'secret' });
  const wire = world.incoming();
  wire.receive(connect(NAME));
  const [answer] = wire.sent;
  assert.ok(answer?.kind === 'connectack');
  assert.equal(answer.rejectReason, 'digest-missing');
  assert.deepEqual(world.told, []);
});

test('with a secret that is missing here nothing is sent and nothing is believed', async () => {
  const relationship = { sharedSecretRef: 'gone', profile: 'draft' } as Relationship;
  assert.equal(digestsOf(relationship, { get: () => undefined }, undefined), undefined);
});
