/** The operation that takes over the leases of another server: over plain objects, over a real server, and over a pair. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { IMPORT_LEASES_MAX, type ImportResult } from '../../src/manage/import-leases.ts';
import type { Outcome } from '../../src/manage/operation.ts';
import { formatIp4, ip4, parseIp4 } from '../../src/wire/units.ts';
import { LiveServer, related, stateOf } from '../server/live.ts';
import { eventually } from '../support/eventually.ts';
import { lease, READER, twoServers } from './fake-control.ts';

function value<T>(outcome: Outcome<unknown>): T {
  assert.equal(outcome.kind, 'ok', outcome.kind === 'failed' ? JSON.stringify(outcome.problems) : '');
  return (outcome as { value: T }).value;
}

async function holds(what: string, look: () => boolean): Promise<void> {
  await eventually(what, 20_000, () => (look() ? true : undefined));
}

function given(address: string, client: number, nowAt: number, more: Record<string, unknown> = {}): object {
  return {
    address,
    state: 'active',
    clientIdHex: null,
    htype: 1,
    hardwareHex: client.toString(16).padStart(12, '0'),
    hostName: `host-${client}`,
    startAt: nowAt - 60,
    endAt: nowAt + 7200,
    ...more,
  };
}

test('leases are counted by what became of them, with a reason for each that was refused', async () => {
  const { a } = twoServers();
  const nowAt = a.control.now().wallAt;
  lease(a, '10.0.1.20', 1);
  const Leases = [
    given('10.0.1.30', 5, nowAt),
    given('10.0.1.20', 6, nowAt),
    given('10.9.9.9', 7, nowAt),
    given('10.0.2.30', 8, nowAt, { state: 'declined', hardwareHex: '' }),
  ];
  const told = value<{ whatIf: string[] }>(await a.run('import.leases', { Leases }, { whatIf: true }));
  assert.deepEqual(told.whatIf, [
    'Takes over 2 leases; 0 are here already; refuses 2.',
    'Refuses 1 because no scope of this server holds the address: 10.9.9.9.',
    'Refuses 1 because another client holds the address: 10.0.1.20.',
  ]);
  assert.equal(a.bindings.find(parseIp4('10.0.1.30')!)?.state, 'free');
  const first = value<ImportResult>(await a.run('import.leases', { Leases }));
  assert.deepEqual([first.Made, first.Present, first.PartnerUntold], [2, 0, 0]);
  assert.deepEqual(
    first.Refused.map((one) => [one.IPAddress, one.Reason]),
    [
      ['10.0.1.20', 'held'],
      ['10.9.9.9', 'unknown-scope'],
    ],
  );
  assert.equal(a.bindings.find(parseIp4('10.0.2.30')!)?.state, 'abandoned');
  const again = value<ImportResult>(await a.run('import.leases', { Leases }));
  assert.deepEqual([again.Made, again.Present, again.Refused.length], [0, 2, 2]);
});

test('a list that is too long or has a lease without client changes nothing', async () => {
  const { a } = twoServers();
  const nowAt = a.control.now().wallAt;
  const one = given('10.0.1.30', 5, nowAt);
  const refusedBecause = async (params: Record<string, unknown>): Promise<unknown> => {
    const outcome = await a.run('import.leases', params);
    return outcome.kind === 'failed' ? outcome.problems.map(({ target }) => target) : 'ok';
  };
  const tooMany = Array.from({ length: IMPORT_LEASES_MAX + 1 }, () => one);
  assert.deepEqual(await refusedBecause({ Leases: tooMany }), ['Leases']);
  assert.deepEqual(await refusedBecause({ Leases: [one, given('10.0.1.31', 6, nowAt, { hardwareHex: '' })] }), [
    'Leases.1',
  ]);
  assert.deepEqual(await refusedBecause({ Leases: [one, { ...one, address: 'x' }] }), ['Leases.1']);
  assert.deepEqual(await refusedBecause({ Leases: [{ ...one, hardwareHex: 'XY' }] }), ['Leases.0.hardwareHex']);
  assert.equal(a.bindings.find(parseIp4('10.0.1.30')!)?.state, 'free');
  const reader = await a.run('import.leases', { Leases: [one] }, { caller: READER });
  assert.equal(reader.kind === 'failed' && reader.problems[0]?.code, 'request/access-denied');
});

test('the audit log says how many leases a long import had', async (t) => {
  const live = await LiveServer.open(t, 'alpha');
  const nowAt = live.control.now().wallAt;
  await live.ask('import.leases', {
    Leases: Array.from({ length: 300 }, (_, i) => given(formatIp4(ip4(parseIp4('10.1.0.0')! + i)), i, nowAt)),
  });
  const audit = readFileSync(join(live.server.options.stateDirectory, 'audit.log'), 'utf8').trim().split('\n').at(-1)!;
  assert.deepEqual(JSON.parse(audit).parameters, { Leases: '(300 items)' });
});

test('5,000 leases are taken over in turns, and outlive a restart', async (t) => {
  const live = await LiveServer.open(t, 'alpha');
  await live.ask('scope.add', {
    Name: 'big',
    StartRange: '10.8.0.10',
    EndRange: '10.8.31.250',
    SubnetMask: '255.255.224.0',
  });
  const first = parseIp4('10.8.0.10')!;
  const nowAt = live.control.now().wallAt;
  const Leases = Array.from({ length: IMPORT_LEASES_MAX }, (_, i) => given(formatIp4(ip4(first + i)), i + 1, nowAt));
  let turns = 0;
  let isDone = false;
  const count = (): void => {
    turns++;
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  const result = await live.ask<ImportResult>('import.leases', { Leases });
  isDone = true;
  assert.deepEqual([result.Made, result.Present, result.Refused], [IMPORT_LEASES_MAX, 0, []]);
  assert.ok(turns >= 20, `others had ${turns} turns`);
  await live.stop();
  await live.start();
  const again = await live.ask<ImportResult>('import.leases', { Leases });
  assert.deepEqual([again.Made, again.Present], [0, IMPORT_LEASES_MAX]);
  const leases = await live.ask<{ HostName: string }[]>('lease.get-by-ip-address', { IPAddress: ['10.8.0.14'] });
  assert.equal(leases[0]?.HostName, 'host-5');
});

test('in a pair each server takes over what is its own to give, and both then know every lease', async (t) => {
  const { a, b } = await related(t);
  await holds('both are in NORMAL', () => stateOf(a) === 'normal' && stateOf(b) === 'normal');
  const scopeId = parseIp4('10.77.0.0')!;
  // The secondary has its share only after the first balancing.
  await holds('the secondary has addresses', () =>
    [a, b].every((live) => live.control.bindings.counts(scopeId).backup > 20),
  );
  const nowAt = a.control.now().wallAt;
  const Leases = Array.from({ length: 100 }, (_, i) => given(`10.77.0.${10 + i}`, i + 1, nowAt));
  const here = await a.ask<ImportResult>('import.leases', { Leases });
  assert.ok(here.Made > 0 && here.Refused.length > 0);
  assert.equal(here.Made + here.Refused.length, 100);
  assert.deepEqual([...new Set(here.Refused.map((one) => one.Reason))], ['partners']);
  const there = await b.ask<ImportResult>('import.leases', { Leases });
  assert.equal(there.Refused.filter((one) => one.Reason === 'held').length, 0);
  const active = (live: LiveServer): number => live.control.bindings.counts(scopeId).active;
  await holds('both know all leases', () => {
    const isAll = active(a) === 100 && active(b) === 100;
    return isAll && [a, b].every((live) => live.control.bindings.dirtyCount(scopeId) === 0);
  });
  for (const address of ['10.77.0.10', '10.77.0.60', '10.77.0.109']) {
    const [mine, theirs] = [a, b].map((live) => live.control.bindings.find(parseIp4(address)!)!);
    assert.deepEqual([mine!.hardware, mine!.leaseEndAt], [theirs!.hardware, theirs!.leaseEndAt], address);
  }
});
