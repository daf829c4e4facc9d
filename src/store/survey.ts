/**
 * Looks at the directory of a store before anything in it is touched: which log files and snapshots there are, whose they are,
 * which are leftovers of a crash, and which of them this release must refuse. It changes nothing.
 */
import { join } from 'node:path';
import { sameBytes } from '../wire/units.ts';
import {
  decodeHeader,
  HEADER_BYTES,
  type HeaderRead,
  LOG_MAGIC,
  logName,
  parseName,
  SNAPSHOT_MAGIC,
  snapshotName,
  TEMPORARY_SUFFIX,
} from './format.ts';
import { type LogFile, REFUSAL_ADVICE, readFully } from './log-replay.ts';
import type { FileLayer } from './store-types.ts';

/** Longest header that any release writes; what is behind it in the file is not read here. */
const HEADER_BYTES_MAX = 4096;

export interface SnapshotFile {
  readonly path: string;
  /** First sequence to be replayed over it. */
  readonly sequence: number;
  readonly size: number;
}

export interface Survey {
  readonly kind: 'ok';
  /** Undefined when the directory holds no store yet. */
  readonly storeId: Uint8Array | undefined;
  /** Ascending, headers right. */
  readonly logs: readonly LogFile[];
  /** Ascending; their contents are not checked yet. */
  readonly snapshots: readonly SnapshotFile[];
  /** A log file that was begun and never finished: the newest by name, and nothing can be in it. */
  readonly unfinishedLog: string | undefined;
  /** Left by a crash while they were written; never used. */
  readonly temporaries: readonly string[];
}

export type Surveyed = Survey | { readonly kind: 'bad'; readonly why: string };

/** Reads the names in the directory and the header of each file. */
export async function surveyDirectory(layer: FileLayer, dir: string): Promise<Surveyed> {
  const logSequences: number[] = [];
  const snapshotSequences: number[] = [];
  const temporaries: string[] = [];
  for (const name of await layer.list(dir)) {
    const parsed = parseName(name);
    if (parsed?.kind === 'log') logSequences.push(parsed.sequence);
    else if (parsed?.kind === 'snapshot') snapshotSequences.push(parsed.sequence);
    else if (name.endsWith(TEMPORARY_SUFFIX) && parseName(name.slice(0, -TEMPORARY_SUFFIX.length))) {
      temporaries.push(join(dir, name));
    }
  }
  const found = new Found();
  let unfinishedLog: string | undefined;
  logSequences.sort((a, b) => a - b);
  for (const [index, sequence] of logSequences.entries()) {
    const path = join(dir, logName(sequence));
    const { header, size } = await readHeader(layer, path, LOG_MAGIC);
    const isNewest = index === logSequences.length - 1;
    // A header is flushed before the first frame is written, so a file that is no longer than it holds none. What a power
    // cut leaves in its place can be anything, even the header of a file that lay in these blocks before.
    if (isNewest && size <= HEADER_BYTES && !found.agrees(sequence, header)) unfinishedLog = path;
    else if (found.take(path, sequence, header)) found.logs.push({ path, firstSequence: sequence, size });
  }
  snapshotSequences.sort((a, b) => a - b);
  for (const sequence of snapshotSequences) {
    const path = join(dir, snapshotName(sequence));
    const { header, size } = await readHeader(layer, path, SNAPSHOT_MAGIC);
    // A broken snapshot is judged when the best one is chosen.
    if (header.kind === 'bad' || found.take(path, sequence, header)) found.snapshots.push({ path, sequence, size });
  }
  if (found.refusal !== undefined) return { kind: 'bad', why: found.refusal };
  const { storeId, logs, snapshots } = found;
  if (logs.length === 0 && (snapshots.length > 0 || (unfinishedLog !== undefined && logSequences[0] !== 1))) {
    return { kind: 'bad', why: `${dir}: the log files of this store are missing. ${REFUSAL_ADVICE}` };
  }
  return { kind: 'ok', storeId, logs, snapshots, unfinishedLog, temporaries };
}

/** Gathers files that agree with each other; keeps the first reason to refuse. */
class Found {
  readonly logs: LogFile[] = [];
  readonly snapshots: SnapshotFile[] = [];
  storeId: Uint8Array | undefined;
  refusal: string | undefined;

  /** False for a damaged header and for that of another file; true also for one that is to be refused. */
  agrees(sequence: number, read: HeaderRead): boolean {
    if (read.kind !== 'ok') return read.kind === 'unknown';
    const isOfThisStore = this.storeId === undefined || sameBytes(this.storeId, read.header.storeId);
    return isOfThisStore && read.header.sequence === sequence;
  }

  take(path: string, sequence: number, read: HeaderRead): boolean {
    if (read.kind !== 'ok') {
      const advice = read.kind === 'unknown' ? NEWER_ADVICE : REFUSAL_ADVICE;
      this.refusal ??= `${path}, at byte 0: ${read.why}. ${advice}`;
      return false;
    }
    this.storeId ??= read.header.storeId;
    if (!sameBytes(this.storeId, read.header.storeId)) {
      this.refusal ??= `${path}, at byte 0: the file belongs to another store than those beside it. ${REFUSAL_ADVICE}`;
      return false;
    }
    if (read.header.sequence !== sequence) {
      this.refusal ??= `${path}, at byte 0: the file was renamed; its header names ${read.header.sequence}. ${REFUSAL_ADVICE}`;
      return false;
    }
    return true;
  }
}

const NEWER_ADVICE =
  'Nothing was changed. Start the newer release that wrote it, or move the state directory away and start this one empty.';

async function readHeader(
  layer: FileLayer,
  path: string,
  magic: string,
): Promise<{ readonly header: HeaderRead; readonly size: number }> {
  const size = (await layer.size(path)) ?? 0;
  const handle = await layer.open(path, 'read');
  try {
    const bytes = Buffer.alloc(Math.min(size, HEADER_BYTES_MAX));
    const count = await readFully(handle, bytes, 0);
    return { header: decodeHeader(bytes.subarray(0, count), magic), size };
  } finally {
    await handle.close();
  }
}
