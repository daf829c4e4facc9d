/** Files of Kea and Windows taken over by a running server: configuration first, then the leases, and both once more. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import type { LeaseRead } from '../../src/import/plan.ts';
import { readConfiguration, readLeases, type SourceFormat } from '../../src/import/readers.ts';
import { LiveServer } from '../server/live.ts';
import { allOf, inPieces } from './golden-plan.ts';

interface Sample {
  readonly format: SourceFormat;
  readonly file: string;
  /** The lease file as it is at this time. */
  readonly leases: (text: string, nowAt: number) => string;
  readonly expected: { readonly made: number; readonly refused: Readonly<Record<string, string>> };
  /** A lease of it, and the name of its client. */
  readonly shown: readonly [address: string, hostName: string];
}

const KEA_COLUMNS =
  'address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context';

function keaLeases(_text: string, nowAt: number): string {
  /** A declined address is kept aside for the probation period. */
  const row = (address: string, client: number, hostName: string, state = 0): string =>
    `${address},02:00:00:00:00:${client},,28800,${nowAt + 7200},1,0,0,${hostName},${state},`;
  return [
    KEA_COLUMNS,
    row('10.20.0.100', 10, 'desk-1.campus.example.org.'),
    row('10.20.1.7', 11, 'desk-2'),
    row('10.20.1.8', 12, '', 1),
    row('10.20.0.251', 13, 'between-pools'),
    row('10.20.0.20', 14, 'printer-of-another'),
    row('10.99.0.1', 15, 'nowhere'),
    '10.20.1.9,02:00:00:00:00:16,,28800,1000028800,1,0,0,long-ago,0,',
    '',
  ].join('\n');
}

const SAMPLES: readonly Sample[] = [
  {
    format: 'kea',
    file: 'test/import/kea/files/campus.conf',
    leases: keaLeases,
    expected: {
      made: 3,
      refused: {
        '10.20.0.251': 'excluded',
        '10.20.0.20': 'reserved',
        '10.99.0.1': 'unknown-scope',
        '10.20.1.9': 'over',
      },
    },
    shown: ['10.20.0.100', 'desk-1.campus.example.org'],
  },
  {
    format: 'windows',
    file: 'test/import/windows/files/corp.xml',
    leases: (text, nowAt) =>
      text.replaceAll('2026-09-29T', `${new Date((nowAt + 172_800) * 1000).toISOString().slice(0, 10)}T`),
    expected: { made: 5, refused: {} },
    shown: ['10.30.1.50', 'SALES-LT-7.corp.example.com'],
  },
];

async function leasesOf(
  sample: Sample,
  plan: Parameters<typeof readLeases>[2]['plan'],
  text: string,
): Promise<object[]> {
  const reads: LeaseRead[] = await allOf(readLeases(sample.format, inPieces(text, 1000), { file: sample.file, plan }));
  return reads.filter((read) => read.kind === 'lease').map((read) => read.lease);
}

for (const sample of SAMPLES) {
  test(`${sample.file} and its leases are taken over by a running server, and a second time change nothing`, async (t) => {
    const live = await LiveServer.open(t, 'alpha');
    const text = readFileSync(join(process.cwd(), sample.file), 'utf8');
    const read = await readConfiguration(sample.format, text, {
      file: sample.file,
      readInclude: async () => undefined,
    });
    assert.ok(read.kind === 'ok', JSON.stringify(read));
    const { report: _report, source: _source, ...Plan } = read.plan;
    await live.ask('import.configuration', { Plan });
    const { number } = live.control.revision();
    const nowAt = live.control.now().wallAt;
    const Leases = await leasesOf(sample, read.plan, sample.leases(text, nowAt));
    const first = await live.ask<{ Made: number; Refused: { IPAddress: string; Reason: string }[] }>('import.leases', {
      Leases,
    });
    assert.equal(first.Made, sample.expected.made);
    assert.deepEqual(
      Object.fromEntries(first.Refused.map(({ IPAddress, Reason }) => [IPAddress, Reason])),
      sample.expected.refused,
    );
    const [address, hostName] = sample.shown;
    const [lease] = await live.ask<{ HostName: string; AddressState: string }[]>('lease.get-by-ip-address', {
      IPAddress: [address],
    });
    assert.deepEqual([lease?.HostName, lease?.AddressState], [hostName, 'Active']);
    await live.ask('import.configuration', { Plan });
    assert.equal(live.control.revision().number, number);
    const again = await live.ask<{ Made: number; Present: number }>('import.leases', { Leases });
    assert.deepEqual([again.Made, again.Present], [0, sample.expected.made]);
  });
}
