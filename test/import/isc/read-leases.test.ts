/** The reader of lease files: which entry holds, what its fields mean, and that no piece or end of the file confuses it. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { ENTRY_CHARACTERS_MAX } from '../../../src/import/isc/lease-entries.ts';
import { readDhcpdLeases } from '../../../src/import/isc/read-leases.ts';
import type { ImportedLease, LeaseRead, ReportLine } from '../../../src/import/plan.ts';
import { sampleText } from './sample-files.ts';

async function* pieces(text: string, size: number): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size);
}

async function all(text: string, size = 64): Promise<LeaseRead[]> {
  const found: LeaseRead[] = [];
  for await (const one of readDhcpdLeases(pieces(text, size))) found.push(one);
  return found;
}

async function leases(text: string): Promise<ImportedLease[]> {
  return (await all(text)).flatMap((one) => (one.kind === 'lease' ? [one.lease] : []));
}

async function reports(text: string): Promise<ReportLine[]> {
  return (await all(text)).flatMap((one) => (one.kind === 'report' ? [one.line] : []));
}

const at = (text: string): number => Date.parse(text) / 1000;

test('the last entry of an address holds, whichever state it has', async () => {
  const found = await leases(sampleText('campus.leases'));
  const byAddress = new Map(found.map((lease) => [lease.address, lease]));
  assert.equal(found.length, byAddress.size);
  assert.deepEqual(byAddress.get('10.64.16.50'), {
    address: '10.64.16.50',
    state: 'active',
    clientIdHex: '0100163e000001',
    htype: 1,
    hardwareHex: '00163e000001',
    hostName: 'pc-one',
    startAt: at('2026-11-24T10:00:00Z'),
    endAt: at('2026-11-24T18:00:00Z'),
  });
  assert.equal(byAddress.has('10.64.16.51'), false, 'given back at the end');
});

test('each form of identifier, hardware address and time is read', async () => {
  const found = new Map((await leases(sampleText('campus.leases'))).map((lease) => [lease.address, lease]));
  assert.equal(found.get('10.64.16.52')?.clientIdHex, '0100163e000003', 'uid in hexadecimal');
  assert.equal(found.get('10.64.16.53')?.clientIdHex, 'ff56504d98000200', 'uid in octal escapes');
  assert.deepEqual([found.get('10.64.16.54')?.htype, found.get('10.64.16.54')?.hardwareHex], [6, '00163e000005']);
  assert.deepEqual([found.get('10.64.16.55')?.htype, found.get('10.64.16.55')?.hardwareHex], [20, '0102']);
  assert.equal(found.get('10.64.16.56')?.endAt, 0xffffffff, 'never');
  assert.equal(found.get('10.64.16.57')?.endAt, 1_795_600_000, 'epoch');
  assert.deepEqual([found.get('10.64.16.58')?.clientIdHex, found.get('10.64.16.58')?.hostName], [null, '']);
});

test('an abandoned address is a declined one, since as long as dhcpd keeps it aside', async () => {
  const found = (await leases(sampleText('campus.leases'))).filter((lease) => lease.state === 'declined');
  assert.deepEqual(found, [
    {
      address: '10.64.16.60',
      state: 'declined',
      clientIdHex: null,
      htype: 0,
      hardwareHex: '',
      hostName: '',
      startAt: at('2026-11-24T12:00:00Z'),
      endAt: at('2026-11-25T12:00:00Z'),
    },
  ]);
});

test('what is no lease is counted or told', async () => {
  const lines = await reports(sampleText('campus.leases'));
  const outcome = (start: string): string => lines.find((line) => line.statement.startsWith(start))?.outcome ?? '';
  assert.match(outcome('server-duid'), /IPv4 only/);
  assert.match(outcome('failover peer'), /agreed anew/);
  assert.match(outcome('host omapi-made'), /omapi/);
  assert.match(outcome('lease 10.64.16.62'), /reservation/);
  assert.match(outcome('lease 10.64.16.70 { starts'), /ends within an entry/);
  const counts = lines.filter((line) => line.line === 0).map((line) => `${line.statement} ${line.outcome}`);
  assert.deepEqual(counts, [
    '1 addresses were given back by their clients',
    '2 addresses are free, and are free here',
    '1 addresses had leases that are over',
    '1 addresses are in a state that means no lease',
  ]);
});

test('the lines of the report are those of the file', async () => {
  const text = sampleText('campus.leases').split('\n');
  for (const line of await reports(text.join('\n'))) {
    if (line.line === 0) continue;
    const [word = ''] = line.statement.split(' ');
    assert.ok(text[line.line - 1]?.startsWith(word), `${line.line}: ${line.statement}`);
  }
});

test('a lease file that dhcpd wrote in a failover pair is read without a complaint', async () => {
  const text = sampleText('written-by-dhcpd.leases');
  const strange = (await reports(text)).filter(
    (line) => line.carried === 'not-carried' && !/IPv4 only/.test(line.outcome),
  );
  assert.deepEqual(strange, []);
  const found = await leases(text);
  // What the last entry of each address says, found by a look at the text alone.
  const states = new Map(
    [...text.matchAll(/^lease (\S+) \{[^}]*?^ {2}binding state (\w+);/gm)].map((match) => [match[1], match[2]]),
  );
  const held = [...states].filter(([, state]) => state === 'active' || state === 'abandoned');
  assert.ok(held.length > 0);
  assert.deepEqual(found.map((lease) => lease.address).sort(), held.map(([address]) => address).sort());
});

test('any cut into pieces gives the same leases and the same lines', async () => {
  const text = sampleText('campus.leases');
  const whole = await all(text, text.length);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 300 }), async (size) => {
      assert.deepEqual(await all(text, size), whole);
    }),
    { numRuns: 40 },
  );
});

test('a file that ends anywhere gives the leases of its whole entries and one line for the rest', async () => {
  const text = sampleText('campus.leases');
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: text.length }), async (end) => {
      const found = await all(text.slice(0, end));
      const cut = found.filter((one) => one.kind === 'report' && /ends within/.test(one.line.outcome));
      assert.ok(cut.length <= 1);
    }),
    { numRuns: 150 },
  );
});

test('no text makes the reader throw', async () => {
  const words = [
    'lease',
    '10.0.0.1',
    '{',
    '}',
    ';',
    '"',
    'binding state active;',
    'starts never;',
    'uid "\\',
    '#',
    '\n',
    'hardware ethernet 1:2;',
  ];
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...words), { maxLength: 40 }), async (some) => {
      await all(some.join(' '), 7);
    }),
    { numRuns: 1000 },
  );
});

test('an entry without an end stops the reading before it fills the memory', async () => {
  const size = 65_536;
  let given = 0;
  async function* endless(): AsyncGenerator<string> {
    for (;;) {
      given += size;
      yield `lease 10.0.0.1 { ${'x'.repeat(size)}`;
    }
  }
  const found: LeaseRead[] = [];
  for await (const one of readDhcpdLeases(endless())) found.push(one);
  assert.ok(given < 3 * ENTRY_CHARACTERS_MAX, String(given));
  assert.match(found[0]?.kind === 'report' ? found[0].line.outcome : '', /no entry is as long/);
});

test('a hundred thousand entries of the same few addresses keep a few', async () => {
  async function* many(): AsyncGenerator<string> {
    for (let i = 0; i < 100_000; i++)
      yield `lease 10.0.0.${i % 4} {\n starts epoch ${i};\n ends epoch ${i + 600};\n binding state active;\n hardware ethernet 0:0:0:0:0:${i % 4};\n}\n`;
  }
  const found: LeaseRead[] = [];
  for await (const one of readDhcpdLeases(many())) found.push(one);
  assert.deepEqual(
    found.map((one) => one.kind === 'lease' && [one.lease.address, one.lease.endAt]),
    [0, 1, 2, 3].map((n) => [`10.0.0.${n}`, 99_996 + n + 600]),
  );
});
