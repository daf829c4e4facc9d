/** `twinlease import`: what it prints, in which order it asks the server, and how it ends. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { LiveServer } from '../server/live.ts';
import { answering, type CliSetup, done, runCli, SERVER } from './cli-world.ts';
import { openDoor } from './door.ts';

const CONF = `default-lease-time 3600; max-lease-time 7200;
option domain-name "example.org";
key k { algorithm hmac-md5; secret c2VjcmV0; };
failover peer "old" { primary; address 198.51.100.1; peer address 198.51.100.2; mclt 3600; split 128; load balance max seconds 3; }
subnet 10.40.0.0 netmask 255.255.255.0 {
  pool { failover peer "old"; range 10.40.0.10 10.40.0.99; }
  host p { hardware ethernet 0:1:2:3:4:5; fixed-address 10.40.0.5; }
}
`;

function leasesText(count: number, nowSec: number): string {
  const one = (index: number): string =>
    `lease 10.40.0.${10 + index} {\n  starts epoch ${nowSec - 60};\n  ends epoch ${nowSec + 3600};\n  cltt epoch ${nowSec - 60};\n` +
    `  binding state active;\n  hardware ethernet 00:16:3e:00:00:${(16 + index).toString(16)};\n  client-hostname "pc${index}";\n}\n`;
  return Array.from({ length: count }, (_, index) => one(index)).join('');
}

async function live(
  t: test.TestContext,
): Promise<{ readonly server: LiveServer; readonly setup: (files: Readonly<Record<string, string>>) => CliSetup }> {
  const server = await LiveServer.open(t, 'alpha');
  const door = await openDoor(t, server.control);
  return { server, setup: (files) => ({ ...door.cli, files: { ...door.cli.files, ...files } }) };
}

test('configuration and leases come into a running server, then the relationship', async (t) => {
  const { server, setup } = await live(t);
  const written = new Map<string, string>();
  const files = { '/d.conf': CONF, '/d.leases': leasesText(20, Math.floor(Date.now() / 1000)) };
  const result = await runCli(['import', '/d.conf', '/d.leases', '--relationships', '--report', '/r.txt'], {
    ...setup(files),
    written,
  });
  assert.equal(result.code, 0, result.stderr);
  assert.match(result.stdout, /^Carried over: \d+$/m);
  assert.match(result.stdout, /^Carried over with a change: 2$/m);
  assert.match(result.stdout, /^Not carried over: 3$/m);
  assert.match(result.stdout, /^Leases: 20 read, 20 taken over, 0 were here already, 0 refused\.$/m);
  assert.match(result.stdout, /1 scopes with 1 reservations, 1 options of the server, .* 1 relationships\.$/m);
  assert.ok(
    !`${result.stdout}${result.stderr}${[...written.values()].join('')}`.includes('c2VjcmV0'),
    'the secret stays hidden',
  );
  assert.match(written.get('/r.txt') ?? '', /secret \(hidden\)/);
  const { config } = server.control.revision();
  assert.deepEqual(
    config.relationships.map(({ name, profile, role }) => [name, profile, role]),
    [['old', 'isc', 'primary']],
  );
  const held = await server.ask<{ IPAddress: string; HostName: string }[]>('lease.get-by-scope-id', {
    ScopeId: '10.40.0.0',
  });
  assert.equal(held.filter((lease) => lease.HostName.startsWith('pc')).length, 20);
  // Had the relationship come first, the leases would have been refused or not known to be the whole truth.
  assert.ok(!/foreign-fetches/.test(result.stderr));

  const again = await runCli(['import', '/d.conf', '/d.leases', '--relationships', '--json'], setup(files));
  assert.equal(again.code, 0, again.stderr);
  const answer = JSON.parse(again.stdout);
  assert.deepEqual(
    [answer.configuration.scopes, answer.configuration.relationships, answer.leases.made, answer.leases.present],
    [[], [], 0, 20],
  );
});

test('what-if and check change nothing; check needs no server', async (t) => {
  const { server, setup } = await live(t);
  const before = server.control.revision();
  const files = { '/d.conf': CONF, '/d.leases': leasesText(3, 1_700_000_000) };
  const asked = await runCli(['import', '/d.conf', '/d.leases', '--what-if', '--brief'], setup(files));
  assert.equal(asked.code, 0, asked.stderr);
  assert.match(asked.stdout, /What if: Adds scopes\[10\.40\.0\.0\]/);
  assert.match(asked.stdout, /The lease file has 3 leases/);
  assert.match(asked.stdout, /add --relationships/);
  assert.ok(!/^Carried over: /m.test(asked.stdout), 'brief leaves away what needs no look');
  const checked = await runCli(['import', '/d.conf', '/d.leases', '--check', '--json'], { files });
  assert.equal(checked.code, 0, checked.stderr);
  const answer = JSON.parse(checked.stdout);
  assert.deepEqual(
    [answer.plan.source, answer.plan.scopes.length, answer.leases.read, answer.configuration],
    ['isc-dhcpd', 1, 3, undefined],
  );
  assert.equal(server.control.revision(), before);
});

test('leases that are refused are shown with the reason, and the exit code says so', async (t) => {
  const { setup } = await live(t);
  const nowSec = Math.floor(Date.now() / 1000);
  const strange = leasesText(1, nowSec).replace('10.40.0.10', '10.99.0.1');
  const result = await runCli(
    ['import', '/d.conf', '/d.leases'],
    setup({ '/d.conf': CONF, '/d.leases': `${leasesText(2, nowSec)}${strange}` }),
  );
  assert.equal(result.code, 4, result.stderr);
  assert.match(result.stdout, /3 read, 2 taken over, 0 were here already, 1 refused/);
  assert.match(result.stdout, /^10\.99\.0\.1 +no scope of this server holds the address$/m);
});

test('scopes that are here with other contents are refused, and replaced when told', async (t) => {
  const { server, setup } = await live(t);
  await runCli(['import', '/d.conf'], setup({ '/d.conf': CONF }));
  const changed = setup({ '/d.conf': CONF.replace('10.40.0.99', '10.40.0.89') });
  const refused = await runCli(['import', '/d.conf'], changed);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /scope\/exists/);
  const replaced = await runCli(['import', '/d.conf', '--existing', 'replace'], changed);
  assert.equal(replaced.code, 0, replaced.stderr);
  assert.equal(server.control.revision().config.scopes[0]?.endRange, '10.40.0.89');
});

test('leases go to the server in batches, in the order of the file', async () => {
  const server = answering(200, done({ revision: 2, made: 0, present: 0, refused: [], partnerUntold: 0 }));
  const text = Array.from(
    { length: 5001 },
    (_, i) =>
      `lease 10.40.${i >> 8}.${i & 255} { ends never; hardware ethernet 0:0:0:0:${(i >> 8).toString(16)}:${(i & 255).toString(16)}; }\n`,
  ).join('');
  const result = await runCli(['import', '/d.conf', '/d.leases'], {
    ...SERVER,
    files: { ...SERVER.files, '/d.conf': CONF, '/d.leases': text },
    fetch: server.fetch,
  });
  assert.equal(result.code, 0, result.stderr);
  assert.deepEqual(
    server.sent.map(({ url, body }) => [url.split('/v1/')[1], (body as { leases?: unknown[] }).leases?.length]),
    [
      ['import/configuration', undefined],
      ['import/leases', 5000],
      ['import/leases', 1],
    ],
  );
});

test('files that cannot be read are a wrong command line, with the line where it is known', async () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['import', '/none'], /\/none cannot be read/],
    [['import', '/bad.conf'], /\/bad\.conf, line 2: a statement without its semicolon/],
    [['import', '/d.conf', '/none', '--check'], /\/none cannot be read/],
    [['import', '/d.conf', '--format', 'bind'], /Allowed choices are isc, kea, windows/],
    [['import', '/d.conf', '--existing', 'maybe'], /Allowed choices are refuse, keep, replace/],
  ];
  for (const [args, stderr] of cases) {
    const result = await runCli(args, { files: { '/bad.conf': '\noption x', '/d.conf': CONF } });
    assert.equal(result.code, 2, args.join(' '));
    assert.match(result.stderr, stderr);
  }
});

test('a server that is not there, or does not trust the token, ends the import before anything', async () => {
  const files = { '/d.conf': CONF };
  assert.equal((await runCli(['import', '/d.conf'], { ...SERVER, files: { ...SERVER.files, ...files } })).code, 3);
  assert.equal((await runCli(['import', '/d.conf'], { env: SERVER.env, files })).code, 5);
});

test('the sample file of the manual is imported with all its relationships and leases', async (t) => {
  const { server, setup } = await live(t);
  const sample = (name: string): string =>
    readFileSync(join(process.cwd(), 'test', 'import', 'isc', 'files', name), 'utf8');
  const result = await runCli(
    ['import', '/campus.conf', '--relationships', '--brief'],
    setup({ '/campus.conf': sample('campus.conf') }),
  );
  assert.equal(result.code, 0, result.stderr);
  const { config } = server.control.revision();
  assert.deepEqual(
    config.relationships.map(({ name }) => name),
    ['campus', 'dormitories', 'branch'],
  );
  assert.equal(config.scopes.length, 9);
});

test('the format is told by the contents, and by the operator over them', async () => {
  const kea =
    '// Kea\n{ "Dhcp4": { "subnet4": [ { "id": 1, "subnet": "10.41.0.0/24", "pools": [ { "pool": "10.41.0.10 - 10.41.0.20" } ] } ] } }';
  const windows =
    '\uFEFF<?xml version="1.0" encoding="utf-8"?>\n<DHCPServer xmlns="http://schemas.microsoft.com/windows/DHCPServer"><IPv4></IPv4></DHCPServer>';
  const sourceOf = async (text: string, ...more: readonly string[]): Promise<unknown> => {
    const result = await runCli(['import', '/file', '--check', '--json', ...more], { files: { '/file': text } });
    return result.code === 0 ? JSON.parse(result.stdout).plan.source : result.code;
  };
  assert.equal(await sourceOf(CONF), 'isc-dhcpd');
  assert.equal(await sourceOf(kea), 'kea');
  assert.equal(await sourceOf(windows), 'windows');
  assert.equal(await sourceOf(kea, '--format', 'isc'), 2);
});
