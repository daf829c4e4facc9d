/** The configuration in force: one change after the other, from the right base, checked, durable before it holds. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { defaultConfig, defaultScope } from '../../src/core/config/defaults.ts';
import type { Config, Revision } from '../../src/core/config/model.ts';
import { ConfigService, firstRevision, REVISIONS_MAX, readRevision } from '../../src/server/config-service.ts';
import { nodeFileLayer } from '../../src/store/file-layer.ts';
import { openRevisions, type Revisions } from '../../src/store/revisions.ts';
import { scratch } from './live.ts';

interface Kept {
  readonly revisions: Revisions;
  readonly service: ConfigService;
  /** What was put in force, and whether its file was there by then. */
  readonly enforced: { readonly number: number; readonly sha256: string; readonly wasOnDisk: boolean }[];
}

async function opened(t: TestContext, enforce: () => Promise<void> = async () => undefined): Promise<Kept> {
  const revisions = await openRevisions(join(scratch(t), 'config'), nodeFileLayer);
  const first = firstRevision('alpha', 100);
  await revisions.write(1, first.bytes);
  const enforced: Kept['enforced'] = [];
  const service = new ConfigService(
    revisions,
    first.revision,
    async (revision: Revision, sha256: Uint8Array) => {
      const onDisk = await revisions.read(revision.number);
      enforced.push({
        number: revision.number,
        sha256: Buffer.from(sha256).toString('hex'),
        wasOnDisk:
          onDisk !== undefined &&
          createHash('sha256').update(onDisk).digest('hex') === Buffer.from(sha256).toString('hex'),
      });
      await enforce();
    },
    () => 200,
  );
  return { revisions, service, enforced };
}

function named(name: string): Config {
  const base = defaultConfig('alpha');
  return { ...base, server: { ...base.server, name } };
}

test('a change becomes the next revision: on disk first, then in force, then answered', async (t) => {
  const { service, enforced, revisions } = await opened(t);
  const outcome = await service.change({ base: 1, by: 'admin (cli)', what: 'a new name', config: named('beta') });
  assert.ok(outcome.kind === 'ok');
  const { config, ...head } = outcome.revision;
  assert.deepEqual(head, { number: 2, madeAt: 200, by: 'admin (cli)', what: 'a new name', transaction: null });
  assert.equal(config.server.name, 'beta');
  assert.equal(service.present, outcome.revision);
  assert.deepEqual(
    enforced.map(({ number, wasOnDisk }) => [number, wasOnDisk]),
    [[2, true]],
  );
  assert.deepEqual(await readRevision(revisions, 2), outcome.revision);
});

test('a change from an older or a future base is stale and leaves no trace', async (t) => {
  const { service, revisions, enforced } = await opened(t);
  await service.change({ base: 1, by: 'a', what: 'first', config: named('beta') });
  for (const base of [1, 3, 0]) {
    const outcome = await service.change({ base, by: 'b', what: 'late', config: named('gamma') });
    assert.deepEqual(outcome, { kind: 'stale', present: 2 });
  }
  assert.equal(service.present.config.server.name, 'beta');
  assert.deepEqual(await revisions.list(), [1, 2]);
  assert.equal(enforced.length, 1);
});

test('of several changes from one base at the same time exactly one holds', async (t) => {
  const { service } = await opened(t);
  const outcomes = await Promise.all(
    ['beta', 'gamma', 'delta'].map((name) => service.change({ base: 1, by: name, what: name, config: named(name) })),
  );
  assert.deepEqual(
    outcomes.map((one) => one.kind),
    ['ok', 'stale', 'stale'],
  );
  assert.equal(service.present.config.server.name, 'beta');
});

test('a configuration that breaks a rule is refused with the rule’s problem and leaves no trace', async (t) => {
  const { service, revisions } = await opened(t);
  const scope = defaultScope({
    scopeId: '10.0.0.0',
    subnetMask: '255.255.255.0',
    name: 'lan',
    startRange: '10.0.0.200',
    endRange: '10.0.0.20',
  });
  const outcome = await service.change({
    base: 1,
    by: 'a',
    what: 'wrong',
    config: { ...named('beta'), scopes: [scope] },
  });
  assert.ok(outcome.kind === 'bad');
  assert.deepEqual(
    outcome.problems.map((one) => one.code),
    ['config/invalid-range'],
  );
  assert.equal(service.present.number, 1);
  assert.deepEqual(await revisions.list(), [1]);
});

test('a change that could not be put in force is told to its caller, and does not stop the next from being tried', async (t) => {
  let isBroken = true;
  const { service } = await opened(t, async () => {
    if (isBroken) throw new Error('the store is gone');
  });
  const failing = service.change({ base: 1, by: 'a', what: 'lost', config: named('beta') });
  await assert.rejects(failing, /the store is gone/);
  isBroken = false;
  const next = await service.change({ base: service.present.number, by: 'a', what: 'next', config: named('gamma') });
  assert.equal(next.kind, 'ok');
});

test('history tells who, when and what, oldest first, without the configurations', async (t) => {
  const { service } = await opened(t);
  await service.change({ base: 1, by: 'a', what: 'first', config: named('beta') });
  await service.change({ base: 2, by: 'b', what: 'second', config: named('gamma'), transaction: 'id-1' });
  assert.deepEqual(await service.history(), [
    { number: 1, madeAt: 100, by: 'server', what: 'first start', transaction: null },
    { number: 2, madeAt: 200, by: 'a', what: 'first', transaction: null },
    { number: 3, madeAt: 200, by: 'b', what: 'second', transaction: 'id-1' },
  ]);
});

test('a file beyond the revision in force is no part of the history', async (t) => {
  const { service, revisions } = await opened(t);
  await revisions.write(2, firstRevision('alpha', 1).bytes);
  assert.deepEqual(
    (await service.history()).map((one) => one.number),
    [1],
  );
});

test('a bounded number of revisions is kept', async () => {
  const removed: number[] = [];
  const revisions: Revisions = {
    write: async () => undefined,
    read: async () => undefined,
    list: async () => [],
    remove: async (number) => {
      removed.push(number);
    },
  };
  const first = firstRevision('alpha', 1).revision;
  const present = { ...first, number: REVISIONS_MAX };
  const service = new ConfigService(
    revisions,
    present,
    async () => undefined,
    () => 1,
  );
  for (let base = REVISIONS_MAX; base < REVISIONS_MAX + 3; base++) {
    assert.equal((await service.change({ base, by: 'a', what: `${base}`, config: named(`n${base}`) })).kind, 'ok');
  }
  assert.deepEqual(removed, [1, 2, 3]);
});

test('a stored revision that this release cannot read says which and why', async (t) => {
  const { revisions } = await opened(t);
  const { revision } = firstRevision('alpha', 1);
  const wrong = { ...revision, number: 5, config: { ...revision.config, formatVersion: 9 } };
  await revisions.write(5, Buffer.from(JSON.stringify(wrong)));
  await assert.rejects(readRevision(revisions, 5), /revision 5 cannot be read: formatVersion/);
  assert.equal(await readRevision(revisions, 6), undefined);
});
