/**
 * Writes the binding log (design, part 3): records go into an open frame, one frame is under way at a time, and everything that
 * comes meanwhile goes into the next, so that a burst costs one flush. It leaves out reading (`log-replay.ts`).
 *
 * A failed write or flush is final. Nothing is retried, because after a failed fsync the kernel may call bytes clean that never
 * reached the disk; nothing becomes durable any more, and the process must end.
 */
import { join } from 'node:path';
import { assert } from '../wire/units.ts';
import {
  encodeHeader,
  FRAME_BYTES_HARD_MAX,
  FRAME_HEADER_BYTES,
  frameMark,
  HEADER_BYTES,
  LOG_MAGIC,
  logName,
  RECORD_BYTES_MAX,
  RECORD_LENGTH_BYTES,
  sealFrame,
} from './format.ts';
import type { FileHandleLayer, FileLayer, StoreLimits } from './store-types.ts';

/** A frame buffer begins with this and doubles. */
const FRAME_BUFFER_BYTES_MIN = 64 * 1024;
/** Frame buffers kept for reuse; more are needed only while the disk stalls. */
const SPARE_BUFFERS_MAX = 3;

/** What the log goes on from: the newest file, open, with its whole frames. */
export interface LogEnd {
  readonly handle: FileHandleLayer;
  readonly position: number;
  readonly durableSequence: number;
  /** All log files, ascending. */
  readonly files: readonly { readonly path: string; readonly firstSequence: number }[];
}

export interface LogSetup {
  readonly layer: FileLayer;
  readonly dir: string;
  readonly limits: StoreLimits;
  readonly storeId: Uint8Array;
}

interface Frame {
  bytes: Buffer;
  end: number;
  count: number;
  sequence: number;
}

interface Waiter {
  readonly sequence: number;
  readonly done: () => void;
  readonly failed: (cause: Error) => void;
}

/** Makes a log file whose header and name are on disk when it resolves. */
export async function createLogFile(
  setup: LogSetup,
  firstSequence: number,
): Promise<{ handle: FileHandleLayer; path: string }> {
  const path = join(setup.dir, logName(firstSequence));
  const handle = await setup.layer.open(path, 'create');
  // A file of this name can be left from a rotation that a crash cut short; it holds nothing durable.
  await handle.truncate(0);
  await handle.write(encodeHeader(LOG_MAGIC, { storeId: setup.storeId, sequence: firstSequence }), 0);
  await handle.flush();
  await setup.layer.syncDirectory(setup.dir);
  return { handle, path };
}

/** The open end of the binding log. One owner; closes its file with `close`. */
export class BindingLog {
  readonly #setup: LogSetup;
  readonly #mark: number;
  readonly #files: { path: string; firstSequence: number }[];
  readonly #durableListeners: ((sequence: number) => void)[] = [];
  readonly #failedListeners: ((cause: Error) => void)[] = [];
  readonly #spare: Buffer[] = [];
  readonly #sealed: Frame[] = [];
  #open: Frame;
  #handle: FileHandleLayer;
  #position: number;
  #durableSequence: number;
  #waiters: Waiter[] = [];
  #waitingBytes = 0;
  #bytesWritten = 0;
  #isBusy = false;
  #isClosing = false;
  /** The commit under way, with the rotation that it brings. */
  #work: Promise<void> = Promise.resolve();
  #failure: Error | undefined;

  constructor(setup: LogSetup, end: LogEnd) {
    const frameMax = FRAME_HEADER_BYTES + setup.limits.frameBytesMax;
    assert(frameMax <= FRAME_BYTES_HARD_MAX, 'frameBytesMax is below what a reader takes for a frame');
    this.#setup = setup;
    this.#mark = frameMark(setup.storeId);
    this.#files = [...end.files];
    this.#handle = end.handle;
    this.#position = end.position;
    this.#durableSequence = end.durableSequence;
    this.#open = this.#newFrame(end.durableSequence + 1);
  }

  get openSequence(): number {
    return this.#open.sequence;
  }

  get durableSequence(): number {
    return this.#durableSequence;
  }

  /** Of the newest record appended; `durableSequence` when nothing waits. */
  get lastSequence(): number {
    return this.#open.count > 0 ? this.#open.sequence : this.#open.sequence - 1;
  }

  /** Bytes of records that were appended and are not durable yet. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Bytes of frames that became durable since the log was opened. */
  get bytesWritten(): number {
    return this.#bytesWritten;
  }

  /** `Store.append`: the sequence, or -1 when too much waits, after a failure and after `close`. */
  append(record: Uint8Array): number {
    assert(record.length <= RECORD_BYTES_MAX, 'a record has at most RECORD_BYTES_MAX bytes');
    const bytes = RECORD_LENGTH_BYTES + record.length;
    if (this.#waitingBytes + bytes > this.#setup.limits.waitingBytesMax) return -1;
    if (this.#failure !== undefined || this.#isClosing) return -1;
    const limit = FRAME_HEADER_BYTES + this.#setup.limits.frameBytesMax;
    if (this.#open.count > 0 && this.#open.end + bytes > limit) this.#sealOpen();
    const frame = this.#open;
    if (frame.end + bytes > frame.bytes.length) grow(frame, frame.end + bytes);
    frame.bytes.writeUInt32BE(record.length, frame.end);
    frame.bytes.set(record, frame.end + RECORD_LENGTH_BYTES);
    frame.end += bytes;
    frame.count++;
    this.#waitingBytes += bytes;
    return frame.sequence;
  }

  /** Starts the commit of what was appended, unless one is under way; that one starts the next by itself. */
  kick(): void {
    if (!this.#isBusy) this.#begin();
  }

  onDurable(listener: (sequence: number) => void): void {
    this.#durableListeners.push(listener);
  }

  onFailed(listener: (cause: Error) => void): void {
    const cause = this.#failure;
    if (cause === undefined) this.#failedListeners.push(listener);
    else queueMicrotask(() => listener(cause));
  }

  /** Resolves when the frame of that sequence is durable; rejects when it never will be. */
  durable(sequence: number): Promise<void> {
    if (this.#durableSequence >= sequence) return Promise.resolve();
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const waiting = new Promise<void>((done, failed) => this.#waiters.push({ sequence, done, failed }));
    this.kick();
    return waiting;
  }

  /** Removes the files whose frames all lie before the sequence. The directory is left for the caller to flush. */
  async dropBefore(sequence: number): Promise<void> {
    while (this.#files.length > 1 && this.#files[1]!.firstSequence <= sequence) {
      await this.#setup.layer.unlink(this.#files[0]!.path);
      this.#files.shift();
    }
  }

  /** Takes no more records, commits what waits and closes the file. After a failure it only closes the file. */
  async close(): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    try {
      if (this.#failure === undefined) await this.durable(this.lastSequence);
    } finally {
      // A rotation can follow the last commit, and it has the file in its hands.
      while (this.#isBusy) await this.#work;
      await this.#handle.close();
    }
  }

  #newFrame(sequence: number): Frame {
    const bytes = this.#spare.pop() ?? Buffer.allocUnsafeSlow(FRAME_BUFFER_BYTES_MIN);
    return { bytes, end: FRAME_HEADER_BYTES, count: 0, sequence };
  }

  #sealOpen(): void {
    this.#sealed.push(this.#open);
    this.#open = this.#newFrame(this.#open.sequence + 1);
  }

  #begin(): void {
    if (this.#failure !== undefined) return;
    if (this.#sealed.length === 0) {
      if (this.#open.count === 0) return;
      this.#sealOpen();
    }
    this.#isBusy = true;
    this.#work = this.#commit(this.#sealed.shift()!);
  }

  async #commit(frame: Frame): Promise<void> {
    sealFrame(frame.bytes, frame.end, this.#mark, frame.count, frame.sequence);
    try {
      await this.#handle.write(frame.bytes.subarray(0, frame.end), this.#position);
      await this.#handle.flush();
    } catch (cause) {
      this.#fail(cause);
      return;
    }
    this.#position += frame.end;
    this.#bytesWritten += frame.end;
    this.#waitingBytes -= frame.end - FRAME_HEADER_BYTES;
    this.#durableSequence = frame.sequence;
    this.#reuse(frame.bytes);
    if (this.#position < this.#setup.limits.logFileBytesMax) {
      // The next write is under way already while the listeners send what waited for this one.
      this.#next();
      this.#tell(frame.sequence);
      return;
    }
    const rotation = this.#rotate();
    this.#tell(frame.sequence);
    try {
      await rotation;
    } catch (cause) {
      this.#fail(cause);
      return;
    }
    this.#next();
  }

  #next(): void {
    this.#isBusy = false;
    this.#begin();
  }

  #tell(sequence: number): void {
    const ready = this.#waiters.filter((waiter) => waiter.sequence <= sequence);
    if (ready.length > 0) this.#waiters = this.#waiters.filter((waiter) => waiter.sequence > sequence);
    for (const waiter of ready) waiter.done();
    for (const listener of this.#durableListeners) listener(sequence);
  }

  async #rotate(): Promise<void> {
    const firstSequence = this.#durableSequence + 1;
    const next = await createLogFile(this.#setup, firstSequence);
    const old = this.#handle;
    this.#handle = next.handle;
    this.#position = HEADER_BYTES;
    this.#files.push({ path: next.path, firstSequence });
    await old.close();
  }

  #reuse(bytes: Buffer): void {
    const limit = FRAME_HEADER_BYTES + this.#setup.limits.frameBytesMax;
    // A buffer that one oversized record has blown up is let go.
    if (this.#spare.length < SPARE_BUFFERS_MAX && bytes.length <= Math.max(2 * limit, FRAME_BUFFER_BYTES_MIN)) {
      this.#spare.push(bytes);
    }
  }

  #fail(thrown: unknown): void {
    const cause = thrown instanceof Error ? thrown : new Error(String(thrown));
    this.#failure = cause;
    this.#isBusy = false;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.failed(cause);
    for (const listener of this.#failedListeners) listener(cause);
  }
}

function grow(frame: Frame, wanted: number): void {
  let size = frame.bytes.length;
  while (size < wanted) size *= 2;
  const bytes = Buffer.allocUnsafeSlow(size);
  frame.bytes.copy(bytes, 0, 0, frame.end);
  frame.bytes = bytes;
}
