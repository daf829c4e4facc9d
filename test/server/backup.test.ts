/** Backups of a running server, and putting them back into a data directory whose server is stopped. */
import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { BackupManifest } from '../../src/server/backup-format.ts';
import { restoreBackup } from '../../src/server/restore.ts';
import { RESTORED_FILE } from '../../src/server/restored-mark.ts';
import { formatIp4, type Ip4, parseIp4 } from '../../src/wire/units.ts';
import { eventually } from '../support/eventually.ts';
import { LiveServer, related, refusal, scratch, SHARED, stateOf } from './live.ts';

interface BackedUp {
  readonly Path: string;
  readonly Sequence: number;
  readonly Revision: number;
  readonly IncludesIdentity: boolean;
}

const NOW_SEC = 1_800_000_000;

async function withScope(live: LiveServer): Promise<void> {
  await live.ask('scope.add', { Name: 'lan', StartRange: '10.78.0.10', EndRange: '10.78.0.250', SubnetMask: '255.255.255.0' });
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

  const restored = await restoreBackup({ backup: made.Path, dataDirectory: live.directory, force: true, nowSec: NOW_SEC });
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
  const restored = await restoreBackup({ backup: path, dataDirectory: elsewhere.directory, force: false, nowSec: NOW_SEC });
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
  await eventually('it followed', 10_000, () => b.control.revision().config.scopes[0]?.description === 'changed since' || undefined);
  await b.stop();
  await a.stop();

  const restored = await restoreBackup({ backup: Path, dataDirectory: b.directory, force: true, nowSec: Math.floor(Date.now() / 1000) });
  assert.ok(restored.kind === 'ok', JSON.stringify(restored));
  assert.deepEqual(restored.relationships, [SHARED.Name]);
  const scopeId = parseIp4(SHARED.ScopeId)!;
  const serves = () => b.server.core.rightsOf(scopeId as Ip4).service(b.control.now(), scopeId as Ip4).serves;
  for (let restart = 0; restart < 2; restart++) {
    await b.start();
    await eventually('the mark has done its work', 5000, () => !existsSync(join(b.directory, 'state', RESTORED_FILE)) || undefined);
    await eventually('STARTUP is over', 20_000, () => stateOf(b) === 'recover' || undefined);
    assert.equal(serves(), 'none');
    assert.equal(nameAt(b, '10.77.0.20'), '', `${formatIp4(scopeId)} is an old copy`);
    await b.stop();
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
