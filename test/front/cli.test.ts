/** From words to a request and from an answer to text, over a server made of one answer. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { answering, done, runCli, SERVER } from './cli-world.ts';

const PROBLEM = {
  type: 'urn:twinlease:problem:failover/not-normal',
  title: 'title',
  status: 409,
  detail: 'Failover relationship P on DHCP server A is in state Startup, which does not allow this.',
  code: 'failover/not-normal',
  severity: 'error',
  why: 'The servers do not agree.',
  action: 'Wait.',
  target: 'P',
  messageId: 'DHCP 20120',
  windowsNumber: 20120,
  windowsSymbol: 'ERROR_DHCP_FO_STATE_NOT_NORMAL',
};

test('serve has the documented defaults', async () => {
  assert.deepEqual((await runCli(['serve'])).served, {
    dataDir: '/var/lib/twinlease',
    partnerAddress: '0.0.0.0',
    partnerPort: 647,
    restAddress: '127.0.0.1',
    restPort: 8647,
    logLevel: 'info',
    drills: false,
  });
});

test('serve takes several interfaces, or a relay address, not both', async () => {
  assert.deepEqual((await runCli(['serve', '--interface', 'eth0', 'eth1'])).served?.interface, ['eth0', 'eth1']);
  assert.equal((await runCli(['serve', '--relay-only', '127.0.0.1:6767'])).served?.relayOnly, '127.0.0.1:6767');
  const both = await runCli(['serve', '--interface', 'eth0', '--relay-only', '127.0.0.1:6767']);
  assert.equal(both.code, 2);
  assert.equal(both.served, undefined);
});

test('restore takes the backup, the data directory and whether to replace what is there', async () => {
  assert.deepEqual((await runCli(['restore', '/b/monday'])).restored, {
    backup: '/b/monday',
    dataDir: '/var/lib/twinlease',
    force: false,
    json: false,
  });
  const env = { TWINLEASE_DATA_DIR: '/srv/a' };
  assert.equal((await runCli(['restore', '/b'], { env })).restored?.dataDir, '/srv/a');
  const given = await runCli(['restore', '/b', '--data-dir', '/srv/b', '--force', '--json'], { env });
  assert.deepEqual(given.restored, { backup: '/b', dataDir: '/srv/b', force: true, json: true });
  const bare = await runCli(['restore']);
  assert.deepEqual([bare.code, bare.restored], [2, undefined]);
});

test('a request carries the token, the door and the parameters in the spelling of REST', async () => {
  const server = answering(200, done([]));
  const result = await runCli(['failover', 'get', 'Pair 1', 'Pair 2', '--json'], { ...SERVER, fetch: server.fetch });
  assert.equal(result.code, 0);
  assert.equal(result.stdout, '[]\n');
  const [sent] = server.sent;
  assert.equal(sent?.url, 'http://127.0.0.1:8647/api/v1/failover/get-by-name');
  assert.equal(sent?.headers['authorization'], 'Bearer secret-token');
  assert.equal(sent?.headers['x-twinlease-door'], 'cli');
  assert.deepEqual(sent?.body, { name: ['Pair 1', 'Pair 2'] });
});

test('the operation is chosen by what is given', async () => {
  const cases: readonly (readonly [string, string])[] = [
    ['failover get --scope-id 10.0.0.0', 'failover/get-by-scope-id'],
    ['failover get', 'failover/get-by-name'],
    ['failover add P --partner-server b --scope-id 10.0.0.0', 'failover/add-by-load-balance'],
    ['failover add P --partner-server b --scope-id 10.0.0.0 --load-balance-percent 60', 'failover/add-by-load-balance'],
    ['failover add P --partner-server b --scope-id 10.0.0.0 --reserve-percent 10', 'failover/add-by-hot-standby'],
    ['failover add P --partner-server b --scope-id 10.0.0.0 --server-role Standby', 'failover/add-by-hot-standby'],
    ['failover add P --partner-server b --scope-id 10.0.0.0 --mode HotStandby', 'failover/add-by-hot-standby'],
    ['failover replicate --force', 'replication/invoke-by-name'],
    ['failover replicate --force --scope-id 10.0.0.0', 'replication/invoke-by-scope-id'],
    ['lease get 10.0.0.0', 'lease/get-by-scope-id'],
    ['lease get --ip-address 10.0.0.9', 'lease/get-by-ip-address'],
    ['lease get --scope-id 10.0.0.0 --client-id 01-02', 'lease/get-by-client-id'],
  ];
  for (const [line, path] of cases) {
    const server = answering(200, done([]));
    const result = await runCli(line.split(' '), { ...SERVER, fetch: server.fetch });
    assert.equal(result.code, 0, `${line}: ${result.stderr}`);
    assert.equal(server.sent[0]?.url, `http://127.0.0.1:8647/api/v1/${path}`, line);
  }
});

test('options that no one operation has together are wrong usage', async () => {
  const server = answering(200, done(null));
  const line = 'failover add P --partner-server b --scope-id 10.0.0.0 --mode HotStandby --load-balance-percent 50';
  const result = await runCli(line.split(' '), { ...SERVER, fetch: server.fetch });
  assert.equal(result.code, 2);
  assert.match(result.stderr, /--load-balance-percent does not go together/);
  assert.equal(server.sent.length, 0);
});

test('values become numbers, seconds, lists and flags', async () => {
  const server = answering(200, done(null));
  const line =
    'failover add --name P --partner-server b --scope-id 10.0.0.0,10.0.1.0 10.0.2.0 --max-client-lead-time 1h --no-auto-state-transition --load-balance-percent -1 --pass-thru';
  assert.equal((await runCli(line.split(' '), { ...SERVER, fetch: server.fetch })).code, 0);
  assert.deepEqual(server.sent[0]?.body, {
    name: 'P',
    partnerServer: 'b',
    scopeId: ['10.0.0.0', '10.0.1.0', '10.0.2.0'],
    maxClientLeadTime: 3600,
    autoStateTransition: false,
    loadBalancePercent: -1,
    passThru: true,
  });
});

test('wrong usage is said and nothing is sent', async () => {
  const lines = [
    'failover add --max-client-lead-time soon',
    'failover add --load-balance-percent half',
    'failover nothing',
    'nothing',
    'failover get --nothing',
    'failover get P --name Q',
    'help nothing',
    'completion tcsh',
    'call Failover/Get',
    'call failover.get-by-name --params [1]',
    'call failover.get-by-name --params {',
    'serve --rest-port 65536',
  ];
  for (const line of lines) {
    const server = answering(200, done(null));
    const result = await runCli(line.split(' '), { ...SERVER, fetch: server.fetch });
    assert.equal(result.code, 2, line);
    assert.match(result.stderr, /error: /, line);
    assert.equal(server.sent.length, 0, line);
  }
});

test('a refusal shows text, why, what to do and the Windows code', async () => {
  const server = answering(409, PROBLEM);
  const result = await runCli(['failover', 'add-scope', 'P', '--scope-id', '10.0.0.0'], {
    ...SERVER,
    fetch: server.fetch,
  });
  assert.equal(result.code, 1);
  assert.equal(result.stdout, '');
  assert.equal(
    result.stderr,
    `error: ${PROBLEM.detail}\n  why:  The servers do not agree.\n  do:   Wait.\n  code: failover/not-normal (DHCP 20120 ERROR_DHCP_FO_STATE_NOT_NORMAL)\n`,
  );
});

test('with --json a refusal is the problem document itself', async () => {
  const server = answering(409, PROBLEM);
  const result = await runCli(['failover', 'add-scope', 'P', '--scope-id', '10.0.0.0', '--json'], {
    ...SERVER,
    fetch: server.fetch,
  });
  assert.equal(result.code, 1);
  assert.deepEqual(JSON.parse(result.stderr), PROBLEM);
});

test('every problem of a request is shown', async () => {
  const second = { ...PROBLEM, detail: 'The second.' };
  const server = answering(409, { ...PROBLEM, problems: [PROBLEM, second] });
  const result = await runCli(['failover', 'get'], { ...SERVER, fetch: server.fetch });
  assert.match(result.stderr, /is in state Startup[\s\S]*error: The second\./);
});

test('exit codes tell refusal, missing rights, absence and partial success apart', async () => {
  const cases: readonly (readonly [number, unknown, number])[] = [
    [200, done([]), 0],
    [409, PROBLEM, 1],
    [401, { ...PROBLEM, status: 401, code: 'rest/not-authenticated' }, 5],
    [403, { ...PROBLEM, status: 403, code: 'request/access-denied' }, 5],
    [403, { ...PROBLEM, status: 403, code: 'partner/no-permission' }, 1],
    [200, done([], [PROBLEM]), 4],
    [200, '<html>', 3],
    [502, '', 3],
  ];
  for (const [status, document, code] of cases) {
    const result = await runCli(['failover', 'get'], { ...SERVER, fetch: answering(status, document).fetch });
    assert.equal(result.code, code, `${status} ${JSON.stringify(document).slice(0, 80)}`);
    assert.equal(result.stderr === '', code === 0);
  }
  const nobody = await runCli(['failover', 'get'], SERVER);
  assert.equal(nobody.code, 3);
  assert.match(nobody.stderr, /ECONNREFUSED[\s\S]*systemctl status twinlease/);
});

test('warnings go to stderr and change no exit code', async () => {
  const server = answering(200, done(null, [], [{ ...PROBLEM, severity: 'warning' }]));
  const result = await runCli(['failover', 'set', 'P', '--partner-down'], { ...SERVER, fetch: server.fetch });
  assert.equal(result.code, 0);
  assert.equal(result.stdout, 'Done.\n');
  assert.match(result.stderr, /^warning: /);
});

test('the server and the token are found by option, environment or data directory', async () => {
  const running = JSON.stringify({ restUrl: 'http://127.0.0.1:4', pid: 1 });
  const files = {
    '/d/state/running.json': running,
    '/d/identity/rest-token': 'of-d',
    '/var/lib/twinlease/state/running.json': running,
    '/var/lib/twinlease/identity/rest-token': 'of-default',
    '/t': 'of-t',
  };
  const environment = { TWINLEASE_URL: 'http://127.0.0.1:3', TWINLEASE_TOKEN_FILE: '/t' };
  const cases: readonly (readonly [string[], Record<string, string>, string, string])[] = [
    [['--url', 'http://127.0.0.1:2/', '--token-file', '/t'], {}, 'http://127.0.0.1:2', 'of-t'],
    [[], environment, 'http://127.0.0.1:3', 'of-t'],
    [['--data-dir', '/d'], {}, 'http://127.0.0.1:4', 'of-d'],
    [['--data-dir', '/d'], environment, 'http://127.0.0.1:4', 'of-d'],
    [[], { TWINLEASE_DATA_DIR: '/d' }, 'http://127.0.0.1:4', 'of-d'],
    [[], {}, 'http://127.0.0.1:4', 'of-default'],
  ];
  for (const [options, env, url, token] of cases) {
    const server = answering(200, done([]));
    const result = await runCli(['failover', 'get', ...options], { env, files, fetch: server.fetch });
    assert.equal(result.code, 0, result.stderr);
    assert.equal(server.sent[0]?.url, `${url}/api/v1/failover/get-by-name`);
    assert.equal(server.sent[0]?.headers['authorization'], `Bearer ${token}`);
  }
});

test('a server that never ran and a token that may not be read are told apart', async () => {
  const denied = Object.assign(new Error('EACCES'), { code: 'EACCES' });
  const absent = await runCli(['failover', 'get', '--data-dir', '/d']);
  assert.equal(absent.code, 3);
  assert.match(absent.stderr, /twinlease serve/);
  const unreadable = await runCli(['failover', 'get', '--url', 'http://127.0.0.1:2', '--token-file', '/t'], {
    files: { '/t': denied },
  });
  assert.equal(unreadable.code, 5);
  assert.match(unreadable.stderr, /may not read it[\s\S]*service user/);
  const closed = await runCli(['failover', 'get', '--data-dir', '/d'], { files: { '/d/state/running.json': denied } });
  assert.equal(closed.code, 5);
  const empty = await runCli(['failover', 'get', '--url', 'http://127.0.0.1:2', '--token-file', '/t'], {
    files: { '/t': '\n' },
  });
  assert.equal(empty.code, 5);
  const noUrl = await runCli(['failover', 'get', '--url', 'localhost', '--token-file', '/t'], { files: { '/t': 't' } });
  assert.equal(noUrl.code, 3);
});

test('a question is asked where Windows asks, and only a yes goes on', async () => {
  for (const [answer, count] of [
    ['y', 1],
    ['YES', 1],
    ['', 0],
    ['n', 0],
    ['yep', 0],
  ] as const) {
    const server = answering(200, done(null));
    const result = await runCli(['failover', 'remove', 'P'], { ...SERVER, fetch: server.fetch, answers: [answer] });
    assert.equal(result.questions.length, 1);
    assert.match(result.questions[0] ?? '', /^P: .*\[y\/N\] $/);
    assert.equal(server.sent.length, count, answer);
    assert.equal(result.code, count === 1 ? 0 : 1);
    // A yes is no Force: that would also overrule the partner's absence.
    if (count === 1) assert.deepEqual(server.sent[0]?.body, { name: ['P'] });
  }
});

test('where nobody can be asked, the command is refused with words unless forced', async () => {
  const server = answering(200, done(null));
  const refused = await runCli(['failover', 'remove', 'P'], { ...SERVER, fetch: server.fetch });
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /--yes or --force/);
  assert.match(refused.stderr, /WIN32 1223/);
  assert.equal(server.sent.length, 0);
  const forced = await runCli(['failover', 'remove', 'P', '--force'], { ...SERVER, fetch: server.fetch });
  assert.equal(forced.code, 0);
  const agreed = await runCli(['failover', 'remove', 'P', '--yes'], { ...SERVER, fetch: server.fetch });
  assert.equal(agreed.code, 0);
  assert.deepEqual(
    server.sent.map(({ body }) => body),
    [{ name: ['P'], force: true }, { name: ['P'] }],
  );
});

test('--what-if asks nothing, says so to the server and prints its lines', async () => {
  const server = answering(200, done({ whatIf: ['A: relationship P goes.', 'B: relationship P goes.'] }));
  const result = await runCli(['failover', 'remove', 'P', '--what-if'], { ...SERVER, fetch: server.fetch });
  assert.equal(result.code, 0);
  assert.equal(server.sent[0]?.url, 'http://127.0.0.1:8647/api/v1/failover/remove?whatIf=true');
  assert.equal(result.stdout, 'What if: A: relationship P goes.\nWhat if: B: relationship P goes.\n');
});

test('a secret comes from a file or a prompt, never from the command line', async () => {
  const server = answering(200, done(null));
  const files = { ...SERVER.files, '/secret': 'hunter2\n', '/empty': '\n', '-': 'from stdin' };
  const line = ['failover', 'set', 'P', '--force'];
  const base = { ...SERVER, files, fetch: server.fetch };
  await runCli([...line, '--shared-secret-file', '/secret'], base);
  await runCli([...line, '--shared-secret-file', '-'], base);
  const asked = await runCli([...line, '--shared-secret'], { ...base, answers: ['s3', 's3'] });
  await runCli([...line, '--no-shared-secret'], base);
  const secrets = server.sent.map(({ body }) => (body as Record<string, unknown>)['sharedSecret']);
  assert.deepEqual(secrets, ['hunter2', 'from stdin', 's3', null]);
  assert.doesNotMatch(asked.stdout + asked.stderr, /s3/);
  assert.equal((await runCli([...line, '--shared-secret'], { ...base, answers: ['s3', 's4'] })).code, 2);
  assert.equal((await runCli([...line, '--shared-secret'], base)).code, 2);
  assert.equal((await runCli([...line, '--shared-secret=hunter2'], base)).code, 2);
  assert.equal((await runCli([...line, '--shared-secret-file', '/absent'], base)).code, 2);
  assert.equal((await runCli([...line, '--shared-secret-file', '/empty'], base)).code, 2);
  assert.equal(server.sent.length, 4);
});

test('any operation can be called by its name, even one that this release does not know', async () => {
  const server = answering(200, done({ x: 1 }));
  const result = await runCli(['call', 'future.thing', '--params', '{"A":{"B":1}}', '--json'], {
    ...SERVER,
    fetch: server.fetch,
  });
  assert.equal(result.code, 0);
  assert.equal(result.stdout, '{\n  "x": 1\n}\n');
  assert.equal(server.sent[0]?.url, 'http://127.0.0.1:8647/api/v1/future/thing');
  assert.deepEqual(server.sent[0]?.body, { a: { B: 1 } });
  const fromFile = await runCli(['call', 'failover.remove', '--params-file', '/p', '--force'], {
    ...SERVER,
    files: { ...SERVER.files, '/p': '{"name":["P"]}' },
    fetch: server.fetch,
  });
  assert.equal(fromFile.code, 0);
  assert.deepEqual(server.sent[1]?.body, { name: ['P'], force: true });
});

test('call asks like the friendly commands do', async () => {
  const server = answering(200, done(null));
  const result = await runCli(['call', 'failover.remove', '--params', '{"name":["P"]}'], {
    ...SERVER,
    fetch: server.fetch,
  });
  assert.equal(result.code, 1);
  assert.equal(server.sent.length, 0);
});

test('a code that is not given is asked for where somebody can answer', async () => {
  const server = answering(200, done({ name: 'b' }));
  const result = await runCli(['pair', 'accept', '--server', 'dhcp1'], {
    ...SERVER,
    fetch: server.fetch,
    answers: [' the-code '],
  });
  assert.equal(result.code, 0, result.stderr);
  assert.deepEqual(server.sent[0]?.body, { code: 'the-code', server: 'dhcp1' });
});

test('a file of JSON becomes the parameter, from a path or the standard input', async () => {
  const server = answering(200, done({ revision: 3 }));
  const files = { ...SERVER.files, '/c.json': '{"revision":2,"scopes":[]}', '-': '{"revision":3}', '/bad': '{' };
  const setup = { ...SERVER, files, fetch: server.fetch };
  assert.equal((await runCli(['config', 'apply', '/c.json', '--prune'], setup)).code, 0);
  assert.equal((await runCli(['config', 'apply', '-'], setup)).code, 0);
  assert.deepEqual(
    server.sent.map(({ body }) => body),
    [{ config: { revision: 2, scopes: [] }, prune: true }, { config: { revision: 3 } }],
  );
  for (const path of ['/bad', '/absent']) assert.equal((await runCli(['config', 'apply', path], setup)).code, 2);
  assert.equal((await runCli(['config', 'apply'], setup)).code, 2);
  assert.equal(server.sent.length, 2);
});

test('a list can be made empty', async () => {
  const server = answering(200, done(null));
  assert.equal((await runCli(['server', 'set', '--no-trusted-relays'], { ...SERVER, fetch: server.fetch })).code, 0);
  assert.deepEqual(server.sent[0]?.body, { trustedRelays: [] });
});

test('a server of another make is declared, and a relationship with one is asked for by its kind', async () => {
  const server = answering(200, done(null));
  const setup = { ...SERVER, fetch: server.fetch };
  const declare = 'pair declare isc2 --kind isc --host 10.0.0.3 --port 847 --local-address 10.0.0.1';
  assert.equal((await runCli(declare.split(' '), setup)).code, 0);
  const add =
    'failover add r1 --partner-server 10.0.0.3 --partner-kind isc --scope-id 10.0.1.0 --protocol-role Secondary --no-holds-leases';
  assert.equal((await runCli(add.split(' '), setup)).code, 0);
  assert.deepEqual(
    server.sent.map(({ body }) => body),
    [
      { name: 'isc2', kind: 'isc', host: '10.0.0.3', port: 847, localAddress: '10.0.0.1' },
      {
        name: 'r1',
        partnerServer: '10.0.0.3',
        partnerKind: 'isc',
        scopeId: ['10.0.1.0'],
        protocolRole: 'Secondary',
        holdsLeases: false,
      },
    ],
  );
});
