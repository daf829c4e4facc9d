/** The store, its lock, revisions and private files over the real files of the machine. */
import assert from 'node:assert/strict';
import { chmod, link, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { nodeFileLayer } from '../../src/store/file-layer.ts';
import { PRIVATE_BYTES_MAX, readPrivate, writePrivate } from '../../src/store/identity-files.ts';
import { lockDirectory } from '../../src/store/lock.ts';
import { openRevisions } from '../../src/store/revisions.ts';
import { DEFAULT_STORE_LIMITS, openStore } from '../../src/store/store.ts';
import type { Store, StoreLimits } from '../../src/store/store-types.ts';
import { PowerCutLayer } from './power-cut-layer.ts';
import { Random } from './random.ts';
import { SHARED_SLOTS, SlotHistory, SlotTable, slotRecord } from './slot-world.ts';

let root = '';
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'twinlease-store-'));
});
after(() => rm(root, { recursive: true }));

async function open(dir: string, table: SlotTable, limits: StoreLimits = DEFAULT_STORE_LIMITS): Promise<Store> {
  const opened = await openStore(dir, nodeFileLayer, limits, table.sink);
  if (opened.kind === 'bad') assert.fail(opened.why);
  return opened.store;
}

test('a new store is private, tells its id again, and gives back its records in order', async () => {
  const dir = join(root, 'deep', 'new');
  const first = await openStore(dir, nodeFileLayer, DEFAULT_STORE_LIMITS, new SlotTable().sink);
  if (first.kind === 'bad') assert.fail(first.why);
  assert.equal(first.replay.isNew, true);
  assert.equal(first.store.storeId.length, 16);
  assert.equal((await stat(dir)).mode & 0o777, 0o700);
  assert.equal((await stat(join(root, 'deep'))).mode & 0o777, 0o700);
  for (const name of await readdir(dir)) assert.equal((await stat(join(dir, name))).mode & 0o777, 0o600, name);
  assert.equal(first.store.openSequence, 1);
  assert.equal(first.store.append(slotRecord(1, 7)), 1);
  assert.equal(first.store.durableSequence, 0);
  await first.store.settled();
  assert.equal(first.store.durableSequence, 1);
  assert.equal(first.store.append(slotRecord(1, 8)), 2);
  await first.store.close();
  assert.equal(first.store.append(slotRecord(1, 9)), -1);
  const table = new SlotTable();
  const again = await openStore(dir, nodeFileLayer, DEFAULT_STORE_LIMITS, table.sink);
  if (again.kind === 'bad') assert.fail(again.why);
  assert.deepEqual(again.store.storeId, first.store.storeId);
  const { sequence, frames, records, isNew, tornBytes } = again.replay;
  assert.deepEqual(
    { sequence, frames, records, isNew, tornBytes },
    { sequence: 2, frames: 2, records: 2, isNew: false, tornBytes: 0 },
  );
  assert.deepEqual(table.sequences, [1, 2]);
  assert.equal(table.slots[1], 8);
  await again.store.close();
});

test('one directory is opened once at a time, and again after it was closed', async () => {
  const dir = join(root, 'locked');
  const store = await open(dir, new SlotTable());
  const second = await openStore(dir, nodeFileLayer, DEFAULT_STORE_LIMITS, new SlotTable().sink);
  assert.equal(second.kind, 'bad');
  if (second.kind === 'bad') assert.match(second.why, new RegExp(`in use by process ${process.pid}`));
  await store.close();
  await (await open(dir, new SlotTable())).close();
});

test('without flock the lock is held by a living process and stale after a dead one', async () => {
  const dir = join(root, 'named-lock');
  await nodeFileLayer.mkdir(dir);
  const none = () => 'unsupported' as const;
  const first = await lockDirectory(dir, none);
  if (first.kind === 'bad') assert.fail(first.why);
  assert.equal((await lockDirectory(dir, none)).kind, 'bad');
  const text = await readFile(join(dir, 'lock'), 'latin1');
  first.release();
  assert.equal(await readFile(join(dir, 'lock'), 'latin1'), '');
  // The same number, started at another time, is another process.
  await writeFile(join(dir, 'lock'), text.replace(/\d+$/, '1'));
  const second = await lockDirectory(dir, none);
  if (second.kind === 'bad') assert.fail(second.why);
  second.release();
});

test('a snapshot by the worker while records go on gives the same state as the log alone', async () => {
  const dir = join(root, 'snapshot');
  const limits = { ...DEFAULT_STORE_LIMITS, logFileBytesMax: 4000, snapshotEveryBytes: 3000, snapshotChunkBytes: 16 };
  const table = new SlotTable();
  const store = await open(dir, table, limits);
  const history = new SlotHistory();
  const random = new Random(9);
  for (let n = 0; n < 60; n++) {
    for (let records = 0; records < 5; records++) history.change(store, table, random);
    await store.settled();
  }
  assert.equal(store.isSnapshotDue, true);
  let isRunning = true;
  const snapshot = store
    .snapshot(table, () => table.extraRecords())
    .finally(() => {
      isRunning = false;
    });
  assert.equal(store.isSnapshotDue, false);
  while (isRunning) {
    history.change(store, table, random);
    await store.settled();
  }
  await snapshot;
  assert.equal(table.copies, 1);
  const names = await readdir(dir);
  assert.equal(names.filter((name) => name.startsWith('snapshot-')).length, 1);
  assert.equal(names.includes('log-0000000000000001'), false, 'the log before the snapshot is removed');
  for (const name of names) assert.equal((await stat(join(dir, name))).mode & 0o777, 0o600, name);
  await store.close();
  const back = new SlotTable();
  const opened = await openStore(dir, nodeFileLayer, limits, back.sink);
  if (opened.kind === 'bad') assert.fail(opened.why);
  assert.ok(opened.replay.snapshotSequence > 0);
  assert.deepEqual(back.state(), history.stateAt(opened.replay.sequence));
  assert.equal(opened.replay.sequence, store.durableSequence);
  await opened.store.close();
});

test('a snapshot that is not due is not taken, and one that is under way is given up by close', async () => {
  const dir = join(root, 'given-up');
  const table = new SlotTable();
  const store = await open(dir, table);
  await store.snapshot(table, () => []);
  assert.equal(table.copies, 0);
  const snapshot = assert.rejects(
    store.snapshot(table, () => [], true),
    /closes/,
  );
  await store.close();
  await snapshot;
  assert.equal(table.copies, 1);
  assert.deepEqual((await readdir(dir)).sort(), ['lock', 'log-0000000000000001']);
  await assert.rejects(
    store.snapshot(table, () => [], true),
    /closed/,
  );
});

test('a snapshot of several flushes comes back byte for byte', async () => {
  const dir = join(root, 'large');
  const buffer = new SharedArrayBuffer(17 * 1024 * 1024 + 5);
  const bytes = new Uint8Array(buffer);
  for (let at = 0; at < bytes.length; at++) bytes[at] = Math.imul(at, 0x9e3779b1) >>> 24;
  const store = await open(dir, new SlotTable());
  const names = ['rows', 'names'];
  const source = {
    beginCopy: () => names.map((name) => ({ name, buffer, byteLength: name === 'rows' ? bytes.length : 7 })),
    endCopy: () => {},
    restore: () => ({ kind: 'ok' as const }),
  };
  await store.snapshot(source, () => [new Uint8Array([1, 2]), new Uint8Array(0)], true);
  await store.close();
  let sections: readonly { readonly name: string; readonly bytes: Uint8Array }[] = [];
  const extras: number[][] = [];
  const opened = await openStore(dir, nodeFileLayer, DEFAULT_STORE_LIMITS, {
    restore: (found) => {
      sections = found;
      return { kind: 'ok' };
    },
    record: (record, sequence) => {
      extras.push([sequence, ...record]);
      return { kind: 'ok' };
    },
  });
  if (opened.kind === 'bad') assert.fail(opened.why);
  await opened.store.close();
  assert.deepEqual(
    sections.map(({ name }) => name),
    names,
  );
  assert.equal(Buffer.compare(sections[0]!.bytes, bytes), 0);
  assert.equal(Buffer.compare(sections[1]!.bytes, bytes.subarray(0, 7)), 0);
  assert.equal(sections[0]!.bytes.byteOffset, 0, 'wider numbers can be laid over the bytes');
  assert.deepEqual(extras, [[0, 1, 2], [0]]);
});

test('a snapshot whose file cannot be made is told to its caller, and its copy is ended', async () => {
  const dir = join(root, 'vanished');
  const table = new SlotTable();
  const store = await open(dir, table);
  await rm(dir, { recursive: true });
  await assert.rejects(
    store.snapshot(table, () => [], true),
    /ENOENT/,
  );
  assert.equal(table.copies, 1);
  await store.close();
});

test('two forced snapshots follow each other', async () => {
  const dir = join(root, 'two-snapshots');
  const table = new SlotTable();
  const store = await open(dir, table);
  store.append(slotRecord(0, 1));
  table.set(0, 1);
  const first = store.snapshot(table, () => table.extraRecords(), true);
  store.append(slotRecord(1, 2));
  table.set(1, 2);
  await Promise.all([first, store.snapshot(table, () => table.extraRecords(), true)]);
  assert.equal(table.copies, 2);
  assert.equal((await readdir(dir)).filter((name) => name.startsWith('snapshot-')).length, 1);
  await store.close();
});

test('records of any number and length come back as they were, whatever the limits', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 12 }), { maxLength: 12 }),
      fc.integer({ min: 1, max: 700 }),
      fc.integer({ min: 300, max: 3000 }),
      async (batches, frameBytesMax, logFileBytesMax) => {
        const layer = new PowerCutLayer({ random: new Random(1) });
        const limits = { frameBytesMax, logFileBytesMax, snapshotEveryBytes: 1e9, waitingBytesMax: 1e6 };
        const given: { sequence: number; bytes: number[] }[] = [];
        const first = await openStore('/state', layer, limits, new SlotTable().sink);
        if (first.kind === 'bad') assert.fail(first.why);
        for (const batch of batches) {
          for (const bytes of batch) given.push({ sequence: first.store.append(bytes), bytes: [...bytes] });
          first.store.kick();
          await undefined;
        }
        await first.store.close();
        const back: typeof given = [];
        const again = await openStore('/state', layer, limits, {
          restore: () => ({ kind: 'bad', why: 'there is no snapshot' }),
          record: (bytes, sequence) => {
            back.push({ sequence, bytes: [...bytes] });
            return { kind: 'ok' };
          },
        });
        if (again.kind === 'bad') assert.fail(again.why);
        assert.deepEqual(back, given);
        assert.equal(again.replay.records, given.length);
      },
    ),
    { numRuns: 150 },
  );
});

test('a record or section that its owner cannot read makes the store refuse with the place', async () => {
  const dir = join(root, 'unreadable');
  const table = new SlotTable();
  const store = await open(dir, table);
  store.append(slotRecord(SHARED_SLOTS, 1));
  store.append(slotRecord(99_999, 1));
  await store.close();
  const opened = await openStore(dir, nodeFileLayer, DEFAULT_STORE_LIMITS, new SlotTable().sink);
  assert.equal(opened.kind, 'bad');
  if (opened.kind === 'bad')
    assert.match(opened.why, /log-0000000000000001: the frame at byte 256 .*record 1 .*no such slot/);
});

test('a directory that cannot be used is refused in words', async () => {
  const path = join(root, 'plain-file');
  await writeFile(path, '');
  const opened = await openStore(path, nodeFileLayer, DEFAULT_STORE_LIMITS, new SlotTable().sink);
  assert.equal(opened.kind, 'bad');
  if (opened.kind === 'bad') assert.match(opened.why, /EEXIST|ENOTDIR/);
});

test('revisions are kept by number, replaced whole, listed in order and removed', async () => {
  const dir = join(root, 'config');
  const revisions = await openRevisions(dir, nodeFileLayer);
  await Promise.all([
    revisions.write(10, Buffer.from('ten')),
    revisions.write(2, Buffer.from('two')),
    revisions.write(2, Buffer.from('2')),
  ]);
  assert.deepEqual(await revisions.list(), [2, 10]);
  assert.equal(Buffer.from((await revisions.read(2)) ?? []).toString(), '2');
  assert.equal(await revisions.read(3), undefined);
  await writeFile(join(dir, 'revision-0000000007.tmp'), 'half');
  const again = await openRevisions(dir, nodeFileLayer);
  await again.remove(2);
  await again.remove(2);
  assert.deepEqual(await again.list(), [10]);
  assert.deepEqual(await readdir(dir), ['revision-0000000010']);
  assert.equal((await stat(join(dir, 'revision-0000000010'))).mode & 0o777, 0o600);
  assert.throws(() => again.write(0, new Uint8Array(1)), RangeError);
});

test('a revision that was written survives a power cut whole', async () => {
  for (let seed = 0; seed < 200; seed++) {
    const random = new Random(seed);
    const layer = new PowerCutLayer({ random, cutAtCall: 2 + random.below(14) });
    let written = 0;
    const write = async () => {
      const revisions = await openRevisions('/config', layer);
      for (let number = 1; number <= 3; number++) {
        await revisions.write(number, new Uint8Array(100).fill(number));
        written = number;
      }
      layer.cutNow();
    };
    await Promise.race([write(), layer.cut]);
    const back = await openRevisions('/config', layer.afterPowerCut({ random }));
    const numbers = await back.list();
    for (let number = 1; number <= written; number++) assert.ok(numbers.includes(number), `seed ${seed}`);
    for (const number of numbers)
      assert.deepEqual(await back.read(number), new Uint8Array(100).fill(number), `seed ${seed}`);
  }
});

test('a private file is written for its owner alone and read back', async () => {
  const path = join(root, 'identity', 'key.pem');
  assert.deepEqual(await readPrivate(path), { kind: 'absent' });
  await writePrivate(path, Buffer.from('secret'));
  await writePrivate(path, Buffer.from('newer secret'));
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  const read = await readPrivate(path);
  assert.equal(read.kind === 'ok' && Buffer.from(read.bytes).toString(), 'newer secret');
  assert.deepEqual(await readdir(join(root, 'identity')), ['key.pem']);
  await assert.rejects(writePrivate(path, new Uint8Array(PRIVATE_BYTES_MAX + 1)), RangeError);
});

test('a private file that others can read, a link and a directory are refused with words', async () => {
  const dir = join(root, 'leaky');
  const path = join(dir, 'token');
  await writePrivate(path, Buffer.from('secret'));
  await symlink(path, join(dir, 'soft'));
  await chmod(path, 0o640);
  const leaky = await readPrivate(path);
  assert.match(leaky.kind === 'bad' ? leaky.why : '', /mode 0640.*chmod 600/);
  await chmod(path, 0o600);
  await link(path, join(dir, 'hard'));
  assert.equal((await readPrivate(join(dir, 'hard'))).kind, 'ok');
  const soft = await readPrivate(join(dir, 'soft'));
  assert.match(soft.kind === 'bad' ? soft.why : '', /symbolic link/);
  const folder = await readPrivate(dir);
  assert.match(folder.kind === 'bad' ? folder.why : '', /not a regular file/);
});
