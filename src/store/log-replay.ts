/**
 * Reads the files of the binding log: gives every record of the whole frames in order, finds where the torn end of the newest
 * file begins, and tells a torn end from damage. It changes no file; the repair is done by `store.ts` once all is read.
 *
 * Only one frame is under way at a time, and the next is written after its flush. So a crash can spoil the last frame of the
 * newest file and nothing else: damage that whole frames follow, or damage in an older file, means that durable records are lost.
 */
import {
  FRAME_HEADER_BYTES,
  frameMark,
  HEADER_BYTES,
  isWholeFrame,
  RECORD_BYTES_MAX,
  RECORD_LENGTH_BYTES,
  readFrameHead,
} from './format.ts';
import type { FileHandleLayer, FileLayer, ReplaySink } from './store-types.ts';

/** Read from a file at once; a longer frame widens it. */
const WINDOW_BYTES = 1024 * 1024;

/** One log file whose header was read and is right. */
export interface LogFile {
  readonly path: string;
  readonly firstSequence: number;
  readonly size: number;
}

export interface LogReplayInput {
  readonly layer: FileLayer;
  readonly storeId: Uint8Array;
  /** Ascending; at least one, and the first begins at or before `fromSequence`. */
  readonly files: readonly LogFile[];
  /** Frames before it are checked but not given to `record`. */
  readonly fromSequence: number;
  readonly record: ReplaySink['record'];
  /** A newer file was begun after the last of `files`, so that one must end whole. */
  readonly mustEndWhole: boolean;
}

export type LogReplay =
  | {
      readonly kind: 'ok';
      /** Of the newest whole frame; one less than the first of the newest file when that has none. */
      readonly sequence: number;
      readonly frames: number;
      readonly records: number;
      /** Bytes of the frames that were given. */
      readonly bytes: number;
      /** Where the newest file ends in whole frames, and where the last of them begins (0, the header's place, if none). */
      readonly endAt: number;
      readonly lastFrameAt: number;
      readonly tornBytes: number;
    }
  | { readonly kind: 'bad'; readonly why: string };

/** What an operator can do about a store that is refused; the same for every damage. */
export const REFUSAL_ADVICE =
  'Nothing was changed. Put the state directory back from a backup, or move it away and start again: ' +
  'the server then begins an empty store and recovers its bindings from its partner.';

interface Progress {
  expected: number;
  frames: number;
  records: number;
  bytes: number;
}

/** Gives all records from `fromSequence` on, in order. The bytes given to `record` are only good during the call. */
export async function replayLog(input: LogReplayInput): Promise<LogReplay> {
  const progress: Progress = { expected: input.files[0]!.firstSequence, frames: 0, records: 0, bytes: 0 };
  let last = { endAt: HEADER_BYTES, lastFrameAt: 0, tornBytes: 0 };
  for (const [index, file] of input.files.entries()) {
    if (file.firstSequence !== progress.expected) {
      const missing = `log frames ${progress.expected} to ${file.firstSequence - 1} are missing before ${file.path}.`;
      return { kind: 'bad', why: `${missing} ${REFUSAL_ADVICE}` };
    }
    const isNewest = index === input.files.length - 1;
    const handle = await input.layer.open(file.path, 'read');
    try {
      const read = await replayFile(input, file, handle, progress);
      if (read.kind === 'bad') return read;
      if (read.tornBytes > 0) {
        const why = await damageBehind(input, { file, handle, at: read.endAt, isNewest, expected: progress.expected });
        if (why !== undefined) return { kind: 'bad', why };
      }
      last = read;
    } finally {
      await handle.close();
    }
  }
  const { frames, records, bytes, expected } = progress;
  return { kind: 'ok', sequence: expected - 1, frames, records, bytes, ...last };
}

type FileReplay =
  | { readonly kind: 'read'; readonly endAt: number; readonly lastFrameAt: number; readonly tornBytes: number }
  | { readonly kind: 'bad'; readonly why: string };

async function replayFile(
  input: LogReplayInput,
  file: LogFile,
  handle: FileHandleLayer,
  progress: Progress,
): Promise<FileReplay> {
  const mark = frameMark(input.storeId);
  const window = new Window(handle, file.size);
  let at = HEADER_BYTES;
  let lastFrameAt = 0;
  while (at < file.size) {
    const headBytes = window.have(at, FRAME_HEADER_BYTES) ?? (await window.fetch(at, FRAME_HEADER_BYTES));
    const head = headBytes === undefined ? undefined : readFrameHead(headBytes, mark);
    const frame =
      head === undefined ? undefined : (window.have(at, head.frameBytes) ?? (await window.fetch(at, head.frameBytes)));
    if (head === undefined || frame === undefined || !isWholeFrame(frame, head)) break;
    // An earlier one is no frame of this file: after a power cut a file can end in blocks that belonged to a removed one.
    if (head.sequence < progress.expected) break;
    if (head.sequence > progress.expected) {
      const why = `${file.path}: the frame at byte ${at} has sequence ${head.sequence} where ${progress.expected} must follow.`;
      return { kind: 'bad', why: `${why} ${REFUSAL_ADVICE}` };
    }
    const isWanted = head.sequence >= input.fromSequence;
    const why = giveRecords(frame, head.count, head.sequence, isWanted ? input.record : undefined);
    if (why !== undefined) {
      return {
        kind: 'bad',
        why: `${file.path}: the frame at byte ${at} (sequence ${head.sequence}): ${why}. ${REFUSAL_ADVICE}`,
      };
    }
    if (isWanted) {
      progress.frames++;
      progress.records += head.count;
      progress.bytes += head.frameBytes;
    }
    progress.expected++;
    lastFrameAt = at;
    at += head.frameBytes;
  }
  return { kind: 'read', endAt: at, lastFrameAt, tornBytes: file.size - at };
}

/** Answers why the records of a whole frame cannot be taken. */
function giveRecords(
  frame: Buffer,
  count: number,
  sequence: number,
  record: ReplaySink['record'] | undefined,
): string | undefined {
  let at = FRAME_HEADER_BYTES;
  for (let i = 0; i < count; i++) {
    if (at + RECORD_LENGTH_BYTES > frame.length) return 'it ends inside its records';
    const length = frame.readUInt32BE(at);
    at += RECORD_LENGTH_BYTES;
    if (length > RECORD_BYTES_MAX || at + length > frame.length) return `record ${i} is longer than the frame`;
    const taken = record?.(frame.subarray(at, at + length), sequence);
    if (taken?.kind === 'bad') return `record ${i} cannot be read: ${taken.why}`;
    at += length;
  }
  return at === frame.length ? undefined : 'it is longer than its records';
}

interface Spot {
  readonly file: LogFile;
  readonly handle: FileHandleLayer;
  readonly at: number;
  readonly isNewest: boolean;
  /** Sequence of the frame that should lie there. */
  readonly expected: number;
}

/** Answers in words when the bytes from `at` on are damage, and undefined when a crash can have torn them. */
async function damageBehind(input: LogReplayInput, spot: Spot): Promise<string | undefined> {
  const where = `${spot.file.path}: the frame at byte ${spot.at} is damaged`;
  if (!spot.isNewest || input.mustEndWhole) return `${where}, and a newer log file follows. ${REFUSAL_ADVICE}`;
  const rest = Buffer.allocUnsafe(spot.file.size - spot.at);
  const got = await readFully(spot.handle, rest, spot.at);
  const next = findWholeFrame(rest.subarray(0, got), frameMark(input.storeId), spot.expected);
  if (next === undefined) return undefined;
  return `${where}, and a whole frame follows at byte ${spot.at + next}. ${REFUSAL_ADVICE}`;
}

/** Where a whole frame with that or a later sequence lies in the bytes, not counting their very beginning. */
function findWholeFrame(bytes: Buffer, mark: number, sequence: number): number | undefined {
  const pattern = Buffer.alloc(4);
  pattern.writeUInt32BE(mark);
  for (let at = bytes.indexOf(pattern, 1); at >= 0; at = bytes.indexOf(pattern, at + 1)) {
    const head = readFrameHead(bytes.subarray(at), mark);
    if (head === undefined || head.sequence < sequence) continue;
    if (isWholeFrame(bytes.subarray(at, at + head.frameBytes), head)) return at;
  }
  return undefined;
}

/** Reads until `into` is full or the file ends; answers the number of bytes read. */
export async function readFully(handle: FileHandleLayer, into: Uint8Array, position: number): Promise<number> {
  let filled = 0;
  while (filled < into.length) {
    const count = await handle.read(into.subarray(filled), position + filled);
    if (count === 0) break;
    filled += count;
  }
  return filled;
}

/** A stretch of a file in memory that moves forward. */
class Window {
  readonly #handle: FileHandleLayer;
  readonly #size: number;
  #bytes: Buffer;
  #start = 0;
  #filled = 0;

  constructor(handle: FileHandleLayer, size: number) {
    this.#handle = handle;
    this.#size = size;
    this.#bytes = Buffer.allocUnsafe(Math.min(WINDOW_BYTES, size));
  }

  /** The bytes, when they are in memory already. They are good until the next `fetch`. */
  have(at: number, length: number): Buffer | undefined {
    const from = at - this.#start;
    return from >= 0 && from + length <= this.#filled ? this.#bytes.subarray(from, from + length) : undefined;
  }

  /** Moves on to the bytes; undefined when the file has not as many. */
  async fetch(at: number, length: number): Promise<Buffer | undefined> {
    if (at + length > this.#size) return undefined;
    const kept = Math.max(this.#start + this.#filled - at, 0);
    const keptFrom = at - this.#start;
    const source = this.#bytes;
    if (length > source.length) this.#bytes = Buffer.allocUnsafe(length);
    if (kept > 0) source.copy(this.#bytes, 0, keptFrom, keptFrom + kept);
    const wanted = this.#bytes.subarray(kept, Math.min(this.#bytes.length, this.#size - at));
    this.#start = at;
    this.#filled = kept + (await readFully(this.#handle, wanted, at + kept));
    return this.have(at, length);
  }
}
