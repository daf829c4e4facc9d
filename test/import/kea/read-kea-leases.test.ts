/** Lease files of Kea's memfile backend. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { readKeaLeases } from '../../../src/import/kea/read-kea-leases.ts';
import type { ImportedLease, LeaseRead } from '../../../src/import/plan.ts';
import { allOf, inPieces } from '../golden-plan.ts';

const HEADER = 'address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context';
const FILE = `${HEADER}
10.20.0.100,1a:1b:1c:1d:1e:01,01:1a:1b:1c:1d:1e:01,28800,1700028800,1,0,0,pc-1.campus.example.org.,0,
10.20.0.101,1a:1b:1c:1d:1e:02,,28800,1700020000,1,0,0,,0,
10.20.0.102,,,3600,1700003600,1,0,0,,1,
10.20.0.103,1a:1b:1c:1d:1e:04,,28800,1690000000,1,0,0,old,2,
10.20.0.104,1a:1b:1c:1d:1e:05,ff:01:02:03:04:00:01,28800,1700000000,1,0,0,a&#x2cb,0,{ "room": "1" }
10.20.0.101,1a:1b:1c:1d:1e:02,,28800,1700028900,1,0,0,renewed,0,
10.20.0.104,1a:1b:1c:1d:1e:05,ff:01:02:03:04:00:01,0,1700000500,1,0,0,,0,
172.20.1.10,1a:1b:1c:1d:1e:06,,4294967295,5994967295,11,0,0,for-ever,0,
10.20.0.105,,,28800,1700028800,1,0,0,nobody,0,
10.20.0.106,1a:1b,c,28800,1700028800,1,0,0,odd,0,
not,a,row
`;

async function readAll(text: string, size = 7): Promise<LeaseRead[]> {
  return await allOf(readKeaLeases(inPieces(text, size), { file: 'kea-leases4.csv' }));
}

function leasesIn(reads: readonly LeaseRead[]): ImportedLease[] {
  return reads.filter((read) => read.kind === 'lease').map((read) => read.lease);
}

function told(reads: readonly LeaseRead[]): string[] {
  return reads.filter((read) => read.kind === 'report').map(({ line }) => `${line.line} ${line.outcome}`);
}

test('the last row of an address holds, with its client, its name and its times', async () => {
  const leases = leasesIn(await readAll(FILE));
  assert.deepEqual(
    leases.map(({ address, hostName, startAt, endAt, state }) => [address, hostName, startAt, endAt, state]),
    [
      ['10.20.0.100', 'pc-1.campus.example.org', 1_700_000_000, 1_700_028_800, 'active'],
      ['10.20.0.101', 'renewed', 1_700_000_100, 1_700_028_900, 'active'],
      ['10.20.0.102', '', 1_700_000_000, 1_700_003_600, 'declined'],
      ['172.20.1.10', 'for-ever', 1_700_000_000, 0xffffffff, 'active'],
    ],
  );
  assert.deepEqual(leases[0], {
    address: '10.20.0.100',
    state: 'active',
    clientIdHex: '011a1b1c1d1e01',
    htype: 1,
    hardwareHex: '1a1b1c1d1e01',
    hostName: 'pc-1.campus.example.org',
    startAt: 1_700_000_000,
    endAt: 1_700_028_800,
  });
  assert.equal(leases[1]?.clientIdHex, null);
});

test('each address without a lease and each row that is not understood is told with its line', async () => {
  assert.deepEqual(told(await readAll(FILE)), [
    '11 the row is not understood',
    '12 the row is not understood',
    '5 the lease is over',
    '8 the lease was removed or released',
    '10 the lease names no client',
  ]);
});

test('a comma in a name is written as a number by Kea', async () => {
  const [lease] = leasesIn(await readAll(`${HEADER}\n10.0.0.1,0a:00:00:00:00:01,,60,1700000060,1,0,0,a&#x2cb&#x41,0,`));
  assert.equal(lease?.hostName, 'a,bA');
});

test('columns are found by their names, in any order and number', async () => {
  const older = 'expire,address,hwaddr,client_id,valid_lifetime\n1700000060,10.0.0.1,0a:00:00:00:00:01,,60\n';
  assert.deepEqual(leasesIn(await readAll(older))[0]?.endAt, 1_700_000_060);
  const newer = `${HEADER},pool_id\n10.0.0.1,0a:00:00:00:00:01,,60,1700000060,1,0,0,x,0,,3\n`;
  assert.equal(leasesIn(await readAll(newer)).length, 1);
});

test('files that were joined are one journal, each with its own columns', async () => {
  const older =
    'expire,address,hwaddr,client_id,valid_lifetime\n1700000060,10.0.0.1,0a:00:00:00:00:01,,60\n1700000060,10.0.0.2,0a:00:00:00:00:02,,60\n';
  const reads = await readAll(`${older}${HEADER}\n10.0.0.1,0a:00:00:00:00:01,,0,1700000030,1,0,0,,0,\n`);
  assert.deepEqual(
    leasesIn(reads).map(({ address }) => address),
    ['10.0.0.2'],
  );
  assert.deepEqual(told(reads), ['5 the lease was removed or released']);
});

test('a file without the names of the columns, and an empty one, give nothing but that', async () => {
  assert.deepEqual(told(await readAll('10.0.0.1,aa,,60,1\n')), [
    '1 the first row does not name the columns of a Kea lease file',
  ]);
  assert.deepEqual(told(await readAll('')), ['0 the file is empty']);
});

test('20,000 rows of 5,000 addresses in small pieces give the last row of each', async () => {
  const rows = [HEADER];
  for (let i = 0; i < 20_000; i++) {
    const n = i % 5000;
    const hardware = `02:00:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`;
    rows.push(`10.1.${n >> 8}.${n & 255},${hardware},,3600,${1_700_003_600 + i},1,0,0,h${i},0,`);
  }
  const reads = await readAll(`${rows.join('\n')}\n`, 1000);
  const leases = leasesIn(reads);
  assert.equal(leases.length, 5000);
  assert.equal(reads.length, 5000);
  assert.deepEqual([leases[0]?.hostName, leases.at(-1)?.hostName], ['h15000', 'h19999']);
});

test('law: in whatever pieces a file comes, it is the same', async () => {
  const whole = await readAll(FILE, FILE.length);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 200 }), async (size) => {
      assert.deepEqual(await readAll(FILE, size), whole);
    }),
    { numRuns: 30 },
  );
});

test('law: garbage in a row, or a file cut short, never throws', async () => {
  const row = fc.array(fc.oneof(fc.string(), fc.constantFrom('10.0.0.1', '0a:00:00:00:00:01', '4294967295', '')), {
    maxLength: 12,
  });
  await fc.assert(
    fc.asyncProperty(fc.array(row), fc.nat(), async (rows, cut) => {
      const text = `${HEADER}\n${rows.map((cells) => cells.join(',')).join('\n')}`;
      for (const { lease } of (await readAll(text)).filter((read) => read.kind === 'lease'))
        assert.ok(lease.endAt >= 0 && lease.startAt <= 0xffffffff);
      await readAll(FILE.slice(0, cut % FILE.length));
    }),
  );
});
