/**
 * The log cut and corrupted at every byte: opening gives exactly the whole frames before the torn end, or refuses and changes nothing;
 * it never loses a frame that others follow, and never throws.
 */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { decodeHeader, FRAME_HEADER_BYTES, HEADER_BYTES, LOG_MAGIC, logName } from '../../src/store/format.ts';
import { type Opened, openStore } from '../../src/store/store.ts';
import type { StoreLimits } from '../../src/store/store-types.ts';
import { PowerCutLayer } from './power-cut-layer.ts';
import { Random } from './random.ts';
import { SlotHistory, SlotTable } from './slot-world.ts';

const DIR = '/state';
const FRAMES_IN_NEWEST = 4;
const LIMITS: StoreLimits = {
  frameBytesMax: 4096,
  logFileBytesMax: 900,
  snapshotEveryBytes: 1e6,
  waitingBytesMax: 1e6,
};
const options = () => ({ random: new Random(7) });

/** A store of two full log files and a newest one with several frames, and where each frame of the newest begins. */
interface Prepared {
  readonly layer: PowerCutLayer;
  readonly history: SlotHistory;
  readonly newest: string;
  readonly older: string;
  readonly starts: readonly number[];
  readonly firstSequence: number;
}

let prepared: Prepared;

before(async () => {
  prepared = await prepare(false);
});

async function prepare(withSnapshot: boolean): Promise<Prepared> {
  const layer = new PowerCutLayer(options());
  const history = new SlotHistory();
  const table = new SlotTable();
  const random = new Random(11);
  const opened = await openStore(DIR, layer, LIMITS, table.sink);
  assert.equal(opened.kind, 'ok');
  const { store } = opened as Extract<Opened, { kind: 'ok' }>;
  const logs = () => [...layer.contents().keys()].filter((name) => name.includes('/log-')).sort();
  const starts = () => frameStarts(layer.contents().get(logs().at(-1)!)!);
  while (logs().length < 3 || starts().length < FRAMES_IN_NEWEST) {
    for (let n = 0; n < 2; n++) assert.ok(history.change(store, table, random) > 0);
    await store.settled();
    if (withSnapshot && logs().length === 3 && starts().length === 2) {
      await store.snapshot(table, () => table.extraRecords(), true);
      break;
    }
  }
  const sequence = store.durableSequence;
  await store.close();
  const newest = logs().at(-1)!;
  return { layer, history, newest, older: logs()[0]!, starts: starts(), firstSequence: sequence + 1 - starts().length };
}

/** Where the frames of a whole log file begin; the third word of a frame is the length of its records. */
function frameStarts(file: Uint8Array): number[] {
  const bytes = Buffer.from(file);
  const starts: number[] = [];
  for (let at = HEADER_BYTES; at < bytes.length; at += FRAME_HEADER_BYTES + bytes.readUInt32BE(at + 8)) starts.push(at);
  return starts;
}

async function reopen(layer: PowerCutLayer): Promise<{ readonly opened: Opened; readonly table: SlotTable }> {
  const table = new SlotTable();
  return { opened: await openStore(DIR, layer, LIMITS, table.sink), table };
}

/** Demands a refusal that names the file and what to do, and files that are as they were. */
async function mustRefuse(layer: PowerCutLayer, file: string, what: string): Promise<string> {
  const before = layer.contents();
  const { opened } = await reopen(layer);
  assert.equal(opened.kind, 'bad', `${what} must be refused`);
  const { why } = opened as Extract<Opened, { kind: 'bad' }>;
  assert.ok(why.includes(file), `${what}: ${why}`);
  assert.match(why, /Nothing was changed/);
  assert.deepEqual(layer.contents(), before, `${what} must change nothing`);
  return why;
}

/** Demands exactly the frames up to the sequence, a cut to that length, and a store that goes on from there. */
async function mustHold(layer: PowerCutLayer, sequence: number, what: string): Promise<void> {
  const { opened, table } = await reopen(layer);
  if (opened.kind === 'bad') assert.fail(`${what}: ${opened.why}`);
  assert.equal(opened.replay.sequence, sequence, what);
  assert.deepEqual(table.state(), prepared.history.stateAt(sequence), what);
  assert.equal(opened.store.openSequence, sequence + 1, what);
  assert.ok(opened.store.append(new Uint8Array(8)) === sequence + 1, what);
  await opened.store.close();
  const again = await reopen(layer);
  if (again.opened.kind === 'bad') assert.fail(`${what}, opened again: ${again.opened.why}`);
  assert.equal(again.opened.replay.sequence, sequence + 1, what);
  assert.equal(again.opened.replay.tornBytes, 0, what);
}

test('the newest log file cut at every byte gives the whole frames before the cut', async () => {
  const { layer, newest, starts, firstSequence } = prepared;
  const bytes = layer.contents().get(newest)!;
  for (let length = HEADER_BYTES; length <= bytes.length; length++) {
    const spoiled = layer.clone(options());
    spoiled.put(newest, bytes.subarray(0, length));
    const ends = [...starts.slice(1), bytes.length];
    const whole = ends.filter((end) => end <= length).length;
    await mustHold(spoiled, firstSequence - 1 + whole, `cut at byte ${length}`);
  }
});

test('the newest log file cut inside its header gives the frames of the files before', async () => {
  const { layer, newest, firstSequence } = prepared;
  const bytes = layer.contents().get(newest)!;
  for (let length = 0; length < HEADER_BYTES; length += 5) {
    const spoiled = layer.clone(options());
    spoiled.put(newest, bytes.subarray(0, length));
    await mustHold(spoiled, firstSequence - 1, `cut at byte ${length}`);
  }
});

test('an unfinished log file that was removed does not come back after a power cut', async () => {
  const { layer, newest, firstSequence } = prepared;
  for (let seed = 0; seed < 100; seed++) {
    const spoiled = layer.clone({ random: new Random(seed) });
    spoiled.put(newest, new Uint8Array(10));
    const { opened } = await reopen(spoiled);
    if (opened.kind === 'bad') assert.fail(opened.why);
    opened.store.append(new Uint8Array(200));
    opened.store.kick();
    const again = await reopen(spoiled.afterPowerCut({ random: new Random(seed) }));
    if (again.opened.kind === 'bad') assert.fail(`seed ${seed}: ${again.opened.why}`);
    assert.ok(again.opened.replay.sequence >= firstSequence - 1);
  }
});

test('the newest log file corrupted at every byte loses at most its last frame, else it is refused', async () => {
  const { layer, newest, starts, firstSequence } = prepared;
  const bytes = layer.contents().get(newest)!;
  for (let at = 0; at < bytes.length; at++) {
    for (const flip of [0x01, 0x80, 0xff]) {
      const spoiled = layer.clone(options());
      const changed = bytes.slice();
      changed[at]! ^= flip;
      spoiled.put(newest, changed);
      const what = `byte ${at} changed by ${flip}`;
      if (at >= starts.at(-1)!) {
        await mustHold(spoiled, firstSequence - 2 + starts.length, what);
      } else {
        const why = await mustRefuse(spoiled, newest, what);
        const frameAt = starts.findLast((start) => start <= at) ?? 0;
        assert.ok(why.includes(`byte ${frameAt}`), `${what}: ${why}`);
      }
    }
  }
});

test('an older log file corrupted or cut at any byte is refused', async () => {
  const { layer, older } = prepared;
  const bytes = layer.contents().get(older)!;
  for (let at = 0; at < bytes.length; at++) {
    const spoiled = layer.clone(options());
    const changed = bytes.slice();
    changed[at]! ^= 0x10;
    spoiled.put(older, changed);
    await mustRefuse(spoiled, older, `byte ${at} changed`);
    const cut = layer.clone(options());
    cut.put(older, bytes.subarray(0, at));
    const opened = await reopen(cut);
    assert.equal(opened.opened.kind, 'bad', `cut at byte ${at}`);
  }
});

test('a missing log file in the middle or at the beginning is refused with the frames that are missing', async () => {
  const { layer, older } = prepared;
  const names = [...layer.contents().keys()].filter((name) => name.includes('/log-')).sort();
  const middle = layer.clone(options());
  middle.put(names[1]!, undefined);
  assert.match(await mustRefuse(middle, names[2]!, 'a gap'), /log frames \d+ to \d+ are missing/);
  const first = layer.clone(options());
  first.put(older, undefined);
  assert.match(await mustRefuse(first, names[1]!, 'a missing beginning'), /snapshot .* is missing/);
});

test('zeros and random bytes behind the last frame are cut off', async () => {
  const { layer, newest, starts, firstSequence } = prepared;
  const bytes = layer.contents().get(newest)!;
  const random = new Random(3);
  for (const tail of [
    new Uint8Array(1),
    new Uint8Array(5000),
    random.bytes(1),
    random.bytes(FRAME_HEADER_BYTES),
    random.bytes(3000),
  ]) {
    const spoiled = layer.clone(options());
    spoiled.put(newest, Buffer.concat([bytes, tail]));
    await mustHold(spoiled, firstSequence - 1 + starts.length, `${tail.length} bytes more`);
  }
});

test('an unknown version or feature is refused before anything is written', async () => {
  const { crc32 } = await import('node:zlib');
  const { layer, newest } = prepared;
  const bytes = Buffer.from(layer.contents().get(newest)!);
  const patched = (patch: (header: Buffer) => void) => {
    const changed = Buffer.from(bytes);
    patch(changed);
    changed.writeUInt32BE(crc32(changed.subarray(12, HEADER_BYTES)), 8);
    const spoiled = layer.clone(options());
    spoiled.put(newest, changed);
    return spoiled;
  };
  const later = patched((header) => header.writeUInt32BE(2, 16));
  assert.match(await mustRefuse(later, newest, 'a later version'), /format version 2.*newer release/);
  const feature = patched((header) => {
    header.writeUInt16BE(5, 44);
    header.write('wings', 46, 'latin1');
  });
  assert.match(await mustRefuse(feature, newest, 'an unknown feature'), /feature "wings".*newer release/);
  assert.equal(decodeHeader(bytes, LOG_MAGIC).kind, 'ok');
});

test('a file of another store among the files is refused', async () => {
  const other = await prepare(false);
  const mixed = prepared.layer.clone(options());
  mixed.put(prepared.newest, other.layer.contents().get(other.newest)!);
  assert.match(await mustRefuse(mixed, prepared.newest, 'a foreign file'), /another store/);
});

test('a snapshot corrupted or cut at any byte, with its older log gone, is refused', async () => {
  const { layer } = await prepare(true);
  const path = [...layer.contents().keys()].find((name) => name.includes('/snapshot-'))!;
  const bytes = layer.contents().get(path)!;
  for (let at = 0; at < bytes.length; at++) {
    const spoiled = layer.clone(options());
    const changed = bytes.slice();
    changed[at]! ^= 0x04;
    spoiled.put(path, changed);
    await mustRefuse(spoiled, path, `byte ${at} changed`);
    const cut = layer.clone(options());
    cut.put(path, bytes.subarray(0, at));
    await mustRefuse(cut, path, `cut at byte ${at}`);
  }
  const none = layer.clone(options());
  none.put(path, undefined);
  assert.equal((await reopen(none)).opened.kind, 'bad');
});

test('a log that ends before what its snapshot holds is refused', async () => {
  const layer = new PowerCutLayer(options());
  const table = new SlotTable();
  const opened = await openStore(DIR, layer, LIMITS, table.sink);
  if (opened.kind === 'bad') assert.fail(opened.why);
  const { store } = opened;
  const history = new SlotHistory();
  const random = new Random(5);
  history.change(store, table, random);
  await store.settled();
  // Changes that are made while the copy is under way are in the snapshot or not; its log has them all.
  const snapshot = store.snapshot(table, () => table.extraRecords(), true);
  history.change(store, table, random);
  await snapshot;
  await store.close();
  const path = `${DIR}/${logName(1)}`;
  const bytes = layer.contents().get(path)!;
  layer.put(path, bytes.subarray(0, bytes.length - 1));
  assert.match(await mustRefuse(layer, path, 'a short log'), /needs it up to frame 2/);
});

test('a broken newest snapshot gives way to the older one whose log is still there', async () => {
  const { layer, history } = await prepare(true);
  const earlier = layer.contents();
  const { opened, table } = await reopen(layer);
  if (opened.kind === 'bad') assert.fail(opened.why);
  const random = new Random(13);
  for (let n = 0; n < 5; n++) {
    history.change(opened.store, table, random);
    await opened.store.settled();
  }
  await opened.store.snapshot(table, () => table.extraRecords(), true);
  await opened.store.close();
  // As after a power cut between the installation and the removal of what is older.
  const later = layer.contents();
  for (const [path, bytes] of earlier) if (!later.has(path)) layer.put(path, bytes);
  const newest = [...later.keys()].find((name) => name.includes('/snapshot-'))!;
  const spoiled = later.get(newest)!;
  spoiled[spoiled.length - 20]! ^= 1;
  layer.put(newest, spoiled);
  const again = await reopen(layer);
  if (again.opened.kind === 'bad') assert.fail(again.opened.why);
  const { replay } = again.opened;
  assert.ok(replay.fellBack?.includes(newest), replay.fellBack);
  assert.ok(replay.snapshotSequence > 0 && !newest.endsWith(String(replay.snapshotSequence + 1)));
  assert.equal(replay.sequence, opened.store.durableSequence);
  assert.deepEqual(again.table.state(), history.stateAt(replay.sequence));
});
