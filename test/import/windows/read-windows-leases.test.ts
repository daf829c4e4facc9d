/** Leases of an export that was made with `-Leases`. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import type { ImportedLease, LeaseRead } from '../../../src/import/plan.ts';
import { readWindowsLeases } from '../../../src/import/windows/read-windows-leases.ts';
import { allOf, inPieces } from '../golden-plan.ts';

const TEXT = readFileSync(join(process.cwd(), 'test/import/windows/files/corp.xml'), 'utf8');
const ENDS_AT = 1_790_668_800;

async function readAll(text: string, size = 4096): Promise<LeaseRead[]> {
  return await allOf(readWindowsLeases(inPieces(text, size), { file: 'corp.xml' }));
}

function leasesIn(reads: readonly LeaseRead[]): ImportedLease[] {
  return reads.filter((read) => read.kind === 'lease').map((read) => read.lease);
}

function outcomes(reads: readonly LeaseRead[]): string[] {
  return reads.filter((read) => read.kind === 'report').map(({ line }) => line.outcome);
}

test('leases have the client, the name and the times that the export shows', async () => {
  const [first, ...others] = leasesIn(await readAll(TEXT));
  assert.deepEqual(first, {
    address: '10.30.1.50',
    state: 'active',
    clientIdHex: '013c52821a2b3c',
    htype: 1,
    hardwareHex: '3c52821a2b3c',
    hostName: 'SALES-LT-7.corp.example.com',
    startAt: ENDS_AT - 691_200,
    endAt: ENDS_AT,
  });
  assert.deepEqual(
    others.map(({ address, state, clientIdHex, hardwareHex, startAt, endAt }) => [
      address,
      state,
      clientIdHex,
      hardwareHex,
      startAt,
      endAt,
    ]),
    [
      ['10.30.1.51', 'active', 'ff000000010001' + '2a', '', ENDS_AT - 691_200, ENDS_AT],
      ['10.30.1.52', 'declined', null, '', ENDS_AT - 691_200, ENDS_AT],
      // A time without a zone: the lease is taken to begin as early and to end as late as it can.
      ['10.30.1.54', 'active', '0100155d0a0b0d', '00155d0a0b0d', ENDS_AT - 14 * 3600 - 691_200, ENDS_AT + 12 * 3600],
      ['10.30.4.9', 'active', '0100155d0c0c0c', '00155d0c0c0c', 0, 0xffffffff],
    ],
  );
});

test('each entry that is no lease is told with its line', async () => {
  const reads = await readAll(TEXT);
  assert.deepEqual(outcomes(reads), [
    'the lease has no end in the file; the client keeps its reserved address anyway',
    'the reservation has no lease',
    'the lease is over',
    'the end of the lease is not understood',
  ]);
  const told = reads.find((read) => read.kind === 'report');
  const number = told?.kind === 'report' ? told.line.line : 0;
  assert.match(
    TEXT.split('\n')
      .slice(number - 1, number + 1)
      .join(''),
    /<Lease>\s*<IPAddress>10\.30\.1\.30</,
  );
});

test('an export without leases says so, and a broken one says where', async () => {
  assert.deepEqual(outcomes(await readAll('<DHCPServer><IPv4/></DHCPServer>')), [
    'the export has no leases: it was made without -Leases',
  ]);
  const broken = outcomes(await readAll(TEXT.slice(0, TEXT.indexOf('10.30.1.53'))));
  assert.match(broken.at(-1) ?? '', /^the file is not understood from here on/);
});

test('20,000 leases in small pieces are read one after another', async () => {
  const lease = (i: number): string =>
    `<Lease><IPAddress>10.${40 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}</IPAddress><ClientId>02-00-00-00-${hex(i >> 8)}-${hex(i)}</ClientId><HostName>h${i}</HostName><AddressState>Active</AddressState><LeaseExpiryTime>2026-09-29T08:00:00Z</LeaseExpiryTime></Lease>`;
  const hex = (n: number): string => (n & 255).toString(16).padStart(2, '0');
  async function* chunks(): AsyncGenerator<string> {
    yield '<DHCPServer><IPv4><Scopes><Scope><LeaseDuration>1.00:00:00</LeaseDuration><Leases>';
    for (let i = 0; i < 20_000; i++) yield lease(i);
    yield '</Leases></Scope></Scopes></IPv4></DHCPServer>';
  }
  let count = 0;
  for await (const read of readWindowsLeases(chunks(), { file: 'x' })) {
    assert.ok(read.kind === 'lease' && read.lease.hostName === `h${count}`);
    count++;
  }
  assert.equal(count, 20_000);
});

test('law: in whatever pieces an export comes, its leases are the same', async () => {
  const whole = await readAll(TEXT, TEXT.length);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 5000 }), async (size) => {
      assert.deepEqual(await readAll(TEXT, size), whole);
    }),
    { numRuns: 10 },
  );
});

test('law: garbage among the leases, or an export cut short, never throws', async () => {
  const field = fc.constantFrom('IPAddress', 'ClientId', 'AddressState', 'LeaseExpiryTime', 'HostName', 'x');
  const value = fc.oneof(
    fc.constantFrom('10.0.0.1', 'Active', 'Declined', '2026-09-29T08:00:00Z', '00-11'),
    fc.string(),
  );
  const lease = fc
    .array(fc.tuple(field, value), { maxLength: 6 })
    .map((fields) => `<Lease>${fields.map(([name, text]) => `<${name}>${text}</${name}>`).join('')}</Lease>`);
  await fc.assert(
    fc.asyncProperty(fc.array(lease, { maxLength: 5 }), fc.nat(), async (leases, cut) => {
      const text = `<DHCPServer><IPv4><Scopes><Scope><Leases>${leases.join('')}</Leases></Scope></Scopes></IPv4></DHCPServer>`;
      for (const one of leasesIn(await readAll(text))) assert.ok(one.endAt >= one.startAt || one.startAt <= 0xffffffff);
      await readAll(text.slice(0, cut % text.length), 50);
    }),
  );
});
