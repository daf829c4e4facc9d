/**
 * Design, part 3: a promise is on disk before it leaves the machine. Both servers of a pair run under strace while clients get,
 * renew and release leases. For every ACK to a client and every BNDACK to the partner, the trace must show the record that it
 * rests on written into the log, and a flush of that file begun after the write and ended before the sending.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { Crowd } from '../../demo/crowd.ts';
import type { Binding } from '../../src/core/bindings/binding.ts';
import { decodeRecord } from '../../src/core/pipeline/record-codec.ts';
import { FRAME_HEADER_BYTES, HEADER_BYTES, parseName, RECORD_LENGTH_BYTES } from '../../src/store/format.ts';
import { type DhcpPacket, MESSAGE_TYPES, OP_REPLY } from '../../src/wire/dhcp/packet.ts';
import { decodeDhcpPacket } from '../../src/wire/dhcp/packet-codec.ts';
import type { BindingUpdate } from '../../src/wire/failover/messages.ts';
import { formatIp4, sameBytes } from '../../src/wire/units.ts';
import { needProgram } from '../net/need.ts';
import { eventually } from '../support/eventually.ts';
import { type TracedMessage, tracedMessages } from '../support/traced-link.ts';
import { readTrace, type TracedCall, TracedServer } from '../support/traced-server.ts';

const RELATIONSHIP = 'traced';
const SCOPE = {
  scopeId: '10.96.0.0',
  subnetMask: '255.255.255.0',
  startRange: '10.96.0.10',
  endRange: '10.96.0.250',
  name: 'lan',
  leaseDuration: 60,
};
const MCLT_SEC = 4;
const CLIENTS = 60;
const RELEASED = 10;
/** The server's clock follows that of the system by slewing. */
const CLOCK_SLACK_SEC = 1;

test('every ACK and every BNDACK is sent after a completed flush that covers it', async (t) => {
  if (!needProgram(t, 'strace')) return;
  const directory = mkdtempSync(join(tmpdir(), 'twinlease-traced-'));
  const traced = [
    new TracedServer(directory, 'alpha', '127.0.0.1'),
    new TracedServer(directory, 'beta', '127.0.0.2'),
  ] as const;
  try {
    await drive(traced);
    for (const one of traced) {
      const name = one.server.options.name;
      const text = await one.end();
      const found = judge(text, one.secrets());
      assert.deepEqual(found.early, [], `${name} spoke too early`);
      // Each server answers about half of the clients, and hears of the other half from its partner.
      assert.ok(found.acks >= CLIENTS / 2, `${name}: only ${found.acks} ACKs were seen`);
      assert.ok(found.bndacks >= CLIENTS / 2, `${name}: only ${found.bndacks} BNDACKs were seen`);
      // The same trace without its flushes must not pass.
      const unflushed = judge(without(text, 'fdatasync'), one.secrets());
      assert.equal(unflushed.early.length, found.acks + found.bndacks);
    }
  } finally {
    for (const { server } of traced) if (server.isRunning) await server.kill();
    rmSync(directory, { recursive: true, force: true });
  }
});

async function drive([alpha, beta]: readonly [TracedServer, TracedServer]): Promise<void> {
  const servers = [alpha.server, beta.server];
  await Promise.all(servers.map((server) => server.start()));
  const { code } = await alpha.server.ask<{ readonly code: string }>('pair/invite');
  await beta.server.ask('pair/accept', { code, server: `127.0.0.1:${alpha.server.partnerPort}` });
  const { scopeId, ...scope } = SCOPE;
  await alpha.server.ask('scope/add', scope);
  await alpha.server.ask('failover/add-by-load-balance', {
    name: RELATIONSHIP,
    partnerServer: 'beta',
    scopeId: [scopeId],
    maxClientLeadTime: MCLT_SEC,
    loadBalancePercent: 50,
  });
  for (const server of servers) {
    await eventually(`${server.options.name} in Normal`, 30_000, async () => {
      const [row] = await server.ask<readonly { readonly state: string }[]>('failover/get-by-name', {
        name: [RELATIONSHIP],
      });
      return row?.state === 'Normal' ? true : undefined;
    });
  }
  const crowd = await Crowd.open({
    servers: servers.map((server) => ({
      name: server.options.name,
      address: server.options.partnerAddress,
      port: server.dhcpPort,
    })),
    relayAddress: '127.0.0.1',
    links: [scopeId],
  });
  try {
    crowd.add(CLIENTS);
    await eventually('every client is bound', 15_000, () => (crowd.stats().bound === CLIENTS ? true : undefined));
    // The first leases are bounded by the MCLT, so their clients renew after half of it.
    await eventually('every client has renewed', 15_000, () => (crowd.stats().renewals >= CLIENTS ? true : undefined));
    crowd.release(RELEASED);
    await eventually('both hold the same', 15_000, async () => {
      const [a, b] = await Promise.all(
        servers.map(
          async (server) => (await server.ask<readonly unknown[]>('lease/get-by-scope-id', { scopeId })).length,
        ),
      );
      return a === CLIENTS - RELEASED && a === b ? true : undefined;
    });
  } finally {
    crowd.close();
  }
}

interface Judgement {
  readonly acks: number;
  readonly bndacks: number;
  readonly early: readonly string[];
}

/** A binding as it was written, and from where in the trace on it is durable. */
interface Written {
  readonly binding: Binding;
  readonly durableAt: number;
}

function judge(trace: string, secrets: string): Judgement {
  const calls = readTrace(trace);
  const written = writtenBindings(calls);
  const acks = sentAcks(calls);
  const bndacks = sentAnswers(tracedMessages(calls, secrets));
  return {
    acks: acks.length,
    bndacks: bndacks.length,
    early: [
      ...acks.filter((ack) => !isAckCovered(ack, written)),
      ...bndacks.filter((answer) => !isAnswerCovered(answer, written)),
    ].map(({ what }) => what),
  };
}

/** The records of bindings in the log, by address, each with the end of the first flush that covers it. */
function writtenBindings(calls: readonly TracedCall[]): ReadonlyMap<number, readonly Written[]> {
  const flushes = calls.filter((call) => call.name === 'fdatasync' && call.result === 0);
  const byAddress = new Map<number, Written[]>();
  for (const call of calls) {
    if (call.name !== 'pwrite64' || parseName(call.target.split('/').at(-1) ?? '')?.kind !== 'log') continue;
    const bytes = Buffer.concat(call.parts);
    assert.equal(bytes.length, call.result, 'a write that the trace shows in part');
    if (bytes.length === HEADER_BYTES && bytes.toString('latin1', 0, 8) === 'TWINLLOG') continue;
    const flush = flushes.find((one) => one.target === call.target && one.beganAt > call.endedAt);
    for (let at = FRAME_HEADER_BYTES; at < bytes.length; ) {
      const end = at + RECORD_LENGTH_BYTES + bytes.readUInt32BE(at);
      const read = decodeRecord(bytes.subarray(at + RECORD_LENGTH_BYTES, end));
      assert.ok(read.kind === 'ok', 'a frame of the log that cannot be read');
      at = end;
      if (read.value.kind !== 'binding') continue;
      const { binding } = read.value;
      const known = byAddress.get(binding.address) ?? [];
      byAddress.set(binding.address, [...known, { binding, durableAt: flush?.endedAt ?? Number.POSITIVE_INFINITY }]);
    }
  }
  return byAddress;
}

interface SentAck {
  readonly what: string;
  readonly packet: DhcpPacket;
  /** When the REQUEST that it answers was read, in seconds since 1970. */
  readonly askedSec: number;
  readonly beganAt: number;
}

function sentAcks(calls: readonly TracedCall[]): SentAck[] {
  const acks: SentAck[] = [];
  const askedSec = new Map<number, number>();
  for (const call of calls) {
    if (!/^(?:send|recv)/.test(call.name) || !call.target.startsWith('socket:')) continue;
    for (const bytes of call.parts) {
      const read = decodeDhcpPacket(bytes);
      if (read.kind !== 'ok') continue;
      const packet = read.value;
      const type = packet.options.get(53)?.[0];
      if (call.name.startsWith('recv') && type === MESSAGE_TYPES.request) askedSec.set(packet.xid, call.clockSec);
      if (!call.name.startsWith('send') || packet.op !== OP_REPLY || type !== MESSAGE_TYPES.ack) continue;
      const asked = askedSec.get(packet.xid);
      assert.ok(asked !== undefined, 'an ACK to a REQUEST that the trace does not show');
      acks.push({
        what: `ACK of ${formatIp4(packet.yiaddr)} at line ${call.beganAt + 1}`,
        packet,
        askedSec: asked,
        beganAt: call.beganAt,
      });
    }
  }
  return acks;
}

/** The lease that the ACK tells of, at least as long, is in a record that was durable when the sending began. */
function isAckCovered(
  { packet, askedSec, beganAt }: SentAck,
  written: ReadonlyMap<number, readonly Written[]>,
): boolean {
  const leaseSec = Buffer.from(packet.options.get(51) ?? []).readUInt32BE(0);
  const endsAt = Math.floor(askedSec) + leaseSec - CLOCK_SLACK_SEC;
  return (written.get(packet.yiaddr) ?? []).some(
    ({ binding, durableAt }) =>
      durableAt < beganAt &&
      binding.state === 'active' &&
      sameBytes(chaddrOf(binding), packet.chaddr.subarray(0, packet.hlen)) &&
      binding.leaseEndAt >= endsAt,
  );
}

/** Without the hardware type before it. */
function chaddrOf(binding: Binding): Uint8Array | undefined {
  return binding.hardware?.subarray(1);
}

interface SentAnswer {
  readonly what: string;
  readonly update: BindingUpdate;
  readonly beganAt: number;
}

/** Each accepted update in each BNDACK. */
function sentAnswers(messages: readonly TracedMessage[]): SentAnswer[] {
  const answers: SentAnswer[] = [];
  for (const { socket, direction, message, beganAt } of messages) {
    if (direction !== 'sent' || message.kind !== 'bndack') continue;
    const asked = messages.find(
      (one) =>
        one.socket === socket &&
        one.direction === 'received' &&
        one.message.kind === 'bndupd' &&
        one.message.xid === message.xid,
    );
    assert.ok(asked?.message.kind === 'bndupd', 'a BNDACK to a BNDUPD that the trace does not show');
    for (const { address, rejectReason } of message.answers) {
      const update = asked.message.updates.find((one) => one.address === address);
      if (rejectReason !== undefined || update === undefined) continue;
      answers.push({
        what: `BNDACK of ${formatIp4(address)}, ${update.state}, at line ${beganAt + 1}`,
        update,
        beganAt,
      });
    }
  }
  return answers;
}

/** What the update says of the address was durable when the sending began. */
function isAnswerCovered({ update, beganAt }: SentAnswer, written: ReadonlyMap<number, readonly Written[]>): boolean {
  return (written.get(update.address) ?? []).some(
    ({ binding, durableAt }) => durableAt < beganAt && reflects(binding, update),
  );
}

function reflects(binding: Binding, update: BindingUpdate): boolean {
  switch (update.state) {
    case 'active':
      return (
        binding.state === 'active' &&
        sameBytes(binding.hardware, update.hardware) &&
        binding.recvPotentialAt >= (update.potentialEndAt ?? 0)
      );
    case 'expired':
    case 'released':
    case 'reset':
      // Failover specification 5.2: the receiver stores FREE while accepting.
      return binding.state === 'free' && binding.stateSinceAt >= (update.stateSinceAt ?? 0);
    default:
      return binding.state === update.state && binding.stateSinceAt >= (update.stateSinceAt ?? 0);
  }
}

function without(trace: string, name: string): string {
  return trace
    .split('\n')
    .map((line) => (line.includes(name) ? '' : line))
    .join('\n');
}
