/**
 * Measures the store on the disk at hand: the latency of a plain write with fdatasync, group commit with several numbers of records
 * outstanding, group commit while a snapshot is written, and the replay of what was written.
 * `node dist/test/bench/store.js [--seconds 2] [--dir <on the disk to measure>] [--json]`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type { SnapshotSource } from '../../src/core/bindings/binding.ts';
import { nodeFileLayer } from '../../src/store/file-layer.ts';
import { DEFAULT_STORE_LIMITS, openStore } from '../../src/store/store.ts';
import type { ReplaySink, Store } from '../../src/store/store-types.ts';

const RECORD_BYTES = 120;
const OUTSTANDING = [1, 64, 1024, 4096];
const SECTION_BYTES = 100 * 1024 * 1024;
const SYNC_ROUNDS = 500;
const SYNC_BYTES = 4096;

export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface CommitResult extends Latency {
  readonly outstanding: number;
  readonly recordsPerSec: number;
  readonly commitsPerSec: number;
}

export interface StoreBench {
  /** A 4 KiB write at the end of a growing file, then fdatasync. Every other figure depends on it. */
  readonly fdatasync: Latency;
  readonly commits: readonly CommitResult[];
  readonly snapshot: { readonly bytes: number; readonly ms: number; readonly commitsMeanwhile: CommitResult };
  readonly replay: { readonly records: number; readonly ms: number };
}

/** Runs all measurements in a new directory under `dir`, which is removed afterwards. */
export async function benchStore({
  dir,
  seconds,
}: {
  readonly dir: string;
  readonly seconds: number;
}): Promise<StoreBench> {
  const place = await mkdtemp(join(dir, 'twinlease-bench-'));
  try {
    const fdatasync = await measureSync(place);
    const store = await open(place, NO_SINK);
    const commits: CommitResult[] = [];
    const load = new Load(store);
    for (const outstanding of OUTSTANDING) commits.push(await load.run(outstanding, seconds * 1000));
    const snapshot = await measureSnapshot(store, load);
    await load.run(1024, seconds * 1000);
    await store.close();
    const startedAt = performance.now();
    const again = await openStore(place, nodeFileLayer, DEFAULT_STORE_LIMITS, NO_SINK);
    if (again.kind === 'bad') throw new Error(again.why);
    const replay = { records: again.replay.records, ms: performance.now() - startedAt };
    await again.store.close();
    return { fdatasync, commits, snapshot, replay };
  } finally {
    await rm(place, { recursive: true });
  }
}

const NO_SINK: ReplaySink = { restore: () => ({ kind: 'ok' }), record: () => ({ kind: 'ok' }) };

async function open(dir: string, sink: ReplaySink): Promise<Store> {
  const limits = { ...DEFAULT_STORE_LIMITS, snapshotEveryBytes: Number.MAX_SAFE_INTEGER };
  const opened = await openStore(dir, nodeFileLayer, limits, sink);
  if (opened.kind === 'bad') throw new Error(opened.why);
  opened.store.onFailed((cause) => {
    throw cause;
  });
  return opened.store;
}

async function measureSync(dir: string): Promise<Latency> {
  const path = join(dir, 'sync');
  const handle = await nodeFileLayer.open(path, 'create');
  const bytes = Buffer.alloc(SYNC_BYTES, 1);
  const times: number[] = [];
  for (let round = 0; round < SYNC_ROUNDS; round++) {
    const startedAt = performance.now();
    await handle.write(bytes, round * SYNC_BYTES);
    await handle.flush();
    times.push(performance.now() - startedAt);
  }
  await handle.close();
  await nodeFileLayer.unlink(path);
  return latencyOf(times);
}

/** A closed loop: each record that becomes durable is followed by a new one. */
class Load {
  readonly #store: Store;
  readonly #record = Buffer.alloc(RECORD_BYTES, 0x5a);
  #onDurable: () => void = () => {};

  constructor(store: Store) {
    this.#store = store;
    store.onDurable(() => this.#onDurable());
  }

  async run(outstanding: number, ms: number): Promise<CommitResult> {
    const endAt = performance.now() + ms;
    return this.runUntil(outstanding, () => performance.now() >= endAt);
  }

  async runUntil(outstanding: number, isOver: () => boolean): Promise<CommitResult> {
    const store = this.#store;
    const waiting: { sequence: number; count: number; at: number }[] = [];
    const times: number[] = [];
    let records = 0;
    const startedAt = performance.now();
    const add = (wanted: number) => {
      const at = performance.now();
      for (let left = wanted; left > 0; ) {
        const sequence = store.append(this.#record);
        let count = 1;
        while (count < left && store.openSequence === sequence && store.append(this.#record) === sequence) count++;
        waiting.push({ sequence, count, at });
        left -= count;
      }
      store.kick();
    };
    await new Promise<void>((done) => {
      this.#onDurable = () => {
        let freed = 0;
        while (waiting.length > 0 && waiting[0]!.sequence <= store.durableSequence) {
          const { count, at } = waiting.shift()!;
          times.push(performance.now() - at);
          freed += count;
        }
        records += freed;
        if (isOver()) done();
        else add(freed);
      };
      add(outstanding);
    });
    this.#onDurable = () => {};
    const elapsedSec = (performance.now() - startedAt) / 1000;
    await store.settled();
    return {
      outstanding,
      recordsPerSec: Math.round(records / elapsedSec),
      commitsPerSec: Math.round(times.length / elapsedSec),
      ...latencyOf(times),
    };
  }
}

async function measureSnapshot(store: Store, load: Load): Promise<StoreBench['snapshot']> {
  const buffer = new SharedArrayBuffer(SECTION_BYTES);
  new Uint8Array(buffer).fill(7);
  const source: SnapshotSource = {
    beginCopy: () => [{ name: 'table', buffer, byteLength: SECTION_BYTES }],
    endCopy: () => {},
    restore: () => ({ kind: 'ok' }),
  };
  let isDone = false;
  let ms = 0;
  const startedAt = performance.now();
  const taken = store
    .snapshot(source, () => [], true)
    .then(() => {
      isDone = true;
      ms = performance.now() - startedAt;
    });
  const commitsMeanwhile = await load.runUntil(64, () => isDone);
  await taken;
  return { bytes: SECTION_BYTES, ms, commitsMeanwhile };
}

function latencyOf(times: number[]): Latency {
  times.sort((a, b) => a - b);
  const at = (part: number) => times[Math.min(Math.floor(times.length * part), times.length - 1)] ?? 0;
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

function print(bench: StoreBench): void {
  const ms = ({ p50Ms, p99Ms, maxMs }: Latency) =>
    `p50 ${p50Ms.toFixed(2)}  p99 ${p99Ms.toFixed(2)}  max ${maxMs.toFixed(1)} ms`;
  const rate = (result: CommitResult) =>
    `${String(result.recordsPerSec).padStart(8)} records/s  ${String(result.commitsPerSec).padStart(6)} commits/s  ${ms(result)}`;
  console.log(`4 KiB write + fdatasync       ${ms(bench.fdatasync)}`);
  for (const result of bench.commits)
    console.log(`${String(result.outstanding).padStart(5)} outstanding  ${rate(result)}`);
  console.log(`snapshot of ${bench.snapshot.bytes / 2 ** 20} MiB in ${bench.snapshot.ms.toFixed(0)} ms; meanwhile`);
  console.log(`   64 outstanding  ${rate(bench.snapshot.commitsMeanwhile)}`);
  const perSec = Math.round((bench.replay.records / bench.replay.ms) * 1000);
  console.log(
    `replay of ${bench.replay.records} records (and the snapshot) in ${bench.replay.ms.toFixed(0)} ms, ${perSec}/s`,
  );
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '2' },
      dir: { type: 'string', default: tmpdir() },
      json: { type: 'boolean', default: false },
    },
  });
  const bench = await benchStore({ dir: values.dir, seconds: Number(values.seconds) });
  if (values.json) console.log(JSON.stringify(bench));
  else print(bench);
}
