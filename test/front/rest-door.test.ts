/** The REST door: who gets in, what it reads, and how it refuses. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { twoServers } from '../manage/fake-control.ts';
import { runCli } from './cli-world.ts';
import { type Answer, openDoor, READER_TOKEN, read } from './door.ts';

function refused(answer: Answer, status: number, code: string): void {
  assert.equal(answer.status, status);
  assert.equal(answer.type, 'application/problem+json');
  assert.equal(answer.body['code'], code);
  assert.equal(answer.body['status'], status);
  for (const member of ['type', 'title', 'detail', 'why', 'action'])
    assert.equal(typeof answer.body[member], 'string', member);
  assert.doesNotMatch(String(answer.body['detail']), /\{[A-Za-z0-9]+\}/, 'every slot of the text is filled');
}

test('without a token, or with a wrong one, nothing is done', async (t) => {
  const { a } = twoServers();
  const door = await openDoor(t, a.control);
  const bare = await fetch(`${door.url}/api/v1/failover/get-by-name`, { method: 'POST', body: '{}' });
  assert.match(bare.headers.get('www-authenticate') ?? '', /^Bearer /);
  refused(await read(bare), 401, 'rest/not-authenticated');
  refused(await door.post('failover/remove', { name: ['x'] }, 'wrong'), 401, 'rest/not-authenticated');
  refused(await read(await fetch(`${door.url}/api/v1/openapi.json`)), 401, 'rest/not-authenticated');
  assert.deepEqual(a.audits, []);
});

test('a reader sees everything and changes nothing', async (t) => {
  const { a } = twoServers();
  const door = await openDoor(t, a.control);
  assert.equal((await door.post('scope/get', {}, READER_TOKEN)).status, 200);
  const before = a.revisions.length;
  refused(
    await door.post('scope/remove', { scopeId: ['10.0.1.0'], force: true }, READER_TOKEN),
    403,
    'request/access-denied',
  );
  assert.equal(a.revisions.length, before);
  const asReader = { ...door.cli, files: { '/token': READER_TOKEN } };
  const result = await runCli(['scope', 'remove', '10.0.1.0', '--force'], asReader);
  assert.equal(result.code, 5);
  assert.match(result.stderr, /WIN32 5/);
});

test('a refused attempt of a reader is in the audit log', async (t) => {
  const { a } = twoServers();
  const door = await openDoor(t, a.control);
  await door.post('scope/remove', { scopeId: ['10.0.1.0'] }, READER_TOKEN);
  const [audit] = a.audits as Record<string, unknown>[];
  assert.equal(audit?.['operation'], 'scope.remove');
  assert.equal(audit?.['result'], 'request/access-denied');
});

test('a body that is no JSON object is refused', async (t) => {
  const door = await openDoor(t, twoServers().a.control);
  for (const body of ['{', '[]', '1', 'null', '"x"', '{"name":}']) {
    refused(await door.post('failover/get-by-name', body), 400, 'rest/body-not-json');
  }
});

test('an empty body is no parameters', async (t) => {
  const door = await openDoor(t, twoServers().a.control);
  assert.deepEqual((await door.post('failover/get-by-name', '')).body, { value: [], warnings: [], errors: [] });
});

test('a body above the limit is refused without being read whole', async (t) => {
  const door = await openDoor(t, twoServers().a.control);
  const answer = await door.post('failover/get-by-name', `{"name":["${'x'.repeat(16 * 1024 * 1024)}"]}`);
  refused(answer, 413, 'rest/body-too-large');
});

test('an unknown path is a problem document too', async (t) => {
  const door = await openDoor(t, twoServers().a.control);
  refused(await door.post('failover/nothing', {}), 404, 'rest/no-such-path');
});

test('an unknown parameter and a wrong type are WIN32 87', async (t) => {
  const door = await openDoor(t, twoServers().a.control);
  for (const body of [{ nothing: 1 }, { name: 'not a list' }, { name: [1] }]) {
    const answer = await door.post('failover/get-by-name', body);
    refused(answer, 400, 'request/invalid-parameter');
    assert.equal(answer.body['messageId'], 'WIN32 87');
  }
});

test('parameter names are taken whatever their case, as Windows does', async (t) => {
  const door = await openDoor(t, twoServers().a.control);
  for (const body of [{ scopeId: ['10.0.1.0'] }, { ScopeId: ['10.0.1.0'] }, { SCOPEID: ['10.0.1.0'] }]) {
    const answer = await door.post('scope/get', body);
    assert.equal((answer.body['value'] as { scopeId: string }[])[0]?.scopeId, '10.0.1.0');
  }
});

test('what-if changes nothing and leaves no audit line', async (t) => {
  const { a, b } = twoServers();
  const door = await openDoor(t, a.control);
  const before = [a.revisions.length, b.revisions.length];
  const answer = await door.post('failover/add-by-load-balance?whatIf=true', {
    name: 'rel1',
    partnerServer: 'dhcp2',
    scopeId: ['10.0.1.0'],
  });
  assert.equal(answer.status, 200);
  const { whatIf } = answer.body['value'] as { whatIf: string[] };
  assert.ok(whatIf.length > 0 && whatIf.every((line) => typeof line === 'string'));
  assert.deepEqual([a.revisions.length, b.revisions.length], before);
  assert.deepEqual(a.audits, []);
});

test('the audit log names the door and hides secrets', async (t) => {
  const { a } = twoServers();
  const door = await openDoor(t, a.control);
  const setup = { ...door.cli, files: { ...door.cli.files, '/secret': 'hunter2' } };
  const line =
    'failover add rel1 --partner-server dhcp2 --scope-id 10.0.1.0 --shared-secret-file /secret --force --json';
  const result = await runCli(line.split(' '), setup);
  assert.equal(result.code, 0, result.stderr);
  await door.post('failover/remove', { name: ['nothing'] });
  const doors = (a.audits as { caller: { door: string } }[]).map(({ caller }) => caller.door);
  assert.deepEqual(doors, ['cli', 'rest']);
  assert.doesNotMatch(JSON.stringify(a.audits), /hunter2/);
});
