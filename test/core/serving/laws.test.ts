/** What holds for serving whatever the packets, their order and the passing of time. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Config } from '../../../src/core/config/model.ts';
import type { Decision } from '../../../src/core/serving/serving-types.ts';
import type { DhcpPacket } from '../../../src/wire/dhcp/packet.ts';
import { decodeDhcpPacket, encodeDhcpPacket } from '../../../src/wire/dhcp/packet-codec.ts';
import { ip4, parseIp4, toHex } from '../../../src/wire/units.ts';
import { rightsWith } from './fake-rights.ts';
import {
  at,
  configOf,
  LOCAL,
  makeWorld,
  packetOf,
  RELAY_ONLY,
  RELAYED,
  SERVER,
  type Sent,
  scopeOf,
  type World,
} from './world.ts';

const RESERVED = '10.0.0.12';
const CONFIG: Config = configOf([
  scopeOf({
    startRange: '10.0.0.10',
    endRange: '10.0.0.17',
    exclusions: [{ start: '10.0.0.14', end: '10.0.0.15' }],
    reservations: [
      {
        address: RESERVED,
        client: { kind: 'hardware', hex: '020000000007' },
        name: '',
        description: '',
        type: 'Both',
        options: [],
      },
    ],
  }),
]);
const GIVABLE = new Set([10, 11, 13, 16, 17].map((n) => at(`10.0.0.${n}`)));

const INGRESSES = [LOCAL, RELAYED, RELAY_ONLY, { ...LOCAL, toAddress: at(SERVER) }];

interface Step {
  readonly sent: Sent;
  readonly ingress: number;
  readonly waitSec: number;
}

const address = fc.integer({ min: 8, max: 20 }).map((n) => `10.0.0.${n}`);
const step: fc.Arbitrary<Step> = fc.record({
  sent: fc
    .record(
      {
        type: fc.constantFrom('discover', 'discover', 'request', 'request', 'release', 'decline', 'inform', 'bootp'),
        mac: fc.integer({ min: 1, max: 8 }).map((n) => `02 00 00 00 00 0${n}`),
        requested: address,
        ciaddr: address,
        serverId: fc.constantFrom(SERVER, SERVER, '10.0.0.3'),
        giaddr: fc.constantFrom('10.0.0.1', '0.0.0.0'),
        clientId: fc.integer({ min: 1, max: 4 }).map((n) => `00 0${n}`),
      },
      { requiredKeys: ['type', 'mac'] },
    )
    .map((sent) => sent as Sent),
  ingress: fc.nat(INGRESSES.length - 1),
  waitSec: fc.constantFrom(0, 0, 0, 5, 40, 1200),
});

/** Ends leases as the shell's timer does. */
function expire(world: World): void {
  for (const due of world.bindings.takeDue(world.now.wallAt, 100)) {
    const binding = world.bindings.find(due);
    if (binding !== undefined) world.bindings.change({ ...binding, state: 'free', ownedAs: 'free' });
  }
}

function play(world: World, steps: readonly Step[], look: (packet: DhcpPacket, world: World, s: Step) => void): void {
  for (const s of steps) {
    world.advance(s.waitSec);
    world.serving.expireOffers(world.now);
    expire(world);
    const packet = packetOf(s.sent);
    const decision = world.serving.decide(world.now, INGRESSES[s.ingress]!, packet);
    if (decision.kind !== 'reply') continue;
    const reply = decodeDhcpPacket(decision.reply.bytes);
    assert.equal(reply.kind, 'ok');
    if (reply.kind === 'ok') look(reply.value, world, s);
  }
}

/** What the clients have been promised, kept from what they heard and said alone. */
function makeBook() {
  const leases = new Map<number, { mac: string; untilAt: number }>();
  const offers = new Map<number, { mac: string; untilAt: number }>();
  const forget = (map: typeof leases, mac: string, only?: number): void => {
    for (const [address, held] of map)
      if (held.mac === mac && (only === undefined || only === address)) map.delete(address);
  };
  return {
    note(nowAt: number, sent: Sent, decision: Decision): number {
      const mac = sent.mac ?? '';
      const asked = parseIp4(sent.ciaddr ?? sent.requested ?? '0.0.0.0') ?? 0;
      if (sent.type === 'release') forget(leases, mac, asked);
      if (sent.type === 'decline')
        for (const map of [leases, offers]) forget(map, mac, parseIp4(sent.requested ?? '') ?? 0);
      if (decision.kind === 'drop' && decision.code === 'other-server-chosen' && sent.type === 'request')
        forget(offers, mac);
      if (decision.kind !== 'reply') return 0;
      const { messageType, address } = decision.reply;
      if (messageType === 'nak') forget(leases, mac, asked);
      if (address === 0) return 0;
      for (const map of [leases, offers]) {
        const held = map.get(address);
        const isAnothers = held !== undefined && held.mac !== mac && held.untilAt > nowAt;
        assert.equal(isAnothers, false, `${mac} was promised what ${held?.mac} has: ${decision.reason}`);
      }
      forget(offers, mac);
      if (messageType === 'offer') offers.set(address, { mac, untilAt: nowAt + 30 });
      else {
        forget(leases, mac);
        leases.set(address, { mac, untilAt: messageType === 'bootp' ? Number.POSITIVE_INFINITY : nowAt + 1000 });
      }
      return 1;
    },
  };
}

describe('laws of serving', () => {
  it('never gives an address outside the pool, excluded, or reserved for another', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }), (steps) => {
        play(makeWorld(CONFIG), steps, (reply, _world, { sent }) => {
          if (reply.yiaddr === 0) return;
          const isOwnReservation = reply.yiaddr === parseIp4(RESERVED) && sent.mac === '02 00 00 00 00 07';
          assert.equal(
            GIVABLE.has(reply.yiaddr) || isOwnReservation,
            true,
            `${reply.yiaddr.toString(16)} to ${sent.mac}`,
          );
        });
      }),
      { numRuns: 300 },
    );
  });

  it('never promises one address to two clients at a time, nor offers it to two', () => {
    let promises = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 80, size: 'max' }), fc.boolean(), (steps, hasPartner) => {
        const world = hasPartner ? makeWorld(CONFIG, () => rightsWith()) : makeWorld(CONFIG);
        const book = makeBook();
        for (const { sent, ingress, waitSec } of steps) {
          // In this law a machine keeps to one identity: two machines with one identifier are one client (RFC 2131 4.2).
          const { clientId: _clientId, ...plain } = sent;
          world.advance(waitSec);
          world.serving.expireOffers(world.now);
          expire(world);
          const decision = world.serving.decide(world.now, INGRESSES[ingress]!, packetOf(plain));
          promises += book.note(world.now.wallAt, plain, decision);
        }
      }),
      { numRuns: 400 },
    );
    assert.equal(promises > 1000, true, `the law saw ${promises} promises`);
  });

  it('answers to arbitrary packets never throw, with and without a partner', () => {
    const worlds = [makeWorld(CONFIG), makeWorld(CONFIG, () => rightsWith())];
    const packet = fc.record({
      op: fc.constantFrom(1, 1, 1, 2, 7),
      htype: fc.nat(255),
      hlen: fc.nat(20),
      hops: fc.nat(255),
      xid: fc.nat(0xffffffff),
      secs: fc.nat(0xffff),
      flags: fc.nat(0xffff),
      ciaddr: fc.nat(0xffffffff).map(ip4),
      yiaddr: fc.nat(0xffffffff).map(ip4),
      siaddr: fc.nat(0xffffffff).map(ip4),
      giaddr: fc.constantFrom(ip4(0), at('10.0.0.1'), at('192.0.2.1')),
      chaddr: fc.uint8Array({ maxLength: 16 }),
      sname: fc.uint8Array({ maxLength: 64 }),
      file: fc.uint8Array({ maxLength: 128 }),
      hasCookie: fc.boolean(),
      options: fc
        .array(
          fc.tuple(
            fc.constantFrom(50, 51, 53, 53, 54, 55, 57, 60, 61, 77, 80, 81, 82, 118, 12, 1),
            fc.oneof(
              fc.uint8Array({ maxLength: 300 }),
              fc.uint8Array({ minLength: 1, maxLength: 1, max: 9 }),
              fc.uint8Array({ minLength: 4, maxLength: 4 }),
            ),
          ),
        )
        .map((pairs) => new Map(pairs)),
    });
    fc.assert(
      fc.property(packet, fc.nat(INGRESSES.length - 1), (random, i) => {
        for (const world of worlds) {
          const decision = world.serving.decide(world.now, INGRESSES[i]!, random);
          assert.equal(decision.reason.length > 0, true);
          assert.equal(decision.steps.length <= 16, true);
          if (decision.kind === 'reply') assert.equal(decodeDhcpPacket(decision.reply.bytes).kind, 'ok');
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('no damage to a packet on its way makes deciding throw, nor gives away an address that is not to be had', () => {
    const world = makeWorld(CONFIG);
    const damage = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 6 });
    fc.assert(
      fc.property(step, damage, fc.nat(400), ({ sent, ingress }, changes, length) => {
        const bytes = encodeDhcpPacket(packetOf(sent), { bytesMax: 1472, bytesMin: 300 });
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        const read = decodeDhcpPacket(length > 240 ? bytes.subarray(0, length) : bytes);
        if (read.kind === 'bad') return;
        const decision = world.serving.decide(world.now, INGRESSES[ingress]!, read.value);
        if (decision.kind !== 'reply' || decision.reply.address === 0) return;
        const { address } = decision.reply;
        assert.equal(GIVABLE.has(address) || address === parseIp4(RESERVED), true, decision.reason);
      }),
      { numRuns: 5000 },
    );
  });

  it('the same packets give the same decisions', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const traces = [1, 2].map(() => {
          const replies: string[] = [];
          play(makeWorld(CONFIG), steps, (reply) =>
            replies.push(toHex(encodeDhcpPacket(reply, { bytesMax: 1472, bytesMin: 0 }))),
          );
          return replies;
        });
        assert.deepEqual(traces[0], traces[1]);
      }),
      { numRuns: 50 },
    );
  });
});
