/**
 * The durable store of one server: opens a directory, gives back what is in it, takes records and snapshots (design, part 3).
 * The binding log and the snapshot files do the work; this file ties them together and keeps the rules between them.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { SnapshotSource } from '../core/bindings/binding.ts';
import { BindingLog, createLogFile, type LogSetup } from './binding-log.ts';
import { isSystemError, nodeFileLayer } from './file-layer.ts';
import { HEADER_BYTES, parseName, STORE_ID_BYTES, snapshotName, TEMPORARY_SUFFIX } from './format.ts';
import { lockDirectory } from './lock.ts';
import { recover, repair } from './recovery.ts';
import { writeSnapshot } from './snapshot.ts';
import { CHUNK_BYTES, FLUSH_EVERY_BYTES, packRecords } from './snapshot-format.ts';
import type { FileLayer, ReplayResult, ReplaySink, Store, StoreLimits } from './store-types.ts';
import { type Survey, surveyDirectory } from './survey.ts';

/** 20,000 records a second make about 3 MB a second of log: a snapshot every 40 s then, and a start replays at most that. */
export const DEFAULT_STORE_LIMITS: StoreLimits = {
  frameBytesMax: 1024 * 1024,
  logFileBytesMax: 64 * 1024 * 1024,
  snapshotEveryBytes: 128 * 1024 * 1024,
  waitingBytesMax: 16 * 1024 * 1024,
};

/** After a snapshot that failed, the next is due when this part of `snapshotEveryBytes` was written again. */
const RETRY_PART = 1 / 4;

export type Opened =
  | { readonly kind: 'ok'; readonly store: Store; readonly replay: ReplayResult }
  | { readonly kind: 'bad'; readonly why: string };

/**
 * Opens the store in `dir`, or begins one there when the directory is empty or absent.
 *
 * The sink gets the sections of the snapshot, its extra records, then the records of the log; bytes given to `record` are only good
 * during the call. After `bad` the sink can hold a part and must be thrown away; `why` names file, offset and what to do, and no
 * file of the store was changed. Over the real layer a lock keeps every other process out until `close` or the end of the process.
 */
export async function openStore(dir: string, layer: FileLayer, limits: StoreLimits, sink: ReplaySink): Promise<Opened> {
  let unlock = () => {};
  try {
    await layer.mkdir(dir);
    if (layer === nodeFileLayer) {
      const locked = await lockDirectory(dir);
      if (locked.kind === 'bad') return locked;
      unlock = locked.release;
    }
    const opened = await openUnlocked({ dir, layer, limits }, sink, unlock);
    if (opened.kind === 'bad') unlock();
    return opened;
  } catch (cause) {
    unlock();
    if (!isSystemError(cause)) throw cause;
    return { kind: 'bad', why: `${dir}: ${cause.message}` };
  }
}

type Place = Omit<LogSetup, 'storeId'>;

async function openUnlocked(place: Place, sink: ReplaySink, unlock: () => void): Promise<Opened> {
  const { dir, layer } = place;
  const survey = await surveyDirectory(layer, dir);
  if (survey.kind === 'bad') return survey;
  const { storeId } = survey;
  if (storeId === undefined) return beginStore(place, survey, unlock);
  const recovered = await recover(layer, { ...survey, storeId }, sink);
  if (recovered.kind === 'bad') return recovered;
  const handle = await repair(layer, dir, survey, recovered);
  const { sequence, frames, records, bytes, endAt, tornBytes } = recovered.replay;
  const { snapshotSequence, fellBack } = recovered;
  // Files from before the snapshot, left by an interrupted removal, go with the next one.
  const files = survey.logs;
  const log = new BindingLog({ ...place, storeId }, { handle, position: endAt, durableSequence: sequence, files });
  const replay: ReplayResult = {
    sequence,
    frames,
    records,
    tornBytes,
    snapshotSequence,
    isNew: false,
    ...(fellBack === undefined ? {} : { fellBack }),
  };
  return { kind: 'ok', store: new DurableStore({ ...place, storeId }, { log, unlock, replayedBytes: bytes }), replay };
}

async function beginStore(place: Place, survey: Survey, unlock: () => void): Promise<Opened> {
  for (const path of survey.temporaries) await place.layer.unlink(path);
  const setup: LogSetup = { ...place, storeId: new Uint8Array(randomBytes(STORE_ID_BYTES)) };
  const { handle, path } = await createLogFile(setup, 1);
  const files = [{ path, firstSequence: 1 }];
  const log = new BindingLog(setup, { handle, position: HEADER_BYTES, durableSequence: 0, files });
  const replay: ReplayResult = { sequence: 0, frames: 0, records: 0, tornBytes: 0, snapshotSequence: 0, isNew: true };
  return { kind: 'ok', store: new DurableStore(setup, { log, unlock, replayedBytes: 0 }), replay };
}

interface StoreParts {
  readonly log: BindingLog;
  readonly unlock: () => void;
  /** Bytes of log that were replayed over the snapshot: they count toward the next one. */
  readonly replayedBytes: number;
}

class DurableStore implements Store {
  readonly #setup: LogSetup;
  readonly #log: BindingLog;
  readonly #unlock: () => void;
  readonly #replayedBytes: number;
  readonly #stopping = new AbortController();
  #snapshotUnderWay: Promise<void> | undefined;
  /** Value of `#logBytes` from which on a snapshot is due. */
  #dueAtBytes: number;
  #closing: Promise<void> | undefined;

  constructor(setup: LogSetup, parts: StoreParts) {
    this.#setup = setup;
    this.#log = parts.log;
    this.#unlock = parts.unlock;
    this.#replayedBytes = parts.replayedBytes;
    this.#dueAtBytes = setup.limits.snapshotEveryBytes;
  }

  get storeId(): Uint8Array {
    return this.#setup.storeId;
  }

  get openSequence(): number {
    return this.#log.openSequence;
  }

  get durableSequence(): number {
    return this.#log.durableSequence;
  }

  get waitingBytes(): number {
    return this.#log.waitingBytes;
  }

  append(record: Uint8Array): number {
    return this.#log.append(record);
  }

  kick(): void {
    this.#log.kick();
  }

  onDurable(listener: (sequence: number) => void): void {
    this.#log.onDurable(listener);
  }

  onFailed(listener: (cause: Error) => void): void {
    this.#log.onFailed(listener);
  }

  settled(): Promise<void> {
    return this.#log.durable(this.#log.lastSequence);
  }

  get isSnapshotDue(): boolean {
    return this.#snapshotUnderWay === undefined && this.#logBytes >= this.#dueAtBytes;
  }

  async snapshot(source: SnapshotSource, extra: () => readonly Uint8Array[], force = false): Promise<void> {
    while (this.#snapshotUnderWay !== undefined) {
      if (!force) return this.#snapshotUnderWay;
      // How the one before ended is told to its own caller.
      await this.#snapshotUnderWay.catch(() => {});
    }
    if (!force && !this.isSnapshotDue) return;
    if (this.#stopping.signal.aborted) throw new Error('the store is closed');
    const bytesBefore = this.#logBytes;
    this.#snapshotUnderWay = this.#takeSnapshot(source, extra);
    try {
      await this.#snapshotUnderWay;
      this.#dueAtBytes = bytesBefore + this.#setup.limits.snapshotEveryBytes;
    } catch (cause) {
      this.#dueAtBytes = this.#logBytes + this.#setup.limits.snapshotEveryBytes * RETRY_PART;
      throw cause;
    } finally {
      this.#snapshotUnderWay = undefined;
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#stopping.abort();
    try {
      // Its own caller hears that it was given up.
      await this.#snapshotUnderWay?.catch(() => {});
      await this.#log.close();
    } finally {
      this.#unlock();
    }
  }

  get #logBytes(): number {
    return this.#replayedBytes + this.#log.bytesWritten;
  }

  async #takeSnapshot(source: SnapshotSource, extra: () => readonly Uint8Array[]): Promise<void> {
    const { dir, layer, storeId, limits } = this.#setup;
    // Every change before this moment is in the copy, so the log is needed from the frame that is open now.
    const sequence = this.#log.openSequence;
    const path = join(dir, snapshotName(sequence));
    const temporary = path + TEMPORARY_SUFFIX;
    const records = packRecords(extra());
    const sections = source.beginCopy();
    let isCopying = true;
    let lastSequence = sequence - 1;
    const copied = () => {
      isCopying = false;
      source.endCopy();
      lastSequence = this.#log.lastSequence;
      return lastSequence;
    };
    const chunkBytes = limits.snapshotChunkBytes ?? CHUNK_BYTES;
    const job = {
      path: temporary,
      header: { storeId, sequence },
      records,
      chunkBytes,
      flushEveryBytes: FLUSH_EVERY_BYTES,
    };
    try {
      await writeSnapshot(layer, { job, sections }, { copied, signal: this.#stopping.signal });
      await this.#log.durable(lastSequence);
    } catch (cause) {
      if (isCopying) source.endCopy();
      // What cannot be removed now goes at the next start; the caller hears of the first failure.
      await this.#removeTemporary(temporary).catch(() => {});
      throw cause;
    }
    await layer.rename(temporary, path);
    await layer.syncDirectory(dir);
    await this.#removeOlder(sequence);
  }

  async #removeTemporary(path: string): Promise<void> {
    if ((await this.#setup.layer.size(path)) !== undefined) await this.#setup.layer.unlink(path);
  }

  /** The new snapshot is on disk with its name, so that nothing before it is needed any more. */
  async #removeOlder(sequence: number): Promise<void> {
    const { dir, layer } = this.#setup;
    for (const name of await layer.list(dir)) {
      const parsed = parseName(name);
      if (parsed?.kind === 'snapshot' && parsed.sequence !== sequence) await layer.unlink(join(dir, name));
    }
    await this.#log.dropBefore(sequence);
    await layer.syncDirectory(dir);
  }
}
