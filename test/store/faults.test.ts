/** A full disk, a failing flush and a short write: said once, nothing retried, nothing acknowledged afterwards or lost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openStore } from '../../src/store/store.ts';
import type { Store, StoreLimits } from '../../src/store/store-types.ts';
import { PowerCutLayer, type PowerCutOptions } from './power-cut-layer.ts';
import { Random } from './random.ts';
import { SlotHistory, SlotTable } from './slot-world.ts';

const DIR = '/state';
const LIMITS: StoreLimits = {
  frameBytesMax: 500,
  logFileBytesMax: 900,
  snapshotEveryBytes: 1e6,
  waitingBytesMax: 4000,
};
const COMMITS = 12;

interface Outcome {
  readonly history: SlotHistory;
  readonly acknowledged: number;
  readonly failures: readonly Error[];
  readonly layer: PowerCutLayer;
  readonly refusal: string | undefined;
}

/** A store that commits frame after frame until its layer fails. */
async function runInto(options: PowerCutOptions): Promise<Outcome> {
  const layer = new PowerCutLayer(options);
  const history = new SlotHistory();
  const table = new SlotTable();
  const failures: Error[] = [];
  let acknowledged = 0;
  const opened = await openStore(DIR, layer, LIMITS, table.sink);
  if (opened.kind === 'bad') return { history, acknowledged, failures, layer, refusal: opened.why };
  const { store } = opened;
  store.onDurable((sequence) => {
    assert.equal(failures.length, 0, 'nothing becomes durable after a failure');
    acknowledged = sequence;
  });
  store.onFailed((cause) => failures.push(cause));
  const random = new Random(21);
  for (let n = 0; n < COMMITS && failures.length === 0; n++) {
    for (let records = 0; records < 3; records++) history.change(store, table, random);
    await store.settled().catch(() => {});
  }
  if (failures.length > 0) await afterFailure(store, layer, failures);
  return { history, acknowledged, failures, layer, refusal: undefined };
}

/** The store is dead and says so; it touches no file any more. */
async function afterFailure(store: Store, layer: PowerCutLayer, failures: readonly Error[]): Promise<void> {
  const calls = layer.calls;
  const { durableSequence } = store;
  assert.equal(store.append(new Uint8Array(8)), -1);
  store.kick();
  await assert.rejects(store.settled(), failures[0]);
  assert.equal(layer.calls, calls);
  assert.equal(store.durableSequence, durableSequence);
  assert.equal(failures.length, 1);
}

/** Opens what was left behind, and demands everything acknowledged and nothing that was never appended. */
async function mustHaveAll(layer: PowerCutLayer, outcome: Outcome, least: number, what: string): Promise<number> {
  const table = new SlotTable();
  const opened = await openStore(DIR, layer, LIMITS, table.sink);
  if (opened.kind === 'bad') assert.fail(`${what}: ${opened.why}`);
  assert.ok(opened.replay.sequence >= least, `${what}: frame ${least} is missing`);
  assert.deepEqual(table.state(), outcome.history.stateAt(opened.replay.sequence), what);
  return opened.replay.sequence;
}

test('a disk that is full at any byte ends the store once and loses nothing acknowledged', async () => {
  let failed = 0;
  let refused = 0;
  for (let spaceBytes = 0; spaceBytes < 2600; spaceBytes += 7) {
    const outcome = await runInto({ random: new Random(spaceBytes), spaceBytes });
    const what = `space for ${spaceBytes} bytes`;
    if (outcome.refusal !== undefined) {
      assert.match(outcome.refusal, /ENOSPC/);
      refused++;
      continue;
    }
    assert.equal(outcome.failures.length, 1, what);
    assert.match(outcome.failures[0]!.message, /ENOSPC/);
    failed++;
    const killed = outcome.layer.afterKill({ random: new Random(1) });
    const held = await mustHaveAll(killed, outcome, outcome.acknowledged, what);
    await mustHaveAll(killed.afterPowerCut({ random: new Random(2) }), outcome, held, `${what}, then a power cut`);
  }
  assert.ok(failed > 200 && refused > 20, `${failed} failed, ${refused} refused`);
});

test('a flush that fails ends the store, and what a restart takes back then survives a power cut', async () => {
  let failed = 0;
  for (let failFlush = 2; failFlush <= COMMITS + 3; failFlush++) {
    for (let seed = 0; seed < 20; seed++) {
      const outcome = await runInto({ random: new Random(seed), failFlush });
      assert.equal(outcome.failures.length, 1, `flush ${failFlush}`);
      assert.match(outcome.failures[0]!.message, /EIO/);
      failed++;
      // The bytes of the failed flush are readable after the restart, and the kernel believes that they are on the disk.
      const killed = outcome.layer.afterKill({ random: new Random(seed) });
      const held = await mustHaveAll(killed, outcome, outcome.acknowledged, `flush ${failFlush}`);
      const cut = killed.afterPowerCut({ random: new Random(seed) });
      await mustHaveAll(cut, outcome, held, `flush ${failFlush}, seed ${seed}, then a power cut`);
    }
  }
  assert.ok(failed > 100);
});

test('a short write ends the store and its frame is cut off by the next start', async () => {
  const outcome = await runInto({ random: new Random(1), shortWrite: 4 });
  assert.equal(outcome.failures.length, 1);
  const held = await mustHaveAll(outcome.layer.afterKill({ random: new Random(1) }), outcome, 2, 'a short write');
  assert.equal(held, 2);
});

test('a failure is also told to who asks for it later', async () => {
  const layer = new PowerCutLayer({ random: new Random(1), failFlush: 2 });
  const opened = await openStore(DIR, layer, LIMITS, new SlotTable().sink);
  if (opened.kind === 'bad') assert.fail(opened.why);
  opened.store.append(new Uint8Array(8));
  await assert.rejects(opened.store.settled(), /EIO/);
  const late = await new Promise<Error>((done) => opened.store.onFailed(done));
  assert.match(late.message, /EIO/);
  await opened.store.close();
});

test('a snapshot that finds the disk full is given up, and the log goes on', async () => {
  const table = new SlotTable();
  const layer = new PowerCutLayer({ random: new Random(1), spaceBytes: 900 });
  const opened = await openStore(DIR, layer, LIMITS, table.sink);
  if (opened.kind === 'bad') assert.fail(opened.why);
  const { store } = opened;
  const history = new SlotHistory();
  history.change(store, table, new Random(1));
  await store.settled();
  const big = () => [new Uint8Array(2000)];
  await assert.rejects(store.snapshot(table, big, true), /ENOSPC/);
  assert.equal(table.copies, 1, 'the copy was ended');
  assert.deepEqual([...layer.contents().keys()], ['/state/log-0000000000000001']);
});

test('append refuses what would pass the limit of waiting bytes and takes it again once that is durable', async () => {
  const layer = new PowerCutLayer({ random: new Random(1) });
  const opened = await openStore(DIR, layer, LIMITS, new SlotTable().sink);
  if (opened.kind === 'bad') assert.fail(opened.why);
  const { store } = opened;
  const record = new Uint8Array(196);
  for (let n = 0; n < 20; n++) assert.ok(store.append(record) > 0);
  assert.equal(store.waitingBytes, 4000);
  assert.equal(store.append(record), -1);
  // Two records of 200 bytes fit into a frame of 500.
  assert.equal(store.openSequence, 10);
  await store.settled();
  assert.equal(store.durableSequence, 10);
  assert.equal(store.waitingBytes, 0);
  assert.equal(store.append(record), 11);
});
