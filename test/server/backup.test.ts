/** Backups of a running server, and putting them back into a data directory whose server is stopped. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeBackup } from '../../src/server/backup.ts';
import { type BackupManifest, copyFile } from '../../src/server/backup-format.ts';
import { restoreBackup } from '../../src/server/restore.ts';
import { RESTORED_FILE } from '../../src/server/restored-mark.ts';
import { nodeFileLayer } from '../../src/store/file-layer.ts';
import type { FileLayer } from '../../src/store/store-types.ts';
import { parseIp4 } from '../../src/wire/units.ts';
import { eventually } from '../support/eventually.ts';
import { LiveServer, refusal, related, SHARED, scratch, stateOf } from './live.ts';

interface BackedUp {
  readonly Path: string;
  readonly Sequence: number;
  readonly Revision: number;
  readonly IncludesIdentity: boolean;
}

const NOW_SEC = 1_800_000_000;

async function withScope(live: LiveServer): Promise<void> {
  await live.ask('scope.add', {
    Name: 'lan',
    StartRange: '10.78.0.10',
    EndRange: '10.78.0.250',
    SubnetMask: '255.255.255.0',
  });
}

/** Gives an address a host name: a durable change of its binding that can be found again. */
async function mark(live: LiveServer, address: string, hostName: string): Promise<void> {
  const { bindings, changeBindings } = live.control;
  const binding = bindings.find(parseIp4(address)!)!;
  const hardware = Uint8Array.of(1, 2, 0, 0, 0, 0, Number(address.split('.')[3]));
  const leaseEndAt = (live.control.now().wallAt + 3600) as typeof binding.leaseEndAt;
  await changeBindings([{ ...binding, state: 'active', hardware, leaseEndAt, hostName: Buffer.from(hostName) }]);
}

function nameAt(live: LiveServer, address: string): string {
  const { hostName } = live.control.bindings.find(parseIp4(address)!) ?? {};
  return hostName === undefined ? '' : Buffer.from(hostName).toString();
}

function manifestAt(path: string): BackupManifest {
  return JSON.parse(readFileSync(join(path, 'manifest.json'), 'utf8')) as BackupManifest;
}

test('a backup of a server that works on is put back as it was, with configuration, without identity', async (t) => {
  const live = await LiveServer.open(t, 'alpha');
  await withScope(live);
  await mark(live, '10.78.0.10', 'before');
  const making = live.ask<BackedUp>('backup.make');
  // Changes go on while files are copied; each may be in the copy or not, but the copy is whole.
  for (let last = 20; last < 60; last++) await mark(live, `10.78.0.${last}`, 'during');
  const made = await making;
  assert.equal(made.Path.startsWith(join(live.directory, 'backups')), true);
  assert.equal(made.IncludesIdentity, false);
  assert.equal(existsSync(join(made.Path, 'identity')), false);
  const manifest = manifestAt(made.Path);
  assert.deepEqual(
    [manifest.serverName, manifest.key, manifest.sequence, manifest.revision],
    ['alpha', live.control.key, made.Sequence, made.Revision],
  );
  await mark(live, '10.78.0.11', 'after');
  await live.ask('scope.remove', { ScopeId: ['10.78.0.0'], Force: true });
  await live.stop();

  const restored = await restoreBackup({
    backup: made.Path,
    dataDirectory: live.directory,
    force: true,
    nowSec: NOW_SEC,
  });
  assert.ok(restored.kind === 'ok', JSON.stringify(restored));
  assert.equal(restored.identity, 'kept');
  assert.deepEqual(restored.keptAside, [
    join(live.directory, 'state.replaced-20270115T080000Z'),
    join(live.directory, 'config.replaced-20270115T080000Z'),
  ]);
  await live.start();
  assert.equal(live.control.key, manifest.key);
  assert.equal(live.control.revision().number, made.Revision);
  assert.equal(nameAt(live, '10.78.0.10'), 'before');
  assert.notEqual(nameAt(live, '10.78.0.11'), 'after');
});

test('files of a backup are private, and the identity is in it only when asked for', async (t) => {
  const live = await LiveServer.open(t, 'alpha');
  const path = join(scratch(t), 'full');
  await live.ask('backup.make', { Path: path, IncludeIdentity: true });
  const names = readdirSync(path, { recursive: true }).map(String);
  assert.ok(names.includes('identity/key.pem') && names.includes('manifest.json'));
  for (const name of names) assert.equal(statSync(join(path, name)).mode & 0o077, 0, name);
  const { key } = live.control;
  await live.stop();
  // On a new machine there is nothing yet, so that nothing has to be forced and the identity comes back as well.
  const elsewhere = new LiveServer('alpha', join(live.directory, '..', 'new'));
  mkdirSync(elsewhere.directory);
  const restored = await restoreBackup({
    backup: path,
    dataDirectory: elsewhere.directory,
    force: false,
    nowSec: NOW_SEC,
  });
  assert.ok(restored.kind === 'ok', JSON.stringify(restored));
  assert.equal(restored.identity, 'restored');
  await elsewhere.start();
  const restoredKey = elsewhere.control.key;
  await elsewhere.stop();
  assert.equal(restoredKey, key);
});

test('a place that is taken, relative or among the server’s own files is refused, and nothing is written', async (t) => {
  const live = await LiveServer.open(t, 'alpha');
  const taken = scratch(t);
  writeFileSync(join(taken, 'mine'), '');
  const inside = join(live.directory, 'state', 'backup');
  for (const Path of [taken, inside, join(taken, 'mine', 'below')]) {
    assert.equal(refusal(await live.run('backup.make', { Path })), 'backup/bad-place', Path);
  }
  assert.equal(refusal(await live.run('backup.make', { Path: 'relative' })), 'request/invalid-parameter');
  assert.deepEqual(readdirSync(taken), ['mine']);
  assert.equal(existsSync(inside), false);
});

test('what-if says where the backup would go and makes none', async (t) => {
  const live = await LiveServer.open(t, 'alpha');
  const path = join(scratch(t), 'later');
  const outcome = await live.run('backup.make', { Path: path }, true);
  assert.ok(outcome.kind === 'ok');
  assert.match(JSON.stringify(outcome.value), /Copies state and configuration, without the identity, to .*later/);
  assert.equal(existsSync(path), false);
});

test('of two backups at once one is made', async (t) => {
  const live = await LiveServer.open(t, 'alpha');
  const parent = scratch(t);
  const both = await Promise.all([
    live.run('backup.make', { Path: join(parent, 'one') }),
    live.run('backup.make', { Path: join(parent, 'two') }),
  ]);
  assert.deepEqual(both.map((one) => refusal(one) ?? 'made').sort(), ['backup/busy', 'made']);
});

test('a restore refuses while the server runs, without force over what is there, and from a backup that is not whole', async (t) => {
  const live = await LiveServer.open(t, 'alpha');
  await withScope(live);
  const backup = join(scratch(t), 'backup');
  await live.ask('backup.make', { Path: backup });
  const options = { backup, dataDirectory: live.directory, force: true, nowSec: NOW_SEC };
  const whyOf = async (changed: Partial<typeof options> = {}): Promise<string> => {
    const restored = await restoreBackup({ ...options, ...changed });
    return restored.kind === 'bad' ? restored.why : 'restored';
  };
  assert.match(await whyOf(), /is in use by process/);
  const number = live.control.revision().number;
  await live.stop();
  assert.match(await whyOf({ force: false }), /would be replaced. Give --force/);
  assert.match(await whyOf({ backup: live.directory }), /is no backup/);
  const state = join(backup, 'state');
  const log = readdirSync(state).find((name) => name.startsWith('log-'))!;
  appendFileSync(join(state, log), 'x');
  assert.match(await whyOf(), /is damaged/);
  const manifest = join(backup, 'manifest.json');
  const text = readFileSync(manifest, 'utf8');
  writeFileSync(manifest, text.replace(`state/${log}`, `state/log-missing`));
  assert.match(await whyOf(), /is not whole/);
  writeFileSync(manifest, text.replace(`state/${log}`, `../../etc/passwd`));
  assert.match(await whyOf(), /is not a manifest/);
  assert.deepEqual(readdirSync(live.directory).sort(), ['config', 'identity', 'state']);
  await live.start();
  assert.equal(live.control.revision().number, number);
});

test('a restored half waits in RECOVER while its partner is away, over restarts, and gets the present from it', async (t) => {
  const { a, b } = await related(t);
  const bothNormal = () => (stateOf(a) === 'normal' && stateOf(b) === 'normal') || undefined;
  await eventually('both in NORMAL', 20_000, bothNormal);
  const { Path } = await b.ask<BackedUp>('backup.make');
  await mark(a, '10.77.0.20', 'newer');
  await eventually('b knows', 10_000, () => nameAt(b, '10.77.0.20') === 'newer' || undefined);
  // Both agree on this change after the backup; the copy cannot know of it.
  await a.ask('scope.set-by-without-range', { ScopeId: SHARED.ScopeId, Description: 'changed since' });
  await eventually(
    'it followed',
    10_000,
    () => b.control.revision().config.scopes[0]?.description === 'changed since' || undefined,
  );
  await b.stop();
  await a.stop();

  const restored = await restoreBackup({
    backup: Path,
    dataDirectory: b.directory,
    force: true,
    nowSec: Math.floor(Date.now() / 1000),
  });
  assert.ok(restored.kind === 'ok', JSON.stringify(restored));
  assert.deepEqual(restored.relationships, [SHARED.Name]);
  const scopeId = parseIp4(SHARED.ScopeId)!;
  for (let restart = 0; restart < 2; restart++) {
    await b.start();
    const endpoint = b.server.core.endpoint(SHARED.Name)!;
    const { state, wantsAll, recoverWaitUntilAt } = endpoint.record();
    assert.deepEqual([state, wantsAll], ['recover', true]);
    assert.ok(recoverWaitUntilAt > b.control.now().wallAt, 'leases that this copy does not know of may still run');
    assert.equal(endpoint.rights.service(b.control.now(), scopeId).serves, 'none');
    assert.equal(nameAt(b, '10.77.0.20'), '', 'it is an old copy');
    await b.stop();
    assert.equal(existsSync(join(b.directory, 'state', RESTORED_FILE)), false, 'the mark has done its work');
  }
  await b.start();
  await a.start();
  await eventually('both in NORMAL again', 40_000, bothNormal);
  assert.equal(nameAt(b, '10.77.0.20'), 'newer');
  const differences = await eventually('the two configurations are compared', 20_000, async () => {
    const rows = await b.ask<{ Relationship?: string }[]>('config.diff', { Relationship: SHARED.Name });
    return rows.length > 0 ? rows : undefined;
  });
  assert.match(JSON.stringify(differences), /changed since/);
});

test('a restored half whose partner is gone for good serves again once the relationship is removed by force', async (t) => {
  const { a, b } = await related(t);
  await eventually('both in NORMAL', 20_000, () => (stateOf(a) === 'normal' && stateOf(b) === 'normal') || undefined);
  const { Path } = await b.ask<BackedUp>('backup.make');
  await b.stop();
  await a.stop();
  const nowSec = Math.floor(Date.now() / 1000);
  assert.equal((await restoreBackup({ backup: Path, dataDirectory: b.directory, force: true, nowSec })).kind, 'ok');
  await b.start();
  const scopeId = parseIp4(SHARED.ScopeId)!;
  const serves = () => b.server.core.rightsOf(scopeId).service(b.control.now(), scopeId).serves;
  assert.equal(serves(), 'none');
  await b.ask('failover.remove', { Name: [SHARED.Name], Force: true });
  assert.equal(serves(), 'all');
});

test('a copy goes in pieces small enough to serve between them, and is what was read, byte for byte', async (t) => {
  const directory = scratch(t);
  const bytes = Buffer.from(Array.from({ length: 1_000_003 }, (_, n) => (n * 7) & 0xff));
  writeFileSync(join(directory, 'source'), bytes);
  const pieces: number[] = [];
  const copied = await copyFile({
    from: recordingReads(pieces),
    source: join(directory, 'source'),
    target: join(directory, 'target'),
  });
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  assert.deepEqual(copied, { bytes: bytes.length, sha256 });
  assert.deepEqual(readFileSync(join(directory, 'target')), bytes);
  assert.ok(Math.max(...pieces) <= 256 * 1024, `pieces of ${pieces.join(', ')}`);
  assert.equal(await copyFile({ from: nodeFileLayer, source: join(directory, 'none'), target: directory }), undefined);
});

test('a backup is given up when the server stops, and leaves nothing behind', async (t) => {
  const live = await LiveServer.open(t, 'alpha');
  const path = join(scratch(t), 'given-up');
  const making = live.run('backup.make', { Path: path });
  await live.stop();
  assert.equal(refusal(await making), 'backup/failed');
  assert.deepEqual(readdirSync(path), []);
});

test('a backup that is stopped between two files leaves nothing behind', async (t) => {
  const live = await LiveServer.open(t, 'alpha');
  await live.stop();
  const path = join(scratch(t), 'stopped');
  let asked = 0;
  const of = (part: string) => join(live.directory, part);
  const made = await makeBackup(
    {
      directories: { state: of('state'), config: of('config'), identity: of('identity') },
      layer: nodeFileLayer,
      head: () => ({
        version: '1',
        serverName: 'alpha',
        key: 'aa'.repeat(32),
        storeId: new Uint8Array(16),
        sequence: 1,
        revision: 1,
        madeAt: NOW_SEC,
      }),
      withStillFiles: (run) => run(),
      isStopping: () => ++asked > 1,
    },
    { path, includeIdentity: false },
  );
  assert.ok(made.kind === 'failed' && made.problem.code === 'backup/failed');
  assert.equal(asked, 2, 'one file was copied');
  assert.deepEqual(readdirSync(path), []);
});

function recordingReads(pieces: number[]): FileLayer {
  return {
    ...nodeFileLayer,
    open: async (path, how) => {
      const file = await nodeFileLayer.open(path, how);
      return {
        write: (bytes, at) => file.write(bytes, at),
        truncate: (length) => file.truncate(length),
        flush: () => file.flush(),
        close: () => file.close(),
        read: (into, at) => {
          pieces.push(into.length);
          return file.read(into, at);
        },
      };
    },
  };
}
