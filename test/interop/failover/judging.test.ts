/** What the interworking matrix judges by must be able to say no: the log of dhcpd, the talk on the link, and dhcpd's lease file. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { complaints, normalised } from './complaints.ts';
import { breaches, MESSAGE_CODES, type Message } from './frames.ts';
import { readLeaseFile } from './isc-server.ts';
import type { Setup } from './server.ts';

const OURS = '192.168.255.1';
const THEIRS = '192.168.255.2';

test('what dhcpd says of nobody else is a complaint, counted once for each kind', () => {
  const log = [
    'DHCPACK on 10.88.1.3 to 02:7b:00:00:00:01 via 10.88.0.4',
    'bind update on 10.88.1.3 from pair rejected: 10.88.1.3: invalid state transition: active to backup',
    'bind update on 10.88.1.4 from pair rejected: 10.88.1.4: invalid state transition: active to backup',
  ].join('\n');
  const found = complaints('kill/primary', log);
  assert.equal(found.length, 1);
  assert.match(found[0] ?? '', /2 times.*10\.88\.1\.3/);
});

test('a complaint that two dhcpd show in one case is none there, and one elsewhere', () => {
  const log = 'Lease conflict at 10.88.1.3';
  assert.deepEqual(complaints('conflict', log), []);
  assert.equal(complaints('lease/decline', log).length, 1);
});

test('addresses, hardware addresses, numbers and pointers do not tell lines apart', () => {
  assert.equal(
    normalised('balancing pool 562efead6340 10.77.0.0/24  total 20  free 20  backup 0  lts -10  max-own (+/-)2'),
    'balancing pool HEX IP/N  total N  free N  backup N  lts N  max-own (+/-)N',
  );
});

test('more unanswered updates than the partner takes are a breach, as many are none', () => {
  const talk = [message(THEIRS, 'connectack', '0x1', 2), update('0x2'), update('0x3')];
  assert.deepEqual(breaches(talk, OURS), []);
  assert.equal(breaches([...talk, update('0x4')], OURS).length, 1);
  assert.deepEqual(breaches([...talk, message(THEIRS, 'bndack', '0x2'), update('0x4')], OURS), []);
});

test('answers to updates come in their order, once each', () => {
  const asked = [message(THEIRS, 'bndupd', '0x5'), message(THEIRS, 'bndupd', '0x6')];
  const [five, six] = [message(OURS, 'bndack', '0x5'), message(OURS, 'bndack', '0x6')];
  assert.deepEqual(breaches([...asked, five, six], OURS), []);
  assert.equal(breaches([...asked, six, five], OURS).length, 1);
  assert.equal(breaches([...asked, five, six, six], OURS).length, 1);
});

test('the last entry of an address counts in the lease file, and one without an entry is free', () => {
  const entry = (address: string, state: string, ends: string): string =>
    `lease ${address} {\n  starts 3 2026/11/25 00:00:00;\n  ends ${ends};\n  binding state ${state};\n  hardware ethernet 02:7b:00:00:00:01;\n}\n`;
  const text = [
    entry('10.88.1.0', 'backup', 'never'),
    entry('10.88.1.1', 'free', 'never'),
    entry('10.88.1.1', 'active', '3 2026/11/25 00:00:30'),
    entry('10.88.1.2', 'expired', '3 2026/11/25 00:00:10'),
    entry('10.88.9.9', 'active', 'never'),
  ].join('');
  const { rows, free, backup } = readLeaseFile(text, setup());
  assert.deepEqual(
    [...rows],
    [
      ['10.88.1.1', { state: 'active', client: '027b00000001', endsAt: Date.UTC(2026, 10, 25, 0, 0, 30) / 1000 }],
      ['10.88.1.2', { state: 'ending', client: '027b00000001', endsAt: Date.UTC(2026, 10, 25, 0, 0, 10) / 1000 }],
    ],
  );
  assert.deepEqual({ free, backup }, { free: 1, backup: 1 });
});

function message(from: string, kind: keyof typeof MESSAGE_CODES, xid: string, maxUnacked?: number): Message {
  return { stream: '0', from, type: MESSAGE_CODES[kind], xid, maxUnacked };
}

function update(xid: string): Message {
  return message(OURS, 'bndupd', xid);
}

function setup(): Setup {
  return {
    pool: { scopeId: '10.88.0.0', subnetMask: '255.255.0.0', first: '10.88.1.0', last: '10.88.1.3', size: 4 },
    mcltSec: 10,
    leaseSec: 30,
    split: 128,
    reservations: new Map(),
    entersReservations: true,
    servesBootp: false,
    quickBalance: [],
    infiniteIsReserved: false,
  };
}
