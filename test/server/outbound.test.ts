/** Replies on their way out: nothing leaves before the commit it rests on, order is kept, delays and bounds hold. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ReplyPlan } from '../../src/core/serving/serving-types.ts';
import type { OutgoingPacket, PacketIo } from '../../src/net/packet-io.ts';
import { Outbound, WAITING_REPLIES_MAX } from '../../src/server/outbound.ts';
import { type Ip4, parseIp4 } from '../../src/wire/units.ts';

const BROADCAST = 0xffffffff;
const ADDRESS = parseIp4('10.0.0.7')!;
const RELAY = parseIp4('10.0.9.1')!;

class Wire implements Pick<PacketIo, 'send'> {
  readonly batches: OutgoingPacket[][] = [];

  send(batch: readonly OutgoingPacket[]): void {
    this.batches.push([...batch]);
  }

  /** Numbers of the replies in the order in which they left. */
  get numbers(): number[] {
    return this.batches.flat().map((packet) => (packet.bytes[0] ?? 0) * 256 + (packet.bytes[1] ?? 0));
  }
}

function opened(): { wire: Wire; outbound: Outbound } {
  const wire = new Wire();
  return { wire, outbound: new Outbound(wire as unknown as PacketIo) };
}

function reply(number: number, over: Partial<ReplyPlan> = {}): ReplyPlan {
  return {
    messageType: 'ack',
    destination: { kind: 'relay', address: RELAY, port: 67 },
    interfaceId: 3,
    source: parseIp4('10.0.0.1')!,
    bytes: Uint8Array.of(number >>> 8, number & 0xff),
    delayMs: 0,
    address: ADDRESS,
    ...over,
  };
}

test('a reply waits for its commit, and one that rests on nothing leaves with the next flush', () => {
  const { wire, outbound } = opened();
  outbound.add(reply(1), 5, 4);
  outbound.add(reply(2, { messageType: 'offer' }), 0, 4);
  assert.deepEqual(wire.numbers, [], 'nothing leaves before the flush');
  outbound.flush();
  assert.deepEqual(wire.numbers, [2]);
  outbound.release(4);
  outbound.flush();
  assert.deepEqual(wire.numbers, [2]);
  outbound.release(5);
  outbound.flush();
  assert.deepEqual(wire.numbers, [2, 1]);
});

test('a batch leaves in one call, and an empty flush sends nothing', () => {
  const { wire, outbound } = opened();
  outbound.flush();
  for (let n = 0; n < 5; n++) outbound.add(reply(n), 1, 0);
  outbound.release(1);
  outbound.flush();
  outbound.flush();
  assert.deepEqual(
    wire.batches.map((batch) => batch.length),
    [5],
  );
});

test('whatever comes in between, replies leave once, in order, and never before they are durable', () => {
  const steps = fc.array(fc.record({ adds: fc.nat(40), commits: fc.nat(3) }), { maxLength: 40 });
  fc.assert(
    fc.property(steps, (all) => {
      const { wire, outbound } = opened();
      const restsOn: number[] = [];
      let open = 1;
      let durable = 0;
      for (const { adds, commits } of all) {
        for (let i = 0; i < adds; i++) {
          outbound.add(reply(restsOn.length), open, durable);
          restsOn.push(open);
        }
        for (let i = 0; i < commits; i++) {
          durable = open++;
          outbound.release(durable);
        }
        outbound.flush();
        const left = wire.numbers;
        assert.deepEqual(left, [...left.keys()]);
        assert.equal(left.length, restsOn.filter((sequence) => sequence <= durable).length);
      }
    }),
  );
});

test('there is room up to the limit and again after a commit; a backlog that never empties keeps its order', () => {
  const { wire, outbound } = opened();
  for (let n = 0; n < WAITING_REPLIES_MAX; n++) {
    assert.equal(outbound.hasRoom, true);
    outbound.add(reply(n), n + 1, 0);
  }
  assert.equal(outbound.hasRoom, false);
  outbound.release(1);
  assert.equal(outbound.hasRoom, true);
  // One in and one out, long enough for the list to be cut from the front.
  for (let n = WAITING_REPLIES_MAX; n < 2 * WAITING_REPLIES_MAX + 10; n++) {
    outbound.add(reply(n), n + 1, 0);
    outbound.release(n - WAITING_REPLIES_MAX + 2);
  }
  outbound.flush();
  assert.deepEqual(wire.numbers, [...Array(WAITING_REPLIES_MAX + 11).keys()]);
});

test('a reply goes where its plan says', () => {
  const hardware = Uint8Array.of(2, 0, 0, 0, 0, 9);
  const linkLayer = { kind: 'link-layer', address: ADDRESS, htype: 1, hardware } as const;
  const rows: [Partial<ReplyPlan>, [number, number, Uint8Array | undefined]][] = [
    [{ destination: { kind: 'relay', address: RELAY, port: 6767 } }, [RELAY, 6767, undefined]],
    [{ destination: { kind: 'unicast', address: ADDRESS, port: 68 } }, [ADDRESS, 68, undefined]],
    [{ destination: { kind: 'broadcast' } }, [BROADCAST, 68, undefined]],
    [{ destination: linkLayer }, [ADDRESS, 68, hardware]],
    // A NAK has no address that could stand in the header.
    [{ destination: linkLayer, address: 0 as Ip4 }, [BROADCAST, 68, hardware]],
  ];
  for (const [over, wanted] of rows) {
    const { wire, outbound } = opened();
    outbound.add(reply(1, over), 0, 0);
    outbound.flush();
    const packet = wire.batches[0]?.[0];
    assert.deepEqual([packet?.address, packet?.port, packet?.hardware], wanted);
    assert.equal(packet?.interfaceId, 3);
  }
});

test('an OFFER is held back by its scope’s delay and counted; closing forgets it', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { wire, outbound } = opened();
  outbound.add(reply(1, { messageType: 'offer', delayMs: 500 }), 0, 0);
  outbound.flush();
  t.mock.timers.tick(499);
  assert.deepEqual(wire.numbers, []);
  t.mock.timers.tick(1);
  assert.deepEqual(wire.numbers, [1]);
  outbound.add(reply(2, { messageType: 'offer', delayMs: 500 }), 0, 0);
  outbound.close();
  t.mock.timers.tick(1000);
  assert.deepEqual(wire.numbers, [1]);
  assert.equal(outbound.delayedCount, 2);
});
