/** What a start puts back in memory: which revision is in force, what of the log still has a place, and when a store is lost. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { emptyBinding } from '../../src/core/bindings/binding.ts';
import { defaultConfig, defaultScope } from '../../src/core/config/defaults.ts';
import type { Config } from '../../src/core/config/model.ts';
import { encodeRecord } from '../../src/core/pipeline/record-codec.ts';
import type { LogRecord } from '../../src/core/pipeline/records.ts';
import { AGREED_ID_PREFIX } from '../../src/server/control.ts';
import { type Replayed, type ReplayOutcome, replayStore } from '../../src/server/replay.ts';
import { readRestoredMark, removeRestoredMark, writeRestoredMark } from '../../src/server/restored-mark.ts';
import { nodeFileLayer } from '../../src/store/file-layer.ts';
import { openRevisions, type Revisions } from '../../src/store/revisions.ts';
import { DEFAULT_STORE_LIMITS, openStore } from '../../src/store/store.ts';
import { type EpochSec, type Ip4, parseIp4, type Sec } from '../../src/wire/units.ts';
import { scratch } from './live.ts';

const SCOPE = '10.5.0.0';
const SCOPE_ID = parseIp4(SCOPE)!;
const ADDRESS = parseIp4('10.5.0.20')!;
const SHA = new Uint8Array(32);

class Host {
  readonly stateDirectory: string;
  readonly revisions: Revisions;

  private constructor(stateDirectory: string, revisions: Revisions) {
    this.stateDirectory = stateDirectory;
    this.revisions = revisions;
  }

  static async make(t: TestContext): Promise<Host> {
    const directory = scratch(t);
    return new Host(join(directory, 'state'), await openRevisions(join(directory, 'config'), nodeFileLayer));
  }

  async revise(number: number, config: Config): Promise<void> {
    const revision = { number, madeAt: 1, by: 'test', what: 'for the test', transaction: null, config };
    await this.revisions.write(number, Buffer.from(JSON.stringify(revision)));
  }

  /** Records as a server wrote them before it ended. */
  async write(...records: readonly LogRecord[]): Promise<void> {
    const sink = { restore: () => ({ kind: 'ok' as const }), record: () => ({ kind: 'ok' as const }) };
    const opened = await openStore(this.stateDirectory, nodeFileLayer, DEFAULT_STORE_LIMITS, sink);
    assert.ok(opened.kind === 'ok');
    for (const record of records) opened.store.append(encodeRecord(record));
    opened.store.kick();
    await opened.store.settled();
    await opened.store.close();
  }

  replay(): Promise<ReplayOutcome> {
    return replayStore({
      stateDirectory: this.stateDirectory,
      layer: nodeFileLayer,
      limits: DEFAULT_STORE_LIMITS,
      revisions: this.revisions,
      serverName: 'alpha',
      nowSec: 1000,
      seed: 1,
    });
  }

  /** Replays, closes the store, and answers what was found. */
  async found(): Promise<Replayed> {
    const outcome = await this.replay();
    assert.ok(outcome.kind === 'ok', JSON.stringify(outcome));
    await outcome.value.store.close();
    return outcome.value;
  }
}

function withScopes(...scopeIds: readonly string[]): Config {
  const scopes = scopeIds.map((scopeId) => {
    const [a, b, c] = scopeId.split('.');
    const net = `${a}.${b}.${c}`;
    return defaultScope({
      scopeId,
      subnetMask: '255.255.255.0',
      name: net,
      startRange: `${net}.10`,
      endRange: `${net}.100`,
    });
  });
  return { ...defaultConfig('alpha'), scopes };
}

function inForce(number: number): LogRecord {
  return { kind: 'configuration', number, sha256: SHA };
}

function lease(address: Ip4, hardware = 7): LogRecord {
  const binding = {
    ...emptyBinding(address, 'free'),
    state: 'active' as const,
    hardware: Uint8Array.of(1, 2, 0, 0, 0, 0, hardware),
  };
  return { kind: 'binding', binding: { ...binding, leaseEndAt: 5000 as EpochSec } };
}

test('a first start makes revision 1 and a new store, and nothing is lost', async (t) => {
  const host = await Host.make(t);
  const { revision, replay, isLostStore, restored } = await host.found();
  assert.deepEqual([revision.number, revision.config.server.name], [1, 'alpha']);
  assert.deepEqual([replay.isNew, isLostStore, restored], [true, false, undefined]);
  assert.deepEqual(await host.revisions.list(), [1]);
});

test('a configuration without a store means that the store was lost', async (t) => {
  const host = await Host.make(t);
  await host.found();
  rmSync(host.stateDirectory, { recursive: true });
  const { isLostStore, replay } = await host.found();
  assert.deepEqual([replay.isNew, isLostStore], [true, true]);
});

test('the newest revision is dropped when its record never became durable', async (t) => {
  const host = await Host.make(t);
  await host.revise(1, withScopes(SCOPE));
  await host.revise(2, withScopes(SCOPE, '10.6.0.0'));
  await host.write(inForce(1), lease(ADDRESS));
  const { revision, table } = await host.found();
  assert.equal(revision.number, 1);
  assert.deepEqual(
    table.pools().map((pool) => pool.scopeId),
    [SCOPE_ID],
  );
  assert.equal(table.find(ADDRESS)?.state, 'active', 'the second replay gave everything');
  assert.deepEqual(await host.revisions.list(), [1]);
});

test('of several revisions the one that the newest record names is in force', async (t) => {
  const host = await Host.make(t);
  for (const number of [1, 2, 3])
    await host.revise(number, withScopes(...[SCOPE, '10.6.0.0', '10.7.0.0'].slice(0, number)));
  await host.write(inForce(1), inForce(2), inForce(3));
  assert.equal((await host.found()).table.pools().length, 3);
});

test('a store that names a revision whose file is missing is refused with words', async (t) => {
  const host = await Host.make(t);
  await host.revise(1, withScopes(SCOPE));
  await host.write(inForce(1), inForce(4));
  const outcome = await host.replay();
  assert.ok(outcome.kind === 'bad');
  assert.match(outcome.why, /revision 4 is named by the log but its file is missing/);
  assert.deepEqual(await host.revisions.list(), [1]);
  assert.equal((await host.replay()).kind, 'bad', 'the store was let go, so that it can be asked again');
});

test('a deleted scope takes its leases with it, also when one of the same name exists again', async (t) => {
  const host = await Host.make(t);
  await host.revise(1, withScopes(SCOPE));
  await host.write(inForce(1), lease(ADDRESS), { kind: 'scope-gone', scopeId: SCOPE_ID }, lease((ADDRESS + 1) as Ip4));
  const { table } = await host.found();
  assert.equal(table.find(ADDRESS)?.state, 'free');
  assert.equal(table.find((ADDRESS + 1) as Ip4)?.state, 'active', 'what came after belongs to the new scope');
});

test('leases of a scope that does not exist any more have no place and do no harm', async (t) => {
  const host = await Host.make(t);
  await host.revise(1, withScopes(SCOPE));
  const elsewhere = parseIp4('10.9.0.20')!;
  const gone: LogRecord[] = [
    lease(elsewhere),
    { kind: 'scope-given', scopeId: parseIp4('10.9.0.0')!, owner: 'backup' },
  ];
  await host.write(inForce(1), ...gone, { kind: 'scope-gone', scopeId: parseIp4('10.9.0.0')! });
  const { table } = await host.found();
  assert.equal(table.scopeOf(elsewhere), undefined);
  assert.equal(table.find(elsewhere), undefined);
});

test('owners of never-used addresses come back as scopes and ranges were given', async (t) => {
  const host = await Host.make(t);
  await host.revise(1, withScopes(SCOPE));
  const [first, last] = [(SCOPE_ID + 50) as Ip4, (SCOPE_ID + 60) as Ip4];
  await host.write(
    inForce(1),
    { kind: 'scope-given', scopeId: SCOPE_ID, owner: 'backup' },
    {
      kind: 'range-given',
      first,
      last,
      owner: 'free',
    },
  );
  const { table } = await host.found();
  assert.deepEqual(
    [49, 50, 60, 61].map((n) => table.find((SCOPE_ID + n) as Ip4)?.state),
    ['backup', 'free', 'free', 'backup'],
  );
});

test('the heartbeat written last, open transactions and relationships come back, and forgotten ones do not', async (t) => {
  const host = await Host.make(t);
  await host.revise(1, defaultConfig('alpha'));
  const body = Buffer.from('{"n":1}');
  await host.write(
    { kind: 'heartbeat', wallAt: 3000 as EpochSec },
    { kind: 'heartbeat', wallAt: 2000 as EpochSec },
    { kind: 'transaction', id: 'kept', state: 'prepared', body },
    { kind: 'transaction', id: 'done', state: 'committed', body },
    { kind: 'transaction', id: 'done', state: 'forgotten', body: Buffer.alloc(0) },
    { kind: 'relationship', record: relationship('kept') },
    { kind: 'relationship', record: relationship('gone') },
    { kind: 'relationship-gone', name: 'gone' },
  );
  const { newestAt, transactions, relationships, table } = await host.found();
  assert.equal(newestAt, 2000);
  assert.deepEqual([...transactions.values()], [{ id: 'kept', state: 'prepared', body: '{"n":1}' }]);
  assert.deepEqual([...relationships.keys()], ['kept']);
  assert.deepEqual(table.pools(), []);
});

test('a record of a later release refuses the store', async (t) => {
  const host = await Host.make(t);
  await host.revise(1, defaultConfig('alpha'));
  await host.write(inForce(1));
  const opened = await openStore(host.stateDirectory, nodeFileLayer, DEFAULT_STORE_LIMITS, {
    restore: () => ({ kind: 'ok' }),
    record: () => ({ kind: 'ok' }),
  });
  assert.ok(opened.kind === 'ok');
  opened.store.append(Uint8Array.of(250, 1, 0, 0));
  opened.store.kick();
  await opened.store.settled();
  await opened.store.close();
  assert.equal((await host.replay()).kind, 'bad');
});

test('a store that was put back counts as lost: leases come back, what the relationships knew does not', async (t) => {
  const host = await Host.make(t);
  await host.revise(1, withScopes(SCOPE));
  const agreed = {
    kind: 'transaction',
    id: `${AGREED_ID_PREFIX}x`,
    state: 'committed',
    body: Buffer.from('{}'),
  } as const;
  await host.write(inForce(1), lease(ADDRESS), { kind: 'relationship', record: relationship('pair') }, agreed);
  await writeRestoredMark(host.stateDirectory, { madeAt: 900, restoredAt: 4000 });
  const found = await host.found();
  assert.equal(found.isLostStore, true);
  assert.deepEqual(found.restored, { madeAt: 900, restoredAt: 4000 });
  assert.deepEqual([...found.relationships.keys()], []);
  assert.equal(found.table.find(ADDRESS)?.state, 'active');
  assert.equal(found.newestAt, 4000, 'the restore is the newest durable time');

  await removeRestoredMark(host.stateDirectory);
  await removeRestoredMark(host.stateDirectory);
  const later = await host.found();
  assert.deepEqual([later.isLostStore, later.restored, later.relationships.size], [false, undefined, 1]);
});

test('a mark that cannot be read is one all the same', async (t) => {
  const host = await Host.make(t);
  await host.found();
  await writeRestoredMark(host.stateDirectory, { madeAt: -1, restoredAt: 0 });
  assert.deepEqual(await readRestoredMark(host.stateDirectory), { madeAt: 0, restoredAt: 0 });
});

function relationship(name: string) {
  return {
    name,
    id: name,
    state: 'normal' as const,
    stateSinceAt: 10 as EpochSec,
    partnerState: undefined,
    partnerFlags: 0,
    partnerStateAt: 0 as EpochSec,
    partnerDownAt: 0 as EpochSec,
    lastOperationalAt: 0 as EpochSec,
    skewSec: 0 as Sec,
    mcltWasSec: 0 as Sec,
    mcltWasUntilAt: 0 as EpochSec,
    partnerStoreId: undefined,
    partnerSequence: 0,
    wantsAll: false,
    recoverWaitUntilAt: 0 as EpochSec,
    silentScopeIds: [],
    holdsAllData: false,
  };
}

test('a revision file that was changed from outside is told from the one that was put in force', async (t) => {
  const host = await Host.make(t);
  await host.revise(1, defaultConfig('replay'));
  const bytes = await host.revisions.read(1);
  assert.ok(bytes !== undefined);
  await host.write({ kind: 'configuration', number: 1, sha256: createHash('sha256').update(bytes).digest() });
  const same = await host.replay();
  assert.ok(same.kind === 'ok');
  assert.equal(same.value.isConfigEdited, false);
  await same.value.store.close();
  await host.revise(1, defaultConfig('edited'));
  const edited = await host.replay();
  assert.ok(edited.kind === 'ok');
  assert.equal(edited.value.isConfigEdited, true);
  assert.equal(edited.value.revision.config.server.name, 'edited');
  await edited.value.store.close();
});
